//! CREATE and DROP TOPIC (DIALECT §11), and what topics forbid.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::Exec;
use super::insert::check_table_name;
use crate::catalog::{Catalog, Found, TableDef, Topic, byte_length};
use crate::plan::{self, ColumnInfo};
use crate::server::Emulated;
use crate::sql::ast::{
    AlterAction, CreateTopic, DropConsumerGroup, DropNamed, Expr, ExprKind, ObjectName, Query,
    QueryBody, Select, Statement, TableRef, TopicSource,
};
use crate::sql::{self, SqlError};
use crate::store::{Store, internal};

const EXISTS: u32 = 0x03E0;
const UNKNOWN: u32 = 0x03E1;
const MUST_BE_DROPPED: u32 = 0x03ED;
const FIELD_USED: u32 = 0x03C4;
const NO_LOG: u32 = 0x038C;
const BAD_QUERY: u32 = 0x2639;
/// Bytes of tags that a topic may put beside each row: what 4,096 rows then take fits into a message.
const TAG_BYTES: u32 = 32 << 10;
const STABLE_UNKNOWN: u32 = 0x0362;

/// Functions that make one row of many; a topic cannot carry them.
const AGGREGATES: &[&str] = &[
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "first",
    "last",
    "last_row",
    "spread",
    "stddev",
    "percentile",
    "apercentile",
    "top",
    "bottom",
    "mode",
    "twa",
    "irate",
    "elapsed",
    "unique",
    "hyperloglog",
    "histogram",
    "leastsquares",
    "diff",
    "derivative",
    "csum",
    "mavg",
    "tail",
    "sample",
    "interp",
    "statecount",
    "stateduration",
];

fn bad_query() -> SqlError {
    SqlError::new(BAD_QUERY, "Invalid topic query")
}

/// Topics cannot be read from a database that keeps no log.
pub(super) fn no_log() -> SqlError {
    SqlError::new(
        NO_LOG,
        "WAL retention period is zero: set WAL_RETENTION_PERIOD of the database first",
    )
}

/// A topic stands in the way.
pub(super) fn must_be_dropped() -> SqlError {
    SqlError::new(MUST_BE_DROPPED, "Topic must be dropped first")
}

/// Refuses to drop a table that a topic is made on.
pub(super) fn check_drop(catalog: &Catalog, id: i64) -> Result<(), SqlError> {
    let mut topics = catalog.topics.values();
    match topics.any(|topic| topic.table == id || topic.def == id) {
        true => Err(must_be_dropped()),
        false => Ok(()),
    }
}

/// Refuses to change a column or tag that a topic uses.
pub(super) fn check_alter(
    catalog: &Catalog,
    def: &TableDef,
    action: &AlterAction,
) -> Result<(), SqlError> {
    let found = match action {
        AlterAction::DropColumn(name)
        | AlterAction::ModifyColumn(name, _)
        | AlterAction::RenameColumn(name, _) => def.column(&name.name),
        AlterAction::DropTag(name)
        | AlterAction::ModifyTag(name, _)
        | AlterAction::RenameTag(name, _) => def.tag(&name.name),
        _ => None,
    };
    let Some((_, column)) = found else {
        return Ok(());
    };
    let mut topics = catalog.topics.values();
    match topics.any(|topic| topic.def == def.id && topic.columns.contains(&column.id)) {
        true => Err(SqlError::new(FIELD_USED, "Field used by topic")),
        false => Ok(()),
    }
}

/// Calls `each` with the name of every column that an expression has.
fn columns_in(expr: &Expr, each: &dyn Fn(&str)) {
    plan::any_part(expr, &|part| {
        if let ExprKind::Column { name, .. } = &part.kind {
            each(&name.name);
        }
        false
    });
}

fn is_wildcard(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Wildcard(_))
}

