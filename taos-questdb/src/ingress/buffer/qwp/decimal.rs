//! Decimals as an integer of up to 256 bits and a scale (questdb §12.5).

use crate::error::{Error, Result, error};
use crate::ingress::DecimalView;

/// Largest scale of 32-byte decimals.
pub(super) const MAX_SCALE: u8 = 76;

/// Sign, magnitude (least significant limb first) and digits behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    limbs: [u64; 4],
    pub(super) scale: u8,
}

const TOO_LONG: &str = "has more digits than 256 bits hold";

fn refuse(shown: &str, why: &str) -> Error {
    error!(InvalidDecimal, "decimal {shown} {why}")
}

const fn low(word: u128) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = word.to_le_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl Decimal {
    /// `None` for what stands for no value: `NaN` and the infinities.
    pub(super) fn of(view: &DecimalView<'_>) -> Result<Option<Self>> {
        match view {
            DecimalView::String { value } => Self::parse(value),
            DecimalView::Scaled { scale, value } => Self::scaled(value, *scale).map(Some),
        }
    }

    fn zero() -> Self {
        Self {
            negative: false,
            limbs: [0; 4],
            scale: 0,
        }
    }

    /// Multiplies and adds; false if the magnitude would not fit.
    fn times(&mut self, factor: u64, plus: u64) -> bool {
        let mut carry = u128::from(plus);
        for limb in &mut self.limbs {
            let word = u128::from(*limb) * u128::from(factor) + carry;
            *limb = low(word);
            carry = word >> 64;
        }
        carry == 0
    }

    /// From an unscaled integer in big-endian two's complement.
    fn scaled(bytes: &[u8], scale: u8) -> Result<Self> {
        let mut value = Self::zero();
        value.scale = scale;
        value.negative = bytes.first().is_some_and(|&b| b & 0x80 != 0);
        if bytes.len() > 32 || scale > MAX_SCALE {
            return Err(refuse(&format!("of {} bytes", bytes.len()), TOO_LONG));
        }
        for &byte in bytes {
            let byte = if value.negative { !byte } else { byte };
            value.times(256, u64::from(byte));
        }
        if value.negative {
            value.times(1, 1);
        }
        Ok(value)
    }

    fn parse(text: &str) -> Result<Option<Self>> {
        let shown = || format!("{text:?}");
        let (negative, rest) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        for word in ["nan", "inf", "infinity"] {
            if rest.eq_ignore_ascii_case(word.as_bytes()) {
                return Ok(None);
            }
        }
        let mut value = Self::zero();
        let mut digits = 0u32;
        let mut point: Option<i32> = None;
        let mut exponent = 0i32;
        for (at, &byte) in rest.iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    digits += 1;
                    if let Some(behind) = &mut point {
                        *behind = behind.saturating_add(1);
                    }
                    if !value.times(10, u64::from(byte - b'0')) {
                        return Err(refuse(&shown(), TOO_LONG));
                    }
                }
                b'.' if point.is_none() => point = Some(0),
                b'e' | b'E' if digits > 0 => {
                    exponent = rest
                        .get(at + 1..)
                        .and_then(|tail| std::str::from_utf8(tail).ok())
                        .and_then(|tail| tail.parse().ok())
                        .ok_or_else(|| refuse(&shown(), "has an exponent that is no number"))?;
                    break;
                }
                _ => return Err(refuse(&shown(), "is not written as a number")),
            }
        }
        if digits == 0 {
            return Err(refuse(&shown(), "has no digits"));
        }
        let scale = point.unwrap_or(0).saturating_sub(exponent);
        if scale < 0 {
            if value.limbs != [0; 4] && !value.raise(scale.unsigned_abs()) {
                return Err(refuse(&shown(), TOO_LONG));
            }
        } else {
            value.scale = u8::try_from(scale)
                .ok()
                .filter(|&scale| scale <= MAX_SCALE)
                .ok_or_else(|| refuse(&shown(), "has more than 76 digits behind its point"))?;
        }
        value.negative = negative && value.limbs != [0; 4];
        Ok(Some(value))
    }

    /// Multiplies by a power of ten; false if it does not fit.
    fn raise(&mut self, power: u32) -> bool {
        power <= 77 && (0..power).all(|_| self.times(10, 0))
    }

    /// The same value with more digits behind the point.
    pub(super) fn with_scale(mut self, scale: u8) -> Result<Self> {
        let power = scale.checked_sub(self.scale);
        if power.is_none_or(|power| !self.raise(u32::from(power))) {
            return Err(error!(
                InvalidDecimal,
                "a decimal of scale {} cannot be written with the column's scale {scale}",
                self.scale
            ));
        }
        self.scale = scale;
        Ok(self)
    }

    /// Two's complement, least significant byte first, in as many bytes as `out` has.
    pub(super) fn write(&self, out: &mut [u8]) -> Result<()> {
        let mut value = *self;
        if value.negative {
            for limb in &mut value.limbs {
                *limb = !*limb;
            }
            // Minus zero is plus zero: the carry out of the last limb is dropped.
            value.times(1, 1);
        }
        let mut bytes = [0u8; 32];
        for (chunk, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(value.limbs) {
            *chunk = limb.to_le_bytes();
        }
        let (kept, dropped) = bytes.split_at(out.len().min(bytes.len()));
        let sign = kept.last().is_some_and(|&b| b & 0x80 != 0);
        let negative = value.negative && self.limbs != [0; 4];
        let filler = if negative { 0xFF } else { 0 };
        if sign != negative || dropped.iter().any(|&b| b != filler) {
            return Err(error!(
                InvalidDecimal,
                "a decimal needs more than the {} bytes of its column",
                out.len()
            ));
        }
        out.copy_from_slice(kept);
        Ok(())
    }

    /// Reads what [`write`](Self::write) wrote.
    pub(super) fn read(bytes: &[u8], scale: u8) -> Result<Self> {
        let mut reversed: Vec<u8> = bytes.to_vec();
        reversed.reverse();
        Self::scaled(&reversed, scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Decimal {
        Decimal::parse(text).unwrap().unwrap()
    }

    fn bytes<const N: usize>(decimal: Decimal) -> [u8; N] {
        let mut out = [0; N];
        decimal.write(&mut out).unwrap();
        out
    }

    #[test]
    fn decimals_become_little_endian_integers() {
        assert_eq!(bytes(parse("1.25")), 125i64.to_le_bytes());
        assert_eq!(bytes(parse("-1.25")), (-125i128).to_le_bytes());
        assert_eq!(parse("-1.25").scale, 2);
        assert_eq!(bytes(parse("-0.00")), 0i64.to_le_bytes());
        assert_eq!(bytes(parse("1.5e3")), 1500i64.to_le_bytes());
        assert_eq!(parse("1.5e-3").scale, 4);
        assert_eq!(bytes(parse("1.5e-3")), 15i64.to_le_bytes());
        assert_eq!(bytes(parse("-9223372036854775808")), i64::MIN.to_le_bytes());
        assert!(parse("9223372036854775808").write(&mut [0; 8]).is_err());
        assert!(Decimal::parse("NaN").unwrap().is_none());
        assert!(Decimal::parse("-Infinity").unwrap().is_none());
        for bad in [
            "",
            "-",
            ".",
            "1.2.3",
            "e5",
            "1e",
            "1ex",
            "1,5",
            &"9".repeat(78),
        ] {
            assert!(Decimal::parse(bad).is_err(), "{bad}");
        }
        assert!(Decimal::parse("1e-77").is_err());
        assert!(Decimal::parse("1e78").is_err());
        assert_eq!(parse("0e999").scale, 0);
    }

    #[test]
    fn unscaled_integers_and_written_ones_read_back() {
        for value in [0i64, 1, -1, 127, 128, -128, -129, i64::MAX, i64::MIN] {
            let decimal = Decimal::scaled(&value.to_be_bytes(), 3).unwrap();
            assert_eq!(bytes(decimal), value.to_le_bytes());
            let wide: [u8; 32] = bytes(decimal);
            let mut again = [0; 8];
            Decimal::read(&wide, 3).unwrap().write(&mut again).unwrap();
            assert_eq!(again, value.to_le_bytes());
        }
    }

    #[test]
    fn a_larger_scale_keeps_the_value() {
        let decimal = parse("-1.5").with_scale(3).unwrap();
        assert_eq!(bytes(decimal), (-1500i64).to_le_bytes());
        assert!(parse("1.55").with_scale(1).is_err());
        assert!(parse("1e70").with_scale(76).is_err());
    }
}
