//! The one SQLite file: a writer thread with group commit, and readers beside it.
//!
//! SQL text and threads stay in here; the rest hands in closures and gets rows or errors back.

mod cancel;
mod encode;
mod error;
mod figures;
mod limits;
mod log;
mod query;
mod readers;
mod retention;
mod upkeep;
mod writer;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

pub(crate) use cancel::{Cancel, Lifeline};
pub(crate) use encode::{blocks_of, push_cell};
pub(crate) use error::{INTERNAL, internal, sqlite_error};
pub(crate) use figures::Figures;
pub(crate) use limits::NO_MEMORY;
pub use limits::QueryLimits;
pub(crate) use log::{ENTRY_BYTES, ENTRY_ROWS, Packed, Rows, pack};
pub(crate) use query::{Collected, Stream, bind};
pub(crate) use writer::Write;

use crate::catalog::{self, Catalog};
use crate::engine::Storage;
use crate::sql::SqlError;
use crate::tmq::Entry;
use log::{Logs, TrimTools};
use readers::Readers;
use retention::Retention;
use upkeep::Upkeep;
use writer::Writer;

/// "taos": tells the file from other programs' SQLite files.
const APPLICATION_ID: i64 = 0x7461_6F73;
const FILE: &str = "taos.db";
const LOCK: &str = "taos.lock";
/// Where Linux keeps files in memory.
const SHARED_MEMORY: &str = "/dev/shm";
/// How the directories of memory stores begin.
const TEMPORARY: &str = "taos-embedded-";

/// The store; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    published: Arc<Published>,
    writer: Writer,
    thread: Mutex<Option<JoinHandle<()>>>,
    readers: Readers,
    logs: Arc<Logs>,
    upkeep: Mutex<Upkeep>,
    max_columns: usize,
    /// Keeps other processes out of the directory.
    _lock: File,
    /// Removed when the store goes away; declared last for that reason.
    _temporary: Option<TempDir>,
}

/// The catalog of the last commit.
#[derive(Debug, Default)]
struct Published(RwLock<Arc<Catalog>>);

impl Published {
    fn get(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, catalog: Arc<Catalog>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = catalog;
    }
}

fn io_error(what: &str, path: &Path, error: &std::io::Error) -> SqlError {
    SqlError::new(
        INTERNAL,
        format!("cannot {what} {}: {error}", path.display()),
    )
}

impl Store {
    /// [`open_with`](Self::open_with) the usual limits.
    #[cfg(test)]
    pub(crate) fn open(storage: &Storage) -> Result<Self, SqlError> {
        Self::open_with(storage, QueryLimits::default())
    }

