//! The steps of a statement.

use std::fmt::DebugStruct;

use taos_query::RawResult;
use taos_query::stmt::logic::{Bound, Draft, Known, Outcome};
use taos_query::util::generate_req_id;

use super::remote::{Remote, current_database};
use crate::client::{ResultSet, Taos};
use crate::raw::statement::Opening;

/// How far an attempt shall get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Open,
    Prepare,
    /// Know the placeholders.
    Learn,
    Execute,
}

/// A statement, whether the library has it at the moment or not.
pub(super) struct Core {
    taos: Taos,
    opening: Opening,
    remote: Option<Remote>,
    pub(super) draft: Draft,
    pub(super) outcome: Outcome<ResultSet>,
}

impl Core {
    /// Opens it, so that a connection that is of no use is found out about at once.
    pub(super) async fn open(taos: &Taos, opening: Opening) -> RawResult<Self> {
        let mut core = Self {
            taos: taos.clone(),
            draft: Draft::new(opening.single_table_bind_once),
            opening,
            remote: None,
            outcome: Outcome::default(),
        };
        core.attempt(Goal::Open, Vec::new()).await?;
        Ok(core)
    }

    pub(super) fn describe<'a, 'b>(&self, mut to: DebugStruct<'a, 'b>) -> DebugStruct<'a, 'b> {
        to.field("sql", &self.draft.sql())
            .field("bound", &self.draft.bound())
            .field("affected_rows", &self.outcome.affected);
        to
    }

    /// Forgets everything about the statement before.
    pub(super) async fn prepare(&mut self, sql: &str) -> RawResult<()> {
        self.draft.begin(sql)?;
        self.outcome.set(None);
        if let Some(remote) = &mut self.remote {
            remote.prepared = false;
        }
        let prepared = self.attempt(Goal::Prepare, Vec::new()).await;
        if prepared.is_err() {
            self.draft.give_up();
        }
        prepared
    }

    /// What the placeholders of an INSERT are, asked for with `table` if they are not known without one; `None` for a
    /// query.
    pub(super) async fn learn(&mut self, table: Option<&str>) -> RawResult<Option<&Known>> {
        if self.draft.must_learn(table)? {
            self.attempt(Goal::Learn, Vec::new()).await?;
        }
        self.draft.known(table)
    }

    /// Gives what was bound to the library and runs it. Afterwards nothing is bound, whatever came out.
    pub(super) async fn execute(&mut self) -> RawResult<usize> {
        self.draft.may_execute(false)?;
        self.outcome.clear();
        let bound = self.draft.take_bound();
        self.attempt(Goal::Execute, bound).await?;
        Ok(self.outcome.affected_once)
    }

    /// Gets as far as `goal`. The library's statement is given up if that fails or is dropped, because in the first
    /// case it is broken and in the second its state is unknown.
    async fn attempt(&mut self, goal: Goal, mut bound: Vec<Bound>) -> RawResult<()> {
        let mut kept = self.remote.take();
        let serves = match &mut kept {
            Some(remote) => remote.serves().await,
            None => false,
        };
        let mut remote = match kept.filter(|_| serves) {
            Some(remote) => remote,
            None => {
                let opened = Box::pin(Remote::open(&self.taos, self.opening)).await?;
                // The id is good for one opening.
                self.opening.req_id = generate_req_id();
                self.draft.meet(opened.dialect());
                opened
            }
        };
        if goal != Goal::Open {
            Box::pin(self.make_ready(&mut remote, &bound)).await?;
        }
        if matches!(goal, Goal::Learn | Goal::Execute) {
            let learnt = self.draft.learn_tables(&mut remote, &bound, &self.taos);
            Box::pin(learnt).await?;
        }
        if goal == Goal::Execute {
            self.draft.fit(&mut bound)?;
            let statement = self.draft.prepared()?;
            let (groups, insert) = (statement.by_types(bound), statement.is_insert());
            let (rows, result) = remote.execute(groups, insert).await?;
            let result = result.map(|result| ResultSet::new(result, &self.taos.settings));
            self.outcome.set(result);
            self.outcome.count(rows);
        }
        self.remote = Some(remote);
        Ok(())
    }

    async fn make_ready(&mut self, remote: &mut Remote, bound: &[Bound]) -> RawResult<()> {
        if remote.prepared {
            return self.draft.check_database(&remote.database, bound, false);
        }
        let database = current_database(&self.taos).await?;
        self.draft.check_database(&database, bound, false)?;
        remote.database.clone_from(&database);
        self.draft.make_ready(remote, &database, &self.taos).await
    }
}
