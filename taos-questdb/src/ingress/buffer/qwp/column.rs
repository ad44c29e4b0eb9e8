//! The values of one column, kept as they will be sent (questdb §12.5).

use super::decimal::{Decimal, MAX_SCALE};
use crate::error::{Result, error};
use crate::qwp::wire::{ColumnType, bitmap_len, put_varint};

/// The values of a column. Rows it has not heard of yet are null.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: Box<str>,
    pub(super) kind: ColumnType,
    /// Rows that are known, nulls too.
    filled: usize,
    null_count: usize,
    /// One bit for each known row that is null, for the types with a bitmap.
    nulls: Vec<u8>,
    /// Values in little-endian order: ids of symbols (u32), ends of texts (u32), bits of booleans.
    data: Vec<u8>,
    /// The bytes of texts.
    text: Vec<u8>,
    /// The scale of decimals, the bits of geohashes.
    pin: u8,
}

/// How far a column had come.
#[derive(Debug, Clone, Copy)]
pub(super) struct ColumnMark {
    kind: ColumnType,
    filled: usize,
    null_count: usize,
    data: usize,
    text: usize,
}

/// The value that stands for null in the types without a bitmap.
const fn sentinel(kind: ColumnType) -> Option<&'static [u8]> {
    const NAN32: [u8; 4] = f32::NAN.to_le_bytes();
    const NAN64: [u8; 8] = f64::NAN.to_le_bytes();
    const MIN32: [u8; 4] = i32::MIN.to_le_bytes();
    const MIN64: [u8; 8] = i64::MIN.to_le_bytes();
    Some(match kind {
        ColumnType::Byte => &[0],
        ColumnType::Short | ColumnType::Char => &[0; 2],
        ColumnType::Int => &MIN32,
        ColumnType::Long => &MIN64,
        ColumnType::Float => &NAN32,
        ColumnType::Double => &NAN64,
        _ => return None,
    })
}

fn has_bitmap(kind: ColumnType) -> bool {
    kind != ColumnType::Boolean && sentinel(kind).is_none()
}

fn append_repeated(out: &mut Vec<u8>, value: &[u8], count: usize) {
    out.reserve(count * value.len());
    for _ in 0..count {
        out.extend_from_slice(value);
    }
}

/// Sets the bits `from..to` of a bitmap that ends before `from` or has zeros there.
fn set_bits(bits: &mut Vec<u8>, from: usize, to: usize) {
    bits.resize(bitmap_len(to), 0);
    for at in from..to {
        if let Some(byte) = bits.get_mut(at / 8) {
            *byte |= 1 << (at % 8);
        }
    }
}

/// Cuts a bitmap behind `len` bits.
fn cut_bits(bits: &mut Vec<u8>, len: usize) {
    bits.truncate(bitmap_len(len));
    if !len.is_multiple_of(8)
        && bits.len() == bitmap_len(len)
        && let Some(last) = bits.last_mut()
    {
        *last &= (1 << (len % 8)) - 1;
    }
}

