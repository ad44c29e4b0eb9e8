//! Processes that tests kill: a server with its data in a directory, and consumers that keep a journal.
//!
//! Both are the program `taos-test-process`; tests find it as `CARGO_BIN_EXE_taos-test-process`.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

/// A server that can be killed and started again on the same data.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    address: SocketAddr,
}

impl ServerProcess {
    /// Starts one on a free port, as the release that `TAOS_TEST_EMULATE` names.
    ///
    /// # Errors
    /// If it does not say where it listens.
    pub fn start(program: &str, directory: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .arg("serve")
            .arg(directory)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix("listening on ");
        let address = address.and_then(|address| address.parse().ok());
        // Ended by its drop if it said nothing of use.
        let server = Self {
            child,
            address: address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
        };
        anyhow::ensure!(address.is_some(), "the server said {line:?}");
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients connect with.
    #[must_use]
    pub fn dsn(&self) -> String {
        format!("ws://root:taosdata@{}", self.address)
    }

    /// Ends it without a chance to write anything, as `kill -9` does.
    pub fn kill(self) {}
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to be done.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line of a consumer's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Nanoseconds since 1970, by the clock of the machine.
    pub at: u128,
    /// What happened then.
    pub event: Event,
}

/// What a consumer did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It has joined its group.
    Joined,
    /// The program was given a row of the message at `offset` of a vgroup.
    Delivered {
        /// The vgroup.
        vgroup: i32,
        /// Where the message began.
        offset: i64,
        /// The number of the row.
        row: i64,
    },
    /// The server has confirmed the commit of the message at `offset`.
    Committed {
        /// The vgroup.
        vgroup: i32,
        /// Where the message began.
        offset: i64,
    },
    /// A call failed, in one line.
    Failed(String),
}

/// Nanoseconds since 1970.
#[must_use]
pub fn now() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos())
}

impl Line {
    /// Something that has just happened.
    #[must_use]
    pub fn new(event: Event) -> Self {
        Self { at: now(), event }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match &self.event {
            Event::Joined => write!(f, "{at} joined"),
            Event::Delivered {
                vgroup,
                offset,
                row,
            } => write!(f, "{at} delivered {vgroup} {offset} {row}"),
            Event::Committed { vgroup, offset } => write!(f, "{at} committed {vgroup} {offset}"),
            Event::Failed(text) => write!(f, "{at} failed {}", text.replace('\n', " ")),
        }
    }
}

impl FromStr for Line {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        fn number<T: FromStr>(word: Option<&str>) -> Option<T> {
            word?.parse().ok()
        }
        let mut words = text.split(' ');
        let mut line = || {
            let at = number(words.next())?;
            let event = match words.next()? {
                "joined" => Event::Joined,
                "delivered" => Event::Delivered {
                    vgroup: number(words.next())?,
                    offset: number(words.next())?,
                    row: number(words.next())?,
                },
                "committed" => Event::Committed {
                    vgroup: number(words.next())?,
                    offset: number(words.next())?,
                },
                "failed" => Event::Failed(words.by_ref().collect::<Vec<_>>().join(" ")),
                _ => return None,
            };
            Some(Self { at, event })
        };
        line().with_context(|| format!("{text:?} is no line of a journal"))
    }
}

/// What the DSN says of a line that is silent, for a native library: it has the limits of its process, and would
/// wait for an answer that was lost until the test is over.
const IMPATIENT: [(&str, &str); 3] = [
    ("TAOS_READ_TIMEOUT_SEC", "1"),
    ("TAOS_CONN_TIMEOUT_SEC", "2"),
    ("TAOS_CONN_RETRIES", "10"),
];

/// A member of a consumer group that is killed at some moment.
#[derive(Debug)]
pub struct ConsumerProcess {
    child: Child,
    reader: Option<JoinHandle<()>>,
}

impl ConsumerProcess {
    /// Starts one; `how` is `messages` or `records`. Its journal goes to `journal`, each line with
    /// `number`. A line that it wrote before its death arrives, since the pipe outlives it.
    ///
    /// # Errors
    /// If the program does not start.
    pub fn start(
        program: &str,
        how: &str,
        (dsn, topic): (&str, &str),
        number: usize,
        journal: Sender<(usize, Line)>,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(["consume", how, dsn, topic])
            .envs(IMPATIENT)
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("no journal")?;
        let reader = std::thread::spawn(move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The last line of one that was killed may be half a line.
                if let Ok(line) = text.parse() {
                    // A test that has ended listens no more.
                    let _ = journal.send((number, line));
                }
            }
        });
        Ok(Self {
            child,
            reader: Some(reader),
        })
    }

    /// True if it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Ends it as `kill -9` does; its whole journal has arrived then.
    pub fn kill(self) {}
}

impl Drop for ConsumerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
