//! The one table of keys: of which services each is, and how its text is read (questdb §1.4, §1.6,
//! §1.7).

use std::path::PathBuf;
use std::time::Duration;

use super::draft::{Compression, Draft, WantedDurability};
use super::value::{Value, plain};
use crate::error::{Result, error};
use crate::ingress::{Protocol, ProtocolVersion, QwpWsProgress};
use crate::settings::{InitialConnect, Policies, Policy, Role};

/// The services a key belongs to; with another it is an error unless the scope says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    Any,
    Tcp,
    Http,
    HttpOrQwp,
    Tls,
    Wss,
    Qwp,
    /// QWP; passed over elsewhere, as keys are that nobody knows.
    QwpOrIgnored,
}

impl Scope {
    pub(super) fn ignores(self, protocol: Protocol) -> bool {
        self == Self::QwpOrIgnored && !protocol.is_qwp()
    }

    pub(super) fn check(self, key: &str, protocol: Protocol) -> Result<()> {
        let (fits, services) = match self {
            Self::Any => (true, ""),
            Self::Tcp => (protocol.is_tcp(), "tcp and tcps"),
            Self::Http => (protocol.is_http(), "http and https"),
            Self::HttpOrQwp => (!protocol.is_tcp(), "http, https, ws and wss"),
            Self::Tls => (protocol.is_tls(), "https, tcps and wss, which have TLS"),
            Self::Wss => (protocol == Protocol::Wss, "wss"),
            Self::Qwp | Self::QwpOrIgnored => (protocol.is_qwp(), "ws and wss"),
        };
        if fits {
            return Ok(());
        }
        Err(error!(
            ConfigError,
            "`{key}` is only for {services}, not for {protocol}"
        ))
    }
}

/// Which half of the client reads a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Both,
    Ingest,
    Query,
    /// Known because other clients have it.
    Nobody,
}

type Read = fn(&mut Draft, Value<'_>) -> Result<()>;

pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) scope: Scope,
    pub(super) side: Side,
    pub(super) read: Read,
}

const fn key(name: &'static str, scope: Scope, side: Side, read: Read) -> Key {
    Key {
        name,
        scope,
        side,
        read,
    }
}

/// A key that means nothing here.
const fn passed(name: &'static str) -> Key {
    key(name, Scope::QwpOrIgnored, Side::Nobody, |_, _| Ok(()))
}

pub(super) fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name)
}

/// True for every key of any client, and so never for what is part of a value.
pub(super) fn is_known(name: &str) -> bool {
    name == "addr" || find(name).is_some()
}

pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    COMMON.iter().chain(INGEST).chain(QUERY)
}

const COMMON: &[Key] = &[
    key("username", Scope::Any, Side::Both, |d, v| {
        d.username(v.text)
    }),
    key("password", Scope::Any, Side::Both, |d, v| {
        d.password(v.text)
    }),
    key("token", Scope::Any, Side::Both, |d, v| d.token(v.text)),
    key("token_x", Scope::Any, Side::Ingest, |d, v| {
        d.token_x(v.text)
    }),
    key("token_y", Scope::Any, Side::Ingest, |d, v| {
        d.token_y(v.text)
    }),
    key("auth_timeout", Scope::Any, Side::Both, |d, v| {
        d.auth_timeout(v.millis()?)
    }),
    key("bind_interface", Scope::Tcp, Side::Ingest, |d, v| {
        d.bind_interface(v.text)
    }),
    key("protocol_version", Scope::Any, Side::Ingest, |d, v| {
        let version = v.exact(&[
            ("auto", None),
            ("1", Some(ProtocolVersion::V1)),
            ("2", Some(ProtocolVersion::V2)),
            ("3", Some(ProtocolVersion::V3)),
        ])?;
        match version {
            Some(version) => d.protocol_version(version),
            None => Ok(()),
        }
    }),
    key("init_buf_size", Scope::Any, Side::Ingest, |d, v| {
        d.init_buf_size(v.number()?)
    }),
    key("max_buf_size", Scope::Any, Side::Ingest, |d, v| {
        d.max_buf_size(v.number()?)
    }),
    key("max_name_len", Scope::Any, Side::Ingest, |d, v| {
        d.max_name_len(v.number()?)
    }),
    key("request_timeout", Scope::HttpOrQwp, Side::Ingest, |d, v| {
        d.request_timeout(v.millis()?)
    }),
    key(
        "request_min_throughput",
        Scope::Http,
        Side::Ingest,
        |d, v| d.request_min_throughput(v.number()?),
    ),
    key("retry_timeout", Scope::Http, Side::Ingest, |d, v| {
        d.retry_timeout(v.millis()?)
    }),
    key(
        "retry_max_backoff_millis",
        Scope::Http,
        Side::Ingest,
        |d, v| d.retry_max_backoff(v.millis()?),
    ),
    key("tls_verify", Scope::Tls, Side::Both, |d, v| {
        d.tls_verify(v.exact(&[("on", true), ("unsafe_off", false)])?)
    }),
    key("tls_ca", Scope::Tls, Side::Both, |d, v| d.tls_ca_named(v)),
    key("tls_roots", Scope::Tls, Side::Both, |d, v| {
        d.tls_roots(PathBuf::from(v.text))
    }),
    key("tls_roots_password", Scope::Wss, Side::Both, |d, v| {
        d.tls_roots_password(v.text)
    }),
    key("auto_flush", Scope::Any, Side::Ingest, |d, v| {
        v.exact(&[("off", ())]).map_err(|_| by_hand(v.key))?;
        d.auto_flush(false)
    }),
    key("auto_flush_rows", Scope::Any, Side::Ingest, |_, v| {
        Err(by_hand(v.key))
    }),
    key("auto_flush_bytes", Scope::Any, Side::Ingest, |_, v| {
        Err(by_hand(v.key))
    }),
    key("auto_flush_interval", Scope::Any, Side::Ingest, |_, v| {
        Err(by_hand(v.key))
    }),
];

