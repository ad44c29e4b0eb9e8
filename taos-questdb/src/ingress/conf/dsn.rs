//! `questdb[+protocol]://user:password@host:port,host:port/?key=value` with the keys of the one
//! table.

use taos_query::{Dsn, DsnError, ErrorKind, RawError, RawResult};

use super::address::Host;
use super::draft::{Draft, Use};
use super::keys;
use super::value::Value;
use crate::error::error;
use crate::ingress::{Port, Protocol};
use crate::settings::Settings;

/// The one database of a server.
const DATABASE: &str = "qdb";

impl Settings {
    /// Reads and checks a DSN.
    ///
    /// # Errors
    /// `Config` for anything that does not hold together; `Unsupported` for a database.
    pub(crate) fn from_dsn(dsn: &Dsn) -> RawResult<Self> {
        let protocol = protocol(dsn)?;
        if let Some(path) = &dsn.path {
            return Err(DsnError::InvalidConnection(format!(
                "a QuestDB DSN names a host, as in questdb://localhost:{}, not a path of {} bytes",
                protocol.default_port(),
                path.len()
            ))
            .into());
        }
        if let Some(database) = dsn.subject.as_deref()
            && !matches!(database, "" | DATABASE)
        {
            return Err(RawError::of(
                ErrorKind::Unsupported,
                format!(
                    "QuestDB has no databases to choose from (only `{DATABASE}`): leave `/{database}` out of the DSN"
                ),
            ));
        }
        let known: Vec<&str> = keys::all().map(|key| key.name).collect();
        dsn.check_params(&known)?;
        let mut draft = Draft::new(protocol, hosts(dsn, protocol)?, Use::Both);
        if let Some(username) = dsn.username.as_deref() {
            draft.username(username)?;
        }
        if let Some(password) = dsn.password.as_deref() {
            draft.password(password)?;
        }
        for (name, text) in &dsn.params {
            if let Some(key) = keys::find(name) {
                super::value::plain(key.name, text)?;
                draft.read(Value::new(key.name, text))?;
            }
        }
        Ok(draft.finish()?)
    }
}

fn protocol(dsn: &Dsn) -> RawResult<Protocol> {
    match dsn.protocol.as_deref() {
        None => Ok(Protocol::Http),
        Some(name) => super::protocol(name).map_err(|_| {
            DsnError::InvalidProtocol(format!(
                "`{name}`; questdb takes +http, +https, +tcp, +tcps, +ws and +wss"
            ))
            .into()
        }),
    }
}

fn hosts(dsn: &Dsn, protocol: Protocol) -> RawResult<Vec<Host>> {
    let mut hosts = Vec::with_capacity(dsn.addresses.len().max(1));
    for address in &dsn.addresses {
        if address.path.is_some() {
            return Err(error!(
                ConfigError,
                "QuestDB is reached by host and port, not by the path of a socket"
            )
            .into());
        }
        let host = address.host.as_deref().unwrap_or("localhost");
        let port = address.port.unwrap_or_else(|| protocol.default_port());
        hosts.push(Host::new(host, Port::from(port)));
    }
    if hosts.is_empty() {
        hosts.push(Host::new("localhost", Port::from(protocol.default_port())));
    }
    Ok(hosts)
}
