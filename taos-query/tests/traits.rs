//! The traits over a backend that lives in memory: what every backend gets for free.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::{Stream as _, StreamExt, TryStreamExt};
use serde::Deserialize;
use taos_query::block::{BlockWriter, ColumnBuilder, RawBlock};
use taos_query::common::{Field, Precision, Ty, Value};
use taos_query::{
    AsyncFetchable, AsyncQueryable, AsyncTBuilder, ErrorKind, Fetchable, IntoDsn, PollBlock,
    Queryable, RawError, RawResult, TBuilder,
};

/// Remembers what it was asked. Answers `select` with two blocks, `broken` with one and an error,
/// `show` with names of databases, and everything else with three affected rows.
#[derive(Default)]
struct Memory {
    asked: Mutex<Vec<(String, u64)>>,
    down: bool,
    licence: Licence,
}

/// How the server tells its edition.
#[derive(Clone, Copy, Default)]
enum Licence {
    #[default]
    Untold,
    Cluster(&'static str, Option<bool>),
    Grants(&'static str, &'static str),
}

struct Answer {
    fields: Arc<[Field]>,
    affected: i64,
    source: Blocks,
}

struct Blocks {
    ready: VecDeque<RawResult<RawBlock>>,
    /// Set while the next poll must wait.
    wait: bool,
    polls: Arc<AtomicUsize>,
    summary: (usize, usize),
}

impl PollBlock for Blocks {
    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<RawResult<Option<RawBlock>>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.wait = !self.wait;
        if self.wait {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = self.ready.pop_front().transpose();
        if let Ok(Some(block)) = &next {
            self.summary.0 += 1;
            self.summary.1 += block.nrows();
        }
        Poll::Ready(next)
    }
}

impl AsyncFetchable for Answer {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn precision(&self) -> Precision {
        Precision::Millisecond
    }

    fn affected_rows64(&self) -> i64 {
        self.affected
    }

    fn summary(&self) -> (usize, usize) {
        self.source.summary
    }

    fn split(&mut self) -> (&[Field], &mut dyn PollBlock) {
        (&self.fields, &mut self.source)
    }
}

impl AsyncQueryable for Memory {
    type AsyncResultSet = Answer;

    async fn query_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        req_id: u64,
    ) -> RawResult<Answer> {
        let sql = sql.as_ref();
        self.asked().push((sql.to_owned(), req_id));
        if self.down {
            return Err(RawError::of(ErrorKind::ConnectionLost, "the line is cut"));
        }
        let (fields, ready) = match sql.split_whitespace().next() {
            Some("select") if sql.contains("ins_cluster") => match self.licence {
                Licence::Cluster(edition, expired) => {
                    let mut expiry = ColumnBuilder::new(Ty::Bool, 1, 0, 0);
                    match expired {
                        Some(expired) => expiry.push_bool(expired)?,
                        None => expiry.push_null(),
                    }
                    row(vec![text(edition)?, expiry])?
                }
                _ => return Err(RawError::new(0x2603, "Table does not exist")),
            },
            Some("show") if sql == "show grants" => match self.licence {
                Licence::Grants(edition, expired) => {
                    row(vec![text(edition)?, text("unlimited")?, text(expired)?])?
                }
                _ => return Err(RawError::new(0x2600, "syntax error")),
            },
            Some("select") => (
                number_fields(),
                vec![numbers(0..3), numbers(3..3), numbers(3..5)],
            ),
            Some("broken") => {
                let error = RawError::new(0x0389, "lost");
                (number_fields(), vec![numbers(0..1), Err(error)])
            }
            Some("show") => (name_field(), vec![names(&["information_schema", "power"])]),
            Some("fail") => return Err(RawError::new(0x2603, "Table does not exist")),
            _ => (Arc::default(), vec![]),
        };
        Ok(Answer {
            affected: if fields.is_empty() { 3 } else { 0 },
            fields,
            source: Blocks {
                ready: ready.into(),
                wait: false,
                polls: Arc::default(),
                summary: (0, 0),
            },
        })
    }
}

impl Memory {
    fn asked(&self) -> MutexGuard<'_, Vec<(String, u64)>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sql(&self) -> Vec<String> {
        let asked = self.asked();
        asked.iter().map(|(sql, _)| sql.clone()).collect()
    }
}

fn text(text: &str) -> RawResult<ColumnBuilder> {
    let mut column = ColumnBuilder::new(Ty::VarChar, 64, 0, 0);
    column.push_str(text)?;
    Ok(column)
}

/// What a statement answers: its columns, and its blocks.
type Reply = (Arc<[Field]>, Vec<RawResult<RawBlock>>);

/// One row in columns without names.
fn row(columns: Vec<ColumnBuilder>) -> RawResult<Reply> {
    let block = BlockWriter::new(columns).finish_block(Precision::Millisecond)?;
    let fields = block.fields().to_vec().into();
    Ok((fields, vec![Ok(block)]))
}

