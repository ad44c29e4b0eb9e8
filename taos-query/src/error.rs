//! The one error type of every operation, and the code it carries.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;

mod code;
mod macros;

pub use code::Code;

/// Result of every fallible operation of the SDK.
pub type RawResult<T> = Result<T, RawError>;

/// What went wrong, coarse enough to decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A DSN, option or argument is wrong; nothing was sent.
    Config,
    /// No connection could be made to any address.
    Connect,
    /// The server refused the user, password or token.
    Auth,
    /// The server answered with an error code of its own.
    Server,
    /// A wait ended before its answer came.
    Timeout,
    /// The connection or handle was closed by this side.
    Closed,
    /// The connection broke while a request was under way.
    ConnectionLost,
    /// The peer sent something that is not the protocol.
    Protocol,
    /// A value could not be turned into the wanted type.
    Decode,
    /// The backend cannot do this.
    Unsupported,
}

/// The error of every operation: a [`Code`], a [kind](ErrorKind), a message and optional context.
///
/// One pointer wide, `Send + Sync`. It never holds a password, a token or a whole DSN.
pub struct RawError(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: Code,
    message: Cow<'static, str>,
    /// Set when the message came from the server, whose words are shown as `Internal error`.
    raw: bool,
    context: Option<String>,
    outcome_unknown: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl RawError {
    /// An error that the server reported: its code and its own words.
    pub fn new(code: impl Into<Code>, message: impl Into<Cow<'static, str>>) -> Self {
        let code = code.into();
        let mut error = Self::of(ErrorKind::from_code(code), message);
        error.0.code = code;
        error.0.raw = true;
        error
    }

    /// As [`new`](Self::new), with context in front.
    pub fn new_with_context(
        code: impl Into<Code>,
        message: impl Into<Cow<'static, str>>,
        context: impl Into<String>,
    ) -> Self {
        Self::new(code, message).context(context)
    }

    /// An error of this side: a kind and what happened. The code is the generic one until
    /// [`with_code`](Self::with_code) sets another.
    pub fn of(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            code: Code::FAILED,
            message: message.into(),
            raw: false,
            context: None,
            outcome_unknown: false,
            source: None,
        }))
    }

    /// A feature that the backend lacks. `feature` and `backend` are both named in the text.
    pub fn unsupported(feature: impl fmt::Display, backend: impl fmt::Display) -> Self {
        Self::of(
            ErrorKind::Unsupported,
            format!("{feature} is not supported by the {backend} backend"),
        )
    }

    /// An error that is only a code.
    pub fn from_code(code: impl Into<Code>) -> Self {
        let code = code.into();
        Self::new(code, code.text().unwrap_or_default())
    }

    /// An error that is only a text, shown as it is.
    pub fn from_string(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of(ErrorKind::Server, message)
    }

    /// Wraps any other error; its text becomes the message and it stays reachable as the source.
    pub fn from_any(error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(other) => {
                let mut own = Self::from_string(other.to_string());
                own.0.source = Some(other.into());
                own
            }
        }
    }

    /// The same as [`from_any`](Self::from_any).
    pub fn any(error: impl Into<anyhow::Error>) -> Self {
        Self::from_any(error)
    }

    /// Puts `context` in front of the text; may be called more than once, the last one comes first.
    #[must_use]
    pub fn context(mut self, context: impl Into<String>) -> Self {
        let context = context.into();
        self.0.context = Some(match self.0.context.take() {
            Some(inner) => format!("{context}: {inner}"),
            None => context,
        });
        self
    }

    /// Replaces the code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Code>) -> Self {
        self.0.code = code.into();
        self
    }

    /// Replaces the kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Marks a request that was cut off when the server may already have run it.
    #[must_use]
    pub fn with_outcome_unknown(mut self) -> Self {
        self.0.outcome_unknown = true;
        self
    }

    /// The coarse class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The server's code, or one of the client-side codes 0xE000 to 0xE009, or [`Code::FAILED`].
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The message alone, without code and context.
    pub fn message(&self) -> String {
        self.0.message.to_string()
    }

    /// The code under its old name.
    #[deprecated(note = "use `code`")]
    pub fn errno(&self) -> Code {
        self.0.code
    }

    /// True if the code says success.
    pub fn success(&self) -> bool {
        self.0.code == Code::SUCCESS
    }

    /// True if the request was cut off and the server may have run it nevertheless.
    ///
    /// A write that failed this way must be checked, or be safe to repeat, before it is sent again.
    pub fn outcome_unknown(&self) -> bool {
        self.0.outcome_unknown
    }
}

impl RawError {
    /// True if a vgroup is not this consumer's: not any more, or not yet again (0x4008, 0x4009 and 0x4010,
    /// taosadapter-ws §11.8).
    ///
    /// A commit of a message fails so when its vgroup went to another member of the group meanwhile, who is given the
    /// message again; or shortly after a cut, when the group has not yet given it back. A consumer can go on with the next
    /// message: if the vgroup is still its own, the next commit covers this one.
    ///
    /// ```
    /// # use taos_query::RawError;
    /// let refused = RawError::new(0x4008, "VgId does not belong to this consumer");
    /// assert!(refused.is_foreign_vgroup());
    /// ```
    pub fn is_foreign_vgroup(&self) -> bool {
        [
            Code::TMQ_FOREIGN_VGROUP,
            Code::TMQ_FOREIGN_TOPIC,
            Code::TMQ_NOT_ASSIGNED,
        ]
        .contains(&self.0.code)
    }
}