    /// Opens or creates the file.
    ///
    /// # Errors
    /// The directory cannot be used, another process has it open, or its format is newer.
    pub(crate) fn open_with(storage: &Storage, limits: QueryLimits) -> Result<Self, SqlError> {
        let (dir, temporary) = match storage {
            Storage::Dir(dir) => (dir.clone(), None),
            Storage::Memory => {
                let temporary = temporary_dir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        fs::create_dir_all(&dir).map_err(|e| io_error("create the data directory", &dir, &e))?;
        let lock = lock(&dir)?;
        let path = dir.join(FILE);
        let durable = temporary.is_none();
        let connection = open_connection(&path, durable, limits.cache(64 << 10, 8))
            .map_err(|e| open_error(&path, &e))?;
        prepare_file(&connection, &path)?;
        let catalog = Arc::new(catalog::load(&connection).map_err(sqlite_error)?);
        let published = Arc::new(Published(RwLock::new(Arc::clone(&catalog))));
        let readers = Readers::new(path, limits);
        if let Some(bytes) = limits.max_memory {
            limit_memory(&connection, bytes).map_err(sqlite_error)?;
        }
        let columns = connection
            .limit(Limit::SQLITE_LIMIT_COLUMN)
            .map_err(sqlite_error)?;
        let vgroups = catalog.databases.values().flat_map(|db| db.vgroups());
        let logs = Logs::load(&connection, vgroups).map_err(sqlite_error)?;
        let logs = Arc::new(logs);
        let (writer, thread) = Writer::start(
            connection,
            Arc::clone(&catalog),
            Arc::clone(&published),
            Arc::clone(&logs),
        )?;
        let halted = Arc::<AtomicBool>::default();
        let trim = TrimTools {
            published: Arc::clone(&published),
            logs: Arc::clone(&logs),
            readers: readers.clone(),
            writer: writer.clone(),
            most: most_log_bytes(durable),
            halted: Arc::clone(&halted),
        };
        let retention = Retention {
            published: Arc::clone(&published),
            readers: readers.clone(),
            writer: writer.clone(),
            halted: Arc::clone(&halted),
            complaints: Arc::default(),
        };
        let upkeep = Upkeep::start(trim, retention, halted)?;
        Ok(Self {
            inner: Arc::new(Inner {
                published,
                writer,
                thread: Mutex::new(Some(thread)),
                readers,
                logs,
                upkeep: Mutex::new(upkeep),
                // a data table has one more, for the subtable
                max_columns: usize::try_from(columns)
                    .unwrap_or_default()
                    .saturating_sub(1),
                _lock: lock,
                _temporary: temporary,
            }),
        })
    }

    /// What statements may take.
    pub(crate) fn limits(&self) -> QueryLimits {
        self.inner.readers.limits()
    }

    /// The catalog of the last commit.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.inner.published.get()
    }

    /// Columns that a table can have.
    pub(crate) fn max_columns(&self) -> usize {
        self.inner.max_columns
    }

    /// Runs a change on the writer thread, all or nothing, and waits until it is durable.
    ///
    /// # Errors
    /// What the change fails with, or the commit.
    pub(crate) fn write<F>(&self, change: F) -> Result<u64, SqlError>
    where
        F: FnOnce(&mut Write<'_>) -> Result<u64, SqlError> + Send + 'static,
    {
        self.inner.writer.run(Box::new(change))
    }

    /// Runs changes in one transaction, as if they had waited together.
    #[cfg(test)]
    pub(crate) fn together(&self, changes: Vec<writer::Change>) -> Vec<Result<u64, SqlError>> {
        self.inner.writer.together(changes)
    }

    /// Runs a short read on a reader.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn read<T, F>(&self, work: F) -> Result<T, SqlError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.inner.readers.run(work)
    }

    /// The first version that is still in the log of a vgroup, and the one that the next entry will have.
    pub(crate) fn log_bounds(&self, vgroup: i32) -> (i64, i64) {
        self.inner.logs.bounds(vgroup)
    }

    /// Entries of a vgroup's log from `from` on, in the order of their versions: at least one if there is
    /// any, then while they have fewer rows and bytes than asked for. What was trimmed is left out.
    ///
    /// # Errors
    /// What SQLite says, or that an entry is damaged.
    pub(crate) fn log_read(
        &self,
        vgroup: i32,
        from: i64,
        max_rows: usize,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, SqlError> {
        let (begin, end) = self.log_bounds(vgroup);
        let versions = from.max(begin)..end;
        if versions.is_empty() {
            return Ok(Vec::new());
        }
        self.read(move |connection| log::read(connection, vgroup, versions, (max_rows, max_bytes)))
    }

    /// Ticks after each commit that added to a log.
    pub(crate) fn log_changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.inner.logs.changes()
    }

    /// Removes now what no log need keep.
    #[cfg(test)]
    pub(crate) fn trim_logs(&self, now: i64) -> Result<(), SqlError> {
        self.trim_tools().trim(now, &mut log::Oldest::new())
    }

    #[cfg(test)]
    fn trim_tools(&self) -> TrimTools {
        TrimTools {
            published: Arc::clone(&self.inner.published),
            logs: Arc::clone(&self.inner.logs),
            readers: self.inner.readers.clone(),
            writer: self.inner.writer.clone(),
            most: most_log_bytes(self.inner._temporary.is_none()),
            halted: Arc::default(),
        }
    }

    #[cfg(test)]
    fn retention(&self) -> Retention {
        Retention {
            published: Arc::clone(&self.inner.published),
            readers: self.inner.readers.clone(),
            writer: self.inner.writer.clone(),
            halted: Arc::default(),
            complaints: Arc::default(),
        }
    }

    /// True if reads wait and every reader is taken.
    pub(crate) fn is_crowded(&self) -> bool {
        self.inner.readers.is_crowded()
    }

    /// Stops the writer after what is queued and moves the log into the file. Later changes are
    /// refused.
    pub(crate) fn close(&self) {
        self.inner.close();
    }
}

/// Bytes of one log that are kept at the most.
fn most_log_bytes(durable: bool) -> Option<i64> {
    (!durable).then_some(log::MEMORY_BYTES)
}

impl Inner {
    fn close(&self) {
        let upkeep = self.upkeep.lock();
        let mut upkeep = upkeep.unwrap_or_else(PoisonError::into_inner);
        upkeep.halt();
        // before anything is waited for: upkeep may itself wait for a reader, and queries may take hours
        self.readers.close();
        upkeep.stop();
        drop(upkeep);
        self.writer.stop();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the writer thread ended in a panic");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// A private directory, in memory where the system offers one.
fn temporary_dir() -> Result<TempDir, SqlError> {
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        builder
    };
    let shared_memory = Path::new(SHARED_MEMORY);
    if shared_memory.is_dir()
        && fs::read_to_string("/proc/mounts").is_ok_and(|mounts| is_roomy(&mounts))
        && let Ok(dir) = builder().tempdir_in(shared_memory)
    {
        sweep(shared_memory);
        return Ok(dir);
    }
    sweep(&std::env::temp_dir());
    builder()
        .tempdir()
        .map_err(|e| io_error("create a directory in", &std::env::temp_dir(), &e))
}

/// Removes what servers left behind that were killed: their lock is free. A directory that is younger than
/// a minute may be about to be locked.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let named = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
        let age = entry
            .metadata()
            .and_then(|m| m.modified())
            .ok()
            .and_then(|t| t.elapsed().ok());
        if !named || age.is_none_or(|age| age < Duration::from_secs(60)) {
            continue;
        }
        let lock = File::options().write(true).open(entry.path().join(LOCK));
        if let Ok(lock) = lock
            && lock.try_lock().is_ok()
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::debug!(%error, path = %entry.path().display(), "an old directory stays");
        }
    }
}

