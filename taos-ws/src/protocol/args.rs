//! The `args` of text requests.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Defines a struct of arguments that serializes its members in order and reads them as the
/// adapter does: names match case-insensitively, a missing or null member is zero, unknown members
/// are ignored (§3.1).
macro_rules! args {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $ty:ty = $key:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Default, PartialEq, Eq, Serialize)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members;
                impl<'de> Visitor<'de> for Members {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object of arguments")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut args = $name::default();
                        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                            $(if key.eq_ignore_ascii_case($key) {
                                if let Some(value) = map.next_value::<Option<$ty>>()? {
                                    args.$field = value;
                                }
                                continue;
                            })*
                            map.next_value::<IgnoredAny>()?;
                        }
                        Ok(args)
                    }
                }
                deserializer.deserialize_map(Members)
            }
        }
    };
}

args! {
    /// Arguments of requests that need only an id: `version`, `get_current_db`, `get_server_info`.
    #[derive(Debug)]
    ReqArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
    }
}

args! {
    /// Arguments of `query` (§6.1).
    #[derive(Debug)]
    SqlArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The statement.
        sql: String = "sql",
    }
}

args! {
    /// Arguments of `fetch`, `fetch_block` and `free_result` (§6.3, §6.4, §6.6).
    #[derive(Debug)]
    FetchArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The result id.
        id: u64 = "id",
    }
}

args! {
    /// Arguments of `num_fields` (§6.6).
    #[derive(Debug)]
    NumFieldsArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The result id, under another name than elsewhere.
        result_id: u64 = "result_id",
    }
}

args! {
    /// Arguments of `get_connection_info` (§5.6).
    #[derive(Debug)]
    ConnectionInfoArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// What is asked for; 0 is the user's name.
        info: i32 = "info",
    }
}

args! {
    /// Arguments of `check_server_status` (§5.7).
    #[derive(Debug)]
    StatusArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The node to ask, or none for the adapter's configured one.
        fqdn: Option<String> = "fqdn",
        /// The node's port, 0 for the default.
        port: i32 = "port",
    }
}

args! {
    /// One option of the connection (§5.3).
    #[derive(Debug)]
    ConnOption {
        /// -1 clear all, 0 charset, 1 time zone, 2 user ip, 3 user app, 4 connector info.
        option: i32 = "option",
        /// The value, or none to go back to the server's default.
        value: Option<String> = "value",
    }
}

args! {
    /// Arguments of `options_connection` (§5.3).
    #[derive(Debug)]
    OptionsArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// Applied in order, up to the first that fails.
        options: Vec<ConnOption> = "options",
    }
}

args! {
    /// Arguments of `conn` (§5.2). Its `Debug` form hides what must stay secret.
    ConnArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The user's name.
        user: String = "user",
        /// The password in clear text.
        password: String = "password",
        /// The initial database, empty for none.
        db: String = "db",
        /// 0 asks for BI mode; any other number is an error.
        #[serde(skip_serializing_if = "Option::is_none")]
        mode: Option<i64> = "mode",
        /// An IANA time zone.
        #[serde(skip_serializing_if = "String::is_empty")]
        tz: String = "tz",
        /// The application's name.
        #[serde(skip_serializing_if = "String::is_empty")]
        app: String = "app",
        /// The address to record for the user.
        #[serde(skip_serializing_if = "String::is_empty")]
        ip: String = "ip",
        /// Name and version of the connector.
        #[serde(skip_serializing_if = "String::is_empty")]
        connector: String = "connector",
        /// A one-time code.
        #[serde(skip_serializing_if = "String::is_empty")]
        totp_code: String = "totp_code",
        /// A login token.
        #[serde(skip_serializing_if = "String::is_empty")]
        bearer_token: String = "bearer_token",
        /// Asks for the list of adapters.
        #[serde(skip_serializing_if = "is_false")]
        list_instances: bool = "list_instances",
    }
}

args! {
    /// Arguments of `insert` (§7).
    #[derive(Debug)]
    InsertArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// 1 line, 2 telnet, 3 JSON.
        protocol: i32 = "protocol",
        /// `h`, `m`, `s`, `ms`, `u`, `ns` or empty.
        precision: String = "precision",
        /// Days that tables made by this write live, 0 for ever.
        ttl: i32 = "ttl",
        /// The whole payload.
        data: String = "data",
        /// The tag whose value names the table, empty for none.
        #[serde(skip_serializing_if = "String::is_empty")]
        table_name_key: String = "table_name_key",
    }
}

args! {
    /// Arguments of requests that only name a statement (§8, §9.1): `add_batch`, `exec`,
    /// `get_tag_fields`, `get_col_fields`, `use_result`, `stmt_num_params`, `close`, `stmt2_exec`,
    /// `stmt2_result`, `stmt2_close`.
    #[derive(Debug)]
    StmtArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The statement.
        stmt_id: u64 = "stmt_id",
    }
}

args! {
    /// Arguments of `prepare` (§8).
    #[derive(Debug)]
    StmtPrepareArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The statement.
        stmt_id: u64 = "stmt_id",
        /// Its SQL.
        sql: String = "sql",
    }
}

args! {
    /// Arguments of `set_table_name` (§8).
    #[derive(Debug)]
    StmtTableArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The statement.
        stmt_id: u64 = "stmt_id",
        /// The table's name.
        name: String = "name",
    }
}

args! {
    /// Arguments of `set_tags` in its JSON form (§8).
    #[derive(Debug)]
    StmtTagsArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The statement.
        stmt_id: u64 = "stmt_id",
        /// One value a tag.
        tags: Vec<serde_json::Value> = "tags",
    }
}

