//! The symbols of a connection (questdb §12.3): each travels once and is a number afterwards.

use super::super::Reader;
use super::block::{too_big, too_long};
use super::limit;
use crate::error::{Result, error};

/// Symbols by number.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    text: Vec<u8>,
    /// Where each symbol ends in `text`.
    ends: Vec<u32>,
    /// For each symbol the column that used it last, and where in that column's data it lies.
    placed: Vec<(u64, i32)>,
    /// The column that is being read, and its data.
    column: u64,
    cells: Vec<u8>,
}

impl Dictionary {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.placed.clear();
    }

    /// Takes the new symbols that a message brings.
    pub(super) fn extend(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let start = reader.varint("first new symbol")?;
        if usize::try_from(start).ok() != Some(self.ends.len()) {
            return Err(error!(
                ProtocolError,
                "new symbols start at {start}, but {} are known",
                self.ends.len()
            ));
        }
        self.take(reader)
    }

    /// Takes symbols behind their number.
    pub(super) fn take(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        // Each takes a byte at least.
        let count = reader.count(reader.remaining(), "number of new symbols")?;
        if self.ends.len() + count > limit::SYMBOLS {
            return Err(error!(
                LimitExceeded,
                "the connection would have {} symbols; the limit is {}",
                self.ends.len() + count,
                limit::SYMBOLS
            ));
        }
        for _ in 0..count {
            let symbol = reader.string(reader.remaining(), "symbol")?;
            let end = self.text.len() + symbol.len();
            if end > limit::SYMBOL_BYTES {
                return Err(error!(
                    LimitExceeded,
                    "the symbols of the connection are longer than {} bytes",
                    limit::SYMBOL_BYTES
                ));
            }
            self.text.extend_from_slice(symbol.as_bytes());
            self.ends.push(u32::try_from(end).unwrap_or(u32::MAX));
        }
        self.placed.resize(self.ends.len(), (0, 0));
        Ok(())
    }

    /// Where a symbol lies in `text`.
    fn span(&self, id: usize) -> Option<(usize, usize)> {
        let end = usize::try_from(*self.ends.get(id)?).ok()?;
        let start = match id.checked_sub(1) {
            Some(before) => usize::try_from(*self.ends.get(before)?).ok()?,
            None => 0,
        };
        Some((start, end))
    }

    /// Forgets where symbols were placed, because another column begins.
    pub(super) fn begin_column(&mut self) {
        self.column += 1;
        self.cells.clear();
    }

    /// The data of the column: the symbols that were placed, each behind its length.
    pub(super) fn cells(&self) -> &[u8] {
        &self.cells
    }

    /// Where the column has this symbol, which is put there for the first row that has it.
    #[inline]
    pub(super) fn place(&mut self, id: u64, row: usize) -> Result<i32> {
        let known = usize::try_from(id).ok().and_then(|id| self.placed.get(id));
        match known {
            Some((column, at)) if *column == self.column => Ok(*at),
            _ => self.place_first(id, row),
        }
    }

    #[inline(never)]
    fn place_first(&mut self, id: u64, row: usize) -> Result<i32> {
        let known = usize::try_from(id).ok();
        let Some((index, span)) = known.and_then(|id| Some((id, self.span(id)?))) else {
            return Err(error!(
                ProtocolError,
                "symbol {id} is not among the {} that are known",
                self.ends.len()
            ));
        };
        let (start, end) = span;
        let symbol = self.text.get(start..end).unwrap_or_default();
        let len = u16::try_from(symbol.len()).map_err(|_| too_long(row, symbol.len()))?;
        let at = i32::try_from(self.cells.len()).map_err(|_| too_big())?;
        self.cells.extend_from_slice(&len.to_le_bytes());
        self.cells.extend_from_slice(symbol);
        if let Some(placed) = self.placed.get_mut(index) {
            *placed = (self.column, at);
        }
        Ok(at)
    }
}
