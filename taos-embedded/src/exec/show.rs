//! SHOW in its forms.

use std::fmt::Write as _;

use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use super::describe::default_compression;
use super::likes::like;
use super::{Exec, computed, result_column};
use crate::catalog::{Entry, Found, TableDef, is_system_database, tag_text, type_text};
use crate::engine::ResultRows;
use crate::plan::{ColumnInfo, Plan, ResultColumn, Schema as _};
use crate::sql::SqlError;
use crate::sql::ast::{Ident, ObjectName, SelectItemName, Show, SystemShow, TableKind};

const NO_TABLE: u32 = 0x2662;
const NO_TAGS: u32 = 0x2665;
const UNKNOWN_TAG: u32 = 0x260E;
const NO_STABLE: u32 = 0x022F;
const CREATE_TEXT: u32 = 3_145_726;

fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

fn names(column: &str, length: u32, names: Vec<String>) -> Result<ResultRows, SqlError> {
    let rows: Vec<Vec<Value>> = names.into_iter().map(|n| vec![text(n)]).collect();
    let columns = vec![result_column(column, Ty::VarChar, length)];
    computed(columns, Precision::Millisecond, &rows)
}

/// A tag's value as SHOW CREATE TABLE writes it.
fn literal(tag: &ColumnInfo, value: &Value) -> Result<String, SqlError> {
    let Some(text) = tag_text(tag, value) else {
        return Ok("NULL".to_owned());
    };
    Ok(match (tag.ty, value) {
        (Ty::Float | Ty::Double, Value::Real(v)) => with_exponent(*v),
        (Ty::Geometry, _) => return Err(SqlError::unsupported("show create of a geometry tag")),
        (Ty::VarChar | Ty::NChar | Ty::VarBinary, _) => format!("\"{text}\""),
        _ => text,
    })
}

