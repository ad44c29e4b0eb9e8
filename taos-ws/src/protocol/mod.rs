//! The wire format of taosAdapter's `/ws` and `/rest/tmq` endpoints, both directions, without any I/O.
//!
//! Requests and replies are plain structs that can be encoded and decoded, so that a client, a
//! stand-in server and a fault proxy share one definition. Section numbers in the documentation
//! refer to the protocol description "taosadapter-ws".

mod action;
mod args;
mod binary;
mod body;
mod classify;
mod fetch;
mod raw_write;
mod reader;
mod reply;
mod request;
mod stmt2;
mod stmt2_decode;
mod tagged;
mod tmq;

pub use action::{Action, BinaryAction};
pub use args::{
    ConnArgs, ConnOption, ConnectionInfoArgs, FetchArgs, InsertArgs, NumFieldsArgs, OptionsArgs,
    ReqArgs, SqlArgs, StatusArgs, Stmt2InitArgs, Stmt2PrepareArgs, StmtArgs, StmtBindArgs,
    StmtGetParamArgs, StmtPrepareArgs, StmtTableArgs, StmtTagsArgs,
};
pub use binary::{
    BadBinary, BinaryRequest, decode_binary, encode_bind, encode_fetch_raw_block, encode_query,
    encode_set_tags, encode_validate_sql,
};
pub use body::{
    ConnBody, CurrentDbBody, EmptyBody, FetchBody, InsertBody, NumFieldsBody, QueryBody,
    ServerInfoBody, ServerReply, StatusBody, Stmt2PrepareBody, Stmt2ResultBody, StmtBody,
    StmtExecBody, StmtFieldBody, StmtFieldsBody, StmtGetParamBody, StmtNumParamsBody,
    StmtPrepareBody, StmtResultFields, UseResultBody, ValidateBody, VersionBody,
};
pub use classify::{Reply, classify_binary, classify_text, fuzz_reply};
pub use fetch::{FetchOutcome, FetchReply, OldBlockReply};
pub use raw_write::{RawBlockWrite, RawField, RawWrite, encode_write_raw, encode_write_raw_block};
pub use reply::{StmtFieldReply, TextReply};
pub use request::{BadRequest, TextRequest, decode_text, encode_text};
pub use stmt2::{
    BadBind, BindForm, BindTable, encode_payload, encode_stmt2_bind, frame_stmt2_bind,
};
pub use stmt2_decode::{
    BindItem, Stmt2Bind, Stmt2BindExec, Stmt2Table, decode_stmt2_bind, decode_stmt2_bind_exec,
    decode_stmt2_payload, fuzz_bind,
};
pub use taos_query::version::Version;
pub use tmq::{
    AssignmentBody, AssignmentReply, CommitOffsetBody, CommittedBody, JsonMetaBody, MessageArgs,
    MessageBody, NO_OFFSET, OffsetArgs, PollArgs, PollBody, PositionBody, RawDataOutcome,
    RawDataReply, RawMessageReply, SNAPSHOT_OFFSET, SubscribeArgs, SubscribeBody, TmqBlockReply,
    TmqFetchBody, TmqFrame, TmqReply, TmqRequest, TopicArgs, TopicVgroup, TopicsBody, VgroupsArgs,
    classify_tmq_binary, classify_tmq_text, decode_tmq, fuzz_tmq,
};

/// The code of every error that the adapter itself raises (§13).
pub const ADAPTER_ERROR: u32 = 0xFFFF;

/// Keeps the low 16 bits of an engine code, which are the code on the wire (§13).
#[must_use]
pub const fn mask_code(code: i64) -> u32 {
    let [low, high, ..] = code.to_le_bytes();
    u16::from_le_bytes([low, high]) as u32
}
