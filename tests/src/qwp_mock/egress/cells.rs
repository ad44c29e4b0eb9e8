//! Columns as the protocol writes them (questdb §12.5, §12.6).

use super::super::codec::{self, bitmap};

/// How results are written, where the protocol leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Form {
    /// NULLs in bitmaps also where a value could stand for them.
    pub bitmaps: bool,
    /// Timestamps as differences of differences.
    pub gorilla: bool,
    /// Compressed, if the client takes that.
    pub zstd: bool,
}

/// The cells of a column.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each is named as the server names its type")]
pub enum Cells {
    Boolean(Vec<bool>),
    Byte(Vec<i8>),
    Short(Vec<i16>),
    Int(Vec<Option<i32>>),
    Long(Vec<Option<i64>>),
    Float(Vec<Option<f32>>),
    Double(Vec<Option<f64>>),
    Symbol(Vec<Option<String>>),
    /// Microseconds.
    Timestamp(Vec<Option<i64>>),
    /// Milliseconds.
    Date(Vec<Option<i64>>),
    /// Nanoseconds.
    TimestampNanos(Vec<Option<i64>>),
    /// The number that the text stands for.
    Uuid(Vec<Option<u128>>),
    /// Least significant first.
    Long256(Vec<Option<[u64; 4]>>),
    /// Bits of precision, then values.
    Geohash(u8, Vec<Option<u64>>),
    Varchar(Vec<Option<String>>),
    /// Lengths of dimensions, then elements.
    DoubleArray(Vec<Option<(Vec<u32>, Vec<f64>)>>),
    LongArray(Vec<Option<(Vec<u32>, Vec<i64>)>>),
    /// Scale, then unscaled values.
    Decimal64(u8, Vec<Option<i64>>),
    Decimal128(u8, Vec<Option<i128>>),
    /// Two's complement, least significant byte first.
    Decimal256(u8, Vec<Option<[u8; 32]>>),
    Char(Vec<u16>),
    Binary(Vec<Option<Vec<u8>>>),
    Ipv4(Vec<Option<u32>>),
}

/// Rows: columns of equal length with their names.
pub type Table = Vec<(String, Cells)>;

impl Cells {
    /// Number of cells.
    pub const fn len(&self) -> usize {
        match self {
            Self::Boolean(v) => v.len(),
            Self::Byte(v) => v.len(),
            Self::Short(v) => v.len(),
            Self::Int(v) => v.len(),
            Self::Long(v)
            | Self::Timestamp(v)
            | Self::Date(v)
            | Self::TimestampNanos(v)
            | Self::Decimal64(_, v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Double(v) => v.len(),
            Self::Symbol(v) | Self::Varchar(v) => v.len(),
            Self::Uuid(v) => v.len(),
            Self::Long256(v) => v.len(),
            Self::Geohash(_, v) => v.len(),
            Self::DoubleArray(v) => v.len(),
            Self::LongArray(v) => v.len(),
            Self::Decimal128(_, v) => v.len(),
            Self::Decimal256(_, v) => v.len(),
            Self::Char(v) => v.len(),
            Self::Binary(v) => v.len(),
            Self::Ipv4(v) => v.len(),
        }
    }

    /// True without cells.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The code of the type.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Boolean(_) => 0x01,
            Self::Byte(_) => 0x02,
            Self::Short(_) => 0x03,
            Self::Int(_) => 0x04,
            Self::Long(_) => 0x05,
            Self::Float(_) => 0x06,
            Self::Double(_) => 0x07,
            Self::Symbol(_) => 0x09,
            Self::Timestamp(_) => 0x0A,
            Self::Date(_) => 0x0B,
            Self::Uuid(_) => 0x0C,
            Self::Long256(_) => 0x0D,
            Self::Geohash(..) => 0x0E,
            Self::Varchar(_) => 0x0F,
            Self::TimestampNanos(_) => 0x10,
            Self::DoubleArray(_) => 0x11,
            Self::LongArray(_) => 0x12,
            Self::Decimal64(..) => 0x13,
            Self::Decimal128(..) => 0x14,
            Self::Decimal256(..) => 0x15,
            Self::Char(_) => 0x16,
            Self::Binary(_) => 0x17,
            Self::Ipv4(_) => 0x18,
        }
    }

    fn put(&self, out: &mut Vec<u8>, form: Form, symbols: &mut Symbols) {
        match self {
            Self::Boolean(v) => {
                out.push(0);
                out.extend(bitmap(v.iter().copied()));
            }
            Self::Byte(v) => plain(out, v, |v| v.to_le_bytes()),
            Self::Short(v) => plain(out, v, |v| v.to_le_bytes()),
            Self::Char(v) => plain(out, v, |v| v.to_le_bytes()),
            Self::Int(v) => nullable(out, v, form, i32::MIN.to_le_bytes(), |v| v.to_le_bytes()),
            Self::Long(v) => nullable(out, v, form, i64::MIN.to_le_bytes(), |v| v.to_le_bytes()),
            Self::Float(v) => nullable(out, v, form, f32::NAN.to_le_bytes(), |v| v.to_le_bytes()),
            Self::Double(v) => nullable(out, v, form, f64::NAN.to_le_bytes(), |v| v.to_le_bytes()),
            Self::Ipv4(v) => nullable(out, v, form, [0; 4], |v| v.to_le_bytes()),
            Self::Timestamp(v) | Self::Date(v) | Self::TimestampNanos(v) => times(out, v, form),
            Self::Uuid(v) => {
                let null = (i64::MIN.cast_unsigned(), i64::MIN.cast_unsigned());
                let null = u128::from(null.0) | u128::from(null.1) << 64;
                nullable(out, v, form, null.to_le_bytes(), |v| v.to_le_bytes());
            }
            Self::Long256(v) => {
                let null = [i64::MIN.cast_unsigned(); 4];
                nullable(out, v, form, words(&null), words);
            }
            Self::Geohash(bits, v) => geohashes(out, *bits, v, form),
            Self::Varchar(v) => strings(out, v, |v| v.as_bytes()),
            Self::Binary(v) => strings(out, v, |v| v.as_slice()),
            Self::Symbol(v) => {
                flagged(out, v);
                for symbol in v.iter().flatten() {
                    codec::size(out, symbols.id(symbol));
                }
            }
            Self::DoubleArray(v) => arrays(out, v, |v| v.to_le_bytes()),
            Self::LongArray(v) => arrays(out, v, |v| v.to_le_bytes()),
            Self::Decimal64(scale, v) => decimals(out, *scale, v, |v| v.to_le_bytes()),
            Self::Decimal128(scale, v) => decimals(out, *scale, v, |v| v.to_le_bytes()),
            Self::Decimal256(scale, v) => decimals(out, *scale, v, |v| *v),
        }
    }
}

