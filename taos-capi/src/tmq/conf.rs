//! What a consumer is configured with (taosadapter-ws §11.1).

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_void};
use std::fmt;
use std::ops::RangeInclusive;

use taos_query::Dsn;

use crate::args::{invalid, text};
use crate::config::Settings;
use crate::error::{Failure, INVALID_PARA, forget, remember};
use crate::guard::guard;
use crate::handle::{Object, at_mut, give, take};
use crate::runtime::Param;
use crate::types::{Tmq, TmqConf};

/// What `tmq_conf_set` gives: all is well.
const OK: c_int = 0;
/// The value is not one for the key.
const INVALID: c_int = -1;
/// There is no such key.
const UNKNOWN: c_int = -2;

/// Reports the end of a commit: the consumer (NULL once it is closed), 0 or a negative code, what the program gave.
pub type TmqCommitCb = unsafe extern "C" fn(tmq: *mut Tmq, code: i32, param: *mut c_void);

/// Which values a key takes.
#[derive(Debug)]
enum Rule {
    /// Text of at most so many bytes.
    Text(usize),
    /// The name of a group.
    Group,
    OneOf(&'static [&'static str]),
    /// A whole number.
    Number(RangeInclusive<i64>),
    /// A whole number that means yes unless it is 0.
    Switch,
}

const INT: i64 = 0x7FFF_FFFF;
const YES_NO: Rule = Rule::OneOf(&["true", "false"]);
const PORT: &str = "td.connect.port";

/// All keys. Those of logging in are handled here; the others go the way of a DSN's parameters.
const KEYS: &[(&str, Rule)] = &[
    ("group.id", Rule::Group),
    ("client.id", Rule::Text(255)),
    (
        "auto.offset.reset",
        Rule::OneOf(&["earliest", "latest", "none"]),
    ),
    ("enable.auto.commit", YES_NO),
    ("auto.commit.interval.ms", Rule::Number(0..=INT)),
    ("session.timeout.ms", Rule::Number(6_000..=1_800_000)),
    ("heartbeat.interval.ms", Rule::Number(1_000..=INT)),
    ("max.poll.interval.ms", Rule::Number(1_000..=INT)),
    ("fetch.max.wait.ms", Rule::Number(1..=INT)),
    ("min.poll.rows", Rule::Number(1..=INT)),
    ("msg.with.table.name", YES_NO),
    ("experimental.snapshot.enable", YES_NO),
    ("experimental.snapshot.batch.size", Rule::Number(0..=INT)),
    ("enable.heartbeat.background", YES_NO),
    ("enable.replay", YES_NO),
    ("msg.enable.batchmeta", Rule::Switch),
    ("msg.consume.excluded", Rule::Switch),
    (RAW_ROWS, Rule::Switch),
    ("td.connect.ip", Rule::Text(1_024)),
    ("td.connect.user", Rule::Text(255)),
    ("td.connect.pass", Rule::Text(255)),
    ("td.connect.token", Rule::Text(65_536)),
    ("td.connect.db", Rule::Text(255)),
    (PORT, Rule::Number(0..=65_535)),
];

/// The key that asks for rows as they are stored.
const RAW_ROWS: &str = "msg.consume.rawdata";

/// Keys that older libraries knew and no server takes any more.
const PAST: [&str; 2] = [
    "experimental.snapshot.batch.size",
    "enable.heartbeat.background",
];

impl Rule {
    /// The value as it is kept, if it is one.
    fn check(&self, value: &str) -> Option<String> {
        match self {
            Self::Text(longest) => (value.len() <= *longest).then(|| value.to_owned()),
            Self::Group => {
                let fits = !value.is_empty() && value.len() <= 192 && !value.contains(':');
                fits.then(|| value.to_owned())
            }
            Self::OneOf(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(value))
                .map(|word| (*word).to_owned()),
            Self::Number(range) => value
                .parse()
                .ok()
                .filter(|number| range.contains(number))
                .map(|number: i64| number.to_string()),
            Self::Switch => {
                let number: i64 = value.parse().ok()?;
                Some(i64::from(number != 0).to_string())
            }
        }
    }
}

/// The configuration of a consumer.
pub(crate) struct Conf {
    values: BTreeMap<&'static str, String>,
    pub(super) on_commit: Option<(TmqCommitCb, Param)>,
}

