//! INSERT with placeholders: what each of them stands for, and what is bound to them as rows for the
//! store (taosadapter-ws §8, §9).

mod cells;
mod params;

use std::sync::Arc;

use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

pub(crate) use cells::{Packed, Rules, Source};

use super::insert::{Layout, check_table_name, null_key, tag_positions};
use super::rows::{TableRows, Target, stale, table_exists};
use super::values::Reading;
use super::{Exec, SYSTEM_TABLE};
use crate::catalog::{Catalog, Database, Entry, Found, TableDef, byte_length, is_system_database};
use crate::plan::ColumnInfo;
use crate::sql::ast::{Insert, InsertSource, InsertTarget, InsertValue, InsertValueKind, TimeExpr};
use crate::sql::{SqlError, code};

/// Rows that one bind may give a table (taosadapter-ws §9.2).
const MOST_ROWS: usize = 32_767;
const NO_TABLE_NAME: u32 = 0x022B;
const BAD_ROWS: u32 = 0x0236;
/// Width of a table's name in field lists (taosadapter-ws §9.1).
const NAME_BYTES: u32 = 271;
const JSON_BYTES: u32 = 16_384;
/// What the original says of a BLOB.
const BLOB_BYTES: u32 = 5;

fn invalid(text: impl Into<String>) -> SqlError {
    SqlError::new(code::INVALID_OPERATION, text)
}

/// No table has been named for the `?` that stands for one.
pub(crate) fn no_table_name() -> SqlError {
    SqlError::new(NO_TABLE_NAME, "Stmt table name not set correctly")
}

/// A number of rows that no bind may have.
pub(crate) fn bad_rows() -> SqlError {
    SqlError::new(BAD_ROWS, "bind number out of range or not match")
}

/// An INSERT with placeholders, read but not yet looked up.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) sql: String,
    target: InsertTarget,
    times: Vec<TimeExpr>,
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

    fn row(&self) -> &[InsertValue] {
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
    db: Option<String>,
    table: String,
}

impl TableName {
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

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Column,
    Tag,
    Name,
}

/// A placeholder as field lists tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoundField {
    pub(crate) name: String,
    pub(crate) ty: Ty,
    /// Unit of a time, else 0.
    pub(crate) precision: u8,
    /// Width in storage.
    pub(crate) bytes: u32,
    pub(crate) kind: FieldKind,
}

impl BoundField {
    fn of(column: &ColumnInfo, precision: Precision, kind: FieldKind) -> Self {
        Self {
            name: column.name.clone(),
            ty: column.ty,
            precision: match column.ty {
                Ty::Timestamp => precision.as_u8(),
                _ => 0,
            },
            bytes: match column.ty {
                Ty::Json => JSON_BYTES,
                Ty::Blob | Ty::MediumBlob => BLOB_BYTES,
                _ => byte_length(column),
            },
            kind,
        }
    }

    fn table_name() -> Self {
        Self {
            name: "tbname".to_owned(),
            ty: Ty::VarChar,
            precision: 0,
            bytes: NAME_BYTES,
            kind: FieldKind::Name,
        }
    }
}

/// Tags of a table in their stored forms.
#[derive(Debug, Clone)]
pub(crate) struct Tags(Vec<Value>);

/// Where a value comes from.
#[derive(Debug)]
enum Slot {
    /// Bound, counted among those of its kind.
    Bound(usize),
    /// A literal of the statement.
    Constant(Value),
}

/// How the table of a row is found.
#[derive(Debug)]
enum Naming {
    /// Bound.
    Bound,
    /// As the statement says.
    Fixed(String),
}

/// An INSERT's placeholders against the catalog of one moment.
#[derive(Debug)]
pub(crate) struct Shape {
    db: String,
    def: Arc<TableDef>,
    precision: Precision,
    /// The table may be made from its tags.
    creates: bool,
    naming: Naming,
    /// Positions in the table's columns, the time column first, and their slots.
    columns: Arc<[usize]>,
    slots: Vec<Slot>,
    /// Positions in the table's tags.
    tags: Vec<(usize, Slot)>,
    /// The placeholders in the order of the statement.
    pub(crate) fields: Vec<BoundField>,
    pub(crate) bound_columns: usize,
    pub(crate) bound_tags: usize,
}

impl Shape {
    /// The unit of the table's times.
    pub(crate) const fn precision(&self) -> Precision {
        self.precision
    }

    /// True if the definition that it was made of still holds.
    pub(crate) fn is_current(&self, catalog: &Catalog) -> bool {
        let Some(database) = catalog.databases.get(&self.db) else {
            return false;
        };
        let def = match self.def.is_super() {
            true => database.stables.get(&self.def.name),
            false => match database.tables.get(&self.def.name) {
                Some(Entry::Normal(def)) => Some(def),
                _ => None,
            },
        };
        def.is_some_and(|def| Arc::ptr_eq(def, &self.def))
    }

