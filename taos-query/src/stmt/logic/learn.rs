use std::future::Future;

use futures_util::TryStreamExt as _;

use super::layout::Layout;
use super::outline::Outline;
use super::statement::{Known, Prepared};
use super::{Bound, Draft, out_of_order};
use crate::common::Ty;
use crate::error::{RawError, RawResult};
use crate::helpers::Described;
use crate::stmt::{BindType, Stmt2Field};
use crate::traits::{AsyncFetchable as _, AsyncQueryable};

/// A statement as some backend has it.
pub trait Remote: Sized + Send {
    /// Why a step failed.
    type Stop: From<RawError> + Send;

    /// Gives the peer its text.
    fn prepare(
        &mut self,
        sql: &str,
        outline: &Outline,
    ) -> impl Future<Output = Result<Prepared, Self::Stop>> + Send;

    /// The fields of an INSERT for the table that is bound as `table`, and that SQL calls `place`. The
    /// `probe` is a statement of its own, made when it is needed, that serves for further tables.
    fn fields_of(
        &mut self,
        sql: &str,
        outline: &Outline,
        names: (&str, &str),
        probe: &mut Option<Self>,
    ) -> impl Future<Output = Result<Vec<Stmt2Field>, Self::Stop>> + Send;
}

/// The placeholder of a table, which is the same for all.
#[must_use]
pub fn table_field() -> Stmt2Field {
    Stmt2Field::new("tbname", 8, 0, 0, 271, BindType::TableName)
}

impl Draft {
    /// Prepares the statement in this database, which is the session's.
    ///
    /// # Errors
    /// What comes from `remote`, and from asking for decimals.
    pub async fn make_ready<R: Remote, Q: AsyncQueryable>(
        &mut self,
        remote: &mut R,
        database: &str,
        taos: &Q,
    ) -> Result<(), R::Stop> {
        let Some(statement) = self.statement.as_mut() else {
            return Err(out_of_order("call prepare() first").into());
        };
        if statement.prepared.is_none() {
            database.clone_into(&mut statement.database);
        }
        let prepared = remote.prepare(&statement.sql, &statement.outline).await?;
        let place = statement.described()?;
        let known = match &prepared.fields {
            Some(fields) => Some(
                self.complete(fields.clone(), place.as_deref(), taos)
                    .await?,
            ),
            None => None,
        };
        let Some(statement) = self.statement.as_mut() else {
            return Ok(());
        };
        statement.prepared = Some(prepared);
        // After a reconnect the table may be another; what is bound is checked again before it is sent.
        let changed = match known {
            Some(known) => statement.learnt(None, known),
            None => statement.unlearn(),
        };
        self.stamp += u64::from(changed);
        Ok(())
    }

    /// Asks for the tables of which nothing is known yet.
    ///
    /// # Errors
    /// As [`make_ready`](Self::make_ready).
    pub async fn learn_tables<R: Remote, Q: AsyncQueryable>(
        &mut self,
        remote: &mut R,
        bound: &[Bound],
        taos: &Q,
    ) -> Result<(), R::Stop> {
        let Some(statement) = &mut self.statement else {
            return Ok(());
        };
        statement.make_room();
        let mut probe = None;
        for table in statement.unknown_tables(bound, self.sample.as_deref()) {
            let Some(statement) = &self.statement else {
                return Ok(());
            };
            let place = statement.place_of(&table)?;
            let names = (table.as_str(), place.as_str());
            let fields = remote
                .fields_of(&statement.sql, &statement.outline, names, &mut probe)
                .await?;
            // Kept only when it is whole, or its rest would never be asked for.
            let known = self.complete(fields, Some(&place), taos).await?;
            if let Some(statement) = self.statement.as_mut() {
                let changed = statement.learnt(Some(&table), known);
                self.stamp += u64::from(changed);
            }
        }
        Ok(())
    }

    async fn complete<Q: AsyncQueryable>(
        &self,
        fields: Vec<Stmt2Field>,
        place: Option<&str>,
        taos: &Q,
    ) -> RawResult<Known> {
        let Some(statement) = &self.statement else {
            return Err(out_of_order("call prepare() first"));
        };
        let mut layout = Layout::of(&fields, &statement.outline)?;
        let decimals = self.dialect.is_some_and(|d| d.takes(Ty::Decimal));
        if let Some(place) = place.filter(|_| decimals && layout.lacks_digits()) {
            learn_digits(&mut layout, place, taos).await?;
        }
        Ok(Known { fields, layout })
    }
}

/// Servers of the line 3.3 tell a decimal's digits only when asked to describe its table.
async fn learn_digits<Q: AsyncQueryable>(
    layout: &mut Layout,
    place: &str,
    taos: &Q,
) -> RawResult<()> {
    let told = |error: RawError| error.context("asking for the scale of decimal columns");
    let sql = format!("describe {place}");
    let mut lines = taos.query(sql).await.map_err(told)?;
    let columns: Vec<Described> = lines.deserialize().try_collect().await.map_err(told)?;
    for column in columns {
        if let Some(digits) = column.decimal {
            layout.set_digits(&column.field, digits);
        }
    }
    Ok(())
}
