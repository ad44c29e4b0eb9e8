use super::peer::{DSN, Got, block, client, connected, error_of, fetched, frame};
use crate::protocol::FetchOutcome;
use futures_util::TryStreamExt as _;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use taos_query::{AsyncFetchable as _, AsyncQueryable as _, Code, ErrorKind};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout};

#[tokio::test(start_paused = true)]
async fn half_a_frame_then_silence_is_a_timeout() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let started = Instant::now();
    let server = async {
        let (req_id, _) = peer.query().await;
        peer.raw(&frame(1, super::peer::result_text(req_id, 1).as_bytes())[..40])
            .await;
    };
    let (result, ()) = tokio::join!(taos.query("select v"), server);
    let error = error_of(result);
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!error.outcome_unknown());
    assert!(error.to_string().contains("read_timeout"), "{error}");
    assert_eq!(started.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_in_the_middle_of_a_result_is_a_timeout() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let server = async {
        let (req_id, _) = peer.query().await;
        peer.result(req_id, 1).await;
        let (req_id, _) = peer.fetch().await;
        let reply = fetched(req_id, 1, FetchOutcome::Block(block(&[1; 100])));
        peer.raw(&frame(2, &reply)[..100]).await;
    };
    let reader = async {
        let mut result = taos.query("select v").await.unwrap();
        let error = error_of(result.blocks().try_next().await);
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(result.blocks().try_next().await.unwrap().is_none());
    };
    tokio::join!(server, reader);
}

