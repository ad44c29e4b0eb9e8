//! Writes that are not SQL: schemaless lines, raw blocks, raw messages (taosadapter-ws §7, §10).

use crate::connection::{Failure, Link, Payload, text};
use crate::protocol::{
    Action, InsertArgs, TextReply, Version, encode_write_raw, encode_write_raw_block,
};
use crate::query::Taos;
use crate::resend::Effect;
use taos_query::schemaless::SmlData;
use taos_query::util::generate_req_id;
use taos_query::writes::{
    block_has_blobs, message_has_blobs, payload, records, refuse_blobs, table_of, wrong,
};
use taos_query::{RawBlock, RawMeta, RawResult};

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
        let operation = if named {
            "write_raw_block_with_fields"
        } else {
            "write_raw_block"
        };
        let span = crate::telemetry::span(operation);
        let work = async {
            let table = table_of(block)?;
            let fields = records(block)?;
            let blobs = block_has_blobs(block);
            let rows = u32::try_from(block.nrows()).map_err(|_| {
                wrong(format!(
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
            let blobs = message_has_blobs(message)?;
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

/// Whether a server lives on after a raw write, with or without BLOB columns.
fn survives(blobs: bool) -> impl Fn(&Link) -> RawResult<()> {
    move |link| {
        refuse_blobs(blobs, || {
            let (address, version) = (link.address(), link.version);
            format!("the adapter at {address} (version {version}) for all its clients")
        })
    }
}
