//! Rows as lines (questdb §3).

use super::escape;
use super::state::{Bookmark, Call, Marker, State};
use crate::error::{Error, Result, error};
use crate::ingress::ProtocolVersion;
use crate::ingress::array::{self, NdArrayView, Shape, TYPE_F64};
use crate::ingress::decimal::DecimalView;
use crate::ingress::names::{ColumnName, Name, TableName, check_len, class};
use crate::ingress::timestamp::{Timestamp, TimestampMicros, TimestampNanos};

/// Follows the first `=` of a value that is not text.
const BINARY: u8 = b'=';
const DOUBLE: u8 = 0x10;
const ARRAY: u8 = 0x0E;
const DECIMAL: u8 = 0x17;
/// Room for any integer and the bytes around it.
const INTEGER: usize = 24;
/// Room for the text of any double.
const DOUBLE_TEXT: usize = 32;
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
    rows: usize,
    /// Bytes of the first row's table as written; it stands at the front.
    first_table: usize,
    one_table: bool,
    state: State,
    version: ProtocolVersion,
    max_name_len: usize,
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
            rows: 0,
            first_table: 0,
            one_table: true,
            state: State::READY,
            version,
            max_name_len,
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

    /// Gives the lines away without a copy. The buffer is not to be used until
    /// [`restore_bytes`](Self::restore_bytes) brings them back.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.room);
        bytes.truncate(self.len);
        bytes
    }

    pub(crate) fn restore_bytes(&mut self, bytes: Vec<u8>) {
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

/// Cells.
impl IlpBuffer {
    #[inline]
    pub(crate) fn table(&mut self, name: TableName<'_>) -> Result<()> {
        check_len(name.text(), self.max_name_len)?;
        self.state.check(Call::Table)?;
        let start = self.len;
        self.make_room(2 * name.text().len());
        self.put_name(name);
        if start == 0 {
            self.first_table = self.len;
        } else if self.one_table {
            self.one_table = self.room[..self.first_table] == self.room[start..self.len];
        }
        self.state = State::TABLE;
        Ok(())
    }

    #[inline]
    pub(crate) fn symbol(&mut self, name: ColumnName<'_>, value: &str) -> Result<()> {
        check_len(name.text(), self.max_name_len)?;
        self.state.check(Call::Symbol)?;
        let value = value.as_bytes();
        let plain = escape::is_bare(value);
        let escapes = if plain {
            0
        } else {
            escape::count(value, class::BARE)
        };
        self.make_room(2 * name.text().len() + value.len() + escapes + 2);
        self.put([b',']);
        self.put_name(name);
        self.put([b'=']);
        if plain {
            self.put_slice(value);
        } else {
            self.put_escaped(value, class::BARE);
        }
        self.state = State::SYMBOL;
        Ok(())
    }

    /// Writes the name of a column and makes room for this many bytes of its value.
    #[inline]
    fn key(&mut self, name: ColumnName<'_>, value: usize) -> Result<()> {
        check_len(name.text(), self.max_name_len)?;
        self.state.check(Call::Column)?;
        self.make_room(2 * name.text().len() + 2 + value);
        let first = self.state.allows(Call::Symbol);
        self.put([if first { b' ' } else { b',' }]);
        self.put_name(name);
        self.put([b'=']);
        self.state = State::COLUMN;
        Ok(())
    }

    #[inline]
    pub(crate) fn column_bool(&mut self, name: ColumnName<'_>, value: bool) -> Result<()> {
        self.key(name, 1)?;
        self.put([if value { b't' } else { b'f' }]);
        Ok(())
    }

    #[inline]
    pub(crate) fn column_i64(&mut self, name: ColumnName<'_>, value: i64) -> Result<()> {
        self.key(name, INTEGER)?;
        self.put_integer(value);
        self.put([b'i']);
        Ok(())
    }

    #[inline]
    pub(crate) fn column_f64(&mut self, name: ColumnName<'_>, value: f64) -> Result<()> {
        self.key(name, DOUBLE_TEXT)?;
        if self.version == ProtocolVersion::V1 {
            self.put_double(value);
        } else {
            let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
            self.put([BINARY, DOUBLE, a, b, c, d, e, f, g, h]);
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn column_str(&mut self, name: ColumnName<'_>, value: &str) -> Result<()> {
        let value = value.as_bytes();
        let plain = escape::is_quotable(value);
        let escapes = if plain {
            0
        } else {
            escape::count(value, class::QUOTED)
        };
        self.key(name, value.len() + escapes + 2)?;
        self.put([b'"']);
        if plain {
            self.put_slice(value);
        } else {
            self.put_escaped(value, class::QUOTED);
        }
        self.put([b'"']);
        Ok(())
    }

    #[inline]
    pub(crate) fn column_ts(&mut self, name: ColumnName<'_>, value: Timestamp) -> Result<()> {
        self.key(name, INTEGER)?;
        let (number, unit) = match value {
            Timestamp::Micros(micros) => (micros.as_i64(), b't'),
            Timestamp::Nanos(nanos) if self.version == ProtocolVersion::V1 => {
                (TimestampMicros::from(nanos).as_i64(), b't')
            }
            Timestamp::Nanos(nanos) => (nanos.as_i64(), b'n'),
        };
        self.put_integer(number);
        self.put([unit]);
        Ok(())
    }

    /// Writes only the name of a column, for a value that turned out unusable.
    pub(crate) fn column_unfinished(&mut self, name: ColumnName<'_>) -> Result<()> {
        self.key(name, 0)
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
        name: ColumnName<'_>,
        value: &DecimalView<'_>,
    ) -> Result<()> {
        self.check_decimals()?;
        match value {
            DecimalView::String { value } => {
                self.key(name, value.len() + 1)?;
                self.put_slice(value.as_bytes());
                self.put([b'd']);
            }
            DecimalView::Scaled { scale, value } => {
                let len = u8::try_from(value.len())
                    .ok()
                    .filter(|len| *len <= 32 && *scale <= 76)
                    .ok_or_else(|| {
                        error!(
                            InvalidDecimal,
                            "a decimal of {} bytes and scale {scale}, the limits are 32 and 76",
                            value.len()
                        )
                    })?;
                self.key(name, value.len() + 4)?;
                self.put([BINARY, DECIMAL, *scale, len]);
                self.put_slice(value);
            }
        }
        Ok(())
    }

    pub(crate) fn column_arr<A, T>(&mut self, name: ColumnName<'_>, view: &A) -> Result<()>
    where
        A: NdArrayView<T>,
        T: array::ArrayElement,
    {
        if T::TYPE != TYPE_F64 {
            return Err(error!(InvalidApiCall, "lines carry arrays of f64 only"));
        }
        if self.version < ProtocolVersion::V2 {
            return Err(error!(
                ProtocolVersionError,
                "arrays need version v2 of the line protocol, this buffer has {}", self.version
            ));
        }
        let shape = Shape::of(view)?;
        let size = 4 + 4 * shape.dims().len() + shape.data_len();
        let before = (self.len, self.state);
        self.key(name, size)?;
        self.put([BINARY, ARRAY, TYPE_F64, shape.rank()]);
        for dim in shape.dims() {
            self.put(dim.to_le_bytes());
        }
        let end = self.len + shape.data_len();
        let written = array::write_elements(view, &mut self.room[self.len..end]);
        if written.is_ok() {
            self.len = end;
        } else {
            (self.len, self.state) = before;
        }
        written
    }

    /// # Errors
    /// `InvalidApiCall` when the row has no cell yet.
    #[inline]
    pub(crate) fn check_at(&self) -> Result<()> {
        self.state.check(Call::At)
    }

    #[inline]
    pub(crate) fn at(&mut self, timestamp: Timestamp) -> Result<()> {
        self.state.check(Call::At)?;
        let (number, unit) = match timestamp {
            Timestamp::Micros(micros) => (micros.as_i64(), b't'),
            Timestamp::Nanos(nanos) => (nanos.as_i64(), b'n'),
        };
        if number < 0 {
            return Err(before_1970(number));
        }
        self.make_room(INTEGER);
        if self.version == ProtocolVersion::V1 {
            let nanos = TimestampNanos::try_from(timestamp)?;
            self.put([b' ']);
            self.put_integer(nanos.as_i64());
            self.put([b'\n']);
        } else {
            self.put([b' ']);
            self.put_integer(number);
            self.put([unit, b'\n']);
        }
        self.finish_row();
        Ok(())
    }

    #[inline]
    pub(crate) fn at_now(&mut self) -> Result<()> {
        self.state.check(Call::At)?;
        self.make_room(1);
        self.put([b'\n']);
        self.finish_row();
        Ok(())
    }

    #[inline]
    fn finish_row(&mut self) {
        self.rows += 1;
        self.state = State::READY;
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

/// Bytes. Everything here writes into room made before.
impl IlpBuffer {
    #[inline(always)]
    fn make_room(&mut self, need: usize) {
        if self.room.len() - self.len < need {
            self.grow(need);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, need: usize) {
        let end = self.len.saturating_add(need);
        self.room.reserve(end - self.room.len());
        let ready = end.saturating_add(STEP).min(self.room.capacity());
        self.room.resize(ready, 0);
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let end = self.len + N;
        self.room[self.len..end].copy_from_slice(&bytes);
        self.len = end;
    }

    #[inline(always)]
    fn put_slice(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.room[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }

    #[inline(always)]
    fn put_name<'a>(&mut self, name: impl Name<'a>) {
        if name.plain() {
            self.put_slice(name.text().as_bytes());
        } else {
            self.put_escaped(name.text().as_bytes(), class::BARE);
        }
    }

    fn put_escaped(&mut self, text: &[u8], bit: u8) {
        self.len += escape::write(text, bit, &mut self.room[self.len..]);
    }

    #[inline(always)]
    fn put_integer(&mut self, number: i64) {
        self.put_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    #[inline]
    fn put_double(&mut self, value: f64) {
        if value.is_finite() {
            self.put_slice(zmij::Buffer::new().format_finite(value).as_bytes());
        } else if value.is_nan() {
            self.put_slice(b"NaN");
        } else if value > 0.0 {
            self.put_slice(b"Infinity");
        } else {
            self.put_slice(b"-Infinity");
        }
    }
}

impl Clone for IlpBuffer {
    fn clone(&self) -> Self {
        Self {
            room: self.as_bytes().to_vec(),
            marker: self.marker.clone(),
            ..*self
        }
    }
}
