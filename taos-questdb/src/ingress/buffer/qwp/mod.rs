//! Rows as columns (questdb §12).

use std::net::Ipv4Addr;

use super::state::{Bookmark, Call, Marker, State};
use crate::error::{Result, error};
use crate::ingress::array::{ArrayElement, NdArrayView};
use crate::ingress::decimal::DecimalView;
use crate::ingress::timestamp::Timestamp;

/// Rows as columns.
#[derive(Clone)]
pub(crate) struct QwpBuffer {
    state: State,
    marker: Marker<usize>,
    max_name_len: usize,
}

macro_rules! cells {
    ($($call:ident($($arg:ident: $type:ty),*);)+) => { $(
        pub(crate) fn $call(&mut self, name: &str, $($arg: $type),*) -> Result<()> {
            let _ = (name, $($arg),*);
            Err(error!(InvalidApiCall, "{} over QWP", stringify!($call)))
        }
    )+ };
}

impl QwpBuffer {
    pub(crate) fn new(max_name_len: usize) -> Self {
        Self {
            state: State::READY,
            marker: Marker::default(),
            max_name_len,
        }
    }

    cells! {
        table();
        symbol(value: &str);
        column_bool(value: bool);
        column_i64(value: i64);
        column_f64(value: f64);
        column_str(value: &str);
        column_dec(value: &DecimalView<'_>);
        column_dec64(value: &DecimalView<'_>);
        column_dec128(value: &DecimalView<'_>);
        column_ts(value: Timestamp);
        column_i8(value: i8);
        column_i16(value: i16);
        column_i32(value: i32);
        column_f32(value: f32);
        column_uuid(lo: u64, hi: u64);
        column_long256(value: &[u8; 32]);
        column_ipv4(value: Ipv4Addr);
        column_date(millis: i64);
        column_char(value: u16);
        column_binary(value: &[u8]);
        column_geohash(bits: u64, precision_bits: u8);
    }

    pub(crate) fn column_arr<A: NdArrayView<T>, T: ArrayElement>(
        &mut self,
        name: &str,
        view: &A,
    ) -> Result<()> {
        let _ = (name, view.ndim());
        Err(error!(InvalidApiCall, "column_arr over QWP"))
    }

    pub(crate) fn at(&mut self, timestamp: Timestamp) -> Result<()> {
        let _ = timestamp;
        self.at_now()
    }

    pub(crate) fn at_now(&mut self) -> Result<()> {
        self.state.check(Call::At)
    }

    pub(crate) fn reserve(&mut self, _additional: usize) {}

    pub(crate) fn len(&self) -> usize {
        0
    }

    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    pub(crate) fn row_count(&self) -> usize {
        0
    }

    pub(crate) fn capacity(&self) -> usize {
        self.max_name_len
    }

    pub(crate) fn bookmark(&mut self) -> Result<Bookmark> {
        self.state.check_marker()?;
        Ok(self.marker.set(0))
    }

    pub(crate) fn rewind_to_marker(&mut self) -> Result<()> {
        self.marker.take().map(drop)
    }

    pub(crate) fn rewind_to_bookmark(&mut self, bookmark: Bookmark) -> Result<()> {
        self.marker.take_bookmark(bookmark).map(drop)
    }

    pub(crate) fn clear_marker(&mut self) {
        self.marker.clear();
    }

    pub(crate) fn clear_bookmark(&mut self, bookmark: Bookmark) {
        self.marker.clear_bookmark(bookmark);
    }

    pub(crate) fn clear(&mut self) {
        self.marker.clear();
    }

    pub(crate) fn check_can_flush(&self) -> Result<()> {
        self.state.check(Call::Flush)
    }
}
