//! Lists of topics.

use std::ffi::{CString, c_char, c_int};
use std::ptr::null_mut;

use crate::args::{invalid, text};
use crate::error::{BROKEN, Failure, coded, forget, remember};
use crate::guard::guard;
use crate::handle::{Object, at, at_mut, give, take};
use crate::types::TmqList;

/// A list of topics.
#[derive(Debug, Default)]
pub(crate) struct List {
    names: Vec<CString>,
    /// The same as C sees them.
    addresses: Vec<*mut c_char>,
}

// SAFETY: the addresses are of the texts beside them, which go where the list goes.
unsafe impl Send for List {}

impl Object for List {
    const KIND: u64 = u64::from_le_bytes(*b"TMQ_LIST");
}

impl List {
    pub(super) fn push(&mut self, name: &str) -> Result<(), Failure> {
        if name.is_empty() {
            return Err(invalid("the name of a topic is empty"));
        }
        let name = CString::new(name).map_err(|_| invalid("the name of a topic has a NUL"))?;
        // The text stays where it is when the list grows, and nobody writes to it.
        self.addresses.push(name.as_ptr().cast_mut());
        self.names.push(name);
        Ok(())
    }

    pub(super) fn topics(&self) -> Vec<String> {
        let names = self.names.iter();
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }
}

/// The error for a handle that is no list.
pub(super) fn no_list() -> Failure {
    invalid("the handle is not one of a list of topics")
}

/// A new, empty list, to be freed with `tmq_list_destroy`.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_list_new() -> *mut TmqList {
    guard("tmq_list_new", null_mut(), || {
        forget();
        give(List::default())
    })
}

/// Adds a copy of a topic's name. 0, or a negative code.
///
/// # Safety
/// `list` is NULL or a list that nobody else uses meanwhile, `name` NULL or NUL-terminated text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_list_append(list: *mut TmqList, name: *const c_char) -> c_int {
    guard("tmq_list_append", BROKEN, || {
        // SAFETY: the same duty.
        let list = unsafe { at_mut::<List>(list) }.ok_or_else(no_list);
        // SAFETY: the same duty.
        let pushed = list.and_then(|list| list.push(unsafe { text(name) }?));
        coded(pushed)
    })
}

/// Frees a list with its names. NULL is fine.
///
/// # Safety
/// NULL, or a list that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_list_destroy(list: *mut TmqList) {
    // SAFETY: the same duty.
    guard("tmq_list_destroy", (), || unsafe {
        drop(take::<List>(list));
    });
}

/// The number of topics; -1 for what is no list.
///
/// # Safety
/// NULL, or a list that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_list_get_size(list: *const TmqList) -> c_int {
    guard("tmq_list_get_size", -1, || {
        // SAFETY: the same duty.
        match unsafe { at::<List>(list) } {
            Some(list) => c_int::try_from(list.names.len()).unwrap_or(c_int::MAX),
            None => {
                remember(no_list());
                -1
            }
        }
    })
}

/// The names, `tmq_list_get_size` of them. Array and names belong to the list and stay until it is changed or freed.
/// NULL for what is no list.
///
/// # Safety
/// NULL, or a list that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_list_to_c_array(list: *const TmqList) -> *mut *mut c_char {
    guard("tmq_list_to_c_array", null_mut(), || {
        // SAFETY: the same duty.
        match unsafe { at::<List>(list) } {
            Some(list) => list.addresses.as_ptr().cast_mut(),
            None => {
                remember(no_list());
                null_mut()
            }
        }
    })
}
