//! Rows kept column by column, as QWP sends them (questdb §12.4 to §12.8).

mod column;
mod decimal;
mod encode;
mod symbols;
#[cfg(test)]
mod tests;
mod values;

use std::collections::HashMap;

use super::state::{Bookmark, Call, Marker, State};
use crate::error::{Error, Result, error};
use crate::ingress::names::check_len;
use crate::ingress::{ColumnName, TableName, Timestamp};
use crate::qwp::wire::{ColumnType, HEADER_LEN, MAX_COLUMNS};
use column::{Column, ColumnMark};
pub(crate) use encode::Encoder;
use symbols::Symbols;
pub(crate) use symbols::Symbols as SymbolTable;

/// Rows for any number of tables. A cleared buffer still knows their columns, so that the next rows
/// find them without looking names up.
#[derive(Debug, Clone)]
pub(crate) struct QwpBuffer {
    grid: Grid,
    by_name: HashMap<Box<str>, usize>,
    /// Of all tables, numbered within this buffer.
    symbols: Symbols,
    rows: usize,
    marker: Marker<Saved>,
}

/// The tables and the place of the next cell.
#[derive(Debug, Clone)]
struct Grid {
    tables: Vec<Table>,
    /// The table of the row at hand, and of the one before.
    current: usize,
    state: State,
    max_name_len: usize,
    /// The column whose type the call at hand has changed, and what it was.
    changed: Option<(usize, ColumnType)>,
}

#[derive(Debug, Clone)]
struct Table {
    name: Box<str>,
    columns: Vec<Column>,
    by_name: HashMap<Box<str>, usize>,
    /// Where the column with the rows' own time is.
    time: Option<usize>,
    rows: usize,
    /// Where the next column probably is: rows tend to look alike.
    next: usize,
}

#[derive(Debug, Clone)]
struct Saved {
    tables: Vec<TableMark>,
    current: usize,
    symbols: usize,
    rows: usize,
    state: State,
}

#[derive(Debug, Clone)]
struct TableMark {
    columns: Vec<ColumnMark>,
    rows: usize,
}

impl Table {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            columns: Vec::new(),
            by_name: HashMap::new(),
            time: None,
            rows: 0,
            next: 0,
        }
    }

    fn add(&mut self, name: &str, kind: ColumnType) -> Result<usize> {
        let at = self.columns.len();
        if at >= MAX_COLUMNS {
            return Err(error!(
                InvalidApiCall,
                "table {:?} has {MAX_COLUMNS} columns in this buffer, and {name:?} would be one more \
                 than a message takes",
                self.name
            ));
        }
        self.columns.push(Column::new(name, kind));
        if !name.is_empty() {
            self.by_name.insert(name.into(), at);
        }
        Ok(at)
    }

    fn mark(&self) -> TableMark {
        TableMark {
            columns: self.columns.iter().map(Column::mark).collect(),
            rows: self.rows,
        }
    }

    fn rewind(&mut self, mark: &TableMark) {
        let kept = mark.columns.len();
        self.columns.truncate(kept);
        self.by_name.retain(|_, at| *at < kept);
        self.time = self.time.filter(|at| *at < kept);
        for (column, mark) in self.columns.iter_mut().zip(&mark.columns) {
            column.rewind(mark);
        }
        self.rows = mark.rows;
        self.next = 0;
    }

    fn clear(&mut self) {
        self.columns.iter_mut().for_each(Column::clear);
        self.rows = 0;
        self.next = 0;
    }

    fn encoded_len(&self) -> usize {
        let columns: usize = self
            .columns
            .iter()
            .map(|column| column.encoded_len(self.rows))
            .sum();
        self.name.len() + 2 + 5 + 2 + columns
    }
}

