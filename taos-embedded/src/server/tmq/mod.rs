//! Sessions on `/rest/tmq`: one consumer each (taosadapter-ws §11).
//!
//! What cannot be read gets no answer. Polls wait as tasks, one at a time; commits and subscribing run
//! on the blocking pool, in the order in which they came; the session's task answers the rest by itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use taos_ws::protocol::{ReqArgs, TmqRequest, TopicsBody, VersionBody, decode_tmq};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use super::session::{self, Kind, Line};
use super::{Limits, Shared};
use crate::metrics;
use crate::server::emulate::Feature;
use crate::tmq::Consumer;

mod fetch;
mod lane;
mod offsets;
mod options;
mod poll;
mod subscribe;
#[cfg(test)]
mod tests;

use fetch::Holder;
use lane::Lane;
use poll::Polls;

/// Time between two pings: a third of the shortest session timeout.
const PING: Duration = Duration::from_secs(2);

/// What the requests in a text may take in memory, in terms of its length.
const TEXT_GROWTH: usize = 8;

/// The text of requests before the first subscription.
const NOT_INIT: &str = "tmq not init";

/// What a session on `/rest/tmq` keeps.
pub(super) struct State {
    phase: watch::Sender<Phase>,
    lane: Mutex<Lane>,
    polls: Mutex<Polls>,
    holder: Mutex<Holder>,
    /// Polls are to end.
    over: watch::Sender<bool>,
}

#[derive(Clone)]
enum Phase {
    /// Never subscribed.
    New,
    Subscribed(Arc<Consumer>),
    Unsubscribed,
}

type Conn = Line<State>;
type Ticket = session::Ticket<State>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }

    /// Ends the subscription, if there is any, and drops the message held.
    fn leave(&self) {
        let before = self.phase.send_replace(Phase::Unsubscribed);
        if let Phase::Subscribed(consumer) = before {
            consumer.close();
        }
        lock(&self.holder).drop_message();
    }

    fn consumer(&self) -> Option<Arc<Consumer>> {
        match self.phase() {
            Phase::Subscribed(consumer) => Some(consumer),
            Phase::New | Phase::Unsubscribed => None,
        }
    }
}

impl Kind for State {
    const PATH: metrics::Path = metrics::Path::Tmq;

    fn new(_: &Arc<Shared>) -> Self {
        Self {
            phase: watch::Sender::new(Phase::New),
            lane: Mutex::default(),
            polls: Mutex::default(),
            holder: Mutex::default(),
            over: watch::Sender::new(false),
        }
    }

    /// No request of a consumer is long.
    fn has_login(&self) -> bool {
        false
    }

    fn weight(message: &Message) -> usize {
        message.len().saturating_mul(TEXT_GROWTH)
    }

    async fn serve(ticket: Ticket, message: Message) {
        let request = match &message {
            Message::Text(text) => decode_tmq(text),
            _ => None,
        };
        match request {
            Some(request) => handle(ticket, request).await,
            None => tracing::info!(bytes = message.len(), "a consumer's message is no request"),
        }
    }

    fn first_tick(limits: &Limits) -> Instant {
        Instant::now() + limits.ping.min(PING)
    }

    fn tick(conn: &Arc<Conn>) -> Instant {
        conn.ping();
        let now = Instant::now();
        let mut next = now + conn.shared.limits.ping.min(PING);
        if let Some(consumer) = conn.state.consumer() {
            let silent = conn.alive() + consumer.terms().session_timeout;
            let overdue = [Some(silent), consumer.poll_due()]
                .into_iter()
                .flatten()
                .min();
            match overdue {
                Some(at) if at <= now => consumer.expire(),
                Some(at) => next = next.min(at),
                None => {}
            }
        }
        next
    }

    fn stopping(conn: &Conn) {
        conn.state.over.send_replace(true);
        lock(&conn.state.polls).end();
    }

    fn ended(conn: &Conn) {
        Self::stopping(conn);
        lock(&conn.state.lane).clear();
        // A subscription under way sees that all is over when it is made.
        conn.state.leave();
    }
}

async fn handle(ticket: Ticket, request: TmqRequest) {
    match request {
        TmqRequest::Version(args) => {
            let version = ticket.conn.shared.emulated.text();
            ticket.ok("version", args.req_id, VersionBody { version });
        }
        TmqRequest::Subscribe(args) => {
            // Here and not in a task of its own, since what comes behind it counts on it.
            let shared = &ticket.conn.shared;
            let login = shared.log_in(&args.user, &args.password).await;
            lane::run(ticket, move |ticket| {
                subscribe::subscribe(ticket, &args, &login);
                poll::resume(&ticket.conn);
            });
        }
        TmqRequest::Poll(args) => poll::submit(ticket, args),
        TmqRequest::Fetch(args) => fetch::fetch(&ticket, &args),
        TmqRequest::FetchBlock(args) => fetch::fetch_block(&ticket, &args),
        TmqRequest::FetchRaw(args) => fetch::fetch_raw(&ticket, &args),
        TmqRequest::FetchRawData(args) => {
            if ticket.conn.shared.emulated.knows(Feature::FetchRawData) {
                fetch::fetch_raw_data(&ticket, &args);
            }
        }
        TmqRequest::FetchJsonMeta(args) => fetch::fetch_json_meta(&ticket, &args),
        TmqRequest::Commit(args) => {
            lane::run(ticket, move |ticket| offsets::commit(ticket, &args));
        }
        TmqRequest::CommitOffset(args) => {
            lane::run(ticket, move |ticket| offsets::commit_offset(ticket, &args));
        }
        TmqRequest::Assignment(args) => offsets::assignment(&ticket, &args),
        TmqRequest::Seek(args) => offsets::seek(&ticket, &args),
        TmqRequest::Committed(args) => offsets::committed(&ticket, &args),
        TmqRequest::Position(args) => offsets::position(&ticket, &args),
        TmqRequest::ListTopics(args) => list_topics(&ticket, &args),
        TmqRequest::Unsubscribe(args) => {
            lane::run(ticket, move |ticket| subscribe::unsubscribe(ticket, &args));
        }
        other => tracing::error!(?other, "a request that was decoded is not served"),
    }
}

fn list_topics(ticket: &Ticket, args: &ReqArgs) {
    const ACTION: &str = "list_topics";
    let topics = match ticket.conn.state.phase() {
        Phase::New => return ticket.refused(ACTION, args.req_id, NOT_INIT),
        Phase::Unsubscribed => None,
        Phase::Subscribed(consumer) => Some(consumer.terms().topics.clone()),
    };
    let topics = topics.filter(|topics| !topics.is_empty());
    ticket.ok(ACTION, args.req_id, TopicsBody { topics });
}
