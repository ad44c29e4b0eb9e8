//! WebSocket backend of the taos SDK: speaks taosAdapter's protocol.
#![forbid(unsafe_code)]

pub mod protocol;
