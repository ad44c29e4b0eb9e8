//! What a statement knows between its requests.

use std::sync::Arc;

use taos_query::common::Precision;
use taos_query::{RawBlock, block::ColumnView};
use taos_ws::protocol::ADAPTER_ERROR;

use super::Call;
use super::reply::{Done, Failure};
use crate::engine::{
    Answer, Batch, BoundTable, Held, Literal, Prepared, ResultColumn, Room, Session, Shape, Source,
    TableName, Tags, literals,
};
use crate::server::{MAX_STATEMENT, statement_too_long};

pub(super) type Outcome = Result<Done, Failure>;

/// State of a statement of either generation.
#[derive(Default)]
pub(super) struct State {
    pub(super) prepared: Option<Prepared>,
    /// The code of the engine's error after which the statement is of no use (taosadapter-ws §8, §9.4).
    broken: Option<u32>,
    /// First generation: the table chosen, what its placeholders are, and its tags.
    pub(super) table: Option<TableName>,
    pub(super) shape: Option<Arc<Shape>>,
    pub(super) tags: Option<Tags>,
    tags_held: Held,
    /// First generation: bound, but not yet part of the batch.
    pub(super) bound: Batch,
    pub(super) batch: Batch,
    /// Values of a query's placeholders.
    pub(super) values: Option<Vec<Literal>>,
    values_held: Held,
    /// Second generation: columns that came one by one.
    pub(super) singles: super::second::Singles,
    /// The result of the last execution.
    pub(super) result: Option<OpenedResult>,
    /// Results that the client can no longer ask for.
    stale: Vec<u64>,
    closed: bool,
}

/// What a request is held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    /// Memory of what the connection binds.
    pub(super) room: &'a Arc<Room>,
    /// Bytes that come back for those that the bind takes.
    pub(super) replaced: usize,
    /// Decimals of the second generation are text.
    pub(super) decimal_text: bool,
    /// `stmt2_result` of an INSERT is a result without columns (taosadapter-ws §9.1).
    pub(super) empty_result: bool,
}

/// A result as `use_result` and `stmt2_result` tell it.
#[derive(Debug, Clone)]
pub(super) struct OpenedResult {
    pub(super) id: u64,
    pub(super) columns: Arc<[ResultColumn]>,
    pub(super) precision: Precision,
}

/// The original's words for a request out of order.
pub(super) fn out_of_order() -> Failure {
    Failure::engine(0x022A, "Stmt API usage error")
}

impl State {
    /// True once the statement was closed; nothing may be asked of it then.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Back to a statement without SQL.
    pub(super) fn clear(&mut self) {
        self.drop_result();
        let stale = std::mem::take(&mut self.stale);
        *self = Self {
            stale,
            ..Self::default()
        };
    }

    /// Forgets the last execution's result.
    pub(super) fn drop_result(&mut self) {
        self.stale
            .extend(self.result.take().map(|result| result.id));
    }

