//! An engine of the test's own, asked without a connection.

use std::ops::Deref;

use taos_embedded::engine::{Answer, Engine, Session, SqlError, Storage};
use taos_query::common::Value;

/// A session in an empty database `d`.
pub(crate) struct Local {
    session: Session,
    /// Kept so that the storage lives as long as the session.
    _engine: Engine,
}

impl Local {
    pub(crate) fn new() -> Self {
        let engine = Engine::open(Storage::Memory).unwrap();
        let session = engine.session("root");
        let local = Self {
            session,
            _engine: engine,
        };
        local.exec("create database d keep 365000d");
        local.use_db("d").unwrap();
        local
    }

    pub(crate) fn exec(&self, sql: &str) {
        match self.execute(sql) {
            Ok(Answer::Affected(_)) => {}
            other => panic!("{sql}: {other:?}"),
        }
    }

    pub(crate) fn values(&self, sql: &str) -> Result<Vec<Vec<Value>>, SqlError> {
        let Answer::Rows(mut rows) = self.execute(sql)? else {
            panic!("{sql}: no rows");
        };
        let mut all = Vec::new();
        while let Some(block) = rows.next_block()? {
            all.extend(block.to_values());
        }
        Ok(all)
    }

    /// The rows as texts: each value as `shown` writes it, `between` two of them.
    pub(crate) fn texts(
        &self,
        sql: &str,
        between: &str,
        shown: impl Fn(&Value) -> String,
    ) -> Vec<String> {
        let rows = self.values(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        rows.iter()
            .map(|row| row.iter().map(&shown).collect::<Vec<_>>().join(between))
            .collect()
    }
}

impl Deref for Local {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}
