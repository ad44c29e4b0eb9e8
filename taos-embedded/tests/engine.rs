//! The engine without a server around it: durability, concurrency and the rules of writing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use taos_embedded::engine::{Answer, Engine, ResultRows, Session, SqlError, Storage};
use taos_query::common::Value;

fn memory() -> (Engine, Session) {
    let engine = Engine::open(Storage::Memory).unwrap();
    let session = engine.session("root");
    (engine, session)
}

fn open(dir: &Path) -> Engine {
    Engine::open(Storage::Dir(dir.to_owned())).unwrap()
}

fn exec(session: &Session, sql: &str) -> u64 {
    match session.execute(sql) {
        Ok(Answer::Affected(count)) => count,
        other => panic!("{sql}: {other:?}"),
    }
}

fn start(session: &Session, sql: &str) -> ResultRows {
    match session.execute(sql) {
        Ok(Answer::Rows(rows)) => rows,
        other => panic!("{sql}: {other:?}"),
    }
}

fn query(session: &Session, sql: &str) -> Vec<Vec<Value>> {
    let mut rows = start(session, sql);
    let mut all = Vec::new();
    while let Some(block) = rows.next_block().unwrap() {
        assert!(block.nrows() <= 4096);
        all.extend(block.to_values());
    }
    all
}

fn refused(session: &Session, sql: &str) -> SqlError {
    match session.execute(sql) {
        Err(error) => error,
        Ok(answer) => panic!("{sql}: {answer:?}"),
    }
}

fn count(session: &Session, sql: &str) -> i64 {
    match query(session, sql).as_slice() {
        [row] => match row.as_slice() {
            [Value::BigInt(n)] => *n,
            other => panic!("{sql}: {other:?}"),
        },
        // without rows, count has one row; anything else is no count
        other => panic!("{sql}: {other:?}"),
    }
}

/// A table `d.t (ts, v int)` in a database that keeps a hundred years.
fn with_table() -> (Engine, Session) {
    let (engine, session) = memory();
    exec(&session, "create database d keep 36500");
    session.use_db("d").unwrap();
    exec(&session, "create table t (ts timestamp, v int)");
    (engine, session)
}

/// Fills `d.t` with rows of one millisecond each.
fn fill(session: &Session, rows: usize) {
    for start in (0..rows).step_by(5000) {
        let values: String = (start..rows.min(start + 5000))
            .map(|n| format!("({n}, {n})"))
            .collect();
        exec(session, &format!("insert into t values {values}"));
    }
}

#[test]
fn everything_is_there_after_the_directory_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let statements = [
        "describe d.st",
        "show d.tables",
        "show d.stables",
        "show create database d",
        "show tags from d.c1",
        "show create table d.st",
        "select * from d.st order by ts",
        "select name, `precision`, `keep` from information_schema.ins_databases where name = 'd'",
        "select table_name, table_comment, `ttl`, uid from information_schema.ins_tables where db_name = 'd' order by table_name",
    ];
    let ask = |session: &Session| -> Vec<_> { statements.map(|sql| query(session, sql)).into() };
    let before = {
        let engine = open(dir.path());
        let session = engine.session("root");
        exec(&session, "create database d precision 'us' keep 36500");
        exec(
            &session,
            "create stable d.st (ts timestamp, v int, n nchar(8) encode 'disabled') tags (g bigint unsigned, p geometry(64))",
        );
        exec(
            &session,
            "insert into d.c1 using d.st tags (18446744073709551615, 'POINT(1 2)') values (1, 2, '三') (3, null, null)",
        );
        exec(
            &session,
            "create table d.n (ts timestamp, k int primary key, x decimal(30, 3)) comment 'kept' ttl 9",
        );
        exec(&session, "alter table d.st add column later double");
        exec(&session, "alter table d.st drop column v");
        exec(&session, "create user somebody pass 'Secret_1234'");
        ask(&session)
    };
    let engine = open(dir.path());
    let session = engine.session("root");
    assert_eq!(ask(&session), before);
    engine.login("root", "taosdata").unwrap();
    engine.login("somebody", "Secret_1234").unwrap();
    assert_eq!(
        engine.login("somebody", "secret_1234").unwrap_err().code,
        0x0357
    );
    assert_eq!(engine.login("nobody", "x").unwrap_err().code, 0x0351);
    // numbers of columns and tables are not given again
    exec(&session, "alter table d.st add column v int");
    let rows = query(&session, "select v from d.c1");
    assert!(rows.iter().flatten().all(Value::is_null), "{rows:?}");
}

