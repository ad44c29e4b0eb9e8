//! Where connections go when the program does not say: `taos.cfg`, the environment, and what the program has set.
//!
//! | in `taos.cfg` | in the environment | meaning |
//! | --- | --- | --- |
//! | `adapterList` | `TAOS_ADAPTER_LIST` | servers, as `host:port,host:port`; tried in turn, in an order drawn for each connection |
//! | `firstEp`, `secondEp` | `TAOS_FIRST_EP`, `TAOS_SECOND_EP` | servers, unless there is an `adapterList` |
//! | `fqdn`, `serverPort` | `TAOS_FQDN`, `TAOS_SERVER_PORT` | the server, unless one of the above is set |
//! | `timezone` | `TAOS_TIMEZONE` | zone in which the server reads times in SQL |
//! | `compression` | `TAOS_COMPRESSION` | compress messages |
//! | `connRetries` | `TAOS_CONN_RETRIES` | further rounds over the servers |
//! | `retryBackoffMs`, `retryBackoffMaxMs` | `TAOS_RETRY_BACKOFF_MS`, `TAOS_RETRY_BACKOFF_MAX_MS` | pause between rounds |
//! | `connTimeoutSec`, `readTimeoutSec` | `TAOS_CONN_TIMEOUT_SEC`, `TAOS_READ_TIMEOUT_SEC` | longest step of connecting, and wait for an answer; seconds |
//! | `wsTlsMode` | `TAOS_WS_TLS_MODE` | `0` plain, `1` TLS without a check, `2` or `3` TLS with the server's certificate checked |
//! | `wsTlsVersion`, `wsTlsCa` | `TAOS_WS_TLS_VERSION`, `TAOS_WS_TLS_CA` | versions; PEM text or file of the authority |
//!
//! The program's own word (`taos_options`, `taos_set_config`) counts most, then the environment, then the file. The
//! file lies in the directory of `taos_options(TSDB_OPTION_CONFIGDIR)`, else of `TAOS_CONFIG_DIR`, else in `/etc/taos`;
//! there need not be one. Both are read when a connection is made. Lines are `key value`, and `#` begins a comment.
//! Port 6030, the engine's own, speaks no WebSocket: in the file and the environment it stands for 6041. Keys that
//! mean nothing here are passed over, as one file serves other programs too.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use taos_query::{Address, Dsn};

use crate::args::invalid;
use crate::error::Failure;
use crate::zone;

/// A configuration that is longer than this is something else.
const LONGEST: u64 = 1 << 20;
/// The port of the engine itself.
pub(crate) const ENGINE_PORT: u16 = 6030;
/// The port of taosAdapter.
pub(crate) const ADAPTER_PORT: u16 = 6041;

/// What is read, and its name in the environment.
const KEYS: [(&str, &str); 15] = [
    ("adapterList", "TAOS_ADAPTER_LIST"),
    ("firstEp", "TAOS_FIRST_EP"),
    ("secondEp", "TAOS_SECOND_EP"),
    ("fqdn", "TAOS_FQDN"),
    ("serverPort", "TAOS_SERVER_PORT"),
    ("timezone", "TAOS_TIMEZONE"),
    ("compression", "TAOS_COMPRESSION"),
    ("connRetries", "TAOS_CONN_RETRIES"),
    ("retryBackoffMs", "TAOS_RETRY_BACKOFF_MS"),
    ("retryBackoffMaxMs", "TAOS_RETRY_BACKOFF_MAX_MS"),
    ("connTimeoutSec", "TAOS_CONN_TIMEOUT_SEC"),
    ("readTimeoutSec", "TAOS_READ_TIMEOUT_SEC"),
    ("wsTlsMode", "TAOS_WS_TLS_MODE"),
    ("wsTlsVersion", "TAOS_WS_TLS_VERSION"),
    ("wsTlsCa", "TAOS_WS_TLS_CA"),
];

/// What the program has set.
#[derive(Debug, Default)]
pub(crate) struct Set {
    pub(crate) directory: Option<PathBuf>,
    values: BTreeMap<&'static str, String>,
}

static SET: Mutex<Set> = Mutex::new(Set {
    directory: None,
    values: BTreeMap::new(),
});

/// What the program has set until now.
pub(crate) fn set() -> MutexGuard<'static, Set> {
    SET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The spelling of a key that means something.