/// Whether the mounts say that shared memory has at least a gibibyte; containers often give 64 MiB.
fn is_roomy(mounts: &str) -> bool {
    let Some(mount) = mounts
        .lines()
        .find(|line| line.split(' ').nth(1) == Some(SHARED_MEMORY))
    else {
        return false;
    };
    let options = mount.split(' ').nth(3).unwrap_or_default();
    let size = options
        .split(',')
        .find_map(|option| option.strip_prefix("size="));
    // without a size it has half of the memory
    size.is_none_or(|size| {
        let kibibytes = size.strip_suffix('k').and_then(|n| n.parse::<u64>().ok());
        kibibytes.is_some_and(|n| n >= 1 << 20)
    })
}

fn lock(dir: &Path) -> Result<File, SqlError> {
    let path = dir.join(LOCK);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| io_error("open", &path, &e))?;
    file.try_lock().map_err(|e| {
        SqlError::new(
            INTERNAL,
            format!(
                "cannot lock {}: {e}; stop the other server that uses this data directory",
                path.display()
            ),
        )
    })?;
    Ok(file)
}

fn open_error(path: &Path, error: &rusqlite::Error) -> SqlError {
    SqlError::new(INTERNAL, format!("cannot open {}: {error}", path.display()))
}

fn open_connection(path: &PathBuf, durable: bool, cache: u64) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    let synchronous = if durable { "FULL" } else { "OFF" };
    // temp_store: what a statement may have to take back goes to a temporary file if it is much, so that memory is bounded
    connection.execute_batch(&format!(
        "PRAGMA page_size = 8192;
         PRAGMA journal_mode = WAL;
         PRAGMA cache_size = -{cache};
         PRAGMA temp_store = FILE;
         PRAGMA wal_autocheckpoint = 4000;
         PRAGMA busy_timeout = 10000;
         PRAGMA synchronous = {synchronous};"
    ))?;
    connection.set_prepared_statement_cache_capacity(512);
    crate::plan::register_functions(&connection)?;
    Ok(connection)
}

