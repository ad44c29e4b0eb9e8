//! Senders.

mod asynchronous;
mod auto;
mod blocking;
mod ecdsa;
mod lend;
mod progress;
mod tcp;
#[cfg(test)]
mod tests;

pub use asynchronous::AsyncSender;
pub use blocking::Sender;