fn known(key: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(|(name, _)| *name)
        .find(|name| name.eq_ignore_ascii_case(key))
}

impl Set {
    /// Sets a value; false for a key that means nothing here.
    pub(crate) fn insert(&mut self, key: &str, value: &str) -> bool {
        known(key).is_some_and(|key| {
            self.values.insert(key, value.to_owned());
            true
        })
    }
}

/// All that is configured.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    /// Reads the file and the environment, and adds what the program has set.
    pub(crate) fn load() -> Result<Self, Failure> {
        let set = set();
        let directory = set
            .directory
            .clone()
            .or_else(|| std::env::var_os("TAOS_CONFIG_DIR").map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("/etc/taos"));
        let mut settings = Self::parse(&read(&directory)?);
        for (key, variable) in KEYS {
            if let Ok(value) = std::env::var(variable)
                && !value.is_empty()
            {
                settings.0.insert(key, value);
            }
        }
        let own = set.values.iter();
        settings
            .0
            .extend(own.map(|(key, value)| (*key, value.clone())));
        Ok(settings)
    }

    /// The lines of a file.
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| {
            let line = line.split('#').next()?.trim();
            let (key, value) = line.split_once(|c: char| c.is_whitespace() || c == '=')?;
            let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
            Some((known(key)?, value.trim().to_owned()))
        });
        Self(lines.filter(|(_, value)| !value.is_empty()).collect())
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Where to connect if the program does not say.
    fn addresses(&self) -> Result<Vec<Address>, Failure> {
        if let Some(list) = self.get("adapterList") {
            return addresses(list, ADAPTER_PORT);
        }
        let engine = |mut address: Address| {
            address.port = address.port.filter(|port| *port != ENGINE_PORT);
            address.port.get_or_insert(ADAPTER_PORT);
            address
        };
        let mut found = Vec::new();
        for key in ["firstEp", "secondEp"] {
            if let Some(server) = self.get(key) {
                found.extend(addresses(server, ADAPTER_PORT)?.into_iter().map(engine));
            }
        }
        if found.is_empty() {
            let port = match self.get("serverPort") {
                Some(port) => port
                    .parse()
                    .map_err(|_| invalid(&format!("serverPort is `{port}`, which is no port")))?,
                None => ADAPTER_PORT,
            };
            let host = self.get("fqdn").unwrap_or("localhost");
            found.extend(addresses(host, port)?.into_iter().map(engine));
        }
        Ok(found)
    }

    /// A DSN of all this. Host and port are the program's, if it gave them.
    pub(crate) fn dsn(&self, host: Option<&str>, port: u16) -> Result<Dsn, Failure> {
        let mut dsn = Dsn {
            driver: "ws".to_owned(),
            ..Dsn::default()
        };
        dsn.addresses = match (host, port) {
            (Some(host), 0) => addresses(host, ADAPTER_PORT)?,
            (Some(host), port) => addresses(host, port)?,
            (None, port) => self
                .addresses()?
                .into_iter()
                .map(|mut address| {
                    if port != 0 {
                        address.port = Some(port);
                    }
                    address
                })
                .collect(),
        };
        self.describe(&mut dsn)?;
        Ok(dsn)
    }

    /// The zone, unless the DSN names one.
    pub(crate) fn add_zone(&self, dsn: &mut Dsn) -> Result<(), Failure> {
        if let Some(zone) = self.get("timezone")
            && dsn.get("timezone").is_none()
        {
            dsn.set("timezone", zone::iana(zone)?);
        }
        Ok(())
    }

    /// Everything but the servers.
    fn describe(&self, dsn: &mut Dsn) -> Result<(), Failure> {
        self.add_zone(dsn)?;
        let mut add = |key: &str, value: &str| {
            dsn.set(key, value);
        };
        for (key, parameter) in [
            ("compression", "compression"),
            ("connRetries", "conn_retries"),
            ("retryBackoffMs", "retry_backoff_ms"),
            ("retryBackoffMaxMs", "retry_backoff_max_ms"),
            ("connTimeoutSec", "conn_timeout"),
            ("readTimeoutSec", "read_timeout"),
            ("wsTlsVersion", "tls_version"),
            ("wsTlsCa", "tls_ca"),
        ] {
            if let Some(value) = self.get(key) {
                add(parameter, value);
            }
        }
        match self.get("wsTlsMode") {
            None | Some("0") => (),
            Some("1") => {
                add("tls_mode", "dangerous_accept_any");
                dsn.driver = "wss".to_owned();
            }
            Some("2" | "3") => dsn.driver = "wss".to_owned(),
            Some(other) => {
                return Err(invalid(&format!(
                    "wsTlsMode is `{other}`: 0 (plain), 1 (TLS), 2 or 3 (TLS with a check) are possible"
                )));
            }
        }
        Ok(())
    }
}

