use std::collections::HashMap;
use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use taos::*;
use taos_embedded::Embedded;
use taos_query::{Capabilities, Dialect};

use crate::proxy::{self, Proxy};
use crate::{Need, Table, needs};

/// A server that a suite runs against. It stays up as long as any `Target` of it is alive.
#[derive(Debug, Clone)]
pub struct Target {
    dsn: String,
    capabilities: Capabilities,
    _server: Option<Arc<Server>>,
}

/// A server of this run; dropping it stops it.
#[derive(Debug)]
enum Server {
    InProcess(Embedded),
    Child { process: Child, dsn: String },
}

static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static COUNTER: AtomicU32 = AtomicU32::new(0);

impl Server {
    fn start() -> anyhow::Result<Self> {
        let release = std::env::var("TAOS_TEST_EMULATE").ok();
        match std::env::var_os("TAOS_EMBEDDED_BIN") {
            Some(program) => {
                let mut command = Command::new(program);
                if let Some(release) = release {
                    command.args(["--emulate", &release]);
                }
                Self::spawn(command)
            }
            // A binary lying around in target/ may be older than the sources, so it must be named.
            None => {
                let mut builder = Embedded::builder().memory();
                if let Some(release) = release {
                    builder = builder.emulate(release);
                }
                Ok(Self::InProcess(builder.start_blocking()?))
            }
        }
    }

