//! One statement of the library, by either of its two interfaces.

use std::ops::Range;
use std::sync::Arc;

use taos_query::common::Ty;
use taos_query::stmt::logic::{
    self, Bound, Dialect, Generation, Outline, Peer, Prepared, Rounds, rounds, slice, table_field,
};
use taos_query::stmt::{BindType, Stmt2Field};
use taos_query::util::generate_req_id;
use taos_query::version::Version;
use taos_query::{ErrorKind, RawError, RawResult};

use super::encode::{Form, Table};
use crate::client::Taos;
use crate::raw::result::NativeResult;
use crate::raw::statement::{self, Opening, Reader, Shape, Shared, Statement, alone};
use crate::raw::stmt::NativeStmt;
use crate::raw::stmt2::NativeStmt2;
use crate::raw::{blocking, error};
use crate::wait::{timed_out, within};

/// "Table does not exist", which a table that is not named yet causes too (taosadapter-ws §9.1).
const NO_TABLE: i32 = 0x022B;
/// Bytes of one column that the first generation gets at a time, as long as that is more than a row: at equal
/// distances one long value makes all others as long.
const STRIDED: usize = 16 << 20;

/// The data of an execution, divided by what types the columns go as.
pub(super) type Groups = Vec<(Vec<Ty>, Vec<Bound>)>;

/// A statement of the library. One that a call of has failed, or was given up, is closed.
#[derive(Debug)]
pub(super) struct Remote {
    taos: Taos,
    /// `None` while it is being called, and after that has failed.
    statement: Option<Shared>,
    /// Who reads its last result.
    reader: Option<Reader>,
    dialect: Dialect,
    /// Number of tags of each table, as another statement has told for this one.
    tags: usize,
    /// The library has its SQL.
    pub(super) prepared: bool,
    /// The session's database when that was prepared.
    pub(super) database: String,
}

impl Remote {
    pub(super) async fn open(taos: &Taos, opening: Opening) -> RawResult<Self> {
        let connection = Arc::clone(&taos.connection);
        let library = connection.library();
        let dialect = Dialect {
            peer: Peer::Library,
            generation: if statement::has_second(library) {
                Generation::Second
            } else {
                Generation::First
            },
            version: Version::parse(&library.version),
        };
        let work = move || Statement::open(connection, opening);
        let opened = blocked(taos, "opening a statement", work).await?;
        Ok(Self {
            taos: taos.clone(),
            statement: Some(opened),
            reader: None,
            dialect,
            tags: 0,
            prepared: false,
            database: String::new(),
        })
    }

    /// True if this can go on: no result of it is being read. What the library still fetches for a result that was
    /// given up is waited for, which is sooner done than another statement is prepared.
    pub(super) async fn serves(&mut self) -> bool {
        if let Some(reader) = self.reader.take() {
            let limit = self.taos.settings.read_timeout;
            within(limit, reader.gave_up()).await;
        }
        let counts = self.statement.as_ref().map(Arc::strong_count);
        counts == Some(1)
    }

    pub(super) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    async fn call<T: Send + 'static>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(&mut Shared) -> RawResult<T> + Send + 'static,
    ) -> RawResult<T> {
        let mut statement = self.statement.take().ok_or_else(|| {
            RawError::of(ErrorKind::Closed, "the statement was closed after an error")
        })?;
        let work = move || {
            let value = work(&mut statement)?;
            Ok((statement, value))
        };
        let (statement, value) = blocked(&self.taos, what, work).await?;
        self.statement = Some(statement);
        Ok(value)
    }

    /// Gives all data to the library and runs the statement. Gives the rows changed, and the result of a query.
    pub(super) async fn execute(
        &mut self,
        groups: Groups,
        insert: bool,
    ) -> RawResult<(usize, Option<NativeResult>)> {
        let form = match self.dialect.generation {
            Generation::First => Form::Strided,
            Generation::Second => Form::Packed {
                decimal_text: self.dialect.decimal_text(),
            },
        };
        let tags = self.tags;
        let work = move |shared: &mut Shared| {
            let statement = alone(shared)?;
            for (types, tables) in &groups {
                let form = Bind {
                    types,
                    form,
                    insert,
                    tags,
                };
                form.give(statement, tables)?;
            }
            drop(groups);
            let executed = match statement {
                Statement::First(stmt) => stmt.execute(),
                Statement::Second(stmt) => stmt.execute(),
            };
            let rows = if insert {
                executed.map_err(error::of_write)?
            } else {
                executed?
            };
            let result = (!insert).then(|| statement::result(shared)).transpose()?;
            Ok((rows, result))
        };
        let ended = self.call("executing a statement", work).await;
        let (rows, result) = ended.map_err(|error| match error.kind() {
            ErrorKind::Timeout if insert => error.with_outcome_unknown(),
            _ => error,
        })?;
        // The one call of a statement that no library answers by itself.
        self.taos.connection.heard(Ok(()));
        let (result, reader) = result.unzip();
        self.reader = reader;
        Ok((rows, result))
    }
}

