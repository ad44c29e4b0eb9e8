use std::fmt;

use serde::{Deserialize, Serialize};

use super::sql::{List, Name};

/// Tables that were dropped. Prints as SQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub enum MetaDrop {
    /// A super table with its subtables.
    Super {
        /// Its name, without database.
        table_name: String,
    },
    /// Subtables, and tables that belong to no super table.
    Other {
        /// Their names, without database.
        table_name_list: Vec<String>,
    },
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    #[serde(skip_serializing_if = "Option::is_none")]
    table_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table_name_list: Option<Vec<String>>,
}

impl TryFrom<Wire> for MetaDrop {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        match (wire.table_name_list, wire.table_name) {
            (Some(table_name_list), _) => Ok(Self::Other { table_name_list }),
            (None, Some(table_name))
                if wire.table_type.as_deref().is_some_and(|ty| ty != "super") =>
            {
                Ok(Self::Other {
                    table_name_list: vec![table_name],
                })
            }
            (None, Some(table_name)) => Ok(Self::Super { table_name }),
            (None, None) => Err("neither `tableName` nor `tableNameList` says what was dropped"),
        }
    }
}

impl From<MetaDrop> for Wire {
    fn from(drop: MetaDrop) -> Self {
        match drop {
            MetaDrop::Super { table_name } => Self {
                table_type: Some("super".to_owned()),
                table_name: Some(table_name),
                table_name_list: None,
            },
            MetaDrop::Other { table_name_list } => Self {
                table_name_list: Some(table_name_list),
                ..Self::default()
            },
        }
    }
}

impl fmt::Display for MetaDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Super { table_name } => {
                write!(f, "DROP STABLE IF EXISTS {}", Name(table_name))
            }
            Self::Other { table_name_list } if table_name_list.is_empty() => {
                f.write_str("/* no table was dropped */")
            }
            Self::Other { table_name_list } => {
                let each = table_name_list
                    .iter()
                    .map(|name| format!("IF EXISTS {}", Name(name)));
                write!(f, "DROP TABLE {}", List(each))
            }
        }
    }
}

/// Rows that were deleted. Prints as SQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaDelete {
    /// The statement, whose names have no database.
    pub sql: String,
}

impl fmt::Display for MetaDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)
    }
}
