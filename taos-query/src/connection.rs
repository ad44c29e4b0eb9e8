//! What a program can learn about a connection without asking the server.

use std::fmt;
use std::sync::Arc;

/// The state of a connection that comes back by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// An address is being tried, or none has been yet.
    Connecting,
    /// Requests are answered.
    #[non_exhaustive]
    Ready {
        /// `host:port` of the server that answers.
        address: Arc<str>,
    },
    /// The connection is lost, or could not be made; the next request connects again.
    #[non_exhaustive]
    Broken {
        /// What went wrong, in words.
        cause: Arc<str>,
    },
    /// Closed by this program, for good.
    Closed,
}

impl ConnectionState {
    /// The state of a connection to this server.
    pub fn ready(address: impl Into<Arc<str>>) -> Self {
        Self::Ready {
            address: address.into(),
        }
    }

    /// The state of a connection that was lost for this reason.
    pub fn broken(cause: impl Into<Arc<str>>) -> Self {
        Self::Broken {
            cause: cause.into(),
        }
    }

    /// True if requests are answered.
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("connecting"),
            Self::Ready { address } => write!(f, "ready ({address})"),
            Self::Broken { cause } => write!(f, "broken: {cause}"),
            Self::Closed => f.write_str("closed"),
        }
    }
}
