//! A statement's text and what is known about it, wherever it lives.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Bound;
use super::layout::Layout;
use super::outline::Outline;
use crate::common::Ty;
use crate::error::RawResult;
use crate::helpers::{quote_name, quote_table, split_table};
use crate::stmt::Stmt2Field;

/// Tables whose layouts are kept; beyond that all are learnt anew.
const TABLES: usize = 1 << 16;

/// What the peer says about a prepared statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// It writes.
    pub insert: bool,
    /// What the placeholders of an INSERT are, where the peer knows them by now.
    pub fields: Option<Vec<Stmt2Field>>,
    /// Number of placeholders, if told.
    pub count: Option<usize>,
}

/// The placeholders of an INSERT.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// As the peer told them, in the order of the SQL.
    pub fields: Vec<Stmt2Field>,
    /// What data must fit.
    pub layout: Layout,
}

/// A text, and what is known about it.
#[derive(Debug)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// What the text says.
    pub outline: Outline,
    /// What the peer says, once it is prepared.
    pub prepared: Option<Prepared>,
    /// The session's database when it was first prepared, in which its tables are looked for.
    pub database: String,
    /// Of an INSERT: what was learnt last, which holds for all rows unless the table alone tells.
    known: Option<Arc<Known>>,
    /// By bound name, where the table alone tells: no two need be alike.
    tables: HashMap<String, Arc<Known>>,
}

impl Statement {
    /// A text that nobody has prepared yet.
    #[must_use]
    pub fn new(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            outline: Outline::of(sql),
            prepared: None,
            database: String::new(),
            known: None,
            tables: HashMap::new(),
        }
    }

    /// What was learnt last.
    #[must_use]
    pub fn fields(&self) -> Option<&Vec<Stmt2Field>> {
        self.known.as_ref().map(|known| &known.fields)
    }

    /// True if it writes.
    #[must_use]
    pub fn is_insert(&self) -> bool {
        let prepared = self.prepared.as_ref();
        prepared.map_or(self.outline.insert, |prepared| prepared.insert)
    }

    /// Number of placeholders, that of the table included.
    #[must_use]
    pub fn count(&self) -> usize {
        let told = match &self.known {
            Some(known) => Some(known.fields.len()),
            None => self.prepared.as_ref().and_then(|prepared| prepared.count),
        };
        told.unwrap_or_else(|| self.outline.marks + usize::from(self.outline.table_mark))
    }

    /// What is known of the table that is bound by this name.
    #[must_use]
    pub fn known(&self, table: Option<&str>) -> Option<&Arc<Known>> {
        if self.outline.needs_table() {
            self.tables.get(table?)
        } else {
            self.known.as_ref()
        }
    }

    /// What data of that table must fit.
    #[must_use]
    pub fn layout(&self, table: Option<&str>) -> Option<&Layout> {
        self.known(table).map(|known| &known.layout)
    }

    /// Keeps a statement of ever new tables from growing without end.
    pub fn make_room(&mut self) {
        if self.tables.len() >= TABLES {
            self.tables.clear();
        }
    }

    /// The tables to ask for before these can be sent.
    #[must_use]
    pub fn unknown_tables(&self, bound: &[Bound], sample: Option<&str>) -> Vec<String> {
        if !self.is_insert() {
            return Vec::new();
        }
        let names = bound.iter().filter_map(|bound| bound.name.as_deref());
        let sample = sample.filter(|_| bound.is_empty());
        let mut seen = HashSet::new();
        let mut unknown = names
            .chain(sample)
            .filter(|name| self.known(Some(name)).is_none() && seen.insert(*name));
        if self.outline.needs_table() {
            unknown.map(str::to_owned).collect()
        } else {
            unknown.next().map(str::to_owned).into_iter().collect()
        }
    }

    /// Keeps what was learnt; true if that changes what data must fit.
    pub fn learnt(&mut self, table: Option<&str>, known: Known) -> bool {
        let changed = self.known.as_deref().is_some_and(|before| *before != known);
        // Most tables of one statement are alike.
        let known = match &self.known {
            Some(before) if !changed => before.clone(),
            _ => Arc::new(known),
        };
        self.known = Some(known.clone());
        match table.filter(|_| self.outline.needs_table()) {
            Some(table) => {
                self.tables.insert(table.to_owned(), known);
                false
            }
            None => changed,
        }
    }

    /// Forgets what another peer, or the same one at another time, said; true if that was anything.
    pub fn unlearn(&mut self) -> bool {
        self.tables.clear();
        self.known.take().is_some()
    }

    /// A bound name as SQL says it, independent of where the session is by now.
    ///
    /// # Errors
    /// A name that SQL has no form for.
    pub fn place_of(&self, table: &str) -> RawResult<String> {
        if self.database.is_empty() || split_table(table).0.is_some() {
            return quote_table(table);
        }
        Ok(format!(
            "{}.{}",
            quote_name(&self.database)?,
            quote_name(table)?
        ))
    }

    /// As [`place_of`](Self::place_of) for the table that the text names, if it does.
    ///
    /// # Errors
    /// A name that SQL has no form for.
    pub fn described(&self) -> RawResult<Option<String>> {
        let Some(table) = self.outline.described() else {
            return Ok(None);
        };
        if self.database.is_empty() || split_table(table).0.is_some() {
            return Ok(Some(table.to_owned()));
        }
        Ok(Some(format!("{}.{table}", quote_name(&self.database)?)))
    }

    /// The data divided by what types the columns go as, for which one bind has room once only.
    #[must_use]
    pub fn by_types<B: Borrow<Bound>>(
        &self,
        bound: impl IntoIterator<Item = B>,
    ) -> Vec<(Vec<Ty>, Vec<B>)> {
        let types = |known: Option<&Arc<Known>>| {
            known
                .map(|known| known.layout.column_types())
                .unwrap_or_default()
        };
        if !self.outline.needs_table() {
            return vec![(types(self.known.as_ref()), bound.into_iter().collect())];
        }
        let mut groups: Vec<(Vec<Ty>, Vec<B>)> = Vec::new();
        let mut last: Option<(&Arc<Known>, usize)> = None;
        for table in bound {
            let known = self.known(table.borrow().name.as_deref());
            let same = match (last, known) {
                (Some((before, at)), Some(known)) if Arc::ptr_eq(before, known) => Some(at),
                _ => None,
            };
            let at = same.unwrap_or_else(|| {
                let types = types(known);
                let found = groups.iter().position(|(group, _)| *group == types);
                found.unwrap_or_else(|| {
                    groups.push((types, Vec::new()));
                    groups.len() - 1
                })
            });
            last = known.map(|known| (known, at));
            if let Some((_, tables)) = groups.get_mut(at) {
                tables.push(table);
            }
        }
        groups
    }
}
