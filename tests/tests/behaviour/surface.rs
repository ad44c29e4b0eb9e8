//! Every call on a connection, in both flavours, with the same outcome.

use serde::Deserialize;
use taos::taos_query::helpers::Topic;
use taos::{ErrorKind, Taos, TaosBuilder, Value};
use taos_tests::{Target, for_targets, needs, targets_with};

/// Not so old that the default KEEP refuses it.
const TS: i64 = 1_760_000_000_000;

#[derive(Debug, Deserialize, PartialEq)]
struct Row {
    ts: i64,
    v: Option<i32>,
}

/// One row as a number, as a struct and as a tuple.
type Ones = (Option<i64>, Option<Row>, Option<(i64, Option<i32>)>);

/// What both flavours must come to.
#[derive(Debug, PartialEq)]
struct Outcome {
    affected: (usize, usize),
    ones: Ones,
    none: Option<i64>,
    values: Option<Vec<Value>>,
    exists: (bool, bool),
    listed: bool,
    columns: Vec<String>,
    topics: Result<Vec<(String, String, bool)>, ErrorKind>,
    vgroups: (Option<i32>, Option<Vec<i32>>),
}

impl Outcome {
    fn expected(database: &str, topics: Result<(), ErrorKind>) -> Self {
        Self {
            affected: (1, 2),
            ones: (
                Some(3),
                Some(Row {
                    ts: TS,
                    v: Some(10),
                }),
                Some((TS, Some(10))),
            ),
            none: None,
            values: Some(vec![Value::BigInt(3), Value::Int(30)]),
            exists: (true, false),
            listed: true,
            columns: vec!["ts".into(), "v".into()],
            topics: topics.map(|()| {
                vec![
                    (format!("{database}_d"), database.to_owned(), true),
                    (format!("{database}_q"), database.to_owned(), false),
                ]
            }),
            vgroups: (None, None),
        }
    }
}

fn topics_of(topics: &[Topic], database: &str) -> Vec<(String, String, bool)> {
    let mut found: Vec<_> = topics
        .iter()
        .filter(|topic| topic.name().starts_with(database))
        .map(|topic| {
            (
                topic.name().to_owned(),
                topic.db_name().to_owned(),
                topic.is_db_topic(),
            )
        })
        .collect();
    found.sort();
    found
}

/// Writes one flavour of the calls; `$wait` is `await` or nothing.
macro_rules! calls {
    ($taos:ident, $database:ident $(, $wait:ident)?) => {{
        $taos.create_database($database)$(.$wait)??;
        $taos.use_database($database)$(.$wait)??;
        $taos.exec_many(["create table t (ts timestamp, v int)"])$(.$wait)??;
        let affected = (
            $taos.exec_with_req_id(format!("insert into t values ({TS}, 10)"), 77)$(.$wait)??,
            $taos.exec(format!("insert into t values ({}, null) ({}, 30)", TS + 1, TS + 2))$(.$wait)??,
        );
        let topics = async_or_not!($taos, $database $(, $wait)?);
        let result = $taos.query_with_req_id("select * from t", 78)$(.$wait)??;
        assert_eq!(result.num_of_fields(), 2);
        Outcome {
            affected,
            ones: (
                $taos.query_one("select count(*) from t")$(.$wait)??,
                $taos.query_one("select * from t limit 1")$(.$wait)??,
                $taos.query_one("select * from t limit 1")$(.$wait)??,
            ),
            none: $taos.query_one("select * from t where v > 99")$(.$wait)??,
            values: $taos.query_one("select count(*), max(v) from t")$(.$wait)??,
            exists: (
                $taos.database_exists($database)$(.$wait)??,
                $taos.database_exists("nobody_made_this")$(.$wait)??,
            ),
            listed: $taos.databases()$(.$wait)??.iter().any(|listed| listed.name == $database),
            columns: $taos.describe("t")$(.$wait)??.names().map(Into::into).collect(),
            topics,
            vgroups: (
                $taos.table_vgroup_id($database, "t")$(.$wait)?,
                $taos.tables_vgroup_ids($database, &["t"])$(.$wait)?,
            ),
        }
    }};
}

/// The topics, or why the server has none.
macro_rules! async_or_not {
    ($taos:ident, $database:ident $(, $wait:ident)?) => {{
        let (whole, part) = (format!("{}_d", $database), format!("{}_q", $database));
        let made = $taos.create_topic_as_database(&whole, $database)$(.$wait)?;
        match made {
            Ok(()) => {
                $taos.create_topic(&part, format!("select ts, v from {}.t", $database))$(.$wait)??;
                let listed = topics_of(&$taos.topics()$(.$wait)??, $database);
                for topic in [whole, part] {
                    $taos.exec(format!("drop topic `{topic}`"))$(.$wait)??;
                }
                Ok(listed)
            }
            Err(error) => Err(error.kind()),
        }
    }};
}

async fn awaited(taos: &Taos, database: &str) -> anyhow::Result<Outcome> {
    use taos::AsyncFetchable as _;
    use taos::AsyncQueryable as _;
    Ok(calls!(taos, database, await))
}

fn blocking(target: &Target, database: &str) -> anyhow::Result<Outcome> {
    use taos::sync::{Fetchable as _, Queryable as _, TBuilder as _};
    let taos = TaosBuilder::from_dsn(target.dsn())?.build()?;
    Ok(calls!(taos, database))
}

fn check(target: &Target, mut outcome: Outcome, database: &str) {
    // Only a native library tells where tables lie, with one word for one table and for a list of one.
    let (one, list) = std::mem::take(&mut outcome.vgroups);
    assert_eq!(one.is_some(), target.is_native());
    assert_eq!(list, one.map(|vgroup| vec![vgroup]));
    // A server may lack topics, but then it says so.
    let topics = outcome.topics.as_ref().map(drop).map_err(|kind| *kind);
    if let Err(kind) = topics {
        assert_eq!(kind, ErrorKind::Unsupported);
    }
    assert_eq!(outcome, Outcome::expected(database, topics));
}

#[test]
fn the_awaited_calls_do_what_they_say() {
    for_targets(&[needs::DATABASES], |target| async move {
        let (taos, database) = (target.connect().await, target.unique("surface"));
        check(&target, awaited(&taos, &database).await?, &database);
        Ok(())
    });
}

#[test]
fn the_blocking_calls_do_the_same() -> anyhow::Result<()> {
    for target in targets_with(&[needs::DATABASES]) {
        let database = target.unique("surface_sync");
        check(&target, blocking(&target, &database)?, &database);
    }
    Ok(())
}
