use super::layout::{Dialect, fit_query, fit_unknown};
use super::rounds::{joined, most_rounds};
use super::statement::{Known, Statement};
use super::{Bound, out_of_order};
use crate::common::Value;
use crate::error::{ErrorKind, RawError, RawResult};

/// A statement with what is bound to it, wherever the peer has it at the moment.
#[derive(Debug)]
pub struct Draft {
    /// Of whoever was last talked to.
    pub(super) dialect: Option<Dialect>,
    /// Counts the changes of what data must fit, so that it is checked once only.
    pub(super) stamp: u64,
    pub(super) statement: Option<Statement>,
    bound: Vec<Bound>,
    /// The table that tells the layout, for want of bound data.
    pub(super) sample: Option<String>,
    /// Each table may be bound once for each execution.
    once: bool,
}

impl Draft {
    /// No statement yet; `once` if each table may be bound once for each execution.
    #[must_use]
    pub const fn new(once: bool) -> Self {
        Self {
            dialect: None,
            stamp: 1,
            statement: None,
            bound: Vec::new(),
            sample: None,
            once,
        }
    }

    /// Notes who has the statement now.
    pub fn meet(&mut self, dialect: Dialect) {
        if self.dialect != Some(dialect) {
            self.dialect = Some(dialect);
            self.stamp += 1;
        }
    }

    /// The text, prepared or not.
    #[must_use]
    pub fn sql(&self) -> Option<&str> {
        self.statement.as_ref().map(|s| s.sql.as_str())
    }

    /// Number of tables that are bound.
    #[must_use]
    pub const fn bound(&self) -> usize {
        self.bound.len()
    }

    /// True if the statement, prepared or not, writes.
    #[must_use]
    pub fn is_insert(&self) -> bool {
        self.statement.as_ref().is_some_and(Statement::is_insert)
    }

    /// The prepared statement.
    ///
    /// # Errors
    /// Before that.
    pub fn prepared(&self) -> RawResult<&Statement> {
        self.statement
            .as_ref()
            .filter(|statement| statement.prepared.is_some())
            .ok_or_else(|| out_of_order("call prepare() first"))
    }

    /// Takes another text, and forgets everything about the one before.
    ///
    /// # Errors
    /// For a text of blanks, which changes nothing.
    pub fn begin(&mut self, sql: &str) -> RawResult<()> {
        if sql.trim_ascii().is_empty() {
            return Err(RawError::of(ErrorKind::Config, "the statement is empty"));
        }
        self.bound.clear();
        self.sample = None;
        self.statement = Some(Statement::new(sql));
        Ok(())
    }

    /// Forgets a text that could not be prepared.
    pub fn give_up(&mut self) {
        self.statement = None;
    }

    /// Takes away what is bound, so that a future that is dropped leaves nothing behind that might still
    /// be executed.
    pub fn take_bound(&mut self) -> Vec<Bound> {
        joined(std::mem::take(&mut self.bound))
    }

    /// Forgets what is bound.
    pub fn clear(&mut self) {
        self.bound.clear();
    }

    /// Checks data as far as the placeholders are known.
    ///
    /// # Errors
    /// Data that does not fit; the text names table and column.
    pub fn check(&self, bound: &mut Bound) -> RawResult<()> {
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
    ///
    /// # Errors
    /// Tags that do not fit.
    pub fn check_tags(&self, tags: &[Value], table: Option<&str>) -> RawResult<()> {
        match self.prepared()?.layout(table) {
            Some(layout) => layout.fit_tags(&mut tags.to_vec(), table),
            None => Ok(()),
        }
    }

    /// Checks what could not be checked when it was bound, or was checked for another peer.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn fit(&self, bound: &mut [Bound]) -> RawResult<()> {
        bound
            .iter_mut()
            .filter(|table| table.fitted != self.stamp)
            .try_for_each(|table| self.check(table))
    }

    /// Keeps checked data for the next execution.
    ///
    /// # Errors
    /// More than one execution may have; nothing of it is kept then.
    pub fn add(&mut self, bound: impl IntoIterator<Item = Bound>) -> RawResult<()> {
        let before = self.bound.len();
        self.bound.extend(bound);
        let limited = self.prepared()?.is_insert();
        let error = if !limited && self.bound.len() > 1 {
            Some(out_of_order(
                "a query takes one set of parameters for each execution",
            ))
        } else if limited && self.once && most_rounds(&self.bound) > 1 {
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

    /// Refuses an execution of nothing; `more` if something is bound that is not kept here.
    ///
    /// # Errors
    /// Before `prepare`, and when nothing was bound to a statement with placeholders.
    pub fn may_execute(&self, more: bool) -> RawResult<()> {
        if self.prepared()?.count() > 0 && self.bound.is_empty() && !more {
            return Err(out_of_order("nothing was bound since the last execution"));
        }
        Ok(())
    }

    /// True if the placeholders are still to be asked for, with `table` if they depend on it.
    ///
    /// # Errors
    /// When they depend on a table and none is given.
    pub fn must_learn(&mut self, table: Option<&str>) -> RawResult<bool> {
        let statement = self.prepared()?;
        if !statement.is_insert() || statement.known(table).is_some() {
            return Ok(false);
        }
        if table.is_none() {
            return Err(out_of_order(
                "the fields of this statement depend on its table: call set_tbname() first",
            ));
        }
        self.sample = table.map(str::to_owned);
        Ok(true)
    }

    /// What the placeholders of an INSERT are; `None` for a query, and as long as nobody told.
    ///
    /// # Errors
    /// Before `prepare`.
    pub fn known(&self, table: Option<&str>) -> RawResult<Option<&Known>> {
        Ok(self.prepared()?.known(table).map(|known| &**known))
    }

    /// Refuses what would go to another database than the one that the statement was prepared in:
    /// `current` is where it is prepared, or would be. `hidden` tells that tables are bound whose
    /// names are not looked at.
    ///
    /// # Errors
    /// When the databases differ and not every table is named with its own.
    pub fn check_database(&self, current: &str, bound: &[Bound], hidden: bool) -> RawResult<()> {
        let Some(statement) = self.statement.as_ref().filter(|s| s.prepared.is_some()) else {
            return Ok(());
        };
        let sample = self.sample.as_deref().filter(|_| bound.is_empty());
        let names = bound.iter().filter_map(|bound| bound.name.as_deref());
        let names = names.chain(sample).chain(hidden.then_some(""));
        if current == statement.database || statement.outline.is_qualified(names) {
            return Ok(());
        }
        Err(RawError::of(
            ErrorKind::Config,
            format!(
                "the statement has to be prepared anew, but the session has changed from database \
                 `{}` to `{current}` since; call prepare() again, or write the database before \
                 the table",
                statement.database
            ),
        ))
    }
}
