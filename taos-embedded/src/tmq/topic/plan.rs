//! The statement of a topic, planned for the tables as they are.

use std::collections::BTreeSet;
use std::sync::Arc;

use taos_query::block::{BlockWriter, ColumnBuilder};
use taos_query::common::{Precision, Ty};
use taos_query::tmq::raw::{EntryColumn, EntrySchema};

use super::block::{self, Head};
use crate::catalog::{Catalog, Database, Found, TableDef, View};
use crate::plan::{
    self, ColumnInfo, Context, Plan, ResultColumn, Schema, SystemTable, TableInfo, TableKind,
};
use crate::server::Emulated;
use crate::sql::SqlError;
use crate::sql::ast::{
    Expr, ExprKind, Ident, ObjectName, Query, QueryBody, Select, SelectItem, Span, TableRef,
};
use crate::store::internal;

/// The number of a column that tells which part of the log a row is of.
pub(super) const PART: u32 = u32::MAX;
/// A name that no statement has.
const PART_NAME: &str = "\0part";

/// The catalog, where tables have that column too.
#[derive(Debug)]
struct WithParts<'a>(&'a View);

impl Schema for WithParts<'_> {
    fn database(&self, name: &str) -> Result<Option<Precision>, SqlError> {
        self.0.database(name)
    }

    fn table(&self, db: &str, name: &str) -> Result<Option<TableInfo>, SqlError> {
        let table = self.0.table(db, name)?;
        let part = ColumnInfo {
            name: PART_NAME.to_owned(),
            id: PART,
            ty: Ty::BigInt,
            length: 8,
            precision: 0,
            scale: 0,
            composite_key: false,
        };
        Ok(table.map(|mut table| {
            table.columns = table.columns.iter().cloned().chain([part]).collect();
            table
        }))
    }

    fn system_table(&self, db: &str, name: &str) -> Result<Option<SystemTable>, SqlError> {
        self.0.system_table(db, name)
    }
}

/// Where a column of the result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// A column of the table, by its number in messages.
    Column(i32),
    /// A tag, by its place.
    Tag(usize),
    /// The table's name.
    Name,
}

/// How rows become those of the topic.
#[derive(Debug, Clone)]
pub(super) enum How {
    /// Columns of the log's blocks are taken as they are.
    Cut(Vec<Output>),
    /// The statement runs on the rows; a column behind those of the result tells their parts.
    Run(Plan),
}

impl How {
    /// True if the tags of tables must be known.
    pub(super) fn asks_for_tags(&self) -> bool {
        match self {
            Self::Cut(outputs) => outputs.iter().any(|one| matches!(one, Output::Tag(_))),
            Self::Run(_) => true,
        }
    }
}

/// The statement of a query topic, good until its table changes.
#[derive(Debug)]
pub(super) struct QueryPlan {
    /// Where its table is looked up.
    pub(super) db: String,
    pub(super) table: String,
    pub(super) def: Arc<TableDef>,
    /// The only table whose rows count; `None` for all subtables of a super table.
    pub(super) only: Option<i64>,
    /// The result's columns as blocks describe them.
    pub(super) heads: Vec<Head>,
    /// And as messages do.
    pub(super) schema: Arc<EntrySchema>,
    pub(super) columns: Vec<ResultColumn>,
    pub(super) precision: Precision,
    pub(super) how: How,
    /// The statement names the present time, so the plan serves only once.
    pub(super) is_passing: bool,
}

/// What a statement is planned under.
pub(super) struct Statement<'a> {
    pub(super) view: &'a View,
    pub(super) db: &'a str,
    /// CREATE TOPIC, which the spans of its query point into.
    pub(super) sql: &'a str,
    /// Nanoseconds since 1970.
    pub(super) now: i64,
}

