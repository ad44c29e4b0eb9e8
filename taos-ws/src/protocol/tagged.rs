//! The head that the tagged replies have in common (§6.5, §11.6).

use super::reader::{Reader, Short};
use super::{ADAPTER_ERROR, mask_code};
use bytes::{BufMut, BytesMut};

/// The first eight bytes of a tagged reply (§3.4).
pub(crate) const TAGGED: u64 = u64::MAX;
const VERSION: u16 = 1;
/// Length of a head without the words of an error.
const LENGTH: usize = 50;

/// What stands in front of the content.
#[derive(Debug)]
pub(crate) struct Head {
    /// Server time in nanoseconds.
    pub(crate) timing: u64,
    /// Echo of the request's id.
    pub(crate) req_id: u64,
    /// The code and words of a failure.
    pub(crate) error: Option<(u32, String)>,
    /// The result or message that was asked for.
    pub(crate) id: u64,
}

impl Head {
    /// Decodes what follows the mark and the tag. `what` is the reply, for errors; the request's id is
    /// told as soon as it is there.
    pub(crate) fn decode(
        reader: &mut Reader<'_>,
        known_id: &mut Option<u64>,
        what: &str,
    ) -> Result<Self, String> {
        let text = |short: Short| short.to_string();
        let version = reader.u16().map_err(text)?;
        let timing = reader.u64().map_err(text)?;
        let req_id = reader.u64().map_err(text)?;
        *known_id = Some(req_id);
        if version != VERSION {
            return Err(format!("version {version} of the {what} is unknown"));
        }
        let code = reader.u32().map_err(text)?;
        let message_len = reader.u32().map_err(text)?;
        let message = reader.bytes(message_len).map_err(text)?;
        let id = reader.u64().map_err(text)?;
        let error = (code != 0).then(|| {
            let words = String::from_utf8_lossy(&message).into_owned();
            (mask_code(i64::from(code)), words)
        });
        Ok(Self {
            timing,
            req_id,
            error,
            id,
        })
    }
}

/// A head with room for `content` bytes behind it. `None` if the words of the error are longer than their
/// u32 length can say.
pub(crate) fn encode_head(
    tag: u64,
    (timing, req_id, id): (u64, u64, u64),
    error: Option<(u32, &str)>,
    content: usize,
) -> Option<BytesMut> {
    let (code, message) = error.unwrap_or_default();
    let mut out = BytesMut::with_capacity(LENGTH + message.len() + content);
    out.put_u64_le(TAGGED);
    out.put_u64_le(tag);
    out.put_u16_le(VERSION);
    out.put_u64_le(timing);
    out.put_u64_le(req_id);
    out.put_u32_le(code);
    out.put_u32_le(u32::try_from(message.len()).ok()?);
    out.put_slice(message.as_bytes());
    out.put_u64_le(id);
    Some(out)
}

/// The code of a reply that tells of an error: 0 would be none.
pub(crate) fn error_code(code: u32) -> u32 {
    match mask_code(i64::from(code)) {
        0 => ADAPTER_ERROR,
        code => code,
    }
}
