//! Everything that a DSN says about a native connection, checked once.

use std::fmt;
use std::time::Duration;

use chrono_tz::Tz;
use taos_query::dsn::NATIVE_PARAMS;
use taos_query::util::{Secret, current_totp_code, decode_totp_secret};
use taos_query::{Code, Dsn, ErrorKind, RawError, RawResult};

use crate::raw::connection::ConnectArgs;
use crate::raw::options::ConnectionOption;

/// Longest timeout: the clock cannot count on for as long as a `u64` of seconds can say.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Pause before the first repetition; each further one is as much longer.
const PAUSE: Duration = Duration::from_millis(200);

/// The second factor of a login.
#[derive(Clone)]
enum Totp {
    /// A code that the program has made.
    Code(Secret),
    /// The base32 text that each login makes its code from.
    Seed(Secret),
}

impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Totp {
    fn from_dsn(dsn: &Dsn) -> RawResult<Option<Self>> {
        let code = dsn.get("totp_code").or_else(|| dsn.get("totpCode"));
        match (code, dsn.get("totp_secret")) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(dsn.invalid_param("totp_secret", "no totp_code beside it")),
            (Some(code), None) => Ok(Some(Self::Code(Secret::new(code.as_str())))),
            (None, Some(seed)) if decode_totp_secret(seed).is_ok_and(|seed| !seed.is_empty()) => {
                Ok(Some(Self::Seed(Secret::new(seed.as_str()))))
            }
            (None, Some(_)) => {
                Err(dsn.invalid_param("totp_secret", "the letters A to Z and 2 to 7 (base32)"))
            }
        }
    }

    fn code(&self) -> RawResult<Secret> {
        match self {
            Self::Code(code) => Ok(code.clone()),
            Self::Seed(seed) => {
                let mut seed = decode_totp_secret(seed.expose())?;
                let code = Secret::new(current_totp_code(&seed));
                seed.fill(0);
                Ok(code)
            }
        }
    }
}

/// What a DSN says.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    args: ConnectArgs,
    totp: Option<Totp>,
    /// A file, or the folder that the library is in.
    pub(crate) library_path: Option<String>,
    /// The folder of the library's configuration.
    pub(crate) config_dir: Option<String>,
    /// How often a call that failed for a passing reason is made again.
    pub(crate) max_retries: u32,
    /// Longest wait for an answer of the library.
    pub(crate) read_timeout: Duration,
    /// The same for connecting, repetitions included.
    pub(crate) conn_timeout: Duration,
    /// Of the session, and of timestamps as text.
    pub(crate) timezone: Option<Tz>,
}

impl Settings {
    /// # Errors
    /// For a parameter that nobody knows or whose value cannot be read.
    pub(crate) fn from_dsn(dsn: &Dsn) -> RawResult<Self> {
        Self::parse(dsn, NATIVE_PARAMS)
    }

    /// As [`from_dsn`](Self::from_dsn), with parameters besides.
    pub(crate) fn parse(dsn: &Dsn, known: &[&str]) -> RawResult<Self> {
        dsn.check_params(known)?;
        if dsn.path.is_some() {
            // The path may hold a password, so it is not repeated.
            return Err(RawError::of(
                ErrorKind::Config,
                format!(
                    "this DSN names a path and no server; write `{}://host:6030/database`",
                    dsn.driver
                ),
            )
            .with_code(Code::WS_DSN));
        }
        let secret = |key: &str, alias: &str| {
            let text = dsn.get(key).or_else(|| dsn.get(alias));
            text.map(|text| Secret::new(text.as_str()))
        };
        no_tls(dsn)?;
        let timezone = timezone(dsn)?;
        if dsn.addresses.len() > 1 {
            tracing::warn!(
                addresses = dsn.addresses.len(),
                "a native connection uses only the first address of its DSN; name further ones in taos.cfg (secondEp)"
            );
        }
        let address = dsn.addresses.first();
        let host = address.and_then(|address| address.host.as_deref());
        let filled = |text: &&String| !text.is_empty();
        let totp = Totp::from_dsn(dsn)?;
        let token = secret("bearer_token", "bearerToken");
        if token.is_some() && totp.is_some() {
            return Err(dsn.invalid_param("bearer_token", "no second factor beside it"));
        }
        Ok(Self {
            args: ConnectArgs {
                host: host.map(|host| bare(host).to_owned()),
                port: address.and_then(|address| address.port).unwrap_or(0),
                user: dsn.username.clone(),
                password: dsn.password.as_deref().map(Secret::new),
                database: dsn.subject.as_ref().filter(filled).cloned(),
                totp: None,
                token,
                options: ConnectionOption::OF_DSN
                    .into_iter()
                    .filter_map(|option| {
                        let value = dsn.get(option.name()).filter(filled)?;
                        Some((option, value.clone()))
                    })
                    .collect(),
                bi_mode: bi_mode(dsn)?,
            },
            totp,
            library_path: dsn.get("libraryPath").filter(filled).cloned(),
            config_dir: dsn.get("configDir").filter(filled).cloned(),
            max_retries: dsn.param_or("maxRetries", 2)?,
            read_timeout: limit(dsn, "read_timeout", 300)?,
            conn_timeout: match dsn.get("conn_total_timeout") {
                // Of each step, as over WebSocket; and the library may take two.
                None => limit(dsn, "conn_timeout", 15)?.saturating_mul(2),
                Some(_) => limit(dsn, "conn_total_timeout", 30)?,
            },
            timezone,
        })
    }

