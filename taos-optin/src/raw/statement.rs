//! One statement of either generation, closed where that may block.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::oneshot::{Receiver, Sender, channel};

use taos_query::stmt::{BindType, Stmt2Field};
use taos_query::version::Version;
use taos_query::writes::wrong;
use taos_query::{ErrorKind, RawError, RawResult};

use super::connection::Connection;
use super::reaper;
use super::result::{NativeResult, Owner, Reading};
use super::stmt::NativeStmt;
use super::stmt2::NativeStmt2;
use crate::ffi::{Library, TaosRes};
use crate::stmt::encode::Table;

/// First version whose results of second-generation statements belong to who asked for them (native-ffi §6.2).
const OWN_RESULTS: Version = Version::new([3, 4, 0, 1]);

/// How a statement is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) req_id: u64,
    /// All tables belong to one super table.
    pub(crate) single_stb_insert: bool,
    /// Each table is bound once for each execution.
    pub(crate) single_table_bind_once: bool,
}

impl Opening {
    /// Promises nothing about the tables.
    pub(crate) const fn new(req_id: u64) -> Self {
        Self {
            req_id,
            single_stb_insert: false,
            single_table_bind_once: false,
        }
    }
}

/// How many binds the library reads of each table. It is told of none how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) tags: usize,
    /// Or parameters of a query.
    pub(crate) columns: usize,
}

impl Shape {
    /// As these fields say, which the library has told.
    pub(crate) fn of(fields: &[Stmt2Field]) -> Self {
        let count = |wanted: fn(BindType) -> bool| {
            let kinds = fields.iter().map(|field| field.bind_type);
            kinds.filter(|kind| wanted(*kind)).count()
        };
        Self {
            tags: count(|kind| kind == BindType::Tag),
            columns: count(|kind| !matches!(kind, BindType::Tag | BindType::TableName)),
        }
    }

    /// Refuses what the library would read beyond.
    pub(super) fn check(self, table: &Table) -> RawResult<()> {
        for (what, reads, given) in [
            ("tags", self.tags, table.tags.len()),
            ("columns", self.columns, table.columns.len()),
        ] {
            if reads != given {
                return Err(wrong(format!(
                    "the client library takes {reads} {what} here, but {given} were bound; if the table has changed, \
                     prepare the statement again"
                )));
            }
        }
        let rows = table.columns.first().map(|column| column.rows);
        if table.columns.iter().any(|column| Some(column.rows) != rows) {
            return Err(wrong("the bound columns are not of the same length"));
        }
        Ok(())
    }
}

/// A value that is dropped where that may block.
pub(crate) struct Deferred<T: Send + 'static>(ManuallyDrop<T>);

impl<T: Send + 'static> Deferred<T> {
    const fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }
}

impl<T: Send + 'static> Deref for Deferred<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + 'static> DerefMut for Deferred<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Send + 'static> Drop for Deferred<T> {
    fn drop(&mut self) {
        // SAFETY: this is the only place that takes it, and nobody can look at `self` afterwards.
        let value = unsafe { ManuallyDrop::take(&mut self.0) };
        reaper::run(move || drop(value));
    }
}

/// A statement by the interface that the library has for it.
pub(crate) enum Statement {
    First(NativeStmt),
    Second(NativeStmt2),
}

/// What statement and result share. Only who has it alone can call the library through it, so no call is made while a
/// result of it is being read.
pub(crate) type Shared = Arc<Deferred<Statement>>;

impl fmt::Debug for Deferred<Statement> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match **self {
            Statement::First(_) => "First",
            Statement::Second(_) => "Second",
        })
    }
}

/// True if the library's statements of the second generation can be relied on.
pub(crate) fn has_second(library: &Library) -> bool {
    library.api.taos_stmt2_init.found().is_some()
        && Version::parse(&library.version) >= Version::STMT2
}

impl Statement {
    /// Opens a statement, of the second generation if the library has it. Blocks.
    ///
    /// # Errors
    /// The library's.
    pub(crate) fn open(connection: Arc<Connection>, opening: Opening) -> RawResult<Shared> {
        let statement = if has_second(connection.library()) {
            Self::Second(NativeStmt2::open(connection, opening)?)
        } else {
            Self::First(NativeStmt::open(connection, opening.req_id)?)
        };
        Ok(Arc::new(Deferred::new(statement)))
    }

    fn raw_result(&mut self) -> RawResult<(Arc<Connection>, *mut TaosRes, Owner)> {
        match self {
            Self::First(stmt) => Ok((
                stmt.connection().clone(),
                stmt.use_result()?,
                Owner::Statement,
            )),
            Self::Second(stmt) => {
                let connection = stmt.connection().clone();
                let version = Version::parse(&connection.library().version);
                let owner = if version >= OWN_RESULTS {
                    Owner::Us
                } else {
                    Owner::Statement
                };
                Ok((connection, stmt.result()?, owner))
            }
        }
    }
}

/// Lets a statement be called.
///
/// # Errors
/// While a result of it is being read.
pub(crate) fn alone(shared: &mut Shared) -> RawResult<&mut Statement> {
    let statement = Arc::get_mut(shared).ok_or_else(|| {
        RawError::of(
            ErrorKind::Config,
            "a result of this statement is still being read",
        )
    })?;
    Ok(&mut **statement)
}

/// Who has the result of a statement.
#[derive(Debug)]
pub(crate) struct Reader {
    /// Ends when the user drops the result.
    held: Receiver<()>,
    /// Ends when the library has done with it too.
    kept: Receiver<()>,
}

impl Reader {
    /// Waits until the library has done with a result that the user has dropped; not at all if the user has it still.
    pub(crate) async fn gave_up(mut self) {
        if self.held.try_recv() == Err(TryRecvError::Closed) {
            // Nothing is sent: it is the end that counts.
            let _ = self.kept.await;
        }
    }
}

/// What a result holds of its statement. The statement is let go before that is told.
struct Keeper {
    _statement: Shared,
    _kept: Sender<()>,
}

/// The result of an executed query, which keeps the statement open. Blocks.
///
/// # Errors
/// The library's.
pub(crate) fn result(shared: &mut Shared) -> RawResult<(NativeResult, Reader)> {
    let (connection, res, owner) = alone(shared)?.raw_result()?;
    let (in_result, held) = channel();
    let (in_keeper, kept) = channel();
    let keeper = Arc::new(Keeper {
        _statement: Arc::clone(shared),
        _kept: in_keeper,
    });
    // SAFETY: the library has just given it to us alone. The statement can be called by nobody while `keeper` lives
    // (`alone`), and is closed after it, so the result stays even where it is the statement's.
    let result =
        unsafe { NativeResult::adopt(connection, res, owner, Reading::Ahead, Some(keeper)) }?;
    Ok((result.with_sign(in_result), Reader { held, kept }))
}
