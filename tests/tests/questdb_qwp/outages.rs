//! Connections that break, servers that refuse, several servers.

use std::sync::Arc;

use taos::questdb::ErrorCode;
use taos::questdb::ingress::{AckLevel, AsyncSender};
use taos_tests::qwp_mock::ingest::{Fate, Ingest};
use taos_tests::qwp_mock::{Halves, QwpMock, Refusal};
use tokio::net::TcpListener;

use crate::ingest::{LONG, assert_fine, connect, numbers, publish, serve};

pub(crate) const FAST: &str = "reconnect_initial_backoff_millis=1;reconnect_max_backoff_millis=5;";

#[tokio::test]
async fn frames_without_an_answer_are_sent_again_behind_all_symbols() {
    let (server, ingest) = serve().await;
    ingest.on_message(2, Fate::TakeAndCut);
    ingest.on_message(5, Fate::Cut);
    let mut sender = connect(&server, FAST).await.unwrap();
    for number in 0..2 {
        publish(&mut sender, number).await.unwrap();
    }
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    for number in 2..8 {
        publish(&mut sender, number).await.unwrap();
    }
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    let arrived = numbers(&ingest);
    let mut once = arrived.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once, (0..8).collect::<Vec<_>>());
    // Only what had no answer may come twice.
    assert_eq!(arrived.iter().filter(|n| **n < 2).count(), 2, "{arrived:?}");
    assert_eq!(ingest.connections(), 3);
    for connection in 1..3 {
        let messages = ingest.messages();
        let first = messages
            .iter()
            .find(|m| m.connection == connection)
            .unwrap();
        assert!(first.deferred && first.tables.is_empty(), "{first:?}");
        assert_eq!(first.first_symbol, 0);
        assert!(first.symbols.len() >= 3);
    }
    let totals = sender.qwp_ws_totals().unwrap();
    assert_eq!(totals.reconnects_succeeded, 2);
    assert!(totals.frames_replayed >= 2);
    assert_fine(&server);
}

#[tokio::test]
async fn symbols_are_told_anew_in_messages_within_the_limit() {
    let (server, ingest) = serve().await;
    ingest.limit(100);
    let mut sender = connect(&server, FAST).await.unwrap();
    for number in 0..100 {
        publish(&mut sender, number).await.unwrap();
    }
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    ingest.on_message(100, Fate::Cut);
    publish(&mut sender, 100).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!(numbers(&ingest), (0..=100).collect::<Vec<_>>());
    let told: Vec<_> = ingest
        .messages()
        .into_iter()
        .filter(|message| message.connection == 1 && message.tables.is_empty())
        .collect();
    assert!(told.len() > 3);
    assert_eq!(
        told.iter()
            .map(|message| message.symbols.len())
            .sum::<usize>(),
        101
    );
    assert_fine(&server);
}

#[tokio::test]
async fn a_server_that_restarts_finds_the_sender_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    // Nothing listens yet.
    let conf = format!("ws::addr={addr};{FAST}");
    let error = AsyncSender::from_conf(format!("{conf}initial_connect_retry=off;"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::SocketError);
    let mut sender = AsyncSender::from_conf(format!("{conf}initial_connect_retry=async;"))
        .await
        .unwrap();
    publish(&mut sender, 0).await.unwrap();
    let ingest = Arc::new(Ingest::default());
    let start = async |ingest: &Arc<Ingest>| {
        let halves = Halves {
            ingest: Some(ingest.clone()),
            ..Halves::default()
        };
        QwpMock::on(TcpListener::bind(addr).await.unwrap(), halves).unwrap()
    };
    let server = start(&ingest).await;
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    server.stop().await;
    for number in 1..4 {
        publish(&mut sender, number).await.unwrap();
    }
    let server = start(&ingest).await;
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!(numbers(&ingest), [0, 1, 2, 3]);
    assert_fine(&server);
}

#[tokio::test]
async fn the_first_connection_is_tried_as_long_as_asked_for() {
    let (server, ingest) = serve().await;
    for _ in 0..3 {
        ingest.refuse(Refusal::status(503));
    }
    let error = connect(&server, "").await.unwrap_err();
    assert!(error.msg().contains("503"), "{error}");
    let params = format!("initial_connect_retry=on;{FAST}");
    let mut sender = connect(&server, &params).await.unwrap();
    publish(&mut sender, 0).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    for _ in 0..1000 {
        ingest.refuse(Refusal::status(503));
    }
    let params = format!("{params}reconnect_max_duration_millis=30;");
    let error = connect(&server, &params).await.unwrap_err();
    assert!(error.msg().contains("no connection within"), "{error}");
}

#[tokio::test]
async fn refused_credentials_stop_a_sender_also_while_it_runs() {
    let (server, ingest) = serve().await;
    ingest.refuse(Refusal::status(401));
    let error = connect(&server, "username=u;password=secret;")
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::AuthError);
    assert!(!error.msg().contains("secret"));
    assert_eq!(
        server.heads()[0].header("Authorization"),
        Some("Basic dTpzZWNyZXQ=")
    );
    let mut sender = connect(&server, "token=abc;").await.unwrap();
    assert_eq!(
        server.heads()[1].header("Authorization"),
        Some("Bearer abc")
    );
    ingest.refuse(Refusal::status(403));
    ingest.on_message(0, Fate::Cut);
    publish(&mut sender, 0).await.unwrap();
    let error = sender.wait(AckLevel::Ok, LONG).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::AuthError);
    assert!(sender.must_close());
}

#[tokio::test]
async fn a_server_without_qwp_is_named_with_the_way_out() {
    let server = QwpMock::start(Halves::default()).await.unwrap();
    let error = connect(&server, "").await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnsupportedServer);
    for part in ["10.0", "http::", &server.addr().to_string()] {
        assert!(error.msg().contains(part), "{error}");
    }
}

#[tokio::test]
async fn of_several_servers_the_one_with_the_right_role_is_taken() {
    let (replica, refusing) = serve().await;
    let (primary, ingest) = serve().await;
    for _ in 0..1000 {
        refusing.refuse(Refusal::role("REPLICA"));
    }
    let conf = format!("ws::addr={},{};{FAST}", replica.addr(), primary.addr());
    let mut sender = AsyncSender::from_conf(&conf).await.unwrap();
    publish(&mut sender, 0).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    ingest.on_message(1, Fate::Cut);
    publish(&mut sender, 1).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!(numbers(&ingest), [0, 1]);
    let only = connect(&replica, "").await.unwrap_err();
    assert_eq!(only.code(), ErrorCode::RoleMismatch);
}

#[tokio::test]
async fn a_frame_refused_by_one_server_is_offered_to_another() {
    let (first, refusing) = serve().await;
    let (second, taking) = serve().await;
    refusing.on_message(0, Fate::Reject(0x0C));
    let conf = format!("ws::addr={},{};{FAST}", first.addr(), second.addr());
    let mut sender = AsyncSender::from_conf(&conf).await.unwrap();
    publish(&mut sender, 0).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!((refusing.rows().len(), numbers(&taking)), (0, vec![0]));
}
