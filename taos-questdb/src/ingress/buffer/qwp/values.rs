//! One call for each type of value (questdb §12.5).

use std::net::Ipv4Addr;

use super::super::state::{Call, State};
use super::QwpBuffer;
use super::decimal::Decimal;
use crate::error::{Error, Result, error};
use crate::ingress::array::{Shape, TYPE_F64, write_elements};
use crate::ingress::{ArrayElement, ColumnName, DecimalView, NdArrayView, Timestamp};
use crate::qwp::wire::ColumnType;

macro_rules! fixed {
    ($($(#[$doc:meta])* $method:ident($value:ident: $type:ty) -> $kind:ident $bytes:expr;)+) => {
        impl QwpBuffer {
            $(
                $(#[$doc])*
                #[inline(never)]
                pub(crate) fn $method<'a, N>(&mut self, name: N, $value: $type) -> Result<()>
                where
                    N: AsRef<str> + TryInto<ColumnName<'a>>,
                    Error: From<N::Error>,
                {
                    if let Some((column, row)) = self.grid.cell(name, ColumnType::$kind, Call::Column)? {
                        column.put(row, $bytes);
                    }
                    self.grid.state = State::SYMBOL;
                    Ok(())
                }
            )+
        }
    };
}

fixed! {
    column_i8(value: i8) -> Byte value.to_le_bytes();
    column_i16(value: i16) -> Short value.to_le_bytes();
    column_i32(value: i32) -> Int value.to_le_bytes();
    column_i64(value: i64) -> Long value.to_le_bytes();
    column_f32(value: f32) -> Float value.to_le_bytes();
    column_f64(value: f64) -> Double value.to_le_bytes();
    /// Milliseconds since 1970.
    column_date(millis: i64) -> Date millis.to_le_bytes();
    /// One UTF-16 unit.
    column_char(unit: u16) -> Char unit.to_le_bytes();
    column_ipv4(address: Ipv4Addr) -> Ipv4 u32::from(address).to_le_bytes();
    /// As it goes over the wire: least significant byte first.
    column_long256(bytes: &[u8; 32]) -> Long256 *bytes;
}

impl QwpBuffer {
    #[inline(never)]
    pub(crate) fn symbol<'a, N, S>(&mut self, name: N, value: S) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        S: AsRef<str>,
        Error: From<N::Error>,
    {
        let value = value.as_ref().as_bytes();
        if let Some((column, row)) = self.grid.cell(name, ColumnType::Symbol, Call::Symbol)? {
            let id = self.symbols.intern(value).ok_or_else(|| {
                error!(
                    SymbolDictFull,
                    "this buffer holds too many symbols; flush it"
                )
            })?;
            column.put(row, id.to_le_bytes());
        }
        self.grid.state = State::SYMBOL;
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn column_bool<'a, N>(&mut self, name: N, value: bool) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        if let Some((column, row)) = self.grid.cell(name, ColumnType::Boolean, Call::Column)? {
            column.put_bool(row, value);
        }
        self.grid.state = State::SYMBOL;
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn column_str<'a, N, S>(&mut self, name: N, value: S) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        S: AsRef<str>,
        Error: From<N::Error>,
    {
        self.bytes(name, ColumnType::Varchar, value.as_ref().as_bytes())
    }

    pub(crate) fn column_binary<'a, N>(&mut self, name: N, value: &[u8]) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        self.bytes(name, ColumnType::Binary, value)
    }

    #[inline]
    fn bytes<'a, N>(&mut self, name: N, kind: ColumnType, value: &[u8]) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        self.grid
            .put(name, kind, |column, row| column.put_bytes(row, value))
    }

    #[inline(never)]
    pub(crate) fn column_ts<'a, N>(&mut self, name: N, value: Timestamp) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        let (kind, value) = match value {
            Timestamp::Micros(ts) => (ColumnType::Timestamp, ts.as_i64()),
            Timestamp::Nanos(ts) => (ColumnType::TimestampNanos, ts.as_i64()),
        };
        if let Some((column, row)) = self.grid.cell(name, kind, Call::Column)? {
            column.put(row, value.to_le_bytes());
        }
        self.grid.state = State::SYMBOL;
        Ok(())
    }

    /// The low and the high half.
    pub(crate) fn column_uuid<'a, N>(&mut self, name: N, lo: u64, hi: u64) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        if let Some((column, row)) = self.grid.cell(name, ColumnType::Uuid, Call::Column)? {
            column.put(row, (u128::from(hi) << 64 | u128::from(lo)).to_le_bytes());
        }
        self.grid.state = State::SYMBOL;
        Ok(())
    }

    pub(crate) fn column_geohash<'a, N>(&mut self, name: N, hash: u64, bits: u8) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        self.grid.put(name, ColumnType::Geohash, |column, row| {
            column.put_geohash(row, hash, bits)
        })
    }

    pub(crate) fn column_dec<'a, N>(&mut self, name: N, value: &DecimalView<'_>) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        self.decimal(name, ColumnType::Decimal256, value)
    }

    pub(crate) fn column_dec64<'a, N>(&mut self, name: N, value: &DecimalView<'_>) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        self.decimal(name, ColumnType::Decimal64, value)
    }

    pub(crate) fn column_dec128<'a, N>(&mut self, name: N, value: &DecimalView<'_>) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        self.decimal(name, ColumnType::Decimal128, value)
    }

    fn decimal<'a, N>(&mut self, name: N, kind: ColumnType, value: &DecimalView<'_>) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        let value = Decimal::of(value)?;
        self.grid
            .put(name, kind, |column, row| column.put_decimal(row, value))
    }

    pub(crate) fn column_arr<'a, N, T, D>(&mut self, name: N, array: &T) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        T: NdArrayView<D>,
        D: ArrayElement,
        Error: From<N::Error>,
    {
        let kind = if D::TYPE == TYPE_F64 {
            ColumnType::DoubleArray
        } else {
            ColumnType::LongArray
        };
        let shape = Shape::of(array)?;
        self.grid.put(name, kind, |column, row| {
            column.put_array(row, shape.dims(), shape.data_len(), |out| {
                write_elements(array, out)
            })
        })
    }
}
