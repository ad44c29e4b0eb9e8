//! NCHAR columns: UTF-32LE on the wire, UTF-8 for people (raw-block §4).

use std::collections::HashMap;
use std::ops::Range;

use super::parse::{array, payload_len};

/// The texts of an NCHAR column, transcoded once into one buffer.
#[derive(Debug)]
pub(crate) enum NcharText {
    /// Ranges in `text` by row; `None` is NULL or a cell that is not UTF-32.
    Shared {
        text: String,
        spans: Vec<Option<Range<usize>>>,
    },
    /// Cells overlap in a way no server writes, so a buffer of all could be far larger than the
    /// block; each access decodes its own.
    PerCell,
}

/// Appends the text of UTF-32LE bytes; false if a unit is not a character.
pub(crate) fn decode_into(payload: &[u8], text: &mut String) -> bool {
    for unit in payload.chunks_exact(4) {
        match char::from_u32(u32::from_le_bytes(array(unit, 0))) {
            Some(c) => text.push(c),
            None => return false,
        }
    }
    true
}

/// The text of UTF-32LE bytes.
pub(crate) fn decode(payload: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(payload.len() / 4);
    decode_into(payload, &mut text).then_some(text)
}

impl NcharText {
    pub(crate) fn transcode(offsets: &[u8], data: &[u8]) -> Self {
        let mut text = String::with_capacity(data.len() / 4);
        let mut spans = Vec::with_capacity(offsets.len() / 4);
        let mut seen = Seen::default();
        for offset in offsets.chunks_exact(4) {
            let Ok(start) = usize::try_from(i32::from_le_bytes(array(offset, 0))) else {
                spans.push(None);
                continue;
            };
            if let Some(span) = seen.find(start) {
                spans.push(span);
                continue;
            }
            let cell = data.get(start..).unwrap_or_default();
            let payload = cell.get(2..2 + payload_len(cell, 2)).unwrap_or_default();
            let from = text.len();
            let span = if decode_into(payload, &mut text) {
                Some(from..text.len())
            } else {
                text.truncate(from);
                None
            };
            // UTF-8 is never longer than UTF-32, so more text than data means overlapping cells.
            if text.len() > data.len() {
                return Self::PerCell;
            }
            seen.insert(start, span.clone());
            spans.push(span);
        }
        Self::Shared { text, spans }
    }

    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Shared { text, spans } => text.get(spans.get(row)?.clone()?),
            Self::PerCell => None,
        }
    }
}

/// Cells already transcoded. Offsets ascend in nearly every block, so a table is kept only after
/// the first that does not.
#[derive(Default)]
struct Seen {
    ascending: Vec<(usize, Option<Range<usize>>)>,
    table: HashMap<usize, Option<Range<usize>>>,
}

impl Seen {
    fn find(&self, start: usize) -> Option<Option<Range<usize>>> {
        match self.ascending.last() {
            None => None,
            Some((last, _)) if start > *last => None,
            Some((last, span)) if start == *last => Some(span.clone()),
            Some(_) => self
                .ascending
                .binary_search_by_key(&start, |(at, _)| *at)
                .ok()
                .and_then(|i| self.ascending.get(i))
                .map(|(_, span)| span.clone())
                .or_else(|| self.table.get(&start).cloned()),
        }
    }

    fn insert(&mut self, start: usize, span: Option<Range<usize>>) {
        if self.ascending.last().is_none_or(|(last, _)| start > *last) {
            self.ascending.push((start, span));
        } else {
            self.table.insert(start, span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> Vec<u8> {
        let units: Vec<u8> = text
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        let mut cell = u16::try_from(units.len()).unwrap().to_le_bytes().to_vec();
        cell.extend(units);
        cell
    }

    #[test]
    fn equal_and_descending_offsets_share_their_text() {
        let mut data = cell("é中");
        let second = i32::try_from(data.len()).unwrap();
        data.extend(cell("b"));
        let offsets: Vec<u8> = [second, 0, -1, second, 0]
            .iter()
            .flat_map(|o| o.to_le_bytes())
            .collect();
        let text = NcharText::transcode(&offsets, &data);
        let rows: Vec<_> = (0..5).map(|r| text.get(r)).collect();
        assert_eq!(rows, [Some("b"), Some("é中"), None, Some("b"), Some("é中")]);
    }

    #[test]
    fn overlapping_cells_do_not_grow_beyond_the_data() {
        // From every fourth byte this reads as a length of 16 and characters of plane 16.
        let data = [0x10, 0, 0x41, 0].repeat(512);
        let offsets: Vec<u8> = (0..500_i32).flat_map(|i| (i * 4).to_le_bytes()).collect();
        assert!(matches!(
            NcharText::transcode(&offsets, &data),
            NcharText::PerCell
        ));
    }
}
