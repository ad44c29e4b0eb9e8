//! Text requests (taosadapter-ws §5, §6).

use std::sync::{Arc, PoisonError};

use chrono_tz::Tz;
use taos_ws::protocol::{
    BadRequest, ConnArgs, ConnBody, ConnectionInfoArgs, CurrentDbBody, InsertArgs, InsertBody,
    NumFieldsBody, OptionsArgs, ServerInfoBody, StatusBody, TextRequest, VersionBody,
};

use super::reply::too_many_results;
use super::results::{Fetch, Style, Unopened};
use super::{NIL, Ticket, stmt};
use crate::engine::{Answer, SchemalessBatch, Session, SqlError};
use crate::server::emulate::Feature;
use crate::server::{MAX_STATEMENT, guarded, statement_too_long};

/// What everything but `version`, `conn` and `check_server_status` is told before a login.
pub(super) const NOT_CONNECTED: &str = "server not connected";

const INVALID_PARAMETERS: u32 = 0x0118;
const UNSUPPORTED: u32 = 0x0100;

/// `status` of a server that serves (taosadapter-ws §5.7).
const SERVICE_OK: i32 = 2;

/// Answers a text request, or starts what will.
pub(super) fn handle(ticket: Ticket, request: Result<TextRequest, BadRequest>) {
    let emulated = &ticket.conn.shared.emulated;
    let (action, req_id) = match request {
        Ok(request) => match action_of(&request) {
            Some((action, req_id)) if !emulated.knows_action(action) => (action.to_owned(), req_id),
            _ => return answer(ticket, request),
        },
        Err(bad) if emulated.knows_action(&bad.action) => {
            return ticket.refused(&bad.action, bad.req_id, &bad.message);
        }
        Err(bad) => (bad.action, bad.req_id),
    };
    ticket.refused(&action, req_id, &format!("unknown action {action}"));
}

fn answer(ticket: Ticket, request: TextRequest) {
    match request {
        TextRequest::Version(args) => {
            let version = ticket.conn.shared.emulated.text();
            ticket.ok("version", args.req_id, VersionBody { version });
        }
        TextRequest::Conn(args) => {
            tokio::spawn(async move {
                let shared = &ticket.conn.shared;
                let login = shared.log_in(&args.user, &args.password).await;
                ticket.run(move |ticket| log_in(&ticket, &args, login));
            });
        }
        TextRequest::CheckServerStatus(args) => {
            let body = StatusBody {
                status: SERVICE_OK,
                details: "",
            };
            ticket.ok("check_server_status", args.req_id, body);
        }
        request => match ticket.conn.state.session.get().map(Arc::clone) {
            Some(session) => connected(ticket, session, request),
            None => not_connected(&ticket, &request),
        },
    }
}

fn not_connected(ticket: &Ticket, request: &TextRequest) {
    if let Some((action, req_id)) = action_of(request) {
        ticket.refused(action, req_id, NOT_CONNECTED);
    }
}

/// The name that a request is answered under, and its id; none for what is never answered
/// (taosadapter-ws §6.6).
const fn action_of(request: &TextRequest) -> Option<(&'static str, u64)> {
    Some(match request {
        TextRequest::CheckServerStatus(args) => ("check_server_status", args.req_id),
        TextRequest::OptionsConnection(args) => ("options_connection", args.req_id),
        TextRequest::GetCurrentDb(args) => ("get_current_db", args.req_id),
        TextRequest::GetServerInfo(args) => ("get_server_info", args.req_id),
        TextRequest::GetConnectionInfo(args) => ("get_connection_info", args.req_id),
        TextRequest::Insert(args) => ("insert", args.req_id),
        TextRequest::Query(args) => ("query", args.req_id),
        TextRequest::Fetch(args) => ("fetch", args.req_id),
        TextRequest::FetchBlock(args) => ("fetch_block", args.req_id),
        TextRequest::NumFields(args) => ("num_fields", args.req_id),
        request => return stmt::named(request),
    })
}

fn connected(ticket: Ticket, session: Arc<Session>, request: TextRequest) {
    match request {
        TextRequest::Query(args) => run_sql(ticket, session, "query", args.req_id, args.sql),
        TextRequest::Fetch(args) => {
            let result = ticket.conn.state.results.get(args.id);
            let fetch = Fetch {
                ticket,
                req_id: args.req_id,
                style: Style::Old,
            };
            match result {
                Some(result) => result.fetch(fetch),
                None => fetch.nil(args.id),
            }
        }
        TextRequest::FetchBlock(args) => match ticket.conn.state.results.get(args.id) {
            None => ticket.refused("fetch_block", args.req_id, NIL),
            Some(result) => match result.current() {
                Some(block) => ticket.old_block(args.id, &block),
                None => ticket.refused("fetch_block", args.req_id, "block is nil"),
            },
        },
        TextRequest::FreeResult(args) => ticket.conn.state.results.free(args.id),
        TextRequest::NumFields(args) => match ticket.conn.state.results.get(args.result_id) {
            Some(result) => {
                let num_fields = result.columns();
                ticket.ok("num_fields", args.req_id, NumFieldsBody { num_fields });
            }
            None => ticket.refused("num_fields", args.req_id, NIL),
        },
        TextRequest::GetCurrentDb(args) => {
            let db = session.current_db().unwrap_or_default();
            ticket.ok("get_current_db", args.req_id, CurrentDbBody { db: &db });
        }
        TextRequest::GetServerInfo(args) => {
            let info = concat!("build:taos-embedded ", env!("CARGO_PKG_VERSION"));
            let version = ticket.conn.shared.emulated.text();
            let info = format!("ver:{version}\n{info}\ngitinfo:none");
            ticket.ok(
                "get_server_info",
                args.req_id,
                ServerInfoBody { info: &info },
            );
        }
        TextRequest::GetConnectionInfo(args) => connection_info(&ticket, &session, &args),
        TextRequest::Insert(args) => {
            ticket.run(move |ticket| insert(&ticket, &session, &args));
        }
        TextRequest::OptionsConnection(args) => set_options(&ticket, &session, &args),
        request => stmt::handle(ticket, session, request),
    }
}

