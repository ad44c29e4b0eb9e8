use crate::transport::Cause;
use std::sync::OnceLock;

/// What everyone who holds a piece of a connection must know about it.
#[derive(Debug)]
pub(crate) struct Status {
    /// Name of the server for error texts.
    pub(crate) address: String,
    broken: OnceLock<Cause>,
}

impl Status {
    pub(crate) const fn new(address: String) -> Self {
        Self {
            address,
            broken: OnceLock::new(),
        }
    }

    /// The first cause stays.
    pub(crate) fn set_broken(&self, cause: Cause) {
        let _ = self.broken.set(cause);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get().is_some()
    }

    /// Why the connection ended; it must have.
    pub(crate) fn cause(&self) -> Cause {
        self.broken
            .get()
            .cloned()
            .unwrap_or_else(|| Cause::disconnected("the connection's task has ended"))
    }
}
