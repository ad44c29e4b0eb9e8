//! Replies: from what happened to frames in the outbox.

use bytes::Bytes;
use serde::Serialize;
use taos_query::RawBlock;
use taos_query::common::Ty;
use taos_ws::protocol::{
    ADAPTER_ERROR, FetchBody, FetchOutcome, FetchReply, OldBlockReply, QueryBody, mask_code,
};

use super::Ticket;
use crate::engine::{ResultColumn, ResultRows, SqlError};
use crate::server::emulate::Feature;

/// The text of an id that names no result (taosadapter-ws §6).
pub(super) const NIL: &str = "result is nil";

impl Ticket {
    /// Answers a statement that changed `rows` rows.
    pub(super) fn updated(&self, action: &str, req_id: u64, rows: u64) {
        let body = QueryBody {
            is_update: true,
            affected_rows: i64::try_from(rows).unwrap_or(i64::MAX),
            ..QueryBody::default()
        };
        self.queried(action, req_id, body);
    }

    fn queried(&self, action: &str, req_id: u64, body: QueryBody<'_>) {
        if self.conn.shared.emulated.knows(Feature::FieldPrecisions) {
            self.ok(action, req_id, body);
        } else {
            self.ok(action, req_id, OldQueryBody::from(body));
        }
    }

    /// Answers a statement with columns.
    pub(super) fn opened(&self, action: &str, req_id: u64, id: u64, rows: &ResultRows) {
        let columns = &rows.columns;
        let decimal = |column: &ResultColumn, part: u8| match column.ty {
            Ty::Decimal | Ty::Decimal64 => i64::from(part),
            _ => 0,
        };
        let body = QueryBody {
            id,
            is_update: false,
            affected_rows: 0,
            fields_count: columns.len(),
            fields_names: Some(columns.iter().map(|c| c.name.as_str()).collect()),
            fields_types: Some(columns.iter().map(|c| c.ty as u8).collect()),
            fields_lengths: Some(columns.iter().map(|c| i64::from(c.length)).collect()),
            precision: rows.precision.as_u8(),
            fields_precisions: Some(columns.iter().map(|c| decimal(c, c.precision)).collect()),
            fields_scales: Some(columns.iter().map(|c| decimal(c, c.scale)).collect()),
        };
        self.queried(action, req_id, body);
    }

    /// Answers fetch_raw_block.
    pub(super) fn fetched(&self, req_id: u64, result_id: u64, outcome: FetchOutcome) {
        let reply = FetchReply {
            req_id,
            result_id,
            timing: self.timing(),
            outcome,
        };
        match (reply.encode_head(), reply.outcome) {
            (Some(head), FetchOutcome::Block(block)) => self.binary(&head, block),
            (Some(head), _) => self.binary(&head, Bytes::new()),
            (None, _) => tracing::error!("a block is longer than a frame can say"),
        }
    }

    /// Answers fetch_raw_block with an error of the layer before the engine.
    pub(super) fn fetch_refused(&self, req_id: u64, result_id: u64, message: &str) {
        let message = message.to_owned();
        let code = ADAPTER_ERROR;
        self.fetched(req_id, result_id, FetchOutcome::Error { code, message });
    }

    /// Answers fetch_block.
    pub(super) fn old_block(&self, result_id: u64, block: &RawBlock) {
        let head = OldBlockReply {
            timing: self.timing(),
            result_id,
            block: Bytes::new(),
        };
        self.binary(&head.encode(), bytes_of(block));
    }

    /// Answers fetch with the block that fetch_block will send.
    pub(super) fn stepped(&self, req_id: u64, id: u64, rows: usize, columns: &[ResultColumn]) {
        let body = FetchBody {
            id,
            completed: false,
            lengths: Some(columns.iter().map(storage_width).collect()),
            rows,
        };
        self.ok("fetch", req_id, body);
    }

    /// Answers fetch with the end of the result.
    pub(super) fn completed(&self, req_id: u64, id: u64) {
        let body = FetchBody {
            id,
            completed: true,
            ..FetchBody::default()
        };
        self.ok("fetch", req_id, body);
    }
}

/// The reply to a query before there were decimals.
#[derive(Serialize)]
struct OldQueryBody<'a> {
    id: u64,
    is_update: bool,
    affected_rows: i64,
    fields_count: usize,
    fields_names: Option<Vec<&'a str>>,
    fields_types: Option<Vec<u8>>,
    fields_lengths: Option<Vec<i64>>,
    precision: u8,
}

impl<'a> From<QueryBody<'a>> for OldQueryBody<'a> {
    fn from(body: QueryBody<'a>) -> Self {
        Self {
            id: body.id,
            is_update: body.is_update,
            affected_rows: body.affected_rows,
            fields_count: body.fields_count,
            fields_names: body.fields_names,
            fields_types: body.fields_types,
            fields_lengths: body.fields_lengths,
            precision: body.precision,
        }
    }
}

/// Why a result beyond the limit was not opened.
pub(super) fn too_many_results(limit: usize) -> String {
    format!(
        "{limit} results are open on this connection; read them to their end or free them first"
    )
}

/// The block's bytes, shared with it.
pub(super) fn bytes_of(block: &RawBlock) -> Bytes {
    block.as_raw_bytes().clone()
}

/// An engine's error as fetch_raw_block tells it.
pub(super) fn fetch_error(error: SqlError) -> FetchOutcome {
    FetchOutcome::Error {
        code: match mask_code(i64::from(error.code)) {
            0 => ADAPTER_ERROR,
            code => code,
        },
        message: error.message,
    }
}

/// Width of a cell in the original's storage (taosadapter-ws §6.3).
pub(super) fn storage_width(column: &ResultColumn) -> i64 {
    let declared = i64::from(column.length);
    match column.ty {
        Ty::VarChar | Ty::VarBinary | Ty::Geometry => declared + 2,
        Ty::NChar => 4 * declared + 2,
        Ty::Json => 16_382,
        _ => declared,
    }
}