args! {
    /// Arguments of `bind` in its JSON form (§8).
    #[derive(Debug)]
    StmtBindArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The statement.
        stmt_id: u64 = "stmt_id",
        /// The values of each column.
        columns: Vec<Vec<serde_json::Value>> = "columns",
    }
}

args! {
    /// Arguments of `stmt_get_param` (§8).
    #[derive(Debug)]
    StmtGetParamArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The statement.
        stmt_id: u64 = "stmt_id",
        /// Number of the placeholder, from 0.
        index: i64 = "index",
    }
}

args! {
    /// Arguments of `stmt2_init` (§9.1).
    #[derive(Debug)]
    Stmt2InitArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// All tables belong to one super table.
        single_stb_insert: bool = "single_stb_insert",
        /// Each table occurs once in an execution.
        single_table_bind_once: bool = "single_table_bind_once",
    }
}

args! {
    /// Arguments of `stmt2_prepare` (§9.1).
    #[derive(Debug)]
    Stmt2PrepareArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The statement.
        stmt_id: u64 = "stmt_id",
        /// Its SQL.
        sql: String = "sql",
        /// Asks what each placeholder stands for.
        get_fields: bool = "get_fields",
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl fmt::Debug for ConnArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnArgs")
            .field("req_id", &self.req_id)
            .field("user", &self.user)
            .field("db", &self.db)
            .field("mode", &self.mode)
            .field("tz", &self.tz)
            .field("app", &self.app)
            .field("ip", &self.ip)
            .field("connector", &self.connector)
            .finish_non_exhaustive()
    }
}

impl ReqArgs {
    /// Arguments with this request id.
    #[must_use]
    pub const fn new(req_id: u64) -> Self {
        Self { req_id }
    }
}

impl SqlArgs {
    /// Arguments with this request id and statement.
    #[must_use]
    pub fn new(req_id: u64, sql: impl Into<String>) -> Self {
        Self {
            req_id,
            sql: sql.into(),
        }
    }
}

impl FetchArgs {
    /// Arguments with this request id and result id.
    #[must_use]
    pub const fn new(req_id: u64, id: u64) -> Self {
        Self { req_id, id }
    }
}

impl NumFieldsArgs {
    /// Arguments with this request id and result id.
    #[must_use]
    pub const fn new(req_id: u64, result_id: u64) -> Self {
        Self { req_id, result_id }
    }
}

impl StatusArgs {
    /// Arguments with this request id and node.
    #[must_use]
    pub const fn new(req_id: u64, fqdn: Option<String>, port: i32) -> Self {
        Self { req_id, fqdn, port }
    }
}

impl ConnOption {
    /// An option and its value.
    #[must_use]
    pub const fn new(option: i32, value: Option<String>) -> Self {
        Self { option, value }
    }
}

impl OptionsArgs {
    /// Arguments with this request id and options.
    #[must_use]
    pub const fn new(req_id: u64, options: Vec<ConnOption>) -> Self {
        Self { req_id, options }
    }
}

impl InsertArgs {
    /// Lines of `protocol` under this request id; the rest is set as members.
    #[must_use]
    pub fn new(req_id: u64, protocol: i32, data: String) -> Self {
        Self {
            req_id,
            protocol,
            data,
            ..Self::default()
        }
    }
}

impl StmtArgs {
    /// Arguments with this request id and statement.
    #[must_use]
    pub const fn new(req_id: u64, stmt_id: u64) -> Self {
        Self { req_id, stmt_id }
    }
}

impl StmtPrepareArgs {
    /// Arguments with this request id, statement and SQL.
    #[must_use]
    pub fn new(req_id: u64, stmt_id: u64, sql: impl Into<String>) -> Self {
        Self {
            req_id,
            stmt_id,
            sql: sql.into(),
        }
    }
}

impl StmtTableArgs {
    /// Arguments with this request id, statement and table.
    #[must_use]
    pub fn new(req_id: u64, stmt_id: u64, name: impl Into<String>) -> Self {
        Self {
            req_id,
            stmt_id,
            name: name.into(),
        }
    }
}

impl StmtTagsArgs {
    /// Arguments with this request id, statement and tags.
    #[must_use]
    pub const fn new(req_id: u64, stmt_id: u64, tags: Vec<serde_json::Value>) -> Self {
        Self {
            req_id,
            stmt_id,
            tags,
        }
    }
}

impl StmtGetParamArgs {
    /// Arguments with this request id, statement and placeholder.
    #[must_use]
    pub const fn new(req_id: u64, stmt_id: u64, index: i64) -> Self {
        Self {
            req_id,
            stmt_id,
            index,
        }
    }
}

impl Stmt2InitArgs {
    /// Arguments with this request id and options.
    #[must_use]
    pub const fn new(req_id: u64, single_stb_insert: bool, single_table_bind_once: bool) -> Self {
        Self {
            req_id,
            single_stb_insert,
            single_table_bind_once,
        }
    }
}

impl Stmt2PrepareArgs {
    /// Arguments with this request id, statement and SQL.
    #[must_use]
    pub fn new(req_id: u64, stmt_id: u64, sql: impl Into<String>, get_fields: bool) -> Self {
        Self {
            req_id,
            stmt_id,
            sql: sql.into(),
            get_fields,
        }
    }
}

/// A text request, borrowed for serialization in one pass.
pub(crate) struct Envelope<'a, A> {
    pub(crate) action: &'a str,
    pub(crate) args: &'a A,
}

impl<A: Serialize> Serialize for Envelope<'_, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut envelope = serializer.serialize_struct("Envelope", 2)?;
        envelope.serialize_field("action", self.action)?;
        envelope.serialize_field("args", self.args)?;
        envelope.end()
    }
}

pub(super) use args;
