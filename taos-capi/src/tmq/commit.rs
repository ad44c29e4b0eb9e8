//! Commits: how far the group is.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use taos_query::RawResult;
use taos_query::tmq::{AsAsyncConsumer as _, Offset};
use taos_ws::consumer::Consumer;

use super::conf::TmqCommitCb;
use super::consumer::{Seat, member};
use super::reports::Reports;
use crate::args::{invalid, text};
use crate::error::{BROKEN, Failure, coded};
use crate::guard::guard;
use crate::handle::at;
use crate::result::Res;
use crate::runtime::{Param, caught, start, wait};
use crate::types::{TaosRes, Tmq};

/// What is to be committed.
enum Extent {
    /// All that the program was given.
    All,
    /// A message and what lies before it in its vgroup.
    Message(Offset),
    /// A place: the next version to be read.
    Place(String, i32, i64),
}

impl Extent {
    /// # Safety
    /// NULL, or a result that is alive.
    unsafe fn of(message: *const TaosRes) -> Result<Self, Failure> {
        if message.is_null() {
            return Ok(Self::All);
        }
        // SAFETY: the caller's duty.
        unsafe { at::<Res>(message) }
            .and_then(Res::as_message)
            .map(|message| Self::Message(message.offset.clone()))
            .ok_or_else(|| invalid("the result is not a message of a topic"))
    }

    /// # Safety
    /// NULL, or NUL-terminated text.
    unsafe fn place(topic: *const c_char, vgroup: i32, offset: i64) -> Result<Self, Failure> {
        // SAFETY: the caller's duty.
        let topic = unsafe { text(topic) }?.to_owned();
        Ok(Self::Place(topic, vgroup, offset))
    }

    async fn commit(self, seat: &Seat) -> Result<(), Failure> {
        let commit = async |consumer: &Consumer| -> RawResult<()> {
            match self {
                Self::All => consumer.commit_all().await,
                Self::Message(offset) => consumer.commit(offset).await,
                Self::Place(topic, vgroup, offset) => {
                    consumer.commit_offset(&topic, vgroup, offset).await
                }
            }
        };
        seat.ask(commit).await
    }
}

/// # Safety
/// NULL, or a consumer that is alive.
unsafe fn commit_now(tmq: *mut Tmq, extent: Result<Extent, Failure>) -> i32 {
    // SAFETY: the caller's duty.
    let member = unsafe { member(tmq) };
    coded(member.and_then(|member| wait(extent?.commit(&member.seat))))
}

/// # Safety
/// As [`commit_now`]; `cb` may be called with `param` from any thread.
unsafe fn commit_later(
    tmq: *mut Tmq,
    extent: Result<Extent, Failure>,
    cb: Option<TmqCommitCb>,
    param: *mut c_void,
) {
    let param = Param(param);
    // SAFETY: the caller's duty.
    let seat = unsafe { member(tmq) }.map(|member| Arc::clone(&member.seat));
    let call = match &seat {
        Ok(seat) => seat.reports.begin(),
        // There is no consumer to name.
        Err(_) => Reports::new().begin(),
    };
    let work = async move {
        let seat = seat?;
        extent?.commit(&seat).await
    };
    start(caught(work), move |ended| {
        if let Some(cb) = cb {
            let code = coded(ended);
            // SAFETY: the program gave both for this call.
            unsafe { call.make(cb, param, code, true) };
        }
    });
}

/// Commits a message and all before it in its vgroup, or with NULL all that was polled, and waits for it. 0, or a
/// negative code. The group is never set back by it.
///
/// # Safety
/// `tmq` is NULL or a consumer, `msg` NULL or a result, both alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_commit_sync(tmq: *mut Tmq, msg: *const TaosRes) -> i32 {
    // SAFETY: the same duty.
    guard("tmq_commit_sync", BROKEN, || unsafe {
        commit_now(tmq, Extent::of(msg))
    })
}

/// As `tmq_commit_sync`, without waiting: `cb(tmq, code, param)` is told on a thread of the library, unless it is
/// NULL. The message may be freed at once.
///
/// # Safety
/// As `tmq_commit_sync`; `cb` may be called from another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_commit_async(
    tmq: *mut Tmq,
    msg: *const TaosRes,
    cb: Option<TmqCommitCb>,
    param: *mut c_void,
) {
    // SAFETY: the same duty.
    guard("tmq_commit_async", (), || unsafe {
        commit_later(tmq, Extent::of(msg), cb, param);
    });
}

/// Commits a place, wherever the group is: `offset` is the next version to be read. 0, or a negative code, such as
/// 0x80004007 for a place that the log does not have.
///
/// # Safety
/// `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_commit_offset_sync(
    tmq: *mut Tmq,
    topic: *const c_char,
    vgroup_id: i32,
    offset: i64,
) -> i32 {
    // SAFETY: the same duty.
    guard("tmq_commit_offset_sync", BROKEN, || unsafe {
        commit_now(tmq, Extent::place(topic, vgroup_id, offset))
    })
}

/// As `tmq_commit_offset_sync`, without waiting, and telling as `tmq_commit_async` does.
///
/// # Safety
/// As `tmq_commit_offset_sync`; `cb` may be called from another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_commit_offset_async(
    tmq: *mut Tmq,
    topic: *const c_char,
    vgroup_id: i32,
    offset: i64,
    cb: Option<TmqCommitCb>,
    param: *mut c_void,
) {
    // SAFETY: the same duty.
    guard("tmq_commit_offset_async", (), || unsafe {
        commit_later(tmq, Extent::place(topic, vgroup_id, offset), cb, param);
    });
}