#[tokio::test(start_paused = true)]
async fn a_mute_server_is_a_timeout_at_every_step_of_the_login() {
    for answered in 0..3 {
        let (taos, mut accepts) = client(DSN);
        let server = async {
            let mut peer = accepts.accept().await;
            if answered > 0 {
                peer.upgrade().await;
            }
            if answered > 1 {
                peer.version("3.3.7.5").await;
            }
            peer
        };
        let started = Instant::now();
        let (version, _peer) = tokio::join!(taos.current_version(), server);
        let error = error_of(version);
        assert_eq!(error.kind(), ErrorKind::Timeout, "{answered}: {error}");
        assert!(error.to_string().contains("conn_timeout"), "{error}");
        assert!(started.elapsed() <= Duration::from_secs(21));
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_in_each_state_is_told_at_once() {
    // Before the upgrade, before the version, before the login.
    for answered in 0..3 {
        let (taos, mut accepts) = client(DSN);
        let server = async {
            let mut peer = accepts.accept().await;
            if answered > 0 {
                peer.upgrade().await;
            }
            if answered > 1 {
                peer.version("3.3.7.5").await;
                peer.raw(&frame(8, &1001u16.to_be_bytes())).await;
            }
        };
        let (version, ()) = tokio::join!(taos.current_version(), server);
        let error = error_of(version);
        assert_eq!(error.kind(), ErrorKind::Connect, "{answered}: {error}");
    }
    // With a statement, and with a fetch in flight; by a close frame and by the end of the stream.
    for by_frame in [true, false] {
        let (taos, mut peer, accepts) = connected(&format!("{DSN}&read_timeout=299")).await;
        let server = async move {
            peer.query().await;
            if by_frame {
                peer.raw(&frame(8, b"")).await;
            }
            drop(peer);
        };
        let started = Instant::now();
        let (count, ()) = tokio::join!(taos.exec("insert 1"), server);
        let error = error_of(count);
        assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
        assert_eq!(error.code(), Code::WS_DISCONNECTED);
        assert!(error.outcome_unknown());
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert!(accepts.is_empty(), "a write is not sent again");

        let (taos, mut peer, _accepts) = connected(DSN).await;
        let server = async move {
            let (req_id, _) = peer.query().await;
            peer.result(req_id, 1).await;
            peer.fetch().await;
            if by_frame {
                peer.raw(&frame(8, b"")).await;
            }
            drop(peer);
        };
        let reader = async {
            let mut result = taos.query("select v").await.unwrap();
            error_of(result.blocks().try_next().await)
        };
        let ((), error) = tokio::join!(server, reader);
        assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_ends_every_wait_with_a_clear_error() {
    let unagreed_extension = frame(0x42, b"abc");
    for (garbage, code) in [
        (frame(1, b"{\"code\":0,"), Code::WS_BAD_ANSWER),
        (frame(1, b"what?"), Code::WS_BAD_ANSWER),
        (frame(1, &[0xFF, 0xFE]), Code::WS_BAD_ANSWER),
        (frame(2, b"short"), Code::WS_BAD_ANSWER),
        (frame(2, &[0xFF; 40]), Code::WS_BAD_ANSWER),
        (unagreed_extension, Code::WS_BAD_ANSWER),
        (vec![0xFF; 100], Code::WS_BAD_ANSWER),
        (
            [&[0x82, 127][..], &u64::MAX.to_be_bytes()].concat(),
            Code::WS_BAD_ANSWER,
        ),
    ] {
        let (taos, mut peer, _accepts) = connected(DSN).await;
        let server = async {
            peer.query().await;
            peer.query().await;
            peer.raw(&garbage).await;
        };
        let started = Instant::now();
        let (first, second, ()) =
            tokio::join!(taos.exec("insert 1"), taos.exec("insert 2"), server);
        for error in [error_of(first), error_of(second)] {
            assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
            assert_eq!(error.code(), code, "{error}");
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_during_the_login_is_told_at_once() {
    for garbage in [frame(1, b"what?"), frame(2, b"binary"), vec![0xFF; 50]] {
        let (taos, mut accepts) = client("ws://peer?conn_retries=9");
        let server = async {
            let mut peer = accepts.accept().await;
            peer.upgrade().await;
            peer.recv().await;
            peer.raw(&garbage).await;
            peer
        };
        let started = Instant::now();
        let (version, _peer) = tokio::join!(taos.current_version(), server);
        let error = error_of(version);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert_eq!(error.code(), Code::WS_BAD_ANSWER);
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_server_is_pinged_and_a_dead_one_noticed() {
    let (taos, mut peer, _accepts) = connected(&format!("{DSN}&read_timeout=300")).await;
    let started = Instant::now();
    assert_eq!(peer.recv().await, Got::Ping(b"TAOS".to_vec()));
    assert_eq!(started.elapsed().as_secs(), 53);
    peer.raw(&frame(10, b"TAOS")).await;
    assert_eq!(peer.recv().await, Got::Ping(b"TAOS".to_vec()));
    assert_eq!(started.elapsed().as_secs(), 106);
    // This one is not answered; a statement in flight learns of it long before its own timeout.
    let (count, (_, _)) = tokio::join!(taos.exec("insert 1"), peer.query());
    let error = error_of(count);
    assert_eq!(error.kind(), ErrorKind::ConnectionLost);
    assert!(error.to_string().contains("ping"), "{error}");
    assert_eq!(started.elapsed().as_secs(), 116);
}

#[tokio::test(start_paused = true)]
async fn a_slow_transfer_is_a_sign_of_life() {
    let (taos, mut peer, _accepts) = connected(&format!("{DSN}&read_timeout=1000")).await;
    let server = async {
        let (req_id, _) = peer.query().await;
        peer.result(req_id, 1).await;
        let (req_id, _) = peer.fetch().await;
        let reply = fetched(req_id, 1, FetchOutcome::Block(block(&[1; 100])));
        for byte in frame(2, &reply) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            peer.raw(&[byte]).await;
        }
    };
    let reader = async {
        let mut result = taos.query("select v").await.unwrap();
        let rows = result.blocks().try_next().await.unwrap().unwrap().nrows();
        assert_eq!(rows, 100);
    };
    tokio::join!(server, reader);
}

#[tokio::test(start_paused = true)]
async fn a_ping_flood_is_answered_and_does_not_fill_the_memory() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    for n in 0..10_000u32 {
        // The client's pongs are not read meanwhile.
        let ping = frame(9, &n.to_le_bytes());
        let sent = timeout(Duration::from_secs(1), peer.io.write_all(&ping)).await;
        assert!(sent.is_ok(), "the client stopped reading");
    }
    let server = async {
        loop {
            match peer.recv().await {
                Got::Pong(_) => {}
                Got::Binary(crate::protocol::BinaryRequest::Query { req_id, .. }) => {
                    peer.updated(req_id, 3).await;
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    };
    let (count, ()) = tokio::join!(taos.exec("insert 1"), server);
    assert_eq!(count.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_closes_the_connection_politely() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    drop(taos);
    assert_eq!(peer.recv().await, Got::Close);
    assert_eq!(peer.recv().await, Got::End);
}

/// Keeps every field of every event and span.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let mut log = self.0.lock().unwrap();
        write!(log, "{field}={value:?} ").unwrap();
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn secrets_show_in_no_debug_form_no_error_and_no_log_line() {
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.clone());
    let dsn = "ws://root:hunter2@peer:6041?token=tok-tok&bearer_token=bear-bear&totp_code=123456&conn_retries=0";
    let (taos, mut accepts) = client(dsn);
    let server = async {
        let mut peer = accepts.accept().await;
        peer.upgrade().await;
        peer.version("3.4.0.0").await;
        let Got::Text(crate::protocol::TextRequest::Conn(args)) = peer.recv().await else {
            panic!("`conn` comes second");
        };
        assert_eq!(args.password, "hunter2");
        assert_eq!(args.bearer_token, "bear-bear");
        peer.error(args.req_id, 0x0357, "Authentication failure")
            .await;
        format!("{args:?}")
    };
    let (version, args) = tokio::join!(taos.current_version(), server);
    let error = error_of(version);
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert_eq!(error.code(), 0x0357);
    // A log line that another test met for the first time while our subscriber was set up may count
    // as unwanted until all lines are asked again.
    tracing::callsite::rebuild_interest_cache();
    let server = async {
        let mut peer = accepts.accept().await;
        peer.upgrade().await;
        peer.login("3.4.0.0").await;
        peer
    };
    let (version, peer) = tokio::join!(taos.current_version(), server);
    version.unwrap();
    drop(peer);
    let log = log.0.lock().unwrap().clone();
    assert!(log.contains("peer:6041"), "nothing was logged");
    let (seeded, _) = client("ws://peer:6041?totp_secret=GEZDGNBVGY3TQOJQ");
    let bytes = format!("{:?}", b"1234567890");
    let shown = format!("{args} {taos:#?} {seeded:?} {error:#?} {error} {log}");
    for secret in [
        "hunter2",
        "tok-tok",
        "bear-bear",
        "123456",
        "GEZDGNBV",
        &bytes,
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
