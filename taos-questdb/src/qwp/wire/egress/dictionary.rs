//! The symbols of a connection (questdb §12.3): each travels once and is a number afterwards.

use super::super::Reader;
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
    /// The column that is being read.
    column: u64,
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

    fn get(&self, id: usize) -> Option<&[u8]> {
        let end = usize::try_from(*self.ends.get(id)?).ok()?;
        let start = match id.checked_sub(1) {
            Some(before) => usize::try_from(*self.ends.get(before)?).ok()?,
            None => 0,
        };
        self.text.get(start..end)
    }

    /// Forgets where symbols were placed, because another column begins.
    pub(super) const fn begin_column(&mut self) {
        self.column += 1;
    }

    /// Where the column has this symbol; `place` puts it there the first time.
    #[inline]
    pub(super) fn place(
        &mut self,
        id: u64,
        place: impl FnOnce(&[u8]) -> Result<i32>,
    ) -> Result<i32> {
        let known = usize::try_from(id)
            .ok()
            .and_then(|id| Some((id, *self.placed.get(id)?)));
        let Some((id, (column, at))) = known else {
            return Err(error!(
                ProtocolError,
                "symbol {id} is not among the {} that are known",
                self.ends.len()
            ));
        };
        if column == self.column {
            return Ok(at);
        }
        let at = place(self.get(id).unwrap_or_default())?;
        if let Some(placed) = self.placed.get_mut(id) {
            *placed = (self.column, at);
        }
        Ok(at)
    }
}
