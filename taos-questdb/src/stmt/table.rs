//! What the columns of a table are, as the server tells it.

use futures_util::TryStreamExt as _;
use taos_query::common::Ty;
use taos_query::{AsyncFetchable as _, AsyncQueryable as _, ErrorKind, RawError, RawResult};

use super::sql::unsupported;
use crate::Taos;

/// What tables without a designated timestamp lack, and others may.
const WAL_ONLY: &str = "bound rows go only into tables with a write-ahead log, made with `timestamp(ts) \
                        partition by day wal`; `exec(\"insert …\")` writes into the others";

/// The type of a column, as far as it decides how a value is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Boolean,
    /// BYTE, SHORT, INT, LONG: the least and the greatest.
    Integer(i64, i64),
    Float,
    Double,
    Symbol,
    /// STRING, VARCHAR, GEOHASH: text, which the server reads.
    Text,
    /// As text in lines.
    Uuid,
    /// As text in lines.
    Ipv4,
    Char,
    Date,
    Micros,
    Nanos,
    Decimal(u8, u8),
    /// Doubles of this rank; 0 if the server does not say.
    Array(usize),
    /// A type that lines cannot carry.
    Other,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) ty: Type,
    /// As the server writes it.
    pub(super) type_name: String,
    pub(super) designated: bool,
}

impl Type {
    fn of(name: &str) -> Self {
        let (base, digits) = match name.split_once('(') {
            Some((base, rest)) => (base, rest.trim_end_matches(')')),
            None => (name, ""),
        };
        match base.trim().to_ascii_uppercase().as_str() {
            "BOOLEAN" => Self::Boolean,
            "BYTE" => Self::Integer(i8::MIN.into(), i8::MAX.into()),
            "SHORT" => Self::Integer(i16::MIN.into(), i16::MAX.into()),
            "INT" => Self::Integer(i32::MIN.into(), i32::MAX.into()),
            "LONG" => Self::Integer(i64::MIN, i64::MAX),
            "FLOAT" => Self::Float,
            "DOUBLE" => Self::Double,
            "SYMBOL" => Self::Symbol,
            "STRING" | "VARCHAR" | "GEOHASH" => Self::Text,
            "UUID" => Self::Uuid,
            "IPV4" => Self::Ipv4,
            "CHAR" => Self::Char,
            "DATE" => Self::Date,
            "TIMESTAMP" => Self::Micros,
            "TIMESTAMP_NS" => Self::Nanos,
            "DECIMAL" => {
                let mut numbers = digits.split(',').map(|part| part.trim().parse());
                match (numbers.next(), numbers.next()) {
                    (Some(Ok(precision)), Some(Ok(scale))) => Self::Decimal(precision, scale),
                    _ => Self::Decimal(0, 0),
                }
            }
            "ARRAY" => Self::Array(0),
            base if base.starts_with("DOUBLE[") => Self::Array(base.matches('[').count()),
            _ => Self::Other,
        }
    }

    pub(super) const fn ty(&self) -> Ty {
        match self {
            Self::Boolean => Ty::Bool,
            Self::Integer(i64::MIN, _) => Ty::BigInt,
            Self::Integer(-128, _) => Ty::TinyInt,
            Self::Integer(-32768, _) => Ty::SmallInt,
            Self::Integer(..) => Ty::Int,
            Self::Float => Ty::Float,
            Self::Double => Ty::Double,
            Self::Symbol | Self::Text | Self::Uuid | Self::Ipv4 | Self::Char | Self::Other => {
                Ty::VarChar
            }
            Self::Date | Self::Micros | Self::Nanos => Ty::Timestamp,
            Self::Decimal(..) => Ty::Decimal,
            Self::Array(_) => Ty::Json,
        }
    }
}

/// The columns of a table.
///
/// # Errors
/// The server's, in its words, if there is no such table.
pub(super) async fn columns(taos: &Taos, table: &str) -> RawResult<Vec<Column>> {
    let quoted = table.replace('\'', "''");
    let sql = format!("select \"column\", type, designated from table_columns('{quoted}')");
    let about = |error: RawError| error.context(format!("the columns of `{table}`"));
    let mut result = taos.query(sql).await.map_err(about)?;
    let rows: Vec<(String, String, bool)> =
        result.deserialize().try_collect().await.map_err(about)?;
    if rows.is_empty() {
        return Err(RawError::of(
            ErrorKind::Server,
            format!("there is no table `{table}`"),
        ));
    }
    if !rows.iter().any(|(.., designated)| *designated) {
        return Err(unsupported(format_args!(
            "writing rows of `{table}` by a prepared INSERT or the inserter ({WAL_ONLY})"
        )));
    }
    let columns = rows
        .into_iter()
        .map(|(name, type_name, designated)| Column {
            name,
            ty: Type::of(&type_name),
            type_name,
            designated,
        });
    Ok(columns.collect())
}

/// Says what to do where the server wants a log and the table has none.
pub(super) fn explain(error: RawError, table: &str) -> RawError {
    if error.to_string().contains("non-WAL") {
        return error.context(format!("`{table}`: {WAL_ONLY}"));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_the_server_writes_them() {
        for (name, ty) in [
            ("BOOLEAN", Type::Boolean),
            ("INT", Type::Integer(i32::MIN.into(), i32::MAX.into())),
            ("SYMBOL", Type::Symbol),
            ("IPv4", Type::Ipv4),
            ("GEOHASH(8b)", Type::Text),
            ("DECIMAL(18,3)", Type::Decimal(18, 3)),
            ("DOUBLE", Type::Double),
            ("DOUBLE[]", Type::Array(1)),
            ("DOUBLE[][]", Type::Array(2)),
            ("TIMESTAMP_NS", Type::Nanos),
            ("BINARY", Type::Other),
            ("LONG256", Type::Other),
        ] {
            assert_eq!(Type::of(name), ty, "{name}");
        }
    }
}