impl Statement<'_> {
    fn context(&self) -> Context<'_> {
        self.context_of(self.view)
    }

    fn context_of<'s>(&'s self, schema: &'s dyn Schema) -> Context<'s> {
        Context {
            schema,
            db: Some(self.db.to_owned()),
            now: self.now,
            zone: None,
            version: Emulated::OWN,
        }
    }

    fn catalog(&self) -> &Catalog {
        &self.view.catalog
    }

    /// Plans the query of a topic; `None` if its table is gone. A wildcard stands for those of the columns
    /// that the topic was made on.
    pub(super) fn query(
        &self,
        query: &Query,
        columns: &BTreeSet<u32>,
    ) -> Result<Option<QueryPlan>, SqlError> {
        let (QueryBody::Select(select), Some((database, found))) =
            (&query.body, self.table(query)?)
        else {
            return Ok(None);
        };
        let info = database.info(&found);
        let select = &without_wildcards(select, &info, columns);
        let of = |select: &Select| Query {
            body: QueryBody::Select(Box::new(select.clone())),
            ..query.clone()
        };
        let plan = plan::plan(&of(select), self.sql, &self.context())?;
        let heads = heads(&plan.columns)?;
        let described = plan.columns.iter().zip(&heads).zip(1..);
        let described = described.map(|((column, head), id)| EntryColumn {
            ty: head.ty.as_u8(),
            flags: 0,
            bytes: head.width(),
            id,
            name: column.name.clone(),
        });
        let schema = Arc::new(EntrySchema::new(0, described.collect()));
        let only = match info.kind {
            TableKind::Super => None,
            TableKind::Normal | TableKind::Child { .. } => Some(info.id),
        };
        Ok(Some(QueryPlan {
            db: info.db.clone(),
            table: info.name.clone(),
            def: Arc::clone(found.def()),
            only,
            heads,
            schema,
            columns: plan.columns.clone(),
            precision: plan.precision,
            how: match outputs(select, &info).filter(|all| all.len() == plan.columns.len()) {
                Some(outputs) => How::Cut(outputs),
                None => {
                    let mut select = select.clone();
                    select.items.push(SelectItem {
                        expr: column_named(PART_NAME, true),
                        alias: None,
                    });
                    let schema = WithParts(self.view);
                    let context = self.context_of(&schema);
                    How::Run(plan::plan(&of(&select), self.sql, &context)?)
                }
            },
            is_passing: names_the_present(select),
        }))
    }

    /// The database and table that a query reads, if they are there.
    fn table(&self, query: &Query) -> Result<Option<(&Database, Found<'_>)>, SqlError> {
        let QueryBody::Select(select) = &query.body else {
            return Ok(None);
        };
        let Some(TableRef::Table { name, .. }) = &select.from else {
            return Err(SqlError::unsupported("a topic that reads no table"));
        };
        let db = name.db.as_ref().map_or(self.db, |db| db.name.as_str());
        let Some(database) = self.catalog().databases.get(db) else {
            return Ok(None);
        };
        let found = database.find(&name.name.name);
        Ok(found.map(|found| (&**database, found)))
    }

    /// The names of the subtables whose tags fulfil the condition of a topic on a super table.
    pub(super) fn condition(&self, stable: &str, filter: &Expr) -> Result<Plan, SqlError> {
        let select = Select {
            tags: true,
            items: vec![SelectItem {
                expr: column_named("tbname", false),
                alias: None,
            }],
            from: Some(TableRef::Table {
                name: ObjectName {
                    db: Some(ident(self.db, true)),
                    name: ident(stable, true),
                },
                alias: None,
            }),
            filter: Some(filter.clone()),
            ..Select::default()
        };
        let query = Query {
            body: QueryBody::Select(Box::new(select)),
            order_by: Vec::new(),
            slimit: None,
            limit: None,
            span: Span::default(),
        };
        plan::plan(&query, self.sql, &self.context())
    }
}

/// The statement with the names of these columns and tags in place of wildcards.
fn without_wildcards(select: &Select, table: &TableInfo, columns: &BTreeSet<u32>) -> Select {
    let tags = match table.kind {
        TableKind::Super => &*table.tags,
        TableKind::Normal | TableKind::Child { .. } => &[],
    };
    let all = table.columns.iter().chain(tags);
    let named = all.filter(|column| columns.contains(&column.id));
    let named: Vec<SelectItem> = named
        .map(|column| SelectItem {
            expr: column_named(&column.name, true),
            alias: Some(ident(&column.name, true)),
        })
        .collect();
    let items = select.items.iter().flat_map(|item| match item.expr.kind {
        ExprKind::Wildcard(_) => named.clone(),
        _ => vec![item.clone()],
    });
    Select {
        items: items.collect(),
        ..select.clone()
    }
}

fn ident(name: &str, quoted: bool) -> Ident {
    Ident {
        name: name.to_owned(),
        quoted,
        span: Span::default(),
    }
}

fn column_named(name: &str, quoted: bool) -> Expr {
    Expr {
        kind: ExprKind::Column {
            table: None,
            name: ident(name, quoted),
        },
        span: Span::default(),
    }
}

/// Where each column of the result comes from, if nothing is computed or left out.
fn outputs(select: &Select, table: &TableInfo) -> Option<Vec<Output>> {
    if select.filter.is_some() {
        return None;
    }
    let number = |id: u32| i32::try_from(id).ok()?.checked_add(1);
    let mut all = Vec::new();
    for item in &select.items {
        match &item.expr.kind {
            ExprKind::Column { name, .. } => {
                let column = table.columns.iter().find(|c| c.name == name.name);
                let tag = table.tags.iter().position(|t| t.name == name.name);
                all.push(match (column, tag) {
                    (Some(column), None) => Output::Column(number(column.id)?),
                    (None, Some(tag)) => Output::Tag(tag),
                    (None, None) if name.name == "tbname" && !name.quoted => Output::Name,
                    _ => return None,
                });
            }
            _ => return None,
        }
    }
    Some(all)
}

/// True if a statement means something else at each moment.
fn names_the_present(select: &Select) -> bool {
    let is_time = |part: &Expr| match &part.kind {
        ExprKind::Function { name, .. } => ["now", "today"].contains(&name.as_str()),
        ExprKind::InQuery { .. } | ExprKind::Exists(_) => true,
        _ => false,
    };
    let items = select.items.iter().map(|item| &item.expr);
    items
        .chain(&select.filter)
        .any(|expr| plan::any_part(expr, &is_time))
}

/// What a block of a result says of its columns.
fn heads(columns: &[ResultColumn]) -> Result<Vec<Head>, SqlError> {
    let builders = columns
        .iter()
        .map(|c| ColumnBuilder::new(c.ty, c.length, c.precision, c.scale));
    let empty = BlockWriter::new(builders.collect())
        .finish()
        .map_err(internal)?;
    let cut = block::cut(&empty)?;
    Ok(cut.columns.into_iter().map(|(head, _)| head).collect())
}