fn number_fields() -> Arc<[Field]> {
    [
        Field::new("n", Ty::Int, 4),
        Field::new("word", Ty::VarChar, 8),
    ]
    .into()
}

fn name_field() -> Arc<[Field]> {
    [Field::new("name", Ty::VarChar, 64)].into()
}

fn numbers(range: std::ops::Range<i64>) -> RawResult<RawBlock> {
    let mut writer = BlockWriter::new(vec![
        ColumnBuilder::new(Ty::Int, 4, 0, 0),
        ColumnBuilder::new(Ty::VarChar, 8, 0, 0),
    ]);
    for n in range {
        let [number, word] = writer.columns_mut() else {
            panic!("two columns")
        };
        number.push_i64(n)?;
        word.push_str(&format!("w{n}"))?;
    }
    let mut block = writer.finish_block(Precision::Millisecond)?;
    block.with_fields(number_fields())?;
    Ok(block)
}

fn names(names: &[&str]) -> RawResult<RawBlock> {
    let mut writer = BlockWriter::new(vec![ColumnBuilder::new(Ty::VarChar, 64, 0, 0)]);
    for name in names {
        writer.columns_mut()[0].push_str(name)?;
    }
    let mut block = writer.finish_block(Precision::Millisecond)?;
    block.with_fields(name_field())?;
    Ok(block)
}

#[derive(Debug, Deserialize, PartialEq)]
struct Record {
    n: i32,
    word: String,
}

fn records(range: std::ops::Range<i32>) -> Vec<Record> {
    let record = |n| Record {
        n,
        word: format!("w{n}"),
    };
    range.map(record).collect()
}

#[tokio::test]
async fn rows_cross_blocks_and_lend_names_that_outlive_them() -> RawResult<()> {
    let mut result = AsyncQueryable::query(&Memory::default(), "select").await?;
    let mut rows = AsyncFetchable::rows(&mut result);
    let mut names: Vec<&str> = Vec::new();
    let mut values = Vec::new();
    while let Some(row) = rows.try_next().await? {
        for (name, value) in row {
            names.push(name);
            values.push(value);
        }
    }
    assert_eq!(names, ["n", "word"].repeat(5));
    assert_eq!(values[8].to_value(), Value::Int(4));
    assert_eq!(values[9].to_value(), Value::VarChar("w4".to_owned()));
    assert_eq!(AsyncFetchable::summary(&result), (3, 5));
    Ok(())
}

#[tokio::test]
async fn rows_of_a_block_that_is_there_need_no_poll_of_the_source() -> RawResult<()> {
    let mut result = AsyncQueryable::query(&Memory::default(), "select").await?;
    let polls = Arc::clone(&result.source.polls);
    let mut rows = AsyncFetchable::deserialize::<Record>(&mut result);
    rows.try_next().await?;
    let before = polls.load(Ordering::Relaxed);
    assert_eq!(rows.size_hint().0, 2);
    rows.try_next().await?;
    rows.try_next().await?;
    assert_eq!(polls.load(Ordering::Relaxed), before);
    Ok(())
}

#[tokio::test]
async fn records_and_values_are_collected() -> RawResult<()> {
    let taos = Memory::default();
    let found: Vec<Record> = AsyncQueryable::query(&taos, "select")
        .await?
        .deserialize_all()
        .await?;
    assert_eq!(found, records(0..5));
    let values = AsyncQueryable::query(&taos, "select")
        .await?
        .to_records()
        .await?;
    assert_eq!(values.len(), 5);
    let one: Option<(i32, String)> = AsyncQueryable::query_one(&taos, "select").await?;
    assert_eq!(one, Some((0, "w0".to_owned())));
    let none: Option<i32> = AsyncQueryable::query_one(&taos, "insert").await?;
    assert_eq!(none, None);
    Ok(())
}

/// What programs write as one chain.
trait DeserializeAll {
    async fn deserialize_all(&mut self) -> RawResult<Vec<Record>>;
}

impl DeserializeAll for Answer {
    async fn deserialize_all(&mut self) -> RawResult<Vec<Record>> {
        AsyncFetchable::deserialize(self).try_collect().await
    }
}

#[tokio::test]
async fn rows_before_an_error_are_not_lost() -> RawResult<()> {
    let mut result = AsyncQueryable::query(&Memory::default(), "broken").await?;
    let all: Vec<RawResult<Record>> = AsyncFetchable::deserialize(&mut result).collect().await;
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].as_ref().ok(), records(0..1).first());
    assert_eq!(all[1].as_ref().unwrap_err().code(), 0x0389);
    Ok(())
}

