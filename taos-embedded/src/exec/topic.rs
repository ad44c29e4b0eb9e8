//! CREATE and DROP TOPIC: topics as objects (DIALECT §11); nothing reads them yet.

use std::sync::Arc;

use super::Exec;
use crate::catalog::Topic;
use crate::plan;
use crate::sql::SqlError;
use crate::sql::ast::{CreateTopic, DropNamed, ExprKind, Query, QueryBody, TableRef, TopicSource};

const EXISTS: u32 = 0x03E0;
const UNKNOWN: u32 = 0x03E1;
const BAD_QUERY: u32 = 0x2639;
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

impl Exec<'_> {
    pub(super) fn create_topic(&self, create: &CreateTopic) -> Result<u64, SqlError> {
        let name = create.name.name.clone();
        if self.catalog().topics.contains_key(&name) && !create.if_not_exists {
            return Err(SqlError::new(EXISTS, "Topic already exists"));
        }
        let no_database = || SqlError::new(super::NO_DATABASE, "Database not specified");
        let (kind, db) = match &create.source {
            TopicSource::Query(query) => {
                let db = self.topic_query(query)?.or_else(|| self.db.clone());
                ("column", db.ok_or_else(no_database)?)
            }
            TopicSource::Database(db) => {
                self.catalog().database(&db.name)?;
                ("db", db.name.clone())
            }
            TopicSource::Stable(stable, filter) => {
                let (db, stable) = self.writable_object(stable)?;
                if !self.catalog().database(&db)?.stables.contains_key(&stable) {
                    return Err(SqlError::new(STABLE_UNKNOWN, "STable not exist"));
                }
                if filter.is_some() {
                    return Err(SqlError::unsupported(
                        "condition of a topic on a super table",
                    ));
                }
                ("stable", db)
            }
        };
        let mut topic = Topic {
            id: 0,
            table: 0,
            columns: None,
            db,
            sql: self.sql.trim().trim_end_matches(';').to_owned(),
            created: self.now / 1_000_000,
            kind: kind.to_owned(),
            with_meta: create.with_meta,
        };
        let if_not_exists = create.if_not_exists;
        self.store().write(move |write| {
            if write.catalog().topics.contains_key(&name) {
                if if_not_exists {
                    return Ok(0);
                }
                return Err(SqlError::new(EXISTS, "Topic already exists"));
            }
            topic.id = write.new_id();
            write.execute(
                "INSERT INTO topic (name, db, sql, created, kind, with_meta, id, tbl) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                (
                    &name,
                    &topic.db,
                    &topic.sql,
                    topic.created,
                    &topic.kind,
                    topic.with_meta,
                    topic.id,
                    topic.table,
                ),
            )?;
            write.catalog_mut().topics.insert(name, Arc::new(topic));
            Ok(0)
        })
    }

    /// Checks a topic's query, and gives the database that it names.
    fn topic_query(&self, query: &Query) -> Result<Option<String>, SqlError> {
        let bad = || SqlError::new(BAD_QUERY, "Invalid topic query");
        let QueryBody::Select(select) = &query.body else {
            return Err(bad());
        };
        let aggregate = select.items.iter().any(|item| {
            matches!(&item.expr.kind, ExprKind::Function { name, .. } if AGGREGATES.contains(&name.as_str()))
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
            return Err(bad());
        };
        if aggregate || !plain {
            return Err(bad());
        }
        plan::plan(query, self.sql, &self.context())?;
        Ok(name.db.as_ref().map(|db| db.name.clone()))
    }

    pub(super) fn drop_topic(&self, drop: &DropNamed) -> Result<u64, SqlError> {
        let (name, if_exists) = (drop.name.name.clone(), drop.if_exists);
        self.store().write(move |write| {
            if write.catalog_mut().topics.remove(&name).is_none() {
                return if if_exists {
                    Ok(0)
                } else {
                    Err(SqlError::new(UNKNOWN, "Topic not exist"))
                };
            }
            write.execute("DELETE FROM topic WHERE name = ?1", [&name])?;
            Ok(0)
        })
    }
}
