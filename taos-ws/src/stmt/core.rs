//! The steps of a statement, their limits and their repetition.

use super::layout::{Dialect, Layout, fit_query, fit_unknown};
use super::outline::{Outline, quoted};
use super::remote::{Opening, Prepared, Remote, Stop, most_rounds};
use super::{Bound, out_of_order};
use crate::client::{Client, duplicate_id, lost, timed_out, too_long, within};
use crate::connection::{Failure, Link};
use crate::query::{ResultSet, Taos};
use crate::resend::{Effect, RESENDS};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use std::fmt::DebugStruct;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use taos_query::common::{Ty, Value};
use taos_query::helpers::Described;
use taos_query::stmt::Stmt2Field;
use taos_query::{AsyncFetchable as _, AsyncQueryable as _, ErrorKind, RawError, RawResult};

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

/// A statement's text and what is known about it.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) outline: Outline,
    prepared: Option<Prepared>,
    /// The session's database when it was first prepared, in which the server looked for its tables.
    database: String,
    /// Of an INSERT, once its table is known.
    layout: Option<Layout>,
}

impl Statement {
    pub(super) const fn fields(&self) -> Option<&Vec<Stmt2Field>> {
        match &self.prepared {
            Some(prepared) => prepared.fields.as_ref(),
            None => None,
        }
    }

    pub(super) fn is_insert(&self) -> bool {
        let prepared = self.prepared.as_ref();
        prepared.map_or(self.outline.insert, |prepared| prepared.insert)
    }

