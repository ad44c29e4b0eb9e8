//! How objects become pointers and are found again.
//!
//! Every object that a program holds begins with a word that says what it is, so that NULL and a handle of
//! another kind are refused. What the program has freed must not be given to us again, as in every C library.

use std::ffi::c_void;

/// An object that C programs hold.
pub(crate) trait Object: Sized + Send {
    /// Different for each kind.
    const KIND: u64;
}

#[repr(C)]
struct Held<T> {
    kind: u64,
    object: T,
}

/// Gives an object away; [`take`] gets it back.
pub(crate) fn give<T: Object>(object: T) -> *mut c_void {
    Box::into_raw(Box::new(Held {
        kind: T::KIND,
        object,
    }))
    .cast()
}

fn is<T: Object>(pointer: *const c_void) -> bool {
    if pointer.is_null() || !pointer.addr().is_multiple_of(align_of::<Held<T>>()) {
        return false;
    }
    // SAFETY: a handle that is not NULL comes from `give` and is alive: the caller's duty in C. All kinds begin
    // with this word.
    unsafe { *pointer.cast::<u64>() == T::KIND }
}

/// The object behind a handle; none for NULL and for a handle of another kind.
///
/// # Safety
/// A handle that is not NULL comes from [`give`] and was not taken back. It stays so for as long as the
/// reference is used.
pub(crate) unsafe fn at<'a, T: Object>(pointer: *const c_void) -> Option<&'a T> {
    if !is::<T>(pointer) {
        return None;
    }
    // SAFETY: the word says that this is a `Held<T>`, and the caller that it is alive.
    Some(unsafe { &(*pointer.cast::<Held<T>>()).object })
}

/// As [`at`], to be changed.
///
/// # Safety
/// As [`at`], and nobody else uses the object meanwhile.
pub(crate) unsafe fn at_mut<'a, T: Object>(pointer: *mut c_void) -> Option<&'a mut T> {
    if !is::<T>(pointer) {
        return None;
    }
    // SAFETY: as in `at`, and the caller has it alone.
    Some(unsafe { &mut (*pointer.cast::<Held<T>>()).object })
}

/// Takes an object back.
///
/// # Safety
/// As [`at_mut`]; the handle is worth nothing afterwards.
pub(crate) unsafe fn take<T: Object>(pointer: *mut c_void) -> Option<T> {
    if !is::<T>(pointer) {
        return None;
    }
    // SAFETY: it was made by `Box::into_raw` of this type, and the caller gives it up.
    let mut held = unsafe { Box::from_raw(pointer.cast::<Held<T>>()) };
    // A second free is at least likely to be noticed.
    // SAFETY: it is a field of ours; only so is the write not left out as one that nobody reads.
    unsafe { (&raw mut held.kind).write_volatile(0) };
    Some(held.object)
}
