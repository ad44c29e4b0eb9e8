//! Places in the logs that a consumer reads.

use std::ffi::{c_char, c_int};
use std::ptr::null_mut;

use taos_query::abi::TmqTopicAssignment;
use taos_query::tmq::{AsAsyncConsumer as _, Assignment};
use taos_ws::consumer::Consumer;

use super::consumer::member;
use crate::args::{invalid, put, text};
use crate::binds::{free_array, give_array};
use crate::error::{BROKEN, Failure, coded, forget, remember};
use crate::guard::guard;
use crate::runtime::wait;
use crate::types::Tmq;

fn of_c(assignment: &Assignment) -> TmqTopicAssignment {
    TmqTopicAssignment {
        vgId: assignment.vgroup_id(),
        currentOffset: assignment.current_offset(),
        begin: assignment.begin(),
        end: assignment.end(),
    }
}

/// # Safety
/// `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text.
unsafe fn assignment(
    tmq: *mut Tmq,
    topic: *const c_char,
) -> Result<(*mut TmqTopicAssignment, i32), Failure> {
    // SAFETY: the caller's duty.
    let (member, topic) = unsafe { (member(tmq)?, text(topic)?) };
    let ask = async |consumer: &Consumer| consumer.try_topic_assignment(topic).await;
    let assigned: Vec<_> = wait(member.seat.ask(ask))?.iter().map(of_c).collect();
    let count = i32::try_from(assigned.len())
        .map_err(|_| Failure::new(0xFFFF, "the server tells of too many vgroups"))?;
    Ok((give_array(&assigned)?, count))
}

/// The vgroups of a topic that this consumer reads: `*count` of them at `*assignment`, to be freed with
/// `tmq_free_assignment` (or C's `free`). `currentOffset` is where the last message that was polled begins. 0, or a
/// negative code, and then NULL and 0 are written.
///
/// # Safety
/// `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text; both places are NULL or may be
/// written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_topic_assignment(
    tmq: *mut Tmq,
    topic: *const c_char,
    assignments: *mut *mut TmqTopicAssignment,
    count: *mut i32,
) -> i32 {
    guard("tmq_get_topic_assignment", BROKEN, || {
        let asked = if assignments.is_null() || count.is_null() {
            Err(invalid("there is no place for the assignment"))
        } else {
            // SAFETY: the same duty.
            unsafe { assignment(tmq, topic) }
        };
        let (lent, number) = *asked.as_ref().unwrap_or(&(null_mut(), 0));
        // SAFETY: the same duty.
        unsafe {
            put(assignments, lent);
            put(count, number);
        }
        coded(asked.map(drop))
    })
}

/// Frees what `tmq_get_topic_assignment` gave. NULL is fine.
///
/// # Safety
/// NULL, or what `tmq_get_topic_assignment` gave, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_free_assignment(assignment: *mut TmqTopicAssignment) {
    // SAFETY: the same duty.
    guard("tmq_free_assignment", (), || unsafe {
        free_array(assignment.cast());
    });
}

/// Goes on reading at `offset`, the next version to be read. 0, or a negative code.
///
/// # Safety
/// `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_offset_seek(
    tmq: *mut Tmq,
    topic: *const c_char,
    vgroup_id: i32,
    offset: i64,
) -> c_int {
    guard("tmq_offset_seek", BROKEN, || {
        // SAFETY: the same duty.
        let found = unsafe { member(tmq) }.and_then(|member| Ok((member, unsafe { text(topic) }?)));
        coded(found.and_then(|(member, topic)| {
            let seek = async |consumer: &mut Consumer| {
                consumer.offset_seek(topic, vgroup_id, offset).await
            };
            wait(member.seat.tell(seek))
        }))
    })
}

/// A place that one can ask for.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// What the program is given next.
    Next,
    Committed,
}

/// # Safety
/// `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text.
unsafe fn place(
    name: &str,
    tmq: *mut Tmq,
    topic: *const c_char,
    vgroup_id: i32,
    what: Place,
) -> i64 {
    guard(name, i64::from(BROKEN), || {
        // SAFETY: the caller's duty.
        let found = unsafe { member(tmq) }.and_then(|member| Ok((member, unsafe { text(topic) }?)));
        let place = found.and_then(|(member, topic)| {
            wait(member.seat.ask(async |consumer: &Consumer| match what {
                Place::Next => consumer.position(topic, vgroup_id).await,
                Place::Committed => consumer.committed(topic, vgroup_id).await,
            }))
        });
        match place {
            Ok(place) => {
                forget();
                place
            }
            Err(failure) => i64::from(remember(failure)),
        }
    })
}

/// How far the program was given messages: the next version to be read. Negative for an error, of which 0x80004011
/// says that there was no message yet.
///
/// # Safety
/// `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_position(tmq: *mut Tmq, topic: *const c_char, vgroup_id: i32) -> i64 {
    // SAFETY: the same duty.
    unsafe { place("tmq_position", tmq, topic, vgroup_id, Place::Next) }
}

/// What the group has committed: the next version to be read. Negative for an error, of which 0x80004011 says that
/// nothing was committed yet.
///
/// # Safety
/// `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_committed(tmq: *mut Tmq, topic: *const c_char, vgroup_id: i32) -> i64 {
    // SAFETY: the same duty.
    unsafe { place("tmq_committed", tmq, topic, vgroup_id, Place::Committed) }
}
