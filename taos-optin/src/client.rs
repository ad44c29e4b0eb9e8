//! Connections, and the results of their statements.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono_tz::Tz;
use futures_util::Stream;
use futures_util::stream;
use taos_query::common::{Field, Precision};
use taos_query::util::{generate_req_id, pause};
use taos_query::{
    AsyncFetchable, AsyncQueryable, AsyncStatements, Capabilities, ConnectionState, ErrorKind,
    PollBlock, RawBlock, RawError, RawMeta, RawResult, SmlData,
};

use crate::ffi::Library;
use crate::raw::connection::Connection;
use crate::raw::result::{self, NativeResult, Reading};
use crate::raw::{blocking, error};
use crate::settings::Settings;
use crate::wait::{Limit, timed_out, within};
use crate::{Stmt, Stmt2};

/// A failed try to connect that took as long is not made again.
const LONGEST_TRY: Duration = Duration::from_secs(2);

/// A connection through the client library.
///
/// Any number of statements may be under way at a time. The library itself connects again when the connection was lost.
///
/// # Cancel safety
/// Every future may be dropped at any point; the connection stays usable.
#[derive(Debug, Clone)]
pub struct Taos {
    pub(crate) connection: Arc<Connection>,
    pub(crate) settings: Arc<Settings>,
}

impl Taos {
    /// Connects, again if that fails for a passing reason.
    pub(crate) async fn connect(settings: Arc<Settings>) -> RawResult<Self> {
        let limit = settings.conn_timeout;
        let connected = within(limit, Self::connect_in_tries(&settings)).await;
        let connection = connected.unwrap_or_else(|| {
            let what = format!("the call to connect to {}", settings.address());
            Err(timed_out(&what, "conn_total_timeout", limit))
        })?;
        Ok(Self {
            connection: Arc::new(connection),
            settings,
        })
    }

    async fn connect_in_tries(settings: &Arc<Settings>) -> RawResult<Connection> {
        let mut nth = 0;
        loop {
            let begun = Instant::now();
            let settings_of_try = Arc::clone(settings);
            let connected = blocking::run(move || {
                let library = Library::open(settings_of_try.library_path.as_deref())?;
                library.configure(settings_of_try.config_dir.as_deref())?;
                Connection::open(library, &settings_of_try.connect_args()?)
            });
            match connected.await {
                // A library that took its time has tried more than once already.
                Err(error) if begun.elapsed() < LONGEST_TRY => {
                    repeated(settings, &mut nth, error, false).await?;
                }
                connected => return connected,
            }
        }
    }

    /// Runs a statement, again if that fails for a passing reason.
    async fn statement(&self, sql: &str, req_id: u64, reading: Reading) -> RawResult<ResultSet> {
        if sql.trim_ascii().is_empty() {
            return Err(RawError::of(ErrorKind::Config, "the statement is empty"));
        }
        let limit = self.settings.read_timeout;
        let writes = !reads(sql);
        let mut nth = 0;
        loop {
            let query = result::query(&self.connection, sql, req_id, reading)?;
            let error = match within(limit, query).await {
                Some(Ok(result)) => return Ok(ResultSet::new(result, &self.settings)),
                Some(Err(error)) => error,
                None => timed_out("a statement", "read_timeout", limit),
            };
            let error = if writes {
                error::of_write(error)
            } else {
                error
            };
            repeated(&self.settings, &mut nth, error, writes).await?;
        }
    }

    /// The state of the connection, as the last answer tells it. It costs nothing to ask.
    pub fn connection_state(&self) -> ConnectionState {
        self.connection.state()
    }

    /// The present state of the connection and then each change, until it is closed.
    ///
    /// The stream does not keep the connection open. One who reads it slowly misses changes, but not the last.
    pub fn connection_events(&self) -> impl Stream<Item = ConnectionState> + Send + use<> {
        let mut changes = self.connection.watch();
        changes.mark_changed();
        stream::unfold(Some(changes), |changes| async move {
            let mut changes = changes?;
            if changes.changed().await.is_err() {
                return Some((ConnectionState::Closed, None));
            }
            let state = changes.borrow_and_update().clone();
            Some((state, Some(changes)))
        })
    }

    /// The version of the client library, as in "3.3.7.5".
    pub fn library_version(&self) -> &str {
        &self.connection.library().version
    }

    /// Where the client library was found.
    pub fn library_path(&self) -> &str {
        &self.connection.library().path
    }
}

/// True for a statement that changes nothing, by its first word.
fn reads(sql: &str) -> bool {
    let word = sql
        .trim_ascii_start()
        .split(|c: char| !c.is_ascii_alphabetic())
        .next();
    ["select", "show", "describe", "desc", "explain"]
        .iter()
        .any(|read| word.is_some_and(|word| word.eq_ignore_ascii_case(read)))
}

/// Waits until a call may be made again.
///
/// # Errors
/// The error, if another try would not help or do harm, or there were enough.
pub(crate) async fn repeated(
    settings: &Settings,
    nth: &mut u32,
    error: RawError,
    writes: bool,
) -> RawResult<()> {
    if !error::is_passing(&error, writes) {
        return Err(error);
    }
    *nth += 1;
    let Some(length) = settings.pause(*nth) else {
        return Err(error);
    };
    tracing::debug!(%error, nth = *nth, "trying again");
    pause(length).await;
    Ok(())
}

