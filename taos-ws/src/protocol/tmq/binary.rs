use crate::protocol::fetch::BadFetch;
use crate::protocol::reader::{Reader, Short};
use crate::protocol::tagged::{Head, TAGGED, encode_head, error_code};
use bytes::{BufMut, Bytes, BytesMut};

/// The tag of a fetch_raw_data reply.
const RAW_DATA_TAG: u64 = 8;
/// What stands in front of the raw message in a fetch_raw reply: the code of its replay (§10.1).
const WRITE_RAW: u64 = 3;

/// The answer to fetch_raw (§11.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessageReply {
    /// Server time in nanoseconds.
    pub timing: u64,
    /// Echo of the request's id.
    pub req_id: u64,
    /// The message.
    pub message_id: u64,
    /// What the bytes are (tmq-raw §4).
    pub raw_type: u16,
    /// The message's bytes, a view of the received frame.
    pub raw: Bytes,
}

/// The answer to fetch_raw_data (§11.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawDataReply {
    /// Server time in nanoseconds.
    pub timing: u64,
    /// Echo of the request's id.
    pub req_id: u64,
    /// The message.
    pub message_id: u64,
    /// The bytes or an error.
    pub outcome: RawDataOutcome,
}

/// What a fetch_raw_data brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawDataOutcome {
    /// The message.
    Message {
        /// What the bytes are (tmq-raw §4).
        raw_type: u16,
        /// The message's bytes, a view of the received frame.
        raw: Bytes,
    },
    /// The server failed.
    Error {
        /// Low 16 bits of the engine's code.
        code: u32,
        /// The server's words.
        message: String,
    },
}

/// The answer to fetch_block (§11.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TmqBlockReply {
    /// Server time in nanoseconds.
    pub timing: u64,
    /// Echo of the id of the `fetch` before it.
    pub req_id: u64,
    /// The message.
    pub message_id: u64,
    /// The block, a view of the received frame.
    pub block: Bytes,
}

/// One of the binary replies of the endpoint.
#[derive(Debug)]
pub(super) enum TmqBinary {
    RawMessage(RawMessageReply),
    RawData(RawDataReply),
    Block(TmqBlockReply),
}

impl TmqBinary {
    pub(super) fn decode(frame: &Bytes) -> Result<Self, BadFetch> {
        let mut reader = Reader::new(frame);
        let mut req_id = None;
        Self::decode_from(&mut reader, &mut req_id).map_err(|reason| BadFetch { req_id, reason })
    }

    fn decode_from(reader: &mut Reader<'_>, known_id: &mut Option<u64>) -> Result<Self, String> {
        let text = |short: Short| short.to_string();
        let first = reader.u64().map_err(text)?;
        if first == TAGGED {
            return RawDataReply::decode_from(reader, known_id).map(Self::RawData);
        }
        let req_id = reader.u64().map_err(text)?;
        *known_id = Some(req_id);
        let message_id = reader.u64().map_err(text)?;
        // A block begins with its version and length, which together are never this small.
        let block = reader.clone();
        if reader.u64().map_err(text)? != WRITE_RAW {
            return Ok(Self::Block(TmqBlockReply {
                timing: first,
                req_id,
                message_id,
                block: { block }.rest(),
            }));
        }
        let len = reader.u32().map_err(text)?;
        let raw_type = reader.u16().map_err(text)?;
        let raw = reader.bytes(len).map_err(text)?;
        end(reader)?;
        Ok(Self::RawMessage(RawMessageReply {
            timing: first,
            req_id,
            message_id,
            raw_type,
            raw,
        }))
    }
}

fn end(reader: &Reader<'_>) -> Result<(), String> {
    match reader.remaining() {
        0 => Ok(()),
        extra => Err(format!("{extra} bytes follow the end of the message")),
    }
}