#[test]
fn the_password_is_nowhere_in_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    engine.set_login("admin", "Very_Secret_42").unwrap();
    engine.login("admin", "Very_Secret_42").unwrap();
    assert_eq!(engine.login("root", "taosdata").unwrap_err().code, 0x0351);
    engine.close();
    let mut looked = 0;
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        looked += bytes.len();
        assert!(!bytes.windows(14).any(|w| w == b"Very_Secret_42"));
    }
    assert!(looked > 8192);
}

#[test]
fn one_directory_is_opened_once_and_again_after_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let error = Engine::open(Storage::Dir(dir.path().to_owned())).unwrap_err();
    assert!(
        error.message.contains("another") || error.message.contains("other server"),
        "{error}"
    );
    drop(engine);
    open(dir.path());
}

#[test]
fn a_file_of_a_newer_release_or_another_program_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let file = dir.path().join("taos.db");
    let sqlite = rusqlite::Connection::open(&file).unwrap();
    sqlite
        .execute("UPDATE meta SET value = 99 WHERE key = 'format'", [])
        .unwrap();
    drop(sqlite);
    let error = Engine::open(Storage::Dir(dir.path().to_owned())).unwrap_err();
    assert!(
        error.message.contains("format 99") && error.message.contains("newer"),
        "{error}"
    );

    let other = tempfile::tempdir().unwrap();
    let sqlite = rusqlite::Connection::open(other.path().join("taos.db")).unwrap();
    sqlite
        .execute_batch("CREATE TABLE photos (id INTEGER)")
        .unwrap();
    drop(sqlite);
    let error = Engine::open(Storage::Dir(other.path().to_owned())).unwrap_err();
    assert!(error.message.contains("another program"), "{error}");
}

#[test]
fn closing_refuses_later_changes_and_empties_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let session = engine.session("root");
    exec(&session, "create database d");
    engine.close();
    assert!(
        refused(&session, "create database e")
            .message
            .contains("shutting down")
    );
    let log = std::fs::metadata(dir.path().join("taos.db-wal")).map_or(0, |m| m.len());
    assert_eq!(log, 0);
}

#[test]
fn a_memory_store_leaves_nothing_behind() {
    let (engine, session) = with_table();
    fill(&session, 10);
    drop((engine, session));
    let other = memory().1;
    assert_eq!(refused(&other, "show d.tables").code, 0x0388);
}

#[test]
fn writers_at_the_same_time_all_get_through() {
    let (engine, session) = with_table();
    exec(
        &session,
        "create stable st (ts timestamp, v int) tags (g int)",
    );
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let session = engine.session("root");
            scope.spawn(move || {
                for n in 0..50 {
                    // all of them create the same subtables
                    let sql =
                        format!("insert into d.c{n} using d.st tags ({n}) values ({writer}, {n})");
                    assert_eq!(exec(&session, &sql), 1);
                }
            });
        }
    });
    assert_eq!(count(&session, "select count(*) from st"), 400);
    assert_eq!(query(&session, "show child tables").len(), 50);
}

#[test]
fn readers_see_whole_statements_only_while_a_writer_writes() {
    let (engine, session) = with_table();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let session = engine.session("root");
            let (mut last, mut reads) = (0, 0);
            while !stop.load(Ordering::Relaxed) || reads == 0 {
                let seen = count(&session, "select count(*) from d.t");
                assert!(seen % 3 == 0 && seen >= last, "{seen} after {last}");
                last = seen;
                reads += 1;
            }
        });
        for n in 0..200 {
            let at = n * 3;
            exec(
                &session,
                &format!(
                    "insert into t values ({at}, 1) ({}, 2) ({}, 3)",
                    at + 1,
                    at + 2
                ),
            );
            // what is acknowledged is seen
            assert_eq!(count(&session, "select count(*) from t"), i64::from(at) + 3);
        }
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn results_that_nobody_reads_keep_nobody_waiting() {
    let (_engine, session) = with_table();
    fill(&session, 30_000);
    // more than compute at the same time, and each too long to be held whole
    let mut unread: Vec<ResultRows> = (0..60)
        .map(|_| start(&session, "select * from t"))
        .collect();
    let started = Instant::now();
    assert_eq!(count(&session, "select count(*) from t"), 30_000);
    assert!(started.elapsed() < Duration::from_secs(20));
    // and they are still whole
    let mut rows = 0;
    let last = unread.last_mut().unwrap();
    while let Some(block) = last.next_block().unwrap() {
        rows += block.nrows();
    }
    assert_eq!(rows, 30_000);
}

#[test]
fn dropping_results_half_read_gives_their_readers_back() {
    let (_engine, session) = with_table();
    fill(&session, 20_000);
    // more than there are threads in all
    for _ in 0..400 {
        let mut rows = start(&session, "select * from t");
        assert_eq!(rows.next_block().unwrap().unwrap().nrows(), 4096);
    }
    assert_eq!(count(&session, "select count(*) from t"), 20_000);
}

