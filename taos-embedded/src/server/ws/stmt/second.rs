//! Statements of the second generation (taosadapter-ws §9).

use std::collections::BTreeMap;

use bytes::Bytes;
use taos_ws::protocol::{BindItem, Stmt2Bind, Stmt2Table};

use super::reply::{Done, Failure};
use super::state::{Outcome, State, Terms, add};
use crate::engine::{
    Batch, BoundTable, Held, Packed, Session, Shape, Source, SqlError, TableName, no_table_name,
};

/// Columns that were bound one by one, by their numbers.
pub(super) type Singles = BTreeMap<i32, Single>;

/// A column of some tables, in memory of its own.
pub(super) struct Single {
    tables: Vec<Stmt2Table>,
    held: Held,
}

impl Single {
    /// Copies the tables out of the frame that they came in, which may be far longer.
    fn new(tables: &[Stmt2Table], terms: Terms<'_>) -> Result<Self, SqlError> {
        let bytes = tables.iter().map(table_bytes).sum();
        let held = terms.room.take(bytes, terms.replaced)?;
        let mut tables = tables.to_vec();
        for table in &mut tables {
            for item in table.tags.iter_mut().chain(&mut table.columns) {
                item.is_null = Bytes::copy_from_slice(&item.is_null);
                item.buffer = Bytes::copy_from_slice(&item.buffer);
            }
        }
        Ok(Self { tables, held })
    }
}

fn table_bytes(table: &Stmt2Table) -> usize {
    let items = table.tags.iter().chain(&table.columns).map(|item| {
        let lengths = item.lengths.as_deref().map_or(0, size_of_val);
        size_of::<BindItem>() + item.is_null.len() + lengths + item.buffer.len()
    });
    size_of::<Stmt2Table>() + table.name.as_ref().map_or(0, String::len) + items.sum::<usize>()
}

const UNKNOWN_TABLE: u32 = 0x2603;

fn source(item: &BindItem) -> Source<'_> {
    Source::Packed(Packed {
        ty: item.known_type(),
        nulls: &item.is_null,
        lengths: item.lengths.as_deref(),
        data: &item.buffer,
    })
}

fn sources(items: &[BindItem]) -> Vec<Source<'_>> {
    items.iter().map(source).collect()
}

/// A list of fields asked for while the table is missing has a code of its own; the statement is
/// prepared all the same.
fn without_table(error: SqlError) -> Failure {
    if error.code != UNKNOWN_TABLE && error.code != no_table_name().code {
        return error.into();
    }
    Failure {
        breaks: false,
        ..Failure::engine(no_table_name().code, "Table does not exist")
    }
}

impl State {
    pub(super) fn prepare2(&mut self, sql: &str, get_fields: bool, session: &Session) -> Outcome {
        let is_insert = self.read_sql(sql, session)?;
        let prepared = self.prepared()?;
        let fields = match (is_insert, get_fields) {
            (true, true) => Some(session.shape(prepared, None).map_err(without_table)?.fields),
            _ => None,
        };
        let count = match &fields {
            Some(fields) => fields.len(),
            None if get_fields => prepared.placeholders(),
            None => 0,
        };
        Ok(Done::Prepared2 {
            is_insert,
            fields,
            count,
        })
    }

    pub(super) fn bind2(
        &mut self,
        bind: &Stmt2Bind,
        session: &Session,
        terms: Terms<'_>,
    ) -> Outcome {
        if bind.col_idx >= 0 {
            return self.bind_single(bind, session, terms);
        }
        if !self.prepared()?.is_insert() {
            let columns = bind
                .tables
                .first()
                .map_or(&[][..], |t| t.columns.as_slice());
            return self.bind_values(&sources(columns), terms);
        }
        self.bind_tables(&bind.tables, session, terms)
    }

    fn bind_tables(
        &mut self,
        tables: &[Stmt2Table],
        session: &Session,
        terms: Terms<'_>,
    ) -> Outcome {
        let prepared = self.prepared()?;
        let by_name = prepared
            .template()
            .is_some_and(|t| t.is_any_table() && !t.has_using());
        let mut shape = None;
        let mut batch = Batch::default();
        for table in tables {
            let name = table.name.as_deref().map(TableName::parse);
            if shape.is_none() || by_name {
                shape = Some(session.shape(prepared, name.as_ref())?);
            }
            if let Some(shape) = &shape {
                bind_table(session, shape, table, name.as_ref(), &mut batch, terms)?;
            }
        }
        self.batch.append(&mut batch);
        Ok(Done::Plain)
    }

    /// Keeps a column until all of them are there.
    fn bind_single(&mut self, bind: &Stmt2Bind, session: &Session, terms: Terms<'_>) -> Outcome {
        let prepared = self.prepared()?;
        let columns = match prepared.template() {
            Some(_) => {
                let first = self
                    .singles
                    .values()
                    .next()
                    .map_or(&bind.tables, |s| &s.tables);
                let first = first.first();
                let name = first.and_then(|t| t.name.as_deref()).map(TableName::parse);
                session.shape(prepared, name.as_ref())?.bound_columns
            }
            None => prepared.placeholders(),
        };
        if usize::try_from(bind.col_idx).is_ok_and(|at| at >= columns) {
            return Err(Failure::engine(0x0118, "Invalid parameters"));
        }
        let is_insert = prepared.is_insert();
        let before = self.singles.get(&bind.col_idx);
        let terms = Terms {
            replaced: before.map_or(0, |single| single.held.bytes()),
            ..terms
        };
        let single = Single::new(&bind.tables, terms)?;
        self.singles.insert(bind.col_idx, single);
        if self.singles.len() < columns {
            return Ok(Done::Plain);
        }
        let mut held = Held::default();
        let mut parts = std::mem::take(&mut self.singles)
            .into_values()
            .map(|single| {
                held.absorb(single.held);
                single.tables
            });
        let mut tables = parts.next().unwrap_or_default();
        for part in parts {
            if part.len() != tables.len() {
                return Err(Failure::engine(0x0200, "Invalid operation"));
            }
            for (table, column) in tables.iter_mut().zip(part) {
                table.columns.extend(column.columns);
            }
        }
        if is_insert {
            return self.bind_tables(&tables, session, terms);
        }
        let columns = tables.first().map_or(&[][..], |t| t.columns.as_slice());
        self.bind_values(&sources(columns), terms)
    }
}

fn bind_table(
    session: &Session,
    shape: &Shape,
    table: &Stmt2Table,
    name: Option<&TableName>,
    batch: &mut Batch,
    terms: Terms<'_>,
) -> Result<(), Failure> {
    let tags = match table.tags.as_slice() {
        [] => None,
        tags => Some(shape.tags(&sources(tags), &session.rules(shape, terms.decimal_text))?),
    };
    let columns = sources(&table.columns);
    let table = BoundTable {
        name,
        tags,
        columns: &columns,
    };
    add(session, shape, table, batch, terms)
}
