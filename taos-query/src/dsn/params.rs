use std::time::Duration;

use super::Dsn;
use crate::error::{Code, ErrorKind, RawError, RawResult};

/// Parameters of the WebSocket backend, under the names of the 0.12 line. They stand here so that
/// other backends know them too, and pass over them.
pub const WEBSOCKET_PARAMS: &[&str] = &[
    "token",
    "bearer_token",
    "bearerToken",
    "totp_code",
    "totpCode",
    "totp_secret",
    "conn_mode",
    "compression",
    "conn_retries",
    "retry_backoff_ms",
    "retry_backoff_max_ms",
    "retry_writes",
    "timezone",
    "tcp_nodelay",
    "read_timeout",
    "conn_timeout",
    "conn_total_timeout",
    "version_prefer",
    "user_ip",
    "user_app",
    "connector_info",
    "tls_mode",
    "tls_ca",
    "tls_version",
    "max_message_size",
];

/// Parameters of the native backend. Those that the WebSocket backend has too mean the same there.
pub const NATIVE_PARAMS: &[&str] = &[
    "configDir",
    "libraryPath",
    "maxRetries",
    "totp_code",
    "totpCode",
    "bearer_token",
    "bearerToken",
    "charset",
    "timezone",
    "user_ip",
    "user_app",
    "connector_info",
    "conn_mode",
    "totp_secret",
    "read_timeout",
    "conn_timeout",
    "conn_total_timeout",
];

/// Parameters of consumers that have no dot in their name.
const CONSUMER: &[&str] = &["snapshot", "batchmeta", "replica", "timeout", "offset"];

/// Parameters of the QuestDB backend. `username`, `password` and `token`, which it has too, are not
/// here: where they mean nothing they should not be passed over.
pub const QUESTDB_PARAMS: &[&str] = &[
    "token_x",
    "token_y",
    "auth_timeout",
    "bind_interface",
    "protocol_version",
    "init_buf_size",
    "max_buf_size",
    "max_name_len",
    "request_timeout",
    "request_min_throughput",
    "retry_timeout",
    "retry_max_backoff_millis",
    "tls_verify",
    "tls_ca",
    "tls_roots",
    "tls_roots_password",
    "auto_flush",
    "auto_flush_rows",
    "auto_flush_bytes",
    "auto_flush_interval",
    "auth_timeout_ms",
    "connect_timeout",
    "request_durable_ack",
    "durable_ack_keepalive_interval_millis",
    "initial_connect_retry",
    "reconnect_initial_backoff_millis",
    "reconnect_max_backoff_millis",
    "reconnect_max_duration_millis",
    "close_flush_timeout_millis",
    "qwp_ws_progress",
    "sf_dir",
    "sender_id",
    "sf_durability",
    "sf_sync_interval_millis",
    "sf_max_segment_bytes",
    "sf_max_total_bytes",
    "sf_append_deadline_millis",
    "drain_orphans",
    "max_background_drainers",
    "error_inbox_capacity",
    "max_frame_rejections",
    "poison_min_escalation_window_millis",
    "on_server_error",
    "on_schema_error",
    "on_parse_error",
    "on_internal_error",
    "on_security_error",
    "on_write_error",
    "transaction",
    "path",
    "max_version",
    "client_id",
    "auth",
    "compression",
    "compression_level",
    "max_batch_rows",
    "initial_credit",
    "target",
    "zone",
    "failover",
    "failover_max_attempts",
    "failover_max_duration_ms",
    "failover_backoff_initial_ms",
    "failover_backoff_max_ms",
    "query_timeout_ms",
    "sender_pool_min",
    "sender_pool_max",
    "query_pool_min",
    "query_pool_max",
    "acquire_timeout_ms",
    "idle_timeout_ms",
    "max_lifetime_ms",
    "housekeeper_interval_ms",
    "lazy_connect",
    "pool_reap",
    "buffer_pool_size",
];

/// Spellings of true, in lower or upper case; the empty text counts, so `?compression` switches on.
pub fn value_is_true(text: &str) -> bool {
    matches_word(
        text,
        &["", "1", "true", "t", "yes", "y", "on", "enable", "enabled"],
    )
}

fn value_is_false(text: &str) -> bool {
    matches_word(
        text,
        &["0", "false", "f", "no", "n", "off", "disable", "disabled"],
    )
}

