//! Schemaless writes: lines as they are.

use bytes::Bytes;
use taos_query::schemaless::{SchemalessPrecision, SchemalessProtocol};
use taos_query::{ErrorKind, RawError, RawResult, SmlData};

use super::sql::unsupported;
use crate::client::{Shared, Way};
use crate::http::write_lines_to;

impl Shared {
    /// Writes lines as they are, all in one request. Over WebSocket they go to the same server's
    /// HTTP, because the binary protocol has no lines.
    ///
    /// # Errors
    /// `Unsupported` for what is not InfluxDB's line protocol, and over TCP for bare times in another
    /// unit than nanoseconds; the server's.
    pub(crate) async fn put(&self, data: &SmlData) -> RawResult<()> {
        check(data)?;
        let mut lines = Vec::with_capacity(data.data().iter().map(|line| line.len() + 1).sum());
        for line in data.data() {
            lines.extend_from_slice(line.as_bytes());
            lines.push(b'\n');
        }
        let most = self.settings.max_buf_size;
        if lines.len() > most {
            return Err(RawError::of(
                ErrorKind::Config,
                format!(
                    "the lines take {} bytes, more than `max_buf_size` ({most}); write fewer at once",
                    lines.len()
                ),
            ));
        }
        let unit = unit(data.precision());
        match &self.way {
            Way::Http(_) | Way::WebSocket(_) => {
                let target = format!("/write?precision={unit}");
                let client = self.lines_client()?;
                let written = Box::pin(write_lines_to(client, target, Bytes::from(lines))).await;
                self.note(written)
            }
            Way::Tcp if unit == "n" => {
                let mut buffer = self.new_buffer().await?;
                buffer.adopt(lines);
                self.send(&mut buffer).await
            }
            Way::Tcp => Err(unsupported(
                "putting lines over TCP with times in another unit than nanoseconds (the DSN of HTTP is `questdb+http`)",
            )),
        }
    }
}

fn check(data: &SmlData) -> RawResult<()> {
    match data.protocol() {
        SchemalessProtocol::Line => {}
        SchemalessProtocol::Telnet => return Err(unsupported("putting OpenTSDB's telnet lines")),
        SchemalessProtocol::Json => return Err(unsupported("putting OpenTSDB's JSON")),
    }
    if data.ttl().is_some_and(|days| days != 0) {
        return Err(unsupported(
            "the ttl of a schemaless write (`ALTER TABLE … SET TTL` sets one)",
        ));
    }
    if data.table_name_key().is_some() {
        return Err(unsupported(
            "the table name key of a schemaless write (a line begins with its table)",
        ));
    }
    Ok(())
}

/// The unit of bare times as a request names it (questdb §5.2); nanoseconds unless said otherwise.
const fn unit(precision: SchemalessPrecision) -> &'static str {
    match precision {
        SchemalessPrecision::NonConfigured | SchemalessPrecision::Nanosecond => "n",
        SchemalessPrecision::Microsecond => "u",
        SchemalessPrecision::Millisecond => "ms",
        SchemalessPrecision::Seconds => "s",
        SchemalessPrecision::Minutes => "m",
        SchemalessPrecision::Hours => "h",
    }
}
