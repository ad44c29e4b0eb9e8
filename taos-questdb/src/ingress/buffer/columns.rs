//! The cells of a row, for both kinds of buffers.
//!
//! The commonest calls are always inlined, down to the choice of the kind: a name given as a literal
//! is then checked while the program is compiled.

use std::net::Ipv4Addr;

use super::{Buffer, Inner};
use crate::error::{Error, Result, error};
use crate::ingress::array::{ArrayElement, NdArrayView};
use crate::ingress::decimal::DecimalView;
use crate::ingress::names::{ColumnName, TableName};
use crate::ingress::timestamp::Timestamp;

#[cold]
#[inline(never)]
fn only_qwp(call: &str) -> Error {
    error!(
        InvalidApiCall,
        "`{call}`: lines do not carry this type; it needs QWP (`ws::` or `wss::`)"
    )
}

/// The variant of a cell for values that may be missing.
macro_rules! optional {
    ($call:ident, $opt:ident, $arg:ident: $type:ty, |$some:pat_param| $($pass:expr),+) => {
        #[doc = concat!("[`", stringify!($call), "`](Self::", stringify!($call),
            ") when there is a value; without one the column is left out of the row, which is NULL.")]
        ///
        /// # Errors
        /// As there.
        #[inline]
        pub fn $opt<'a, N>(&mut self, name: N, $arg: Option<$type>) -> Result<&mut Self>
        where
            N: AsRef<str> + TryInto<ColumnName<'a>>,
            Error: From<N::Error>,
        {
            match $arg {
                Some($some) => self.$call(name, $($pass),+),
                None => Ok(self),
            }
        }
    };
}

