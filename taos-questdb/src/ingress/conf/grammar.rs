//! `service::key=value;key=value;` (questdb §1.1). Positions are bytes from 0.

use zeroize::Zeroizing;

use crate::error::{Result, error};

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
            "bad separator: `::` must follow the scheme, but there is {} at position {}",
            found(rest),
            service.len()
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

/// One parameter that begins at `position`, and where the next begins.
fn param(conf: &str, position: usize) -> Result<(Param<'_>, usize)> {
    let key = word(conf, position);
    let after = position + key.len();
    let rest = &conf[after..];
    if key.is_empty() {
        return Err(error!(
            ConfigError,
            "a key of letters, digits and `_` is expected at position {after} of the configuration string, but there is {}",
            found(rest)
        ));
    }
    if !rest.starts_with('=') {
        return Err(error!(
            ConfigError,
            "`=` must follow the key `{key}` at position {after} of the configuration string, but there is {}",
            found(rest)
        ));
    }
    let start = after + 1;
    let mut value = Zeroizing::new(String::with_capacity(conf.len() - start));
    let mut chars = conf[start..].char_indices().peekable();
    let mut end = conf.len();
    while let Some((offset, c)) = chars.next() {
        if c == ';' && chars.next_if(|(_, next)| *next == ';').is_none() {
            end = start + offset + 1;
            break;
        }
        if c.is_control() {
            return Err(error!(
                ConfigError,
                "the character {c:?} at position {} of the configuration string is not allowed in a value (key `{key}`)",
                start + offset
            ));
        }
        value.push(c);
    }
    Ok((
        Param {
            key,
            position,
            value,
        },
        end,
    ))
}

/// The letters, digits and underscores from `start` on.
fn word(conf: &str, start: usize) -> &str {
    let rest = &conf[start..];
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
    &rest[..end]
}

fn found(rest: &str) -> String {
    match rest.chars().next() {
        Some(c) => format!("{c:?}"),
        None => "its end".to_owned(),
    }
}
