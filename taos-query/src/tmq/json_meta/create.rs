use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::sql::{Column as ColumnSql, List, Name, TagValue};
use super::wire::{self, Column};
use crate::common::Field;
use crate::helpers::CompressOptions;

/// A table that was created. Prints as SQL.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(
    tag = "tableType",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum MetaCreate {
    /// A super table.
    Super {
        /// Its name, without database.
        table_name: String,
        /// Its columns.
        #[serde(default, deserialize_with = "wire::list")]
        columns: Vec<FieldMore>,
        /// Its tags.
        #[serde(default, deserialize_with = "wire::fields")]
        tags: Vec<Field>,
    },
    /// A subtable.
    Child {
        /// Its name, without database.
        table_name: String,
        /// Its super table, without database.
        using: String,
        /// Its tags, those left out that are NULL.
        #[serde(default, deserialize_with = "wire::list")]
        tags: Vec<TagWithValue>,
        /// Number of tags, with those that are NULL.
        #[serde(default)]
        tag_num: Option<usize>,
    },
    /// A table that belongs to no super table.
    Normal {
        /// Its name, without database.
        table_name: String,
        /// Its columns.
        #[serde(default, deserialize_with = "wire::list")]
        columns: Vec<FieldMore>,
    },
}

/// Written with all members that a server writes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    table_type: &'static str,
    table_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    using: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_num: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<&'a [FieldMore]>,
    tags: Vec<Column>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_list: Option<[(); 0]>,
}

impl Serialize for MetaCreate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let table = |table_type, table_name| Written {
            table_type,
            table_name,
            using: None,
            tag_num: None,
            columns: None,
            tags: Vec::new(),
            create_list: None,
        };
        match self {
            Self::Super {
                table_name,
                columns,
                tags,
            } => Written {
                columns: Some(columns),
                tags: tags.iter().cloned().map(Column::from).collect(),
                ..table("super", table_name)
            },
            Self::Child {
                table_name,
                using,
                tags,
                tag_num,
            } => Written {
                using: Some(using),
                tag_num: *tag_num,
                tags: tags.iter().cloned().map(Column::from).collect(),
                create_list: Some([]),
                ..table("child", table_name)
            },
            Self::Normal {
                table_name,
                columns,
            } => Written {
                columns: Some(columns),
                ..table("normal", table_name)
            },
        }
        .serialize(serializer)
    }
}

impl fmt::Display for MetaCreate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CREATE TABLE IF NOT EXISTS ")?;
        match self {
            Self::Super {
                table_name,
                columns,
                tags,
            } => {
                let tags = List(tags.iter().map(ColumnSql));
                write!(
                    f,
                    "{} ({}) TAGS ({tags})",
                    Name(table_name),
                    List(columns.iter())
                )
            }
            Self::Child {
                table_name,
                using,
                tags,
                tag_num,
            } => {
                write!(f, "{} USING {} ", Name(table_name), Name(using))?;
                let known = || tags.iter().filter(|tag| !tag.value.is_null());
                if known().next().is_none() {
                    let nulls = List((0..tag_num.unwrap_or(1).clamp(1, MAX_TAGS)).map(|_| "NULL"));
                    return write!(f, "TAGS ({nulls})");
                }
                let names = List(known().map(|tag| Name(tag.field.name())));
                let values = List(known().map(|tag| TagValue::typed(tag.field.ty(), &tag.value)));
                write!(f, "({names}) TAGS ({values})")
            }
            Self::Normal {
                table_name,
                columns,
            } => write!(f, "{} ({})", Name(table_name), List(columns.iter())),
        }
    }
}

/// A super table has no more tags than this.
const MAX_TAGS: usize = 128;

/// A column with its key and compression. Prints as `CREATE TABLE` wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Column", into = "Column")]
pub struct FieldMore {
    field: Field,
    is_primary_key: bool,
    compression: Option<CompressOptions>,
}

impl FieldMore {
    /// Name, type and length.
    pub const fn field(&self) -> &Field {
        &self.field
    }

    /// True for the column that makes the key together with the time.
    pub const fn is_primary_key(&self) -> bool {
        self.is_primary_key
    }

    /// How the column is compressed, from engines of 3.3.0 on.
    pub const fn compression(&self) -> Option<&CompressOptions> {
        self.compression.as_ref()
    }

    /// With this place in the key.
    #[must_use]
    pub const fn with_primary_key(mut self, is_primary_key: bool) -> Self {
        self.is_primary_key = is_primary_key;
        self
    }

    /// With this compression.
    #[must_use]
    pub fn with_compression(mut self, compression: impl Into<Option<CompressOptions>>) -> Self {
        self.compression = compression.into();
        self
    }
}

impl From<Field> for FieldMore {
    fn from(field: Field) -> Self {
        Self {
            field,
            is_primary_key: false,
            compression: None,
        }
    }
}

impl From<Column> for FieldMore {
    fn from(mut column: Column) -> Self {
        let compression = match (
            column.encode.take(),
            column.compress.take(),
            column.level.take(),
        ) {
            (None, None, None) => None,
            (encode, compress, level) => {
                let known =
                    |setting: Option<String>| setting.unwrap_or_else(|| "unknown".to_owned());
                Some(CompressOptions::new(
                    known(encode),
                    known(compress),
                    known(level),
                ))
            }
        };
        Self {
            is_primary_key: column.is_primary_key.unwrap_or_default(),
            compression,
            field: column.into_field(),
        }
    }
}

impl From<FieldMore> for Column {
    fn from(more: FieldMore) -> Self {
        let told = more.is_primary_key || more.compression.is_some();
        let mut column = Self {
            is_primary_key: told.then_some(more.is_primary_key),
            ..more.field.into()
        };
        if let Some(compression) = more.compression {
            column.encode = Some(compression.encode);
            column.compress = Some(compression.compress);
            column.level = Some(compression.level);
        }
        column
    }
}

impl fmt::Display for FieldMore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ColumnSql(&self.field).fmt(f)?;
        if self.is_primary_key {
            f.write_str(" PRIMARY KEY")?;
        }
        let Some(compression) = &self.compression else {
            return Ok(());
        };
        super::sql::compression(
            f,
            Some(&compression.encode),
            Some(&compression.compress),
            Some(&compression.level),
        )
    }
}

/// A tag of a subtable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Column", into = "Column")]
pub struct TagWithValue {
    /// Name, type and length.
    pub field: Field,
    /// The value: a number, or a text in double quotes of its own, those inside as they are (tmq-raw §6.2).
    pub value: Value,
}

impl From<Column> for TagWithValue {
    fn from(mut column: Column) -> Self {
        Self {
            value: column.value.take().unwrap_or_default(),
            field: column.into_field(),
        }
    }
}

impl From<TagWithValue> for Column {
    fn from(tag: TagWithValue) -> Self {
        Self {
            value: Some(tag.value),
            ..tag.field.into()
        }
    }
}
