//! Writes without SQL, and where tables live.

use std::sync::Arc;

use taos_query::{RawBlock, RawError, RawMeta, RawResult, SmlData};

use crate::client::{Taos, repeated};
use crate::raw::connection::Connection;
use crate::raw::schemaless::Lines;
use crate::raw::write::{BlockWrite, MessageWrite};
use crate::raw::{blocking, error};
use crate::wait::{timed_out, within};

impl Taos {
    /// Writes schemaless lines; gives the number of rows that changed, and of all rows of the data.
    ///
    /// # Errors
    /// The library's, of which one bad line makes one for all; `Unsupported` for what needs a newer library:
    /// `table_name_key` 3.3.5.0, a time to live or a request id 3.0.5.0.
    pub async fn s_put(&self, data: &SmlData) -> RawResult<(usize, usize)> {
        self.again("a schemaless write", || {
            let lines = Lines::new(data)?;
            Ok(move |connection: &Connection| connection.put(lines))
        })
        .await
    }

    pub(crate) async fn write_lines(&self, data: &SmlData) -> RawResult<()> {
        self.s_put(data).await.map(drop)
    }

    pub(crate) async fn write_message(&self, message: &RawMeta) -> RawResult<()> {
        self.again("the write of a raw message", || {
            // Copied and looked into on the thread that may block: a message may be large.
            let message = message.clone();
            Ok(move |connection: &Connection| {
                connection.write_message(MessageWrite::new(&message)?)
            })
        })
        .await
    }

    pub(crate) async fn write_block(&self, block: &RawBlock, req_id: u64) -> RawResult<()> {
        self.again("the write of a raw block", || {
            let block = block.clone();
            Ok(move |connection: &Connection| {
                connection.write_block(BlockWrite::new(&block, req_id)?)
            })
        })
        .await
    }

    pub(crate) async fn vgroup_of(&self, db: &str, table: &str) -> Option<i32> {
        let (db, table) = (db.to_owned(), table.to_owned());
        let asked = self
            .asking("the question for a virtual group", move |connection| {
                connection.vgroup_of(&db, &table)
            })
            .await;
        known(asked)
    }

    pub(crate) async fn vgroups_of(&self, db: &str, tables: &[&str]) -> Option<Vec<i32>> {
        let db = db.to_owned();
        let tables: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
        let asked = self
            .asking("the question for virtual groups", move |connection| {
                connection.vgroups_of(&db, &tables)
            })
            .await;
        known(asked)
    }

    /// Makes a write that blocks, again if it fails for a passing reason.
    async fn again<T, C>(&self, what: &str, prepare: impl Fn() -> RawResult<C>) -> RawResult<T>
    where
        T: Send + 'static,
        C: FnOnce(&Connection) -> RawResult<T> + Send + 'static,
    {
        let mut nth = 0;
        loop {
            let write = prepare()?;
            let work = move |connection: &Connection| {
                let answer = write(connection);
                connection.heard(answer.as_ref().map(drop));
                answer
            };
            let failed = match self.asking(what, work).await {
                Ok(done) => return Ok(done),
                Err(error) => error::of_write(error),
            };
            repeated(&self.settings, &mut nth, failed, true).await?;
        }
    }

    /// Makes a call that blocks and changes no data, on a thread for such calls. The library may answer it from what it
    /// knows, so that a success says nothing of the server.
    pub(crate) async fn asking<T, C>(&self, what: &str, call: C) -> RawResult<T>
    where
        T: Send + 'static,
        C: FnOnce(&Connection) -> RawResult<T> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        let work = blocking::run(move || {
            let answer = call(&connection);
            if let Err(error) = &answer {
                connection.heard(Err(error));
            }
            answer
        });
        let limit = self.settings.read_timeout;
        within(limit, work)
            .await
            .unwrap_or_else(|| Err(timed_out(what, "read_timeout", limit)))
    }
}

/// These questions have no room for an error in their answer.
fn known<T>(asked: Result<T, RawError>) -> Option<T> {
    asked
        .inspect_err(|error| tracing::debug!(%error, "the virtual group is not known"))
        .ok()
}
