//! Rows: what arrives, what is refused, how far senders know it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use taos::questdb::ErrorCode;
use taos::questdb::ingress::{
    AckLevel, AsyncSender, Buffer, QwpWsErrorCategory, QwpWsErrorPolicy, Sender, TimestampMicros,
    TimestampNanos,
};
use taos_tests::qwp_mock::ingest::{Fate, Ingest, Value};
use taos_tests::qwp_mock::{Halves, QwpMock};

pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) async fn serve() -> (QwpMock, Arc<Ingest>) {
    let ingest = Arc::new(Ingest::default());
    let halves = Halves {
        ingest: Some(ingest.clone()),
        ..Halves::default()
    };
    (QwpMock::start(halves).await.unwrap(), ingest)
}

pub(crate) async fn connect(server: &QwpMock, params: &str) -> taos::questdb::Result<AsyncSender> {
    AsyncSender::from_conf(format!("ws::addr={};{params}", server.addr())).await
}

/// Publishes one row that tells its number, with a symbol of its own.
pub(crate) async fn publish(sender: &mut AsyncSender, number: i64) -> taos::questdb::Result<()> {
    let mut buffer = sender.new_buffer();
    row(&mut buffer, number);
    sender.flush(&mut buffer).await
}

pub(crate) fn row(buffer: &mut Buffer, number: i64) {
    let row = buffer.table("t").unwrap();
    row.symbol("s", format!("s{number}")).unwrap();
    row.column_i64("n", number).unwrap();
    row.at_now().unwrap();
}

/// The numbers of the rows that arrived, after a check that each has its own symbol.
pub(crate) fn numbers(ingest: &Ingest) -> Vec<i64> {
    ingest
        .rows()
        .iter()
        .map(|row| {
            let Value::Int(number) = row.get("n") else {
                panic!("{row:?}");
            };
            assert_eq!(row.get("s"), &Value::Symbol(format!("s{number}")));
            *number
        })
        .collect()
}

