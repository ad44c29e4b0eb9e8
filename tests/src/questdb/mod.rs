//! A real QuestDB server for the suites: where those of this run are, how one is started, and a look at
//! what it holds that needs none of the code under test.
//!
//! `TAOS_TEST_QUESTDB` names the servers; `cargo xtask test` sets it. To have them by hand:
//! `taos-test-process questdb JAR DIR` prints the value and serves until its standard input ends.

mod exec;

use std::fmt;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

pub use exec::{Answer, exec};

/// Names the servers of a run.
pub const VARIABLE: &str = "TAOS_TEST_QUESTDB";

/// Who the guarded server lets in over HTTP.
pub const USER: &str = "admin";
/// The password of [`USER`].
pub const PASSWORD: &str = "quest;test";

/// A key of the line protocol over TCP (questdb §6.2).
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The name that the server knows it by.
    pub id: &'static str,
    /// The private part.
    pub private: &'static str,
    /// The public point.
    pub x: &'static str,
    /// Its other half.
    pub y: &'static str,
}

/// The key that the guarded server knows; made for these tests.
pub const KEY: Key = Key {
    id: "writer",
    private: "xcLw8nVED7NyD6AIdnAPC0Gb_C9_dxUBeB90aD_WvCc",
    x: "hJ7nBv7M7KRzK7GeLJxrZWQVsCSJ-rQh0XCKOD5qiOA",
    y: "8jikYSyPso2jWZY4_UJlcSDxC6x3vsTgr8GpwzwIVLw",
};

/// A key of the same name that it does not know.
pub const WRONG_KEY: Key = Key {
    id: "writer",
    private: "P5l7NK_Qe1IXOf7YCiKXTTGigqRWsO5OC8b6hPZBUS0",
    x: "PoQuTrdndViCxrvz384HmPE3tnPzlA0f1R6CIYabI50",
    y: "3AgvM4-qbo31PwlhJSkxMk2kqmkJZuxBWvlvLHAXr_M",
};

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints {
    /// REST and lines over HTTP.
    pub http: SocketAddr,
    /// Lines over TCP.
    pub tcp: SocketAddr,
}

/// The servers of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers {
    /// Lets everybody in.
    pub plain: Endpoints,
    /// Asks for [`USER`] over HTTP and for [`KEY`] over TCP.
    pub guarded: Endpoints,
    /// What further servers can be started from.
    pub jar: PathBuf,
}

impl Servers {
    /// Those that `TAOS_TEST_QUESTDB` names; without it, `None` and a line that says so.
    ///
    /// # Panics
    /// If the variable cannot be read: a suite that skips for a misprint tests nothing.
    #[must_use]
    pub fn of_this_run() -> Option<Self> {
        let Ok(text) = std::env::var(VARIABLE) else {
            crate::skipped(&format!("{VARIABLE} names no server"));
            return None;
        };
        match text.parse() {
            Ok(servers) => Some(servers),
            Err(error) => panic!("{VARIABLE}: {error:#}"),
        }
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            plain,
            guarded,
            jar,
        } = self;
        write!(f, "http={};tcp={};", plain.http, plain.tcp)?;
        write!(
            f,
            "guarded_http={};guarded_tcp={};",
            guarded.http, guarded.tcp
        )?;
        write!(f, "jar={}", jar.display())
    }
}

impl FromStr for Servers {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let value = |key: &str| {
            let mut pairs = text.split(';').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(found, _)| *found == key);
            found
                .map(|(_, value)| value)
                .with_context(|| format!("there is no {key}=…"))
        };
        let address = |key: &str| value(key)?.parse().with_context(|| key.to_owned());
        Ok(Self {
            plain: Endpoints {
                http: address("http")?,
                tcp: address("tcp")?,
            },
            guarded: Endpoints {
                http: address("guarded_http")?,
                tcp: address("guarded_tcp")?,
            },
            jar: value("jar")?.into(),
        })
    }
}

/// A server of its own, on free ports, that can be killed and started again.
#[derive(Debug)]
pub struct Instance {
    child: Child,
    endpoints: Endpoints,
    jar: PathBuf,
    root: PathBuf,
    guarded: bool,
}

/// A server that has not answered by then will not.
const START: Duration = Duration::from_secs(90);

impl Instance {
    /// Starts one with its data in `root`, which is made.
    ///
    /// # Errors
    /// If it does not answer in time; what it printed last is part of the error.
    pub fn start(jar: &Path, root: &Path, guarded: bool) -> anyhow::Result<Self> {
        let keys = root.join("conf/keys.txt");
        fs::create_dir_all(root.join("conf"))?;
        fs::write(
            &keys,
            format!("{} ec-p-256-sha256 {} {}\n", KEY.id, KEY.x, KEY.y),
        )?;
        let endpoints = Endpoints {
            http: free()?,
            tcp: free()?,
        };
        let child = run(jar, root, endpoints, guarded)?;
        let mut instance = Self {
            child,
            endpoints,
            jar: jar.to_owned(),
            root: root.to_owned(),
            guarded,
        };
        instance.wait()?;
        Ok(instance)
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
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same data and the same ports.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.child = run(&self.jar, &self.root, self.endpoints, self.guarded)?;
        self.wait()
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while !answers(self.endpoints.http) {
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

    fn last_words(&self) -> String {
        let printed = fs::read(log(&self.root)).unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        let lines: Vec<&str> = printed.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(20)..)
            .unwrap_or_default();
        format!("it printed last:\n{}", last.join("\n"))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // It may have been killed before; then there is nothing to be done.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log(root: &Path) -> PathBuf {
    root.join("printed.txt")
}

/// A port that nobody had a moment ago.
fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The flags of questdb §11: a small heap, half the processor time of a start, nothing that calls home.
fn run(jar: &Path, root: &Path, endpoints: Endpoints, guarded: bool) -> anyhow::Result<Child> {
    let printed = File::options().create(true).append(true).open(log(root))?;
    let mut command = Command::new("java");
    command
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
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
        .stdin(Stdio::null())
        .stdout(printed.try_clone()?)
        .stderr(printed);
    if guarded {
        command
            .env("QDB_HTTP_USER", USER)
            .env("QDB_HTTP_PASSWORD", PASSWORD)
            .env("QDB_LINE_TCP_AUTH_DB_PATH", "conf/keys.txt");
    }
    command.spawn().context("cannot start java")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_the_servers_is_read_as_it_was_written() -> anyhow::Result<()> {
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let servers = Servers {
            plain: Endpoints {
                http: at(1),
                tcp: at(2),
            },
            guarded: Endpoints {
                http: at(3),
                tcp: at(4),
            },
            jar: "some where/questdb.jar".into(),
        };
        assert_eq!(servers.to_string().parse::<Servers>()?, servers);
        let error = "http=127.0.0.1:1".parse::<Servers>().unwrap_err();
        assert!(error.to_string().contains("tcp"), "{error}");
        Ok(())
    }
}
