//! Unsigned integers of 256 bits, as wide as a product or a scaled dividend of 38 digits may get.

use std::cmp::Ordering;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wide {
    high: u128,
    low: u128,
}

const HALF: u128 = u64::MAX as u128;

impl Wide {
    pub(crate) const fn new(low: u128) -> Self {
        Self { high: 0, low }
    }

    /// The value, if 128 bits are enough.
    pub(crate) fn narrow(self) -> Option<u128> {
        (self.high == 0).then_some(self.low)
    }

    pub(crate) const fn is_zero(self) -> bool {
        self.high == 0 && self.low == 0
    }

    pub(crate) const fn product(a: u128, b: u128) -> Self {
        let (a1, a0, b1, b0) = (a >> 64, a & HALF, b >> 64, b & HALF);
        let (low, high) = (a0 * b0, a1 * b1);
        let (middle, carry) = (a0 * b1).overflowing_add(a1 * b0);
        let (low, up) = low.overflowing_add(middle << 64);
        let carried = (carry as u128) << 64;
        Self {
            high: high + (middle >> 64) + carried + up as u128,
            low,
        }
    }

    fn times(self, factor: u128) -> Option<Self> {
        let low = Self::product(self.low, factor);
        let high = Self::product(self.high, factor).narrow()?;
        Some(Self {
            high: low.high.checked_add(high)?,
            low: low.low,
        })
    }

    /// Times a power of ten.
    pub(crate) fn shifted(self, mut digits: u32) -> Option<Self> {
        let mut value = self;
        while digits > 0 && !value.is_zero() {
            let step = digits.min(38);
            value = value.times(10_u128.pow(step))?;
            digits -= step;
        }
        Some(value)
    }

    /// Divided by a power of ten, rounded half up.
    pub(crate) fn rounded(self, digits: u32) -> Self {
        if digits == 0 {
            return self;
        }
        let mut value = self;
        let mut rest = digits - 1;
        while rest > 0 && !value.is_zero() {
            let step = rest.min(38);
            value = value.divided(Self::new(10_u128.pow(step))).0;
            rest -= step;
        }
        let (mut quotient, last) = value.divided(Self::new(10));
        if last.low >= 5 {
            quotient = quotient.plus(Self::new(1));
        }
        quotient
    }

    /// The sum; callers stay far below the limit.
    pub(crate) const fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        Self {
            high: self
                .high
                .saturating_add(other.high)
                .saturating_add(carry as u128),
            low,
        }
    }

    /// The difference from something not greater.
    pub(crate) const fn minus(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        Self {
            high: self
                .high
                .saturating_sub(other.high)
                .saturating_sub(borrow as u128),
            low,
        }
    }

    /// Quotient and remainder; the divisor is not 0.
    pub(crate) fn divided(self, by: Self) -> (Self, Self) {
        if let (Some(a), Some(b)) = (self.narrow(), by.narrow())
            && let (Some(quotient), Some(rest)) = (a.checked_div(b), a.checked_rem(b))
        {
            return (Self::new(quotient), Self::new(rest));
        }
        let (mut quotient, mut rest) = (Self::new(0), Self::new(0));
        for bit in (0..256).rev() {
            let carry = rest.high >> 127 != 0;
            rest = rest.doubled(self.bit(bit));
            quotient = quotient.doubled(false);
            if carry || rest.cmp(&by) != Ordering::Less {
                rest = rest.minus(by);
                quotient.low |= 1;
            }
        }
        (quotient, rest)
    }

    const fn bit(self, bit: u32) -> bool {
        if bit >= 128 {
            (self.high >> (bit - 128)) & 1 == 1
        } else {
            (self.low >> bit) & 1 == 1
        }
    }

    const fn doubled(self, bit: bool) -> Self {
        Self {
            high: (self.high << 1) | (self.low >> 127),
            low: (self.low << 1) | bit as u128,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_38_digits_come_back_by_division() {
        let a = 99_999_999_999_999_999_999_999_999_999_999_999_999_u128;
        let b = 12_345_678_901_234_567_890_123_456_789_012_345_678_u128;
        let product = Wide::product(a, b);
        assert_eq!(product.narrow(), None);
        assert_eq!(product.divided(Wide::new(a)), (Wide::new(b), Wide::new(0)));
        let more = product.plus(Wide::new(17));
        assert_eq!(more.divided(Wide::new(b)), (Wide::new(a), Wide::new(17)));
        assert_eq!(more.minus(product), Wide::new(17));
    }

    #[test]
    fn powers_of_ten_are_taken_off_with_half_rounded_up() {
        let value = Wide::new(125).shifted(70).unwrap();
        assert_eq!(value.rounded(71), Wide::new(13));
        assert_eq!(value.rounded(72), Wide::new(1));
        assert_eq!(value.rounded(73), Wide::new(0));
        assert_eq!(value.rounded(200), Wide::new(0));
        assert_eq!(Wide::new(u128::MAX).shifted(77), None);
    }
}
