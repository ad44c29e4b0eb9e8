use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use futures_util::future::BoxFuture;
use futures_util::stream::try_unfold;
use tokio::runtime;

use super::JsonMeta;
use crate::error::RawResult;
use crate::{RawBlock, RawData, RawMeta};

/// What a backend brings of a message. Where the message was fetched whole, the futures are ready at once.
pub trait MessageContent: fmt::Debug + Send + Sync {
    /// The next block of rows; `None` at the end, and after it.
    fn fetch_block(&self) -> BoxFuture<'_, RawResult<Option<RawBlock>>>;

    /// What [`fetch_block`](Self::fetch_block) gives, if nothing has to be waited for; `None` if something has. A
    /// backend that has the whole message here answers, which spares a future a block.
    fn ready_block(&self) -> Option<RawResult<Option<RawBlock>>> {
        None
    }

    /// The message as the server packs it (tmq-raw §2, §4).
    fn raw(&self) -> BoxFuture<'_, RawResult<RawData>>;

    /// What the message says of tables, as JSON text (tmq-raw §6).
    fn json_meta(&self) -> BoxFuture<'_, RawResult<String>>;

    /// The runtime that the consumer's task lives on.
    fn home(&self) -> Option<runtime::Id> {
        None
    }
}

/// Rows of a message.
#[derive(Debug, Clone)]
pub struct Data(Arc<dyn MessageContent>);

/// What a message says of tables: created, changed, dropped, or rows deleted.
#[derive(Debug, Clone)]
pub struct Meta(Arc<dyn MessageContent>);

impl Data {
    /// The rows of a message; used by backends.
    pub fn new(content: Arc<dyn MessageContent>) -> Self {
        Self(content)
    }
}

impl Meta {
    /// The meta of a message; used by backends.
    pub fn new(content: Arc<dyn MessageContent>) -> Self {
        Self(content)
    }

    /// The JSON text as the server wrote it (tmq-raw §6); `null` for what has no such form.
    ///
    /// # Errors
    /// Where the message is not here, those of asking the server for it.
    pub async fn as_json_text(&self) -> RawResult<String> {
        self.0.json_meta().await
    }
}

/// Meta of a message.
pub trait IsAsyncMeta {
    /// The runtime that the consumer's task lives on.
    #[doc(hidden)]
    fn home(&self) -> Option<runtime::Id> {
        None
    }

    /// As the server packs it, to be replayed.
    fn as_raw_meta(&self) -> impl Future<Output = RawResult<RawMeta>> + Send;

    /// As values that print as SQL.
    fn as_json_meta(&self) -> impl Future<Output = RawResult<JsonMeta>> + Send;
}

impl IsAsyncMeta for Meta {
    fn home(&self) -> Option<runtime::Id> {
        self.0.home()
    }

    async fn as_raw_meta(&self) -> RawResult<RawMeta> {
        self.0.raw().await
    }

    async fn as_json_meta(&self) -> RawResult<JsonMeta> {
        JsonMeta::parse(&self.0.json_meta().await?)
    }
}

/// Rows of a message.
pub trait IsAsyncData: Sync {
    /// The runtime that the consumer's task lives on.
    #[doc(hidden)]
    fn home(&self) -> Option<runtime::Id> {
        None
    }

    /// See [`MessageContent::ready_block`].
    #[doc(hidden)]
    fn ready_block(&self) -> Option<RawResult<Option<RawBlock>>> {
        None
    }

    /// As the server packs them, to be replayed.
    fn as_raw_data(&self) -> impl Future<Output = RawResult<RawData>> + Send;

    /// The next block, with the name of its table where the topic tells it; `None` at the end.
    fn fetch_raw_block(&self) -> impl Future<Output = RawResult<Option<RawBlock>>> + Send;

    /// The blocks that have not been taken yet, one after another.
    fn blocks(&self) -> Pin<Box<dyn Stream<Item = RawResult<RawBlock>> + Send + '_>> {
        Box::pin(try_unfold((), move |()| async move {
            Ok(self.fetch_raw_block().await?.map(|block| (block, ())))
        }))
    }
}

impl IsAsyncData for Data {
    fn home(&self) -> Option<runtime::Id> {
        self.0.home()
    }

    fn ready_block(&self) -> Option<RawResult<Option<RawBlock>>> {
        self.0.ready_block()
    }

    async fn as_raw_data(&self) -> RawResult<RawData> {
        self.0.raw().await
    }

    async fn fetch_raw_block(&self) -> RawResult<Option<RawBlock>> {
        self.0.fetch_block().await
    }
}

/// A message: meta, rows, or both.
#[derive(Debug, Clone)]
pub enum MessageSet<M, D> {
    /// Tables were created, changed or dropped, or rows deleted.
    Meta(M),
    /// Rows.
    Data(D),
    /// Rows, and the tables that were created for them.
    MetaData(M, D),
}

impl<M, D> MessageSet<M, D> {
    /// The meta, if there is any.
    pub fn into_meta(self) -> Option<M> {
        match self {
            Self::Meta(meta) | Self::MetaData(meta, _) => Some(meta),
            Self::Data(_) => None,
        }
    }

    /// The rows, if there are any.
    pub fn into_data(self) -> Option<D> {
        match self {
            Self::Data(data) | Self::MetaData(_, data) => Some(data),
            Self::Meta(_) => None,
        }
    }

    /// True with meta.
    pub const fn has_meta(&self) -> bool {
        matches!(self, Self::Meta(_) | Self::MetaData(..))
    }

    /// True with rows.
    pub const fn has_data(&self) -> bool {
        matches!(self, Self::Data(_) | Self::MetaData(..))
    }

    /// The meta, if there is any.
    pub const fn meta(&self) -> Option<&M> {
        match self {
            Self::Meta(meta) | Self::MetaData(meta, _) => Some(meta),
            Self::Data(_) => None,
        }
    }

    /// The rows, if there are any.
    pub const fn data(&mut self) -> Option<&mut D> {
        match self {
            Self::Data(data) | Self::MetaData(_, data) => Some(data),
            Self::Meta(_) => None,
        }
    }
}
