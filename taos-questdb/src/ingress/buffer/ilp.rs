//! Rows as lines (questdb §3).

mod general;

use super::state::{Bookmark, Call, Marker, State};
use super::text::{self, Leading, SLACK, Window, Writer};
use crate::error::{Error, Result, error};
use crate::ingress::ProtocolVersion;
use crate::ingress::array::{self, ArrayElement, NdArrayView, Shape, TYPE_F64};
use crate::ingress::decimal::{self, DECIMAL_BINARY_FORMAT_TYPE as DECIMAL, DecimalView};
use crate::ingress::names::{ColumnName, Head, TableName};
use crate::ingress::timestamp::{Timestamp, TimestampMicros, TimestampNanos};

/// Follows the first `=` of a value that is not text.
const BINARY: u8 = b'=';
const DOUBLE: u8 = 0x10;
const ARRAY: u8 = 0x0E;
/// Room for any integer and the bytes around it.
const INTEGER: usize = 24;
/// Room is made ready in steps that stay in the nearest cache.
const STEP: usize = 16 * 1024;

/// Rows as lines of one version.
///
/// Bytes are written into room that is already there, so a cell costs one check of space instead of
/// one for each of its parts.
pub(crate) struct IlpBuffer {
    /// The lines, then zeros to write over.
    room: Vec<u8>,
    len: usize,
    /// All but the lines while those are lent out.
    lent: Option<Box<Self>>,
    rows: usize,
    /// Bytes of the first row's table as written; it stands at the front.
    first_table: usize,
    first_head: Head,
    one_table: bool,
    state: State,
    version: ProtocolVersion,
    max_name_len: usize,
    last_time: Leading,
    marker: Marker<Saved>,
}

/// What [`IlpBuffer`] goes back to.
#[derive(Debug, Clone, Copy)]
struct Saved {
    len: usize,
    rows: usize,
    first_table: usize,
    one_table: bool,
}

impl IlpBuffer {
    pub(crate) fn new(version: ProtocolVersion, capacity: usize, max_name_len: usize) -> Self {
        Self {
            room: Vec::with_capacity(capacity),
            len: 0,
            lent: None,
            rows: 0,
            first_table: 0,
            first_head: Head::default(),
            one_table: true,
            state: State::READY,
            version,
            max_name_len,
            last_time: Leading::default(),
            marker: Marker::default(),
        }
    }