pub(crate) fn assert_fine(server: &QwpMock) {
    assert_eq!(server.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn values_of_every_type_arrive_and_missing_ones_are_null() {
    let (server, ingest) = serve().await;
    let mut sender = connect(&server, "").await.unwrap();
    let mut buffer = sender.new_buffer();
    let row = buffer.table("all types").unwrap();
    row.column_bool("bool", true).unwrap();
    row.symbol("sym", "价格 €").unwrap();
    row.column_i8("i8", -2).unwrap();
    row.column_i16("i16", -3).unwrap();
    row.column_i32("i32", -4).unwrap();
    row.column_i64("i64", i64::MAX).unwrap();
    row.column_f32("f32", 1.5).unwrap();
    row.column_f64("f64", f64::NEG_INFINITY).unwrap();
    row.column_str("str", "hé\n").unwrap();
    row.column_binary("bin", &[0, 0xff]).unwrap();
    row.column_ts("us", TimestampMicros::new(-5)).unwrap();
    row.column_ts("ns", TimestampNanos::new(7)).unwrap();
    row.column_date("date", 11).unwrap();
    row.column_uuid("uuid", 1, 2).unwrap();
    row.column_long256("l256", &[3; 32]).unwrap();
    row.column_char("char", 0x41).unwrap();
    row.column_ipv4("ip", Ipv4Addr::new(10, 0, 0, 1)).unwrap();
    row.column_geohash("geo", 0b10101, 5).unwrap();
    row.column_arr("arr", &vec![vec![1.0, 2.0], vec![3.0, 4.0]])
        .unwrap();
    row.column_arr("larr", &[1_i64, 2]).unwrap();
    row.column_dec64("d64", "-1.25").unwrap();
    row.column_dec128("d128", "1").unwrap();
    row.column_dec("d256", "0.5").unwrap();
    row.at(TimestampNanos::new(42)).unwrap();
    buffer
        .table("all types")
        .unwrap()
        .symbol("sym", "")
        .unwrap();
    buffer.at_now().unwrap();
    sender.flush(&mut buffer).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_fine(&server);
    let rows = ingest.rows();
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect();
    let wide = |value: i128, len: usize| {
        let mut bytes = value.to_le_bytes().to_vec();
        bytes.resize(len, if value < 0 { 0xff } else { 0 });
        bytes
    };
    for (name, value) in [
        ("bool", Value::Bool(true)),
        ("sym", Value::Symbol("价格 €".into())),
        ("i8", Value::Int(-2)),
        ("i16", Value::Int(-3)),
        ("i32", Value::Int(-4)),
        ("i64", Value::Int(i64::MAX)),
        ("f32", Value::Float(1.5)),
        ("f64", Value::Float(f64::NEG_INFINITY)),
        ("str", Value::Text("hé\n".into())),
        ("bin", Value::Binary(vec![0, 0xff])),
        ("us", Value::Micros(-5)),
        ("ns", Value::Nanos(7)),
        ("date", Value::Millis(11)),
        ("uuid", Value::Bytes(wide(2 << 64 | 1, 16))),
        ("l256", Value::Bytes(vec![3; 32])),
        ("char", Value::Char(0x41)),
        ("ip", Value::Ipv4(0x0A00_0001)),
        ("geo", Value::Geohash(0b10101, 5)),
        ("arr", Value::Array(vec![2, 2], bits(&[1.0, 2.0, 3.0, 4.0]))),
        ("larr", Value::Array(vec![2], vec![1, 2])),
        ("d64", Value::Decimal(2, (-125_i64).to_le_bytes().to_vec())),
        ("d128", Value::Decimal(0, wide(1, 16))),
        ("d256", Value::Decimal(1, wide(5, 32))),
        ("", Value::Nanos(42)),
    ] {
        assert_eq!(rows[0].get(name), &value, "{name}");
        let missing = match name {
            // These types have no null.
            "bool" => Value::Bool(false),
            "i8" | "i16" => Value::Int(0),
            "char" => Value::Char(0),
            "sym" => Value::Symbol(String::new()),
            _ => Value::Null,
        };
        assert_eq!(rows[1].get(name), &missing, "{name}");
    }
}

#[tokio::test]
async fn each_symbol_travels_once_and_a_goodbye_ends_the_connection() {
    let (server, ingest) = serve().await;
    let mut sender = connect(&server, "").await.unwrap();
    let mut buffer = sender.new_buffer();
    for _ in 0..3 {
        for number in 0..10 {
            row(&mut buffer, number);
        }
        buffer.table("other").unwrap().symbol("s", "s1").unwrap();
        buffer.at_now().unwrap();
        sender.flush(&mut buffer).await.unwrap();
    }
    assert_eq!(sender.published_fsn().unwrap(), Some(2));
    sender.close_drain().await.unwrap();
    assert_eq!(sender.acked_fsn().unwrap(), Some(2));
    assert!(sender.must_close());
    let messages = ingest.messages();
    let brought: Vec<_> = messages
        .iter()
        .map(|m| (m.first_symbol, m.symbols.len()))
        .collect();
    assert_eq!(brought, [(0, 10), (10, 0), (10, 0)]);
    assert_eq!(messages[0].tables, ["t", "other"]);
    assert_eq!(ingest.rows().len(), 33);
    ingest.until(|ingest| !ingest.goodbyes().is_empty()).await;
    assert_eq!(ingest.goodbyes(), [Some(1000)]);
    assert_fine(&server);
    let error = publish(&mut sender, 1).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall);
}

#[tokio::test]
async fn at_most_128_messages_are_without_an_answer_and_one_ok_answers_many() {
    let (server, ingest) = serve().await;
    ingest.hold();
    let mut sender = connect(&server, "").await.unwrap();
    for number in 0..300 {
        publish(&mut sender, number).await.unwrap();
    }
    ingest.until(|ingest| ingest.messages().len() == 128).await;
    assert_eq!(sender.acked_fsn().unwrap(), None);
    ingest.release();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!(sender.acked_fsn().unwrap(), Some(299));
    assert_eq!(numbers(&ingest), (0..300).collect::<Vec<_>>());
    let totals = sender.qwp_ws_totals().unwrap();
    assert_eq!(
        (totals.frames_sent, totals.frames_replayed, totals.acks),
        (300, 0, 300)
    );
    assert_fine(&server);
}

#[tokio::test]
async fn a_message_above_the_limit_publishes_nothing_and_keeps_the_buffer() {
    let (server, ingest) = serve().await;
    ingest.limit(500);
    let mut sender = connect(&server, "").await.unwrap();
    let mut buffer = sender.new_buffer();
    for number in 0..100 {
        row(&mut buffer, number);
    }
    let error = sender.flush(&mut buffer).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BatchTooLarge);
    assert_eq!(buffer.row_count(), 100);
    assert_eq!(sender.published_fsn().unwrap(), None);
    publish(&mut sender, 77).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!(ingest.messages()[0].symbols, ["s77"]);
    assert_fine(&server);
}

