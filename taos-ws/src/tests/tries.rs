//! Calls that need more than one try: what their errors say, their limits, and which server is asked.

use super::peer::{Accepts, DSN, Got, Peer, client, connected, error_of};
use super::stmt::{FIELDS, MODERN, SQL, param};
use super::stmt_server::{Script, Server};
use super::writes::lines;
use crate::protocol::TextRequest;
use crate::query::Taos;
use futures_util::FutureExt as _;
use std::time::Duration;
use taos_query::{
    AsyncQueryable as _, AsyncStatements as _, ConnectionState, ErrorKind, RawError,
    Stmt2AsyncBindable,
};
use tokio::time::Instant;

/// "System is starting".
const STARTING: u32 = 0x0130;

fn writing() -> String {
    format!("{DSN}&retry_writes=true")
}

async fn connected_to(dsn: &str, version: &str) -> (Taos, Peer, Accepts) {
    let (taos, mut accepts) = client(dsn);
    let (told, peer) = tokio::join!(taos.current_version(), logged_in(&mut accepts, version));
    told.unwrap();
    (taos, peer, accepts)
}

async fn logged_in(accepts: &mut Accepts, version: &str) -> Peer {
    let mut peer = accepts.accept().await;
    peer.upgrade().await;
    peer.login(version).await;
    peer
}

