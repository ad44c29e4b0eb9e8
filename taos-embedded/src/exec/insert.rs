//! INSERT in all its forms (DIALECT §10): read and checked here, written by [`super::rows`].

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::Value;
use taos_query::common::Precision;

use super::rows::{TableRows, Target, in_other_stable, packed_rows, stale};
use super::values::Reading;
use super::{Exec, SYSTEM_TABLE};
use crate::catalog::{Database, Found, TableDef, is_system_database};
use crate::plan::tick;
use crate::sql::ast::{
    Ident, Insert, InsertSource, InsertTarget, InsertValue, InsertValueKind, Using, ValueRows,
};
use crate::sql::{SqlError, unquote};

const TOO_MANY_VALUES: u32 = 0x263F;
const TAG_COUNT: u32 = 0x260D;
const UNKNOWN_TAG: u32 = 0x260E;
const NULL_KEY: u32 = 0x267B;
const OUT_OF_KEEP: u32 = 0x060B;
const BAD_NAME: u32 = 0x2617;
/// Longest name of a table in bytes.
pub(super) const TABLE_NAME: usize = 192;

fn invalid(text: &str) -> SqlError {
    SqlError::new(0x0200, text)
}

/// What a place in a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Name,
    Column(usize),
    Tag(usize),
}

/// Rows of one statement by table, in the order in which the tables came up.
#[derive(Default)]
pub(super) struct Collected {
    tables: Vec<TableRows>,
    /// Subtables that the statement creates.
    new: HashMap<(String, String), usize>,
}

/// The columns that a row gives, in the order of storage.
pub(super) struct Layout {
    /// Positions in the table's columns, the time column first.
    pub(super) columns: Arc<[usize]>,
    /// For each of them the index in the row as written.
    pub(super) sources: Vec<usize>,
    /// The index of `tbname` in the row, and of the tags with their positions.
    pub(super) name: Option<usize>,
    pub(super) tags: Vec<(usize, usize)>,
    /// Values of a row.
    pub(super) width: usize,
}

impl Layout {
    /// Checks the columns named, or takes all.
    pub(super) fn new(
        def: &TableDef,
        named: Option<&[Ident]>,
        into_super: bool,
    ) -> Result<Self, SqlError> {
        let places = match named {
            None => (0..def.columns.len()).map(Place::Column).collect(),
            Some(names) => Self::places(def, names, into_super)?,
        };
        let mut columns: Vec<(usize, usize)> = Vec::new();
        let (mut name, mut tags) = (None, Vec::new());
        for (source, place) in places.iter().enumerate() {
            match place {
                Place::Name => name = Some(source),
                Place::Tag(at) => tags.push((source, *at)),
                Place::Column(at) => columns.push((*at, source)),
            }
        }
        if into_super && name.is_none() {
            return Err(invalid("tbname column should not be null"));
        }
        columns.sort_unstable();
        if columns.first().is_none_or(|c| c.0 != 0) {
            return Err(invalid("Primary timestamp column should not be null"));
        }
        let key = def.columns.iter().position(|c| c.composite_key);
        if key.is_some_and(|key| columns.iter().all(|c| c.0 != key)) {
            return Err(no_key());
        }
        Ok(Self {
            columns: columns.iter().map(|c| c.0).collect(),
            sources: columns.iter().map(|c| c.1).collect(),
            name,
            tags,
            width: places.len(),
        })
    }

    fn places(def: &TableDef, names: &[Ident], into_super: bool) -> Result<Vec<Place>, SqlError> {
        let mut seen = std::collections::HashSet::with_capacity(names.len());
        let by_name: HashMap<&str, usize> = def
            .columns
            .iter()
            .enumerate()
            .map(|(at, c)| (c.name.as_str(), at))
            .collect();
        let mut places = Vec::with_capacity(names.len());
        for ident in names {
            let name = ident.name.as_str();
            let place = if into_super && name == "tbname" {
                Place::Name
            } else if let Some(&at) = by_name.get(name) {
                Place::Column(at)
            } else if let Some((at, _)) = def.tag(name).filter(|_| into_super) {
                Place::Tag(at)
            } else {
                return Err(SqlError::unknown_column(name));
            };
            if !seen.insert(name) {
                return Err(SqlError::insert_syntax(name, "duplicated column name"));
            }
            places.push(place);
        }
        Ok(places)
    }
}

