//! Statements with placeholders, and what is bound to them.

use std::sync::Arc;
use std::time::Instant;

use super::session::Session;
use super::{Answer, SqlError};
use crate::clock;
use crate::exec::TableRows;
use crate::exec::bound::{
    Held, RawBlockRows, Room, Rules, Shape, Source, TableName, Tags, Template, bad_rows,
};
use crate::meta::NewTable;
use crate::metrics::Kind as Counted;
use crate::sql::ast::{ExprKind, Query, Statement};
use crate::sql::{code, parse};
use crate::store::INTERNAL;

/// A statement that was read once and is run with what is bound to it.
#[derive(Debug)]
pub(crate) struct Prepared {
    kind: Kind,
    /// The database that was chosen then.
    db: Option<String>,
}

#[derive(Debug)]
enum Kind {
    Insert(Box<Template>),
    Query {
        sql: String,
        query: Box<Query>,
        placeholders: usize,
    },
}

/// Rows that were bound and are not yet written.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    tables: Vec<TableRows>,
    held: Held,
    /// The rows are those of a message of a topic.
    is_replay: bool,
}

impl Batch {
    pub(crate) const fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Memory that the rows take, about.
    pub(crate) const fn bytes(&self) -> usize {
        self.held.bytes()
    }

    /// Takes the other's rows behind its own.
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.tables.append(&mut other.tables);
        self.held.absorb(std::mem::take(&mut other.held));
    }
}

/// Values for one table.
#[derive(Debug, Clone)]
pub(crate) struct BoundTable<'a> {
    pub(crate) name: Option<&'a TableName>,
    /// `None` if no tags were bound at all.
    pub(crate) tags: Option<Tags>,
    pub(crate) columns: &'a [Source<'a>],
}

impl Prepared {
    pub(crate) const fn is_insert(&self) -> bool {
        matches!(self.kind, Kind::Insert(_))
    }

    /// The INSERT, if it is one.
    pub(crate) const fn template(&self) -> Option<&Template> {
        match &self.kind {
            Kind::Insert(template) => Some(template),
            Kind::Query { .. } => None,
        }
    }

    /// Number of placeholders.
    pub(crate) fn placeholders(&self) -> usize {
        match &self.kind {
            Kind::Insert(template) => template.placeholders(),
            Kind::Query { placeholders, .. } => *placeholders,
        }
    }
}

impl Session {
    /// Reads a statement with placeholders.
    ///
    /// # Errors
    /// Syntax errors; 0x2600 for what is neither SELECT nor INSERT.
    pub(crate) fn prepare(&self, sql: &str) -> Result<Prepared, SqlError> {
        let kind = match parse(sql)? {
            Statement::Insert(insert) => Kind::Insert(Box::new(Template::new(sql, insert)?)),
            Statement::Query(mut query) => {
                let mut placeholders = 0;
                query.each_placeholder(&mut |_, _| placeholders += 1);
                Kind::Query {
                    sql: sql.to_owned(),
                    query,
                    placeholders,
                }
            }
            _ => {
                return Err(SqlError::new(
                    code::SYNTAX,
                    "stmt only support select or insert",
                ));
            }
        };
        Ok(Prepared {
            kind,
            db: self.current_db(),
        })
    }

