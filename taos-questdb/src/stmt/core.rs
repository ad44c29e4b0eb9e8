//! What both generations of statements share.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use taos_query::block::ColumnView;
use taos_query::stmt::{BindType, Stmt2Field};
use taos_query::{ErrorKind, RawError, RawResult};

use super::query::Query;
use super::rows::Plan;
use super::sql::{Insert, is_insert, table_name, unsupported};
use super::table::{self, Column, Type};
use crate::client::Way;
use crate::ingress::Buffer;
use crate::qwp::egress::Bind;
use crate::{ResultSet, Taos};

pub(super) struct Core {
    taos: Taos,
    prepared: Option<Prepared>,
    /// Rows that were bound since the last execution.
    bound: Option<Buffer>,
    /// The values of a query.
    binds: Option<Vec<Bind>>,
    /// The rows of the last query, until they are taken.
    result: Mutex<Option<ResultSet>>,
    pub(super) affected: usize,
    pub(super) affected_once: usize,
}

pub(super) enum Prepared {
    Insert(Inserting),
    Query(Query),
}

pub(super) struct Inserting {
    insert: Insert,
    /// How rows are written, by table.
    plans: HashMap<String, Plan>,
    fields: Option<Vec<Stmt2Field>>,
}

impl Inserting {
    /// The table that is meant.
    fn table(&self, given: Option<&str>) -> RawResult<String> {
        match (&self.insert.table, given) {
            (Some(written), None) => Ok(written.clone()),
            (Some(written), Some(given)) => {
                if table_name(given)?.eq_ignore_ascii_case(written) {
                    return Ok(written.clone());
                }
                Err(out_of_order(format!(
                    "the INSERT names the table `{written}`; no other can be bound"
                )))
            }
            (None, Some(given)) => table_name(given),
            (None, None) => Err(out_of_order(
                "the INSERT has a `?` for the table, but none is given",
            )),
        }
    }
}

pub(super) fn out_of_order(text: impl Into<String>) -> RawError {
    RawError::of(ErrorKind::Config, text.into())
}

impl Core {
    pub(super) fn new(taos: &Taos) -> Self {
        Self {
            taos: Taos {
                shared: Arc::clone(&taos.shared),
            },
            prepared: None,
            bound: None,
            binds: None,
            result: Mutex::new(None),
            affected: 0,
            affected_once: 0,
        }
    }

