//! The owner of a `TAOS_RES*`, and the callbacks that fill it (native-ffi §4).
//!
//! What the library is told to call back with is one count of an `Arc`. So whoever is the last of user and callback
//! frees the result, and no fetch is in flight then.

use std::any::Any;
use std::ffi::{CString, c_int, c_void};
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use taos_query::common::{Field, Precision};
use taos_query::{ErrorKind, RawError, RawResult};
use tokio::sync::oneshot::Sender;

use super::columns::{self, Columns};
use super::connection::Connection;
use super::reaper::{self, InCallback};
use super::{discard, error, text};
use crate::ffi::TaosRes;

/// Bytes of a block's head (raw-block §1).
const BLOCK_HEAD: usize = 28;

/// Who frees a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// We do.
    Us,
    /// The statement that it is of.
    Statement,
}

/// How much is fetched unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// One block ahead of the reader.
    Ahead,
    /// The first block, which the query waits for; of the rest nothing unasked.
    FirstBlock,
}

/// A result that nobody else uses.
struct Res(*mut TaosRes);

// SAFETY: "A result must not be used by two threads at once; moving it between threads is fine" (native-ffi §4).
unsafe impl Send for Res {}

/// What the result is doing.
enum Stage {
    /// The statement is under way.
    Asked,
    /// Nothing; the next block may be fetched.
    Idle,
    /// A block is on its way.
    Fetching,
    /// A block is here.
    Block(Bytes),
    /// It went wrong, which nobody knows yet.
    Failed(RawError),
    /// There is nothing more.
    Ended,
}

struct State {
    stage: Stage,
    /// NULL until the library has given it. Used by the callback while `stage` is `Asked` or `Fetching`, else under
    /// the lock.
    res: Res,
    /// Until the statement has been read by the library.
    sql: Option<CString>,
    head: Option<Head>,
    waker: Option<Waker>,
}

struct Shared {
    connection: Arc<Connection>,
    state: Mutex<State>,
    owner: Owner,
    reading: Reading,
    /// What must live as long as the result.
    keeper: Option<Arc<dyn Any + Send + Sync>>,
}

/// What is known of a result before its rows.
#[derive(Debug)]
struct Head {
    /// `None` for a statement without rows.
    columns: Option<Columns>,
    precision: Precision,
    affected_rows: i64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is known of a result before its rows.
    ///
    /// # Safety
    /// The result is not freed yet, and used by nobody else meanwhile.
    unsafe fn head(&self, res: *mut TaosRes) -> RawResult<Head> {
        let api = &self.connection.library().api;
        // SAFETY: the caller's.
        unsafe {
            let count = (api.taos_field_count)(res);
            let affected_rows = match api.taos_affected_rows64.found() {
                Some(rows) => rows(res),
                None => i64::from((api.taos_affected_rows)(res)),
            };
            if count <= 0 {
                return Ok(Head {
                    columns: None,
                    precision: Precision::default(),
                    affected_rows,
                });
            }
            let precision = (api.taos_result_precision)(res);
            let precision = u8::try_from(precision)
                .ok()
                .and_then(Precision::from_u8_option)
                .ok_or_else(|| error::malformed(format!("has the time unit {precision}")))?;
            Ok(Head {
                columns: Some(columns::read(self.connection.library(), res, count)?),
                precision,
                affected_rows,
            })
        }
    }

    /// Takes the result that the library has just given. True if its rows are to be fetched.
    fn opened(&self, res: *mut TaosRes, code: c_int) -> bool {
        let library = self.connection.library();
        let head = if res.is_null() && code == 0 {
            Err(error::malformed("is not there"))
        } else if code != 0 {
            // SAFETY: given to this callback, and to nobody else.
            let error = unsafe { error::of_result(library, res, code) };
            // SAFETY: as above; it is not used any more. Allowed here: "taos_free_result on an error result".
            unsafe { (library.api.taos_free_result)(res) };
            Err(error)
        } else {
            // SAFETY: given to this callback, and to nobody else.
            unsafe { self.head(res) }
        };
        self.connection.heard(head.as_ref().map(drop));
        let mut state = self.state();
        let sql = state.sql.take();
        if code == 0 {
            state.res = Res(res);
        }
        let rows = matches!(&head, Ok(head) if head.columns.is_some());
        match head {
            Ok(head) => {
                state.stage = if rows { Stage::Fetching } else { Stage::Ended };
                state.head = Some(head);
            }
            Err(error) => state.stage = Stage::Failed(error),
        }
        drop(state);
        drop(sql);
        rows
    }

