//! What a DSN says of a subscription, checked once.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::dsn::Dsn;
use crate::error::{Code, ErrorKind, RawError, RawResult};
use crate::tmq::Timeout;

/// Parameters of consumers without a dot in their name.
pub const SHORT: [&str; 5] = ["snapshot", "batchmeta", "replica", "timeout", "offset"];

/// Parameters of consumers that have a meaning here; any other with a dot goes to the server.
pub const DOTTED: [&str; 15] = [
    "group.id",
    "client.id",
    "auto.offset.reset",
    "auto.reconnect",
    "enable.auto.commit",
    "auto.commit.interval.ms",
    "experimental.snapshot.enable",
    "msg.with.table.name",
    "msg.enable.batchmeta",
    "enable.batch.meta",
    "msg.consume.excluded",
    "msg.consume.rawdata",
    "session.timeout.ms",
    "max.poll.interval.ms",
    "td.connect.token",
];

/// How the server is told the login; the server takes none of them by these names.
const LOGIN: [&str; 4] = [
    "td.connect.user",
    "td.connect.pass",
    "td.connect.ip",
    "td.connect.port",
];

/// How a consumer reads.
#[derive(Clone)]
pub struct Subscription {
    /// The consumer group.
    pub group_id: String,
    /// The name of this member; may be empty.
    pub client_id: String,
    /// Empty for the server's own choice.
    pub offset_reset: String,
    /// How often what was moved past is committed, if at all.
    pub auto_commit: Option<Duration>,
    /// Subscribe again after a loss.
    pub reconnect: bool,
    /// Deliver what is older than the log, too.
    pub snapshot: bool,
    /// Blocks have the names of their tables.
    pub table_names: bool,
    /// Several changes of tables in one message.
    pub batch_meta: bool,
    /// Leave out what replication wrote; empty where the DSN says nothing.
    pub excluded: String,
    /// Rows as they are stored; empty where the DSN says nothing.
    pub raw_rows: String,
    /// When the server misses this member; empty where the DSN says nothing.
    pub session_timeout_ms: String,
    /// When the server takes this member for stuck; empty where the DSN says nothing.
    pub max_poll_interval_ms: String,
    /// How long `recv` and streams wait.
    pub timeout: Timeout,
    /// Where to begin, by vgroup of the first topic.
    pub seeks: Vec<(i32, i64)>,
    /// Further keys, as they are.
    pub rest: BTreeMap<String, String>,
}

impl fmt::Debug for Subscription {
    /// Of the further keys only the names: what the values are is not known here, and they may be
    /// secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.rest.keys().collect();
        f.debug_struct("Subscription")
            .field("group_id", &self.group_id)
            .field("client_id", &self.client_id)
            .field("offset_reset", &self.offset_reset)
            .field("auto_commit", &self.auto_commit)
            .field("reconnect", &self.reconnect)
            .field("snapshot", &self.snapshot)
            .field("table_names", &self.table_names)
            .field("batch_meta", &self.batch_meta)
            .field("timeout", &self.timeout)
            .field("seeks", &self.seeks)
            .field("rest", &keys)
            .finish_non_exhaustive()
    }
}

impl Subscription {
    /// Reads the parameters of a subscription, and passes over those of the connection.
    ///
    /// # Errors
    /// Names the parameter that has a value of no use, or `group.id` where it is missing.
    pub fn from_dsn(dsn: &Dsn) -> RawResult<Self> {
        let text = |key: &str| dsn.get(key).cloned().unwrap_or_default();
        let interval = dsn.param_or("auto.commit.interval.ms", 5000u64)?;
        let auto_commit = dsn.param_or("enable.auto.commit", false)?;
        Ok(Self {
            group_id: group_id(dsn)?,
            client_id: text("client.id"),
            offset_reset: offset_reset(dsn)?,
            auto_commit: auto_commit.then(|| Duration::from_millis(interval.max(1))),
            reconnect: dsn.param_or("auto.reconnect", true)?,
            snapshot: either(dsn, &["experimental.snapshot.enable", "snapshot"], false)?,
            table_names: dsn.param_or("msg.with.table.name", true)?,
            batch_meta: either(
                dsn,
                &["msg.enable.batchmeta", "batchmeta", "enable.batch.meta"],
                true,
            )?,
            excluded: flag(dsn, &["msg.consume.excluded", "replica"]),
            raw_rows: flag(dsn, &["msg.consume.rawdata"]),
            session_timeout_ms: millis(dsn, "session.timeout.ms")?,
            max_poll_interval_ms: millis(dsn, "max.poll.interval.ms")?,
            timeout: timeout(dsn)?,
            seeks: seeks(dsn)?,
            rest: rest(dsn),
        })
    }
}

