//! FROM: tables, system tables and queries as sources of rows.

use rusqlite::types::Value;
use taos_query::common::Precision;

use super::derived::Wanted;
use super::planner::Planner;
use super::scope::{Scope, ScopeColumn};
use super::types::ColType;
use super::{SystemTable, time};
use crate::sql::ast::{Ident, ObjectName, TableRef};
use crate::sql::{SqlError, code};

impl Planner<'_> {
    pub(crate) fn source(&mut self, from: Option<&TableRef>) -> Result<Scope, SqlError> {
        match from {
            None => Ok(Scope::empty(self.current_precision()?)),
            Some(TableRef::Join(join)) => self.join(join, Wanted::all(), None),
            Some(TableRef::Subquery { query, alias }) => {
                let planned = self.query(query)?;
                let number = self.next_number();
                let columns = planned
                    .columns
                    .iter()
                    .enumerate()
                    .map(|(index, column)| ScopeColumn {
                        name: column.name.clone(),
                        ty: ColType::of_result(column),
                        sql: format!("s{number}.q{index}"),
                        tag: false,
                    })
                    .collect();
                let mut scope = Scope::empty(planned.precision);
                scope.name = alias.as_ref().map(|alias| alias.name.clone());
                scope.columns = columns;
                scope.time = planned.time.map(|index| format!("s{number}.q{index}"));
                scope.from = Some(format!("({}) s{number}", planned.sql));
                scope.number = number;
                Ok(scope)
            }
            Some(TableRef::Table { name, alias }) => self.table(name, alias.as_ref()),
        }
    }

    fn current_precision(&self) -> Result<Precision, SqlError> {
        Ok(match &self.context.db {
            Some(db) => self.context.schema.database(db)?.unwrap_or_default(),
            None => Precision::default(),
        })
    }

    fn table(&mut self, name: &ObjectName, alias: Option<&Ident>) -> Result<Scope, SqlError> {
        let db = match (&name.db, &self.context.db) {
            (Some(db), _) => db.name.clone(),
            (None, Some(db)) => db.clone(),
            (None, None) => {
                return Err(SqlError::new(code::NO_DATABASE, "Database not specified"));
            }
        };
        let alias = alias.map(|alias| alias.name.clone());
        let number = self.next_number();
        if matches!(db.as_str(), "information_schema" | "performance_schema") {
            let table = self
                .context
                .schema
                .system_table(&db, &name.name.name)?
                .ok_or_else(SqlError::unknown_table)?;
            let alias = alias.unwrap_or_else(|| name.name.name.clone());
            return self.system_table(&table, alias, number);
        }
        if self.context.schema.database(&db)?.is_none() {
            return Err(SqlError::unknown_database());
        }
        let table = self
            .context
            .schema
            .table(&db, &name.name.name)?
            .ok_or_else(SqlError::unknown_table)?;
        Ok(Scope::of_table(table, alias, number))
    }

    /// Rows of a computed table travel as one JSON parameter, however many they are.
    fn system_table(
        &mut self,
        table: &SystemTable,
        alias: String,
        number: usize,
    ) -> Result<Scope, SqlError> {
        let rows: Vec<serde_json::Value> = table
            .rows
            .iter()
            .map(|row| serde_json::Value::Array(row.iter().map(as_json).collect()))
            .collect();
        let json = serde_json::Value::Array(rows).to_string();
        let param = self.param(Value::Text(json));
        let parts: Vec<String> = (0..table.columns.len())
            .map(|index| format!("value->>{index} AS q{index}"))
            .collect();
        let mut scope = Scope::empty(self.current_precision()?);
        scope.name = Some(alias);
        scope.columns = table
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| ScopeColumn {
                name: column.name.clone(),
                ty: ColType::of_column(column),
                sql: format!("s{number}.q{index}"),
                tag: false,
            })
            .collect();
        scope.from = Some(format!(
            "(SELECT {} FROM json_each({param})) s{number}",
            parts.join(", ")
        ));
        scope.number = number;
        Ok(scope)
    }

    /// Ticks of a width; `None` for months.
    pub(crate) fn ticks(
        width: crate::sql::ast::Width,
        precision: Precision,
    ) -> Result<Option<i64>, SqlError> {
        match width {
            crate::sql::ast::Width::Ticks(ticks) => Ok(Some(ticks)),
            crate::sql::ast::Width::Duration(duration) if duration.months().is_some() => Ok(None),
            crate::sql::ast::Width::Duration(duration) => {
                let unit = duration.unit.nanoseconds().unwrap_or(1);
                if unit.saturating_mul(duration.value) < time::tick(precision) {
                    return Ok(Some(0));
                }
                match duration.ticks(precision) {
                    Some(ticks) => Ok(Some(ticks)),
                    None => Err(SqlError::unsupported("an interval longer than all of time")),
                }
            }
        }
    }
}

fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(value) => (*value).into(),
        Value::Real(value) => (*value).into(),
        Value::Text(value) => value.as_str().into(),
        Value::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
    }
}