    pub(crate) fn version(&self) -> ProtocolVersion {
        self.version
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.room[..self.len]
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn capacity(&self) -> usize {
        self.room.capacity()
    }

    pub(crate) fn reserve(&mut self, additional: usize) {
        let ready = self.room.len() - self.len;
        self.room.reserve(additional.saturating_sub(ready));
    }

    /// Every row so far is of one table.
    pub(crate) fn one_table(&self) -> bool {
        self.one_table
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn clear(&mut self) {
        self.go_back(Saved {
            len: 0,
            rows: 0,
            first_table: 0,
            one_table: true,
        });
        self.marker.clear();
    }

    /// Gives the lines away without a copy, until [`restore_bytes`](Self::restore_bytes) brings them
    /// back. Those that never come back leave an empty buffer.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        let empty = Self::new(self.version, 0, self.max_name_len);
        let mut lent = std::mem::replace(self, empty);
        let mut bytes = std::mem::take(&mut lent.room);
        bytes.truncate(lent.len);
        self.lent = Some(Box::new(lent));
        bytes
    }

    pub(crate) fn restore_bytes(&mut self, bytes: Vec<u8>) {
        if let Some(lent) = self.lent.take() {
            *self = *lent;
        }
        self.room = bytes;
        if self.room.len() < self.len {
            // Something else came back; rows cannot be cut out of what is not there.
            self.clear();
        }
    }

    /// Holds these lines, which were written elsewhere, in place of its rows. It does not count them.
    pub(crate) fn adopt(&mut self, lines: Vec<u8>) {
        self.clear();
        self.len = lines.len();
        self.room = lines;
    }

    fn saved(&self) -> Saved {
        Saved {
            len: self.len,
            rows: self.rows,
            first_table: self.first_table,
            one_table: self.one_table,
        }
    }

    fn go_back(&mut self, to: Saved) {
        self.len = to.len;
        self.rows = to.rows;
        self.first_table = to.first_table;
        self.one_table = to.one_table;
        self.state = State::READY;
    }

    pub(crate) fn bookmark(&mut self) -> Result<Bookmark> {
        self.state.check_marker()?;
        let saved = self.saved();
        Ok(self.marker.set(saved))
    }

    pub(crate) fn rewind_to_marker(&mut self) -> Result<()> {
        let to = self.marker.take()?;
        self.go_back(to);
        Ok(())
    }

    pub(crate) fn rewind_to_bookmark(&mut self, bookmark: Bookmark) -> Result<()> {
        let to = self.marker.take_bookmark(bookmark)?;
        self.go_back(to);
        Ok(())
    }

    pub(crate) fn clear_marker(&mut self) {
        self.marker.clear();
    }

    pub(crate) fn clear_bookmark(&mut self, bookmark: Bookmark) {
        self.marker.clear_bookmark(bookmark);
    }
}

/// Cells. Each takes room once and writes into it.
impl IlpBuffer {
    #[inline]
    pub(crate) fn table(&mut self, name: &TableName<'_>) -> Result<()> {
        if let Some((head, count)) = name.short_head()
            && count <= self.max_name_len
            && self.state.allows(Call::Table)
            && count == self.first_table
            && head == self.first_head
            && self.len != 0
            && let Some((window, len)) = self.window()
        {
            let mut out = Writer::new(window);
            out.put_head(head, count);
            *len += out.written();
            self.state = State::TABLE;
            return Ok(());
        }
        self.other_table(name.text(), name.form())
    }

    #[inline]
    pub(crate) fn symbol(&mut self, name: &ColumnName<'_>, value: &str) -> Result<()> {
        if let Some((head, count)) = name.short_head()
            && count <= self.max_name_len
            && self.state.allows(Call::Symbol)
            && let Some((value, value_len)) = text::short_bare(value.as_bytes())
            && let Some((window, len)) = self.window()
        {
            let mut out = Writer::new(window);
            out.put([b',']);
            out.put_head(head, count);
            out.put_head(value, value_len);
            *len += out.written();
            self.state = State::SYMBOL;
            return Ok(());
        }
        self.any_symbol(name.text(), name.form(), value.as_bytes())
    }

    /// Room for a short cell, if it is ready, and the length to add what was written to.
    #[inline(always)]
    fn window(&mut self) -> Option<(&mut Window, &mut usize)> {
        let window = self.room.get_mut(self.len..)?.first_chunk_mut()?;
        Some((window, &mut self.len))
    }

    /// Writes the name of a column if it is short and everything is ready for it. What is written
    /// counts when it is added to the length given back.
    #[inline(always)]
    fn short_column(&mut self, name: &ColumnName<'_>) -> Option<(Writer<'_, Window>, &mut usize)> {
        let (head, count) = name.short_head()?;
        if count > self.max_name_len || !self.state.allows(Call::Column) {
            return None;
        }
        let first = self.state.allows(Call::Symbol);
        let window = self.room.get_mut(self.len..)?.first_chunk_mut()?;
        self.state = State::COLUMN;
        let mut out = Writer::new(window);
        out.put([if first { b' ' } else { b',' }]);
        out.put_head(head, count);
        Some((out, &mut self.len))
    }

    #[inline]
    pub(crate) fn column_bool(&mut self, name: &ColumnName<'_>, value: bool) -> Result<()> {
        let text = if value { b't' } else { b'f' };
        match self.short_column(name) {
            Some((mut out, len)) => {
                out.put([text]);
                *len += out.written();
                Ok(())
            }
            None => self.any_column(name.text(), name.form(), &[text]),
        }
    }

