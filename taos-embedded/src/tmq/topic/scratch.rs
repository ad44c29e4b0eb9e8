//! Rows of the log as tables of their own, in memory, for the statements of topics to run on.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use taos_query::block::RawBlock;
use taos_query::common::Precision;
use taos_query::tmq::raw::DataEntry;

use super::super::Part;
use super::block::check_size;
use super::plan::PART;
use super::tables::{Known, Tables};
use crate::catalog::TableDef;
use crate::exec::affinity;
use crate::exec::bound::{Rules, Source};
use crate::plan::{ColumnInfo, Plan, register_functions};
use crate::sql::SqlError;
use crate::store::{bind, blocks_of, internal, sqlite_error};

/// A database in memory with the tables that a plan names.
#[derive(Debug)]
pub(super) struct Scratch {
    connection: Connection,
    /// The table and its version that the tables were made for.
    made_for: Option<(i64, u32)>,
}

impl Scratch {
    pub(super) fn new() -> Result<Self, SqlError> {
        let connection = Connection::open_in_memory().map_err(sqlite_error)?;
        register_functions(&connection).map_err(sqlite_error)?;
        Ok(Self {
            connection,
            made_for: None,
        })
    }

    /// Makes the tables of a definition and fills in the subtables.
    pub(super) fn prepare(&mut self, def: &TableDef, tables: &Tables) -> Result<(), SqlError> {
        if self.made_for != Some((def.id, def.version)) {
            *self = Self::new()?;
            let made = self.connection.execute_batch(&tables_sql(def));
            made.map_err(sqlite_error)?;
            self.made_for = Some((def.id, def.version));
        }
        self.fill(def, tables).map_err(sqlite_error)
    }

    fn fill(&self, def: &TableDef, tables: &Tables) -> rusqlite::Result<()> {
        let id = def.id;
        self.connection
            .prepare_cached(&format!("DELETE FROM t{id}"))?
            .execute([])?;
        let sql = insert_sql(&format!("t{id}"), def.tags.len() + 2);
        let mut insert = self.connection.prepare_cached(&sql)?;
        for (number, Known { name, tags }) in tables {
            let head = [Value::Integer(*number), Value::Text(name.clone())];
            let nulls = std::iter::repeat_n(Value::Null, def.tags.len().saturating_sub(tags.len()));
            insert.execute(params_from_iter(
                head.into_iter().chain(tags.iter().cloned()).chain(nulls),
            ))?;
        }
        Ok(())
    }

    /// The texts that a plan of one column gives.
    pub(super) fn names(&self, plan: &Plan) -> Result<Vec<String>, SqlError> {
        let names = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare_cached(&plan.sql)?;
            bind(&mut statement, &plan.params)?;
            let mut rows = statement.raw_query();
            let mut names = Vec::new();
            while let Some(row) = rows.next()? {
                names.push(row.get(0)?);
            }
            Ok(names)
        };
        names().map_err(sqlite_error)
    }

    /// What a plan makes of the rows of several parts, each apart. The plan's last column is the number of
    /// the part.
    pub(super) fn run(
        &self,
        plan: &Plan,
        def: &TableDef,
        parts: &[&Part],
    ) -> Result<Vec<Vec<RawBlock>>, SqlError> {
        let outcome = self.insert(def, parts).and_then(|()| {
            let rows = self.select(plan, parts.len()).map_err(sqlite_error)?;
            rows.ok_or_else(|| SqlError::unsupported("a message of more than 160 MiB"))
        });
        let emptied = self
            .connection
            .prepare_cached(&format!("DELETE FROM d{}", def.id))
            .and_then(|mut delete| delete.execute([]));
        let all = outcome?;
        emptied.map_err(sqlite_error)?;
        let columns = plan.columns.split_last().map_or(&[][..], |(_, rest)| rest);
        all.iter()
            .map(|rows| blocks_of(columns, plan.precision, rows))
            .collect()
    }

    fn insert(&self, def: &TableDef, parts: &[&Part]) -> Result<(), SqlError> {
        let sql = insert_sql(&format!("d{}", def.id), def.columns.len() + 2);
        let mut insert = self.connection.prepare_cached(&sql).map_err(sqlite_error)?;
        for (number, part) in parts.iter().enumerate() {
            let number = i64::try_from(number).map_err(internal)?;
            for row in stored(def, part.table, number, &part.rows)? {
                insert
                    .execute(params_from_iter(&row))
                    .map_err(sqlite_error)?;
            }
        }
        Ok(())
    }

    /// The rows of each part; `None` if they are more than fit into a message.
    fn select(&self, plan: &Plan, parts: usize) -> rusqlite::Result<Option<Vec<Vec<Vec<Value>>>>> {
        let mut statement = self.connection.prepare_cached(&plan.sql)?;
        bind(&mut statement, &plan.params)?;
        let mut rows = statement.raw_query();
        let mut all = vec![Vec::new(); parts];
        let width = plan.columns.len().saturating_sub(1);
        let mut bytes = 0_usize;
        while let Some(row) = rows.next()? {
            let cells: Vec<Value> = (0..width).map(|i| row.get(i)).collect::<Result<_, _>>()?;
            bytes += cells.iter().map(size_of_value).sum::<usize>();
            if check_size(1, bytes).is_err() {
                return Ok(None);
            }
            let number: u32 = row.get(width)?;
            let part = usize::try_from(number).ok().and_then(|at| all.get_mut(at));
            if let Some(part) = part {
                part.push(cells);
            }
        }
        Ok(Some(all))
    }
}

