//! `apercentile`: percentiles of a histogram of at most 500 bins. A bin is one value until there are more values than
//! bins; then the two nearest bins become one.

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context};

use super::aggregates::flags;
use super::digest::Digest;
use super::number;
use crate::sql::SqlError;

/// Bins a histogram has at most.
const BINS: usize = 500;

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_aggregate_function("td_apercentile", 2, flags(), ByBins)?;
    connection.create_aggregate_function("td_tdigest", 2, flags(), ByDigest { known: true })?;
    connection.create_aggregate_function("td_tdigest_any", 2, flags(), ByDigest { known: false })
}

struct ByBins;

struct ByDigest {
    /// The order of the rows is the original's; else only the ends and values that are all the same are known.
    known: bool,
}

#[derive(Default)]
struct Digested {
    digest: Digest,
    percent: f64,
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Bin {
    value: f64,
    count: f64,
}

#[derive(Default)]
struct Histogram {
    bins: Vec<Bin>,
    count: f64,
    min: f64,
    max: f64,
    percent: f64,
}

impl Histogram {
    fn add(&mut self, value: f64) {
        if self.count == 0.0 {
            (self.min, self.max) = (value, value);
        }
        self.count += 1.0;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let place = self.bins.partition_point(|bin| bin.value < value);
        match self.bins.get_mut(place) {
            Some(bin) if bin.value <= value => bin.count += 1.0,
            _ => {
                self.bins.insert(place, Bin { value, count: 1.0 });
                if self.bins.len() > BINS {
                    self.merge();
                }
            }
        }
    }

    /// Makes the two nearest bins one.
    fn merge(&mut self) {
        let distance = |pair: &[Bin]| match pair {
            [a, b] => b.value - a.value,
            _ => f64::INFINITY,
        };
        let nearest = self
            .bins
            .windows(2)
            .enumerate()
            .min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)))
            .map(|(index, _)| index);
        let Some(index) = nearest else { return };
        if index + 1 >= self.bins.len() {
            return;
        }
        let next = self.bins.remove(index + 1);
        if let Some(bin) = self.bins.get_mut(index) {
            let count = bin.count + next.count;
            bin.value = (bin.value * bin.count + next.value * next.count) / count;
            bin.count = count;
        }
    }

    /// The value below which this share of the values lies, between the middles of two bins.
    fn at(&self, percent: f64) -> Option<f64> {
        let wanted = percent / 100.0 * self.count;
        let first = self.bins.first()?;
        if wanted <= 0.0 {
            return Some(self.min);
        }
        if wanted <= first.count {
            return Some(first.value);
        }
        if wanted >= self.count {
            return Some(self.max);
        }
        let mut below = 0.0;
        for pair in self.bins.windows(2) {
            let [bin, next] = pair else { break };
            below += bin.count;
            if below > wanted || below + next.count <= wanted {
                continue;
            }
            let rest = wanted - below;
            let range = next.count - bin.count;
            let part = if range == 0.0 {
                rest / bin.count
            } else {
                let root = (4.0 * bin.count * bin.count + 8.0 * range * rest).sqrt();
                (root - 2.0 * bin.count) / (2.0 * range)
            };
            return Some(bin.value + (next.value - bin.value) * part);
        }
        Some(self.max)
    }
}

impl Aggregate<Histogram, Option<f64>> for ByBins {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Histogram> {
        Ok(Histogram::default())
    }

    fn step(&self, context: &mut Context<'_>, histogram: &mut Histogram) -> rusqlite::Result<()> {
        if let Some(value) = number(context.get_raw(0)) {
            histogram.percent = context.get(1)?;
            histogram.add(value);
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        histogram: Option<Histogram>,
    ) -> rusqlite::Result<Option<f64>> {
        Ok(histogram.and_then(|histogram| histogram.at(histogram.percent)))
    }
}

impl Aggregate<Digested, Option<f64>> for ByDigest {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Digested> {
        Ok(Digested::default())
    }

    fn step(&self, context: &mut Context<'_>, digested: &mut Digested) -> rusqlite::Result<()> {
        if let Some(value) = number(context.get_raw(0)) {
            digested.percent = context.get(1)?;
            digested.digest.add(value);
            digested.min = Some(digested.min.map_or(value, |min| min.min(value)));
            digested.max = Some(digested.max.map_or(value, |max| max.max(value)));
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        digested: Option<Digested>,
    ) -> rusqlite::Result<Option<f64>> {
        let Some(mut digested) = digested else {
            return Ok(None);
        };
        if digested.percent <= 0.0 || digested.min == digested.max {
            return Ok(digested.min);
        }
        if digested.percent >= 100.0 {
            return Ok(digested.max);
        }
        if !self.known {
            let error = SqlError::unsupported("apercentile by t-digest over several tables");
            return Err(rusqlite::Error::UserFunctionError(error.into()));
        }
        Ok(digested.digest.at(digested.percent / 100.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: impl IntoIterator<Item = f64>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.add(value));
        histogram
    }

    #[test]
    fn a_percentile_lies_between_the_bins_where_the_trapezium_has_its_share() {
        let values = [
            10.0, 12.0, 11.0, 15.0, 9.0, 20.0, 22.0, 18.0, 18.0, 25.0, 30.0,
        ];
        let series = histogram(values);
        assert_eq!(series.at(0.0), Some(9.0));
        assert_eq!(series.at(5.0), Some(9.0));
        assert_eq!(series.at(100.0), Some(30.0));
        let middle = 15.0 + 3.0 * (2.0_f64.sqrt() - 1.0);
        assert!((series.at(50.0).unwrap() - middle).abs() < 1e-12);
        assert_eq!(histogram([1.0, 2.0, 3.0, 4.0]).at(50.0), Some(2.0));
        assert_eq!(histogram([1.0, 2.0, 3.0, 4.0]).at(60.0), Some(2.4));
        assert_eq!(histogram([7.0; 9]).at(50.0), Some(7.0));
        assert_eq!(histogram([]).at(50.0), None);
    }

    #[test]
    fn more_values_than_bins_share_them() {
        let many = histogram((0..10_000).map(f64::from));
        assert_eq!(many.bins.len(), BINS);
        assert_eq!(many.bins.iter().map(|bin| bin.count).sum::<f64>(), 10_000.0);
        let middle = many.at(50.0).unwrap();
        assert!((middle - 5_000.0).abs() < 500.0, "{middle}");
    }
}
