use super::action::BinaryAction;
use super::raw_write::{RawBlockWrite, RawWrite, decode_write_raw, decode_write_raw_block};
use super::reader::{Reader, Short};
use super::stmt2_decode::{Stmt2Bind, Stmt2BindExec, decode_stmt2_bind, decode_stmt2_bind_exec};
use bytes::{BufMut, Bytes, BytesMut};

/// Length of the head of every binary request (§3.3).
pub(super) const HEADER: usize = 24;
/// The only version of the bodies of codes 6, 7 and 10.
const VERSION: u16 = 1;

pub(super) fn header(out: &mut BytesMut, req_id: u64, resource: u64, action: BinaryAction) {
    out.put_u64_le(req_id);
    out.put_u64_le(resource);
    out.put_u64_le(action.code());
}

fn encode_sql(req_id: u64, action: BinaryAction, sql: &str) -> Option<Bytes> {
    let len = u32::try_from(sql.len()).ok()?;
    let mut out = BytesMut::with_capacity(HEADER + 6 + sql.len());
    header(&mut out, req_id, 0, action);
    out.put_u16_le(VERSION);
    out.put_u32_le(len);
    out.put_slice(sql.as_bytes());
    Some(out.freeze())
}

/// The binary_query request (§6.2). `None` if the text is longer than its u32 length can say.
#[must_use]
pub fn encode_query(req_id: u64, sql: &str) -> Option<Bytes> {
    encode_sql(req_id, BinaryAction::BinaryQuery, sql)
}

/// The validate_sql request (§6.7). `None` if the text is longer than its u32 length can say.
#[must_use]
pub fn encode_validate_sql(req_id: u64, sql: &str) -> Option<Bytes> {
    encode_sql(req_id, BinaryAction::ValidateSql, sql)
}

/// The fetch_raw_block request (§6.5).
#[must_use]
pub fn encode_fetch_raw_block(req_id: u64, result_id: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER + 2);
    header(&mut out, req_id, result_id, BinaryAction::FetchRawBlock);
    out.put_u16_le(VERSION);
    out.freeze()
}

fn encode_block(req_id: u64, stmt_id: u64, action: BinaryAction, block: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER + block.len());
    header(&mut out, req_id, stmt_id, action);
    out.put_slice(block);
    out.freeze()
}

/// The set_tags request of a first-generation statement (§8): a raw block of one row.
#[must_use]
pub fn encode_set_tags(req_id: u64, stmt_id: u64, block: &[u8]) -> Bytes {
    encode_block(req_id, stmt_id, BinaryAction::SetTags, block)
}

/// The bind request of a first-generation statement (§8): a raw block of the columns.
#[must_use]
pub fn encode_bind(req_id: u64, stmt_id: u64, block: &[u8]) -> Bytes {
    encode_block(req_id, stmt_id, BinaryAction::Bind, block)
}

/// A binary request as a server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BinaryRequest {
    /// Run a statement (§6.2).
    Query {
        /// The client's request id.
        req_id: u64,
        /// UTF-8, as checked by [`decode_binary`].
        sql: String,
    },
    /// Check a statement (§6.7).
    ValidateSql {
        /// The client's request id.
        req_id: u64,
        /// UTF-8, as checked by [`decode_binary`].
        sql: String,
    },
    /// Send the next block of a result (§6.5).
    FetchRawBlock {
        /// The client's request id.
        req_id: u64,
        /// The result to go on with.
        result_id: u64,
    },
    /// Tags of a first-generation statement (§8).
    SetTags {
        /// The client's request id.
        req_id: u64,
        /// The statement.
        stmt_id: u64,
        /// A raw block of one row, unchecked.
        block: Bytes,
    },
    /// Columns of a first-generation statement (§8).
    Bind {
        /// The client's request id.
        req_id: u64,
        /// The statement.
        stmt_id: u64,
        /// A raw block, unchecked.
        block: Bytes,
    },
    /// Data of a second-generation statement (§9.3).
    Stmt2Bind {
        /// The client's request id.
        req_id: u64,
        /// The statement.
        stmt_id: u64,
        /// The data.
        bind: Stmt2Bind,
    },
    /// Data of a second-generation statement, to be executed at once (§9.5).
    Stmt2BindExec {
        /// The client's request id.
        req_id: u64,
        /// The statement.
        stmt_id: u64,
        /// The data.
        bind: Stmt2BindExec,
    },
    /// Replay a raw message (§10.1).
    WriteRaw {
        /// The client's request id.
        req_id: u64,
        /// Echoed by the old endpoint (§12).
        message_id: u64,
        /// The message.
        write: RawWrite,
    },
    /// Write a block into a table (§10.2, §10.3).
    WriteRawBlock {
        /// The client's request id.
        req_id: u64,
        /// Where, and what; with fields for code 5.
        write: RawBlockWrite,
    },
}

