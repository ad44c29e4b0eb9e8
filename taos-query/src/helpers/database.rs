use std::fmt;
use std::str::FromStr;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::common::Precision;
use crate::error::{ErrorKind, RawError, RawResult};

/// A database as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShowDatabase {
    /// Its name.
    pub name: String,
    /// When it was created.
    #[serde(default, alias = "create_time")]
    pub created_time: Option<NaiveDateTime>,
    /// The number of its tables.
    #[serde(default)]
    pub ntables: Option<usize>,
    /// Its settings, as far as the server tells them.
    #[serde(flatten)]
    pub props: DatabaseProperties,
    /// `ready`, or what it is waiting for.
    #[serde(default)]
    pub status: Option<String>,
}

macro_rules! properties {
    ($($(#[$attr:meta])* $name:ident: $ty:ty, $sql:literal;)*) => {
        /// Settings of a database; prints as the options of `create database`.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct DatabaseProperties {
            $($(#[$attr])* pub $name: Option<$ty>,)*
        }

        impl DatabaseProperties {
            /// No setting at all.
            pub fn new() -> Self {
                Self::default()
            }

            $(
                $(#[$attr])*
                #[must_use]
                pub fn $name(mut self, value: $ty) -> Self {
                    self.$name = Some(value);
                    self
                }
            )*

            fn written(&self) -> impl Iterator<Item = (&'static str, &dyn fmt::Display)> {
                let all: Vec<(&'static str, Option<&dyn fmt::Display>)> =
                    vec![$(($sql, self.$name.as_ref().map(|value| value as _))),*];
                all.into_iter().filter_map(|(name, value)| Some((name, value?)))
            }

            /// Sets the option of this name; one that is not here changes nothing.
            fn set(&mut self, name: &str, value: &str) -> RawResult<()> {
                $(if name.eq_ignore_ascii_case($sql) {
                    let value = value.parse().map_err(|_| unreadable(name, value))?;
                    self.$name = Some(value);
                })*
                Ok(())
            }
        }
    };
}

properties! {
    /// Number of virtual groups.
    vgroups: u64, "VGROUPS";
    /// Number of replicas.
    replica: u16, "REPLICA";
    /// Replicas that must confirm a write; servers before 3.0.
    quorum: u16, "QUORUM";
    /// Days of data in a file; servers before 3.0.
    days: u16, "DAYS";
    /// Days of data in a file, as text such as `14400m`.
    duration: String, "DURATION";
    /// How long data is kept, as text such as `5256000m`.
    keep: String, "KEEP";
    /// Size of a cache block in MiB; servers before 3.0.
    cache: u32, "CACHE";
    /// Number of cache blocks in a virtual group; servers before 3.0.
    blocks: u32, "BLOCKS";
    /// Write buffer of a virtual group in MiB.
    buffer: u32, "BUFFER";
    /// Size of a page in KiB.
    pagesize: u32, "PAGESIZE";
    /// Pages of the cache in a virtual group.
    pages: u32, "PAGES";
    /// Fewest rows of a block in a file.
    minrows: u32, "MINROWS";
    /// Most rows of a block in a file.
    maxrows: u32, "MAXROWS";
    /// Level of the write-ahead log; servers before 3.0.
    wal: u8, "WAL";
    /// Milliseconds between flushes of that log; servers before 3.0.
    fsync: u32, "FSYNC";
    /// Level of the write-ahead log, 1 or 2.
    wal_level: u8, "WAL_LEVEL";
    /// Milliseconds between flushes of that log.
    wal_fsync_period: u32, "WAL_FSYNC_PERIOD";
    /// Seconds that the log is kept for topics.
    wal_retention_period: i32, "WAL_RETENTION_PERIOD";
    /// Level of compression, 0 to 2.
    comp: u8, "COMP";
    /// Whether last rows are cached; servers before 3.0.
    cachelast: u8, "CACHELAST";
    /// What of the last rows is cached: `none`, `last_row`, `last_value` or `both`.
    cachemodel: String, "CACHEMODEL";
    /// Cache of last rows in a virtual group, in MiB.
    cachesize: u32, "CACHESIZE";
    /// Unit of the timestamps.
    precision: Precision, "PRECISION";
    /// Whether a row of an equal time replaces the older; servers before 3.0.
    update: u8, "UPDATE";
}

impl fmt::Display for DatabaseProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.written().enumerate() {
            let space = if i == 0 { "" } else { " " };
            if matches!(name, "PRECISION" | "CACHEMODEL") {
                write!(f, "{space}{name} '{value}'")?;
            } else {
                write!(f, "{space}{name} {value}")?;
            }
        }
        Ok(())
    }
}

/// Reads the options of `create database`, with or without those words and the name in front, as
/// `show create database` gives them. Options that are not members here are left out.
///
/// ```
/// use taos_query::helpers::DatabaseProperties;
///
/// let created = "CREATE DATABASE `power` BUFFER 256 COMP 2 KEEP 3650d PRECISION 'ms' VGROUPS 2";
/// let settings: DatabaseProperties = created.parse()?;
/// assert_eq!(settings.vgroups, Some(2));
/// # Ok::<(), taos_query::RawError>(())
/// ```
impl FromStr for DatabaseProperties {
    type Err = RawError;

    fn from_str(text: &str) -> RawResult<Self> {
        let mut words = text.split_ascii_whitespace().peekable();
        let mut skip = |expected: &str| {
            words
                .next_if(|word| word.eq_ignore_ascii_case(expected))
                .is_some()
        };
        if skip("create") && skip("database") {
            for word in ["if", "not", "exists"] {
                skip(word);
            }
            words.next();
        }
        let mut properties = Self::new();
        while let Some(name) = words.next() {
            let value = words
                .next()
                .ok_or_else(|| unreadable(name, "nothing"))?
                .trim_end_matches(';')
                .trim_matches('\'');
            properties.set(name, value)?;
        }
        Ok(properties)
    }
}

fn unreadable(name: &str, value: &str) -> RawError {
    RawError::of(
        ErrorKind::Decode,
        format!("the option {name} of a database cannot be `{value}`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_print_as_options_of_create_database() {
        let settings = DatabaseProperties::new()
            .vgroups(2)
            .precision(Precision::Nanosecond);
        assert_eq!(settings.to_string(), "VGROUPS 2 PRECISION 'ns'");
    }

    #[test]
    fn options_of_both_generations_come_back_from_their_text() {
        for text in [
            "REPLICA 1 QUORUM 1 DAYS 10 KEEP 30 CACHE 1 BLOCKS 3 MINROWS 100 MAXROWS 4096 WAL 1 \
             FSYNC 3000 COMP 2 CACHELAST 0 PRECISION 'us' UPDATE 0",
            "VGROUPS 2 REPLICA 1 DURATION 14400m KEEP 5256000m,5256000m,5256000m BUFFER 256 \
             PAGESIZE 4 PAGES 256 WAL_LEVEL 1 WAL_FSYNC_PERIOD 3000 WAL_RETENTION_PERIOD -1 \
             CACHEMODEL 'none' CACHESIZE 1 PRECISION 'ns'",
        ] {
            let settings: DatabaseProperties = text.parse().unwrap();
            assert_eq!(settings.to_string(), text);
            let statement = format!("create database if not exists `power` {text} TABLE_SUFFIX 0;");
            assert_eq!(statement.parse::<DatabaseProperties>().unwrap(), settings);
        }
    }

    #[test]
    fn an_option_that_cannot_be_read_is_named() {
        for (text, name) in [
            ("VGROUPS x", "VGROUPS"),
            ("COMP 999", "COMP"),
            ("KEEP", "KEEP"),
        ] {
            let error = text.parse::<DatabaseProperties>().unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_listing_with_names_alone_is_enough() {
        let database: ShowDatabase = serde_json::from_str(r#"{"name":"power"}"#).unwrap();
        assert_eq!(database.name, "power");
        assert_eq!(database.props, DatabaseProperties::new());
    }

    #[test]
    fn columns_of_the_information_schema_fill_the_fields() {
        let database: ShowDatabase = serde_json::from_str(
            r#"{"name":"p","create_time":"2026-01-02T03:04:05","vgroups":2,"ntables":7,
                "precision":"us","status":"ready","unknown":[1]}"#,
        )
        .unwrap();
        assert_eq!(database.ntables, Some(7));
        assert_eq!(database.props.precision, Some(Precision::Microsecond));
        assert!(database.created_time.is_some());
    }
}
