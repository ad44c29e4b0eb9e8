//! Raw blocks made up from a seed (raw-block §1–§4), written without the product's own encoder so
//! that the bench does not lean on what it measures.

/// Rows in each block but the last, as a real server sends them.
pub const ROWS_PER_BLOCK: usize = 4096;
/// Blocks that differ in values, NULLs and lengths before the sequence repeats.
const DIFFERENT: usize = 64;
const START_MS: i64 = 1_700_000_000_000;

const TIMESTAMP: u8 = 9;
const INT: u8 = 4;
const BIGINT: u8 = 5;
const FLOAT: u8 = 6;
const VARCHAR: u8 = 8;

/// Every answer of the server, ready to be sent.
pub struct Shelf {
    rows: usize,
    full: Vec<Vec<u8>>,
    full_tail: Vec<u8>,
    fixed: Vec<Vec<u8>>,
    fixed_tail: Vec<u8>,
}

/// Which of the bulk results a query asked for.
#[derive(Clone, Copy)]
pub(super) enum Bulk {
    Full,
    Fixed,
}

impl Shelf {
    /// Prepares results of `rows` rows.
    pub fn new(rows: usize, seed: u64) -> Self {
        let tail = rows % ROWS_PER_BLOCK;
        let make = |texts: bool| {
            let mut dice = Dice(seed);
            let block = |n: usize, rows, dice: &mut Dice| bulk_block(n, rows, texts, dice);
            let blocks = (0..DIFFERENT)
                .map(|n| block(n, ROWS_PER_BLOCK, &mut dice))
                .collect();
            (blocks, block(DIFFERENT, tail, &mut dice))
        };
        let (full, full_tail) = make(true);
        let (fixed, fixed_tail) = make(false);
        Self {
            rows,
            full,
            full_tail,
            fixed,
            fixed_tail,
        }
    }

    /// Block `n` of a bulk result, `None` after its end.
    pub(super) fn block(&self, bulk: Bulk, n: usize) -> Option<&[u8]> {
        let (blocks, tail) = match bulk {
            Bulk::Full => (&self.full, &self.full_tail),
            Bulk::Fixed => (&self.fixed, &self.fixed_tail),
        };
        let full_blocks = self.rows / ROWS_PER_BLOCK;
        match n {
            n if n < full_blocks => blocks.get(n % DIFFERENT).map(Vec::as_slice),
            n if n == full_blocks && !self.rows.is_multiple_of(ROWS_PER_BLOCK) => Some(tail),
            _ => None,
        }
    }
}

/// A block of one BIGINT that holds `value`.
pub(super) fn one_number(value: i64) -> Vec<u8> {
    let mut block = Block::new(1);
    block.fixed(BIGINT, 8, [Some(value.to_le_bytes())].into_iter());
    block.finish()
}

/// A block of one VARCHAR that holds `text`.
pub(super) fn one_text(text: &str) -> Vec<u8> {
    let mut block = Block::new(1);
    block.texts(64, [Some(text.to_owned())].into_iter());
    block.finish()
}

fn bulk_block(n: usize, rows: usize, texts: bool, dice: &mut Dice) -> Vec<u8> {
    let start = START_MS + i64::try_from(n * ROWS_PER_BLOCK).unwrap_or(0) * 1000;
    // Some blocks without a NULL, some with many.
    let nulls = u64::try_from(n % 8).unwrap_or(0) * 3;
    let mut block = Block::new(rows);
    block.fixed(
        TIMESTAMP,
        8,
        (0..rows).map(|row| Some((start + i64::try_from(row).unwrap_or(0) * 1000).to_le_bytes())),
    );
    block.fixed(
        FLOAT,
        4,
        column(rows, nulls, dice, |d| d.float(-30.0, 70.0).to_le_bytes()),
    );
    block.fixed(
        INT,
        4,
        column(rows, nulls / 2, dice, |d| d.int(100).to_le_bytes()),
    );
    block.fixed(
        FLOAT,
        4,
        column(rows, nulls, dice, |d| d.float(0.0, 40.0).to_le_bytes()),
    );
    if texts {
        let tags = tags(rows, dice);
        block.texts(24, tags.iter().map(|(place, _)| place.clone()));
        block.texts(16, tags.iter().map(|(_, station)| station.clone()));
    }
    block.finish()
}

