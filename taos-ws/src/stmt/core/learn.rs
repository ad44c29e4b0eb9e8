//! Preparing, and learning what the placeholders are.

use super::Core;
use crate::query::Taos;
use crate::stmt::layout::Layout;
use crate::stmt::remote::Remote;
use crate::stmt::statement::Known;
use crate::stmt::{Bound, out_of_order};
use crate::tries::Stop;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use taos_query::common::Ty;
use taos_query::helpers::Described;
use taos_query::stmt::Stmt2Field;
use taos_query::{AsyncFetchable as _, AsyncQueryable as _, ErrorKind, RawError, RawResult};

impl Core {
    /// Refuses what would go to another database than the one that the statement was prepared in.
    pub(super) fn check_database(
        &self,
        remote: &Remote,
        bound: &[Bound],
        raw: &[(u64, Bytes)],
    ) -> RawResult<()> {
        let Some(statement) = self.statement.as_ref().filter(|s| s.prepared.is_some()) else {
            return Ok(());
        };
        let session;
        let database = if remote.prepared {
            &remote.database
        } else {
            session = self.client.session().database.clone();
            &session
        };
        let sample = self.sample.as_deref().filter(|_| bound.is_empty());
        let names = bound.iter().filter_map(|bound| bound.name.as_deref());
        // Names among raw bytes are not looked at.
        let hidden = (!raw.is_empty()).then_some("");
        let names = names.chain(sample).chain(hidden);
        if *database == statement.database || statement.outline.is_qualified(names) {
            return Ok(());
        }
        Err(RawError::of(
            ErrorKind::Config,
            format!(
                "the statement has to be prepared anew, but the session has changed from database \
                 `{}` to `{database}` since; call prepare() again, or write the database before \
                 the table",
                statement.database
            ),
        ))
    }

    pub(super) async fn make_ready(&mut self, remote: &mut Remote) -> Result<(), Stop> {
        let database = self.client.session().database.clone();
        let Some(statement) = self.statement.as_mut() else {
            return Err(out_of_order("call prepare() first").into());
        };
        if statement.prepared.is_none() {
            statement.database.clone_from(&database);
        }
        remote.database = database;
        let prepared = remote.prepare(&statement.sql, &statement.outline).await?;
        let place = statement.described()?;
        let known = match &prepared.fields {
            Some(fields) => Some(self.known(fields.clone(), place.as_deref()).await?),
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
    pub(super) async fn learn_tables(
        &mut self,
        remote: &Remote,
        bound: &[Bound],
    ) -> Result<(), Stop> {
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
            let known = self.known(fields, Some(&place)).await?;
            if let Some(statement) = self.statement.as_mut() {
                let changed = statement.learnt(Some(&table), known);
                self.stamp += u64::from(changed);
            }
        }
        Ok(())
    }

    async fn known(&self, fields: Vec<Stmt2Field>, place: Option<&str>) -> RawResult<Known> {
        let Some(statement) = &self.statement else {
            return Err(out_of_order("call prepare() first"));
        };
        let mut layout = Layout::of(&fields, &statement.outline)?;
        let decimals = self.dialect.is_some_and(|d| d.takes(Ty::Decimal));
        if let Some(place) = place.filter(|_| decimals && layout.lacks_digits()) {
            self.learn_digits(&mut layout, place).await?;
        }
        Ok(Known { fields, layout })
    }

    /// Servers of the line 3.3 tell a decimal's digits only when asked to describe its table.
    async fn learn_digits(&self, layout: &mut Layout, place: &str) -> RawResult<()> {
        let taos = Taos::new(self.client.clone());
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
}
