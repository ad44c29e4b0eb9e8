//! `service::key=value;key=value;` (questdb §1.1). Positions are bytes from 0.

use zeroize::Zeroizing;

use super::keys;
use crate::error::{Result, error};
use crate::ingress::Protocol;

pub(super) const DOUBLED: &str = "; a `;` within a value is written `;;`";

pub(super) struct Parsed<'a> {
    pub(super) service: &'a str,
    /// In the order of the string, with repetitions.
    pub(super) params: Vec<Param<'a>>,
}

pub(super) struct Param<'a> {
    pub(super) key: &'a str,
    pub(super) position: usize,
    /// With `;;` read as `;`.
    pub(super) value: Zeroizing<String>,
}

pub(super) fn parse(conf: &str) -> Result<Parsed<'_>> {
    let service = word(conf, 0);
    if service.is_empty() {
        return Err(error!(
            ConfigError,
            "a configuration string begins with a scheme, as in http::addr=localhost:9000;, but there is {} at position 0",
            found(conf)
        ));
    }
    let rest = &conf[service.len()..];
    let mut params = Vec::new();
    if rest.is_empty() {
        return Ok(Parsed { service, params });
    }
    if !rest.starts_with("::") {
        return Err(error!(
            ConfigError,
            "bad separator: `::` must follow the scheme, but there is {} at position {}{}",
            found(rest),
            service.len(),
            in_place_of_url(service, rest)
        ));
    }
    let mut at = service.len() + 2;
    while at < conf.len() {
        let (param, end) = param(conf, at)?;
        params.push(param);
        at = end;
    }
    Ok(Parsed { service, params })
}

/// How to write what a URL was given for. Nothing of the URL is shown, which may hold a password.
fn in_place_of_url(service: &str, rest: &str) -> String {
    if !rest.starts_with("://") && !rest.starts_with('+') {
        return String::new();
    }
    let protocol = super::protocol(service).unwrap_or(Protocol::Http);
    format!(
        "; a sender takes a configuration string such as {}::addr=host:{};, no URL (a questdb:// DSN \
         belongs to `TaosBuilder::from_dsn`)",
        protocol.scheme(),
        protocol.default_port()
    )
}

/// One parameter that begins at `position`, and where the next begins.
fn param(conf: &str, position: usize) -> Result<(Param<'_>, usize)> {
    let key = word(conf, position);
    let after = position + key.len();
    let rest = &conf[after..];
    if key.is_empty() {
        return Err(error!(
            ConfigError,
            "a key of letters, digits and `_` is expected at position {after} of the configuration string, but there is {}{DOUBLED}",
            seen(rest)
        ));
    }
    if !rest.starts_with('=') {
        return Err(error!(
            ConfigError,
            "`=` must follow the key{} at position {after} of the configuration string, but there is {}{}",
            named(key),
            seen(rest),
            if keys::is_known(key) { "" } else { DOUBLED }
        ));
    }
    let start = after + 1;
    let length = length(&conf[start..]);
    let text = &conf[start..start + length];
    if let Some((offset, c)) = text.char_indices().find(|(_, c)| c.is_control()) {
        return Err(error!(
            ConfigError,
            "the character {c:?} at position {} of the configuration string is not allowed in a value{}",
            start + offset,
            if keys::is_known(key) {
                format!(" (key{})", named(key))
            } else {
                String::new()
            }
        ));
    }
    let mut value = Zeroizing::new(String::with_capacity(length));
    for (number, part) in text.split(";;").enumerate() {
        if number > 0 {
            value.push(';');
        }
        value.push_str(part);
    }
    // The `;` behind it, if there is one.
    let end = (start + length + 1).min(conf.len());
    Ok((
        Param {
            key,
            position,
            value,
        },
        end,
    ))
}

/// Bytes up to a `;` that is not doubled.
fn length(text: &str) -> usize {
    let mut signs = text.match_indices(';').map(|(at, _)| at).peekable();
    while let Some(at) = signs.next() {
        if signs.next_if_eq(&(at + 1)).is_none() {
            return at;
        }
    }
    text.len()
}

/// What is no key of ours may be the rest of a password with a `;`, and is not shown.
pub(super) fn named(key: &str) -> String {
    if keys::is_known(key) {
        format!(" `{key}`")
    } else {
        String::new()
    }
}

/// The letters, digits and underscores from `start` on.
fn word(conf: &str, start: usize) -> &str {
    let rest = &conf[start..];
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
    &rest[..end]
}

/// What stands there, unless it may be of a password.
fn seen(rest: &str) -> String {
    if rest.starts_with(|c: char| !matches!(c, ';' | '=' | ':' | ' ')) {
        return "another character".to_owned();
    }
    found(rest)
}

fn found(rest: &str) -> String {
    match rest.chars().next() {
        Some(c) => format!("{c:?}"),
        None => "its end".to_owned(),
    }
}
