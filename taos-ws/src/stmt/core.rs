//! The steps of a statement, their limits and their repetition.

mod learn;

use super::layout::{Dialect, fit_query, fit_unknown};
use super::remote::{Opening, Remote, most_rounds};
use super::statement::{Known, Statement};
use super::{Bound, out_of_order};
use crate::client::Client;
use crate::connection::Link;
use crate::query::{ResultSet, Taos};
use crate::resend::Effect;
use crate::tries::{Stop, Tries};
use bytes::{Bytes, BytesMut};
use std::fmt::DebugStruct;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use taos_query::common::Value;
use taos_query::stmt::Stmt2Field;
use taos_query::{ErrorKind, RawError, RawResult};

/// How far an attempt shall get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Open,
    Prepare,
    /// Know the placeholders.
    Learn,
    Execute,
}

impl Goal {
    /// For spans and messages.
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "stmt_init",
            Self::Prepare => "stmt_prepare",
            Self::Learn => "stmt_fields",
            Self::Execute => "stmt_exec",
        }
    }
}

/// A statement, wherever on the server it lives at the moment.
pub(super) struct Core {
    client: Arc<Client>,
    pub(super) opening: Opening,
    pub(super) timeout: Option<Duration>,
    remote: Option<Remote>,
    /// Of the server that was last talked to.
    dialect: Option<Dialect>,
    /// Counts the changes of what data must fit, so that it is checked once only.
    stamp: u64,
    pub(super) statement: Option<Statement>,
    bound: Vec<Bound>,
    raw: Vec<(u64, Bytes)>,
    /// The table that tells the layout, for want of bound data.
    sample: Option<String>,
    /// Keeps its memory from one execution to the next.
    buffer: BytesMut,
    pub(super) affected: usize,
    pub(super) affected_once: usize,
    /// The server's id of the last result.
    pub(super) result_id: u64,
    result: Mutex<Option<ResultSet>>,
}

impl Core {
    pub(super) fn new(taos: &Taos, opening: Opening) -> Self {
        Self {
            client: taos.client.clone(),
            opening,
            timeout: None,
            remote: None,
            dialect: None,
            stamp: 1,
            statement: None,
            bound: Vec::new(),
            raw: Vec::new(),
            sample: None,
            buffer: BytesMut::new(),
            affected: 0,
            affected_once: 0,
            result_id: 0,
            result: Mutex::new(None),
        }
    }

    pub(super) fn taos(&self) -> Taos {
        Taos::new(self.client.clone())
    }

    pub(super) fn describe<'a, 'b>(&self, mut to: DebugStruct<'a, 'b>) -> DebugStruct<'a, 'b> {
        to.field(
            "sql",
            &self.statement.as_ref().map(|statement| &statement.sql),
        )
        .field("stmt_id", &self.stmt_id())
        .field("bound", &self.bound.len())
        .field("affected_rows", &self.affected);
        to
    }

    pub(super) fn home(&self) -> Option<tokio::runtime::Id> {
        self.client.home()
    }

    pub(super) fn stmt_id(&self) -> Option<u64> {
        self.remote.as_ref().map(Remote::id)
    }

    pub(super) fn prepared(&self) -> RawResult<&Statement> {
        self.statement
            .as_ref()
            .filter(|statement| statement.prepared.is_some())
            .ok_or_else(|| out_of_order("call prepare() first"))
    }

    pub(super) async fn open(&mut self) -> RawResult<()> {
        self.run(Goal::Open).await
    }

    /// Forgets everything about the statement before.
    pub(super) async fn prepare(&mut self, sql: &str) -> RawResult<()> {
        if sql.trim_ascii().is_empty() {
            return Err(RawError::of(ErrorKind::Config, "the statement is empty"));
        }
        self.forget();
        if let Some(remote) = &mut self.remote {
            remote.prepared = false;
        }
        self.statement = Some(Statement::new(sql));
        let prepared = self.run(Goal::Prepare).await;
        if prepared.is_err() {
            self.statement = None;
        }
        prepared
    }

