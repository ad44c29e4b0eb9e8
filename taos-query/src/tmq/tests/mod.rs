//! What consumers promise, over one that has its messages in memory.

mod blocking;
mod fake;
mod records;
mod streams;
