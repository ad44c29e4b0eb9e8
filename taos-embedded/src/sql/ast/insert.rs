use super::{Duration, Expr, Ident, ObjectName, Query, Span};

/// INSERT INTO with one or many tables.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Insert {
    /// The tables in the order written.
    pub targets: Vec<InsertTarget>,
    /// Times with arithmetic that values refer to.
    pub times: Vec<TimeExpr>,
}

/// One table of an INSERT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InsertTarget {
    /// The table; a super table when `tbname` is among the columns.
    pub table: ObjectName,
    /// USING … TAGS ….
    pub using: Option<Using>,
    /// The columns named before VALUES, if any.
    pub columns: Option<Vec<Ident>>,
    /// The rows.
    pub source: InsertSource,
    /// From the table's name on; error texts quote from the VALUES keyword, see `values_at`.
    pub span: Span,
    /// Where VALUES (or SELECT) begins.
    pub values_at: Span,
}

impl InsertTarget {
    /// The unquoted name of a table that is bound later; no name can be written like that.
    pub(crate) const ANY_TABLE: &str = "?";

    /// True if `?` stands for the table.
    pub(crate) fn is_any_table(&self) -> bool {
        !self.table.name.quoted && self.table.name.name == Self::ANY_TABLE
    }
}

/// The rows of an INSERT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum InsertSource {
    /// VALUES.
    Values(ValueRows),
    /// SELECT.
    Query(Box<Query>),
}

/// Rows of literals, flat: a statement may hold tens of thousands.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ValueRows {
    /// All values of all rows.
    pub values: Vec<InsertValue>,
    /// For each row the index in `values` behind its last value.
    pub row_ends: Vec<u32>,
}

impl ValueRows {
    /// The rows as slices, in the order written.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[InsertValue]> {
        let mut start = 0;
        self.row_ends.iter().map(move |&end| {
            let end = usize::try_from(end).unwrap_or(usize::MAX);
            let row = self.values.get(start..end).unwrap_or_default();
            start = end;
            row
        })
    }
}

/// One value of INSERT or of TAGS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct InsertValue {
    /// What it is.
    pub kind: InsertValueKind,
    /// Its text; for texts with the quotes.
    pub span: Span,
}

/// What a value of INSERT is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InsertValueKind {
    /// `NULL`.
    Null,
    /// `TRUE`, `FALSE`.
    Bool(bool),
    /// `12`, `-1.5`, `+5`, `0x1F`, `0b101`; the sign belongs to the span.
    Number,
    /// A text with its quotes; read it with `sql::unquote`.
    Text,
    /// `now`, `today()`, and any of those, numbers or texts ± durations: an index into
    /// `Insert::times` (for TAGS: `Using::times`).
    Time(u32),
    /// `?`.
    Placeholder,
}

/// `base ± duration`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TimeExpr {
    /// What it starts from.
    pub base: TimeBase,
    /// What is added: of a fixed length, so neither months nor years.
    pub offset: Option<Duration>,
}

/// What a time expression starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeBase {
    /// `now`.
    Now,
    /// `today`.
    Today,
    /// A number in the database's unit, with its sign.
    Number(Span),
    /// A text with its quotes.
    Text(Span),
}

/// USING stable [(tags)] TAGS (values).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Using {
    /// The super table.
    pub stable: ObjectName,
    /// The tags named; all in their order if `None`.
    pub tag_names: Option<Vec<Ident>>,
    /// Their values.
    pub values: Vec<InsertValue>,
    /// Times that values refer to.
    pub times: Vec<TimeExpr>,
}

/// DELETE FROM.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delete {
    /// The table.
    pub table: ObjectName,
    /// WHERE.
    pub filter: Option<Expr>,
}