impl ErrorKind {
    fn from_code(code: Code) -> Self {
        match i32::from(code) {
            0x0351 | 0x0357 | 0x0358 | 0xE006 => Self::Auth,
            0x0100 => Self::Unsupported,
            _ => Self::Server,
        }
    }
}

impl fmt::Display for RawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            code,
            message,
            context,
            raw,
            ..
        } = &*self.0;
        if *code != Code::FAILED {
            write!(f, "[{code:#06X}] ")?;
        }
        if let Some(context) = context {
            f.write_str(context)?;
            if !message.is_empty() {
                f.write_str(": ")?;
            }
        }
        match (raw, message.is_empty()) {
            (_, true) if context.is_none() => f.write_str("Unknown error"),
            (_, true) => Ok(()),
            (true, false) => write!(f, "Internal error: `{message}`"),
            (false, false) => f.write_str(message),
        }
    }
}

impl fmt::Debug for RawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return f
                .debug_struct("RawError")
                .field("kind", &self.0.kind)
                .field("code", &self.0.code)
                .field("message", &self.0.message)
                .field("context", &self.0.context)
                .field("outcome_unknown", &self.0.outcome_unknown)
                .field("source", &self.0.source)
                .finish();
        }
        write!(f, "{self}")?;
        let mut cause = self.source();
        if cause.is_some() {
            f.write_str("\n\nCaused by:")?;
        }
        while let Some(error) = cause {
            write!(f, "\n    {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for RawError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }
}

impl From<&str> for RawError {
    fn from(message: &str) -> Self {
        Self::from_string(message.to_owned())
    }
}

impl From<String> for RawError {
    fn from(message: String) -> Self {
        Self::from_string(message)
    }
}

impl From<anyhow::Error> for RawError {
    fn from(error: anyhow::Error) -> Self {
        Self::from_any(error)
    }
}

impl From<std::convert::Infallible> for RawError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<Code> for RawError {
    fn from(code: Code) -> Self {
        Self::from_code(code)
    }
}

macro_rules! from_integer {
    ($($ty:ty)*) => {$(
        impl From<$ty> for RawError {
            fn from(code: $ty) -> Self {
                Self::from_code(code)
            }
        }
    )*};
}
from_integer!(i8 u8 i16 u16 i32 u32 i64 u64 isize usize);

impl FromStr for RawError {
    type Err = std::convert::Infallible;

    fn from_str(message: &str) -> Result<Self, Self::Err> {
        Ok(message.into())
    }
}

impl serde::de::Error for RawError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::of(ErrorKind::Decode, message.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_shows_code_context_and_the_servers_words() {
        let error = RawError::new(0x2603, "Table does not exist").context("query");
        assert_eq!(
            error.to_string(),
            "[0x2603] query: Internal error: `Table does not exist`"
        );
        assert_eq!(
            RawError::new(0xFFFF, "no").to_string(),
            "Internal error: `no`"
        );
        assert_eq!(RawError::of(ErrorKind::Config, "bad").to_string(), "bad");
    }

    #[test]
    fn a_vgroup_of_another_consumer_is_told_by_its_code_whatever_the_text() {
        for (code, foreign) in [
            (0x4007, false),
            (0x4008, true),
            (0x4009, true),
            (0x4010, true),
        ] {
            let error = RawError::new(code, "in any words").context("commit");
            assert_eq!(error.is_foreign_vgroup(), foreign, "{error}");
        }
    }

    #[test]
    fn context_is_prefixed_each_time() {
        let error = RawError::from_string("x").context("inner").context("outer");
        assert_eq!(error.to_string(), "outer: inner: x");
    }

    #[test]
    fn macros_take_code_words_and_context() {
        fn fails() -> RawResult<()> {
            crate::bail!(code = 0x2603, raw = "no table", context = "query")
        }
        assert_eq!(
            fails().unwrap_err().to_string(),
            "[0x2603] query: Internal error: `no table`"
        );
        let error = crate::format_err!(code = 0x0388, context = "use {}", "db");
        assert_eq!(
            error.to_string(),
            "[0x0388] use db: Internal error: `Database not exist`"
        );
        assert_eq!(crate::format_err!("it is {}", 1).to_string(), "it is 1");
        assert_eq!(
            crate::format_err!(any = "it is {}", 1).to_string(),
            "it is 1"
        );
    }

    #[test]
    fn wrapping_keeps_an_own_error_and_the_cause_of_another() {
        let own = RawError::new(0x2603, "x").with_outcome_unknown();
        let own = RawError::from_any(anyhow::Error::from(own));
        assert!(own.outcome_unknown() && own.code() == 0x2603);
        let cause = std::io::Error::other("disk");
        let error = RawError::from_any(anyhow::Error::from(cause).context("reading"));
        assert_eq!(error.to_string(), "reading");
        assert!(format!("{error:?}").contains("disk"));
    }

    #[test]
    fn size_is_one_pointer() {
        assert_eq!(size_of::<RawError>(), size_of::<usize>());
    }
}
