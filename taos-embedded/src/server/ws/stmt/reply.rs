//! Answers about statements.

use std::sync::Arc;

use taos_query::common::Ty;
use taos_ws::protocol::{
    ADAPTER_ERROR, ServerReply, Stmt2PrepareBody, Stmt2ResultBody, StmtBody, StmtExecBody,
    StmtFieldBody, StmtFieldsBody, StmtGetParamBody, StmtNumParamsBody, StmtPrepareBody,
    StmtResultFields, UseResultBody,
};

use super::super::results::Unopened;
use super::super::{Ticket, reply};
use super::state::{OpenedResult, Outcome, State};
use super::{Head, read_on};
use crate::engine::{BoundField, FieldKind, ResultRows, SqlError};
use crate::server::emulate::Feature;
use crate::server::guarded;

/// The original cuts an engine's text here (taosadapter-ws §9.4).
const LONGEST: usize = 127;

/// What a request came to.
pub(super) enum Done {
    /// Success and nothing more.
    Plain,
    /// Success that is not answered.
    Silent,
    Prepared {
        is_insert: bool,
    },
    Prepared2 {
        is_insert: bool,
        fields: Option<Vec<BoundField>>,
        count: usize,
    },
    Executed(u64),
    /// A query ran; its result is yet to be given an id.
    Opened(ResultRows),
    Result(OpenedResult),
    /// What old releases have in place of a result of an INSERT.
    NoColumns,
    Fields(Option<Vec<BoundField>>),
    NumParams(usize),
    Param {
        index: i64,
        field: BoundField,
    },
}

/// What a request was refused with.
pub(super) struct Failure {
    pub(super) code: u32,
    pub(super) message: String,
    /// The statement is of no use afterwards.
    pub(super) breaks: bool,
}

impl Failure {
    /// An error of the engine.
    pub(super) fn engine(code: u32, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
            breaks: true,
        }
    }

    /// An error of the layer before it, after which the statement goes on.
    pub(super) fn adapter(message: impl Into<String>) -> Self {
        Self {
            code: ADAPTER_ERROR,
            message: message.into(),
            breaks: false,
        }
    }

    /// What a broken statement says to everything: the code again, and a word that means nothing.
    pub(super) fn repeated(code: u32) -> Self {
        Self {
            code,
            message: "success".to_owned(),
            breaks: false,
        }
    }
}

/// Runs `work`; a panic in it fails the one request.
pub(super) fn caught(work: impl FnOnce() -> Outcome) -> Outcome {
    guarded(|| Ok(work())).unwrap_or_else(|error: SqlError| Err(error.into()))
}

/// Refuses with an error of the layer before the engine.
pub(super) fn refuse(ticket: &Ticket, head: &Head, message: &str) {
    fail(ticket, head, &Failure::adapter(message));
}

fn fail(ticket: &Ticket, head: &Head, failure: &Failure) {
    let body = StmtBody {
        stmt_id: head.stmt_id,
    };
    let message = match failure.code {
        ADAPTER_ERROR => &failure.message,
        _ => crate::engine::clip(&failure.message, LONGEST),
    };
    ticket.send_text(
        ServerReply::failure(
            head.action,
            head.req_id,
            ticket.signed_timing(),
            failure.code,
            message,
            body,
        )
        .encode(),
    );
}

