use super::peer::{DSN, client, connected, error_of, frame};
use crate::builder::TaosBuilder;
use crate::protocol::{ConnOption, TextRequest};
use futures_util::StreamExt as _;
use std::future::Future as _;
use std::time::Duration;
use taos_query::{AsyncQueryable as _, AsyncTBuilder as _, Code, ConnectionState, ErrorKind};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn the_next_use_connects_again_and_restores_the_session_first() {
    let (taos, mut peer, mut accepts) =
        connected("ws://me:pw@peer:6041/db0?conn_retries=0&timezone=Asia/Tokyo").await;
    let (used, ()) = tokio::join!(taos.use_database("db1"), async {
        let (req_id, sql) = peer.query().await;
        assert_eq!(sql, "use `db1`");
        peer.updated(req_id, 0).await;
    });
    used.unwrap();
    let options = [ConnOption::new(3, Some("app".into()))];
    let (set, ()) = tokio::join!(taos.options_connection(&options), async {
        let super::peer::Got::Text(TextRequest::OptionsConnection(args)) = peer.recv().await else {
            panic!("options come by name");
        };
        peer.error(args.req_id, 0, "").await;
    });
    set.unwrap();
    drop(peer);
    let server = async {
        let mut peer = accepts.accept().await;
        peer.upgrade().await;
        let conn = peer.login("3.3.7.5").await;
        assert_eq!(
            (conn.user.as_str(), conn.db.as_str(), conn.tz.as_str()),
            ("me", "db1", "Asia/Tokyo")
        );
        let super::peer::Got::Text(TextRequest::OptionsConnection(args)) = peer.recv().await else {
            panic!("options come before the statement");
        };
        assert_eq!(args.options, options);
        peer.error(args.req_id, 0, "").await;
        let (req_id, _) = peer.query().await;
        peer.updated(req_id, 4).await;
        peer
    };
    let (count, _peer) = tokio::join!(taos.exec("insert 1"), server);
    assert_eq!(count.unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_read_is_sent_again_and_a_write_is_not_unless_asked() {
    let (taos, mut peer, mut accepts) = connected(DSN).await;
    let server = async {
        peer.query().await;
        drop(peer);
        let mut peer = accepts.login().await;
        peer.serve_one(1, &[6]).await;
        peer
    };
    let (value, mut peer) = tokio::join!(taos.query_one::<_, i64>("select v"), server);
    assert_eq!(value.unwrap(), Some(6));

    let server = async move {
        peer.query().await;
        drop(peer);
    };
    let (count, ()) = tokio::join!(taos.exec("insert 1"), server);
    let error = error_of(count);
    assert_eq!(error.kind(), ErrorKind::ConnectionLost);
    assert!(error.outcome_unknown());
    assert!(error.to_string().contains("peer:6041"), "{error}");
    assert!(accepts.is_empty());

    let (taos, mut peer, mut accepts) = connected(&format!("{DSN}&retry_writes=true")).await;
    let server = async {
        peer.query().await;
        drop(peer);
        let mut peer = accepts.login().await;
        let (req_id, _) = peer.query().await;
        peer.updated(req_id, 2).await;
        peer
    };
    let (count, _peer) = tokio::join!(taos.exec("insert 1"), server);
    assert_eq!(count.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_sent_stays_unknown_when_the_server_does_not_come_back() {
    let (taos, mut peer, mut accepts) = connected(&format!("{DSN}&retry_writes=true")).await;
    let server = async move {
        peer.query().await;
        drop(peer);
        drop(accepts.accept().await);
    };
    let (count, ()) = tokio::join!(taos.exec("insert 1"), server);
    let error = error_of(count);
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.outcome_unknown());
}

#[test]
fn a_result_can_be_read_outside_of_any_runtime_and_connecting_there_is_a_clear_error() {
    let (taos, mut accepts) = client(DSN);
    let error = error_of(futures_util::FutureExt::now_or_never(taos.current_version()).unwrap());
    assert!(error.to_string().contains("tokio runtime"), "{error}");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let peer = runtime.block_on(async {
        let (version, peer) = tokio::join!(taos.current_version(), accepts.login());
        version.unwrap();
        peer
    });
    let server = runtime.spawn(async move {
        let mut peer = peer;
        peer.serve_one(1, &[11]).await;
        peer
    });
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    let mut query = std::pin::pin!(taos.query_one::<_, i64>("select v"));
    let value = loop {
        if let std::task::Poll::Ready(value) = query.as_mut().poll(&mut context) {
            break value;
        }
        std::thread::yield_now();
    };
    assert_eq!(value.unwrap(), Some(11));
    runtime.block_on(server).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_read_that_kills_every_connection_is_given_up() {
    let (taos, peer, mut accepts) = connected(DSN).await;
    let server = async move {
        let mut peer = peer;
        let mut asked = 0;
        loop {
            peer.query().await;
            asked += 1;
            drop(peer);
            if asked == 4 {
                return accepts;
            }
            peer = accepts.login().await;
        }
    };
    let (result, accepts) = tokio::join!(taos.query("select v"), server);
    assert_eq!(error_of(result).kind(), ErrorKind::ConnectionLost);
    assert!(accepts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_gone_does_not_keep_the_session_from_coming_back() {
    let (taos, mut peer, mut accepts) = connected(DSN).await;
    let (used, ()) = tokio::join!(taos.exec("USE Gone;"), async {
        let (req_id, _) = peer.query().await;
        peer.updated(req_id, 0).await;
    });
    used.unwrap();
    drop(peer);
    let server = async {
        let mut peer = accepts.accept().await;
        peer.upgrade().await;
        peer.version("3.3.7.5").await;
        let super::peer::Got::Text(TextRequest::Conn(args)) = peer.recv().await else {
            panic!("`conn` comes second");
        };
        assert_eq!(args.db, "gone");
        peer.error(args.req_id, 0x0388, "Database not exist").await;
        let super::peer::Got::Text(TextRequest::Conn(args)) = peer.recv().await else {
            panic!("`conn` is tried without the database");
        };
        assert_eq!(args.db, "");
        peer.error(args.req_id, 0, "").await;
        let (req_id, _) = peer.query().await;
        peer.updated(req_id, 1).await;
        peer
    };
    let (count, _peer) = tokio::join!(taos.exec("insert 1"), server);
    assert_eq!(count.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_login_is_tried_again_and_a_refused_one_is_not() {
    let (taos, mut accepts) = client("ws://peer:6041?conn_retries=3");
    let server = async {
        for _ in 0..2 {
            let mut peer = accepts.accept().await;
            peer.upgrade().await;
        }
        accepts.login().await
    };
    let started = Instant::now();
    let (version, _peer) = tokio::join!(taos.current_version(), server);
    version.unwrap();
    let pauses = started.elapsed();
    assert!(
        Duration::from_millis(480) <= pauses && pauses <= Duration::from_millis(720),
        "{pauses:?}"
    );

    let (taos, mut accepts) = client("ws://peer:6041?conn_retries=3");
    let server = async {
        let mut peer = accepts.accept().await;
        peer.upgrade().await;
        peer.version("3.3.7.5").await;
        let super::peer::Got::Text(TextRequest::Conn(args)) = peer.recv().await else {
            panic!("`conn` comes second");
        };
        peer.error(args.req_id, 0x0357, "Authentication failure")
            .await;
    };
    let (version, ()) = tokio::join!(taos.current_version(), server);
    let error = error_of(version);
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Auth, 0x0357.into())
    );
    assert!(accepts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_one_failing_attempt_share_its_failure() {
    let (taos, mut peer, mut accepts) = connected("ws://peer:6041?conn_retries=2").await;
    peer.raw(&frame(8, b"")).await;
    drop(peer);
    tokio::task::yield_now().await;
    let refuse = async {
        for _ in 0..3 {
            drop(accepts.accept().await);
        }
    };
    let calls = futures_util::future::join_all((0..50).map(|_| taos.exec("insert 1")));
    let started = Instant::now();
    let (results, ()) = tokio::join!(calls, refuse);
    for result in results {
        assert_eq!(error_of(result).kind(), ErrorKind::Connect);
    }
    assert!(started.elapsed() < Duration::from_secs(1));
    assert!(accepts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_address_is_tried_before_the_first_pause() {
    // The order is random: with twenty tries each is first now and then.
    for _ in 0..20 {
        let (taos, mut accepts) =
            client("ws://refused:1,refused:2,peer:3,refused:4?conn_retries=9");
        let started = Instant::now();
        let (version, _peer) = tokio::join!(taos.current_version(), accepts.login());
        version.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
    let (taos, _accepts) = client("ws://refused:1,refused:2?conn_retries=2&retry_backoff_ms=1000");
    let started = Instant::now();
    let error = error_of(taos.current_version().await);
    assert_eq!(error.kind(), ErrorKind::Connect);
    // Two pauses, of 1 s and 2 s, and none after the last try.
    let pauses = started.elapsed();
    assert!(
        Duration::from_millis(2400) <= pauses && pauses <= Duration::from_millis(3600),
        "{pauses:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_the_database_killed_is_replaced() {
    let (taos, mut peer, mut accepts) = connected(DSN).await;
    let (count, ()) = tokio::join!(taos.exec("insert 1"), async {
        let (req_id, _) = peer.query().await;
        peer.error(req_id, 0x0215, "Connection killed").await;
    });
    let error = error_of(count);
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Server, 0x0215.into())
    );
    let server = async {
        let mut peer = accepts.login().await;
        let (req_id, _) = peer.query().await;
        peer.updated(req_id, 1).await;
        peer
    };
    let (count, _peer) = tokio::join!(taos.exec("insert 2"), server);
    assert_eq!(count.unwrap(), 1);
}

#[tokio::test]
async fn a_refused_port_is_told_at_once_without_retries() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let started = std::time::Instant::now();
    let builder = TaosBuilder::from_dsn(format!("ws://{address}?conn_retries=0")).unwrap();
    let error = error_of(builder.build().await);
    assert_eq!(error.kind(), ErrorKind::Connect);
    let text = format!("{:#}", anyhow::Error::from(error));
    assert_eq!(text.matches("refused").count(), 1, "{text}");
    assert!(text.contains(&address.to_string()), "{text}");
    assert!(text.contains("taosAdapter"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_stays_closed() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    taos.close();
    let error = error_of(taos.query("select 1").await);
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Closed, Code::WS_CLOSED)
    );
    assert_eq!(peer.recv().await, super::peer::Got::Close);
}

#[tokio::test(start_paused = true)]
async fn a_mute_server_is_reported_within_the_limit_of_the_whole_connect() {
    // The default budget of tries alone would take two minutes.
    for (dsn, seconds) in [
        ("ws://peer:6041", 30),
        ("ws://peer:1,peer:2", 40),
        ("ws://peer:6041?conn_total_timeout=12", 12),
        ("ws://peer:6041?conn_timeout=20", 40),
    ] {
        let (taos, mut accepts) = client(dsn);
        let server = async {
            let mut held = Vec::new();
            loop {
                let mut peer = accepts.accept().await;
                peer.upgrade().await;
                held.push(peer);
            }
        };
        let started = Instant::now();
        let version = tokio::select! {
            version = taos.current_version() => version,
            () = server => unreachable!(),
        };
        let error = error_of(version);
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        let took = started.elapsed();
        assert!(
            took <= Duration::from_secs(seconds) && took > Duration::from_secs(seconds / 2),
            "{dsn}: {took:?} {error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_break_the_next_address_is_tried_first() {
    let (taos, mut accepts) = client("ws://peer:1,peer:2,peer:3?conn_retries=0");
    let mut seen = Vec::new();
    let watched = taos.connection_events();
    for _ in 0..4 {
        let (version, peer) = tokio::join!(taos.current_version(), accepts.login());
        version.unwrap();
        if let ConnectionState::Ready { address, .. } = taos.connection_state() {
            seen.push(address.to_string());
        }
        drop(peer);
        tokio::task::yield_now().await;
    }
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[0], seen[3], "{seen:?}");
    assert!(
        seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2],
        "{seen:?}"
    );
    drop(taos);
    let told: Vec<_> = watched.map(|state| state.to_string()).collect().await;
    assert_eq!(told.iter().filter(|t| t.starts_with("ready")).count(), 4);
    assert_eq!(told.last().unwrap(), "closed");
}

#[tokio::test(start_paused = true)]
async fn a_watcher_sees_each_state_in_order_and_a_break_while_idle_at_once() {
    let (taos, mut accepts) = client(DSN);
    let mut states = Box::pin(taos.connection_events());
    assert_eq!(states.next().await.unwrap(), ConnectionState::Connecting);
    let (version, peer) = tokio::join!(taos.current_version(), accepts.login());
    version.unwrap();
    assert_eq!(
        states.next().await.unwrap().to_string(),
        "ready (peer:6041)"
    );
    // Nobody asks anything.
    drop(peer);
    let broken = states.next().await.unwrap().to_string();
    assert!(
        broken.starts_with("broken: the connection to peer:6041"),
        "{broken}"
    );
    let refuse = async { drop(accepts.accept().await) };
    let (version, ()) = tokio::join!(taos.current_version(), refuse);
    version.unwrap_err();
    assert_eq!(states.next().await.unwrap(), ConnectionState::Connecting);
    assert!(matches!(
        states.next().await.unwrap(),
        ConnectionState::Broken { .. }
    ));
    taos.close();
    assert_eq!(states.next().await.unwrap(), ConnectionState::Closed);
    assert_eq!(states.next().await, None);
}

#[test]
fn bad_parameters_are_refused_by_name() {
    for (dsn, words) in [
        ("ws://h?conn_timeout=2x", "conn_timeout"),
        ("ws://h?read_timeout=0", "read_timeout"),
        ("ws://h?conn_retries=many", "conn_retries"),
        ("ws://h?timezone=No/Where", "IANA"),
        ("ws://h?tls_mode=none", "dangerous_accept_any"),
        ("wss://h?tls_version=SSLv3", "TLSv1.2"),
        ("ws://h?conn_mode=7", "conn_mode"),
        ("ws://h?user_ip=home", "user_ip"),
        ("ws://h?version_prefer=4", "version_prefer"),
        ("ws://h?read_timout=3", "read_timeout"),
        ("ws://h?totp_secret=18", "totp_secret=***"),
        ("ws://h?totp_secret=", "totp_secret"),
        ("ws://h?totp_secret=MFRA&totp_code=123456", "totp_code"),
        #[cfg(not(feature = "deflate"))]
        ("ws://h?compression=true", "Cargo feature `deflate`"),
        ("ws://h?compression=maybe", "compression"),
        ("mysql://h", "wss"),
    ] {
        let error = error_of(TaosBuilder::from_dsn(dsn));
        assert!(error.to_string().contains(words), "{dsn}: {error}");
    }
}
