//! What is bound to a statement of the second generation, copied table by table.

use std::ffi::c_char;

use taos_query::abi::{TaosStmt2Bind, TaosStmt2Bindv};
use taos_query::block::ColumnView;
use taos_query::common::Value;
use taos_query::stmt::Stmt2BindParam;
use taos_query::{RawError, RawResult, Stmt2AsyncBindable as _};
use taos_ws::Stmt2;

use super::state::{Pending, State};
use crate::args::one;
use crate::binds::{Source, Wanted, array, wrong};
use crate::runtime::wait;
use crate::statement::{out_of_order, table_name};
use crate::stop::Kill;

/// What the placeholders of one table take.
struct Placeholders {
    insert: bool,
    tags: Vec<Wanted>,
    /// Nothing for a parameter of a query.
    columns: Vec<Option<Wanted>>,
}

impl Placeholders {
    fn of(stmt: &mut Stmt2, kill: &Kill, table: Option<&str>) -> RawResult<Self> {
        if stmt.is_insert() == Some(false) {
            return Ok(Self {
                insert: false,
                tags: Vec::new(),
                columns: vec![None; stmt.fields_count().unwrap_or_default()],
            });
        }
        let layout = wait(kill.unless_killed(stmt.layout(table)))?
            .ok_or_else(|| out_of_order("the server did not tell what is to be bound"))?;
        let wanted = |target| Some(Wanted::from(target));
        Ok(Self {
            insert: true,
            tags: layout.tags.iter().map(Wanted::from).collect(),
            columns: layout.columns.iter().map(wanted).collect(),
        })
    }
}

/// The arrays of a bind, each as long as there are tables or empty.
struct Tables<'a> {
    count: usize,
    names: &'a [*mut c_char],
    tags: &'a [*mut TaosStmt2Bind],
    columns: &'a [*mut TaosStmt2Bind],
}

