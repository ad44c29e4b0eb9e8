//! Rows of topics as values of a Rust type, acknowledged one by one.

mod commit;
mod leftovers;
mod pace;
mod record;
mod stream;
mod tracker;

pub use leftovers::Leftovers;
pub use record::{Ack, Record};
pub use stream::Records;