fn words(words: &[u64; 4]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn plain<T, const N: usize>(out: &mut Vec<u8>, cells: &[T], bytes: impl Fn(&T) -> [u8; N]) {
    out.push(0);
    out.extend(cells.iter().flat_map(bytes));
}

/// The bitmap, if any cell is NULL.
fn flagged<T>(out: &mut Vec<u8>, cells: &[Option<T>]) {
    let any = cells.iter().any(Option::is_none);
    out.push(any.into());
    if any {
        out.extend(bitmap(cells.iter().map(Option::is_none)));
    }
}

fn nullable<T, const N: usize>(
    out: &mut Vec<u8>,
    cells: &[Option<T>],
    form: Form,
    null: [u8; N],
    bytes: impl Fn(&T) -> [u8; N],
) {
    if form.bitmaps {
        flagged(out, cells);
        out.extend(cells.iter().flatten().flat_map(bytes));
    } else {
        out.push(0);
        out.extend(cells.iter().flat_map(|v| v.as_ref().map_or(null, &bytes)));
    }
}

fn times(out: &mut Vec<u8>, cells: &[Option<i64>], form: Form) {
    if !form.gorilla {
        return nullable(out, cells, form, i64::MIN.to_le_bytes(), |v| {
            v.to_le_bytes()
        });
    }
    flagged(out, cells);
    let values: Vec<i64> = cells.iter().flatten().copied().collect();
    match differences(&values) {
        Some(stream) => {
            out.push(1);
            out.extend(values.iter().take(2).flat_map(|v| v.to_le_bytes()));
            out.extend(stream);
        }
        None => {
            out.push(0);
            out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        }
    }
}

/// `None` when a difference is too big, or there are too few values to have one.
fn differences(values: &[i64]) -> Option<Vec<u8>> {
    if values.len() < 3 {
        return None;
    }
    let mut bits = Vec::new();
    for three in values.windows(3) {
        let d = (three[2].wrapping_sub(three[1])).wrapping_sub(three[1].wrapping_sub(three[0]));
        let (prefix, width): (&[bool], u32) = match d {
            0 => (&[false], 0),
            -64..=63 => (&[true, false], 7),
            -256..=255 => (&[true, true, false], 9),
            -2048..=2047 => (&[true, true, true, false], 12),
            _ if i32::try_from(d).is_ok() => (&[true; 4], 32),
            _ => return None,
        };
        bits.extend_from_slice(prefix);
        bits.extend((0..width).map(|bit| d >> bit & 1 == 1));
    }
    Some(bitmap(bits.into_iter()))
}

fn geohashes(out: &mut Vec<u8>, bits: u8, cells: &[Option<u64>], form: Form) {
    let width = usize::from(bits.div_ceil(8));
    if form.bitmaps {
        flagged(out, cells);
    } else {
        out.push(0);
    }
    codec::varint(out, bits.into());
    for cell in cells {
        match cell {
            Some(value) => out.extend_from_slice(&value.to_le_bytes()[..width]),
            None if form.bitmaps => {}
            None => out.extend(std::iter::repeat_n(0xff, width)),
        }
    }
}

fn strings<T>(out: &mut Vec<u8>, cells: &[Option<T>], bytes: impl Fn(&T) -> &[u8]) {
    flagged(out, cells);
    let mut end = 0_u32;
    out.extend_from_slice(&end.to_le_bytes());
    for cell in cells.iter().flatten() {
        end += u32::try_from(bytes(cell).len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&end.to_le_bytes());
    }
    out.extend(cells.iter().flatten().flat_map(bytes));
}

fn arrays<T>(
    out: &mut Vec<u8>,
    cells: &[Option<(Vec<u32>, Vec<T>)>],
    bytes: impl Fn(&T) -> [u8; 8],
) {
    flagged(out, cells);
    for (lengths, elements) in cells.iter().flatten() {
        out.push(u8::try_from(lengths.len()).unwrap_or(u8::MAX));
        out.extend(lengths.iter().flat_map(|length| length.to_le_bytes()));
        out.extend(elements.iter().flat_map(&bytes));
    }
}

fn decimals<T, const N: usize>(
    out: &mut Vec<u8>,
    scale: u8,
    cells: &[Option<T>],
    bytes: impl Fn(&T) -> [u8; N],
) {
    flagged(out, cells);
    out.push(scale);
    out.extend(cells.iter().flatten().flat_map(bytes));
}

/// The symbols that a connection has sent.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    known: Vec<String>,
    pub(super) sent: usize,
}

