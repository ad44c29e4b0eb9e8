//! CREATE TABLE in its forms, and DROP TABLE.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use rusqlite::types::Value;
use taos_query::common::Ty;

use super::Exec;
use super::changes::{created, log_new_def, log_super, log_table};
use super::insert::{check_table_name, tag_count};
use super::options::{OptionsOf, TableOptions, table_options};
use super::rows::{NewChild, column_name, create_child, in_other_stable, stale, table_exists};
use super::topic::check_drop;
use crate::catalog::{Definition, Entry, Found, TableDef, byte_length};
use crate::meta::{DroppedTable, Meta};
use crate::plan::ColumnInfo;
use crate::sql::SqlError;
use crate::sql::ast::{
    ColumnDef, CreateSubtable, CreateTable, DataType, DropTable, OptionValue, SqlOption,
};
use crate::store::{Write, internal};

pub(super) const STABLE_EXISTS: u32 = 0x0360;
const STABLE_UNKNOWN: u32 = 0x0362;
const BAD_COLUMN: u32 = 0x2602;
const ONE_JSON_TAG: u32 = 0x2633;
const DUPLICATE: u32 = 0x263C;
const TAGS_TOO_LONG: u32 = 0x263D;
const ROW_TOO_LONG: u32 = 0x263E;
const TOO_FEW_COLUMNS: u32 = 0x263F;
const TOO_MANY_COLUMNS: u32 = 0x2640;
const FIRST_COLUMN: u32 = 0x2641;
const BAD_LENGTH: u32 = 0x2642;
const TAG_COUNT: u32 = 0x2643;
const JSON_COLUMN: u32 = 0x2652;
const OTHER_DATABASE: u32 = 0x2618;
const NOT_ALONE: u32 = 0x263A;
const KEY_PLACE: u32 = 0x2678;
const KEY_TYPE: u32 = 0x2679;
const TWO_BLOBS: u32 = 0x6306;

pub(super) const MOST_COLUMNS: usize = 4096;
pub(super) const MOST_TAGS: usize = 128;
/// Longest name of a column or tag in bytes.
const COLUMN_NAME: usize = 64;
const ROW_BYTES: u32 = 65_531;
const TAGS_BYTES: u32 = 16_384;
const BLOB_LENGTH: u32 = 4_194_304;
const JSON_LENGTH: u32 = 4095;

pub(super) fn duplicate() -> SqlError {
    SqlError::new(DUPLICATE, "Duplicated column names")
}

pub(super) fn too_many_columns() -> SqlError {
    SqlError::new(TOO_MANY_COLUMNS, "Too many columns")
}

pub(super) fn one_json_tag() -> SqlError {
    SqlError::new(ONE_JSON_TAG, "Only one tag if there is a json tag")
}

pub(super) fn bad_tag_count() -> SqlError {
    SqlError::new(TAG_COUNT, "Invalid number of tag columns")
}

pub(super) fn json_column() -> SqlError {
    SqlError::new(JSON_COLUMN, "Only tag can be json type")
}

pub(super) fn check_column_name(name: &str) -> Result<(), SqlError> {
    if name.is_empty() || name.len() > COLUMN_NAME || name.contains('.') {
        return Err(SqlError::new(
            crate::sql::code::INVALID_NAME,
            format!("Invalid identifier name: {name}"),
        ));
    }
    Ok(())
}

/// A column or tag as declared, checked.
pub(super) fn column_info(def: &ColumnDef, id: u32, is_tag: bool) -> Result<ColumnInfo, SqlError> {
    check_column_name(&def.name.name)?;
    let (length, precision, scale) = measure(def.data_type, is_tag)?;
    Ok(ColumnInfo {
        name: def.name.name.clone(),
        id,
        ty: def.data_type.ty,
        length,
        precision,
        scale,
        composite_key: def.composite_key,
    })
}

