//! The error of this crate, and what becomes of it behind the common traits.

use std::fmt;

use taos_query::{ErrorKind, RawError};

/// What kind of thing went wrong (questdb §9).
#[derive(Debug, Copy, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The host, port or local interface could not be resolved.
    CouldNotResolveAddr,
    /// A call in the wrong order or state, or with a wrong argument; nothing was sent.
    InvalidApiCall,
    /// A connection failed or broke.
    SocketError,
    /// No connection within its limit.
    ConnectTimeout,
    /// Text that is not UTF-8.
    InvalidUtf8,
    /// The name of a table or column.
    InvalidName,
    /// A timestamp that the wire cannot carry.
    InvalidTimestamp,
    /// The server refused the user, or the keys are unusable.
    AuthError,
    /// Certificates or the TLS handshake.
    TlsError,
    /// The server does not take lines over HTTP.
    HttpNotSupported,
    /// The server refused the flushed rows, in its own words.
    ServerFlushError,
    /// A configuration string, setting or DSN.
    ConfigError,
    /// The shape or size of an array.
    ArrayError,
    /// The version of the line protocol, or its negotiation.
    ProtocolVersionError,
    /// A decimal that the wire cannot carry.
    InvalidDecimal,
    /// A QWP message was refused.
    ServerRejection,
    /// Not committed; retry on another connection.
    FailoverRetry,
    /// The server has not the role asked for.
    RoleMismatch,
    /// One message would be longer than the server takes.
    BatchTooLarge,
    /// What the disk kept cannot be sent again; send it from its source.
    StoreResendRequired,
    /// The connection's symbols are at their limit.
    SymbolDictFull,
    /// The WebSocket upgrade.
    HandshakeError,
    /// The server lacks what was asked for.
    UnsupportedServer,
    /// The peer sent something that is not the protocol.
    ProtocolError,
    /// A parameter of a query.
    InvalidBind,
    /// A query failed: types or columns.
    ServerSchemaMismatch,
    /// A query failed: syntax.
    ServerParseError,
    /// A query failed inside the server.
    ServerInternalError,
    /// A query was not allowed.
    ServerSecurityError,
    /// A limit of this client.
    LimitExceeded,
    /// A limit of the server.
    ServerLimitExceeded,
    /// The query was cancelled.
    Cancelled,
    /// The query took longer than it may.
    QueryTimeout,
    /// Rows were already handed out; asking again would repeat them.
    FailoverWouldDuplicate,
}

/// The error of every operation: a [code](ErrorCode) to decide by and words for people. It never holds
/// a password or a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    code: ErrorCode,
    msg: String,
    in_doubt: bool,
    late: bool,
}

/// The result of every operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of this kind with these words.
    #[cold]
    pub fn new<S: Into<String>>(code: ErrorCode, msg: S) -> Self {
        Self(Box::new(Inner {
            code,
            msg: msg.into(),
            in_doubt: false,
            late: false,
        }))
    }

    /// What kind of thing went wrong.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The words.
    pub fn msg(&self) -> &str {
        &self.0.msg
    }

    /// True when part of the operation may have been applied by the server.
    pub fn in_doubt(&self) -> bool {
        self.0.in_doubt
    }

    /// The same error, whose operation may have been applied.
    pub(crate) fn doubtful(mut self) -> Self {
        self.0.in_doubt = true;
        self
    }

    /// The same error, of a peer that said nothing within its time.
    pub(crate) fn late(mut self) -> Self {
        self.0.late = true;
        self
    }

    /// Whether it was the peer's silence.
    pub(crate) fn is_late(&self) -> bool {
        self.0.late
    }

    /// Whether the way to the server failed, and not what was asked of it.
    pub(crate) fn is_loss(&self) -> bool {
        use ErrorCode as C;
        self.0.late
            || matches!(
                self.code(),
                C::CouldNotResolveAddr
                    | C::SocketError
                    | C::ConnectTimeout
                    | C::TlsError
                    | C::HandshakeError
                    | C::FailoverRetry
                    | C::FailoverWouldDuplicate
            )
    }

    /// The same error with words in front that say what was being done.
    pub(crate) fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.msg = format!("{what}: {}", self.0.msg);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.msg)
    }
}

impl std::error::Error for Error {}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<Error> for RawError {
    fn from(error: Error) -> Self {
        use ErrorCode as C;
        let kind = match error.code() {
            _ if error.is_late() => ErrorKind::Timeout,
            C::CouldNotResolveAddr | C::TlsError | C::HandshakeError => ErrorKind::Connect,
            C::ConnectTimeout | C::QueryTimeout => ErrorKind::Timeout,
            C::SocketError | C::FailoverRetry | C::FailoverWouldDuplicate => {
                ErrorKind::ConnectionLost
            }
            C::AuthError => ErrorKind::Auth,
            C::HttpNotSupported | C::UnsupportedServer => ErrorKind::Unsupported,
            C::ServerFlushError
            | C::ServerRejection
            | C::RoleMismatch
            | C::ServerSchemaMismatch
            | C::ServerParseError
            | C::ServerInternalError
            | C::ServerSecurityError
            | C::ServerLimitExceeded
            | C::Cancelled
            | C::StoreResendRequired => ErrorKind::Server,
            C::ProtocolError | C::ProtocolVersionError | C::InvalidUtf8 => ErrorKind::Protocol,
            C::InvalidApiCall
            | C::InvalidName
            | C::InvalidTimestamp
            | C::ConfigError
            | C::ArrayError
            | C::InvalidDecimal
            | C::BatchTooLarge
            | C::SymbolDictFull
            | C::InvalidBind
            | C::LimitExceeded => ErrorKind::Config,
        };
        let raw = Self::of(kind, error.0.msg);
        if error.0.in_doubt {
            raw.with_outcome_unknown()
        } else {
            raw
        }
    }
}

/// `error!(InvalidName, "words {value}")`.
macro_rules! error {
    ($code:ident, $($words:tt)+) => {
        $crate::error::Error::new($crate::error::ErrorCode::$code, format!($($words)+))
    };
}
pub(crate) use error;
