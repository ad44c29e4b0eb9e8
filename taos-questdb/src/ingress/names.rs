//! Names of tables and columns (questdb §2).

use std::fmt;

use crate::error::{Error, Result, error};

/// What each byte means, as bits.
pub(crate) mod class {
    /// Not allowed in names of tables.
    pub(crate) const TABLE: u8 = 1;
    /// Not allowed in names of columns.
    pub(crate) const COLUMN: u8 = 2;
    /// Needs a backslash in names and symbols.
    pub(crate) const BARE: u8 = 4;
    /// Needs a backslash in quoted strings.
    pub(crate) const QUOTED: u8 = 8;

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
        add(&mut of, b" ,=\n\r\\", BARE);
        add(&mut of, b"\n\r\"\\", QUOTED);
        of
    }

    const fn add(of: &mut [u8; 256], bytes: &[u8], bits: u8) {
        let mut i = 0;
        while i < bytes.len() {
            of[bytes[i] as usize] |= bits;
            i += 1;
        }
    }

    /// True when some byte has one of these bits.
    pub(crate) fn any(bytes: &[u8], bits: u8) -> bool {
        bytes.iter().any(|&byte| OF[usize::from(byte)] & bits != 0)
    }
}

/// Eight bytes at a time: tests leave the top bit of a byte set where it matches. A match may set
/// bits of the bytes above it too, so only "none" is exact.
pub(crate) mod swar {
    use super::Head;

    const ONES: u64 = 0x0101_0101_0101_0101;
    pub(crate) const TOPS: u64 = 0x8080_8080_8080_8080;

    /// Bytes below `limit`, which is at most 128.
    #[inline(always)]
    pub(crate) const fn less(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(ONES * limit as u64) & !word
    }

    #[inline(always)]
    pub(crate) const fn equal(word: u64, byte: u8) -> u64 {
        less(word ^ (ONES * byte as u64), 1)
    }

    /// Anything but letters, digits, `_`, and a few others that no rule knows.
    #[inline(always)]
    pub(crate) const fn not_word(word: u64) -> u64 {
        let below_digits = less(word, b'0');
        let not_ascii = word | word.wrapping_add(ONES * (0x80 - 0x7E));
        let from_colon = word.wrapping_add(ONES * (0x80 - b':' as u64));
        let from_letters = word.wrapping_add(ONES * (0x80 - b'A' as u64));
        below_digits | not_ascii | (from_colon & !from_letters) | equal(word, b'\\')
    }

    /// True when no byte of the text matches.
    pub(crate) fn none(text: &[u8], test: impl Fn(u64) -> u64) -> bool {
        let Some(last) = text.last_chunk() else {
            return Head::load_unless(text, test).is_some();
        };
        // The last eight overlap the chunk before them.
        let mut seen = test(u64::from_le_bytes(*last));
        let (chunks, _) = text.as_chunks();
        for chunk in chunks {
            seen |= test(u64::from_le_bytes(*chunk));
        }
        seen & TOPS == 0
    }
}

/// Up to sixteen bytes of a text in registers, zeros behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Head {
    pub(crate) lo: u64,
    pub(crate) hi: u64,
}

impl Head {
    /// A text of at most sixteen bytes.
    pub(crate) fn load(text: &[u8]) -> Self {
        Self::load_unless(text, |_| 0)
            .map(|(head, _)| head)
            .unwrap_or_default()
    }

