//! Strings that get numbers in the order of their first use.

use std::hash::{BuildHasher, RandomState};

/// A set of strings with dense numbers from 0. Numbers can be taken back from the end.
#[derive(Debug, Clone)]
pub(crate) struct Symbols {
    text: Vec<u8>,
    /// Where each string ends in `text`.
    ends: Vec<usize>,
    hashes: Vec<u32>,
    /// Number + 1 of the string, 0 where there is none; a power of two, probed one by one.
    slots: Vec<u32>,
    seed: u64,
}

impl Default for Symbols {
    fn default() -> Self {
        Self {
            text: Vec::new(),
            ends: Vec::new(),
            hashes: Vec::new(),
            slots: Vec::new(),
            // Keyed, so that nobody can choose strings that all fall into one slot.
            seed: RandomState::new().hash_one(0u8) | 1,
        }
    }
}

const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
const FEWEST_SLOTS: usize = 64;

#[inline]
const fn mix(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    let [
        b0,
        b1,
        b2,
        b3,
        b4,
        b5,
        b6,
        b7,
        t0,
        t1,
        t2,
        t3,
        t4,
        t5,
        t6,
        t7,
    ] = product.to_le_bytes();
    u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7])
        ^ u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7])
}

impl Symbols {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all strings together.
    pub(crate) fn text_len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + (self.hashes.capacity() + self.slots.capacity()) * size_of::<u32>()
    }

    fn bytes(&self, id: usize) -> Option<&[u8]> {
        let end = *self.ends.get(id)?;
        let start = match id.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..end)
    }

    /// The strings numbered from `first` on.
    pub(crate) fn from(&self, first: usize) -> impl Iterator<Item = &[u8]> {
        (first..self.len()).filter_map(|id| self.bytes(id))
    }

    #[inline]
    fn hash(&self, bytes: &[u8]) -> u32 {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut state = self.seed ^ bytes.len() as u64;
        for word in words {
            state = mix(state ^ u64::from_le_bytes(*word), FACTOR ^ self.seed);
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        state = mix(state ^ u64::from_le_bytes(last), FACTOR);
        let [a, b, c, d, ..] = (state ^ (state >> 32)).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// The number of `symbol`, a new one if it was not there; `None` when 32 bits are not enough.
    #[inline]
    pub(crate) fn intern(&mut self, symbol: &[u8]) -> Option<u32> {
        if self.slots.len() < 2 * (self.len() + 1) {
            self.grow();
        }
        let hash = self.hash(symbol);
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots.get_mut(at)?;
            let Some(id) = slot.checked_sub(1) else {
                let id = u32::try_from(self.ends.len()).ok()?;
                *slot = id.checked_add(1)?;
                self.text.extend_from_slice(symbol);
                self.ends.push(self.text.len());
                self.hashes.push(hash);
                return Some(id);
            };
            let known = id as usize;
            if self.hashes.get(known) == Some(&hash) && self.bytes(known) == Some(symbol) {
                return Some(id);
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let slots = (2 * self.slots.len()).max(FEWEST_SLOTS);
        self.slots.clear();
        self.slots.resize(slots, 0);
        self.fill();
    }

    fn fill(&mut self) {
        let mask = self.slots.len().wrapping_sub(1);
        for (number, hash) in (1..).zip(&self.hashes) {
            let mut at = *hash as usize & mask;
            while self.slots.get(at).is_some_and(|&slot| slot != 0) {
                at = (at + 1) & mask;
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = number;
            }
        }
    }

    /// Forgets all strings but the first `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        if len >= self.len() {
            return;
        }
        self.ends.truncate(len);
        self.hashes.truncate(len);
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
        self.slots.fill(0);
        self.fill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_get_one_number_also_across_growth_and_truncation() {
        let mut symbols = Symbols::default();
        let name = |i: u32| format!("symbol number {i}");
        for i in 0..1000 {
            assert_eq!(symbols.intern(name(i).as_bytes()), Some(i));
        }
        for i in 0..1000 {
            assert_eq!(symbols.intern(name(i).as_bytes()), Some(i));
        }
        symbols.truncate(10);
        assert_eq!(symbols.len(), 10);
        assert_eq!(symbols.intern(name(5).as_bytes()), Some(5));
        assert_eq!(symbols.intern(name(500).as_bytes()), Some(10));
        assert_eq!(
            symbols.from(9).collect::<Vec<_>>(),
            [name(9).as_bytes(), name(500).as_bytes()]
        );
        symbols.truncate(0);
        assert_eq!((symbols.len(), symbols.text_len()), (0, 0));
        assert_eq!(symbols.intern(b""), Some(0));
        assert_eq!(symbols.intern(b"\0"), Some(1));
    }
}