impl<'a> Tables<'a> {
    /// # Safety
    /// As [`bind`].
    unsafe fn of(bindv: *const TaosStmt2Bindv) -> RawResult<Self> {
        // SAFETY: as the caller says.
        let bindv = unsafe { one(bindv) }.ok_or_else(|| wrong("`bindv` is NULL"))?;
        let count = usize::try_from(bindv.count)
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| wrong(format!("`count` of the tables is {}", bindv.count)))?;
        // SAFETY: each of the arrays is NULL or as long as there are tables, as the caller says.
        unsafe {
            Ok(Self {
                count,
                names: array(bindv.tbnames, count)?,
                tags: array(bindv.tags, count)?,
                columns: array(bindv.bind_cols, count)?,
            })
        }
    }

    /// The name of a table, if it has one.
    ///
    /// # Safety
    /// As [`bind`].
    unsafe fn name(&self, table: usize) -> RawResult<Option<&'a str>> {
        match self.names.get(table) {
            Some(name) if !name.is_null() => {
                // SAFETY: as the caller says.
                unsafe { table_name(*name) }.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The tags of a table, if it has any.
    ///
    /// # Safety
    /// As [`bind`].
    unsafe fn tags(&self, table: usize, wanted: &[Wanted]) -> RawResult<Option<Vec<Value>>> {
        let Some(tags) = self.tags.get(table).filter(|tags| !tags.is_null()) else {
            return Ok(None);
        };
        // SAFETY: there is one for each placeholder, as the caller says.
        let binds = unsafe { array(*tags, wanted.len()) }?;
        let value = |(at, (bind, wanted)): (usize, (&TaosStmt2Bind, &Wanted))| {
            let source = Source::second(bind, true);
            // SAFETY: as the caller says.
            let value = source.and_then(|source| unsafe { source.value(wanted) });
            value.map_err(|error| error.context(format!("tag {at}")))
        };
        let values = binds.iter().zip(wanted).enumerate().map(value);
        values.collect::<RawResult<Vec<Value>>>().map(Some)
    }

    /// The first `wanted` columns of a table.
    ///
    /// # Safety
    /// As [`bind`].
    unsafe fn columns(
        &self,
        table: usize,
        wanted: &[Option<Wanted>],
        first: usize,
        one: bool,
    ) -> RawResult<Vec<ColumnView>> {
        let Some(columns) = self.columns.get(table).filter(|at| !at.is_null()) else {
            return Ok(Vec::new());
        };
        // SAFETY: there is one for each placeholder, as the caller says.
        let binds = unsafe { array(*columns, wanted.len()) }?;
        let column = |(at, (bind, wanted)): (usize, (&TaosStmt2Bind, &Option<Wanted>))| {
            let source = Source::second(bind, one);
            // SAFETY: as the caller says.
            let column = source.and_then(|source| unsafe { source.column(wanted.as_ref()) });
            column.map_err(|error| error.context(format!("column {}", first + at)))
        };
        binds.iter().zip(wanted).enumerate().map(column).collect()
    }
}

fn in_table(error: RawError, name: Option<&str>) -> RawError {
    match name {
        Some(name) => error.context(format!("table `{name}`")),
        None => error,
    }
}

/// Copies what is bound, and binds it once it is complete.
///
/// # Safety
/// `bindv` is NULL or leads to a bind whose arrays are NULL or as long as `count`; their elements are NULL or
/// lead to as many binds as there are placeholders (one column, unless `col_idx` is -1), each as
/// [`Source::column`] says.
pub(super) unsafe fn bind(
    state: &mut State,
    bindv: *const TaosStmt2Bindv,
    col_idx: i32,
) -> RawResult<()> {
    state.is_insert()?;
    // SAFETY: as the caller says.
    let tables = unsafe { Tables::of(bindv) }?;
    let kill = state.kill.clone();
    if col_idx == -1 {
        state.complete()?;
        // SAFETY: as the caller says.
        let params = unsafe { whole(state.stmt()?, &kill, &tables) }?;
        state.pending.clear();
        wait(kill.unless_killed(state.stmt()?.bind(&params)))?;
        return Ok(());
    }
    let index = usize::try_from(col_idx)
        .map_err(|_| wrong(format!("`col_idx` is {col_idx}; -1 means all columns")))?;
    // SAFETY: as the caller says.
    unsafe { part(state, &tables, index) }?;
    let complete = |table: &Pending| table.columns.iter().all(Option::is_some);
    if state.pending.iter().all(complete) {
        let params: Vec<Stmt2BindParam> = state
            .pending
            .drain(..)
            .map(|table| {
                let columns = table.columns.into_iter().flatten().collect();
                Stmt2BindParam::new(table.name, table.tags, Some(columns))
            })
            .collect();
        wait(kill.unless_killed(state.stmt()?.bind(&params)))?;
    }
    Ok(())
}

/// # Safety
/// As [`bind`].
unsafe fn whole(
    stmt: &mut Stmt2,
    kill: &Kill,
    tables: &Tables<'_>,
) -> RawResult<Vec<Stmt2BindParam>> {
    let mut params = Vec::with_capacity(tables.count.min(1 << 16));
    for table in 0..tables.count {
        // SAFETY: as the caller says.
        let name = unsafe { tables.name(table) }?;
        let placeholders = Placeholders::of(stmt, kill, name)?;
        // SAFETY: as the caller says.
        let read = unsafe {
            tables.tags(table, &placeholders.tags).and_then(|tags| {
                let one = !placeholders.insert;
                let columns = tables.columns(table, &placeholders.columns, 0, one)?;
                Ok(Stmt2BindParam::new(
                    name.map(str::to_owned),
                    tags,
                    Some(columns),
                ))
            })
        };
        params.push(read.map_err(|error| in_table(error, name))?);
    }
    Ok(params)
}

/// One column of each table.
///
/// # Safety
/// As [`bind`].
unsafe fn part(state: &mut State, tables: &Tables<'_>, index: usize) -> RawResult<()> {
    if !state.pending.is_empty() && state.pending.len() != tables.count {
        return Err(wrong(format!(
            "the columns before were bound for {} tables, but this one for {}",
            state.pending.len(),
            tables.count
        )));
    }
    let kill = state.kill.clone();
    for table in 0..tables.count {
        // SAFETY: as the caller says.
        let name = unsafe { tables.name(table) }?;
        let before = state.pending.get(table).and_then(|t| t.name.clone());
        if let (Some(name), Some(before)) = (name, before.as_deref())
            && name != before
        {
            return Err(wrong(format!(
                "this column is for table `{name}`, but those before it at its place were for `{before}`"
            )));
        }
        let known = name.map(str::to_owned).or(before);
        let placeholders = Placeholders::of(state.stmt()?, &kill, known.as_deref())?;
        let all = placeholders.columns.len();
        let wanted = placeholders.columns.get(index..=index).ok_or_else(|| {
            wrong(format!(
                "there is no column {index}: the statement has {all}"
            ))
        })?;
        // SAFETY: as the caller says.
        let read = unsafe {
            tables.tags(table, &placeholders.tags).and_then(|tags| {
                let columns = tables.columns(table, wanted, index, !placeholders.insert)?;
                Ok((tags, columns))
            })
        };
        let (tags, mut columns) = read.map_err(|error| in_table(error, name))?;
        let Some(column) = columns.pop() else {
            return Err(wrong("`bind_cols` is NULL, but a column was to be bound"));
        };
        if state.pending.len() <= table {
            state.pending.push(Pending {
                name: None,
                tags: None,
                columns: vec![None; all],
            });
        }
        if let Some(pending) = state.pending.get_mut(table) {
            pending.name = known;
            pending.tags = tags.or_else(|| pending.tags.take());
            if let Some(place) = pending.columns.get_mut(index) {
                *place = Some(column);
            }
        }
    }
    Ok(())
}