/// Work that blocks, within the limit for answers.
async fn blocked<T: Send + 'static>(
    taos: &Taos,
    what: &'static str,
    work: impl FnOnce() -> RawResult<T> + Send + 'static,
) -> RawResult<T> {
    let limit = taos.settings.read_timeout;
    let ended = within(limit, blocking::run(work)).await;
    let ended = ended.unwrap_or_else(|| Err(timed_out(what, "read_timeout", limit)));
    if let Err(error) = &ended {
        taos.connection.heard(Err(error));
    }
    ended.map_err(explained)
}

/// An engine error leaves the statement broken, and a later call may tell only that it is (native-ffi §6.1).
fn explained(error: RawError) -> RawError {
    if !error.message().is_empty() {
        return error;
    }
    let words = error.code().text().unwrap_or("the library refused it");
    let explained = RawError::new(error.code(), words).with_kind(error.kind());
    if error.outcome_unknown() {
        explained.with_outcome_unknown()
    } else {
        explained
    }
}

/// The database that the session is in; empty if there is none, or if the library cannot tell.
pub(super) async fn current_database(taos: &Taos) -> RawResult<String> {
    let connection = Arc::clone(&taos.connection);
    let work = move || match connection.library().api.taos_get_current_db.found() {
        Some(_) => connection.database().map(Option::unwrap_or_default),
        None => Ok(String::new()),
    };
    blocked(taos, "asking for the current database", work).await
}

impl logic::Remote for Remote {
    type Stop = RawError;

    async fn prepare(&mut self, sql: &str, outline: &Outline) -> RawResult<Prepared> {
        let (sql, outline) = (sql.to_owned(), outline.clone());
        let work = move |shared: &mut Shared| match alone(shared)? {
            Statement::First(stmt) => prepare_first(stmt, &sql, &outline),
            Statement::Second(stmt) => prepare_second(stmt, &sql, &outline),
        };
        let prepared = self.call("preparing a statement", work).await?;
        self.prepared = true;
        self.tags = 0;
        Ok(prepared)
    }

    async fn fields_of(
        &mut self,
        sql: &str,
        outline: &Outline,
        (table, place): (&str, &str),
        probe: &mut Option<Self>,
    ) -> RawResult<Vec<Stmt2Field>> {
        if self.dialect.generation == Generation::First {
            let (table, tags) = (table.to_owned(), outline.tag_marks > 0);
            let work = move |shared: &mut Shared| match alone(shared)? {
                Statement::First(stmt) => {
                    stmt.set_table(&table)?;
                    fields_first(stmt, tags, true)
                }
                Statement::Second(stmt) => Ok(stmt.fields()?.1),
            };
            return self
                .call("asking for the fields of a statement", work)
                .await;
        }
        // A statement of its own, because this one may have been bound already.
        let mut other = match probe.take() {
            Some(probe) => probe,
            None => Self::open(&self.taos, Opening::new(generate_req_id())).await?,
        };
        let sql = outline.with_table(sql, place);
        let prepared = other.prepare(&sql, &Outline::of(&sql)).await?;
        *probe = Some(other);
        let mut fields = prepared.fields.unwrap_or_default();
        self.tags = Shape::of(&fields).tags;
        fields.insert(0, table_field());
        Ok(fields)
    }
}

