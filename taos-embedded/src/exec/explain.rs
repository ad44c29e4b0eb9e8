//! EXPLAIN: what a query does, as a tree of operators in the words of the dialect.

use std::time::Instant;

use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use super::{Exec, computed, result_column};
use crate::engine::ResultRows;
use crate::plan;
use crate::sql::SqlError;
use crate::sql::ast::{
    Explain, Join, JoinKind, Query, QueryBody, Select, SelectItem, TableRef, Window,
};

/// The longest line.
const WIDTH: u32 = 4096;

impl Exec<'_> {
    /// Plans a query, with ANALYZE runs it too, and tells its operators.
    pub(super) fn explain(&self, explain: &Explain) -> Result<ResultRows, SqlError> {
        let started = Instant::now();
        let plan = plan::plan(&explain.query, self.sql, &self.context())?;
        let planned = started.elapsed();
        let width: u32 = plan.columns.iter().map(|column| column.length).sum();
        let mut tree = Tree {
            lines: Vec::new(),
            verbose: explain.verbose,
        };
        tree.query(&explain.query, 0);
        if let Some(first) = tree.lines.first_mut() {
            first.push_str(&format!(" (columns={} width={width})", plan.columns.len()));
        }
        if explain.verbose {
            tree.lines.push(format!("Storage: {}", plan.sql));
        }
        if explain.analyze {
            let started = Instant::now();
            let rows = self.store().count_rows(plan, self.queries)?;
            let run = started.elapsed();
            if let Some(first) = tree.lines.first_mut() {
                first.push_str(&format!(" (rows={rows})"));
            }
            let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
            tree.lines
                .push(format!("Planning Time: {:.3} ms", milliseconds(planned)));
            tree.lines
                .push(format!("Execution Time: {:.3} ms", milliseconds(run)));
        }
        let rows: Vec<Vec<Value>> = tree
            .lines
            .into_iter()
            .map(|line| {
                vec![Value::Text(
                    crate::sql::clip(&line, WIDTH as usize).to_owned(),
                )]
            })
            .collect();
        let columns = vec![result_column("QUERY_PLAN", Ty::VarChar, WIDTH)];
        computed(columns, Precision::Millisecond, &rows)
    }
}

/// Operators from the result down to the tables.
struct Tree {
    lines: Vec<String>,
    verbose: bool,
}

impl Tree {
    fn line(&mut self, depth: usize, text: &str) {
        let indent = "   ".repeat(depth);
        self.lines.push(format!("{indent}-> {text}"));
    }

    fn query(&mut self, query: &Query, mut depth: usize) {
        if query.limit.is_some() || query.slimit.is_some() {
            self.line(depth, "Limit");
            depth += 1;
        }
        if !query.order_by.is_empty() {
            self.line(depth, &format!("Sort (keys={})", query.order_by.len()));
            depth += 1;
        }
        match &query.body {
            QueryBody::Select(select) => self.select(select, depth),
            QueryBody::Union { all, left, right } => {
                self.line(depth, if *all { "Merge" } else { "Merge (distinct)" });
                self.query(left, depth + 1);
                self.query(right, depth + 1);
            }
        }
    }

    fn select(&mut self, select: &Select, mut depth: usize) {
        if select.distinct {
            self.line(depth, "Distinct");
            depth += 1;
        }
        let aggregates = |item: &SelectItem| plan::has_aggregate(&item.expr);
        let operator = match &select.window {
            Some(Window::Interval { .. }) => "Interval on Column ts",
            Some(Window::Session { .. }) => "Session",
            Some(Window::State { .. }) => "StateWindow on Column",
            Some(Window::Event { .. }) => "Event",
            Some(Window::Count { .. }) => "Count",
            None if !select.group_by.is_empty() => "GroupAggregate",
            None if select.items.iter().any(aggregates) => "Aggregate",
            None if select.tags => "Tag Scan",
            None => "Projection",
        };
        self.line(depth, operator);
        depth += 1;
        if select.fill.is_some() {
            self.line(depth, "Fill");
            depth += 1;
        }
        if !select.partition_by.is_empty() {
            let keys = select.partition_by.len();
            self.line(depth, &format!("Partition on Column (partitions={keys})"));
            depth += 1;
        }
        if let Some(from) = &select.from {
            self.source(from, depth);
        }
        if self.verbose && select.filter.is_some() {
            let indent = "   ".repeat(depth + 1);
            self.lines
                .push(format!("{indent}Filter: conditions of WHERE"));
        }
    }

    fn source(&mut self, source: &TableRef, depth: usize) {
        match source {
            TableRef::Table { name, .. } => {
                self.line(depth, &format!("Table Scan on {}", name.name.name));
            }
            TableRef::Subquery { query, .. } => self.query(query, depth),
            TableRef::Join(join) => {
                let Join {
                    left, right, kind, ..
                } = join.as_ref();
                self.line(depth, &format!("{} Join", words(*kind)));
                self.source(left, depth + 1);
                self.source(right, depth + 1);
            }
        }
    }
}

const fn words(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "Inner",
        JoinKind::LeftOuter => "Left Outer",
        JoinKind::RightOuter => "Right Outer",
        JoinKind::FullOuter => "Full Outer",
        JoinKind::LeftSemi => "Left Semi",
        JoinKind::RightSemi => "Right Semi",
        JoinKind::LeftAnti => "Left Anti",
        JoinKind::RightAnti => "Right Anti",
        JoinKind::LeftAsof => "Left ASOF",
        JoinKind::RightAsof => "Right ASOF",
        JoinKind::LeftWindow => "Left Window",
        JoinKind::RightWindow => "Right Window",
    }
}
