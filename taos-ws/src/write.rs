//! Writes that are not SQL: schemaless lines, raw blocks, raw messages (taosadapter-ws §7, §10).

use crate::connection::{Failure, Link, Payload, text};
use crate::protocol::{
    Action, InsertArgs, RawField, TextReply, Version, encode_write_raw, encode_write_raw_block,
};
use crate::query::Taos;
use crate::resend::Effect;
use serde_json::value::RawValue;
use taos_query::common::{Field, Ty};
use taos_query::schemaless::{SchemalessProtocol, SmlData};
use taos_query::tmq::raw::DataReader;
use taos_query::util::generate_req_id;
use taos_query::{Code, ErrorKind, RawBlock, RawError, RawMeta, RawResult};

/// The first release whose client library may be better than the one that a BLOB in a raw write
/// makes crash, and with it the adapter and every connection (taosadapter-ws §10).
const SAFE_BLOBS: Version = Version::new([3, 3, 8, 0]);
/// Longest name that a field record holds.
const FIELD_NAME: usize = 64;

impl Taos {
    /// Writes schemaless lines; gives the number of rows that changed, and of all rows of the payload
    /// where the server tells (from 3.3.2.7 on).
    ///
    /// # Errors
    /// The server's, of which one bad line makes one for the whole payload; `Unsupported` for a
    /// `table_name_key` that the server would pass over.
    pub async fn s_put(&self, data: &SmlData) -> RawResult<(usize, Option<usize>)> {
        self.client
            .traced(crate::telemetry::span("put"), self.insert(data))
            .await
    }

    async fn insert(&self, data: &SmlData) -> RawResult<(usize, Option<usize>)> {
        // Requests that all have the id 0 would take each other's answers.
        let req_id = data.req_id().unwrap_or_else(generate_req_id);
        let mut args = InsertArgs::new(req_id, data.protocol() as i32, payload(data)?);
        data.precision().as_str().clone_into(&mut args.precision);
        args.ttl = data.ttl().unwrap_or(0);
        let since = match data.table_name_key().filter(|key| !key.is_empty()) {
            Some(key) => {
                args.table_name_key.clone_from(key);
                Some(Version::TABLE_NAME_KEY)
            }
            None => None,
        };
        let knows = |link: &Link| {
            if link.old_endpoint {
                return Err(link.too_old("put", Version::UNIFIED));
            }
            match since.filter(|since| link.version < *since) {
                Some(since) => Err(link.too_old("table_name_key", since)),
                None => Ok(()),
            }
        };
        let reply = self
            .write("the schemaless write", req_id, knows, || {
                Ok(text(&Action::Insert, &args))
            })
            .await?;
        let rows = usize::try_from(reply.affected_rows).unwrap_or_default();
        let total = reply.total_rows.and_then(|rows| usize::try_from(rows).ok());
        Ok((rows, total))
    }

    /// Columns go by name if the block has names, else by position.
    pub(crate) async fn write_block(&self, block: &RawBlock, req_id: u64) -> RawResult<()> {
        let named = block.field_names().any(|name| !name.is_empty());
        let fields = named.then(|| block.fields());
        let operation = match fields {
            Some(_) => "write_raw_block_with_fields",
            None => "write_raw_block",
        };
        let span = crate::telemetry::span(operation);
        let work = async {
            let table = block.table_name().filter(|name| !name.is_empty());
            let table = table.ok_or_else(|| {
                wrong(
                    "the block does not say which table it belongs to: call with_table_name first",
                )
            })?;
            let fields = fields.map(|fields| records(block, fields)).transpose()?;
            let types = block.schemas();
            let blobs = has_blobs(types.iter().map(|column| column.ty));
            let rows = u32::try_from(block.nrows()).map_err(|_| {
                wrong(&format!(
                    "the block has {} rows, more than a frame can say; split it",
                    block.nrows()
                ))
            })?;
            let bytes = block.as_raw_bytes();
            let frame = encode_write_raw_block(req_id, rows, table, bytes, fields.as_deref());
            let frame =
                frame.ok_or_else(|| wrong("the table's name is longer than a frame holds"))?;
            self.write("the raw block", req_id, survives(blobs), || {
                Ok(Payload::Binary(frame.clone()))
            })
            .await
            .map(drop)
        };
        self.client.traced(span, work).await
    }

