use crate::block::ColumnView;
use crate::common::Value;

/// The data of one table, or the parameters of a query.
///
/// The parts to give are those that the statement has a `?` for; a query takes columns of one row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stmt2BindParam {
    table_name: Option<String>,
    tags: Option<Vec<Value>>,
    columns: Option<Vec<ColumnView>>,
}

impl Stmt2BindParam {
    /// A parameter of these parts.
    pub const fn new(
        table_name: Option<String>,
        tags: Option<Vec<Value>>,
        columns: Option<Vec<ColumnView>>,
    ) -> Self {
        Self {
            table_name,
            tags,
            columns,
        }
    }

    /// Sets the name of the table.
    pub fn with_table_name(&mut self, name: impl Into<String>) -> &mut Self {
        self.table_name = Some(name.into());
        self
    }

    /// Sets the tags.
    pub fn with_tags(&mut self, tags: Vec<Value>) -> &mut Self {
        self.tags = Some(tags);
        self
    }

    /// Sets the columns.
    pub fn with_columns(&mut self, columns: Vec<ColumnView>) -> &mut Self {
        self.columns = Some(columns);
        self
    }

    /// The name of the table.
    pub fn table_name(&self) -> Option<&str> {
        self.table_name.as_deref()
    }

    /// The tags.
    pub fn tags(&self) -> Option<&[Value]> {
        self.tags.as_deref()
    }

    /// The columns.
    pub fn columns(&self) -> Option<&[ColumnView]> {
        self.columns.as_deref()
    }
}
