//! The data source name: one line of text that says what to connect to and how.
//!
//! ```
//! use taos_query::Dsn;
//!
//! let dsn: Dsn = "ws://root:p@ss@db1:6041,db2/power?timezone=UTC".parse()?;
//! assert_eq!(dsn.driver, "ws");
//! assert_eq!(dsn.password.as_deref(), Some("p@ss"));
//! assert_eq!(dsn.addresses.len(), 2);
//! assert_eq!(dsn.subject.as_deref(), Some("power"));
//! assert_eq!(dsn.get("timezone").map(String::as_str), Some("UTC"));
//! # Ok::<(), taos_query::DsnError>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::string::FromUtf8Error;

use crate::error::{Code, ErrorKind, RawError};

mod address;
mod encoding;
mod params;
mod parse;
mod redact;
#[cfg(test)]
mod tests;

pub use address::Address;
#[doc(hidden)]
pub use params::nearest;
pub use params::{NATIVE_PARAMS, ParamValue, QUESTDB_PARAMS, WEBSOCKET_PARAMS, value_is_true};
pub use redact::{Redacted, redact_dsn};

/// A parsed data source name.
///
/// The shapes are `driver[+protocol]://[user[:password]@]address[,address…]/[subject][?key=value&…]`,
/// `driver://[user[:password]@]protocol(address[,address…])/[subject][?…]` and
/// `driver[+protocol]:path[?…]`. [`Display`](fmt::Display) writes the DSN with its password and
/// tokens; [`Debug`] and [`redacted`](Dsn::redacted) mask them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dsn {
    /// What to talk to: `ws`, `wss`, `taos`, `tmq`, ….
    pub driver: String,
    /// How the driver talks, behind the `+` of the scheme.
    pub protocol: Option<String>,
    /// The user to log in as.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// Where the server is; more than one for failover.
    pub addresses: Vec<Address>,
    /// The path of the path form, exactly as it was written.
    pub path: Option<String>,
    /// The database, or the topics of a consumer.
    pub subject: Option<String>,
    /// The parameters, decoded.
    pub params: BTreeMap<String, String>,
}

