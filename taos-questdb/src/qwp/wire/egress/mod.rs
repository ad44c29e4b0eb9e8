//! Messages of queries (questdb §13): requests written, answers read, results turned into blocks.
//!
//! Messages of the server have the header of [`Header`](super::Header), those of the client start with
//! their kind.

mod array;
mod batch;
mod binds;
mod block;
mod dictionary;
mod fixed;
mod frame;
mod gorilla;
mod inflate;
mod request;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use batch::{Decoder, Schema};
pub(crate) use binds::Bind;
pub(crate) use frame::{Batch, Event, ServerInfo, capability, failure, role};
pub(crate) use request::{Query, cancel, credit};

/// The first byte of every message, behind the header if there is one (questdb §13.2).
mod kind {
    pub(super) const QUERY_REQUEST: u8 = 0x10;
    pub(super) const RESULT_BATCH: u8 = 0x11;
    pub(super) const RESULT_END: u8 = 0x12;
    pub(super) const QUERY_ERROR: u8 = 0x13;
    pub(super) const CANCEL: u8 = 0x14;
    pub(super) const CREDIT: u8 = 0x15;
    pub(super) const EXEC_DONE: u8 = 0x16;
    pub(super) const CACHE_RESET: u8 = 0x17;
    pub(super) const SERVER_INFO: u8 = 0x18;
}

/// What a server may send at most (questdb §13.6).
pub(crate) mod limit {
    pub(crate) const MESSAGE: usize = 64 << 20;
    pub(super) const INFLATED: usize = 64 << 20;
    pub(super) const BLOCK: usize = 1 << 30;
    pub(super) const ROWS: usize = 1 << 20;
    pub(super) const RANK: u8 = 32;
    pub(super) const ELEMENTS: usize = 16 << 20;
    pub(super) const SYMBOLS: usize = 1 << 23;
    pub(super) const SYMBOL_BYTES: usize = 256 << 20;
    /// What the length in front of a value in a block can say.
    pub(super) const CELL: usize = 0xffff;
}

/// Decodes bytes as one connection would, any bytes: refused or a block, never a panic.
pub(crate) fn fuzz(data: &[u8]) {
    let mut decoder = Decoder::default();
    let mut schema = None;
    let mut rest = data;
    // Messages stand one behind the other, each behind its length in two bytes.
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(behind.len());
        let (message, behind) = behind.split_at(length);
        rest = behind;
        match Event::read(message) {
            Ok(Event::Batch(batch)) => {
                if batch.seq == 0 {
                    schema = None;
                }
                if let Ok(block) = decoder.batch(&batch, &mut schema) {
                    assert_eq!(block.to_values().len(), block.nrows());
                }
            }
            Ok(Event::Reset { mask }) => decoder.reset(mask),
            Ok(_) | Err(_) => {}
        }
    }
}
