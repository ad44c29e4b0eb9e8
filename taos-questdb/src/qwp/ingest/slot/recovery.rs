//! What of a slot can be sent again (questdb §14).

use std::fs;
use std::io::{self, Read};

use super::super::crc::crc32c;
use super::{
    FRAME_HEAD, Place, SEGMENT_HEAD, Segment, Slot, failed, frame_crc, open, remove, segment_head,
};
use crate::error::{Error, Result, error};
use crate::ingress::SymbolTable;
use crate::qwp::wire::{Header, Reader};

const LONGEST_SYMBOL: usize = 1 << 30;

/// Why frames that were found cannot be sent.
pub(super) struct Unusable(pub(super) String);

pub(super) enum Recovery {
    Io(Error),
    Unusable(Unusable),
}

impl From<Error> for Recovery {
    fn from(error: Error) -> Self {
        Self::Io(error)
    }
}

impl From<Unusable> for Recovery {
    fn from(unusable: Unusable) -> Self {
        Self::Unusable(unusable)
    }
}

/// Where the frames of a segment end, and how many bytes behind that are none.
#[derive(Debug, Clone, Copy)]
struct End {
    at: u64,
    broken: usize,
}

impl Slot {
    pub(super) fn set_aside(self, why: &str) -> Error {
        let from = self.dir.clone();
        // Where open files keep a directory from moving, somebody else may come in between.
        let held = if cfg!(unix) {
            Some(self)
        } else {
            drop(self);
            None
        };
        let name = from
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let free = (1..1000)
            .map(|n| from.with_file_name(format!("{name}-{n}.failed")))
            .find(|path| !path.exists());
        let moved = free
            .ok_or_else(|| io::Error::other("too many failed slots"))
            .and_then(|to| fs::rename(&from, &to).map(|()| to));
        drop(held);
        match moved {
            Ok(to) => error!(
                StoreResendRequired,
                "the frames kept in {} cannot be sent again: {why}. They were set aside as {}; send \
                 their rows again from where they came from",
                from.display(),
                to.display()
            ),
            Err(e) => error!(
                StoreResendRequired,
                "the frames kept in {} cannot be sent again: {why}. Setting them aside failed too: \
                 {e}; move the directory away",
                from.display()
            ),
        }
    }

    /// Reads the symbols up to the first one that is not whole.
    pub(super) fn recover_symbols(&mut self) -> Result<SymbolTable> {
        let path = self.dir.join("symbols");
        let mut bytes = Vec::new();
        self.symbols
            .read_to_end(&mut bytes)
            .map_err(|e| failed("read", &path, &e))?;
        let mut table = SymbolTable::default();
        let mut rest = bytes.as_slice();
        while let Some((symbol, after)) = symbol_record(rest) {
            // A symbol that is there already would shift the numbers of all that follow.
            if table.intern(symbol).map(|id| id as usize + 1) != Some(table.len()) {
                break;
            }
            rest = after;
        }
        self.symbols_end = (bytes.len() - rest.len()) as u64;
        Ok(table)
    }

    pub(super) fn recover_frames(
        &mut self,
        symbols: &mut SymbolTable,
    ) -> std::result::Result<(), Recovery> {
        let acked = self.recover_acked()?;
        self.first = acked;
        let mut next = None;
        let found = self.list_segments()?;
        let firsts: Vec<_> = found.iter().map(|segment| segment.first).collect();
        let mut empty = Vec::new();
        let mut last = None;
        for (at, segment) in found.into_iter().enumerate() {
            let needed = firsts.get(at + 1).is_none_or(|first| *first > acked);
            match self.recover_segment(&segment, acked, &mut next, symbols, needed)? {
                Some(end) => {
                    last = (at + 1 == firsts.len()).then_some(end);
                    self.segments.push_back(segment);
                }
                None => empty.push(segment.path),
            }
        }
        // Nothing is removed before all of it was found to be in order.
        for path in empty {
            remove(&path);
        }
        self.find_tail(last)?;
        if self.frames.is_empty() {
            self.first = next.unwrap_or(acked).max(acked);
        }
        if next != Some(self.next()) {
            // Frames of a segment are numbered one by one from its first.
            self.tail = None;
        }
        self.drop_segments();
        Ok(())
    }

    /// Cuts what a process had begun to write off the last segment, which goes on there.
    fn find_tail(&mut self, end: Option<End>) -> Result<()> {
        let (Some(end), Some(segment)) = (end, self.segments.back()) else {
            return Ok(());
        };
        if end.broken > 0 {
            tracing::warn!(
                "store-and-forward: {} ends with {} bytes that are no whole frame; they are cut off",
                segment.path.display(),
                end.broken
            );
        }
        if end.at < self.max_segment {
            let file = open(&segment.path)?;
            file.set_len(end.at)
                .map_err(|e| failed("cut", &segment.path, &e))?;
            self.tail = Some((file, end.at));
        }
        Ok(())
    }