/// Six decimals and an exponent of two digits at least, like the `%e` of C.
fn with_exponent(value: f64) -> String {
    let text = format!("{value:.6e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

impl Exec<'_> {
    pub(super) fn show(&self, show: &Show) -> Result<ResultRows, SqlError> {
        match show {
            Show::Databases { kind } => {
                let system = ["information_schema", "performance_schema"];
                let mut all: Vec<String> = Vec::new();
                if kind.as_deref() != Some("user") {
                    all.extend(system.map(str::to_owned));
                }
                if kind.as_deref() != Some("system") {
                    all.extend(self.catalog().databases.keys().cloned());
                }
                names("name", 64, all)
            }
            Show::Tables { kind, db, like } => {
                self.show_tables(*kind, db.as_ref(), like.as_deref())
            }
            Show::Stables { db, like } => self.show_stables(db.as_ref(), like.as_deref()),
            Show::CreateDatabase(name) => {
                let database = self.catalog().database(&name.name)?;
                let columns = vec![
                    result_column("Database", Ty::VarChar, 63),
                    result_column("Create Database", Ty::VarChar, 65_517),
                ];
                let statement = database.options.create_text(&database.name);
                let row = vec![text(&database.name), text(statement)];
                computed(columns, Precision::Millisecond, &[row])
            }
            Show::CreateTable(name) => self.show_create(name, false),
            Show::CreateStable(name) => self.show_create(name, true),
            Show::Tags(name) => self.show_tags(name),
            Show::TableTags { columns, table } => self.show_table_tags(columns, table),
            Show::System(show) => self.show_system(show),
            Show::Variables(pattern) => self.show_variables(pattern.as_deref()),
            Show::Alive(db) => {
                if let Some(db) = db.as_ref().filter(|db| !is_system_database(&db.name)) {
                    self.catalog().database(&db.name)?;
                }
                let columns = vec![result_column("status", Ty::Int, 0)];
                computed(columns, Precision::Millisecond, &[vec![Value::Integer(1)]])
            }
            Show::Other(words) => Err(SqlError::unsupported(format!("show {words}"))),
        }
    }

    /// The rows of a system table, or of what of it is about one database or table.
    fn show_system(&self, show: &SystemShow) -> Result<ResultRows, SqlError> {
        let mut wanted = Vec::new();
        if show.of_database {
            let db = self.show_db(show.db.as_ref())?;
            if !is_system_database(db) {
                self.catalog().database(db)?;
            }
            wanted.push(("db_name", db));
        }
        if let Some(table) = &show.of_table {
            wanted.push(("table_name", table.name.as_str()));
        }
        let db = match show.table.starts_with("perf_") {
            true => "performance_schema",
            false => "information_schema",
        };
        let system = self
            .view
            .system_table(db, show.table)?
            .ok_or_else(SqlError::unknown_table)?;
        let place = |name: &str| system.columns.iter().position(|c| c.name == name);
        let wanted: Vec<(usize, &str)> = wanted
            .into_iter()
            .filter_map(|(column, value)| Some((place(column)?, value)))
            .collect();
        let kept: Vec<usize> = match show.column {
            Some(name) => place(name).into_iter().collect(),
            None => (0..system.columns.len()).collect(),
        };
        let infos = kept.iter().filter_map(|&i| system.columns.get(i));
        let columns = infos
            .map(|c| result_column(&c.name, c.ty, c.length))
            .collect();
        let is_wanted = |row: &&Vec<Value>| {
            wanted
                .iter()
                .all(|(at, value)| matches!(row.get(*at), Some(Value::Text(text)) if text == value))
        };
        let rows: Vec<Vec<Value>> = system
            .rows
            .iter()
            .filter(is_wanted)
            .map(|row| kept.iter().filter_map(|&i| row.get(i).cloned()).collect())
            .collect();
        computed(columns, Precision::Millisecond, &rows)
    }

    /// What there is of the variables of a real server.
    fn show_variables(&self, pattern: Option<&str>) -> Result<ResultRows, SqlError> {
        let zone = self.zone.map_or("UTC", |zone| zone.name());
        let all = [
            ("charset", "UTF-8"),
            ("locale", "C.UTF-8"),
            ("timezone", zone),
        ];
        let rows: Vec<Vec<Value>> = all
            .iter()
            .filter(|(name, _)| pattern.is_none_or(|p| like(p, name)))
            .map(|(name, value)| [*name, *value, "both", "global", ""].map(text).to_vec())
            .collect();
        let columns = crate::catalog::variable_columns()
            .iter()
            .map(|c| result_column(&c.name, c.ty, c.length))
            .collect();
        computed(columns, Precision::Millisecond, &rows)
    }

    fn show_db<'b>(&'b self, named: Option<&'b Ident>) -> Result<&'b str, SqlError> {
        self.db_of(named)
            .ok_or_else(|| SqlError::new(crate::sql::code::SYNTAX, "database not specified"))
    }

    fn show_tables(
        &self,
        kind: TableKind,
        db: Option<&Ident>,
        pattern: Option<&str>,
    ) -> Result<ResultRows, SqlError> {
        let db = self.show_db(db)?;
        let wanted = |name: &str| pattern.is_none_or(|p| like(p, name));
        if is_system_database(db) {
            let tables = self.view.system_table("information_schema", "ins_tables")?;
            let rows = tables.map(|t| t.rows).unwrap_or_default();
            let all = rows.into_iter().filter_map(|row| match row.as_slice() {
                [Value::Text(name), Value::Text(of), ..] if of == db && wanted(name) => {
                    Some(name.clone())
                }
                _ => None,
            });
            return names("table_name", 192, all.collect());
        }
        let database = self.catalog().database(db)?;
        let mut all: Vec<String> = database
            .tables
            .iter()
            .filter(|(name, entry)| {
                let fits = match kind {
                    TableKind::All => true,
                    TableKind::Normal => matches!(entry, Entry::Normal(_)),
                    TableKind::Child => matches!(entry, Entry::Child(_)),
                };
                fits && wanted(name)
            })
            .map(|(name, _)| name.to_owned())
            .collect();
        all.sort_unstable();
        names("table_name", 192, all)
    }

    fn show_stables(
        &self,
        db: Option<&Ident>,
        pattern: Option<&str>,
    ) -> Result<ResultRows, SqlError> {
        let db = self.show_db(db)?;
        if is_system_database(db) {
            return names("stable_name", 192, Vec::new());
        }
        let stables = self.catalog().database(db)?.stables.keys();
        let all = stables.filter(|name| pattern.is_none_or(|p| like(p, name)));
        names("stable_name", 192, all.cloned().collect())
    }

    fn show_create(&self, name: &ObjectName, stable: bool) -> Result<ResultRows, SqlError> {
        let (db, name) = self.object(name)?;
        if is_system_database(&db) {
            return Err(SqlError::unsupported("show create of a system table"));
        }
        let found = self.find(&db, &name)?;
        if stable && !matches!(found, Found::Super(_)) {
            return Err(SqlError::new(NO_STABLE, "Table is not a super table"));
        }
        let statement = match found {
            Found::Super(def) => create_text("STABLE", def),
            Found::Normal(def) => create_text("TABLE", def),
            Found::Child(child, def) => {
                let rows = self.view.tag_rows(def, Some(child))?;
                let values = rows.into_iter().next().map(|r| r.1).unwrap_or_default();
                let tags: Vec<String> = def.tags.iter().map(|t| format!("`{}`", t.name)).collect();
                let values = def.tags.iter().zip(&values).map(|(t, v)| literal(t, v));
                let values = values.collect::<Result<Vec<String>, SqlError>>()?;
                let mut out = format!(
                    "CREATE TABLE `{name}` USING `{}` ({}) TAGS ({})",
                    def.name,
                    tags.join(", "),
                    values.join(", ")
                );
                table_tail(&mut out, child.ttl, child.comment.as_deref());
                out
            }
        };
        let columns = vec![
            result_column("Table", Ty::VarChar, 193),
            result_column("Create Table", Ty::VarChar, CREATE_TEXT),
        ];
        let row = vec![text(&name), text(statement)];
        computed(columns, Precision::Millisecond, &[row])
    }

    fn show_tags(&self, name: &ObjectName) -> Result<ResultRows, SqlError> {
        let db = self.show_db(name.db.as_ref())?.to_owned();
        let name = name.name.name.clone();
        let rows = match self.catalog().find(&db, &name)? {
            None => {
                return Err(SqlError::new(
                    NO_TABLE,
                    "Fail to get table info, error: Table does not exist",
                ));
            }
            Some(Found::Normal(_)) => return Err(no_tags()),
            Some(Found::Super(def)) => self.view.show_tags(&db, def, None)?,
            Some(Found::Child(child, def)) => self.view.show_tags(&db, def, Some(child))?,
        };
        let columns = crate::catalog::tag_columns()
            .iter()
            .map(|c| result_column(&c.name, c.ty, c.length))
            .collect();
        computed(columns, Precision::Millisecond, &rows)
    }

    fn show_table_tags(
        &self,
        named: &[SelectItemName],
        table: &ObjectName,
    ) -> Result<ResultRows, SqlError> {
        let db = self.show_db(table.db.as_ref())?.to_owned();
        let found = self.find(&db, &table.name.name)?;
        let (def, child) = match found {
            Found::Super(def) => (def, None),
            Found::Child(child, def) => (def, Some(child)),
            Found::Normal(_) => return Err(no_tags()),
        };
        let mut columns = Vec::new();
        let mut cells = Vec::new();
        let mut add = |tag: Option<&ColumnInfo>, alias: &str| match tag {
            None => {
                columns.push(result_column(alias, Ty::VarChar, 270));
                cells.push("name".to_owned());
            }
            Some(tag) => {
                columns.push(ResultColumn {
                    name: alias.to_owned(),
                    ty: tag.ty,
                    length: tag.length,
                    precision: tag.precision,
                    scale: tag.scale,
                });
                cells.push(format!("g{}", tag.id));
            }
        };
        if named.is_empty() {
            add(None, "tbname");
            for tag in &*def.tags {
                add(Some(tag), &tag.name);
            }
        }
        for item in named {
            let name = &item.name.name;
            let alias = &item.alias.as_ref().unwrap_or(&item.name).name;
            if name == "tbname" {
                add(None, alias);
                continue;
            }
            let (_, tag) = def
                .tag(name)
                .ok_or_else(|| SqlError::new(UNKNOWN_TAG, format!("Invalid tag name: {name}")))?;
            add(Some(tag), alias);
        }
        let mut sql = format!("SELECT {} FROM t{}", cells.join(", "), def.id);
        if let Some(child) = child {
            let _ = write!(sql, " WHERE tbl = {}", child.id);
        }
        let plan = Plan {
            columns: columns.clone(),
            precision: self.catalog().database(&db)?.precision(),
            sql,
            params: Vec::new(),
        };
        let precision = plan.precision;
        let stream = self.store().query(plan)?;
        Ok(ResultRows::streaming(columns.into(), precision, stream))
    }
}

fn no_tags() -> SqlError {
    SqlError::new(
        NO_TAGS,
        "Tags can only applied to super table and child table",
    )
}

fn create_text(kind: &str, def: &TableDef) -> String {
    let list = |columns: &[ColumnInfo]| {
        let texts: Vec<String> = columns
            .iter()
            .map(|c| {
                let key = if c.composite_key {
                    " COMPOSITE KEY"
                } else {
                    ""
                };
                let compression = compression_text(def, c);
                format!("`{}` {}{compression}{key}", c.name, type_text(c, true))
            })
            .collect();
        texts.join(", ")
    };
    let mut out = format!("CREATE {kind} `{}` ({})", def.name, list(&def.columns));
    if def.is_super() {
        let _ = write!(out, " TAGS ({})", list(&def.tags));
    }
    table_tail(&mut out, def.ttl, def.comment.as_deref());
    let sma = def.columns.iter().filter(|c| def.sma.contains(&c.id));
    let sma: Vec<String> = sma.map(|c| format!("`{}`", c.name)).collect();
    if !sma.is_empty() && sma.len() < def.columns.len() {
        let _ = write!(out, " SMA({})", sma.join(","));
    }
    out
}

/// What of a column's compression is not as its type has it.
fn compression_text(def: &TableDef, column: &ColumnInfo) -> String {
    let mut out = String::new();
    let Some(named) = def.compression.get(&column.id) else {
        return out;
    };
    let words = ["ENCODE", "COMPRESS", "LEVEL"];
    let usual = default_compression(column.ty);
    for ((word, usual), value) in words.iter().zip(usual).zip(named) {
        if value != usual {
            let _ = write!(out, " {word} '{value}'");
        }
    }
    out
}

fn table_tail(out: &mut String, ttl: i32, comment: Option<&str>) {
    if let Some(comment) = comment {
        let _ = write!(out, " COMMENT '{comment}'");
    }
    if ttl > 0 {
        let _ = write!(out, " TTL {ttl}");
    }
}