impl fmt::Debug for Conf {
    /// Without values, some of which are secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Object for Conf {
    const KIND: u64 = u64::from_le_bytes(*b"TMQ_CONF");
}

/// Where a consumer connects.
#[derive(Debug)]
pub(super) struct Plan {
    /// Of the consumer.
    pub(super) consumer: Dsn,
    /// Of the connection beside it.
    pub(super) connection: Dsn,
    pub(super) commits_by_itself: bool,
    /// Rows may come as they are stored.
    pub(super) raw_rows: bool,
}

impl Conf {
    fn new() -> Self {
        Self {
            values: BTreeMap::new(),
            on_commit: None,
        }
    }

    fn set(&mut self, key: &str, value: &str) -> c_int {
        let Some((key, rule)) = KEYS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(key))
        else {
            return UNKNOWN;
        };
        match rule.check(value) {
            None => INVALID,
            Some(value) => {
                self.values.insert(key, value);
                OK
            }
        }
    }

    fn get(&self, key: &str) -> Option<&str> {
        let value = self.values.get(key).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// Whether one of the switches is on.
    fn is_on(&self, key: &str, otherwise: bool) -> bool {
        self.get(key)
            .map_or(otherwise, |value| matches!(value, "true" | "1"))
    }

    /// Everything that connecting needs. Nothing here becomes part of a text that might be logged.
    pub(super) fn plan(&self) -> Result<Plan, Failure> {
        if self.get("group.id").is_none() {
            return Err(invalid("the consumer has no group: set `group.id`"));
        }
        let port = self.get(PORT).and_then(|port| port.parse().ok());
        let settings = Settings::load()?;
        let mut consumer = settings.dsn(self.get("td.connect.ip"), port.unwrap_or_default())?;
        consumer.username = self.get("td.connect.user").map(str::to_owned);
        consumer.password = self.get("td.connect.pass").map(str::to_owned);
        let mut connection = consumer.clone();
        if let Some(token) = self.get("td.connect.token") {
            connection.set("bearer_token", token);
            consumer.set("td.connect.token", token);
        }
        connection.subject = self.get("td.connect.db").map(str::to_owned);
        // What holds in the native library unless it is set, and in a DSN does not.
        for (key, value) in [
            ("enable.auto.commit", "true"),
            ("msg.enable.batchmeta", "0"),
            ("msg.with.table.name", "false"),
        ] {
            consumer.set(key, value);
        }
        for (key, value) in &self.values {
            if !key.starts_with("td.connect.") && !PAST.contains(key) {
                consumer.set(*key, value.as_str());
            }
        }
        Ok(Plan {
            consumer,
            connection,
            commits_by_itself: self.is_on("enable.auto.commit", true),
            raw_rows: self.is_on(RAW_ROWS, false),
        })
    }
}

/// The error for a handle that is no configuration.
pub(super) fn no_conf() -> Failure {
    Failure::new(
        INVALID_PARA,
        "the handle is not one of a consumer's configuration",
    )
}

/// A new configuration, to be freed with `tmq_conf_destroy`.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_conf_new() -> *mut TmqConf {
    guard("tmq_conf_new", std::ptr::null_mut(), || {
        forget();
        give(Conf::new())
    })
}

/// Sets a value. 0 if it was taken, -1 for a value that the key does not take, -2 for a key that is not known.
///
/// Keys: `group.id` (needed), `client.id`, `auto.offset.reset` (`earliest`, `latest`, `none`), `enable.auto.commit`
/// (`true`), `auto.commit.interval.ms` (5000), `session.timeout.ms`, `heartbeat.interval.ms`, `max.poll.interval.ms`,
/// `fetch.max.wait.ms`, `min.poll.rows`, `msg.with.table.name`, `msg.enable.batchmeta`, `msg.consume.excluded`,
/// `msg.consume.rawdata`, `experimental.snapshot.enable`, `enable.replay`, and `td.connect.ip`, `.port` (0: what is
/// configured, else 6041), `.user`, `.pass`, `.token`, `.db`.
///
/// # Safety
/// `conf` is NULL or a configuration that nobody else uses meanwhile, `key` and `value` NULL or NUL-terminated text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_conf_set(
    conf: *mut TmqConf,
    key: *const c_char,
    value: *const c_char,
) -> c_int {
    guard("tmq_conf_set", INVALID, || {
        // SAFETY: the same duty.
        let Some(conf) = (unsafe { at_mut::<Conf>(conf) }) else {
            remember(no_conf());
            return INVALID;
        };
        // SAFETY: the same duty.
        let (key, value) = match unsafe { (text(key), text(value)) } {
            (Ok(key), Ok(value)) => (key, value),
            (Err(failure), _) | (_, Err(failure)) => {
                remember(failure);
                return INVALID;
            }
        };
        let code = conf.set(key, value);
        // The value may be a password.
        match code {
            OK => forget(),
            UNKNOWN => drop(remember(invalid(&format!("there is no key `{key}`")))),
            _ => drop(remember(invalid(&format!(
                "`{key}` does not take this value"
            )))),
        }
        code
    })
}