/// The tags of `rows` rows. A super table's rows come subtable by subtable, and all rows of one
/// have its tags: runs of equal texts, one in sixteen NULL.
fn tags(rows: usize, dice: &mut Dice) -> Vec<(Option<String>, Option<String>)> {
    const PLACES: [&str; 12] = [
        "Oslo",
        "Kraków",
        "Vancouver",
        "Ulan Bator",
        "São Paulo, Butantã",
        "A",
        "San Francisco",
        "Nairobi",
        "California.LosAngeles",
        "",
        "Santiago de Compostela",
        "Perth",
    ];
    let mut tags = Vec::with_capacity(rows);
    while tags.len() < rows {
        let run = (50 + dice.below(450)).min(rows - tags.len());
        let place = (dice.below(16) > 0).then(|| PLACES[dice.below(PLACES.len())].to_owned());
        let length = dice.below(17);
        let station =
            (dice.below(16) > 0).then(|| format!("{:016x}", dice.next())[..length].to_owned());
        tags.extend(std::iter::repeat_n((place, station), run));
    }
    tags
}

/// `rows` cells, `nulls` of a hundred of them NULL.
fn column<T>(
    rows: usize,
    nulls: u64,
    dice: &mut Dice,
    mut cell: impl FnMut(&mut Dice) -> T,
) -> std::vec::IntoIter<Option<T>> {
    let cells: Vec<_> = (0..rows)
        .map(|_| (dice.next() % 100 >= nulls).then(|| cell(dice)))
        .collect();
    cells.into_iter()
}

/// SplitMix64: small, seeded, the same on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }

    fn int(&mut self, end: u64) -> i32 {
        i32::try_from(self.next() % end).unwrap_or(0)
    }

    fn float(&mut self, start: f32, width: f32) -> f32 {
        // 24 bits are what a float holds exactly.
        let bits = u16::try_from(self.next() >> 48).unwrap_or(0);
        start + f32::from(bits) / f32::from(u16::MAX) * width
    }
}

pub(super) struct Block {
    rows: usize,
    schema: Vec<u8>,
    lengths: Vec<u8>,
    body: Vec<u8>,
    columns: u32,
}

impl Block {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            rows,
            schema: Vec::new(),
            lengths: Vec::new(),
            body: Vec::new(),
            columns: 0,
        }
    }

    fn describe(&mut self, ty: u8, width: u32, data: usize) {
        self.columns += 1;
        self.schema.push(ty);
        self.schema.extend_from_slice(&width.to_le_bytes());
        self.lengths.extend_from_slice(&length(data).to_le_bytes());
    }

    pub(super) fn fixed<const N: usize>(
        &mut self,
        ty: u8,
        width: u32,
        cells: impl Iterator<Item = Option<[u8; N]>>,
    ) {
        let mut bitmap = vec![0_u8; self.rows.div_ceil(8)];
        let mut values = Vec::with_capacity(self.rows * N);
        for (row, cell) in cells.enumerate() {
            if cell.is_none() {
                bitmap[row >> 3] |= 0x80 >> (row & 7);
            }
            values.extend_from_slice(&cell.unwrap_or([0; N]));
        }
        self.describe(ty, width, values.len());
        self.body.extend_from_slice(&bitmap);
        self.body.extend_from_slice(&values);
    }

    pub(super) fn texts(&mut self, width: u32, cells: impl Iterator<Item = Option<String>>) {
        let mut offsets = Vec::with_capacity(self.rows * 4);
        let mut data = Vec::new();
        for cell in cells {
            let Some(text) = cell else {
                offsets.extend_from_slice(&(-1_i32).to_le_bytes());
                continue;
            };
            offsets.extend_from_slice(&length(data.len()).to_le_bytes());
            let prefix = u16::try_from(text.len()).unwrap_or(u16::MAX);
            data.extend_from_slice(&prefix.to_le_bytes());
            data.extend_from_slice(text.as_bytes());
        }
        self.describe(VARCHAR, width + 2, data.len());
        self.body.extend_from_slice(&offsets);
        self.body.extend_from_slice(&data);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let total = 28 + self.schema.len() + self.lengths.len() + self.body.len() + 1;
        let mut block = Vec::with_capacity(total);
        block.extend_from_slice(&1_u32.to_le_bytes());
        block.extend_from_slice(&length(total).to_le_bytes());
        block.extend_from_slice(&length(self.rows).to_le_bytes());
        block.extend_from_slice(&self.columns.to_le_bytes());
        block.extend_from_slice(&0x8000_0000_u32.to_le_bytes());
        block.extend_from_slice(&0_u64.to_le_bytes());
        block.extend_from_slice(&self.schema);
        block.extend_from_slice(&self.lengths);
        block.extend_from_slice(&self.body);
        block.push(0);
        block
    }
}

fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