/// Why a text is not a DSN, or a DSN not what is needed. No variant holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DsnError {
    /// The port of an address is not a number from 0 to 65535.
    #[error("the port of an address in the DSN is not a number from 0 to 65535")]
    PortErr(#[from] ParseIntError),
    /// The text has none of the known shapes.
    #[error("the DSN has no shape that is known: {0}")]
    InvalidFormat(String),
    /// There is no colon, so there is no driver.
    #[error("a DSN begins with a driver and a colon, as in ws://host:6041, but there is no colon")]
    NoColonFound,
    /// A special character stands where it may not.
    #[error("a special character of the DSN must be percent-encoded: {0}")]
    InvalidSpecialCharacterFormat(String),
    /// The driver's name is wrong or not known.
    #[error("invalid driver in the DSN: {0}")]
    InvalidDriver(String),
    /// The protocol is wrong or not known to the driver.
    #[error("invalid protocol in the DSN: {0}")]
    InvalidProtocol(String),
    /// The password cannot be decoded.
    #[error("the password of the DSN cannot be decoded")]
    InvalidPassword(String, FromUtf8Error),
    /// The part between the driver and the parameters is wrong.
    #[error("invalid connection part in the DSN: {0}")]
    InvalidConnection(String),
    /// An address is wrong: its text and the reason.
    #[error("invalid address `{0}` in the DSN: {1}")]
    InvalidAddresses(String, String),
    /// A database is needed but the DSN names none.
    #[error("the DSN must name a database: {0}")]
    RequireDatabase(String),
    /// A parameter is needed but missing.
    #[error("the DSN must have the parameter `{0}`")]
    RequireParam(String),
    /// A parameter has a value that cannot be used: its name, and the value with what was expected.
    #[error("invalid value of the DSN parameter `{0}`: {1}")]
    InvalidParam(String, String),
    /// Decoded text is not UTF-8.
    #[error("percent-encoded text of the DSN is not UTF-8")]
    NonUtf8Character(#[from] FromUtf8Error),
}

impl From<DsnError> for RawError {
    fn from(error: DsnError) -> Self {
        Self::of(ErrorKind::Config, error.to_string()).with_code(Code::WS_DSN)
    }
}

/// Everything that can be read as a [`Dsn`].
pub trait IntoDsn {
    /// Parses or clones.
    ///
    /// # Errors
    /// When the text is not a DSN.
    fn into_dsn(self) -> Result<Dsn, DsnError>;
}

impl IntoDsn for &str {
    fn into_dsn(self) -> Result<Dsn, DsnError> {
        self.parse()
    }
}

impl IntoDsn for String {
    fn into_dsn(self) -> Result<Dsn, DsnError> {
        self.parse()
    }
}

impl IntoDsn for &String {
    fn into_dsn(self) -> Result<Dsn, DsnError> {
        self.parse()
    }
}

impl IntoDsn for Dsn {
    fn into_dsn(self) -> Result<Dsn, DsnError> {
        Ok(self)
    }
}

impl IntoDsn for &Dsn {
    fn into_dsn(self) -> Result<Dsn, DsnError> {
        Ok(self.clone())
    }
}

impl Dsn {
    /// Sets a parameter and returns its former value.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) -> Option<String> {
        self.params.insert(key.into(), value.into())
    }

    /// The value of a parameter.
    pub fn get(&self, key: impl AsRef<str>) -> Option<&String> {
        self.params.get(key.as_ref())
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, key: impl AsRef<str>) -> Option<String> {
        self.params.remove(key.as_ref())
    }

    /// Takes all parameters out.
    pub fn drain_params(&mut self) -> BTreeMap<String, String> {
        std::mem::take(&mut self.params)
    }

    /// A view that prints the DSN with password and tokens masked.
    pub fn redacted(&self) -> Redacted<'_> {
        Redacted(self)
    }

    fn is_path_form(&self) -> bool {
        self.path.is_some()
            && self.username.is_none()
            && self.password.is_none()
            && self.addresses.is_empty()
            && self.subject.is_none()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, masked: bool) -> fmt::Result {
        f.write_str(&self.driver)?;
        if let Some(protocol) = &self.protocol {
            write!(f, "+{protocol}")?;
        }
        if self.is_path_form() {
            let path = self.path.as_deref().unwrap_or_default();
            write!(f, ":{}", if masked { redact::path(path) } else { path })?;
        } else {
            f.write_str("://")?;
            self.write_credentials(f, masked)?;
            for (i, address) in self.addresses.iter().enumerate() {
                let comma = if i == 0 { "" } else { "," };
                write!(f, "{comma}{address}")?;
            }
            if let Some(subject) = &self.subject {
                write!(f, "/{subject}")?;
            }
        }
        for (i, (key, value)) in self.params.iter().enumerate() {
            let mark = if i == 0 { '?' } else { '&' };
            let key_text = encoding::Param(key);
            if masked && redact::is_secret(key) {
                write!(f, "{mark}{key_text}={}", redact::MASK)?;
            } else {
                write!(f, "{mark}{key_text}={}", encoding::Param(value))?;
            }
        }
        Ok(())
    }

    fn write_credentials(&self, f: &mut fmt::Formatter<'_>, masked: bool) -> fmt::Result {
        if self.username.is_none() && self.password.is_none() {
            return Ok(());
        }
        if let Some(username) = &self.username {
            write!(f, "{}", encoding::Component(username))?;
        }
        match &self.password {
            Some(_) if masked => write!(f, ":{}", redact::MASK)?,
            Some(password) => write!(f, ":{}", encoding::Component(password))?,
            None => {}
        }
        f.write_str("@")
    }
}

impl FromStr for Dsn {
    type Err = DsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::dsn(text)
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: BTreeMap<&str, &str> = self
            .params
            .iter()
            .map(|(key, value)| {
                let value = if redact::is_secret(key) {
                    redact::MASK
                } else {
                    value
                };
                (key.as_str(), value)
            })
            .collect();
        f.debug_struct("Dsn")
            .field("driver", &self.driver)
            .field("protocol", &self.protocol)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| redact::MASK))
            .field("addresses", &self.addresses)
            .field("path", &self.path.as_deref().map(redact::path))
            .field("subject", &self.subject)
            .field("params", &params)
            .finish()
    }
}

impl TryFrom<&str> for Dsn {
    type Error = DsnError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for Dsn {
    type Error = DsnError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<&String> for Dsn {
    type Error = DsnError;

    fn try_from(text: &String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<&Self> for Dsn {
    type Error = DsnError;

    fn try_from(dsn: &Self) -> Result<Self, Self::Error> {
        Ok(dsn.clone())
    }
}
