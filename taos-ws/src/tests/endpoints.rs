//! What is said at the door: paths, and what a server of some version is told.

use super::peer::{DSN, Got, Peer, client, error_of};
use crate::protocol::{TextRequest, Version};
use taos_query::{AsyncQueryable as _, Code, ErrorKind, Stmt2AsyncBindable as _};

#[tokio::test(start_paused = true)]
async fn a_server_without_the_usual_endpoint_is_asked_at_the_old_one_in_json() {
    for refusal in ["404 Not Found", "400 Bad Request"] {
        let (taos, mut accepts) = client(&format!("{DSN}&token=a%20b"));
        let server = async {
            let mut peer = accepts.accept().await;
            let head = peer.head().await;
            assert!(head.starts_with("GET /ws?token=a+b HTTP/1.1"), "{head}");
            peer.raw(format!("HTTP/1.1 {refusal}\r\n\r\n").as_bytes())
                .await;
            let mut peer = accepts.accept().await;
            let head = peer.upgrade_with("").await;
            assert!(
                head.starts_with("GET /rest/ws?token=a+b HTTP/1.1"),
                "{head}"
            );
            // The library may be newer than the endpoint.
            peer.login("3.3.7.5").await;
            let Got::Text(TextRequest::Query(args)) = peer.recv().await else {
                panic!("binary queries get no reply there");
            };
            peer.updated(args.req_id, 3).await;
            peer
        };
        let (count, _peer) = tokio::join!(taos.exec("insert 1"), server);
        assert_eq!(count.unwrap(), 3);
        assert_eq!(taos.current_version().await.unwrap(), Version::OLD_ENDPOINT);
        // What would never be answered is not sent.
        let error = error_of(taos.options_connection(&[]).await);
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        let error = error_of(crate::Stmt2::init(&taos).await);
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_neither_endpoint_is_told_apart_from_one_that_is_down() {
    let (taos, mut accepts) = client("ws://peer:6041?conn_retries=9");
    let server = async {
        for _ in 0..2 {
            let mut peer = accepts.accept().await;
            peer.head().await;
            peer.raw(b"HTTP/1.1 404 Not Found\r\n\r\n").await;
        }
    };
    let (version, ()) = tokio::join!(taos.current_version(), server);
    let error = error_of(version);
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Connect, Code::WS_ERROR)
    );
    assert!(error.to_string().contains("taosAdapter"), "{error}");
    assert!(accepts.is_empty(), "another try would not help");
}

#[tokio::test(start_paused = true)]
async fn an_http_401_stops_at_once() {
    let (taos, mut accepts) = client("ws://peer:1,peer:2?conn_retries=9&token=t");
    let server = async {
        let mut peer = accepts.accept().await;
        peer.head().await;
        peer.raw(b"HTTP/1.1 401 Unauthorized\r\n\r\n").await;
    };
    let (version, ()) = tokio::join!(taos.current_version(), server);
    let error = error_of(version);
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Auth, Code::WS_UNAUTHORIZED)
    );
    assert!(accepts.is_empty());
}