    fn template<'a>(&self, prepared: &'a Prepared) -> Result<&'a Template, SqlError> {
        prepared
            .template()
            .ok_or_else(|| SqlError::new(INTERNAL, "rows were bound to a query"))
    }

    /// Looks up what the placeholders of an INSERT stand for; `name` is the table, if it is one
    /// of them and known.
    ///
    /// # Errors
    /// 0x2603 for a missing table, 0x022B if the table must be known, and those of INSERT.
    pub(crate) fn shape(
        &self,
        prepared: &Prepared,
        name: Option<&TableName>,
    ) -> Result<Shape, SqlError> {
        let template = self.template(prepared)?;
        self.exec_in(prepared.db.as_deref(), &template.sql)?
            .shape(template, name)
    }

    /// True if a table has not changed since its shape was looked up.
    pub(crate) fn is_current(&self, shape: &Shape) -> bool {
        shape.is_current(&self.catalog())
    }

    /// The rules that values for a table of this shape are read under.
    pub(crate) fn rules(&self, shape: &Shape, decimal_text: bool) -> Rules {
        Rules {
            precision: shape.precision(),
            zone: self.timezone(),
            now: clock::nanos(),
            decimal_text,
        }
    }

    /// Adds values for one table to a batch; they take their memory of `room`, to which `replaced` bytes
    /// will come back.
    ///
    /// # Errors
    /// As taosadapter-ws §9.4 lists them; 0xffff if they are too many.
    pub(crate) fn bind(
        &self,
        shape: &Shape,
        table: BoundTable<'_>,
        rules: &Rules,
        (room, replaced): (&Arc<Room>, usize),
        batch: &mut Batch,
    ) -> Result<(), SqlError> {
        let rows = table.columns.first().map_or(1, Source::rows);
        let texts = table.columns.iter().map(Source::text_bytes).sum::<usize>();
        let name = table.name.map_or(0, TableName::bytes);
        let tags = table.tags.as_ref().map_or(0, Tags::bytes);
        let bytes = shape.cost(rows).saturating_add(texts + name + tags);
        let held = room.take(bytes, replaced)?;
        let exec = self.exec("")?;
        let rows = exec.bind(shape, table.name, table.tags, table.columns, rules)?;
        batch.tables.push(rows);
        batch.held.absorb(held);
        Ok(())
    }

    /// Writes what was bound, all or nothing, and says how many rows that were; they are durable
    /// then. `sql` is what the log calls it.
    ///
    /// # Errors
    /// 0x2603 if a table has gone since, 0x0200 if its columns have, and those of the storage.
    pub(crate) fn write_batch(&self, batch: Batch, sql: &str) -> Result<u64, SqlError> {
        let mut tables = Arc::new(batch.tables);
        let is_replay = batch.is_replay;
        let mut overtaken = false;
        self.counting_rows(Counted::Insert, sql, || {
            self.retrying(false, || {
                if overtaken {
                    self.renew(&mut tables)?;
                }
                overtaken = true;
                self.exec("")?.write_bound(&tables, is_replay)
            })
        })
    }

    /// Makes subtables that are missing and writes raw blocks, all or nothing; `is_replay` if a message of a
    /// topic brought them.
    ///
    /// # Errors
    /// 0x2603 for a missing table, 0x0118 for columns that do not fit it.
    pub(crate) fn write_raw_blocks(
        &self,
        new: &[NewTable],
        blocks: &[RawBlockRows<'_>],
        is_replay: bool,
    ) -> Result<u64, SqlError> {
        let exec = self.exec("")?;
        let mut batch = Batch {
            is_replay,
            ..Batch::default()
        };
        for table in new {
            batch.tables.extend(exec.new_child(table)?);
        }
        for raw in blocks {
            let (rows, held) = exec.raw_rows(raw)?;
            batch.tables.extend(rows);
            batch.held.absorb(held);
        }
        if batch.is_empty() {
            return Ok(0);
        }
        self.write_batch(batch, "(raw blocks)")
    }

    fn renew(&self, tables: &mut Arc<Vec<TableRows>>) -> Result<(), SqlError> {
        let tables = Arc::get_mut(tables)
            .ok_or_else(|| SqlError::new(INTERNAL, "the writer still holds the rows"))?;
        let exec = self.exec("")?;
        tables.iter_mut().try_for_each(|rows| exec.renew(rows))
    }

    /// Runs a prepared query with a value for each placeholder, or an INSERT without any, in the database
    /// that was chosen when it was prepared.
    ///
    /// # Errors
    /// 0x0236 for a wrong number of values or rows, and those of the query.
    pub(crate) fn run_prepared(
        &self,
        prepared: &Prepared,
        values: &[ExprKind],
    ) -> Result<Answer, SqlError> {
        if values.len() != prepared.placeholders() {
            return Err(bad_rows());
        }
        let db = prepared.db.as_deref();
        let started = Instant::now();
        match &prepared.kind {
            Kind::Insert(template) => self.counting(Counted::Insert, started, || {
                self.run_in(db, &template.sql, &parse(&template.sql)?)
            }),
            Kind::Query { sql, query, .. } => {
                let mut query = query.clone();
                query.each_placeholder(&mut |number, kind| {
                    let value = usize::try_from(number).ok().and_then(|n| values.get(n));
                    if let Some(value) = value {
                        *kind = value.clone();
                    }
                });
                self.counting(Counted::Select, started, || {
                    self.run_in(db, sql, &Statement::Query(query))
                })
            }
        }
    }
}

/// The literals of a query's parameters, each of one row.
///
/// # Errors
/// 0x0236 for another number of rows, and those of [`Source::literal`].
pub(crate) fn literals(columns: &[Source<'_>]) -> Result<Vec<ExprKind>, SqlError> {
    if columns.iter().any(|source| source.rows() != 1) {
        return Err(bad_rows());
    }
    columns.iter().map(Source::literal).collect()
}