    /// Results to be freed.
    pub(super) fn take_stale_results(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.stale)
    }

    /// Answers a request. `terms` is what the connection allows.
    pub(super) fn call(&mut self, call: Call, session: &Session, terms: Terms<'_>) -> Outcome {
        match (self.broken, &call) {
            (_, Call::Close | Call::Close2) => {
                self.clear();
                self.closed = true;
                return Ok(if matches!(call, Call::Close) {
                    Done::Silent
                } else {
                    Done::Plain
                });
            }
            (Some(_), Call::Prepare2 { .. }) => self.clear(),
            (Some(code), _) => return Err(Failure::repeated(code)),
            (None, _) => {}
        }
        let asks = matches!(
            call,
            Call::NumParams
                | Call::GetParam(_)
                | Call::TagFields
                | Call::ColFields
                | Call::UseResult
                | Call::Result2
        );
        let outcome = self.dispatch(call, session, terms);
        match &outcome {
            Err(failure) if !asks && failure.breaks => {
                self.clear();
                self.broken = Some(failure.code);
            }
            _ => {}
        }
        outcome
    }

    fn dispatch(&mut self, call: Call, session: &Session, terms: Terms<'_>) -> Outcome {
        match call {
            Call::Prepare(sql) => self.prepare(&sql, session),
            Call::SetTable(name) => {
                let outcome = self.set_table(&name, session);
                self.hold_tags(outcome, terms)
            }
            Call::Tags(tags) => {
                let outcome = self.set_tags_json(&tags, session);
                self.hold_tags(outcome, terms)
            }
            Call::TagsBlock(block) => {
                let outcome = self.set_tags_block(block, session);
                self.hold_tags(outcome, terms)
            }
            Call::Bind(columns) => self.bind_json(&columns, session, terms),
            Call::BindBlock(block) => self.bind_block(block, session, terms),
            Call::AddBatch => self.add_batch(),
            Call::Exec | Call::Exec2 => self.execute(session),
            Call::TagFields => self.tag_fields(session),
            Call::ColFields => self.column_fields(session),
            Call::Result2 if terms.empty_result && self.is_insert() => Ok(Done::NoColumns),
            Call::UseResult | Call::Result2 => self.opened_result(),
            Call::NumParams => self.num_params(session),
            Call::GetParam(index) => self.get_param(index, session),
            Call::Prepare2 { sql, get_fields } => self.prepare2(&sql, get_fields, session),
            Call::Bind2(bind) => self.bind2(&bind, session, terms),
            Call::Close | Call::Close2 => Ok(Done::Plain),
        }
    }

    /// Takes the memory of the tags that `outcome` left.
    fn hold_tags(&mut self, outcome: Outcome, terms: Terms<'_>) -> Outcome {
        let bytes = self.tags.as_ref().map_or(0, Tags::bytes);
        match terms.room.take(bytes, self.tags_held.bytes()) {
            Ok(held) => self.tags_held = held,
            Err(full) => {
                self.tags = None;
                self.tags_held = Held::default();
                return outcome.and(Err(full.into()));
            }
        }
        outcome
    }

    fn is_insert(&self) -> bool {
        self.prepared.as_ref().is_some_and(Prepared::is_insert)
    }

    /// Reads the SQL; whatever was before is forgotten.
    pub(super) fn read_sql(&mut self, sql: &str, session: &Session) -> Result<bool, Failure> {
        self.clear();
        if sql.len() > MAX_STATEMENT {
            return Err(statement_too_long().into());
        }
        let prepared = session.prepare(sql.trim())?;
        let is_insert = prepared.is_insert();
        self.prepared = Some(prepared);
        Ok(is_insert)
    }

    pub(super) fn prepared(&self) -> Result<&Prepared, Failure> {
        self.prepared.as_ref().ok_or_else(out_of_order)
    }

    /// Takes the values of a query's placeholders.
    pub(super) fn bind_values(&mut self, columns: &[Source<'_>], terms: Terms<'_>) -> Outcome {
        let texts = columns.iter().map(Source::text_bytes).sum::<usize>();
        let bytes = texts.saturating_add(size_of_val(columns));
        let held = terms.room.take(bytes, self.values_held.bytes())?;
        let values = literals(columns)?;
        if values.len() != self.prepared()?.placeholders() {
            return Err(Failure::engine(
                0x0236,
                "bind number out of range or not match",
            ));
        }
        self.values = Some(values);
        self.values_held = held;
        Ok(Done::Plain)
    }

    fn execute(&mut self, session: &Session) -> Outcome {
        self.drop_result();
        let prepared = self.prepared()?;
        if prepared.is_insert() && prepared.placeholders() > 0 {
            let batch = std::mem::take(&mut self.batch);
            if batch.is_empty() {
                return Err(out_of_order());
            }
            let template = self.prepared()?.template();
            let sql = template.map_or("", |template| template.sql.as_str());
            return Ok(Done::Executed(session.write_batch(batch, sql)?));
        }
        let values = match &self.values {
            Some(values) => values.as_slice(),
            None if prepared.placeholders() == 0 => &[],
            None => return Err(out_of_order()),
        };
        Ok(match session.run_prepared(prepared, values)? {
            Answer::Affected(rows) => Done::Executed(rows),
            Answer::Rows(rows) => Done::Opened(rows),
        })
    }

    fn opened_result(&self) -> Outcome {
        if self.is_insert() {
            return Err(Failure::adapter("stmt is insert, no result set"));
        }
        let result = self.result.clone().ok_or_else(out_of_order)?;
        Ok(Done::Result(result))
    }
}

/// A column of a block that a client sent; the bytes behind the block are not looked at.
pub(super) fn block(bytes: bytes::Bytes, precision: Precision) -> Result<RawBlock, Failure> {
    RawBlock::parse_from_raw_block(bytes, precision)
        .map_err(|error| Failure::adapter(error.to_string()))
}

pub(super) fn sources(views: &[ColumnView]) -> Vec<Source<'_>> {
    views.iter().map(Source::View).collect()
}

/// Adds values for one table to `batch`.
pub(super) fn add(
    session: &Session,
    shape: &Shape,
    table: BoundTable<'_>,
    batch: &mut Batch,
    terms: Terms<'_>,
) -> Result<(), Failure> {
    let rules = session.rules(shape, terms.decimal_text);
    session.bind(shape, table, &rules, (terms.room, terms.replaced), batch)?;
    Ok(())
}

impl From<crate::engine::SqlError> for Failure {
    fn from(error: crate::engine::SqlError) -> Self {
        Self {
            breaks: error.code != ADAPTER_ERROR,
            code: error.code,
            message: error.message,
        }
    }
}
