//! The tables of `information_schema`: the rows the catalog can compute.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use taos_query::common::Ty;

use super::columns::{DATABASES, PERFORMANCE_TABLES, SYSTEM_TABLES, Table};
use super::{Catalog, Database, Entry, TableDef, byte_length, type_text};
use crate::plan::ColumnInfo;

/// True for the databases that nobody creates.
pub(crate) fn is_system_database(name: &str) -> bool {
    name == "information_schema" || name == "performance_schema"
}

pub(super) fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

pub(super) fn int(value: impl TryInto<i64>) -> Value {
    value.try_into().map_or(Value::Null, Value::Integer)
}

fn optional(value: Option<&str>) -> Value {
    value.map_or(Value::Null, text)
}

fn database_row(db: &Database) -> Vec<Value> {
    let o = &db.options;
    let n = |name: &str| Value::Integer(o.number(name));
    vec![
        text(&db.name),
        int(db.created),
        n("vgroups"),
        int(db.tables.len()),
        n("replica"),
        text("on"),
        text(super::options::minutes_text(o.duration)),
        text(o.keep_text()),
        n("buffer"),
        n("pagesize"),
        n("pages"),
        n("minrows"),
        n("maxrows"),
        n("comp"),
        text(o.precision().as_str()),
        text("ready"),
        Value::Null,
        n("single_stable"),
        text(&o.cachemodel),
        n("cachesize"),
        n("wal_level"),
        n("wal_fsync_period"),
        n("wal_retention_period"),
        n("wal_retention_size"),
        n("stt_trigger"),
        n("table_prefix"),
        n("table_suffix"),
        n("tsdb_pagesize"),
        n("keep_time_offset"),
        n("ss_chunkpages"),
        text("525600m"),
        n("ss_compact"),
        int(0),
        text(&o.encrypt_algorithm),
        text("0d"),
        text("0d,0d"),
        text("0h"),
    ]
}

fn system_database_row(name: &str, tables: usize) -> Vec<Value> {
    let mut row = vec![Value::Null; DATABASES.len()];
    let known = [
        (0, text(name)),
        (3, int(tables)),
        (14, text("ms")),
        (15, text("ready")),
    ];
    for (at, value) in known {
        if let Some(cell) = row.get_mut(at) {
            *cell = value;
        }
    }
    row
}

pub(super) fn databases(catalog: &Catalog) -> Vec<Vec<Value>> {
    let mut rows = vec![
        system_database_row("information_schema", SYSTEM_TABLES.len()),
        system_database_row("performance_schema", PERFORMANCE_TABLES.len()),
    ];
    rows.extend(catalog.databases.values().map(|db| database_row(db)));
    rows
}

pub(super) fn stables(catalog: &Catalog) -> Vec<Vec<Value>> {
    let row = |db: &Database, def: &TableDef| {
        vec![
            text(&def.name),
            text(&db.name),
            int(def.created),
            int(def.columns.len()),
            int(def.tags.len()),
            int(def.created),
            optional(def.comment.as_deref()),
            text("5000a,5000a"),
            text("-1a,-1a"),
            text(""),
            int(def.id),
            Value::Integer(0),
            Value::Integer(-1),
        ]
    };
    let databases = catalog.databases.values();
    databases
        .flat_map(|db| db.stables.values().map(move |def| row(db, def)))
        .collect()
}

pub(super) fn tables(catalog: &Catalog) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    let of = |db: &'static str| move |table: &'static Table| (db, table);
    let system = SYSTEM_TABLES.iter().map(of("information_schema"));
    let performance = PERFORMANCE_TABLES.iter().map(of("performance_schema"));
    for (db, (name, columns, _)) in system.chain(performance) {
        rows.push(vec![
            text(*name),
            text(db),
            Value::Null,
            int(columns.len()),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            text("SYSTEM_TABLE"),
        ]);
    }
    for db in catalog.databases.values() {
        for (name, entry) in db.tables.iter() {
            let (id, created, stable, ttl, comment, kind) = match entry {
                Entry::Normal(def) => (
                    def.id,
                    def.created,
                    None,
                    def.ttl,
                    def.comment.as_deref(),
                    "NORMAL_TABLE",
                ),
                Entry::Child(child) => (
                    child.id,
                    child.created,
                    Some(child.stable.as_str()),
                    child.ttl,
                    child.comment.as_deref(),
                    "CHILD_TABLE",
                ),
            };
            let columns = db.find(name).map_or(0, |f| f.def().columns.len());
            rows.push(vec![
                text(name),
                text(&db.name),
                int(created),
                int(columns),
                optional(stable),
                int(id),
                int(db.vgroup_of(id)),
                int(ttl),
                optional(comment),
                text(kind),
            ]);
        }
    }
    rows
}