impl Exec<'_> {
    pub(super) fn insert(&self, insert: &Insert) -> Result<u64, SqlError> {
        let mut collected = Collected::default();
        for target in &insert.targets {
            self.collect(insert, target, &mut collected)?;
        }
        for table in &mut collected.tables {
            table.merge();
        }
        let (tables, now) = (collected.tables, self.now);
        let packed = self.packed(&tables)?;
        self.store().write(move |write| {
            let mut count = 0;
            for (table, packed) in tables.iter().zip(packed) {
                count += table.write(write, now, packed.as_deref())?;
            }
            Ok(count)
        })
    }

    /// The forms that rows have in the log, where it is kept.
    pub(super) fn packed(
        &self,
        tables: &[TableRows],
    ) -> Result<Vec<Option<Vec<crate::store::Packed>>>, SqlError> {
        let catalog = self.catalog();
        packed_rows(tables, |db| catalog.databases.get(db).map(Arc::clone))
    }

    fn collect(
        &self,
        insert: &Insert,
        target: &InsertTarget,
        collected: &mut Collected,
    ) -> Result<(), SqlError> {
        if target.is_any_table() {
            return Err(SqlError::insert_syntax(
                target.table.name.span.rest(self.sql),
                "? is for prepared statements only",
            ));
        }
        let db = self
            .db_of(target.table.db.as_ref())
            .ok_or_else(|| invalid("db is not specified"))?;
        if is_system_database(db) {
            return Err(SqlError::new(SYSTEM_TABLE, "System table not allowed"));
        }
        let database = self.catalog().database(db)?;
        let name = target.table.name.name.as_str();
        let reading = Reading {
            sql: self.sql,
            times: &insert.times,
            precision: database.precision(),
            now: self.now,
            zone: self.zone,
        };
        let (def, destination) = match &target.using {
            Some(using) => self.using(database, name, using)?,
            None => match database.find(name) {
                Some(Found::Super(def)) => {
                    if target.columns.is_none() {
                        let rest = target.values_at.rest(self.sql);
                        return Err(SqlError::insert_syntax(
                            &format!(" {rest}"),
                            "(...tbname, ts...) bounded cols is expected for supertable insertion",
                        ));
                    }
                    let layout = Layout::new(def, target.columns.as_deref(), true)?;
                    return self.collect_named(database, def, &layout, target, reading, collected);
                }
                Some(Found::Normal(def)) => (def, Target::Normal),
                Some(Found::Child(child, def)) => (
                    def,
                    Target::Child {
                        id: child.id,
                        name: name.to_owned(),
                    },
                ),
                None => match collected.new.get(&(db.to_owned(), name.to_owned())) {
                    Some(&at) => {
                        return self.collect_again(at, database, target, reading, collected);
                    }
                    None => return Err(SqlError::unknown_table()),
                },
            },
        };
        let layout = Layout::new(def, target.columns.as_deref(), false)?;
        let mut rows = TableRows {
            db: db.to_owned(),
            def: Arc::clone(def),
            target: destination,
            columns: Arc::clone(&layout.columns),
            values: Vec::new(),
        };
        self.read_rows(database, target, &layout, reading, &mut rows)?;
        if matches!(rows.target, Target::NewChild { .. }) {
            let at = collected.tables.len();
            collected.new.insert((db.to_owned(), name.to_owned()), at);
        }
        collected.tables.push(rows);
        Ok(())
    }

    /// More rows for a subtable that an earlier part of the statement creates.
    fn collect_again(
        &self,
        at: usize,
        database: &Database,
        target: &InsertTarget,
        reading: Reading<'_>,
        collected: &mut Collected,
    ) -> Result<(), SqlError> {
        let Some(TableRows {
            def,
            target: Target::NewChild { name, tags },
            ..
        }) = collected.tables.get(at)
        else {
            return Err(SqlError::unknown_table());
        };
        let layout = Layout::new(def, target.columns.as_deref(), false)?;
        let mut rows = TableRows {
            db: database.name.clone(),
            def: Arc::clone(def),
            target: Target::NewChild {
                name: name.clone(),
                tags: tags.clone(),
            },
            columns: Arc::clone(&layout.columns),
            values: Vec::new(),
        };
        self.read_rows(database, target, &layout, reading, &mut rows)?;
        collected.tables.push(rows);
        Ok(())
    }

    /// The super table of USING, and the subtable that is there or to be made.
    fn using<'b>(
        &'b self,
        database: &'b Database,
        name: &str,
        using: &Using,
    ) -> Result<(&'b Arc<TableDef>, Target), SqlError> {
        let stable_db = self
            .db_of(using.stable.db.as_ref())
            .ok_or_else(|| invalid("db is not specified"))?;
        let stable_db = self.catalog().database(stable_db)?;
        let def = match stable_db.find(&using.stable.name.name) {
            Some(Found::Super(def)) => def,
            Some(_) => return Err(invalid("create table only from super table is allowed")),
            None => return Err(SqlError::unknown_table()),
        };
        if stable_db.id != database.id {
            return Err(SqlError::unknown_table());
        }
        let tags = self.tags(database, def, using)?;
        match database.find(name) {
            Some(Found::Child(child, of)) if of.id == def.id => Ok((
                def,
                Target::Child {
                    id: child.id,
                    name: name.to_owned(),
                },
            )),
            Some(_) => Err(in_other_stable()),
            None => {
                check_table_name(name)?;
                let name = name.to_owned();
                Ok((def, Target::NewChild { name, tags }))
            }
        }
    }

    /// A value for each tag of a super table, NULL for those not named.
    pub(super) fn tags(
        &self,
        database: &Database,
        def: &TableDef,
        using: &Using,
    ) -> Result<Vec<Value>, SqlError> {
        let positions = tag_positions(def, using)?;
        let reading = Reading {
            sql: self.sql,
            times: &using.times,
            precision: database.precision(),
            now: self.now,
            zone: self.zone,
        };
        let mut tags = vec![Value::Null; def.tags.len()];
        for (at, value) in positions.into_iter().zip(&using.values) {
            if let (Some(slot), Some(tag)) = (tags.get_mut(at), def.tags.get(at)) {
                *slot = reading.convert(value, tag)?;
            }
        }
        Ok(tags)
    }

    /// Rows of one subtable or normal table.
    fn read_rows(
        &self,
        database: &Database,
        target: &InsertTarget,
        layout: &Layout,
        reading: Reading<'_>,
        rows: &mut TableRows,
    ) -> Result<(), SqlError> {
        let values = match &target.source {
            InsertSource::Values(values) => values,
            InsertSource::Query(query) => {
                let selected = self.select_for(query, layout, &rows.def, database.precision())?;
                for row in &selected.rows.rows {
                    selected.take(
                        row,
                        layout,
                        &rows.def,
                        database.precision(),
                        &mut rows.values,
                    )?;
                }
                return self.check_keep(database, &rows.values, rows.columns.len());
            }
        };
        rows.values
            .reserve(values.row_ends.len() * layout.columns.len());
        for row in values.rows() {
            check_width(row, layout.width, self.sql)?;
            read_row(reading, &rows.def, layout, row, &mut rows.values)?;
        }
        self.check_keep(database, &rows.values, rows.columns.len())
    }

    /// Rows of a super table that name their subtables.
    fn collect_named(
        &self,
        database: &Database,
        def: &Arc<TableDef>,
        layout: &Layout,
        target: &InsertTarget,
        reading: Reading<'_>,
        collected: &mut Collected,
    ) -> Result<(), SqlError> {
        let mut by_name: HashMap<String, usize> = HashMap::new();
        let first = collected.tables.len();
        match &target.source {
            InsertSource::Values(values) => {
                let into = (&mut by_name, &mut *collected);
                self.named_values(database, def, layout, values, reading, into)?;
            }
            InsertSource::Query(query) => {
                let selected = self.select_for(query, layout, def, database.precision())?;
                for row in &selected.rows.rows {
                    let name = selected.name(row, layout)?;
                    let tags = || selected.tags(row, layout, def, database.precision());
                    let at =
                        named_table(database, def, layout, &name, tags, &mut by_name, collected)?;
                    if let Some(table) = collected.tables.get_mut(at) {
                        let precision = database.precision();
                        selected.take(row, layout, def, precision, &mut table.values)?;
                    }
                }
            }
        }
        for table in collected.tables.iter().skip(first) {
            self.check_keep(database, &table.values, table.columns.len())?;
        }
        Ok(())
    }

    fn named_values(
        &self,
        database: &Database,
        def: &Arc<TableDef>,
        layout: &Layout,
        values: &ValueRows,
        reading: Reading<'_>,
        (by_name, collected): (&mut HashMap<String, usize>, &mut Collected),
    ) -> Result<(), SqlError> {
        for row in values.rows() {
            check_width(row, layout.width, self.sql)?;
            let name = layout.name.and_then(|at| row.get(at));
            let name = match name {
                Some(value) if value.kind == InsertValueKind::Text => {
                    unquote(value.span.of(self.sql))
                }
                _ => return Err(invalid("tbname can not be null value")),
            };
            let tags = || {
                let mut tags = vec![Value::Null; def.tags.len()];
                for &(source, at) in &layout.tags {
                    if let (Some(slot), Some(tag), Some(value)) =
                        (tags.get_mut(at), def.tags.get(at), row.get(source))
                    {
                        *slot = reading.convert(value, tag)?;
                    }
                }
                Ok(tags)
            };
            let at = named_table(database, def, layout, &name, tags, by_name, collected)?;
            if let Some(table) = collected.tables.get_mut(at) {
                read_row(reading, def, layout, row, &mut table.values)?;
            }
        }
        Ok(())
    }

    /// Refuses times that the database would not keep.
    pub(super) fn check_keep(
        &self,
        database: &Database,
        values: &[Value],
        width: usize,
    ) -> Result<(), SqlError> {
        let precision = database.precision();
        let [.., keep] = database.options.keep;
        let kept = i128::from(keep) * 60 * i128::from(precision.ticks_per_second());
        let lowest = i128::from(self.now.div_euclid(tick(precision))) - kept;
        let latest = i128::from(latest(precision));
        let unfit = |row: &[Value]| match row.first() {
            Some(Value::Integer(ts)) => !(lowest..=latest).contains(&i128::from(*ts)),
            _ => false,
        };
        if values.chunks(width.max(1)).any(unfit) {
            return Err(SqlError::new(OUT_OF_KEEP, "Timestamp data out of range"));
        }
        Ok(())
    }
}

