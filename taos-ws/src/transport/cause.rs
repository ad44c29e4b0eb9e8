use std::borrow::Cow;
use std::fmt;
use taos_query::{Code, ErrorKind, RawError};

/// Why a connection is no longer usable. Cheap to give to every request that it takes down.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    code: Code,
    text: Cow<'static, str>,
}

impl Cause {
    pub(crate) fn new(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// The peer closed, or input or output failed.
    pub(crate) fn disconnected(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::WS_DISCONNECTED, text)
    }

    /// The peer sent something that is not the protocol.
    pub(crate) fn malformed(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::WS_BAD_ANSWER, text)
    }

    pub(crate) fn io(doing: &str, error: &std::io::Error) -> Self {
        Self::disconnected(format!("{doing} failed: {error}"))
    }

    /// The error of a request that this takes down.
    pub(crate) fn into_error(self, address: &str) -> RawError {
        RawError::of(
            ErrorKind::ConnectionLost,
            format!(
                "the connection to {address} was lost: {self}; \
                 the next request connects again"
            ),
        )
        .with_code(self.code)
    }

    /// The error of a login that this takes down.
    pub(crate) fn into_connect_error(self, address: &str) -> RawError {
        let kind = if self.code == Code::WS_BAD_ANSWER {
            ErrorKind::Protocol
        } else {
            ErrorKind::Connect
        };
        RawError::of(
            kind,
            format!("the connection to {address} broke before the login was done: {self}"),
        )
        .with_code(self.code)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
