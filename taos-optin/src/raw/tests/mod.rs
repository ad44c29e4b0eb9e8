//! Statements and results against a library that calls back when it is told to, and counts.
#![cfg(unix)]

mod fake;
mod queries;

use fake::Fake;