#[tokio::test]
async fn exec_many_adds_up_and_stops_at_the_first_error() -> RawResult<()> {
    let taos = Memory::default();
    assert_eq!(AsyncQueryable::exec_many(&taos, ["a", "b"]).await?, 6);
    let error = AsyncQueryable::exec_many(&taos, vec!["a".to_owned(), "fail".into(), "c".into()])
        .await
        .unwrap_err();
    assert_eq!(error.code(), 0x2603);
    let text = error.to_string();
    assert!(
        text.starts_with("[0x2603] statement 2 of exec_many: "),
        "{text}"
    );
    assert_eq!(taos.sql(), ["a", "b", "a", "fail"]);
    let asked = taos.asked();
    assert!(
        asked.windows(2).all(|pair| pair[0].1 != pair[1].1),
        "own id each"
    );
    Ok(())
}

#[tokio::test]
async fn request_ids_of_the_caller_are_used() -> RawResult<()> {
    let taos = Memory::default();
    AsyncQueryable::query_with_req_id(&taos, "a", 7).await?;
    assert_eq!(AsyncQueryable::exec_with_req_id(&taos, "b", 8).await?, 3);
    assert_eq!(*taos.asked(), [("a".to_owned(), 7), ("b".to_owned(), 8)]);
    Ok(())
}

#[tokio::test]
async fn names_in_statements_are_quoted() -> RawResult<()> {
    let taos = Memory::default();
    AsyncQueryable::create_database(&taos, "select").await?;
    AsyncQueryable::use_database(&taos, "my db").await?;
    assert!(AsyncQueryable::use_database(&taos, "a`b").await.is_err());
    assert_eq!(
        taos.sql(),
        ["create database if not exists `select`", "use `my db`"]
    );
    Ok(())
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_is_not_a_missing_database() -> RawResult<()> {
    let taos = Memory::default();
    assert!(AsyncQueryable::database_exists(&taos, "power").await?);
    assert!(!AsyncQueryable::database_exists(&taos, "pow").await?);
    let down = Memory {
        down: true,
        ..Memory::default()
    };
    let error = AsyncQueryable::database_exists(&down, "power")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionLost);
    Ok(())
}

#[test]
fn blocking_calls_give_the_same() -> RawResult<()> {
    let taos = Memory::default();
    assert_eq!(Queryable::exec_many(&taos, ["a", "b"])?, 6);
    let mut result = Queryable::query(&taos, "select")?;
    let found: Vec<Record> = Fetchable::deserialize(&mut result).collect::<RawResult<_>>()?;
    assert_eq!(found, records(0..5));
    let mut result = Queryable::query(&taos, "select")?;
    let names: Vec<String> = Fetchable::rows(&mut result)
        .flat_map(|row| row.into_iter().flatten())
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(names, ["n", "word"].repeat(5));
    assert_eq!(Queryable::query(&taos, "select")?.to_rows_vec()?.len(), 5);
    let mut broken = Queryable::query(&taos, "broken")?;
    assert_eq!(
        Fetchable::blocks(&mut broken)
            .filter_map(Result::err)
            .count(),
        1
    );
    assert!(Queryable::database_exists(&taos, "power")?);
    Ok(())
}

/// Builds a [`Memory`] with this licence.
struct Builder(Licence);

impl AsyncTBuilder for Builder {
    type Target = Memory;

    fn available_params() -> &'static [&'static str] {
        &[]
    }

    fn from_dsn<D: IntoDsn>(_: D) -> RawResult<Self> {
        Ok(Self(Licence::Untold))
    }

    fn client_version() -> &'static str {
        "0"
    }

    async fn server_version(&self) -> RawResult<&str> {
        Ok("0")
    }

    async fn ping(&self, _: &mut Memory) -> RawResult<()> {
        Ok(())
    }

    async fn build(&self) -> RawResult<Memory> {
        Ok(Memory {
            licence: self.0,
            ..Memory::default()
        })
    }
}

#[tokio::test]
async fn the_edition_is_read_from_the_cluster_or_else_from_the_grants() -> RawResult<()> {
    for (licence, edition, expired, enterprise) in [
        (
            Licence::Cluster("official", Some(false)),
            "official",
            false,
            true,
        ),
        (Licence::Cluster("trial", Some(true)), "trial", true, false),
        (
            Licence::Cluster("community", None),
            "community",
            false,
            false,
        ),
        (
            Licence::Grants("official", "false"),
            "official",
            false,
            true,
        ),
        (
            Licence::Grants("official", " true "),
            "official",
            true,
            false,
        ),
    ] {
        let builder = Builder(licence);
        let found = AsyncTBuilder::get_edition(&builder).await?;
        assert_eq!((found.edition.as_str(), found.expired), (edition, expired));
        assert_eq!(
            AsyncTBuilder::is_enterprise_edition(&builder).await?,
            enterprise
        );
        let asserted = AsyncTBuilder::assert_enterprise_edition(&builder).await;
        assert_eq!(asserted.is_ok(), enterprise);
        assert_eq!(TBuilder::get_edition(&builder)?, found);
    }
    let error = AsyncTBuilder::get_edition(&Builder(Licence::Untold))
        .await
        .unwrap_err();
    assert_eq!(error.code(), 0x2603);
    assert!(
        error.to_string().contains("does not tell its edition"),
        "{error}"
    );
    Ok(())
}
