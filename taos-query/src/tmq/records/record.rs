use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::task::AtomicWaker;

use crate::block::Names;
use crate::error::RawError;
use crate::tmq::{IsOffset, VGroupId};

/// Tells a stream that a message may be committed, or never will be.
#[derive(Debug, Default)]
pub(super) struct Signal {
    changed: AtomicBool,
    pub(super) waker: AtomicWaker,
}

impl Signal {
    fn raise(&self) {
        self.changed.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// True if anything was told since the last look.
    pub(super) fn take(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }
}

/// How much of a message is not acknowledged yet.
#[derive(Debug)]
pub(super) struct Pending {
    /// Rows, and one more while the message may still have blocks.
    left: AtomicUsize,
    /// No row of it is in anyone's hands any more.
    gone: AtomicBool,
    signal: Arc<Signal>,
}

impl Pending {
    pub(super) fn new(signal: Arc<Signal>) -> Self {
        Self {
            left: AtomicUsize::new(1),
            gone: AtomicBool::new(false),
            signal,
        }
    }

    pub(super) fn add(&self, rows: usize) {
        self.left.fetch_add(rows, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn done(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.signal.raise();
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left.load(Ordering::Acquire) == 0
    }

    /// What is left can no longer be acknowledged.
    pub(super) fn give_up(&self) {
        if !self.is_done() {
            self.gone.store(true, Ordering::Release);
            self.signal.raise();
        }
    }

    /// True if what is left can no longer be acknowledged.
    pub(super) fn is_lost(&self) -> bool {
        self.gone.load(Ordering::Acquire) && !self.is_done()
    }
}

/// Where the rows of a message come from. It lives as long as a row of it is in someone's hands.
#[derive(Debug)]
pub(super) struct Source {
    topic: Arc<str>,
    database: Box<str>,
    vgroup_id: VGroupId,
    offset: i64,
    pending: Arc<Pending>,
}

impl Source {
    pub(super) fn new(offset: &impl IsOffset, topic: Arc<str>, pending: Arc<Pending>) -> Self {
        Self {
            topic,
            database: offset.database().into(),
            vgroup_id: offset.vgroup_id(),
            offset: offset.offset(),
            pending,
        }
    }

    pub(super) fn pending(&self) -> &Pending {
        &self.pending
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.pending.give_up();
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "topic `{}`, vgroup {}, offset {}",
            self.topic, self.vgroup_id, self.offset
        )
    }
}

/// What the rows of a block have in common.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) source: Arc<Source>,
    pub(super) names: Option<Arc<Names>>,
}

impl Origin {
    fn table(&self) -> Option<&str> {
        self.names.as_ref()?.table()
    }

    #[cold]
    pub(super) fn locate(&self, error: RawError, row: usize) -> RawError {
        let table = self
            .table()
            .map_or_else(String::new, |table| format!(", table `{table}`"));
        error.context(format!("{}{table}, row {row}", self.source))
    }
}

/// A row of a topic as a value of `T`, and where it comes from.
///
/// It gives the value by [`Deref`], [`into_value`](Self::into_value) or [`ack`](Self::ack). A record that is dropped is
/// not acknowledged. Keeping one keeps nothing of its block but the names of table and database.
#[derive(Debug)]
pub struct Record<T> {
    value: T,
    row: usize,
    origin: Arc<Origin>,
}

impl<T> Record<T> {
    #[inline]
    pub(super) fn new(value: T, row: usize, origin: Arc<Origin>) -> Self {
        Self { value, row, origin }
    }

    /// The value.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// The value, without acknowledging it.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Says that the record was dealt with, and gives its value. When all records of a message and of all before it in
    /// its vgroup are acknowledged, the message may be committed.
    #[inline]
    pub fn ack(self) -> T {
        self.origin.source.pending.done();
        self.value
    }

    /// The value and, apart from it, what acknowledges it.
    pub fn into_parts(self) -> (T, Ack) {
        let Self { value, origin, .. } = self;
        (value, Ack(origin))
    }

    /// The table, without its database; `None` if the topic does not tell, as topics over queries do not.
    pub fn table_name(&self) -> Option<&str> {
        self.origin.table()
    }

    /// The database of the topic.
    pub fn database(&self) -> &str {
        &self.origin.source.database
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.origin.source.topic
    }

    /// The vgroup whose log the record was read from.
    pub fn vgroup_id(&self) -> VGroupId {
        self.origin.source.vgroup_id
    }

    /// The version of the log that the record's message begins with; see [`IsOffset::offset`].
    pub fn offset(&self) -> i64 {
        self.origin.source.offset
    }

    /// The row's number in its block, from 0.
    pub const fn row(&self) -> usize {
        self.row
    }
}

impl<T> Deref for Record<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Record<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Acknowledges one record whose value went elsewhere. Dropped, it does not.
#[derive(Debug)]
#[must_use = "a record is acknowledged by `ack`"]
pub struct Ack(Arc<Origin>);

impl Ack {
    /// As [`Record::ack`].
    pub fn ack(self) {
        self.0.source.pending.done();
    }
}
