use std::fmt;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::common::Precision;

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
        }
    };
}

properties! {
    /// Number of virtual groups.
    vgroups: u64, "VGROUPS";
    /// Number of replicas.
    replica: u16, "REPLICA";
    /// Days of data in a file, as text such as `14400m`.
    duration: String, "DURATION";
    /// How long data is kept, as text such as `5256000m`.
    keep: String, "KEEP";
    /// Pages of the cache in a virtual group.
    pages: u32, "PAGES";
    /// Fewest rows of a block in a file.
    minrows: u32, "MINROWS";
    /// Most rows of a block in a file.
    maxrows: u32, "MAXROWS";
    /// Level of compression, 0 to 2.
    comp: u8, "COMP";
    /// Unit of the timestamps.
    precision: Precision, "PRECISION";
}

impl fmt::Display for DatabaseProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.written().enumerate() {
            let space = if i == 0 { "" } else { " " };
            if name == "PRECISION" {
                write!(f, "{space}{name} '{value}'")?;
            } else {
                write!(f, "{space}{name} {value}")?;
            }
        }
        Ok(())
    }
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
