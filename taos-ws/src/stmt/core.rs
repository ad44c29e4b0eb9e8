//! The steps of a statement, their limits and their repetition.

use super::remote::{Opening, Remote};
use crate::client::Client;
use crate::connection::Link;
use crate::query::{ResultSet, Taos};
use crate::resend::Effect;
use crate::tries::{Stop, Tries};
use bytes::{Bytes, BytesMut};
use std::fmt::DebugStruct;
use std::sync::Arc;
use std::time::Duration;
use taos_query::RawResult;
use taos_query::stmt::logic::{Bound, Draft, Known, Outcome};

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
    pub(super) draft: Draft,
    raw: Vec<(u64, Bytes)>,
    /// Keeps its memory from one execution to the next.
    buffer: BytesMut,
    pub(super) outcome: Outcome<ResultSet>,
    /// The server's id of the last result.
    pub(super) result_id: u64,
}

impl Core {
    pub(super) fn new(taos: &Taos, opening: Opening) -> Self {
        Self {
            client: taos.client.clone(),
            draft: Draft::new(opening.single_table_bind_once),
            opening,
            timeout: None,
            remote: None,
            raw: Vec::new(),
            buffer: BytesMut::new(),
            outcome: Outcome::default(),
            result_id: 0,
        }
    }

    pub(super) fn taos(&self) -> Taos {
        Taos::new(self.client.clone())
    }

    pub(super) fn describe<'a, 'b>(&self, mut to: DebugStruct<'a, 'b>) -> DebugStruct<'a, 'b> {
        to.field("sql", &self.draft.sql())
            .field("stmt_id", &self.stmt_id())
            .field("bound", &self.draft.bound())
            .field("affected_rows", &self.outcome.affected);
        to
    }

    pub(super) fn home(&self) -> Option<tokio::runtime::Id> {
        self.client.home()
    }

    pub(super) fn stmt_id(&self) -> Option<u64> {
        self.remote.as_ref().map(Remote::id)
    }

    pub(super) async fn open(&mut self) -> RawResult<()> {
        self.run(Goal::Open).await
    }

    /// Forgets everything about the statement before.
    pub(super) async fn prepare(&mut self, sql: &str) -> RawResult<()> {
        self.draft.begin(sql)?;
        self.raw.clear();
        self.outcome.set(None);
        if let Some(remote) = &mut self.remote {
            remote.prepared = false;
        }
        let prepared = self.run(Goal::Prepare).await;
        if prepared.is_err() {
            self.draft.give_up();
        }
        prepared
    }

    pub(super) fn add_raw(&mut self, req_id: u64, payload: Bytes) -> RawResult<()> {
        self.draft.prepared()?;
        self.raw.push((req_id, payload));
        Ok(())
    }

    /// What the placeholders of an INSERT are, asked for with `table` if they are not known without
    /// one; `None` for a query.
    pub(super) async fn learn(&mut self, table: Option<&str>) -> RawResult<Option<&Known>> {
        if self.draft.must_learn(table)? {
            self.run(Goal::Learn).await?;
        }
        self.draft.known(table)
    }

    /// Sends what was bound and runs it. Afterwards nothing is bound, whatever came out.
    pub(super) async fn execute(&mut self) -> RawResult<usize> {
        self.draft.may_execute(!self.raw.is_empty())?;
        self.outcome.clear();
        let result = self.run(Goal::Execute).await;
        self.draft.clear();
        self.raw.clear();
        result?;
        Ok(self.outcome.affected_once)
    }

    /// Gets as far as `goal`, on another connection if need be.
    async fn run(&mut self, goal: Goal) -> RawResult<()> {
        let client = self.client.clone();
        let span = crate::telemetry::stmt_span(goal.name(), self.draft.sql());
        // A future that is dropped leaves nothing behind that might still be executed.
        let bound = match goal {
            Goal::Execute => (self.draft.take_bound(), std::mem::take(&mut self.raw)),
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
            let effect = if executing && self.draft.is_insert() {
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
        let taos = self.taos();
        let mut remote = match self.remote.take() {
            Some(remote) if remote.serves(link) => remote,
            _ => {
                // Boxed, like all that happens once for many executions, to keep the future small.
                let opened = Box::pin(Remote::open(&self.client, link, &mut self.opening));
                let remote = opened.await?;
                self.draft.meet(remote.dialect());
                remote
            }
        };
        if goal != Goal::Open {
            self.check_database(&remote, bound, raw)?;
            if !remote.prepared {
                remote.database = self.client.session().database.clone();
                let database = remote.database.clone();
                let ready = self.draft.make_ready(&mut remote, &database, &taos);
                Box::pin(ready).await?;
            }
        }
        if matches!(goal, Goal::Learn | Goal::Execute) {
            Box::pin(self.draft.learn_tables(&mut remote, bound, &taos)).await?;
        }
        if goal == Goal::Execute {
            self.draft.fit(bound)?;
            let groups = self.draft.prepared()?.by_types(&*bound);
            for (types, tables) in groups {
                remote.send(&tables, &types, &mut self.buffer).await?;
            }
            for (req_id, payload) in raw {
                remote.send_raw(payload, *req_id).await?;
            }
            *executing = true;
            let rows = remote.exec().await?;
            self.open_result(&remote).await?;
            self.outcome.count(rows);
        }
        self.remote = Some(remote);
        Ok(())
    }

    fn check_database(
        &self,
        remote: &Remote,
        bound: &[Bound],
        raw: &[(u64, Bytes)],
    ) -> RawResult<()> {
        let session;
        let database = if remote.prepared {
            &remote.database
        } else {
            session = self.client.session().database.clone();
            &session
        };
        self.draft.check_database(database, bound, !raw.is_empty())
    }

    async fn open_result(&mut self, remote: &Remote) -> Result<(), Stop> {
        if self.draft.prepared()?.is_insert() {
            return Ok(());
        }
        let answer = remote.result().await?;
        // Each generation has its own name for it.
        self.result_id = answer.reply.id.max(answer.reply.result_id);
        let result = ResultSet::of_statement(answer, &self.client, remote.handle())?;
        self.outcome.set(Some(result));
        Ok(())
    }
}
