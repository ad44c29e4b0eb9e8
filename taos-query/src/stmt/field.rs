use serde::{Deserialize, Serialize};

use crate::common::Ty;

/// A column or tag of a statement of the first generation (taosadapter-ws §8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StmtField {
    /// The name.
    pub name: String,
    /// The type's id, see [`Ty`](crate::common::Ty).
    pub field_type: i8,
    /// The unit of a timestamp.
    pub precision: u8,
    /// Decimal scale, else 0.
    pub scale: u8,
    /// Storage width in bytes.
    pub bytes: i32,
}

impl StmtField {
    /// A field with these properties.
    pub fn new(
        name: impl Into<String>,
        field_type: i8,
        precision: u8,
        scale: u8,
        bytes: i32,
    ) -> Self {
        Self {
            name: name.into(),
            field_type,
            precision,
            scale,
            bytes,
        }
    }
}

/// The type of one placeholder of a statement of the first generation (taosadapter-ws §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StmtParam {
    /// Counted from 0.
    pub index: i64,
    /// The type.
    pub data_type: Ty,
    /// Storage width in bytes.
    pub length: i64,
}

impl StmtParam {
    /// A placeholder with these properties.
    pub const fn new(index: i64, data_type: Ty, length: i64) -> Self {
        Self {
            index,
            data_type,
            length,
        }
    }
}

/// What a placeholder stands for (taosadapter-ws §9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
#[non_exhaustive]
pub enum BindType {
    /// A column.
    Column,
    /// A tag.
    Tag,
    /// A parameter of a query.
    Query,
    /// The name of a table.
    TableName,
    /// A number that this version does not know.
    Unknown(u8),
}

impl From<u8> for BindType {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Column,
            2 => Self::Tag,
            3 => Self::Query,
            4 => Self::TableName,
            other => Self::Unknown(other),
        }
    }
}

impl From<BindType> for u8 {
    fn from(kind: BindType) -> Self {
        match kind {
            BindType::Column => 1,
            BindType::Tag => 2,
            BindType::Query => 3,
            BindType::TableName => 4,
            BindType::Unknown(other) => other,
        }
    }
}

/// What one `?` of a prepared INSERT stands for (taosadapter-ws §9.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stmt2Field {
    /// Name of the column or tag; `tbname` for the table.
    pub name: String,
    /// The type's id, see [`Ty`](crate::common::Ty).
    pub field_type: i8,
    /// The unit of a timestamp. Decimals have 0 here on servers of the line 3.3.
    pub precision: u8,
    /// Decimal scale; 0 on servers of the line 3.3.
    pub scale: u8,
    /// Storage width in bytes: VARCHAR n + 2, NCHAR 4 n + 2.
    pub bytes: i32,
    /// What is bound to it.
    pub bind_type: BindType,
}

impl Stmt2Field {
    /// A placeholder with these properties.
    pub fn new(
        name: impl Into<String>,
        field_type: i8,
        precision: u8,
        scale: u8,
        bytes: i32,
        bind_type: BindType,
    ) -> Self {
        Self {
            name: name.into(),
            field_type,
            precision,
            scale,
            bytes,
            bind_type,
        }
    }
}