/// A binary request that cannot be served, with what the answer must carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadBinary {
    /// The client's request id, or 0 if the frame is too short to tell.
    pub req_id: u64,
    /// The result or statement id, which the answer repeats (§6.5, §8).
    pub result_id: u64,
    /// The action, if its code is known; fetch_raw_block is answered in binary (§6.5).
    pub action: Option<BinaryAction>,
    /// The error text.
    pub message: String,
}

impl BadBinary {
    /// The `action` member of a JSON answer.
    #[must_use]
    pub const fn action_name(&self) -> &'static str {
        match self.action {
            Some(action) => action.name(),
            None => "unknown",
        }
    }
}

/// Decodes a binary request.
///
/// # Errors
/// Frames that are too short, codes and versions that are unknown, lengths that the frame does not
/// hold and text that is not UTF-8. The messages are the adapter's where it has one.
pub fn decode_binary(frame: &Bytes) -> Result<BinaryRequest, BadBinary> {
    let mut reader = Reader::new(frame);
    let short = |_: Short| BadBinary {
        req_id: 0,
        result_id: 0,
        action: None,
        message: "message length is too short".into(),
    };
    let req_id = reader.u64().map_err(short)?;
    let resource = reader.u64().map_err(short)?;
    let code = reader.u64().map_err(short)?;
    let action = BinaryAction::from_code(code);
    let bad = |message: String| BadBinary {
        req_id,
        result_id: resource,
        action,
        message,
    };
    let Some(action) = action else {
        return Err(bad(format!("unknown binary action {code}")));
    };
    decode_body(action, req_id, resource, &mut reader).map_err(bad)
}

fn decode_body(
    action: BinaryAction,
    req_id: u64,
    resource: u64,
    reader: &mut Reader<'_>,
) -> Result<BinaryRequest, String> {
    let stmt_id = resource;
    Ok(match action {
        BinaryAction::BinaryQuery => BinaryRequest::Query {
            req_id,
            sql: sql_text(reader, "binary query")?,
        },
        BinaryAction::ValidateSql => BinaryRequest::ValidateSql {
            req_id,
            sql: sql_text(reader, "validate sql")?,
        },
        BinaryAction::FetchRawBlock => {
            let version = reader.u16().map_err(|_| "message length is too short")?;
            if version != VERSION {
                return Err("unknown fetch raw block version".into());
            }
            BinaryRequest::FetchRawBlock {
                req_id,
                result_id: resource,
            }
        }
        BinaryAction::SetTags => BinaryRequest::SetTags {
            req_id,
            stmt_id,
            block: reader.rest(),
        },
        BinaryAction::Bind => BinaryRequest::Bind {
            req_id,
            stmt_id,
            block: reader.rest(),
        },
        BinaryAction::Stmt2Bind => BinaryRequest::Stmt2Bind {
            req_id,
            stmt_id,
            bind: decode_stmt2_bind(&reader.rest())?,
        },
        BinaryAction::Stmt2BindExec => BinaryRequest::Stmt2BindExec {
            req_id,
            stmt_id,
            bind: decode_stmt2_bind_exec(&reader.rest())?,
        },
        BinaryAction::WriteRaw => BinaryRequest::WriteRaw {
            req_id,
            message_id: resource,
            write: decode_write_raw(reader)?,
        },
        BinaryAction::WriteRawBlock | BinaryAction::WriteRawBlockWithFields => {
            let with_fields = action == BinaryAction::WriteRawBlockWithFields;
            BinaryRequest::WriteRawBlock {
                req_id,
                write: decode_write_raw_block(reader, with_fields)?,
            }
        }
    })
}

