//! Shared pieces of the example programs.
#![forbid(unsafe_code)]
