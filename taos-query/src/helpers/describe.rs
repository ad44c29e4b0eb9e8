use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

use crate::common::Ty;

/// How the server compresses a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompressOptions {
    /// `delta-i`, `delta-d`, `simple8b`, `bit-packing` or `disabled`.
    pub encode: String,
    /// `lz4`, `zlib`, `zstd`, … or `disabled`.
    pub compress: String,
    /// `low`, `medium` or `high`.
    pub level: String,
}

impl CompressOptions {
    /// The three settings together.
    pub fn new(
        encode: impl Into<String>,
        compress: impl Into<String>,
        level: impl Into<String>,
    ) -> Self {
        Self {
            encode: encode.into(),
            compress: compress.into(),
            level: level.into(),
        }
    }
}

impl fmt::Display for CompressOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            encode,
            compress,
            level,
        } = self;
        write!(f, "ENCODE '{encode}' COMPRESS '{compress}' LEVEL '{level}'")
    }
}

/// One line of `describe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Line", into = "Line")]
pub struct Described {
    /// The column's name.
    pub field: String,
    /// Its type.
    pub ty: Ty,
    /// Its declared width: bytes, or characters for NCHAR.
    pub length: usize,
    /// `TAG`, or the word for a composite key or a designated timestamp, or nothing.
    pub note: Option<String>,
    /// Its compression, if the server tells it.
    pub compression: Option<CompressOptions>,
    /// Precision and scale of a decimal.
    pub decimal: Option<(u8, u8)>,
}

/// The columns as the server names them.
#[derive(Serialize, Deserialize)]
struct Line {
    field: String,
    #[serde(rename = "type")]
    ty: String,
    length: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compress: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<String>,
}

impl TryFrom<Line> for Described {
    type Error = String;

    fn try_from(line: Line) -> Result<Self, Self::Error> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let ty = line
            .ty
            .parse()
            .map_err(|_| format!("column `{}` has an unknown type: {}", line.field, line.ty))?;
        let compression = match (
            filled(line.encode),
            filled(line.compress),
            filled(line.level),
        ) {
            (Some(encode), Some(compress), Some(level)) => {
                Some(CompressOptions::new(encode, compress, level))
            }
            _ => None,
        };
        Ok(Self {
            decimal: decimal_size(&line.ty),
            field: line.field,
            ty,
            length: line.length,
            note: filled(line.note),
            compression,
        })
    }
}

impl From<Described> for Line {
    fn from(column: Described) -> Self {
        let ty = column.type_repr();
        let (encode, compress, level) = match column.compression {
            Some(c) => (Some(c.encode), Some(c.compress), Some(c.level)),
            None => (None, None, None),
        };
        Self {
            field: column.field,
            ty,
            length: column.length,
            note: column.note,
            encode,
            compress,
            level,
        }
    }
}

fn decimal_size(text: &str) -> Option<(u8, u8)> {
    let (_, size) = text.split_once('(')?;
    let (precision, scale) = size.strip_suffix(')')?.split_once(',')?;
    Some((precision.trim().parse().ok()?, scale.trim().parse().ok()?))
}

impl Described {
    /// A column without key or compression. Without a length it is 32 for types of variable length,
    /// else the type's own.
    pub fn new(field: impl Into<String>, ty: Ty, length: impl Into<Option<usize>>) -> Self {
        let default = if ty.is_var_type() {
            32
        } else {
            ty.fixed_length()
        };
        Self {
            field: field.into(),
            ty,
            length: length.into().unwrap_or(default),
            note: None,
            compression: None,
            decimal: None,
        }
    }

    fn type_repr(&self) -> String {
        match self.decimal {
            Some((precision, scale)) => format!("{}({precision},{scale})", self.ty.name()),
            None => self.ty.name().to_owned(),
        }
    }

    /// The column as it stands in `create table`.
    pub fn sql_repr(&self) -> String {
        let mut sql = format!("`{}` {}", self.field, self.type_repr());
        if self.ty.is_var_type() && !self.ty.is_json() && !self.ty.is_blob() {
            sql.push_str(&format!("({})", self.length));
        }
        match &self.compression {
            Some(compression) if !self.is_tag() => sql.push_str(&format!(" {compression}")),
            _ => {}
        }
        if self.is_primary_key() {
            sql.push_str(" PRIMARY KEY");
        }
        sql
    }

    /// True for the column that makes rows of equal time differ.
    pub fn is_primary_key(&self) -> bool {
        matches!(self.note.as_deref(), Some("PRIMARY KEY" | "COMPOSITE KEY"))
    }

    /// True for a tag.
    pub fn is_tag(&self) -> bool {
        self.note.as_deref() == Some("TAG")
    }

    /// True for QuestDB's designated timestamp, which need not be the first column.
    pub fn is_designated(&self) -> bool {
        self.note.as_deref() == Some("DESIGNATED TIMESTAMP")
    }
}

/// A column or a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Described", into = "Described")]
pub enum ColumnMeta {
    /// A column.
    Column(Described),
    /// A tag.
    Tag(Described),
}