#[track_caller]
fn assert_unknown(error: &RawError, code: u32) {
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(i64::from(i32::from(error.code())), i64::from(code));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_have_happened_stays_unknown_when_its_repetition_is_refused() {
    let (taos, mut peer, mut accepts) = connected(&writing()).await;
    let server = async {
        peer.query().await;
        drop(peer);
        let mut peer = accepts.login().await;
        let (req_id, _) = peer.query().await;
        peer.error(req_id, STARTING, "System is starting").await;
        // Refused the first time, it did not happen.
        let (req_id, _) = peer.query().await;
        peer.error(req_id, STARTING, "System is starting").await;
        peer
    };
    let calls = async { (taos.exec("insert 1").await, taos.exec("insert 2").await) };
    let ((again, once), mut peer) = tokio::join!(calls, server);
    assert_unknown(&error_of(again), STARTING);
    assert!(!error_of(once).outcome_unknown());

    let data = lines(&["a v=1"]).build().unwrap();
    let server = async {
        peer.recv().await;
        drop(peer);
        let mut peer = accepts.login().await;
        let Got::Text(TextRequest::Insert(args)) = peer.recv().await else {
            panic!("the lines come again");
        };
        peer.error(args.req_id, STARTING, "System is starting")
            .await;
        peer
    };
    let (put, _peer) = tokio::join!(taos.put(&data), server);
    assert_unknown(&error_of(put), STARTING);
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_may_have_been_executed_stays_unknown_when_it_cannot_be_rebuilt() {
    for action in ["stmt2_init", "stmt2_prepare"] {
        let (taos, accepts) = client(&writing());
        let server = Server::start(accepts, Script::insert(MODERN, &FIELDS));
        let mut stmt = taos.stmt2(SQL).await.unwrap();
        Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 1)])
            .await
            .unwrap();
        stmt.exec().await.unwrap();
        Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 1)])
            .await
            .unwrap();
        // The execution is cut, and building the statement again ends at this step.
        server.set(|script| {
            script.cut = Some("stmt2_exec");
            script.errors.push((action, STARTING));
        });
        assert_unknown(&error_of(stmt.exec().await), STARTING);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_only_to_a_server_that_was_found_to_know_it() {
    let (taos, mut peer, mut accepts) = connected_to(&writing(), "3.3.8.0").await;
    let server = async {
        peer.recv().await;
        drop(peer);
        logged_in(&mut accepts, "3.3.2.0").await
    };
    let mut data = lines(&["a b=1"]);
    let data = data.table_name_key("id").build().unwrap();
    let (written, mut peer) = tokio::join!(taos.put(&data), server);
    let error = error_of(written);
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    // The newer server may have written it.
    assert!(error.outcome_unknown(), "{error}");

    // It was not sent: this comes first.
    let server = async {
        let (_, sql) = peer.query().await;
        drop(peer);
        assert_eq!(sql, "select 1");
        logged_in(&mut accepts, "3.0.0.0").await.query().await
    };
    tokio::select! {
        _ = taos.query("select 1") => panic!("nobody answers"),
        _ = server => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_is_not_asked_of_an_older_server_that_took_over() {
    let (taos, mut peer, mut accepts) = connected(DSN).await;
    let server = async {
        peer.recv().await;
        drop(peer);
        logged_in(&mut accepts, "3.0.0.0").await
    };
    let (told, _peer) = tokio::join!(taos.validate_sql("select 1"), server);
    let error = error_of(told);
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("3.0.0.0"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_of_a_dead_connection_leaves_its_successor_alone() {
    let (taos, mut peer, mut accepts) = connected(DSN).await;
    let mut late = Box::pin(taos.exec("insert 1"));
    assert!((&mut late).now_or_never().is_none());
    let (req_id, _) = peer.query().await;
    peer.error(req_id, 0x0215, "Connection killed").await;
    drop(peer);
    while !matches!(taos.connection_state(), ConnectionState::Broken { .. }) {
        tokio::task::yield_now().await;
    }
    let server = async {
        let mut peer = accepts.login().await;
        let (req_id, _) = peer.query().await;
        peer.updated(req_id, 2).await;
        peer
    };
    let (rows, mut peer) = tokio::join!(taos.exec("insert 2"), server);
    assert_eq!(rows.unwrap(), 2);
    assert_eq!(error_of(late.await).code(), 0x0215);
    assert!(taos.connection_state().is_ready());
    let (rows, ()) = tokio::join!(taos.exec("insert 3"), async {
        let (req_id, _) = peer.query().await;
        peer.updated(req_id, 3).await;
    });
    assert_eq!(rows.unwrap(), 3);
    assert!(accepts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_limit_for_answers_holds_over_all_tries() {
    let (taos, mut peer, mut accepts) = connected(DSN).await;
    let server = async {
        loop {
            peer.query().await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            drop(peer);
            peer = accepts.login().await;
        }
    };
    let started = Instant::now();
    let result = tokio::select! {
        result = taos.query("select 1") => result,
        () = server => unreachable!(),
    };
    let error = error_of(result);
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains("read_timeout"), "{error}");
    assert_eq!(started.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_statements_own_limit_holds_over_connecting_again() {
    let (taos, accepts) = client(DSN);
    let server = Server::start(accepts, Script::insert(MODERN, &FIELDS));
    let mut stmt = taos.stmt2(SQL).await.unwrap();
    stmt.set_timeout(Duration::from_secs(2));
    Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 1)])
        .await
        .unwrap();
    server.set(|script| {
        script.cut = Some("stmt2_bind");
        script.mute = Some("conn");
    });
    let started = Instant::now();
    let error = error_of(stmt.exec().await);
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(!error.outcome_unknown(), "{error}");
    assert_eq!(started.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_who_gives_up_at_a_mute_server_begins_with_the_next_address() {
    let (taos, mut accepts) = client("ws://peer:1,peer:2?conn_retries=0");
    // Held and never answered.
    let mute = tokio::select! {
        _ = taos.current_version() => panic!("nobody answers"),
        peer = accepts.accept() => peer,
    };
    let mut first = mute;
    let first = first.head().await;
    let second = tokio::select! {
        _ = taos.current_version() => panic!("nobody answers"),
        head = async { accepts.accept().await.head().await } => head,
    };
    let host = |head: &str| {
        head.lines()
            .find(|l| l.starts_with("Host"))
            .map(str::to_owned)
    };
    assert_ne!(host(&first), host(&second));
}