    /// Number of placeholders, that of the table included.
    pub(super) fn count(&self) -> usize {
        match &self.prepared {
            Some(prepared) if prepared.count > 0 => prepared.count,
            _ => self.outline.marks + usize::from(self.outline.table_mark),
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
        self.statement = Some(Statement {
            sql: sql.to_owned(),
            outline: Outline::of(sql),
            prepared: None,
            database: String::new(),
            layout: None,
        });
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
        match &statement.layout {
            Some(layout) => layout.fit(bound, dialect)?,
            None if statement.is_insert() => return fit_unknown(&statement.outline, bound),
            None => fit_query(statement.count(), bound, dialect)?,
        }
        bound.fitted = self.stamp;
        Ok(())
    }

    /// Checks the tags of a table whose columns are not known yet.
    pub(super) fn check_tags(&self, tags: &[Value], table: Option<&str>) -> RawResult<()> {
        match &self.prepared()?.layout {
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
        let statement = self.prepared()?;
        if statement.is_insert() && statement.layout.is_none() {
            if table.is_none() {
                return Err(out_of_order(
                    "the fields of this statement depend on its table: call set_tbname() first",
                ));
            }
            self.sample = table.map(str::to_owned);
            self.run(Goal::Learn).await?;
        }
        let statement = self.prepared()?;
        Ok(statement.fields().map(Vec::as_slice).unwrap_or_default())
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
        if self.prepared()?.is_insert() {
            return Err(out_of_order("an INSERT has no result set"));
        }
        self.result
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or_else(|| {
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
        let span = crate::telemetry::span(goal.name());
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
        let limit = self.timeout.unwrap_or(self.client.config.read_timeout);
        let retry_writes = self.client.config.retry_writes;
        let mut resends = 0;
        // True once an INSERT may have been executed.
        let mut unknown = false;
        loop {
            let link = match self.client.link().await {
                Err(error) if unknown => return Err(error.with_outcome_unknown()),
                link => link?,
            };
            let mut executing = false;
            let attempt = self.attempt(&link, goal, &mut bound, &raw, &mut executing);
            let ended = within(limit, &link, attempt).await;
            // Up to the execution everything has its effect on this statement only.
            let insert = self.statement.as_ref().is_some_and(Statement::is_insert);
            let effect = if executing && insert {
                Effect::Write
            } else {
                Effect::Read
            };
            let write = effect == Effect::Write;
            match ended {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Stop::Error(error))) => return Err(error),
                Ok(Err(Stop::Failure(Failure::Lost { sent, cause }))) => {
                    unknown |= write && sent;
                    if resends < RESENDS && effect.may_resend(sent, retry_writes) {
                        resends += 1;
                        tracing::debug!(address = link.address(), %cause, "starting the statement again");
                        continue;
                    }
                    return Err(lost(cause, link.address(), unknown));
                }
                Ok(Err(Stop::Failure(Failure::DuplicateId))) => return Err(duplicate_id()),
                Ok(Err(Stop::Failure(Failure::TooLong))) => return Err(too_long()),
                Err(_) => {
                    let what = goal.name();
                    return Err(timed_out(what, link.address(), limit, write || unknown));
                }
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
                let remote = Remote::open(&self.client, link, &mut self.opening).await?;
                if self.dialect != Some(remote.dialect()) {
                    self.dialect = Some(remote.dialect());
                    self.stamp += 1;
                }
                remote
            }
        };
        if goal != Goal::Open {
            self.make_ready(&mut remote).await?;
        }
        if matches!(goal, Goal::Learn | Goal::Execute) {
            self.learn_layout(&remote, bound).await?;
        }
        if goal == Goal::Execute {
            self.fit(bound)?;
            let layout = self.statement.as_ref().and_then(|s| s.layout.as_ref());
            let types = layout.map(Layout::column_types).unwrap_or_default();
            remote.send(bound, &types, &mut self.buffer).await?;
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

    async fn make_ready(&mut self, remote: &mut Remote) -> Result<(), Stop> {
        let Some(statement) = self.statement.as_mut() else {
            return Err(out_of_order("call prepare() first").into());
        };
        if remote.prepared {
            return Ok(());
        }
        let database = self.client.session().database.clone();
        if statement.prepared.is_none() {
            statement.database = database;
        } else if statement.database != database && !statement.outline.is_qualified() {
            return Err(RawError::of(
                ErrorKind::Config,
                format!(
                    "the statement has to be prepared anew, but the session has changed from database \
                     `{}` to `{database}` since; call prepare() again, or write the database before \
                     the table",
                    statement.database
                ),
            )
            .into());
        }
        let prepared = remote.prepare(&statement.sql, &statement.outline).await?;
        let known = statement.prepared.as_ref();
        // After a reconnect the table may be another; what is bound is checked again before it is sent.
        if prepared.fields.is_some() && known.is_none_or(|known| known.fields != prepared.fields) {
            let fields = prepared.fields.as_deref().unwrap_or_default();
            statement.layout = Some(Layout::of(fields, &statement.outline)?);
            self.stamp += 1;
        }
        if known.is_none() || prepared.fields.is_some() {
            statement.prepared = Some(prepared);
        }
        self.learn_digits(None).await?;
        Ok(())
    }

    async fn learn_layout(&mut self, remote: &Remote, bound: &[Bound]) -> Result<(), Stop> {
        let Some(statement) = self.statement.as_mut() else {
            return Ok(());
        };
        if !statement.is_insert() || statement.layout.is_some() {
            return Ok(());
        }
        let table = match bound.iter().find_map(|bound| bound.name.clone()) {
            Some(table) => Some(table),
            None => self.sample.clone(),
        };
        let Some(table) = table else {
            return Ok(());
        };
        let fields = remote
            .fields_of(&statement.sql, &statement.outline, &table)
            .await?;
        statement.layout = Some(Layout::of(&fields, &statement.outline)?);
        self.stamp += 1;
        if let Some(prepared) = statement.prepared.as_mut() {
            prepared.count = fields.len();
            prepared.fields = Some(fields);
        }
        self.learn_digits(Some(&table)).await?;
        Ok(())
    }

    /// Servers of the line 3.3 tell a decimal's digits only when asked to describe its table.
    async fn learn_digits(&mut self, table: Option<&str>) -> RawResult<()> {
        let Some(statement) = self.statement.as_mut() else {
            return Ok(());
        };
        let takes = self
            .dialect
            .is_some_and(|dialect| dialect.takes(Ty::Decimal));
        let Some(layout) = statement
            .layout
            .as_mut()
            .filter(|layout| takes && layout.lacks_digits())
        else {
            return Ok(());
        };
        let Some(table) = table.or_else(|| statement.outline.described()) else {
            return Ok(());
        };
        let taos = Taos::new(self.client.clone());
        let told = |error: RawError| error.context("asking for the scale of decimal columns");
        let sql = format!("describe {}", quoted(table));
        let mut lines = taos.query(sql).await.map_err(told)?;
        let columns: Vec<Described> = lines.deserialize().try_collect().await.map_err(told)?;
        for column in columns {
            if let Some(digits) = column.decimal {
                layout.set_digits(&column.field, digits);
            }
        }
        Ok(())
    }

    /// Checks what could not be checked when it was bound, or was checked for another server.
    fn fit(&self, bound: &mut [Bound]) -> RawResult<()> {
        bound
            .iter_mut()
            .filter(|table| table.fitted != self.stamp)
            .try_for_each(|table| self.check(table))
    }

    async fn open_result(&self, remote: &Remote) -> Result<(), Stop> {
        if self.prepared()?.is_insert() {
            return Ok(());
        }
        let answer = remote.result().await?;
        let result = ResultSet::of_statement(answer, &self.client, remote.handle())?;
        self.set_result(Some(result));
        Ok(())
    }
}