impl Column {
    pub(super) fn new(name: &str, kind: ColumnType) -> Self {
        Self {
            name: name.into(),
            kind,
            filled: 0,
            null_count: 0,
            nulls: Vec::new(),
            data: Vec::new(),
            text: Vec::new(),
            pin: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
        self.null_count = 0;
        self.nulls.clear();
        self.data.clear();
        self.text.clear();
    }

    pub(super) fn capacity(&self) -> usize {
        self.nulls.capacity() + self.data.capacity() + self.text.capacity()
    }

    pub(super) const fn mark(&self) -> ColumnMark {
        ColumnMark {
            kind: self.kind,
            filled: self.filled,
            null_count: self.null_count,
            data: self.data.len(),
            text: self.text.len(),
        }
    }

    pub(super) fn rewind(&mut self, mark: &ColumnMark) {
        if self.kind != mark.kind {
            // A type changes only while there is no value, so there was none at the mark.
            self.kind = mark.kind;
            self.clear();
            return;
        }
        self.filled = mark.filled;
        self.null_count = mark.null_count;
        self.data.truncate(mark.data);
        self.text.truncate(mark.text);
        if self.kind == ColumnType::Boolean {
            cut_bits(&mut self.data, mark.filled);
        }
        cut_bits(&mut self.nulls, mark.filled);
    }

    const fn has_values(&self) -> bool {
        self.null_count < self.filled
    }

    /// Whether the row `row` has its value already.
    #[inline]
    pub(super) const fn knows(&self, row: usize) -> bool {
        self.filled > row
    }

    /// Makes it a column of this type, which only works as long as it has no values.
    #[cold]
    pub(super) fn become_kind(&mut self, kind: ColumnType) -> Result<()> {
        if self.has_values() {
            return Err(error!(
                InvalidApiCall,
                "column {:?} is {} in earlier rows of this buffer and cannot become {kind}; write \
                 one type, or flush in between",
                self.name,
                self.kind
            ));
        }
        self.clear();
        self.kind = kind;
        Ok(())
    }

    /// Adds the nulls before row `row`, whose value comes next.
    #[inline]
    fn reach(&mut self, row: usize) {
        if self.filled < row {
            self.add_nulls(row);
        }
        self.filled = row + 1;
    }

    #[cold]
    fn add_nulls(&mut self, to: usize) {
        let missing = to.saturating_sub(self.filled);
        if let Some(value) = sentinel(self.kind) {
            append_repeated(&mut self.data, value, missing);
        } else if self.kind == ColumnType::Boolean {
            self.data.resize(bitmap_len(to), 0);
        } else {
            set_bits(&mut self.nulls, self.filled, to);
        }
        self.null_count += missing;
        self.filled = to;
    }

    /// A value whose type has a fixed width, or the number of a symbol.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, row: usize, value: [u8; N]) {
        self.reach(row);
        self.data.extend_from_slice(&value);
    }

    pub(super) fn put_bool(&mut self, row: usize, value: bool) {
        self.reach(row);
        self.data.resize(bitmap_len(row + 1), 0);
        if value && let Some(byte) = self.data.get_mut(row / 8) {
            *byte |= 1 << (row % 8);
        }
    }

    #[inline]
    pub(super) fn put_bytes(&mut self, row: usize, value: &[u8]) -> Result<()> {
        let Ok(end) = u32::try_from(self.text.len() + value.len()) else {
            return Err(error!(
                BatchTooLarge,
                "the values of column {:?} have more than 4 GiB; flush oftener", self.name
            ));
        };
        self.reach(row);
        self.data.extend_from_slice(&end.to_le_bytes());
        self.text.extend_from_slice(value);
        Ok(())
    }

    /// An array: rank, lengths, elements.
    pub(super) fn put_array(
        &mut self,
        row: usize,
        dims: &[u32],
        data_len: usize,
        write: impl FnOnce(&mut [u8]) -> Result<()>,
    ) -> Result<()> {
        let start = self.data.len();
        let rank = u8::try_from(dims.len())
            .map_err(|_| error!(ArrayError, "an array of {} dimensions", dims.len()))?;
        self.data.push(rank);
        for dim in dims {
            self.data.extend_from_slice(&dim.to_le_bytes());
        }
        let elements = self.data.len();
        self.data.resize(elements + data_len, 0);
        let written = self.data.get_mut(elements..).map_or(Ok(()), write);
        if let Err(error) = written {
            self.data.truncate(start);
            return Err(error);
        }
        self.reach(row);
        Ok(())
    }

    pub(super) fn put_geohash(&mut self, row: usize, hash: u64, bits: u8) -> Result<()> {
        if !(1..=60).contains(&bits) || hash >> bits != 0 {
            return Err(error!(
                InvalidApiCall,
                "a geohash has 1 to 60 bits and its value fits them; column {:?} got {bits} bits and \
                 the value {hash:#x}",
                self.name
            ));
        }
        if self.has_values() && self.pin != bits {
            return Err(error!(
                InvalidApiCall,
                "column {:?} has geohashes of {} bits in earlier rows of this buffer and cannot take \
                 one of {bits}",
                self.name,
                self.pin
            ));
        }
        self.pin = bits;
        self.reach(row);
        let width = usize::from(bits.div_ceil(8));
        let bytes = hash.to_le_bytes();
        self.data.extend(bytes.iter().take(width));
        Ok(())
    }

