use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ErrorKind, RawError};

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

    /// The type with this wire id.
    ///
    /// # Errors
    /// The id is not one of 0 to 21.
    pub fn from_u8(id: u8) -> Result<Self, RawError> {
        Self::from_u8_option(id).ok_or_else(|| {
            RawError::of(
                ErrorKind::Protocol,
                format!("type id {id} is outside 0..=21"),
            )
        })
    }

    /// The wire id.
    pub const fn as_u8(self) -> u8 {
        self as u8
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

    /// The SQL name in lower case.
    pub const fn lowercase_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::TinyInt => "tinyint",
            Self::SmallInt => "smallint",
            Self::Int => "int",
            Self::BigInt => "bigint",
            Self::Float => "float",
            Self::Double => "double",
            Self::VarChar => "varchar",
            Self::Timestamp => "timestamp",
            Self::NChar => "nchar",
            Self::UTinyInt => "tinyint unsigned",
            Self::USmallInt => "smallint unsigned",
            Self::UInt => "int unsigned",
            Self::UBigInt => "bigint unsigned",
            Self::Json => "json",
            Self::VarBinary => "varbinary",
            Self::Decimal | Self::Decimal64 => "decimal",
            Self::Blob => "blob",
            Self::MediumBlob => "mediumblob",
            Self::Geometry => "geometry",
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

    /// True for [`Ty::Null`].
    pub const fn is_null(self) -> bool {
        matches!(self, Self::Null)
    }

    /// True for [`Ty::Json`].
    pub const fn is_json(self) -> bool {
        matches!(self, Self::Json)
    }

    /// True for types of fixed width: booleans, numbers, timestamps and decimals.
    pub const fn is_primitive(self) -> bool {
        self.fixed_length() > 0
    }

    /// True for integers, floats and decimals.
    pub const fn is_numeric(self) -> bool {
        self.is_primitive() && !matches!(self, Self::Bool | Self::Timestamp)
    }

    /// True for the signed and unsigned whole numbers.
    pub const fn is_integer(self) -> bool {
        matches!(
            self,
            Self::TinyInt
                | Self::SmallInt
                | Self::Int
                | Self::BigInt
                | Self::UTinyInt
                | Self::USmallInt
                | Self::UInt
                | Self::UBigInt
        )
    }

    /// True for both decimal types.
    pub const fn is_decimal(self) -> bool {
        matches!(self, Self::Decimal | Self::Decimal64)
    }

    /// True for BLOB and MEDIUMBLOB, whose length prefix has four bytes (raw-block §3).
    pub const fn is_blob(self) -> bool {
        matches!(self, Self::Blob | Self::MediumBlob)
    }

    /// True for types whose values are text: VARCHAR, NCHAR and JSON.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::VarChar | Self::NChar | Self::Json)
    }

    /// Bytes of the length in front of each value, 0 for fixed widths.
    pub(crate) const fn prefix_length(self) -> usize {
        if self.is_blob() {
            4
        } else if self.is_var_type() {
            2
        } else {
            0
        }
    }
}

impl From<Ty> for u8 {
    fn from(ty: Ty) -> Self {
        ty.as_u8()
    }
}

impl FromStr for Ty {
    type Err = RawError;

