use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Handle;

use super::options::Options;
use super::pipeline::{Shared, Worker, work};
use super::plan::Table;
use super::time::Clock;
use super::writer::Inserter;
use crate::error::{ErrorKind, RawError, RawResult};
use crate::helpers::quote_name;
use crate::stmt::Stmt2AsyncBindable;
use crate::{AsyncFetchable, AsyncQueryable, AsyncStatements};

/// Connections that write records in batches; every one that has statements does.
pub trait AsyncInsertable: AsyncStatements {
    /// Prepares to write records of `T` into a table or super table, given as `table` or
    /// `database.table`. A table without a database is the one of the database in use when the
    /// inserter is opened, also if another is used later. Nothing is sent before [`open`](InserterBuilder::open).
    fn inserter<T: Serialize>(&self, table: &str) -> InserterBuilder<'_, Self, T> {
        InserterBuilder {
            taos: self,
            table: table.to_owned(),
            options: Options::default(),
            row: PhantomData,
        }
    }
}

impl<Q: AsyncStatements> AsyncInsertable for Q {}

/// The options of an [`Inserter`].
#[must_use = "an inserter is made by `open`"]
pub struct InserterBuilder<'a, Q, T> {
    taos: &'a Q,
    table: String,
    options: Options,
    row: PhantomData<fn() -> T>,
}

impl<Q, T> InserterBuilder<'_, Q, T> {
    /// A batch leaves with this many rows; 10,000 unless set. One that has 32,760 rows of a single
    /// table leaves at any rate, as servers take no more of them at once.
    pub const fn max_rows(mut self, rows: usize) -> Self {
        self.options.max_rows = rows;
        self
    }

    /// A batch leaves with about this many bytes; 8 MiB unless set.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.options.max_bytes = bytes;
        self
    }

    /// A batch leaves when its first row is this old, also if no call is made; a second unless
    /// set. `None` leaves it to the other limits and to [`flush`](Inserter::flush).
    pub fn max_delay(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.options.max_delay = delay.into();
        self
    }

    /// Connections that write at the same time; 1 unless set, which is the one at hand. The others
    /// are opened from its DSN. With more than one, batches may overtake each other.
    pub const fn connections(mut self, connections: usize) -> Self {
        self.options.connections = connections;
        self
    }

    /// Batches that may wait or be executed beside the one that is being filled; two for each
    /// connection unless set. This bounds the memory.
    pub const fn max_in_flight(mut self, batches: usize) -> Self {
        self.options.max_in_flight = Some(batches);
        self
    }
}

impl<Q, T> InserterBuilder<'_, Q, T>
where
    Q: AsyncStatements<Stmt2: 'static> + 'static,
    T: Serialize,
{
    /// Asks the server for the columns of the table, opens the connections, and starts the tasks
    /// that send batches; they end with the inserter.
    ///
    /// # Errors
    /// An option outside its range, no table of this name, no tokio runtime around the call, and
    /// as connecting.
    ///
    /// # Cancel safety
    /// Dropping the future closes what was opened.
    pub fn open(self) -> impl Future<Output = RawResult<Inserter<T>>> + Send {
        let Self {
            taos,
            table,
            options,
            ..
        } = self;
        async move {
            options.check()?;
            let runtime = Handle::try_current().map_err(|error| {
                RawError::of(ErrorKind::Config, "an inserter needs a tokio runtime")
                    .with_source(error)
            })?;
            let table = describe(taos, table).await?;
            let mut statements = vec![(None, Q::Stmt2::init(taos).await?)];
            for _ in 1..options.connections {
                let sibling = taos.sibling().await?;
                let stmt = Q::Stmt2::init(&sibling).await?;
                statements.push((Some(sibling), stmt));
            }
            let shared = Arc::new(Shared::new(options, statements.len()));
            let mut workers = Vec::with_capacity(statements.len());
            for (connection, stmt) in statements {
                let worker = Worker(Arc::clone(&shared));
                workers.push(runtime.spawn(async move {
                    work::<Q, _>(worker, stmt).await;
                    // A connection of its own must not close before its statement.
                    drop(connection);
                }));
            }
            let timer = options.max_delay.map(|_| {
                let shared = Arc::clone(&shared);
                runtime.spawn(async move { shared.watch_the_clock().await })
            });
            Ok(Inserter::new(shared, table, workers, timer))
        }
    }
}

async fn describe<Q: AsyncQueryable>(taos: &Q, name: String) -> RawResult<Table> {
    let about = |error: RawError| error.context(format!("table `{name}`"));
    let capabilities = taos.capabilities();
    let mut sql_name = capabilities.dialect.table(&name)?;
    if capabilities.databases && !sql_name.contains("`.`") {
        // The connection may go to another database later, and other connections start in the DSN's.
        let database = taos.query_one::<_, Option<String>>("select database()");
        if let Some(database) = database.await.map_err(about)?.flatten() {
            sql_name = format!("{}.{sql_name}", quote_name(&database)?);
        }
    }
    let describe = taos.describe(&sql_name).await.map_err(about)?;
    let queried = capabilities.dialect.name(&sql_name).map_err(about)?;
    // Only the result of a query says what the ticks of the database are.
    let times = taos
        .query(format!("select * from {queried} limit 0"))
        .await
        .map_err(about)?;
    Ok(Table {
        name,
        sql_name,
        describe,
        clock: Clock {
            precision: times.precision(),
            zone: times.timezone(),
        },
    })
}
