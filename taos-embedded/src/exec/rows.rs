//! Rows on their way into the store: merged by time, written as upserts.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::Arc;

use rusqlite::types::{Value, ValueRef};
use taos_query::block::{BlockWriter, ColumnBuilder};
use taos_query::common::{Precision, Ty};
use taos_query::tmq::raw::EntryColumn;

use super::changes::{self, created, log_table};
use crate::catalog::{Child, Database, Entry, Found, TableDef};
use crate::meta::NewTable;
use crate::plan::ColumnInfo;
use crate::sql::SqlError;
use crate::store::{
    ENTRY_BYTES, ENTRY_ROWS, Packed, Rows, Write, internal, pack, push_cell, sqlite_error,
};

/// Says that the catalog changed between reading a statement and writing it.
pub(crate) const STALE: u32 = 0xFFFF_0001;
const TABLE_EXISTS: u32 = 0x0603;
const IN_OTHER_STABLE: u32 = 0x061D;
/// The version of the blocks in messages of topics.
const MESSAGE_BLOCK: i32 = 2;

pub(crate) fn stale() -> SqlError {
    SqlError::new(STALE, "the table changed while the statement was prepared")
}

/// Where rows go.
#[derive(Debug)]
pub(crate) enum Target {
    /// A normal table.
    Normal,
    /// A subtable that exists.
    Child { id: i64, name: String },
    /// A subtable to be created unless somebody did.
    NewChild { name: String, tags: Vec<Value> },
}

/// Rows for one table, all with the same columns.
#[derive(Debug)]
pub(crate) struct TableRows {
    pub(crate) db: String,
    /// The super table or normal table as the statement knew it.
    pub(crate) def: Arc<TableDef>,
    pub(crate) target: Target,
    /// Positions in `def.columns` of the values of a row; the time column is the first.
    pub(crate) columns: Arc<[usize]>,
    /// The values, row after row.
    pub(crate) values: Vec<Value>,
}

impl TableRows {
    fn infos(&self) -> impl Iterator<Item = &ColumnInfo> {
        self.columns.iter().filter_map(|&i| self.def.columns.get(i))
    }

    fn width(&self) -> usize {
        self.columns.len().max(1)
    }

    /// Brings the rows into the order of their times and merges those of the same key: later values
    /// win, but NULL does not hide a value.
    pub(crate) fn merge(&mut self) {
        let width = self.width();
        let key = self.infos().position(|c| c.composite_key);
        let rows: Vec<&[Value]> = self.values.chunks_exact(width).collect();
        let compare = |a: &[Value], b: &[Value]| {
            order(a.first(), b.first()).then_with(|| match key {
                Some(key) => order(a.get(key), b.get(key)),
                None => Ordering::Equal,
            })
        };
        if rows.is_sorted_by(|a, b| compare(a, b) == Ordering::Less) {
            return;
        }
        drop(rows);
        let mut rows: Vec<Vec<Value>> = Vec::with_capacity(self.values.len() / width);
        let mut values = std::mem::take(&mut self.values).into_iter();
        loop {
            let row: Vec<Value> = values.by_ref().take(width).collect();
            if row.len() < width {
                break;
            }
            rows.push(row);
        }
        rows.sort_by(|a, b| compare(a, b));
        let mut merged: Vec<Vec<Value>> = Vec::with_capacity(rows.len());
        for row in rows {
            match merged.last_mut() {
                Some(last) if compare(last, &row) == Ordering::Equal => {
                    for (old, new) in last.iter_mut().zip(row) {
                        if new != Value::Null {
                            *old = new;
                        }
                    }
                }
                _ => merged.push(row),
            }
        }
        self.values = merged.into_iter().flatten().collect();
    }

    fn upsert_sql(&self) -> String {
        let mut names = "tbl".to_owned();
        let mut places = "?1".to_owned();
        let mut updates = String::new();
        let mut conflict = "tbl, ts".to_owned();
        for (index, column) in self.infos().enumerate() {
            let name = column_name(column, index == 0);
            let _ = write!(names, ", {name}");
            let _ = write!(places, ", ?{}", index + 2);
            if column.composite_key {
                let _ = write!(conflict, ", {name}");
            } else if index > 0 {
                let comma = if updates.is_empty() { "" } else { ", " };
                let _ = write!(updates, "{comma}{name} = excluded.{name}");
            }
        }
        let action = if updates.is_empty() {
            "NOTHING".to_owned()
        } else {
            format!("UPDATE SET {updates}")
        };
        format!(
            "INSERT INTO d{} ({names}) VALUES ({places}) ON CONFLICT ({conflict}) DO {action}",
            self.def.id
        )
    }

    /// The name of the table.
    fn name(&self) -> &str {
        match &self.target {
            Target::Normal => &self.def.name,
            Target::Child { name, .. } | Target::NewChild { name, .. } => name,
        }
    }