/// Length, digits and scale of a declared type.
pub(super) fn measure(data_type: DataType, is_tag: bool) -> Result<(u32, u8, u8), SqlError> {
    let most = match (data_type.ty, is_tag) {
        (Ty::NChar, true) => 4095,
        (Ty::NChar, false) => 16_379,
        (_, true) => 16_382,
        (_, false) => 65_517,
    };
    match data_type.ty {
        Ty::VarChar | Ty::NChar | Ty::VarBinary | Ty::Geometry => match data_type.length {
            Some(length) if (1..=most).contains(&length) => Ok((length, 0, 0)),
            _ => Err(SqlError::new(
                BAD_LENGTH,
                "Invalid column length for var length type",
            )),
        },
        Ty::Decimal | Ty::Decimal64 if is_tag => Err(SqlError::new(
            BAD_COLUMN,
            "Decimal type is not allowed for tag",
        )),
        Ty::Decimal | Ty::Decimal64 => {
            let (precision, scale) = (data_type.precision, data_type.scale);
            match (u8::try_from(precision), u8::try_from(scale)) {
                (Ok(p @ 1..=38), Ok(s)) if s <= p => {
                    let length = if data_type.ty == Ty::Decimal { 16 } else { 8 };
                    Ok((length, p, s))
                }
                _ => Err(SqlError::new(
                    BAD_COLUMN,
                    format!(
                        "Invalid column type DECIMAL({precision},{scale}) , invalid precision or scale"
                    ),
                )),
            }
        }
        Ty::Blob | Ty::MediumBlob if is_tag => Err(SqlError::new(
            BAD_COLUMN,
            "Blob type is not allowed for tag",
        )),
        Ty::Blob | Ty::MediumBlob => Ok((BLOB_LENGTH, 0, 0)),
        Ty::Json if !is_tag => Err(json_column()),
        Ty::Json => Ok((JSON_LENGTH, 0, 0)),
        ty => Ok((u32::try_from(ty.fixed_length()).map_err(internal)?, 0, 0)),
    }
}

/// A row may have so many bytes.
pub(super) fn check_row_length(columns: &[ColumnInfo]) -> Result<(), SqlError> {
    let sizes = columns.iter().map(|c| match c.ty {
        Ty::Blob | Ty::MediumBlob => 8,
        _ => byte_length(c),
    });
    if sizes.fold(0_u32, u32::saturating_add) > ROW_BYTES {
        return Err(SqlError::new(
            ROW_TOO_LONG,
            format!("Row length exceeds max length: {ROW_BYTES}"),
        ));
    }
    Ok(())
}

/// Refuses names that no column or tag may have, before anything else is looked at.
fn check_names(create: &CreateTable) -> Result<(), SqlError> {
    let tags = create.tags.iter().flatten();
    let mut all = create.columns.iter().chain(tags);
    all.try_for_each(|def| check_column_name(&def.name.name))
}

/// The rules of columns and tags, tags first.
pub(super) fn check_columns(
    columns: &[ColumnDef],
    tags: Option<&[ColumnDef]>,
) -> Result<(), SqlError> {
    let mut names = BTreeSet::new();
    let mut is_new = |def: &ColumnDef| names.insert(def.name.name.to_lowercase());
    let tags = tags.unwrap_or_default();
    if tags.len() > MOST_TAGS {
        return Err(bad_tag_count());
    }
    for tag in tags {
        if !is_new(tag) {
            return Err(duplicate());
        }
        if tags.len() > 1 && tag.data_type.ty == Ty::Json {
            return Err(one_json_tag());
        }
        measure(tag.data_type, true)?;
    }
    if columns.len() < 2 {
        return Err(SqlError::new(TOO_FEW_COLUMNS, "Illegal number of columns"));
    }
    if columns.len() + tags.len() > MOST_COLUMNS {
        return Err(too_many_columns());
    }
    for (index, def) in columns.iter().enumerate() {
        if index == 0 && def.data_type.ty != Ty::Timestamp {
            return Err(SqlError::new(
                FIRST_COLUMN,
                "First column must be timestamp",
            ));
        }
        if def.data_type.ty == Ty::Json {
            return Err(json_column());
        }
        if !is_new(def) {
            return Err(duplicate());
        }
        measure(def.data_type, false)?;
    }
    let blobs = |c: &&ColumnDef| matches!(c.data_type.ty, Ty::Blob | Ty::MediumBlob);
    if columns.iter().filter(blobs).count() > 1 {
        return Err(SqlError::new(TWO_BLOBS, "only one blob column allowed"));
    }
    check_key(columns)
}

/// A composite key is the second column and of few types.
fn check_key(columns: &[ColumnDef]) -> Result<(), SqlError> {
    for (index, def) in columns.iter().enumerate().filter(|(_, c)| c.composite_key) {
        if index != 1 {
            return Err(SqlError::new(
                KEY_PLACE,
                "primary key column must be second column",
            ));
        }
        if !matches!(
            def.data_type.ty,
            Ty::Int | Ty::UInt | Ty::BigInt | Ty::UBigInt | Ty::VarChar
        ) {
            return Err(SqlError::new(
                KEY_TYPE,
                "composite primary key column must be of type int, uint, bigint, ubigint, and varchar",
            ));
        }
    }
    Ok(())
}

