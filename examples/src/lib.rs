//! Programs to copy from, each with one idea:
//!
//! | program | shows |
//! | --- | --- |
//! | `quickstart` | the whole way: server in process, 2,922 rows in, structs out, tables printed |
//! | `query` | one result read as blocks, as rows and as structs |
//! | `create-database` | databases, super tables and subtables; a table described |
//! | `sync-query` | the same calls without async |
//! | `embedded-in-tests` | a test suite that brings its own server |
//!
//! Run one with `cargo run --example quickstart`. All but the last take `TAOS_DSN=ws://host:6041` to
//! use that server instead of one in process.
#![forbid(unsafe_code)]