    /// The placeholders of one kind.
    pub(crate) fn of_kind(&self, kind: FieldKind) -> impl Iterator<Item = &BoundField> {
        self.fields.iter().filter(move |field| field.kind == kind)
    }

    /// Bytes that so many rows take until they are written, texts aside.
    pub(crate) fn cost(&self, rows: usize) -> usize {
        rows.saturating_mul(self.columns.len())
            .saturating_mul(size_of::<Value>())
    }

    fn bind_columns(&mut self, exec: &Exec<'_>, template: &Template) -> Result<(), SqlError> {
        let reading = exec.reading(template, &template.times, self.precision);
        let def = Arc::clone(&self.def);
        let into_super = template.target.using.is_none() && self.creates;
        let layout = Layout::new(&def, template.target.columns.as_deref(), into_super)?;
        let row = template.row();
        if row.len() != layout.width {
            return Err(invalid(format!(
                "{} values are given for {} columns",
                row.len(),
                layout.width
            )));
        }
        let mut slots: Vec<Option<Slot>> = Vec::new();
        slots.resize_with(layout.columns.len(), || None);
        for (source, value) in row.iter().enumerate() {
            let bound = value.kind == InsertValueKind::Placeholder;
            if layout.name == Some(source) {
                if bound {
                    self.naming = Naming::Bound;
                    self.fields.push(BoundField::table_name());
                } else {
                    self.naming = Naming::Fixed(reading.text(value).into_owned());
                }
                continue;
            }
            let tag = layout.tags.iter().find(|(s, _)| *s == source);
            if let Some(&(_, at)) = tag {
                let info = def.tags.get(at).ok_or_else(stale)?;
                self.push_tag(at, info, value, reading)?;
                continue;
            }
            let place = layout.sources.iter().position(|s| *s == source);
            let at = place.and_then(|place| layout.columns.get(place));
            let info = at.and_then(|at| def.columns.get(*at));
            let (Some(place), Some(info)) = (place, info) else {
                return Err(stale());
            };
            let slot = if bound {
                let field = BoundField::of(info, self.precision, FieldKind::Column);
                self.fields.push(field);
                self.bound_columns += 1;
                Slot::Bound(self.bound_columns - 1)
            } else {
                Slot::Constant(reading.convert(value, info)?)
            };
            if let Some(empty) = slots.get_mut(place) {
                *empty = Some(slot);
            }
        }
        self.columns = layout.columns;
        self.slots = slots.into_iter().flatten().collect();
        Ok(())
    }

    fn push_tag(
        &mut self,
        at: usize,
        info: &ColumnInfo,
        value: &InsertValue,
        reading: Reading<'_>,
    ) -> Result<(), SqlError> {
        let slot = if value.kind == InsertValueKind::Placeholder {
            let field = BoundField::of(info, self.precision, FieldKind::Tag);
            self.fields.push(field);
            self.bound_tags += 1;
            Slot::Bound(self.bound_tags - 1)
        } else {
            Slot::Constant(reading.convert(value, info)?)
        };
        self.tags.push((at, slot));
        Ok(())
    }

    /// A value for each tag, NULL for those not named.
    ///
    /// # Errors
    /// As [`bind`](Exec::bind).
    pub(crate) fn tags(&self, bound: &[Source<'_>], rules: &Rules) -> Result<Tags, SqlError> {
        if bound.len() != self.bound_tags {
            return Err(invalid(format!(
                "{} tags are bound, the statement has {}",
                bound.len(),
                self.bound_tags
            )));
        }
        let mut tags = vec![Value::Null; self.def.tags.len()];
        for (at, slot) in &self.tags {
            let (Some(tag), Some(info)) = (tags.get_mut(*at), self.def.tags.get(*at)) else {
                return Err(stale());
            };
            *tag = match slot {
                Slot::Constant(value) => value.clone(),
                Slot::Bound(index) => match bound.get(*index) {
                    Some(source) => source.one(info, rules)?,
                    None => return Err(stale()),
                },
            };
        }
        Ok(Tags(tags))
    }

    /// The rows in the order of storage.
    fn values(&self, bound: &[Source<'_>], rules: &Rules) -> Result<Vec<Value>, SqlError> {
        let rows = self.rows(bound)?;
        let width = self.columns.len();
        let mut values = vec![Value::Null; rows * width];
        for (place, (at, slot)) in self.columns.iter().zip(&self.slots).enumerate() {
            let info = self.def.columns.get(*at).ok_or_else(stale)?;
            let column = values.get_mut(place..).unwrap_or_default();
            let cells = column.iter_mut().step_by(width.max(1));
            match slot {
                Slot::Constant(value) => cells.for_each(|cell| cell.clone_from(value)),
                Slot::Bound(index) => {
                    let source = bound.get(*index).ok_or_else(stale)?;
                    source.store(info, rules, cells)?;
                }
            }
            if *at == 0 || info.composite_key {
                let mut cells = values.iter().skip(place).step_by(width.max(1));
                if cells.any(|cell| *cell == Value::Null) {
                    return Err(null_key());
                }
            }
        }
        Ok(values)
    }

    /// The number of rows, which all columns must have.
    fn rows(&self, bound: &[Source<'_>]) -> Result<usize, SqlError> {
        if bound.len() != self.bound_columns {
            return Err(invalid(format!(
                "{} columns are bound, the statement has {}",
                bound.len(),
                self.bound_columns
            )));
        }
        let rows = bound.first().map_or(1, Source::rows);
        if bound.iter().any(|source| source.rows() != rows) {
            return Err(invalid("row number in each bind param should be the same"));
        }
        if rows == 0 || rows > MOST_ROWS {
            return Err(bad_rows());
        }
        Ok(rows)
    }
}

impl Exec<'_> {
    fn reading<'b>(
        &'b self,
        template: &'b Template,
        times: &'b [TimeExpr],
        precision: Precision,
    ) -> Reading<'b> {
        Reading {
            sql: &template.sql,
            times,
            precision,
            now: self.now,
            zone: self.zone,
        }
    }

