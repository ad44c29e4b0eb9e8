//! What a topic makes of a vgroup's log: entries in, messages out.
//!
//! `page` puts entries together to a message, `wanted` tells which of them concern the topic, `plan` and
//! `project` make the rows of a statement of them, on `scratch` if there is something to compute, and `json`
//! tells changes of tables.

mod block;
mod json;
mod page;
mod plan;
mod project;
mod scratch;
mod tables;
#[cfg(test)]
mod tests;
mod values;
mod wanted;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Entry, Page};
use crate::catalog::{Topic, View};
use crate::clock;
use crate::sql::ast::{self, CreateTopic, TopicSource};
use crate::sql::{self, SqlError};
use crate::store::{Store, internal};
use page::{Builder, Carries, Flow};
use plan::{QueryPlan, Statement};
use scratch::Scratch;
use wanted::Wanted;

/// No topic of this name (taosadapter-ws §13).
const UNKNOWN: u32 = 0x03E1;
/// A piece of the log ends with the entry that reaches so many rows, whatever a consumer asks for.
const PIECE_ROWS: usize = 4096;
/// Pieces of the log that one call looks at.
const PIECES: usize = 16;
/// How often a page is made anew because a table changed meanwhile.
const ATTEMPTS: usize = 3;

/// How a consumer wants its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadOptions {
    /// Several changes of tables in one message (`msg.enable.batchmeta`).
    pub(crate) batch_meta: bool,
    /// What `write_raw` wrote is left out (`msg.consume.excluded`).
    pub(crate) without_replayed: bool,
    /// A message with so many rows is not made longer (`min.poll.rows`).
    pub(crate) max_rows: usize,
    /// Nor is one of so many bytes.
    pub(crate) max_bytes: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            batch_meta: false,
            without_replayed: false,
            max_rows: 4096,
            max_bytes: 4 << 20,
        }
    }
}

/// A topic, ready to be read; consumers may share it.
#[derive(Debug)]
pub(crate) struct TopicReader {
    store: Store,
    topic: Arc<Topic>,
    create: CreateTopic,
    work: Mutex<Work>,
}

/// What is kept between pages.
#[derive(Debug, Default)]
struct Work {
    plan: Option<Arc<QueryPlan>>,
    scratch: Option<Scratch>,
}

impl Work {
    fn scratch(&mut self) -> Result<&mut Scratch, SqlError> {
        Ok(match &mut self.scratch {
            Some(scratch) => scratch,
            none => none.insert(Scratch::new()?),
        })
    }
}

/// Gives the entries of a log from a version on; none behind its end.
pub(crate) type Log<'a> = &'a mut dyn FnMut(i64) -> Result<Vec<Entry>, SqlError>;

impl TopicReader {
    /// Opens a topic.
    ///
    /// # Errors
    /// 0x03E1 if there is none of this name, 0x2603 if an older release left it without its table.
    pub(crate) fn open(store: &Store, name: &str) -> Result<Self, SqlError> {
        let topic = store.catalog().topics.get(name).map(Arc::clone);
        let topic = topic.ok_or_else(|| SqlError::new(UNKNOWN, "Topic not exist"))?;
        if topic.is_unresolved() {
            let text = format!(
                "Table does not exist: topic {name} was made on one that is gone; drop the topic and create it again"
            );
            return Err(SqlError::new(sql::code::UNKNOWN_TABLE, text));
        }
        let ast::Statement::CreateTopic(create) = sql::parse(&topic.sql)? else {
            return Err(internal(format!(
                "the statement of topic {name} is damaged"
            )));
        };
        Ok(Self {
            store: store.clone(),
            topic,
            create,
            work: Mutex::default(),
        })
    }

    /// The topic as it was when it was opened.
    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The first message made of what stands in a vgroup's log from `from` on. Without one, everything
    /// below the page's `next` is of no concern to the topic.
    ///
    /// # Errors
    /// As [`page`](Self::page).
    pub(crate) fn read(
        &self,
        vgroup: i32,
        from: i64,
        options: &ReadOptions,
    ) -> Result<Page, SqlError> {
        let (_, end) = self.store.log_bounds(vgroup);
        let mut is_read = false;
        let mut page = self.page(vgroup, from, options, &mut |from| {
            let (rows, bytes) = (options.max_rows.min(PIECE_ROWS), options.max_bytes);
            let entries = self.store.log_read(vgroup, from, rows, bytes)?;
            is_read |= entries.is_empty();
            Ok(entries)
        })?;
        // a log has no entries for its first versions, nor for those that were trimmed
        if is_read && page.message.is_none() {
            page.next = page.next.max(end);
        }
        Ok(page)
    }