/// The body of codes 6 and 10; at least one byte of text must follow the length (§6.2).
fn sql_text(reader: &mut Reader<'_>, what: &str) -> Result<String, String> {
    if reader.remaining() < 7 {
        return Err("message length is too short".into());
    }
    let too_short = |error: Short| error.to_string();
    let version = reader.u16().map_err(too_short)?;
    if version != VERSION {
        return Err(format!("unknown {what} version:{version}"));
    }
    let len = reader.u32().map_err(too_short)?;
    let held = reader.remaining();
    let sql = reader.bytes(len).map_err(|_| {
        format!("uncompleted message, sql length:{len}, remainMessageLength:{held}")
    })?;
    String::from_utf8(sql.into()).map_err(|_| "the sql text is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_example_frames_come_out_byte_for_byte() {
        let query = encode_query(0x11, "select 1").unwrap();
        let expected = [
            &[0x11, 0, 0, 0, 0, 0, 0, 0][..],
            &[0; 8],
            &[6, 0, 0, 0, 0, 0, 0, 0],
            &[1, 0, 8, 0, 0, 0],
            b"select 1",
        ]
        .concat();
        assert_eq!(query, expected);
        let fetch = encode_fetch_raw_block(0x12, 1);
        let mut expected = [0u8; 26];
        expected[0] = 0x12;
        expected[8] = 1;
        expected[16] = 7;
        expected[24] = 1;
        assert_eq!(fetch, expected[..]);
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same() {
        let query = encode_query(u64::MAX, "select 'é'").unwrap();
        assert_eq!(
            decode_binary(&query),
            Ok(BinaryRequest::Query {
                req_id: u64::MAX,
                sql: "select 'é'".into()
            })
        );
        let validate = encode_validate_sql(7, "x").unwrap();
        assert_eq!(
            decode_binary(&validate),
            Ok(BinaryRequest::ValidateSql {
                req_id: 7,
                sql: "x".into()
            })
        );
        assert_eq!(
            decode_binary(&encode_fetch_raw_block(3, 4)),
            Ok(BinaryRequest::FetchRawBlock {
                req_id: 3,
                result_id: 4
            })
        );
    }

    #[test]
    fn every_cut_of_a_request_is_an_error_and_no_panic() {
        let query = encode_query(5, "select 1").unwrap();
        for end in 0..query.len() {
            assert!(decode_binary(&query.slice(..end)).is_err(), "{end}");
        }
        let fetch = encode_fetch_raw_block(5, 1);
        for end in 0..fetch.len() {
            assert!(decode_binary(&fetch.slice(..end)).is_err(), "{end}");
        }
    }

    #[test]
    fn wrong_versions_lengths_and_codes_are_named_in_the_answer() {
        let mut frame = encode_query(5, "select 1").unwrap().to_vec();
        frame[24] = 9;
        let bad = decode_binary(&frame.clone().into()).unwrap_err();
        assert_eq!(bad.message, "unknown binary query version:9");
        assert_eq!((bad.req_id, bad.action_name()), (5, "binary_query"));
        frame[24] = 1;
        frame[29] = 0xFF;
        let bad = decode_binary(&frame.clone().into()).unwrap_err();
        assert!(bad.message.starts_with("uncompleted message, sql length:"));
        frame[16] = 77;
        let bad = decode_binary(&frame.into()).unwrap_err();
        assert_eq!(bad.message, "unknown binary action 77");
        assert_eq!(bad.action_name(), "unknown");
    }
}