/// The latest time that a table takes: the year 2970, in nanoseconds 2262.
const fn latest(precision: Precision) -> i64 {
    match precision {
        Precision::Millisecond => 31_556_995_200_000,
        Precision::Microsecond => 31_556_995_200_000_000,
        Precision::Nanosecond => 9_214_646_400_000_000_000,
    }
}

/// The tags that USING gives values, by their positions; as many as there are values.
pub(super) fn tag_positions(def: &TableDef, using: &Using) -> Result<Vec<usize>, SqlError> {
    let positions: Vec<usize> = match &using.tag_names {
        None => (0..def.tags.len()).collect(),
        Some(names) => {
            let mut positions = Vec::with_capacity(names.len());
            for ident in names {
                let (at, _) = def.tag(&ident.name).ok_or_else(|| {
                    SqlError::new(UNKNOWN_TAG, format!("Invalid tag name: {}", ident.name))
                })?;
                if positions.contains(&at) {
                    return Err(SqlError::insert_syntax(
                        &ident.name,
                        "duplicated column name",
                    ));
                }
                positions.push(at);
            }
            positions
        }
    };
    if positions.len() != using.values.len() {
        return Err(tag_count());
    }
    Ok(positions)
}

pub(super) fn tag_count() -> SqlError {
    SqlError::new(TAG_COUNT, "Tags number not matched")
}

