//! DESCRIBE.

use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use super::{Exec, computed, result_column};
use crate::catalog::{TableDef, is_system_database, type_text};
use crate::engine::ResultRows;
use crate::plan::{ColumnInfo, ResultColumn};
use crate::sql::SqlError;
use crate::sql::ast::ObjectName;

/// Encode, compress and level of a type (DIALECT §11).
pub(super) const fn default_compression(ty: Ty) -> [&'static str; 3] {
    match ty {
        Ty::Timestamp => ["delta-i", "lz4", "medium"],
        Ty::Bool => ["bit-packing", "zstd", "medium"],
        Ty::TinyInt | Ty::SmallInt | Ty::UTinyInt | Ty::USmallInt => ["simple8b", "zlib", "medium"],
        Ty::Int | Ty::BigInt | Ty::UInt | Ty::UBigInt => ["simple8b", "lz4", "medium"],
        Ty::Float | Ty::Double => ["delta-d", "lz4", "medium"],
        Ty::Geometry | Ty::Blob | Ty::MediumBlob => ["disabled", "lz4", "medium"],
        _ => ["disabled", "zstd", "medium"],
    }
}

fn columns(with_compression: bool) -> Vec<ResultColumn> {
    let mut columns = vec![
        result_column("field", Ty::VarChar, 325),
        result_column("type", Ty::VarChar, 20),
        result_column("length", Ty::Int, 0),
        result_column("note", Ty::VarChar, 16),
    ];
    if with_compression {
        for name in ["encode", "compress", "level"] {
            columns.push(result_column(name, Ty::VarChar, 12));
        }
    }
    columns
}

fn row(column: &ColumnInfo, note: &str) -> Vec<Value> {
    // DESCRIBE alone writes a blank behind the comma
    let kind = match column.ty {
        Ty::Decimal | Ty::Decimal64 => {
            format!("DECIMAL({}, {})", column.precision, column.scale)
        }
        _ => type_text(column, false),
    };
    vec![
        Value::Text(column.name.clone()),
        Value::Text(kind),
        Value::Integer(column.length.into()),
        Value::Text(note.to_owned()),
    ]
}

fn table_rows(def: &TableDef) -> Vec<Vec<Value>> {
    let texts = |texts: [&str; 3]| texts.map(|t| Value::Text(t.to_owned()));
    let mut rows = Vec::new();
    for column in &*def.columns {
        let note = if column.composite_key {
            "COMPOSITE KEY"
        } else {
            ""
        };
        let mut row = row(column, note);
        row.extend(match def.compression.get(&column.id) {
            Some([a, b, c]) => texts([a, b, c]),
            None => texts(default_compression(column.ty)),
        });
        rows.push(row);
    }
    for tag in &*def.tags {
        let mut row = row(tag, "TAG");
        row.extend(texts(["disabled"; 3]));
        rows.push(row);
    }
    rows
}

impl Exec<'_> {
    pub(super) fn describe(&self, name: &ObjectName) -> Result<ResultRows, SqlError> {
        let (db, name) = self.object(name)?;
        if is_system_database(&db) {
            let infos = self.view.system_columns(&db, &name)?;
            let infos = infos.ok_or_else(SqlError::unknown_table)?;
            let rows: Vec<_> = infos.iter().map(|c| row(c, "")).collect();
            return computed(columns(false), Precision::Millisecond, &rows);
        }
        let def = self.find(&db, &name)?.def();
        computed(columns(true), Precision::Millisecond, &table_rows(def))
    }
}
