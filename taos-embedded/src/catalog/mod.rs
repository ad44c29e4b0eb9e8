//! What exists: databases, tables, users and topics, as one immutable picture a commit.

mod columns;
mod options;
mod stored;
mod system;
mod tables;
mod upgrade;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use taos_query::common::{Precision, Ty};

pub(crate) use columns::{Known, column, system_columns};
pub(crate) use options::Options;
pub(crate) use stored::{Definition, load};
pub(crate) use system::is_system_database;
pub(crate) use tables::Tables;
pub(crate) use upgrade::{FORMAT, schema_sql, upgrade};
pub(crate) use view::{View, tag_text};

use crate::plan::{ColumnInfo, TableInfo, TableKind};
use crate::sql::SqlError;

/// Everything that exists at one commit. Cloning shares all that does not change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalog {
    pub(crate) databases: BTreeMap<String, Arc<Database>>,
    pub(crate) users: BTreeMap<String, Arc<User>>,
    pub(crate) topics: BTreeMap<String, Arc<Topic>>,
}

impl Catalog {
    /// A database that must exist.
    pub(crate) fn database(&self, name: &str) -> Result<&Arc<Database>, SqlError> {
        self.databases
            .get(name)
            .ok_or_else(SqlError::unknown_database)
    }

    /// As [`database`](Self::database), to be changed.
    pub(crate) fn database_mut(&mut self, name: &str) -> Result<&mut Database, SqlError> {
        self.databases
            .get_mut(name)
            .map(Arc::make_mut)
            .ok_or_else(SqlError::unknown_database)
    }

    /// A table of any kind; `None` if the database lacks it.
    pub(crate) fn find(&self, db: &str, table: &str) -> Result<Option<Found<'_>>, SqlError> {
        Ok(self.database(db)?.find(table))
    }
}

/// One database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// Milliseconds since 1970.
    pub(crate) created: i64,
    pub(crate) options: Options,
    /// Number of the first of its vgroups, which no other database has or ever had.
    pub(crate) first_vgroup: i32,
    pub(crate) stables: BTreeMap<String, Arc<TableDef>>,
    /// Subtables and normal tables.
    pub(crate) tables: Tables,
}

impl Database {
    pub(crate) fn precision(&self) -> Precision {
        self.options.precision()
    }

    /// Numbers of its vgroups.
    pub(crate) fn vgroups(&self) -> Range<i32> {
        self.first_vgroup..self.first_vgroup + self.vgroup_count()
    }

    fn vgroup_count(&self) -> i32 {
        i32::try_from(self.options.number("vgroups")).map_or(1, |count| count.max(1))
    }

    /// The vgroup of a subtable or normal table, by its number and for ever: the sum of the digits to the
    /// base of the number of vgroups, which spreads numbers evenly that follow each other at any distance.
    pub(crate) fn vgroup_of(&self, table: i64) -> i32 {
        let count = self.vgroup_count();
        let base = i64::from(count);
        let (mut rest, mut sum) = (table.max(0), 0);
        while base > 1 && rest > 0 {
            sum += rest % base;
            rest /= base;
        }
        self.first_vgroup + i32::try_from(sum % base).unwrap_or_default()
    }

    /// True if its changes are logged for topics.
    pub(crate) fn keeps_log(&self) -> bool {
        self.options.number("wal_retention_period") != 0
    }

    pub(crate) fn find(&self, table: &str) -> Option<Found<'_>> {
        if let Some(def) = self.stables.get(table) {
            return Some(Found::Super(def));
        }
        match self.tables.get(table)? {
            Entry::Normal(def) => Some(Found::Normal(def)),
            Entry::Child(child) => Some(Found::Child(child, self.stables.get(&child.stable)?)),
        }
    }

    /// What the planner is told of a table.
    pub(crate) fn info(&self, found: &Found<'_>) -> TableInfo {
        let def = found.def();
        let (id, name, kind) = match found {
            Found::Super(def) => (def.id, &def.name, TableKind::Super),
            Found::Normal(def) => (def.id, &def.name, TableKind::Normal),
            Found::Child(child, def) => (
                child.id,
                &child.name,
                TableKind::Child {
                    super_id: def.id,
                    super_name: def.name.clone(),
                },
            ),
        };
        TableInfo {
            id,
            name: name.clone(),
            db: self.name.clone(),
            precision: self.precision(),
            kind,
            columns: Arc::clone(&def.columns),
            tags: Arc::clone(&def.tags),
        }
    }
}

/// A table looked up by name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found<'a> {
    Super(&'a Arc<TableDef>),
    Normal(&'a Arc<TableDef>),
    Child(&'a Arc<Child>, &'a Arc<TableDef>),
}

impl<'a> Found<'a> {
    /// The number of the table, and the version of its columns.
    pub(crate) fn version(&self) -> (i64, u32) {
        match self {
            Self::Super(def) | Self::Normal(def) => (def.id, def.version),
            Self::Child(child, def) => (child.id, def.version),
        }
    }

    /// The columns and tags, for a subtable those of its super table.
    pub(crate) const fn def(&self) -> &'a Arc<TableDef> {
        match self {
            Self::Super(def) | Self::Normal(def) | Self::Child(_, def) => def,
        }
    }
}

