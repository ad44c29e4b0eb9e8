//! A SELECT on a reader thread, its blocks on a short way to whoever fetches them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant;

use rusqlite::Statement;
use rusqlite::types::Value;
use taos_query::block::RawBlock;

use super::cancel::{Cancel, Lifeline};
use super::encode::Encoder;
use super::limits::QueryLimits;
use super::readers::{Parking, Reader};
use super::{Store, internal, sqlite_error};
use crate::plan::{Held, Plan};
use crate::sql::SqlError;

/// Blocks that may wait to be fetched.
const BLOCKS: usize = 2;
/// Values that an INSERT … SELECT may hold, about 300 MiB.
const CELLS: usize = 10_000_000;

enum Message {
    Block(RawBlock),
    Failed(SqlError),
    End,
}

/// The blocks of a running query. Dropping it ends the query.
#[derive(Debug)]
pub(crate) struct Stream {
    first: Option<RawBlock>,
    messages: Option<Receiver<Message>>,
    cancel: Arc<Cancel>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message")
    }
}

impl Store {
    /// Starts a query and waits for its first block, so that an error of it comes here.
    ///
    /// # Errors
    /// What SQLite or the dialect's functions say.
    pub(crate) fn query(&self, plan: Plan) -> Result<Stream, SqlError> {
        self.query_of(plan, "", &Lifeline::default())
    }

    /// As [`query`](Self::query); `sql` is what the log says if it is slow, and the query ends with `line`.
    pub(crate) fn query_of(
        &self,
        plan: Plan,
        sql: &str,
        line: &Lifeline,
    ) -> Result<Stream, SqlError> {
        let (sender, messages) = sync_channel(BLOCKS + 1);
        let cancel = Arc::new(Cancel::default());
        line.tie(&cancel);
        let parking = self.inner.readers.parking();
        let job = Running {
            sender,
            cancel: Arc::clone(&cancel),
            parking,
            limits: self.inner.readers.limits(),
            sql: sql.to_owned(),
        };
        self.inner
            .readers
            .submit(Box::new(move |reader| job.run(reader, &plan)))?;
        let mut stream = Stream {
            first: None,
            messages: Some(messages),
            cancel,
        };
        stream.first = stream.receive()?;
        Ok(stream)
    }

    /// Runs a query for the number of its rows alone.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub(crate) fn count_rows(&self, plan: Plan, line: &Lifeline) -> Result<u64, SqlError> {
        self.inner.readers.run_for(line, move |connection| {
            let mut statement = connection.prepare(&plan.sql)?;
            bind(&mut statement, &plan.params)?;
            let mut rows = statement.raw_query();
            let mut count = 0;
            while rows.next()?.is_some() {
                count += 1;
            }
            Ok(count)
        })
    }

    /// All rows of a query at once, for INSERT … SELECT.
    ///
    /// # Errors
    /// As [`query`](Self::query); 0x0100 for more than [`CELLS`], 0x073A if together with what other
    /// statements collect they take more memory than is allowed.
    pub(crate) fn rows(&self, plan: Plan, line: &Lifeline) -> Result<Collected, SqlError> {
        self.inner.readers.run_for(line, move |connection| {
            let mut statement = connection.prepare(&plan.sql)?;
            bind(&mut statement, &plan.params)?;
            let mut rows = statement.raw_query();
            let (mut all, mut held) = (Vec::new(), Held::default());
            while let Some(row) = rows.next()? {
                let cells: rusqlite::Result<Vec<_>> =
                    (0..plan.columns.len()).map(|i| row.get(i)).collect();
                let cells = cells?;
                held.take(bytes_of(&cells), "INSERT ... SELECT")?;
                all.push(cells);
                if all.len().saturating_mul(plan.columns.len()) > CELLS {
                    let error = SqlError::unsupported(format!(
                        "insert of more than {CELLS} values from a query"
                    ));
                    return Err(rusqlite::Error::UserFunctionError(error.into()));
                }
            }
            Ok(Collected {
                rows: all,
                _held: held,
            })
        })
    }
}

/// Rows that are held in memory, and counted as such.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) rows: Vec<Vec<Value>>,
    _held: Held,
}

/// Memory that a row takes.
fn bytes_of(row: &[Value]) -> usize {
    let texts = row.iter().map(|value| match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        _ => 0,
    });
    size_of::<Vec<Value>>() + size_of_val(row) + texts.sum::<usize>()
}

