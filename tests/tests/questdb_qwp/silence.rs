//! Senders that do nothing for long, servers that say nothing any more, tasks that are gone.

use std::time::Duration;

use taos::questdb::ErrorCode;
use taos::questdb::ingress::{AckLevel, AsyncSender};
use taos_tests::proxy::Proxy;
use taos_tests::qwp_mock::Refusal;
use taos_tests::qwp_mock::ingest::Fate;
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use crate::ingest::{LONG, assert_fine, connect, numbers, publish, row, serve};
use crate::outages::FAST;

#[tokio::test]
async fn a_flush_after_a_long_silence_is_sent_once_over_the_same_connection() {
    let (server, ingest) = serve().await;
    let mut sender = connect(&server, "request_timeout=200;").await.unwrap();
    for number in 0..3 {
        sleep(Duration::from_millis(300)).await;
        publish(&mut sender, number).await.unwrap();
        sender.wait(AckLevel::Ok, LONG).await.unwrap();
    }
    assert_eq!((ingest.connections(), numbers(&ingest)), (1, vec![0, 1, 2]));
    assert_fine(&server);
}

#[tokio::test]
async fn a_caller_that_drives_may_take_its_time() {
    let (server, ingest) = serve().await;
    let params = "request_timeout=200;qwp_ws_progress=manual;";
    let mut sender = connect(&server, params).await.unwrap();
    for number in 0..3 {
        publish(&mut sender, number).await.unwrap();
        sender.drive_once().await.unwrap();
        sleep(Duration::from_millis(300)).await;
        sender.wait(AckLevel::Ok, LONG).await.unwrap();
    }
    assert_eq!((ingest.connections(), numbers(&ingest)), (1, vec![0, 1, 2]));
}

#[tokio::test]
async fn a_line_that_has_gone_dead_is_given_up() {
    for params in ["", "qwp_ws_progress=manual;"] {
        let (server, ingest) = serve().await;
        let mut proxy = Proxy::to(server.addr()).start().await.unwrap();
        let conf = format!(
            "ws::addr={},{};request_timeout=100;{FAST}{params}",
            proxy.address(),
            server.addr()
        );
        let mut sender = AsyncSender::from_conf(conf).await.unwrap();
        publish(&mut sender, 0).await.unwrap();
        sender.wait(AckLevel::Ok, LONG).await.unwrap();
        proxy.mute();
        publish(&mut sender, 1).await.unwrap();
        let lost = async {
            while sender.qwp_ws_totals().unwrap().reconnect_attempts == 0 {
                if !params.is_empty() {
                    sender.drive_once().await.unwrap();
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, lost).await.expect("the loss is noticed");
        sender.wait(AckLevel::Ok, LONG).await.unwrap();
        assert_eq!(numbers(&ingest).last(), Some(&1));
        proxy.shut().await;
    }
}

#[tokio::test]
async fn a_step_does_not_wait_for_the_pause_before_the_next_connection() {
    let (server, ingest) = serve().await;
    let params = "qwp_ws_progress=manual;reconnect_initial_backoff_millis=60000;\
                  reconnect_max_backoff_millis=60000;";
    let mut sender = connect(&server, params).await.unwrap();
    ingest.on_message(0, Fate::Cut);
    ingest.refuse(Refusal::status(503));
    publish(&mut sender, 0).await.unwrap();
    let steps = async {
        // Ends once a step has nothing to do and there is no connection any more.
        while sender.drive_once().await.unwrap()
            || sender.qwp_ws_totals().unwrap().frames_sent == 0
            || ingest.messages().is_empty()
        {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            sender.drive_once().await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, steps).await.expect("no step sleeps");
    assert_eq!(ingest.connections(), 1);
}

#[tokio::test]
async fn refusals_behind_frames_that_are_only_committed_count_and_pause() {
    let (server, ingest) = serve().await;
    ingest.acknowledge_durably();
    // Every connection brings the committed frame again, and behind it the one that is refused.
    for at in (1..400).step_by(2) {
        ingest.on_message(at, Fate::Reject(0x09));
    }
    let params = format!(
        "request_durable_ack=on;max_frame_rejections=4;poison_min_escalation_window_millis=1;{FAST}"
    );
    let mut sender = connect(&server, &params).await.unwrap();
    publish(&mut sender, 0).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    publish(&mut sender, 1).await.unwrap();
    let error = sender.wait(AckLevel::Ok, LONG).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ServerRejection, "{error}");
    assert!(ingest.connections() < 10, "{}", ingest.connections());
    assert_fine(&server);
}

#[test]
fn a_sender_whose_runtime_is_gone_says_so() {
    let servers = Runtime::new().unwrap();
    let (server, _ingest) = servers.block_on(serve());
    let runtime = Runtime::new().unwrap();
    let mut sender = runtime.block_on(connect(&server, "")).unwrap();
    drop(runtime);
    servers.block_on(async {
        let published = publish(&mut sender, 0).await;
        let waited = timeout(LONG, sender.wait(AckLevel::Ok, Duration::ZERO)).await;
        let waited = waited.expect("the end is known");
        let error = published.and(waited).unwrap_err();
        assert!(error.msg().contains("runtime"), "{error}");
        assert!(sender.must_close());
    });
}

#[tokio::test]
async fn a_sender_dropped_at_once_still_sends_what_it_can() {
    let (server, ingest) = serve().await;
    let mut sender = connect(&server, "").await.unwrap();
    for number in 0..5 {
        publish(&mut sender, number).await.unwrap();
    }
    drop(sender);
    timeout(LONG, ingest.until(|ingest| ingest.rows().len() == 5))
        .await
        .expect("all rows arrive");
    assert_fine(&server);
}

#[tokio::test]
async fn a_server_with_too_small_a_limit_leaves_the_frame_to_another() {
    let (small, refusing) = serve().await;
    let (large, taking) = serve().await;
    refusing.limit(200);
    taking.refuse(Refusal::status(503));
    taking.on_message(0, Fate::Cut);
    let conf = format!("ws::addr={},{};{FAST}", large.addr(), small.addr());
    // The first connection knows no limit, the second finds the small one.
    taking.refuse(Refusal::status(503));
    let mut sender = AsyncSender::from_conf(format!("{conf}initial_connect_retry=async;"))
        .await
        .unwrap();
    let mut buffer = sender.new_buffer();
    for number in 0..50 {
        row(&mut buffer, number);
    }
    sender.flush(&mut buffer).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!((refusing.rows().len(), taking.rows().len()), (0, 50));
    assert!(refusing.connections() > 0);
}

#[tokio::test]
async fn a_frame_too_long_for_every_server_stops_the_sender() {
    let (server, ingest) = serve().await;
    let mut sender = connect(&server, FAST).await.unwrap();
    ingest.on_message(0, Fate::Cut);
    ingest.limit(200);
    let mut buffer = sender.new_buffer();
    for number in 0..50 {
        row(&mut buffer, number);
    }
    sender.flush(&mut buffer).await.unwrap();
    let error = sender.wait(AckLevel::Ok, LONG).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BatchTooLarge);
    assert!(sender.must_close());
}