/// The type as `ins_columns` has it: a length only behind VARCHAR and NCHAR.
fn column_type(column: &ColumnInfo) -> String {
    type_text(column, matches!(column.ty, Ty::VarChar | Ty::NChar))
}

pub(super) fn columns(catalog: &Catalog) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    let mut add = |db: &str, table: &str, kind: &str, def: &TableDef| {
        for column in &*def.columns {
            let decimal = matches!(column.ty, Ty::Decimal | Ty::Decimal64);
            let digits = |value: u8| if decimal { int(value) } else { Value::Null };
            rows.push(vec![
                text(table),
                text(db),
                text(kind),
                text(&column.name),
                text(column_type(column)),
                int(byte_length(column)),
                digits(column.precision),
                digits(column.scale),
                Value::Null,
            ]);
        }
    };
    for db in catalog.databases.values() {
        for def in db.stables.values() {
            add(&db.name, &def.name, "SUPER_TABLE", def);
        }
        for (name, entry) in db.tables.iter() {
            let kind = match entry {
                Entry::Normal(_) => "NORMAL_TABLE",
                Entry::Child(_) => "CHILD_TABLE",
            };
            if let Some(found) = db.find(name) {
                add(&db.name, name, kind, found.def());
            }
        }
    }
    rows
}

pub(super) fn topics(catalog: &Catalog) -> Vec<Vec<Value>> {
    let rows = catalog.topics.iter().map(|(name, topic)| {
        vec![
            text(name),
            text(&topic.db),
            int(topic.created),
            text(&topic.sql),
            Value::Null,
            text(if topic.with_meta { "yes" } else { "no" }),
            text(&topic.kind),
        ]
    });
    rows.collect()
}

pub(super) fn vgroups(catalog: &Catalog) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for db in catalog.databases.values() {
        let mut tables: BTreeMap<i32, i64> = db.vgroups().map(|vgroup| (vgroup, 0)).collect();
        for (_, entry) in db.tables.iter() {
            let id = match entry {
                Entry::Normal(def) => def.id,
                Entry::Child(child) => child.id,
            };
            *tables.entry(db.vgroup_of(id)).or_default() += 1;
        }
        for (number, tables) in tables {
            rows.push(vec![
                int(number),
                text(&db.name),
                int(tables),
                int(1),
                text("leader"),
                Value::Null,
                Value::Null,
                Value::Null,
                Value::Null,
                Value::Null,
                Value::Null,
                int(0),
                int(0),
                int(0),
            ]);
        }
    }
    rows
}

pub(super) fn mnodes() -> Vec<Vec<Value>> {
    vec![vec![
        int(1),
        text("localhost:6030"),
        text("leader"),
        text("ready"),
        Value::Null,
        Value::Null,
    ]]
}

pub(super) fn users(catalog: &Catalog) -> Vec<Vec<Value>> {
    let rows = catalog.users.iter().map(|(name, user)| {
        let administrator = int(u8::from(user.administrator));
        vec![
            text(name),
            administrator,
            int(u8::from(user.rights.enable)),
            int(u8::from(user.rights.sysinfo)),
            int(u8::from(user.rights.createdb)),
            int(user.created),
            Value::Null,
        ]
    });
    rows.collect()
}

pub(super) fn dnodes(catalog: &Catalog) -> Vec<Vec<Value>> {
    let vnodes: usize = catalog
        .databases
        .values()
        .map(|db| db.vgroups().len())
        .sum();
    vec![vec![
        int(1),
        text("localhost:6030"),
        int(vnodes),
        int(i16::MAX),
        text("ready"),
        Value::Null,
        Value::Null,
        text(""),
    ]]
}

pub(super) fn vnodes(catalog: &Catalog) -> Vec<Vec<Value>> {
    let row = |db: &Database, vgroup: i32| {
        vec![
            int(1),
            int(vgroup),
            text(&db.name),
            text("leader"),
            Value::Null,
            Value::Null,
            int(1),
        ]
    };
    let databases = catalog.databases.values();
    databases
        .flat_map(|db| db.vgroups().map(move |vgroup| row(db, vgroup)))
        .collect()
}

pub(super) fn cluster() -> Vec<Vec<Value>> {
    vec![vec![
        int(1),
        text("embedded"),
        Value::Null,
        Value::Null,
        text("community"),
        Value::Null,
    ]]
}

/// Every user may work with all tables; nothing can be granted.
pub(super) fn privileges(catalog: &Catalog) -> Vec<Vec<Value>> {
    let row = |name: &String| {
        let mut row = vec![text(name), text("all"), text("all")];
        row.resize(6, text(""));
        row
    };
    catalog.users.keys().map(row).collect()
}
