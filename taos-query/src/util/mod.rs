//! Small tools: request ids, escaping of SQL text, and the runtime behind blocking calls.

mod edition;
mod escape;
pub mod hex;
mod inline;
mod req_id;
mod runtime;
mod secret;
mod totp;

pub use edition::Edition;
pub use escape::sql_value_escape;
pub use inline::{
    AsyncInlinable, AsyncInlinableRead, AsyncInlinableWrite, Inlinable, InlinableRead,
    InlinableWrite, InlineOpts,
};
pub(crate) use inline::{Blocking, now, read_bytes, read_text, write_text};
pub use req_id::generate_req_id;
pub use runtime::{block_in_place_or_global, global_tokio_runtime};
#[doc(hidden)]
pub use runtime::{block_on, pause};
pub(crate) use runtime::{with_timers, within};
#[doc(hidden)]
pub use secret::Secret;
pub use totp::{
    current_totp_code, decode_totp_secret, encode_totp_secret, generate_totp_code,
    generate_totp_secret,
};