impl Grid {
    /// Gives the column and the row to write, `None` if the row has a value there already: the first
    /// one counts. Everything is checked before anything changes.
    #[inline]
    fn cell<'a, N>(
        &mut self,
        name: N,
        kind: ColumnType,
        call: Call,
    ) -> Result<Option<(&mut Column, usize)>>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        if !self.state.allows(call) {
            return Err(refuse(self.state, self.max_name_len, call, name));
        }
        let Some(table) = self.tables.get_mut(self.current) else {
            return Ok(None);
        };
        let known = table
            .columns
            .get(table.next)
            .is_some_and(|column| *column.name == *name.as_ref() && !column.name.is_empty());
        let at = if known {
            table.next
        } else {
            find_column(table, self.max_name_len, kind, name)?
        };
        self.cell_at(at, kind)
    }

    /// Writes a value that its column may refuse. What the call alone has brought, a column or its
    /// type, goes with the value: the server would make a column of it for good.
    fn put<'a, N>(
        &mut self,
        name: N,
        kind: ColumnType,
        put: impl FnOnce(&mut Column, usize) -> Result<()>,
    ) -> Result<()>
    where
        N: AsRef<str> + TryInto<ColumnName<'a>>,
        Error: From<N::Error>,
    {
        let columns = self
            .tables
            .get(self.current)
            .map_or(0, |table| table.columns.len());
        self.changed = None;
        if let Some((column, row)) = self.cell(name, kind, Call::Column)?
            && let Err(error) = put(column, row)
        {
            self.undo(columns);
            return Err(error);
        }
        self.state = State::SYMBOL;
        Ok(())
    }

    #[cold]
    fn undo(&mut self, columns: usize) {
        let Some(table) = self.tables.get_mut(self.current) else {
            return;
        };
        if table.columns.len() > columns {
            table.columns.truncate(columns);
            table.by_name.retain(|_, at| *at < columns);
        }
        if let Some((at, kind)) = self.changed.take()
            && let Some(column) = table.columns.get_mut(at)
        {
            column.clear();
            column.kind = kind;
        }
    }

    /// The cell of the column with the empty name, which holds the rows' own time.
    #[inline]
    fn time_cell(&mut self, kind: ColumnType) -> Result<Option<(&mut Column, usize)>> {
        let Some(table) = self.tables.get_mut(self.current) else {
            return Ok(None);
        };
        let at = match table.time {
            Some(at) => at,
            None => {
                let at = table.add("", kind)?;
                table.time = Some(at);
                at
            }
        };
        self.cell_at(at, kind)
    }

    #[inline]
    fn cell_at(&mut self, at: usize, kind: ColumnType) -> Result<Option<(&mut Column, usize)>> {
        let Some(table) = self.tables.get_mut(self.current) else {
            return Ok(None);
        };
        let row = table.rows;
        let Some(column) = table.columns.get_mut(at) else {
            return Ok(None);
        };
        if column.kind != kind {
            let before = column.kind;
            column.become_kind(kind)?;
            self.changed = Some((at, before));
        }
        table.next = at + 1;
        if column.knows(row) {
            self.state = State::SYMBOL;
            return Ok(None);
        }
        Ok(Some((column, row)))
    }
}

impl QwpBuffer {
    pub(crate) fn new(max_name_len: usize) -> Self {
        Self {
            grid: Grid {
                tables: Vec::new(),
                current: 0,
                state: State::READY,
                max_name_len,
                changed: None,
            },
            by_name: HashMap::new(),
            symbols: Symbols::default(),
            rows: 0,
            marker: Marker::default(),
        }
    }

    pub(crate) fn reserve(&mut self, additional: usize) {
        // Where the bytes will go is not known; the tables have grown to what they need.
        self.grid.tables.reserve(additional.min(1));
    }

    /// At least the bytes of the message that a flush makes of it: symbols count with the widest
    /// number they can get, and as if none had been sent before.
    pub(crate) fn len(&self) -> usize {
        let tables = self
            .grid
            .tables
            .iter()
            .filter(|table| table.rows > 0 || !self.grid.state.allows(Call::Table));
        let tables: usize = tables.map(Table::encoded_len).sum();
        if tables == 0 {
            return 0;
        }
        let symbols = self.symbols.text_len() + 5 * self.symbols.len();
        HEADER_LEN + 2 * 4 + symbols + tables
    }

    pub(crate) const fn row_count(&self) -> usize {
        self.rows
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0 && self.grid.state.allows(Call::Flush)
    }

    pub(crate) fn capacity(&self) -> usize {
        let columns = self.grid.tables.iter().flat_map(|table| &table.columns);
        self.symbols.capacity() + columns.map(Column::capacity).sum::<usize>()
    }

    pub(crate) fn check_can_flush(&self) -> Result<()> {
        self.grid.state.check(Call::Flush)
    }

    fn save(&self) -> Saved {
        Saved {
            tables: self.grid.tables.iter().map(Table::mark).collect(),
            current: self.grid.current,
            symbols: self.symbols.len(),
            rows: self.rows,
            state: self.grid.state,
        }
    }

    fn restore(&mut self, saved: &Saved) {
        let kept = saved.tables.len();
        self.grid.tables.truncate(kept);
        self.by_name.retain(|_, at| *at < kept);
        for (table, mark) in self.grid.tables.iter_mut().zip(&saved.tables) {
            table.rewind(mark);
        }
        self.symbols.truncate(saved.symbols);
        self.grid.current = saved.current;
        self.rows = saved.rows;
        self.grid.state = saved.state;
    }

    pub(crate) fn bookmark(&mut self) -> Result<Bookmark> {
        self.grid.state.check_marker()?;
        let saved = self.save();
        Ok(self.marker.set(saved))
    }

