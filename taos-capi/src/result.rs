//! What `TAOS_RES*` stands for: the result of a statement, or a message of a topic.
//!
//! A result may be freed while a fetch of it is under way, or from within a callback about it: it then stays in
//! memory until nobody uses it any more.

use std::ffi::{CString, c_int, c_void};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use taos_query::abi::{TaosField, TaosFieldE};
use taos_query::common::Precision;
use taos_query::tmq::{Data, IsAsyncData as _};
use taos_query::{AsyncFetchable as _, RawBlock, RawResult};
use taos_ws::ResultSet;

use crate::error::{Failure, IN_PROGRESS, forget, remember};
use crate::fields::Fields;
use crate::handle::{Object, at, give, take};
use crate::message::Message;
use crate::rows::Rows;
use crate::runtime::caught;
use crate::stop::Stop;

/// Where blocks come from.
#[derive(Debug, Default)]
pub(crate) enum Blocks {
    /// There are none, or no more.
    #[default]
    None,
    Query(Box<ResultSet>),
    Message(Data),
}

impl Blocks {
    /// The next block that has rows.
    async fn next(&mut self) -> RawResult<Option<RawBlock>> {
        loop {
            let block = match self {
                Self::None => return Ok(None),
                Self::Query(result) => poll_fn(|cx| result.fetch_raw_block(cx)).await?,
                Self::Message(data) => match data.ready_block() {
                    Some(block) => block?,
                    None => data.fetch_raw_block().await?,
                },
            };
            match block {
                Some(block) if block.nrows() == 0 => (),
                block => return Ok(block),
            }
        }
    }
}

/// A result.
#[derive(Debug)]
pub(crate) struct Res {
    /// Shared with whoever frees the result, as the lock must outlive that.
    state: Arc<Mutex<State>>,
    /// The first error stays: programs hold its text until they free the result.
    failure: OnceLock<Failure>,
    stop: Stop,
    affected: i64,
    is_update: bool,
    message: Option<Message>,
    /// A statement frees it.
    borrowed: bool,
}

impl Object for Res {
    const KIND: u64 = u64::from_le_bytes(*b"TAOS_RES");
}

/// The part that moves.
#[derive(Debug, Default)]
pub(crate) struct State {
    fields: Fields,
    /// Of blocks before this one: programs look at them after they have fetched on.
    former: Vec<Fields>,
    precision: Precision,
    blocks: Blocks,
    block: Option<RawBlock>,
    /// The block as rows, made when the first of them is asked for.
    pub(crate) rows: Option<Rows>,
    /// Rows of the block that the program has been given.
    pub(crate) taken: usize,
    table: Option<CString>,
    fetching: bool,
    /// Callbacks that run now.
    callbacks: u32,
    freed: bool,
}

impl State {
    /// The block that was fetched last.
    pub(crate) const fn block(&self) -> Option<&RawBlock> {
        self.block.as_ref()
    }

    /// The block that was fetched last, as rows.
    pub(crate) fn rows(&mut self) -> Option<&mut Rows> {
        if self.rows.is_none() {
            self.rows = Some(Rows::new(self.block.as_ref()?));
        }
        self.rows.as_mut()
    }

    fn arrived(&mut self, block: Option<RawBlock>, is_message: bool) -> usize {
        self.rows = None;
        self.taken = 0;
        self.block = block;
        let Some(block) = &self.block else {
            return 0;
        };
        if is_message {
            // Each block of a message may be of another table.
            let digits = block.schemas();
            self.precision = block.precision();
            let fields = Fields::new(block.fields(), self.precision, |column| {
                digits.get(column).map(|column| column.decimal_digits())
            });
            if !self.fields.equal(&fields) {
                let former = std::mem::replace(&mut self.fields, fields);
                self.former.push(former);
            }
            self.table = block.table_name().and_then(|name| CString::new(name).ok());
        }
        block.nrows()
    }

