use std::time::Duration;

use super::*;
use crate::error::ErrorCode;
use crate::testing::{CountPolls, Step, response};

fn answer(status: u16) -> Step {
    Step::Answer(response(status, "text/plain", "words"))
}

fn no_retries() -> Settings {
    let mut settings = settings(Protocol::Http);
    settings.http.retry_timeout = Duration::ZERO;
    settings
}

#[tokio::test(start_paused = true)]
async fn a_flush_clears_the_buffer_and_keeps_its_memory() {
    let script = Script::new([]);
    let mut sender = over_http(&script, no_retries()).await;
    let mut buffer = sender.new_buffer();
    assert!(buffer.capacity() >= 64 * 1024);
    for _ in 0..3 {
        add(&mut buffer, "t");
        let memory = buffer.as_bytes().as_ptr();
        sender.flush(&mut buffer).await.unwrap();
        assert!(buffer.is_empty());
        assert!(buffer.capacity() >= 64 * 1024);
        add(&mut buffer, "t");
        assert_eq!(buffer.as_bytes().as_ptr(), memory, "sent without a copy");
        buffer.clear();
    }
    let seen = script.seen();
    assert_eq!(seen.len(), 3);
    assert!(
        seen.iter()
            .all(|seen| seen.body == ROW && seen.connection == 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_flush_keeps_the_rows_and_the_sender() {
    for step in [
        answer(400),
        answer(500),
        answer(401),
        Step::Close,
        Step::Mute,
    ] {
        let script = Script::new([step.clone()]);
        let mut sender = over_http(&script, no_retries()).await;
        let mut buffer = one_row();
        buffer.set_marker().unwrap();
        add(&mut buffer, "u");
        let before = buffer.as_bytes().to_vec();
        sender.flush(&mut buffer).await.unwrap_err();
        assert_eq!(buffer.as_bytes(), before, "{step:?}");
        assert_eq!(buffer.row_count(), 2);
        assert!(!sender.must_close());
        buffer.rewind_to_marker().unwrap();
        sender.flush(&mut buffer).await.unwrap();
        assert_eq!(script.seen().last().unwrap().body, ROW, "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_given_up_at_any_point_keeps_the_rows_and_the_sender() {
    let mut gave_up = 0;
    for polls in 0..20 {
        let late = Step::Late(Duration::from_secs(1), response(204, "text/plain", ""));
        let script = Script::new([answer(503), late]);
        let mut sender = over_http(&script, settings(Protocol::Http)).await;
        let mut buffer = one_row();
        let done = CountPolls::new(sender.flush(&mut buffer), polls).await;
        if done.is_some() {
            assert!(buffer.is_empty());
            continue;
        }
        gave_up += 1;
        assert_eq!(buffer.as_bytes(), ROW, "given up after {polls} polls");
        sender.flush(&mut buffer).await.unwrap();
        assert!(buffer.is_empty());
        assert!(script.seen().iter().all(|seen| seen.body == ROW));
    }
    assert!((3..19).contains(&gave_up), "{gave_up}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_for_an_empty_buffer_or_a_call_that_is_refused() {
    let script = Script::new([]);
    let mut settings = no_retries();
    settings.max_buf_size = 1024;
    let mut sender = over_http(&script, settings).await;
    sender.flush(&mut Buffer::default()).await.unwrap();
    sender
        .flush(&mut Buffer::new(ProtocolVersion::V2))
        .await
        .unwrap();

    let mut unfinished = one_row();
    unfinished.table("t").unwrap();
    let error = sender.flush(&mut unfinished).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall);

    let mut long = Buffer::new(ProtocolVersion::V2);
    while long.len() <= 1024 {
        add(&mut long, "t");
    }
    let error = sender.flush(&mut long).await.unwrap_err();
    assert_eq!(
        error.code(),
        ErrorCode::InvalidApiCall,
        "the size comes before the version"
    );

    let mut other = Buffer::new(ProtocolVersion::V2);
    add(&mut other, "t");
    add(&mut other, "u");
    let error = sender
        .flush_and_keep_with_flags(&other, true)
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        ErrorCode::ProtocolVersionError,
        "the version comes before the tables"
    );

    let mut two = one_row();
    add(&mut two, "u");
    let error = sender
        .flush_and_keep_with_flags(&two, true)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall);

    let mut columns = Buffer::new_qwp_ws();
    let error = sender.flush(&mut columns).await.unwrap_err();
    assert_eq!(
        error.code(),
        ErrorCode::InvalidApiCall,
        "the kind comes even before emptiness"
    );
    assert!(script.dials().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_transactional_flush_of_one_table_is_sent_and_kept() {
    let script = Script::new([]);
    let mut sender = over_http(&script, no_retries()).await;
    let buffer = one_row();
    sender
        .flush_and_keep_with_flags(&buffer, true)
        .await
        .unwrap();
    sender.flush_and_keep(&buffer).await.unwrap();
    assert_eq!(buffer.as_bytes(), ROW);
    assert_eq!(script.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn building_asks_for_the_version_only_where_none_is_set() {
    let script = Script::new([]);
    let sender = over_http(&script, settings(Protocol::Http)).await;
    assert_eq!(sender.protocol_version(), ProtocolVersion::V1);
    assert!(script.dials().is_empty());

    let body =
        r#"{"config":{"line.proto.support.versions":[1,2],"cairo.max.file.name.length":99}}"#;
    let said = || Step::Answer(response(200, "application/json", body));
    let script = Script::new([said()]);
    let mut unset = settings(Protocol::Http);
    unset.protocol_version = None;
    let mut sender = over_http(&script, unset.clone()).await;
    assert_eq!(sender.protocol_version(), ProtocolVersion::V2);
    assert_eq!(sender.max_name_len(), 99);
    let mut buffer = sender.new_buffer();
    assert!(buffer.table("x".repeat(100).as_str()).is_err());
    add(&mut buffer, "t");
    sender.flush(&mut buffer).await.unwrap();
    assert_eq!(
        script.seen()[1].connection,
        1,
        "the connection of the question is used"
    );

    let script = Script::new([answer(500), answer(400)]);
    let dialer = script.dialer(&unset);
    let error = AsyncSender::connect_with(unset, dialer).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ProtocolVersionError);
}

#[tokio::test(start_paused = true)]
async fn a_ping_says_what_is_wrong() {
    let refuse = Step::Refuse(crate::error::error!(SocketError, "refused"));
    let script = Script::new([answer(204), answer(401), answer(500), refuse]);
    let mut sender = over_http(&script, no_retries()).await;
    sender.ping().await.unwrap();
    assert_eq!(script.seen()[0].line, "GET /ping HTTP/1.1");
    let code = |result: Result<()>| result.unwrap_err().code();
    assert_eq!(code(sender.ping().await), ErrorCode::AuthError);
    assert_eq!(code(sender.ping().await), ErrorCode::ServerFlushError);
    // A connection is kept, so that only a new sender dials.
    drop(sender);
    let mut sender = over_http(&script, no_retries()).await;
    assert_eq!(code(sender.ping().await), ErrorCode::SocketError);
    sender.ping().await.unwrap();
}

#[test]
fn the_blocking_sender_works_on_a_plain_thread_and_inside_a_runtime() {
    let server = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let script = Script::new([answer(400)]);
    let port = server.block_on(script.listen(None)).port();
    let conf = format!("http::addr=127.0.0.1:{port};protocol_version=1;retry_timeout=0;");
    let mut sender = crate::ingress::Sender::from_conf(&conf).unwrap();
    let mut buffer = one_row();
    sender.flush(&mut buffer).unwrap_err();
    assert_eq!(buffer.as_bytes(), ROW);
    sender.flush(&mut buffer).unwrap();
    assert!(buffer.is_empty());
    let inside = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    inside.block_on(async {
        sender.flush(&mut one_row()).unwrap();
        sender.ping().unwrap();
    });
    assert!(script.seen().iter().all(|seen| seen.connection == 1));
    assert_eq!(script.seen().len(), 4);
    assert!(!format!("{sender:?}").is_empty());
}

#[test]
fn outside_of_a_runtime_a_sender_is_told_so_and_not_that_the_version_is_unknown() {
    let sender = futures_util::FutureExt::now_or_never(AsyncSender::from_conf("http::addr=h;"));
    let error = sender.unwrap().unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall, "{error}");
}
