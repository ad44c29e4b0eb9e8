//! INSERT with placeholders as it was written, and names of tables as clients give them.

use super::invalid;
use crate::sql::SqlError;
use crate::sql::ast::{Insert, InsertSource, InsertTarget, InsertValue, InsertValueKind, TimeExpr};

/// An INSERT with placeholders, read but not yet looked up.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) sql: String,
    pub(super) target: InsertTarget,
    pub(super) times: Vec<TimeExpr>,
}

impl Template {
    /// Takes an INSERT of one row into one table.
    pub(crate) fn new(sql: &str, insert: Insert) -> Result<Self, SqlError> {
        let mut targets = insert.targets.into_iter();
        let (Some(target), None) = (targets.next(), targets.next()) else {
            return Err(invalid("single table allowed in one stmt"));
        };
        match &target.source {
            InsertSource::Values(rows) if rows.row_ends.len() == 1 => {}
            InsertSource::Values(_) => {
                return Err(SqlError::unsupported("prepared INSERT of several rows"));
            }
            InsertSource::Query(_) => {
                return Err(SqlError::unsupported("prepared INSERT of a query"));
            }
        }
        Ok(Self {
            sql: sql.to_owned(),
            target,
            times: insert.times,
        })
    }

    /// True if `?` stands for the table.
    pub(crate) fn is_any_table(&self) -> bool {
        self.target.is_any_table()
    }

    /// True if the table may be created from its tags.
    pub(crate) const fn has_using(&self) -> bool {
        self.target.using.is_some()
    }

    pub(super) fn row(&self) -> &[InsertValue] {
        match &self.target.source {
            InsertSource::Values(rows) => &rows.values,
            InsertSource::Query(_) => &[],
        }
    }

    /// Number of placeholders in VALUES.
    pub(crate) fn value_placeholders(&self) -> usize {
        placeholders(self.row())
    }

    /// Number of all placeholders.
    pub(crate) fn placeholders(&self) -> usize {
        let tags = self
            .target
            .using
            .as_ref()
            .map_or(0, |u| placeholders(&u.values));
        usize::from(self.is_any_table()) + tags + self.value_placeholders()
    }
}

fn placeholders(values: &[InsertValue]) -> usize {
    values
        .iter()
        .filter(|v| v.kind == InsertValueKind::Placeholder)
        .count()
}

/// A table as a client names it: `table` or `database.table`, each perhaps in backquotes. The case of
/// the letters is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    pub(super) db: Option<String>,
    pub(super) table: String,
}

impl TableName {
    /// Length of its parts.
    pub(crate) fn bytes(&self) -> usize {
        self.db.as_ref().map_or(0, String::len) + self.table.len()
    }

    /// A table of the current database, whatever characters its name has.
    pub(crate) fn plain(table: &str) -> Self {
        Self {
            db: None,
            table: table.to_owned(),
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut quoted = false;
        let dot = text.find(|c| {
            quoted ^= c == '`';
            c == '.' && !quoted
        });
        let bare = |name: &str| {
            name.strip_prefix('`')
                .and_then(|name| name.strip_suffix('`'))
                .unwrap_or(name)
                .to_owned()
        };
        match dot.map(|dot| text.split_at(dot)) {
            Some((db, table)) => Self {
                db: Some(bare(db)),
                table: bare(table.get(1..).unwrap_or_default()),
            },
            None => Self {
                db: None,
                table: bare(text),
            },
        }
    }
}
