//! What a message holds: fetched whole, or asked for piece by piece.

use super::session::{Session, Trouble};
use super::shared::Shared;
use crate::protocol::{Action, MessageArgs, TmqFrame};
use bytes::Bytes;
use chrono_tz::Tz;
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use taos_query::common::Precision;
use taos_query::tmq::raw::{DATA, DATA_AND_TABLES, DataReader, EntrySchema};
use taos_query::tmq::{Data, MessageContent, MessageSet, Meta};
use taos_query::util::generate_req_id;
use taos_query::{Code, ErrorKind, RawBlock, RawData, RawError, RawResult};
use tokio::runtime;
use tokio::task::JoinHandle;

/// `message_type` of rows as they are stored (taosadapter-ws §11.2).
pub(super) const STORED: i32 = 4;
/// `message_type` of meta, and of meta with rows (taosadapter-ws §11.2).
pub(super) const META: i32 = 2;
pub(super) const META_AND_ROWS: i32 = 3;

/// A message of a `message_type`.
pub(super) fn set(
    kind: i32,
    content: Arc<dyn MessageContent>,
) -> Result<MessageSet<Meta, Data>, Trouble> {
    match kind {
        1 | STORED => Ok(MessageSet::Data(Data::new(content))),
        META => Ok(MessageSet::Meta(Meta::new(content))),
        META_AND_ROWS => Ok(MessageSet::MetaData(
            Meta::new(Arc::clone(&content)),
            Data::new(content),
        )),
        other => Err(Trouble::Refused(
            RawError::of(
                ErrorKind::Protocol,
                format!("the server sent a message of the unknown type {other}"),
            )
            .with_code(Code::WS_BAD_ANSWER),
        )),
    }
}

/// What every block is told about where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) database: Arc<str>,
    pub(super) zone: Option<Tz>,
    pub(super) home: Option<runtime::Id>,
    /// The description of columns that was read last, by whichever message: the next one most likely
    /// has the same.
    pub(super) schema: Arc<Mutex<Option<Arc<EntrySchema>>>>,
}

impl Origin {
    fn schema(&self) -> MutexGuard<'_, Option<Arc<EntrySchema>>> {
        self.schema.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, mut block: RawBlock) -> RawBlock {
        block.with_shared_database_name(Arc::clone(&self.database));
        block.with_timezone(self.zone);
        block
    }
}

/// A message that was fetched whole.
#[derive(Debug)]
pub(super) struct Whole {
    raw_type: u16,
    raw: Bytes,
    json: Option<String>,
    blocks: Mutex<Blocks>,
    origin: Origin,
}

#[derive(Debug)]
enum Blocks {
    Unread(Box<DataReader>),
    Left(Box<DataReader>),
    Bad(Option<RawError>),
    /// Rows as they are stored, which nobody but a server can read.
    Stored,
    None,
}

impl Whole {
    /// Also gives the version behind the message, where its head tells it.
    pub(super) fn new(
        raw_type: u16,
        raw: Bytes,
        json: Option<String>,
        origin: Origin,
        message_type: i32,
    ) -> (Self, Option<i64>) {
        let mut next = None;
        let blocks = match raw_type {
            DATA | DATA_AND_TABLES => match DataReader::open(raw_type, raw.clone()) {
                Ok(reader) => {
                    next = reader.end().version();
                    Blocks::Unread(Box::new(reader))
                }
                Err(error) => Blocks::Bad(Some(error)),
            },
            _ if message_type == STORED => Blocks::Stored,
            _ => Blocks::None,
        };
        let whole = Self {
            raw_type,
            raw,
            json,
            blocks: Mutex::new(blocks),
            origin,
        };
        (whole, next)
    }

    fn next_block(&self) -> RawResult<Option<RawBlock>> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*blocks, Blocks::Unread(_))
            && let Blocks::Unread(reader) = std::mem::replace(&mut *blocks, Blocks::None)
        {
            let schema = self.origin.schema().clone();
            *blocks = Blocks::Left(Box::new(reader.with_schema(schema)));
        }
        match &mut *blocks {
            Blocks::Left(reader) => {
                let block = reader.next_block()?;
                if block.is_none()
                    && let Some(schema) = reader.schema()
                {
                    *self.origin.schema() = Some(Arc::clone(schema));
                }
                Ok(block.map(|block| self.origin.mark(block)))
            }
            Blocks::Bad(error) => error.take().map_or(Ok(None), Err),
            Blocks::Stored => Err(stored()),
            Blocks::Unread(_) | Blocks::None => Ok(None),
        }
    }
}

impl MessageContent for Whole {
    fn fetch_block(&self) -> BoxFuture<'_, RawResult<Option<RawBlock>>> {
        ready(self.next_block()).boxed()
    }

    fn ready_block(&self) -> Option<RawResult<Option<RawBlock>>> {
        Some(self.next_block())
    }

    fn raw(&self) -> BoxFuture<'_, RawResult<RawData>> {
        ready(Ok(RawData::new(self.raw_type, self.raw.clone()))).boxed()
    }

    fn json_meta(&self) -> BoxFuture<'_, RawResult<String>> {
        let json = self.json.clone().unwrap_or_else(|| "null".to_owned());
        ready(Ok(json)).boxed()
    }

    fn home(&self) -> Option<runtime::Id> {
        self.origin.home
    }
}

fn stored() -> RawError {
    RawError::of(
        ErrorKind::Unsupported,
        "the rows came as they are stored (msg.consume.rawdata), which only a server can read: \
         use as_raw_data, or leave the parameter out",
    )
}

