//! Memory that what is bound on a connection may take until it is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sql::SqlError;
use crate::store::INTERNAL;

/// The memory of one connection; what is taken of it comes back when its [`Held`] is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    used: AtomicUsize,
    limit: usize,
}

/// A part of a [`Room`].
#[derive(Debug, Default)]
pub(crate) struct Held {
    room: Option<Arc<Room>>,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            limit,
        })
    }

    /// Takes so many bytes; `replaced` of those in use will come back for them.
    ///
    /// # Errors
    /// 0xffff if there are not as many left.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize, replaced: usize) -> Result<Held, SqlError> {
        let grown = |used: usize| {
            let used = used.checked_add(bytes)?;
            (used.saturating_sub(replaced) <= self.limit).then_some(used)
        };
        match self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)
        {
            Ok(_) => Ok(Held {
                room: Some(Arc::clone(self)),
                bytes,
            }),
            Err(_) => Err(SqlError::new(
                INTERNAL,
                format!(
                    "the rows bound on this connection would take more than {} bytes; execute before \
                     binding more, or bind fewer rows at a time",
                    self.limit
                ),
            )),
        }
    }
}

impl Held {
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds another part of the same room.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        match self.room {
            Some(_) => self.bytes += std::mem::take(&mut other.bytes),
            None => *self = other,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(room) = &self.room {
            room.used.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back_once_and_a_replacement_counts_the_difference() {
        let room = Room::new(100);
        let mut first = room.take(60, 0).unwrap();
        assert!(room.take(41, 0).is_err());
        let second = room.take(40, 0).unwrap();
        assert!(room.take(usize::MAX, 0).is_err());
        first.absorb(second);
        assert_eq!(first.bytes(), 100);
        let instead = room.take(90, first.bytes()).unwrap();
        drop(first);
        assert!(room.take(11, 0).is_err());
        drop(instead);
        assert_eq!(room.take(100, 0).unwrap().bytes(), 100);
    }
}
