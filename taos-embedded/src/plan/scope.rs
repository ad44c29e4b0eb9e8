//! What names mean inside one SELECT.

use std::cell::Cell;

use taos_query::common::{Precision, Ty};

use super::types::{ColType, Typed, USES_DATA, USES_TAGS};
use super::{TableInfo, TableKind};
use crate::sql::SqlError;
use crate::sql::ast::{Expr, ExprKind, Ident};
use crate::sql::code;

/// A column that a source offers.
#[derive(Debug, Clone)]
pub(crate) struct ScopeColumn {
    pub(crate) name: String,
    pub(crate) ty: ColType,
    pub(crate) sql: String,
    pub(crate) tag: bool,
}

/// Where the rows of one SELECT come from.
#[derive(Debug)]
pub(crate) struct Scope {
    /// The name that qualifies its columns.
    pub(crate) name: Option<String>,
    pub(crate) columns: Vec<ScopeColumn>,
    pub(crate) precision: Precision,
    /// The time of a row, as SQL.
    pub(crate) time: Option<String>,
    pub(crate) table: Option<TableInfo>,
    /// The subtable's name, as SQL, where rows come from no stored table but know it.
    pub(crate) tbname: Option<String>,
    /// Composite key beside the time, as SQL.
    pub(crate) key: Option<String>,
    /// What stands behind FROM when the source is no stored table.
    pub(crate) from: Option<String>,
    /// Distinguishes the SQL aliases `a{n}` and `g{n}`.
    pub(crate) number: usize,
    /// Set as soon as a tag or the subtable's name is used.
    pub(crate) tags_used: Cell<bool>,
}

impl Scope {
    /// No FROM.
    pub(crate) const fn empty(precision: Precision) -> Self {
        Self {
            name: None,
            columns: Vec::new(),
            precision,
            time: None,
            table: None,
            tbname: None,
            key: None,
            from: None,
            number: 0,
            tags_used: Cell::new(false),
        }
    }

    pub(crate) fn of_table(table: TableInfo, alias: Option<String>, number: usize) -> Self {
        let mut columns = Vec::with_capacity(table.columns.len() + table.tags.len());
        for (index, column) in table.columns.iter().enumerate() {
            let sql = if index == 0 {
                format!("a{number}.ts")
            } else {
                format!("a{number}.c{}", column.id)
            };
            columns.push(ScopeColumn {
                name: column.name.clone(),
                ty: ColType::of_column(column),
                sql,
                tag: false,
            });
        }
        for tag in table.tags.iter() {
            columns.push(ScopeColumn {
                name: tag.name.clone(),
                ty: ColType::of_column(tag),
                sql: format!("g{number}.g{}", tag.id),
                tag: true,
            });
        }
        Self {
            name: Some(alias.unwrap_or_else(|| table.name.clone())),
            columns,
            precision: table.precision,
            time: Some(format!("a{number}.ts")),
            key: table
                .columns
                .iter()
                .find(|column| column.composite_key)
                .map(|column| format!("a{number}.c{}", column.id)),
            tbname: None,
            table: Some(table),
            from: None,
            number,
            tags_used: Cell::new(false),
        }
    }

    pub(crate) fn is_super(&self) -> bool {
        matches!(&self.table, Some(table) if table.kind == TableKind::Super)
    }

    pub(crate) fn is_child(&self) -> bool {
        matches!(&self.table, Some(table) if matches!(table.kind, TableKind::Child { .. }))
    }

    /// FROM and the condition that belongs to it. With `empty_groups` a super table's subtables
    /// appear without rows too, and `filter` decides only which rows they get.
    pub(crate) fn source_sql(&self, empty_groups: bool, filter: &str) -> (String, Option<String>) {
        if let Some(from) = &self.from {
            return (format!(" FROM {from}"), None);
        }
        let Some(table) = &self.table else {
            return (String::new(), None);
        };
        let (n, id) = (self.number, table.storage_id());
        if empty_groups {
            return (
                format!(" FROM t{id} g{n} LEFT JOIN d{id} a{n} ON a{n}.tbl = g{n}.tbl{filter}"),
                None,
            );
        }
        let mut from = format!(" FROM d{id} a{n}");
        if self.tags_used.get() {
            from.push_str(&format!(" JOIN t{id} g{n} ON g{n}.tbl = a{n}.tbl"));
        }
        let own = match table.kind {
            TableKind::Super => None,
            _ => Some(format!("a{n}.tbl = {}", table.id)),
        };
        (from, own)
    }

    /// Checks the qualifier of a column.
    pub(crate) fn qualify(&self, qualifier: Option<&Ident>) -> Result<(), SqlError> {
        match qualifier {
            Some(ident) if self.name.as_deref() != Some(ident.name.as_str()) => Err(SqlError::new(
                code::UNKNOWN_TABLE,
                format!("Table does not exist: {}", ident.name),
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn column(&self, name: &str) -> Result<Option<&ScopeColumn>, SqlError> {
        let mut found = self.columns.iter().filter(|column| column.name == name);
        let first = found.next();
        if first.is_some() && found.next().is_some() {
            return Err(SqlError::new(
                code::AMBIGUOUS,
                format!("Column ambiguously defined: {name}"),
            ));
        }
        Ok(first)
    }

    pub(crate) fn use_column(&self, column: &ScopeColumn) -> Typed {
        let uses = if column.tag {
            self.tags_used.set(true);
            USES_TAGS
        } else {
            USES_DATA
        };
        Typed::new(column.sql.clone(), column.ty, uses)
    }

    /// `tbname`.
    pub(crate) fn table_name(&self) -> Result<Typed, SqlError> {
        let ty = ColType::sized(Ty::VarChar, 270);
        if let Some(name) = &self.tbname {
            return Ok(Typed::new(name.clone(), ty, USES_TAGS));
        }
        match &self.table {
            Some(table) if table.kind == TableKind::Normal => Ok(Typed::new(
                format!("'{}'", table.name.replace('\'', "''")),
                ty,
                USES_TAGS,
            )),
            Some(_) => {
                self.tags_used.set(true);
                Ok(Typed::new(format!("g{}.name", self.number), ty, USES_TAGS))
            }
            None => Err(SqlError::new(0x264C, "Invalid tbname pseudo column")),
        }
    }
}

/// Whether a column reference means the subtable's name.
pub(crate) fn is_tbname(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Column { name, .. } if name.name == "tbname" && !name.quoted)
}
