//! Type codes of columns and what follows from them (questdb §12.5).

use std::fmt;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum ColumnType {
    Boolean = 0x01,
    Byte = 0x02,
    Short = 0x03,
    Int = 0x04,
    Long = 0x05,
    Float = 0x06,
    Double = 0x07,
    Symbol = 0x09,
    /// Microseconds.
    Timestamp = 0x0A,
    /// Milliseconds.
    Date = 0x0B,
    Uuid = 0x0C,
    Long256 = 0x0D,
    Geohash = 0x0E,
    Varchar = 0x0F,
    TimestampNanos = 0x10,
    DoubleArray = 0x11,
    LongArray = 0x12,
    Decimal64 = 0x13,
    Decimal128 = 0x14,
    Decimal256 = 0x15,
    Char = 0x16,
    Binary = 0x17,
    Ipv4 = 0x18,
}

impl ColumnType {
    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x01 => Self::Boolean,
            0x02 => Self::Byte,
            0x03 => Self::Short,
            0x04 => Self::Int,
            0x05 => Self::Long,
            0x06 => Self::Float,
            0x07 => Self::Double,
            0x09 => Self::Symbol,
            0x0A => Self::Timestamp,
            0x0B => Self::Date,
            0x0C => Self::Uuid,
            0x0D => Self::Long256,
            0x0E => Self::Geohash,
            0x0F => Self::Varchar,
            0x10 => Self::TimestampNanos,
            0x11 => Self::DoubleArray,
            0x12 => Self::LongArray,
            0x13 => Self::Decimal64,
            0x14 => Self::Decimal128,
            0x15 => Self::Decimal256,
            0x16 => Self::Char,
            0x17 => Self::Binary,
            0x18 => Self::Ipv4,
            _ => return None,
        })
    }

    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// The name as the server spells it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Byte => "BYTE",
            Self::Short => "SHORT",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Symbol => "SYMBOL",
            Self::Timestamp => "TIMESTAMP",
            Self::Date => "DATE",
            Self::Uuid => "UUID",
            Self::Long256 => "LONG256",
            Self::Geohash => "GEOHASH",
            Self::Varchar => "VARCHAR",
            Self::TimestampNanos => "TIMESTAMP_NS",
            Self::DoubleArray => "DOUBLE[]",
            Self::LongArray => "LONG[]",
            Self::Decimal64 => "DECIMAL64",
            Self::Decimal128 => "DECIMAL128",
            Self::Decimal256 => "DECIMAL256",
            Self::Char => "CHAR",
            Self::Binary => "BINARY",
            Self::Ipv4 => "IPv4",
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_names_one_type_and_back() {
        let known = (0..=u8::MAX)
            .filter_map(ColumnType::from_code)
            .inspect(|t| assert_eq!(ColumnType::from_code(t.code()), Some(*t)));
        assert_eq!(known.count(), 23);
        assert_eq!(ColumnType::from_code(0x08), None, "reserved");
    }
}
