//! Statements on connections that break, fall silent or are given up.

use super::cancel::poll_times;
use super::peer::{DSN, client, client_with, error_of};
use super::stmt::{FIELDS, MODERN, OLD, SQL, columns, param, with};
use super::stmt_server::{Script, Server};
use std::time::Duration;
use taos_query::common::Value;
use taos_query::{
    AsyncBindable, AsyncQueryable as _, AsyncStatements as _, ErrorKind, Stmt2AsyncBindable,
};
use tokio::time::Instant;

/// The steps of an INSERT before its execution.
const EARLY: [(&str, &str); 9] = [
    (MODERN, "stmt2_init"),
    (MODERN, "stmt2_prepare"),
    (MODERN, "stmt2_bind"),
    (OLD, "init"),
    (OLD, "prepare"),
    (OLD, "set_table_name"),
    (OLD, "set_tags"),
    (OLD, "bind"),
    (OLD, "add_batch"),
];

#[tokio::test(start_paused = true)]
async fn a_cut_before_the_execution_rebuilds_the_statement_and_every_row_arrives_once() {
    for (version, action) in EARLY {
        let mut script = Script::insert(version, &FIELDS);
        script.cut = Some(action);
        let (taos, server) = with(script);
        let mut stmt = taos.stmt2(SQL).await.unwrap();
        for _ in 0..2 {
            Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 2), param("d2", 1)])
                .await
                .unwrap();
            assert_eq!(stmt.exec().await.unwrap(), 3, "{action}");
        }
        assert_eq!(
            server.seen(|seen| (seen.executed_rows, seen.logins)),
            (6, 2),
            "{action}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_in_the_execution_of_an_insert_has_an_unknown_outcome_and_is_not_repeated() {
    for (version, action) in [(MODERN, "stmt2_exec"), (OLD, "exec")] {
        let (taos, server) = with(Script::insert(version, &FIELDS));
        let mut stmt = taos.stmt2(SQL).await.unwrap();
        server.set(|script| script.cut = Some(action));
        Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 2)])
            .await
            .unwrap();
        let error = error_of(stmt.exec().await);
        assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
        assert!(error.outcome_unknown());
        assert_eq!(server.seen(|seen| seen.executed_rows), 0);
        // The statement itself goes on, with nothing bound.
        let error = error_of(stmt.exec().await);
        assert!(error.to_string().contains("nothing was bound"), "{error}");
        Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 5)])
            .await
            .unwrap();
        assert_eq!(stmt.exec().await.unwrap(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_in_the_execution_is_repeated_for_queries_and_where_writes_may_be() {
    for (dsn, insert, action) in [
        (format!("{DSN}&retry_writes=true"), true, "stmt2_exec"),
        (DSN.to_owned(), false, "stmt2_exec"),
        (DSN.to_owned(), false, "stmt2_result"),
    ] {
        let (taos, accepts) = client(&dsn);
        let (script, sql) = if insert {
            (Script::insert(MODERN, &FIELDS), SQL)
        } else {
            (Script::query(MODERN), "select v, s from t where v > ?")
        };
        let server = Server::start(accepts, script);
        let mut stmt = taos.stmt2(sql).await.unwrap();
        server.set(|script| script.cut = Some(action));
        if insert {
            Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 2)])
                .await
                .unwrap();
            assert_eq!(stmt.exec().await.unwrap(), 2);
        } else {
            let one = taos_query::block::ColumnView::from_ints(vec![1]);
            let param = taos_query::Stmt2BindParam::new(None, None, Some(vec![one]));
            Stmt2AsyncBindable::bind(&mut stmt, &[param]).await.unwrap();
            stmt.exec().await.unwrap();
            Stmt2AsyncBindable::result_set(&stmt).await.unwrap();
        }
        assert_eq!(server.seen(|seen| seen.logins), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_statement_after_a_reconnect_is_opened() {
    let (taos, server) = with(Script::insert(MODERN, &FIELDS));
    // A connection without statements that broke while idle.
    taos.current_version().await.unwrap();
    server.set(|script| script.cut = Some("stmt2_close"));
    drop(taos.stmt(SQL).await.unwrap());
    while server.seen(|seen| !seen.log.contains(&"stmt2_close".to_owned())) {
        tokio::task::yield_now().await;
    }
    let limit = Duration::from_secs(5);
    let stmt = tokio::time::timeout(limit, taos.stmt2(SQL)).await.unwrap();
    stmt.unwrap();
    assert_eq!(server.seen(|seen| seen.logins), 2);
}

#[tokio::test(start_paused = true)]
async fn a_mute_server_is_given_up_within_the_limit_and_says_whether_rows_may_be_there() {
    for (action, unknown) in [("stmt2_bind", false), ("stmt2_exec", true)] {
        for own in [None, Some(Duration::from_secs(2))] {
            let (taos, server) = with(Script::insert(MODERN, &FIELDS));
            let mut stmt = taos.stmt(SQL).await.unwrap();
            if let Some(limit) = own {
                stmt.set_timeout(limit);
            }
            server.set(|script| script.mute = Some(action));
            stmt.set_tbname_tags("d1", &[Value::NChar("x".into())])
                .await
                .unwrap();
            stmt.bind(&columns(1))
                .await
                .unwrap()
                .add_batch()
                .await
                .unwrap();
            let started = Instant::now();
            let error = error_of(stmt.execute().await);
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert_eq!(error.outcome_unknown(), unknown, "{action}");
            let limit = own.unwrap_or(Duration::from_secs(30));
            assert_eq!(started.elapsed().as_secs(), limit.as_secs());
            assert!(error.to_string().contains("stmt_exec"), "{error}");
            server.set(|script| script.mute = None);
            stmt.bind(&columns(1))
                .await
                .unwrap()
                .add_batch()
                .await
                .unwrap();
            assert_eq!(stmt.execute().await.unwrap(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_takes_no_more_executions() {
    let (taos, _server) = with(Script::insert(MODERN, &FIELDS));
    let mut stmt = taos.stmt2(SQL).await.unwrap();
    Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 2)])
        .await
        .unwrap();
    taos.close();
    assert_eq!(error_of(stmt.exec().await).kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_statement_is_not_rebuilt_in_another_database_than_it_was_prepared_in() {
    for (sql, again) in [
        (SQL, false),
        ("insert into ? using db1.st tags(?) values(?,?,?)", true),
    ] {
        let (taos, server) = with(Script::insert(MODERN, &FIELDS));
        taos.exec("use db1").await.unwrap();
        let mut stmt = taos.stmt2(sql).await.unwrap();
        taos.exec("use db2").await.unwrap();
        // As long as the server holds it, it is what it was.
        Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 1)])
            .await
            .unwrap();
        assert_eq!(stmt.exec().await.unwrap(), 1);
        server.set(|script| script.cut = Some("stmt2_bind"));
        Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 1)])
            .await
            .unwrap();
        match stmt.exec().await {
            Ok(rows) => assert!(again && rows == 1),
            Err(error) => {
                assert!(!again, "{error}");
                let text = error.to_string();
                assert!(text.contains("`db1` to `db2`"), "{text}");
            }
        }
    }
}

