use super::{
    DataType, Duration, Expr, Ident, InsertValue, ObjectName, Query, Span, TimeExpr, Using,
};

/// One option of a database, table or column, e.g. `KEEP 100d,200d`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SqlOption {
    /// Its name in lower case.
    pub name: String,
    /// Its values, one or more.
    pub values: Vec<OptionValue>,
    /// Where it stood.
    pub span: Span,
}

/// A value of an option.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OptionValue {
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// A text.
    Text(String),
    /// A number with a unit.
    Duration(Duration),
    /// A bare word, in lower case.
    Word(String),
}

/// CREATE DATABASE.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateDatabase {
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// The name.
    pub name: Ident,
    /// The options.
    pub options: Vec<SqlOption>,
}

/// ALTER DATABASE.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AlterDatabase {
    /// The name.
    pub name: Ident,
    /// The options.
    pub options: Vec<SqlOption>,
}

/// DROP DATABASE.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DropDatabase {
    /// IF EXISTS.
    pub if_exists: bool,
    /// The name.
    pub name: Ident,
}

/// A column or tag as declared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnDef {
    /// The name.
    pub name: Ident,
    /// The type.
    pub data_type: DataType,
    /// PRIMARY KEY or COMPOSITE KEY.
    pub composite_key: bool,
    /// ENCODE, COMPRESS, LEVEL, COMMENT, ….
    pub options: Vec<SqlOption>,
}

/// CREATE TABLE or STABLE with columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateTable {
    /// CREATE STABLE was written; it needs tags.
    pub stable: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// The name.
    pub name: ObjectName,
    /// The columns.
    pub columns: Vec<ColumnDef>,
    /// TAGS, which make it a super table.
    pub tags: Option<Vec<ColumnDef>>,
    /// COMMENT, TTL, SMA, ….
    pub options: Vec<SqlOption>,
}

/// One subtable of CREATE TABLE … USING ….
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateSubtable {
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// The name.
    pub name: ObjectName,
    /// The super table and the tags.
    pub using: Using,
    /// COMMENT, TTL.
    pub options: Vec<SqlOption>,
}

/// DROP TABLE or STABLE.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DropTable {
    /// DROP STABLE was written.
    pub stable: bool,
    /// The tables, each with its IF EXISTS.
    pub items: Vec<(bool, ObjectName)>,
}

/// ALTER TABLE or STABLE.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AlterTable {
    /// ALTER STABLE was written.
    pub stable: bool,
    /// The table.
    pub name: ObjectName,
    /// What to change.
    pub action: AlterAction,
}

/// What ALTER TABLE changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AlterAction {
    /// ADD COLUMN.
    AddColumn(ColumnDef),
    /// DROP COLUMN.
    DropColumn(Ident),
    /// MODIFY COLUMN name type.
    ModifyColumn(Ident, DataType),
    /// MODIFY COLUMN name ENCODE … COMPRESS … LEVEL ….
    ModifyColumnOptions(Ident, Vec<SqlOption>),
    /// RENAME COLUMN.
    RenameColumn(Ident, Ident),
    /// ADD TAG.
    AddTag(ColumnDef),
    /// DROP TAG.
    DropTag(Ident),
    /// MODIFY TAG name type.
    ModifyTag(Ident, DataType),
    /// RENAME TAG.
    RenameTag(Ident, Ident),
    /// SET TAG name = value, ….
    SetTags {
        /// Names and values.
        tags: Vec<(Ident, InsertValue)>,
        /// Times that values refer to.
        times: Vec<TimeExpr>,
    },
    /// COMMENT, TTL, ….
    Options(Vec<SqlOption>),
}

/// Which tables SHOW TABLES lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum TableKind {
    All,
    Normal,
    Child,
}

/// SHOW in its forms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Show {
    /// SHOW [USER | SYSTEM] DATABASES.
    Databases {
        /// `user` or `system`.
        kind: Option<String>,
    },
    /// SHOW [NORMAL | CHILD] [db.]TABLES [LIKE …].
    Tables {
        /// Which.
        kind: TableKind,
        /// The database named.
        db: Option<Ident>,
        /// LIKE.
        like: Option<String>,
    },
    /// SHOW [db.]STABLES [LIKE …].
    Stables {
        /// The database named.
        db: Option<Ident>,
        /// LIKE.
        like: Option<String>,
    },
    /// SHOW CREATE DATABASE.
    CreateDatabase(Ident),
    /// SHOW CREATE TABLE.
    CreateTable(ObjectName),
    /// SHOW CREATE STABLE.
    CreateStable(ObjectName),
    /// SHOW TAGS FROM table [FROM db].
    Tags(ObjectName),
    /// SHOW TABLE TAGS [a, b] FROM table [FROM db].
    TableTags {
        /// The tags named, `tbname` among them; all if empty.
        columns: Vec<SelectItemName>,
        /// The super table or subtable.
        table: ObjectName,
    },
    /// SHOW of a system table's rows.
    System(SystemShow),
    /// SHOW VARIABLES in its forms, with LIKE.
    Variables(Option<String>),
    /// SHOW CLUSTER ALIVE, or that of a database.
    Alive(Option<Ident>),
    /// SHOW of what this server does not tell: the word(s) in lower case.
    Other(String),
}

/// A SHOW that reads a system table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SystemShow {
    /// The table.
    pub table: &'static str,
    /// The only column that is shown, if it is not all of them.
    pub column: Option<&'static str>,
    /// True if it is about one database, the current one where none is named.
    pub of_database: bool,
    /// The database named.
    pub db: Option<Ident>,
    /// The table that it is about.
    pub of_table: Option<Ident>,
}

/// A tag of SHOW TABLE TAGS with its alias.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SelectItemName {
    /// The tag or `tbname`.
    pub name: Ident,
    /// AS.
    pub alias: Option<Ident>,
}

/// CREATE TOPIC.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateTopic {
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// The name.
    pub name: Ident,
    /// WITH META or ONLY META.
    pub with_meta: bool,
    /// What it carries.
    pub source: TopicSource,
    /// From AS on: the text of the source.
    pub source_span: Span,
}

/// What a topic carries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TopicSource {
    /// AS SELECT.
    Query(Box<Query>),
    /// AS DATABASE.
    Database(Ident),
    /// AS STABLE, with or without WHERE.
    Stable(ObjectName, Option<Expr>),
}

/// DROP CONSUMER GROUP.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DropConsumerGroup {
    /// IF EXISTS.
    pub if_exists: bool,
    /// FORCE.
    pub force: bool,
    /// The group.
    pub group: Ident,
    /// The topic.
    pub topic: Ident,
}

/// DROP of something with one name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DropNamed {
    /// IF EXISTS.
    pub if_exists: bool,
    /// FORCE.
    pub force: bool,
    /// The name.
    pub name: Ident,
}

/// CREATE USER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CreateUser {
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// The name.
    pub name: Ident,
    /// The password: not to be shown.
    pub password: Password,
    /// Rights.
    pub rights: UserRights,
}

/// ALTER USER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlterUser {
    /// The name.
    pub name: Ident,
    /// The new password: not to be shown.
    pub password: Option<Password>,
    /// Rights.
    pub rights: UserRights,
}

/// ENABLE, SYSINFO and CREATEDB of a user, as far as they are named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct UserRights {
    /// ENABLE.
    pub enable: Option<bool>,
    /// SYSINFO.
    pub sysinfo: Option<bool>,
    /// CREATEDB.
    pub createdb: Option<bool>,
}

/// A password that does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
