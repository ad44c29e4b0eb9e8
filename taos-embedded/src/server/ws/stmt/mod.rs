//! Prepared statements of a session (taosadapter-ws §8, §9).
//!
//! The requests of one statement run one after another in the order in which they came; those of
//! different statements run side by side. What costs little is done by the session's task, the rest
//! on the blocking pool.

mod first;
mod names;
mod reply;
mod second;
mod state;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::Value as Json;
use taos_ws::protocol::{Stmt2Bind, StmtBody, TextRequest};

use super::{Conn, QUICK, Ticket};
use crate::engine::{Room, Session};
use crate::server::emulate::Feature;
pub(super) use names::named;
use state::{State, Terms};

/// Binds of more tables are not left to the session's task.
const QUICK_TABLES: usize = 64;

/// The statements of one session, by id; both generations share the numbers.
pub(super) struct Statements {
    table: Mutex<Table>,
    room: Arc<Room>,
}

#[derive(Default)]
struct Table {
    last_id: u64,
    open: HashMap<u64, Arc<Statement>>,
    closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    First,
    Second,
}

/// One statement.
struct Statement {
    id: u64,
    generation: Generation,
    queue: Mutex<Queue>,
    state: Mutex<State>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Somebody works on the jobs.
    running: bool,
}

/// A request about a statement.
struct Job {
    ticket: Ticket,
    session: Arc<Session>,
    head: Head,
    call: Call,
}

/// What is asked of a statement.
pub(super) enum Call {
    Prepare(String),
    SetTable(String),
    Tags(Vec<Json>),
    TagsBlock(Bytes),
    Bind(Vec<Vec<Json>>),
    BindBlock(Bytes),
    AddBatch,
    Exec,
    TagFields,
    ColFields,
    UseResult,
    NumParams,
    GetParam(i64),
    Close,
    Prepare2 { sql: String, get_fields: bool },
    Bind2(Stmt2Bind),
    Exec2,
    Result2,
    Close2,
}

impl Call {
    const fn generation(&self) -> Generation {
        match self {
            Self::Prepare2 { .. } | Self::Bind2(_) | Self::Exec2 | Self::Result2 | Self::Close2 => {
                Generation::Second
            }
            _ => Generation::First,
        }
    }
}

impl Job {
    /// True if it neither waits for the store nor works for long.
    fn is_quick(&self) -> bool {
        self.ticket.size <= QUICK
            && match &self.call {
                Call::Exec | Call::Exec2 => false,
                Call::Bind2(bind) => bind.tables.len() <= QUICK_TABLES,
                _ => true,
            }
    }
}

impl Statements {
    /// None yet; what is bound to them may take up to `bound` bytes.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            table: Mutex::default(),
            room: Room::new(bound),
        }
    }

    /// The memory that rows which are bound or written as blocks take theirs of.
    pub(super) const fn room(&self) -> &Arc<Room> {
        &self.room
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new statement's id; `None` if as many as may be are open, or the session has ended.
    fn open(&self, generation: Generation, limit: usize) -> Option<u64> {
        let mut table = self.table();
        if table.closed || table.open.len() >= limit {
            return None;
        }
        table.last_id += 1;
        let statement = Statement {
            id: table.last_id,
            generation,
            queue: Mutex::default(),
            state: Mutex::default(),
        };
        let id = statement.id;
        table.open.insert(id, Arc::new(statement));
        Some(id)
    }

    fn get(&self, id: u64, generation: Generation) -> Option<Arc<Statement>> {
        let table = self.table();
        let statement = table.open.get(&id)?;
        (statement.generation == generation).then(|| Arc::clone(statement))
    }

    fn is_other(&self, id: u64, generation: Generation) -> bool {
        let table = self.table();
        table
            .open
            .get(&id)
            .is_some_and(|s| s.generation != generation)
    }

    fn remove(&self, id: u64) {
        self.table().open.remove(&id);
    }

    /// Forgets all statements, and takes no new ones.
    pub(super) fn close(&self) {
        let mut table = self.table();
        table.closed = true;
        table.open.clear();
    }
}

impl Statement {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request. Only the session's task does this, so the order is that of the frames.
    fn submit(self: Arc<Self>, job: Job) {
        let mut queue = self.queue();
        if queue.running {
            return queue.jobs.push_back(job);
        }
        queue.running = true;
        drop(queue);
        if job.is_quick() {
            self.run(job);
            return self.work();
        }
        tokio::task::spawn_blocking(move || {
            self.run(job);
            self.work();
        });
    }

