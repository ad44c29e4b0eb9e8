//! One statement on the server: the messages of both generations.

use crate::client::Client;
use crate::connection::{Link, Payload, QueryAnswer, Reading, StmtHandle, text};
use crate::protocol::{
    Action, BadBind, BindForm, BindTable, ReqArgs, Stmt2InitArgs, Stmt2PrepareArgs, StmtArgs,
    StmtFieldReply, StmtPrepareArgs, StmtTableArgs, TextReply, Version, encode_bind,
    encode_set_tags, encode_stmt2_bind,
};
use crate::tries::Stop;
use bytes::{Bytes, BytesMut};
use std::ops::Range;
use std::sync::Arc;
use taos_query::block::{ColumnView, RawBlock};
use taos_query::common::{Precision, Ty};
use taos_query::stmt::logic::{
    self, Bound, Dialect, Generation, Outline, Peer, Prepared, rounds, slice, table_field,
    tag_column,
};
use taos_query::stmt::{BindType, Stmt2Field};
use taos_query::util::generate_req_id;
use taos_query::{ErrorKind, RawError, RawResult};

/// "Table does not exist", which a table that is not named yet causes too (§9.1).
const NO_TABLE: u32 = 0x022B;

type Step<T> = Result<T, Stop>;

/// How a statement is opened.
#[derive(Debug, Clone, Default)]
pub(super) struct Opening {
    /// For the first opening only.
    pub(super) req_id: Option<u64>,
    pub(super) single_stb_insert: bool,
    pub(super) single_table_bind_once: bool,
}

/// A statement that the server holds. Dropping it closes it, once no result needs it.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) link: Arc<Link>,
    handle: Arc<StmtHandle>,
    client: Arc<Client>,
    /// The server has its SQL.
    pub(super) prepared: bool,
    /// The session's database when that was prepared.
    pub(super) database: String,
}

impl Remote {
    pub(super) async fn open(
        client: &Arc<Client>,
        link: &Arc<Link>,
        opening: &mut Opening,
    ) -> Step<Self> {
        if link.old_endpoint {
            return Err(link.too_old("a statement", Version::UNIFIED).into());
        }
        let req_id = opening.req_id.take().unwrap_or_else(generate_req_id);
        let request = if link.version >= Version::STMT2 {
            let args = Stmt2InitArgs::new(
                req_id,
                opening.single_stb_insert,
                opening.single_table_bind_once,
            );
            text(&Action::Stmt2Init, &args)
        } else {
            text(&Action::Init, &ReqArgs::new(req_id))
        };
        let answer = link.open_statement(req_id, request).await?;
        client.check(link, &answer.reply)?;
        let handle = answer.handle.ok_or_else(|| {
            RawError::of(ErrorKind::Closed, "the connection was closed meanwhile")
        })?;
        Ok(Self {
            link: link.clone(),
            handle: Arc::new(handle),
            client: client.clone(),
            prepared: false,
            database: String::new(),
        })
    }

    /// True if this can go on: on the connection in use, and no result of it is being read.
    pub(super) fn serves(&self, link: &Arc<Link>) -> bool {
        Arc::ptr_eq(&self.link, link) && Arc::strong_count(&self.handle) == 1
    }

    pub(super) fn id(&self) -> u64 {
        self.handle.id()
    }

    /// Keeps the statement open as long as its result is read (§8, §9.1).
    pub(super) fn handle(&self) -> Arc<StmtHandle> {
        self.handle.clone()
    }

    pub(super) fn dialect(&self) -> Dialect {
        Dialect {
            peer: Peer::Server,
            generation: self.handle.generation(),
            version: self.link.version,
        }
    }

    fn is_first(&self) -> bool {
        self.handle.generation() == Generation::First
    }

    async fn call(&self, req_id: u64, payload: Payload) -> Step<Box<TextReply>> {
        Ok(self.link.call(req_id, payload).await?)
    }

    async fn checked(&self, req_id: u64, payload: Payload) -> Step<Box<TextReply>> {
        let reply = self.call(req_id, payload).await?;
        self.client.check(&self.link, &reply).map_err(explained)?;
        Ok(reply)
    }

    /// A request that only names the statement.
    async fn simple(&self, action: Action) -> Step<Box<TextReply>> {
        let req_id = generate_req_id();
        let args = StmtArgs::new(req_id, self.id());
        self.checked(req_id, text(&action, &args)).await
    }

