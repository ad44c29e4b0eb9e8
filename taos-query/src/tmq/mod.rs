//! Subscriptions: what a consumer is, whatever backend it reads from, and what its messages hold.

mod consumer;
mod message;
mod offset;
pub mod raw;
mod timeout;

pub use consumer::AsAsyncConsumer;
pub use message::{Data, IsAsyncData, IsAsyncMeta, MessageContent, MessageSet, Meta};
pub use offset::{Assignment, IsOffset, Offset, VGroupId};
pub use timeout::{Timeout, TimeoutError};