/// Bounds what SQLite takes in this process, and what functions collect. From three quarters on caches no
/// longer grow and sorts go to disk.
fn limit_memory(connection: &Connection, bytes: u64) -> rusqlite::Result<()> {
    // SQLite keeps the smaller one if there is a limit already
    let limit: i64 =
        connection.query_row(&format!("PRAGMA hard_heap_limit = {bytes}"), [], |row| {
            row.get(0)
        })?;
    connection.execute_batch(&format!("PRAGMA soft_heap_limit = {};", limit / 4 * 3))?;
    crate::plan::limit_collected(usize::try_from(bytes / 4).unwrap_or(usize::MAX));
    Ok(())
}

/// Makes a new file's tables, or checks that an old one can be read.
fn prepare_file(connection: &Connection, path: &Path) -> Result<(), SqlError> {
    let fail = |e: rusqlite::Error| open_error(path, &e);
    let id: i64 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(fail)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(fail)?;
    if id == 0 && tables == 0 {
        return connection
            .execute_batch(&format!(
                "BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; {}
                 INSERT INTO meta VALUES ('format', {}), ('next_id', 1); COMMIT;",
                catalog::schema_sql(),
                catalog::FORMAT
            ))
            .map_err(fail);
    }
    if id != APPLICATION_ID {
        return Err(SqlError::new(
            INTERNAL,
            format!(
                "{} is another program's SQLite file; choose another data directory",
                path.display()
            ),
        ));
    }
    let format: i64 = connection
        .query_row("SELECT value FROM meta WHERE key = 'format'", [], |row| {
            row.get(0)
        })
        .map_err(fail)?;
    if format > catalog::FORMAT {
        return Err(SqlError::new(
            INTERNAL,
            format!(
                "{} has format {format}, written by a newer release; this one reads up to {}: \
                 start the newer release",
                path.display(),
                catalog::FORMAT
            ),
        ));
    }
    catalog::upgrade(connection, format).map_err(fail)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn directories_of_killed_servers_are_swept_and_those_in_use_are_not() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let dir = parent.path().join(name);
            fs::create_dir(&dir).unwrap();
            let lock = File::create(dir.join(LOCK)).unwrap();
            (dir, lock)
        };
        let age = |dir: &Path| {
            let old = SystemTime::now() - Duration::from_secs(3600);
            File::open(dir).unwrap().set_modified(old).unwrap();
        };
        let (used, lock) = make("taos-embedded-used");
        lock.try_lock().unwrap();
        let (left, _) = make("taos-embedded-left");
        let (young, _) = make("taos-embedded-young");
        let (other, _) = make("other");
        for dir in [&used, &left, &other] {
            age(dir);
        }
        sweep(parent.path());
        assert!(used.exists() && young.exists() && other.exists() && !left.exists());
    }

    #[test]
    fn shared_memory_is_used_only_if_there_is_enough_of_it() {
        let line =
            |options: &str| format!("proc /proc proc rw 0 0\ntmpfs /dev/shm tmpfs {options} 0 0\n");
        assert!(is_roomy(&line("rw,nosuid")));
        assert!(is_roomy(&line("rw,size=4194304k")));
        assert!(!is_roomy(&line("rw,size=65536k,inode64")));
        assert!(!is_roomy("proc /proc proc rw 0 0"));
    }
}