/// Small pipes cut requests and replies in half at nearly every poll.
#[tokio::test(start_paused = true)]
async fn a_statement_dropped_after_any_poll_leaves_a_usable_connection_and_nothing_open() {
    for (version, capacity) in [(MODERN, 7), (MODERN, 64), (MODERN, 1 << 16), (OLD, 64)] {
        let (taos, accepts) = client_with(DSN, capacity);
        let server = Server::start(accepts, Script::insert(version, &FIELDS));
        taos.current_version().await.unwrap();
        let mut completed = 0;
        for times in 0..40 {
            let whole = async {
                let mut stmt = taos.stmt2(SQL).await.unwrap();
                Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 9)])
                    .await
                    .unwrap();
                stmt.exec().await.unwrap()
            };
            completed += usize::from(poll_times(whole, times).await == Some(9));
            assert_eq!(taos.exec("insert").await.unwrap(), 1, "after {times} polls");
        }
        assert!(
            (1..37).contains(&completed),
            "{completed} polled to their end"
        );
        // What was given up is closed by the answers that come later.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            server.seen(|seen| (seen.statements.len(), seen.logins)),
            (0, 1)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_statement_whose_execution_was_dropped_can_be_used_again() {
    for version in [MODERN, OLD] {
        let (taos, accepts) = client_with(DSN, 64);
        let server = Server::start(accepts, Script::insert(version, &FIELDS));
        let mut stmt = taos.stmt(SQL).await.unwrap();
        let mut dropped = 0;
        for times in 1..20 {
            stmt.set_tbname_tags("d1", &[Value::NChar("x".into())])
                .await
                .unwrap();
            stmt.bind(&columns(1))
                .await
                .unwrap()
                .add_batch()
                .await
                .unwrap();
            if poll_times(stmt.execute(), times).await.is_none() {
                dropped += 1;
                let error = error_of(stmt.execute().await);
                assert!(error.to_string().contains("nothing was bound"), "{error}");
            }
            stmt.bind(&columns(4))
                .await
                .unwrap()
                .add_batch()
                .await
                .unwrap();
            assert_eq!(stmt.execute().await.unwrap(), 4, "after {times} polls");
        }
        assert!(dropped > 1, "{dropped}");
        drop(stmt);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            server.seen(|seen| (seen.statements.len(), seen.logins)),
            (0, 1)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn many_statements_share_one_connection_without_crossing() {
    let (taos, server) = with(Script::insert(MODERN, &FIELDS));
    let tasks = (1..=64_usize).map(|rows| {
        let taos = taos.clone();
        tokio::spawn(async move {
            let mut stmt = taos.stmt2(SQL).await.unwrap();
            for _ in 0..5 {
                Stmt2AsyncBindable::bind(&mut stmt, &[param("d", rows)])
                    .await
                    .unwrap();
                assert_eq!(stmt.exec().await.unwrap(), rows);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(
        server.seen(|seen| (seen.executed_rows, seen.logins)),
        (5 * 64 * 65 / 2, 1)
    );
}

#[test]
fn a_statement_may_be_dropped_outside_of_any_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (stmt, server, taos) = runtime.block_on(async {
        let (taos, server) = with(Script::insert(MODERN, &FIELDS));
        (taos.stmt(SQL).await.unwrap(), server, taos)
    });
    drop(stmt);
    runtime.block_on(async { taos.exec("insert").await.unwrap() });
    assert!(server.seen(|seen| seen.statements.is_empty()));
}
