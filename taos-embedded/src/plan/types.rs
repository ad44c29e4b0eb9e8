//! Types of results while a statement is planned.

use taos_query::common::Ty;

use super::{ColumnInfo, ResultColumn};

/// A type with its width and digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ColType {
    pub(crate) ty: Ty,
    pub(crate) length: u32,
    pub(crate) precision: u8,
    pub(crate) scale: u8,
}

impl ColType {
    /// A type whose width is fixed.
    pub(crate) fn fixed(ty: Ty) -> Self {
        Self::sized(ty, u32::try_from(ty.fixed_length()).unwrap_or(0))
    }

    pub(crate) const fn sized(ty: Ty, length: u32) -> Self {
        Self {
            ty,
            length,
            precision: 0,
            scale: 0,
        }
    }

    pub(crate) const fn of_column(column: &ColumnInfo) -> Self {
        Self {
            ty: column.ty,
            length: column.length,
            precision: column.precision,
            scale: column.scale,
        }
    }

    pub(crate) const fn of_result(column: &ResultColumn) -> Self {
        Self {
            ty: column.ty,
            length: column.length,
            precision: column.precision,
            scale: column.scale,
        }
    }

    pub(crate) const fn column(self, name: String) -> ResultColumn {
        ResultColumn {
            name,
            ty: self.ty,
            length: self.length,
            precision: self.precision,
            scale: self.scale,
        }
    }

    pub(crate) const fn is_text(self) -> bool {
        matches!(self.ty, Ty::VarChar | Ty::NChar)
    }

    pub(crate) const fn is_integer(self) -> bool {
        self.ty.is_integer()
    }

    pub(crate) const fn is_unsigned(self) -> bool {
        matches!(
            self.ty,
            Ty::UTinyInt | Ty::USmallInt | Ty::UInt | Ty::UBigInt
        )
    }

    pub(crate) const fn is_float(self) -> bool {
        matches!(self.ty, Ty::Float | Ty::Double)
    }

    pub(crate) const fn is_decimal(self) -> bool {
        matches!(self.ty, Ty::Decimal | Ty::Decimal64)
    }

    pub(crate) const fn is_number(self) -> bool {
        self.is_integer() || self.is_float()
    }

    /// Bytes a text of this type may have: NCHAR counts four a character.
    pub(crate) const fn text_bytes(self) -> u32 {
        match self.ty {
            Ty::NChar => self.length.saturating_mul(4),
            _ => self.length,
        }
    }
}

/// What a literal is, where its value decides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Integer(i128),
    Float(f64),
    Text(String),
    Bool(bool),
    Duration(crate::sql::ast::Duration),
}

/// Columns of the data table are used.
pub(crate) const USES_DATA: u8 = 1;
/// Tags or the subtable's name are used.
pub(crate) const USES_TAGS: u8 = 2;

/// An expression in SQLite's SQL with the type the dialect gives it.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) sql: String,
    pub(crate) ty: ColType,
    /// What it depends on; 0 for constants.
    pub(crate) uses: u8,
    pub(crate) literal: Option<Literal>,
    /// The same as a condition, where NULL need not be told from false: open to indexes.
    pub(crate) filter: Option<String>,
}

impl Typed {
    pub(crate) const fn new(sql: String, ty: ColType, uses: u8) -> Self {
        Self {
            sql,
            ty,
            uses,
            literal: None,
            filter: None,
        }
    }

    pub(crate) fn with_literal(mut self, literal: Literal) -> Self {
        self.literal = Some(literal);
        self
    }

    /// A comparison: false, not NULL, when an operand is NULL (DIALECT §3).
    pub(crate) fn comparison(raw: String, uses: u8) -> Self {
        let mut typed = Self::new(format!("ifnull({raw}, 0)"), ColType::fixed(Ty::Bool), uses);
        typed.filter = Some(raw);
        typed
    }

    pub(crate) const fn is_null(&self) -> bool {
        matches!(self.literal, Some(Literal::Null))
    }

    pub(crate) fn condition(&self) -> String {
        self.filter.clone().unwrap_or_else(|| self.sql.clone())
    }
}
