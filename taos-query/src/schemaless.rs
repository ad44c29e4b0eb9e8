//! Rows as lines of text, whose tables the server makes by itself.

use crate::error::{ErrorKind, RawError, RawResult};

/// The language of the lines (taosadapter-ws §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemalessProtocol {
    /// InfluxDB line protocol.
    Line = 1,
    /// OpenTSDB telnet lines.
    Telnet = 2,
    /// OpenTSDB JSON.
    Json = 3,
}

/// The unit of the timestamps in the lines (taosadapter-ws §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SchemalessPrecision {
    /// The protocol's own rule: nanoseconds for lines; seconds or milliseconds by the number of
    /// digits for telnet and JSON.
    NonConfigured,
    /// Hours.
    Hours,
    /// Minutes.
    Minutes,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    #[default]
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

impl SchemalessPrecision {
    /// The name on the wire. Microseconds are `u`: servers take `us` for "not configured".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NonConfigured => "",
            Self::Hours => "h",
            Self::Minutes => "m",
            Self::Seconds => "s",
            Self::Millisecond => "ms",
            Self::Microsecond => "u",
            Self::Nanosecond => "ns",
        }
    }
}

impl From<SchemalessPrecision> for String {
    fn from(precision: SchemalessPrecision) -> Self {
        precision.as_str().to_owned()
    }
}

/// Lines to write, made by [`SmlDataBuilder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmlData {
    protocol: SchemalessProtocol,
    precision: SchemalessPrecision,
    data: Vec<String>,
    ttl: Option<i32>,
    req_id: Option<u64>,
    table_name_key: Option<String>,
}

impl SmlData {
    /// The language of the lines.
    pub const fn protocol(&self) -> SchemalessProtocol {
        self.protocol
    }

    /// The unit of the timestamps.
    pub const fn precision(&self) -> SchemalessPrecision {
        self.precision
    }

    /// The lines, or JSON documents.
    pub const fn data(&self) -> &Vec<String> {
        &self.data
    }

    /// Days after which tables made by this write go; `None` and 0 mean never.
    pub const fn ttl(&self) -> Option<i32> {
        self.ttl
    }

    /// The request id, if the caller chose one.
    pub const fn req_id(&self) -> Option<u64> {
        self.req_id
    }

    /// The tag whose value names the table.
    pub const fn table_name_key(&self) -> Option<&String> {
        self.table_name_key.as_ref()
    }
}

/// Collects what a schemaless write needs.
///
/// ```
/// use taos_query::schemaless::{SchemalessPrecision, SchemalessProtocol, SmlDataBuilder};
///
/// let data = SmlDataBuilder::default()
///     .protocol(SchemalessProtocol::Line)
///     .precision(SchemalessPrecision::Millisecond)
///     .data(vec!["meters,place=oslo current=1.5 1700000000000".to_owned()])
///     .build()?;
/// assert_eq!(data.data().len(), 1);
/// # Ok::<(), taos_query::RawError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct SmlDataBuilder {
    protocol: Option<SchemalessProtocol>,
    precision: SchemalessPrecision,
    data: Option<Vec<String>>,
    ttl: Option<i32>,
    req_id: Option<u64>,
    table_name_key: Option<String>,
}

impl SmlDataBuilder {
    /// Sets the language of the lines; required.
    pub fn protocol(&mut self, protocol: SchemalessProtocol) -> &mut Self {
        self.protocol = Some(protocol);
        self
    }

    /// Sets the unit of the timestamps; milliseconds by default.
    pub fn precision(&mut self, precision: SchemalessPrecision) -> &mut Self {
        self.precision = precision;
        self
    }

    /// Sets the lines, or JSON documents; required.
    pub fn data(&mut self, data: impl Into<Vec<String>>) -> &mut Self {
        self.data = Some(data.into());
        self
    }

    /// Sets the days after which tables made by this write go.
    pub fn ttl(&mut self, days: i32) -> &mut Self {
        self.ttl = Some(days);
        self
    }

    /// Sets the request id; one is made otherwise.
    pub fn req_id(&mut self, req_id: u64) -> &mut Self {
        self.req_id = Some(req_id);
        self
    }

    /// Sets the tag whose value names the table.
    pub fn table_name_key(&mut self, key: impl Into<String>) -> &mut Self {
        self.table_name_key = Some(key.into());
        self
    }

    /// The finished write.
    ///
    /// # Errors
    /// When protocol or data are missing.
    pub fn build(&self) -> RawResult<SmlData> {
        let missing = |what: &str| {
            RawError::of(
                ErrorKind::Config,
                format!("`{what}` must be set on SmlDataBuilder before build()"),
            )
        };
        Ok(SmlData {
            protocol: self.protocol.ok_or_else(|| missing("protocol"))?,
            precision: self.precision,
            data: self.data.clone().ok_or_else(|| missing("data"))?,
            ttl: self.ttl,
            req_id: self.req_id,
            table_name_key: self.table_name_key.clone(),
        })
    }
}