/// Binds the values of `?1`, `?2`, …; the last of them may be unused, because a condition that refers to
/// them was decided when it was planned.
pub(crate) fn bind(statement: &mut Statement<'_>, values: &[Value]) -> rusqlite::Result<()> {
    let used = statement.parameter_count();
    for (place, value) in (1..=used).zip(values) {
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

impl Stream {
    /// The next block; `None` behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<RawBlock>, SqlError> {
        match self.first.take() {
            Some(block) => Ok(Some(block)),
            None => self.receive(),
        }
    }

    fn receive(&mut self) -> Result<Option<RawBlock>, SqlError> {
        let Some(messages) = &self.messages else {
            return Ok(None);
        };
        let outcome = match messages.recv() {
            Ok(Message::Block(block)) => return Ok(Some(block)),
            Ok(Message::End) => Ok(None),
            Ok(Message::Failed(error)) => Err(error),
            Err(_) => Err(internal("the query ended without an answer")),
        };
        self.messages = None;
        outcome
    }
}

impl Stream {
    /// Ends the query from elsewhere; whoever waits for its next block gets an error.
    pub(crate) fn cancel(&self) -> Arc<Cancel> {
        Arc::clone(&self.cancel)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // the channel goes first: a job that waits to send wakes up and sees that it is gone
        self.messages = None;
        self.cancel.cancel();
    }
}

struct Running {
    sender: SyncSender<Message>,
    cancel: Arc<Cancel>,
    parking: Parking,
    limits: QueryLimits,
    sql: String,
}

impl Running {
    fn run(self, reader: Result<&Reader, SqlError>, plan: &Plan) {
        let outcome = match reader {
            Ok(reader) => {
                let Reader { connection, timer } = reader;
                if !self.cancel.start(connection.get_interrupt_handle()) {
                    return;
                }
                let limit = self.limits.max_query_time;
                let (outcome, took) =
                    timer.run(limit, Some(&self.cancel), || self.feed(reader, plan));
                self.cancel.finish();
                self.limits.report(&self.sql, took);
                outcome
            }
            Err(error) => Err(error),
        };
        let last = match outcome {
            Ok(()) => Message::End,
            Err(error) => Message::Failed(error),
        };
        self.send(None, last);
    }

    fn feed(&self, reader: &Reader, plan: &Plan) -> Result<(), SqlError> {
        let connection = &reader.connection;
        let mut statement = connection.prepare_cached(&plan.sql).map_err(sqlite_error)?;
        bind(&mut statement, &plan.params).map_err(sqlite_error)?;
        let mut rows = statement.raw_query();
        let mut encoder = Encoder::new(&plan.columns, plan.precision);
        while let Some(row) = rows.next().map_err(sqlite_error)? {
            let block = encoder.push(|i| row.get_ref(i).map_err(sqlite_error))?;
            if let Some(block) = block
                && !self.send(Some(reader), Message::Block(block))
            {
                return Ok(());
            }
        }
        if let Some(block) = encoder.finish()? {
            self.send(Some(reader), Message::Block(block));
        }
        Ok(())
    }

    /// False if nobody listens any more.
    fn send(&self, reader: Option<&Reader>, message: Message) -> bool {
        match self.sender.try_send(message) {
            Ok(()) => true,
            Err(TrySendError::Disconnected(_)) => false,
            Err(TrySendError::Full(message)) => {
                if let Some(Reader { connection, .. }) = reader
                    && self.parking.is_crowded()
                    && let Err(error) = connection.execute_batch("PRAGMA shrink_memory")
                {
                    tracing::debug!(%error, "a reader that waits for its client keeps its cache");
                }
                let full = Instant::now();
                let sent = self.parking.wait(|| self.sender.send(message)).is_ok();
                if let Some(Reader { timer, .. }) = reader {
                    timer.add_waited(full.elapsed());
                }
                sent
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use taos_query::common::{Precision, Ty};

    use super::*;
    use crate::engine::Storage;
    use crate::plan::ResultColumn;

    /// The numbers from 0 that fulfil a condition; without end if the condition has none.
    fn numbers(condition: &str) -> Plan {
        Plan {
            columns: vec![ResultColumn {
                name: "i".to_owned(),
                ty: Ty::BigInt,
                length: 8,
                precision: 0,
                scale: 0,
            }],
            precision: Precision::Millisecond,
            sql: format!(
                "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n) \
                 SELECT i FROM n {condition}"
            ),
            params: Vec::new(),
        }
    }

    fn store() -> Store {
        Store::open(&Storage::Memory).unwrap()
    }

    fn rows(mut stream: Stream) -> usize {
        let mut rows = 0;
        while let Some(block) = stream.next().unwrap() {
            rows += block.nrows();
        }
        rows
    }

    /// Fails the test instead of hanging it.
    fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, waiting) = mpsc::channel();
        std::thread::spawn(move || done.send(work()));
        waiting.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn a_dropped_query_that_computes_without_rows_is_interrupted() {
        let store = store();
        let total = within(move || {
            // more than may compute at the same time
            for _ in 0..40 {
                let mut stream = store.query(numbers("WHERE i < 5000")).unwrap();
                assert_eq!(stream.next().unwrap().unwrap().nrows(), 4096);
            }
            rows(store.query(numbers("LIMIT 10")).unwrap())
        });
        assert_eq!(total, 10);
    }

    #[test]
    fn unread_results_keep_nobody_waiting_and_stay_whole() {
        let store = store();
        within(move || {
            let unread: Vec<Stream> = (0..60)
                .map(|_| store.query(numbers("LIMIT 30000")).unwrap())
                .collect();
            assert_eq!(rows(store.query(numbers("LIMIT 10")).unwrap()), 10);
            for stream in unread {
                assert_eq!(rows(stream), 30_000);
            }
        });
    }

    #[test]
    fn results_dropped_unread_give_their_threads_back() {
        let store = store();
        within(move || {
            // more than there are threads in all
            for _ in 0..600 {
                drop(store.query(numbers("LIMIT 100000")).unwrap());
            }
            assert_eq!(rows(store.query(numbers("LIMIT 10")).unwrap()), 10);
        });
    }

    #[test]
    fn an_error_of_the_query_comes_before_any_row_or_instead_of_the_end() {
        let store = store();
        let mut plan = numbers("LIMIT 1");
        plan.sql = "SELECT x FROM nowhere".to_owned();
        let error = store.query(plan).unwrap_err();
        assert!(error.message.contains("no such "), "{error}");
        let mut stream = store
            .query(numbers(
                "WHERE i < 5000 OR abs(-9223372036854775807 - (i >= 5000)) > 0 LIMIT 9000",
            ))
            .unwrap();
        assert_eq!(stream.next().unwrap().unwrap().nrows(), 4096);
        assert!(
            stream
                .next()
                .unwrap_err()
                .message
                .contains("integer overflow")
        );
        assert!(stream.next().unwrap().is_none());
    }

    #[test]
    fn a_query_that_computes_for_too_long_ends_and_one_that_waits_for_its_client_does_not() {
        use crate::store::{QueryLimits, limits::KILLED};
        let limits = QueryLimits {
            max_query_time: Some(Duration::from_millis(1500)),
            ..QueryLimits::default()
        };
        let store = Store::open_with(&Storage::Memory, limits).unwrap();
        within(move || {
            let unread = store.query(numbers("LIMIT 30000")).unwrap();
            let error = store.query(numbers("WHERE i < 0")).unwrap_err();
            assert_eq!(error.code, KILLED);
            assert!(error.message.contains("1.5 s") && error.message.contains("--max-query-time"));
            let error = store
                .rows(numbers("WHERE i < 0"), &Lifeline::default())
                .unwrap_err();
            assert_eq!(error.code, KILLED);
            assert_eq!(rows(unread), 30_000);
            assert_eq!(rows(store.query(numbers("LIMIT 10")).unwrap()), 10);
        });
    }

    #[test]
    fn counted_and_collected_rows_end_with_the_client_that_wants_them() {
        let store = store();
        let line = Arc::new(Lifeline::default());
        within(move || {
            let counting = std::thread::spawn({
                let (store, line) = (store.clone(), Arc::clone(&line));
                move || store.count_rows(numbers("WHERE i < 0"), &line)
            });
            let collecting = std::thread::spawn({
                let (store, line) = (store.clone(), Arc::clone(&line));
                move || store.rows(numbers("WHERE i < 0"), &line).map(drop)
            });
            while store.figures().readers.busy < 2 {
                std::thread::yield_now();
            }
            line.cut();
            counting.join().unwrap().unwrap_err();
            collecting.join().unwrap().unwrap_err();
            // and what comes later does not even begin
            store.count_rows(numbers("WHERE i < 0"), &line).unwrap_err();
        });
    }

    #[test]
    fn collected_rows_are_counted_with_their_texts() {
        let row = [Value::Integer(1), Value::Text("x".repeat(1000))];
        assert!(bytes_of(&row) > 1000 + 2 * size_of::<Value>());
    }

    #[test]
    fn a_stop_ends_queries_that_would_compute_for_ever_and_refuses_those_that_wait() {
        let limits = QueryLimits {
            max_query_time: None,
            ..QueryLimits::default()
        };
        let store = Store::open_with(&Storage::Memory, limits).unwrap();
        within(move || {
            // more than may compute at the same time
            let asking: Vec<_> = (0..20)
                .map(|_| {
                    let store = store.clone();
                    std::thread::spawn(move || store.query(numbers("WHERE i < 0")).map(drop))
                })
                .collect();
            while store.figures().readers.busy < 16 || store.figures().readers.queued < 4 {
                std::thread::yield_now();
            }
            store.close();
            for asked in asking {
                let error = asked.join().unwrap().unwrap_err();
                assert!(error.message.contains("shutting down"), "{error}");
            }
        });
    }

    #[test]
    fn a_change_that_fails_or_panics_is_taken_back_and_the_next_one_goes_on() {
        let store = store();
        let count = |store: &Store| {
            store
                .read(|c| c.query_row("SELECT count(*) FROM topic", [], |r| r.get::<_, i64>(0)))
                .unwrap()
        };
        let insert = "INSERT INTO topic (name, db, sql, created, kind, with_meta) VALUES ('t', 'd', 's', 0, 'k', 0)";
        store
            .write(move |write| {
                write.batch(insert)?;
                write.new_id();
                Err(SqlError::unsupported("this"))
            })
            .unwrap_err();
        store
            .write(move |write| {
                write.batch(insert)?;
                panic!("on purpose");
            })
            .unwrap_err();
        assert_eq!(count(&store), 0);
        store
            .write(move |write| {
                write.batch(insert)?;
                Ok(1)
            })
            .unwrap();
        assert_eq!(count(&store), 1);
    }
}
