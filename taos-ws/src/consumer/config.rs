//! Everything that a DSN says about a consumer, checked once.

use crate::config::{Config, Endpoint, Secret};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;
use taos_query::dsn::WEBSOCKET_PARAMS;
use taos_query::tmq::Timeout;
use taos_query::{Code, Dsn, ErrorKind, RawError, RawResult};

/// Parameters of consumers without a dot in their name.
const SHORT: [&str; 5] = ["snapshot", "batchmeta", "replica", "timeout", "offset"];

/// Parameters of consumers that have a meaning here; any other with a dot goes to the server.
const DOTTED: [&str; 15] = [
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

/// All of them, with those of the ordinary connection.
pub(super) static PARAMS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let consumer = DOTTED.iter().chain(&SHORT);
    consumer.chain(WEBSOCKET_PARAMS).copied().collect()
});

/// How the server is told the login; the server takes none of them by these names.
const LOGIN: [&str; 4] = [
    "td.connect.user",
    "td.connect.pass",
    "td.connect.ip",
    "td.connect.port",
];

#[derive(Clone)]
pub(super) struct TmqConfig {
    pub(super) connection: Config,
    pub(super) group_id: String,
    pub(super) client_id: String,
    /// Empty for the server's own choice.
    pub(super) offset_reset: String,
    /// How often what was moved past is committed, if at all.
    pub(super) auto_commit: Option<Duration>,
    pub(super) reconnect: bool,
    pub(super) snapshot: bool,
    pub(super) table_names: bool,
    pub(super) batch_meta: bool,
    /// Empty where the DSN says nothing.
    pub(super) excluded: String,
    pub(super) raw_rows: String,
    pub(super) session_timeout_ms: String,
    pub(super) max_poll_interval_ms: String,
    pub(super) timeout: Timeout,
    /// Where to begin, by vgroup of the first topic.
    pub(super) seeks: Vec<(i32, i64)>,
    pub(super) token: Option<Secret>,
    /// Further keys, as they are.
    pub(super) rest: BTreeMap<String, String>,
}

impl fmt::Debug for TmqConfig {
    /// Of the further keys only the names: what the values are is not known here, and they may be
    /// secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.rest.keys().collect();
        f.debug_struct("TmqConfig")
            .field("connection", &self.connection)
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
            .field("token", &self.token)
            .field("rest", &keys)
            .finish_non_exhaustive()
    }
}

