//! Requests that are served one after the other, in the order in which they came: subscribing and what is
//! committed, so that an earlier place never overwrites a later one.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Conn, Ticket, lock};
use crate::server::guarded;

type Work = Box<dyn FnOnce() + Send>;

/// What waits for its turn in one session.
#[derive(Default)]
pub(super) struct Lane {
    running: bool,
    waiting: VecDeque<Work>,
}

impl Lane {
    /// Forgets what has not begun.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

/// Runs `work`, which may block, after what came before it, away from the session's task.
pub(super) fn run(ticket: Ticket, work: impl FnOnce(&Ticket) + Send + 'static) {
    let conn = Arc::clone(&ticket.conn);
    let mut lane = lock(&conn.state.lane);
    lane.waiting.push_back(Box::new(move || work(&ticket)));
    if !lane.running {
        lane.running = true;
        drop(lane);
        tokio::task::spawn_blocking(move || drain(&conn));
    }
}

fn drain(conn: &Conn) {
    loop {
        let mut lane = lock(&conn.state.lane);
        let Some(work) = lane.waiting.pop_front() else {
            lane.running = false;
            return;
        };
        drop(lane);
        // Whatever happens to one, the others have their turn.
        if let Err(error) = guarded(|| {
            work();
            Ok(())
        }) {
            tracing::error!(%error, "a consumer's request was not served");
        }
    }
}
