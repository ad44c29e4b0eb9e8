//! Binary requests (taosadapter-ws §3.3, §6).

use std::collections::HashMap;
use std::sync::Arc;

use taos_query::common::Field;
use taos_query::tmq::raw::{self, DataMessage};
use taos_ws::protocol::{
    BadBinary, BinaryAction, BinaryRequest, RawBlockWrite, RawWrite, ValidateBody,
};

use super::Ticket;
use super::results::{Fetch, Style};
use super::stmt::{self, Call, Head};
use super::text::{NOT_CONNECTED, run_sql};
use crate::engine::{RawBlockRows, Session, SqlError, TableName};
use crate::meta::{self, NewTable, decode_new_table};
use crate::server::{MAX_STATEMENT, guarded, statement_too_long};

/// Answers a binary request, or starts what will.
pub(super) fn handle(ticket: Ticket, request: Result<BinaryRequest, BadBinary>) {
    let request = match request {
        Ok(request) => request,
        Err(bad) => return refuse(&ticket, &bad),
    };
    let Some((action, req_id)) = action_of(&request) else {
        return tracing::error!("a binary request that was decoded is not served");
    };
    if !ticket.conn.shared.emulated.knows_binary(action) {
        return unknown(&ticket, action, req_id);
    }
    match ticket.conn.state.session.get().map(Arc::clone) {
        Some(session) => connected(ticket, session, action.name(), request),
        None => ticket.refused(action.name(), req_id, NOT_CONNECTED),
    }
}

fn action_of(request: &BinaryRequest) -> Option<(BinaryAction, u64)> {
    Some(match request {
        BinaryRequest::Query { req_id, .. } => (BinaryAction::BinaryQuery, *req_id),
        BinaryRequest::ValidateSql { req_id, .. } => (BinaryAction::ValidateSql, *req_id),
        BinaryRequest::FetchRawBlock { req_id, .. } => (BinaryAction::FetchRawBlock, *req_id),
        BinaryRequest::SetTags { req_id, .. } => (BinaryAction::SetTags, *req_id),
        BinaryRequest::Bind { req_id, .. } => (BinaryAction::Bind, *req_id),
        BinaryRequest::Stmt2Bind { req_id, .. } => (BinaryAction::Stmt2Bind, *req_id),
        BinaryRequest::Stmt2BindExec { req_id, .. } => (BinaryAction::Stmt2BindExec, *req_id),
        BinaryRequest::WriteRaw { req_id, .. } => (BinaryAction::WriteRaw, *req_id),
        BinaryRequest::WriteRawBlock { req_id, write } if write.fields.is_some() => {
            (BinaryAction::WriteRawBlockWithFields, *req_id)
        }
        BinaryRequest::WriteRawBlock { req_id, .. } => (BinaryAction::WriteRawBlock, *req_id),
        _ => return None,
    })
}

fn connected(ticket: Ticket, session: Arc<Session>, action: &'static str, request: BinaryRequest) {
    let (req_id, stmt_id, call) = match request {
        BinaryRequest::Query { req_id, sql } => {
            return run_sql(ticket, session, action, req_id, sql);
        }
        BinaryRequest::FetchRawBlock { req_id, result_id } => {
            return fetch(ticket, req_id, result_id);
        }
        BinaryRequest::ValidateSql { req_id, sql } => {
            return ticket.run(move |ticket| validate(&ticket, &session, action, req_id, &sql));
        }
        BinaryRequest::WriteRaw { req_id, write, .. } => {
            return writing(ticket, action, req_id, move |ticket| {
                replay(ticket, &session, &write)
            });
        }
        BinaryRequest::WriteRawBlock { req_id, write } => {
            return writing(ticket, action, req_id, move |ticket| {
                write_block(ticket, &session, &write)
            });
        }
        BinaryRequest::SetTags {
            req_id,
            stmt_id,
            block,
        } => (req_id, stmt_id, Call::TagsBlock(block)),
        BinaryRequest::Bind {
            req_id,
            stmt_id,
            block,
        } => (req_id, stmt_id, Call::BindBlock(block)),
        BinaryRequest::Stmt2Bind {
            req_id,
            stmt_id,
            bind,
        } => (req_id, stmt_id, Call::Bind2(bind)),
        other => {
            let req_id = action_of(&other).map_or(0, |(_, req_id)| req_id);
            let error = SqlError::unsupported(action);
            return ticket.failed(action, req_id, &error);
        }
    };
    let head = Head {
        action,
        req_id,
        stmt_id,
    };
    stmt::submit(ticket, session, head, call);
}

fn fetch(ticket: Ticket, req_id: u64, result_id: u64) {
    let result = ticket.conn.state.results.get(result_id);
    let fetch = Fetch {
        ticket,
        req_id,
        style: Style::Raw,
    };
    match result {
        Some(result) => result.fetch(fetch),
        None => fetch.nil(result_id),
    }
}

