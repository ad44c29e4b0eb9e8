//! Everything that a configuration string, a builder or a DSN says, checked once. Transports read it
//! and parse nothing.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use taos_query::util::Secret;

use crate::ingress::{Protocol, ProtocolVersion};

/// One server. The host has no brackets, also when it is an IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Who the program says it is (questdb §1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Auth {
    None,
    /// HTTP and WebSocket.
    Basic {
        user: String,
        password: Secret,
    },
    /// HTTP and WebSocket.
    Token(Secret),
    /// TCP: the key id, the private key `d` and the public point, base64url (questdb §6.2).
    Ecdsa {
        key_id: String,
        private: Secret,
        x: String,
        y: String,
    },
    /// WebSocket queries: the value of the header `Authorization` as it is.
    Verbatim(Secret),
}

/// Where trusted certificates come from (questdb §7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roots {
    Webpki,
    Os,
    #[cfg_attr(
        not(all(feature = "tls-webpki-certs", feature = "tls-native-certs")),
        allow(dead_code, reason = "it needs both features")
    )]
    WebpkiAndOs,
    /// A PEM bundle.
    File(PathBuf),
}

/// How certificates are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) roots: Roots,
    /// False takes every certificate and name.
    pub(crate) verify: bool,
}

/// When rows leave by themselves: each trigger is looked at when a row is completed (questdb §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct AutoFlush {
    pub(crate) rows: Option<usize>,
    pub(crate) bytes: Option<usize>,
    pub(crate) interval: Option<Duration>,
}

impl AutoFlush {
    /// What the other official clients do when it is on (questdb §8).
    pub(crate) const fn on(protocol: Protocol) -> Self {
        let (rows, millis) = match protocol {
            Protocol::Http | Protocol::Https => (75_000, 1000),
            Protocol::Tcp | Protocol::Tcps => (600, 1000),
            Protocol::Ws | Protocol::Wss => (1000, 100),
        };
        Self {
            rows: Some(rows),
            bytes: None,
            interval: Some(Duration::from_millis(millis)),
        }
    }
}

/// Limits of requests over HTTP (questdb §1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Http {
    pub(crate) request_timeout: Duration,
    /// Bytes a second; 0 leaves the size out of the limit.
    pub(crate) request_min_throughput: u64,
    /// 0 is one attempt.
    pub(crate) retry_timeout: Duration,
    pub(crate) retry_max_backoff: Duration,
    pub(crate) user_agent: Option<String>,
}

/// Who counts as a server for queries (questdb §13.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Role {
    #[default]
    Any,
    Primary,
    Replica,
}

/// What a rejected QWP message means (questdb §12.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Policy {
    #[default]
    Auto,
    Terminal,
    Retriable,
    RetriableOther,
}

/// The policies by category; [`Policy::Auto`] falls back on `server`, that on the protocol's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Policies {
    pub(crate) server: Policy,
    pub(crate) schema: Policy,
    pub(crate) parse: Policy,
    pub(crate) internal: Policy,
    pub(crate) security: Policy,
    pub(crate) write: Policy,
}

/// The first connection of a QWP sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum InitialConnect {
    /// One round over the addresses.
    #[default]
    Once,
    /// Rounds until `reconnect_max_duration` is over.
    Retry,
    /// In the background.
    Background,
}

/// How safe the store of unacknowledged messages is (questdb §14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Durability {
    #[default]
    Memory,
    /// Synced to disk every so often.
    Periodic(Duration),
}

/// A QWP sender (questdb §1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QwpIngest {
    pub(crate) connect_timeout: Option<Duration>,
    /// Limit of waits without any progress.
    pub(crate) request_timeout: Duration,
    pub(crate) durable_ack: bool,
    pub(crate) durable_ack_keepalive: Option<Duration>,
    pub(crate) initial_connect: InitialConnect,
    pub(crate) reconnect_initial_backoff: Duration,
    pub(crate) reconnect_max_backoff: Duration,
    pub(crate) reconnect_max_duration: Duration,
    /// `None` does not wait on close.
    pub(crate) close_flush_timeout: Option<Duration>,
    /// The caller drives the connection.
    pub(crate) manual_progress: bool,
    pub(crate) sf_dir: Option<PathBuf>,
    pub(crate) sender_id: String,
    pub(crate) durability: Durability,
    pub(crate) max_segment_bytes: u64,
    pub(crate) max_total_bytes: u64,
    /// How long a producer waits on a full store.
    pub(crate) append_deadline: Duration,
    pub(crate) drain_orphans: bool,
    pub(crate) max_background_drainers: usize,
    pub(crate) error_inbox_capacity: usize,
    pub(crate) max_frame_rejections: usize,
    pub(crate) poison_min_escalation_window: Duration,
    pub(crate) policies: Policies,
}