fn by_hand(key: &str) -> crate::error::Error {
    error!(
        ConfigError,
        "`{key}` is not a setting of this client's strings (only `auto_flush=off` is taken): flush explicitly, or use `SenderBuilder::auto_flush`, `auto_flush_rows`, `auto_flush_bytes` and `auto_flush_interval`"
    )
}

const INGEST: &[Key] = &[
    key("auth_timeout_ms", Scope::Qwp, Side::Both, |d, v| {
        let limit = v.some_millis()?;
        d.put(v.key, limit, |d| &mut d.settings.auth_timeout)
    }),
    key("connect_timeout", Scope::Qwp, Side::Both, |d, v| {
        let limit = v.some_millis()?;
        d.put(v.key, Some(limit), |d| {
            &mut d.settings.ingest.connect_timeout
        })
    }),
    key("request_durable_ack", Scope::Qwp, Side::Ingest, |d, v| {
        let on = v.word(&[("on", true), ("off", false)])?;
        d.put(v.key, on, |d| &mut d.settings.ingest.durable_ack)
    }),
    key(
        "durable_ack_keepalive_interval_millis",
        Scope::Qwp,
        Side::Ingest,
        |d, v| {
            let every = v.millis_or_never()?;
            d.put(v.key, every, |d| {
                &mut d.settings.ingest.durable_ack_keepalive
            })
        },
    ),
    key("initial_connect_retry", Scope::Qwp, Side::Ingest, |d, v| {
        d.initial_connect(v.word(&[
            ("off", InitialConnect::Once),
            ("on", InitialConnect::Retry),
            ("sync", InitialConnect::Retry),
            ("async", InitialConnect::Background),
            ("true", InitialConnect::Retry),
            ("false", InitialConnect::Once),
        ])?)
    }),
    key(
        "reconnect_initial_backoff_millis",
        Scope::Qwp,
        Side::Ingest,
        |d, v| d.reconnect_initial_backoff(v.millis()?),
    ),
    key(
        "reconnect_max_backoff_millis",
        Scope::Qwp,
        Side::Ingest,
        |d, v| d.reconnect_max_backoff(v.millis()?),
    ),
    key(
        "reconnect_max_duration_millis",
        Scope::Qwp,
        Side::Ingest,
        |d, v| d.reconnect_max_duration(v.millis()?),
    ),
    key(
        "close_flush_timeout_millis",
        Scope::Qwp,
        Side::Ingest,
        |d, v| {
            let limit = v.millis_or_never()?;
            d.put(v.key, limit, |d| &mut d.settings.ingest.close_flush_timeout)
        },
    ),
    key("qwp_ws_progress", Scope::Qwp, Side::Ingest, |d, v| {
        d.qwp_ws_progress(v.word(&[
            ("background", QwpWsProgress::Background),
            ("manual", QwpWsProgress::Manual),
        ])?)
    }),
    key("sf_dir", Scope::Qwp, Side::Ingest, |d, v| {
        if v.text.is_empty() {
            return Err(v.wrong("the path of a directory, not empty"));
        }
        d.put(v.key, Some(PathBuf::from(v.text)), |d| {
            &mut d.settings.ingest.sf_dir
        })
    }),
    key("sender_id", Scope::Qwp, Side::Ingest, |d, v| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if v.text.is_empty() || !v.text.chars().all(fits) {
            return Err(v.wrong("letters, digits, `_` and `-`, and not empty"));
        }
        d.put(v.key, v.text.to_owned(), |d| {
            &mut d.settings.ingest.sender_id
        })
    }),
    key("sf_durability", Scope::Qwp, Side::Ingest, |d, v| {
        let wanted = v.word(&[
            ("memory", WantedDurability::Memory),
            ("periodic", WantedDurability::Periodic),
            ("flush", WantedDurability::Flush),
            ("append", WantedDurability::Append),
        ])?;
        d.put(v.key, wanted, |d| &mut d.durability)
    }),
    key(
        "sf_sync_interval_millis",
        Scope::Qwp,
        Side::Ingest,
        |d, v| {
            let every = v.some_millis()?;
            d.put(v.key, every, |d| &mut d.sync_interval)
        },
    ),
    key("sf_max_segment_bytes", Scope::Qwp, Side::Ingest, |d, v| {
        let bytes = v.size()?;
        d.put(v.key, bytes, |d| &mut d.settings.ingest.max_segment_bytes)
    }),
    key("sf_max_total_bytes", Scope::Qwp, Side::Ingest, |d, v| {
        let bytes = v.size()?;
        d.put(v.key, bytes, |d| &mut d.settings.ingest.max_total_bytes)
    }),
    key(
        "sf_append_deadline_millis",
        Scope::Qwp,
        Side::Ingest,
        |d, v| {
            let limit = v.some_millis()?;
            d.put(v.key, limit, |d| &mut d.settings.ingest.append_deadline)
        },
    ),
    key("drain_orphans", Scope::Qwp, Side::Ingest, |d, v| {
        let on = v.switch()?;
        d.put(v.key, on, |d| &mut d.settings.ingest.drain_orphans)
    }),
    key(
        "max_background_drainers",
        Scope::Qwp,
        Side::Ingest,
        |d, v| {
            let count = v.within(0, 1024)?;
            d.put(v.key, count, |d| {
                &mut d.settings.ingest.max_background_drainers
            })
        },
    ),
    key("error_inbox_capacity", Scope::Qwp, Side::Ingest, |d, v| {
        let count = v.number()?;
        d.put_count(v.key, count, 16, |d| {
            &mut d.settings.ingest.error_inbox_capacity
        })
    }),
    key("max_frame_rejections", Scope::Qwp, Side::Ingest, |d, v| {
        d.max_frame_rejections(v.number()?)
    }),
    key(
        "poison_min_escalation_window_millis",
        Scope::Qwp,
        Side::Ingest,
        |d, v| d.poison_min_escalation_window(v.millis()?),
    ),
    key(
        "on_server_error",
        Scope::QwpOrIgnored,
        Side::Ingest,
        |d, v| policy(d, v, |p| &mut p.server),
    ),
    key(
        "on_schema_error",
        Scope::QwpOrIgnored,
        Side::Ingest,
        |d, v| policy(d, v, |p| &mut p.schema),
    ),
    key(
        "on_parse_error",
        Scope::QwpOrIgnored,
        Side::Ingest,
        |d, v| policy(d, v, |p| &mut p.parse),
    ),
    key(
        "on_internal_error",
        Scope::QwpOrIgnored,
        Side::Ingest,
        |d, v| policy(d, v, |p| &mut p.internal),
    ),
    key(
        "on_security_error",
        Scope::QwpOrIgnored,
        Side::Ingest,
        |d, v| policy(d, v, |p| &mut p.security),
    ),
    key(
        "on_write_error",
        Scope::QwpOrIgnored,
        Side::Ingest,
        |d, v| policy(d, v, |p| &mut p.write),
    ),
    key("transaction", Scope::QwpOrIgnored, Side::Ingest, |_, v| {
        v.word(&[("off", ()), ("false", ())])
    }),
];

