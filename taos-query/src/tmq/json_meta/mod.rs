//! What a topic tells of tables, as JSON and as SQL (tmq-raw §6).
//!
//! Every [`MetaUnit`] prints as a statement that does the same in another database. What the JSON does
//! not tell prints as a comment that says so: options of tables, new values of VARBINARY tags, changes of a kind
//! that is not known.
//! The precision of DECIMAL columns is not told either; their statements are refused, and only
//! [`as_raw_meta`](super::IsAsyncMeta::as_raw_meta) replays them.

mod alter;
mod create;
mod drop;
mod fuzz;
mod sql;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use alter::{AlterType, MetaAlter, TableTags, TagChange};
pub use create::{FieldMore, MetaCreate, TagWithValue};
pub use drop::{MetaDelete, MetaDrop};
#[doc(hidden)]
pub use fuzz::fuzz_json_meta;

use crate::error::{ErrorKind, RawError, RawResult};

/// The meta of a message.
#[allow(
    clippy::large_enum_variant,
    reason = "few are held at a time, and a box would be in the way of matching them"
)]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum JsonMeta {
    /// Changes that the server has put together.
    Plural {
        /// The version of the format.
        tmq_meta_version: String,
        /// The changes, in their order.
        metas: Vec<MetaUnit>,
    },
    /// One change.
    Single(MetaUnit),
}

impl JsonMeta {
    /// Reads what the server tells of a message.
    ///
    /// # Errors
    /// The text is no meta, or the message has none that the server can tell as JSON.
    pub fn parse(text: &str) -> RawResult<Self> {
        if text.trim() == "null" {
            return Err(RawError::of(
                ErrorKind::Unsupported,
                "the server cannot tell the meta of this message as JSON; take it by as_raw_meta",
            ));
        }
        serde_json::from_str(text).map_err(|error| {
            RawError::of(
                ErrorKind::Protocol,
                format!("the meta of the message cannot be read: {error}"),
            )
            .with_source(error)
        })
    }

    /// True for one change that stands alone.
    pub const fn is_single(&self) -> bool {
        matches!(self, Self::Single(_))
    }

    /// True for changes put together.
    pub const fn is_plural(&self) -> bool {
        matches!(self, Self::Plural { .. })
    }

    /// The changes, in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, MetaUnit> {
        match self {
            Self::Plural { metas, .. } => metas.iter(),
            Self::Single(unit) => std::slice::from_ref(unit).iter(),
        }
    }

    /// The changes, in their order.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, MetaUnit> {
        match self {
            Self::Plural { metas, .. } => metas.iter_mut(),
            Self::Single(unit) => std::slice::from_mut(unit).iter_mut(),
        }
    }
}

impl IntoIterator for JsonMeta {
    type Item = MetaUnit;
    type IntoIter = std::vec::IntoIter<MetaUnit>;

    fn into_iter(self) -> Self::IntoIter {
        match self {
            Self::Plural { metas, .. } => metas.into_iter(),
            Self::Single(unit) => vec![unit].into_iter(),
        }
    }
}

impl<'a> IntoIterator for &'a JsonMeta {
    type Item = &'a MetaUnit;
    type IntoIter = std::slice::Iter<'a, MetaUnit>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut JsonMeta {
    type Item = &'a mut MetaUnit;
    type IntoIter = std::slice::IterMut<'a, MetaUnit>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

/// One statement that created several subtables becomes as many units, so that each can be printed.
impl<'de> Deserialize<'de> for JsonMeta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire::Message {
            tmq_meta_version,
            metas,
            unit,
        } = Deserialize::deserialize(deserializer)?;
        let plural = metas.is_some();
        let mut units = Vec::new();
        for one in metas.unwrap_or_else(|| vec![Value::Object(unit)]) {
            wire::read_units(one, &mut units).map_err(serde::de::Error::custom)?;
        }
        if !plural
            && units.len() == 1
            && let Some(unit) = units.pop()
        {
            return Ok(Self::Single(unit));
        }
        Ok(Self::Plural {
            tmq_meta_version: tmq_meta_version.unwrap_or_else(|| "1.0".to_owned()),
            metas: units,
        })
    }
}

/// One change. Prints as SQL.
#[allow(
    clippy::large_enum_variant,
    reason = "few are held at a time, and a box would be in the way of matching them"
)]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum MetaUnit {
    /// A table was created.
    Create(MetaCreate),
    /// A table, or a tag of one, was changed.
    Alter(MetaAlter),
    /// Tables were dropped.
    Drop(MetaDrop),
    /// Rows were deleted.
    Delete(MetaDelete),
}

impl<'de> Deserialize<'de> for MetaUnit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let mut units = Vec::new();
        let value = Deserialize::deserialize(deserializer)?;
        wire::read_units(value, &mut units).map_err(D::Error::custom)?;
        match (units.pop(), units.is_empty()) {
            (Some(unit), true) => Ok(unit),
            _ => Err(D::Error::custom(
                "this creates several tables: read it as JsonMeta",
            )),
        }
    }
}

impl fmt::Display for MetaUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(create) => create.fmt(f),
            Self::Alter(alter) => alter.fmt(f),
            Self::Drop(drop) => drop.fmt(f),
            Self::Delete(delete) => delete.fmt(f),
        }
    }
}
