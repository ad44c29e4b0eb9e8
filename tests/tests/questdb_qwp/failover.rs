//! What becomes of a query when its connection is lost, and which server is asked (questdb §14).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taos::*;
use taos_tests::qwp_mock::QwpMock;
use taos_tests::qwp_mock::Refusal;
use taos_tests::qwp_mock::egress::{Gate, Info, Queries, Request, Step, capability};

use super::egress::{connect, longs, read, serve};

/// Answers the first statements by the one script and the rest by the other.
fn first(
    count: usize,
    script: impl Fn() -> Vec<Step> + Send + Sync + 'static,
    then: impl Fn() -> Vec<Step> + Send + Sync + 'static,
) -> Queries {
    let asked = AtomicUsize::new(0);
    Queries::new(move |_: &Request| {
        if asked.fetch_add(1, Ordering::Relaxed) < count {
            script()
        } else {
            then()
        }
    })
}

fn whole() -> Vec<Step> {
    vec![longs([1, 2]), Step::End]
}

async fn connect_all(servers: &[&QwpMock], params: &str) -> RawResult<Taos> {
    let addresses: Vec<String> = servers.iter().map(|s| s.addr().to_string()).collect();
    let dsn = format!("questdb+ws://{}{params}", addresses.join(","));
    TaosBuilder::from_dsn(dsn)?.build().await
}

#[tokio::test]
async fn a_query_whose_connection_is_lost_before_its_rows_is_asked_again() {
    let scripts: [fn() -> Vec<Step>; 4] = [
        || vec![Step::Cut],
        || vec![Step::Close(1001)],
        // The columns alone are no rows.
        || vec![longs([]), Step::Cut],
        || vec![longs([]), Step::Close(1011)],
    ];
    for script in scripts {
        let (server, queries) = serve(first(2, script, whole)).await;
        let taos = connect(&server, "?failover_backoff_initial_ms=1")
            .await
            .unwrap();
        assert_eq!(read(&taos, "select n from t").await.unwrap(), [1, 2]);
        let log = queries.log();
        assert_eq!((log.requests.len(), log.connections), (3, 3));
    }
}

#[tokio::test]
async fn a_query_is_not_asked_for_ever() {
    let cut = || vec![Step::Cut];
    let (server, queries) = serve(first(usize::MAX, cut, cut)).await;
    let params = "?failover_backoff_initial_ms=1&failover_max_attempts=3";
    let taos = connect(&server, params).await.unwrap();
    let error = read(&taos, "select n from t").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionLost);
    assert!(error.to_string().contains("3 attempts"), "{error}");
    assert_eq!(queries.log().requests.len(), 3);

    let taos = connect(&server, "?failover=off").await.unwrap();
    read(&taos, "select n from t").await.unwrap_err();
    assert_eq!(queries.log().requests.len(), 4);
}

