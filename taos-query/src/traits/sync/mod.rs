//! The blocking traits: one adapter over the async ones, for every backend at once.
//!
//! Connections made here live on [`global_tokio_runtime`](crate::util::global_tokio_runtime). The
//! calls may be made from plain threads and from inside runtimes of either kind.

mod builder;
mod fetch;
mod query;

pub use builder::TBuilder;
pub use fetch::{BlockIter, DeserializeIter, Fetchable, RowIter};
pub use query::Queryable;
