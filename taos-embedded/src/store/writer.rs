//! One thread writes. Whatever waits for it goes into one transaction, each statement behind a
//! savepoint of its own, and is acknowledged after the commit.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::error::shutting_down as closed;
use super::log::{Additions, Logs, Packed};
use super::{Published, internal, sqlite_error};
use crate::catalog::Catalog;
use crate::meta::NewTable;
use crate::sql::SqlError;
use crate::tmq::Body;

/// Statements of one commit.
const BATCH: usize = 1000;
/// How long a commit may wait for more statements that are already queued.
const PATIENCE: Duration = Duration::from_millis(10);
/// Statements that may wait; further ones wait to be let in.
const QUEUE: usize = 1024;
/// Numbers that fit into the keys of the logs.
const MOST_VGROUPS: i32 = 1 << 23;

pub(super) type Change = Box<dyn FnOnce(&mut Write<'_>) -> Result<u64, SqlError> + Send>;
/// What follows from a change once it is durable.
type Consequence = Box<dyn FnOnce() + Send>;
type Outcome = Result<u64, SqlError>;

enum Job {
    Run(Change, SyncSender<Outcome>),
    Stop,
}

/// What a change works on.
pub(crate) struct Write<'a> {
    /// The writer's connection, inside a transaction.
    pub(crate) connection: &'a Connection,
    catalog: &'a mut Arc<Catalog>,
    next_id: &'a mut i64,
    log: &'a mut Additions,
    consequences: &'a mut Vec<Consequence>,
}

impl Write<'_> {
    /// Does something once the change is durable and before anybody is told so; never, if the statement or
    /// the commit fails. What statements want done is done in their order.
    pub(crate) fn on_commit(&mut self, consequence: impl FnOnce() + Send + 'static) {
        self.consequences.push(Box::new(consequence));
    }

    /// Where the log of a vgroup ends for this statement: behind what those before it in the same
    /// transaction added.
    pub(crate) fn log_end(&self, vgroup: i32) -> i64 {
        self.log.end(vgroup)
    }

    /// The catalog as the statements before this one left it.
    pub(crate) fn catalog(&self) -> &Catalog {
        self.catalog
    }

    /// The catalog, to be changed; taken back if the statement or the commit fails.
    pub(crate) fn catalog_mut(&mut self) -> &mut Catalog {
        Arc::make_mut(self.catalog)
    }

    /// A number for a database or table, never given before.
    pub(crate) fn new_id(&mut self) -> i64 {
        let id = *self.next_id;
        *self.next_id += 1;
        id
    }

    /// Adds what the statement changes in a vgroup to its log, if the statement succeeds.
    pub(crate) fn log(&mut self, vgroup: i32, body: Body) -> Result<(), SqlError> {
        self.log.log(vgroup, body)
    }

    /// Says that the statement replays messages of a topic, so that consumers can leave it out.
    pub(crate) fn mark_replay(&mut self) {
        self.log.mark_replay();
    }

    /// As [`log`](Self::log), for rows of a table that [`pack`](super::pack) has packed.
    pub(crate) fn log_rows(
        &mut self,
        vgroup: i32,
        (table, def): (i64, i64),
        created: Option<&NewTable>,
        packed: &Packed,
    ) -> Result<(), SqlError> {
        self.log.log_rows(vgroup, (table, def), created, packed)
    }

    /// Removes the logs of vgroups that are gone for ever.
    pub(crate) fn drop_logs(&mut self, vgroups: Range<i32>) -> Result<(), SqlError> {
        let dropped = self.log.drop_logs(self.connection, vgroups);
        dropped.map_err(sqlite_error)
    }

    /// Removes entries of a log below `begin`.
    pub(super) fn trim_log(&mut self, vgroup: i32, begin: i64) -> Result<(), SqlError> {
        let trimmed = self.log.trim(self.connection, vgroup, begin);
        trimmed.map_err(sqlite_error)
    }

    /// The first of so many numbers of vgroups, never given before.
    pub(crate) fn new_vgroups(&mut self, count: i32) -> Result<i32, SqlError> {
        let next: i64 = self
            .connection
            .query_row(
                "UPDATE meta SET value = value + ?1 WHERE key = 'next_vgroup' RETURNING value",
                [count],
                |row| row.get(0),
            )
            .map_err(sqlite_error)?;
        i32::try_from(next)
            .ok()
            .filter(|next| *next <= MOST_VGROUPS)
            .map(|next| next - count)
            .ok_or_else(|| SqlError::unsupported("more vgroups than can be numbered"))
    }

    /// Runs statements that are used once.
    pub(crate) fn batch(&self, sql: &str) -> Result<(), SqlError> {
        self.connection.execute_batch(sql).map_err(sqlite_error)
    }

    /// Runs a statement that will be used again.
    pub(crate) fn execute(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<usize, SqlError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(parameters))
            .map_err(sqlite_error)
    }
}

