//! A statement of the first generation, and its steps.

use std::ffi::{c_int, c_void};

use taos_query::abi::TaosMultiBind;
use taos_query::block::ColumnView;
use taos_query::{AsyncBindable as _, RawResult};
use taos_ws::Stmt;

use crate::binds::{Source, Wanted, array, wrong};
use crate::error::Failure;
use crate::handle::Object;
use crate::result::Res;
use crate::runtime::wait;
use crate::statement::{OwnedResult, out_of_order};
use crate::stop::Kill;

/// A statement of the first generation.
pub(super) struct Statement {
    pub(super) stmt: Stmt,
    pub(super) kill: Kill,
    /// The first error that a step came to; no step is taken after it.
    pub(super) failed: bool,
    /// The last error, for `taos_stmt_errstr`.
    pub(super) error: Failure,
    /// What the columns take, as far as that was asked for since the table was set.
    columns: Option<Vec<Wanted>>,
    /// Columns that are given one by one, until they are complete.
    single: Vec<Option<ColumnView>>,
    result: OwnedResult,
}

impl Object for Statement {
    const KIND: u64 = u64::from_be_bytes(*b"taosstm1");
}

impl Statement {
    pub(super) fn new(stmt: Stmt, kill: Kill) -> Self {
        Self {
            stmt,
            kill,
            failed: false,
            error: Failure::default(),
            columns: None,
            single: Vec::new(),
            result: OwnedResult::none(),
        }
    }

    pub(super) fn is_insert(&self) -> RawResult<bool> {
        self.stmt
            .is_insert()
            .ok_or_else(|| out_of_order("call taos_stmt_prepare first"))
    }

    pub(super) fn prepare(&mut self, sql: &str) -> RawResult<()> {
        self.columns = None;
        self.single.clear();
        self.result = OwnedResult::none();
        wait(self.kill.unless_killed(self.stmt.prepare(sql)))?;
        Ok(())
    }

    pub(super) fn set_table(&mut self, name: &str) -> RawResult<()> {
        self.complete()?;
        self.columns = None;
        wait(self.kill.unless_killed(self.stmt.set_tbname(name)))?;
        Ok(())
    }

    /// # Safety
    /// `tags` leads to a tag for each placeholder, each as [`Source::column`] says.
    pub(super) unsafe fn set_tags(&mut self, tags: *const TaosMultiBind) -> RawResult<()> {
        self.complete()?;
        let layout = wait(self.kill.unless_killed(self.stmt.layout()))?
            .ok_or_else(|| out_of_order("a query has parameters, but no tags"))?;
        let wanted: Vec<Wanted> = layout.tags.iter().map(Wanted::from).collect();
        // SAFETY: as the caller says.
        let binds = unsafe { array(tags, wanted.len()) }?;
        let mut values = Vec::with_capacity(wanted.len());
        for (at, (bind, wanted)) in binds.iter().zip(&wanted).enumerate() {
            let source = Source::first(bind, true);
            // SAFETY: as the caller says.
            let value = source.and_then(|source| unsafe { source.value(wanted) });
            values.push(value.map_err(|error| error.context(format!("tag {at}")))?);
        }
        wait(self.kill.unless_killed(self.stmt.set_tags(&values)))?;
        Ok(())
    }

    /// What the columns take; nothing for each parameter of a query.
    pub(super) fn wanted(&mut self) -> RawResult<Vec<Option<Wanted>>> {
        if !self.is_insert()? {
            return Ok(vec![
                None;
                wait(
                    self.kill.unless_killed(self.stmt.stmt_num_params())
                )?
            ]);
        }
        if self.columns.is_none() {
            let layout = wait(self.kill.unless_killed(self.stmt.layout()))?;
            let columns = layout.map(|layout| layout.columns.iter().map(Wanted::from).collect());
            self.columns = columns;
        }
        Ok(self.columns.iter().flatten().copied().map(Some).collect())
    }

    /// # Safety
    /// `binds` leads to a column for each placeholder, each as [`Source::column`] says.
    pub(super) unsafe fn bind(&mut self, binds: *const TaosMultiBind, one: bool) -> RawResult<()> {
        self.complete()?;
        let wanted = self.wanted()?;
        let one = one || !self.is_insert()?;
        // SAFETY: as the caller says.
        let binds = unsafe { array(binds, wanted.len()) }?;
        let mut columns = Vec::with_capacity(wanted.len());
        for (at, (bind, wanted)) in binds.iter().zip(&wanted).enumerate() {
            let source = Source::first(bind, one);
            // SAFETY: as the caller says.
            let column = source.and_then(|source| unsafe { source.column(wanted.as_ref()) });
            columns.push(column.map_err(|error| error.context(format!("column {at}")))?);
        }
        wait(self.kill.unless_killed(self.stmt.bind(&columns)))?;
        Ok(())
    }

    /// # Safety
    /// `bind` is as [`Source::column`] says.
    pub(super) unsafe fn bind_single(&mut self, bind: &TaosMultiBind, at: c_int) -> RawResult<()> {
        let wanted = self.wanted()?;
        let index = usize::try_from(at).ok();
        let Some((index, wanted_here)) = index.and_then(|at| Some((at, wanted.get(at)?))) else {
            return Err(wrong(format!(
                "there is no column {at}: the statement has {}",
                wanted.len()
            )));
        };
        let source = Source::first(bind, !self.is_insert()?);
        // SAFETY: as the caller says.
        let column = source.and_then(|source| unsafe { source.column(wanted_here.as_ref()) });
        let column = column.map_err(|error| error.context(format!("column {at}")))?;
        self.single.resize(wanted.len(), None);
        if let Some(place) = self.single.get_mut(index) {
            *place = Some(column);
        }
        if self.single.iter().all(Option::is_some) {
            let columns: Vec<ColumnView> = self.single.drain(..).flatten().collect();
            wait(self.kill.unless_killed(self.stmt.bind(&columns)))?;
        }
        Ok(())
    }

    /// Refuses to go on with some of the columns.
    pub(super) fn complete(&self) -> RawResult<()> {
        match self.single.iter().position(Option::is_none) {
            Some(at) => Err(wrong(format!(
                "column {at} was not bound, but others of the table were, one by one"
            ))),
            None => Ok(()),
        }
    }

    pub(super) fn add_batch(&mut self) -> RawResult<()> {
        self.complete()?;
        wait(self.kill.unless_killed(self.stmt.add_batch()))?;
        Ok(())
    }

    pub(super) fn execute(&mut self) -> RawResult<()> {
        self.complete()?;
        self.result = OwnedResult::none();
        wait(self.kill.unless_killed(self.stmt.execute()))?;
        Ok(())
    }

    pub(super) fn use_result(&mut self) -> RawResult<*mut c_void> {
        if self.result.pointer().is_null() {
            let result = wait(self.kill.unless_killed(self.stmt.result_set()))?;
            self.result = OwnedResult::new(Res::rows(result, self.kill.stop()));
        }
        Ok(self.result.pointer())
    }
}