impl Symbols {
    fn id(&mut self, symbol: &str) -> usize {
        self.known
            .iter()
            .position(|known| known == symbol)
            .unwrap_or_else(|| {
                self.known.push(symbol.to_owned());
                self.known.len() - 1
            })
    }
}

/// What follows the number of a batch (questdb §13.3), and the flags of its message.
pub(super) fn body(table: &Table, first: bool, form: Form, symbols: &mut Symbols) -> (u8, Vec<u8>) {
    let rows = table.first().map_or(0, |(_, cells)| cells.len());
    let mut block = Vec::new();
    codec::text(&mut block, "");
    codec::size(&mut block, rows);
    if first {
        codec::size(&mut block, table.len());
        for (name, cells) in table {
            codec::text(&mut block, name);
            block.push(cells.code());
        }
    }
    let mut flags = 0;
    for (_, cells) in table {
        cells.put(&mut block, form, symbols);
    }
    let mut body = Vec::new();
    // Also with nothing new: without the flag a column brings a dictionary of its own.
    if table
        .iter()
        .any(|(_, cells)| matches!(cells, Cells::Symbol(_)))
    {
        flags |= 0x08;
        codec::size(&mut body, symbols.sent);
        codec::size(&mut body, symbols.known.len() - symbols.sent);
        for symbol in &symbols.known[symbols.sent..] {
            codec::text(&mut body, symbol);
        }
        symbols.sent = symbols.known.len();
    }
    body.extend_from_slice(&block);
    if form.gorilla {
        flags |= 0x04;
    }
    if form.zstd {
        flags |= 0x10;
        body = compressed(&body);
    }
    (flags, body)
}

/// A zstd frame that tells how long its content is (RFC 8878 §3.1.1.1), as published clients demand and the
/// encoder at hand does not.
fn compressed(body: &[u8]) -> Vec<u8> {
    const FOUR_BYTES: u8 = 0b1000_0000;
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let mut frame = ruzstd::encoding::compress_to_vec(body, level);
    // The magic number, what the header has, and the window; neither a dictionary nor a size follows.
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    frame[4] |= FOUR_BYTES;
    frame.splice(6..6, length.to_le_bytes());
    frame
}

/// A message of rows.
pub(super) fn batch(request: i64, seq: u64, (flags, body): &(u8, Vec<u8>)) -> Vec<u8> {
    let mut payload = Vec::with_capacity(body.len() + 20);
    payload.push(0x11);
    payload.extend_from_slice(&request.to_le_bytes());
    codec::varint(&mut payload, seq);
    payload.extend_from_slice(body);
    codec::message(*flags, 1, &payload)
}