    /// Replays a raw message of a topic into the session's database.
    pub(crate) async fn write_message(&self, message: &RawMeta) -> RawResult<()> {
        let work = async {
            let mut blobs = false;
            // Of the data messages only these two can be looked into (tmq-raw §4).
            if matches!(message.raw_type(), 2 | 4) {
                blobs = message_has_blobs(message).map_err(|reason| {
                    wrong(&format!(
                        "the raw message of type {} is no data message: {reason}",
                        message.raw_type()
                    ))
                })?;
            }
            self.replay(message, blobs).await
        };
        self.client
            .traced(crate::telemetry::span("write_raw"), work)
            .await
    }

    async fn replay(&self, message: &RawMeta, blobs: bool) -> RawResult<()> {
        let req_id = generate_req_id();
        self.write("the raw message", req_id, survives(blobs), || {
            encode_write_raw(req_id, message.raw_type(), message.raw_slice())
                .map(Payload::Binary)
                .ok_or(Failure::TooLong)
        })
        .await
        .map(drop)
    }

    /// A request that changes data and is answered by one text reply. `knows` is asked about the
    /// very server that the request is then sent to.
    async fn write<K, P>(
        &self,
        what: &str,
        req_id: u64,
        knows: K,
        payload: P,
    ) -> RawResult<Box<TextReply>>
    where
        K: Fn(&Link) -> RawResult<()>,
        P: Fn() -> Result<Payload, Failure>,
    {
        let (knows, payload) = (&knows, &payload);
        self.client
            .with_resend(&Effect::Write, what, |link| async move {
                knows(&link)?;
                let reply = link.call(req_id, payload()?).await?;
                self.client.check(&link, &reply)?;
                Ok(reply)
            })
            .await
    }
}

fn has_blobs(mut types: impl Iterator<Item = Ty>) -> bool {
    types.any(|ty| matches!(ty, Ty::Blob | Ty::MediumBlob))
}

fn message_has_blobs(message: &RawMeta) -> RawResult<bool> {
    let mut reader = DataReader::open(message.raw_type(), message.raw().clone())?;
    let mut blobs = false;
    while let Some(entry) = reader.next_entry()? {
        blobs |= has_blobs(entry.column_types()?.filter_map(Ty::from_u8_option));
    }
    Ok(blobs)
}

/// Whether a server lives on after a raw write, with or without BLOB columns.
fn survives(blobs: bool) -> impl Fn(&Link) -> RawResult<()> {
    move |link| {
        if !blobs || link.version >= SAFE_BLOBS {
            return Ok(());
        }
        Err(RawError::of(
            ErrorKind::Unsupported,
            format!(
                "a raw write with a BLOB column needs a server newer than 3.3.7: it ends the adapter \
                 at {} (version {}) for all its clients; insert these rows by statements",
                link.address(),
                link.version
            ),
        ))
    }
}

fn wrong(what: &str) -> RawError {
    RawError::of(ErrorKind::Config, what.to_owned()).with_code(Code::INVALID_PARA)
}

/// The payload in the one text that the server takes.
fn payload(data: &SmlData) -> RawResult<String> {
    match (data.protocol(), data.data().as_slice()) {
        (_, [only]) => Ok(only.clone()),
        (SchemalessProtocol::Json, documents) => joined(documents),
        (_, lines) => Ok(lines.join("\n")),
    }
}

/// Documents, each an object or an array of them, as one array.
fn joined(documents: &[String]) -> RawResult<String> {
    let mut all: Vec<&RawValue> = Vec::new();
    for (at, document) in documents.iter().enumerate() {
        let read = if document.trim_start().starts_with('[') {
            serde_json::from_str::<Vec<&RawValue>>(document).map(|some| all.extend(some))
        } else {
            serde_json::from_str::<&RawValue>(document).map(|one| all.push(one))
        };
        read.map_err(|error| wrong(&format!("document {at} is not JSON: {error}")))?;
    }
    serde_json::to_string(&all).map_err(|error| wrong(&error.to_string()))
}

/// The records of the columns, with the widths of the block's own schema.
fn records(block: &RawBlock, fields: &[Field]) -> RawResult<Vec<RawField>> {
    let schemas = block.schemas();
    if schemas.len() != fields.len() {
        return Err(wrong(&format!(
            "the block has {} columns, but {} fields were given",
            schemas.len(),
            fields.len()
        )));
    }
    let record = |(at, (schema, field)): (usize, (&taos_query::block::ColSchema, &Field))| {
        let name = field.name();
        if name.is_empty() || name.len() > FIELD_NAME {
            return Err(wrong(&format!(
                "the name of column {at} has {} bytes; 1 to {FIELD_NAME} are possible",
                name.len()
            )));
        }
        Ok(RawField {
            name: name.to_owned(),
            ty: schema.ty as u8,
            bytes: schema.len,
        })
    };
    schemas.iter().zip(fields).enumerate().map(record).collect()
}
