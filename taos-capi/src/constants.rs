//! Numbers of the interface, under their names in C: programs find them in the header.
#![allow(
    missing_docs,
    non_camel_case_types,
    reason = "the names are those of the interface, and say it"
)]

pub const TSDB_DATA_TYPE_NULL: i32 = 0;
pub const TSDB_DATA_TYPE_BOOL: i32 = 1;
pub const TSDB_DATA_TYPE_TINYINT: i32 = 2;
pub const TSDB_DATA_TYPE_SMALLINT: i32 = 3;
pub const TSDB_DATA_TYPE_INT: i32 = 4;
pub const TSDB_DATA_TYPE_BIGINT: i32 = 5;
pub const TSDB_DATA_TYPE_FLOAT: i32 = 6;
pub const TSDB_DATA_TYPE_DOUBLE: i32 = 7;
pub const TSDB_DATA_TYPE_VARCHAR: i32 = 8;
pub const TSDB_DATA_TYPE_TIMESTAMP: i32 = 9;
pub const TSDB_DATA_TYPE_NCHAR: i32 = 10;
pub const TSDB_DATA_TYPE_UTINYINT: i32 = 11;
pub const TSDB_DATA_TYPE_USMALLINT: i32 = 12;
pub const TSDB_DATA_TYPE_UINT: i32 = 13;
pub const TSDB_DATA_TYPE_UBIGINT: i32 = 14;
pub const TSDB_DATA_TYPE_JSON: i32 = 15;
pub const TSDB_DATA_TYPE_VARBINARY: i32 = 16;
pub const TSDB_DATA_TYPE_DECIMAL: i32 = 17;
pub const TSDB_DATA_TYPE_BLOB: i32 = 18;
pub const TSDB_DATA_TYPE_MEDIUMBLOB: i32 = 19;
pub const TSDB_DATA_TYPE_GEOMETRY: i32 = 20;
pub const TSDB_DATA_TYPE_DECIMAL64: i32 = 21;
/// The older name of VARCHAR.
pub const TSDB_DATA_TYPE_BINARY: i32 = TSDB_DATA_TYPE_VARCHAR;

pub const TSDB_TIME_PRECISION_MILLI: i32 = 0;
pub const TSDB_TIME_PRECISION_MICRO: i32 = 1;
pub const TSDB_TIME_PRECISION_NANO: i32 = 2;

/// Options of `taos_options`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TSDB_OPTION {
    TSDB_OPTION_LOCALE = 0,
    TSDB_OPTION_CHARSET = 1,
    TSDB_OPTION_TIMEZONE = 2,
    TSDB_OPTION_CONFIGDIR = 3,
    TSDB_OPTION_SHELL_ACTIVITY_TIMER = 4,
    TSDB_OPTION_USE_ADAPTER = 5,
    TSDB_OPTION_DRIVER = 6,
    TSDB_MAX_OPTIONS = 7,
}

/// Options of `taos_options_connection`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TSDB_OPTION_CONNECTION {
    TSDB_OPTION_CONNECTION_CLEAR = -1,
    TSDB_OPTION_CONNECTION_CHARSET = 0,
    TSDB_OPTION_CONNECTION_TIMEZONE = 1,
    TSDB_OPTION_CONNECTION_USER_IP = 2,
    TSDB_OPTION_CONNECTION_USER_APP = 3,
    TSDB_OPTION_CONNECTION_CONNECTOR_INFO = 4,
    TSDB_MAX_OPTIONS_CONNECTION = 5,
}

/// Modes of `taos_set_conn_mode`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TAOS_CONN_MODE {
    TAOS_CONN_MODE_BI = 0,
}

/// What `taos_get_connection_info` tells.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TSDB_CONNECTION_INFO {
    TSDB_CONNECTION_INFO_USER = 0,
}

/// What `taos_set_notify_cb` would tell of.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TAOS_NOTIFY_TYPE {
    TAOS_NOTIFY_PASSVER = 0,
    TAOS_NOTIFY_WHITELIST_VER = 1,
    TAOS_NOTIFY_USER_DROPPED = 2,
}

/// What `taos_check_server_status` tells.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TSDB_SERVER_STATUS {
    TSDB_SRV_STATUS_UNAVAILABLE = 0,
    TSDB_SRV_STATUS_NETWORK_OK = 1,
    TSDB_SRV_STATUS_SERVICE_OK = 2,
    TSDB_SRV_STATUS_SERVICE_DEGRADED = 3,
    TSDB_SRV_STATUS_EXTING = 4,
}

/// What `taos_set_config` tells.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SET_CONF_RET_CODE {
    SET_CONF_RET_SUCC = 0,
    SET_CONF_RET_ERR_PART = -1,
    SET_CONF_RET_ERR_INNER = -2,
    SET_CONF_RET_ERR_JSON_INVALID = -3,
    SET_CONF_RET_ERR_JSON_PARSE = -4,
    SET_CONF_RET_ERR_ONLY_ONCE = -5,
    SET_CONF_RET_ERR_TOO_LONG = -6,
}

/// Forms of schemaless lines.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TSDB_SML_PROTOCOL_TYPE {
    TSDB_SML_UNKNOWN_PROTOCOL = 0,
    TSDB_SML_LINE_PROTOCOL = 1,
    TSDB_SML_TELNET_PROTOCOL = 2,
    TSDB_SML_JSON_PROTOCOL = 3,
}

/// Units of the timestamps in schemaless lines.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TSDB_SML_TIMESTAMP_TYPE {
    TSDB_SML_TIMESTAMP_NOT_CONFIGURED = 0,
    TSDB_SML_TIMESTAMP_HOURS = 1,
    TSDB_SML_TIMESTAMP_MINUTES = 2,
    TSDB_SML_TIMESTAMP_SECONDS = 3,
    TSDB_SML_TIMESTAMP_MILLI_SECONDS = 4,
    TSDB_SML_TIMESTAMP_MICRO_SECONDS = 5,
    TSDB_SML_TIMESTAMP_NANO_SECONDS = 6,
}

/// What a placeholder of a second-generation statement stands for.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TAOS_FIELD_T {
    TAOS_FIELD_COL = 1,
    TAOS_FIELD_TAG = 2,
    TAOS_FIELD_QUERY = 3,
    TAOS_FIELD_TBNAME = 4,
}

/// What `tmq_conf_set` gives.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum tmq_conf_res_t {
    TMQ_CONF_UNKNOWN = -2,
    TMQ_CONF_INVALID = -1,
    TMQ_CONF_OK = 0,
}

/// What `tmq_get_res_type` gives.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum tmq_res_t {
    TMQ_RES_INVALID = -1,
    TMQ_RES_DATA = 1,
    TMQ_RES_TABLE_META = 2,
    TMQ_RES_METADATA = 3,
    TMQ_RES_RAWDATA = 4,
}
