//! What surrounds every exported function: panics stop here.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Failure, remember};

/// Runs the body of an exported function. A panic becomes the thread's last error and `fallback`.
pub(crate) fn guard<T>(name: &str, fallback: T, body: impl FnOnce() -> T) -> T {
    // What a panic leaves half done is a handle of the caller's, which reports an error from then on at worst.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => {
            remember(failure(name, payload));
            fallback
        }
    }
}

/// What a panic said. One that carries a [`Failure`] is how `runtime::wait` gives up.
pub(crate) fn failure(place: &str, payload: Box<dyn Any + Send>) -> Failure {
    let payload = match payload.downcast::<Failure>() {
        Ok(failure) => return *failure,
        Err(payload) => payload,
    };
    let words = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words");
    Failure::new(0xFFFF, format!("internal error in {place}: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::last;

    #[test]
    fn a_panic_becomes_the_threads_error_with_its_words() {
        let given = guard("taos_x", -1, || panic!("no such {}", "thing"));
        assert_eq!(given, -1);
        let words = last(|failure| failure.text().to_string_lossy().into_owned());
        assert_eq!(words, "internal error in taos_x: no such thing");
    }
}
