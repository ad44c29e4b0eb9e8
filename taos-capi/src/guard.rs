//! What surrounds every exported function: panics stop here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Failure, remember};

/// Runs the body of an exported function. A panic becomes the thread's last error and `fallback`.
pub(crate) fn guard<T>(name: &str, fallback: T, body: impl FnOnce() -> T) -> T {
    // What a panic leaves half done is a handle of the caller's, which reports an error from then on at worst.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(_) => {
            remember(Failure::new(
                0xFFFF,
                format!("internal error in {name}: a panic was caught"),
            ));
            fallback
        }
    }
}