#[tokio::test]
async fn a_full_store_makes_the_producer_wait_and_then_fail_without_a_loss() {
    let (server, ingest) = serve().await;
    ingest.hold();
    let mut sender = connect(
        &server,
        "sf_max_total_bytes=100;sf_append_deadline_millis=50;",
    )
    .await
    .unwrap();
    publish(&mut sender, 0).await.unwrap();
    let error = loop {
        if let Err(error) = publish(&mut sender, 1).await {
            break error;
        }
    };
    assert!(error.msg().contains("sf_max_total_bytes"), "{error}");
    assert!(!sender.must_close());
    let published = sender.published_fsn().unwrap().unwrap();
    ingest.release();
    publish(&mut sender, 2).await.unwrap();
    assert_eq!(sender.published_fsn().unwrap(), Some(published + 1));
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!(numbers(&ingest).last(), Some(&2));
    let mut large = sender.new_buffer();
    for number in 0..100 {
        row(&mut large, number);
    }
    let error = sender.flush(&mut large).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BatchTooLarge);
    assert_fine(&server);
}

#[tokio::test]
async fn a_dropped_flush_leaves_no_half_of_a_frame() {
    let (server, ingest) = serve().await;
    ingest.hold();
    let mut sender = connect(&server, "sf_max_total_bytes=100;").await.unwrap();
    publish(&mut sender, 0).await.unwrap();
    let mut published = 1;
    while tokio::time::timeout(Duration::from_millis(20), publish(&mut sender, published))
        .await
        .is_ok()
    {
        published += 1;
    }
    ingest.release();
    // Another symbol gets the number that the dropped one had.
    publish(&mut sender, 1000).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    let expected: Vec<_> = (0..published).chain([1000]).collect();
    assert_eq!(numbers(&ingest), expected);
    assert_fine(&server);
}

#[tokio::test]
async fn refusals_are_final_or_not_as_the_protocol_and_the_settings_say() {
    for (status, params, fatal) in [
        (0x03, "", true),
        (0x05, "", true),
        (0x08, "", true),
        (0x06, "", false),
        (0x09, "", false),
        (0x0C, "", false),
        (0x0D, "", false),
        (0x7F, "on_server_error=terminal;", false),
        (0x03, "on_schema_error=retriable;", false),
        (0x03, "on_server_error=retriable_other;", false),
        (0x09, "on_write_error=terminal;", true),
    ] {
        let (server, ingest) = serve().await;
        ingest.on_message(1, Fate::Reject(status));
        let mut sender = connect(&server, params).await.unwrap();
        for number in 0..3 {
            let _ = publish(&mut sender, number).await;
        }
        let done = sender.wait(AckLevel::Ok, LONG).await;
        let report = sender.poll_qwp_ws_error().unwrap().unwrap();
        assert_eq!(
            (report.status, report.from_fsn, report.to_fsn),
            (Some(status), 1, 1)
        );
        assert_eq!(report.message.as_deref(), Some("refused by the script"));
        assert_eq!(sender.must_close(), fatal, "{status:#x} {params}");
        if fatal {
            assert_eq!(report.applied_policy, QwpWsErrorPolicy::Terminal);
            let error = done.unwrap_err();
            assert_eq!(error.code(), ErrorCode::ServerRejection);
            assert_eq!(sender.qwp_ws_terminal_error().unwrap(), Some(report));
            assert_eq!(publish(&mut sender, 9).await.unwrap_err(), error);
            assert_eq!(numbers(&ingest)[..1], [0]);
        } else {
            done.unwrap();
            assert_eq!(sender.qwp_ws_terminal_error().unwrap(), None);
            let mut arrived = numbers(&ingest);
            arrived.sort_unstable();
            arrived.dedup();
            assert_eq!(arrived, [0, 1, 2], "{status:#x} {params}");
        }
        assert_fine(&server);
    }
}

#[tokio::test]
async fn a_frame_refused_too_often_stops_the_sender() {
    let (server, ingest) = serve().await;
    for at in 0..20 {
        ingest.on_message(at, Fate::Reject(0x09));
    }
    let params = "max_frame_rejections=3;poison_min_escalation_window_millis=1;\
                  reconnect_initial_backoff_millis=1;reconnect_max_backoff_millis=2;";
    let mut sender = connect(&server, params).await.unwrap();
    publish(&mut sender, 0).await.unwrap();
    let error = sender.wait(AckLevel::Ok, LONG).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ServerRejection);
    let report = sender.qwp_ws_terminal_error().unwrap().unwrap();
    assert_eq!(report.category, QwpWsErrorCategory::WriteError);
    let retried = std::iter::from_fn(|| sender.poll_qwp_ws_error().unwrap())
        .filter(|report| report.applied_policy == QwpWsErrorPolicy::Retriable)
        .count();
    assert!((2..20).contains(&retried), "{retried}");
    assert_eq!(ingest.rows(), []);
    assert_fine(&server);
}

