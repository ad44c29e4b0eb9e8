//! Subscriptions: what a consumer is, whatever backend it reads from, and what its messages hold.

#[doc(hidden)]
pub mod backend;
mod consumer;
mod json_meta;
mod message;
mod offset;
pub mod raw;
mod records;
mod shutdown;
pub mod sync;
#[cfg(test)]
mod tests;
mod timeout;

pub use consumer::{AsAsyncConsumer, MessageStream, Received};
#[doc(hidden)]
pub use json_meta::fuzz_json_meta;
pub use json_meta::{
    AlterType, FieldMore, JsonMeta, MetaAlter, MetaCreate, MetaDelete, MetaDrop, MetaUnit,
    TableTags, TagChange, TagWithValue,
};
pub use message::{Data, IsAsyncData, IsAsyncMeta, MessageContent, MessageSet, Meta};
pub use offset::{Assignment, IsOffset, Lag, Offset, VGroupId};
#[doc(hidden)]
pub use records::Leftovers;
pub use records::{Ack, Record, Records};
pub use shutdown::Shutdown;
pub use sync::{AsConsumer, IsData, IsMeta, MessageSetsIter};
pub use timeout::{Timeout, TimeoutError};