    pub(super) fn describe<'f, 'a, 'b>(
        &self,
        f: &'f mut fmt::DebugStruct<'a, 'b>,
    ) -> &'f mut fmt::DebugStruct<'a, 'b> {
        let table = match &self.prepared {
            Some(Prepared::Insert(inserting)) => inserting.insert.table.as_deref(),
            _ => None,
        };
        f.field("prepared", &self.prepared.is_some())
            .field("table", &table)
            .field(
                "bound_rows",
                &self.bound.as_ref().map_or(0, Buffer::row_count),
            )
    }

    pub(super) fn prepared(&self) -> RawResult<&Prepared> {
        self.prepared.as_ref().ok_or_else(unprepared)
    }

    fn inserting(&self) -> RawResult<&Inserting> {
        match self.prepared()? {
            Prepared::Insert(inserting) => Ok(inserting),
            Prepared::Query(_) => Err(out_of_order("a query has no `?` for a table")),
        }
    }

    pub(super) fn is_insert(&self) -> Option<bool> {
        let prepared = self.prepared.as_ref()?;
        Some(matches!(prepared, Prepared::Insert(_)))
    }

    pub(super) fn fields(&self) -> Option<&[Stmt2Field]> {
        self.inserting().ok()?.fields.as_deref()
    }

    /// True if a bind came since the last execution.
    pub(super) const fn has_rows(&self) -> bool {
        self.bound.is_some() || self.binds.is_some()
    }

    /// Checks the name of a table that is to be bound.
    pub(super) fn check_table(&self, name: &str) -> RawResult<()> {
        let inserting = self.inserting()?;
        if inserting.insert.table.is_some() {
            return Err(out_of_order("the INSERT has no `?` for a table"));
        }
        inserting.table(Some(name)).map(drop)
    }

    /// The rows of an executed query, once.
    pub(super) fn take_result(&self) -> RawResult<ResultSet> {
        if self.is_insert() == Some(true) {
            return Err(out_of_order("an INSERT has no result set"));
        }
        self.prepared()?;
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        result.take().ok_or_else(|| {
            out_of_order("there is a result after an execution, and it can be taken once")
        })
    }

    pub(super) async fn prepare(&mut self, sql: &str) -> RawResult<()> {
        self.prepared = None;
        self.bound = None;
        self.binds = None;
        self.set_result(None);
        if matches!(self.taos.shared.way, Way::WebSocket(_)) && !is_insert(sql) {
            self.prepared = Some(Prepared::Query(Query::parse(sql)));
            return Ok(());
        }
        let insert = Insert::parse(sql)?;
        if matches!(self.taos.shared.way, Way::Tcp) {
            return Err(unsupported(
                "preparing an INSERT over TCP, where columns cannot be asked for (the DSN of HTTP is `questdb+http`)",
            ));
        }
        let mut inserting = Inserting {
            fields: None,
            plans: HashMap::new(),
            insert,
        };
        if let Some(table) = inserting.insert.table.clone() {
            let columns = table::columns(&self.taos, &table).await?;
            let plan = Plan::new(&inserting.insert, &table, &columns)?;
            inserting.fields = Some(fields(&inserting.insert, &columns));
            inserting.plans.insert(table, plan);
        }
        self.prepared = Some(Prepared::Insert(inserting));
        Ok(())
    }

    /// The tables that rows are written to.
    fn tables(&self) -> String {
        match &self.prepared {
            Some(Prepared::Insert(inserting)) => {
                let mut tables: Vec<&str> = inserting.plans.keys().map(String::as_str).collect();
                tables.sort_unstable();
                tables.join("`, `")
            }
            _ => String::new(),
        }
    }

    fn set_result(&self, result: Option<ResultSet>) {
        let mut slot = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *slot, result);
        drop(slot);
        drop(before);
    }

    /// Takes columns, each part with its table, or the one row of values of a query.
    pub(super) async fn bind(&mut self, parts: &[(Option<&str>, &[ColumnView])]) -> RawResult<()> {
        if let Prepared::Query(query) = self.prepared()? {
            return match parts {
                [(None, views)] => {
                    self.binds = Some(query.binds(views)?);
                    Ok(())
                }
                _ => Err(out_of_order(
                    "a query takes one set of values, and no table, for each execution",
                )),
            };
        }
        self.add(parts).await
    }

    /// Makes lines of the columns of each part, with its table; of all of them or none.
    async fn add(&mut self, parts: &[(Option<&str>, &[ColumnView])]) -> RawResult<()> {
        let Some(Prepared::Insert(prepared)) = &mut self.prepared else {
            return Err(unprepared());
        };
        let mut tables = Vec::with_capacity(parts.len());
        for (table, _) in parts {
            let table = prepared.table(*table)?;
            if !prepared.plans.contains_key(&table) {
                let columns = table::columns(&self.taos, &table).await?;
                let plan = Plan::new(&prepared.insert, &table, &columns)?;
                prepared.plans.insert(table.clone(), plan);
            }
            tables.push(table);
        }
        let mut buffer = match self.bound.take() {
            Some(buffer) => buffer,
            None => self.taos.shared.new_buffer().await?,
        };
        let before = buffer.row_count();
        buffer.set_marker()?;
        let written = tables
            .iter()
            .zip(parts)
            .filter_map(|(table, (_, views))| Some((prepared.plans.get(table)?, *views)))
            .try_for_each(|(plan, views)| plan.write(&mut buffer, views))
            .and_then(|()| self.taos.shared.check_size(&buffer, before));
        if written.is_err() {
            buffer.rewind_to_marker()?;
        }
        if written.is_ok() || before > 0 {
            self.bound = Some(buffer);
        }
        written
    }

    /// Sends what was bound. Afterwards nothing is bound, whatever came out.
    pub(super) async fn execute(&mut self) -> RawResult<usize> {
        self.affected_once = 0;
        self.set_result(None);
        let binds = self.binds.take();
        if let Prepared::Query(query) = self.prepared()? {
            let binds = match binds {
                Some(binds) => binds,
                None if query.marks == 0 => Vec::new(),
                None => return Err(nothing_bound()),
            };
            let result = self.taos.shared.query_bound(&query.sql, &binds).await?;
            self.set_result(Some(result));
            return Ok(0);
        }
        let Some(mut buffer) = self.bound.take() else {
            return Err(nothing_bound());
        };
        let rows = buffer.row_count();
        if rows > 0 {
            let sent = self.taos.shared.send(&mut buffer).await;
            sent.map_err(|error| table::explain(error, &self.tables()))?;
        }
        self.affected_once = rows;
        self.affected += rows;
        Ok(rows)
    }
}

fn nothing_bound() -> RawError {
    out_of_order("nothing was bound since the last execution: call `bind` first")
}

fn unprepared() -> RawError {
    out_of_order("nothing is prepared: call `prepare` first")
}

/// What each placeholder stands for.
fn fields(insert: &Insert, columns: &[Column]) -> Vec<Stmt2Field> {
    let named = |at: usize| match &insert.columns {
        Some(names) => {
            let name = names.get(at)?;
            columns.iter().find(|c| c.name.eq_ignore_ascii_case(name))
        }
        None => columns.get(at),
    };
    let marks = insert.values.iter().enumerate();
    marks
        .filter(|(_, item)| matches!(item, super::sql::Item::Mark))
        .filter_map(|(at, _)| named(at))
        .map(field)
        .collect()
}

fn field(column: &Column) -> Stmt2Field {
    let ty = column.ty.ty();
    let (precision, scale) = match column.ty {
        Type::Decimal(precision, scale) => (precision, scale),
        Type::Micros => (1, 0),
        Type::Nanos => (2, 0),
        _ => (0, 0),
    };
    let bytes = i32::try_from(ty.fixed_length()).unwrap_or_default();
    let id = i8::try_from(ty.as_u8()).unwrap_or_default();
    Stmt2Field::new(&column.name, id, precision, scale, bytes, BindType::Column)
}
