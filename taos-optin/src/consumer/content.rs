//! What a message holds, read whole where it came in; only its packed form is asked for later.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono_tz::Tz;
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use taos_query::common::Field;
use taos_query::tmq::{Data, MessageContent, MessageSet, Meta};
use taos_query::{ErrorKind, RawBlock, RawData, RawError, RawResult};

use crate::raw::blocking;
use crate::raw::tmq::{Kind, Message};

/// What every block is told about where it comes from.
pub(super) struct Origin {
    pub(super) database: Arc<str>,
    pub(super) zone: Option<Tz>,
}

/// A message that was read.
#[derive(Debug)]
struct Whole {
    kind: Kind,
    blocks: Mutex<VecDeque<RawResult<RawBlock>>>,
    json: Option<String>,
    message: Arc<Mutex<Message>>,
}

/// Reads a message, of which the error instead of its kind is told for rows. `fields` are columns that its blocks may
/// share.
pub(super) fn read(
    kind: RawResult<Kind>,
    message: &Arc<Mutex<Message>>,
    origin: &Origin,
    fields: &mut Option<Arc<[Field]>>,
) -> MessageSet<Meta, Data> {
    let mut blocks = VecDeque::new();
    let mut json = None;
    let kind = kind.unwrap_or_else(|error| {
        blocks.push_back(Err(error));
        Kind::Data
    });
    if blocks.is_empty() {
        let mut message = lock(message);
        if matches!(kind, Kind::Data | Kind::MetaData) {
            while let Some(block) = message.next_block(fields).transpose() {
                let failed = block.is_err();
                blocks.push_back(block.map(|mut block| {
                    block.with_shared_database_name(Arc::clone(&origin.database));
                    block.with_timezone(origin.zone);
                    block
                }));
                if failed {
                    break;
                }
            }
        }
        if matches!(kind, Kind::Meta | Kind::MetaData) {
            json = message.json();
        }
    }
    let whole = Arc::new(Whole {
        kind,
        blocks: Mutex::new(blocks),
        json,
        message: Arc::clone(message),
    });
    match kind {
        Kind::Data | Kind::Stored => MessageSet::Data(Data::new(whole)),
        Kind::Meta => MessageSet::Meta(Meta::new(whole)),
        Kind::MetaData => {
            let meta = Meta::new(Arc::<Whole>::clone(&whole));
            MessageSet::MetaData(meta, Data::new(whole))
        }
    }
}

pub(super) fn lock(message: &Mutex<Message>) -> MutexGuard<'_, Message> {
    message.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Whole {
    fn next_block(&self) -> RawResult<Option<RawBlock>> {
        if self.kind == Kind::Stored {
            return Err(RawError::of(
                ErrorKind::Unsupported,
                "the rows came as they are stored (msg.consume.rawdata), which only a server can read: \
                 use as_raw_data, or leave the parameter out",
            ));
        }
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.pop_front().transpose()
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
        let message = Arc::clone(&self.message);
        // The library packs the message, which takes it as long as the message is large.
        blocking::run(move || lock(&message).raw()).boxed()
    }

    fn json_meta(&self) -> BoxFuture<'_, RawResult<String>> {
        let json = self.json.clone().unwrap_or_else(|| "null".to_owned());
        ready(Ok(json)).boxed()
    }
}
