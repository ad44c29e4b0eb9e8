use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use taos::*;
use taos_embedded::Embedded;

use crate::proxy::Proxy;

/// A server that a suite runs against. It stays up as long as any `Target` of it is alive.
#[derive(Debug, Clone)]
pub struct Target {
    dsn: String,
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

/// Every server of this run.
///
/// # Panics
/// If the embedded server does not start.
pub fn targets() -> Vec<Target> {
    let given = std::env::var("TAOS_TEST_DSNS").unwrap_or_default();
    let found: Vec<Target> = given
        .split([' ', ';'])
        .filter(|dsn| !dsn.is_empty())
        .map(|dsn| Target {
            dsn: dsn.to_owned(),
            _server: None,
        })
        .collect();
    if !found.is_empty() {
        return found;
    }
    match Server::shared() {
        Ok(server) => vec![Target {
            dsn: server.dsn().to_owned(),
            _server: Some(server),
        }],
        Err(error) => panic!("the embedded server does not start: {error}"),
    }
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
        if dsn.get("read_timeout").is_none() {
            dsn.set("read_timeout", "20");
        }
        dsn
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

/// Runs `test` on every target, on a runtime of its own, and names the server if it fails.
///
/// # Panics
/// If `test` fails.
pub fn for_each_target<F: Future<Output = anyhow::Result<()>>>(test: impl Fn(Target) -> F) {
    for target in targets() {
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