    /// The first message made of what `log` has from `from` on. Without one, everything below the page's
    /// `next` is of no concern to the topic.
    ///
    /// # Errors
    /// What the storage says; what keeps the topic's statement from running on the tables as they are.
    pub(crate) fn page(
        &self,
        vgroup: i32,
        from: i64,
        options: &ReadOptions,
        log: Log<'_>,
    ) -> Result<Page, SqlError> {
        let mut builder = Builder::new(self.carries(), *options, from);
        'page: for _ in 0..PIECES {
            let mut entries = log(builder.next())?;
            let Some(last) = entries.last().map(|entry| entry.version) else {
                break;
            };
            if options.without_replayed {
                entries.retain(|entry| !entry.is_replayed);
            }
            let mut wanted = self.wanted(&entries)?;
            for entry in &entries {
                if builder.take(entry, &mut wanted)? == Flow::Full {
                    break 'page;
                }
            }
            builder.pass(last + 1);
        }
        builder.finish(vgroup, &|stable, number| self.tag_name(stable, number))
    }

    fn carries(&self) -> Carries {
        match (self.create.with_meta, &self.create.source) {
            (false, _) | (true, TopicSource::Query(_)) => Carries::Rows,
            (true, _) => Carries::RowsAndMeta,
        }
    }

    /// What of these entries concerns the topic, by the tables as they are now.
    fn wanted(&self, entries: &[Entry]) -> Result<Wanted, SqlError> {
        let mut attempt = 1;
        loop {
            let view = View {
                catalog: self.store.catalog(),
                store: self.store.clone(),
                // No topic reads a system table.
                broker: Arc::default(),
                sysinfo: true,
            };
            match self.wanted_in(&view, entries) {
                // a table or column may have gone since the catalog was looked at
                Err(error)
                    if attempt < ATTEMPTS && !Arc::ptr_eq(&view.catalog, &self.store.catalog()) =>
                {
                    tracing::debug!(%error, "a topic is read anew");
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn wanted_in(&self, view: &View, entries: &[Entry]) -> Result<Wanted, SqlError> {
        let statement = Statement {
            view,
            db: &self.topic.db,
            sql: &self.topic.sql,
            now: clock::nanos(),
        };
        match &self.create.source {
            TopicSource::Database(_) => Ok(Wanted::database(view, &self.topic.db)),
            TopicSource::Stable(name, filter) => Wanted::stable(
                &statement,
                &name.name.name,
                filter.as_ref(),
                self.work(),
                entries,
            ),
            TopicSource::Query(query) => {
                let mut work = self.work();
                let plan = match work.plan.take().filter(|plan| is_good(plan, view)) {
                    Some(plan) => Some(plan),
                    None => statement.query(query, &self.topic.columns)?.map(Arc::new),
                };
                // a table that was made anew is another one
                let plan = plan.filter(|plan| plan.def.id == self.topic.def);
                work.plan.clone_from(&plan);
                Wanted::query(&statement, plan, work, entries)
            }
        }
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tag_name(&self, stable: &str, number: i32) -> Option<String> {
        let catalog = self.store.catalog();
        let def = catalog.databases.get(&self.topic.db)?.stables.get(stable)?;
        let tag = def
            .tags
            .iter()
            .find(|tag| i64::from(tag.id) + 1 == i64::from(number));
        tag.map(|tag| tag.name.clone())
    }
}

/// True if a plan still fits its table.
fn is_good(plan: &QueryPlan, view: &View) -> bool {
    let def = &plan.def;
    let database = view.catalog.databases.get(&plan.db);
    let found = database.and_then(|database| database.find(&plan.table));
    !plan.is_passing
        && found.is_some_and(|found| {
            let now = found.def();
            now.id == def.id && now.version == def.version
        })
}
