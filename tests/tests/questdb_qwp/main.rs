//! QWP against the server of the tests, which shares no code with the backend.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails where something is missing"
)]

mod egress;
mod failover;
mod ingest;
mod outages;
mod queries;
mod shapes;
mod silence;
mod store;
