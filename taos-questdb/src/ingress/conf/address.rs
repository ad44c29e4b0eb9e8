//! `host[:port]`, alone or in a list (questdb §1.3).

use std::path::PathBuf;

use crate::error::{Result, error};
use crate::ingress::{Port, Protocol};
use crate::settings::Address;

/// As many addresses as one client takes.
const MAX: usize = 1024;
/// A file of services larger than this is not one.
const MAX_SERVICES: u64 = 4 * 1024 * 1024;

/// A host without brackets, and a port that may still be a name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub(super) name: String,
    pub(super) port: Port,
}

impl Host {
    pub(super) fn new(name: impl Into<String>, port: Port) -> Self {
        let name = name.into();
        let inner = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .map(str::to_owned);
        Self {
            name: inner.unwrap_or(name),
            port,
        }
    }

    /// The address, with a port that is a name looked up.
    pub(super) fn resolve(&self) -> Result<Address> {
        check_host(&self.name)?;
        let port = self.port.as_str();
        let number = match port.parse() {
            Ok(number) => number,
            Err(_) if is_number(port) || port.is_empty() => {
                return Err(error!(
                    ConfigError,
                    "the port of `addr` must be a number from 1 to 65535 or the name of a service"
                ));
            }
            Err(_) => service(port).ok_or_else(|| {
                error!(
                    CouldNotResolveAddr,
                    "the port of `addr` is neither a number nor a service that this system knows \
                     (in a configuration string `;;` is a `;` within the value)"
                )
            })?,
        };
        Ok(Address::new(self.name.as_str(), number))
    }
}

/// The addresses in the text of one `addr`, appended to `hosts`.
pub(super) fn list(protocol: Protocol, text: &str, hosts: &mut Vec<Host>) -> Result<()> {
    for entry in text.split(',') {
        let host = entry_of(protocol, entry.trim())?;
        if hosts.contains(&host) {
            return Err(error!(
                ConfigError,
                "`addr` names the same host and port twice (entry {})",
                hosts.len() + 1
            ));
        }
        if hosts.len() == MAX {
            return Err(error!(ConfigError, "`addr` has more than {MAX} entries"));
        }
        hosts.push(host);
    }
    Ok(())
}

fn entry_of(protocol: Protocol, entry: &str) -> Result<Host> {
    if entry.is_empty() {
        return Err(error!(ConfigError, "`addr` has an empty entry"));
    }
    no_credentials(entry)?;
    let default = || Port::from(protocol.default_port());
    let (name, port) = if let Some(rest) = entry.strip_prefix('[') {
        let Some((name, rest)) = rest.split_once(']') else {
            return Err(error!(ConfigError, "`]` is missing in `addr`"));
        };
        if name
            .split('%')
            .next()
            .is_none_or(|address| address.parse::<std::net::Ipv6Addr>().is_err())
        {
            return Err(error!(
                ConfigError,
                "the brackets in `addr` must hold an IPv6 address"
            ));
        }
        match rest.strip_prefix(':') {
            Some(port) => (name, Port::from(port)),
            None if rest.is_empty() => (name, default()),
            None => return Err(error!(ConfigError, "only a port may follow `]` in `addr`")),
        }
    } else {
        match entry.split_once(':') {
            None => (entry, default()),
            Some((_, port)) if port.contains(':') => {
                return Err(error!(
                    ConfigError,
                    "`addr` has more than one colon; an IPv6 address stands in brackets, as in [::1]:{}",
                    protocol.default_port()
                ));
            }
            Some((name, port)) => (name, Port::from(port)),
        }
    };
    check_host(name)?;
    check_port(protocol, port.as_str())?;
    Ok(Host::new(name, port))
}

fn check_host(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(error!(ConfigError, "the host of `addr` is empty"));
    }
    no_credentials(name)?;
    if name
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '/' | '?' | '#' | ';'))
    {
        return Err(error!(
            ConfigError,
            "the host of `addr` has a character that host names cannot have"
        ));
    }
    Ok(())
}

fn no_credentials(text: &str) -> Result<()> {
    if text.contains('@') {
        return Err(error!(
            ConfigError,
            "`addr` has an `@`; give user and password as `username` and `password`"
        ));
    }
    Ok(())
}

fn check_port(protocol: Protocol, port: &str) -> Result<()> {
    let number = port.parse::<u16>();
    if port.is_empty() {
        return Err(error!(
            ConfigError,
            "the port of `addr` is empty; leave the colon out for the default {}",
            protocol.default_port()
        ));
    }
    let named = !is_number(port) && !protocol.is_qwp();
    if named || matches!(number, Ok(number) if number > 0) {
        return Ok(());
    }
    Err(error!(
        ConfigError,
        "the port of `addr` must be a number from 1 to 65535"
    ))
}

fn is_number(port: &str) -> bool {
    port.bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+'))
}

/// The TCP port of a service by name, as the system's list of services has it.
fn service(name: &str) -> Option<u16> {
    let path = services_file();
    let small = std::fs::metadata(&path).is_ok_and(|meta| meta.len() <= MAX_SERVICES);
    let text = if small {
        std::fs::read_to_string(path).unwrap_or_default()
    } else {
        String::new()
    };
    listed(&text, name).or(match name {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })
}

fn listed(text: &str, name: &str) -> Option<u16> {
    text.lines().find_map(|line| {
        let line = line.split('#').next()?;
        let mut words = line.split_whitespace();
        let first = words.next()?;
        let (port, transport) = words.next()?.split_once('/')?;
        let named = first == name || words.any(|alias| alias == name);
        (named && transport == "tcp").then(|| port.parse().ok())?
    })
}

#[cfg(windows)]
fn services_file() -> PathBuf {
    let root = std::env::var_os("SystemRoot").unwrap_or_else(|| "C:\\Windows".into());
    PathBuf::from(root).join("System32\\drivers\\etc\\services")
}

#[cfg(not(windows))]
fn services_file() -> PathBuf {
    PathBuf::from("/etc/services")
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn a_service_is_found_by_its_name_and_its_alias_but_only_for_tcp() {
        let text = "# comment\nssh 22/tcp # shell\ntftp 69/udp\nhttp 80/tcp www web\n";
        assert_eq!(listed(text, "ssh"), Some(22));
        assert_eq!(listed(text, "www"), Some(80));
        assert_eq!(listed(text, "tftp"), None);
        assert_eq!(listed(text, "shell"), None);
    }
}