    /// Takes the block that the library has just announced.
    fn fetched(&self, res: *mut TaosRes, rows: c_int) {
        let library = self.connection.library();
        let stage = match rows {
            0 => Stage::Ended,
            1.. => {
                // SAFETY: the result is the callback's until the next fetch, which nobody begins before the stage is
                // set below. The block stays until then.
                match unsafe { copy_block((library.api.taos_get_raw_block)(res)) } {
                    Ok(block) => Stage::Block(block),
                    Err(error) => Stage::Failed(error),
                }
            }
            code => {
                // SAFETY: as above.
                let error = unsafe { error::of_result(library, res, code) };
                self.connection.heard(Err(&error));
                Stage::Failed(error)
            }
        };
        self.state().stage = stage;
    }

    /// Lets the library fetch the next block; `stage` is `Fetching` since the lock was held last.
    fn fetch(self: &Arc<Self>, res: *mut TaosRes) {
        let param = Arc::into_raw(Arc::clone(self)).cast_mut().cast();
        let library = self.connection.library();
        // SAFETY: the result is not freed while this count of `self` is out, and `on_block` gives it back. Nobody else
        // uses the result meanwhile, because they see `Fetching`.
        unsafe { (library.api.taos_fetch_raw_block_a)(res, on_block, param) };
    }
}

/// Copies a block out of the library's memory.
///
/// # Safety
/// NULL, or a block that begins with its version and its length, and stays until this returns.
pub(in crate::raw) unsafe fn copy_block(block: *const c_void) -> RawResult<Bytes> {
    if block.is_null() {
        return Err(error::malformed("has rows, but no block"));
    }
    // SAFETY: a block has at least its head, whose second number is the length of all (raw-block §1).
    let length = unsafe { ptr::read_unaligned(block.cast::<i32>().add(1)) };
    let length = usize::try_from(length)
        .ok()
        .filter(|&length| length >= BLOCK_HEAD)
        .ok_or_else(|| error::malformed(format!("has a block of {length} bytes")))?;
    // SAFETY: the block has so many bytes by its own account.
    let block = unsafe { slice::from_raw_parts(block.cast::<u8>(), length) };
    Ok(Bytes::copy_from_slice(block))
}

/// Does a callback's work and wakes who waits for it. Nothing unwinds into the library.
///
/// # Safety
/// `param` is one count of a `Shared` that was given to the library for this very call.
unsafe fn called_back(param: *mut c_void, work: impl FnOnce(&Arc<Shared>)) {
    let _mark = InCallback::enter();
    // SAFETY: the caller's; the count is taken back here, once for each call.
    let shared = unsafe { Arc::from_raw(param.cast_const().cast::<Shared>()) };
    let caught = catch_unwind(AssertUnwindSafe(|| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(&shared))) {
            discard(panic);
            shared.state().stage = Stage::Failed(RawError::of(
                ErrorKind::Protocol,
                "reading an answer of the client library panicked; this is a bug of this crate",
            ));
        }
        let waker = shared.state().whom_to_wake(shared.reading);
        // Before whom it wakes looks, so that it finds itself the only owner.
        drop(shared);
        if let Some(waker) = waker {
            waker.wake();
        }
    }));
    if let Err(panic) = caught {
        discard(panic);
    }
}

/// The library has run the statement.
unsafe extern "C" fn on_query(param: *mut c_void, res: *mut TaosRes, code: c_int) {
    let work = |shared: &Arc<Shared>| {
        if !shared.opened(res, code) {
            return;
        }
        if Arc::strong_count(shared) > 1 {
            shared.fetch(res);
        } else {
            // Nobody waits any more.
            shared.state().stage = Stage::Idle;
        }
    };
    // SAFETY: `param` is the count that `query` gave to the library for this call.
    unsafe { called_back(param, work) }
}

