//! A statement, shared with the execution that runs in the background.

use std::ffi::c_void;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use taos_query::abi::TaosCallback;
use taos_query::block::ColumnView;
use taos_query::common::Value;
use taos_query::{RawResult, Stmt2AsyncBindable as _};
use taos_ws::Stmt2;

use crate::binds::wrong;
use crate::error::Failure;
use crate::runtime::{Param, give_way, wait};
use crate::statement::{OwnedResult, out_of_order};
use crate::stop::Kill;

/// Who is told that an execution has ended.
#[derive(Clone, Copy)]
pub(super) struct Report {
    pub(super) call: TaosCallback,
    pub(super) param: Param,
}

// SAFETY: threads only copy it: what the program gave with it is looked into by nobody but the program.
unsafe impl Sync for Report {}

/// The columns of one table, given one by one.
pub(super) struct Pending {
    pub(super) name: Option<String>,
    pub(super) tags: Option<Vec<Value>>,
    pub(super) columns: Vec<Option<ColumnView>>,
}

pub(super) struct State {
    /// Nothing while it is executed in the background.
    pub(super) stmt: Option<Stmt2>,
    pub(super) kill: Kill,
    /// The statement went down with a panic.
    lost: bool,
    /// The thread that is in the program's callback.
    reporting: Option<ThreadId>,
    pub(super) pending: Vec<Pending>,
    /// The last error is one that only preparing ends.
    pub(super) failed: bool,
    pub(super) error: Failure,
    pub(super) result: OwnedResult,
}

pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    pub(super) report: Option<Report>,
}

impl Shared {
    pub(super) fn new(stmt: Stmt2, kill: Kill, report: Option<Report>) -> Self {
        Self {
            state: Mutex::new(State {
                stmt: Some(stmt),
                kill,
                lost: false,
                reporting: None,
                pending: Vec::new(),
                failed: false,
                error: Failure::default(),
                result: OwnedResult::none(),
            }),
            changed: Condvar::new(),
            report,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, busy: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let state = self.lock();
        if busy(&state) {
            // What it waits for may be the turn of a callback.
            give_way();
        }
        self.changed
            .wait_while(state, |state| busy(state))
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The statement, once no execution has it.
    pub(super) fn idle(&self) -> MutexGuard<'_, State> {
        self.wait_while(|state| state.stmt.is_none() && !state.lost)
    }

    /// Takes the statement back from an execution; gives the result's pointer.
    pub(super) fn finish(
        &self,
        stmt: Option<Stmt2>,
        result: OwnedResult,
        failure: Option<Failure>,
    ) -> *mut c_void {
        let mut state = self.lock();
        state.lost = stmt.is_none();
        state.stmt = stmt;
        state.failed = failure.is_some();
        state.error = failure.unwrap_or_default();
        state.result = result;
        state.reporting = Some(thread::current().id());
        self.changed.notify_all();
        state.result.pointer()
    }

    /// The callback has come back.
    pub(super) fn reported(&self) {
        let mut state = self.lock();
        // A callback may have begun an execution that another thread reports by now.
        if state.reporting == Some(thread::current().id()) {
            state.reporting = None;
        }
        self.changed.notify_all();
    }

    /// Frees what the program may have of it. From within the callback it does not wait for that.
    pub(super) fn close(&self) {
        let here = thread::current().id();
        let mut state = self.wait_while(|state| {
            let executing = state.stmt.is_none() && !state.lost;
            executing || state.reporting.is_some_and(|thread| thread != here)
        });
        state.result = OwnedResult::none();
        state.lost = true;
        let stmt = state.stmt.take();
        drop(state);
        drop(stmt);
    }
}

impl State {
    /// True once a panic has taken the statement.
    pub(super) const fn lost(&self) -> bool {
        self.lost
    }

    pub(super) fn stmt(&mut self) -> RawResult<&mut Stmt2> {
        self.stmt
            .as_mut()
            .ok_or_else(|| out_of_order("the statement was lost in a panic: close it"))
    }

    pub(super) fn is_insert(&self) -> RawResult<bool> {
        let insert = self.stmt.as_ref().and_then(|stmt| stmt.is_insert());
        insert.ok_or_else(|| out_of_order("call taos_stmt2_prepare first"))
    }

    pub(super) fn prepare(&mut self, sql: &str) -> RawResult<()> {
        self.pending.clear();
        self.result = OwnedResult::none();
        let kill = self.kill.clone();
        wait(kill.unless_killed(self.stmt()?.prepare(sql)))?;
        Ok(())
    }

    pub(super) fn execute(&mut self) -> RawResult<usize> {
        self.complete()?;
        self.result = OwnedResult::none();
        let kill = self.kill.clone();
        wait(kill.unless_killed(self.stmt()?.exec()))
    }

    /// Refuses to go on with some of the columns.
    pub(super) fn complete(&self) -> RawResult<()> {
        let missing = |table: &Pending| table.columns.iter().position(Option::is_none);
        match self.pending.iter().find_map(missing) {
            Some(at) => Err(wrong(format!(
                "column {at} was not bound, but others of the table were, one by one"
            ))),
            None => Ok(()),
        }
    }
}
