use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ErrorKind, RawError};

/// An exact decimal number: `unscaled / 10^scale`, with up to 38 digits.
///
/// Two decimals are equal if their values are, whatever their scales: `1.0 == 1.00`.
#[derive(Clone, Copy)]
pub struct Decimal {
    /// Bytes and not `i128`, whose alignment would widen every value that may be a decimal.
    unscaled: [u8; 16],
    precision: u8,
    scale: u8,
}

/// Most digits of a decimal (raw-block §4).
const MAX_DIGITS: u8 = 38;

impl Decimal {
    /// A number from its unscaled integer, the digits of its column and those after the point.
    pub const fn new(unscaled: i128, precision: u8, scale: u8) -> Self {
        Self {
            unscaled: unscaled.to_le_bytes(),
            precision,
            scale,
        }
    }

    /// The value times `10^scale`.
    pub const fn unscaled(&self) -> i128 {
        i128::from_le_bytes(self.unscaled)
    }

    /// Digits that the column can hold.
    pub const fn precision(&self) -> u8 {
        self.precision
    }

    /// Digits after the point.
    pub const fn scale(&self) -> u8 {
        self.scale
    }

    /// The nearest `f64`.
    pub fn to_f64(&self) -> f64 {
        // Text is the exact form, so its parser rounds once instead of a division rounding twice.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The value as an integer, if nothing stands after the point.
    pub fn to_i128(&self) -> Option<i128> {
        let (unscaled, scale) = self.normal();
        (scale == 0).then_some(unscaled)
    }

    /// The unscaled integer at another scale, if it is exact and fits.
    pub fn rescale(&self, scale: u8) -> Option<i128> {
        if scale >= self.scale {
            self.unscaled()
                .checked_mul(10_i128.checked_pow(u32::from(scale - self.scale))?)
        } else {
            let unit = 10_i128.checked_pow(u32::from(self.scale - scale))?;
            (self.unscaled() % unit == 0).then(|| self.unscaled() / unit)
        }
    }

    /// Without zeros at the end of the fraction.
    fn normal(&self) -> (i128, u8) {
        let (mut unscaled, mut scale) = (self.unscaled(), self.scale);
        if unscaled == 0 {
            return (0, 0);
        }
        while scale > 0 && unscaled % 10 == 0 {
            unscaled /= 10;
            scale -= 1;
        }
        (unscaled, scale)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} of DECIMAL({}, {})", self.precision, self.scale)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.normal() == other.normal()
    }
}

impl Eq for Decimal {}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normal().hash(state);
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.unscaled().unsigned_abs().to_string();
        let scale = usize::from(self.scale);
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let mut text = String::with_capacity(digits.len() + 1);
        text.push_str(whole);
        if !fraction.is_empty() {
            text.push('.');
            text.push_str(fraction);
        }
        f.pad_integral(self.unscaled() >= 0, "", &text)
    }
}

impl FromStr for Decimal {
    type Err = RawError;

    /// Reads `[+-]digits[.digits]`, exactly, up to 38 digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| {
            RawError::of(
                ErrorKind::Decode,
                format!("`{text}` is not a decimal: {why}"),
            )
        };
        let body = text.trim();
        let (negative, body) = match body.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, body.strip_prefix('+').unwrap_or(body)),
        };
        let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(wrong("no digits"));
        }
        let mut unscaled = 0_i128;
        for c in whole.chars().chain(fraction.chars()) {
            let digit = c.to_digit(10).ok_or_else(|| wrong("not a digit"))?;
            let digit = i128::from(digit);
            unscaled = unscaled
                .checked_mul(10)
                .and_then(|u| {
                    if negative {
                        u.checked_sub(digit)
                    } else {
                        u.checked_add(digit)
                    }
                })
                .ok_or_else(|| wrong("more than 38 digits"))?;
        }
        let scale = u8::try_from(fraction.len())
            .ok()
            .filter(|s| *s <= MAX_DIGITS)
            .ok_or_else(|| wrong("more than 38 digits after the point"))?;
        let whole = whole.trim_start_matches('0').len();
        let precision = u8::try_from(whole + fraction.len())
            .unwrap_or(MAX_DIGITS)
            .clamp(1, MAX_DIGITS);
        Ok(Self::new(unscaled, precision, scale))
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self::new(i128::from(value), 19, 0)
    }
}

impl Serialize for Decimal {
    /// As exact text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    /// From text or an integer.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DecimalVisitor;
        impl Visitor<'_> for DecimalVisitor {
            type Value = Decimal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number as text or an integer")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Decimal, E> {
                Ok(value.into())
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Decimal, E> {
                Ok(Decimal::new(i128::from(value), 20, 0))
            }

            fn visit_i128<E: de::Error>(self, value: i128) -> Result<Decimal, E> {
                Ok(Decimal::new(value, MAX_DIGITS, 0))
            }
        }
        deserializer.deserialize_any(DecimalVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_exact_both_ways() {
        for text in [
            "0",
            "-0.50",
            "123.45",
            "0.01",
            "-9999999999999999999999999999.9999999999",
            "0.0000000001",
        ] {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), text);
        }
        assert_eq!(Decimal::new(i128::MIN, 38, 2).to_string().len(), 41);
        for bad in ["", "-", ".", "1e5", "1.2.3", "é", &"9".repeat(40)] {
            assert!(bad.parse::<Decimal>().is_err(), "{bad}");
        }
    }

    #[test]
    fn equality_ignores_trailing_zeros() {
        assert_eq!(Decimal::new(10, 5, 1), Decimal::new(100, 9, 2));
        assert_ne!(Decimal::new(10, 5, 1), Decimal::new(10, 5, 2));
        assert_eq!(Decimal::new(1200, 9, 2).to_i128(), Some(12));
        assert_eq!(Decimal::new(1201, 9, 2).to_i128(), None);
        assert_eq!(Decimal::new(125, 9, 2).rescale(4), Some(12_500));
        assert_eq!(Decimal::new(125, 9, 2).rescale(1), None);
    }
}