impl AsyncQueryable for Taos {
    type AsyncResultSet = ResultSet;

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::TDENGINE;
        // The library mends its lines by itself, and tells of a break by the error of a call.
        capabilities.lasting_connections = false;
        capabilities
    }

    async fn query_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        req_id: u64,
    ) -> RawResult<ResultSet> {
        self.statement(sql.as_ref(), req_id, Reading::Ahead).await
    }

    async fn query_first_block<T: AsRef<str> + Send + Sync>(&self, sql: T) -> RawResult<ResultSet> {
        self.statement(sql.as_ref(), generate_req_id(), Reading::FirstBlock)
            .await
    }

    async fn put(&self, data: &SmlData) -> RawResult<()> {
        self.write_lines(data).await
    }

    async fn write_raw_meta(&self, meta: &RawMeta) -> RawResult<()> {
        self.write_message(meta).await
    }

    async fn write_raw_block_with_req_id(&self, block: &RawBlock, req_id: u64) -> RawResult<()> {
        self.write_block(block, req_id).await
    }

    async fn table_vgroup_id(&self, db: &str, table: &str) -> Option<i32> {
        self.vgroup_of(db, table).await
    }

    async fn tables_vgroup_ids<T: AsRef<str> + Sync>(
        &self,
        db: &str,
        tables: &[T],
    ) -> Option<Vec<i32>> {
        let tables: Vec<&str> = tables.iter().map(AsRef::as_ref).collect();
        self.vgroups_of(db, &tables).await
    }
}

impl AsyncStatements for Taos {
    type Stmt = Stmt;
    type Stmt2 = Stmt2;

    async fn sibling(&self) -> RawResult<Self> {
        Self::connect(Arc::clone(&self.settings)).await
    }
}

/// The result of a statement: its columns, and its rows block by block.
///
/// While one block is being read, the next is already on its way.
#[derive(Debug)]
pub struct ResultSet {
    fields: Arc<[Field]>,
    blocks: Blocks,
}

/// The part that moves.
#[derive(Debug)]
struct Blocks {
    fields: Arc<[Field]>,
    timezone: Option<Tz>,
    precision: Precision,
    affected_rows: i64,
    digits: (Vec<i64>, Vec<i64>),
    /// Until its end.
    result: Option<NativeResult>,
    limit: Limit,
    taken: (usize, usize),
}

impl ResultSet {
    pub(crate) fn new(result: NativeResult, settings: &Settings) -> Self {
        let fields = result.fields();
        let digits = result
            .columns()
            .map(|columns| (columns.precisions.clone(), columns.scales.clone()))
            .unwrap_or_default();
        Self {
            fields: Arc::clone(&fields),
            blocks: Blocks {
                fields,
                timezone: settings.timezone,
                precision: result.precision(),
                affected_rows: result.affected_rows(),
                digits,
                result: Some(result),
                limit: Limit::new(settings.read_timeout),
                taken: (0, 0),
            },
        }
    }

    /// Decimal precision of each column, 0 for other types; empty from old libraries.
    pub fn fields_precisions(&self) -> &[i64] {
        &self.blocks.digits.0
    }

    /// Decimal scale of each column, 0 for other types; empty from old libraries.
    pub fn fields_scales(&self) -> &[i64] {
        &self.blocks.digits.1
    }

    /// Gives the rest of the result up.
    pub fn stop(&mut self) {
        self.blocks.result = None;
    }
}

impl PollBlock for Blocks {
    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<RawResult<Option<RawBlock>>> {
        let Some(result) = &self.result else {
            return Poll::Ready(Ok(None));
        };
        let arrived = match result.poll_block(cx) {
            Poll::Ready(arrived) => arrived,
            Poll::Pending => {
                std::task::ready!(self.limit.poll_over(cx));
                let limit: Duration = self.limit.length();
                Err(timed_out("the call for a block", "read_timeout", limit))
            }
        };
        self.limit.stop();
        let block = match arrived {
            Ok(Some(bytes)) => self.parse(bytes).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if !matches!(block, Ok(Some(_))) {
            self.result = None;
        }
        Poll::Ready(block)
    }
}

impl Blocks {
    fn parse(&mut self, bytes: Bytes) -> RawResult<RawBlock> {
        let mut block = RawBlock::parse_from_raw_block(bytes, self.precision)?;
        block.with_fields(Arc::clone(&self.fields))?;
        block.with_timezone(self.timezone);
        self.taken.0 += 1;
        self.taken.1 += block.nrows();
        Ok(block)
    }
}

impl AsyncFetchable for ResultSet {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn precision(&self) -> Precision {
        self.blocks.precision
    }

    fn affected_rows64(&self) -> i64 {
        self.blocks.affected_rows
    }

    fn summary(&self) -> (usize, usize) {
        self.blocks.taken
    }

    fn split(&mut self) -> (&[Field], &mut dyn PollBlock) {
        (&self.fields, &mut self.blocks)
    }

    fn timezone(&self) -> Option<Tz> {
        self.blocks.timezone
    }
}
