//! Binary requests (taosadapter-ws §3.3, §6).

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use taos_ws::protocol::{
    BadBinary, BinaryAction, BinaryRequest, RawBlockWrite, RawWrite, ValidateBody, decode_binary,
};

use super::Ticket;
use super::raw_message;
use super::results::{Fetch, Style};
use super::stmt::{self, Call};
use super::text::{NOT_CONNECTED, run_sql};
use crate::engine::{RawBlockRows, Session, SqlError, TableName};
use crate::meta::{self, NewTable};
use crate::server::{MAX_STATEMENT, guarded, statement_too_long};

/// Answers a binary request, or starts what will.
pub(super) fn handle(ticket: Ticket, frame: &Bytes) {
    let request = match decode_binary(frame) {
        Ok(request) => request,
        Err(bad) => return refuse(&ticket, &bad),
    };
    let (action, req_id) = match &request {
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
        _ => return,
    };
    if !ticket.conn.shared.emulated.knows_binary(action) {
        return unknown(&ticket, action, req_id);
    }
    let Some(session) = ticket.conn.session.get().map(Arc::clone) else {
        return ticket.refused(action.name(), req_id, NOT_CONNECTED);
    };
    match request {
        BinaryRequest::Query { req_id, sql } => {
            run_sql(ticket, session, "binary_query", req_id, sql);
        }
        BinaryRequest::FetchRawBlock { req_id, result_id } => {
            let result = ticket.conn.results.get(result_id);
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
        BinaryRequest::ValidateSql { req_id, sql } => ticket.run(move |ticket| {
            let checked = if sql.len() > MAX_STATEMENT {
                Err(statement_too_long())
            } else {
                guarded(|| session.validate(sql.trim()))
            };
            let result_code = checked.map_or_else(|error| full_code(error.code), |()| 0);
            ticket.ok(action.name(), req_id, ValidateBody { result_code });
        }),
        BinaryRequest::SetTags {
            req_id,
            stmt_id,
            block,
        } => stmt::first(ticket, session, (req_id, stmt_id), Call::TagsBlock(block)),
        BinaryRequest::Bind {
            req_id,
            stmt_id,
            block,
        } => stmt::first(ticket, session, (req_id, stmt_id), Call::BindBlock(block)),
        BinaryRequest::Stmt2Bind {
            req_id,
            stmt_id,
            bind,
        } => stmt::second(ticket, session, (req_id, stmt_id), Call::Bind2(bind)),
        BinaryRequest::WriteRaw { req_id, write, .. } => {
            ticket.run(
                move |ticket| match guarded(|| replay(&ticket, &session, &write)) {
                    Ok(_) => ticket.done(action.name(), req_id),
                    Err(error) => ticket.failed(action.name(), req_id, &error),
                },
            )
        }
        BinaryRequest::WriteRawBlock { req_id, write } => {
            ticket.run(
                move |ticket| match guarded(|| write_block(&ticket, &session, &write)) {
                    Ok(_) => ticket.done(action.name(), req_id),
                    Err(error) => ticket.failed(action.name(), req_id, &error),
                },
            )
        }
        _ => {
            let message = format!("unsupported feature: {}", action.name());
            let error = SqlError {
                code: 0x0100,
                message,
            };
            ticket.failed(action.name(), req_id, &error);
        }
    }
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
            limit: ticket.conn.shared.limits.bound,
        }],
    )
}

/// Does what a message of a topic says: writes its rows, changes tables or deletes rows.
fn replay(ticket: &Ticket, session: &Session, write: &RawWrite) -> Result<u64, SqlError> {
    match write.raw_type {
        raw_message::DATA => replay_rows(ticket, session, &write.raw, false),
        raw_message::DATA_AND_TABLES => replay_rows(ticket, session, &write.raw, true),
        meta::BATCH => session.write_meta(meta::decode_batch(&write.raw)?),
        raw_type if meta::is_meta(raw_type) => {
            session.write_meta(vec![meta::decode(raw_type, &write.raw)?])
        }
        other => Err(SqlError::unsupported(format!(
            "write_raw of messages of type {other}"
        ))),
    }
}

fn replay_rows(
    ticket: &Ticket,
    session: &Session,
    raw: &Bytes,
    with_tables: bool,
) -> Result<u64, SqlError> {
    let (entries, rest) = raw_message::decode(raw)
        .map_err(|text| SqlError::new(0x0118, format!("Invalid parameters: {text}")))?;
    let tables = match with_tables {
        true => raw_message::decode_tables(rest)?,
        false => Vec::new(),
    };
    let new: HashMap<&str, &NewTable> = tables.iter().map(|t| (t.name.as_str(), t)).collect();
    let blocks: Vec<_> = entries
        .iter()
        .map(|entry| RawBlockRows {
            table: TableName::plain(&entry.table),
            rows: entry.rows,
            precision: Some(entry.precision),
            block: &entry.block,
            columns: Some(entry.names.iter().map(String::as_str).collect()),
            new: new.get(entry.table.as_str()).copied(),
            limit: ticket.conn.shared.limits.bound,
        })
        .collect();
    session.write_raw_blocks(&tables, &blocks)
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
    let connected = ticket.conn.session.get().is_some();
    match bad.action {
        Some(action @ (BinaryAction::SetTags | BinaryAction::Bind | BinaryAction::Stmt2Bind))
            if connected =>
        {
            let ids = (bad.req_id, bad.result_id);
            stmt::malformed(ticket, action.name(), ids, &bad.message);
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
