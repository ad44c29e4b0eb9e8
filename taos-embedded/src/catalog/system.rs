//! The tables of `information_schema`: their columns, and the rows the catalog can compute.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use taos_query::common::Ty;

use super::{Catalog, Database, Entry, TableDef, byte_length, type_text};
use crate::plan::ColumnInfo;

/// True for the databases that nobody creates.
pub(crate) fn is_system_database(name: &str) -> bool {
    name == "information_schema" || name == "performance_schema"
}

/// A column of a result or system table.
pub(crate) fn column(name: &str, ty: Ty, length: u32) -> ColumnInfo {
    ColumnInfo {
        name: name.to_owned(),
        id: 0,
        ty,
        length: if length == 0 {
            u32::try_from(ty.fixed_length()).unwrap_or_default()
        } else {
            length
        },
        precision: 0,
        scale: 0,
        composite_key: false,
    }
}

type Columns = &'static [(&'static str, Ty, u32)];

const DATABASES: Columns = &[
    ("name", Ty::VarChar, 64),
    ("create_time", Ty::Timestamp, 0),
    ("vgroups", Ty::Int, 0),
    ("ntables", Ty::BigInt, 0),
    ("replica", Ty::TinyInt, 0),
    ("strict", Ty::VarChar, 4),
    ("duration", Ty::VarChar, 10),
    ("keep", Ty::VarChar, 32),
    ("buffer", Ty::Int, 0),
    ("pagesize", Ty::Int, 0),
    ("pages", Ty::Int, 0),
    ("minrows", Ty::Int, 0),
    ("maxrows", Ty::Int, 0),
    ("comp", Ty::TinyInt, 0),
    ("precision", Ty::VarChar, 2),
    ("status", Ty::VarChar, 10),
    ("retentions", Ty::VarChar, 60),
    ("single_stable", Ty::Bool, 0),
    ("cachemodel", Ty::VarChar, 11),
    ("cachesize", Ty::Int, 0),
    ("wal_level", Ty::TinyInt, 0),
    ("wal_fsync_period", Ty::Int, 0),
    ("wal_retention_period", Ty::Int, 0),
    ("wal_retention_size", Ty::BigInt, 0),
    ("stt_trigger", Ty::SmallInt, 0),
    ("table_prefix", Ty::SmallInt, 0),
    ("table_suffix", Ty::SmallInt, 0),
    ("tsdb_pagesize", Ty::Int, 0),
    ("keep_time_offset", Ty::Int, 0),
    ("ss_chunkpages", Ty::Int, 0),
    ("ss_keeplocal", Ty::VarChar, 10),
    ("ss_compact", Ty::TinyInt, 0),
    ("with_arbitrator", Ty::TinyInt, 0),
    ("encrypt_algorithm", Ty::VarChar, 16),
    ("compact_interval", Ty::VarChar, 12),
    ("compact_time_range", Ty::VarChar, 24),
    ("compact_time_offset", Ty::VarChar, 4),
];

const STABLES: Columns = &[
    ("stable_name", Ty::VarChar, 192),
    ("db_name", Ty::VarChar, 64),
    ("create_time", Ty::Timestamp, 0),
    ("columns", Ty::Int, 0),
    ("tags", Ty::Int, 0),
    ("last_update", Ty::Timestamp, 0),
    ("table_comment", Ty::VarChar, 1024),
    ("watermark", Ty::VarChar, 64),
    ("max_delay", Ty::VarChar, 64),
    ("rollup", Ty::VarChar, 128),
    ("uid", Ty::BigInt, 0),
    ("isvirtual", Ty::Bool, 0),
    ("keep", Ty::BigInt, 0),
];

const TABLES: Columns = &[
    ("table_name", Ty::VarChar, 192),
    ("db_name", Ty::VarChar, 64),
    ("create_time", Ty::Timestamp, 0),
    ("columns", Ty::Int, 0),
    ("stable_name", Ty::VarChar, 192),
    ("uid", Ty::BigInt, 0),
    ("vgroup_id", Ty::Int, 0),
    ("ttl", Ty::Int, 0),
    ("table_comment", Ty::VarChar, 1024),
    ("type", Ty::VarChar, 21),
];

pub(crate) const TAGS: Columns = &[
    ("table_name", Ty::VarChar, 192),
    ("db_name", Ty::VarChar, 64),
    ("stable_name", Ty::VarChar, 192),
    ("tag_name", Ty::VarChar, 64),
    ("tag_type", Ty::VarChar, 32),
    ("tag_value", Ty::VarChar, 16_384),
];

const COLUMNS: Columns = &[
    ("table_name", Ty::VarChar, 192),
    ("db_name", Ty::VarChar, 64),
    ("table_type", Ty::VarChar, 21),
    ("col_name", Ty::VarChar, 64),
    ("col_type", Ty::VarChar, 32),
    ("col_length", Ty::Int, 0),
    ("col_precision", Ty::Int, 0),
    ("col_scale", Ty::Int, 0),
    ("col_nullable", Ty::Int, 0),
];

