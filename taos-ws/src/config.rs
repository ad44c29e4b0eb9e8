//! Everything that a DSN says about a WebSocket connection, checked once.

use crate::protocol::Version;
use chrono_tz::Tz;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;
use taos_query::dsn::WEBSOCKET_PARAMS;
pub(crate) use taos_query::util::Secret;
use taos_query::util::{current_totp_code, decode_totp_secret};
use taos_query::{Code, Dsn, ErrorKind, RawError, RawResult};
use zeroize::Zeroizing;

/// Port of a host that names none.
const DEFAULT_PORT: u16 = 6041;
/// The same for the cloud gateway, which is reached over TLS with a token.
const CLOUD_PORT: u16 = 443;
/// Default of `max_message_size`: blocks and raw messages can be many MiB (taosadapter-ws §2).
const DEFAULT_MESSAGE_SIZE: usize = 256 << 20;
/// Longest timeout: the clock cannot count on for as long as a `u64` of seconds can say.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The second factor of a login.
#[derive(Clone)]
pub(crate) enum Totp {
    /// A code that the program has made, good for one login or as long as the server takes it.
    Code(Secret),
    /// What each login makes its code from.
    Seed(Zeroizing<Vec<u8>>),
}

impl Totp {
    fn from_dsn(dsn: &Dsn) -> RawResult<Option<Self>> {
        let code = dsn.get("totp_code").or_else(|| dsn.get("totpCode"));
        match (code, dsn.get("totp_secret")) {
            (None, None) => Ok(None),
            (Some(code), None) => Ok(Some(Self::Code(Secret::new(code.as_str())))),
            (None, Some(text)) => match decode_totp_secret(text).map(Zeroizing::new) {
                Ok(seed) if !seed.is_empty() => Ok(Some(Self::Seed(seed))),
                _ => {
                    Err(dsn.invalid_param("totp_secret", "the letters A to Z and 2 to 7 (base32)"))
                }
            },
            (Some(_), Some(_)) => Err(dsn.invalid_param("totp_secret", "no totp_code beside it")),
        }
    }

    /// The code to log in with now.
    pub(crate) fn code(&self) -> String {
        match self {
            Self::Code(code) => code.expose().to_owned(),
            Self::Seed(seed) => current_totp_code(seed),
        }
    }

    /// The parameter that it came from.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Code(_) => "totp_code",
            Self::Seed(_) => "totp_secret",
        }
    }
}

impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [redacted]", self.name())
    }
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// The host as resolvers and certificates know it: an IPv6 address without brackets.
    pub(crate) fn bare_host(&self) -> &str {
        self.host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(&self.host)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Whether the server's certificate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    Verify,
    AcceptAny,
}

#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "rustls"),
    allow(dead_code, reason = "checked in every build, used only by TLS")
)]
pub(crate) struct TlsOptions {
    pub(crate) mode: TlsMode,
    /// PEM text or the path of a PEM file.
    pub(crate) ca: Option<String>,
    pub(crate) tls12: bool,
    pub(crate) tls13: bool,
}

/// What the connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Statements.
    Sql,
    /// A consumer of topics.
    Topics,
}

#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) endpoint: Endpoint,
    pub(crate) addresses: Vec<Address>,
    /// Whether TLS is used from the start; a server may ask for it later.
    pub(crate) secure: bool,
    #[cfg_attr(
        not(feature = "rustls"),
        allow(dead_code, reason = "checked in every build, used only by TLS")
    )]
    pub(crate) tls: TlsOptions,
    pub(crate) compression: bool,
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) database: String,
    pub(crate) token: Option<Secret>,
    pub(crate) bearer_token: Option<Secret>,
    pub(crate) totp: Option<Totp>,
    /// The `mode` member of `conn`.
    pub(crate) mode: Option<i64>,
    pub(crate) timezone: Option<Tz>,
    pub(crate) user_ip: String,
    pub(crate) user_app: String,
    pub(crate) connector_info: String,
    pub(crate) conn_retries: u32,
    pub(crate) retry_backoff: Duration,
    pub(crate) retry_backoff_max: Duration,
    pub(crate) retry_writes: bool,
    pub(crate) conn_timeout: Duration,
    /// Over all addresses and tries.
    pub(crate) conn_total_timeout: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) max_message_size: usize,
    /// Assumed when the server does not tell its own.
    pub(crate) version_prefer: Version,
}

