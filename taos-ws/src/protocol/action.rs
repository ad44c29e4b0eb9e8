use serde::de::{Deserialize, Deserializer, Visitor};
use std::fmt;

/// Code of a binary request (§3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
#[non_exhaustive]
pub enum BinaryAction {
    /// Tags of a first-generation statement.
    SetTags = 1,
    /// Columns of a first-generation statement.
    Bind = 2,
    /// A raw TMQ message, replayed.
    WriteRaw = 3,
    /// A raw block, columns by position.
    WriteRawBlock = 4,
    /// A raw block, columns by name.
    WriteRawBlockWithFields = 5,
    /// An SQL statement.
    BinaryQuery = 6,
    /// The next block of a result.
    FetchRawBlock = 7,
    /// Data of a second-generation statement.
    Stmt2Bind = 9,
    /// An SQL statement to check only.
    ValidateSql = 10,
    /// Data of a second-generation statement, executed at once.
    Stmt2BindExec = 11,
}

impl BinaryAction {
    /// The action with this code, if there is one.
    #[must_use]
    pub const fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            1 => Self::SetTags,
            2 => Self::Bind,
            3 => Self::WriteRaw,
            4 => Self::WriteRawBlock,
            5 => Self::WriteRawBlockWithFields,
            6 => Self::BinaryQuery,
            7 => Self::FetchRawBlock,
            9 => Self::Stmt2Bind,
            10 => Self::ValidateSql,
            11 => Self::Stmt2BindExec,
            _ => return None,
        })
    }

    /// The code on the wire.
    #[must_use]
    pub const fn code(self) -> u64 {
        self as u64
    }

    /// The name that the reply's `action` member carries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SetTags => "set_tags",
            Self::Bind => "bind",
            Self::WriteRaw => "write_raw",
            Self::WriteRawBlock => "write_raw_block",
            Self::WriteRawBlockWithFields => "write_raw_block_with_fields",
            Self::BinaryQuery => "binary_query",
            Self::FetchRawBlock => "fetch_raw_block",
            Self::Stmt2Bind => "stmt2_bind",
            Self::ValidateSql => "validate_sql",
            Self::Stmt2BindExec => "stmt2_bind_exec",
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// The `action` member of a text request or reply (§3.1, §3.2).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[$doc])* $variant,)*
            /// Any other name.
            Other(String),
        }

        impl Action {
            /// The name on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(name) => name,
                }
            }
        }

        impl From<&str> for Action {
            fn from(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

actions! {
    /// The server's version; allowed before login.
    Version => "version",
    /// Login.
    Conn => "conn",
    /// An SQL statement as text.
    Query => "query",
    /// The name under which binary queries are answered.
    BinaryQuery => "binary_query",
    /// Step to the next block (old style).
    Fetch => "fetch",
    /// The block itself (old style).
    FetchBlock => "fetch_block",
    /// The name under which failed block fetches are answered in JSON (only before login).
    FetchRawBlock => "fetch_raw_block",
    /// Gives a result up; never answered.
    FreeResult => "free_result",
    /// Column count of a result.
    NumFields => "num_fields",
    /// The session's database.
    GetCurrentDb => "get_current_db",
    /// The engine's version lines.
    GetServerInfo => "get_server_info",
    /// What is known of the connection.
    GetConnectionInfo => "get_connection_info",
    /// Options of the connection.
    OptionsConnection => "options_connection",
    /// Health of the server; allowed before login.
    CheckServerStatus => "check_server_status",
    /// The name under which SQL checks are answered.
    ValidateSql => "validate_sql",
    /// Schemaless lines.
    Insert => "insert",
    /// A new statement of the first generation.
    Init => "init",
    /// SQL of a statement of the first generation.
    Prepare => "prepare",
    /// Table of the following batch.
    SetTableName => "set_table_name",
    /// Tags of that table.
    SetTags => "set_tags",
    /// Columns of that table.
    Bind => "bind",
    /// End of a batch.
    AddBatch => "add_batch",
    /// Run of the batches.
    Exec => "exec",
    /// Tags of a prepared statement.
    GetTagFields => "get_tag_fields",
    /// Columns of a prepared statement.
    GetColFields => "get_col_fields",
    /// Result of an executed query.
    UseResult => "use_result",
    /// Number of placeholders.
    StmtNumParams => "stmt_num_params",
    /// Type of a placeholder.
    StmtGetParam => "stmt_get_param",
    /// End of a statement of the first generation; not answered on success.
    Close => "close",
    /// A new statement of the second generation.
    Stmt2Init => "stmt2_init",
    /// SQL of a statement of the second generation.
    Stmt2Prepare => "stmt2_prepare",
    /// The name under which bound data is answered.
    Stmt2Bind => "stmt2_bind",
    /// Run of what was bound.
    Stmt2Exec => "stmt2_exec",
    /// Result of an executed query.
    Stmt2Result => "stmt2_result",
    /// End of a statement of the second generation.
    Stmt2Close => "stmt2_close",
    /// Joins a consumer group.
    Subscribe => "subscribe",
    /// Asks for the next message of a subscription.
    Poll => "poll",
    /// A message as it is replayed.
    FetchRaw => "fetch_raw",
    /// The same, with errors in binary form too.
    FetchRawData => "fetch_raw_data",
    /// What a message says of tables.
    FetchJsonMeta => "fetch_json_meta",
    /// Commits all that was consumed.
    Commit => "commit",
    /// Commits a place.
    CommitOffset => "commit_offset",
    /// The vgroups that the consumer reads.
    Assignment => "assignment",
    /// Goes on reading elsewhere.
    Seek => "seek",
    /// What the group has committed.
    Committed => "committed",
    /// How far the consumer has read.
    Position => "position",
    /// The topics that are subscribed to.
    ListTopics => "list_topics",
    /// Leaves the group.
    Unsubscribe => "unsubscribe",
}

impl Default for Action {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Action;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an action")
            }

            fn visit_str<E>(self, name: &str) -> Result<Action, E> {
                Ok(name.into())
            }
        }
        deserializer.deserialize_str(Name)
    }
}