    #[inline]
    pub(crate) fn column_i64(&mut self, name: &ColumnName<'_>, value: i64) -> Result<()> {
        self.integer(name, value, b'i')
    }

    /// An integer with the letter of its type.
    #[inline]
    fn integer(&mut self, name: &ColumnName<'_>, value: i64, unit: u8) -> Result<()> {
        match self.short_column(name) {
            Some((mut out, len)) => {
                out.put_integer(value);
                out.put([unit]);
                *len += out.written();
                Ok(())
            }
            None => self.any_integer(name.text(), name.form(), value, unit),
        }
    }

    #[inline]
    pub(crate) fn column_f64(&mut self, name: &ColumnName<'_>, value: f64) -> Result<()> {
        if self.version == ProtocolVersion::V1 {
            return self.double_text(name, value);
        }
        let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
        let bytes = [BINARY, DOUBLE, a, b, c, d, e, f, g, h];
        match self.short_column(name) {
            Some((mut out, len)) => {
                out.put(bytes);
                *len += out.written();
                Ok(())
            }
            None => self.any_column(name.text(), name.form(), &bytes),
        }
    }

    #[inline(never)]
    fn double_text(&mut self, name: &ColumnName<'_>, value: f64) -> Result<()> {
        match self.short_column(name) {
            Some((mut out, len)) => {
                out.put_double(value);
                *len += out.written();
                Ok(())
            }
            None => self.any_double(name.text(), name.form(), value),
        }
    }

    #[inline]
    pub(crate) fn column_str(&mut self, name: &ColumnName<'_>, value: &str) -> Result<()> {
        if let Some((text, text_len)) = text::short_quotable(value.as_bytes())
            && let Some((mut out, len)) = self.short_column(name)
        {
            out.put([b'"']);
            out.put_head(text, text_len);
            out.put([b'"']);
            *len += out.written();
            return Ok(());
        }
        self.any_string(name.text(), name.form(), value.as_bytes())
    }

    #[inline]
    pub(crate) fn column_ts(&mut self, name: &ColumnName<'_>, value: Timestamp) -> Result<()> {
        let (number, unit) = match value {
            Timestamp::Micros(micros) => (micros.as_i64(), b't'),
            Timestamp::Nanos(nanos) if self.version == ProtocolVersion::V1 => {
                (TimestampMicros::from(nanos).as_i64(), b't')
            }
            Timestamp::Nanos(nanos) => (nanos.as_i64(), b'n'),
        };
        self.integer(name, number, unit)
    }

    /// Writes only the name of a column, for a value that turned out unusable.
    pub(crate) fn column_unfinished(&mut self, name: &ColumnName<'_>) -> Result<()> {
        self.any_column(name.text(), name.form(), &[])
    }

    /// # Errors
    /// `ProtocolVersionError` when lines of this version carry no decimals.
    pub(crate) fn check_decimals(&self) -> Result<()> {
        if self.version < ProtocolVersion::V3 {
            return Err(error!(
                ProtocolVersionError,
                "decimals need version v3 of the line protocol, this buffer has {}", self.version
            ));
        }
        Ok(())
    }

    pub(crate) fn column_dec(
        &mut self,
        name: &ColumnName<'_>,
        value: &DecimalView<'_>,
    ) -> Result<()> {
        match value {
            DecimalView::String { value } => {
                let (mut out, len) = self.column(name.text(), name.form(), value.len() + 1)?;
                out.put_slice(value.as_bytes());
                out.put([b'd']);
                *len += out.written();
            }
            DecimalView::Scaled { scale, value } => {
                let size = decimal::check_scaled(*scale, value)?;
                let (mut out, len) = self.column(name.text(), name.form(), value.len() + 4)?;
                out.put([BINARY, DECIMAL, *scale, size]);
                out.put_slice(value);
                *len += out.written();
            }
        }
        Ok(())
    }