/// All tags of a table may have so many bytes.
pub(super) fn check_tags_length(tags: &[ColumnInfo]) -> Result<(), SqlError> {
    let sizes = tags.iter().filter(|t| t.ty != Ty::Json).map(byte_length);
    if sizes.fold(0_u32, u32::saturating_add) > TAGS_BYTES {
        return Err(SqlError::new(
            TAGS_TOO_LONG,
            format!("Tags length exceeds max length {TAGS_BYTES}"),
        ));
    }
    Ok(())
}

/// ENCODE, COMPRESS and LEVEL of a column over its defaults; `None` if none of them is named.
pub(super) fn compression(
    ty: Ty,
    options: &[SqlOption],
    before: Option<&[String; 3]>,
) -> Result<Option<[String; 3]>, SqlError> {
    const CHOICES: [(&str, &[&str]); 3] = [
        (
            "encode",
            &["simple8b", "delta-i", "delta-d", "bit-packing", "disabled"],
        ),
        (
            "compress",
            &["lz4", "zlib", "zstd", "tsz", "xz", "disabled"],
        ),
        ("level", &["high", "medium", "low"]),
    ];
    let mut all = before
        .cloned()
        .unwrap_or_else(|| super::describe::default_compression(ty).map(str::to_owned));
    let mut named = before.is_some();
    for option in options {
        let at = CHOICES.iter().position(|c| c.0 == option.name);
        let (Some(at), Some(OptionValue::Text(value) | OptionValue::Word(value))) =
            (at, option.values.first())
        else {
            return Err(SqlError::unsupported(format!(
                "column option {}",
                option.name
            )));
        };
        let (Some((name, allowed)), Some(slot)) = (CHOICES.get(at), all.get_mut(at)) else {
            continue;
        };
        let value = value.to_lowercase();
        if !allowed.contains(&value.as_str()) {
            return Err(SqlError::new(
                0x2619,
                format!("Invalid {name} option: {value}"),
            ));
        }
        *slot = value;
        named = true;
    }
    Ok(named.then_some(all))
}

/// The declared type of a stored column.
pub(crate) const fn affinity(ty: Ty) -> &'static str {
    match ty {
        Ty::Float | Ty::Double => "REAL",
        Ty::VarChar | Ty::NChar | Ty::Json => "TEXT",
        Ty::VarBinary | Ty::Geometry | Ty::Blob | Ty::MediumBlob | Ty::Decimal => "BLOB",
        _ => "INTEGER",
    }
}

fn data_table_sql(def: &TableDef) -> String {
    let mut sql = format!(
        "CREATE TABLE d{} (tbl INTEGER NOT NULL, ts INTEGER NOT NULL",
        def.id
    );
    let mut key = "tbl, ts".to_owned();
    for column in def.columns.iter().skip(1) {
        let name = column_name(column, false);
        let _ = write!(sql, ", {name} {}", affinity(column.ty));
        if column.composite_key {
            let _ = write!(key, ", {name}");
        }
    }
    let _ = write!(sql, ", PRIMARY KEY ({key})) WITHOUT ROWID;");
    sql
}

fn tag_table_sql(def: &TableDef) -> String {
    let mut sql = format!(
        "CREATE TABLE t{} (tbl INTEGER PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL, \
         comment TEXT, ttl INTEGER NOT NULL",
        def.id
    );
    for tag in &*def.tags {
        let _ = write!(sql, ", g{} {}", tag.id, affinity(tag.ty));
    }
    sql.push_str(");");
    sql
}

/// Stores a changed definition and puts it into the catalog.
pub(super) fn save(
    write: &mut Write<'_>,
    db: &str,
    def: TableDef,
) -> Result<Arc<TableDef>, SqlError> {
    let json = Definition::json(&def).map_err(internal)?;
    write.execute(
        "UPDATE tbl SET definition = ?2 WHERE id = ?1",
        (def.id, json),
    )?;
    put(write, db, def)
}

/// Makes the tables of a new definition and puts it into the catalog.
pub(super) fn create_def(
    write: &mut Write<'_>,
    db: &str,
    def: TableDef,
) -> Result<Arc<TableDef>, SqlError> {
    let database_id = write.catalog().database(db)?.id;
    let id = write.new_id();
    let def = TableDef { id, ..def };
    write.batch(&data_table_sql(&def))?;
    if def.is_super() {
        write.batch(&tag_table_sql(&def))?;
    }
    write.execute(
        "INSERT INTO tbl (id, db, name, created, definition) VALUES (?1, ?2, ?3, ?4, ?5)",
        (
            id,
            database_id,
            &def.name,
            def.created,
            Definition::json(&def).map_err(internal)?,
        ),
    )?;
    let def = put(write, db, def)?;
    log_new_def(write, db, &def)?;
    Ok(def)
}

