//! Polls: one runs, one waits (taosadapter-ws §11.2).

use std::sync::Arc;
use std::time::Duration;

use taos_ws::protocol::{PollArgs, PollBody};

use super::{Conn, Phase, Ticket, lock};
use crate::engine::SqlError;
use crate::server::emulate::Feature;
use crate::tmq::{Consumer, Delivery, Kind};

const ACTION: &str = "poll";

/// The polls of one session.
#[derive(Default)]
pub(super) struct Polls {
    running: bool,
    /// A later one takes its place, and it is never answered.
    waiting: Option<(Ticket, PollArgs)>,
    over: bool,
}

impl Polls {
    /// No further poll is taken.
    pub(super) fn end(&mut self) {
        self.over = true;
        self.waiting = None;
    }
}

/// Takes a poll in: it runs, or it waits.
pub(super) fn submit(ticket: Ticket, args: PollArgs) {
    let conn = Arc::clone(&ticket.conn);
    let mut polls = lock(&conn.state.polls);
    if !polls.over {
        polls.waiting = Some((ticket, args));
    }
    drop(polls);
    resume(&conn);
}

/// Starts the poll that waits, if it may run.
pub(super) fn resume(conn: &Arc<Conn>) {
    if matches!(conn.state.phase(), Phase::New) {
        return;
    }
    let mut polls = lock(&conn.state.polls);
    if polls.running {
        return;
    }
    if let Some(first) = polls.waiting.take() {
        polls.running = true;
        tokio::spawn(run(first));
    }
}

async fn run(first: (Ticket, PollArgs)) {
    let mut next = Some(first);
    while let Some((ticket, args)) = next {
        poll(&ticket, &args).await;
        let conn = Arc::clone(&ticket.conn);
        drop(ticket);
        let mut polls = lock(&conn.state.polls);
        next = polls.waiting.take();
        polls.running = next.is_some();
    }
}

async fn poll(ticket: &Ticket, args: &PollArgs) {
    let mut over = ticket.conn.state.over.subscribe();
    let outcome = tokio::select! {
        biased;
        _ = over.wait_for(|over| *over) => Ok(None),
        outcome = message(&ticket.conn, args) => outcome,
    };
    match outcome {
        Ok(Some((id, delivery))) => answer(ticket, args.req_id, id, &delivery),
        Ok(None) => ticket.ok(ACTION, args.req_id, PollBody::default()),
        Err(error) => ticket.failed(ACTION, args.req_id, &error),
    }
}

/// The message held, if its last delivery was lost, or the next one.
async fn message(conn: &Conn, args: &PollArgs) -> Result<Option<(u64, Arc<Delivery>)>, SqlError> {
    let patience = u64::try_from(args.blocking_time)
        .ok()
        .map(Duration::from_millis);
    let Some(consumer) = conn.state.consumer() else {
        no_consumer(conn, patience).await;
        return Ok(None);
    };
    conn.shared.engine.check_user(&consumer.terms().user)?;
    let received = args
        .message_id
        .filter(|_| conn.shared.emulated.knows(Feature::ConsumerConfig));
    if let Some(received) = received
        && let Some((id, delivery)) = lock(&conn.state.holder).held()
        && id != received
    {
        // Others have the vgroups of a member that was removed, and this message too.
        consumer.touch()?;
        return Ok(Some((id, delivery)));
    }
    let delivery = consumer.poll(patience).await?;
    Ok(delivery.and_then(|delivery| hold(conn, &consumer, delivery)))
}

/// Keeps a message, unless its subscription has ended meanwhile.
fn hold(conn: &Conn, consumer: &Arc<Consumer>, delivery: Delivery) -> Option<(u64, Arc<Delivery>)> {
    // Borrowed until the message is in, so that the end of the subscription drops it.
    let phase = conn.state.phase.borrow();
    let goes_on = matches!(&*phase, Phase::Subscribed(now) if Arc::ptr_eq(now, consumer));
    goes_on.then(|| {
        let delivery = Arc::new(delivery);
        let id = lock(&conn.state.holder).hold(Arc::clone(&delivery));
        (id, delivery)
    })
}

/// Waits as long as there is no subscription; without an end of its own, not at all.
async fn no_consumer(conn: &Conn, patience: Option<Duration>) {
    let mut phase = conn.state.phase.subscribe();
    let subscribed = phase.wait_for(|phase| matches!(phase, Phase::Subscribed(_)));
    let patience = patience.unwrap_or_default();
    // Whichever comes first, there is nothing to tell.
    let _ = tokio::time::timeout(patience, subscribed).await;
}

fn answer(ticket: &Ticket, req_id: u64, message_id: u64, delivery: &Delivery) {
    let body = PollBody {
        have_message: true,
        topic: &delivery.topic,
        database: &delivery.database,
        vgroup_id: delivery.vgroup,
        message_type: delivery.message.kind as i32,
        message_id,
        // changes of tables are told with the place behind them (as 16-tmq-db-meta recorded: the rows
        // behind a change at 3 begin at 3)
        offset: match delivery.message.kind {
            Kind::Meta => delivery.message.next,
            Kind::Data | Kind::MetaData => delivery.message.begin,
        },
    };
    ticket.ok(ACTION, req_id, body);
}
