//! Calling any function of the library with arguments made up for their types.

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

use taos_capi::options::SetConfRet;
use taos_capi::query::taos_free_result;
use taos_capi::tmq::conf::TmqCommitCb;
use taos_capi::unsupported::{DualStackWhitelistCallback, WhitelistCallback};
use taos_query::abi::*;

/// What the arguments are made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fill {
    pub(crate) handle: *mut c_void,
    /// Text for all arguments that are text, else NULL.
    pub(crate) words: *mut c_char,
    /// Zeros for all other places, else NULL.
    pub(crate) place: *mut c_void,
    pub(crate) number: i32,
    pub(crate) calls_back: bool,
}

pub(crate) trait Arg {
    const CALLS_BACK: bool = false;
    fn of(fill: &Fill) -> Self;
}

macro_rules! args {
    ($($ty:ty: |$fill:ident| $value:expr;)*) => {$(
        impl Arg for $ty {
            fn of($fill: &Fill) -> Self {
                $value
            }
        }
    )*};
}

args! {
    *mut c_void: |fill| fill.handle;
    *const c_void: |fill| fill.handle;
    *mut c_char: |fill| fill.words;
    *const c_char: |fill| fill.words;
    i32: |fill| fill.number;
    i64: |fill| i64::from(fill.number);
    u16: |fill| u16::try_from(fill.number).unwrap_or_default();
    u32: |fill| u32::try_from(fill.number).unwrap_or_default();
    SqlLen: |fill| SqlLen::try_from(fill.number).unwrap_or_default();
    TmqRawData: |fill| TmqRawData { raw: fill.place, raw_len: 0, raw_type: 0 };
}

macro_rules! places {
    ($($ty:ty),*) => {$(
        impl Arg for *mut $ty {
            fn of(fill: &Fill) -> Self {
                fill.place.cast()
            }
        }
    )*};
}

places!(
    bool,
    i32,
    *mut c_void,
    *mut *mut c_void,
    *mut c_char,
    *mut *mut c_char,
    *mut TaosFieldE,
    *mut TaosFieldAll,
    *mut TmqTopicAssignment,
    TaosDbRouteInfo,
    TaosField,
    TaosFieldAll,
    TaosFieldE,
    TaosMultiBind,
    TaosStmt2Bindv,
    TaosStmt2Option,
    TaosStmtOptions,
    TmqRawData,
    TmqTopicAssignment
);

impl Arg for *const *const c_char {
    fn of(fill: &Fill) -> Self {
        fill.place.cast_const().cast()
    }
}

/// Calls that came back.
pub(crate) static CALLED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn result(param: *mut c_void, res: *mut c_void, code: c_int) {
    assert!(code < 0, "{code}");
    if res != param {
        // SAFETY: what the test did not give is a result of this callback's own.
        unsafe { taos_free_result(res) };
    }
    CALLED.fetch_add(1, Ordering::AcqRel);
}

unsafe extern "C" fn commit(_: *mut c_void, code: i32, _: *mut c_void) {
    assert!(code < 0, "{code}");
    CALLED.fetch_add(1, Ordering::AcqRel);
}

unsafe extern "C" fn numbers(_: *mut c_void, code: c_int, _: *mut c_void, _: c_int, _: *mut u64) {
    assert!(code < 0, "{code}");
    CALLED.fetch_add(1, Ordering::AcqRel);
}

unsafe extern "C" fn words(
    _: *mut c_void,
    code: c_int,
    _: *mut c_void,
    _: c_int,
    _: *mut *mut c_char,
) {
    assert!(code < 0, "{code}");
    CALLED.fetch_add(1, Ordering::AcqRel);
}

macro_rules! callbacks {
    ($($ty:ident = $function:ident),*) => {$(
        impl Arg for Option<$ty> {
            const CALLS_BACK: bool = true;

            fn of(fill: &Fill) -> Self {
                fill.calls_back.then_some($function as $ty)
            }
        }
    )*};
}

callbacks!(
    TaosCallback = result,
    TmqCommitCb = commit,
    WhitelistCallback = numbers,
    DualStackWhitelistCallback = words
);

/// What a function gave.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Given {
    Nothing,
    Number(i64),
    Address(*mut c_void),
}

pub(crate) trait Ret {
    fn given(self) -> Given;
}

macro_rules! gives {
    ($($ty:ty: |$value:ident| $given:expr;)*) => {$(
        impl Ret for $ty {
            fn given(self) -> Given {
                let $value = self;
                $given
            }
        }
    )*};
}

gives! {
    (): |_nothing| Given::Nothing;
    bool: |_flag| Given::Number(0);
    i32: |number| Given::Number(number.into());
    i64: |number| Given::Number(number);
    SetConfRet: |told| Given::Number(told.retCode.into());
}

impl<T> Ret for *mut T {
    fn given(self) -> Given {
        Given::Address(self.cast())
    }
}

impl<T> Ret for *const T {
    fn given(self) -> Given {
        Given::Address(self.cast_mut().cast())
    }
}

/// A function that is called with whatever a fill makes of its arguments.
pub(crate) trait Function {
    const CALLS_BACK: bool;

    /// # Safety
    /// The function bears these arguments.
    unsafe fn call(self, fill: &Fill) -> Given;
}

macro_rules! functions {
    ($(($($arg:ident)*))*) => {$(
        impl<$($arg: Arg,)* R: Ret> Function for unsafe extern "C" fn($($arg),*) -> R {
            const CALLS_BACK: bool = false $(|| $arg::CALLS_BACK)*;

            unsafe fn call(self, _fill: &Fill) -> Given {
                // SAFETY: the caller's duty.
                unsafe { self($($arg::of(_fill)),*) }.given()
            }
        }
    )*};
}

functions! {
    () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
    (A B C D E F G H I) (A B C D E F G H I J)
}