/// The way to the writer thread.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: SyncSender<Job>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        catalog: Arc<Catalog>,
        published: Arc<Published>,
        logs: Arc<Logs>,
    ) -> Result<(Self, JoinHandle<()>), SqlError> {
        let (jobs, queue) = sync_channel(QUEUE);
        let next_id = stored_next_id(&connection)?;
        let mut state = State {
            connection,
            catalog,
            published,
            next_id,
            stored_next_id: next_id,
            log: Additions::new(logs),
            consequences: Vec::new(),
            spoilt: None,
        };
        let thread = std::thread::Builder::new()
            .name("taos-writer".to_owned())
            .spawn(move || state.run(&queue))
            .map_err(internal)?;
        Ok((Self { jobs }, thread))
    }

    pub(super) fn run(&self, change: Change) -> Outcome {
        let (reply, answer) = sync_channel(1);
        self.jobs
            .send(Job::Run(change, reply))
            .map_err(|_| closed())?;
        answer.recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Runs changes in one transaction, as if they had waited together.
    #[cfg(test)]
    pub(super) fn together(&self, changes: Vec<Change>) -> Vec<Outcome> {
        let (go, wait) = std::sync::mpsc::channel();
        let first: Change = Box::new(move |_| wait.recv().map(|()| 0).map_err(internal));
        let send = |change| {
            let (reply, answer) = sync_channel(1);
            self.jobs.send(Job::Run(change, reply)).map(|()| answer)
        };
        let answers: Vec<_> = std::iter::once(first).chain(changes).map(send).collect();
        let _ = go.send(());
        let outcome = |answer: Result<Receiver<Outcome>, _>| match answer {
            Ok(answer) => answer.recv().unwrap_or_else(|_| Err(closed())),
            Err(_) => Err(closed()),
        };
        answers.into_iter().skip(1).map(outcome).collect()
    }

    pub(super) fn stop(&self) {
        // an error means that the thread has ended already
        let _ = self.jobs.send(Job::Stop);
    }
}

fn stored_next_id(connection: &Connection) -> Result<i64, SqlError> {
    connection
        .query_row("SELECT value FROM meta WHERE key = 'next_id'", [], |row| {
            row.get(0)
        })
        .map_err(sqlite_error)
}

struct State {
    connection: Connection,
    /// As the transaction left it so far.
    catalog: Arc<Catalog>,
    published: Arc<Published>,
    next_id: i64,
    stored_next_id: i64,
    log: Additions,
    /// Of the statements of the transaction that succeeded.
    consequences: Vec<Consequence>,
    /// Why the transaction cannot be committed: a statement of it was not taken back whole.
    spoilt: Option<SqlError>,
}

impl State {
    fn run(&mut self, jobs: &Receiver<Job>) {
        while let Ok(Job::Run(change, reply)) = jobs.recv() {
            if !self.batch(change, reply, jobs) {
                break;
            }
        }
        if let Err(error) = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        {
            tracing::warn!(%error, "the log could not be moved into the file; the next start does it");
        }
    }

