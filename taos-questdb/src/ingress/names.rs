//! Names of tables and columns (questdb §2).

use std::fmt;

use crate::error::{Error, Result, error};

/// What is known of a byte, as bits; the bits of all bytes of a text together say at once whether it
/// needs a closer look.
pub(crate) mod class {
    /// Not allowed in names of tables.
    pub(crate) const TABLE: u8 = 1;
    /// Not allowed in names of columns.
    pub(crate) const COLUMN: u8 = 2;
    /// Needs a backslash in names and symbols.
    pub(crate) const BARE: u8 = 4;
    /// Needs a backslash in quoted strings.
    pub(crate) const QUOTED: u8 = 8;
    /// Allowed only between other characters of a table's name.
    pub(crate) const DOT: u8 = 16;
    /// May begin U+FEFF, which no name may have.
    pub(crate) const MARK: u8 = 32;

    pub(crate) static OF: [u8; 256] = table();

    const fn table() -> [u8; 256] {
        let mut of = [0; 256];
        let mut byte = 0;
        while byte <= 0x0F {
            of[byte] |= TABLE | COLUMN;
            byte += 1;
        }
        of[0x7F] |= TABLE | COLUMN;
        add(&mut of, b"?,'\"\\/:)(+*%~", TABLE | COLUMN);
        add(&mut of, b".-", COLUMN);
        add(&mut of, b".", DOT);
        add(&mut of, b" ,=\n\r\\", BARE);
        add(&mut of, b"\n\r\"\\", QUOTED);
        add(&mut of, b"\xEF", MARK);
        of
    }

    const fn add(of: &mut [u8; 256], bytes: &[u8], bits: u8) {
        let mut i = 0;
        while i < bytes.len() {
            of[bytes[i] as usize] |= bits;
            i += 1;
        }
    }

    /// The bits of all bytes together.
    #[inline]
    pub(crate) const fn of_all(bytes: &[u8]) -> u8 {
        let mut seen = 0;
        let mut i = 0;
        while i < bytes.len() {
            seen |= OF[bytes[i] as usize];
            i += 1;
        }
        seen
    }
}

/// A checked name of a table. Checking once and passing this to
/// [`Buffer::table`](super::Buffer::table) spares a check per row.
///
/// ```
/// use taos_questdb::ingress::{Buffer, ColumnName, ProtocolVersion, TableName, TimestampNanos};
///
/// let trades = TableName::new("trades")?;
/// let price = ColumnName::new("price")?;
/// let mut buffer = Buffer::new(ProtocolVersion::V1);
/// for value in [2615.5, 2616.0] {
///     buffer.table(trades)?.column_f64(price, value)?.at(TimestampNanos::new(1))?;
/// }
/// assert_eq!(buffer.as_bytes(), b"trades price=2615.5 1\ntrades price=2616.0 1\n");
/// assert!(TableName::new("what?").is_err());
/// # taos_questdb::Result::Ok(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TableName<'a> {
    name: &'a str,
    plain: bool,
}

/// A checked name of a column or symbol. Checking once and passing this to the `column_*` calls of
/// [`Buffer`](super::Buffer) spares a check per cell.
///
/// ```
/// use taos_questdb::{ErrorCode, ingress::ColumnName};
///
/// assert_eq!(ColumnName::new("price")?.as_ref(), "price");
/// let error = ColumnName::new("a.b").err();
/// assert_eq!(error.map(|e| e.code()), Some(ErrorCode::InvalidName));
/// # taos_questdb::Result::Ok(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColumnName<'a> {
    name: &'a str,
    plain: bool,
}

impl<'a> TableName<'a> {
    /// Checks the characters of a name. Its length is checked by the buffer it is used with.
    ///
    /// # Errors
    /// `InvalidName` with the offending character and its byte.
    #[inline]
    pub fn new(name: &'a str) -> Result<Self> {
        let seen = class::of_all(name.as_bytes());
        if name.is_empty() || seen & (class::TABLE | class::DOT | class::MARK) != 0 {
            check_table(name)?;
        }
        Ok(Self {
            name,
            plain: seen & class::BARE == 0,
        })
    }

