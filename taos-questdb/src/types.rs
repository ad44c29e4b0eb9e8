//! QuestDB's types as those of the SDK, for results of both ways to query.

use taos_query::block::ColumnBuilder;
use taos_query::common::{Field, Precision, Ty};
use taos_query::{ErrorKind, RawError};

/// The longest text that a cell of a block can hold, in bytes.
pub(crate) const LONGEST_TEXT: u32 = 65_535;

/// What a column of a result holds (questdb §10.1, §12.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Byte,
    Short,
    Int,
    Long,
    Float,
    Double,
    /// Text whose NULL is the empty string in JSON: CHAR and LONG256.
    NonEmptyText,
    /// STRING, VARCHAR, SYMBOL, UUID, IPv4, GEOHASH, and every type that is not known here.
    Text,
    /// DATE, milliseconds.
    Date,
    /// TIMESTAMP, microseconds.
    Micros,
    /// TIMESTAMP_NS, nanoseconds.
    Nanos,
    /// Up to 38 digits.
    Decimal {
        precision: u8,
        scale: u8,
    },
    /// More digits than 128 bits hold: text.
    WideDecimal,
    Array,
    Binary,
}

impl Kind {
    /// The kind of a type as the server writes it, such as `LONG`, `GEOHASH(5c)`, `DECIMAL(18,3)` or
    /// `DOUBLE[][]`.
    pub(crate) fn of_name(name: &str) -> Self {
        let (base, digits) = match name.split_once('(') {
            Some((base, rest)) => (base, rest.trim_end_matches(')')),
            None => (name, ""),
        };
        match base.trim().to_ascii_uppercase().as_str() {
            "BOOLEAN" => Self::Bool,
            "BYTE" => Self::Byte,
            "SHORT" => Self::Short,
            "INT" => Self::Int,
            "LONG" => Self::Long,
            "FLOAT" => Self::Float,
            "DOUBLE" => Self::Double,
            "CHAR" | "LONG256" => Self::NonEmptyText,
            "DATE" => Self::Date,
            "TIMESTAMP" => Self::Micros,
            "TIMESTAMP_NS" => Self::Nanos,
            "DECIMAL" => Self::decimal(digits),
            "BINARY" => Self::Binary,
            "ARRAY" => Self::Array,
            base if base.ends_with("[]") => Self::Array,
            _ => Self::Text,
        }
    }

    fn decimal(digits: &str) -> Self {
        let mut numbers = digits.split(',').map(|part| part.trim().parse::<u8>());
        match (numbers.next(), numbers.next()) {
            (Some(Ok(precision @ 1..=38)), Some(Ok(scale))) if scale <= precision => {
                Self::Decimal { precision, scale }
            }
            _ => Self::WideDecimal,
        }
    }

    pub(crate) const fn ty(self) -> Ty {
        match self {
            Self::Bool => Ty::Bool,
            Self::Byte => Ty::TinyInt,
            Self::Short => Ty::SmallInt,
            Self::Int => Ty::Int,
            Self::Long => Ty::BigInt,
            Self::Float => Ty::Float,
            Self::Double => Ty::Double,
            Self::NonEmptyText | Self::Text | Self::WideDecimal => Ty::VarChar,
            Self::Date | Self::Micros | Self::Nanos => Ty::Timestamp,
            Self::Decimal { .. } => Ty::Decimal,
            Self::Array => Ty::Json,
            Self::Binary => Ty::VarBinary,
        }
    }

    /// The column of a result.
    pub(crate) fn field(self, name: impl Into<String>) -> Field {
        Field::new(name, self.ty(), self.bytes())
    }

    /// The width of a cell; of variable ones the most that it can be.
    pub(crate) const fn bytes(self) -> u32 {
        match self {
            Self::Bool | Self::Byte => 1,
            Self::Short => 2,
            Self::Int | Self::Float => 4,
            Self::Long | Self::Double | Self::Date | Self::Micros | Self::Nanos => 8,
            Self::Decimal { .. } => 16,
            Self::NonEmptyText | Self::Text | Self::WideDecimal | Self::Array | Self::Binary => {
                LONGEST_TEXT
            }
        }
    }

