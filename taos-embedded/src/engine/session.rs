use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono_tz::Tz;

use super::{Answer, Engine, ResultRows, SchemalessBatch, SqlError, Written};
use crate::catalog::{Catalog, View, is_system_database};
use crate::clock;
use crate::exec::{Exec, STALE, enabled};
use crate::meta::Meta;
use crate::metrics::Kind;
use crate::plan;
use crate::sql::ast::{Query, Statement};
use crate::store::{INTERNAL, Lifeline};

/// How often a statement is prepared anew because the catalog changed under it, before it asks
/// that nothing changes meanwhile. Two clients whose statements are acknowledged by the same commit
/// can overtake each other for as long as they like.
const ATTEMPTS: usize = 3;

/// The user may not do this.
const NO_RIGHTS: u32 = 0x0303;

/// What one client has chosen, and the way its statements go.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    user: String,
    state: Mutex<State>,
    queries: Arc<Lifeline>,
}

#[derive(Debug, Default)]
struct State {
    db: Option<String>,
    timezone: Option<Tz>,
}

impl Session {
    pub(super) fn new(engine: Engine, user: &str) -> Self {
        Self {
            engine,
            user: user.to_owned(),
            state: Mutex::default(),
            queries: Arc::default(),
        }
    }

    /// What all queries of this session end with.
    pub(crate) fn queries(&self) -> Arc<Lifeline> {
        Arc::clone(&self.queries)
    }

    /// Hangs the session's queries on this.
    pub(crate) fn hang_on(&mut self, line: &Arc<Lifeline>) {
        self.queries = Arc::clone(line);
    }

    /// Runs one statement; blocks until its first rows are there or its writes are durable.
    ///
    /// # Errors
    /// What is wrong with the statement, with the code of the dialect.
    pub fn execute(&self, sql: &str) -> Result<Answer, SqlError> {
        self.execute_if(sql, |_| Ok(()))
    }

    /// As [`execute`](Self::execute), but only for statements that read: SELECT, SHOW, DESCRIBE and
    /// EXPLAIN.
    ///
    /// # Errors
    /// 0x0303 for other statements, and those of [`execute`](Self::execute).
    pub(crate) fn read(&self, sql: &str) -> Result<Answer, SqlError> {
        self.execute_if(sql, |statement| {
            if only_reads(statement) {
                return Ok(());
            }
            Err(SqlError::new(
                NO_RIGHTS,
                "Insufficient privilege for operation: only SELECT, SHOW, DESCRIBE and EXPLAIN are run here",
            ))
        })
    }

    fn execute_if(
        &self,
        sql: &str,
        allowed: impl FnOnce(&Statement) -> Result<(), SqlError>,
    ) -> Result<Answer, SqlError> {
        let started = Instant::now();
        let parsed = crate::sql::parse(sql);
        let kind = parsed.as_ref().map_or(Kind::Unreadable, Kind::of);
        self.counting(kind, started, || {
            let statement = parsed?;
            allowed(&statement)?;
            if let Statement::Use(name) = &statement {
                self.engine.check_user(&self.user)?;
                self.use_db(&name.name)?;
                return Ok(Answer::Affected(0));
            }
            self.run_in(None, sql, &statement)
        })
    }

    /// Counts a statement that began at `started`.
    pub(super) fn counting(
        &self,
        kind: Kind,
        started: Instant,
        work: impl FnOnce() -> Result<Answer, SqlError>,
    ) -> Result<Answer, SqlError> {
        let metrics = &self.engine.metrics;
        let mut outcome = work();
        let counted = outcome.as_mut().map(|answer| answer.counted(metrics));
        metrics.statement(kind, started.elapsed(), counted.map_err(|error| &*error));
        outcome
    }

