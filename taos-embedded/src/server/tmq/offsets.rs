//! Places in the log: committing, asking, seeking (taosadapter-ws §11.8).

use std::sync::Arc;

use taos_ws::protocol::{
    AssignmentBody, CommitOffsetBody, CommittedBody, MessageArgs, MessageBody, OffsetArgs,
    PositionBody, TopicArgs, VgroupsArgs,
};

use super::{NOT_INIT, Phase, Ticket};
use crate::engine::SqlError;
use crate::server::guarded;
use crate::tmq::{Consumer, foreign_topic};

/// The consumer that a request works on; `Err` without one, after the answer if it never subscribed.
fn consumer(ticket: &Ticket, action: &str, req_id: u64) -> Option<Option<Arc<Consumer>>> {
    match ticket.conn.state.phase() {
        Phase::New => {
            ticket.refused(action, req_id, NOT_INIT);
            None
        }
        Phase::Unsubscribed => Some(None),
        Phase::Subscribed(consumer) => Some(Some(consumer)),
    }
}

/// Does something with the consumer; without one no topic is its own.
fn with<T>(
    ticket: &Ticket,
    action: &str,
    req_id: u64,
    work: impl FnOnce(&Consumer) -> Result<T, SqlError>,
) -> Option<T> {
    let outcome = match consumer(ticket, action, req_id)? {
        Some(consumer) => guarded(|| work(&consumer)),
        None => Err(foreign_topic()),
    };
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            ticket.failed(action, req_id, &error);
            None
        }
    }
}

pub(super) fn commit(ticket: &Ticket, args: &MessageArgs) {
    const ACTION: &str = "commit";
    let Some(consumer) = consumer(ticket, ACTION, args.req_id) else {
        return;
    };
    // After unsubscribing there is nothing to commit.
    let outcome = consumer.map_or(Ok(()), |consumer| guarded(|| consumer.commit()));
    match outcome {
        Ok(()) => {
            let message_id = args.message_id;
            ticket.ok(ACTION, args.req_id, MessageBody { message_id });
        }
        Err(error) => ticket.failed(ACTION, args.req_id, &error),
    }
}

pub(super) fn commit_offset(ticket: &Ticket, args: &OffsetArgs) {
    const ACTION: &str = "commit_offset";
    let done = with(ticket, ACTION, args.req_id, |consumer| {
        consumer.commit_offset(&args.topic, args.vgroup_id, args.offset)
    });
    if done.is_some() {
        let body = CommitOffsetBody {
            topic: &args.topic,
            vgroup_id: args.vgroup_id,
            offset: args.offset,
        };
        ticket.ok(ACTION, args.req_id, body);
    }
}

pub(super) fn seek(ticket: &Ticket, args: &OffsetArgs) {
    const ACTION: &str = "seek";
    let done = with(ticket, ACTION, args.req_id, |consumer| {
        consumer.seek(&args.topic, args.vgroup_id, args.offset)
    });
    if done.is_some() {
        ticket.done(ACTION, args.req_id);
    }
}

pub(super) fn assignment(ticket: &Ticket, args: &TopicArgs) {
    const ACTION: &str = "assignment";
    let rows = with(ticket, ACTION, args.req_id, |consumer| {
        consumer.assignment(&args.topic)
    });
    if let Some(rows) = rows {
        let assignment = Some(rows).filter(|rows| !rows.is_empty());
        ticket.ok(ACTION, args.req_id, AssignmentBody { assignment });
    }
}

/// Asks for each vgroup; the first that fails is the answer.
fn each(
    ticket: &Ticket,
    action: &str,
    args: &VgroupsArgs,
    ask: impl Fn(&Consumer, &str, i32) -> Result<i64, SqlError>,
) -> Option<Option<Vec<i64>>> {
    let offsets: Vec<i64> = with(ticket, action, args.req_id, |consumer| {
        let vgroups = args.topic_vgroup_ids.iter();
        vgroups
            .map(|place| ask(consumer, &place.topic, place.vgroup_id))
            .collect()
    })?;
    Some(Some(offsets).filter(|offsets| !offsets.is_empty()))
}

pub(super) fn committed(ticket: &Ticket, args: &VgroupsArgs) {
    const ACTION: &str = "committed";
    if let Some(committed) = each(ticket, ACTION, args, Consumer::committed) {
        ticket.ok(ACTION, args.req_id, CommittedBody { committed });
    }
}

pub(super) fn position(ticket: &Ticket, args: &VgroupsArgs) {
    const ACTION: &str = "position";
    if let Some(position) = each(ticket, ACTION, args, Consumer::position) {
        ticket.ok(ACTION, args.req_id, PositionBody { position });
    }
}
