//! One behaviour suite for every backend and server, against the public API only.

mod arrow;
mod concurrency;
mod events;
mod fault_table;
mod faults;
mod load;
mod mistakes;
mod pools;
mod programs;
mod queries;
mod records;
mod seed;
mod surface;
mod sync;
mod types;
mod zones;
