//! The C interface of TDengine's client library over the WebSocket backend: a drop-in `libtaos.so`.
//!
//! Programs written in C, or in what loads C libraries, use it as they use the native library, with the header
//! `include/taos.h`; `cargo xtask install-capi --prefix DIR` puts both in place. They reach taosAdapter (port 6041)
//! instead of the engine. Where connections go when a program does not say, [`config`] tells in a table.
//!
//! # Threads
//!
//! A connection may be used by any number of threads at a time. A result, statement or consumer is used by one at a
//! time. Callbacks run on threads of this library that may block, so that they may call any function, wait, and free
//! what they were given. A result that is freed while a fetch of it is under way stays until its callback has returned.
//! Closing a connection leaves what came from it usable.
//!
//! # Parts
//!
//! - `error`: codes, and the last error of each thread;
//! - `guard`: what surrounds every exported function;
//! - `handle`: how objects become pointers and are found again;
//! - `runtime`: waiting for futures, and calling back;
//! - `stop`: giving up work that is under way;
//! - [`types`], [`constants`], `fields`: names, numbers and columns as C has them;
//! - [`connect`], [`options`], [`config`]: connections, and where they go;
//! - `result`: what `TAOS_RES*` stands for; [`query`], [`fetch`], `rows`: how it is made and read;
//! - [`stmt`], [`stmt2`], `statement`, `binds`: prepared statements, and what is bound to them;
//! - [`schemaless`], [`mod@write`]: writes that are not SQL;
//! - [`tmq`], `message`: consumers of topics;
//! - [`unsupported`]: what has no meaning over WebSocket.

mod args;
mod binds;
pub mod config;
pub mod connect;
pub mod constants;
pub mod error;
pub mod fetch;
mod fields;
mod guard;
mod handle;
mod message;
pub mod misc;
pub mod options;
pub mod print;
pub mod query;
pub mod read;
mod result;
mod rows;
mod runtime;
pub mod schemaless;
pub mod session;
mod statement;
pub mod stmt;
pub mod stmt2;
mod stop;
pub mod tmq;
pub mod types;
pub mod unsupported;
pub mod version;
pub mod write;
mod zone;
