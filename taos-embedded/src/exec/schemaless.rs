//! Schemaless points into tables, which are made and widened on the way (taosadapter-ws §7).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::types::Value;
use taos_query::common::Ty;

use super::changes::{grown_field, log_super_change};
use super::insert::{check_table_name, no_key};
use super::rows::{NewChild, TableRows, Target, create_child, stale, table_exists};
use super::table::{
    MOST_COLUMNS, MOST_TAGS, affinity, bad_tag_count, check_row_length, create_def, duplicate,
    one_json_tag, save, too_many_columns,
};
use super::{Exec, NO_DATABASE, SYSTEM_TABLE};
use crate::catalog::{Database, Found, TableDef, byte_length, is_system_database};
use crate::plan::ColumnInfo;
use crate::schemaless::{
    Field, Measure, SchemalessBatch, TIME, Written, invalid_data, read, rest_of_line,
};
use crate::sql::SqlError;
use crate::store::{Packed, Write, internal};

const TAGS_TOO_LONG: u32 = 0x263D;
/// Most bytes of a table's tags together.
const TAG_BYTES: u32 = 16_384;
/// From this length on a column is made as wide as the text and no wider.
const NO_MORE_ROUND: usize = 1024;

/// The number that the original gives each payload and names in its errors.
fn payload_number() -> u64 {
    static PAYLOADS: AtomicU64 = AtomicU64::new(1);
    PAYLOADS.fetch_add(1, Ordering::Relaxed)
}

/// The declared length of a column for texts of so many bytes: the next power of two above.
fn width(ty: Ty, length: usize) -> u32 {
    let most = match ty {
        Ty::VarChar | Ty::VarBinary | Ty::Geometry => 65_517,
        Ty::NChar => 16_379,
        _ => return u32::try_from(ty.fixed_length()).unwrap_or_default(),
    };
    let round = if length < NO_MORE_ROUND {
        (length + 1).next_power_of_two()
    } else {
        length
    };
    u32::try_from(round).map_or(most, |round| round.min(most))
}

fn info(field: &Field, id: u32) -> ColumnInfo {
    ColumnInfo {
        name: field.name.clone(),
        id,
        ty: field.ty,
        length: width(field.ty, field.length),
        precision: 0,
        scale: 0,
        composite_key: false,
    }
}

/// Refuses points whose types are not those of the table; `near` shows where a field is.
fn check_types<'a>(
    def: &TableDef,
    measure: &'a Measure,
    near: impl Fn(&'a Field) -> &'a str,
) -> Result<(), SqlError> {
    if def.columns.first().is_none_or(|time| time.name != TIME) {
        return Err(invalid_data(format!(
            "SML the time column of {} is not {TIME}",
            def.name
        )));
    }
    let tags = measure.tags.iter().map(|tag| (tag, def.tag(&tag.name)));
    let columns = measure.columns.iter();
    let columns = columns.map(|column| (column, def.column(&column.name)));
    for (field, found) in tags.chain(columns) {
        if let Some((_, column)) = found
            && column.ty != field.ty
        {
            return Err(invalid_data(format!(
                "SML:{:#x}, smlGenerateSchemaAction point type and db type mismatch, db type:{}, \
                 point type:{}, key:{}",
                payload_number(),
                column.ty.name(),
                field.ty.name(),
                near(field)
            )));
        }
    }
    Ok(())
}

fn check_counts(def: &TableDef, most: usize) -> Result<(), SqlError> {
    if def.tags.len() > MOST_TAGS {
        return Err(bad_tag_count());
    }
    if def.columns.len() + def.tags.len() > MOST_COLUMNS {
        return Err(too_many_columns());
    }
    if def.columns.len() > most {
        return Err(SqlError::unsupported(format!("more than {most} columns")));
    }
    let tags = def.tags.iter().map(byte_length);
    if tags.fold(0, u32::saturating_add) > TAG_BYTES {
        let text = format!("Tags length exceeds max length {TAG_BYTES}");
        return Err(SqlError::new(TAGS_TOO_LONG, text));
    }
    check_row_length(&def.columns)
}

/// A super table for points without one.
fn definition(measure: &Measure, now: i64) -> Result<TableDef, SqlError> {
    let mut ids = 0_u32..;
    let mut id = || ids.next().unwrap_or_default();
    let time = ColumnInfo {
        name: TIME.to_owned(),
        id: id(),
        ty: Ty::Timestamp,
        length: 8,
        precision: 0,
        scale: 0,
        composite_key: false,
    };
    let columns = measure.columns.iter().map(|field| info(field, id()));
    let columns: Vec<ColumnInfo> = std::iter::once(time).chain(columns).collect();
    let tags = measure.tags_or_none();
    let tags: Vec<ColumnInfo> = tags.iter().map(|field| info(field, id())).collect();
    for tag in &tags {
        if columns.iter().any(|column| column.name == tag.name) {
            return Err(duplicate());
        }
    }
    Ok(TableDef {
        id: 0,
        name: measure.name.clone(),
        created: now / 1_000_000,
        next_column: u32::try_from(columns.len() + tags.len()).map_err(internal)?,
        columns: columns.into(),
        tags: tags.into(),
        compression: BTreeMap::new(),
        version: 0,
        comment: None,
        ttl: 0,
        sma: Vec::new(),
    })
}

