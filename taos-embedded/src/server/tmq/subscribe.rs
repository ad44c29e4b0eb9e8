//! Beginning and ending a subscription (taosadapter-ws §11.1).

use std::sync::Arc;

use taos_ws::protocol::{ReqArgs, SubscribeArgs, SubscribeBody};

use super::options::terms;
use super::{NOT_INIT, Phase, Ticket};
use crate::engine::SqlError;
use crate::server::emulate::Feature;
use crate::server::guarded;
use crate::tmq::Consumer;

/// Subscribes, if the login was right; blocks.
pub(super) fn subscribe(ticket: &Ticket, args: &SubscribeArgs, login: &Result<(), SqlError>) {
    const ACTION: &str = "subscribe";
    let (conn, state) = (&ticket.conn, &ticket.conn.state);
    if state.consumer().is_some() {
        return ticket.refused(ACTION, args.req_id, "tmq should have unsubscribed first");
    }
    match guarded(|| open(ticket, args, login)) {
        Ok(consumer) => {
            let begun = state.phase.send_if_modified(|phase| {
                let goes_on = !*state.over.borrow();
                if goes_on {
                    *phase = Phase::Subscribed(consumer);
                }
                goes_on
            });
            if !begun {
                return;
            }
            let emulated = &conn.shared.emulated;
            let tells = emulated.knows(Feature::VersionInSubscribe);
            let version = tells.then(|| emulated.text());
            ticket.ok(ACTION, args.req_id, SubscribeBody { version });
        }
        Err(error) => ticket.failed(ACTION, args.req_id, &error),
    }
}

fn open(
    ticket: &Ticket,
    args: &SubscribeArgs,
    login: &Result<(), SqlError>,
) -> Result<Arc<Consumer>, SqlError> {
    let shared = &ticket.conn.shared;
    let terms = terms(args, &shared.emulated)?;
    if login.is_err() {
        // The original does not tell why (15-tmq-errors).
        return Err(SqlError::new(0xffff, "init tscObj failed"));
    }
    shared.engine.consumer(&terms)
}

/// Ends the subscription and drops the message held.
pub(super) fn unsubscribe(ticket: &Ticket, args: &ReqArgs) {
    const ACTION: &str = "unsubscribe";
    let state = &ticket.conn.state;
    if matches!(state.phase(), Phase::New) {
        return ticket.refused(ACTION, args.req_id, NOT_INIT);
    }
    state.leave();
    ticket.done(ACTION, args.req_id);
}