fn policy(d: &mut Draft, v: Value<'_>, slot: fn(&mut Policies) -> &mut Policy) -> Result<()> {
    let policy = v.word(&[
        ("auto", Policy::Auto),
        ("terminal", Policy::Terminal),
        ("retriable", Policy::Retriable),
        ("retriable_other", Policy::RetriableOther),
    ])?;
    d.put(v.key, policy, |d| slot(&mut d.settings.ingest.policies))
}

const QUERY: &[Key] = &[
    key("path", Scope::QwpOrIgnored, Side::Query, |d, v| {
        plain(v.key, v.text)?;
        if !v.text.starts_with('/') || v.text.contains([' ', '#']) {
            return Err(v.wrong("a request target that begins with `/`, without spaces and `#`"));
        }
        d.put(v.key, v.text.to_owned(), |d| &mut d.settings.query.path)
    }),
    // Version 1 is the only one there is.
    key("max_version", Scope::QwpOrIgnored, Side::Query, |_, v| {
        v.within(1_u8, 1).map(drop)
    }),
    key("client_id", Scope::QwpOrIgnored, Side::Query, |d, v| {
        d.put_text(v.key, v.text, |d| &mut d.settings.query.client_id)
    }),
    key("auth", Scope::QwpOrIgnored, Side::Query, |d, v| {
        d.put_secret(v.key, v.text, |d| &mut d.credentials.auth)
    }),
    key("compression", Scope::QwpOrIgnored, Side::Query, |d, v| {
        let wanted = v.word(&[
            ("raw", Compression::Raw),
            ("zstd", Compression::Zstd),
            ("auto", Compression::Auto),
        ])?;
        d.put(v.key, wanted, |d| &mut d.compression)
    }),
    key(
        "compression_level",
        Scope::QwpOrIgnored,
        Side::Query,
        |d, v| {
            let level = v.within(1, 22)?;
            d.put(v.key, level, |d| &mut d.compression_level)
        },
    ),
    key(
        "max_batch_rows",
        Scope::QwpOrIgnored,
        Side::Query,
        |d, v| {
            let rows = v.within(0, 1_048_576)?;
            d.put(v.key, rows, |d| &mut d.settings.query.max_batch_rows)
        },
    ),
    key(
        "initial_credit",
        Scope::QwpOrIgnored,
        Side::Query,
        |d, v| {
            let bytes = v.number()?;
            d.put(v.key, bytes, |d| &mut d.settings.query.initial_credit)
        },
    ),
    key("target", Scope::QwpOrIgnored, Side::Query, |d, v| {
        let role = v.word(&[
            ("any", Role::Any),
            ("primary", Role::Primary),
            ("replica", Role::Replica),
        ])?;
        d.put(v.key, role, |d| &mut d.settings.query.target)
    }),
    key("zone", Scope::QwpOrIgnored, Side::Query, |d, v| {
        let zone = Some(v.text.to_ascii_lowercase()).filter(|zone| !zone.is_empty());
        d.put(v.key, zone, |d| &mut d.settings.query.zone)
    }),
    key("failover", Scope::QwpOrIgnored, Side::Query, |d, v| {
        let on = v.switch()?;
        d.put(v.key, on, |d| &mut d.settings.query.failover)
    }),
    key(
        "failover_max_attempts",
        Scope::QwpOrIgnored,
        Side::Query,
        |d, v| {
            let attempts = v.within(1, 1024)?;
            d.put(v.key, attempts, |d| {
                &mut d.settings.query.failover_max_attempts
            })
        },
    ),
    key(
        "failover_max_duration_ms",
        Scope::QwpOrIgnored,
        Side::Query,
        |d, v| {
            let limit = v.millis()?;
            d.put(v.key, limit, |d| {
                &mut d.settings.query.failover_max_duration
            })
        },
    ),
    key(
        "failover_backoff_initial_ms",
        Scope::QwpOrIgnored,
        Side::Query,
        |d, v| {
            let pause = Duration::from_millis(v.within(0, 3_600_000)?);
            d.put(v.key, pause, |d| {
                &mut d.settings.query.failover_backoff_initial
            })
        },
    ),
    key(
        "failover_backoff_max_ms",
        Scope::QwpOrIgnored,
        Side::Query,
        |d, v| {
            let pause = Duration::from_millis(v.within(0, 3_600_000)?);
            d.put(v.key, pause, |d| &mut d.settings.query.failover_backoff_max)
        },
    ),
    key(
        "query_timeout_ms",
        // Over HTTP it is a header of the request, where a DSN says it.
        Scope::HttpOrQwp,
        Side::Query,
        |d, v| {
            let limit = v.millis()?;
            d.put(v.key, limit, |d| &mut d.settings.query.query_timeout)
        },
    ),
    passed("sender_pool_min"),
    passed("sender_pool_max"),
    passed("query_pool_min"),
    passed("query_pool_max"),
    passed("acquire_timeout_ms"),
    passed("idle_timeout_ms"),
    passed("max_lifetime_ms"),
    passed("housekeeper_interval_ms"),
    passed("lazy_connect"),
    passed("pool_reap"),
    passed("buffer_pool_size"),
];
