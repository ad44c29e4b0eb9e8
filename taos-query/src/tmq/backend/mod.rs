//! What the consumers of all backends have in common: how far they are, who waits for a message, what an
//! automatic commit covers, and what a DSN says of a subscription. Nothing here talks to anyone.

mod places;
mod refusals;
mod subscription;
mod wants;

pub use places::{Mark, Place, Places};
pub use refusals::{
    FOREIGN, FOREIGN_TOPIC, NOTHING_COMMITTED, OUT_OF_RANGE, SNAPSHOT, SNAPSHOT_OFFSET, TOO_EARLY,
    hint, not_subscribed, snapshot_waits, superseded,
};
pub use subscription::{DOTTED, SHORT, Subscription};
pub use wants::{Until, Wants, wait};