fn validate(ticket: &Ticket, session: &Session, action: &str, req_id: u64, sql: &str) {
    let checked = if sql.len() > MAX_STATEMENT {
        Err(statement_too_long())
    } else {
        guarded(|| session.validate(sql.trim()))
    };
    let result_code = checked.map_or_else(|error| full_code(error.code), |()| 0);
    ticket.ok(action, req_id, ValidateBody { result_code });
}

/// Runs a write and answers with nothing but whether it succeeded.
fn writing(
    ticket: Ticket,
    action: &'static str,
    req_id: u64,
    write: impl FnOnce(&Ticket) -> Result<u64, SqlError> + Send + 'static,
) {
    ticket.run(move |ticket| match guarded(|| write(&ticket)) {
        Ok(_) => ticket.done(action, req_id),
        Err(error) => ticket.failed(action, req_id, &error),
    });
}

fn write_block(ticket: &Ticket, session: &Session, write: &RawBlockWrite) -> Result<u64, SqlError> {
    let fields = write.fields.as_ref();
    let columns: Option<Vec<&str>> =
        fields.map(|fields| fields.iter().map(|f| f.name.as_str()).collect());
    session.write_raw_blocks(
        &[],
        &[RawBlockRows {
            table: TableName::parse(&write.table),
            rows: write.rows,
            precision: None,
            block: &write.block,
            columns,
            new: None,
            room: ticket.conn.state.statements.room(),
        }],
        false,
    )
}

/// Does what a message of a topic says: writes its rows, changes tables or deletes rows.
fn replay(ticket: &Ticket, session: &Session, write: &RawWrite) -> Result<u64, SqlError> {
    match write.raw_type {
        raw::DATA | raw::DATA_AND_TABLES => replay_rows(ticket, session, write),
        meta::BATCH => session.write_meta(meta::decode_batch(&write.raw)?),
        raw_type if meta::is_meta(raw_type) => {
            session.write_meta(vec![meta::decode(raw_type, &write.raw)?])
        }
        other => Err(SqlError::unsupported(format!(
            "write_raw of messages of type {other}"
        ))),
    }
}

fn replay_rows(ticket: &Ticket, session: &Session, write: &RawWrite) -> Result<u64, SqlError> {
    let invalid = |what: &str| SqlError::new(0x0118, format!("Invalid parameters: {what}"));
    let message = DataMessage::decode(write.raw_type, &write.raw)
        .map_err(|error| invalid(&error.message()))?;
    let tables = message.creates.iter().map(decode_new_table);
    let tables = tables.collect::<Result<Vec<_>, _>>()?;
    let new: HashMap<&str, &NewTable> = tables.iter().map(|t| (t.name.as_str(), t)).collect();
    let blocks = message.entries.iter().map(|entry| {
        let (Some(table), Some(schema)) = (&entry.table, &entry.schema) else {
            return Err(invalid(
                "a message without names of tables and columns cannot be written",
            ));
        };
        Ok(RawBlockRows {
            table: TableName::plain(table),
            rows: u32::try_from(entry.rows).map_err(|_| invalid("too many rows"))?,
            precision: Some(entry.precision),
            block: &entry.block,
            columns: Some(schema.fields().iter().map(Field::name).collect()),
            new: new.get(table.as_str()).copied(),
            room: ticket.conn.state.statements.room(),
        })
    });
    let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
    session.write_raw_blocks(&tables, &blocks, true)
}

/// Answers what the emulated release does not have (taosadapter-ws §3.3).
fn unknown(ticket: &Ticket, action: BinaryAction, req_id: u64) {
    let message = format!("unknown binary action {}", action as u64);
    ticket.refused("unknown", req_id, &message);
}

fn refuse(ticket: &Ticket, bad: &BadBinary) {
    let emulated = &ticket.conn.shared.emulated;
    if let Some(action) = bad.action.filter(|action| !emulated.knows_binary(*action)) {
        return unknown(ticket, action, bad.req_id);
    }
    let connected = ticket.conn.state.session.get().is_some();
    match bad.action {
        Some(action @ (BinaryAction::SetTags | BinaryAction::Bind | BinaryAction::Stmt2Bind))
            if connected =>
        {
            let head = Head {
                action: action.name(),
                req_id: bad.req_id,
                stmt_id: bad.result_id,
            };
            stmt::malformed(ticket, &head, &bad.message);
        }
        Some(BinaryAction::FetchRawBlock) if connected => {
            ticket.fetch_refused(bad.req_id, bad.result_id, &bad.message);
        }
        Some(BinaryAction::FetchRawBlock) => {
            ticket.refused(bad.action_name(), bad.req_id, NOT_CONNECTED);
        }
        _ => ticket.refused(bad.action_name(), bad.req_id, &bad.message),
    }
}

/// The engine's code in its signed 32-bit form, the only place where it is told so (§6.7).
fn full_code(code: u32) -> i64 {
    i64::from(code & 0xffff) - 0x8000_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_full_negative_form_in_validate_sql() {
        assert_eq!(full_code(0x2600), -2_147_473_920);
        assert_eq!(full_code(0x2603), -2_147_473_917);
    }
}
