//! What `/rest/tmq` has beside the requests of `/ws` (taosadapter-ws §11).

mod args;
mod binary;
mod body;
mod reply;
mod request;

pub use args::{
    MessageArgs, OffsetArgs, PollArgs, SubscribeArgs, TopicArgs, TopicVgroup, VgroupsArgs,
};
pub use binary::{RawDataOutcome, RawDataReply, RawMessageReply, TmqBlockReply};
pub use body::{
    AssignmentBody, CommitOffsetBody, CommittedBody, JsonMetaBody, MessageBody, PollBody,
    PositionBody, SubscribeBody, TmqFetchBody, TopicsBody,
};
pub use reply::{
    AssignmentReply, TmqFrame, TmqReply, classify_tmq_binary, classify_tmq_text, fuzz_tmq,
};
pub use request::{TmqRequest, decode_tmq};

/// The code of "nothing": committed or read nothing yet (0x80004011, §11.8).
pub const NO_OFFSET: i64 = -2_147_467_247;
/// The place of a message from a snapshot, which has none in the log (0x80004006, §11.2).
pub const SNAPSHOT_OFFSET: i64 = -2_147_467_258;
