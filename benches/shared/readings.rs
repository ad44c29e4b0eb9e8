//! The rows that the write cases write: meters that report one after another.

use taos::ColumnView;

/// Rows in a batch.
pub(crate) const PER_BATCH: u32 = 10_000;
const START_MS: i64 = 1_700_000_000_000;

/// One row, as it comes from its device.
pub(crate) struct Reading<'a> {
    pub(crate) table: usize,
    pub(crate) tbname: &'a str,
    pub(crate) ts: i64,
    pub(crate) current: f32,
    pub(crate) voltage: i32,
    pub(crate) phase: f32,
    pub(crate) power: f64,
    pub(crate) energy: i64,
}

pub(crate) struct Source {
    tables: Vec<String>,
    row: u32,
}

impl Source {
    pub(crate) fn new(tables: u32) -> Self {
        Self {
            tables: (0..tables).map(|table| format!("d{table}")).collect(),
            row: 0,
        }
    }

    /// As [`new`](Self::new), from this row on.
    #[allow(dead_code, reason = "one program uses it")]
    pub(crate) fn at(tables: u32, row: u32) -> Self {
        Self {
            row,
            ..Self::new(tables)
        }
    }

    pub(crate) fn tables(&self) -> &[String] {
        &self.tables
    }

    /// The next row; cheap on purpose.
    #[inline]
    pub(crate) fn next(&mut self) -> Reading<'_> {
        let row = self.row;
        self.row += 1;
        let table = usize::try_from(row).unwrap_or_default() % self.tables.len();
        let low = u16::try_from(row % 4_096).unwrap_or_default();
        Reading {
            table,
            tbname: &self.tables[table],
            ts: START_MS + i64::from(row),
            current: f32::from(low) / 256.0,
            voltage: 215 + i32::from(low % 16),
            phase: f32::from(low % 360) / 256.0,
            power: f64::from(row) / 64.0,
            energy: i64::from(row) * 7,
        }
    }
}

/// The first tag of a table; the second is its number.
pub(crate) fn location(table: usize) -> &'static str {
    ["Oslo", "Krakow", "Vancouver", "Nairobi"][table % 4]
}

/// Rows of one table, as one who binds columns collects them.
#[derive(Default)]
pub(crate) struct Columns {
    pub(crate) ts: Vec<i64>,
    pub(crate) current: Vec<f32>,
    pub(crate) voltage: Vec<i32>,
    pub(crate) phase: Vec<f32>,
    pub(crate) power: Vec<f64>,
    pub(crate) energy: Vec<i64>,
}

impl Columns {
    #[inline]
    pub(crate) fn push(&mut self, reading: &Reading<'_>) {
        self.ts.push(reading.ts);
        self.current.push(reading.current);
        self.voltage.push(reading.voltage);
        self.phase.push(reading.phase);
        self.power.push(reading.power);
        self.energy.push(reading.energy);
    }

    pub(crate) fn into_views(self) -> Vec<ColumnView> {
        vec![
            ColumnView::from_millis_timestamp(self.ts),
            ColumnView::from_floats(self.current),
            ColumnView::from_ints(self.voltage),
            ColumnView::from_floats(self.phase),
            ColumnView::from_doubles(self.power),
            ColumnView::from_big_ints(self.energy),
        ]
    }
}