/// Runs a statement and answers under the name `action`.
pub(super) fn run_sql(
    ticket: Ticket,
    session: Arc<Session>,
    action: &'static str,
    req_id: u64,
    sql: String,
) {
    if sql.len() > MAX_STATEMENT {
        return ticket.failed(action, req_id, &statement_too_long());
    }
    ticket.run(
        move |ticket| match guarded(|| session.execute(sql.trim())) {
            Err(error) => ticket.failed(action, req_id, &error),
            Ok(Answer::Affected(rows)) => ticket.updated(action, req_id, rows),
            Ok(Answer::Rows(rows)) => {
                let conn = Arc::clone(&ticket.conn);
                let result = match conn.state.results.open(&rows, conn.shared.limits.results) {
                    Ok(result) => result,
                    Err(Unopened::Closed) => return,
                    Err(Unopened::Full(limit)) => {
                        return ticket.refused(action, req_id, &too_many_results(limit));
                    }
                };
                ticket.opened(action, req_id, result.id(), &rows);
                drop(ticket);
                result.read_on(&conn, rows);
            }
        },
    );
}

/// Writes schemaless data (taosadapter-ws §7).
fn insert(ticket: &Ticket, session: &Session, args: &InsertArgs) {
    const ACTION: &str = "insert";
    if args.protocol == 0 {
        let message = "schemaless write protocol is null";
        return ticket.refused(ACTION, args.req_id, message);
    }
    let emulated = &ticket.conn.shared.emulated;
    let batch = SchemalessBatch {
        protocol: args.protocol,
        precision: &args.precision,
        ttl: args.ttl,
        table_name_key: if emulated.knows(Feature::TableNameKey) {
            &args.table_name_key
        } else {
            ""
        },
        data: &args.data,
    };
    match guarded(|| session.schemaless(&batch)) {
        Err(error) => ticket.failed(ACTION, args.req_id, &error),
        Ok(written) => {
            let body = InsertBody {
                affected_rows: i64::try_from(written.affected).unwrap_or(i64::MAX),
                total_rows: emulated.knows(Feature::TotalRows).then_some(written.total),
            };
            ticket.ok(ACTION, args.req_id, body);
        }
    }
}

/// Checks in the original's order: login and database, then mode, then zone (taosadapter-ws §5.2).
fn log_in(ticket: &Ticket, args: &ConnArgs, login: Result<(), SqlError>) {
    let conn = &ticket.conn;
    let _turn = conn
        .state
        .login
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if conn.state.session.get().is_some() {
        return ticket.refused("conn", args.req_id, "duplicate connections");
    }
    let session = match guarded(|| open_session(ticket, args, login)) {
        Ok(session) => session,
        Err(error) => return ticket.failed("conn", args.req_id, &error),
    };
    match args.mode {
        None | Some(0) => {}
        Some(mode) => {
            let message = format!("unexpected mode:{mode}");
            return ticket.refused("conn", args.req_id, &message);
        }
    }
    let emulated = &conn.shared.emulated;
    if !args.tz.is_empty() && emulated.knows(Feature::ConnectionOptions) {
        session.set_timezone(Some(zone(&args.tz)));
    }
    // The turn makes sure that nobody else has set it.
    let _ = conn.state.session.set(Arc::new(session));
    let body = ConnBody {
        version: emulated
            .knows(Feature::VersionInConn)
            .then(|| emulated.text()),
    };
    ticket.ok("conn", args.req_id, body);
}

fn open_session(
    ticket: &Ticket,
    args: &ConnArgs,
    login: Result<(), SqlError>,
) -> Result<Session, SqlError> {
    for (name, value) in [
        ("bearer_token", &args.bearer_token),
        ("totp_code", &args.totp_code),
    ] {
        if !value.is_empty() {
            return Err(SqlError {
                code: UNSUPPORTED,
                message: format!("unsupported feature: login with {name}"),
            });
        }
    }
    login?;
    let session = ticket.conn.shared.engine.session(&args.user);
    if !args.db.is_empty() {
        session.use_db(&args.db)?;
    }
    Ok(session)
}

/// An unknown name is accepted and acts as UTC, as in the original.
fn zone(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

/// Tells the user's name, the only thing there is to ask for (taosadapter-ws §5.6).
fn connection_info(ticket: &Ticket, session: &Session, args: &ConnectionInfoArgs) {
    const ACTION: &str = "get_connection_info";
    if args.info == 0 {
        let info = session.user();
        return ticket.ok(ACTION, args.req_id, ServerInfoBody { info });
    }
    ticket.failed(ACTION, args.req_id, &invalid_parameters());
}

fn invalid_parameters() -> SqlError {
    SqlError {
        code: INVALID_PARAMETERS,
        message: "Invalid parameters".to_owned(),
    }
}

fn set_options(ticket: &Ticket, session: &Session, args: &OptionsArgs) {
    for option in &args.options {
        match option.option {
            -1 => session.set_timezone(None),
            1 => session.set_timezone(option.value.as_deref().map(zone)),
            // Character set, user address, application, connector: nothing depends on them.
            0 | 2..=4 => {}
            _ => {
                return ticket.failed("options_connection", args.req_id, &invalid_parameters());
            }
        }
    }
    ticket.done("options_connection", args.req_id);
}