    /// What to connect with now; a code of the second factor is good for half a minute.
    pub(crate) fn connect_args(&self) -> RawResult<ConnectArgs> {
        let mut args = self.args.clone();
        args.totp = self.totp.as_ref().map(Totp::code).transpose()?;
        Ok(args)
    }

    /// `host:port` as messages show it.
    pub(crate) fn address(&self) -> String {
        self.args.address()
    }

    /// The pause before the repetition number `nth`, counted from 1; `None` if there is none.
    pub(crate) fn pause(&self, nth: u32) -> Option<Duration> {
        (nth <= self.max_retries).then(|| PAUSE.saturating_mul(nth))
    }
}

/// # Errors
/// For a wish for TLS, which would go unheard: the library encrypts as its own configuration says.
fn no_tls(dsn: &Dsn) -> RawResult<()> {
    let Some(key) = dsn.params.keys().find(|key| key.starts_with("tls_")) else {
        return Ok(());
    };
    Err(RawError::of(
        ErrorKind::Config,
        format!(
            "`{key}` has no effect on a native connection: connect with `{}+wss://` for TLS over WebSocket, or leave \
             it out and set TLS up in the client library's taos.cfg",
            dsn.driver
        ),
    )
    .with_code(Code::WS_DSN))
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

fn timezone(dsn: &Dsn) -> RawResult<Option<Tz>> {
    let zone = dsn.get("timezone").filter(|zone| !zone.is_empty());
    zone.map(|zone| zone.parse().ok())
        .map(|zone| {
            zone.ok_or_else(|| {
                dsn.invalid_param("timezone", "an IANA time zone name such as Asia/Shanghai")
            })
        })
        .transpose()
}

fn bi_mode(dsn: &Dsn) -> RawResult<bool> {
    match dsn.param_or("conn_mode", 0u32)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(dsn.invalid_param("conn_mode", "0 (none) or 1 (BI)")),
    }
}

fn limit(dsn: &Dsn, key: &str, seconds: u64) -> RawResult<Duration> {
    let limit = dsn.param_or(key, Duration::from_secs(seconds))?;
    if limit.is_zero() {
        return Err(dsn.invalid_param(key, "a time above 0"));
    }
    Ok(limit.min(LONGEST_TIMEOUT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> RawResult<Settings> {
        Settings::from_dsn(&text.parse().unwrap())
    }

    #[test]
    fn what_would_go_unheard_is_refused_with_what_to_do() {
        for (dsn, words) in [
            (
                "taos://h?tls_mode=verify_identity",
                ["`tls_mode`", "taos+wss://"],
            ),
            ("tmq://h?tls_ca=ca.pem", ["`tls_ca`", "tmq+wss://"]),
            ("taos://h?tls_verify=on", ["`tls_verify`", "taos.cfg"]),
            (
                "taos://h?bearer_token=secret&totp_code=123456",
                ["`bearer_token=", "second factor"],
            ),
        ] {
            let error = settings(dsn).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let text = error.to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
        assert!(settings("taos://a,b?compression=true").is_ok());
    }

    #[test]
    fn a_connection_has_twice_the_time_of_a_step_unless_it_is_said() {
        let limit = |dsn| settings(dsn).unwrap().conn_timeout.as_secs();
        assert_eq!(limit("taos://h"), 30);
        assert_eq!(limit("taos://h?conn_timeout=4s"), 8);
        assert_eq!(limit("taos://h?conn_timeout=4s&conn_total_timeout=5s"), 5);
        assert!(
            settings("taos://h?conn_timeou=4s")
                .unwrap_err()
                .to_string()
                .contains("`conn_timeout`")
        );
    }
}