/// Columns or tags with what points add to them: `None` if that is nothing.
fn grown(
    present: &[ColumnInfo],
    others: &[ColumnInfo],
    fields: &[Field],
    mut id: impl FnMut() -> u32,
) -> Result<Option<Vec<ColumnInfo>>, SqlError> {
    let mut grown: Option<Vec<ColumnInfo>> = None;
    for field in fields {
        let found = present.iter().position(|column| column.name == field.name);
        let Some(at) = found else {
            if others.iter().any(|column| column.name == field.name) {
                return Err(duplicate());
            }
            let columns = grown.get_or_insert_with(|| present.to_vec());
            columns.push(info(field, id()));
            continue;
        };
        let sized = matches!(
            field.ty,
            Ty::VarChar | Ty::NChar | Ty::VarBinary | Ty::Geometry
        );
        let holds = present.get(at).map_or(0, |column| column.length);
        if sized && usize::try_from(holds).is_ok_and(|holds| holds < field.length) {
            let columns = grown.get_or_insert_with(|| present.to_vec());
            if let Some(column) = columns.get_mut(at) {
                column.length = width(field.ty, field.length).max(holds);
            }
        }
    }
    Ok(grown)
}

/// The table as the points need it, with the SQL that makes it so; `None` if it is so already.
fn change(def: &TableDef, measure: &Measure) -> Result<Option<(TableDef, String)>, SqlError> {
    let mut next = def.next_column;
    let mut id = || {
        next += 1;
        next - 1
    };
    let tags = grown(&def.tags, &def.columns, &measure.tags, &mut id)?;
    let columns = grown(&def.columns, &def.tags, &measure.columns, &mut id)?;
    if tags
        .as_ref()
        .is_some_and(|tags| tags.len() > def.tags.len())
        && def.has_json_tag()
    {
        return Err(one_json_tag());
    }
    if tags.is_none() && columns.is_none() {
        return Ok(None);
    }
    let mut sql = String::new();
    let mut new = def.clone();
    if let Some(tags) = tags {
        for tag in tags.iter().skip(def.tags.len()) {
            let ty = affinity(tag.ty);
            let _ = write!(sql, "ALTER TABLE t{} ADD COLUMN g{} {ty};", def.id, tag.id);
        }
        new.tags = tags.into();
    }
    if let Some(columns) = columns {
        for column in columns.iter().skip(def.columns.len()) {
            let ty = affinity(column.ty);
            let _ = write!(
                sql,
                "ALTER TABLE d{} ADD COLUMN c{} {ty};",
                def.id, column.id
            );
        }
        new.columns = columns.into();
    }
    new.next_column = next;
    new.version += 1;
    Ok(Some((new, sql)))
}

/// Makes or changes the super table for points, and gives it.
fn ensure(
    write: &mut Write<'_>,
    db: &str,
    measure: &Measure,
    (most, now): (usize, i64),
) -> Result<Arc<TableDef>, SqlError> {
    let database = write.catalog().database(db)?;
    let def = match database.find(&measure.name) {
        Some(Found::Super(def)) => Arc::clone(def),
        Some(_) => return Err(table_exists()),
        None => {
            check_table_name(&measure.name)?;
            let def = definition(measure, now)?;
            check_counts(&def, most)?;
            return create_def(write, db, def);
        }
    };
    check_types(&def, measure, |field| &field.name)?;
    let Some((new, sql)) = change(&def, measure)? else {
        return Ok(def);
    };
    check_counts(&new, most)?;
    write.batch(&sql)?;
    let new = save(write, db, new)?;
    for (tags, before, after) in [
        (true, &def.tags, &new.tags),
        (false, &def.columns, &new.columns),
    ] {
        for column in after.iter() {
            let old = before.iter().find(|old| old.id == column.id);
            if old.is_none_or(|old| old.length != column.length) {
                let grown = grown_field(column, tags, old.is_none());
                log_super_change(write, db, &new, grown, "")?;
            }
        }
    }
    Ok(new)
}

/// Positions of fields among a table's columns or tags.
fn positions(fields: &[Field], columns: &[ColumnInfo]) -> Result<Vec<usize>, SqlError> {
    let position = |field: &Field| columns.iter().position(|column| column.name == field.name);
    let found = fields.iter().map(|field| position(field).ok_or_else(stale));
    found.collect()
}

/// The forms in the log of the rows of one super table, made before the writer's turn.
struct Ready {
    /// The table and its version that they were made for.
    made_for: (i64, u32),
    /// Of each group, in their order.
    groups: Vec<Vec<Packed>>,
}