    /// Reads the frames of a segment up to the first one that is not whole; gives where it ends, or
    /// `None` if there is nothing in it.
    fn recover_segment(
        &mut self,
        segment: &Segment,
        acked: u64,
        next: &mut Option<u64>,
        symbols: &mut SymbolTable,
        needed: bool,
    ) -> std::result::Result<Option<End>, Recovery> {
        let bytes = fs::read(&segment.path).map_err(|e| failed("read", &segment.path, &e))?;
        let Some((head, mut rest)) = bytes.split_at_checked(SEGMENT_HEAD) else {
            return Ok(None);
        };
        if *head != segment_head(segment.first) {
            // Without a head nothing was written behind it; with a damaged one there was.
            if needed && rest.iter().any(|byte| *byte != 0) {
                let why = format!("the head of {} is damaged", segment.path.display());
                return Err(Unusable(why).into());
            }
            return Ok(None);
        }
        if next.is_some_and(|next| next != segment.first) && segment.first > acked {
            return Err(Unusable(format!(
                "frames are missing before number {}",
                segment.first
            ))
            .into());
        }
        let mut number = segment.first;
        while let Some((frame, after)) = frame_record(number, rest) {
            if number >= acked {
                learn(frame, symbols, self)?;
                if self.frames.is_empty() {
                    self.first = number;
                }
                self.frames.push_back(Place {
                    segment: segment.first,
                    offset: (bytes.len() - rest.len() + FRAME_HEAD) as u64,
                    len: u32::try_from(frame.len()).unwrap_or(u32::MAX),
                });
                self.bytes += frame.len() as u64;
            }
            number += 1;
            rest = after;
        }
        *next = Some(number);
        Ok(Some(End {
            at: (bytes.len() - rest.len()) as u64,
            broken: rest
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |at| at + 1),
        }))
    }

    fn list_segments(&self) -> Result<Vec<Segment>> {
        let broken = |e: &io::Error| failed("list", &self.dir, e);
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(|e| broken(&e))? {
            let path = entry.map_err(|e| broken(&e))?.path();
            let number = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_prefix("frames-"))
                .and_then(|number| u64::from_str_radix(number, 16).ok());
            if let Some(first) = number {
                segments.push(Segment { first, path });
            }
        }
        segments.sort_unstable_by_key(|segment| segment.first);
        Ok(segments)
    }

    fn recover_acked(&mut self) -> Result<u64> {
        let mut bytes = Vec::new();
        self.acked
            .read_to_end(&mut bytes)
            .map_err(|e| failed("read", &self.dir.join("acked"), &e))?;
        // Without a valid one everything is sent again, which tables have to bear anyway.
        Ok(match bytes.split_first_chunk::<8>() {
            Some((number, crc)) if *crc == crc32c(0, number).to_le_bytes() => {
                u64::from_le_bytes(*number)
            }
            _ => 0,
        })
    }
}

fn frame_record(number: u64, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let len = u32::from_le_bytes(*len);
    let (frame, rest) = rest.split_at_checked(len as usize)?;
    let right = len > 0 && frame_crc(number, len, frame) == u32::from_le_bytes(*crc);
    right.then_some((frame, rest))
}

fn symbol_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (symbol, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let right = crc32c(crc32c(0, len), symbol) == u32::from_le_bytes(*crc);
    right.then_some((symbol, rest))
}

/// Compares the symbols a frame brings with those that are known, and takes those that are not.
fn learn(
    frame: &[u8],
    symbols: &mut SymbolTable,
    slot: &mut Slot,
) -> std::result::Result<(), Recovery> {
    let broken = |e: Error| Unusable(format!("a frame is not readable: {e}"));
    let mut reader = Reader::new(frame);
    Header::read(&mut reader).map_err(broken)?;
    let first = reader
        .count(u32::MAX as usize, "first symbol")
        .map_err(broken)?;
    let count = reader
        .count(u32::MAX as usize, "number of symbols")
        .map_err(broken)?;
    if first > symbols.len() {
        return Err(Unusable(format!("the symbols {} to {first} are lost", symbols.len())).into());
    }
    for number in first..first.saturating_add(count) {
        let symbol = reader
            .string(LONGEST_SYMBOL, "symbol")
            .map_err(broken)?
            .as_bytes();
        let new = number >= symbols.len();
        if symbols.intern(symbol).map(|id| id as usize) != Some(number) {
            return Err(Unusable(format!("symbol {number} is another than before")).into());
        }
        if new {
            slot.write_symbols(std::iter::once(symbol))?;
        }
    }
    Ok(())
}