/// The library has fetched a block.
unsafe extern "C" fn on_block(param: *mut c_void, res: *mut TaosRes, rows: c_int) {
    // SAFETY: `param` is the count that `Shared::fetch` gave to the library for this call.
    unsafe { called_back(param, |shared| shared.fetched(res, rows)) }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.owner == Owner::Statement {
            // Nothing is to be freed, and no fetch is in flight: the statement may go on at once. One that nobody else
            // has closes itself where that may block.
            self.keeper = None;
            return;
        }
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let res = mem::replace(&mut state.res.0, ptr::null_mut());
        let mut spent = Spent {
            res: Res(res),
            connection: Arc::clone(&self.connection),
            keeper: self.keeper.take(),
        };
        let complete = matches!(state.stage, Stage::Ended) || res.is_null();
        if complete && !reaper::in_callback() {
            spent.free();
        } else {
            // The library may have to tell the server, and above all after an error.
            reaper::run(move || spent.free());
        }
    }
}

/// A result that nobody uses any more.
struct Spent {
    res: Res,
    /// Closed after the result is freed.
    connection: Arc<Connection>,
    keeper: Option<Arc<dyn Any + Send + Sync>>,
}

impl Spent {
    fn free(&mut self) {
        if !self.res.0.is_null() {
            // SAFETY: ours (native-ffi §4), freed nowhere else, and no fetch is in flight: it would hold a count of
            // the `Shared` that is gone.
            unsafe { (self.connection.library().api.taos_free_result)(self.res.0) };
        }
        self.res = Res(ptr::null_mut());
        self.keeper = None;
    }
}

/// Sends a statement. What it costs to wait is one allocation, for statement and result together, and one for the text.
///
/// # Errors
/// For a NUL in the statement.
pub(crate) fn query(
    connection: &Arc<Connection>,
    sql: &str,
    req_id: u64,
    reading: Reading,
) -> RawResult<Query> {
    let sql = text::c_text("the statement", sql)?;
    let pointer = sql.as_ptr();
    let shared = Arc::new(Shared {
        connection: Arc::clone(connection),
        state: Mutex::new(State {
            stage: Stage::Asked,
            res: Res(ptr::null_mut()),
            sql: Some(sql),
            head: None,
            waker: None,
        }),
        owner: Owner::Us,
        reading,
        keeper: None,
    });
    let param = Arc::into_raw(Arc::clone(&shared)).cast_mut().cast();
    let api = &connection.library().api;
    // SAFETY: the connection is open as long as `shared` lives, and so is the text until the callback. The count of
    // `shared` behind `param` is given back by the callback, which comes once.
    unsafe {
        match api.taos_query_a_with_reqid.found() {
            Some(query) => query(
                connection.as_ptr(),
                pointer,
                on_query,
                param,
                req_id.cast_signed(),
            ),
            None => (api.taos_query_a)(connection.as_ptr(), pointer, on_query, param),
        }
    }
    Ok(Query {
        shared: Some(shared),
    })
}

/// A statement under way. If this is dropped, its result is freed when it comes.
pub(crate) struct Query {
    shared: Option<Arc<Shared>>,
}

impl Future for Query {
    type Output = RawResult<NativeResult>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(shared) = &self.shared else {
            return Poll::Pending;
        };
        let mut state = shared.state();
        let wait = match &state.stage {
            Stage::Asked => true,
            Stage::Fetching => shared.reading == Reading::FirstBlock,
            _ => false,
        };
        if wait {
            state.wait(cx);
            return Poll::Pending;
        }
        let head = state.head.take();
        // What befell the fetching ahead is for whoever reads the blocks, however early it comes.
        let told = head.is_none() || shared.reading == Reading::FirstBlock;
        let error = told.then(|| state.failure()).flatten();
        drop(state);
        let shared = self.shared.take();
        Poll::Ready(match (error, shared, head) {
            (None, Some(shared), Some(head)) => Ok(NativeResult {
                shared,
                head,
                sign: None,
            }),
            (error, ..) => Err(error.unwrap_or_else(|| error::malformed("is not there"))),
        })
    }
}