    fn forget(&mut self) {
        self.bound.clear();
        self.raw.clear();
        self.sample = None;
        self.set_result(None);
    }

    /// Checks data as far as the placeholders are known.
    pub(super) fn check(&self, bound: &mut Bound) -> RawResult<()> {
        let statement = self.prepared()?;
        let Some(dialect) = &self.dialect else {
            return Ok(());
        };
        match statement.layout(bound.name.as_deref()) {
            Some(layout) => layout.fit(bound, dialect)?,
            None if statement.is_insert() => return fit_unknown(&statement.outline, bound),
            None => fit_query(statement.count(), bound, dialect)?,
        }
        bound.fitted = self.stamp;
        Ok(())
    }

    /// Checks the tags of a table whose columns are not known yet.
    pub(super) fn check_tags(&self, tags: &[Value], table: Option<&str>) -> RawResult<()> {
        match self.prepared()?.layout(table) {
            Some(layout) => layout.fit_tags(&mut tags.to_vec(), table),
            None => Ok(()),
        }
    }

    /// Keeps checked data for the next execution.
    pub(super) fn add(&mut self, bound: impl IntoIterator<Item = Bound>) -> RawResult<()> {
        let before = self.bound.len();
        self.bound.extend(bound);
        let limited = self.prepared()?.is_insert();
        let error = if !limited && self.bound.len() > 1 {
            Some(out_of_order(
                "a query takes one set of parameters for each execution",
            ))
        } else if limited && self.opening.single_table_bind_once && most_rounds(&self.bound) > 1 {
            Some(RawError::of(
                ErrorKind::Config,
                "with single_table_bind_once each table may be bound once for each execution, with \
                 32,760 rows at most",
            ))
        } else {
            None
        };
        match error {
            Some(error) => {
                self.bound.truncate(before);
                Err(error)
            }
            None => Ok(()),
        }
    }

    pub(super) fn add_raw(&mut self, req_id: u64, payload: Bytes) -> RawResult<()> {
        self.prepared()?;
        self.raw.push((req_id, payload));
        Ok(())
    }

    /// The placeholders, asked for with `table` if they are not known without one.
    pub(super) async fn learn(&mut self, table: Option<&str>) -> RawResult<&[Stmt2Field]> {
        Ok(self
            .learn_known(table)
            .await?
            .map_or(&[], |known| &known.fields))
    }

    /// What the placeholders of an INSERT are; `None` for a query.
    pub(super) async fn learn_known(&mut self, table: Option<&str>) -> RawResult<Option<&Known>> {
        let statement = self.prepared()?;
        if statement.is_insert() && statement.known(table).is_none() {
            if table.is_none() {
                return Err(out_of_order(
                    "the fields of this statement depend on its table: call set_tbname() first",
                ));
            }
            self.sample = table.map(str::to_owned);
            self.run(Goal::Learn).await?;
        }
        Ok(self.prepared()?.known(table).map(|known| &**known))
    }

    /// Sends what was bound and runs it. Afterwards nothing is bound, whatever came out.
    pub(super) async fn execute(&mut self) -> RawResult<usize> {
        let statement = self.prepared()?;
        if self.bound.is_empty() && self.raw.is_empty() && statement.count() > 0 {
            return Err(out_of_order("nothing was bound since the last execution"));
        }
        self.set_result(None);
        self.affected_once = 0;
        let result = self.run(Goal::Execute).await;
        self.bound.clear();
        self.raw.clear();
        result?;
        self.affected += self.affected_once;
        Ok(self.affected_once)
    }

    pub(super) fn take_result(&self) -> RawResult<ResultSet> {
        self.with_result(Option::take)
    }

    /// Looks at the result that was not taken yet.
    pub(super) fn with_result<T>(
        &self,
        look: impl FnOnce(&mut Option<ResultSet>) -> Option<T>,
    ) -> RawResult<T> {
        if self.prepared()?.is_insert() {
            return Err(out_of_order("an INSERT has no result set"));
        }
        look(&mut self.result.lock().unwrap_or_else(PoisonError::into_inner)).ok_or_else(|| {
            out_of_order("there is a result after an execution, and it can be taken once")
        })
    }

