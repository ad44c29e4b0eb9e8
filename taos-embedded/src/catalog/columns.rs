//! The columns of the tables of `information_schema` and `performance_schema`.

use taos_query::common::Ty;

use crate::plan::ColumnInfo;

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

pub(super) type Columns = &'static [(&'static str, Ty, u32)];

pub(super) const DATABASES: Columns = &[
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

pub(super) const TAGS: Columns = &[
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
    ("schema", Ty::VarChar, 65_517),
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
    ("comment", Ty::VarChar, 4095),
    ("aggregate", Ty::Int, 0),
    ("output_type", Ty::VarChar, 31),
    ("create_time", Ty::Timestamp, 0),
    ("code_len", Ty::Int, 0),
    ("bufsize", Ty::Int, 0),
    ("func_language", Ty::VarChar, 31),
    ("func_body", Ty::VarChar, 65_517),
    ("func_version", Ty::Int, 0),
];

const VGROUPS: Columns = &[
    ("vgroup_id", Ty::Int, 0),
    ("db_name", Ty::VarChar, 64),
    ("tables", Ty::Int, 0),
    ("v1_dnode", Ty::SmallInt, 0),
    ("v1_status", Ty::VarChar, 9),
    ("v2_dnode", Ty::SmallInt, 0),
    ("v2_status", Ty::VarChar, 9),
    ("v3_dnode", Ty::SmallInt, 0),
    ("v3_status", Ty::VarChar, 9),
    ("v4_dnode", Ty::SmallInt, 0),
    ("v4_status", Ty::VarChar, 9),
    ("cacheload", Ty::Int, 0),
    ("cacheelements", Ty::Int, 0),
    ("tsma", Ty::TinyInt, 0),
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

const DNODES: Columns = &[
    ("id", Ty::Int, 0),
    ("endpoint", Ty::VarChar, 134),
    ("vnodes", Ty::SmallInt, 0),
    ("support_vnodes", Ty::SmallInt, 0),
    ("status", Ty::VarChar, 10),
    ("create_time", Ty::Timestamp, 0),
    ("reboot_time", Ty::Timestamp, 0),
    ("note", Ty::VarChar, 256),
];

/// Nodes of the other kinds, of which there are none.
const OTHER_NODES: Columns = &[
    ("id", Ty::Int, 0),
    ("endpoint", Ty::VarChar, 134),
    ("create_time", Ty::Timestamp, 0),
];

const CLUSTER: Columns = &[
    ("id", Ty::BigInt, 0),
    ("name", Ty::VarChar, 40),
    ("uptime", Ty::Int, 0),
    ("create_time", Ty::Timestamp, 0),
    ("version", Ty::VarChar, 10),
    ("expire_time", Ty::Timestamp, 0),
];

const INDEXES: Columns = &[
    ("index_name", Ty::VarChar, 192),
    ("db_name", Ty::VarChar, 64),
    ("table_name", Ty::VarChar, 192),
    ("vgroup_id", Ty::Int, 0),
    ("create_time", Ty::Timestamp, 0),
    ("column_name", Ty::VarChar, 192),
    ("index_type", Ty::VarChar, 192),
];

const VNODES: Columns = &[
    ("dnode_id", Ty::Int, 0),
    ("vgroup_id", Ty::Int, 0),
    ("db_name", Ty::VarChar, 64),
    ("status", Ty::VarChar, 9),
    ("role_time", Ty::Timestamp, 0),
    ("start_time", Ty::Timestamp, 0),
    ("restored", Ty::Bool, 0),
];

const USER_PRIVILEGES: Columns = &[
    ("user_name", Ty::VarChar, 24),
    ("privilege", Ty::VarChar, 10),
    ("db_name", Ty::VarChar, 65),
    ("table_name", Ty::VarChar, 193),
    ("condition", Ty::VarChar, 49_152),
    ("notes", Ty::VarChar, 64),
];

const VIEWS: Columns = &[
    ("view_name", Ty::VarChar, 192),
    ("db_name", Ty::VarChar, 64),
    ("effective_user", Ty::VarChar, 24),
    ("create_time", Ty::Timestamp, 0),
    ("type", Ty::VarChar, 128),
    ("query_sql", Ty::VarChar, 2048),
    ("parameters", Ty::VarChar, 2048),
    ("default_values", Ty::VarChar, 2048),
    ("target_table", Ty::VarChar, 192),
];

const COMPACTS: Columns = &[
    ("compact_id", Ty::Int, 0),
    ("db_name", Ty::VarChar, 64),
    ("start_time", Ty::Timestamp, 0),
];

const TSMAS: Columns = &[
    ("tsma_name", Ty::VarChar, 192),
    ("db_name", Ty::VarChar, 64),
    ("table_name", Ty::VarChar, 192),
    ("target_db", Ty::VarChar, 64),
    ("target_stb", Ty::VarChar, 192),
    ("stream_name", Ty::VarChar, 64),
    ("create_time", Ty::Timestamp, 0),
    ("interval", Ty::VarChar, 64),
    ("create_sql", Ty::VarChar, 2048),
    ("func_list", Ty::VarChar, 2048),
];

const ARBGROUPS: Columns = &[
    ("db_name", Ty::VarChar, 64),
    ("vgroup_id", Ty::Int, 0),
    ("v1_dnode", Ty::SmallInt, 0),
    ("v2_dnode", Ty::SmallInt, 0),
    ("is_sync", Ty::SmallInt, 0),
    ("assigned_dnode", Ty::SmallInt, 0),
    ("assigned_token", Ty::VarChar, 32),
    ("assigned_acked", Ty::SmallInt, 0),
];

const ENCRYPTIONS: Columns = &[("dnode_id", Ty::Int, 0), ("key_status", Ty::VarChar, 12)];

const ANODES: Columns = &[
    ("id", Ty::Int, 0),
    ("url", Ty::VarChar, 128),
    ("status", Ty::VarChar, 10),
    ("create_time", Ty::Timestamp, 0),
    ("update_time", Ty::Timestamp, 0),
];

const TRANS: Columns = &[
    ("id", Ty::Int, 0),
    ("create_time", Ty::Timestamp, 0),
    ("stage", Ty::VarChar, 12),
    ("oper", Ty::VarChar, 14),
    ("db", Ty::VarChar, 64),
    ("stable", Ty::VarChar, 192),
    ("failed_times", Ty::Int, 0),
    ("last_exec_time", Ty::Timestamp, 0),
    ("last_action_info", Ty::VarChar, 511),
];

/// SHOW VARIABLES in its forms, which is no table.
pub(super) const VARIABLES: Columns = &[
    ("name", Ty::VarChar, 32),
    ("value", Ty::VarChar, 4096),
    ("scope", Ty::VarChar, 8),
    ("category", Ty::VarChar, 8),
    ("info", Ty::VarChar, 64),
];

/// A table, its columns, and whether it tells of the server itself.
pub(super) type Table = (&'static str, Columns, bool);

pub(super) const SYSTEM_TABLES: &[Table] = &[
    ("ins_dnodes", DNODES, true),
    ("ins_mnodes", MNODES, true),
    ("ins_qnodes", OTHER_NODES, true),
    ("ins_snodes", OTHER_NODES, true),
    ("ins_bnodes", OTHER_NODES, true),
    ("ins_cluster", CLUSTER, true),
    ("ins_databases", DATABASES, false),
    ("ins_functions", FUNCTIONS, false),
    ("ins_indexes", INDEXES, false),
    ("ins_stables", STABLES, false),
    ("ins_tables", TABLES, false),
    ("ins_tags", TAGS, false),
    ("ins_columns", COLUMNS, false),
    ("ins_users", USERS, true),
    ("ins_vgroups", VGROUPS, true),
    ("ins_topics", TOPICS, false),
    ("ins_subscriptions", SUBSCRIPTIONS, false),
    ("ins_vnodes", VNODES, true),
    ("ins_user_privileges", USER_PRIVILEGES, true),
    ("ins_views", VIEWS, false),
    ("ins_compacts", COMPACTS, false),
    ("ins_arbgroups", ARBGROUPS, true),
    ("ins_encryptions", ENCRYPTIONS, true),
    ("ins_tsmas", TSMAS, false),
    ("ins_anodes", ANODES, true),
];

pub(super) const PERFORMANCE_TABLES: &[Table] = &[
    ("perf_consumers", CONSUMERS, false),
    ("perf_trans", TRANS, false),
];

/// Real servers have these too.
const KNOWN_ONLY: &[&str] = &[
    "ins_anodes_full",
    "ins_compact_details",
    "ins_configs",
    "ins_disk_usage",
    "ins_dnode_variables",
    "ins_filesets",
    "ins_grants",
    "ins_grants_full",
    "ins_grants_logs",
    "ins_machines",
    "ins_mounts",
    "ins_stream_recalculates",
    "ins_stream_tasks",
    "ins_streams",
    "ins_transaction_details",
    "ins_users_full",
    "ins_virtual_child_columns",
    "perf_apps",
    "perf_connections",
    "perf_queries",
];

/// What is known of a system table.
pub(crate) enum Known {
    /// Its columns, and whether it tells of the server itself.
    Columns(Vec<ColumnInfo>, bool),
    /// Real servers have it and this one lacks it.
    Lacking,
    Unknown,
}

/// Looks up a system table.
pub(crate) fn system_columns(db: &str, table: &str) -> Known {
    let tables = match db {
        "information_schema" => SYSTEM_TABLES,
        _ => PERFORMANCE_TABLES,
    };
    let found = tables.iter().find(|(name, ..)| *name == table);
    match found {
        Some((_, columns, about_server)) => Known::Columns(infos(columns), *about_server),
        None if KNOWN_ONLY.contains(&table) => Known::Lacking,
        None => Known::Unknown,
    }
}

pub(super) fn infos(columns: Columns) -> Vec<ColumnInfo> {
    columns
        .iter()
        .map(|&(name, ty, length)| column(name, ty, length))
        .collect()
}
