//! Sums and means whose rounding is the dialect's: SQLite's own carry what doubles lose, and so keep a small value
//! beside a huge one that goes away again.

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context};
use rusqlite::types::ValueRef;

use super::aggregates::flags;

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_aggregate_function("td_real_sum", 1, flags(), RealSum)?;
    connection.create_aggregate_function("td_avg", 1, flags(), Mean { unsigned: false })?;
    connection.create_aggregate_function("td_u64_avg", 1, flags(), Mean { unsigned: true })
}

/// The sum of doubles, one after the other; one that is not finite is NULL.
struct RealSum;

impl Aggregate<Option<f64>, Option<f64>> for RealSum {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<f64>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Option<f64>) -> rusqlite::Result<()> {
        if let ValueRef::Real(value) = context.get_raw(0) {
            *sum = Some(sum.unwrap_or(0.0) + value);
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        sum: Option<Option<f64>>,
    ) -> rusqlite::Result<Option<f64>> {
        Ok(sum.flatten())
    }
}

/// The mean. Integers are summed as such until 64 bits do not hold the sum; from then on as doubles.
struct Mean {
    /// The values are BIGINT UNSIGNED in their stored form.
    unsigned: bool,
}

#[derive(Default)]
struct Total {
    count: f64,
    real: f64,
    signed: i64,
    unsigned: u64,
    overflown: bool,
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a sum that left 64 bits goes on as a double"
)]
impl Total {
    fn add_signed(&mut self, value: i64) {
        self.count += 1.0;
        // the dialect leaves the integers one before the bound
        let sum = self.signed.checked_add(value);
        match sum.filter(|sum| !matches!(*sum, i64::MAX | i64::MIN) || self.signed == 0) {
            Some(sum) if !self.overflown => self.signed = sum,
            _ => {
                if !self.overflown {
                    self.real = self.signed as f64;
                    self.overflown = true;
                }
                self.real += value as f64;
            }
        }
    }

    fn add_unsigned(&mut self, value: u64) {
        self.count += 1.0;
        match self.unsigned.checked_add(value) {
            Some(sum) if !self.overflown => self.unsigned = sum,
            _ => {
                if !self.overflown {
                    self.real = self.unsigned as f64;
                    self.overflown = true;
                }
                self.real += value as f64;
            }
        }
    }

    fn mean(&self) -> f64 {
        let sum = if self.overflown || self.real != 0.0 {
            self.real
        } else if self.unsigned != 0 {
            self.unsigned as f64
        } else {
            self.signed as f64
        };
        sum / self.count
    }
}

impl Aggregate<Total, Option<f64>> for Mean {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Total> {
        Ok(Total::default())
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> rusqlite::Result<()> {
        match context.get_raw(0) {
            ValueRef::Integer(stored) if self.unsigned => {
                total.add_unsigned(stored.cast_unsigned() ^ (1 << 63));
            }
            ValueRef::Integer(value) => total.add_signed(value),
            ValueRef::Real(value) => {
                total.count += 1.0;
                total.real += value;
            }
            _ => {}
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> rusqlite::Result<Option<f64>> {
        Ok(total
            .filter(|total| total.count > 0.0)
            .map(|total| total.mean()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(sql: &str) -> Option<f64> {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn what_a_huge_double_swallows_is_gone_from_sum_and_mean() {
        let rows = "(VALUES (2.5), (-1.7e308), (NULL), (1.7e308))";
        for function in ["td_real_sum", "td_avg"] {
            assert_eq!(
                value(&format!("SELECT {function}(column1) FROM {rows}")),
                Some(0.0)
            );
            assert_eq!(value(&format!("SELECT {function}(NULL) FROM {rows}")), None);
        }
        assert_eq!(
            value("SELECT td_real_sum(1.5) FROM (VALUES (1), (2))"),
            Some(3.0)
        );
    }

    #[test]
    fn means_of_integers_are_exact_as_long_as_64_bits_hold_their_sum() {
        let least = "(VALUES (4), (-9223372036854775807), (9223372036854775807), (NULL))";
        assert_eq!(
            value(&format!("SELECT td_avg(column1) FROM {least}")),
            Some(4.0 / 3.0)
        );
        let beyond = "(VALUES (9223372036854775807), (9223372036854775807))";
        assert_eq!(
            value(&format!("SELECT td_avg(column1) FROM {beyond}")),
            Some(9_223_372_036_854_775_807.0)
        );
        // 1 and 2^64 - 1 as they are stored
        let unsigned = "(VALUES (-9223372036854775807), (9223372036854775807))";
        assert_eq!(
            value(&format!("SELECT td_u64_avg(column1) FROM {unsigned}")),
            Some(9_223_372_036_854_775_808.0)
        );
    }
}
