//! What the side-by-side benches need: a server that answers the protocol from prepared blocks,
//! so that the client is what is measured.
#![forbid(unsafe_code)]

pub mod replay;
