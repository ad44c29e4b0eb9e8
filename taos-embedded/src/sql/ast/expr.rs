use super::{DataType, Duration, Ident, Query, Span};

/// An expression and the text it was written as, which names its result column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stood.
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExprKind {
    /// `NULL`.
    Null,
    /// `TRUE`, `FALSE`.
    Bool(bool),
    /// Digits only; kept as text because it may not fit any integer.
    Integer(String),
    /// A number with point or exponent.
    Float(f64),
    /// A text, escapes resolved.
    Text(String),
    /// `timestamp '…'`.
    Timestamp(String),
    /// `1d`.
    Duration(Duration),
    /// `c`, `t.c`; pseudo columns (`tbname`, `_wstart`) look the same.
    Column {
        /// The table or alias in front.
        table: Option<Ident>,
        /// The name.
        name: Ident,
    },
    /// `*` or `t.*`, as a selected item or an argument.
    Wildcard(Option<Ident>),
    /// `?`, the n-th, counted from 0.
    Placeholder(u32),
    /// An operator in front.
    Unary(UnaryOp, Box<Expr>),
    /// An operator between.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a [NOT] BETWEEN low AND high`.
    Between {
        /// The value tested.
        value: Box<Expr>,
        /// Lower bound, included.
        low: Box<Expr>,
        /// Upper bound, included.
        high: Box<Expr>,
        /// NOT BETWEEN.
        negated: bool,
    },
    /// `a [NOT] IN (…)`.
    In {
        /// The value tested.
        value: Box<Expr>,
        /// The list.
        list: Vec<Expr>,
        /// NOT IN.
        negated: bool,
    },
    /// `a [NOT] IN (SELECT …)`.
    InQuery {
        /// The value tested.
        value: Box<Expr>,
        /// The query.
        query: Box<Query>,
        /// NOT IN.
        negated: bool,
    },
    /// `a IS [NOT] NULL`.
    IsNull {
        /// The value tested.
        value: Box<Expr>,
        /// IS NOT NULL.
        negated: bool,
    },
    /// `CASE …`.
    Case {
        /// The value behind CASE, if there is one.
        operand: Option<Box<Expr>>,
        /// WHEN and THEN.
        branches: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// `f(a, b)`; name in lower case.
    Function {
        /// The name.
        name: String,
        /// The arguments; the special forms (`trim(both x from y)`, `position(a in b)`,
        /// `substring(a from b for c)`) come in the order of the ordinary form.
        args: Vec<Expr>,
        /// What a special form says beside its arguments.
        form: FunctionForm,
    },
    /// `CAST(a AS type)`.
    Cast(Box<Expr>, DataType),
    /// `(SELECT …)` as a value.
    Subquery(Box<Query>),
    /// `EXISTS (SELECT …)`.
    Exists(Box<Query>),
}

/// How a function was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FunctionForm {
    /// `f(a, b)`.
    #[default]
    Plain,
    /// Without parentheses: `now`, `today`.
    Bare,
    /// `f(DISTINCT a)`.
    Distinct,
    /// `trim(LEADING x FROM s)`.
    TrimLeading,
    /// `trim(TRAILING x FROM s)`.
    TrimTrailing,
    /// `trim(BOTH x FROM s)` and `trim(x FROM s)`.
    TrimBoth,
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum UnaryOp {
    Minus,
    Plus,
    Not,
}

/// Operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    BitAnd,
    BitOr,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Like,
    NotLike,
    Match,
    NotMatch,
    /// JSON `->`.
    Arrow,
    /// JSON `contains`.
    Contains,
}