/// Numbers of the columns and tags that a query uses.
fn columns_of(select: &Select, def: &TableDef) -> BTreeSet<u32> {
    let numbers = RefCell::new(BTreeSet::new());
    let all = def.columns.iter().chain(&*def.tags);
    if select.items.iter().any(|item| is_wildcard(&item.expr)) {
        numbers.borrow_mut().extend(all.map(|column| column.id));
    }
    let parts = select.items.iter().map(|item| &item.expr);
    for part in parts.chain(&select.filter) {
        columns_in(part, &|name| {
            let found = def.column(name).or_else(|| def.tag(name));
            numbers.borrow_mut().extend(found.map(|(_, c)| c.id));
        });
    }
    numbers.into_inner()
}

/// The declared bytes of the tags that stand in each row of a query.
fn tag_bytes(select: &Select, def: &TableDef) -> u32 {
    let sum = |tags: &[ColumnInfo]| tags.iter().map(byte_length).fold(0, u32::saturating_add);
    let items = select.items.iter().map(|item| match &item.expr.kind {
        ExprKind::Wildcard(_) => sum(&def.tags),
        ExprKind::Column { name, .. } => def.tag(&name.name).map_or(0, |(_, tag)| byte_length(tag)),
        _ => 0,
    });
    items.fold(0, u32::saturating_add)
}

/// Looks up what topics are made on that come from a file of the first format; they have no numbers of
/// tables and columns.
///
/// # Errors
/// Those of the storage.
pub(crate) fn resolve_topics(store: &Store) -> Result<(), SqlError> {
    let catalog = store.catalog();
    let found: Vec<(String, Topic)> = catalog
        .topics
        .iter()
        .filter(|(_, topic)| topic.is_unresolved())
        .filter_map(|(name, topic)| Some((name.clone(), resolved(&catalog, topic)?)))
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    let stored = store.write(move |write| {
        for (name, topic) in found {
            let columns = serde_json::to_string(&topic.columns).map_err(internal)?;
            let sql = "UPDATE topic SET tbl = ?2, def = ?3, columns = ?4 WHERE name = ?1";
            write.execute(sql, (&name, topic.table, topic.def, columns))?;
            write.catalog_mut().topics.insert(name, Arc::new(topic));
        }
        Ok(0)
    });
    stored.map(drop)
}

fn resolved(catalog: &Catalog, topic: &Topic) -> Option<Topic> {
    let Statement::CreateTopic(create) = sql::parse(&topic.sql).ok()? else {
        return None;
    };
    let find = |name: &ObjectName| {
        let db = name.db.as_ref().map_or(&topic.db, |db| &db.name);
        catalog.databases.get(db)?.find(&name.name.name)
    };
    let (table, columns) = match &create.source {
        TopicSource::Database(_) => return None,
        TopicSource::Stable(name, filter) => {
            let found = find(name).filter(|found| matches!(found, Found::Super(_)))?;
            let numbers = RefCell::new(BTreeSet::new());
            if let Some(part) = filter {
                columns_in(part, &|name| {
                    let tag = found.def().tag(name);
                    numbers.borrow_mut().extend(tag.map(|(_, tag)| tag.id));
                });
            }
            (found, numbers.into_inner())
        }
        TopicSource::Query(query) => match &query.body {
            QueryBody::Select(select) => match &select.from {
                Some(TableRef::Table { name, .. }) => {
                    let found = find(name)?;
                    let columns = columns_of(select, found.def());
                    (found, columns)
                }
                _ => return None,
            },
            _ => return None,
        },
    };
    Some(Topic {
        table: match &table {
            Found::Child(child, _) => child.id,
            Found::Super(def) | Found::Normal(def) => def.id,
        },
        def: table.def().id,
        columns,
        ..topic.clone()
    })
}

/// What a topic is made on.
struct Source {
    db: String,
    kind: &'static str,
    /// The table; `None` for a whole database.
    name: Option<String>,
    table: i64,
    def: i64,
    columns: BTreeSet<u32>,
}