#[tokio::test]
async fn rows_that_were_handed_out_are_not_asked_for_again() {
    let cut = || vec![longs([1]), Step::Cut];
    let (server, queries) = serve(first(1, cut, whole)).await;
    let taos = connect(&server, "").await.unwrap();
    let error = read(&taos, "select n from t").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionLost);
    assert!(error.to_string().contains("handed out"), "{error}");
    assert_eq!(queries.log().requests.len(), 1);
    assert_eq!(read(&taos, "select n from t").await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn a_change_whose_fate_is_unknown_is_not_repeated() {
    let done = || vec![Step::Done(1)];
    let (server, queries) = serve(first(1, || vec![Step::Cut], done)).await;
    let taos = connect(&server, "").await.unwrap();
    let error = taos.exec("insert into t values (1)").await.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(error.kind(), ErrorKind::ConnectionLost);
    assert_eq!(queries.log().requests.len(), 1);
    assert_eq!(taos.exec("insert into t values (1)").await.unwrap(), 1);
}

#[tokio::test]
async fn a_change_is_run_where_an_idle_connection_had_ended() {
    let (server, queries) = serve(Queries::new(|_| vec![Step::Done(1), Step::Cut])).await;
    let taos = connect(&server, "").await.unwrap();
    for count in 1..4 {
        assert_eq!(taos.exec("insert into t values (1)").await.unwrap(), 1);
        // The server is gone by the time of the next statement, and that is seen before it is sent.
        queries.ended(count).await;
    }
    let log = queries.log();
    assert_eq!((log.requests.len(), log.connections), (3, 3));
}

#[tokio::test]
async fn a_violation_of_the_protocol_ends_the_query_and_its_connection() {
    let garbage = || vec![Step::Raw(b"garbage that is no message".to_vec())];
    let (server, queries) = serve(first(1, garbage, whole)).await;
    let taos = connect(&server, "").await.unwrap();
    let error = read(&taos, "select n from t").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(queries.log().requests.len(), 1, "never asked again");
    assert_eq!(read(&taos, "select n from t").await.unwrap(), [1, 2]);
    assert_eq!(queries.log().connections, 2);
}

#[tokio::test]
async fn a_result_that_ends_too_early_is_no_result() {
    // An end that says two rows, of which one came.
    let short = || {
        let mut end = b"QWP1\x01\0\0\0\x0b\0\0\0\x12".to_vec();
        end.extend_from_slice(&1_i64.to_le_bytes());
        end.extend_from_slice(&[0, 2]);
        vec![longs([1]), Step::Raw(end)]
    };
    let (server, _) = serve(first(1, short, whole)).await;
    let taos = connect(&server, "").await.unwrap();
    let error = read(&taos, "select n from t").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_failure_of_the_whole_connection_closes_it() {
    let fail = || vec![Step::FailConnection(6, "going down".to_owned())];
    let (server, queries) = serve(first(1, fail, whole)).await;
    let taos = connect(&server, "").await.unwrap();
    let error = read(&taos, "select n from t").await.unwrap_err();
    assert!(error.to_string().contains("going down"), "{error}");
    assert_eq!(read(&taos, "select n from t").await.unwrap(), [1, 2]);
    assert_eq!(queries.log().connections, 2);
}

#[tokio::test]
async fn a_change_under_way_when_the_whole_connection_fails_is_in_doubt() {
    let fail = || vec![Step::FailConnection(6, "going down".to_owned())];
    let (server, queries) = serve(first(1, fail, || vec![Step::Done(1)])).await;
    let taos = connect(&server, "").await.unwrap();
    let error = taos.exec("insert into t values (1)").await.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(queries.log().requests.len(), 1, "never asked again");
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_before_the_rows_and_between_them() {
    let scripts: [fn() -> Vec<Step>; 2] = [
        || vec![Step::Hold(Gate::default())],
        || vec![longs([1]), Step::Hold(Gate::default())],
    ];
    for script in scripts {
        let (server, queries) = serve(first(1, script, whole)).await;
        let params = "?query_timeout_ms=50&request_timeout=50";
        let taos = connect(&server, params).await.unwrap();
        let error = read(&taos, "select n from t").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        let text = error.to_string();
        let address = server.addr().to_string();
        assert!(
            text.contains(&address) && text.contains("query_timeout_ms"),
            "{text}"
        );
        assert!(!taos.connection_state().is_ready());
        assert_eq!(read(&taos, "select n from t").await.unwrap(), [1, 2]);
        assert!(taos.connection_state().is_ready());
        assert_eq!(queries.log().connections, 2, "the silent one is closed");
    }
}

#[tokio::test]
async fn a_server_that_answers_no_ping_is_given_up_within_the_time_of_a_request() {
    let (server, _) = serve(Queries::new(|_| vec![Step::Hold(Gate::default())])).await;
    let params = "?request_timeout=50";
    let mut taos = connect(&server, params).await.unwrap();
    let dsn = format!("questdb+ws://{}{params}", server.addr());
    let builder = TaosBuilder::from_dsn(dsn).unwrap();
    let error = builder.ping(&mut taos).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let error = taos.server_version().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[tokio::test]
async fn another_server_is_asked_when_one_is_lost() {
    let (one, asked) = serve(first(usize::MAX, || vec![Step::Cut], whole)).await;
    let (other, served) = serve(Queries::new(|_| whole())).await;
    let taos = connect_all(&[&one, &other], "").await.unwrap();
    assert_eq!(read(&taos, "select n from t").await.unwrap(), [1, 2]);
    assert_eq!(asked.log().requests.len(), 1);
    // It stays there.
    assert_eq!(read(&taos, "select n from t").await.unwrap(), [1, 2]);
    assert_eq!(asked.log().requests.len(), 1);
    assert_eq!(served.log().connections, 1);
}

#[tokio::test]
async fn a_server_of_the_wrong_role_is_passed_over() {
    let role = |role| Info {
        role,
        ..Info::default()
    };
    let (primary, _) = serve(Queries::new(|_| whole()).with_info(role(1))).await;
    let (replica, served) = serve(Queries::new(|_| whole()).with_info(role(2))).await;
    let refusing = Queries::new(|_| whole()).refusing(Refusal::role("PRIMARY"));
    let (refusing, _) = serve(refusing).await;
    let servers = [&primary, &refusing, &replica];
    let taos = connect_all(&servers, "?target=replica").await.unwrap();
    assert_eq!(read(&taos, "select n from t").await.unwrap(), [1, 2]);
    assert_eq!(served.log().requests.len(), 1);

    let error = connect_all(&[&primary], "?target=replica")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("target=replica"), "{error}");
    let error = connect_all(&[&primary, &refusing], "?target=replica")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("2 servers"), "{error}");
}

#[tokio::test]
async fn a_server_of_the_own_zone_is_preferred_after_an_outage() {
    let zone = |zone: &str| Info {
        capabilities: capability::ZONE,
        zone: zone.to_owned(),
        ..Info::default()
    };
    let cut_once = || first(1, || vec![Step::Cut], whole);
    let (far, asked) = serve(cut_once().with_info(zone("west"))).await;
    let (near, served) = serve(Queries::new(|_| whole()).with_info(zone("east"))).await;
    let taos = connect_all(&[&far, &near], "?zone=east").await.unwrap();
    assert_eq!(read(&taos, "select n from t").await.unwrap(), [1, 2]);
    assert_eq!(asked.log().requests.len(), 1);
    assert_eq!(served.log().requests.len(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_introduce_itself_is_given_up() {
    let silent = Arc::new(Queries::new(|_| whole()).silent());
    let halves = taos_tests::qwp_mock::Halves {
        queries: Some(silent.clone()),
        ..Default::default()
    };
    let server = QwpMock::start(halves).await.unwrap();
    let dsn = format!("questdb+ws://{}", server.addr());
    let connecting = tokio::spawn(async move { TaosBuilder::from_dsn(dsn)?.build().await });
    silent.until(|log| log.connections == 1).await;
    tokio::time::pause();
    let error = connecting.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("introduce"), "{error}");
}
