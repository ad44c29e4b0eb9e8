//! Rust types named after the SQL types they stand for, to build columns with.

use std::fmt;
use std::ops::Deref;

use super::{Decimal, Precision, Timestamp};

macro_rules! plain {
    ($($name:ident = $ty:ty, $sql:literal;)*) => {$(
        #[doc = concat!("A value of ", $sql, ".")]
        pub type $name = $ty;
    )*};
}
plain! {
    IBool = bool, "BOOL";
    ITinyInt = i8, "TINYINT";
    ISmallInt = i16, "SMALLINT";
    IInt = i32, "INT";
    IBigInt = i64, "BIGINT";
    IUTinyInt = u8, "TINYINT UNSIGNED";
    IUSmallInt = u16, "SMALLINT UNSIGNED";
    IUInt = u32, "INT UNSIGNED";
    IUBigInt = u64, "BIGINT UNSIGNED";
    IFloat = f32, "FLOAT";
    IDouble = f64, "DOUBLE";
    IJson = serde_json::Value, "JSON";
    IDecimal = Decimal, "DECIMAL";
}

/// Ticks of a TIMESTAMP whose unit its column knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ITimestamp(pub i64);

impl ITimestamp {
    /// The time, in ticks of `precision`.
    pub const fn with_precision(self, precision: Precision) -> Timestamp {
        Timestamp::new(self.0, precision)
    }
}

macro_rules! text {
    ($($name:ident, $sql:literal;)*) => {$(
        #[doc = concat!("A text of ", $sql, ".")]
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}
text! {
    IVarChar, "VARCHAR";
    INChar, "NCHAR";
}
