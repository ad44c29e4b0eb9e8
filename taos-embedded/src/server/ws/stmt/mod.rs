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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::Value as Json;
use taos_ws::protocol::{Stmt2Bind, StmtBody, TextRequest};

use super::{Conn, Ticket};
use crate::engine::Session;
pub(super) use names::named;
use state::{State, Terms};

/// Blocks up to this length are bound by the session's task.
const QUICK: usize = 32 << 10;

/// The statements of one session, by id; both generations share the numbers.
#[derive(Default)]
pub(super) struct Statements {
    table: Mutex<Table>,
    /// Memory of all rows that are bound.
    bound: AtomicUsize,
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
    req_id: u64,
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
    /// The name that the answer carries.
    const fn action(&self) -> &'static str {
        match self {
            Self::Prepare(_) => "prepare",
            Self::SetTable(_) => "set_table_name",
            Self::Tags(_) | Self::TagsBlock(_) => "set_tags",
            Self::Bind(_) | Self::BindBlock(_) => "bind",
            Self::AddBatch => "add_batch",
            Self::Exec => "exec",
            Self::TagFields => "get_tag_fields",
            Self::ColFields => "get_col_fields",
            Self::UseResult => "use_result",
            Self::NumParams => "stmt_num_params",
            Self::GetParam(_) => "stmt_get_param",
            Self::Close => "close",
            Self::Prepare2 { .. } => "stmt2_prepare",
            Self::Bind2(_) => "stmt2_bind",
            Self::Exec2 => "stmt2_exec",
            Self::Result2 => "stmt2_result",
            Self::Close2 => "stmt2_close",
        }
    }

    /// True if it neither waits for the store nor works for long.
    fn is_quick(&self) -> bool {
        match self {
            Self::Prepare(sql) | Self::Prepare2 { sql, .. } => sql.len() <= QUICK,
            Self::Bind(columns) => columns.iter().map(Vec::len).sum::<usize>() <= QUICK / 16,
            Self::BindBlock(block) => block.len() <= QUICK,
            Self::Bind2(bind) => {
                let items = bind
                    .tables
                    .iter()
                    .flat_map(|t| t.tags.iter().chain(&t.columns));
                items
                    .map(|item| item.num + item.buffer.len())
                    .sum::<usize>()
                    <= QUICK
            }
            Self::Exec | Self::Exec2 => false,
            _ => true,
        }
    }
}

impl Statements {
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

    /// Bytes that may still be bound.
    fn room(&self, limit: usize) -> usize {
        limit.saturating_sub(self.bound.load(Ordering::Relaxed))
    }

    fn account(&self, before: usize, after: usize) {
        self.bound.fetch_add(after, Ordering::Relaxed);
        self.bound.fetch_sub(before, Ordering::Relaxed);
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
        if job.call.is_quick() {
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
        let conn = Arc::clone(&job.ticket.conn);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.bytes();
        let terms = Terms {
            room: conn.statements.room(conn.shared.limits.bound),
            decimal_text: self.generation == Generation::Second
                && conn.shared.emulated.stmt2_decimals_as_text(),
        };
        let Job {
            ticket,
            session,
            req_id,
            call,
        } = job;
        let head = Head {
            action: call.action(),
            req_id,
            stmt_id: self.id,
        };
        let closes = matches!(call, Call::Close | Call::Close2);
        let outcome = reply::caught(|| state.call(call, &session, terms));
        if closes {
            conn.statements.remove(self.id);
        }
        for id in state.take_stale_results() {
            conn.results.free(id);
        }
        conn.statements.account(before, state.bytes());
        reply::answer(ticket, &head, outcome, &mut state);
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // What was bound goes with it; the session's sum is of no use to anybody once the session ended.
        self.state
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// What every answer about a statement repeats.
#[derive(Debug, Clone, Copy)]
struct Head {
    action: &'static str,
    req_id: u64,
    stmt_id: u64,
}

/// Serves a request about statements; others are not known to this server.
pub(super) fn handle(ticket: Ticket, session: Arc<Session>, request: TextRequest) {
    match request {
        TextRequest::StmtInit(args) => init(&ticket, "init", args.req_id, Generation::First),
        TextRequest::Stmt2Init(args) => {
            init(&ticket, "stmt2_init", args.req_id, Generation::Second);
        }
        request => match names::call(request) {
            Some((generation, ids, call)) => submit(ticket, session, generation, ids, call),
            None => tracing::error!("a request that was decoded is not served"),
        },
    }
}

/// Serves a binary request about a statement of the first generation.
pub(super) fn first(ticket: Ticket, session: Arc<Session>, ids: (u64, u64), call: Call) {
    submit(ticket, session, Generation::First, ids, call);
}

/// Serves a binary request about a statement of the second generation.
pub(super) fn second(ticket: Ticket, session: Arc<Session>, ids: (u64, u64), call: Call) {
    submit(ticket, session, Generation::Second, ids, call);
}

fn init(ticket: &Ticket, action: &'static str, req_id: u64, generation: Generation) {
    let conn = &ticket.conn;
    let limit = conn.shared.limits.statements;
    match conn.statements.open(generation, limit) {
        Some(stmt_id) => ticket.ok(action, req_id, StmtBody { stmt_id }),
        None => {
            let message =
                format!("{limit} statements are open on this connection; close some of them first");
            ticket.refused(action, req_id, &message);
        }
    }
}

fn submit(
    ticket: Ticket,
    session: Arc<Session>,
    generation: Generation,
    (req_id, stmt_id): (u64, u64),
    call: Call,
) {
    let statements = &ticket.conn.statements;
    if let Some(statement) = statements.get(stmt_id, generation) {
        return statement.submit(Job {
            ticket,
            session,
            req_id,
            call,
        });
    }
    let head = Head {
        action: call.action(),
        req_id,
        stmt_id,
    };
    match call {
        // not answered, unless it is the other generation's
        Call::Close if !statements.is_other(stmt_id, generation) => {}
        Call::Close2 if !statements.is_other(stmt_id, generation) => {
            ticket.ok(head.action, req_id, StmtBody { stmt_id });
        }
        _ => {
            let nil = match generation {
                Generation::First => "stmt is nil",
                Generation::Second => "stmt2 is nil",
            };
            reply::refuse(&ticket, &head, nil);
        }
    }
}

/// Answers a malformed binary request about a statement.
pub(super) fn malformed(ticket: &Ticket, action: &'static str, ids: (u64, u64), message: &str) {
    let (req_id, stmt_id) = ids;
    let head = Head {
        action,
        req_id,
        stmt_id,
    };
    reply::refuse(ticket, &head, message);
}

/// Reads a result that a statement has opened, away from the statement's jobs.
fn read_on(conn: Arc<Conn>, id: u64, rows: crate::engine::ResultRows) {
    if let Some(result) = conn.results.get(id) {
        tokio::task::spawn_blocking(move || result.read_on(&conn, rows));
    }
}