const TOPICS: Columns = &[
    ("topic_name", Ty::VarChar, 192),
    ("db_name", Ty::VarChar, 64),
    ("create_time", Ty::Timestamp, 0),
    ("sql", Ty::VarChar, 2048),
    ("schema", Ty::VarChar, 5120),
    ("meta", Ty::VarChar, 4),
    ("type", Ty::VarChar, 8),
];

const SUBSCRIPTIONS: Columns = &[
    ("topic_name", Ty::VarChar, 204),
    ("consumer_group", Ty::VarChar, 193),
    ("vgroup_id", Ty::Int, 0),
    ("consumer_id", Ty::VarChar, 32),
    ("user", Ty::VarChar, 24),
    ("fqdn", Ty::VarChar, 128),
    ("offset", Ty::VarChar, 64),
    ("rows", Ty::BigInt, 0),
];

const CONSUMERS: Columns = &[
    ("consumer_id", Ty::VarChar, 32),
    ("consumer_group", Ty::VarChar, 193),
    ("client_id", Ty::VarChar, 256),
    ("user", Ty::VarChar, 24),
    ("fqdn", Ty::VarChar, 128),
    ("status", Ty::VarChar, 20),
    ("topics", Ty::VarChar, 205),
    ("up_time", Ty::Timestamp, 0),
    ("subscribe_time", Ty::Timestamp, 0),
    ("rebalance_time", Ty::Timestamp, 0),
    ("parameters", Ty::VarChar, 192),
];

const FUNCTIONS: Columns = &[
    ("name", Ty::VarChar, 64),
    ("comment", Ty::VarChar, 255),
    ("aggregate", Ty::Int, 0),
    ("output_type", Ty::VarChar, 31),
    ("create_time", Ty::Timestamp, 0),
    ("code_len", Ty::Int, 0),
    ("bufsize", Ty::Int, 0),
    ("func_language", Ty::VarChar, 31),
    ("func_body", Ty::VarChar, 4096),
    ("func_version", Ty::Int, 0),
];

const VGROUPS: Columns = &[
    ("vgroup_id", Ty::Int, 0),
    ("db_name", Ty::VarChar, 64),
    ("tables", Ty::Int, 0),
    ("v1_dnode", Ty::SmallInt, 0),
    ("v1_status", Ty::VarChar, 9),
];

const MNODES: Columns = &[
    ("id", Ty::Int, 0),
    ("endpoint", Ty::VarChar, 134),
    ("role", Ty::VarChar, 12),
    ("status", Ty::VarChar, 9),
    ("create_time", Ty::Timestamp, 0),
    ("role_time", Ty::Timestamp, 0),
];

const USERS: Columns = &[
    ("name", Ty::VarChar, 24),
    ("super", Ty::TinyInt, 0),
    ("enable", Ty::TinyInt, 0),
    ("sysinfo", Ty::TinyInt, 0),
    ("createdb", Ty::TinyInt, 0),
    ("create_time", Ty::Timestamp, 0),
    ("allowed_host", Ty::VarChar, 49_152),
];

const SYSTEM_TABLES: &[(&str, Columns)] = &[
    ("ins_databases", DATABASES),
    ("ins_stables", STABLES),
    ("ins_tables", TABLES),
    ("ins_tags", TAGS),
    ("ins_columns", COLUMNS),
    ("ins_topics", TOPICS),
    ("ins_subscriptions", SUBSCRIPTIONS),
    ("ins_functions", FUNCTIONS),
    ("ins_vgroups", VGROUPS),
    ("ins_mnodes", MNODES),
    ("ins_users", USERS),
];

const PERFORMANCE_TABLES: &[(&str, Columns)] = &[("perf_consumers", CONSUMERS)];

/// Real servers have these too.
const KNOWN_ONLY: &[&str] = &[
    "ins_dnodes",
    "ins_qnodes",
    "ins_snodes",
    "ins_bnodes",
    "ins_cluster",
    "ins_indexes",
    "ins_grants",
    "ins_configs",
    "ins_dnode_variables",
    "ins_streams",
    "ins_stream_tasks",
    "ins_vnodes",
    "ins_user_privileges",
    "ins_views",
    "ins_compacts",
    "ins_arbgroups",
    "ins_anodes",
    "perf_connections",
    "perf_queries",
    "perf_trans",
    "perf_apps",
];

/// The columns of a system table; `Err` for one that real servers have and this one lacks.
pub(crate) fn system_columns(db: &str, table: &str) -> Result<Option<Vec<ColumnInfo>>, ()> {
    let tables = match db {
        "information_schema" => SYSTEM_TABLES,
        _ => PERFORMANCE_TABLES,
    };
    let found = tables.iter().find(|(name, _)| *name == table);
    match found {
        Some((_, columns)) => Ok(Some(infos(columns))),
        None if KNOWN_ONLY.contains(&table) => Err(()),
        None => Ok(None),
    }
}

pub(crate) fn infos(columns: Columns) -> Vec<ColumnInfo> {
    columns
        .iter()
        .map(|&(name, ty, length)| column(name, ty, length))
        .collect()
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
    let of = |db: &'static str| move |table: &'static (&str, Columns)| (db, table);
    let system = SYSTEM_TABLES.iter().map(of("information_schema"));
    let performance = PERFORMANCE_TABLES.iter().map(of("performance_schema"));
    for (db, (name, columns)) in system.chain(performance) {
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