/// What `conn` says to a server of this version.
async fn login(params: &str, version: &str) -> Result<crate::protocol::ConnArgs, String> {
    let (taos, mut accepts) = client(&format!("{DSN}&{params}"));
    let server = async {
        let mut peer = accepts.accept().await;
        peer.upgrade().await;
        peer.version(version).await;
        match peer.recv().await {
            Got::Text(TextRequest::Conn(args)) => {
                peer.error(args.req_id, 0, "").await;
                (Some(args), peer)
            }
            _ => (None, peer),
        }
    };
    let (told, (args, _peer)) = tokio::join!(taos.current_version(), server);
    match told {
        Ok(_) => Ok(*args.unwrap()),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(args.is_none(), "the password must not be tried instead");
            Err(error.to_string())
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_is_told_only_what_it_knows() {
    for (params, member) in [
        ("bearer_token=bear", "bearer_token"),
        ("totp_code=123456", "totp_code"),
    ] {
        let error = login(params, "3.3.8.0").await.unwrap_err();
        assert!(
            error.contains(member) && error.contains("3.4.0.0") && error.contains("peer:6041"),
            "{error}"
        );
        let args = login(params, "3.4.0.0").await.unwrap();
        assert_eq!(
            (args.bearer_token == "bear", args.totp_code == "123456"),
            (member == "bearer_token", member == "totp_code")
        );
    }
    let secret = "totp_secret=GEZDGNBVGY3TQOJQ";
    let error = login(secret, "3.3.8.0").await.unwrap_err();
    assert!(
        error.contains("totp_secret") && !error.contains("GEZD"),
        "{error}"
    );
    let now = || taos_query::util::current_totp_code(b"1234567890");
    let before = now();
    let args = login(secret, "3.4.0.0").await.unwrap();
    assert!([before, now()].contains(&args.totp_code));
    login("conn_mode=1", "3.1.0.0").await.unwrap_err();
    assert_eq!(login("conn_mode=1", "3.3.0.0").await.unwrap().mode, Some(0));
    assert_eq!(login("conn_mode=0", "3.3.0.0").await.unwrap().mode, None);
    let all = "timezone=Europe/Oslo&user_ip=10.0.0.1&user_app=a&connector_info=c";
    let args = login(all, "3.3.4.9").await.unwrap();
    assert_eq!(
        [args.tz, args.ip, args.app, args.connector],
        ["", "", "", ""]
    );
    let args = login(all, "3.3.5.0").await.unwrap();
    assert_eq!(
        [args.tz, args.ip, args.app, args.connector],
        ["Europe/Oslo", "10.0.0.1", "a", "c"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_drivers_own_names_do_what_the_traits_do() {
    for (version, binary) in [("3.3.7.5.alpha", true), ("3.0.7.1", false)] {
        let (taos, mut accepts) = client(DSN);
        assert_eq!(taos.version(), "");
        let server = async {
            let mut peer = accepts.accept().await;
            peer.upgrade().await;
            peer.login(version).await;
            for _ in 0..2 {
                let (req_id, sql) = peer.query().await;
                assert_eq!(sql, "insert 1");
                peer.updated(req_id, 2).await;
            }
            peer
        };
        let driver = async {
            let driver: crate::WsTaos = taos.client_cloned();
            let affected = driver.s_exec("insert 1").await.unwrap();
            let id = driver.client().get_req_id();
            let result = driver.s_query_with_req_id("insert 1", id).await.unwrap();
            (affected, taos_query::AsyncFetchable::affected_rows(&result))
        };
        let (rows, _peer) = tokio::join!(driver, server);
        assert_eq!(rows, (2, 2));
        assert_eq!(
            (taos.version(), taos.is_support_binary_sql()),
            (version, binary)
        );
    }
}

#[tokio::test]
async fn the_health_of_a_database_is_told_by_number_and_words() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dsn = format!("ws://{}?conn_retries=0", listener.local_addr().unwrap());
    let (mut near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        // Ends with an error when the client leaves.
        let _ = tokio::io::copy_bidirectional(&mut socket, &mut near).await;
    });
    let mut peer = Peer { io: far };
    let server = async {
        peer.upgrade().await;
        peer.login("3.3.7.5").await;
        let Got::Text(TextRequest::CheckServerStatus(args)) = peer.recv().await else {
            panic!("the status is asked for");
        };
        assert_eq!((args.fqdn.as_deref(), args.port), (Some("node1"), 6030));
        peer.text(&format!(
            r#"{{"code":0,"message":"","action":"check_server_status","req_id":{},"timing":1,"status":3,"details":"slow"}}"#,
            args.req_id
        ))
        .await;
    };
    let (told, ()) = tokio::join!(crate::check_server_status(&dsn, "node1", 6030), server);
    assert_eq!(told.unwrap(), (3, "slow".to_owned()));
    for port in [-1, 65_536] {
        let error = error_of(crate::check_server_status(&dsn, None, port).await);
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
}