    /// A text of at most sixteen bytes of which none matches the test, in one go: the length is
    /// looked at once. Bytes come to the test several times, never others.
    #[inline(always)]
    pub(crate) fn load_unless(text: &[u8], test: impl Fn(u64) -> u64) -> Option<(Self, usize)> {
        let len = text.len();
        let (seen, head) = if let (Some(a), Some(b)) = (text.first_chunk(), text.last_chunk()) {
            // The last eight overlap the first; what is there twice is shifted out.
            let (lo, last) = (u64::from_le_bytes(*a), u64::from_le_bytes(*b));
            let hi = match len {
                8..16 => last >> 1 >> (127 - 8 * len),
                16 => last,
                _ => return None,
            };
            (test(lo) | test(last), Self { lo, hi })
        } else if let (Some(a), Some(b)) = (text.first_chunk(), text.last_chunk()) {
            let a = u64::from(u32::from_le_bytes(*a));
            let b = u64::from(u32::from_le_bytes(*b));
            let lo = a | (b << (8 * (len - 4)));
            (test(a | (b << 32)), Self { lo, hi: 0 })
        } else if let (Some(a), Some(b)) = (text.first(), text.last()) {
            let (a, b) = (u64::from(*a), u64::from(*b));
            let middle = u64::from(text[len / 2]);
            let lo = a | (middle << (8 * (len / 2))) | (b << (8 * (len - 1)));
            let full = (a * 0x0101_0101_0101_0000) | (middle << 8) | b;
            (test(full), Self { lo, hi: 0 })
        } else {
            (0, Self::default())
        };
        (seen & swar::TOPS == 0).then_some((head, len))
    }

    /// With this byte, if any, behind the first `len`.
    #[inline(always)]
    fn ending(mut self, len: usize, end: &[u8]) -> Self {
        if let Some(end) = end.first() {
            let end = u64::from(*end) << (8 * (len % 8));
            *(if len < 8 { &mut self.lo } else { &mut self.hi }) |= end;
        }
        self
    }
}

/// How a name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// All of it stands in its [`Head`], and the `=` behind the name of a column.
    Short,
    /// As it is.
    Plain,
    /// With backslashes.
    Escaped,
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
    head: Head,
    form: Form,
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
    head: Head,
    form: Form,
}

impl<'a> TableName<'a> {
    /// Checks the characters of a name. Its length is checked by the buffer it is used with.
    ///
    /// # Errors
    /// `InvalidName` with the offending character and its byte.
    #[inline]
    pub fn new(name: &'a str) -> Result<Self> {
        match Head::load_unless(name.as_bytes(), swar::not_word) {
            Some((head, _)) if Self::is_short(name) && !name.is_empty() => {
                Ok(Self::short(name, head))
            }
            _ => {
                check_table(name)?;
                Ok(Self::new_unchecked(name))
            }
        }
    }

    /// Takes a name as it is; the server refuses what it does not like.
    pub fn new_unchecked(name: &'a str) -> Self {
        let form = if class::any(name.as_bytes(), class::BARE) {
            Form::Escaped
        } else if Self::is_short(name) {
            return Self::short(name, Head::load(name.as_bytes()));
        } else {
            Form::Plain
        };
        Self {
            name,
            head: Head::default(),
            form,
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
        match Head::load_unless(name.as_bytes(), swar::not_word) {
            Some((head, _)) if Self::is_short(name) && !name.is_empty() => {
                Ok(Self::short(name, head))
            }
            _ => {
                check_column(name)?;
                Ok(Self::new_unchecked(name))
            }
        }
    }

    /// Takes a name as it is; the server refuses what it does not like.
    pub fn new_unchecked(name: &'a str) -> Self {
        let form = if class::any(name.as_bytes(), class::BARE) {
            Form::Escaped
        } else if Self::is_short(name) {
            return Self::short(name, Head::load(name.as_bytes()));
        } else {
            Form::Plain
        };
        Self {
            name,
            head: Head::default(),
            form,
        }
    }
}

macro_rules! name {
    ($name:ident, $end:expr) => {
        impl<'a> $name<'a> {
            #[inline(always)]
            fn is_short(name: &str) -> bool {
                let end: &[u8] = $end;
                name.len() + end.len() <= 16
            }

            #[inline(always)]
            fn short(name: &'a str, head: Head) -> Self {
                Self {
                    name,
                    head: head.ending(name.len(), $end),
                    form: Form::Short,
                }
            }

            #[inline(always)]
            pub(crate) fn text(&self) -> &'a str {
                self.name
            }

            /// The bytes of a short name and, where it is one, their number, at most 16.
            #[inline(always)]
            pub(crate) fn short_head(&self) -> Option<(Head, usize)> {
                let end: &[u8] = $end;
                let len = self.name.len() + end.len();
                (self.form == Form::Short && len <= 16).then_some((self.head, len))
            }

            #[inline(always)]
            pub(crate) fn form(&self) -> Form {
                self.form
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

name!(TableName, b"");
name!(ColumnName, b"=");

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
