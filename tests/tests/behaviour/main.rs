//! One behaviour suite for every backend and server, against the public API only.

mod arrow;
mod bound_types;
mod concurrency;
mod documented;
mod events;
mod fault_table;
mod faults;
mod inserter;
mod load;
mod mistakes;
mod pools;
mod programs;
mod queries;
mod raw_blocks;
mod records;
mod schemaless;
mod seed;
mod stmt;
mod stmt2;
mod stmt2_plain;
mod surface;
mod sync;
mod tmq;
mod typed_batches;
mod types;
mod zones;
