//! Columns of text, checked or transcoded once a block: VARCHAR and JSON are UTF-8 on the wire by
//! convention only, NCHAR is UTF-32LE (raw-block §4).

use std::collections::HashMap;
use std::ops::Range;

use super::parse::{array, payload_len};

/// The texts of a column.
#[derive(Debug)]
pub(crate) enum ColumnText {
    /// A column's whole data, which reads as UTF-8 with the length prefixes in it: a cell is then
    /// cut out by looking at its two ends. The copy is what this costs without `unsafe`; it takes a
    /// tenth of the time of checking cell by cell.
    Whole(Box<str>),
    /// Transcoded into one buffer: ranges in `text` by row; `None` is NULL or a cell that is not UTF-32.
    Shared {
        text: String,
        spans: Vec<Option<Range<usize>>>,
    },
    /// Each access checks its own cell: not all bytes are text, or a prefix is not (texts of 128
    /// bytes and more), or NCHAR cells overlap in a way no server writes, so that a buffer of all
    /// could be far larger than the block.
    PerCell,
}

/// Appends the UTF-8 of UTF-32LE bytes; false if a unit is not a character.
fn decode_into(payload: &[u8], text: &mut Vec<u8>) -> bool {
    let (units, _) = payload.as_chunks::<4>();
    let all = units
        .iter()
        .fold(0, |all, unit| all | u32::from_le_bytes(*unit));
    // Most text is ASCII, which the compiler copies many characters at a time.
    if all < 0x80 {
        text.extend(units.iter().map(|[byte, ..]| *byte));
        return true;
    }
    for unit in units {
        match char::from_u32(u32::from_le_bytes(*unit)) {
            Some(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => return false,
        }
    }
    true
}

/// The text of UTF-32LE bytes.
pub(crate) fn decode(payload: &[u8]) -> Option<String> {
    let mut text = Vec::with_capacity(payload.len() / 4);
    decode_into(payload, &mut text)
        .then(|| String::from_utf8(text).ok())
        .flatten()
}

type Span = Option<Range<usize>>;

impl ColumnText {
    /// VARCHAR and JSON.
    pub(crate) fn check(data: &[u8]) -> Self {
        std::str::from_utf8(data).map_or(Self::PerCell, |text| Self::Whole(text.into()))
    }

    /// NCHAR.
    pub(crate) fn transcode(offsets: &[u8], data: &[u8]) -> Self {
        let mut text = Vec::with_capacity(data.len() / 4);
        let mut spans: Vec<Span> = Vec::with_capacity(offsets.len() / 4);
        let mut seen = Seen::default();
        for offset in offsets.chunks_exact(4) {
            let Ok(start) = usize::try_from(i32::from_le_bytes(array(offset, 0))) else {
                spans.push(None);
                continue;
            };
            if let Some(span) = seen.find(start, offsets, &spans) {
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
            seen.add(start, &span);
            spans.push(span);
        }
        match String::from_utf8(text) {
            Ok(text) => Self::Shared { text, spans },
            Err(_) => Self::PerCell,
        }
    }

    /// A transcoded text.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Shared { text, spans } => text.get(spans.get(row)?.clone()?),
            Self::Whole(_) | Self::PerCell => None,
        }
    }
}

/// Cells already transcoded. Offsets ascend in nearly every block, so only the highest is
/// remembered; a table is made at the first offset that goes back.
#[derive(Default)]
struct Seen {
    highest: Option<(usize, Span)>,
    table: Option<HashMap<usize, Span>>,
}

impl Seen {
    /// The span of the cell at `start`, if a row before had it.
    fn find(&mut self, start: usize, offsets: &[u8], spans: &[Span]) -> Option<Span> {
        match &self.highest {
            None => None,
            Some((highest, _)) if start > *highest => None,
            Some((highest, span)) if start == *highest => Some(span.clone()),
            Some(_) => {
                let table = self.table.get_or_insert_with(|| {
                    offsets
                        .chunks_exact(4)
                        .map(|offset| i32::from_le_bytes(array(offset, 0)))
                        .zip(spans)
                        .filter_map(|(at, span)| Some((usize::try_from(at).ok()?, span.clone())))
                        .collect()
                });
                table.get(&start).cloned()
            }
        }
    }

    fn add(&mut self, start: usize, span: &Span) {
        if self.highest.as_ref().is_none_or(|(high, _)| start > *high) {
            self.highest = Some((start, span.clone()));
        }
        if let Some(table) = &mut self.table {
            table.insert(start, span.clone());
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
        let text = ColumnText::transcode(&offsets, &data);
        let rows: Vec<_> = (0..5).map(|r| text.get(r)).collect();
        assert_eq!(rows, [Some("b"), Some("é中"), None, Some("b"), Some("é中")]);
    }

    #[test]
    fn overlapping_cells_do_not_grow_beyond_the_data() {
        // From every fourth byte this reads as a length of 16 and characters of plane 16.
        let data = [0x10, 0, 0x41, 0].repeat(512);
        let offsets: Vec<u8> = (0..500_i32).flat_map(|i| (i * 4).to_le_bytes()).collect();
        assert!(matches!(
            ColumnText::transcode(&offsets, &data),
            ColumnText::PerCell
        ));
    }
}
