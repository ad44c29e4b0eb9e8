//! Configuration strings, and the one table of keys that strings, builders and DSNs share
//! (questdb §1).

mod address;
mod auth;
mod draft;
mod dsn;
mod finish;
mod grammar;
mod keys;
#[cfg(test)]
mod tests;
mod value;

use std::collections::HashSet;

pub(crate) use draft::{Draft, Use};

use self::address::list;
use self::value::Value;
use crate::error::{Result, error};
use crate::ingress::Protocol;
#[cfg(test)]
use crate::settings::Settings;

/// The environment variable of `from_env`.
const VARIABLE: &str = "QDB_CLIENT_CONF";

#[cfg(test)]
impl Settings {
    /// Reads and checks a configuration string.
    ///
    /// # Errors
    /// `ConfigError`, which names keys and positions but never values.
    pub(crate) fn from_conf(conf: &str, what_for: Use) -> Result<Self> {
        Draft::from_conf(conf, what_for)?.finish()
    }
}

impl Draft {
    /// Reads a configuration string; what can only be judged with all of it waits for
    /// [`finish`](Self::finish).
    pub(crate) fn from_conf(conf: &str, what_for: Use) -> Result<Self> {
        let parsed = grammar::parse(conf)?;
        let protocol = protocol(parsed.service)?;
        let mut seen = HashSet::with_capacity(parsed.params.len());
        for param in &parsed.params {
            let again = !seen.insert(param.key);
            if again && !(param.key == "addr" && protocol.is_qwp()) {
                return Err(error!(
                    ConfigError,
                    "duplicate key{} at position {} of the configuration string",
                    grammar::named(param.key),
                    param.position
                ));
            }
        }
        let mut hosts = Vec::new();
        for param in parsed.params.iter().filter(|param| param.key == "addr") {
            list(protocol, &param.value, &mut hosts)?;
        }
        if hosts.is_empty() {
            return Err(error!(
                ConfigError,
                "the configuration string has no `addr`: write {}::addr=host:{};",
                protocol.scheme(),
                protocol.default_port()
            ));
        }
        let mut draft = Self::new(protocol, hosts, what_for);
        for param in parsed.params.iter().filter(|param| param.key != "addr") {
            match keys::find(param.key) {
                Some(key) => draft.read(Value::new(key.name, &param.value))?,
                None if protocol.is_qwp() => {
                    return Err(error!(
                        ConfigError,
                        "unknown key at position {} of the configuration string{}",
                        param.position,
                        grammar::DOUBLED
                    ));
                }
                // Its name may be the rest of a password with a `;`.
                None => tracing::warn!(
                    position = param.position,
                    "unknown key of a configuration string ignored"
                ),
            }
        }
        Ok(draft)
    }

    /// Reads the string in the variable `QDB_CLIENT_CONF`.
    pub(crate) fn from_env(what_for: Use) -> Result<Self> {
        match std::env::var(VARIABLE) {
            Ok(conf) => Self::from_conf(&conf, what_for),
            Err(std::env::VarError::NotPresent) => Err(error!(
                ConfigError,
                "the environment variable {VARIABLE} is not set; it holds the configuration string"
            )),
            Err(std::env::VarError::NotUnicode(_)) => Err(error!(
                ConfigError,
                "the environment variable {VARIABLE} is not UTF-8"
            )),
        }
    }
}

/// The protocol in front of `::`, in any case.
fn protocol(service: &str) -> Result<Protocol> {
    let known = [
        Protocol::Http,
        Protocol::Https,
        Protocol::Tcp,
        Protocol::Tcps,
        Protocol::Ws,
        Protocol::Wss,
    ];
    if let Some(found) = known
        .into_iter()
        .find(|protocol| protocol.scheme().eq_ignore_ascii_case(service))
    {
        return Ok(found);
    }
    if service.eq_ignore_ascii_case("udp") {
        return Err(error!(
            ConfigError,
            "the scheme `udp` is not supported: this build does not send datagrams; use ws, http or tcp"
        ));
    }
    Err(error!(
        ConfigError,
        "unknown scheme `{service}`: use http, https, tcp, tcps, ws or wss"
    ))
}
