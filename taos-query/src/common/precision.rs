use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ErrorKind, RawError};

/// The unit of a database's timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Precision {
    /// Milliseconds, the default of a database.
    #[default]
    Millisecond = 0,
    /// Microseconds.
    Microsecond = 1,
    /// Nanoseconds.
    Nanosecond = 2,
}

impl Precision {
    /// `ms`, `us` or `ns`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Millisecond => "ms",
            Self::Microsecond => "us",
            Self::Nanosecond => "ns",
        }
    }

    /// The wire id: 0, 1 or 2.
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// The precision with this wire id, if there is one.
    pub const fn from_u8_option(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::Millisecond),
            1 => Some(Self::Microsecond),
            2 => Some(Self::Nanosecond),
            _ => None,
        }
    }

    /// The precision with this wire id.
    ///
    /// # Errors
    /// The id is not 0, 1 or 2.
    pub fn from_u8(id: u8) -> Result<Self, RawError> {
        Self::from_u8_option(id).ok_or_else(|| outside(i128::from(id)))
    }

    /// Decimal digits after the second: 3, 6 or 9.
    pub const fn digits(self) -> u8 {
        match self {
            Self::Millisecond => 3,
            Self::Microsecond => 6,
            Self::Nanosecond => 9,
        }
    }

    /// Ticks a second: 10³, 10⁶ or 10⁹.
    pub const fn ticks_per_second(self) -> i64 {
        match self {
            Self::Millisecond => 1_000,
            Self::Microsecond => 1_000_000,
            Self::Nanosecond => 1_000_000_000,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn outside(id: i128) -> RawError {
    RawError::of(
        ErrorKind::Protocol,
        format!("precision {id} is outside 0..=2"),
    )
}

impl FromStr for Precision {
    type Err = RawError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "ms" => Ok(Self::Millisecond),
            "us" | "µs" | "u" => Ok(Self::Microsecond),
            "ns" => Ok(Self::Nanosecond),
            _ => Err(RawError::of(
                ErrorKind::Decode,
                format!("`{text}` is not a precision, expected ms, us or ns"),
            )),
        }
    }
}

macro_rules! try_from_integer {
    ($($ty:ty)*) => {$(
        impl TryFrom<$ty> for Precision {
            type Error = RawError;

            fn try_from(id: $ty) -> Result<Self, Self::Error> {
                u8::try_from(id)
                    .ok()
                    .and_then(Self::from_u8_option)
                    .ok_or_else(|| outside(i128::try_from(id).unwrap_or(i128::MAX)))
            }
        }

        impl From<Precision> for $ty {
            fn from(precision: Precision) -> Self {
                match precision {
                    Precision::Millisecond => 0,
                    Precision::Microsecond => 1,
                    Precision::Nanosecond => 2,
                }
            }
        }
    )*};
}
try_from_integer!(i8 u8 i16 u16 i32 u32 i64 u64 isize usize);

impl PartialEq<str> for Precision {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Precision {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Serialize for Precision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Precision {
    /// From `ms`, `us`, `ns` or the wire id.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PrecisionVisitor;
        impl Visitor<'_> for PrecisionVisitor {
            type Value = Precision;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ms, us, ns or 0, 1, 2")
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<Precision, E> {
                Precision::try_from(id).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, id: i64) -> Result<Precision, E> {
                Precision::try_from(id).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Precision, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(PrecisionVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_reads_names_and_ids_and_refuses_others() {
        assert_eq!("us".parse::<Precision>().unwrap(), Precision::Microsecond);
        assert_eq!(Precision::try_from(2_i32).unwrap(), "ns");
        assert!(Precision::try_from(-1_i64).is_err());
        assert!(Precision::from_u8(3).is_err());
        assert!("s".parse::<Precision>().is_err());
        assert_eq!(
            serde_json::from_str::<Precision>("1").unwrap(),
            Precision::Microsecond
        );
    }
}