/// A message that stays on the server and is asked for there, block by block.
#[derive(Debug)]
pub(super) struct Lazy {
    message_id: u64,
    message_type: i32,
    source: Source,
    /// The block that is on its way. Its request goes on when the one who waits leaves, because the
    /// server steps to the next block with each.
    block: tokio::sync::Mutex<Step>,
}

#[derive(Debug)]
enum Step {
    Idle,
    Fetching(JoinHandle<RawResult<Option<RawBlock>>>),
    End,
}

#[derive(Debug, Clone)]
struct Source {
    shared: Weak<Shared>,
    session: Weak<Session>,
    origin: Origin,
}

impl Source {
    fn session(&self) -> RawResult<Arc<Session>> {
        self.session
            .upgrade()
            .filter(|session| session.link.is_usable())
            .ok_or_else(|| {
                RawError::of(
                    ErrorKind::Closed,
                    "the message is gone with the subscription it came by; it comes again unless it \
                     was committed",
                )
                .with_code(Code::WS_CLOSED)
            })
    }

    /// The rest of the message cannot be had any more: only a new subscription brings it again.
    fn miss(&self, session: &Arc<Session>, trouble: Trouble) -> RawError {
        let (unanswered, error) = match trouble {
            Trouble::Lost(error) => (true, error),
            Trouble::Refused(error) => (error.kind() == ErrorKind::Timeout, error),
        };
        if unanswered && let Some(shared) = self.shared.upgrade() {
            shared.lose(session, &error);
        }
        gone(Trouble::Refused(error))
    }

    async fn block(self, message_id: u64) -> RawResult<Option<RawBlock>> {
        let session = self.session()?;
        // The block comes under the id of the `fetch` before it (taosadapter-ws §11.4).
        let req_id = generate_req_id();
        let args = MessageArgs::new(req_id, message_id);
        let fields = session
            .text(Action::Fetch, req_id, &args)
            .await
            .map_err(|trouble| self.miss(&session, session.named(trouble, "`fetch`")))?;
        if fields.completed {
            return Ok(None);
        }
        let frame = session
            .ask(Action::FetchBlock, req_id, &args, session.limit)
            .await
            .map_err(|trouble| self.miss(&session, session.named(trouble, "`fetch_block`")))?;
        let bytes = match frame {
            TmqFrame::Block(reply) => reply.block,
            other => {
                session.reply(other).map_err(gone)?;
                return Err(RawError::of(
                    ErrorKind::Protocol,
                    format!("{} sent no block", session.link.address()),
                )
                .with_code(Code::WS_BAD_ANSWER));
            }
        };
        let precision = u8::try_from(fields.precision)
            .ok()
            .and_then(Precision::from_u8_option)
            .unwrap_or(Precision::Millisecond);
        let mut block = RawBlock::parse_from_raw_block(bytes, precision)?;
        if let Some(names) = &fields.fields_names {
            block.with_field_names(names);
        }
        if let Some(table) = fields.table_name.filter(|table| !table.is_empty()) {
            block.with_table_name(table);
        }
        Ok(Some(self.origin.mark(block)))
    }
}

/// The server keeps a message only until the next one.
fn gone(trouble: Trouble) -> RawError {
    let error = trouble.into_error();
    let message = error.message();
    if message.contains("has been freed")
        || message.contains("not equal")
        || message.contains("message is nil")
    {
        return error.context(
            "the message is gone; this server keeps it only until the next one is asked for, so \
             read all of it before",
        );
    }
    error
}

impl Lazy {
    pub(super) fn new(
        shared: &Arc<Shared>,
        session: &Arc<Session>,
        message_id: u64,
        message_type: i32,
        origin: Origin,
    ) -> Self {
        Self {
            message_id,
            message_type,
            source: Source {
                shared: Arc::downgrade(shared),
                session: Arc::downgrade(session),
                origin,
            },
            block: tokio::sync::Mutex::new(Step::Idle),
        }
    }

    async fn next_block(&self) -> RawResult<Option<RawBlock>> {
        if self.message_type == STORED {
            return Err(stored());
        }
        let mut step = self.block.lock().await;
        if matches!(*step, Step::Idle) {
            let session = self.source.session()?;
            let fetch = self.source.clone().block(self.message_id);
            *step = Step::Fetching(session.link.runtime.spawn(fetch));
        }
        let Step::Fetching(fetching) = &mut *step else {
            return Ok(None);
        };
        let block = fetching.await.unwrap_or_else(|_| {
            Err(RawError::of(
                ErrorKind::Closed,
                "the runtime of the consumer was shut down",
            ))
        });
        *step = match block {
            Ok(Some(_)) => Step::Idle,
            _ => Step::End,
        };
        block
    }
}

impl MessageContent for Lazy {
    fn fetch_block(&self) -> BoxFuture<'_, RawResult<Option<RawBlock>>> {
        self.next_block().boxed()
    }

    fn raw(&self) -> BoxFuture<'_, RawResult<RawData>> {
        async {
            let session = self.source.session()?;
            let raw = session.raw_message(self.message_id).await;
            let (raw_type, raw) = raw.map_err(gone)?;
            Ok(RawData::new(raw_type, raw))
        }
        .boxed()
    }

    fn json_meta(&self) -> BoxFuture<'_, RawResult<String>> {
        async {
            let session = self.source.session()?;
            session.json_meta(self.message_id).await.map_err(gone)
        }
        .boxed()
    }

    fn home(&self) -> Option<runtime::Id> {
        self.source.origin.home
    }
}