#[tokio::test]
async fn an_answer_that_is_none_stops_the_sender() {
    let (server, ingest) = serve().await;
    ingest.on_message(0, Fate::Nonsense);
    let mut sender = connect(&server, "").await.unwrap();
    publish(&mut sender, 0).await.unwrap();
    let error = sender.wait(AckLevel::Ok, LONG).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ProtocolError);
    let report = sender.qwp_ws_terminal_error().unwrap().unwrap();
    assert_eq!(report.category, QwpWsErrorCategory::ProtocolViolation);
}

#[tokio::test]
async fn durable_acknowledgements_come_after_the_others() {
    let (server, ingest) = serve().await;
    ingest.acknowledge_durably();
    let mut sender = connect(&server, "request_durable_ack=on;").await.unwrap();
    for number in 0..3 {
        publish(&mut sender, number).await.unwrap();
    }
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!(sender.completed_fsn(AckLevel::Durable).unwrap(), None);
    ingest.store();
    sender.wait(AckLevel::Durable, LONG).await.unwrap();
    assert_eq!(sender.completed_fsn(AckLevel::Durable).unwrap(), Some(2));
    assert_fine(&server);

    let (server, _ingest) = serve().await;
    let error = connect(&server, "request_durable_ack=on;")
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnsupportedServer);
    let mut sender = connect(&server, "").await.unwrap();
    let error = sender.wait(AckLevel::Durable, LONG).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall);
}

#[tokio::test]
async fn waiting_and_closing_end_when_no_answer_comes() {
    let (server, ingest) = serve().await;
    ingest.hold();
    let mut sender = connect(&server, "close_flush_timeout_millis=20;")
        .await
        .unwrap();
    publish(&mut sender, 0).await.unwrap();
    let error = sender
        .wait(AckLevel::Ok, Duration::from_millis(20))
        .await
        .unwrap_err();
    assert!(error.in_doubt());
    let error = sender.close_drain().await.unwrap_err();
    assert!(
        error.in_doubt() && error.msg().starts_with("1 of 1"),
        "{error}"
    );
    drop(server);
}

#[tokio::test]
async fn the_caller_may_drive_the_connection() {
    let (server, ingest) = serve().await;
    let mut sender = connect(&server, "qwp_ws_progress=manual;").await.unwrap();
    publish(&mut sender, 0).await.unwrap();
    assert_eq!(ingest.messages().len(), 0);
    while sender.acked_fsn().unwrap().is_none() {
        if !sender.drive_once().await.unwrap() {
            tokio::task::yield_now().await;
        }
    }
    ingest.on_message(1, Fate::TakeAndCut);
    publish(&mut sender, 1).await.unwrap();
    publish(&mut sender, 2).await.unwrap();
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_eq!(numbers(&ingest), [0, 1, 1, 2]);
    sender.close_drain().await.unwrap();
    assert_fine(&server);
    let mut background = connect(&server, "").await.unwrap();
    let error = background.drive_once().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall);
}

#[tokio::test]
async fn a_flush_may_run_on_another_thread() {
    fn assert_send<T: Send>(work: T) -> T {
        work
    }
    let (server, ingest) = serve().await;
    let mut sender = connect(&server, "").await.unwrap();
    assert_send(publish(&mut sender, 0)).await.unwrap();
    assert_send(sender.wait(AckLevel::Ok, LONG)).await.unwrap();
    assert_send(sender.close_drain()).await.unwrap();
    assert_eq!(numbers(&ingest), [0]);
}

#[test]
fn the_blocking_sender_does_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (server, ingest) = runtime.block_on(serve());
    let mut sender = Sender::from_conf(format!("ws::addr={};", server.addr())).unwrap();
    let mut buffer = sender.new_buffer();
    for number in 0..5 {
        row(&mut buffer, number);
        sender.flush(&mut buffer).unwrap();
    }
    sender.wait(AckLevel::Ok, LONG).unwrap();
    assert_eq!(numbers(&ingest), (0..5).collect::<Vec<_>>());
    assert_eq!(sender.acked_fsn().unwrap(), Some(4));
    sender.close_drain().unwrap();
}
