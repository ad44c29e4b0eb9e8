//! What refusals mean that every backend meets (taosadapter-ws §13).

use crate::error::{Code, ErrorKind, RawError};
use crate::tmq::VGroupId;

/// Not while a snapshot is read.
pub const SNAPSHOT: i32 = 0x4006;
/// The place is not in the log.
pub const OUT_OF_RANGE: i32 = 0x4007;
/// The vgroup is not one of this consumer's.
pub const FOREIGN: i32 = 0x4008;
/// The topic is not one of this consumer's.
pub const FOREIGN_TOPIC: i32 = 0x4009;
/// Asked for a place before the first poll.
pub const TOO_EARLY: i32 = 0x4010;
/// In the place of an offset: a message of a snapshot, which has no place in the log (tmq-raw §7).
pub const SNAPSHOT_OFFSET: i64 = -2_147_467_258;
/// In the place of an offset: the group has committed nothing (tmq-raw §7).
pub const NOTHING_COMMITTED: i64 = -2_147_467_247;
/// "not subscribed".
const NOT_SUBSCRIBED: i32 = 0x4017;

/// What to do about a refusal, to stand behind what was asked; empty where that is not known.
pub const fn hint(code: i32) -> &'static str {
    match code {
        SNAPSHOT => "; not while a snapshot is read",
        OUT_OF_RANGE => {
            "; the log of the vgroup does not have this offset, `assignments` tells what it has"
        }
        FOREIGN => {
            "; the vgroup is another member's now, or there is none of this number, `assignments` \
             lists those of this consumer"
        }
        FOREIGN_TOPIC => "; the consumer is not subscribed to this topic, or holds no vgroup of it",
        TOO_EARLY => "; receive a message or ask for `assignments` first",
        _ => "",
    }
}

/// The consumer was used before it was subscribed to anything.
pub fn not_subscribed() -> RawError {
    RawError::of(
        ErrorKind::Config,
        "the consumer is not subscribed to anything; call subscribe first",
    )
    .with_code(NOT_SUBSCRIBED)
}

/// Another order came before this was done.
pub fn superseded() -> RawError {
    RawError::of(
        ErrorKind::Closed,
        "given up, because the consumer was told to subscribe or unsubscribe meanwhile",
    )
    .with_code(Code::WS_CLOSED)
}

/// A message of a snapshot cannot be committed while another waits to be taken.
pub fn snapshot_waits(topic: &str, vgroup: VGroupId) -> RawError {
    RawError::of(
        ErrorKind::Unsupported,
        format!(
            "a message waits that was received from a snapshot, and the server commits only all that it \
             has sent of one: take that message too, then commit (vgroup {vgroup} of the topic `{topic}`)"
        ),
    )
    .with_code(SNAPSHOT)
}
