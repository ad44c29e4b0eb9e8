use std::time::Duration;

use super::*;
use crate::settings::AutoFlush;
use crate::testing::{Step, response};

fn with(auto_flush: AutoFlush) -> Settings {
    let mut settings = settings(Protocol::Http);
    settings.auto_flush = auto_flush;
    settings
}

async fn row(sender: &mut AsyncSender, buffer: &mut Buffer) -> bool {
    buffer.table("t").unwrap().column_i64("i", 1).unwrap();
    sender.at(buffer, TimestampNanos::new(7)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn rows_leave_when_there_are_enough() {
    let script = Script::new([]);
    let triggers = AutoFlush {
        rows: Some(3),
        ..AutoFlush::default()
    };
    let mut sender = over_http(&script, with(triggers)).await;
    let mut buffer = sender.new_buffer();
    let mut flushed = Vec::new();
    for _ in 0..7 {
        flushed.push(row(&mut sender, &mut buffer).await);
    }
    assert_eq!(flushed, [false, false, true, false, false, true, false]);
    assert_eq!(buffer.row_count(), 1);
    assert_eq!(script.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn rows_leave_when_they_have_enough_bytes() {
    let script = Script::new([]);
    let triggers = AutoFlush {
        bytes: Some(2 * ROW.len()),
        ..AutoFlush::default()
    };
    let mut sender = over_http(&script, with(triggers)).await;
    let mut buffer = sender.new_buffer();
    assert!(!row(&mut sender, &mut buffer).await);
    assert!(row(&mut sender, &mut buffer).await);
}

#[tokio::test(start_paused = true)]
async fn rows_leave_with_the_first_row_after_the_interval_and_never_without_one() {
    let script = Script::new([]);
    let triggers = AutoFlush {
        interval: Some(Duration::from_secs(1)),
        ..AutoFlush::default()
    };
    let mut sender = over_http(&script, with(triggers)).await;
    let mut buffer = sender.new_buffer();
    assert!(!row(&mut sender, &mut buffer).await);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(script.seen().is_empty(), "there is no timer");
    assert!(row(&mut sender, &mut buffer).await);
    tokio::time::sleep(Duration::from_millis(999)).await;
    assert!(
        !row(&mut sender, &mut buffer).await,
        "counted from the flush"
    );
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!sender.flush_if_due(&mut sender.new_buffer()).await.unwrap());
    assert!(sender.flush_if_due(&mut buffer).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_in_the_middle_of_a_row_or_without_a_trigger() {
    let script = Script::new([]);
    let triggers = AutoFlush {
        rows: Some(1),
        ..AutoFlush::default()
    };
    let mut sender = over_http(&script, with(triggers)).await;
    let mut buffer = one_row();
    buffer.table("t").unwrap();
    assert!(!sender.flush_if_due(&mut buffer).await.unwrap());

    let mut sender = over_http(&script, settings(Protocol::Http)).await;
    let mut buffer = sender.new_buffer();
    for _ in 0..100 {
        assert!(!row(&mut sender, &mut buffer).await);
    }
    assert!(script.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_auto_flush_keeps_the_row_for_the_next() {
    let script = Script::new([Step::Answer(response(400, "text/plain", "no"))]);
    let triggers = AutoFlush {
        rows: Some(2),
        ..AutoFlush::default()
    };
    let mut sender = over_http(&script, with(triggers)).await;
    let mut buffer = sender.new_buffer();
    row(&mut sender, &mut buffer).await;
    buffer.table("t").unwrap().column_i64("i", 1).unwrap();
    sender.at_now(&mut buffer).await.unwrap_err();
    assert_eq!(buffer.row_count(), 2);
    assert!(row(&mut sender, &mut buffer).await);
    assert!(buffer.is_empty());
}
