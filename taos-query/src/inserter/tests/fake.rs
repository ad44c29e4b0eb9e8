//! A backend in memory: it describes one table, records what is bound, and fails or waits when told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use tokio::sync::Semaphore;

use crate::block::{BlockWriter, ColumnBuilder, ColumnView, RawBlock};
use crate::common::{Field, Precision, Ty, Value};
use crate::error::{ErrorKind, RawError, RawResult};
use crate::stmt::{AsyncBindable, AsyncStatements, Stmt2AsyncBindable, Stmt2BindParam, Stmt2Field};
use crate::{AsyncFetchable, AsyncQueryable, PollBlock};

/// Name, SQL type, length, note.
pub(super) type Line = (&'static str, &'static str, i64, &'static str);

#[derive(Clone)]
pub(super) struct Fake {
    lines: Vec<Line>,
    precision: Precision,
    database: Option<&'static str>,
    log: Arc<Mutex<Log>>,
    gate: Arc<Semaphore>,
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) prepared: Vec<String>,
    pub(super) executed: Vec<Vec<Stmt2BindParam>>,
    pub(super) siblings: usize,
    pub(super) lost: bool,
    pub(super) failures: VecDeque<RawError>,
}

impl Fake {
    pub(super) fn new(lines: &[Line]) -> Self {
        Self {
            lines: lines.to_vec(),
            precision: Precision::Millisecond,
            database: Some("power"),
            log: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    pub(super) fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// No database is in use.
    pub(super) const fn without_database(mut self) -> Self {
        self.database = None;
        self
    }

    /// Executions wait until [`let_pass`](Self::let_pass) lets them.
    pub(super) fn gated(mut self) -> Self {
        self.gate = Arc::new(Semaphore::new(0));
        self
    }

    pub(super) fn let_pass(&self, executions: usize) {
        self.gate.add_permits(executions);
    }

    /// The next execution ends with this error.
    pub(super) fn fail_next(&self, error: RawError) {
        self.log().failures.push_back(error);
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    /// Everything that was executed, one after another.
    pub(super) fn params(&self) -> Vec<Stmt2BindParam> {
        self.log().executed.iter().flatten().cloned().collect()
    }

    /// Rows of each execution.
    pub(super) fn batches(&self) -> Vec<usize> {
        self.log().executed.iter().map(|p| rows_of(p)).collect()
    }

    /// The numbers of one column, in the order they came.
    pub(super) fn numbers(&self, column: usize) -> Vec<i64> {
        let mut numbers = Vec::new();
        for param in self.params() {
            for value in param.columns().unwrap()[column].iter() {
                numbers.push(match value.into_value() {
                    Value::Timestamp(time) => time.as_raw_i64(),
                    Value::Int(number) => number.into(),
                    other => panic!("{other:?}"),
                });
            }
        }
        numbers
    }
}

fn rows_of(params: &[Stmt2BindParam]) -> usize {
    let rows = |param: &Stmt2BindParam| param.columns().unwrap()[0].len();
    params.iter().map(rows).sum()
}

impl AsyncQueryable for Fake {
    type AsyncResultSet = FakeResult;

    async fn query_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        _: u64,
    ) -> RawResult<FakeResult> {
        let sql = sql.as_ref();
        let (block, names): (_, &[&str]) = if sql.starts_with("describe") {
            if self.lines.is_empty() {
                return Err(RawError::new(0x2603, "Table does not exist"));
            }
            (describe(&self.lines), &["field", "type", "length", "note"])
        } else if sql == "select database()" {
            if self.log().lost {
                return Err(RawError::of(ErrorKind::Connect, "the line broke"));
            }
            let mut text = ColumnBuilder::new(Ty::VarChar, 64, 0, 0);
            match self.database {
                Some(name) => text.push_str(name)?,
                None => text.push_null(),
            }
            (block_of(vec![text]), &["database()"])
        } else if sql.ends_with("limit 0") {
            let time = ColumnBuilder::new(Ty::Timestamp, 8, 0, 0);
            (block_of(vec![time]), &["ts"])
        } else {
            panic!("unexpected: {sql}");
        };
        Ok(FakeResult {
            fields: names
                .iter()
                .map(|name| Field::new(*name, Ty::VarChar, 64))
                .collect(),
            precision: self.precision,
            source: Source(Some(block)),
        })
    }
}

fn describe(lines: &[Line]) -> RawBlock {
    let mut columns = vec![
        ColumnBuilder::new(Ty::VarChar, 64, 0, 0),
        ColumnBuilder::new(Ty::VarChar, 32, 0, 0),
        ColumnBuilder::new(Ty::Int, 4, 0, 0),
        ColumnBuilder::new(Ty::VarChar, 12, 0, 0),
    ];
    for (name, ty, length, note) in lines {
        columns[0].push_str(name).unwrap();
        columns[1].push_str(ty).unwrap();
        columns[2].push_i64(*length).unwrap();
        columns[3].push_str(note).unwrap();
    }
    let mut block = block_of(columns);
    block.with_field_names(["field", "type", "length", "note"]);
    block
}

fn block_of(columns: Vec<ColumnBuilder>) -> RawBlock {
    BlockWriter::new(columns)
        .finish_block(Precision::Millisecond)
        .unwrap()
}

pub(super) struct FakeResult {
    fields: Vec<Field>,
    precision: Precision,
    source: Source,
}

struct Source(Option<RawBlock>);

impl PollBlock for Source {
    fn poll_block(&mut self, _: &mut Context<'_>) -> Poll<RawResult<Option<RawBlock>>> {
        Poll::Ready(Ok(self.0.take()))
    }
}

impl AsyncFetchable for FakeResult {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn affected_rows64(&self) -> i64 {
        0
    }

    fn summary(&self) -> (usize, usize) {
        (0, 0)
    }

    fn timezone(&self) -> Option<chrono_tz::Tz> {
        Some(chrono_tz::Tz::UTC)
    }

    fn split(&mut self) -> (&[Field], &mut dyn PollBlock) {
        (&self.fields, &mut self.source)
    }
}

impl AsyncStatements for Fake {
    type Stmt = FakeStmt;
    type Stmt2 = FakeStmt;

    async fn sibling(&self) -> RawResult<Self> {
        self.log().siblings += 1;
        Ok(self.clone())
    }
}

pub(super) struct FakeStmt {
    fake: Fake,
    prepared: bool,
    bound: Vec<Stmt2BindParam>,
}

impl Stmt2AsyncBindable<Fake> for FakeStmt {
    async fn init(taos: &Fake) -> RawResult<Self> {
        Ok(Self {
            fake: taos.clone(),
            prepared: false,
            bound: Vec::new(),
        })
    }

    async fn prepare(&mut self, sql: &str) -> RawResult<&mut Self> {
        self.fake.log().prepared.push(sql.to_owned());
        self.prepared = true;
        self.bound.clear();
        Ok(self)
    }

    async fn bind(&mut self, params: &[Stmt2BindParam]) -> RawResult<&mut Self> {
        assert!(self.prepared, "bind before prepare");
        self.bound.extend_from_slice(params);
        Ok(self)
    }

    async fn exec(&mut self) -> RawResult<usize> {
        let bound = std::mem::take(&mut self.bound);
        let permit = self.fake.gate.acquire().await;
        permit.map_err(RawError::from_any)?.forget();
        let mut log = self.fake.log();
        if let Some(error) = log.failures.pop_front() {
            self.prepared = false;
            return Err(error);
        }
        let rows = rows_of(&bound);
        log.executed.push(bound);
        Ok(rows)
    }

    async fn affected_rows(&self) -> usize {
        0
    }

    async fn result_set(&self) -> RawResult<FakeResult> {
        Err(unsupported())
    }

    fn is_insert(&self) -> Option<bool> {
        Some(true)
    }

    fn fields(&self) -> Option<&[Stmt2Field]> {
        None
    }
}

impl AsyncBindable<Fake> for FakeStmt {
    async fn init_with_req_id(_: &Fake, _: u64) -> RawResult<Self> {
        Err(unsupported())
    }

    async fn prepare(&mut self, _: &str) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn set_tbname(&mut self, _: &str) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn set_tags(&mut self, _: &[Value]) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn bind(&mut self, _: &[ColumnView]) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn add_batch(&mut self) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn execute(&mut self) -> RawResult<usize> {
        Err(unsupported())
    }

    async fn affected_rows(&self) -> usize {
        0
    }

    async fn result_set(&mut self) -> RawResult<FakeResult> {
        Err(unsupported())
    }
}

fn unsupported() -> RawError {
    RawError::of(ErrorKind::Unsupported, "not here")
}