impl TmqConfig {
    pub(super) fn from_dsn(dsn: &Dsn) -> RawResult<Self> {
        let mut connection = Config::parse(dsn, &PARAMS, Endpoint::Topics)?;
        let text = |key: &str| dsn.get(key).cloned().unwrap_or_default();
        if dsn.username.is_none()
            && let Some(user) = dsn.get("td.connect.user")
        {
            connection.user.clone_from(user);
        }
        if dsn.password.is_none()
            && let Some(password) = dsn.get("td.connect.pass")
        {
            connection.password = Secret::new(password.as_str());
        }
        if let Some(totp) = &connection.totp {
            return Err(RawError::of(
                ErrorKind::Unsupported,
                format!(
                    "{} is not supported by consumers: servers take only a password or a token \
                     (bearer_token) from them",
                    totp.name()
                ),
            )
            .with_code(Code::WS_DSN));
        }
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
            token: dsn
                .get("td.connect.token")
                .filter(|token| !token.is_empty())
                .map(|token| Secret::new(token.as_str()))
                .or_else(|| connection.bearer_token.clone()),
            rest: rest(dsn),
            connection,
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
                     `ws://host:6041?group.id=readers`"
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(params: &str) -> RawResult<TmqConfig> {
        TmqConfig::from_dsn(&format!("ws://h?{params}").parse().unwrap())
    }

    #[test]
    fn what_is_not_said_has_the_documented_default() {
        let config = config("group.id=g").unwrap();
        assert_eq!(
            (config.group_id.as_str(), config.client_id.as_str()),
            ("g", "")
        );
        assert_eq!(config.auto_commit, None);
        assert_eq!(config.timeout, Timeout::from_secs(5));
        assert!(config.reconnect && config.table_names && config.batch_meta && !config.snapshot);
        assert!(config.excluded.is_empty() && config.raw_rows.is_empty());
        assert!(config.rest.is_empty() && config.seeks.is_empty() && config.token.is_none());
    }

    #[test]
    fn every_parameter_and_its_other_names_are_read() {
        let config = config(
            "group.id=g&client.id=c&auto.offset.reset=earliest&enable.auto.commit&\
             auto.commit.interval.ms=200&snapshot=true&msg.with.table.name=false&batchmeta=N&\
             replica&msg.consume.rawdata=1&timeout=never&offset=3:7,4:0&auto.reconnect=false&\
             fetch.max.wait.ms=10&session.timeout.ms=9000&max.poll.interval.ms=2000",
        )
        .unwrap();
        assert_eq!(config.auto_commit, Some(Duration::from_millis(200)));
        assert!(!config.reconnect && !config.table_names && !config.batch_meta && config.snapshot);
        assert_eq!(
            (config.excluded.as_str(), config.raw_rows.as_str()),
            ("1", "1")
        );
        assert_eq!(config.timeout, Timeout::Never);
        assert_eq!(config.seeks, [(3, 7), (4, 0)]);
        assert_eq!(config.rest.len(), 1);
        assert_eq!(config.rest["fetch.max.wait.ms"], "10");
        assert_eq!(config.session_timeout_ms, "9000");
    }

    #[test]
    fn mistakes_are_named_with_the_parameter() {
        for (params, word) in [
            ("", "group.id"),
            ("group.id=", "`group.id` to have a value"),
            ("GROUP.ID=g", "not `GROUP.ID`"),
            ("group.id=a:b", "without colons"),
            ("group_id=g", "group_id"),
            ("group.id=g&offset=1", "offset"),
            ("group.id=g&offset=1:x", "offset"),
            ("group.id=g&offset=1:-2", "offset"),
            ("group.id=g&offset=99999999999:1", "offset"),
            ("group.id=g&timeout=soon", "timeout"),
            ("group.id=g&batchmeta=maybe", "batchmeta"),
            ("group.id=g&snapshots=1", "snapshot"),
            (
                "group.id=g&auto.commit.interval.ms=x",
                "auto.commit.interval.ms",
            ),
            ("group.id=g&totp_code=123456", "totp_code"),
            ("group.id=g&auto.offset.reset=erliest", "auto.offset.reset"),
            ("group.id=g&session.timeout.ms=9s", "session.timeout.ms"),
            ("group.id=g&max.poll.interval.ms=-1", "max.poll.interval.ms"),
        ] {
            let error = config(params).unwrap_err();
            assert!(error.to_string().contains(word), "{params}: {error}");
        }
    }

    #[test]
    fn a_token_for_consumers_wins_over_that_of_the_connection() {
        let both = config("group.id=g&td.connect.token=a&bearer_token=b").unwrap();
        assert_eq!(both.token.as_ref().map(Secret::expose), Some("a"));
        let one = config("group.id=g&bearerToken=b").unwrap();
        assert_eq!(one.token.as_ref().map(Secret::expose), Some("b"));
        assert!(!format!("{both:?}").contains("\"a\""));
        let empty = config("group.id=g&td.connect.token=&bearer_token=b").unwrap();
        assert_eq!(empty.token.as_ref().map(Secret::expose), Some("b"));
        assert!(
            config("group.id=g&td.connect.token=")
                .unwrap()
                .token
                .is_none()
        );
        let login = config("group.id=g&td.connect.user=u&td.connect.pass=p").unwrap();
        assert_eq!(login.connection.user, "u");
        assert_eq!(login.connection.password.expose(), "p");
        assert!(login.rest.is_empty());
    }

    #[test]
    fn values_of_further_keys_are_not_printed() {
        let config = config("group.id=g&sasl.password=hidden&fetch.max.wait.ms=10").unwrap();
        let printed = format!("{config:?}");
        assert!(printed.contains("sasl.password"), "{printed}");
        assert!(!printed.contains("hidden"), "{printed}");
    }
}
