//! Columns as typed views.

use super::{BlockData, Column};
use crate::common::{Precision, Ty};
use crate::{ErrorKind, RawError, RawResult};

/// Type and schema width of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColSchema {
    /// The column's type.
    pub ty: Ty,
    /// The type info of the schema entry (raw-block §2).
    pub len: u32,
}

impl ColSchema {
    pub(super) fn of(column: &Column) -> Self {
        Self {
            ty: column.ty,
            len: column.info,
        }
    }
}

/// A column that cannot be cast.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct CastError {
    message: String,
}

/// One column.
#[derive(Debug, Clone)]
pub struct ColumnView(Ty);

impl ColumnView {
    pub(super) fn of_block(data: &BlockData, col: usize) -> Option<Self> {
        data.columns.get(col).map(|c| Self(c.ty))
    }

    /// The column's type.
    pub fn as_ty(&self) -> Ty {
        self.0
    }

    pub(super) fn try_concat_as(&self, _: &Self, _: Ty) -> Result<Self, CastError> {
        Err(CastError {
            message: "not yet".to_owned(),
        })
    }
}

pub(super) fn encode_views(_: &[ColumnView], _: Option<Precision>) -> RawResult<bytes::Bytes> {
    Err(RawError::of(ErrorKind::Unsupported, "not yet"))
}
