use super::reader::{Reader, Short};
use super::tagged::{Head, encode_head, error_code};
use bytes::{BufMut, Bytes, BytesMut};

/// The tag of a fetch_raw_block reply.
pub(crate) const FETCH_TAG: u64 = 7;
/// Where a raw block says its own length (raw-block §2).
const BLOCK_LENGTH: std::ops::Range<usize> = 4..8;

/// The answer to fetch_raw_block (§6.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchReply {
    /// Echo of the request's id.
    pub req_id: u64,
    /// The result that was asked for.
    pub result_id: u64,
    /// Server time in nanoseconds.
    pub timing: u64,
    /// A block, the end, or an error.
    pub outcome: FetchOutcome,
}

/// What a fetch brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchOutcome {
    /// The next block, a view of the received frame.
    Block(Bytes),
    /// No block follows and the server has freed the result.
    End,
    /// The server failed.
    Error {
        /// Low 16 bits of the engine's code.
        code: u32,
        /// The server's words.
        message: String,
    },
}

/// Where the head of a fetch reply stops making sense.
#[derive(Debug)]
pub(crate) struct BadFetch {
    /// Known as soon as the first 34 bytes are there.
    pub(crate) req_id: Option<u64>,
    pub(crate) reason: String,
}

impl FetchReply {
    /// A reply that tells of an adapter error.
    #[must_use]
    pub fn error(req_id: u64, result_id: u64, code: u32, message: impl Into<String>) -> Self {
        let code = error_code(code);
        Self {
            req_id,
            result_id,
            timing: 0,
            outcome: FetchOutcome::Error {
                code,
                message: message.into(),
            },
        }
    }

    /// The frame. `None` if the message or block is longer than its u32 length can say.
    #[must_use]
    pub fn encode(&self) -> Option<Bytes> {
        let block: &[u8] = match &self.outcome {
            FetchOutcome::Block(block) => block,
            FetchOutcome::End | FetchOutcome::Error { .. } => &[],
        };
        let mut out = self.head(block.len())?;
        out.put_slice(block);
        Some(out.freeze())
    }

    /// The frame without the block's bytes, for a server that sends the two one behind the other
    /// and so need not copy the block. `None` as for [`encode`](Self::encode).
    #[must_use]
    pub fn encode_head(&self) -> Option<Bytes> {
        self.head(0).map(BytesMut::freeze)
    }

    fn head(&self, room: usize) -> Option<BytesMut> {
        let (error, block) = match &self.outcome {
            FetchOutcome::Block(block) => (None, Some(block)),
            FetchOutcome::End => (None, None),
            FetchOutcome::Error { code, message } => (Some((*code, message.as_str())), None),
        };
        let numbers = (self.timing, self.req_id, self.result_id);
        // The mark of the end and the block's length come before the block.
        let mut out = encode_head(FETCH_TAG, numbers, error, 5 + room)?;
        out.put_u8(u8::from(block.is_none()));
        if let Some(block) = block {
            out.put_u32_le(u32::try_from(block.len()).ok()?);
        }
        Some(out)
    }

    /// Decodes the frame behind the first 16 bytes (all ones, tag), which `frame` still holds.
    pub(crate) fn decode(frame: &Bytes) -> Result<Self, BadFetch> {
        let mut reader = Reader::new(frame);
        let mut req_id = None;
        Self::decode_from(&mut reader, &mut req_id).map_err(|reason| BadFetch { req_id, reason })
    }

    fn decode_from(reader: &mut Reader<'_>, known_id: &mut Option<u64>) -> Result<Self, String> {
        let text = |short: Short| short.to_string();
        reader.u64().map_err(text)?;
        reader.u64().map_err(text)?;
        let head = Head::decode(reader, known_id, "block reply")?;
        let finished = reader.u8().map_err(text)?;
        let outcome = if let Some((code, message)) = head.error {
            FetchOutcome::Error { code, message }
        } else if finished != 0 {
            FetchOutcome::End
        } else {
            let len = reader.u32().map_err(text)?;
            let block = reader.bytes(len).map_err(text)?;
            check_block(&block)?;
            FetchOutcome::Block(block)
        };
        match reader.remaining() {
            0 => Ok(Self {
                req_id: head.req_id,
                result_id: head.id,
                timing: head.timing,
                outcome,
            }),
            extra => Err(format!("{extra} bytes follow the end of the block reply")),
        }
    }
}

