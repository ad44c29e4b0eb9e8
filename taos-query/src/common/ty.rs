use std::fmt;

/// The type of a column, with the ids of the wire (raw-block §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names say it")]
pub enum Ty {
    #[default]
    Null = 0,
    Bool = 1,
    TinyInt = 2,
    SmallInt = 3,
    Int = 4,
    BigInt = 5,
    Float = 6,
    Double = 7,
    VarChar = 8,
    Timestamp = 9,
    NChar = 10,
    UTinyInt = 11,
    USmallInt = 12,
    UInt = 13,
    UBigInt = 14,
    Json = 15,
    VarBinary = 16,
    Decimal = 17,
    Blob = 18,
    MediumBlob = 19,
    Geometry = 20,
    Decimal64 = 21,
}

impl Ty {
    /// The type with this wire id, if there is one.
    pub const fn from_u8_option(id: u8) -> Option<Self> {
        Some(match id {
            0 => Self::Null,
            1 => Self::Bool,
            2 => Self::TinyInt,
            3 => Self::SmallInt,
            4 => Self::Int,
            5 => Self::BigInt,
            6 => Self::Float,
            7 => Self::Double,
            8 => Self::VarChar,
            9 => Self::Timestamp,
            10 => Self::NChar,
            11 => Self::UTinyInt,
            12 => Self::USmallInt,
            13 => Self::UInt,
            14 => Self::UBigInt,
            15 => Self::Json,
            16 => Self::VarBinary,
            17 => Self::Decimal,
            18 => Self::Blob,
            19 => Self::MediumBlob,
            20 => Self::Geometry,
            21 => Self::Decimal64,
            _ => return None,
        })
    }

    /// The SQL name in upper case, `DECIMAL` for both decimal types.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool => "BOOL",
            Self::TinyInt => "TINYINT",
            Self::SmallInt => "SMALLINT",
            Self::Int => "INT",
            Self::BigInt => "BIGINT",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::VarChar => "VARCHAR",
            Self::Timestamp => "TIMESTAMP",
            Self::NChar => "NCHAR",
            Self::UTinyInt => "TINYINT UNSIGNED",
            Self::USmallInt => "SMALLINT UNSIGNED",
            Self::UInt => "INT UNSIGNED",
            Self::UBigInt => "BIGINT UNSIGNED",
            Self::Json => "JSON",
            Self::VarBinary => "VARBINARY",
            Self::Decimal | Self::Decimal64 => "DECIMAL",
            Self::Blob => "BLOB",
            Self::MediumBlob => "MEDIUMBLOB",
            Self::Geometry => "GEOMETRY",
        }
    }

    /// The width in bytes of one value, or 0 for types of variable length.
    pub const fn fixed_length(self) -> usize {
        match self {
            Self::Bool | Self::TinyInt | Self::UTinyInt => 1,
            Self::SmallInt | Self::USmallInt => 2,
            Self::Int | Self::UInt | Self::Float => 4,
            Self::BigInt | Self::UBigInt | Self::Double | Self::Timestamp | Self::Decimal64 => 8,
            Self::Decimal => 16,
            _ => 0,
        }
    }

    /// True for types whose values have a length of their own.
    pub const fn is_var_type(self) -> bool {
        matches!(
            self,
            Self::VarChar
                | Self::NChar
                | Self::Json
                | Self::VarBinary
                | Self::Blob
                | Self::MediumBlob
                | Self::Geometry
        )
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