impl State {
    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }

    /// Who waits, unless for more than there is yet.
    fn whom_to_wake(&mut self, reading: Reading) -> Option<Waker> {
        if reading == Reading::FirstBlock && matches!(self.stage, Stage::Fetching) {
            return None;
        }
        self.waker.take()
    }

    /// The error that nobody knows yet.
    fn failure(&mut self) -> Option<RawError> {
        match mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Failed(error) => Some(error),
            stage => {
                self.stage = stage;
                None
            }
        }
    }
}

/// The result of a statement.
pub(crate) struct NativeResult {
    shared: Arc<Shared>,
    head: Head,
    /// Whose end tells that the user has dropped it.
    sign: Option<Sender<()>>,
}

impl fmt::Debug for NativeResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeResult")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

impl NativeResult {
    /// A result that the library has given in another way than through [`query`]. `keeper` lives as long as it.
    ///
    /// # Errors
    /// The error that the result is, and for one that is malformed; it is freed then, if we own it.
    ///
    /// # Safety
    /// The result is of this connection, not freed yet, and used by nobody else until this is dropped. With
    /// [`Owner::Us`] nobody else frees it; with [`Owner::Statement`] it stays as long as `keeper` lives.
    pub(in crate::raw) unsafe fn adopt(
        connection: Arc<Connection>,
        res: *mut TaosRes,
        owner: Owner,
        reading: Reading,
        keeper: Option<Arc<dyn Any + Send + Sync>>,
    ) -> RawResult<Self> {
        let shared = Arc::new(Shared {
            connection,
            state: Mutex::new(State {
                stage: Stage::Ended,
                res: Res(res),
                sql: None,
                head: None,
                waker: None,
            }),
            owner,
            reading,
            keeper,
        });
        let library = shared.connection.library();
        if res.is_null() {
            return Err(error::last(library));
        }
        // SAFETY: the caller's.
        let code = unsafe { (library.api.taos_errno)(res) };
        if code != 0 {
            // SAFETY: the caller's.
            return Err(unsafe { error::of_result(library, res, code) });
        }
        // SAFETY: the caller's.
        let head = unsafe { shared.head(res) }?;
        if head.columns.is_some() {
            shared.state().stage = Stage::Idle;
        }
        Ok(Self {
            shared,
            head,
            sign: None,
        })
    }

    /// Drops `sign` when it is dropped itself, even while the library still fetches.
    pub(in crate::raw) fn with_sign(mut self, sign: Sender<()>) -> Self {
        self.sign = Some(sign);
        self
    }

    /// The columns; none of a statement without rows.
    pub(crate) const fn columns(&self) -> Option<&Columns> {
        self.head.columns.as_ref()
    }

    /// The columns; empty for a statement without rows.
    pub(crate) fn fields(&self) -> Arc<[Field]> {
        self.columns()
            .map_or_else(Arc::default, |columns| Arc::clone(&columns.fields))
    }

    /// The unit of its timestamps.
    pub(crate) const fn precision(&self) -> Precision {
        self.head.precision
    }

    /// The rows that the statement changed.
    pub(crate) const fn affected_rows(&self) -> i64 {
        self.head.affected_rows
    }

    /// The next block; `None` at the end, and after an error.
    pub(crate) fn poll_block(&self, cx: &Context<'_>) -> Poll<RawResult<Option<Bytes>>> {
        let mut state = self.shared.state();
        if matches!(state.stage, Stage::Idle) {
            state.stage = Stage::Fetching;
            state.wait(cx);
            let res = state.res.0;
            drop(state);
            self.shared.fetch(res);
            // The callback may have come already.
            state = self.shared.state();
        }
        match mem::replace(&mut state.stage, Stage::Ended) {
            Stage::Block(block) => {
                if self.shared.reading == Reading::Ahead {
                    state.stage = Stage::Fetching;
                    let res = state.res.0;
                    drop(state);
                    self.shared.fetch(res);
                } else {
                    state.stage = Stage::Idle;
                }
                Poll::Ready(Ok(Some(block)))
            }
            Stage::Ended => Poll::Ready(Ok(None)),
            Stage::Failed(error) => Poll::Ready(Err(error)),
            waiting => {
                state.stage = waiting;
                state.wait(cx);
                Poll::Pending
            }
        }
    }
}
