//! From the texts of `subscribe` to a consumer's terms (taosadapter-ws §11.1).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use taos_ws::protocol::{ADAPTER_ERROR, SubscribeArgs};

use crate::engine::SqlError;
use crate::server::emulate::{Emulated, Feature};
use crate::tmq::{ReadOptions, Reset, Terms};

const INVALID: u32 = 0x0118;
/// How releases before the named errors told of a key that they do not know.
const OLD_UNKNOWN: u32 = 0xFFFE;
const MAX_NAME: usize = 192;
const MAX_CLIENT: usize = 255;
const ANY_MS: RangeInclusive<u64> = 1..=i32::MAX as u64;

/// The texts of a configuration under the consumer's own keys.
struct Config<'a> {
    texts: BTreeMap<&'a str, &'a str>,
    emulated: &'a Emulated,
}

/// Reads what a client asks for.
///
/// # Errors
/// 0x0118 with the name of what is wrong, in older releases 0xffff, or 0xfffe for an unknown key.
pub(super) fn terms(args: &SubscribeArgs, emulated: &Emulated) -> Result<Terms, SqlError> {
    let mut config = Config::new(args, emulated)?;
    let auto = match args.auto_commit.as_str() {
        "" => false,
        text => go_bool(text)?,
    };
    let auto = config.boolean("enable.auto.commit")?.unwrap_or(auto);
    let interval = config.millis("auto.commit.interval.ms", ANY_MS, 5_000)?;
    let session_timeout = config.millis("session.timeout.ms", 6_000..=1_800_000, 12_000)?;
    let poll_interval = 1_000..=*ANY_MS.end();
    let max_poll_interval = config.millis("max.poll.interval.ms", poll_interval, 300_000)?;
    let heartbeat = 1_000..=u64::try_from(session_timeout.as_millis()).unwrap_or(u64::MAX) - 1;
    config.millis("heartbeat.interval.ms", heartbeat, 3_000)?;
    config.millis("fetch.max.wait.ms", ANY_MS, 1_000)?;
    let max_rows = config.millis("min.poll.rows", ANY_MS, 4_096)?.as_millis();
    let reset = match config.take("auto.offset.reset") {
        None | Some("latest") => Reset::Latest,
        Some("earliest") => Reset::Earliest,
        Some("none") => Reset::None,
        Some(other) => return Err(config.invalid("auto.offset.reset", other)),
    };
    let group = config.text("group.id", MAX_NAME)?;
    let client = config.text("client.id", MAX_CLIENT)?;
    let batch_meta = config.flag("msg.enable.batchmeta")?;
    let without_replayed = config.flag("msg.consume.excluded")?;
    // Names are always told where there are any.
    for key in ["msg.with.table.name", "enable.heartbeat.background"] {
        config.boolean(key)?;
    }
    // Whoever asks for these would miss rows, or could not read them, without ever being told.
    for key in ["enable.replay", "msg.consume.rawdata"] {
        if config.flag(key)? {
            return Err(SqlError::unsupported(key));
        }
    }
    let snapshot = "experimental.snapshot.enable";
    if config.boolean(snapshot)? == Some(true) {
        return Err(SqlError::unsupported(snapshot));
    }
    config.end()?;
    if group.is_empty() {
        let text = "malloc tmq element failed or group is empty";
        return Err(SqlError::new(ADAPTER_ERROR, text));
    }
    let topics: BTreeSet<&String> = args.topics.iter().collect();
    Ok(Terms {
        group,
        client,
        user: args.user.clone(),
        topics: topics.into_iter().cloned().collect(),
        reset,
        auto_commit: auto.then_some(interval),
        session_timeout,
        max_poll_interval,
        read: ReadOptions {
            batch_meta,
            without_replayed,
            max_rows: usize::try_from(max_rows).unwrap_or(usize::MAX),
            ..ReadOptions::default()
        },
    })
}

