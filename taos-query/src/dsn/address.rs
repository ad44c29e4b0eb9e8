use std::fmt;
use std::str::FromStr;

use super::{DsnError, encoding};

/// Where one server is: a host and port, or the path of a socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Address {
    /// Name or IP address; an IPv6 address keeps its brackets.
    pub host: Option<String>,
    /// Port, if one was given.
    pub port: Option<u16>,
    /// Path of a local socket.
    pub path: Option<String>,
}

impl Address {
    /// A host and a port; an empty host is none.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            port: Some(port),
            ..Self::from_host(host)
        }
    }

    /// A host without a port.
    pub fn from_host(host: impl Into<String>) -> Self {
        Self {
            host: Some(host.into()).filter(|host| !host.is_empty()),
            ..Self::default()
        }
    }

    /// A local socket.
    pub fn from_path(path: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            ..Self::default()
        }
    }

    /// True if nothing is given.
    pub fn is_empty(&self) -> bool {
        self.host.is_none() && self.port.is_none() && self.path.is_none()
    }
}

impl FromStr for Address {
    type Err = DsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What stands behind a colon may be a password whose host is missing: never repeat it.
        let shown = match text.split_once(':') {
            Some((host, _)) if !text.starts_with('[') => format!("{host}:…"),
            Some(_) => "[…".to_owned(),
            None => text.to_owned(),
        };
        let wrong = |why: &str| DsnError::InvalidAddresses(shown.clone(), why.to_owned());
        let (host, port) = if text.starts_with('[') {
            let end = text.find(']').ok_or_else(|| wrong("`]` is missing"))?;
            let (host, rest) = text.split_at(end + 1);
            if !is_ipv6(host) {
                return Err(wrong("there is no IPv6 address in the brackets"));
            }
            match rest.strip_prefix(':') {
                Some(port) => (host, port),
                None if rest.is_empty() => (host, ""),
                None => return Err(wrong("only a port may follow `]`")),
            }
        } else {
            text.split_once(':').unwrap_or((text, ""))
        };
        if port.contains(':') {
            return Err(wrong(
                "more than one colon; put an IPv6 address in brackets, as in [::1]:6041",
            ));
        }
        let port = parse_port(port).ok_or_else(|| wrong("the port is not a number up to 65535"))?;
        let host = encoding::decode(host);
        if host.contains('/') {
            return match port {
                None => Ok(Self::from_path(host)),
                Some(_) => Err(wrong("the path of a socket has no port")),
            };
        }
        if let Some(c) = host.chars().find(|c| {
            c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#' | '(' | ')' | ',')
        }) {
            return Err(wrong(&format!("{c:?} cannot be part of a host name")));
        }
        Ok(Self {
            port,
            ..Self::from_host(host)
        })
    }
}

/// `Some(None)` for no digits at all, `None` for anything that is not a port.
fn parse_port(text: &str) -> Option<Option<u16>> {
    if text.is_empty() {
        return Some(None);
    }
    if text.len() > 5 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().map(Some)
}

fn is_ipv6(bracketed: &str) -> bool {
    let inner = bracketed.trim_start_matches('[').trim_end_matches(']');
    let address = inner.split('%').next().unwrap_or_default();
    address.parse::<std::net::Ipv6Addr>().is_ok()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            return write!(f, "{}", encoding::Component(path));
        }
        match &self.host {
            Some(host) if host.starts_with('[') => f.write_str(&host.replace('%', "%25"))?,
            Some(host) => write!(f, "{}", encoding::Component(host))?,
            None => {}
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}