/// Bytes in the name of a group.
const LONGEST_GROUP: usize = 192;

fn group_id(dsn: &Dsn) -> RawResult<String> {
    match dsn.get("group.id") {
        Some(group) if group.contains(':') || group.len() > LONGEST_GROUP => {
            Err(dsn.invalid_param("group.id", "a name without colons of at most 192 bytes"))
        }
        Some(group) if !group.is_empty() => Ok(group.clone()),
        _ => {
            let meant = ["group_id", "groupid", "group_di", "group"];
            let hint = dsn
                .params
                .keys()
                .find(|key| meant.contains(&key.to_lowercase().replace('.', "_").as_str()))
                .map(|key| match key.as_str() {
                    "group.id" => " to have a value".to_owned(),
                    other => format!(", not `{other}`"),
                })
                .unwrap_or_default();
            Err(RawError::of(
                ErrorKind::Config,
                format!(
                    "a consumer needs the DSN parameter `group.id`{hint}, as in \
                     `?group.id=readers`"
                ),
            )
            .with_code(Code::WS_DSN))
        }
    }
}

fn offset_reset(dsn: &Dsn) -> RawResult<String> {
    const NAME: &str = "auto.offset.reset";
    let Some(text) = dsn.get(NAME) else {
        return Ok(String::new());
    };
    let known = ["", "earliest", "latest", "none"];
    if known.iter().any(|known| known.eq_ignore_ascii_case(text)) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(dsn.invalid_param(NAME, "earliest, latest or none"))
    }
}

/// The server knows how small and how large they may be.
fn millis(dsn: &Dsn, name: &str) -> RawResult<String> {
    match dsn.get(name) {
        Some(text) if !text.is_empty() && text.parse::<u32>().is_err() => {
            Err(dsn.invalid_param(name, "a number of milliseconds"))
        }
        text => Ok(text.cloned().unwrap_or_default()),
    }
}

/// The first of these names that the DSN has.
fn either(dsn: &Dsn, keys: &[&str], default: bool) -> RawResult<bool> {
    for key in keys {
        if let Some(value) = dsn.param(key)? {
            return Ok(value);
        }
    }
    Ok(default)
}

/// Text that means yes when it is empty.
fn flag(dsn: &Dsn, keys: &[&str]) -> String {
    match keys.iter().find_map(|key| dsn.get(key)) {
        None => String::new(),
        Some(value) if value.is_empty() => "1".to_owned(),
        Some(value) => match value.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" => "1".to_owned(),
            "false" | "f" | "no" | "n" | "off" => "0".to_owned(),
            _ => value.clone(),
        },
    }
}

fn timeout(dsn: &Dsn) -> RawResult<Timeout> {
    match dsn.get("timeout") {
        None => Ok(Timeout::from_secs(5)),
        Some(text) => text
            .parse()
            .map_err(|_| dsn.invalid_param("timeout", "never, none, or a time such as 500ms")),
    }
}

fn seeks(dsn: &Dsn) -> RawResult<Vec<(i32, i64)>> {
    let Some(text) = dsn.get("offset") else {
        return Ok(Vec::new());
    };
    text.split(',')
        .filter(|part| !part.trim().is_empty())
        .map(|part| {
            let (vgroup, offset) = part.split_once(':')?;
            let offset: i64 = offset.trim().parse().ok()?;
            Some((vgroup.trim().parse().ok()?, offset)).filter(|_| offset >= 0)
        })
        .collect::<Option<_>>()
        .ok_or_else(|| dsn.invalid_param("offset", "vgroup:offset, more of them behind commas"))
}

fn rest(dsn: &Dsn) -> BTreeMap<String, String> {
    let mut rest = BTreeMap::new();
    for (key, value) in &dsn.params {
        let known = DOTTED.contains(&key.as_str());
        if !key.contains('.')
            || known
            || matches!(key.as_str(), "td.connect.user" | "td.connect.pass")
        {
            continue;
        }
        if LOGIN.contains(&key.as_str()) {
            tracing::warn!(%key, "ignored: the DSN's own address says where to connect");
            continue;
        }
        rest.insert(key.clone(), value.clone());
    }
    rest
}
