//! The traits of every backend. Async is the source of truth; the blocking traits are one generic
//! adapter over it, in [`sync`].

mod builder;
mod fetch;
mod helpers;
mod query;
pub mod sync;

pub use builder::AsyncTBuilder;
pub use fetch::{AsyncBlocks, AsyncDeserialized, AsyncFetchable, AsyncRows, PollBlock};
pub use helpers::Helpers;
pub use query::AsyncQueryable;