    /// Runs what waits and commits; false when it is time to stop.
    fn batch(&mut self, change: Change, reply: SyncSender<Outcome>, jobs: &Receiver<Job>) -> bool {
        let mut going_on = true;
        let mut done = Vec::new();
        let mut next = Some((change, reply));
        let started = Instant::now();
        let begun = self
            .roll_back()
            .and_then(|()| self.execute("BEGIN IMMEDIATE"));
        while let Some((change, reply)) = next.take() {
            let outcome = match &begun {
                Ok(()) => self.one(change),
                Err(error) => Err(error.clone()),
            };
            done.push((reply, outcome));
            if begun.is_err() || self.spoilt.is_some() || self.connection.is_autocommit() {
                break;
            }
            if done.len() < BATCH && started.elapsed() < PATIENCE {
                match jobs.try_recv() {
                    Ok(Job::Run(change, reply)) => next = Some((change, reply)),
                    Ok(Job::Stop) => going_on = false,
                    Err(_) => {}
                }
            }
        }
        // the storage may have given up the transaction for what the last statement failed with
        let last = done.last().and_then(|(_, outcome)| outcome.as_ref().err());
        let cause = last.cloned();
        let spoilt = self.spoilt.take();
        let committed = begun.and_then(|()| self.commit(spoilt, cause));
        match &committed {
            Ok(()) => {
                self.published.set(Arc::clone(&self.catalog));
                let changes = done.iter().filter(|(_, outcome)| outcome.is_ok()).count();
                self.log.publish(u64::try_from(changes).unwrap_or(u64::MAX));
                for consequence in self.consequences.drain(..) {
                    if catch_unwind(AssertUnwindSafe(consequence)).is_err() {
                        tracing::error!("what follows from a commit ended in a panic");
                    }
                }
            }
            Err(_) => self.reset(),
        }
        for (reply, outcome) in done {
            let outcome = match &committed {
                Ok(()) => outcome,
                Err(error) => outcome.and_then(|_| Err(error.clone())),
            };
            // nobody may be waiting any more
            let _ = reply.send(outcome);
        }
        going_on
    }