    const fn in_use(&self) -> bool {
        self.fetching || self.callbacks > 0
    }
}

/// A fetch that came to its end.
pub(crate) type Fetched = (Blocks, Result<Option<RawBlock>, Failure>);

impl Res {
    fn new(blocks: Blocks, stop: Stop) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                blocks,
                ..State::default()
            })),
            failure: OnceLock::new(),
            stop,
            affected: 0,
            is_update: true,
            message: None,
            borrowed: false,
        }
    }

    /// What a call that failed gives back.
    pub(crate) fn failed(failure: impl Into<Failure>) -> Self {
        let result = Self::new(Blocks::None, Stop::alone());
        result.fail(failure.into());
        result
    }

    /// The result of a write.
    pub(crate) fn affected(rows: i64) -> Self {
        Self {
            affected: rows,
            ..Self::new(Blocks::None, Stop::alone())
        }
    }

    /// The result of any statement.
    pub(crate) fn rows(result: ResultSet, stop: Stop) -> Self {
        let affected = result.affected_rows64();
        let precision = result.precision();
        let byte = |numbers: &[i64], column| {
            let number = numbers.get(column).copied()?;
            u8::try_from(number).ok()
        };
        let fields = Fields::new(result.fields(), precision, |column| {
            let digits = byte(result.fields_precisions(), column)?;
            Some((digits, byte(result.fields_scales(), column)?))
        });
        let is_update = fields.plain.is_empty();
        Self {
            state: Arc::new(Mutex::new(State {
                fields,
                precision,
                blocks: if is_update {
                    Blocks::None
                } else {
                    Blocks::Query(Box::new(result))
                },
                ..State::default()
            })),
            affected,
            is_update,
            ..Self::new(Blocks::None, stop)
        }
    }

    /// A message of a topic.
    pub(crate) fn message(mut message: Message) -> Self {
        let blocks = message
            .set
            .data()
            .cloned()
            .map_or(Blocks::None, Blocks::Message);
        Self {
            is_update: false,
            message: Some(message),
            ..Self::new(blocks, Stop::alone())
        }
    }

    /// Says that a statement frees it; programs may not.
    pub(crate) const fn of_statement(mut self) -> Self {
        self.borrowed = true;
        self
    }

    /// Gives the result to the program, and its error to the thread.
    pub(crate) fn into_handle(self) -> *mut c_void {
        self.tell();
        give(self)
    }

    /// Makes the result's error, or that there is none, the thread's; gives the code.
    pub(crate) fn tell(&self) -> c_int {
        match self.failure.get() {
            Some(failure) => remember(failure.clone()),
            None => {
                forget();
                0
            }
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Negative, or 0.
    pub(crate) fn code(&self) -> c_int {
        self.failure.get().map_or(0, Failure::code)
    }

    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.get()
    }

    pub(crate) fn fail(&self, failure: Failure) {
        // A later error would only be a consequence.
        let _ = self.failure.set(failure);
    }

    pub(crate) const fn affected_rows(&self) -> i64 {
        self.affected
    }

    pub(crate) const fn is_update(&self) -> bool {
        self.is_update
    }

    pub(crate) fn precision(&self) -> Precision {
        self.state().precision
    }

    /// What the result is of, if it is a message.
    pub(crate) const fn as_message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// The columns, where they stay until the result is freed; of a message until its next block. `None` if
    /// there are none.
    pub(crate) fn fields(&self) -> Option<(*mut TaosField, *mut TaosFieldE, c_int)> {
        let mut state = self.state();
        let count = c_int::try_from(state.fields.plain.len()).ok()?;
        (count > 0).then(|| {
            (
                state.fields.plain.as_mut_ptr(),
                state.fields.exact.as_mut_ptr(),
                count,
            )
        })
    }

    /// The table of the block that was fetched last; the text stays until the next fetch.
    pub(crate) fn table_name(&self) -> *const std::ffi::c_char {
        let state = self.state();
        state
            .table
            .as_ref()
            .map_or(std::ptr::null(), |name| name.as_ptr())
    }

    /// Gives the rest up.
    pub(crate) fn stop(&self) {
        self.stop.stop();
    }

    /// Begins a fetch, which [`finish`](Self::finish) ends.
    pub(crate) fn begin(&self) -> Result<impl Future<Output = Fetched> + Send + use<>, Failure> {
        let mut state = self.state();
        if state.fetching || state.freed {
            return Err(Failure::new(
                IN_PROGRESS,
                "another fetch of this result is under way, or it was freed",
            ));
        }
        state.fetching = true;
        let mut blocks = std::mem::take(&mut state.blocks);
        let fetch = async move {
            let block = blocks.next().await.map_err(Failure::from);
            (blocks, block)
        };
        let fetch = self.stop.unless_stopped(fetch);
        Ok(async move {
            // What was stopped or broken off has lost its place among the blocks.
            caught(fetch)
                .await
                .unwrap_or_else(|failure| (Blocks::None, Err(failure)))
        })
    }

    /// Takes over what a fetch brought; gives the number of rows, or the error's code.
    pub(crate) fn finish(&self, (blocks, block): Fetched) -> Result<usize, c_int> {
        let is_message = self.message.is_some();
        let mut state = self.state();
        state.fetching = false;
        match block {
            Ok(block) => {
                state.blocks = blocks;
                Ok(state.arrived(block, is_message))
            }
            Err(failure) => {
                state.arrived(None, is_message);
                let code = failure.code();
                self.fail(failure);
                Err(code)
            }
        }
    }

    /// Ends a fetch that came to a panic.
    pub(crate) fn abandon(&self) {
        self.state().fetching = false;
    }

    /// Says that a callback about the result begins, which [`leave`] ends.
    pub(crate) fn enter(&self) {
        let mut state = self.state();
        state.callbacks += 1;
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that a callback has returned; frees the result if that was asked for meanwhile.
///
/// # Safety
/// A result that [`Res::enter`] was called for.
pub(crate) unsafe fn leave(result: *mut c_void) {
    // SAFETY: it cannot have been freed while the callback was counted.
    let Some(held) = (unsafe { at::<Res>(result) }) else {
        return;
    };
    let shared = Arc::clone(&held.state);
    let mut state = locked(&shared);
    state.callbacks = state.callbacks.saturating_sub(1);
    let gone = state.freed && !state.in_use();
    // From here on another thread may free it, unless it is this one that has to.
    drop(state);
    if gone {
        // SAFETY: the program has given it up, and nobody of us uses it.
        drop(unsafe { take::<Res>(result) });
    }
}

/// Frees a result that a program gives up, now or when nobody uses it any more. One that belongs to a statement
/// stays.
///
/// # Safety
/// NULL, or a handle that was not freed.
pub(crate) unsafe fn free(result: *mut c_void) {
    // SAFETY: the caller's duty.
    let Some(held) = (unsafe { at::<Res>(result) }) else {
        return;
    };
    if !held.borrowed {
        // SAFETY: the caller gives it up.
        unsafe { release(result) };
    }
}

/// As [`free`], for the statement that the result belongs to.
///
/// # Safety
/// As [`free`].
pub(crate) unsafe fn release(result: *mut c_void) {
    // SAFETY: the caller's duty.
    let Some(held) = (unsafe { at::<Res>(result) }) else {
        return;
    };
    let shared = Arc::clone(&held.state);
    let mut state = locked(&shared);
    if state.in_use() {
        // Before the lock is let go, as the callback may free the result right after that.
        held.stop();
        state.freed = true;
        return;
    }
    drop(state);
    // SAFETY: the caller gives it up, and nobody of us uses it.
    drop(unsafe { take::<Res>(result) });
}