    pub(crate) fn rewind_to_marker(&mut self) -> Result<()> {
        let saved = self.marker.take()?;
        self.restore(&saved);
        Ok(())
    }

    pub(crate) fn rewind_to_bookmark(&mut self, bookmark: Bookmark) -> Result<()> {
        let saved = self.marker.take_bookmark(bookmark)?;
        self.restore(&saved);
        Ok(())
    }

    pub(crate) fn clear_marker(&mut self) {
        self.marker.clear();
    }

    pub(crate) fn clear_bookmark(&mut self, bookmark: Bookmark) {
        self.marker.clear_bookmark(bookmark);
    }

    /// Forgets the rows; tables and columns stay (questdb §12.8).
    pub(crate) fn clear(&mut self) {
        self.grid.tables.iter_mut().for_each(Table::clear);
        self.symbols.truncate(0);
        self.grid.state = State::READY;
        self.rows = 0;
        self.marker.clear();
    }

    #[inline(never)]
    pub(crate) fn table<'a, N>(&mut self, name: N) -> Result<()>
    where
        N: AsRef<str> + TryInto<TableName<'a>>,
        Error: From<N::Error>,
    {
        let known = self
            .grid
            .tables
            .get(self.grid.current)
            .is_some_and(|table| *table.name == *name.as_ref());
        let at = if known {
            self.grid.state.check(Call::Table)?;
            self.grid.current
        } else {
            self.find_table(name)?
        };
        self.grid.current = at;
        if let Some(table) = self.grid.tables.get_mut(at) {
            table.next = 0;
        }
        self.grid.state = State::TABLE;
        Ok(())
    }

    #[inline(never)]
    fn find_table<'a, N>(&mut self, name: N) -> Result<usize>
    where
        N: AsRef<str> + TryInto<TableName<'a>>,
        Error: From<N::Error>,
    {
        let name: TableName<'a> = name.try_into()?;
        let name = name.as_ref();
        check_len(name, self.grid.max_name_len)?;
        self.grid.state.check(Call::Table)?;
        if let Some(&at) = self.by_name.get(name) {
            return Ok(at);
        }
        let at = self.grid.tables.len();
        self.grid.tables.push(Table::new(name));
        self.by_name.insert(name.into(), at);
        Ok(at)
    }

    #[inline]
    pub(crate) fn at(&mut self, timestamp: Timestamp) -> Result<()> {
        self.grid.state.check(Call::At)?;
        let (kind, value) = match timestamp {
            Timestamp::Micros(ts) => (ColumnType::Timestamp, ts.as_i64()),
            Timestamp::Nanos(ts) => (ColumnType::TimestampNanos, ts.as_i64()),
        };
        if value < 0 {
            return Err(error!(
                InvalidTimestamp,
                "the timestamp {value} lies before 1970; a row's own timestamp must not be negative"
            ));
        }
        if let Some((column, row)) = self.grid.time_cell(kind)? {
            column.put(row, value.to_le_bytes());
        }
        self.finish_row();
        Ok(())
    }

    #[inline]
    pub(crate) fn at_now(&mut self) -> Result<()> {
        self.grid.state.check(Call::At)?;
        self.finish_row();
        Ok(())
    }

    #[inline]
    fn finish_row(&mut self) {
        if let Some(table) = self.grid.tables.get_mut(self.grid.current) {
            table.rows += 1;
        }
        self.rows += 1;
        self.grid.state = State::READY;
    }
}

#[inline(never)]
fn find_column<'a, N>(
    table: &mut Table,
    max_name_len: usize,
    kind: ColumnType,
    name: N,
) -> Result<usize>
where
    N: AsRef<str> + TryInto<ColumnName<'a>>,
    Error: From<N::Error>,
{
    if let Some(&at) = table.by_name.get(name.as_ref()) {
        return Ok(at);
    }
    let name: ColumnName<'a> = name.try_into()?;
    check_len(name.as_ref(), max_name_len)?;
    table.add(name.as_ref(), kind)
}

/// Names are judged before the order of calls (questdb §4.1).
#[cold]
#[inline(never)]
fn refuse<'a, N>(state: State, max_name_len: usize, call: Call, name: N) -> Error
where
    N: AsRef<str> + TryInto<ColumnName<'a>>,
    Error: From<N::Error>,
{
    let judged = name
        .try_into()
        .map_err(Error::from)
        .and_then(|name| check_len(name.as_ref(), max_name_len));
    match judged.and_then(|()| state.check(call)) {
        Err(error) => error,
        Ok(()) => error!(InvalidApiCall, "a column was written out of order"),
    }
}