/// The file of a directory; empty if there is none. The directory may be the file itself.
fn read(directory: &Path) -> Result<String, Failure> {
    let path = if directory.is_file() {
        directory.to_path_buf()
    } else {
        directory.join("taos.cfg")
    };
    let mut bytes = Vec::new();
    // One that is there says where to connect: going on without it could reach another server.
    let outcome =
        std::fs::File::open(&path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    match outcome {
        Ok(_) if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST) => Err(invalid(
            &format!("{} has more than {LONGEST} bytes", path.display()),
        )),
        Ok(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(String::new())
        }
        Err(error) => Err(invalid(&format!("cannot read {}: {error}", path.display()))),
    }
}

/// Servers between commas; one without a port gets this.
pub(crate) fn addresses(list: &str, port: u16) -> Result<Vec<Address>, Failure> {
    list.split(',')
        .map(str::trim)
        .filter(|server| !server.is_empty())
        .map(|server| {
            let address = if server.parse::<std::net::Ipv6Addr>().is_ok() {
                Address::new(format!("[{server}]"), port)
            } else {
                server
                    .parse::<Address>()
                    .map_err(|error| invalid(&error.to_string()))?
            };
            Ok(Address {
                port: address.port.or(Some(port)),
                ..address
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(file: &str) -> String {
        let addresses = Settings::parse(file).addresses().unwrap();
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        texts.join(" ")
    }

    #[test]
    fn servers_come_from_the_list_else_the_endpoints_else_the_name() {
        for (file, expected) in [
            ("", "localhost:6041"),
            ("firstEp db1:6030\nsecondEp db2:7000", "db1:6041 db2:7000"),
            ("FIRSTEP\t\tdb1 # ours", "db1:6041"),
            ("fqdn db3\nserverPort 6030", "db3:6041"),
            ("fqdn=db3\nserverPort = 6042", "db3:6042"),
            ("firstEp db1\nadapterList a:1, b", "a:1 b:6041"),
            ("firstEp # none\nunknown 1\nlonely", "localhost:6041"),
            ("fqdn ::1", "[::1]:6041"),
        ] {
            assert_eq!(servers(file), expected, "{file}");
        }
        assert!(Settings::parse("serverPort x").addresses().is_err());
        assert!(Settings::parse("adapterList a:b").addresses().is_err());
    }

    #[test]
    fn the_programs_host_and_port_count_more_than_the_file() {
        let settings = Settings::parse("adapterList a:1,b:2\ntimezone UTC-8\nwsTlsMode 3");
        let text = |host, port| settings.dsn(host, port).unwrap().to_string();
        assert_eq!(text(None, 0), "wss://a:1,b:2?timezone=Etc/GMT-8");
        assert_eq!(text(None, 9), "wss://a:9,b:9?timezone=Etc/GMT-8");
        assert_eq!(text(Some("h"), 0), "wss://h:6041?timezone=Etc/GMT-8");
        assert_eq!(text(Some("h"), 6030), "wss://h:6030?timezone=Etc/GMT-8");
        assert!(Settings::parse("wsTlsMode 9").dsn(None, 0).is_err());
        assert!(Settings::parse("timezone Mars").dsn(None, 0).is_err());
    }

    #[test]
    fn only_a_file_that_is_not_there_counts_as_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taos.cfg");
        assert_eq!(read(directory.path()).unwrap(), "");
        assert_eq!(read(&path.join("nothing")).unwrap(), "");
        let room = usize::try_from(LONGEST).unwrap();
        std::fs::write(&path, "#".repeat(room)).unwrap();
        assert_eq!(read(directory.path()).unwrap().len(), room);
        std::fs::write(&path, "#".repeat(room + 1)).unwrap();
        let error = read(directory.path()).unwrap_err();
        assert!(error.text().to_string_lossy().contains("taos.cfg"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(read(directory.path()).is_err(), "a directory");
    }
}