    async fn prepare_second(&self, sql: &str, outline: &Outline) -> Step<Prepared> {
        let req_id = generate_req_id();
        // Without a table there are no fields to tell, and asking for them is an error (§9.1).
        let get_fields = !outline.needs_table();
        let args = Stmt2PrepareArgs::new(req_id, self.id(), sql, get_fields);
        let reply = self
            .call(req_id, text(&Action::Stmt2Prepare, &args))
            .await?;
        if reply.code == NO_TABLE && outline.table_mark && outline.insert {
            return Ok(Prepared {
                insert: true,
                fields: None,
                count: None,
            });
        }
        self.client.check(&self.link, &reply)?;
        let told = reply.is_insert && get_fields;
        Ok(Prepared {
            insert: reply.is_insert,
            count: usize::try_from(reply.fields_count).ok().filter(|n| *n > 0),
            fields: reply
                .fields
                .filter(|_| told)
                .map(|fields| fields.iter().map(public_field).collect()),
        })
    }

    async fn prepare_first(&self, sql: &str, outline: &Outline) -> Step<Prepared> {
        let req_id = generate_req_id();
        let args = StmtPrepareArgs::new(req_id, self.id(), sql);
        let reply = self.checked(req_id, text(&Action::Prepare, &args)).await?;
        let insert = reply.is_insert;
        let fields = if insert && !outline.table_mark {
            Some(self.fields_first(outline).await?)
        } else {
            None
        };
        Ok(Prepared {
            insert,
            count: fields.as_ref().map(Vec::len),
            fields,
        })
    }

    /// The fields of a first-generation INSERT whose table is set.
    async fn fields_first(&self, outline: &Outline) -> Step<Vec<Stmt2Field>> {
        let mut fields = Vec::new();
        if outline.table_mark {
            fields.push(table_field());
        }
        let mut ask = vec![(Action::GetColFields, 1)];
        if outline.tag_marks > 0 {
            ask.insert(0, (Action::GetTagFields, 2));
        }
        for (action, bind_type) in ask {
            let reply = self.simple(action).await?;
            for mut field in reply.fields.unwrap_or_default() {
                field.bind_type = bind_type;
                fields.push(public_field(&field));
            }
        }
        Ok(fields)
    }

    async fn set_table(&self, table: &str) -> Step<()> {
        let req_id = generate_req_id();
        let args = StmtTableArgs::new(req_id, self.id(), table);
        self.checked(req_id, text(&Action::SetTableName, &args))
            .await?;
        Ok(())
    }

    /// Sends all that was bound, one message after another (§14).
    /// Columns go as `types`, or as what they are where nobody knows.
    pub(super) async fn send(
        &self,
        bound: &[&Bound],
        types: &[Ty],
        buffer: &mut BytesMut,
    ) -> Step<()> {
        let rounds = rounds(bound.iter().copied());
        if self.is_first() {
            for (table, rows) in rounds.into_iter().flatten() {
                self.send_first(table, rows).await?;
            }
            return Ok(());
        }
        for round in rounds {
            let req_id = generate_req_id();
            let frame = self.frame(req_id, &round, types, buffer)?;
            self.checked(req_id, Payload::Binary(frame)).await?;
        }
        Ok(())
    }

    /// Data that the caller has brought into the form of the wire.
    pub(super) async fn send_raw(&self, payload: &[u8], req_id: u64) -> Step<()> {
        if self.is_first() {
            return Err(RawError::of(
                ErrorKind::Unsupported,
                format!(
                    "binding bytes needs a server of version {} or newer, this one is {}",
                    Version::STMT2,
                    self.link.version
                ),
            )
            .into());
        }
        let frame = crate::protocol::frame_stmt2_bind(req_id, self.id(), payload);
        self.checked(req_id, Payload::Binary(frame)).await?;
        Ok(())
    }

    fn frame(
        &self,
        req_id: u64,
        round: &[(&Bound, Range<usize>)],
        types: &[Ty],
        buffer: &mut BytesMut,
    ) -> RawResult<Bytes> {
        let sliced: Vec<Option<Vec<ColumnView>>> = round
            .iter()
            .map(|(table, rows)| slice(&table.columns, rows))
            .collect();
        let tables: Vec<BindTable<'_>> = round
            .iter()
            .zip(&sliced)
            .map(|((table, _), sliced)| BindTable {
                name: table.name.as_deref(),
                tags: &table.tags,
                columns: sliced.as_deref().unwrap_or(&table.columns),
            })
            .collect();
        let decimal_text = self.dialect().decimal_text();
        let forms: Vec<BindForm> = round
            .first()
            .map(|(table, _)| table.columns.as_slice())
            .unwrap_or_default()
            .iter()
            .enumerate()
            .map(|(index, column)| BindForm {
                ty: types.get(index).copied().unwrap_or_else(|| column.as_ty()),
                decimal_text,
            })
            .collect();
        encode_stmt2_bind(buffer, req_id, self.id(), &tables, &[], &forms).map_err(unencodable)?;
        Ok(buffer.split().freeze())
    }