/// The length of the frame's block and the block's own length field must agree (§6.5).
fn check_block(block: &Bytes) -> Result<(), String> {
    let own = block
        .get(BLOCK_LENGTH)
        .and_then(|bytes| bytes.first_chunk::<4>())
        .map(|bytes| u32::from_le_bytes(*bytes))
        .ok_or_else(|| format!("a block of {} bytes is too short for its head", block.len()))?;
    if usize::try_from(own).ok() == Some(block.len()) {
        Ok(())
    } else {
        Err(format!(
            "the frame holds a block of {} bytes, the block itself says {own}",
            block.len()
        ))
    }
}

/// The answer to `fetch_block` (§6.4). It carries no request id: pair it by result id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldBlockReply {
    /// Server time in nanoseconds.
    pub timing: u64,
    /// The result that was asked for.
    pub result_id: u64,
    /// The block, a view of the received frame.
    pub block: Bytes,
}

impl OldBlockReply {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(16 + self.block.len());
        out.put_u64_le(self.timing);
        out.put_u64_le(self.result_id);
        out.put_slice(&self.block);
        out.freeze()
    }

    pub(crate) fn decode(frame: &Bytes) -> Result<Self, BadFetch> {
        let mut reader = Reader::new(frame);
        let short = |short: Short| BadFetch {
            req_id: None,
            reason: short.to_string(),
        };
        Ok(Self {
            timing: reader.u64().map_err(short)?,
            result_id: reader.u64().map_err(short)?,
            block: reader.rest(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(len: u32) -> Bytes {
        let mut block = vec![0; 40];
        block[4..8].copy_from_slice(&len.to_le_bytes());
        block.into()
    }

    fn reply(outcome: FetchOutcome) -> FetchReply {
        FetchReply {
            req_id: u64::MAX - 1,
            result_id: 9,
            timing: 77,
            outcome,
        }
    }

    #[test]
    fn block_end_and_error_come_back_as_they_were() {
        for outcome in [
            FetchOutcome::Block(block(40)),
            FetchOutcome::End,
            FetchOutcome::Error {
                code: 0xFFFF,
                message: "result is nil".into(),
            },
        ] {
            let reply = reply(outcome);
            let frame = reply.encode().unwrap();
            assert_eq!(FetchReply::decode(&frame).unwrap(), reply);
            let head = reply.encode_head().unwrap();
            let FetchOutcome::Block(block) = &reply.outcome else {
                assert_eq!(head, frame);
                continue;
            };
            assert_eq!([&head[..], &block[..]].concat(), frame);
            for end in 0..frame.len() {
                assert!(FetchReply::decode(&frame.slice(..end)).is_err(), "{end}");
            }
        }
        assert_eq!(reply(FetchOutcome::End).encode().unwrap().len(), 51);
    }

    #[test]
    fn a_block_that_lies_about_its_length_is_refused_with_the_request_id_kept() {
        let frame = reply(FetchOutcome::Block(block(41))).encode().unwrap();
        let bad = FetchReply::decode(&frame).unwrap_err();
        assert_eq!(bad.req_id, Some(u64::MAX - 1));
        assert!(bad.reason.contains("40 bytes"), "{}", bad.reason);
    }

    #[test]
    fn bytes_behind_the_reply_are_refused() {
        let mut frame = reply(FetchOutcome::End).encode().unwrap().to_vec();
        frame.push(0);
        assert!(FetchReply::decode(&frame.into()).is_err());
    }
}
