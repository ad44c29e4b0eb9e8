//! Safe owners of the library's handles, and its callbacks (native-ffi §3–§7).

pub(crate) mod blocking;
pub(crate) mod columns;
pub(crate) mod connection;
pub(crate) mod error;
pub(crate) mod reaper;
pub(crate) mod result;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod tmq;
