//! The t-digest of `apercentile(…, 't-digest')`, with the original's sizes.

use std::f64::consts::PI;

/// Values that wait until they are merged into the centroids.
const BUFFER: usize = 100;
/// Centroids there are at most.
const CENTROIDS: f64 = 475.0;

#[derive(Clone, Copy, Debug)]
struct Centroid {
    mean: f64,
    weight: f64,
}

#[derive(Debug)]
pub(super) struct Digest {
    buffer: Vec<f64>,
    centroids: Vec<Centroid>,
    weight: f64,
    min: f64,
    max: f64,
}

impl Default for Digest {
    fn default() -> Self {
        Self {
            buffer: Vec::new(),
            centroids: Vec::new(),
            weight: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Digest {
    /// Of equal values one after another only the first counts, as in the original.
    pub(super) fn add(&mut self, value: f64) {
        let same = |last: &f64| last.total_cmp(&value).is_eq();
        if self.buffer.last().is_some_and(same) {
            return;
        }
        self.buffer.push(value);
        if self.buffer.len() >= BUFFER {
            self.compress();
        }
    }

    fn compress(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let one = |mean| Centroid { mean, weight: 1.0 };
        let mut all: Vec<Centroid> = self.buffer.drain(..).map(one).collect();
        self.weight += all.iter().map(|one| one.weight).sum::<f64>();
        all.append(&mut self.centroids);
        all.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        if let (Some(first), Some(last)) = (all.first(), all.last()) {
            self.min = self.min.min(first.mean);
            self.max = self.max.max(last.mean);
        }
        let location = |share: f64| CENTROIDS * ((2.0 * share - 1.0).asin() / PI + 0.5);
        let mut merged: Vec<Centroid> = Vec::with_capacity(all.len());
        let (mut so_far, mut begun) = (0.0, 0.0);
        for next in all {
            so_far += next.weight;
            let at = location((so_far / self.weight).min(1.0));
            let full = at - begun > 1.0;
            if full && !merged.is_empty() {
                begun = at;
            }
            match merged.last_mut() {
                Some(last) if !full || last.mean.total_cmp(&next.mean).is_eq() => {
                    last.weight += next.weight;
                    last.mean += (next.mean - last.mean) * next.weight / last.weight;
                }
                _ => merged.push(next),
            }
        }
        self.centroids = merged;
    }

    /// The value at a share of the weight.
    pub(super) fn at(&mut self, share: f64) -> Option<f64> {
        self.compress();
        let (first, last) = (self.centroids.first()?, self.centroids.last()?);
        if self.centroids.len() == 1 {
            return Some(first.mean);
        }
        let last = *last;
        let wanted = share * self.weight;
        let mut before = Centroid {
            mean: self.min,
            weight: 0.0,
        };
        let (mut below, mut right) = (0.0, self.min);
        let between = |left: f64, right: f64, part: f64| left * (1.0 - part) + right * part;
        for centroid in &self.centroids {
            let left = right;
            right = (centroid.weight * before.mean + before.weight * centroid.mean)
                / (before.weight + centroid.weight);
            if wanted < below + before.weight {
                return Some(between(left, right, (wanted - below) / before.weight));
            }
            below += before.weight;
            before = *centroid;
        }
        if wanted < below + last.weight {
            return Some(between(right, self.max, (wanted - below) / last.weight));
        }
        Some(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(values: impl IntoIterator<Item = f64>) -> Digest {
        let mut digest = Digest::default();
        values.into_iter().for_each(|value| digest.add(value));
        digest
    }

    #[test]
    fn few_values_are_a_centroid_each() {
        // half of the weight of 1, 2, 3, 4 ends between 2 and 3
        assert_eq!(digest([4.0, 1.0, 3.0, 2.0]).at(0.5), Some(2.5));
        assert_eq!(digest([4.0, 1.0, 3.0, 2.0]).at(0.0), Some(1.0));
        assert_eq!(digest([4.0, 1.0, 3.0, 2.0]).at(1.0), Some(4.0));
        assert_eq!(digest([7.0; 5]).at(0.3), Some(7.0));
        assert_eq!(digest([]).at(0.5), None);
    }

    #[test]
    fn of_equal_neighbours_one_counts() {
        assert_eq!(
            digest([1.0, 1.0, 1.0, 2.0]).at(0.5),
            digest([1.0, 2.0]).at(0.5)
        );
    }

    #[test]
    fn many_values_keep_few_centroids_and_their_order() {
        let mut many = digest((0..20_000).map(|at| f64::from(at * 7 % 20_000)));
        let middle = many.at(0.5).unwrap();
        assert!((middle - 10_000.0).abs() < 100.0, "{middle}");
        assert!(many.centroids.len() < 500, "{}", many.centroids.len());
        assert!(many.at(0.1).unwrap() < many.at(0.9).unwrap());
    }
}