impl<'a> Config<'a> {
    /// The named arguments, and what `config` puts in their place.
    fn new(args: &'a SubscribeArgs, emulated: &'a Emulated) -> Result<Self, SqlError> {
        if !args.enable_batch_meta.is_empty() && !emulated.knows(Feature::BatchMeta) {
            let text = "unknown configuration key: msg.enable.batchmeta";
            return Err(SqlError::new(OLD_UNKNOWN, text));
        }
        let (timeouts, further) = (
            emulated.knows(Feature::ConsumerTimeouts),
            emulated.knows(Feature::ConsumerConfig),
        );
        let named = [
            ("group.id", &args.group_id, true),
            ("client.id", &args.client_id, true),
            (
                "auto.commit.interval.ms",
                &args.auto_commit_interval_ms,
                true,
            ),
            ("experimental.snapshot.enable", &args.snapshot_enable, true),
            ("msg.with.table.name", &args.with_table_name, true),
            ("msg.enable.batchmeta", &args.enable_batch_meta, true),
            ("msg.consume.excluded", &args.msg_consume_excluded, true),
            ("session.timeout.ms", &args.session_timeout_ms, timeouts),
            ("max.poll.interval.ms", &args.max_poll_interval_ms, timeouts),
            ("msg.consume.rawdata", &args.msg_consume_rawdata, further),
        ];
        let mut texts: BTreeMap<&str, &str> = named
            .into_iter()
            .filter(|(_, value, known)| *known && !value.is_empty())
            .map(|(key, value, _)| (key, value.as_str()))
            .collect();
        if !args.reset().is_empty() {
            texts.insert("auto.offset.reset", args.reset());
        }
        if further {
            let own = |key: &&String| !key.starts_with("td.connect.");
            let config = args.config.iter().filter(|(key, _)| own(key));
            texts.extend(config.map(|(key, value)| (key.as_str(), value.as_str())));
        }
        Ok(Self { texts, emulated })
    }

    fn take(&mut self, key: &str) -> Option<&'a str> {
        self.texts.remove(key)
    }

    fn invalid(&self, key: &str, value: &str) -> SqlError {
        let code = match self.emulated.knows(Feature::NamedConfig) {
            true => INVALID,
            false => ADAPTER_ERROR,
        };
        SqlError::new(code, format!("invalid value for key '{key}': {value}"))
    }

    /// `true` or `false`.
    fn boolean(&mut self, key: &str) -> Result<Option<bool>, SqlError> {
        match self.take(key) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(self.invalid(key, other)),
        }
    }

    /// `1` or `0`.
    fn flag(&mut self, key: &str) -> Result<bool, SqlError> {
        match self.take(key) {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(other) => Err(self.invalid(key, other)),
        }
    }

    fn millis(
        &mut self,
        key: &str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Result<Duration, SqlError> {
        let Some(text) = self.take(key) else {
            return Ok(Duration::from_millis(default));
        };
        let number = text.parse::<u64>().ok();
        let number = number.filter(|number| range.contains(number));
        let number = number.ok_or_else(|| self.invalid(key, text))?;
        Ok(Duration::from_millis(number))
    }

    fn text(&mut self, key: &str, limit: usize) -> Result<String, SqlError> {
        let text = self.take(key).unwrap_or_default();
        if text.len() > limit || (key == "group.id" && text.contains(':')) {
            return Err(self.invalid(key, text));
        }
        Ok(text.to_owned())
    }

    /// Refuses what nobody asked for.
    fn end(&self) -> Result<(), SqlError> {
        let Some(key) = self.texts.keys().next() else {
            return Ok(());
        };
        let code = match self.emulated.knows(Feature::NamedConfig) {
            true => INVALID,
            false => OLD_UNKNOWN,
        };
        Err(SqlError::new(
            code,
            format!("unknown configuration key: {key}"),
        ))
    }
}

/// A truth value in any spelling that Go's library takes.
fn go_bool(text: &str) -> Result<bool, SqlError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => {
            let text = format!("strconv.ParseBool: parsing \"{text}\": invalid syntax");
            Err(SqlError::new(ADAPTER_ERROR, text))
        }
    }
}