    /// Takes a name as it is; the server refuses what it does not like.
    pub const fn new_unchecked(name: &'a str) -> Self {
        Self {
            name,
            plain: class::of_all(name.as_bytes()) & class::BARE == 0,
        }
    }
}

impl<'a> ColumnName<'a> {
    /// Checks the characters of a name. Its length is checked by the buffer it is used with.
    ///
    /// # Errors
    /// `InvalidName` with the offending character and its byte.
    #[inline]
    pub fn new(name: &'a str) -> Result<Self> {
        let seen = class::of_all(name.as_bytes());
        if name.is_empty() || seen & (class::COLUMN | class::MARK) != 0 {
            check_column(name)?;
        }
        Ok(Self {
            name,
            plain: seen & class::BARE == 0,
        })
    }

    /// Takes a name as it is; the server refuses what it does not like.
    pub const fn new_unchecked(name: &'a str) -> Self {
        Self {
            name,
            plain: class::of_all(name.as_bytes()) & class::BARE == 0,
        }
    }
}

/// What both kinds of names are to a writer.
pub(crate) trait Name<'a>: Copy {
    fn text(self) -> &'a str;
    /// No byte of it needs a backslash.
    fn plain(self) -> bool;
}

macro_rules! name {
    ($name:ident) => {
        impl<'a> Name<'a> for $name<'a> {
            #[inline]
            fn text(self) -> &'a str {
                self.name
            }

            #[inline]
            fn plain(self) -> bool {
                self.plain
            }
        }

        impl<'a> TryFrom<&'a str> for $name<'a> {
            type Error = Error;

            #[inline]
            fn try_from(name: &'a str) -> Result<Self> {
                Self::new(name)
            }
        }

        impl AsRef<str> for $name<'_> {
            fn as_ref(&self) -> &str {
                self.name
            }
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.name).finish()
            }
        }
    };
}

name!(TableName);
name!(ColumnName);

#[cold]
#[inline(never)]
fn check_table(name: &str) -> Result<()> {
    let last = name.len().saturating_sub(1);
    let mut after_dot = true;
    check(name, "table", |at, c| {
        let misplaced = c == '.' && (after_dot || at == last);
        after_dot = c == '.';
        misplaced || is_any(c, class::TABLE)
    })
}

#[cold]
#[inline(never)]
fn check_column(name: &str) -> Result<()> {
    check(name, "column", |_, c| is_any(c, class::COLUMN))
}

fn is_any(c: char, bits: u8) -> bool {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => class::OF[usize::from(byte)] & bits != 0,
        _ => c == '\u{FEFF}',
    }
}

fn check(name: &str, of: &str, mut bad: impl FnMut(usize, char) -> bool) -> Result<()> {
    if name.is_empty() {
        return Err(error!(InvalidName, "the name of a {of} must not be empty"));
    }
    match name.char_indices().find(|&(at, c)| bad(at, c)) {
        None => Ok(()),
        Some((at, '.')) if of == "table" => Err(error!(
            InvalidName,
            "table name {name:?}: '.' at byte {at} must stand alone between other characters"
        )),
        Some((at, c)) => Err(error!(
            InvalidName,
            "{of} name {name:?}: {c:?} at byte {at} is not allowed"
        )),
    }
}

/// # Errors
/// `InvalidName` when the name has more bytes than the limit.
#[inline]
pub(crate) fn check_len(name: &str, limit: usize) -> Result<()> {
    if name.len() <= limit {
        Ok(())
    } else {
        Err(too_long(name, limit))
    }
}

#[cold]
#[inline(never)]
fn too_long(name: &str, limit: usize) -> Error {
    error!(
        InvalidName,
        "name {name:?} has {} bytes, the limit is {limit} (`max_name_len`)",
        name.len()
    )
}