impl From<Described> for ColumnMeta {
    fn from(column: Described) -> Self {
        if column.is_tag() {
            Self::Tag(column)
        } else {
            Self::Column(column)
        }
    }
}

impl From<ColumnMeta> for Described {
    fn from(meta: ColumnMeta) -> Self {
        match meta {
            ColumnMeta::Column(column) | ColumnMeta::Tag(column) => column,
        }
    }
}

impl Deref for ColumnMeta {
    type Target = Described;

    fn deref(&self) -> &Described {
        match self {
            Self::Column(column) | Self::Tag(column) => column,
        }
    }
}

impl DerefMut for ColumnMeta {
    fn deref_mut(&mut self) -> &mut Described {
        match self {
            Self::Column(column) | Self::Tag(column) => column,
        }
    }
}

impl ColumnMeta {
    /// The name.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The type.
    pub fn ty(&self) -> Ty {
        self.ty
    }

    /// The declared width.
    pub fn length(&self) -> usize {
        self.length
    }

    /// `TAG` or nothing.
    pub fn note(&self) -> &str {
        match self {
            Self::Tag(_) => "TAG",
            Self::Column(_) => "",
        }
    }

    /// True for a tag.
    pub fn is_tag(&self) -> bool {
        matches!(self, Self::Tag(_))
    }
}

/// The columns and tags of a table, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Describe(pub Vec<ColumnMeta>);

impl Deref for Describe {
    type Target = Vec<ColumnMeta>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Describe {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl IntoIterator for Describe {
    type Item = ColumnMeta;
    type IntoIter = std::vec::IntoIter<ColumnMeta>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Describe {
    /// True if there are tags, so it is a super table or a table under one.
    pub fn is_stable(&self) -> bool {
        self.0.iter().any(ColumnMeta::is_tag)
    }

    /// The column that holds the time of a row: the one whose note says so, otherwise the first.
    pub fn time_column(&self) -> Option<&ColumnMeta> {
        let noted = |column: &&ColumnMeta| column.is_designated();
        self.0.iter().find(noted).or_else(|| self.0.first())
    }

    /// The names of columns and tags.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(ColumnMeta::field)
    }

    /// The names of the tags.
    pub fn tag_names(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|column| column.is_tag())
            .map(ColumnMeta::field)
    }

    /// Columns and tags apart; always `Some`.
    pub fn split(&self) -> Option<(&[ColumnMeta], &[ColumnMeta])> {
        let columns = self.0.iter().take_while(|column| !column.is_tag()).count();
        self.0.split_at_checked(columns)
    }

    /// The statement that creates a table of this shape under another name.
    pub fn to_create_table_sql(&self, table: &str) -> String {
        let list = |tags: bool| {
            let columns: Vec<String> = self
                .0
                .iter()
                .filter(|column| column.is_tag() == tags)
                .map(|column| column.sql_repr())
                .collect();
            columns.join(",")
        };
        let columns = list(false);
        if self.is_stable() {
            let tags = list(true);
            format!("CREATE TABLE IF NOT EXISTS `{table}`({columns}) TAGS({tags})")
        } else {
            format!("CREATE TABLE IF NOT EXISTS `{table}`({columns})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Describe {
        serde_json::from_str(
            r#"[
            {"field":"ts","type":"TIMESTAMP","length":8,"note":"","encode":"delta-i","compress":"lz4","level":"medium"},
            {"field":"k","type":"INT","length":4,"note":"COMPOSITE KEY"},
            {"field":"d","type":"DECIMAL(10, 2)","length":8,"note":""},
            {"field":"n","type":"NCHAR","length":20,"note":""},
            {"field":"loc","type":"VARCHAR","length":16,"note":"TAG","encode":"disabled","compress":"disabled","level":"disabled"}
            ]"#,
        )
        .unwrap()
    }

    #[test]
    fn tags_keys_decimals_and_compression_are_told_apart() {
        let table = lines();
        assert!(table.is_stable());
        assert_eq!(table.tag_names().collect::<Vec<_>>(), ["loc"]);
        assert_eq!(table.split().map(|(c, t)| (c.len(), t.len())), Some((4, 1)));
        assert!(table[1].is_primary_key());
        assert_eq!(table[2].decimal, Some((10, 2)));
        assert_eq!(table[0].compression.as_ref().unwrap().encode, "delta-i");
    }

    #[test]
    fn the_shape_prints_as_a_statement() {
        assert_eq!(
            lines().to_create_table_sql("copy"),
            "CREATE TABLE IF NOT EXISTS `copy`(`ts` TIMESTAMP ENCODE 'delta-i' COMPRESS 'lz4' LEVEL \
             'medium',`k` INT PRIMARY KEY,`d` DECIMAL(10,2),`n` NCHAR(20)) TAGS(`loc` VARCHAR(16))"
        );
    }

    #[test]
    fn a_description_survives_serialization() {
        let text = serde_json::to_string(&lines()).unwrap();
        assert_eq!(serde_json::from_str::<Describe>(&text).unwrap(), lines());
    }
}
