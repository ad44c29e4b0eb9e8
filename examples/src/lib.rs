//! Programs to copy from, each with one idea:
//!
//! | program | shows |
//! | --- | --- |
//! | `quickstart` | the whole way: server in process, 2,922 rows in, structs out, tables printed |
//! | `query` | one result read as blocks, as rows and as structs |
//! | `create-database` | databases, super tables and subtables; a table described |
//! | `sync-query` | the same calls without async |
//! | `bind` | a prepared INSERT with columns of every kind |
//! | `bind-tags` | the same into subtables, made with their tags |
//! | `stmt2` | many tables in one bind, a query with parameters |
//! | `inserter` | structs written in batches: the weather data, typed |
//! | `schemaless` | lines in three languages, tables made by the server |
//! | `pool` | connections shared by workers |
//! | `raw-block-copy` | a table copied in the form of the wire |
//! | `subscribe` | a topic over a database: tables and rows as they come, committed message by message |
//! | `tmq-block` | a topic over a query, read in columns, then again from the start |
//! | `tmq-typed` | rows of a topic as structs, acknowledged one by one, with a graceful end |
//! | `raw-dump`, `raw-restore` | a topic copied into a file, and from there into another database |
//! | `questdb-ingest` | QuestDB: rows into a buffer, the buffer to the server |
//! | `questdb-async` | QuestDB: a sender that flushes by itself, in an async program |
//! | `questdb-trades` | one program for TDengine and QuestDB, the DSN decides |
//! | `embedded-in-tests` | a test suite that brings its own server |
//!
//! Run one with `cargo run --example quickstart`. Those of TDengine but the last take
//! `TAOS_DSN=ws://host:6041` to use that server instead of one in process. `questdb-ingest` and
//! `questdb-async` need a QuestDB server, at `localhost:9000` or where `QUESTDB_ADDR` says.
#![forbid(unsafe_code)]

/// The programs of the guide's chapters that compile as they stand.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../docs/src/embedded-in-tests.md")]
    struct EmbeddedInTests;
    #[doc = include_str!("../../docs/src/questdb.md")]
    struct Questdb;
    #[doc = include_str!("../../docs/src/migration-questdb.md")]
    struct MigrationQuestdb;
    #[doc = include_str!("../../docs/src/two-databases.md")]
    struct TwoDatabases;
}