    /// A decimal, or null for what is no number. All of them get the largest scale that occurs.
    pub(super) fn put_decimal(&mut self, row: usize, value: Option<Decimal>) -> Result<()> {
        let Some(value) = value else {
            self.add_nulls(row + 1);
            return Ok(());
        };
        let (width, max_scale) = match self.kind {
            ColumnType::Decimal64 => (8, 18),
            ColumnType::Decimal128 => (16, 38),
            _ => (32, MAX_SCALE),
        };
        if value.scale > max_scale {
            return Err(error!(
                InvalidDecimal,
                "a decimal of scale {} in column {:?} of {}, whose limit is {max_scale}",
                value.scale,
                self.name,
                self.kind
            ));
        }
        let scale = if self.has_values() {
            self.pin.max(value.scale)
        } else {
            value.scale
        };
        let mut bytes = [0u8; 32];
        let Some(slot) = bytes.get_mut(..width) else {
            return Ok(());
        };
        value.with_scale(scale)?.write(slot)?;
        if scale > self.pin && self.has_values() {
            self.data = rescaled(&self.data, width, self.pin, scale)?;
        }
        self.pin = scale;
        self.reach(row);
        self.data.extend_from_slice(slot);
        Ok(())
    }

    /// At least the bytes of the column's data and its place in the schema.
    pub(super) fn encoded_len(&self, rows: usize) -> usize {
        let missing = rows.saturating_sub(self.filled);
        let values = self.data.len() + self.text.len();
        let padding = match sentinel(self.kind) {
            Some(value) => missing * value.len(),
            None => bitmap_len(rows),
        };
        // A symbol is kept in four bytes and sent in three at most.
        self.name.len() + 2 + 1 + 1 + 4 + values + padding
    }

    /// Appends the null flag, the bitmap if there is one, and the values.
    pub(super) fn encode(&self, rows: usize, ids: &[u32], out: &mut Vec<u8>) {
        let missing = rows.saturating_sub(self.filled);
        let sparse = self.null_count + missing > 0;
        // All ones is a valid geohash and the sentinel when whole bytes are used.
        let ambiguous = self.kind == ColumnType::Geohash && self.pin.is_multiple_of(8);
        if has_bitmap(self.kind) && (sparse || ambiguous) {
            out.push(1);
            self.encode_nulls(rows, out);
        } else {
            out.push(0);
        }
        match self.kind {
            ColumnType::Varchar | ColumnType::Binary => {
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(&self.data);
                out.extend_from_slice(&self.text);
            }
            ColumnType::Symbol => self.encode_symbols(ids, out),
            ColumnType::Boolean => {
                out.extend_from_slice(&self.data);
                let more = bitmap_len(rows).saturating_sub(self.data.len());
                append_repeated(out, &[0], more);
            }
            ColumnType::Geohash => {
                put_varint(out, u64::from(self.pin.max(1)));
                out.extend_from_slice(&self.data);
            }
            ColumnType::Decimal64 | ColumnType::Decimal128 | ColumnType::Decimal256 => {
                out.push(self.pin);
                out.extend_from_slice(&self.data);
            }
            kind => {
                out.extend_from_slice(&self.data);
                if let Some(value) = sentinel(kind) {
                    append_repeated(out, value, missing);
                }
            }
        }
    }

    fn encode_nulls(&self, rows: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.nulls);
        out.resize(start + bitmap_len(rows), 0);
        for row in self.filled..rows {
            if let Some(byte) = out.get_mut(start + row / 8) {
                *byte |= 1 << (row % 8);
            }
        }
    }

    fn encode_symbols(&self, ids: &[u32], out: &mut Vec<u8>) {
        let (numbers, _) = self.data.as_chunks::<4>();
        let id = |number: &[u8; 4]| {
            ids.get(u32::from_le_bytes(*number) as usize)
                .copied()
                .unwrap_or_default()
        };
        out.reserve(numbers.len() * 3);
        for number in numbers {
            let id = id(number);
            match u8::try_from(id) {
                Ok(short) if short < 0x80 => out.push(short),
                _ => put_varint(out, u64::from(id)),
            }
        }
    }
}

fn rescaled(data: &[u8], width: usize, from: u8, to: u8) -> Result<Vec<u8>> {
    let mut out = vec![0; data.len()];
    for (value, slot) in data.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        Decimal::read(value, from)?.with_scale(to)?.write(slot)?;
    }
    Ok(out)
}