/// Refuses a name that no new table may have.
pub(super) fn check_table_name(name: &str) -> Result<(), SqlError> {
    let unfit = |c: char| c == '.' || c.is_control();
    if name.is_empty() || name.len() > TABLE_NAME || name.contains(unfit) {
        return Err(SqlError::new(
            BAD_NAME,
            format!("Invalid identifier name: {name}"),
        ));
    }
    Ok(())
}

fn check_width(row: &[InsertValue], width: usize, sql: &str) -> Result<(), SqlError> {
    if row.len() > width {
        return Err(SqlError::new(TOO_MANY_VALUES, "Illegal number of columns"));
    }
    if row.len() < width {
        let near = row.last().map_or("", |v| v.span.rest(sql));
        return Err(SqlError::insert_syntax(near, ", expected"));
    }
    Ok(())
}

/// Converts one row into the order of storage.
fn read_row(
    reading: Reading<'_>,
    def: &TableDef,
    layout: &Layout,
    row: &[InsertValue],
    out: &mut Vec<Value>,
) -> Result<(), SqlError> {
    for (&at, &source) in layout.columns.iter().zip(&layout.sources) {
        let (Some(column), Some(value)) = (def.columns.get(at), row.get(source)) else {
            return Err(stale());
        };
        let converted = reading.convert(value, column)?;
        if converted == Value::Null {
            if at == 0 {
                return Err(SqlError::insert_syntax(
                    value.span.rest(reading.sql),
                    "primary timestamp should not be null",
                ));
            }
            if column.composite_key {
                return Err(null_key());
            }
        }
        out.push(converted);
    }
    Ok(())
}