impl Exec<'_> {
    pub(super) fn create_topic(&self, create: &CreateTopic) -> Result<u64, SqlError> {
        let name = create.name.name.clone();
        check_table_name(&name)?;
        if self.catalog().topics.contains_key(&name) {
            return match create.if_not_exists {
                true => Ok(0),
                false => Err(SqlError::new(EXISTS, "Topic already exists")),
            };
        }
        let source = self.topic_source(&create.source)?;
        let mut topic = Topic {
            id: 0,
            table: source.table,
            def: source.def,
            columns: source.columns,
            db: source.db,
            sql: self.sql.trim().trim_end_matches(';').to_owned(),
            created: self.now / 1_000_000,
            kind: source.kind.to_owned(),
            with_meta: create.with_meta,
        };
        let if_not_exists = create.if_not_exists;
        let table = source.name;
        let database = self.catalog().database(&topic.db)?;
        let found = table.as_deref().and_then(|name| database.find(name));
        let version = found.map(|found| found.version());
        self.store().write(move |write| {
            if write.catalog().topics.contains_key(&name) {
                return match if_not_exists {
                    true => Ok(0),
                    false => Err(SqlError::new(EXISTS, "Topic already exists")),
                };
            }
            let database = write.catalog().database(&topic.db)?;
            if !database.keeps_log() {
                return Err(no_log());
            }
            let now = table.as_deref().and_then(|name| database.find(name));
            if now.map(|found| found.version()) != version {
                return Err(super::rows::stale());
            }
            topic.id = write.new_id();
            write.execute(
                "INSERT INTO topic (name, db, sql, created, kind, with_meta, id, tbl, def, columns) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                (
                    &name,
                    &topic.db,
                    &topic.sql,
                    topic.created,
                    &topic.kind,
                    topic.with_meta,
                    topic.id,
                    topic.table,
                    topic.def,
                    serde_json::to_string(&topic.columns).map_err(internal)?,
                ),
            )?;
            write.catalog_mut().topics.insert(name, Arc::new(topic));
            Ok(0)
        })
    }

    fn topic_source(&self, source: &TopicSource) -> Result<Source, SqlError> {
        match source {
            TopicSource::Query(query) => self.topic_query(query),
            TopicSource::Database(db) => {
                self.catalog().database(&db.name)?;
                Ok(Source {
                    db: db.name.clone(),
                    kind: "db",
                    name: None,
                    table: 0,
                    def: 0,
                    columns: BTreeSet::new(),
                })
            }
            TopicSource::Stable(stable, filter) => {
                let (db, stable) = self.writable_object(stable)?;
                let database = self.catalog().database(&db)?;
                // with a condition it is the parser who looks the table up, else the manager of tables
                let unknown = || match (database.find(&stable), filter) {
                    (None, Some(_)) => SqlError::unknown_table(),
                    (Some(_), Some(_)) => SqlError::syntax("Only supertable table can be used"),
                    (_, None) => SqlError::new(STABLE_UNKNOWN, "STable not exist"),
                };
                let def = database.stables.get(&stable).ok_or_else(unknown)?;
                let columns = match filter {
                    Some(filter) => self.topic_filter(&db, def, filter)?,
                    None => BTreeSet::new(),
                };
                Ok(Source {
                    kind: "stable",
                    name: Some(stable),
                    table: def.id,
                    def: def.id,
                    columns,
                    db,
                })
            }
        }
    }

    /// Checks the condition of a topic on a super table, which may only ask for tags and names of
    /// subtables, and gives the numbers of the tags.
    fn topic_filter(
        &self,
        db: &str,
        def: &TableDef,
        filter: &Expr,
    ) -> Result<BTreeSet<u32>, SqlError> {
        let (numbers, is_bad) = (RefCell::new(BTreeSet::new()), RefCell::new(false));
        columns_in(filter, &|name| match def.tag(name) {
            Some((_, tag)) => drop(numbers.borrow_mut().insert(tag.id)),
            None => {
                if name != "tbname" {
                    is_bad.replace(true);
                }
            }
        });
        if is_bad.into_inner() {
            return Err(SqlError::syntax(
                "the condition of a topic, which may name tags only",
            ));
        }
        if plan::has_aggregate(filter) {
            return Err(bad_query());
        }
        let condition = filter.span.of(self.sql);
        let sql = format!("select tbname from `{db}`.`{}` where {condition}", def.name);
        let Statement::Query(query) = sql::parse(&sql)? else {
            return Err(bad_query());
        };
        self.check_plan(&query, &sql, Some(db))?;
        Ok(numbers.into_inner())
    }

    /// Checks that a query can be planned, and means the same where it is read, without the zone and the
    /// database of this connection: consumers have others.
    fn check_plan(&self, query: &Query, sql: &str, db: Option<&str>) -> Result<(), SqlError> {
        let mut context = self.context();
        let ours = plan::plan(query, sql, &context)?;
        context.zone = None;
        let utc = plan::plan(query, sql, &context)?;
        if (&ours.sql, &ours.params) != (&utc.sql, &utc.params) {
            return Err(SqlError::unsupported(
                "a topic that depends on the connection's time zone; write times with their offset",
            ));
        }
        context.db = db.map(str::to_owned);
        context.version = Emulated::OWN;
        let read = plan::plan(query, sql, &context)?;
        if (ours.sql, ours.params) != (read.sql, read.params) {
            return Err(SqlError::unsupported(
                "a topic that depends on the connection's database or the server's version",
            ));
        }
        Ok(())
    }

    /// Checks a topic's query.
    fn topic_query(&self, query: &Query) -> Result<Source, SqlError> {
        let QueryBody::Select(select) = &query.body else {
            return Err(bad_query());
        };
        let aggregate = select.items.iter().any(|item| {
            plan::any_part(&item.expr, &|part| {
                matches!(&part.kind, ExprKind::Function { name, .. } if AGGREGATES.contains(&name.as_str()))
            })
        });
        let plain = query.order_by.is_empty()
            && query.limit.is_none()
            && query.slimit.is_none()
            && !select.distinct
            && !select.tags
            && select.partition_by.is_empty()
            && select.group_by.is_empty()
            && select.window.is_none()
            && select.having.is_none();
        let Some(TableRef::Table { name, .. }) = &select.from else {
            return Err(bad_query());
        };
        if aggregate || !plain {
            return Err(bad_query());
        }
        let db = name.db.as_ref().map(|db| db.name.as_str());
        self.check_plan(query, self.sql, db.or(self.db.as_deref()))?;
        let (db, name) = self
            .writable_object(name)
            .map_err(|error| match error.code {
                super::SYSTEM_TABLE => bad_query(),
                _ => error,
            })?;
        let found = self.find(&db, &name)?;
        let def = found.def();
        if tag_bytes(select, def) > TAG_BYTES {
            let text = format!("a topic whose rows repeat more than {TAG_BYTES} bytes of tags");
            return Err(SqlError::unsupported(text));
        }
        let table = match found {
            Found::Child(child, _) => child.id,
            Found::Super(def) | Found::Normal(def) => def.id,
        };
        Ok(Source {
            kind: "column",
            name: Some(name),
            table,
            def: def.id,
            columns: columns_of(select, def),
            db,
        })
    }

    pub(super) fn drop_topic(&self, drop: &DropNamed) -> Result<u64, SqlError> {
        let (name, if_exists, force) = (drop.name.name.clone(), drop.if_exists, drop.force);
        let broker = Arc::clone(&self.view.broker);
        self.store().write(move |write| {
            if !write.catalog().topics.contains_key(&name) {
                return match if_exists {
                    true => Ok(0),
                    false => Err(SqlError::new(UNKNOWN, "Topic not exist")),
                };
            }
            broker.drop_topic(write, &name, force)?;
            write.catalog_mut().topics.remove(&name);
            write.execute("DELETE FROM topic WHERE name = ?1", [&name])?;
            Ok(0)
        })
    }

    pub(super) fn drop_consumer_group(&self, drop: &DropConsumerGroup) -> Result<u64, SqlError> {
        let broker = Arc::clone(&self.view.broker);
        let drop = drop.clone();
        self.store().write(move |write| {
            if !write.catalog().topics.contains_key(&drop.topic.name) {
                return match drop.if_exists {
                    true => Ok(0),
                    false => Err(SqlError::new(UNKNOWN, "Topic not exist")),
                };
            }
            let (group, topic) = (&drop.group.name, &drop.topic.name);
            broker.drop_group(write, group, topic, drop.if_exists, drop.force)?;
            Ok(0)
        })
    }
}
