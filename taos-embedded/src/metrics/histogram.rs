//! How long things take, in buckets.

use std::time::Duration;

use super::Counter;

/// Upper bounds of the buckets, in microseconds; what took longer is only in the sum and the count.
const BOUNDS: [u64; 15] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000, 60_000_000,
];

#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [Counter; BOUNDS.len()],
    longer: Counter,
    micros: Counter,
}

/// A histogram as it was at one moment.
#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    /// Bounds in seconds, and how many took no longer.
    pub(super) buckets: Vec<(f64, u64)>,
    pub(super) count: u64,
    pub(super) seconds: f64,
}

impl Histogram {
    pub(super) fn observe(&self, taken: Duration) {
        let micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS.iter().position(|bound| micros <= *bound);
        let bucket = place.and_then(|place| self.buckets.get(place));
        bucket.unwrap_or(&self.longer).add(1);
        self.micros.add(micros);
    }

    /// The sum is read first: it may miss what is counted meanwhile, and the buckets always agree with
    /// the count.
    pub(super) fn snapshot(&self) -> Snapshot {
        let seconds = Duration::from_micros(self.micros.get()).as_secs_f64();
        let mut count = 0;
        let bounds = BOUNDS.iter().zip(&self.buckets);
        let buckets = bounds
            .map(|(bound, bucket)| {
                count += bucket.get();
                (Duration::from_micros(*bound).as_secs_f64(), count)
            })
            .collect();
        Snapshot {
            buckets,
            count: count + self.longer.get(),
            seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_all_that_took_no_longer_than_its_bound() {
        let histogram = Histogram::default();
        for micros in [0, 250, 251, 1_000_000, 3_600_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let seen = histogram.snapshot();
        assert!(BOUNDS.is_sorted());
        assert_eq!(seen.buckets[0], (0.000_25, 2));
        assert_eq!(seen.buckets[1], (0.000_5, 3));
        assert_eq!(seen.buckets[11], (1.0, 4));
        assert_eq!(seen.buckets.last(), Some(&(60.0, 4)));
        assert_eq!(seen.count, 5);
        assert!((seen.seconds - 3_601.000_501).abs() < 1e-6);
    }
}