    /// The rows, which are merged, as the log has them: only the columns that were named, so that a replay
    /// leaves the others alone, in pieces of a size that every reader takes. It needs no number of the table
    /// and is therefore done before the writer's turn.
    pub(crate) fn packed(&self, precision: Precision) -> Result<Vec<Packed>, SqlError> {
        let mut packed = Vec::new();
        let mut rest = self.values.as_slice();
        while let Some((piece, behind)) = rest.split_at_checked(self.piece(rest))
            && !piece.is_empty()
        {
            packed.push(self.packed_piece(piece, precision)?);
            rest = behind;
        }
        Ok(packed)
    }

    /// Values of the rows that one entry of the log takes of these.
    fn piece(&self, values: &[Value]) -> usize {
        let width = self.width();
        let sizes: Vec<usize> = self
            .infos()
            .map(|c| if c.ty == Ty::NChar { 4 } else { 1 })
            .collect();
        let size = |(value, size): (&Value, &usize)| match value {
            Value::Text(text) => text.len() * size,
            Value::Blob(bytes) => bytes.len(),
            _ => 8,
        };
        let mut bytes = 0_usize;
        let rows = values.chunks_exact(width).take(ENTRY_ROWS);
        let fitting = rows.take_while(|row| {
            bytes += row.iter().zip(&sizes).map(size).sum::<usize>();
            bytes <= ENTRY_BYTES
        });
        values.len().min(fitting.count().max(1) * width)
    }

    fn packed_piece(&self, values: &[Value], precision: Precision) -> Result<Packed, SqlError> {
        let width = self.width();
        let mut order: Vec<(usize, usize)> = self.columns.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let mut builders = Vec::with_capacity(order.len());
        let mut columns = Vec::with_capacity(order.len());
        for (at, source) in order {
            let info = self.def.columns.get(at).ok_or_else(stale)?;
            let mut builder = ColumnBuilder::new(info.ty, info.length, info.precision, info.scale);
            for row in values.chunks_exact(width) {
                let value = row.get(source).map_or(ValueRef::Null, ValueRef::from);
                push_cell(&mut builder, value).map_err(internal)?;
            }
            builders.push(builder);
            columns.push(EntryColumn {
                ty: info.ty.as_u8(),
                flags: changes::flags(&self.def, info),
                bytes: changes::width(info),
                id: i32::try_from(info.id).map_or(i32::MAX, |id| id.saturating_add(1)),
                name: info.name.clone(),
            });
        }
        let block = BlockWriter::new(builders).finish().map_err(internal)?;
        let mut block = Vec::from(block);
        if let Some(version) = block.first_chunk_mut::<4>() {
            *version = MESSAGE_BLOCK.to_le_bytes();
        }
        Ok(pack(&Rows {
            table: self.name(),
            rows: u64::try_from(values.len() / width).map_err(internal)?,
            precision: precision.as_u8(),
            columns: &columns,
            block: &block,
        }))
    }

    /// Writes the rows, which are merged, and says how many they are. `packed` is what
    /// [`packed`](Self::packed) gave, if that was called.
    pub(crate) fn write(
        &self,
        write: &mut Write<'_>,
        now: i64,
        packed: Option<&[Packed]>,
    ) -> Result<u64, SqlError> {
        let (table, created) = self.table(write, now)?;
        self.put(write, table, created, packed)
    }

    /// Writes the rows into a table whose number is known; `created` if this statement created it.
    pub(crate) fn put(
        &self,
        write: &mut Write<'_>,
        table: i64,
        created: Option<NewTable>,
        packed: Option<&[Packed]>,
    ) -> Result<u64, SqlError> {
        self.log(write, table, created, packed)?;
        let width = self.width();
        let mut statement = write
            .connection
            .prepare_cached(&self.upsert_sql())
            .map_err(sqlite_error)?;
        let mut count = 0;
        for row in self.values.chunks_exact(width) {
            statement
                .raw_bind_parameter(1, table)
                .map_err(sqlite_error)?;
            for (place, value) in (2..).zip(row) {
                statement
                    .raw_bind_parameter(place, value)
                    .map_err(sqlite_error)?;
            }
            statement.raw_execute().map_err(sqlite_error)?;
            count += 1;
        }
        Ok(count)
    }

    fn log(
        &self,
        write: &mut Write<'_>,
        table: i64,
        mut new: Option<NewTable>,
        packed: Option<&[Packed]>,
    ) -> Result<(), SqlError> {
        let database = write.catalog().database(&self.db)?;
        if !database.keeps_log() {
            return Ok(());
        }
        if self.values.is_empty() {
            return match new {
                Some(new) => log_table(write, &self.db, table, || Ok(created(vec![new]))),
                None => Ok(()),
            };
        }
        let (vgroup, precision) = (database.vgroup_of(table), database.precision());
        let ids = (table, self.def.id);
        let own;
        let packed = match packed {
            Some(packed) => packed,
            None => {
                own = self.packed(precision)?;
                &own
            }
        };
        packed
            .iter()
            .try_for_each(|piece| write.log_rows(vgroup, ids, new.take().as_ref(), piece))
    }