    fn execute(&self, sql: &str) -> Result<(), SqlError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(drop)
            .map_err(sqlite_error)
    }

    fn one(&mut self, change: Change) -> Outcome {
        self.execute("SAVEPOINT one")?;
        let before = Arc::clone(&self.catalog);
        self.log.begin();
        let mut consequences = Vec::new();
        let mut write = Write {
            connection: &self.connection,
            catalog: &mut self.catalog,
            next_id: &mut self.next_id,
            log: &mut self.log,
            consequences: &mut consequences,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| change(&mut write)))
            .unwrap_or_else(|_| Err(internal("a change ended in a panic")))
            .and_then(|count| self.log.finish(&self.connection).map(|()| count));
        if outcome.is_err() {
            self.catalog = before;
        }
        if let Err(error) = self.end_savepoint(outcome.is_err()) {
            tracing::warn!(%error, "a transaction is given up, since a statement of it cannot be taken back");
            self.spoilt = Some(error.clone());
            return outcome.and(Err(error));
        }
        if outcome.is_ok() {
            self.consequences.append(&mut consequences);
        }
        outcome
    }

    /// Closes the savepoint of a statement, taking back what it did if it failed.
    fn end_savepoint(&self, has_failed: bool) -> Result<(), SqlError> {
        if has_failed && !self.connection.is_autocommit() {
            self.execute("ROLLBACK TO one")?;
        }
        if !self.connection.is_autocommit() {
            self.execute("RELEASE one")?;
        }
        Ok(())
    }

    /// Takes back everything since the last commit.
    fn roll_back(&self) -> Result<(), SqlError> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.execute("ROLLBACK")
    }

    /// Commits, unless the transaction is spoilt or has gone, which `cause` may tell of.
    fn commit(
        &mut self,
        spoilt: Option<SqlError>,
        cause: Option<SqlError>,
    ) -> Result<(), SqlError> {
        if let Some(error) = spoilt {
            return Err(error);
        }
        if self.connection.is_autocommit() {
            let given_up = || internal("the storage gave up the transaction");
            return Err(cause.unwrap_or_else(given_up));
        }
        if self.next_id != self.stored_next_id {
            self.connection
                .prepare_cached("UPDATE meta SET value = ?1 WHERE key = 'next_id'")
                .and_then(|mut statement| statement.execute([self.next_id]))
                .map_err(sqlite_error)?;
        }
        self.execute("COMMIT")?;
        self.stored_next_id = self.next_id;
        Ok(())
    }

    /// Back to the last commit.
    fn reset(&mut self) {
        // tried again before the next transaction begins
        if let Err(error) = self.roll_back() {
            tracing::error!(%error, "a failed transaction is not rolled back yet");
        }
        self.catalog = self.published.get();
        self.next_id = self.stored_next_id;
        self.log.reset();
        self.consequences.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use super::super::Store;
    use super::*;
    use crate::engine::Storage;

    #[test]
    fn statements_that_wait_together_share_commits_and_a_bad_one_among_them_harms_none() {
        const JOBS: usize = 40;
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Storage::Dir(dir.path().to_owned())).unwrap();
        let outside = Connection::open(dir.path().join("taos.db")).unwrap();
        let committed = |outside: &Connection| -> i64 {
            outside
                .query_row("SELECT count(*) FROM topic", [], |row| row.get(0))
                .unwrap()
        };
        let outside = Arc::new(Mutex::new(outside));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let change = |n: usize| -> Change {
            let (outside, seen) = (Arc::clone(&outside), Arc::clone(&seen));
            Box::new(move |write| {
                let sql = "INSERT INTO topic (name, db, sql, created, kind, with_meta) \
                     VALUES (?1, 'd', 's', 0, 'k', 0)";
                write.execute(sql, [n.to_string()])?;
                seen.lock()
                    .unwrap()
                    .push(committed(&outside.lock().unwrap()));
                if n == 7 {
                    return Err(SqlError::unsupported("the seventh"));
                }
                Ok(1)
            })
        };
        let outcomes = store.together((0..JOBS).map(change).collect());
        assert_eq!(outcomes.iter().filter(|o| o.is_err()).count(), 1);
        let all = i64::try_from(JOBS).unwrap() - 1;
        assert_eq!(committed(&outside.lock().unwrap()), all);
        let states: BTreeSet<i64> = seen.lock().unwrap().iter().copied().collect();
        assert!(states.len() < JOBS / 2, "{} commits", states.len());
    }

    #[test]
    fn what_follows_from_a_change_is_done_once_it_is_committed_and_else_never() {
        let store = Store::open(&Storage::Memory).unwrap();
        let done = Arc::new(Mutex::new(Vec::new()));
        let change = |name: &'static str, end: Result<&'static str, SqlError>| -> Change {
            let done = Arc::clone(&done);
            Box::new(move |write| {
                write.on_commit(move || done.lock().unwrap().push(name));
                write.batch(end?)?;
                Ok(0)
            })
        };
        let bad = SqlError::unsupported("this");
        let outcomes = store.together(vec![
            change("first", Ok("")),
            change("failed", Err(bad)),
            change("second", Ok("")),
        ]);
        assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 2);
        assert_eq!(*done.lock().unwrap(), ["first", "second"]);
        let outcomes = store.together(vec![change("lost", Ok("")), change("end", Ok("ROLLBACK"))]);
        assert!(outcomes.iter().all(Result::is_err));
        assert_eq!(*done.lock().unwrap(), ["first", "second"]);
    }

    #[test]
    fn a_statement_that_cannot_be_taken_back_takes_its_transaction_with_it_and_no_other() {
        let store = Store::open(&Storage::Memory).unwrap();
        let change = |name: &'static str, more: &'static str, fails: bool| -> Change {
            Box::new(move |write| {
                let sql = "INSERT INTO topic (name, db, sql, created, kind, with_meta) \
                     VALUES (?1, 'd', 's', 0, 'k', 0)";
                write.execute(sql, [name])?;
                write.batch(more)?;
                match fails {
                    true => Err(SqlError::unsupported("this")),
                    false => Ok(1),
                }
            })
        };
        // without its savepoint, the storage can neither keep nor take back what a statement did
        for fails in [true, false] {
            let outcomes = store.together(vec![
                change("before", "", false),
                change("spoils", "RELEASE one", fails),
            ]);
            assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
        }
        assert_eq!(store.together(vec![change("after", "", false)]), [Ok(1)]);
        let names = store
            .read(|c| {
                c.prepare("SELECT name FROM topic")?
                    .query_map([], |row| row.get::<_, String>(0))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .unwrap();
        assert_eq!(names, ["after"]);
    }
}