/// A row without its part of the key.
pub(super) fn no_key() -> SqlError {
    invalid("Primary key column should not be none")
}

pub(super) fn null_key() -> SqlError {
    SqlError::new(NULL_KEY, "Primary key column should not be null")
}

/// The place where a named subtable's rows are collected.
fn named_table(
    database: &Database,
    def: &Arc<TableDef>,
    layout: &Layout,
    name: &str,
    tags: impl FnOnce() -> Result<Vec<Value>, SqlError>,
    by_name: &mut HashMap<String, usize>,
    collected: &mut Collected,
) -> Result<usize, SqlError> {
    if let Some(&at) = by_name.get(name) {
        return Ok(at);
    }
    let target = match database.find(name) {
        Some(Found::Child(child, of)) if of.id == def.id => Target::Child {
            id: child.id,
            name: name.to_owned(),
        },
        Some(_) => return Err(in_other_stable()),
        None => {
            check_table_name(name).map_err(|error| invalid(&error.message))?;
            Target::NewChild {
                name: name.to_owned(),
                tags: tags()?,
            }
        }
    };
    let at = collected.tables.len();
    if matches!(target, Target::NewChild { .. }) {
        collected
            .new
            .insert((database.name.clone(), name.to_owned()), at);
    }
    collected.tables.push(TableRows {
        db: database.name.clone(),
        def: Arc::clone(def),
        target,
        columns: Arc::clone(&layout.columns),
        values: Vec::new(),
    });
    by_name.insert(name.to_owned(), at);
    Ok(at)
}