/// Frees a configuration; consumers that were made with it stay. NULL is fine.
///
/// # Safety
/// NULL, or a configuration that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_conf_destroy(conf: *mut TmqConf) {
    // SAFETY: the same duty.
    guard("tmq_conf_destroy", (), || unsafe {
        drop(take::<Conf>(conf));
    });
}

/// Has `cb(tmq, code, param)` told of each automatic commit, on a thread of the library. NULL for none.
///
/// # Safety
/// `conf` as in `tmq_conf_set`; `cb` may be called from another thread until the consumer is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_conf_set_auto_commit_cb(
    conf: *mut TmqConf,
    cb: Option<TmqCommitCb>,
    param: *mut c_void,
) {
    guard("tmq_conf_set_auto_commit_cb", (), || {
        // SAFETY: the same duty.
        match unsafe { at_mut::<Conf>(conf) } {
            Some(conf) => {
                conf.on_commit = cb.map(|cb| (cb, Param(param)));
                forget();
            }
            None => drop(remember(no_conf())),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outside_their_range_and_unknown_keys_have_codes_of_their_own() {
        let mut conf = Conf::new();
        for (key, value, code) in [
            ("group.id", "readers", OK),
            ("GROUP.ID", "readers", OK),
            ("group.id", "", INVALID),
            ("group.id", "a:b", INVALID),
            ("auto.offset.reset", "Earliest", OK),
            ("auto.offset.reset", "first", INVALID),
            ("enable.auto.commit", "1", INVALID),
            ("session.timeout.ms", "5999", INVALID),
            ("session.timeout.ms", "1800000", OK),
            ("session.timeout.ms", "1800001", INVALID),
            ("max.poll.interval.ms", "999", INVALID),
            ("auto.commit.interval.ms", "-1", INVALID),
            ("auto.commit.interval.ms", "1s", INVALID),
            ("msg.enable.batchmeta", "1", OK),
            ("msg.enable.batchmeta", "yes", INVALID),
            ("td.connect.port", "65536", INVALID),
            ("td.connect.port", "6041", OK),
            ("group", "g", UNKNOWN),
        ] {
            assert_eq!(conf.set(key, value), code, "{key}={value}");
        }
        assert!(conf.set("client.id", &"c".repeat(256)) == INVALID);
    }

    #[test]
    fn the_defaults_are_those_of_the_native_library() {
        let mut conf = Conf::new();
        assert!(conf.plan().is_err(), "a consumer needs a group");
        conf.set("group.id", "g");
        conf.set("td.connect.ip", "db.example");
        conf.set("td.connect.user", "u");
        conf.set("td.connect.pass", "p:@/?");
        conf.set("td.connect.db", "d");
        conf.set("min.poll.rows", "10");
        let plan = conf.plan().unwrap();
        assert!(plan.commits_by_itself && !plan.raw_rows);
        assert_eq!(plan.consumer.get("enable.auto.commit").unwrap(), "true");
        assert_eq!(plan.consumer.get("msg.enable.batchmeta").unwrap(), "0");
        assert_eq!(plan.consumer.get("min.poll.rows").unwrap(), "10");
        assert_eq!(plan.consumer.addresses[0].to_string(), "db.example:6041");
        assert_eq!(plan.consumer.password.as_deref(), Some("p:@/?"));
        assert_eq!(plan.connection.subject.as_deref(), Some("d"));
        assert!(plan.connection.get("group.id").is_none());
        assert!(!format!("{conf:?}").contains("p:@"));
    }
}
