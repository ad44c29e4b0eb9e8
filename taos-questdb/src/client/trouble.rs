//! Errors, and whether the way to the server was at fault.

use taos_query::{ErrorKind, RawError};

use crate::Error;

/// Why a statement or a write failed.
pub(crate) struct Trouble {
    pub(super) error: RawError,
    /// No server answered, or the connection broke: not what a server says.
    pub(super) lost: bool,
}

impl Trouble {
    pub(super) fn map(self, change: impl FnOnce(RawError) -> RawError) -> Self {
        Self {
            error: change(self.error),
            lost: self.lost,
        }
    }

    /// The failure of a question about the server itself, which it never answers with a time-out.
    pub(super) fn asking(error: RawError) -> Self {
        let lost = matches!(
            error.kind(),
            ErrorKind::Connect | ErrorKind::ConnectionLost | ErrorKind::Timeout
        );
        Self { error, lost }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let lost = error.is_loss();
        Self {
            error: error.into(),
            lost,
        }
    }
}

/// What was read in an answer.
impl From<RawError> for Trouble {
    fn from(error: RawError) -> Self {
        Self { error, lost: false }
    }
}