/// A subtable or normal table under its name.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Normal(Arc<TableDef>),
    Child(Arc<Child>),
}

/// A super table or normal table.
#[derive(Debug, Clone)]
pub(crate) struct TableDef {
    /// The number S of `d{S}` and `t{S}`.
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) created: i64,
    pub(crate) columns: Arc<[ColumnInfo]>,
    /// Empty for a normal table.
    pub(crate) tags: Arc<[ColumnInfo]>,
    /// Encode, compress and level of the columns for which they were named.
    pub(crate) compression: BTreeMap<u32, [String; 3]>,
    /// Counts the changes, so that a statement prepared before one is noticed.
    pub(crate) version: u32,
    /// The number of the next column or tag; numbers are not used twice.
    pub(crate) next_column: u32,
    pub(crate) comment: Option<String>,
    pub(crate) ttl: i32,
    /// Numbers of the columns named by SMA.
    pub(crate) sma: Vec<u32>,
}

impl TableDef {
    pub(crate) fn is_super(&self) -> bool {
        !self.tags.is_empty()
    }

    /// Column and tag of a name.
    pub(crate) fn column(&self, name: &str) -> Option<(usize, &ColumnInfo)> {
        position(&self.columns, name)
    }

    pub(crate) fn tag(&self, name: &str) -> Option<(usize, &ColumnInfo)> {
        position(&self.tags, name)
    }

    /// True if the tags are one JSON value.
    pub(crate) fn has_json_tag(&self) -> bool {
        self.tags.first().is_some_and(|t| t.ty == Ty::Json)
    }
}

fn position<'a>(columns: &'a [ColumnInfo], name: &str) -> Option<(usize, &'a ColumnInfo)> {
    columns.iter().enumerate().find(|(_, c)| c.name == name)
}

/// A subtable; its tags lie in the table `t{S}` of its super table.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) stable: String,
    pub(crate) created: i64,
    pub(crate) comment: Option<String>,
    pub(crate) ttl: i32,
}

/// A user and what checks the password.
#[derive(Clone)]
pub(crate) struct User {
    /// Empty beside a hash that holds its own.
    pub(crate) salt: Vec<u8>,
    pub(crate) hash: Vec<u8>,
    /// May do everything and cannot be dropped.
    pub(crate) administrator: bool,
    pub(crate) created: i64,
    pub(crate) rights: Rights,
}

/// What CREATE and ALTER USER say of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rights {
    /// May log in.
    pub(crate) enable: bool,
    /// May see the tables about the server itself.
    pub(crate) sysinfo: bool,
    pub(crate) createdb: bool,
}

impl Default for Rights {
    fn default() -> Self {
        Self {
            enable: true,
            sysinfo: true,
            createdb: false,
        }
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("administrator", &self.administrator)
            .finish_non_exhaustive()
    }
}

/// A topic.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    /// A number that no other topic has or ever had.
    pub(crate) id: i64,
    /// The table that it reads; 0 for a whole database.
    pub(crate) table: i64,
    /// The super table or normal table that has its columns; 0 for a whole database.
    pub(crate) def: i64,
    /// Numbers of the columns and tags that it uses.
    pub(crate) columns: BTreeSet<u32>,
    pub(crate) db: String,
    pub(crate) sql: String,
    pub(crate) created: i64,
    /// `column`, `db` or `stable`.
    pub(crate) kind: String,
    pub(crate) with_meta: bool,
}

impl Topic {
    /// True for a topic of a file of the first format whose table was not found again.
    pub(crate) fn is_unresolved(&self) -> bool {
        self.def == 0 && self.kind != "db"
    }
}

/// The columns of SHOW TAGS and `ins_tags`.
pub(crate) fn tag_columns() -> Vec<ColumnInfo> {
    columns::infos(columns::TAGS)
}

/// The columns of SHOW VARIABLES.
pub(crate) fn variable_columns() -> Vec<ColumnInfo> {
    columns::infos(columns::VARIABLES)
}

/// A column's type as the server spells it, `DECIMAL(10,2)` and `VARCHAR(20)` included.
pub(crate) fn type_text(column: &ColumnInfo, with_length: bool) -> String {
    match column.ty {
        Ty::Decimal | Ty::Decimal64 => format!("DECIMAL({},{})", column.precision, column.scale),
        Ty::VarChar | Ty::NChar | Ty::VarBinary | Ty::Geometry if with_length => {
            format!("{}({})", column.ty.name(), column.length)
        }
        ty => ty.name().to_owned(),
    }
}

/// Declared length in bytes as a row carries it: text types with two bytes in front.
pub(crate) const fn byte_length(column: &ColumnInfo) -> u32 {
    match column.ty {
        Ty::VarChar | Ty::VarBinary | Ty::Geometry => column.length.saturating_add(2),
        Ty::NChar => column.length.saturating_mul(4).saturating_add(2),
        _ => column.length,
    }
}