/// Cells of one simple type that both kinds of buffers carry.
macro_rules! cells {
    ($($(#[$doc:meta])+ $call:ident, $opt:ident, $type:ty;)+) => { $(
        $(#[$doc])+
        ///
        /// # Errors
        /// `InvalidName`, or `InvalidApiCall` out of order; the buffer stays as it was.
        #[inline(always)]
        pub fn $call<'a, N>(&mut self, name: N, value: $type) -> Result<&mut Self>
        where
            N: AsRef<str> + TryInto<ColumnName<'a>>,
            Error: From<N::Error>,
        {
            match &mut self.inner {
                Inner::Ilp(lines) => lines.$call(&name.try_into()?, value)?,
                Inner::Qwp(columns) => columns.$call(name, value)?,
            }
            Ok(self)
        }

        optional!($call, $opt, value: $type, |value| value);
    )+ };
}

/// Cells that only QWP carries.
macro_rules! qwp_cells {
    ($(
        $(#[$doc:meta])+
        $call:ident($($arg:ident: $type:ty),+), $opt:ident($value:ident: $option:ty, $some:pat_param);
    )+) => { $(
        $(#[$doc])+
        /// Only QWP carries it.
        ///
        /// # Errors
        /// `InvalidApiCall` for buffers of lines, and out of order; `InvalidName`.
        pub fn $call<'a, N>(&mut self, name: N, $($arg: $type),+) -> Result<&mut Self>
        where
            N: AsRef<str> + TryInto<ColumnName<'a>>,
            Error: From<N::Error>,
        {
            let Inner::Qwp(columns) = &mut self.inner else {
                return Err(only_qwp(stringify!($call)));
            };
            columns.$call(name, $($arg),+)?;
            Ok(self)
        }

        optional!($call, $opt, $value: $option, |$some| $($arg),+);
    )+ };
}

impl Buffer {
    /// Begins a row of this table.
    ///
    /// # Errors
    /// `InvalidName`, or `InvalidApiCall` while a row is unfinished; the buffer stays as it was.
    #[inline(always)]
    pub fn table<'a, N>(&mut self, name: N) -> Result<&mut Self>
    where
        N: AsRef<str> + TryInto<TableName<'a>>,
        Error: From<N::Error>,
    {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.table(&name.try_into()?)?,
            Inner::Qwp(columns) => columns.table(name)?,
        }
        Ok(self)
    }

    /// A symbol: text that repeats, which the server stores as a number. In lines all symbols stand
    /// before the other columns.
    ///
    /// # Errors
    /// `InvalidName`, or `InvalidApiCall` out of order; the buffer stays as it was.
    #[inline(always)]
    pub fn symbol<'a, N, S>(&mut self, name: N, value: S) -> Result<&mut Self>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        S: AsRef<str>,
        Error: From<N::Error>,
    {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.symbol(&name.try_into()?, value.as_ref())?,
            Inner::Qwp(columns) => columns.symbol(name, value.as_ref())?,
        }
        Ok(self)
    }

    /// [`symbol`](Self::symbol) when there is a value; without one it is left out of the row, which
    /// is NULL.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn symbol_opt<'a, N, S>(&mut self, name: N, value: Option<S>) -> Result<&mut Self>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        S: AsRef<str>,
        Error: From<N::Error>,
    {
        match value {
            Some(value) => self.symbol(name, value),
            None => Ok(self),
        }
    }

    cells! {
        /// A BOOLEAN.
        column_bool, column_bool_opt, bool;
        /// A LONG. `i64::MIN` is NULL to the server.
        column_i64, column_i64_opt, i64;
        /// A DOUBLE. What is not finite reads back as NULL.
        column_f64, column_f64_opt, f64;
    }

    /// Text, a VARCHAR.
    ///
    /// # Errors
    /// `InvalidName`, or `InvalidApiCall` out of order; the buffer stays as it was.
    #[inline(always)]
    pub fn column_str<'a, N, S>(&mut self, name: N, value: S) -> Result<&mut Self>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        S: AsRef<str>,
        Error: From<N::Error>,
    {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.column_str(&name.try_into()?, value.as_ref())?,
            Inner::Qwp(columns) => columns.column_str(name, value.as_ref())?,
        }
        Ok(self)
    }

    /// [`column_str`](Self::column_str) when there is a value; without one the column is left out of
    /// the row, which is NULL.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn column_str_opt<'a, N, S>(&mut self, name: N, value: Option<S>) -> Result<&mut Self>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        S: AsRef<str>,
        Error: From<N::Error>,
    {
        match value {
            Some(value) => self.column_str(name, value),
            None => Ok(self),
        }
    }
}

/// Defines a cell of decimals: `$ilp` says what becomes of it in lines.
macro_rules! decimals {
    ($(#[$doc:meta])+ $call:ident, $opt:ident, $lines:ident, $name:ident, $value:ident => $ilp:expr) => {
        $(#[$doc])+
        #[inline]
        pub fn $call<'a, N, S>(&mut self, name: N, value: S) -> Result<&mut Self>
        where
            N: AsRef<str> + TryInto<ColumnName<'a>>,
            S: TryInto<DecimalView<'a>>,
            Error: From<N::Error>,
            Error: From<S::Error>,
        {
            let $value = value;
            match &mut self.inner {
                Inner::Ilp($lines) => {
                    let $name = name;
                    $ilp
                }
                Inner::Qwp(columns) => {
                    let value: DecimalView<'a> = $value.try_into()?;
                    columns.$call(name, &value)?;
                }
            }
            Ok(self)
        }

        #[doc = concat!("[`", stringify!($call), "`](Self::", stringify!($call),
            ") when there is a value; without one the column is left out of the row, which is NULL.")]
        ///
        /// # Errors
        /// As there.
        #[inline]
        pub fn $opt<'a, N, S>(&mut self, name: N, value: Option<S>) -> Result<&mut Self>
        where
            N: AsRef<str> + TryInto<ColumnName<'a>>,
            S: TryInto<DecimalView<'a>>,
            Error: From<N::Error>,
            Error: From<S::Error>,
        {
            match value {
                Some(value) => self.$call(name, value),
                None => Ok(self),
            }
        }
    };
}

impl Buffer {
    decimals! {
        /// A DECIMAL: text, a [`DecimalView`], or a reference to a decimal of the crates
        /// `rust_decimal` or `bigdecimal` with the features of these names. Lines carry it from
        /// version 3 on.
        ///
        /// # Errors
        /// `InvalidDecimal`; `ProtocolVersionError` for lines before version 3; `InvalidName`, or
        /// `InvalidApiCall` out of order.
        column_dec, column_dec_opt, lines, name, value => {
            lines.check_decimals()?;
            let value: DecimalView<'a> = value.try_into()?;
            let name: ColumnName<'a> = name.try_into()?;
            lines.column_dec(&name, &value)?;
        }
    }

    decimals! {
        /// A DECIMAL of 64 bits. Only QWP carries it.
        ///
        /// # Errors
        /// `InvalidApiCall` for buffers of lines, and out of order; `InvalidDecimal`; `InvalidName`.
        column_dec64, column_dec64_opt, _lines, _name, value => {
            let _ = value;
            return Err(only_qwp("column_dec64"));
        }
    }

    decimals! {
        /// A DECIMAL of 128 bits. Only QWP carries it.
        ///
        /// # Errors
        /// `InvalidApiCall` for buffers of lines, and out of order; `InvalidDecimal`; `InvalidName`.
        column_dec128, column_dec128_opt, _lines, _name, value => {
            let _ = value;
            return Err(only_qwp("column_dec128"));
        }
    }

    /// An array of DOUBLE; see [`NdArrayView`] for what can be one. Lines carry it from version 2
    /// on.
    ///
    /// # Errors
    /// `ArrayError` for a ragged array or one beyond the limits; `ProtocolVersionError` for lines of
    /// version 1; `InvalidName`, or `InvalidApiCall` out of order and for elements other than `f64`.
    pub fn column_arr<'a, N, T, D>(&mut self, name: N, view: &T) -> Result<&mut Self>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        T: NdArrayView<D>,
        D: ArrayElement,
        Error: From<N::Error>,
    {
        match &mut self.inner {
            Inner::Ilp(lines) => {
                let shape = lines.check_array(view)?;
                lines.column_arr(&name.try_into()?, view, &shape)?;
            }
            Inner::Qwp(columns) => columns.column_arr(name, view)?,
        }
        Ok(self)
    }

    /// [`column_arr`](Self::column_arr) when there is a value; without one the column is left out of
    /// the row, which is NULL.
    ///
    /// # Errors
    /// As there.
    pub fn column_arr_opt<'a, N, T, D>(&mut self, name: N, value: Option<&T>) -> Result<&mut Self>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        T: NdArrayView<D>,
        D: ArrayElement,
        Error: From<N::Error>,
    {
        match value {
            Some(view) => self.column_arr(name, view),
            None => Ok(self),
        }
    }

    /// A TIMESTAMP: of nanoseconds or microseconds as given; lines of version 1 carry microseconds
    /// only and cut the rest off.
    ///
    /// # Errors
    /// `InvalidTimestamp` when the value does not convert; `InvalidName`, or `InvalidApiCall` out of
    /// order.
    #[inline]
    pub fn column_ts<'a, N, T>(&mut self, name: N, value: T) -> Result<&mut Self>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        T: TryInto<Timestamp>,
        Error: From<N::Error>,
        Error: From<T::Error>,
    {
        match &mut self.inner {
            Inner::Ilp(lines) => {
                let name: ColumnName<'a> = name.try_into()?;
                match value.try_into() {
                    Ok(value) => lines.column_ts(&name, value)?,
                    Err(error) => {
                        lines.column_unfinished(&name)?;
                        return Err(error.into());
                    }
                }
            }
            Inner::Qwp(columns) => columns.column_ts(name, value.try_into()?)?,
        }
        Ok(self)
    }

    /// [`column_ts`](Self::column_ts) when there is a value; without one the column is left out of
    /// the row, which is NULL.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn column_ts_opt<'a, N, T>(&mut self, name: N, value: Option<T>) -> Result<&mut Self>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        T: TryInto<Timestamp>,
        Error: From<N::Error>,
        Error: From<T::Error>,
    {
        match value {
            Some(value) => self.column_ts(name, value),
            None => Ok(self),
        }
    }

    /// Completes the row with its time. The unit decides what the server makes of a table it has to
    /// create: nanoseconds give TIMESTAMP_NS, microseconds TIMESTAMP.
    ///
    /// # Errors
    /// `InvalidTimestamp` before 1970 or out of range, which leaves the row unfinished;
    /// `InvalidApiCall` out of order.
    #[inline]
    pub fn at<T>(&mut self, timestamp: T) -> Result<()>
    where
        T: TryInto<Timestamp>,
        Error: From<T::Error>,
    {
        match &mut self.inner {
            Inner::Ilp(lines) => {
                lines.check_at()?;
                lines.at(timestamp.try_into()?)
            }
            Inner::Qwp(columns) => columns.at(timestamp.try_into()?),
        }
    }

    /// Completes the row; the server gives it the time it arrives at, which makes every row differ,
    /// so that sending it again stores it again.
    ///
    /// # Errors
    /// `InvalidApiCall` out of order.
    #[inline]
    pub fn at_now(&mut self) -> Result<()> {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.at_now(),
            Inner::Qwp(columns) => columns.at_now(),
        }
    }

    qwp_cells! {
        /// A BYTE.
        column_i8(value: i8), column_i8_opt(value: i8, value);
        /// A SHORT.
        column_i16(value: i16), column_i16_opt(value: i16, value);
        /// An INT. `i32::MIN` is NULL to the server.
        column_i32(value: i32), column_i32_opt(value: i32, value);
        /// A FLOAT.
        column_f32(value: f32), column_f32_opt(value: f32, value);
        /// A UUID by its lower and upper 64 bits.
        column_uuid(lo: u64, hi: u64), column_uuid_opt(value: (u64, u64), (lo, hi));
        /// A LONG256 as 32 bytes, the least significant first.
        column_long256(value: &[u8; 32]), column_long256_opt(value: &[u8; 32], value);
        /// An IPv4 address.
        column_ipv4(value: Ipv4Addr), column_ipv4_opt(value: Ipv4Addr, value);
        /// A DATE in milliseconds since 1970.
        column_date(millis: i64), column_date_opt(value: i64, millis);
        /// A CHAR as one unit of UTF-16.
        column_char(value: u16), column_char_opt(value: u16, value);
        /// A BINARY.
        column_binary(value: &[u8]), column_binary_opt(value: &[u8], value);
        /// A GEOHASH of up to 60 bits.
        column_geohash(bits: u64, precision_bits: u8),
            column_geohash_opt(value: (u64, u8), (bits, precision_bits));
    }
}