    /// Counts a write that gives the number of its rows; the log shows it as `sql` if it is slow.
    pub(super) fn counting_rows(
        &self,
        kind: Kind,
        sql: &str,
        work: impl FnOnce() -> Result<u64, SqlError>,
    ) -> Result<u64, SqlError> {
        let started = Instant::now();
        let outcome = work();
        let metrics = &self.engine.metrics;
        let taken = started.elapsed();
        metrics.statement(kind, taken, outcome.as_ref().copied());
        self.report(sql, taken);
        outcome
    }

    /// Names what was done in the log if it was slow.
    fn report(&self, sql: &str, taken: Duration) {
        self.engine.store.limits().report(sql, taken);
    }

    /// Runs a statement in `db`; in the current database if that is `None`.
    pub(super) fn run_in(
        &self,
        db: Option<&str>,
        sql: &str,
        statement: &Statement,
    ) -> Result<Answer, SqlError> {
        self.retrying(changes_tables(statement), || {
            let exec = self.exec_in(db, sql)?;
            match statement {
                Statement::Query(query) => self.select(&exec, query).map(Answer::Rows),
                other => {
                    let started = Instant::now();
                    let outcome = exec.run(other);
                    self.report(shown(other, sql), started.elapsed());
                    outcome
                }
            }
        })
    }

    /// Writes schemaless data, all of it or nothing; blocks until it is durable.
    ///
    /// # Errors
    /// What is wrong with the first bad point, or how it does not fit its table, with the codes of
    /// taosadapter-ws §7.
    pub fn schemaless(&self, batch: &SchemalessBatch<'_>) -> Result<Written, SqlError> {
        let started = Instant::now();
        let outcome = self.retrying(true, || self.exec("")?.schemaless(batch));
        let taken = started.elapsed();
        let rows = outcome.as_ref().map(|written| written.affected);
        let metrics = &self.engine.metrics;
        metrics.statement(Kind::Schemaless, taken, rows);
        self.report("(schemaless data)", taken);
        outcome
    }

    /// Applies messages that change tables or delete rows to the current database, all or nothing; blocks
    /// until they are durable.
    ///
    /// # Errors
    /// 0x2616 without a database, 0x0118 for what cannot be applied to the tables that are there.
    pub(crate) fn write_meta(&self, metas: Vec<Meta>) -> Result<u64, SqlError> {
        let metas = Arc::new(metas);
        let started = Instant::now();
        let outcome = self.retrying(true, || self.exec("")?.write_meta(&metas));
        self.report("(changes that a topic told)", started.elapsed());
        outcome
    }

    /// Tries again what was overtaken by changes of tables; `changes` tells that it makes some itself.
    pub(super) fn retrying<T>(
        &self,
        changes: bool,
        mut attempt: impl FnMut() -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        for _ in 0..ATTEMPTS {
            let _change = changes.then(|| {
                let changes = self.engine.changes.read();
                changes.unwrap_or_else(PoisonError::into_inner)
            });
            match attempt() {
                Err(error) if error.code == STALE => {}
                outcome => return outcome,
            }
        }
        let alone = self.engine.changes.write();
        let _alone = alone.unwrap_or_else(PoisonError::into_inner);
        attempt().map_err(|error| match error.code {
            STALE => SqlError::new(INTERNAL, error.message),
            _ => error,
        })
    }

    fn select(&self, exec: &Exec<'_>, query: &Query) -> Result<ResultRows, SqlError> {
        let plan = plan::plan(query, exec.sql, &exec.context())?;
        let (columns, precision) = (plan.columns.clone().into(), plan.precision);
        let stream = exec.view.store.query_of(plan, exec.sql, &self.queries);
        let stream = stream.map_err(|error| {
            // a table or column may have gone between the plan and its run
            let gone = error.message.contains("no such ");
            let catalog = exec.view.store.catalog();
            if gone && !Arc::ptr_eq(&catalog, &exec.view.catalog) {
                SqlError::new(STALE, error.message)
            } else {
                error
            }
        })?;
        Ok(ResultRows::streaming(columns, precision, stream))
    }

    pub(super) fn catalog(&self) -> Arc<Catalog> {
        self.engine.store.catalog()
    }