    fn set_result(&self, result: Option<ResultSet>) {
        let mut slot = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *slot, result);
        drop(slot);
        drop(before);
    }

    /// Gets as far as `goal`, on another connection if need be.
    async fn run(&mut self, goal: Goal) -> RawResult<()> {
        let client = self.client.clone();
        let sql = self.statement.as_ref().map(|s| s.sql.as_str());
        let span = crate::telemetry::stmt_span(goal.name(), sql);
        // A future that is dropped leaves nothing behind that might still be executed.
        let bound = match goal {
            Goal::Execute => (
                std::mem::take(&mut self.bound),
                std::mem::take(&mut self.raw),
            ),
            _ => Default::default(),
        };
        client.traced(span, self.repeat(goal, bound)).await
    }

    async fn repeat(
        &mut self,
        goal: Goal,
        (mut bound, raw): (Vec<Bound>, Vec<(u64, Bytes)>),
    ) -> RawResult<()> {
        let client = self.client.clone();
        let mut tries = Tries::new(&client, goal.name()).within(self.timeout);
        loop {
            let link = tries.link().await?;
            let mut executing = false;
            let attempt = self.attempt(&link, goal, &mut bound, &raw, &mut executing);
            let ended = tries.attempt(&link, attempt).await;
            // Up to the execution everything has its effect on this statement only.
            let insert = self.statement.as_ref().is_some_and(Statement::is_insert);
            let effect = if executing && insert {
                Effect::Write
            } else {
                Effect::Read
            };
            if tries.settle(&link, &effect, ended)?.is_some() {
                return Ok(());
            }
        }
    }

    /// One try on one connection. The statement on the server is given up if it fails or is
    /// dropped, because in the first case it is broken and in the second its state is unknown.
    async fn attempt(
        &mut self,
        link: &Arc<Link>,
        goal: Goal,
        bound: &mut [Bound],
        raw: &[(u64, Bytes)],
        executing: &mut bool,
    ) -> Result<(), Stop> {
        let mut remote = match self.remote.take() {
            Some(remote) if remote.serves(link) => remote,
            _ => {
                // Boxed, like all that happens once for many executions, to keep the future small.
                let opened = Box::pin(Remote::open(&self.client, link, &mut self.opening));
                let remote = opened.await?;
                if self.dialect != Some(remote.dialect()) {
                    self.dialect = Some(remote.dialect());
                    self.stamp += 1;
                }
                remote
            }
        };
        if goal != Goal::Open {
            self.check_database(&remote, bound, raw)?;
            if !remote.prepared {
                Box::pin(self.make_ready(&mut remote)).await?;
            }
        }
        if matches!(goal, Goal::Learn | Goal::Execute) {
            Box::pin(self.learn_tables(&remote, bound)).await?;
        }
        if goal == Goal::Execute {
            self.fit(bound)?;
            let groups = self.prepared()?.by_types(bound);
            for (types, tables) in groups {
                remote.send(&tables, &types, &mut self.buffer).await?;
            }
            for (req_id, payload) in raw {
                remote.send_raw(payload, *req_id).await?;
            }
            *executing = true;
            self.affected_once = remote.exec().await?;
            self.open_result(&remote).await?;
        }
        self.remote = Some(remote);
        Ok(())
    }

    /// Checks what could not be checked when it was bound, or was checked for another server.
    fn fit(&self, bound: &mut [Bound]) -> RawResult<()> {
        bound
            .iter_mut()
            .filter(|table| table.fitted != self.stamp)
            .try_for_each(|table| self.check(table))
    }

    async fn open_result(&mut self, remote: &Remote) -> Result<(), Stop> {
        if self.prepared()?.is_insert() {
            return Ok(());
        }
        let answer = remote.result().await?;
        // Each generation has its own name for it.
        self.result_id = answer.reply.id.max(answer.reply.result_id);
        let result = ResultSet::of_statement(answer, &self.client, remote.handle())?;
        self.set_result(Some(result));
        Ok(())
    }
}