/// Bytes of a value, without those of its place in memory.
fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        _ => 8,
    }
}

fn insert_sql(table: &str, columns: usize) -> String {
    let places: Vec<&str> = std::iter::repeat_n("?", columns).collect();
    format!(
        "INSERT OR REPLACE INTO {table} VALUES ({})",
        places.join(", ")
    )
}

fn tables_sql(def: &TableDef) -> String {
    let column = |prefix: char, column: &ColumnInfo| {
        format!(", {prefix}{} {}", column.id, affinity(column.ty))
    };
    let columns: String = def.columns.iter().skip(1).map(|c| column('c', c)).collect();
    let tags: String = def.tags.iter().map(|t| column('g', t)).collect();
    format!(
        "CREATE TABLE d{0} (tbl INTEGER NOT NULL, ts INTEGER NOT NULL{columns}, c{PART} INTEGER);
         CREATE TABLE t{0} (tbl INTEGER PRIMARY KEY, name TEXT NOT NULL{tags});",
        def.id
    )
}

/// Rows in the stored forms of the table's columns, between the numbers of the table and of the part.
fn stored(
    def: &TableDef,
    table: i64,
    part: i64,
    rows: &DataEntry,
) -> Result<Vec<Vec<Value>>, SqlError> {
    let schema = rows.schema.as_ref();
    let schema = schema.ok_or_else(|| internal("rows of the log without a description"))?;
    let precision = Precision::from_u8_option(rows.precision)
        .ok_or_else(|| internal("rows of the log without a unit"))?;
    let block = RawBlock::parse_from_raw_block(rows.block.clone(), precision).map_err(internal)?;
    let rules = Rules {
        precision,
        zone: None,
        now: 0,
        decimal_text: false,
    };
    let mut row = vec![Value::Null; def.columns.len() + 2];
    if let [first, .., last] = row.as_mut_slice() {
        (*first, *last) = (Value::Integer(table), Value::Integer(part));
    }
    let mut all = vec![row; block.nrows()];
    for (named, view) in schema.columns().iter().zip(block.column_views()) {
        let ours = |column: &ColumnInfo| i64::from(column.id) + 1 == i64::from(named.id);
        let Some(at) = def.columns.iter().position(ours) else {
            continue;
        };
        let Some(column) = def.columns.get(at).filter(|c| c.ty == view.as_ty()) else {
            continue;
        };
        let cells = all.iter_mut().filter_map(|row| row.get_mut(at + 1));
        Source::View(view).store(column, &rules, cells)?;
    }
    Ok(all)
}
