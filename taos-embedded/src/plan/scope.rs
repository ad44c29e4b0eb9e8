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

/// One source of a join, by the place of its columns.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    /// The name that qualifies its columns.
    pub(crate) name: Option<String>,
    /// Its columns among those of the join.
    pub(crate) columns: std::ops::Range<usize>,
    /// The time of its rows, as SQL.
    pub(crate) time: Option<String>,
    /// Which of its columns its time is.
    pub(crate) time_at: Option<usize>,
    /// The name of its subtables, as SQL.
    pub(crate) tbname: Option<String>,
    /// Its tags follow its columns behind `*`.
    pub(crate) is_super: bool,
    /// Aggregates of a window join are for each of its rows.
    pub(crate) drives: bool,
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
    /// The sources of a join, in the order of their columns; empty for any other source.
    pub(crate) sides: Vec<Side>,
    /// The number of the row that aggregates are for, as SQL: window joins have one.
    pub(crate) row: Option<String>,
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
            sides: Vec::new(),
            row: None,
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
            sides: Vec::new(),
            row: None,
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
            Some(ident) if !self.sides.is_empty() => self.side(ident).map(drop),
            Some(ident) if self.name.as_deref() != Some(ident.name.as_str()) => Err(SqlError::new(
                code::UNKNOWN_TABLE,
                format!("Table does not exist: {}", ident.name),
            )),
            _ => Ok(()),
        }
    }

    /// The source of a join that a qualifier means.
    pub(crate) fn side(&self, qualifier: &Ident) -> Result<&Side, SqlError> {
        let named = |side: &&Side| side.name.as_deref() == Some(qualifier.name.as_str());
        self.sides.iter().find(named).ok_or_else(|| {
            SqlError::new(
                code::UNKNOWN_TABLE,
                format!("Table does not exist: {}", qualifier.name),
            )
        })
    }

    /// The columns that a qualifier leaves.
    pub(crate) fn qualified(&self, qualifier: Option<&Ident>) -> Result<&[ScopeColumn], SqlError> {
        match qualifier {
            Some(ident) if !self.sides.is_empty() => {
                let range = self.side(ident)?.columns.clone();
                Ok(self.columns.get(range).unwrap_or_default())
            }
            _ => {
                self.qualify(qualifier)?;
                Ok(&self.columns)
            }
        }
    }

    /// The columns that `*` means, of one source if it is qualified.
    pub(crate) fn wildcard(
        &self,
        qualifier: Option<&Ident>,
    ) -> Result<Vec<&ScopeColumn>, SqlError> {
        if self.sides.is_empty() {
            let columns = self.qualified(qualifier)?.iter();
            return Ok(columns
                .filter(|column| !column.tag || self.is_super())
                .collect());
        }
        let only = qualifier.map(|ident| self.side(ident)).transpose()?;
        let sides = only.map_or_else(|| self.sides.iter().collect(), |side| vec![side]);
        let mut columns = Vec::new();
        for side in sides {
            let own = self.columns.get(side.columns.clone()).unwrap_or_default();
            columns.extend(own.iter().filter(|column| !column.tag || side.is_super));
        }
        Ok(columns)
    }

    pub(crate) fn column(&self, name: &str) -> Result<Option<&ScopeColumn>, SqlError> {
        self.find(None, name)
    }

    /// Whether a column is the same for all rows of a group because it belongs to the row that aggregates of a window
    /// join are for.
    pub(crate) fn drives(&self, typed: &Typed) -> bool {
        let own = |side: &Side| {
            let columns = self.columns.get(side.columns.clone()).unwrap_or_default();
            columns.iter().any(|column| column.sql == typed.sql)
                || side.tbname.as_ref() == Some(&typed.sql)
        };
        self.row.is_some() && self.sides.iter().filter(|side| side.drives).any(own)
    }

    /// A column by its name and the source it must come from.
    pub(crate) fn find(
        &self,
        qualifier: Option<&Ident>,
        name: &str,
    ) -> Result<Option<&ScopeColumn>, SqlError> {
        let columns = self.qualified(qualifier)?;
        let mut found = columns.iter().filter(|column| column.name == name);
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

    /// `tbname`, of one source of a join if it is qualified.
    pub(crate) fn table_name_of(&self, qualifier: Option<&Ident>) -> Result<Typed, SqlError> {
        let (Some(ident), false) = (qualifier, self.sides.is_empty()) else {
            return self.table_name();
        };
        match &self.side(ident)?.tbname {
            Some(name) => Ok(Typed::new(
                name.clone(),
                ColType::sized(Ty::VarChar, 270),
                USES_TAGS,
            )),
            None => Err(SqlError::new(0x264C, "Invalid tbname pseudo column")),
        }
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

/// Whether a column reference is a window's own column.
pub(crate) fn is_window_column(expr: &Expr) -> bool {
    pseudo(expr, &["_wstart", "_wend", "_wduration"])
}

/// Whether a column reference means the time range of the query.
pub(crate) fn is_query_range(expr: &Expr) -> bool {
    pseudo(expr, &["_qstart", "_qend", "_qduration"])
}

fn pseudo(expr: &Expr, names: &[&str]) -> bool {
    matches!(&expr.kind, ExprKind::Column { name, .. }
        if !name.quoted && names.contains(&name.name.as_str()))
}
