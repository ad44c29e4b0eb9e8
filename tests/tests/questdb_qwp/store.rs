//! Store-and-forward: what one process leaves, the next one sends.

use taos::questdb::ErrorCode;
use taos::questdb::ingress::AckLevel;
use taos_tests::qwp_mock::ingest::Fate;

use crate::ingest::{LONG, assert_fine, connect, numbers, publish, serve};

#[tokio::test]
async fn slots_left_behind_are_drained_by_a_sender_that_is_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let (server, ingest) = serve().await;
    let params = format!(
        "sf_dir={};close_flush_timeout_millis=0;",
        dir.path().display()
    );
    ingest.hold();
    let mut busy = None;
    for (id, number) in [("one", 1), ("two", 2), ("three", 3)] {
        let params = format!("{params}sender_id={id};");
        let mut sender = connect(&server, &params).await.unwrap();
        publish(&mut sender, number).await.unwrap();
        busy = Some(sender);
    }
    ingest.until(|ingest| ingest.messages().len() == 3).await;
    let before = ingest.connections();
    ingest.release();
    let params = format!("{params}drain_orphans=on;max_background_drainers=1;");
    let _sender = connect(&server, &params).await.unwrap();
    // The slot that is still open is left alone.
    ingest.until(|ingest| ingest.rows().len() >= 5).await;
    assert_eq!(ingest.connections(), before + 3);
    busy.unwrap().wait(AckLevel::Ok, LONG).await.unwrap();
    let mut arrived = numbers(&ingest);
    arrived.sort_unstable();
    assert_eq!(arrived, [1, 1, 2, 2, 3]);
    assert_fine(&server);
}

#[tokio::test]
async fn what_a_sender_left_behind_is_sent_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let (server, ingest) = serve().await;
    let params = format!(
        "sf_dir={};sf_durability=periodic;sf_sync_interval_millis=1;close_flush_timeout_millis=0;",
        dir.path().display()
    );
    let mut sender = connect(&server, &params).await.unwrap();
    for number in 0..3 {
        publish(&mut sender, number).await.unwrap();
    }
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    ingest.hold();
    ingest.on_message(3, Fate::Cut);
    for number in 3..6 {
        publish(&mut sender, number).await.unwrap();
    }
    let error = connect(&server, &params).await.unwrap_err();
    assert_eq!(
        error.code(),
        ErrorCode::ConfigError,
        "the slot is in use: {error}"
    );
    connect(&server, &format!("{params}sender_id=another;"))
        .await
        .unwrap();
    sender.close_drain().await.unwrap();
    drop(sender);
    ingest.release();
    let before = ingest.connections();

    let mut sender = connect(&server, &params).await.unwrap();
    assert_eq!(sender.published_fsn().unwrap(), Some(5));
    publish(&mut sender, 6).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!(sender.acked_fsn().unwrap(), Some(6));
    let mut arrived = numbers(&ingest);
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived, (0..7).collect::<Vec<_>>());
    let messages = ingest.messages();
    let first = messages.iter().find(|m| m.connection == before).unwrap();
    assert!(first.deferred && first.first_symbol == 0 && first.symbols.len() >= 6);
    sender.close_drain().await.unwrap();
    drop(sender);

    let mut sender = connect(&server, &params).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    publish(&mut sender, 7).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    let messages = ingest.messages();
    let last = messages.last().unwrap();
    assert_eq!(
        (last.first_symbol, last.symbols.len()),
        (0, 1),
        "nothing was left to send"
    );
    assert_fine(&server);
}

#[tokio::test]
async fn a_refused_frame_does_not_stop_the_senders_to_come() {
    let dir = tempfile::tempdir().unwrap();
    let (server, ingest) = serve().await;
    let params = format!("sf_dir={};", dir.path().display());
    ingest.on_message(0, Fate::Reject(0x03));
    let mut sender = connect(&server, &params).await.unwrap();
    publish(&mut sender, 0).await.unwrap();
    let error = sender.wait(AckLevel::Ok, LONG).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ServerRejection);
    for part in [dir.path().to_str().unwrap(), ".failed", "refused"] {
        assert!(error.msg().contains(part), "{error}");
    }
    drop(sender);
    let error = connect(&server, &params).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::StoreResendRequired);
    assert!(error.msg().contains("-1.failed"), "{error}");
    let mut sender = connect(&server, &params).await.unwrap();
    publish(&mut sender, 1).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!(numbers(&ingest), [1]);
    assert_fine(&server);
}

#[tokio::test]
async fn symbols_without_their_frame_are_told_before_new_frames_count_on_them() {
    let dir = tempfile::tempdir().unwrap();
    let (server, ingest) = serve().await;
    let params = format!(
        "sf_dir={};close_flush_timeout_millis=0;",
        dir.path().display()
    );
    ingest.hold();
    let mut sender = connect(&server, &params).await.unwrap();
    publish(&mut sender, 0).await.unwrap();
    publish(&mut sender, 1).await.unwrap();
    sender.close_drain().await.unwrap();
    drop(sender);
    // The last frame was not written whole, its symbol was.
    let segment = dir.path().join("default").join("frames-0000000000000000");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(segment)
        .unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    ingest.release();
    let before = ingest.connections();
    let mut sender = connect(&server, &params).await.unwrap();
    publish(&mut sender, 2).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!(sender.poll_qwp_ws_error().unwrap(), None);
    assert_eq!(ingest.connections(), before + 1);
    assert_eq!(numbers(&ingest).last(), Some(&2));
    assert_fine(&server);
}