impl Config {
    pub(crate) fn from_dsn(dsn: &Dsn) -> RawResult<Self> {
        Self::parse(dsn, WEBSOCKET_PARAMS, Endpoint::Sql)
    }

    /// As [`from_dsn`](Self::from_dsn), for another endpoint, which has parameters of its own.
    pub(crate) fn parse(dsn: &Dsn, known: &[&str], endpoint: Endpoint) -> RawResult<Self> {
        dsn.check_params(known)?;
        refuse_path(dsn)?;
        let secret = |keys: [&str; 2]| {
            keys.iter()
                .find_map(|key| dsn.get(key))
                .map(|text| Secret::new(text.as_str()))
        };
        let seconds = Duration::from_secs;
        if !dsn.param_or("tcp_nodelay", true)? {
            tracing::warn!("tcp_nodelay=false is ignored: requests are always sent at once");
        }
        let (secure, tls) = tls(dsn)?;
        let addresses = addresses(dsn, secure && dsn.get("token").is_some());
        let conn_timeout = limit(dsn, "conn_timeout", seconds(10))?;
        Ok(Self {
            endpoint,
            conn_timeout,
            conn_total_timeout: limit(
                dsn,
                "conn_total_timeout",
                total_timeout(conn_timeout, addresses.len()),
            )?,
            addresses,
            secure,
            tls,
            compression: compression(dsn)?,
            user: dsn.username.clone().unwrap_or_else(|| "root".to_owned()),
            password: Secret::new(dsn.password.as_deref().unwrap_or("taosdata")),
            database: dsn.subject.clone().unwrap_or_default(),
            token: secret(["token", "token"]),
            bearer_token: secret(["bearer_token", "bearerToken"]),
            totp: Totp::from_dsn(dsn)?,
            mode: mode(dsn)?,
            timezone: timezone(dsn)?,
            user_ip: user_ip(dsn)?,
            user_app: dsn.get("user_app").cloned().unwrap_or_default(),
            connector_info: dsn.get("connector_info").cloned().unwrap_or_else(|| {
                concat!(
                    "rust-",
                    env!("CARGO_PKG_NAME"),
                    "-v",
                    env!("CARGO_PKG_VERSION")
                )
                .to_owned()
            }),
            conn_retries: dsn.param_or("conn_retries", 5)?,
            retry_backoff: Duration::from_millis(dsn.param_or("retry_backoff_ms", 200)?),
            retry_backoff_max: Duration::from_millis(dsn.param_or("retry_backoff_max_ms", 2000)?),
            retry_writes: dsn.param_or("retry_writes", false)?,
            read_timeout: limit(dsn, "read_timeout", seconds(300))?,
            max_message_size: dsn.param_or("max_message_size", DEFAULT_MESSAGE_SIZE)?,
            version_prefer: version_prefer(dsn)?,
        })
    }

    /// The pause before round `round` (from 1): doubled each time up to the ceiling, ±20 %.
    pub(crate) fn backoff(&self, round: u32) -> Duration {
        let doubled = self
            .retry_backoff
            .saturating_mul(
                1u32.checked_shl(round.saturating_sub(1))
                    .unwrap_or(u32::MAX),
            )
            .min(self.retry_backoff_max);
        let percent = u32::try_from(random() % 41).unwrap_or(20) + 80;
        doubled.saturating_mul(percent) / 100
    }
}

/// Foretold by nobody, though not for keys: `RandomState` is seeded by the operating system.
fn random() -> u64 {
    RandomState::new().hash_one(0u8)
}

fn addresses(dsn: &Dsn, cloud: bool) -> Vec<Address> {
    let default = if cloud { CLOUD_PORT } else { DEFAULT_PORT };
    let mut addresses: Vec<Address> = dsn
        .addresses
        .iter()
        .map(|address| Address {
            host: address
                .host
                .clone()
                .unwrap_or_else(|| "localhost".to_owned()),
            port: address.port.unwrap_or(default),
        })
        .collect();
    if addresses.is_empty() {
        addresses.push(Address {
            host: "localhost".to_owned(),
            port: default,
        });
    }
    // Clients with the same DSN spread over the servers.
    let mut keyed: Vec<_> = addresses.into_iter().map(|a| (random(), a)).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, address)| address).collect()
}