    async fn send_first(&self, table: &Bound, rows: Range<usize>) -> Step<()> {
        if let Some(name) = &table.name {
            self.set_table(name).await?;
        }
        if !table.tags.is_empty() {
            let columns: Vec<ColumnView> = table
                .tags
                .iter()
                .map(tag_column)
                .collect::<RawResult<_>>()?;
            let block = block_of(&columns)?;
            let req_id = generate_req_id();
            let frame = encode_set_tags(req_id, self.id(), block.as_raw_bytes());
            self.checked(req_id, Payload::Binary(frame)).await?;
        }
        let sliced = slice(&table.columns, &rows);
        let block = block_of(sliced.as_deref().unwrap_or(&table.columns))?;
        let req_id = generate_req_id();
        let frame = encode_bind(req_id, self.id(), block.as_raw_bytes());
        self.checked(req_id, Payload::Binary(frame)).await?;
        self.simple(Action::AddBatch).await?;
        Ok(())
    }

    /// Runs it; gives the rows changed.
    pub(super) async fn exec(&self) -> Step<usize> {
        let action = if self.is_first() {
            Action::Exec
        } else {
            Action::Stmt2Exec
        };
        let reply = self.simple(action).await?;
        Ok(usize::try_from(reply.affected).unwrap_or(0))
    }

    /// The result of an executed query, whose first block is on its way.
    pub(super) async fn result(&self) -> Step<QueryAnswer> {
        let action = if self.is_first() {
            Action::UseResult
        } else {
            Action::Stmt2Result
        };
        let req_id = generate_req_id();
        let args = StmtArgs::new(req_id, self.id());
        let mut answer = self
            .link
            .query(req_id, text(&action, &args), Reading::All)
            .await?;
        self.client.check(&self.link, &answer.reply)?;
        declare_widths(&mut answer.reply);
        Ok(answer)
    }
}

impl logic::Remote for Remote {
    type Stop = Stop;

    async fn prepare(&mut self, sql: &str, outline: &Outline) -> Step<Prepared> {
        let prepared = if self.is_first() {
            self.prepare_first(sql, outline).await?
        } else {
            self.prepare_second(sql, outline).await?
        };
        self.prepared = true;
        Ok(prepared)
    }

    async fn fields_of(
        &mut self,
        sql: &str,
        outline: &Outline,
        (table, place): (&str, &str),
        probe: &mut Option<Self>,
    ) -> Step<Vec<Stmt2Field>> {
        if self.is_first() {
            self.set_table(table).await?;
            return self.fields_first(outline).await;
        }
        // A statement of its own, because this one may have been bound already.
        let mut other = match probe.take() {
            Some(probe) => probe,
            None => Self::open(&self.client, &self.link, &mut Opening::default()).await?,
        };
        let sql = outline.with_table(sql, place);
        let prepared = other.prepare(&sql, &Outline::of(&sql)).await?;
        *probe = Some(other);
        let mut fields = prepared.fields.unwrap_or_default();
        fields.insert(0, table_field());
        Ok(fields)
    }
}

/// An engine error leaves the statement broken, with what was bound before (§8, §9.4).
fn explained(error: RawError) -> RawError {
    if error.message().is_empty() || error.message() == "success" {
        let words = error.code().text().unwrap_or("the server refused it");
        return RawError::new(error.code(), words);
    }
    error
}

/// A field of a reply in the form that users know.
fn public_field(field: &StmtFieldReply) -> Stmt2Field {
    Stmt2Field::new(
        field.name.clone(),
        field.field_type,
        field.precision,
        field.scale,
        field.bytes,
        BindType::from(field.bind_type),
    )
}

fn unencodable(error: BadBind) -> RawError {
    RawError::of(ErrorKind::Config, error.to_string()).with_source(error)
}

/// The server takes the numbers of timestamps as they are, and they have the right unit by now.
fn block_of(columns: &[ColumnView]) -> RawResult<RawBlock> {
    let unit = columns
        .iter()
        .find(|column| column.as_ty() == Ty::Timestamp)
        .map_or(Precision::Millisecond, ColumnView::precision);
    RawBlock::try_from_views(columns, unit)
}

/// Storage widths, as results of statements tell them, to declared ones, as all others do.
fn declare_widths(reply: &mut TextReply) {
    let types = reply.fields_types.iter().flatten();
    for (ty, length) in types.zip(reply.fields_lengths.iter_mut().flatten()) {
        *length = match Ty::from_u8_option(*ty) {
            Some(Ty::NChar) => (*length - 2).max(0) / 4,
            Some(Ty::VarChar | Ty::VarBinary | Ty::Geometry) => (*length - 2).max(0),
            _ => *length,
        };
    }
}
