//! The syntax tree: what a statement says, before anybody knows what its names mean.

mod ddl;
mod expr;
mod insert;
mod params;
mod query;

pub(crate) use ddl::*;
pub(crate) use expr::*;
pub(crate) use insert::*;
pub(crate) use query::*;

use taos_query::common::{Precision, Ty};

/// A half-open byte range of the statement's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    /// First byte.
    pub start: u32,
    /// One behind the last byte.
    pub end: u32,
}

impl Span {
    /// The text the span covers; empty when it is not one of `sql`.
    pub(crate) fn of(self, sql: &str) -> &str {
        let range = usize::try_from(self.start).unwrap_or(usize::MAX)
            ..usize::try_from(self.end).unwrap_or(usize::MAX);
        sql.get(range).unwrap_or_default()
    }

    /// From here to the end of the statement, as error texts quote it.
    pub(crate) fn rest(self, sql: &str) -> &str {
        sql.get(usize::try_from(self.start).unwrap_or(usize::MAX)..)
            .unwrap_or_default()
    }

    /// The smallest span that holds both.
    #[must_use]
    pub(crate) fn to(self, end: Self) -> Self {
        Self {
            start: self.start,
            end: end.end.max(self.end),
        }
    }
}

/// A name: folded to lower case unless it was backquoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ident {
    /// The name as the catalog knows it.
    pub name: String,
    /// Whether it stood in backquotes.
    pub quoted: bool,
    /// Where it stood, backquotes included.
    pub span: Span,
}

/// `table` or `database.table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectName {
    /// The database, if named.
    pub db: Option<Ident>,
    /// The table, topic or other object.
    pub name: Ident,
}

/// A number and a unit, like `10a` or `1n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duration {
    /// The number.
    pub value: i64,
    /// The unit.
    pub unit: DurationUnit,
}

/// The letters behind a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum DurationUnit {
    Nanosecond,
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl DurationUnit {
    /// The unit of a letter, in either case.
    pub(crate) const fn of_letter(letter: u8) -> Option<Self> {
        Some(match letter.to_ascii_lowercase() {
            b'b' => Self::Nanosecond,
            b'u' => Self::Microsecond,
            b'a' => Self::Millisecond,
            b's' => Self::Second,
            b'm' => Self::Minute,
            b'h' => Self::Hour,
            b'd' => Self::Day,
            b'w' => Self::Week,
            b'n' => Self::Month,
            b'y' => Self::Year,
            _ => return None,
        })
    }

    /// Nanoseconds of one unit; `None` for months and years, which have no fixed length.
    pub(crate) const fn nanoseconds(self) -> Option<i64> {
        Some(match self {
            Self::Nanosecond => 1,
            Self::Microsecond => 1_000,
            Self::Millisecond => 1_000_000,
            Self::Second => 1_000_000_000,
            Self::Minute => 60_000_000_000,
            Self::Hour => 3_600_000_000_000,
            Self::Day => 86_400_000_000_000,
            Self::Week => 604_800_000_000_000,
            Self::Month | Self::Year => return None,
        })
    }
}

impl Duration {
    /// Ticks of a database's unit, cut toward zero; `None` for months and years and on overflow.
    pub(crate) fn ticks(self, precision: Precision) -> Option<i64> {
        let unit = i128::from(self.unit.nanoseconds()?);
        let tick = i128::from(1_000_000_000 / precision.ticks_per_second());
        i64::try_from(i128::from(self.value) * unit / tick).ok()
    }

    /// Months of a calendar duration; `None` for the others.
    pub(crate) fn months(self) -> Option<i64> {
        match self.unit {
            DurationUnit::Month => Some(self.value),
            DurationUnit::Year => self.value.checked_mul(12),
            _ => None,
        }
    }
}

/// A type with its declared length or digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataType {
    /// The type; `Ty::Decimal64` up to 18 digits, `Ty::Decimal` above.
    pub ty: Ty,
    /// `(n)` behind a text type; `None` if none was written.
    pub length: Option<u32>,
    /// Digits of a decimal, as written: may exceed what is allowed.
    pub precision: u32,
    /// Digits behind the point.
    pub scale: u32,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Statement {
    /// SELECT and UNION.
    Query(Box<Query>),
    /// INSERT.
    Insert(Insert),
    /// DELETE.
    Delete(Delete),
    /// CREATE DATABASE.
    CreateDatabase(CreateDatabase),
    /// ALTER DATABASE.
    AlterDatabase(AlterDatabase),
    /// DROP DATABASE.
    DropDatabase(DropDatabase),
    /// USE.
    Use(Ident),
    /// FLUSH DATABASE.
    FlushDatabase(Ident),
    /// CREATE TABLE or STABLE with columns.
    CreateTable(CreateTable),
    /// CREATE TABLE … USING …, one or several.
    CreateSubtables(Vec<CreateSubtable>),
    /// DROP TABLE or STABLE.
    DropTable(DropTable),
    /// ALTER TABLE or STABLE.
    AlterTable(AlterTable),
    /// SHOW in its forms.
    Show(Show),
    /// DESCRIBE.
    Describe(ObjectName),
    /// CREATE TOPIC.
    CreateTopic(CreateTopic),
    /// DROP TOPIC.
    DropTopic(DropNamed),
    /// DROP CONSUMER GROUP.
    DropConsumerGroup(DropConsumerGroup),
    /// CREATE USER.
    CreateUser(CreateUser),
    /// ALTER USER.
    AlterUser(AlterUser),
    /// DROP USER.
    DropUser(DropNamed),
    /// DROP FUNCTION.
    DropFunction(DropNamed),
    /// EXPLAIN.
    Explain(Box<Explain>),
    /// A known statement this server has no use for, by name (`GRANT`, `CREATE STREAM`, …).
    Other(String),
}