fn matches_word(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// A type that a DSN parameter can have.
pub trait ParamValue: Sized {
    /// What a value must look like, for the error text: "a whole number".
    const EXPECTED: &'static str;

    /// Reads the value, or `None` if it is not of this form.
    fn parse_param(text: &str) -> Option<Self>;
}

impl ParamValue for bool {
    const EXPECTED: &'static str = "true or false";

    fn parse_param(text: &str) -> Option<Self> {
        match text {
            text if value_is_true(text) => Some(true),
            text if value_is_false(text) => Some(false),
            _ => None,
        }
    }
}

impl ParamValue for String {
    const EXPECTED: &'static str = "text";

    fn parse_param(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

macro_rules! integers {
    ($($ty:ty: $expected:literal),*) => {$(
        impl ParamValue for $ty {
            const EXPECTED: &'static str = $expected;

            fn parse_param(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}
integers! {
    u8: "a whole number from 0 to 255",
    u16: "a whole number from 0 to 65535",
    u32: "a whole number from 0 to 4294967295",
    u64: "a whole number that is not negative",
    usize: "a whole number that is not negative",
    i32: "a whole number",
    i64: "a whole number"
}

impl ParamValue for Duration {
    const EXPECTED: &'static str = "a number of seconds, or a number with ms, s, m or h";

    fn parse_param(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        match unit {
            "ms" => Some(Self::from_millis(number)),
            "" | "s" => Some(Self::from_secs(number)),
            "m" => number.checked_mul(60).map(Self::from_secs),
            "h" => number.checked_mul(3600).map(Self::from_secs),
            _ => None,
        }
    }
}

impl Dsn {
    /// The typed value of a parameter, `None` if the DSN does not have it.
    ///
    /// # Errors
    /// When the value does not read as `T`; the error names the parameter, its value (unless it is a
    /// secret) and the form that is expected.
    pub fn param<T: ParamValue>(&self, key: &str) -> RawResult<Option<T>> {
        let Some(text) = self.params.get(key) else {
            return Ok(None);
        };
        match T::parse_param(text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.invalid_param(key, T::EXPECTED)),
        }
    }

    /// As [`param`](Self::param), with a default for a DSN that does not have the parameter.
    ///
    /// # Errors
    /// As [`param`](Self::param).
    pub fn param_or<T: ParamValue>(&self, key: &str, default: T) -> RawResult<T> {
        Ok(self.param(key)?.unwrap_or(default))
    }

    /// The error for a parameter whose value is not of the `expected` form.
    pub fn invalid_param(&self, key: &str, expected: &str) -> RawError {
        let value = match self.params.get(key) {
            Some(_) if super::redact::is_secret(key) => super::redact::MASK,
            Some(value) => value,
            None => "",
        };
        RawError::of(
            ErrorKind::Config,
            format!("invalid DSN parameter `{key}={value}`: expected {expected}"),
        )
        .with_code(Code::WS_DSN)
    }

    /// Checks that every parameter is one of `known` (the backend's own), belongs to another backend
    /// (then it is ignored with a debug line), or is dotted and so a matter of consumers.
    ///
    /// # Errors
    /// For a parameter that nobody knows; the error names the nearest known one and lists them all.
    pub fn check_params(&self, known: &[&str]) -> RawResult<()> {
        for key in self.params.keys() {
            if known.contains(&key.as_str()) || key.contains('.') {
                continue;
            }
            if [WEBSOCKET_PARAMS, NATIVE_PARAMS, CONSUMER, QUESTDB_PARAMS]
                .iter()
                .any(|list| list.contains(&key.as_str()))
            {
                tracing::debug!(parameter = %key, driver = %self.driver, "parameter of another backend ignored");
                continue;
            }
            return Err(unknown(key, known));
        }
        Ok(())
    }
}

fn unknown(key: &str, known: &[&str]) -> RawError {
    // The whole list would bury the one name that was meant.
    let hint = match nearest(key, known) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => format!(". Known parameters: {}", known.join(", ")),
    };
    RawError::of(
        ErrorKind::Config,
        format!("unknown DSN parameter `{key}`{hint}"),
    )
    .with_code(Code::WS_DSN)
}

/// The known name with the smallest edit distance, if it is near enough to be meant.
pub fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| -> Vec<char> {
        text.chars()
            .filter(|c| !matches!(c, '_' | '-' | '.'))
            .flat_map(char::to_lowercase)
            .take(64)
            .collect()
    };
    let key = plain(key);
    known
        .iter()
        .map(|name| (distance(&key, &plain(name)), *name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 1 + key.len() / 3)
        .map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        for (cell, y) in row.iter_mut().skip(1).zip(b) {
            let above = *cell;
            let changed = diagonal + usize::from(x != y);
            left = changed.min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