fn refuse_path(dsn: &Dsn) -> RawResult<()> {
    let Some(path) = &dsn.path else {
        return Ok(());
    };
    if path.trim_start_matches(':').starts_with("addr=") {
        return Err(RawError::of(
            ErrorKind::Config,
            "this is a configuration string for senders of QuestDB (`Sender::from_conf`) and no DSN; \
             write `questdb://host:9000` for QuestDB, `ws://host:6041` for TDengine",
        )
        .with_code(Code::WS_DSN));
    }
    // The path may hold a password, so it is not repeated.
    Err(RawError::of(
        ErrorKind::Config,
        format!(
            "this DSN names a path and no server; write `{}://host:6041/database`",
            dsn.driver
        ),
    )
    .with_code(Code::WS_DSN))
}

fn compression(dsn: &Dsn) -> RawResult<bool> {
    let compression = dsn.param_or("compression", false)?;
    if compression && !cfg!(feature = "deflate") {
        return Err(RawError::of(
            ErrorKind::Unsupported,
            "compression=true needs the Cargo feature `deflate` of taos (and of taos-ws), which \
             this program was built without",
        )
        .with_code(Code::WS_DSN));
    }
    Ok(compression)
}

/// The `mode` member of `conn`: 0 asks for BI mode (taosadapter-ws §5.2).
fn mode(dsn: &Dsn) -> RawResult<Option<i64>> {
    match dsn.param_or("conn_mode", 0u32)? {
        0 => Ok(None),
        1 => Ok(Some(0)),
        _ => Err(dsn.invalid_param("conn_mode", "0 (none) or 1 (BI)")),
    }
}

fn version_prefer(dsn: &Dsn) -> RawResult<Version> {
    match dsn.get("version_prefer").map(String::as_str) {
        None | Some("2.x") => Ok(Version::parse("2.0")),
        Some("3.x") => Ok(Version::VALIDATE_SQL),
        Some(_) => Err(dsn.invalid_param("version_prefer", "2.x or 3.x")),
    }
}

/// Whether TLS is used from the start, and how it is used when it is.
fn tls(dsn: &Dsn) -> RawResult<(bool, TlsOptions)> {
    let plain = ["ws", "http", "taosws"];
    let secure = ["wss", "https", "taoswss"];
    let scheme = dsn.protocol.as_deref().unwrap_or(&dsn.driver);
    let on = if secure.contains(&scheme) || secure.contains(&dsn.driver.as_str()) {
        true
    } else if plain.contains(&scheme) || plain.contains(&dsn.driver.as_str()) {
        false
    } else if dsn.get("token").is_some() {
        // A token in clear could be read on the way.
        true
    } else {
        return Err(RawError::of(
            ErrorKind::Config,
            format!(
                "`{scheme}` is not a WebSocket scheme; known ones are ws, http, taosws, wss, https, \
                 taoswss, and taos+ws, taos+wss"
            ),
        )
        .with_code(Code::WS_DSN));
    };
    let mode = match dsn.get("tls_mode").map(String::as_str) {
        None | Some("verify_identity" | "verify_ca") => TlsMode::Verify,
        Some("dangerous_accept_any") => TlsMode::AcceptAny,
        Some(_) => {
            return Err(dsn.invalid_param(
                "tls_mode",
                "verify_identity (the default) or dangerous_accept_any",
            ));
        }
    };
    let versions = dsn.get("tls_version").map_or("TLSv1.3,TLSv1.2", |v| v);
    let (mut tls12, mut tls13) = (false, false);
    for version in versions.split(',').map(str::trim) {
        match version {
            "TLSv1.2" => tls12 = true,
            "TLSv1.3" => tls13 = true,
            _ => return Err(dsn.invalid_param("tls_version", "a list of TLSv1.2 and TLSv1.3")),
        }
    }
    let ca = dsn.get("tls_ca").cloned();
    let options = TlsOptions {
        mode,
        ca,
        tls12,
        tls13,
    };
    Ok((on, options))
}

/// Servers take any text for a zone and then act as UTC (taosadapter-ws §5.2): checked here.
fn timezone(dsn: &Dsn) -> RawResult<Option<Tz>> {
    match dsn.get("timezone") {
        None => Ok(None),
        Some(name) => name.parse().map(Some).map_err(|_| {
            dsn.invalid_param("timezone", "an IANA time zone name such as Asia/Shanghai")
        }),
    }
}

