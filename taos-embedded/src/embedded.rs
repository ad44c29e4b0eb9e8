//! The server as a value: started in process, stopped when dropped.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use taos_query::{ErrorKind, RawError, RawResult};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::engine::{Engine, QueryLimits, Storage};
use crate::server::{self, Emulated, Limits, Pages, Shared, Stop};

const DEFAULT_PASSWORD: &str = "taosdata";

/// A running server. Dropping it stops the server; [`shutdown`](Self::shutdown) does so with grace.
///
/// It runs on threads of its own, so it works the same from synchronous code, from a
/// current-thread runtime and from a multi-thread one.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = taos_embedded::Embedded::builder().memory().start_blocking()?;
/// assert!(server.dsn().starts_with("ws://root:taosdata@127.0.0.1:"));
/// # Ok(()) }
/// ```
pub struct Embedded {
    addr: SocketAddr,
    dsn: String,
    stop: watch::Sender<Stop>,
    thread: Option<JoinHandle<()>>,
    ended: Option<oneshot::Receiver<()>>,
}

impl Embedded {
    /// Starts with what [`EmbeddedBuilder`] says of itself: in memory, on a free loopback port.
    pub fn builder() -> EmbeddedBuilder {
        EmbeddedBuilder::default()
    }

    /// The address it listens on.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a client connects with; contains the password, unless only its stored hash is known.
    pub fn dsn(&self) -> &str {
        &self.dsn
    }

    /// Finishes running requests (for a few seconds at most), says goodbye to each client, writes
    /// everything out and stops.
    ///
    /// # Cancel safety
    /// Dropping the future stops the server without further grace.
    pub async fn shutdown(mut self) {
        // Not joined from here on: that would block the caller's runtime.
        self.thread.take();
        self.stop.send_replace(Stop::Graceful);
        if let Some(ended) = self.ended.take() {
            // An error means that the thread has ended already, which is what is waited for.
            let _ = ended.await;
        }
    }

    /// [`shutdown`](Self::shutdown) for synchronous code.
    pub fn shutdown_blocking(mut self) {
        self.stop.send_replace(Stop::Graceful);
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the server thread panicked");
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop.send_replace(Stop::Now);
            self.join();
        }
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

/// How to start an [`Embedded`] server.
#[must_use = "a builder does nothing until it is started"]
#[derive(Clone)]
pub struct EmbeddedBuilder {
    storage: Storage,
    listen: SocketAddr,
    user: Option<String>,
    password: Option<String>,
    emulated: Option<String>,
    limits: QueryLimits,
    console: bool,
}

impl Default for EmbeddedBuilder {
    fn default() -> Self {
        Self {
            storage: Storage::Memory,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            user: None,
            password: None,
            emulated: None,
            limits: QueryLimits::default(),
            console: true,
        }
    }
}

impl fmt::Debug for EmbeddedBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedBuilder")
            .field("listen", &self.listen)
            .field("user", &self.user)
            .field("emulated", &self.emulated)
            .field("console", &self.console)
            .finish_non_exhaustive()
    }
}

impl EmbeddedBuilder {
    /// Keeps data only as long as the server runs. The default.
    pub fn memory(mut self) -> Self {
        self.storage = Storage::Memory;
        self
    }

