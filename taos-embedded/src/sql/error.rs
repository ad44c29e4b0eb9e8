use std::fmt;

/// What a statement was refused with: the server's 16-bit code and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// The code without the facility bits, e.g. `0x2600`.
    pub code: u32,
    /// The text for people.
    pub message: String,
}

impl SqlError {
    /// An error with a code and a text of its own.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// `unsupported feature: NAME`, the answer to everything this server does not do.
    pub fn unsupported(name: impl fmt::Display) -> Self {
        Self::new(code::UNSUPPORTED, format!("unsupported feature: {name}"))
    }

    /// The statement cannot be read; `near` is its text from the offending place on.
    pub fn syntax(near: &str) -> Self {
        let near = clip(near, 120);
        Self::new(code::SYNTAX, format!("syntax error near \"{near}\""))
    }

    /// The statement ends too early.
    pub fn incomplete() -> Self {
        Self::new(code::INCOMPLETE, "Incomplete SQL statement")
    }

    /// INSERT's and the tags' own form of a syntax error, with what was wrong.
    pub fn insert_syntax(near: &str, reason: &str) -> Self {
        let near = clip(near, 64);
        Self::new(
            code::INSERT_SYNTAX,
            format!("syntax error near '{near}' ({reason})"),
        )
    }

    /// A column that no table of the statement has.
    pub fn unknown_column(name: &str) -> Self {
        Self::new(code::UNKNOWN_COLUMN, format!("Invalid column name: {name}"))
    }

    /// A table that does not exist.
    pub fn unknown_table() -> Self {
        Self::new(code::UNKNOWN_TABLE, "Table does not exist")
    }

    /// A database that does not exist.
    pub fn unknown_database() -> Self {
        Self::new(code::UNKNOWN_DATABASE, "Database not exist")
    }

    /// An operation on types that do not fit it.
    pub fn invalid_operation() -> Self {
        Self::new(code::INVALID_OPERATION, "Invalid operation")
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[0x{:04X}] {}", self.code, self.message)
    }
}

impl std::error::Error for SqlError {}

/// At most `limit` bytes of `text`, cut at a character.
pub(crate) fn clip(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while end > 0 && !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Codes of the dialect (golden-sql DIALECT §13).
pub(crate) mod code {
    /// Not supported by this server.
    pub(crate) const UNSUPPORTED: u32 = 0x0100;
    /// Cannot be read.
    pub(crate) const SYNTAX: u32 = 0x2600;
    /// Ends too early.
    pub(crate) const INCOMPLETE: u32 = 0x2601;
    /// Column unknown.
    pub(crate) const UNKNOWN_COLUMN: u32 = 0x2602;
    /// Table unknown.
    pub(crate) const UNKNOWN_TABLE: u32 = 0x2603;
    /// Column found in two tables.
    pub(crate) const AMBIGUOUS: u32 = 0x2604;
    /// Aggregates where none may stand.
    pub(crate) const AGGREGATE_NOT_ALLOWED: u32 = 0x2608;
    /// Position in ORDER BY out of range.
    pub(crate) const WRONG_POSITION: u32 = 0x2609;
    /// Column neither grouped nor aggregated.
    pub(crate) const NOT_GROUPED: u32 = 0x260A;
    /// Plain column beside an aggregate.
    pub(crate) const NOT_SINGLE_GROUP: u32 = 0x260C;
    /// Name too long or otherwise not allowed.
    pub(crate) const INVALID_NAME: u32 = 0x2617;
    /// No database chosen.
    pub(crate) const NO_DATABASE: u32 = 0x2616;
    /// Database unknown.
    pub(crate) const UNKNOWN_DATABASE: u32 = 0x0388;
    /// Operation on unfit types.
    pub(crate) const INVALID_OPERATION: u32 = 0x0200;
    /// Bad value or form in INSERT and tags.
    pub(crate) const INSERT_SYNTAX: u32 = 0x0216;
    /// Statement too long.
    pub(crate) const TOO_LONG: u32 = 0x0219;
    /// Function unknown.
    pub(crate) const UNKNOWN_FUNCTION: u32 = 0x0374;
    /// Arguments that do not fit a function.
    pub(crate) const FUNCTION: u32 = 0x2800;
    /// Wrong number of arguments.
    pub(crate) const ARGUMENT_COUNT: u32 = 0x2801;
    /// Wrong type of an argument.
    pub(crate) const ARGUMENT_TYPE: u32 = 0x2802;
    /// Bad value of an argument.
    pub(crate) const ARGUMENT_VALUE: u32 = 0x2803;
    /// No unit of time.
    pub(crate) const TIME_UNIT: u32 = 0x280A;
    /// A unit of time finer than the database's.
    pub(crate) const TIME_UNIT_SMALL: u32 = 0x280B;
    /// Text that is no time in a condition.
    pub(crate) const BAD_TIME: u32 = 0x0127;
}
