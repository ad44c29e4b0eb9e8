//! What the side-by-side benches need: servers that cost next to nothing, because their answers are
//! prepared, so that the client is what is measured.
#![forbid(unsafe_code)]

pub mod questdb;
pub mod replay;