    fn spawn(mut command: Command) -> anyhow::Result<Self> {
        let mut process = command
            .args(["--memory", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        match line.trim().strip_prefix("listening on ") {
            Some(address) => Ok(Self::Child {
                dsn: format!("ws://root:taosdata@{address}"),
                process,
            }),
            None => {
                process.kill()?;
                process.wait()?;
                anyhow::bail!("the server's first line is {line:?}, not where it listens")
            }
        }
    }

    fn dsn(&self) -> &str {
        match self {
            Self::InProcess(server) => server.dsn(),
            Self::Child { dsn, .. } => dsn,
        }
    }

    /// The one that is up, or a new one.
    fn shared() -> anyhow::Result<Arc<Self>> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(Self::start()?);
        *running = Arc::downgrade(&server);
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Child { process, .. } = self {
            // Asked politely, it removes its temporary files.
            let pid = process.id().to_string();
            let asked = cfg!(unix)
                && Command::new("kill")
                    .arg(pid)
                    .status()
                    .is_ok_and(|s| s.success());
            if !asked {
                let _ = process.kill();
            }
            let _ = process.wait();
        }
    }
}

/// What the server of a DSN can do, asked once in a run.
fn capabilities(dsn: &str) -> Capabilities {
    static KNOWN: Mutex<Option<HashMap<String, Capabilities>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(capabilities) = known.get(dsn) {
        return *capabilities;
    }
    let ask = || {
        use taos::sync::{Queryable, TBuilder};
        let builder = <TaosBuilder as TBuilder>::from_dsn(dsn)?;
        TBuilder::build(&builder).map(|taos| Queryable::capabilities(&taos))
    };
    // Whatever runtime the caller is in, this thread is in none.
    match std::thread::scope(|scope| scope.spawn(ask).join()) {
        Ok(Ok(capabilities)) => *known.entry(dsn.to_owned()).or_insert(capabilities),
        Ok(Err(error)) => panic!("no connection: {error}"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Every server of this run.
fn all_targets() -> Vec<Target> {
    let given = std::env::var("TAOS_TEST_DSNS").unwrap_or_default();
    let found: Vec<Target> = given
        .split([' ', ';'])
        .filter(|dsn| !dsn.is_empty())
        .map(|dsn| Target {
            dsn: dsn.to_owned(),
            capabilities: capabilities(dsn),
            _server: None,
        })
        .collect();
    if !found.is_empty() {
        return found;
    }
    let server = match Server::shared() {
        Ok(server) => server,
        Err(error) => panic!("the embedded server does not start: {error}"),
    };
    let (dsn, capabilities) = match library() {
        // What a backend cannot do is its own to say.
        Some(library) => {
            let dsn = natively(server.dsn(), &library);
            let capabilities = capabilities(&dsn);
            (dsn, capabilities)
        }
        None => (server.dsn().to_owned(), Capabilities::TDENGINE),
    };
    vec![Target {
        dsn,
        capabilities,
        _server: Some(server),
    }]
}

/// The library of this workspace that the embedded server is to be reached through. One lying around in
/// target/ may be older than the sources, so it must be named.
fn library() -> Option<String> {
    std::env::var("TAOS_CAPI_LIB")
        .ok()
        .filter(|path| !path.is_empty())
}

/// How a server of a test's own is reached, in the way of the embedded one of this run.
#[must_use]
pub fn dsn_at(address: SocketAddr) -> String {
    let dsn = format!("ws://root:taosdata@{address}");
    library().map_or_else(|| dsn.clone(), |library| natively(&dsn, &library))
}

/// The same server, by way of a native library.
fn natively(dsn: &str, library: &str) -> String {
    let address = dsn.split_once("://").map_or(dsn, |(_, address)| address);
    let native = format!("taos://{address}");
    match native.parse::<Dsn>() {
        Ok(mut native) => {
            // A path may have any character.
            native.set("libraryPath", library);
            native.to_string()
        }
        Err(error) => panic!("{native}: {error}"),
    }
}

/// The servers of this run that have what the test needs; of each other one it says that it is skipped.
///
/// # Panics
/// If a server cannot be reached, or the embedded one not be started.
#[must_use]
pub fn targets_with(needed: &[Need]) -> Vec<Target> {
    let mut targets = all_targets();
    targets.retain(|target| {
        let missing = needed.iter().find(|need| !need.met(target));
        if let Some(missing) = missing {
            crate::skipped(&format!("there is no {}", missing.name()));
        }
        missing.is_none()
    });
    targets
}

/// The servers of this run that a test in TDengine's SQL can run against.
///
/// # Panics
/// As [`targets_with`].
#[must_use]
pub fn targets() -> Vec<Target> {
    targets_with(&[needs::TDENGINE_SQL])
}

impl Target {
    /// Its DSN, without a database.
    pub fn dsn(&self) -> &str {
        &self.dsn
    }

    /// The DSN, parsed, to be changed.
    ///
    /// # Panics
    /// If the DSN given to the run cannot be parsed.
    pub fn parsed(&self) -> Dsn {
        match self.dsn.parse() {
            Ok(dsn) => dsn,
            Err(error) => panic!("TAOS_TEST_DSNS: {error}"),
        }
    }

    /// The DSN with a limit that a test fails at, instead of keeping the suite waiting.
    fn patient(&self) -> Dsn {
        let mut dsn = self.parsed();
        let (key, limit) = match self.capabilities.dialect {
            Dialect::QuestDb => ("request_timeout", "20000"),
            _ => ("read_timeout", "20"),
        };
        if dsn.get(key).is_none() {
            dsn.set(key, limit);
        }
        dsn
    }

    /// What the server can do.
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether a native library stands between.
    #[must_use]
    pub fn is_native(&self) -> bool {
        let dsn = self.parsed();
        matches!(dsn.driver.as_str(), "taos" | "tmq") && dsn.protocol.is_none()
    }

    /// Whether that is the library of this workspace, whose line is WebSocket.
    #[must_use]
    pub fn is_native_over_websocket(&self) -> bool {
        self.is_native()
            && library().is_some_and(|ours| self.parsed().get("libraryPath") == Some(&ours))
    }

    /// Whether statements are to be TDengine's.
    #[must_use]
    pub fn is_tdengine(&self) -> bool {
        self.capabilities.dialect == Dialect::TDengine
    }

    /// The limits of a test that waits for failures: `seconds` for each call, no second attempts.
    #[must_use]
    pub fn impatient(&self, mut dsn: Dsn, seconds: u32) -> Dsn {
        let limits: &[(&str, u32)] = match self.capabilities.dialect {
            Dialect::QuestDb => &[
                ("request_timeout", 1000 * seconds),
                ("query_timeout_ms", 1000 * seconds),
                ("retry_timeout", 0),
            ],
            _ => &[
                ("conn_retries", 0),
                ("conn_timeout", seconds),
                ("read_timeout", seconds),
            ],
        };
        for (key, value) in limits {
            dsn.set(*key, value.to_string());
        }
        if self.is_native() {
            dsn.set("maxRetries", "0");
            dsn.set("conn_total_timeout", seconds.to_string());
        }
        dsn
    }

    /// A proxy in front of the server that knows its protocol.
    ///
    /// # Errors
    /// As [`address`](Self::address).
    pub async fn proxy(&self) -> anyhow::Result<proxy::Builder> {
        let proxy = Proxy::to(self.address().await?);
        Ok(match self.capabilities.dialect {
            Dialect::QuestDb => proxy.plain(),
            _ => proxy,
        })
    }

    /// A new table with a column `ts`, of microseconds, and these.
    ///
    /// # Errors
    /// If the server does not make it.
    pub async fn table(&self, stem: &str, columns: &[(&str, Ty)]) -> RawResult<Table> {
        Table::create(self, stem, columns).await
    }

    /// The name of a [`table`](Self::table), for programs without a runtime.
    ///
    /// # Errors
    /// As there.
    pub fn blocking_table(&self, stem: &str, columns: &[(&str, Ty)]) -> anyhow::Result<String> {
        let made = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let table = runtime.block_on(self.table(stem, columns))?;
            anyhow::Ok(table.name().to_owned())
        };
        // Whatever runtime the caller is in, this thread is in none.
        std::thread::scope(|scope| scope.spawn(made).join())
            .map_err(|_| anyhow::anyhow!("no table"))?
    }

    /// The statement that writes rows, each given as the literals of its columns.
    #[must_use]
    pub fn insertion<R: AsRef<str>>(&self, table: &str, rows: &[R]) -> String {
        crate::table::insertion(self.capabilities.dialect, table, rows)
    }

    /// Whether an error is what the server says of a table that is not there.
    #[must_use]
    pub fn misses_table(&self, error: &Error) -> bool {
        match self.capabilities.dialect {
            Dialect::QuestDb => {
                error.kind() == ErrorKind::Server && error.to_string().contains("does not exist")
            }
            _ => error.code() == 0x2603,
        }
    }

    /// The DSN with parameters, for example `conn_retries=0&timezone=UTC`.
    pub fn dsn_with(&self, parameters: &str) -> String {
        let separator = if self.dsn.contains('?') { '&' } else { '?' };
        format!("{}{separator}{parameters}", self.dsn)
    }

    /// The DSN of a database on this server.
    ///
    /// # Panics
    /// As [`parsed`](Self::parsed).
    pub fn dsn_of(&self, database: &str) -> String {
        let mut dsn = self.parsed();
        dsn.subject = Some(database.to_owned());
        dsn.to_string()
    }

    /// Where the server listens, for a proxy in front of it.
    ///
    /// # Errors
    /// If the DSN has no address, or one that is not found.
    pub async fn address(&self) -> anyhow::Result<SocketAddr> {
        let address = self.parsed().addresses.first().map(ToString::to_string);
        let found = tokio::net::lookup_host(address.unwrap_or_default()).await?;
        let first = { found }.next();
        first.ok_or_else(|| anyhow::anyhow!("the target has no address"))
    }

    /// The DSN of a database by way of these proxies; an empty name is none.
    ///
    /// # Panics
    /// As [`parsed`](Self::parsed).
    pub fn dsn_through<'a>(
        &self,
        proxies: impl IntoIterator<Item = &'a Proxy>,
        database: &str,
    ) -> Dsn {
        let mut dsn = self.patient();
        dsn.subject = (!database.is_empty()).then(|| database.to_owned());
        let proxies = proxies.into_iter();
        dsn.addresses = proxies
            .map(|proxy| Address::new("127.0.0.1", proxy.address().port()))
            .collect();
        dsn
    }

    /// A new connection.
    ///
    /// # Panics
    /// If there is none to be had.
    pub async fn connect(&self) -> Taos {
        let connected = async { TaosBuilder::from_dsn(self.patient())?.build().await };
        match connected.await {
            Ok(taos) => taos,
            Err(error) => panic!("no connection: {error}"),
        }
    }

    /// A name that no other test of this machine uses.
    pub fn unique(&self, stem: &str) -> String {
        let n = COUNTER.fetch_add(1, Ordering::Relaxed);
        format!("t_{stem}_{}_{n}", std::process::id())
    }

    /// A connection whose current database is new; `options` follow its name in CREATE DATABASE.
    ///
    /// # Panics
    /// If the database cannot be made.
    pub async fn fresh(&self, stem: &str, options: &str) -> (Taos, String) {
        let taos = self.connect().await;
        let database = self.unique(stem);
        let made = taos
            .exec_many([
                // Rows older than KEEP days are refused, and suites count from 1970.
                format!("create database `{database}` keep 36500 {options}"),
                format!("use `{database}`"),
            ])
            .await;
        match made {
            Ok(_) => (taos, database),
            Err(error) => panic!("create database: {error}"),
        }
    }
}

/// Runs a test in TDengine's SQL on every target that understands it, as [`for_targets`] does.
///
/// # Panics
/// If `test` fails.
pub fn for_each_target<F: Future<Output = anyhow::Result<()>>>(test: impl Fn(Target) -> F) {
    for_targets(&[needs::TDENGINE_SQL], test);
}

/// Runs `test` on every target whatever it can do, as [`for_targets`] does.
///
/// # Panics
/// If `test` fails.
pub fn on_every_target<F: Future<Output = anyhow::Result<()>>>(test: impl Fn(Target) -> F) {
    for_targets(&[], test);
}

/// Runs `test` on every target that has what it needs, on a runtime of its own, and names the server if it
/// fails.
///
/// # Panics
/// If `test` fails.
pub fn for_targets<F: Future<Output = anyhow::Result<()>>>(
    needed: &[Need],
    test: impl Fn(Target) -> F,
) {
    for target in targets_with(needed) {
        let runtime = match tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => panic!("no runtime: {error}"),
        };
        if let Err(error) = runtime.block_on(test(target.clone())) {
            panic!("on {}: {error:?}", target.parsed().redacted());
        }
    }
}