    /// Keeps data in this directory, which is created if it is missing.
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.storage = Storage::Dir(dir.into());
        self
    }

    /// Listens here; port 0 takes a free one. The default is a free port on `127.0.0.1`.
    pub const fn listen(mut self, addr: SocketAddr) -> Self {
        self.listen = addr;
        self
    }

    /// The administrator's name. Without it the stored one stays; new data get `root`.
    ///
    /// Another name than the stored one needs a [`password`](Self::password) too.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The administrator's new password. Without it the stored one stays; new data get `taosdata`.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Answers as this release does: it says so wherever a version is told, refuses the requests that
    /// came later, and takes decimals of prepared statements in that release's form. The default is
    /// `3.3.7.5`.
    ///
    /// Older releases are for trying a client's ways round them: `3.2.3.0` knows neither binary queries
    /// nor statements of the second generation, `3.3.2.0` only the former, `3.4.1.0` all that is served
    /// here. SQL is the same in all of them.
    pub fn emulate(mut self, version: impl Into<String>) -> Self {
        self.emulated = Some(version.into());
        self
    }

    /// How long one query may compute before it ends with code 0x022D; what it waits for its client does
    /// not count. `None` is no limit, the default ten minutes.
    pub const fn max_query_time(mut self, limit: Option<Duration>) -> Self {
        self.limits.max_query_time = limit;
        self
    }

    /// Statements that take longer are named in the log, cut to a few hundred bytes. `None` names none,
    /// the default is three seconds.
    pub const fn slow_query(mut self, limit: Option<Duration>) -> Self {
        self.limits.slow_query = limit;
        self
    }

    /// Bytes that the storage may take for caches, sorts and results; what collects values, in functions or
    /// for `INSERT … SELECT`, may take a quarter as much beside them. What needs more ends with code 0x073A. `None`, the default, is no
    /// limit for the storage and 512 MiB for what is collected.
    ///
    /// The limit is the process's: of several servers in one the smallest counts, also after that server has
    /// been stopped, and it counts for everything else there that uses the same SQLite.
    pub const fn max_memory(mut self, bytes: Option<u64>) -> Self {
        self.limits.max_memory = bytes;
        self
    }

    /// Whether browsers find a console at `/`, which runs queries and changes nothing. The default is yes.
    pub const fn console(mut self, served: bool) -> Self {
        self.console = served;
        self
    }

    /// Starts the server and returns when it accepts connections.
    ///
    /// # Errors
    /// If the data cannot be opened or the address cannot be listened on, the user or the password is
    /// empty, or the user is another than the stored one and has no password, or the release to be
    /// [emulated](Self::emulate) is not known; the text names it.
    pub async fn start(self) -> RawResult<Embedded> {
        let (report, started) = oneshot::channel();
        let parts = self.spawn(move |outcome| drop(report.send(outcome)))?;
        let ready = started.await.map_err(|_| died())??;
        Ok(parts.running(ready))
    }

    /// [`start`](Self::start) for synchronous code; may also be called on a runtime's thread.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_blocking(self) -> RawResult<Embedded> {
        let (report, started) = mpsc::sync_channel(1);
        let parts = self.spawn(move |outcome| drop(report.send(outcome)))?;
        let ready = started.recv().map_err(|_| died())??;
        Ok(parts.running(ready))
    }

    fn spawn(self, report: impl FnOnce(RawResult<Ready>) + Send + 'static) -> RawResult<Parts> {
        let (stop, stopped) = watch::channel(Stop::Run);
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("taos-embedded".to_owned())
            .spawn(move || {
                self.run(report, stopped);
                // Nobody may be waiting any more.
                let _ = end.send(());
            })
            .map_err(|e| {
                RawError::of(ErrorKind::Config, "cannot start the server's thread").with_source(e)
            })?;
        Ok(Parts {
            stop,
            thread,
            ended,
        })
    }

    /// The whole life of the server, on its own thread.
    fn run(self, report: impl FnOnce(RawResult<Ready>), stopped: watch::Receiver<Stop>) {
        let Opened {
            runtime,
            listener,
            engine,
            emulated,
            login: (user, password),
        } = match self.open() {
            Ok(opened) => opened,
            Err(error) => return report(Err(error)),
        };
        match listener.local_addr() {
            Ok(addr) => {
                tracing::info!(%addr, storage = ?self.storage, console = self.console, "ready");
                let dsn = dsn(&user, password.as_deref(), addr);
                report(Ok(Ready { addr, dsn }));
            }
            Err(e) => {
                return report(Err(RawError::of(
                    ErrorKind::Connect,
                    "cannot tell the address listened on",
                )
                .with_source(e)));
            }
        }
        let pages = Pages {
            console: self.console,
            open_metrics: self.listen.ip().is_loopback(),
        };
        let shared = Shared::new(engine.clone(), emulated, Limits::default(), pages, stopped);
        runtime.block_on(server::run(listener, shared));
        // What still runs after the grace period is left behind: its client has gone.
        runtime.shutdown_timeout(server::STRAGGLERS);
        engine.close();
        tracing::info!("stopped");
    }

    fn check_login(&self) -> RawResult<()> {
        for (what, given) in [("user", &self.user), ("password", &self.password)] {
            if given.as_ref().is_some_and(String::is_empty) {
                return Err(RawError::of(
                    ErrorKind::Config,
                    format!(
                        "the {what} must not be empty; leave it out to keep the stored login, which is \
                         root with taosdata in a new directory"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn open(&self) -> RawResult<Opened> {
        let emulated = match &self.emulated {
            Some(version) => Emulated::parse(version)?,
            None => Emulated::default(),
        };
        self.check_login()?;
        let runtime = server::runtime().map_err(|e| {
            RawError::of(
                ErrorKind::Config,
                format!("cannot start the server's runtime: {e}"),
            )
            .with_source(e)
        })?;
        let engine = Engine::open_with(&self.storage, self.limits).map_err(|e| {
            let place = match &self.storage {
                Storage::Memory => "in memory".to_owned(),
                Storage::Dir(dir) => format!("in {}", dir.display()),
            };
            RawError::of(
                ErrorKind::Config,
                format!("cannot open the data {place}: {}", e.message),
            )
        })?;
        let (user, password) = (self.user.as_deref(), self.password.as_deref());
        let login = engine.administrator(user, password).map_err(|e| {
            RawError::of(
                ErrorKind::Config,
                format!(
                    "cannot set the login of user {:?}: {}",
                    user.unwrap_or("root"),
                    e.message
                ),
            )
        })?;
        let listener = runtime
            .block_on(TcpListener::bind(self.listen))
            .map_err(|e| {
                RawError::of(
                    ErrorKind::Connect,
                    format!(
                        "cannot listen on {}: {e}; end what listens there, or choose another address \
                         (port 0 takes a free one)",
                        self.listen
                    ),
                )
                .with_source(e)
            })?;
        if !self.listen.ip().is_loopback() && login.1.as_deref() == Some(DEFAULT_PASSWORD) {
            tracing::warn!(
                address = %self.listen,
                "listening beyond this machine with the default password; set another with --password"
            );
        }
        Ok(Opened {
            runtime,
            listener,
            engine: engine.answering_as(emulated.text()),
            emulated,
            login,
        })
    }
}

fn died() -> RawError {
    RawError::of(
        ErrorKind::Config,
        "the server's thread ended while starting",
    )
}

/// The administrator's name, and the password if it is known.
type Login = (String, Option<String>);

/// What a server runs on.
struct Opened {
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    engine: Engine,
    emulated: Emulated,
    login: Login,
}

/// What the server's thread says once connections are accepted.
struct Ready {
    addr: SocketAddr,
    dsn: String,
}

/// A server whose thread runs but which has not yet said where it listens.
struct Parts {
    stop: watch::Sender<Stop>,
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

impl Parts {
    fn running(self, ready: Ready) -> Embedded {
        Embedded {
            addr: ready.addr,
            dsn: ready.dsn,
            stop: self.stop,
            thread: Some(self.thread),
            ended: Some(self.ended),
        }
    }
}

fn dsn(user: &str, password: Option<&str>, addr: SocketAddr) -> String {
    // One does not connect to the wildcard address.
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let addr = SocketAddr::new(ip, addr.port());
    let password = password.map_or_else(String::new, |password| format!(":{}", escape(password)));
    format!("ws://{}{password}@{addr}", escape(user))
}

/// Percent-encodes everything but letters, digits and `-._~`.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dsn_escapes_the_login_and_never_names_the_wildcard_address() {
        let addr = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 6041));
        assert_eq!(
            dsn("a@b", Some("p:w/é"), addr),
            "ws://a%40b:p%3Aw%2F%C3%A9@[::1]:6041"
        );
    }

    #[test]
    fn debug_texts_do_not_show_the_password() {
        let builder = Embedded::builder().password("s3cret");
        assert!(!format!("{builder:?}").contains("s3cret"));
    }
}
