//! Native backend of the taos SDK: TDengine's client library `libtaos`, opened at run time.
//!
//! # Parts
//!
//! - `ffi`: the library's symbols, which versions have them, and how the library is found;
//! - `raw`: one safe owner for each kind of C handle, and the callbacks;
//! - everything else is the common traits over these, and has no `unsafe`.
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "the symbols of a C library")]
mod ffi;
#[allow(unsafe_code, reason = "the owners of C handles")]
mod raw;
