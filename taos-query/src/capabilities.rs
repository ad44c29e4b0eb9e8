//! What a backend can do, for programs and suites that run on more than one.

use std::borrow::Cow;

use crate::error::{ErrorKind, RawError, RawResult};
use crate::helpers::{quote_name, quote_table};

/// The dialect of SQL that a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// TDengine's.
    TDengine,
    /// QuestDB's.
    QuestDb,
}

impl Dialect {
    /// A table as programs name it, between backticks.
    ///
    /// # Errors
    /// For a name that cannot be quoted.
    pub(crate) fn table(self, name: &str) -> RawResult<String> {
        match self {
            Self::TDengine => quote_table(name),
            // There is one schema, and a dot may be part of a name.
            Self::QuestDb => {
                let table = name.strip_prefix("public.").unwrap_or(name);
                let bare = table
                    .strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'));
                quote_name(bare.unwrap_or(table))
            }
        }
    }

    /// A name between backticks as this dialect quotes it.
    ///
    /// # Errors
    /// For a name that the dialect cannot quote.
    pub(crate) fn name(self, quoted: &str) -> RawResult<Cow<'_, str>> {
        match self {
            Self::TDengine => Ok(quoted.into()),
            Self::QuestDb if quoted.contains('"') => Err(RawError::of(
                ErrorKind::Config,
                format!("{quoted} cannot be the name of a table: it has a double quote"),
            )),
            Self::QuestDb => Ok(quoted.replace('`', "\"").into()),
        }
    }
}

/// What a backend can do. A call that it cannot answers `Unsupported`.
///
/// ```
/// use taos_query::Capabilities;
///
/// assert!(Capabilities::TDENGINE.topics);
/// assert!(!Capabilities::QUESTDB.databases);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Capabilities {
    /// Which SQL it takes.
    pub dialect: Dialect,
    /// There are databases to create and to use.
    pub databases: bool,
    /// Super tables, subtables and tags.
    pub tags: bool,
    /// Topics and consumers.
    pub topics: bool,
    /// `put` takes OpenTSDB lines and JSON, not only InfluxDB lines.
    pub opentsdb: bool,
    /// Raw blocks and raw messages can be written.
    pub raw_writes: bool,
    /// SQL can be run. Without it there are writes of lines only: no statements, no `describe`, no inserter.
    pub queries: bool,
    /// Statements other than INSERT can be prepared.
    pub prepared_queries: bool,
    /// A row can be read as soon as its write has been answered.
    pub read_your_writes: bool,
    /// Statements tell how many rows they changed.
    pub affected_rows: bool,
    /// A connection is a line to the server that lasts, that can be seen to break, and that belongs to the
    /// runtime it was made in. Without it each request stands for itself.
    pub lasting_connections: bool,
    /// Connections have a time zone: that of the parameter `timezone`.
    pub time_zones: bool,
    /// Columns of every type can be NULL.
    pub nulls_of_every_type: bool,
}

impl Capabilities {
    /// TDengine and the embedded server.
    pub const TDENGINE: Self = Self {
        dialect: Dialect::TDengine,
        databases: true,
        tags: true,
        topics: true,
        opentsdb: true,
        raw_writes: true,
        queries: true,
        prepared_queries: true,
        read_your_writes: true,
        affected_rows: true,
        lasting_connections: true,
        time_zones: true,
        nulls_of_every_type: true,
    };

    /// QuestDB over HTTP. A connection over QWP has prepared queries, counts of affected rows and lasting
    /// connections besides; one over TCP lasts, and runs no queries: ask `capabilities()` of the connection.
    pub const QUESTDB: Self = Self {
        dialect: Dialect::QuestDb,
        databases: false,
        tags: false,
        topics: false,
        opentsdb: false,
        raw_writes: false,
        queries: true,
        prepared_queries: false,
        read_your_writes: false,
        affected_rows: false,
        lasting_connections: false,
        time_zones: false,
        nulls_of_every_type: false,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_divides_a_name_only_where_there_are_databases() {
        for (name, tdengine, questdb) in [
            ("my.tab", "`my`.`tab`", "`my.tab`"),
            ("`my.tab`", "`my.tab`", "`my.tab`"),
            ("public.t", "`public`.`t`", "`t`"),
            ("t", "`t`", "`t`"),
        ] {
            assert_eq!(Dialect::TDengine.table(name).unwrap(), tdengine);
            assert_eq!(Dialect::QuestDb.table(name).unwrap(), questdb);
        }
        assert_eq!(Dialect::QuestDb.table("\"a.b\"").unwrap(), "`a.b`");
        assert!(Dialect::QuestDb.table("`a`.`b`").is_err());
    }
}
