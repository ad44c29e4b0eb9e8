//! Which entries concern a topic.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, MutexGuard};

use taos_query::RawBlock;
use taos_query::tmq::raw::DataEntry;

use super::super::{Body, Entry, Part};
use super::Work;
use super::block::stamped;
use super::page;
use super::plan::{How, QueryPlan, Statement};
use super::project::Projector;
use super::tables::{self, Known, Tables};
use crate::catalog::{Database, TableDef, View};
use crate::meta::{Meta, NewKind};
use crate::sql::SqlError;
use crate::sql::ast::Expr;
use crate::store::internal;

/// What of a piece of the log a topic carries.
pub(super) struct Wanted(Kind);

enum Kind {
    /// All tables of a database.
    Database(Option<Arc<Database>>),
    Stable {
        database: Arc<Database>,
        def: Arc<TableDef>,
        /// Those of the entries' subtables that fulfil the condition; `None` without one.
        chosen: Option<HashSet<i64>>,
    },
    Query {
        plan: Arc<QueryPlan>,
        tables: Tables,
        projector: Projector,
        /// What the statement made of the parts that are still to come.
        results: VecDeque<Vec<RawBlock>>,
    },
    /// The table is gone.
    Nothing,
}

impl Wanted {
    pub(super) fn database(view: &View, db: &str) -> Self {
        Self(Kind::Database(view.catalog.databases.get(db).cloned()))
    }

    pub(super) fn stable(
        statement: &Statement<'_>,
        name: &str,
        filter: Option<&Expr>,
        mut work: MutexGuard<'_, Work>,
        entries: &[Entry],
    ) -> Result<Self, SqlError> {
        let catalog = &statement.view.catalog;
        let database = catalog.databases.get(statement.db);
        let found = database.and_then(|d| Some((d, d.stables.get(name)?)));
        let Some((database, def)) = found else {
            return Ok(Self(Kind::Nothing));
        };
        let chosen = match filter {
            None => None,
            Some(filter) => {
                let plan = statement.condition(name, filter)?;
                let ids = concerned(entries, database, def);
                let tables = tables::with_tags(&statement.view.store, def, ids.keys())?;
                let scratch = work.scratch()?;
                scratch.prepare(def, &tables)?;
                let names = scratch.names(&plan)?;
                let numbers = names
                    .iter()
                    .filter_map(|name| tables::number(database, name));
                Some(numbers.collect())
            }
        };
        Ok(Self(Kind::Stable {
            database: Arc::clone(database),
            def: Arc::clone(def),
            chosen,
        }))
    }

    pub(super) fn query(
        statement: &Statement<'_>,
        plan: Option<Arc<QueryPlan>>,
        mut work: MutexGuard<'_, Work>,
        entries: &[Entry],
    ) -> Result<Self, SqlError> {
        let catalog = &statement.view.catalog;
        let Some((plan, database)) = plan.and_then(|plan| {
            let database = catalog.databases.get(&plan.db)?;
            Some((plan, Arc::clone(database)))
        }) else {
            return Ok(Self(Kind::Nothing));
        };
        let def = &plan.def;
        let tables = if def.is_super() {
            let mut ids = concerned(entries, &database, def);
            ids.retain(|id, _| plan.only.is_none_or(|only| only == *id));
            if plan.how.asks_for_tags() {
                tables::with_tags(&statement.view.store, def, ids.keys())?
            } else {
                ids
            }
        } else {
            let known = Known {
                name: def.name.clone(),
                tags: Vec::new(),
            };
            [(def.id, known)].into()
        };
        let mut results = VecDeque::new();
        if let How::Run(statement) = &plan.how {
            let rows = entries.iter().filter_map(|entry| match &entry.body {
                Body::Rows(parts) => Some(parts),
                Body::Meta(_) => None,
            });
            let ours = |part: &&Part| part.def == def.id && tables.contains_key(&part.table);
            let parts: Vec<&Part> = rows.flatten().filter(ours).collect();
            let scratch = work.scratch()?;
            scratch.prepare(def, &tables)?;
            results = scratch.run(statement, def, &parts)?.into();
        }
        Ok(Self(Kind::Query {
            plan,
            tables,
            projector: Projector::default(),
            results,
        }))
    }
}

/// A super table's subtables that the entries name and that are there, without their tags.
fn concerned(entries: &[Entry], database: &Database, def: &TableDef) -> Tables {
    let mut all = Tables::new();
    let mut add = |name: &str| {
        if let Some(number) = tables::number(database, name) {
            all.entry(number).or_insert_with(|| Known {
                name: name.to_owned(),
                tags: Vec::new(),
            });
        }
    };
    for entry in entries {
        match &entry.body {
            Body::Rows(parts) => {
                let ours = parts.iter().filter(|part| part.def == def.id);
                ours.for_each(|part| add(part.rows.table.as_deref().unwrap_or_default()));
            }
            Body::Meta(Meta::CreateTables { tables, .. }) => {
                tables.iter().for_each(|table| add(&table.name));
            }
            Body::Meta(Meta::AlterTable(alter)) => add(&alter.table),
            Body::Meta(Meta::Delete(rows)) => add(&rows.table),
            Body::Meta(_) => {}
        }
    }
    all
}

