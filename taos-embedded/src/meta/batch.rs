//! Several messages in one.

use bytes::Bytes;

use super::Meta;
use super::out::Out;

/// The kind "changes of tables" and its fill bytes, then code, epoch, fill bytes, consumer and the first
/// and last version of the log: nobody reads them in a message that was stored.
const HEAD: [u8; 40] = {
    let mut head = [0; 40];
    head[0] = 1;
    head
};
/// A place in the log (tmq-raw §2.1).
const LOG: u8 = 0x11;

impl Meta {
    /// The messages as one of the type [`BATCH`](super::BATCH), read from the log up to `next`; `None` if
    /// tags are too long.
    pub(crate) fn encode_batch(metas: &[Self], vgroup: i32, next: i64) -> Option<Bytes> {
        let mut out = Out::default();
        out.length(metas.len());
        for meta in metas {
            let mut one = Out::default();
            one.raw(&HEAD);
            one.u8(LOG);
            one.i64(next);
            one.raw(&meta.raw_type().to_le_bytes());
            one.binary(&meta.encode(vgroup)?);
            out.binary(&one.0);
        }
        Some(out.0.into())
    }
}
