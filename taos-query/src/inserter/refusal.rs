use std::fmt;

use serde::ser;

use crate::error::{ErrorKind, RawError};

/// Why a value was not taken, in the form that serde asks of a serializer's error.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A JSON column got something that only a JSON writer can spell.
    WantsJson,
    /// Nothing is wrong, but the rest of the record is of no interest.
    Enough,
    /// Everything else.
    Error(RawError),
}

impl Refusal {
    pub(super) fn new(message: impl fmt::Display) -> Self {
        Self::Error(RawError::of(ErrorKind::Decode, message.to_string()))
    }

    pub(super) fn into_error(self) -> RawError {
        match self {
            Self::WantsJson | Self::Enough => {
                RawError::of(ErrorKind::Decode, "the value is not JSON")
            }
            Self::Error(error) => error,
        }
    }
}

impl From<RawError> for Refusal {
    fn from(error: RawError) -> Self {
        Self::Error(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WantsJson | Self::Enough => f.write_str("the value is not JSON"),
            Self::Error(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for Refusal {}

impl ser::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

/// Serializer methods that refuse what they get; `$what` is an expression over `self`.
macro_rules! refuse {
    ($this:ident => $refusal:expr; $($method:ident($($ty:ty),*);)*) => {$(
        fn $method(self, $(_: $ty),*) -> Result<Self::Ok, Self::Error> {
            let $this = self;
            Err($refusal)
        }
    )*};
}
pub(super) use refuse;
