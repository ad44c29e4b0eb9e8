//! zstd with a limit (questdb §13.3, §13.6).

use std::fmt;
use std::io::Read as _;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::limit;
use crate::error::{Error, Result, error};

/// Inflates one frame after the other in the same memory.
#[derive(Default)]
pub(super) struct Inflater {
    decoder: Option<Box<FrameDecoder>>,
    out: Vec<u8>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

fn bad(error: impl fmt::Display) -> Error {
    error!(ProtocolError, "a compressed result is damaged: {error}")
}

fn too_long() -> Error {
    error!(
        LimitExceeded,
        "a compressed result is longer than {} bytes; ask for fewer rows at a time with \
         `max_batch_rows`",
        limit::INFLATED
    )
}

impl Inflater {
    /// The content of exactly one frame.
    pub(super) fn inflate(&mut self, mut frame: &[u8]) -> Result<&[u8]> {
        let most = u64::try_from(limit::INFLATED).unwrap_or(u64::MAX);
        let decoder = self.decoder.get_or_insert_with(|| {
            let mut decoder = FrameDecoder::new();
            decoder.set_max_window_size(most);
            Box::new(decoder)
        });
        self.out.clear();
        decoder.reset(&mut frame).map_err(bad)?;
        if decoder.content_size() > most {
            return Err(too_long());
        }
        loop {
            let finished = decoder.is_finished();
            if !finished {
                // A block gives 128 KiB at most.
                decoder
                    .decode_blocks(&mut frame, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(bad)?;
            }
            let ready = decoder.can_collect();
            if self.out.len() + ready > limit::INFLATED {
                return Err(too_long());
            }
            let start = self.out.len();
            self.out.resize(start + ready, 0);
            if let Some(room) = self.out.get_mut(start..) {
                decoder.read_exact(room).map_err(bad)?;
            }
            if finished {
                break;
            }
        }
        if !frame.is_empty() {
            return Err(bad(format_args!("{} bytes follow its end", frame.len())));
        }
        Ok(&self.out)
    }
}
