//! Sessions on `/ws`: queries, statements, schemaless data and raw writes.
//!
//! The session's task answers by itself whatever costs nothing (a block that is already there, a name, a
//! version). Statements run on the blocking pool and write their replies from there, in the order
//! in which they finish (taosadapter-ws §14).

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use tokio_tungstenite::tungstenite::Message;

use super::session::{self, Kind, Line};
use super::{Limits, Shared};
use crate::engine::Session;
use crate::metrics;

mod binary;
mod reply;
mod request;
mod results;
mod stmt;
mod text;

use reply::NIL;
use results::Results;
use stmt::Statements;

/// Messages up to this length are read, and most of them served, by the session's task.
const QUICK: usize = 32 << 10;

/// What a session on `/ws` keeps.
pub(super) struct State {
    /// Set by the login that succeeded.
    session: OnceLock<Arc<Session>>,
    /// Held while a login is under way, so that the second of two sees the first.
    login: Mutex<()>,
    results: Results,
    statements: Statements,
}

type Conn = Line<State>;
type Ticket = session::Ticket<State>;

impl Kind for State {
    const PATH: metrics::Path = metrics::Path::Ws;

    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            session: OnceLock::new(),
            login: Mutex::new(()),
            results: Results::default(),
            statements: Statements::new(shared.limits.bound),
        }
    }

    fn has_login(&self) -> bool {
        self.session.get().is_some()
    }

    fn weight(message: &Message) -> usize {
        request::weight(message)
    }

    async fn serve(ticket: Ticket, message: Message) {
        request::serve(ticket, message).await;
    }

    fn first_tick(limits: &Limits) -> Instant {
        Instant::now() + limits.ping
    }

    fn tick(conn: &Arc<Conn>) -> Instant {
        if conn.shared.engine.is_crowded() {
            conn.state.results.drop_unread(conn.shared.limits.unread);
        }
        conn.ping();
        Instant::now() + conn.shared.limits.ping
    }

    fn ended(conn: &Conn) {
        if let Some(session) = conn.state.session.get() {
            session.queries().cut();
        }
        conn.state.statements.close();
        conn.state.results.close();
    }
}
