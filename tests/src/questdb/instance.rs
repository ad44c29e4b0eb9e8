//! A server process, and the process that stands guard over it: java ends in order when whoever started it
//! ends, however that ends, and leaves nothing behind.

use std::fs::{self, File};
use std::io::{BufRead as _, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{Endpoints, KEY, PASSWORD, USER};

/// A server that has not answered by then will not.
const START: Duration = Duration::from_secs(90);
/// How long a server may take to end in order.
const END: Duration = Duration::from_secs(10);
/// How often ports are chosen anew when somebody else has taken them meanwhile.
const ATTEMPTS: usize = 3;
/// What the server prints once it is up.
const UP: &str = "enjoy";

/// A server of its own, on free ports, that can be killed and started again.
#[derive(Debug)]
pub struct Instance {
    /// Stands guard; ends the server when its standard input ends.
    child: Child,
    endpoints: Endpoints,
    guard: PathBuf,
    jar: PathBuf,
    root: PathBuf,
    guarded: bool,
}

impl Instance {
    /// Starts one with its data in `root`, which is made; `guard` is the program `taos-test-process`.
    ///
    /// # Errors
    /// If it does not answer in time; what it printed last is part of the error.
    pub fn start(guard: &Path, jar: &Path, root: &Path, guarded: bool) -> anyhow::Result<Self> {
        fs::create_dir_all(root.join("conf"))?;
        fs::create_dir_all(root.join("tmp"))?;
        fs::write(
            root.join("conf/keys.txt"),
            format!("{} ec-p-256-sha256 {} {}\n", KEY.id, KEY.x, KEY.y),
        )?;
        let mut attempt = 1;
        loop {
            let endpoints = free()?;
            let mut instance = Self {
                child: run(guard, jar, root, endpoints, guarded)?,
                endpoints,
                guard: guard.to_owned(),
                jar: jar.to_owned(),
                root: root.to_owned(),
                guarded,
            };
            match instance.wait() {
                Ok(()) => return Ok(instance),
                // Between the choice of a port and its use somebody else may take it.
                Err(error) if attempt < ATTEMPTS && error.to_string().contains("bind") => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it listens, before and after a restart.
    #[must_use]
    pub const fn endpoints(&self) -> Endpoints {
        self.endpoints
    }

    /// Ends it without a chance to write anything, as `kill -9` does.
    ///
    /// # Errors
    /// If it has ended by itself.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "{}", self.last_words());
        let input = self.child.stdin.as_mut().context("it is being ended")?;
        input.write_all(b"kill\n")?;
        self.ended()
    }

    /// Starts it again on the same data and the same ports.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.child = run(
            &self.guard,
            &self.jar,
            &self.root,
            self.endpoints,
            self.guarded,
        )?;
        self.wait()
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        // What answers on the port may be another server, as long as this one does not say that it is up.
        while !(self.printed().contains(UP) && answers(self.endpoints.http)) {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("QuestDB ended ({status}); {}", self.last_words());
            }
            ensure!(
                Instant::now() < deadline,
                "QuestDB does not answer; {}",
                self.last_words()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Waits until the server and its guard have ended.
    fn ended(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + END + Duration::from_secs(5);
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "the guard does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// What it has printed since it was started last.
    fn printed(&self) -> String {
        let printed = fs::read(log(&self.root)).unwrap_or_default();
        String::from_utf8_lossy(&printed).into_owned()
    }

    fn last_words(&self) -> String {
        let printed = self.printed();
        let lines: Vec<&str> = printed.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(20)..)
            .unwrap_or_default();
        format!("it printed last:\n{}", last.join("\n"))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if self.ended().is_err() {
            // It may have ended in this very moment.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn log(root: &Path) -> PathBuf {
    root.join("printed.txt")
}

/// Two ports that nobody had a moment ago.
fn free() -> anyhow::Result<Endpoints> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // Both are held until both are chosen.
    let (http, tcp) = (bind()?, bind()?);
    Ok(Endpoints {
        http: http.local_addr()?,
        tcp: tcp.local_addr()?,
    })
}

/// The flags of questdb §11: a small heap, half the processor time of a start, nothing that calls home.
fn run(
    guard: &Path,
    jar: &Path,
    root: &Path,
    endpoints: Endpoints,
    guarded: bool,
) -> anyhow::Result<Child> {
    let printed = File::create(log(root))?;
    let mut temporary = std::ffi::OsString::from("-Djava.io.tmpdir=");
    temporary.push(root.join("tmp"));
    let mut command = Command::new(guard);
    command
        .args(["guard", "java"])
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        // The jar unpacks libraries; nothing of that, nor of the machine's own, goes to /tmp.
        .arg("-XX:-UsePerfData")
        .arg(temporary)
        .arg("-cp")
        .arg(jar)
        .args(["io.questdb.ServerMain", "-n", "-d"])
        .arg(root)
        .env("QDB_TELEMETRY_ENABLED", "false")
        .env("QDB_HTTP_MIN_ENABLED", "false")
        .env("QDB_PG_ENABLED", "false")
        .env("QDB_CAIRO_WAL_ENABLED_DEFAULT", "true")
        .env("QDB_HTTP_BIND_TO", endpoints.http.to_string())
        .env("QDB_LINE_TCP_NET_BIND_TO", endpoints.tcp.to_string())
        .stdin(Stdio::piped())
        .stdout(printed.try_clone()?)
        .stderr(printed);
    if guarded {
        command
            .env("QDB_HTTP_USER", USER)
            .env("QDB_HTTP_PASSWORD", PASSWORD)
            .env("QDB_LINE_TCP_AUTH_DB_PATH", "conf/keys.txt");
    }
    command
        .spawn()
        .with_context(|| format!("cannot start {}", guard.display()))
}

/// Runs a program until it ends, or until standard input does: then it is asked to end, and made to after a
/// while. A line `kill` ends it at once.
///
/// # Errors
/// If the program does not start.
pub fn guard(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let (sender, orders) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    while child.try_wait()?.is_none() {
        match orders.recv_timeout(Duration::from_millis(20)) {
            Ok(order) if order == "kill" => {
                child.kill()?;
                child.wait()?;
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                end(&mut child)?;
            }
        }
    }
    Ok(())
}

/// In order if it does so in time.
fn end(child: &mut Child) -> anyhow::Result<()> {
    let asked = cfg!(unix)
        && Command::new("kill")
            .arg(child.id().to_string())
            .status()
            .is_ok_and(|status| status.success());
    let deadline = Instant::now() + END;
    while asked && Instant::now() < deadline {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn answers(http: SocketAddr) -> bool {
    let asked = || {
        let mut stream = TcpStream::connect_timeout(&http, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /ping HTTP/1.1\r\nHost: questdb\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok::<_, std::io::Error>(status)
    };
    asked().is_ok_and(|status| status == *b"HTTP/1.1 204")
}
