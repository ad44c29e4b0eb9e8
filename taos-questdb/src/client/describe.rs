//! The columns of a table.

use futures_util::TryStreamExt as _;
use serde::Deserialize;
use taos_query::helpers::{ColumnMeta, Describe, Described};
use taos_query::{AsyncFetchable as _, AsyncQueryable as _, ErrorKind, RawResult};

use super::Taos;
use crate::stmt::table_name;
use crate::types::Kind;

/// A row of `show columns`, which has more columns in newer servers.
#[derive(Deserialize)]
struct Row {
    column: String,
    #[serde(rename = "type")]
    ty: String,
    #[serde(default)]
    designated: Option<bool>,
    #[serde(default, rename = "upsertKey")]
    upsert_key: Option<bool>,
}

/// `show columns` of a table: bare, in quotes, or behind the one schema.
pub(super) async fn describe(taos: &Taos, table: &str) -> RawResult<Describe> {
    let sql = format!("show columns from {}", quoted(table)?);
    let mut result = taos.query(sql).await?;
    let rows: Vec<Row> = result.deserialize().try_collect().await?;
    Ok(Describe(rows.into_iter().map(column).collect()))
}

fn quoted(table: &str) -> RawResult<String> {
    let name = match table_name(table) {
        Ok(name) => name,
        // A name with a quote or a blank, as it is.
        Err(error) if error.kind() == ErrorKind::Config => table.to_owned(),
        Err(error) => return Err(error),
    };
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

fn column(row: Row) -> ColumnMeta {
    let kind = Kind::of_name(&row.ty);
    let decimal = match kind {
        Kind::Decimal { precision, scale } => Some((precision, scale)),
        _ => None,
    };
    // The designated timestamp is always part of the key, and no key by itself.
    let key = row.upsert_key == Some(true);
    ColumnMeta::Column(Described {
        field: row.column,
        ty: kind.ty(),
        length: usize::try_from(kind.bytes()).unwrap_or(usize::MAX),
        note: match row.designated {
            Some(true) => Some("DESIGNATED TIMESTAMP".to_owned()),
            _ => key.then(|| "COMPOSITE KEY".to_owned()),
        },
        compression: None,
        decimal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_once() {
        for (name, sql) in [
            ("my table", "\"my table\""),
            ("\"t\"", "\"t\""),
            ("`t`", "\"t\""),
            ("a\"b", "\"a\"\"b\""),
            ("my \"t\"", "\"my \"\"t\"\"\""),
            ("my.tab", "\"my.tab\""),
            ("`my.tab`", "\"my.tab\""),
            ("public.t", "\"t\""),
            ("public.`my.tab`", "\"my.tab\""),
        ] {
            assert_eq!(quoted(name).unwrap(), sql, "{name}");
        }
        let error = quoted("`power`.`t`").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