impl Ready {
    /// Merges the points of a table and packs them; `None` if the table must change for them first, or does
    /// not take them.
    fn new(
        database: &Database,
        def: &Arc<TableDef>,
        measure: &mut Measure,
    ) -> Result<Option<Self>, SqlError> {
        if !database.keeps_log() || !matches!(change(def, measure), Ok(None)) {
            return Ok(None);
        }
        let columns = positions(&measure.columns, &def.columns)?;
        let mut groups = Vec::new();
        for child in &mut measure.children {
            for group in &mut child.groups {
                let places = group.columns.iter().map(|at| columns.get(*at).copied());
                let places: Option<Vec<usize>> = std::iter::once(Some(0)).chain(places).collect();
                let mut rows = TableRows {
                    db: database.name.clone(),
                    def: Arc::clone(def),
                    target: Target::Child {
                        id: 0,
                        name: child.name.clone(),
                    },
                    columns: places.ok_or_else(stale)?.into(),
                    values: std::mem::take(&mut group.values),
                };
                rows.merge();
                groups.push(rows.packed(database.precision())?);
                group.values = rows.values;
            }
        }
        Ok(Some(Self {
            made_for: (def.id, def.version),
            groups,
        }))
    }
}

/// Writes the points of one super table, and says how many rows they are.
fn write_measure(
    write: &mut Write<'_>,
    db: &str,
    (measure, ready): (Measure, Option<Ready>),
    ttl: i32,
    (most, now): (usize, i64),
) -> Result<u64, SqlError> {
    let def = ensure(write, db, &measure, (most, now))?;
    let ready = ready.filter(|ready| ready.made_for == (def.id, def.version));
    let mut ready = ready.map(|ready| ready.groups.into_iter());
    let columns = positions(&measure.columns, &def.columns)?;
    let tags = positions(&measure.tags, &def.tags)?;
    let key = def.columns.iter().position(|column| column.composite_key);
    let mut count = 0;
    for child in measure.children {
        let mut created = None;
        let id = match write.catalog().database(db)?.find(&child.name) {
            Some(Found::Child(found, of)) if of.id == def.id => found.id,
            Some(_) => return Err(table_exists()),
            None => {
                let mut values = vec![Value::Null; def.tags.len()];
                for (at, value) in child.tags {
                    if let Some(slot) = tags.get(at).and_then(|at| values.get_mut(*at)) {
                        *slot = value;
                    }
                }
                let new = NewChild {
                    name: &child.name,
                    tags: &values,
                    comment: None,
                    ttl,
                };
                check_table_name(&child.name)?;
                let (id, new) = create_child(write, db, &def, &new, now)?;
                created = Some(new);
                id
            }
        };
        for group in child.groups {
            let places = group.columns.iter().map(|at| columns.get(*at).copied());
            let places: Option<Vec<usize>> = std::iter::once(Some(0)).chain(places).collect();
            let places = places.ok_or_else(stale)?;
            if key.is_some_and(|key| !places.contains(&key)) {
                return Err(no_key());
            }
            let mut rows = TableRows {
                db: db.to_owned(),
                def: Arc::clone(&def),
                target: Target::Child {
                    id,
                    name: child.name.clone(),
                },
                columns: places.into(),
                values: group.values,
            };
            rows.merge();
            let packed = ready.as_mut().and_then(Iterator::next);
            count += rows.put(write, id, created.take(), packed.as_deref())?;
        }
    }
    Ok(count)
}

impl Exec<'_> {
    /// Writes a payload, all of it or nothing.
    ///
    /// # Errors
    /// What is wrong with the first bad point, or how it does not fit its table.
    pub(crate) fn schemaless(&self, batch: &SchemalessBatch<'_>) -> Result<Written, SqlError> {
        let db = self.db.clone();
        let db = db.ok_or_else(|| SqlError::new(NO_DATABASE, "Database not specified"))?;
        if is_system_database(&db) {
            return Err(SqlError::new(SYSTEM_TABLE, "System table not allowed"));
        }
        let database = self.catalog().database(&db)?;
        let (mut points, total) = read(batch, database.precision(), self.now)?;
        for measure in &points.measures {
            // here and not only later, where the payload is no longer at hand
            if let Some(Found::Super(def)) = database.find(&measure.name) {
                check_types(def, measure, |field| rest_of_line(batch.data, field.place))?;
            }
            for group in measure.children.iter().flat_map(|child| &child.groups) {
                self.check_keep(database, &group.values, group.columns.len() + 1)?;
            }
        }
        let (id, ttl, now) = (database.id, batch.ttl.max(0), self.now);
        let most = self.store().max_columns();
        let mut measures = Vec::with_capacity(points.measures.len());
        for mut measure in points.measures.drain(..) {
            let ready = match database.find(&measure.name) {
                Some(Found::Super(def)) => Ready::new(database, def, &mut measure)?,
                _ => None,
            };
            measures.push((measure, ready));
        }
        let affected = self.store().write(move |write| {
            if write.catalog().database(&db)?.id != id {
                return Err(stale());
            }
            let mut count = 0;
            for measure in measures {
                count += write_measure(write, &db, measure, ttl, (most, now))?;
            }
            Ok(count)
        })?;
        Ok(Written { affected, total })
    }
}
