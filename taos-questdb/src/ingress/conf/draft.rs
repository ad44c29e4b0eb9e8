//! Settings while they are being collected.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::address::Host;
use super::auth::Credentials;
use super::keys::{self, Side};
use super::value::{Value, at_least, bounded, plain};
use crate::error::{Result, error};
use crate::ingress::{CertificateAuthority, Port, Protocol};
use crate::settings::{Secret, Settings};

/// Which side of the client a string configures; the keys of the other are passed over
/// (questdb §1.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    /// A sender.
    Ingest,
    /// Queries.
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "the query side is configured by a DSN")
    )]
    Query,
    /// Both, as a DSN does.
    Both,
}

/// How safe the store shall be, as asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum WantedDurability {
    #[default]
    Memory,
    Periodic,
    Flush,
    Append,
}

/// How results shall be compressed, as asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Compression {
    #[default]
    Raw,
    Zstd,
    Auto,
}

/// Settings while they are being collected: what was given by name, and the settings so far.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(super) settings: Settings,
    pub(super) what_for: Use,
    pub(super) hosts: Vec<Host>,
    /// Every key that was given, with its value as text to compare a second one with.
    given: BTreeMap<&'static str, Secret>,
    pub(super) credentials: Credentials,
    pub(super) ca: Option<CertificateAuthority>,
    pub(super) verify: bool,
    pub(super) roots: Option<PathBuf>,
    pub(super) roots_password: Option<Secret>,
    pub(super) durability: WantedDurability,
    pub(super) sync_interval: Duration,
    pub(super) compression: Compression,
    pub(super) compression_level: u8,
    /// Whether rows leave by themselves, where that was said.
    pub(super) auto_flush: Option<bool>,
    /// Zero switches a trigger off.
    pub(super) auto_flush_rows: Option<usize>,
    pub(super) auto_flush_bytes: Option<usize>,
    pub(super) auto_flush_interval: Option<Duration>,
}

impl Draft {
    pub(crate) fn new(protocol: Protocol, hosts: Vec<Host>, what_for: Use) -> Self {
        Self {
            settings: Settings::new(protocol, Vec::new()),
            what_for,
            hosts,
            given: BTreeMap::new(),
            credentials: Credentials::default(),
            ca: None,
            verify: true,
            roots: None,
            roots_password: None,
            durability: WantedDurability::Memory,
            sync_interval: Duration::from_secs(5),
            compression: Compression::Raw,
            compression_level: 1,
            auto_flush: None,
            auto_flush_rows: None,
            auto_flush_bytes: None,
            auto_flush_interval: None,
        }
    }

    /// One address to begin with.
    pub(crate) fn to(protocol: Protocol, host: String, port: Port) -> Self {
        Self::new(protocol, vec![Host::new(host, port)], Use::Ingest)
    }

    pub(crate) fn add_address(&mut self, host: String, port: Port) {
        self.hosts.push(Host::new(host, port));
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.settings.protocol
    }

    pub(super) fn was_given(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// Takes one key of the table, or passes over it if it is the other side's.
    pub(super) fn read(&mut self, value: Value<'_>) -> Result<()> {
        let Some(key) = keys::find(value.key) else {
            return Ok(());
        };
        let ours = match key.side {
            Side::Both => true,
            Side::Ingest => self.what_for != Use::Query,
            Side::Query => self.what_for != Use::Ingest,
            Side::Nobody => false,
        };
        if !ours || key.scope.ignores(self.protocol()) {
            tracing::debug!(key = key.name, "configuration key of another part ignored");
            return Ok(());
        }
        (key.read)(self, value)
    }

    /// Stores a value, unless the key does not belong to this protocol or another value stands
    /// there already.
    pub(crate) fn put<T: fmt::Debug>(
        &mut self,
        key: &'static str,
        value: T,
        slot: impl FnOnce(&mut Self) -> &mut T,
    ) -> Result<()> {
        self.note(key, format!("{value:?}"))?;
        *slot(self) = value;
        Ok(())
    }

    fn note(&mut self, key: &'static str, text: String) -> Result<()> {
        if let Some(known) = keys::find(key) {
            known.scope.check(key, self.protocol())?;
        }
        let text = Secret::new(text);
        match self.given.get(key) {
            Some(before) if *before != text => Err(error!(
                ConfigError,
                "`{key}` is already set to another value"
            )),
            Some(_) => Ok(()),
            None => {
                self.given.insert(key, text);
                Ok(())
            }
        }
    }

    /// As [`put`](Self::put), for text that goes into a line or a header.
    pub(crate) fn put_text(
        &mut self,
        key: &'static str,
        text: &str,
        slot: impl FnOnce(&mut Self) -> &mut Option<String>,
    ) -> Result<()> {
        plain(key, text)?;
        self.put(key, Some(text.to_owned()), slot)
    }

    pub(crate) fn put_secret(
        &mut self,
        key: &'static str,
        text: &str,
        slot: impl FnOnce(&mut Self) -> &mut Option<Secret>,
    ) -> Result<()> {
        plain(key, text)?;
        self.note(key, text.to_owned())?;
        *slot(self) = Some(Secret::new(text));
        Ok(())
    }

    /// A limit or a pause that is at least `least`.
    pub(crate) fn put_duration(
        &mut self,
        key: &'static str,
        value: Duration,
        least: Duration,
        slot: impl FnOnce(&mut Self) -> &mut Duration,
    ) -> Result<()> {
        self.put(key, at_least(key, bounded(value), least)?, slot)
    }

    pub(crate) fn put_count(
        &mut self,
        key: &'static str,
        value: usize,
        least: usize,
        slot: impl FnOnce(&mut Self) -> &mut usize,
    ) -> Result<()> {
        self.put(key, at_least(key, value, least)?, slot)
    }

    pub(crate) fn user_agent_slot(&mut self) -> &mut Option<String> {
        &mut self.settings.http.user_agent
    }

    pub(crate) fn ensure_tls(&self, key: &str) -> Result<()> {
        if self.protocol().is_tls() {
            return Ok(());
        }
        Err(error!(
            ConfigError,
            "`{key}` cannot be set: {} is without TLS; use https, tcps or wss",
            self.protocol()
        ))
    }
}

/// Without values, which may be secrets.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.given.keys().copied().collect();
        f.debug_struct("SenderBuilder")
            .field("protocol", &self.protocol())
            .field("addresses", &self.hosts.len())
            .field("given", &keys)
            .finish_non_exhaustive()
    }
}
