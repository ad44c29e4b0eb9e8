use super::{Duration, Expr, Ident, ObjectName, Span};

/// A SELECT or UNION with what orders and cuts it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// The rows.
    pub body: QueryBody,
    /// ORDER BY.
    pub order_by: Vec<OrderItem>,
    /// SLIMIT and SOFFSET.
    pub slimit: Option<Limit>,
    /// LIMIT and OFFSET.
    pub limit: Option<Limit>,
    /// Where it stood.
    pub span: Span,
}

/// One SELECT or two queries together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum QueryBody {
    /// One SELECT.
    Select(Box<Select>),
    /// UNION.
    Union {
        /// UNION ALL.
        all: bool,
        /// The branch that gives names and types.
        left: Box<Query>,
        /// The other branch.
        right: Box<Query>,
    },
}

/// EXPLAIN [ANALYZE] [VERBOSE …] query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Explain {
    /// The query is run.
    pub analyze: bool,
    /// More is told.
    pub verbose: bool,
    /// The query.
    pub query: Query,
}

/// LIMIT or SLIMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limit {
    /// How many.
    pub count: Option<i64>,
    /// How many to pass over first.
    pub offset: Option<i64>,
}

/// One item of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OrderItem {
    /// The expression, alias or position.
    pub expr: Expr,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST is true, NULLS LAST false.
    pub nulls_first: Option<bool>,
}

/// What stands between SELECT and FROM, one by one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SelectItem {
    /// The expression or wildcard.
    pub expr: Expr,
    /// AS.
    pub alias: Option<Ident>,
}

/// One SELECT.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Select {
    /// SELECT TAGS.
    pub tags: bool,
    /// SELECT DISTINCT.
    pub distinct: bool,
    /// The items.
    pub items: Vec<SelectItem>,
    /// FROM.
    pub from: Option<TableRef>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// PARTITION BY.
    pub partition_by: Vec<SelectItem>,
    /// The window clause.
    pub window: Option<Window>,
    /// RANGE (a [, b]).
    pub range: Option<Vec<Expr>>,
    /// EVERY (d).
    pub every: Option<Expr>,
    /// FILL.
    pub fill: Option<Fill>,
    /// GROUP BY.
    pub group_by: Vec<Expr>,
    /// HAVING.
    pub having: Option<Expr>,
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TableRef {
    /// A table.
    Table {
        /// Its name.
        name: ObjectName,
        /// Its alias.
        alias: Option<Ident>,
    },
    /// A query in parentheses.
    Subquery {
        /// The query.
        query: Box<Query>,
        /// Its alias.
        alias: Option<Ident>,
    },
    /// A join.
    Join(Box<Join>),
}

/// Two sources joined.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Join {
    /// The left source.
    pub left: TableRef,
    /// The right source.
    pub right: TableRef,
    /// The kind.
    pub kind: JoinKind,
    /// ON.
    pub on: Option<Expr>,
    /// WINDOW_OFFSET (a, b).
    pub window_offset: Option<(Expr, Expr)>,
    /// JLIMIT.
    pub jlimit: Option<i64>,
}

/// Kinds of joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum JoinKind {
    Inner,
    LeftOuter,
    RightOuter,
    FullOuter,
    LeftSemi,
    RightSemi,
    LeftAnti,
    RightAnti,
    LeftAsof,
    RightAsof,
    LeftWindow,
    RightWindow,
}

/// The width of a window: a duration, or a number in the database's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// `1m`, `'1m'`.
    Duration(Duration),
    /// `60000`.
    Ticks(i64),
}

/// Window clauses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Window {
    /// INTERVAL.
    Interval {
        /// The width.
        width: Width,
        /// The second argument.
        offset: Option<Width>,
        /// The second argument is `AUTO`.
        auto: bool,
        /// SLIDING.
        sliding: Option<Width>,
    },
    /// SESSION.
    Session {
        /// The time column.
        column: Expr,
        /// The largest gap inside a window.
        gap: Width,
    },
    /// STATE_WINDOW.
    State {
        /// The state.
        state: Expr,
        /// TRUE_FOR.
        true_for: Option<Width>,
    },
    /// EVENT_WINDOW.
    Event {
        /// START WITH.
        start: Expr,
        /// END WITH.
        end: Expr,
        /// TRUE_FOR.
        true_for: Option<Width>,
    },
    /// COUNT_WINDOW.
    Count {
        /// Rows in a window.
        count: i64,
        /// Rows from one beginning to the next.
        step: Option<i64>,
        /// Columns that may not be NULL.
        columns: Vec<Expr>,
    },
}

/// FILL and its values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fill {
    /// The mode.
    pub mode: FillMode,
    /// What follows VALUE.
    pub values: Vec<Expr>,
}

/// FILL modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum FillMode {
    None,
    Null,
    NullForced,
    Value,
    ValueForced,
    Prev,
    Next,
    Linear,
    Near,
}