/// As with zones, servers take anything for an address.
fn user_ip(dsn: &Dsn) -> RawResult<String> {
    match dsn.get("user_ip") {
        None => Ok(String::new()),
        Some(text) if text.parse::<std::net::IpAddr>().is_ok() => Ok(text.clone()),
        Some(_) => Err(dsn.invalid_param("user_ip", "an IP address")),
    }
}

/// A server that accepts and then says nothing takes two steps to be given up, so that every address
/// has its chance; and tries that fail at once have some time for their pauses.
fn total_timeout(conn_timeout: Duration, addresses: usize) -> Duration {
    let steps = u32::try_from(addresses.saturating_mul(2)).unwrap_or(u32::MAX);
    conn_timeout
        .saturating_mul(steps)
        .max(Duration::from_secs(30))
        .min(LONGEST_TIMEOUT)
}

fn limit(dsn: &Dsn, key: &str, default: Duration) -> RawResult<Duration> {
    let value = dsn.param_or(key, default)?;
    if value.is_zero() || value > LONGEST_TIMEOUT {
        return Err(dsn.invalid_param(key, "a time longer than 0 and of at most ten years"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(dsn: &str) -> Config {
        Config::from_dsn(&dsn.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_host_without_a_port_means_6041_and_no_host_this_machine() {
        for (dsn, address, bare) in [
            ("ws://db1", "db1:6041", "db1"),
            ("ws://db1:80", "db1:80", "db1"),
            ("ws://", "localhost:6041", "localhost"),
            ("ws://:7000", "localhost:7000", "localhost"),
            ("ws://[::1]", "[::1]:6041", "::1"),
        ] {
            let config = config(dsn);
            let [only] = config.addresses.as_slice() else {
                panic!("{dsn}: {:?}", config.addresses);
            };
            assert_eq!(
                (only.to_string().as_str(), only.bare_host()),
                (address, bare)
            );
        }
        assert_eq!(config("ws://a,b:1,c").addresses.len(), 3);
    }

    #[test]
    fn a_configuration_string_of_senders_is_told_from_a_path() {
        for (dsn, words) in [
            ("http::addr=localhost:9000;", "questdb://host:9000"),
            ("https::addr=h;password=s3cret;", "questdb://host:9000"),
            ("ws:/localhost", "ws://host:6041"),
        ] {
            let error = Config::from_dsn(&dsn.parse().unwrap()).unwrap_err();
            assert!(error.to_string().contains(words), "{dsn}: {error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn the_scheme_decides_about_tls_and_a_token_alone_asks_for_it() {
        for (dsn, tls) in [
            ("ws://h", false),
            ("http://h", false),
            ("taosws://h", false),
            ("taos+ws://h", false),
            ("taos+ws://h?token=x", false),
            ("wss://h", true),
            ("https://h", true),
            ("taoswss://h", true),
            ("taos+wss://h", true),
            ("taosws+wss://h", true),
            ("taos://h?token=x", true),
        ] {
            assert_eq!(config(dsn).secure, tls, "{dsn}");
        }
        let options = config("wss://h").tls;
        assert_eq!(options.mode, TlsMode::Verify);
    }

    #[test]
    fn timeouts_that_no_clock_can_count_are_refused() {
        let longest = format!("ws://h?read_timeout={}", LONGEST_TIMEOUT.as_secs());
        assert_eq!(config(&longest).read_timeout, LONGEST_TIMEOUT);
        for key in ["read_timeout", "conn_timeout"] {
            for value in ["0", "0ms", "315360001", "18446744073709551615"] {
                let dsn: Dsn = format!("ws://h?{key}={value}").parse().unwrap();
                let error = Config::from_dsn(&dsn).unwrap_err().to_string();
                assert!(
                    error.contains(key) && error.contains("ten years"),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn pauses_double_up_to_their_ceiling() {
        let config = config("ws://h?retry_backoff_ms=100&retry_backoff_max_ms=1000");
        for (round, millis) in [(1, 100), (2, 200), (4, 800), (5, 1000), (40, 1000)] {
            let pause = config.backoff(round).as_millis();
            assert!(
                (millis * 8 / 10..=millis * 12 / 10).contains(&pause),
                "{round}: {pause}"
            );
        }
    }
}
