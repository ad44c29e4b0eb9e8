//! The message that was polled last, and the ways to get its content (taosadapter-ws §11.3 to §11.7).

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use taos_query::common::Field;
use taos_query::tmq::raw::DataEntry;
use taos_ws::protocol::{
    ADAPTER_ERROR, JsonMetaBody, MessageArgs, MessageBody, RawDataOutcome, RawDataReply,
    RawMessageReply, ServerReply, TmqBlockReply, TmqFetchBody,
};

use super::{NOT_INIT, Phase, Ticket, lock};
use crate::tmq::{Delivery, Kind};

const FREED: &str = "message has been freed";
const OTHER_ID: &str = "message ID are not equal";
const TOO_LONG: &str = "message is longer than a frame can say";
const NO_DATA: &str = "message type is not data";

/// Keeps a message until the next one takes its place.
#[derive(Default)]
pub(super) struct Holder {
    last_id: u64,
    held: Option<Held>,
}

#[derive(Clone)]
struct Held {
    id: u64,
    delivery: Arc<Delivery>,
    /// How many entries `fetch` has shown.
    fetched: usize,
    /// The request that showed the last one, and its block.
    shown: Option<(u64, Bytes)>,
}

impl Holder {
    /// Takes a message in; gives its number.
    pub(super) fn hold(&mut self, delivery: Arc<Delivery>) -> u64 {
        self.last_id += 1;
        self.held = Some(Held {
            id: self.last_id,
            delivery,
            fetched: 0,
            shown: None,
        });
        self.last_id
    }

    /// The message held, with its number.
    pub(super) fn held(&self) -> Option<(u64, Arc<Delivery>)> {
        let held = self.held.as_ref()?;
        Some((held.id, Arc::clone(&held.delivery)))
    }

    pub(super) fn drop_message(&mut self) {
        self.held = None;
    }
}

/// The message that a request names; answers the request if there is none.
fn named(ticket: &Ticket, action: &str, args: &MessageArgs) -> Option<Held> {
    let state = &ticket.conn.state;
    let refusal = if matches!(state.phase(), Phase::New) {
        NOT_INIT
    } else {
        match &lock(&state.holder).held {
            Some(held) if held.id == args.message_id => return Some(held.clone()),
            Some(_) => OTHER_ID,
            None => FREED,
        }
    };
    refuse(ticket, action, args, refusal);
    None
}

/// As [`named`], for a message with rows.
fn with_rows(ticket: &Ticket, action: &str, args: &MessageArgs) -> Option<Held> {
    let held = named(ticket, action, args)?;
    if held.delivery.message.kind == Kind::Meta {
        refuse(ticket, action, args, NO_DATA);
        return None;
    }
    Some(held)
}

fn refuse(ticket: &Ticket, action: &str, args: &MessageArgs, text: &str) {
    let body = MessageBody {
        message_id: args.message_id,
    };
    let timing = ticket.signed_timing();
    let reply = ServerReply::failure(action, args.req_id, timing, ADAPTER_ERROR, text, body);
    ticket.send_text(reply.encode());
}

/// Shows the next entry.
pub(super) fn fetch(ticket: &Ticket, args: &MessageArgs) {
    const ACTION: &str = "fetch";
    let Some(held) = with_rows(ticket, ACTION, args) else {
        return;
    };
    let entry = held.delivery.message.entries.get(held.fetched);
    if let Some(now) = &mut lock(&ticket.conn.state.holder).held
        && now.id == held.id
    {
        now.fetched = held.fetched.saturating_add(1);
        now.shown = entry.map(|entry| (args.req_id, entry.block.clone()));
    }
    let body = match entry {
        Some(entry) => shown(args.message_id, entry),
        None => TmqFetchBody {
            message_id: args.message_id,
            completed: true,
            ..TmqFetchBody::default()
        },
    };
    ticket.ok(ACTION, args.req_id, body);
}

