//! Messages as the server packs them, and meta as JSON.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_void};
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use taos_query::abi::TmqRawData;
use taos_query::tmq::{Data, IsAsyncData as _, IsAsyncMeta as _, MessageSet, Meta};
use taos_query::{RawData, RawResult};

use super::message::message;
use crate::args::{invalid, put};
use crate::binds::{free_array, give_array};
use crate::error::{BROKEN, Failure, coded, forget, remember};
use crate::guard::guard;
use crate::runtime::wait;
use crate::types::TaosRes;

/// Bytes that programs have, by their address, and how often each was given.
static LENT: Mutex<BTreeMap<usize, (Bytes, usize)>> = Mutex::new(BTreeMap::new());

fn lent() -> MutexGuard<'static, BTreeMap<usize, (Bytes, usize)>> {
    LENT.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn raw(set: &MessageSet<Meta, Data>) -> RawResult<RawData> {
    match set {
        MessageSet::Data(data) => data.as_raw_data().await,
        MessageSet::Meta(meta) | MessageSet::MetaData(meta, _) => meta.as_raw_meta().await,
    }
}

/// # Safety
/// NULL, or a result that is alive.
unsafe fn give(res: *mut TaosRes) -> Result<TmqRawData, Failure> {
    // SAFETY: the caller's duty.
    let message = unsafe { message(res) }?;
    let raw = wait(raw(&message.set))?;
    let raw_len =
        u32::try_from(raw.raw_len()).map_err(|_| invalid("the message is longer than 4 GiB"))?;
    let bytes = raw.raw().clone();
    let address = bytes.as_ptr();
    lent()
        .entry(address.addr())
        .and_modify(|(_, times)| *times += 1)
        .or_insert((bytes, 1));
    Ok(TmqRawData {
        raw: address.cast::<c_void>().cast_mut(),
        raw_len,
        raw_type: raw.raw_type(),
    })
}

/// The message as the server packs it, for `tmq_write_raw`. The bytes must not be changed, and stay until
/// `tmq_free_raw`, to be called once for each success, also after the message was freed. 0, or a negative code.
///
/// # Safety
/// `res` is NULL or a result that is alive; `raw` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_raw(res: *mut TaosRes, raw: *mut TmqRawData) -> i32 {
    guard("tmq_get_raw", BROKEN, || {
        if raw.is_null() {
            return remember(invalid("there is no place for the message"));
        }
        // SAFETY: the same duty.
        let given = unsafe { give(res) };
        // SAFETY: the same duty.
        coded(given.map(|given| unsafe { put(raw, given) }))
    })
}

/// Frees what `tmq_get_raw` gave. What it did not give, or has been freed already, is left alone, and
/// `taos_errno(NULL)` says so.
///
/// # Safety
/// None: the address is only compared with those that were given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_free_raw(raw: TmqRawData) {
    guard("tmq_free_raw", (), || {
        let mut lent = lent();
        let place = raw.raw.addr();
        match lent.get_mut(&place) {
            None => drop(remember(invalid(
                "the message was not given, or was freed already",
            ))),
            Some((_, times)) => {
                *times -= 1;
                if *times == 0 {
                    lent.remove(&place);
                }
                forget();
            }
        }
    });
}

/// # Safety
/// NULL, or a result that is alive.
unsafe fn json(res: *mut TaosRes) -> Result<*mut c_char, Failure> {
    // SAFETY: the caller's duty.
    let message = unsafe { message(res) }?;
    let Some(meta) = message.set.meta() else {
        return Ok(null_mut());
    };
    let text = wait(meta.as_json_text())?;
    if text == "null" {
        return Ok(null_mut());
    }
    let text = CString::new(text).map_err(|_| invalid("the meta of the message has a NUL"))?;
    Ok(give_array(text.as_bytes_with_nul())?.cast())
}

/// What the message says of tables, as JSON (tmq-raw §6), to be freed with `tmq_free_json_meta`. NULL if it says
/// nothing, or for an error, which `taos_errno(NULL)` tells then.
///
/// # Safety
/// NULL, or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_json_meta(res: *mut TaosRes) -> *mut c_char {
    guard("tmq_get_json_meta", null_mut(), || {
        // SAFETY: the same duty.
        match unsafe { json(res) } {
            Ok(text) => {
                forget();
                text
            }
            Err(failure) => {
                remember(failure);
                null_mut()
            }
        }
    })
}

/// Frees what `tmq_get_json_meta` gave. NULL is fine.
///
/// # Safety
/// NULL, or what `tmq_get_json_meta` gave, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_free_json_meta(json: *mut c_char) {
    // SAFETY: the same duty.
    guard("tmq_free_json_meta", (), || unsafe {
        free_array(json.cast());
    });
}
