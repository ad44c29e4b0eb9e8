//! Decimals as text or as an unscaled integer with a scale (questdb §3.6).

use std::borrow::Cow;
use std::fmt::Display;

use crate::error::{Error, Result, error};

/// The greatest scale the wire carries.
const MAX_SCALE: u8 = 76;
/// The most bytes of an unscaled value.
const MAX_LEN: u8 = 32;

/// Follows the first `=` of a decimal that is not text (questdb §3.6).
pub const DECIMAL_BINARY_FORMAT_TYPE: u8 = 0x17;

/// A decimal to write. Text converts by itself, and with the features `rust_decimal` and
/// `bigdecimal` so do references to the decimals of those crates.
///
/// ```
/// use taos_questdb::ingress::{Buffer, DecimalView, ProtocolVersion};
///
/// let mut buffer = Buffer::new(ProtocolVersion::V3);
/// let cents = DecimalView::try_new_scaled(2, vec![0x30, 0x39])?;
/// buffer.table("t")?.column_dec("price", "2615.54")?.column_dec("fee", cents)?.at_now()?;
/// assert_eq!(buffer.as_bytes(), b"t price=2615.54d,fee==\x17\x02\x02\x30\x39\n");
/// # taos_questdb::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecimalView<'a> {
    /// Written as it is; the server reads it.
    String {
        /// Digits, sign, point, exponent, or NaN or Infinity.
        value: &'a str,
    },
    /// `value` divided by ten to the `scale`.
    Scaled {
        /// Digits after the point, at most 76.
        scale: u8,
        /// Two's complement, big-endian, at most 32 bytes.
        value: Cow<'a, [u8]>,
    },
}

impl<'a> DecimalView<'a> {
    /// An unscaled integer (two's complement, big-endian) and the number of digits after the point.
    ///
    /// # Errors
    /// `InvalidDecimal` for a scale above 76 or more than 32 bytes.
    pub fn try_new_scaled<T: Into<Cow<'a, [u8]>>>(scale: u32, value: T) -> Result<Self> {
        let value = value.into();
        let scale = u8::try_from(scale).map_err(|_| beyond(scale, value.len()))?;
        check_scaled(scale, &value)?;
        Ok(Self::Scaled { scale, value })
    }

    /// Text; its characters are checked, its syntax is left to the server.
    ///
    /// # Errors
    /// `InvalidDecimal` naming the first character that no decimal has.
    pub fn try_new_string(value: &'a str) -> Result<Self> {
        let known = |c: &char| c.is_ascii_digit() || ".-+eENaInfity".contains(*c);
        match value.char_indices().find(|(_, c)| !known(c)) {
            None => Ok(Self::String { value }),
            Some((at, c)) => Err(error!(
                InvalidDecimal,
                "decimal {value:?}: unexpected {c:?} at byte {at}"
            )),
        }
    }
}

/// The length of an unscaled value, when it and the scale are within the limits of the wire.
pub(crate) fn check_scaled(scale: u8, value: &[u8]) -> Result<u8> {
    u8::try_from(value.len())
        .ok()
        .filter(|len| *len <= MAX_LEN && scale <= MAX_SCALE)
        .ok_or_else(|| beyond(scale, value.len()))
}

fn beyond(scale: impl Display, len: usize) -> Error {
    error!(
        InvalidDecimal,
        "a decimal of scale {scale} and {len} bytes; the limits are {MAX_SCALE} and {MAX_LEN}"
    )
}

impl<'a> TryFrom<&'a str> for DecimalView<'a> {
    type Error = Error;

    fn try_from(value: &'a str) -> Result<Self> {
        Self::try_new_string(value)
    }
}

impl<'a> TryFrom<&'a String> for DecimalView<'a> {
    type Error = Error;

    fn try_from(value: &'a String) -> Result<Self> {
        Self::try_new_string(value)
    }
}

#[cfg(feature = "rust_decimal")]
impl<'a> TryFrom<&'a rust_decimal::Decimal> for DecimalView<'a> {
    type Error = Error;

    fn try_from(value: &'a rust_decimal::Decimal) -> Result<Self> {
        let bytes = value.mantissa().to_be_bytes();
        Self::try_new_scaled(value.scale(), shortest(&bytes).to_vec())
    }
}

#[cfg(feature = "bigdecimal")]
impl<'a> TryFrom<&'a bigdecimal::BigDecimal> for DecimalView<'a> {
    type Error = Error;

    fn try_from(value: &'a bigdecimal::BigDecimal) -> Result<Self> {
        let (unscaled, scale) = value.as_bigint_and_scale();
        if let Ok(scale) = u32::try_from(scale) {
            let bytes = unscaled.to_signed_bytes_be();
            return Self::try_new_scaled(scale, shortest(&bytes).to_vec());
        }
        // The wire has no negative scales. Multiplying by a power of ten that needs more bytes than
        // there are could take all memory.
        let bytes = if unscaled.bits() == 0 {
            vec![0]
        } else if scale < -i64::from(MAX_SCALE) - 1 {
            return Err(beyond(scale, unscaled.to_signed_bytes_be().len()));
        } else {
            let (unscaled, _) = value.with_scale(0).into_bigint_and_scale();
            unscaled.to_signed_bytes_be()
        };
        Self::try_new_scaled(0, shortest(&bytes).to_vec())
    }
}

/// Leaves out leading bytes that only repeat the sign.
#[cfg(any(feature = "rust_decimal", feature = "bigdecimal"))]
fn shortest(mut bytes: &[u8]) -> &[u8] {
    while let [sign @ (0x00 | 0xFF), next, ..] = bytes {
        if (*sign == 0xFF) != (*next >= 0x80) {
            break;
        }
        bytes = &bytes[1..];
    }
    bytes
}