    /// The number of the table, which is created if it is new.
    fn table(&self, write: &mut Write<'_>, now: i64) -> Result<(i64, Option<NewTable>), SqlError> {
        let database = write.catalog().database(&self.db)?;
        let same = |def: &TableDef| def.id == self.def.id && def.version == self.def.version;
        let name = self.name();
        match (&self.target, database.find(name)) {
            (Target::Normal, Some(Found::Normal(def))) if same(def) => Ok((def.id, None)),
            (Target::Child { id, .. }, Some(Found::Child(child, def)))
                if same(def) && child.id == *id =>
            {
                Ok((*id, None))
            }
            (Target::NewChild { .. }, Some(Found::Child(child, def))) if same(def) => {
                Ok((child.id, None))
            }
            (Target::NewChild { tags, .. }, None) => {
                if !database
                    .stables
                    .get(&self.def.name)
                    .is_some_and(|d| same(d))
                {
                    return Err(stale());
                }
                let new = NewChild {
                    name,
                    tags,
                    comment: None,
                    ttl: 0,
                };
                let (id, new) = create_child(write, &self.db, &self.def, &new, now)?;
                Ok((id, Some(new)))
            }
            (Target::NewChild { .. }, Some(Found::Child(_, def))) if def.id == self.def.id => {
                Err(stale())
            }
            (Target::NewChild { .. }, Some(_)) => Err(in_other_stable()),
            _ => Err(stale()),
        }
    }
}

pub(crate) fn table_exists() -> SqlError {
    SqlError::new(TABLE_EXISTS, "Table already exists")
}

/// A table that USING names is there, and is not a subtable of that super table.
pub(crate) fn in_other_stable() -> SqlError {
    SqlError::new(
        IN_OTHER_STABLE,
        "Table already exists in other super tables",
    )
}

/// The name of a column in its data table.
pub(crate) fn column_name(column: &ColumnInfo, is_time: bool) -> String {
    if is_time {
        "ts".to_owned()
    } else {
        format!("c{}", column.id)
    }
}

/// Order of two values of one key column.
fn order(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::Integer(a)), Some(Value::Integer(b))) => a.cmp(b),
        (Some(Value::Text(a)), Some(Value::Text(b))) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

/// A subtable to be created.
pub(crate) struct NewChild<'a> {
    pub(crate) name: &'a str,
    /// A value for each tag.
    pub(crate) tags: &'a [Value],
    pub(crate) comment: Option<&'a str>,
    pub(crate) ttl: i32,
}

/// What statements give the writer beside rows: their forms in the log, made before its turn.
pub(crate) fn packed_rows(
    tables: &[TableRows],
    database: impl Fn(&str) -> Option<Arc<Database>>,
) -> Result<Vec<Option<Vec<Packed>>>, SqlError> {
    let packed = tables.iter().map(|table| match database(&table.db) {
        Some(db) if db.keeps_log() && !table.values.is_empty() => {
            table.packed(db.precision()).map(Some)
        }
        _ => Ok(None),
    });
    packed.collect()
}

/// Creates a subtable and gives its number, and what the log is to say of it.
pub(crate) fn create_child(
    write: &mut Write<'_>,
    db: &str,
    def: &TableDef,
    new: &NewChild<'_>,
    now: i64,
) -> Result<(i64, NewTable), SqlError> {
    let id = write.new_id();
    let mut names = "tbl, name, created, comment, ttl".to_owned();
    let mut places = "?1, ?2, ?3, ?4, ?5".to_owned();
    for (place, tag) in (6..).zip(&*def.tags) {
        let _ = write!(names, ", g{}", tag.id);
        let _ = write!(places, ", ?{place}");
    }
    let created = now / 1_000_000;
    let comment = new
        .comment
        .map_or(Value::Null, |c| Value::Text(c.to_owned()));
    let head = [
        Value::Integer(id),
        Value::Text(new.name.to_owned()),
        Value::Integer(created),
        comment,
        Value::Integer(new.ttl.into()),
    ];
    write.execute(
        &format!("INSERT INTO t{} ({names}) VALUES ({places})", def.id),
        rusqlite::params_from_iter(head.iter().chain(new.tags)),
    )?;
    let child = Child {
        id,
        name: new.name.to_owned(),
        stable: def.name.clone(),
        created,
        comment: new.comment.map(str::to_owned),
        ttl: new.ttl,
    };
    let database = write.catalog_mut().database_mut(db)?;
    database
        .tables
        .insert(new.name.to_owned(), Entry::Child(Arc::new(child)));
    Ok((id, changes::new_child(def, id, new, created)?))
}
