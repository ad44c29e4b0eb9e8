//! The C interface of TDengine's client library over the WebSocket backend: a drop-in `libtaos.so`.
//!
//! # Parts
//!
//! - `error`: codes, and the last error of each thread;
//! - `guard`: what surrounds every exported function;
//! - `handle`: how objects become pointers and are found again;
//! - `runtime`: waiting for futures, and calling back.

pub mod error;
mod guard;
mod handle;
mod runtime;