fn put(write: &mut Write<'_>, db: &str, def: TableDef) -> Result<Arc<TableDef>, SqlError> {
    let database = write.catalog_mut().database_mut(db)?;
    let name = def.name.clone();
    let def = Arc::new(def);
    if def.is_super() {
        database.stables.insert(name, Arc::clone(&def));
    } else {
        database
            .tables
            .insert(name, Entry::Normal(Arc::clone(&def)));
    }
    Ok(def)
}

/// The definition that a statement gives a table; `now` are nanoseconds since 1970.
pub(super) fn definition(create: &CreateTable, name: &str, now: i64) -> Result<TableDef, SqlError> {
    let mut ids = 0_u32..;
    let mut infos = |defs: &[ColumnDef], is_tag| -> Result<Vec<ColumnInfo>, SqlError> {
        defs.iter()
            .map(|def| column_info(def, ids.next().unwrap_or_default(), is_tag))
            .collect()
    };
    let columns = infos(&create.columns, false)?;
    let tags = infos(create.tags.as_deref().unwrap_or_default(), true)?;
    check_row_length(&columns)?;
    check_tags_length(&tags)?;
    let mut compressions = BTreeMap::new();
    for (def, info) in create.columns.iter().zip(&columns) {
        if let Some(compression) = compression(info.ty, &def.options, None)? {
            compressions.insert(info.id, compression);
        }
    }
    let kind = match tags.is_empty() {
        true => OptionsOf::Normal,
        false => OptionsOf::Super,
    };
    let TableOptions { comment, ttl, sma } = table_options(&create.options, kind, &columns)?;
    Ok(TableDef {
        id: 0,
        name: name.to_owned(),
        created: now / 1_000_000,
        next_column: u32::try_from(columns.len() + tags.len()).map_err(internal)?,
        columns: columns.into(),
        tags: tags.into(),
        compression: compressions,
        version: 0,
        comment,
        ttl: ttl.unwrap_or_default(),
        sma,
    })
}

impl Exec<'_> {
    pub(super) fn create_table(&self, create: &CreateTable) -> Result<u64, SqlError> {
        let (db, name) = self.writable_object(&create.name)?;
        check_table_name(&name)?;
        check_names(create)?;
        let database = self.catalog().database(&db)?;
        check_columns(&create.columns, create.tags.as_deref())?;
        let def = definition(create, &name, self.now)?;
        if database.find(&name).is_none() {
            self.check_stored_columns(create.columns.len())?;
        }
        let if_not_exists = create.if_not_exists;
        self.store().write(move |write| {
            let database = write.catalog().database(&db)?;
            match (database.find(&name), def.is_super()) {
                (Some(Found::Super(_)), _) | (Some(_), false) if if_not_exists => return Ok(0),
                (Some(Found::Super(_)), true) => {
                    return Err(SqlError::new(STABLE_EXISTS, "STable already exists"));
                }
                (Some(_), _) => return Err(table_exists()),
                (None, _) => {}
            }
            create_def(write, &db, def)?;
            Ok(0)
        })
    }

    /// SQLite has a limit of its own, 2,000 columns unless it was built with another.
    pub(super) fn check_stored_columns(&self, columns: usize) -> Result<(), SqlError> {
        let most = self.store().max_columns();
        if columns > most {
            return Err(SqlError::unsupported(format!("more than {most} columns")));
        }
        Ok(())
    }

    pub(super) fn create_subtables(&self, all: &[CreateSubtable]) -> Result<u64, SqlError> {
        let mut children = Vec::with_capacity(all.len());
        for create in all {
            let (db, name) = self.writable_object(&create.name)?;
            check_table_name(&name)?;
            if self.object(&create.using.stable)?.0 != db {
                return Err(SqlError::new(
                    OTHER_DATABASE,
                    "Corresponding super table not in this db",
                ));
            }
            let database = self.catalog().database(&db)?;
            let def = match database.find(&create.using.stable.name.name) {
                Some(Found::Super(def)) => def,
                Some(Found::Normal(_)) => return Err(tag_count()),
                _ => return Err(SqlError::unknown_table()),
            };
            let tags: Vec<Value> = self.tags(database, def, &create.using)?;
            let options = table_options(&create.options, OptionsOf::Child, &[])?;
            let (comment, ttl) = (options.comment, options.ttl.unwrap_or_default());
            children.push((
                create.if_not_exists,
                db,
                name,
                Arc::clone(def),
                tags,
                comment,
                ttl,
            ));
        }
        let now = self.now;
        self.store().write(move |write| {
            for (if_not_exists, db, name, def, tags, comment, ttl) in &children {
                let database = write.catalog().database(db)?;
                let same = |d: &Arc<TableDef>| d.id == def.id && d.version == def.version;
                if !database.stables.get(&def.name).is_some_and(same) {
                    return Err(stale());
                }
                match database.find(name) {
                    Some(Found::Child(_, of)) if of.id == def.id && *if_not_exists => continue,
                    Some(Found::Child(_, of)) if of.id == def.id => return Err(table_exists()),
                    Some(_) => return Err(in_other_stable()),
                    None => {}
                }
                let new = NewChild {
                    name,
                    tags,
                    comment: comment.as_deref(),
                    ttl: *ttl,
                };
                let (id, new) = create_child(write, db, def, &new, now)?;
                log_table(write, db, id, || Ok(created(vec![new])))?;
            }
            Ok(0)
        })
    }

    pub(super) fn drop_tables(&self, drop: &DropTable) -> Result<u64, SqlError> {
        let mut items = Vec::with_capacity(drop.items.len());
        for (if_exists, name) in &drop.items {
            let (db, name) = self.writable_object(name)?;
            items.push((*if_exists, db, name));
        }
        let stable = drop.stable;
        self.store().write(move |write| {
            for (_, db, name) in items.iter().filter(|_| items.len() > 1) {
                if matches!(write.catalog().find(db, name)?, Some(Found::Super(_))) {
                    return Err(SqlError::new(NOT_ALONE, "Cannot drop super table in batch"));
                }
            }
            for (if_exists, db, name) in &items {
                drop_one(write, *if_exists, stable, db, name)?;
            }
            Ok(0)
        })
    }
}

