//! Row buffers and senders, under the names of the `questdb-rs` crate.

mod array;
mod buffer;
mod builder;
pub(crate) mod conf;
mod decimal;
mod names;
mod sender;
mod timestamp;

use std::fmt;

pub use self::array::{
    ArrayElement, MAX_ARRAY_BUFFER_SIZE, MAX_ARRAY_DIM_LEN, MAX_ARRAY_DIMS, MAX_NDARRAY_LEAF_ELEMS,
    NdArrayView,
};
pub use self::buffer::{Bookmark, Buffer};
pub(crate) use self::buffer::{QwpBuffer, QwpEncoder, SymbolTable};
pub use self::builder::{QwpWsProgress, SenderBuilder};
pub use self::decimal::{DECIMAL_BINARY_FORMAT_TYPE, DecimalView};
pub use self::names::{ColumnName, TableName};
pub use self::sender::{AsyncSender, Sender};
pub use self::timestamp::{Timestamp, TimestampMicros, TimestampNanos};
pub use crate::qwp::ingest::{
    AckLevel, QwpWsErrorCategory, QwpWsErrorPolicy, QwpWsSenderError, QwpWsTotals,
};

/// How rows travel (questdb §1.2).
#[derive(PartialEq, Eq, Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Protocol {
    /// Lines over TCP; the server answers nothing.
    Tcp,
    /// The same over TLS.
    Tcps,
    /// Lines over HTTP; each flush is answered.
    Http,
    /// The same over TLS.
    Https,
    /// QWP over WebSocket, for servers from 10.0 on.
    Ws,
    /// The same over TLS.
    Wss,
}

impl Protocol {
    /// The name in front of `::` in a configuration string.
    pub(crate) const fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tcps => "tcps",
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    pub(crate) const fn default_port(self) -> u16 {
        match self {
            Self::Tcp | Self::Tcps => 9009,
            Self::Http | Self::Https | Self::Ws | Self::Wss => 9000,
        }
    }

    pub(crate) const fn is_tls(self) -> bool {
        matches!(self, Self::Tcps | Self::Https | Self::Wss)
    }

    pub(crate) const fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::Tcps)
    }

    pub(crate) const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    pub(crate) const fn is_qwp(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme())
    }
}

/// The version of the line protocol, a property of a buffer (questdb §3.8).
#[derive(Debug, Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ProtocolVersion {
    /// Text only; all servers.
    #[default]
    V1 = 1,
    /// Binary doubles, arrays, nanoseconds; servers from 9.0.0 on.
    V2 = 2,
    /// Decimals; servers from 9.2.0 on.
    V3 = 3,
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
        })
    }
}

/// What the numbers of a time count.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum TimestampUnit {
    /// Microseconds since 1970.
    Micros,
    /// Nanoseconds since 1970.
    Nanos,
}

/// Where trusted certificates come from (questdb §7).
#[derive(PartialEq, Eq, Debug, Clone, Copy)]
pub enum CertificateAuthority {
    /// Mozilla's, compiled in.
    #[cfg(feature = "tls-webpki-certs")]
    WebpkiRoots,
    /// The operating system's.
    #[cfg(feature = "tls-native-certs")]
    OsRoots,
    /// Both.
    #[cfg(all(feature = "tls-webpki-certs", feature = "tls-native-certs"))]
    WebpkiAndOsRoots,
    /// Those of a file, see `tls_roots`.
    PemFile,
}

/// A port by number or by the name of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port(String);

impl Port {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Port {
    fn from(port: String) -> Self {
        Self(port)
    }
}

impl From<&str> for Port {
    fn from(port: &str) -> Self {
        Self(port.to_owned())
    }
}

impl From<u16> for Port {
    fn from(port: u16) -> Self {
        Self(port.to_string())
    }
}