    /// What is checked of an array before anything else (questdb §3.5).
    ///
    /// # Errors
    /// `InvalidApiCall` for elements other than `f64`, `ProtocolVersionError` for lines of version
    /// 1, `ArrayError` for a ragged array or one beyond a limit.
    pub(crate) fn check_array<A, T>(&self, view: &A) -> Result<Shape>
    where
        A: NdArrayView<T>,
        T: ArrayElement,
    {
        if T::TYPE != TYPE_F64 {
            return Err(error!(
                InvalidApiCall,
                "lines carry arrays of f64 only; others need QWP (`ws::` or `wss::`)"
            ));
        }
        if self.version < ProtocolVersion::V2 {
            return Err(error!(
                ProtocolVersionError,
                "arrays need version v2 of the line protocol, this buffer has {}", self.version
            ));
        }
        Shape::of(view)
    }

    pub(crate) fn column_arr<A, T>(
        &mut self,
        name: &ColumnName<'_>,
        view: &A,
        shape: &Shape,
    ) -> Result<()>
    where
        A: NdArrayView<T>,
        T: ArrayElement,
    {
        let size = 4 + 4 * shape.dims().len() + shape.data_len();
        let before = self.state;
        let (mut out, len) = self.column(name.text(), name.form(), size)?;
        out.put([BINARY, ARRAY, TYPE_F64, shape.rank()]);
        for dim in shape.dims() {
            out.put(dim.to_le_bytes());
        }
        match array::write_elements(view, out.take(shape.data_len())) {
            Ok(()) => *len += out.written(),
            Err(error) => {
                self.state = before;
                return Err(error);
            }
        }
        Ok(())
    }

    /// # Errors
    /// `InvalidApiCall` when the row has no cell yet.
    #[inline]
    pub(crate) fn check_at(&self) -> Result<()> {
        self.state.check(Call::At)
    }

    #[inline]
    pub(crate) fn at(&mut self, timestamp: Timestamp) -> Result<()> {
        self.check_at()?;
        let (mut number, unit) = match timestamp {
            Timestamp::Micros(micros) => (micros.as_i64(), b't'),
            Timestamp::Nanos(nanos) => (nanos.as_i64(), b'n'),
        };
        if number < 0 {
            return Err(before_1970(number));
        }
        let text = self.version == ProtocolVersion::V1;
        if text {
            number = TimestampNanos::try_from(timestamp)?.as_i64();
        }
        let mut last = self.last_time;
        let (mut out, len) = self.room(INTEGER);
        out.put([b' ']);
        out.put_next(number.unsigned_abs(), &mut last);
        if !text {
            out.put([unit]);
        }
        out.put([b'\n']);
        *len += out.written();
        self.last_time = last;
        self.finish_row();
        Ok(())
    }

    #[inline]
    pub(crate) fn at_now(&mut self) -> Result<()> {
        self.check_at()?;
        let (mut out, len) = self.room(1);
        out.put([b'\n']);
        *len += out.written();
        self.finish_row();
        Ok(())
    }

    #[inline(always)]
    fn finish_row(&mut self) {
        self.rows += 1;
        self.state = State::READY;
    }

    /// Room for this many bytes, and the length to add what was written to.
    #[inline(always)]
    fn room(&mut self, need: usize) -> (Writer<'_, [u8]>, &mut usize) {
        if self.room.len() - self.len < need + SLACK {
            self.grow(need + SLACK);
        }
        (Writer::new(&mut self.room[self.len..]), &mut self.len)
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, need: usize) {
        let end = self.len.saturating_add(need);
        self.room.reserve(end - self.room.len());
        let ready = end.saturating_add(STEP).min(self.room.capacity());
        self.room.resize(ready, 0);
    }
}

#[cold]
#[inline(never)]
fn before_1970(number: i64) -> Error {
    error!(
        InvalidTimestamp,
        "the timestamp of a row must not lie before 1970, but is {number}"
    )
}

impl Clone for IlpBuffer {
    fn clone(&self) -> Self {
        Self {
            room: self.as_bytes().to_vec(),
            marker: self.marker.clone(),
            lent: None,
            ..*self
        }
    }
}
