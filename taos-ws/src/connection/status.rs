use crate::events::Lease;
use crate::transport::Cause;
use std::sync::OnceLock;

/// What everyone who holds a piece of a connection must know about it.
#[derive(Debug)]
pub(crate) struct Status {
    /// Name of the server for error texts.
    pub(crate) address: String,
    broken: OnceLock<Cause>,
    lease: Lease,
}

impl Status {
    pub(crate) const fn new(address: String, lease: Lease) -> Self {
        Self {
            address,
            lease,
            broken: OnceLock::new(),
        }
    }

    /// Tells watchers that this link is the one in use, or that it broke in the meantime.
    pub(crate) fn announce(&self) {
        self.lease.ready(&self.address);
        if let Some(cause) = self.broken.get() {
            self.tell(cause);
        }
    }

    fn tell(&self, cause: &Cause) {
        self.lease.broken(&format_args!(
            "the connection to {} was lost: {cause}",
            self.address
        ));
    }

    /// The first cause stays.
    pub(crate) fn set_broken(&self, cause: Cause) {
        // Before anyone can see that the link is unusable and connects again.
        self.tell(&cause);
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