/// Answers a request; gives a query's result its id.
pub(super) fn answer(ticket: Ticket, head: &Head, outcome: Outcome, state: &mut State) {
    let done = match outcome {
        Ok(done) => done,
        Err(failure) => return fail(&ticket, head, &failure),
    };
    let Head {
        action,
        req_id,
        stmt_id,
    } = *head;
    match done {
        Done::Silent => {}
        Done::Plain => ticket.ok(action, req_id, StmtBody { stmt_id }),
        Done::Prepared { is_insert } => {
            ticket.ok(action, req_id, StmtPrepareBody { stmt_id, is_insert });
        }
        Done::Prepared2 {
            is_insert,
            fields,
            count,
        } => {
            let fields = fields.as_ref();
            let body = Stmt2PrepareBody {
                stmt_id,
                is_insert,
                fields: fields.map(|fields| fields.iter().map(|f| field(f, true)).collect()),
                fields_count: count,
            };
            ticket.ok(action, req_id, body);
        }
        Done::Executed(rows) => executed(&ticket, head, rows),
        Done::Opened(rows) => opened(ticket, head, rows, state),
        Done::Result(result) => told(&ticket, head, &result),
        Done::NoColumns => no_columns(&ticket, head),
        Done::Fields(fields) => {
            let fields = fields.as_ref();
            let body = StmtFieldsBody {
                stmt_id,
                fields: fields.map(|fields| fields.iter().map(|f| field(f, false)).collect()),
            };
            ticket.ok(action, req_id, body);
        }
        Done::NumParams(num_params) => {
            let body = StmtNumParamsBody {
                stmt_id,
                num_params,
            };
            ticket.ok(action, req_id, body);
        }
        Done::Param { index, field } => {
            let body = StmtGetParamBody {
                stmt_id,
                index,
                data_type: field.ty as u8,
                length: field.bytes.into(),
            };
            ticket.ok(action, req_id, body);
        }
    }
}

fn executed(ticket: &Ticket, head: &Head, rows: u64) {
    let body = StmtExecBody {
        stmt_id: head.stmt_id,
        affected: i64::try_from(rows).unwrap_or(i64::MAX),
    };
    ticket.ok(head.action, head.req_id, body);
}

/// A result lies among those of the session's queries from the execution on, so that an unread one can
/// be dropped like theirs.
fn opened(ticket: Ticket, head: &Head, rows: ResultRows, state: &mut State) {
    let conn = Arc::clone(&ticket.conn);
    let limit = conn.shared.limits.results;
    match conn.state.results.open(&rows, limit) {
        Ok(result) => {
            state.result = Some(OpenedResult {
                id: result.id(),
                columns: Arc::clone(&rows.columns),
                precision: rows.precision,
            });
            executed(&ticket, head, 0);
            drop(ticket);
            read_on(conn, result.id(), rows);
        }
        Err(Unopened::Closed) => {}
        Err(Unopened::Full(limit)) => refuse(&ticket, head, &reply::too_many_results(limit)),
    }
}

fn told(ticket: &Ticket, head: &Head, result: &OpenedResult) {
    let columns = &result.columns;
    let known = ticket.conn.shared.emulated.knows(Feature::FieldPrecisions);
    let decimal = |ty: Ty, part: u8| match ty {
        Ty::Decimal | Ty::Decimal64 => i64::from(part),
        _ => 0,
    };
    let fields = StmtResultFields {
        fields_count: columns.len(),
        fields_names: Some(columns.iter().map(|c| c.name.as_str()).collect()),
        fields_types: Some(columns.iter().map(|c| c.ty as u8).collect()),
        fields_lengths: Some(columns.iter().map(reply::storage_width).collect()),
        precision: result.precision.as_u8(),
        fields_precisions: known
            .then(|| columns.iter().map(|c| decimal(c.ty, c.precision)).collect()),
        fields_scales: known.then(|| columns.iter().map(|c| decimal(c.ty, c.scale)).collect()),
    };
    let (stmt_id, id) = (head.stmt_id, result.id);
    if head.action == "use_result" {
        let body = UseResultBody {
            stmt_id,
            result_id: id,
            fields,
        };
        ticket.ok(head.action, head.req_id, body);
    } else {
        let body = Stmt2ResultBody {
            stmt_id,
            id,
            fields,
        };
        ticket.ok(head.action, head.req_id, body);
    }
}

fn no_columns(ticket: &Ticket, head: &Head) {
    let body = Stmt2ResultBody {
        stmt_id: head.stmt_id,
        id: 0,
        fields: StmtResultFields::default(),
    };
    ticket.ok(head.action, head.req_id, body);
}

fn field(field: &BoundField, second: bool) -> StmtFieldBody<'_> {
    let kind = match field.kind {
        FieldKind::Column => 1,
        FieldKind::Tag => 2,
        FieldKind::Name => 4,
    };
    StmtFieldBody {
        name: &field.name,
        field_type: field.ty as u8,
        precision: field.precision,
        scale: 0,
        bytes: i32::try_from(field.bytes).unwrap_or(i32::MAX),
        bind_type: second.then_some(kind),
    }
}