fn prepare_second(stmt: &mut NativeStmt2, sql: &str, outline: &Outline) -> RawResult<Prepared> {
    stmt.prepare(sql)?;
    let insert = stmt.is_insert()?;
    let unknown = Prepared {
        insert,
        fields: None,
        count: None,
    };
    // Without a table there are no fields to tell, and asking for them is an error (taosadapter-ws §9.1).
    if insert && outline.needs_table() {
        return Ok(unknown);
    }
    match stmt.fields() {
        Ok((count, fields)) => Ok(Prepared {
            insert,
            fields: insert.then_some(fields),
            count: Some(count),
        }),
        Err(error) if insert && outline.table_mark && error.code() == NO_TABLE => {
            // Takes away what the question has broken (native-ffi §6.1).
            stmt.prepare(sql)?;
            Ok(unknown)
        }
        Err(error) => Err(error),
    }
}

fn prepare_first(stmt: &mut NativeStmt, sql: &str, outline: &Outline) -> RawResult<Prepared> {
    stmt.prepare(sql)?;
    let insert = stmt.is_insert()?;
    let fields = if insert && !outline.table_mark {
        Some(fields_first(stmt, outline.tag_marks > 0, false)?)
    } else {
        None
    };
    let count = if insert {
        fields.as_ref().map(Vec::len)
    } else {
        Some(stmt.params()?)
    };
    Ok(Prepared {
        insert,
        count,
        fields,
    })
}

/// The fields of a first-generation INSERT whose table is set.
fn fields_first(stmt: &mut NativeStmt, tags: bool, named: bool) -> RawResult<Vec<Stmt2Field>> {
    let mut fields = Vec::new();
    if named {
        fields.push(table_field());
    }
    if tags {
        fields.extend(stmt.fields(BindType::Tag)?);
    }
    fields.extend(stmt.fields(BindType::Column)?);
    Ok(fields)
}

/// How data is given to the library.
struct Bind<'a> {
    /// Those of the columns; empty for a query.
    types: &'a [Ty],
    form: Form,
    insert: bool,
    /// Number of tags, where another statement has told it.
    tags: usize,
}

impl Bind<'_> {
    /// Gives the data of these tables, no more rows at a time than the library takes.
    fn give(&self, statement: &mut Statement, tables: &[Bound]) -> RawResult<()> {
        let rounds: Rounds<'_> = rounds(tables);
        match statement {
            Statement::First(stmt) => {
                for (table, rows) in rounds.into_iter().flatten() {
                    let step = strided_rows(table);
                    for start in rows
                        .clone()
                        .step_by(step)
                        .chain(rows.is_empty().then_some(0))
                    {
                        let part = start..rows.end.min(start + step);
                        stmt.bind(&mut self.encoded(table, &part)?, self.insert)?;
                    }
                }
            }
            Statement::Second(stmt) => {
                let told = Shape {
                    tags: self.tags,
                    columns: self.types.len(),
                };
                for round in rounds {
                    let tables = round
                        .iter()
                        .map(|(table, rows)| self.encoded(table, rows))
                        .collect::<RawResult<_>>()?;
                    stmt.bind(tables, told)?;
                }
            }
        }
        Ok(())
    }

    fn encoded(&self, table: &Bound, rows: &Range<usize>) -> RawResult<Table> {
        let sliced = slice(&table.columns, rows);
        let columns = sliced.as_deref().unwrap_or(&table.columns);
        let (name, tags) = (table.name.as_deref(), &table.tags);
        Table::new(name, tags, columns, self.types, self.form)
    }
}

/// How many rows of this table the first generation gets at a time.
fn strided_rows(table: &Bound) -> usize {
    let widths = table
        .columns
        .iter()
        .filter(|view| view.as_ty().is_var_type());
    let widest = widths.map(|view| view.max_variable_length()).max();
    (STRIDED / widest.unwrap_or(0).max(1)).max(1)
}
