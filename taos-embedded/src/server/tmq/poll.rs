//! Polls: one runs, one waits (taosadapter-ws §11.2).

use std::sync::Arc;
use std::time::Duration;

use taos_ws::protocol::{PollArgs, PollBody};

use super::{Conn, Phase, Ticket, lock};
use crate::engine::SqlError;
use crate::server::emulate::Feature;
use crate::tmq::{Delivery, Kind};

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
    let conn = &ticket.conn;
    let received = args
        .message_id
        .filter(|_| conn.shared.emulated.knows(Feature::ConsumerConfig));
    if let Some(received) = received
        && let Some((id, delivery)) = lock(&conn.state.holder).held()
        && id != received
    {
        return answer(ticket, args.req_id, id, &delivery);
    }
    let mut over = conn.state.over.subscribe();
    let outcome = tokio::select! {
        biased;
        _ = over.wait_for(|over| *over) => Ok(None),
        outcome = wait(conn, args) => outcome,
    };
    match outcome {
        Ok(Some(delivery)) => {
            let delivery = Arc::new(delivery);
            let id = lock(&conn.state.holder).hold(Arc::clone(&delivery));
            answer(ticket, args.req_id, id, &delivery);
        }
        Ok(None) => ticket.ok(ACTION, args.req_id, PollBody::default()),
        Err(error) => ticket.failed(ACTION, args.req_id, &error),
    }
}

async fn wait(conn: &Conn, args: &PollArgs) -> Result<Option<Delivery>, SqlError> {
    let patience = u64::try_from(args.blocking_time)
        .ok()
        .map(Duration::from_millis);
    if let Some(consumer) = conn.state.consumer() {
        return consumer.poll(patience).await;
    }
    match patience {
        Some(patience) => tokio::time::sleep(patience).await,
        None => std::future::pending().await,
    }
    Ok(None)
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