    /// An empty column of a block.
    pub(crate) const fn builder(self) -> ColumnBuilder {
        let (precision, scale) = match self {
            Self::Decimal { precision, scale } => (precision, scale),
            _ => (0, 0),
        };
        ColumnBuilder::new(self.ty(), self.bytes(), precision, scale)
    }

    /// The unit of a column of times.
    pub(crate) const fn precision(self) -> Option<Precision> {
        match self {
            Self::Date => Some(Precision::Millisecond),
            Self::Micros => Some(Precision::Microsecond),
            Self::Nanos => Some(Precision::Nanosecond),
            _ => None,
        }
    }
}

/// The unit of all times of a result: the finest of its columns, because a block has only one.
pub(crate) fn precision_of(kinds: impl IntoIterator<Item = Kind>) -> Precision {
    kinds
        .into_iter()
        .filter_map(Kind::precision)
        .max()
        .unwrap_or(Precision::Millisecond)
}

/// Units in a second.
pub(crate) const fn per_second(precision: Precision) -> i64 {
    match precision {
        Precision::Millisecond => 1_000,
        Precision::Microsecond => 1_000_000,
        Precision::Nanosecond => 1_000_000_000,
    }
}

/// The error of a time that the unit of its result cannot hold.
#[cold]
pub(crate) fn time_out_of_range(column: &str, kind: Kind, to: Precision) -> RawError {
    let unit = match to {
        Precision::Nanosecond => "nanoseconds",
        Precision::Microsecond => "microseconds",
        Precision::Millisecond => "milliseconds",
    };
    // A column that is coarser than the result can be read where the finer ones give way.
    let instead = match (kind, to) {
        (Kind::Date, Precision::Nanosecond | Precision::Microsecond) => {
            ", or cast the other times of the query to DATE"
        }
        (Kind::Micros, Precision::Nanosecond) => {
            ", or cast the TIMESTAMP_NS columns of the query to TIMESTAMP"
        }
        _ => "",
    };
    RawError::of(
        ErrorKind::Decode,
        format!(
            "column `{column}`: a time is too far away for {unit}, the unit of this result; write \
             `cast(\"{column}\" as varchar)`{instead}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_become_types_of_the_sdk() {
        for (name, ty) in [
            ("BOOLEAN", Ty::Bool),
            ("BYTE", Ty::TinyInt),
            ("SHORT", Ty::SmallInt),
            ("INT", Ty::Int),
            ("LONG", Ty::BigInt),
            ("FLOAT", Ty::Float),
            ("DOUBLE", Ty::Double),
            ("CHAR", Ty::VarChar),
            ("STRING", Ty::VarChar),
            ("VARCHAR", Ty::VarChar),
            ("SYMBOL", Ty::VarChar),
            ("UUID", Ty::VarChar),
            ("IPv4", Ty::VarChar),
            ("LONG256", Ty::VarChar),
            ("GEOHASH(5c)", Ty::VarChar),
            ("INTERVAL", Ty::VarChar),
            ("DATE", Ty::Timestamp),
            ("TIMESTAMP", Ty::Timestamp),
            ("TIMESTAMP_NS", Ty::Timestamp),
            ("DECIMAL(38,3)", Ty::Decimal),
            ("DECIMAL(39,3)", Ty::VarChar),
            ("ARRAY", Ty::Json),
            ("DOUBLE[][]", Ty::Json),
            ("BINARY", Ty::VarBinary),
        ] {
            assert_eq!(Kind::of_name(name).ty(), ty, "{name}");
        }
    }

    #[test]
    fn a_result_has_the_finest_unit_of_its_columns() {
        assert_eq!(precision_of([Kind::Long]), Precision::Millisecond);
        assert_eq!(
            precision_of([Kind::Micros, Kind::Date]),
            Precision::Microsecond
        );
        assert_eq!(
            precision_of([Kind::Date, Kind::Nanos, Kind::Micros]),
            Precision::Nanosecond
        );
    }
}