/// True if the part's table is still there.
fn is_there(database: &Database, part: &Part) -> bool {
    let name = part.rows.table.as_deref().unwrap_or_default();
    tables::number(database, name) == Some(part.table)
}

/// A part's rows as they are.
fn whole(part: &Part) -> Vec<DataEntry> {
    let mut rows = part.rows.clone();
    rows.block = stamped(&rows.block);
    vec![rows]
}

impl page::View for Wanted {
    fn rows(&mut self, part: &Part) -> Result<Vec<DataEntry>, SqlError> {
        if self.carries(part) {
            return Ok(whole(part));
        }
        match &mut self.0 {
            Kind::Query {
                plan,
                tables,
                projector,
                results,
            } if part.def == plan.def.id => {
                let Some(known) = tables.get(&part.table) else {
                    return Ok(Vec::new());
                };
                match &plan.how {
                    How::Cut(outputs) => {
                        let row = projector.rows(plan, outputs, part.table, known, &part.rows)?;
                        Ok(vec![row])
                    }
                    How::Run(_) => {
                        let entry = |block: &RawBlock| DataEntry {
                            block: stamped(block.as_raw_bytes()),
                            rows: block.nrows() as u64,
                            precision: plan.precision.as_u8(),
                            schema: Some(Arc::clone(&plan.schema)),
                            table: None,
                        };
                        let blocks = results.pop_front();
                        let blocks = blocks.ok_or_else(|| internal("rows without a result"))?;
                        Ok(blocks.iter().map(entry).collect())
                    }
                }
            }
            _ => Ok(Vec::new()),
        }
    }

    fn carries(&self, part: &Part) -> bool {
        match &self.0 {
            Kind::Database(Some(database)) => is_there(database, part),
            Kind::Stable {
                database,
                def,
                chosen,
            } => {
                part.def == def.id
                    && chosen.as_ref().is_none_or(|all| all.contains(&part.table))
                    && is_there(database, part)
            }
            Kind::Database(None) | Kind::Query { .. } | Kind::Nothing => false,
        }
    }

    fn meta(&self, meta: &Meta) -> Option<Meta> {
        match &self.0 {
            Kind::Database(_) => Some(meta.clone()),
            Kind::Stable {
                database,
                def,
                chosen,
            } => of_stable(meta, database, def, chosen.as_ref()),
            Kind::Query { .. } | Kind::Nothing => None,
        }
    }
}

/// A change as far as it concerns a super table and those of its subtables that are chosen.
fn of_stable(
    meta: &Meta,
    database: &Database,
    def: &TableDef,
    chosen: Option<&HashSet<i64>>,
) -> Option<Meta> {
    let number = |name: &str| tables::number(database, name);
    let is_chosen = |id: Option<i64>| match (chosen, id) {
        (None, _) => true,
        (Some(chosen), id) => id.is_some_and(|id| chosen.contains(&id)),
    };
    let meta = match meta {
        Meta::CreateSuper(table) | Meta::AlterSuper(table) => {
            (table.uid == def.id).then(|| meta.clone())?
        }
        Meta::DropSuper { uid, .. } => (*uid == def.id).then(|| meta.clone())?,
        Meta::CreateTables { tables, source } => {
            let mut tables = tables.clone();
            tables.retain(|table| {
                let ours =
                    matches!(&table.kind, NewKind::Child { super_uid, .. } if *super_uid == def.id);
                ours && is_chosen(number(&table.name))
            });
            Meta::CreateTables {
                tables,
                source: *source,
            }
        }
        Meta::AlterTable(alter) => {
            let (table, of) = alter.ids;
            // by now the name may be another table's
            let there = number(&alter.table).filter(|number| *number == table);
            (of == def.id && is_chosen(there)).then(|| meta.clone())?
        }
        // the condition cannot be asked of what is gone
        Meta::DropTables(tables) => {
            let mut tables = tables.clone();
            tables.retain(|table| table.super_uid == def.id);
            Meta::DropTables(tables)
        }
        Meta::Delete(rows) => {
            let any = chosen.is_none_or(|all| rows.uids.iter().any(|uid| all.contains(uid)));
            (rows.super_uid == def.id && any).then(|| meta.clone())?
        }
    };
    match &meta {
        Meta::CreateTables { tables, .. } if tables.is_empty() => None,
        Meta::DropTables(tables) if tables.is_empty() => None,
        _ => Some(meta),
    }
}