fn shown(message_id: u64, entry: &DataEntry) -> TmqFetchBody<'_> {
    let fields = entry.schema.as_ref().map(|schema| schema.fields());
    let fields = fields.map(|fields| &**fields).unwrap_or_default();
    TmqFetchBody {
        message_id,
        completed: false,
        table_name: entry.table.as_deref().unwrap_or_default(),
        rows: usize::try_from(entry.rows).unwrap_or(usize::MAX),
        fields_count: fields.len(),
        fields_names: Some(fields.iter().map(Field::name).collect()),
        fields_types: Some(fields.iter().map(|field| field.ty() as u8).collect()),
        fields_lengths: Some(fields.iter().map(|f| i64::from(f.bytes())).collect()),
        precision: entry.precision,
    }
}

/// Sends the block of the entry shown.
pub(super) fn fetch_block(ticket: &Ticket, args: &MessageArgs) {
    const ACTION: &str = "fetch_block";
    let Some(held) = with_rows(ticket, ACTION, args) else {
        return;
    };
    let Some((req_id, block)) = held.shown else {
        return refuse(ticket, ACTION, args, "no fetch data");
    };
    let head = TmqBlockReply {
        timing: ticket.timing(),
        req_id,
        message_id: args.message_id,
        block: Bytes::new(),
    };
    ticket.binary(&head.encode_head(), block);
}

/// Sends the whole message in the older frame.
pub(super) fn fetch_raw(ticket: &Ticket, args: &MessageArgs) {
    let Some(held) = named(ticket, "fetch_raw", args) else {
        return;
    };
    let message = &held.delivery.message;
    let reply = RawMessageReply {
        timing: ticket.timing(),
        req_id: args.req_id,
        message_id: args.message_id,
        raw_type: message.raw_type,
        raw: message.raw.clone(),
    };
    match reply.encode_head() {
        Some(head) => ticket.binary(&head, reply.raw),
        None => refuse(ticket, "fetch_raw", args, TOO_LONG),
    }
}

/// Sends the whole message in the newer frame, which errors have too.
pub(super) fn fetch_raw_data(ticket: &Ticket, args: &MessageArgs) {
    let state = &ticket.conn.state;
    let held = lock(&state.holder).held();
    let refusal = match held {
        _ if matches!(state.phase(), Phase::New) => NOT_INIT,
        Some((id, delivery)) if id == args.message_id => {
            let raw = delivery.message.raw.clone();
            let reply = RawDataReply {
                timing: ticket.timing(),
                req_id: args.req_id,
                message_id: args.message_id,
                outcome: RawDataOutcome::Message {
                    raw_type: delivery.message.raw_type,
                    raw: raw.clone(),
                },
            };
            match reply.encode_head() {
                Some(head) => return ticket.binary(&head, raw),
                None => TOO_LONG,
            }
        }
        Some(_) => "message ID is not equal",
        None => "message is nil",
    };
    let mut reply = RawDataReply::error(args.req_id, args.message_id, ADAPTER_ERROR, refusal);
    reply.timing = ticket.timing();
    if let Some(head) = reply.encode_head() {
        ticket.binary(&head, Bytes::new());
    }
}

/// Tells what the message says of tables.
pub(super) fn fetch_json_meta(ticket: &Ticket, args: &MessageArgs) {
    const ACTION: &str = "fetch_json_meta";
    let Some(held) = named(ticket, ACTION, args) else {
        return;
    };
    let message = &held.delivery.message;
    if message.kind == Kind::Data {
        let text = "message type can not get meta, type: 1";
        return refuse(ticket, ACTION, args, text);
    }
    let json = message.json.clone().map(RawValue::from_string);
    match json.transpose() {
        Ok(data) => {
            let message_id = args.message_id;
            ticket.ok(ACTION, args.req_id, JsonMetaBody { message_id, data });
        }
        Err(error) => {
            tracing::error!(%error, "what a message says of tables is not JSON");
            refuse(
                ticket,
                ACTION,
                args,
                "internal error: the metadata is not JSON",
            );
        }
    }
}