    /// Looks a template's names up. `name` is the table bound, as far as it is known.
    ///
    /// # Errors
    /// 0x2603 for a table that is missing, 0x022B where the table must be known first, and those of
    /// INSERT for columns and literals.
    pub(crate) fn shape(
        &self,
        template: &Template,
        name: Option<&TableName>,
    ) -> Result<Shape, SqlError> {
        let target = &template.target;
        let using_db = target.using.as_ref().and_then(|u| u.stable.db.as_ref());
        let db = name
            .filter(|_| target.is_any_table())
            .and_then(|name| name.db.as_deref())
            .or_else(|| target.table.db.as_ref().map(|db| db.name.as_str()))
            .or_else(|| using_db.map(|db| db.name.as_str()))
            .or(self.db.as_deref())
            .ok_or_else(|| invalid("db is not specified"))?;
        if is_system_database(db) {
            return Err(SqlError::new(SYSTEM_TABLE, "System table not allowed"));
        }
        let database = self.catalog().database(db)?;
        let (def, creates) = self.table_of(template, database, name)?;
        let mut shape = Shape {
            db: database.name.clone(),
            def,
            precision: database.precision(),
            creates,
            naming: match target.is_any_table() {
                true => Naming::Bound,
                false => Naming::Fixed(target.table.name.name.clone()),
            },
            columns: Arc::default(),
            slots: Vec::new(),
            tags: Vec::new(),
            fields: Vec::new(),
            bound_columns: 0,
            bound_tags: 0,
        };
        if target.is_any_table() {
            shape.fields.push(BoundField::table_name());
        }
        if let Some(using) = &target.using {
            let reading = self.reading(template, &using.times, shape.precision);
            let def = Arc::clone(&shape.def);
            for (at, value) in tag_positions(&def, using)?.into_iter().zip(&using.values) {
                let info = def.tags.get(at).ok_or_else(stale)?;
                shape.push_tag(at, info, value, reading)?;
            }
        }
        shape.bind_columns(self, template)?;
        Ok(shape)
    }

    /// The definition that rows follow, and whether the table may be made.
    fn table_of(
        &self,
        template: &Template,
        database: &Database,
        name: Option<&TableName>,
    ) -> Result<(Arc<TableDef>, bool), SqlError> {
        let target = &template.target;
        if let Some(using) = &target.using {
            if let Some(db) = &using.stable.db
                && db.name != database.name
            {
                self.catalog().database(&db.name)?;
                return Err(SqlError::unsupported("super table of another database"));
            }
            let def = database.stables.get(&using.stable.name.name);
            return Ok((Arc::clone(def.ok_or_else(SqlError::unknown_table)?), true));
        }
        let table = match (target.is_any_table(), name) {
            (true, Some(name)) => name.table.as_str(),
            (true, None) => return Err(no_table_name()),
            (false, _) => target.table.name.name.as_str(),
        };
        match database.find(table) {
            None => Err(SqlError::unknown_table()),
            Some(Found::Super(_)) if target.columns.is_none() => Err(SqlError::insert_syntax(
                &format!(" {}", target.values_at.rest(&template.sql)),
                "(...tbname, ts...) bounded cols is expected for supertable insertion",
            )),
            Some(Found::Super(def)) => Ok((Arc::clone(def), true)),
            Some(Found::Normal(def) | Found::Child(_, def)) => Ok((Arc::clone(def), false)),
        }
    }

