//! A real QuestDB server for the suites: where those of this run are, how one is started, and a look at
//! what it holds that needs none of the code under test.
//!
//! `TAOS_TEST_QUESTDB` names the servers; `cargo xtask test` sets it. To have them by hand:
//! `taos-test-process questdb JAR DIR` prints the value and serves until its standard input ends.

mod exec;
mod instance;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use tempfile::TempDir;

pub use exec::{Answer, exec};
pub use instance::{Instance, guard};

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
    /// The program `taos-test-process`, which stands guard over them.
    pub guard: PathBuf,
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

    /// A server of the test's own that lets everybody in, and where its data are, which go with the value.
    ///
    /// # Errors
    /// As [`Instance::start`].
    pub fn another(&self) -> anyhow::Result<(TempDir, Instance)> {
        // Below target/, where the jar is.
        let root = tempfile::tempdir_in(self.jar.parent().unwrap_or_else(|| Path::new(".")))?;
        let server = Instance::start(&self.guard, &self.jar, root.path(), false)?;
        Ok((root, server))
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            plain,
            guarded,
            jar,
            guard,
        } = self;
        write!(f, "http={};tcp={};", plain.http, plain.tcp)?;
        write!(
            f,
            "guarded_http={};guarded_tcp={};",
            guarded.http, guarded.tcp
        )?;
        write!(f, "jar={};guard={}", jar.display(), guard.display())
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
            guard: value("guard")?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

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
            guard: "else where/taos-test-process".into(),
        };
        assert_eq!(servers.to_string().parse::<Servers>()?, servers);
        let error = "http=127.0.0.1:1".parse::<Servers>().unwrap_err();
        assert!(error.to_string().contains("tcp"), "{error}");
        Ok(())
    }
}