#[test]
fn an_error_in_any_part_of_an_insert_writes_nothing_at_all() {
    let (_engine, session) = with_table();
    exec(
        &session,
        "create stable st (ts timestamp, v int) tags (g int)",
    );
    for (sql, code) in [
        (
            "insert into t values (1, 1) c1 using st tags (1) values (1, 'x')",
            0x0216,
        ),
        (
            "insert into c1 using st tags (1) values (1, 1) nosuch values (1, 1)",
            0x2603,
        ),
        ("insert into t values (1, 1) (2, 2147483648)", 0x0216),
        ("insert into t values (1, 1) t (v) values (1)", 0x0200),
    ] {
        assert_eq!(refused(&session, sql).code, code, "{sql}");
    }
    assert_eq!(count(&session, "select count(*) from t"), 0);
    assert!(query(&session, "show child tables").is_empty());
}

#[test]
fn a_statement_prepared_before_a_change_of_its_table_is_prepared_again() {
    let (engine, session) = with_table();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let session = engine.session("root");
            for n in 0..30 {
                exec(&session, &format!("alter table d.t add column x{n} int"));
                exec(&session, &format!("alter table d.t drop column x{n}"));
            }
        });
        for n in 0..300 {
            assert_eq!(
                exec(
                    &session,
                    &format!("insert into t (ts, v) values ({n}, {n})")
                ),
                1
            );
        }
    });
    assert_eq!(count(&session, "select count(*) from t"), 300);
}

#[derive(Debug, Clone)]
enum Step {
    /// Rows of time and value for one of two subtables; `None` leaves the second column out.
    Insert(usize, Vec<(i64, Option<i32>)>),
    Delete(Option<usize>, i64, i64),
}

fn step() -> impl Strategy<Value = Step> {
    let row = (-40_i64..40, prop::option::weighted(0.8, any::<i32>()));
    prop_oneof![
        3 => (0..2_usize, prop::collection::vec(row, 1..12)).prop_map(|(t, rows)| Step::Insert(t, rows)),
        1 => (prop::option::of(0..2_usize), -40_i64..40, 0_i64..20)
            .prop_map(|(t, low, width)| Step::Delete(t, low, low + width)),
    ]
}

type Model = BTreeMap<(usize, i64), Option<i32>>;

/// Applies a step to the model; gives the statement and the rows it concerns.
fn apply(step: &Step, model: &mut Model) -> (String, usize) {
    match step {
        Step::Insert(table, rows) => {
            let mut merged: BTreeMap<i64, Option<i32>> = BTreeMap::new();
            for (time, value) in rows {
                let slot = merged.entry(*time).or_default();
                // NULL does not hide a value of the same statement
                *slot = value.or(*slot);
            }
            for (time, value) in &merged {
                model.insert((*table, *time), *value);
            }
            let values: String = rows
                .iter()
                .map(|(time, value)| match value {
                    Some(value) => format!("({time}, {value})"),
                    None => format!("({time}, null)"),
                })
                .collect();
            let sql = format!("insert into c{table} using st tags ({table}) values {values}");
            (sql, merged.len())
        }
        Step::Delete(table, low, high) => {
            let before = model.len();
            model.retain(|(of, time), _| {
                table.is_some_and(|t| t != *of) || !(low..=high).contains(&time)
            });
            let name = table.map_or("st".to_owned(), |t| format!("c{t}"));
            let sql = format!("delete from {name} where ts >= {low} and ts <= {high}");
            (sql, before - model.len())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inserts_and_deletes_do_what_a_sorted_map_does(steps in prop::collection::vec(step(), 1..25)) {
        let (_engine, session) = with_table();
        exec(&session, "create stable st (ts timestamp, v int) tags (g int)");
        exec(&session, "create table c0 using st tags (0) c1 using st tags (1)");
        let mut model = Model::new();
        for step in &steps {
            let (sql, affected) = apply(step, &mut model);
            prop_assert_eq!(exec(&session, &sql), u64::try_from(affected).unwrap(), "{}", sql);
        }
        let mut stored = Model::new();
        for row in query(&session, "select g, ts, v from st") {
            let [Value::Int(table), Value::Timestamp(time), value] = row.as_slice() else {
                panic!("{row:?}");
            };
            let value = match value {
                Value::Int(v) => Some(*v),
                _ => None,
            };
            let old = stored.insert((usize::try_from(*table).unwrap(), time.as_raw_i64()), value);
            prop_assert!(old.is_none(), "a key came twice");
        }
        prop_assert_eq!(stored, model);
    }
}