impl RawMessageReply {
    /// The frame. `None` if the message is longer than its u32 length can say.
    #[must_use]
    pub fn encode(&self) -> Option<Bytes> {
        let mut out = self.head(self.raw.len())?;
        out.put_slice(&self.raw);
        Some(out.freeze())
    }

    /// The frame without the message's bytes, for a server that sends the two one behind the other.
    #[must_use]
    pub fn encode_head(&self) -> Option<Bytes> {
        self.head(0).map(BytesMut::freeze)
    }

    fn head(&self, room: usize) -> Option<BytesMut> {
        let mut out = BytesMut::with_capacity(38 + room);
        out.put_u64_le(self.timing);
        out.put_u64_le(self.req_id);
        out.put_u64_le(self.message_id);
        out.put_u64_le(WRITE_RAW);
        out.put_u32_le(u32::try_from(self.raw.len()).ok()?);
        out.put_u16_le(self.raw_type);
        Some(out)
    }
}

impl RawDataReply {
    /// A reply that tells of an error.
    #[must_use]
    pub fn error(req_id: u64, message_id: u64, code: u32, message: impl Into<String>) -> Self {
        let code = error_code(code);
        Self {
            timing: 0,
            req_id,
            message_id,
            outcome: RawDataOutcome::Error {
                code,
                message: message.into(),
            },
        }
    }

    /// The frame. `None` if the message is longer than its u32 length can say.
    #[must_use]
    pub fn encode(&self) -> Option<Bytes> {
        let raw: &[u8] = match &self.outcome {
            RawDataOutcome::Message { raw, .. } => raw,
            RawDataOutcome::Error { .. } => &[],
        };
        let mut out = self.head(raw.len())?;
        out.put_slice(raw);
        Some(out.freeze())
    }

    /// The frame without the message's bytes, for a server that sends the two one behind the other.
    #[must_use]
    pub fn encode_head(&self) -> Option<Bytes> {
        self.head(0).map(BytesMut::freeze)
    }

    fn head(&self, room: usize) -> Option<BytesMut> {
        let error = match &self.outcome {
            RawDataOutcome::Message { .. } => None,
            RawDataOutcome::Error { code, message } => Some((*code, message.as_str())),
        };
        let numbers = (self.timing, self.req_id, self.message_id);
        // Type and length come before the message.
        let mut out = encode_head(RAW_DATA_TAG, numbers, error, 6 + room)?;
        if let RawDataOutcome::Message { raw_type, raw } = &self.outcome {
            out.put_u16_le(*raw_type);
            out.put_u32_le(u32::try_from(raw.len()).ok()?);
        }
        Some(out)
    }

    /// Decodes what follows the all-ones mark.
    fn decode_from(reader: &mut Reader<'_>, known_id: &mut Option<u64>) -> Result<Self, String> {
        let text = |short: Short| short.to_string();
        let tag = reader.u64().map_err(text)?;
        if tag != RAW_DATA_TAG {
            return Err(format!("a binary frame carries the unknown tag {tag}"));
        }
        let head = Head::decode(reader, known_id, "message reply")?;
        let outcome = if let Some((code, message)) = head.error {
            RawDataOutcome::Error { code, message }
        } else {
            let raw_type = reader.u16().map_err(text)?;
            let len = reader.u32().map_err(text)?;
            let raw = reader.bytes(len).map_err(text)?;
            RawDataOutcome::Message { raw_type, raw }
        };
        end(reader)?;
        Ok(Self {
            timing: head.timing,
            req_id: head.req_id,
            message_id: head.id,
            outcome,
        })
    }
}

impl TmqBlockReply {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(24 + self.block.len());
        out.put_slice(&self.encode_head());
        out.put_slice(&self.block);
        out.freeze()
    }

    /// The frame without the block's bytes, for a server that sends the two one behind the other.
    #[must_use]
    pub fn encode_head(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(24);
        out.put_u64_le(self.timing);
        out.put_u64_le(self.req_id);
        out.put_u64_le(self.message_id);
        out.freeze()
    }
}