/// QWP queries (questdb §1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QwpQuery {
    pub(crate) path: String,
    pub(crate) client_id: Option<String>,
    /// `None` asks for no compression; the level is 1 to 22.
    pub(crate) zstd: Option<u8>,
    /// Whether the server may answer without compression although it was asked for.
    pub(crate) zstd_or_raw: bool,
    /// 0 is the server's default.
    pub(crate) max_batch_rows: u32,
    /// Bytes; 0 is unlimited.
    pub(crate) initial_credit: u64,
    pub(crate) target: Role,
    pub(crate) zone: Option<String>,
    pub(crate) failover: bool,
    pub(crate) failover_max_attempts: u32,
    /// 0 is without limit.
    pub(crate) failover_max_duration: Duration,
    pub(crate) failover_backoff_initial: Duration,
    pub(crate) failover_backoff_max: Duration,
    /// 0 is without limit.
    pub(crate) query_timeout: Duration,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) protocol: Protocol,
    /// At least one.
    pub(crate) addresses: Vec<Address>,
    pub(crate) auth: Auth,
    /// Set exactly for the protocols over TLS.
    pub(crate) tls: Option<Tls>,
    /// Limit of the TLS handshake, of the TCP challenge and of a WebSocket upgrade.
    pub(crate) auth_timeout: Duration,
    pub(crate) bind_interface: Option<String>,
    /// `None` is negotiated over HTTP, and 1 over TCP.
    pub(crate) protocol_version: Option<ProtocolVersion>,
    /// Bytes.
    pub(crate) init_buf_size: usize,
    /// Bytes.
    pub(crate) max_buf_size: usize,
    /// Bytes.
    pub(crate) max_name_len: usize,
    pub(crate) auto_flush: AutoFlush,
    pub(crate) http: Http,
    pub(crate) ingest: QwpIngest,
    pub(crate) query: QwpQuery,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(10),
            request_min_throughput: 100 * 1024,
            retry_timeout: Duration::from_secs(10),
            retry_max_backoff: Duration::from_secs(1),
            user_agent: None,
        }
    }
}

impl Default for QwpIngest {
    fn default() -> Self {
        let max_segment_bytes = 4 * MIB;
        Self {
            connect_timeout: None,
            request_timeout: Duration::from_secs(30),
            durable_ack: false,
            durable_ack_keepalive: Some(Duration::from_millis(200)),
            initial_connect: InitialConnect::Once,
            reconnect_initial_backoff: Duration::from_millis(100),
            reconnect_max_backoff: Duration::from_secs(5),
            reconnect_max_duration: Duration::from_secs(300),
            close_flush_timeout: Some(Duration::from_secs(5)),
            manual_progress: false,
            sf_dir: None,
            sender_id: "default".to_owned(),
            durability: Durability::Memory,
            max_segment_bytes,
            max_total_bytes: default_total_bytes(max_segment_bytes, false),
            append_deadline: Duration::from_secs(30),
            drain_orphans: false,
            max_background_drainers: 4,
            error_inbox_capacity: 256,
            max_frame_rejections: 4,
            poison_min_escalation_window: Duration::from_secs(5),
            policies: Policies::default(),
        }
    }
}

const MIB: u64 = 1024 * 1024;

/// How much the store of unacknowledged messages may hold by default (questdb §1.6).
pub(crate) fn default_total_bytes(max_segment_bytes: u64, on_disk: bool) -> u64 {
    let (least, segments) = if on_disk {
        (10 * 1024 * MIB, 2)
    } else {
        (128 * MIB, 5)
    };
    max_segment_bytes.saturating_mul(segments).max(least)
}

impl Default for QwpQuery {
    fn default() -> Self {
        Self {
            path: "/read/v1".to_owned(),
            client_id: None,
            zstd: None,
            zstd_or_raw: false,
            max_batch_rows: 0,
            initial_credit: 0,
            target: Role::Any,
            zone: None,
            failover: true,
            failover_max_attempts: 8,
            failover_max_duration: Duration::from_secs(30),
            failover_backoff_initial: Duration::from_millis(50),
            failover_backoff_max: Duration::from_secs(1),
            query_timeout: Duration::ZERO,
        }
    }
}

impl Tls {
    /// What a configuration string without any `tls_*` means: Mozilla's roots if they are compiled
    /// in, otherwise the operating system's.
    pub(crate) const fn checked_by_default_roots() -> Self {
        Self {
            roots: if cfg!(feature = "tls-webpki-certs") {
                Roots::Webpki
            } else {
                Roots::Os
            },
            verify: true,
        }
    }
}

impl Settings {
    /// What a configuration string with nothing but addresses means (questdb §1.4, §1.6, §1.7).
    pub(crate) fn new(protocol: Protocol, addresses: Vec<Address>) -> Self {
        Self {
            protocol,
            addresses,
            auth: Auth::None,
            tls: protocol.is_tls().then(Tls::checked_by_default_roots),
            auth_timeout: Duration::from_secs(15),
            bind_interface: None,
            protocol_version: None,
            init_buf_size: 64 * 1024,
            max_buf_size: 100 * 1024 * 1024,
            max_name_len: 127,
            auto_flush: AutoFlush::default(),
            http: Http::default(),
            ingest: QwpIngest::default(),
            query: QwpQuery::default(),
        }
    }
}

impl Address {
    pub(crate) fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }
}
