//! The rows that queries are answered with, encoded once: a time, a LONG, a DOUBLE, a SYMBOL, a VARCHAR.

/// Batches of a result.
pub(super) const BATCHES: u64 = 100;
pub(super) const PER_BATCH: u64 = 10_000;
/// Different ones; afterwards they come again.
const DISTINCT: u64 = 16;
const SYMBOLS: [&str; 8] = [
    "BTC-USD",
    "ETH-USD",
    "X",
    "EUR/USD spot",
    "AAPL",
    "MSFT",
    "XAU-USD",
    "LINK-BTC",
];
const SCHEMA: [(&str, u8); 5] = [
    ("ts", 0x0a),
    ("id", 0x05),
    ("price", 0x07),
    ("symbol", 0x09),
    ("note", 0x0f),
];

pub(super) struct Batches {
    dictionary: Vec<u8>,
    nothing_new: [u8; 2],
    schema: Vec<u8>,
    data: Vec<Vec<u8>>,
}

impl Default for Batches {
    fn default() -> Self {
        let symbols = u8::try_from(SYMBOLS.len()).unwrap_or(u8::MAX);
        let mut dictionary = vec![0, symbols];
        SYMBOLS
            .iter()
            .for_each(|symbol| text(&mut dictionary, symbol));
        let mut schema = vec![u8::try_from(SCHEMA.len()).unwrap_or(u8::MAX)];
        for (name, code) in SCHEMA {
            text(&mut schema, name);
            schema.push(code);
        }
        Self {
            dictionary,
            nothing_new: [symbols, 0],
            schema,
            data: (0..DISTINCT).map(data).collect(),
        }
    }
}

impl Batches {
    /// The delta of the dictionary: all symbols, or nothing after them.
    pub(super) fn dictionary(&self, sent: bool) -> &[u8] {
        if sent {
            &self.nothing_new
        } else {
            &self.dictionary
        }
    }

    /// The schema and the columns of one batch.
    pub(super) fn part(&self, sequence: u64) -> (&[u8], &[u8]) {
        let at = usize::try_from(sequence % DISTINCT).unwrap_or(0);
        (&self.schema, &self.data[at])
    }

    /// A server of its own, without capabilities (questdb §15.6).
    pub(super) fn server_info() -> Vec<u8> {
        let mut body = vec![0x18, 0];
        body.extend_from_slice(&[0; 8 + 4 + 8]);
        body.extend_from_slice(&[1, 0, b'c', 1, 0, b'n']);
        let mut whole = header(0, 0, body.len());
        whole.extend_from_slice(&body);
        whole
    }
}

/// The columns of the `n`-th batch.
fn data(n: u64) -> Vec<u8> {
    let rows = n * PER_BATCH..(n + 1) * PER_BATCH;
    let mut out = vec![0];
    for row in rows.clone() {
        out.extend_from_slice(&(1_700_000_000_000_000 + row * 250).to_le_bytes());
    }
    out.push(0);
    for row in rows.clone() {
        out.extend_from_slice(
            &(row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (row % 50)).to_le_bytes(),
        );
    }
    out.push(0);
    for row in rows.clone() {
        let price = f64::from(u32::try_from(row).unwrap_or(0)) / 7.0;
        out.extend_from_slice(&price.to_le_bytes());
    }
    out.push(0);
    for row in rows.clone() {
        out.push(u8::try_from((row / 3) % 8).unwrap_or(0));
    }
    notes(&mut out, rows);
    out
}

/// Texts of different lengths; each seventh is NULL.
fn notes(out: &mut Vec<u8>, rows: std::ops::Range<u64>) {
    let is_null = |row: u64| row % 7 == 3;
    let mut bitmap = vec![0_u8; usize::try_from(PER_BATCH.div_ceil(8)).unwrap_or(0)];
    let (mut offsets, mut bytes) = (0_u32.to_le_bytes().to_vec(), Vec::new());
    for (at, row) in rows.enumerate() {
        if is_null(row) {
            bitmap[at / 8] |= 1 << (at % 8);
            continue;
        }
        let note = format!("note {}", row.wrapping_mul(2_654_435_761) >> (row % 40));
        bytes.extend_from_slice(note.as_bytes());
        let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        offsets.extend_from_slice(&end.to_le_bytes());
    }
    out.push(1);
    out.extend_from_slice(&bitmap);
    out.extend_from_slice(&offsets);
    out.extend_from_slice(&bytes);
}

/// The twelve bytes in front of a server's frame.
pub(super) fn header(flags: u8, tables: u8, length: usize) -> Vec<u8> {
    let mut head = b"QWP1\x01".to_vec();
    head.extend_from_slice(&[flags, tables, 0]);
    head.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    head
}

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        out.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return;
        }
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    varint(out, u64::try_from(text.len()).unwrap_or(0));
    out.extend_from_slice(text.as_bytes());
}