    /// Reads an SQL type name in any case; a width in parentheses is allowed and ignored, but the
    /// digits of a decimal choose between [`Ty::Decimal64`] (up to 18) and [`Ty::Decimal`].
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || RawError::of(ErrorKind::Decode, format!("`{name}` is not an SQL type"));
        let lower = name.trim().to_ascii_lowercase();
        let (base, args) = match lower.split_once('(') {
            Some((base, rest)) => {
                let (args, tail) = rest.split_once(')').ok_or_else(unknown)?;
                (format!("{} {}", base.trim(), tail.trim()), Some(args))
            }
            None => (lower.clone(), None),
        };
        let words: Vec<&str> = base.split_whitespace().collect();
        Ok(match words.join(" ").as_str() {
            "null" => Self::Null,
            "bool" | "boolean" => Self::Bool,
            "tinyint" => Self::TinyInt,
            "smallint" => Self::SmallInt,
            "int" | "integer" => Self::Int,
            "bigint" => Self::BigInt,
            "float" => Self::Float,
            "double" => Self::Double,
            "varchar" | "binary" => Self::VarChar,
            "timestamp" => Self::Timestamp,
            "nchar" => Self::NChar,
            "tinyint unsigned" | "utinyint" => Self::UTinyInt,
            "smallint unsigned" | "usmallint" => Self::USmallInt,
            "int unsigned" | "integer unsigned" | "uint" => Self::UInt,
            "bigint unsigned" | "ubigint" => Self::UBigInt,
            "json" => Self::Json,
            "varbinary" => Self::VarBinary,
            "decimal64" => Self::Decimal64,
            "decimal" => match args.and_then(|a| a.split(',').next()) {
                Some(digits) => match digits.trim().parse::<u8>() {
                    Ok(0) | Err(_) => return Err(unknown()),
                    Ok(1..=18) => Self::Decimal64,
                    Ok(_) => Self::Decimal,
                },
                None => Self::Decimal,
            },
            "blob" => Self::Blob,
            "mediumblob" => Self::MediumBlob,
            "geometry" => Self::Geometry,
            _ => return Err(unknown()),
        })
    }
}

impl Serialize for Ty {
    /// As the wire id.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.as_u8())
    }
}

impl<'de> Deserialize<'de> for Ty {
    /// From the wire id or the SQL name.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TyVisitor;
        impl Visitor<'_> for TyVisitor {
            type Value = Ty;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a type id or an SQL type name")
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<Ty, E> {
                u8::try_from(id)
                    .ok()
                    .and_then(Ty::from_u8_option)
                    .ok_or_else(|| E::custom(format_args!("type id {id} is outside 0..=21")))
            }

            fn visit_i64<E: de::Error>(self, id: i64) -> Result<Ty, E> {
                u8::try_from(id)
                    .ok()
                    .and_then(Ty::from_u8_option)
                    .ok_or_else(|| E::custom(format_args!("type id {id} is outside 0..=21")))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Ty, E> {
                name.parse().map_err(E::custom)
            }

            fn visit_unit<E: de::Error>(self) -> Result<Ty, E> {
                Ok(Ty::Null)
            }
        }
        deserializer.deserialize_any(TyVisitor)
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_its_type() {
        for id in 0..=21 {
            let ty = Ty::from_u8(id).unwrap();
            assert_eq!(ty.name().to_ascii_lowercase(), ty.lowercase_name());
            let read: Ty = ty.name().parse().unwrap();
            if ty == Ty::Decimal64 {
                assert_eq!(read, Ty::Decimal);
            } else {
                assert_eq!(read, ty);
            }
        }
        assert!(Ty::from_u8(22).is_err());
    }

    #[test]
    fn digits_of_a_decimal_choose_its_width() {
        assert_eq!("DECIMAL(18, 2)".parse::<Ty>().unwrap(), Ty::Decimal64);
        assert_eq!("decimal(19,2)".parse::<Ty>().unwrap(), Ty::Decimal);
        assert_eq!("varchar(20)".parse::<Ty>().unwrap(), Ty::VarChar);
        assert!("decimal(x)".parse::<Ty>().is_err());
        assert!("varchar(".parse::<Ty>().is_err());
    }

    #[test]
    fn serde_accepts_number_and_name() {
        assert_eq!(serde_json::to_string(&Ty::NChar).unwrap(), "10");
        assert_eq!(serde_json::from_str::<Ty>("10").unwrap(), Ty::NChar);
        assert_eq!(
            serde_json::from_str::<Ty>("\"INT UNSIGNED\"").unwrap(),
            Ty::UInt
        );
        assert!(serde_json::from_str::<Ty>("99").is_err());
    }
}