    /// Runs what waits.
    fn work(&self) {
        loop {
            let mut queue = self.queue();
            let Some(job) = queue.jobs.pop_front() else {
                queue.running = false;
                return;
            };
            drop(queue);
            self.run(job);
        }
    }

    fn run(&self, job: Job) {
        let Job {
            ticket,
            session,
            head,
            call,
        } = job;
        let conn = Arc::clone(&ticket.conn);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_closed() {
            // it waited behind the one that closed the statement
            return nil(&ticket, &head, &call);
        }
        let emulated = &conn.shared.emulated;
        let terms = Terms {
            room: conn.state.statements.room(),
            replaced: 0,
            decimal_text: self.generation == Generation::Second
                && emulated.stmt2_decimals_as_text(),
            empty_result: !emulated.knows(Feature::NoResultOfInsert),
        };
        let outcome = reply::caught(|| state.call(call, &session, terms));
        if state.is_closed() {
            conn.state.statements.remove(self.id);
        }
        for id in state.take_stale_results() {
            conn.state.results.free(id);
        }
        reply::answer(ticket, &head, outcome, &mut state);
    }
}

/// What every answer about a statement repeats.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) action: &'static str,
    pub(super) req_id: u64,
    pub(super) stmt_id: u64,
}

/// Serves a request about statements; others are not known to this server.
pub(super) fn handle(ticket: Ticket, session: Arc<Session>, request: TextRequest) {
    let Some((action, req_id)) = named(&request) else {
        return tracing::error!("a request that was decoded is not served");
    };
    match request {
        TextRequest::StmtInit(_) => init(&ticket, action, req_id, Generation::First),
        TextRequest::Stmt2Init(_) => init(&ticket, action, req_id, Generation::Second),
        request => match names::call(request) {
            Some((stmt_id, call)) => {
                let head = Head {
                    action,
                    req_id,
                    stmt_id,
                };
                submit(ticket, session, head, call);
            }
            None => tracing::error!("a statement's request was named and is not served"),
        },
    }
}

fn init(ticket: &Ticket, action: &'static str, req_id: u64, generation: Generation) {
    let conn = &ticket.conn;
    let limit = conn.shared.limits.statements;
    match conn.state.statements.open(generation, limit) {
        Some(stmt_id) => ticket.ok(action, req_id, StmtBody { stmt_id }),
        None => {
            let message =
                format!("{limit} statements are open on this connection; close some of them first");
            ticket.refused(action, req_id, &message);
        }
    }
}

/// Hands a request to its statement.
pub(super) fn submit(ticket: Ticket, session: Arc<Session>, head: Head, call: Call) {
    let generation = call.generation();
    match ticket.conn.state.statements.get(head.stmt_id, generation) {
        Some(statement) => statement.submit(Job {
            ticket,
            session,
            head,
            call,
        }),
        None => nil(&ticket, &head, &call),
    }
}

/// Answers a request about a statement that is not there.
fn nil(ticket: &Ticket, head: &Head, call: &Call) {
    let (stmt_id, generation) = (head.stmt_id, call.generation());
    let statements = &ticket.conn.state.statements;
    match call {
        // not answered, unless it is the other generation's
        Call::Close if !statements.is_other(stmt_id, generation) => {}
        Call::Close2 if !statements.is_other(stmt_id, generation) => {
            ticket.ok(head.action, head.req_id, StmtBody { stmt_id });
        }
        _ => {
            let nil = match generation {
                Generation::First => "stmt is nil",
                Generation::Second => "stmt2 is nil",
            };
            reply::refuse(ticket, head, nil);
        }
    }
}

/// Answers a malformed binary request about a statement.
pub(super) fn malformed(ticket: &Ticket, head: &Head, message: &str) {
    reply::refuse(ticket, head, message);
}

/// Reads a result that a statement has opened, away from the statement's jobs.
fn read_on(conn: Arc<Conn>, id: u64, rows: crate::engine::ResultRows) {
    if let Some(result) = conn.state.results.get(id) {
        tokio::task::spawn_blocking(move || result.read_on(&conn, rows));
    }
}