    /// What a statement is run with.
    ///
    /// # Errors
    /// As [`Engine::check_user`].
    pub(super) fn exec<'a>(&'a self, sql: &'a str) -> Result<Exec<'a>, SqlError> {
        self.exec_in(None, sql)
    }

    /// As [`exec`](Self::exec) in another database than the current one.
    pub(super) fn exec_in<'a>(
        &'a self,
        db: Option<&str>,
        sql: &'a str,
    ) -> Result<Exec<'a>, SqlError> {
        let store = self.engine.store.clone();
        let catalog = store.catalog();
        let sysinfo = enabled(&catalog, &self.user)?.rights.sysinfo;
        Ok(Exec {
            view: View {
                sysinfo,
                catalog,
                store,
                broker: Arc::clone(&self.engine.broker),
            },
            db: db.map(str::to_owned).or_else(|| self.current_db()),
            now: clock::nanos(),
            zone: self.timezone(),
            user: &self.user,
            version: &self.engine.version,
            sql,
            queries: &self.queries,
        })
    }

    /// Reads a statement and plans a query without running it.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn validate(&self, sql: &str) -> Result<(), SqlError> {
        match crate::sql::parse(sql)? {
            Statement::Query(query) => {
                let exec = self.exec(sql)?;
                plan::plan(&query, sql, &exec.context()).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Who is logged in.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// The current database.
    pub fn current_db(&self) -> Option<String> {
        self.state().db.clone()
    }

    /// Chooses a database.
    ///
    /// # Errors
    /// 0x0388 if it does not exist.
    pub fn use_db(&self, name: &str) -> Result<(), SqlError> {
        if !is_system_database(name) {
            self.engine.store.catalog().database(name)?;
        }
        self.assume_db(name);
        Ok(())
    }

    /// Chooses a database that need not exist before a statement wants it (DIALECT §2, the path
    /// of a REST request).
    pub fn assume_db(&self, name: &str) {
        self.state().db = Some(name.to_owned());
    }

    /// Sets the zone in which times without an offset are read and days begin; `None` is UTC.
    pub fn set_timezone(&self, timezone: Option<Tz>) {
        self.state().timezone = timezone;
    }

    /// The zone chosen, if one is.
    pub fn timezone(&self) -> Option<Tz> {
        self.state().timezone
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the log may show of a statement: those of users may hold a password.
const fn shown<'a>(statement: &Statement, sql: &'a str) -> &'a str {
    match statement {
        Statement::Insert(_)
        | Statement::Delete(_)
        | Statement::CreateTable(_)
        | Statement::CreateSubtables(_)
        | Statement::DropTable(_)
        | Statement::AlterTable(_)
        | Statement::DropDatabase(_)
        | Statement::Show(_)
        | Statement::CreateTopic(_) => sql,
        _ => "(a statement that is not shown)",
    }
}

/// True for statements that change nothing.
const fn only_reads(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Query(_) | Statement::Show(_) | Statement::Describe(_) | Statement::Explain(_)
    )
}

/// True for statements after which others may have to be prepared again.
const fn changes_tables(statement: &Statement) -> bool {
    !matches!(
        statement,
        Statement::Query(_)
            | Statement::Insert(_)
            | Statement::Delete(_)
            | Statement::Show(_)
            | Statement::Describe(_)
            | Statement::Explain(_)
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::engine::Storage;

    #[test]
    fn what_is_overtaken_again_and_again_fails_with_a_code_that_clients_know() {
        let session = Engine::open(Storage::Memory).unwrap().session("root");
        for changes in [false, true] {
            let attempts = Cell::new(0);
            let outcome: Result<(), _> = session.retrying(changes, || {
                attempts.set(attempts.get() + 1);
                Err(SqlError::new(STALE, "overtaken"))
            });
            assert_eq!(outcome, Err(SqlError::new(INTERNAL, "overtaken")));
            assert_eq!(attempts.get(), ATTEMPTS + 1);
        }
    }
}