    /// What is bound for one table, checked and in the forms of the store. No tags at all are taken for a
    /// table that exists.
    ///
    /// # Errors
    /// As taosadapter-ws §9.4 lists them.
    pub(crate) fn bind(
        &self,
        shape: &Shape,
        name: Option<&TableName>,
        tags: Option<Tags>,
        columns: &[Source<'_>],
        rules: &Rules,
    ) -> Result<TableRows, SqlError> {
        let database = self.catalog().database(&shape.db)?;
        let tags = match tags {
            None if shape.bound_tags == 0 => Some(shape.tags(&[], rules)?),
            tags => tags,
        };
        let target = self.target(shape, database, name, tags)?;
        let mut rows = TableRows {
            db: shape.db.clone(),
            def: Arc::clone(&shape.def),
            target,
            columns: Arc::clone(&shape.columns),
            values: shape.values(columns, rules)?,
        };
        self.check_keep(database, &rows.values, rows.columns.len())?;
        rows.merge();
        Ok(rows)
    }

    fn target(
        &self,
        shape: &Shape,
        database: &Database,
        name: Option<&TableName>,
        tags: Option<Tags>,
    ) -> Result<Target, SqlError> {
        let table = match (&shape.naming, name) {
            (Naming::Fixed(table), _) => table,
            (Naming::Bound, Some(name)) => {
                if name.db.as_ref().is_some_and(|db| *db != database.name) {
                    return Err(SqlError::unsupported("super table of another database"));
                }
                &name.table
            }
            (Naming::Bound, None) => return Err(no_table_name()),
        };
        match database.find(table) {
            Some(Found::Child(child, def)) if def.id == shape.def.id => Ok(Target::Child {
                id: child.id,
                name: table.clone(),
            }),
            Some(Found::Normal(def)) if def.id == shape.def.id => Ok(Target::Normal),
            Some(_) if shape.creates => Err(table_exists()),
            None if shape.creates => {
                check_table_name(table)?;
                let Tags(tags) = tags.ok_or_else(|| {
                    invalid(format!(
                        "table {table} does not exist and no tags are bound"
                    ))
                })?;
                Ok(Target::NewChild {
                    name: table.clone(),
                    tags,
                })
            }
            _ => Err(SqlError::unknown_table()),
        }
    }

    /// Rows that were bound before the catalog changed, brought up to it.
    ///
    /// # Errors
    /// 0x2603 if the table has gone, 0x0200 if a column or tag has.
    pub(crate) fn renew(&self, rows: &mut TableRows) -> Result<(), SqlError> {
        let database = self.catalog().database(&rows.db)?;
        let changed = || invalid("the table changed after rows for it were bound; prepare again");
        let name = match &rows.target {
            Target::Normal => rows.def.name.clone(),
            Target::Child { name, .. } | Target::NewChild { name, .. } => name.clone(),
        };
        let def = match (database.find(&name), &rows.target) {
            (Some(Found::Normal(def)), Target::Normal) => def,
            (Some(Found::Child(child, def)), Target::Child { .. } | Target::NewChild { .. }) => {
                rows.target = Target::Child { id: child.id, name };
                def
            }
            (None, Target::NewChild { .. }) => {
                let def = database.stables.get(&rows.def.name);
                def.ok_or_else(SqlError::unknown_table)?
            }
            (Some(_), Target::NewChild { .. }) => return Err(table_exists()),
            _ => return Err(SqlError::unknown_table()),
        };
        if def.id != rows.def.id {
            return Err(SqlError::unknown_table());
        }
        if matches!(rows.target, Target::NewChild { .. }) && def.tags != rows.def.tags {
            return Err(changed());
        }
        let mut columns = Vec::with_capacity(rows.columns.len());
        for at in &*rows.columns {
            let old = rows.def.columns.get(*at).ok_or_else(changed)?;
            let new = def.columns.iter().position(|column| {
                (column.id, column.ty) == (old.id, old.ty)
                    && (column.precision, column.scale) == (old.precision, old.scale)
                    && column.length >= old.length
            });
            columns.push(new.ok_or_else(changed)?);
        }
        rows.columns = columns.into();
        rows.def = Arc::clone(def);
        Ok(())
    }

    /// Writes rows that were bound, all or nothing.
    ///
    /// # Errors
    /// Among others that the catalog has changed, see [`STALE`](super::STALE).
    pub(crate) fn write_bound(&self, tables: &Arc<Vec<TableRows>>) -> Result<u64, SqlError> {
        let (tables, now) = (Arc::clone(tables), self.now);
        self.store().write(move |write| {
            let mut count = 0;
            for table in &*tables {
                count += table.write(write, now)?;
            }
            Ok(count)
        })
    }
}
