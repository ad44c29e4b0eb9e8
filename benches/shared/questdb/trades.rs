//! The rows that the QuestDB cases write: trades whose values and lengths differ.

/// Rows in a batch.
pub(crate) const PER_BATCH: u32 = 10_000;
const START_NS: i64 = 1_700_000_000_000_000_000;
/// Names as they come from exchanges; one of them has to be escaped.
const SYMBOLS: [&str; 16] = [
    "BTC-USD",
    "ETH-USD",
    "SOL-USD-PERP",
    "X",
    "DOGE-EUR",
    "EUR/USD spot",
    "AAPL",
    "BTC-27JUN25-100000-C",
    "ETH-26DEC25-4000-P",
    "MSFT",
    "XAU-USD",
    "GOOG",
    "LINK-BTC",
    "V",
    "ADA-USDT",
    "BRK.B",
];

pub(crate) struct Trade {
    pub(crate) symbol: &'static str,
    pub(crate) side: &'static str,
    pub(crate) price: f64,
    pub(crate) amount: f64,
    pub(crate) fee: f64,
    pub(crate) sequence: i64,
    pub(crate) ns: i64,
}

/// Makes the same trades in every program.
pub(crate) struct Source {
    state: u64,
    row: i64,
}

impl Source {
    pub(crate) fn new() -> Self {
        Self {
            state: 0x9e37_79b9_7f4a_7c15,
            row: 0,
        }
    }

    /// Fills `batch` with the next rows.
    pub(crate) fn refill(&mut self, batch: &mut Vec<Trade>) {
        batch.clear();
        batch.extend((0..PER_BATCH).map(|_| self.trade()));
    }

    fn trade(&mut self) -> Trade {
        let bits = self.random();
        let [a, b, c, d, e, f, g, h] = bits.to_le_bytes();
        let low = u32::from_le_bytes([a, b, c, d]);
        let high = u32::from_le_bytes([e, f, g, h]);
        let ns = START_NS + self.row * 1_000 + i64::from(d);
        self.row += 1;
        Trade {
            symbol: SYMBOLS[usize::from(a % 16)],
            side: if b & 1 == 0 { "buy" } else { "sell" },
            // Cents; all digits of a double; few digits of a small number.
            price: f64::from(low % 10_000_000) / 100.0,
            amount: f64::from(high) / f64::from(u32::from(c) + 3),
            fee: f64::from(u32::from(h) + 1) / 100_000.0,
            sequence: i64::from_le_bytes(bits.to_le_bytes()) >> (g % 60),
            ns,
        }
    }

    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