/// A subtable or normal table that goes.
fn dropped(name: &str, super_uid: i64, uid: i64, if_exists: bool) -> Meta {
    Meta::DropTables(vec![DroppedTable {
        name: name.to_owned(),
        super_uid,
        uid,
        if_exists: if_exists.into(),
    }])
}

pub(super) fn drop_one(
    write: &mut Write<'_>,
    if_exists: bool,
    stable: bool,
    db: &str,
    name: &str,
) -> Result<(), SqlError> {
    let found = write.catalog().find(db, name)?;
    let found = found.filter(|f| !stable || matches!(f, Found::Super(_)));
    match found {
        None if if_exists => Ok(()),
        None if stable => Err(SqlError::new(STABLE_UNKNOWN, "STable not exist")),
        None => Err(SqlError::unknown_table()),
        Some(Found::Child(child, def)) => {
            let (id, def) = (child.id, def.id);
            check_drop(write.catalog(), id)?;
            log_table(write, db, id, || Ok(dropped(name, def, id, if_exists)))?;
            write.execute(&format!("DELETE FROM d{def} WHERE tbl = ?1"), [id])?;
            write.execute(&format!("DELETE FROM t{def} WHERE tbl = ?1"), [id])?;
            write.catalog_mut().database_mut(db)?.tables.remove(name);
            Ok(())
        }
        Some(Found::Normal(def)) => {
            let id = def.id;
            check_drop(write.catalog(), id)?;
            log_table(write, db, id, || Ok(dropped(name, 0, id, if_exists)))?;
            write.batch(&format!("DROP TABLE d{id}"))?;
            write.execute("DELETE FROM tbl WHERE id = ?1", [id])?;
            write.catalog_mut().database_mut(db)?.tables.remove(name);
            Ok(())
        }
        Some(Found::Super(def)) => {
            let id = def.id;
            check_drop(write.catalog(), id)?;
            log_super(write, db, || Meta::DropSuper {
                name: name.to_owned(),
                uid: id,
            })?;
            write.batch(&format!("DROP TABLE d{id}; DROP TABLE t{id}"))?;
            write.execute("DELETE FROM tbl WHERE id = ?1", [id])?;
            let database = write.catalog_mut().database_mut(db)?;
            database.stables.remove(name);
            database
                .tables
                .retain(|e| !matches!(e, Entry::Child(c) if c.stable == name));
            Ok(())
        }
    }
}
