//! What a user does wrong, and what the error must say. Every mistake ends within its timeout, and no
//! error shows the password.

use std::time::{Duration, Instant};

use futures::SinkExt;
use taos::*;
use taos_tests::{Target, for_each_target, for_targets, needs, on_every_target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECRET: &str = "hunter2-secret";
const LIMIT: Duration = Duration::from_secs(10);

/// Connects and runs a statement; returns the error, which must come.
async fn error_of(dsn: &str, sql: &str) -> Error {
    let started = Instant::now();
    let result = tokio::time::timeout(LIMIT, async {
        let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
        taos.query(sql).await.map(drop)
    })
    .await
    .unwrap_or_else(|_| panic!("no answer within {LIMIT:?} for {dsn}"));
    let Err(error) = result else {
        panic!("{dsn} and {sql:?} should fail")
    };
    assert!(started.elapsed() < LIMIT);
    for text in [
        error.to_string(),
        format!("{error:?}"),
        format!("{error:#?}"),
    ] {
        assert!(!text.contains(SECRET), "the password shows: {text}");
    }
    error
}

#[track_caller]
fn says(error: &Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} lacks {word:?}");
    }
}

/// The target's DSN to another address, with short limits and a password that must not be seen.
fn elsewhere(target: &Target, address: std::net::SocketAddr, seconds: u32) -> String {
    let mut dsn = target.impatient(target.parsed(), seconds);
    dsn.username = Some("root".to_owned());
    dsn.password = Some(SECRET.to_owned());
    dsn.addresses = vec![Address::new(address.ip().to_string(), address.port())];
    dsn.to_string()
}

/// A server that does `answer` with each connection; gives its address.
async fn peer<F, A>(answer: A) -> std::net::SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
    A: Fn(TcpStream) -> F + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer(socket));
        }
    });
    address
}

#[test]
fn a_dsn_that_cannot_be_read_is_refused_at_once() {
    for_each_target(|_| async move {
        for (dsn, words) in [
            ("localhost", &["no colon", "ws://"][..]),
            ("mongo://localhost", &["mongo", "ws"]),
            ("ws:/localhost", &["names a path", "ws://"]),
            ("ws://localhost:99999999", &["port", "65535"]),
            ("ws://localhost:port", &["localhost", "not a number"]),
            (
                "ws://localhost?read_timeuot=5",
                &["read_timeuot", "did you mean `read_timeout`?"],
            ),
            ("ws://localhost?conn_timeout=2x", &["conn_timeout", "2x"]),
            (
                "ws://localhost?conn_retries=many",
                &["conn_retries", "many"],
            ),
            (
                "ws://localhost?compression=maybe",
                &["compression", "maybe"],
            ),
            (
                "ws://localhost?timezone=Mars/Olympus",
                &["timezone", "Mars/Olympus"],
            ),
            ("ws://localhost?conn_mode=fast", &["conn_mode", "fast"]),
            (
                "wss://localhost?tls_mode=trust_me",
                &["tls_mode", "trust_me"],
            ),
        ] {
            says(&error_of(dsn, "select 1").await, words);
        }
        Ok(())
    });
}

#[test]
fn a_native_library_that_is_not_there_is_an_error_that_says_what_to_do() {
    for_each_target(|_| async move {
        let missing = std::env::temp_dir()
            .join("no-such-folder")
            .join("libtaos.so");
        let dsn = format!("taos://localhost:6030?libraryPath={}", missing.display());
        let error = error_of(&dsn, "select 1").await;
        says(&error, &["no-such-folder", "libraryPath", "taos+ws://"]);
        Ok(())
    });
}

#[test]
fn a_refused_port_is_reported_at_once_without_retries() {
    for_targets(&[needs::SHORT_LIMITS], |target| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        drop(listener);
        let started = Instant::now();
        let error = error_of(&elsewhere(&target, address, 5), "select 1").await;
        assert_eq!(error.kind(), ErrorKind::Connect);
        says(&error, &["127.0.0.1", &address.port().to_string()]);
        assert!(started.elapsed() < Duration::from_secs(2));
        Ok(())
    });
}

/// The target's DSN with another user and password.
fn login(target: &Target, user: &str, password: &str) -> String {
    let mut dsn = target.parsed();
    dsn.username = Some(user.to_owned());
    dsn.password = Some(password.to_owned());
    dsn.to_string()
}

#[test]
fn a_wrong_login_is_an_error_of_its_own() {
    for_each_target(|target| async move {
        let error = error_of(&login(&target, "root", SECRET), "select 1").await;
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Auth, Code::new(0x0357))
        );
        says(&error, &["`root`", "check user and password"]);
        let error = error_of(&login(&target, "nobody", SECRET), "select 1").await;
        assert_eq!(error.kind(), ErrorKind::Auth);
        Ok(())
    });
}

#[test]
fn an_unknown_database_is_named_by_its_code() {
    for_each_target(|target| async move {
        let error = error_of(&target.dsn_of("no_such_database"), "select 1").await;
        assert_eq!(error.code(), 0x0388);
        says(&error, &["no_such_database"]);
        Ok(())
    });
}

#[test]
fn statements_with_mistakes_keep_the_servers_codes() {
    for_each_target(|target| async move {
        let (_taos, database) = target.fresh("mistakes", "").await;
        let dsn = target.dsn_of(&database);
        for (sql, code) in [
            ("selekt 1", 0x2600),
            ("select * from missing", 0x2603),
            ("select nothing_known(1)", 0x0374),
            ("create table t (v int, ts timestamp)", 0x2641),
            ("drop table missing", 0x2603),
        ] {
            let error = error_of(&dsn, sql).await;
            assert_eq!(error.code(), code, "{sql}: {error}");
        }
        Ok(())
    });
}

#[test]
fn statements_with_mistakes_are_errors_of_the_server_and_leave_the_connection_usable() {
    on_every_target(|target| async move {
        let table = target.table("mistakes", &[("v", Ty::Int)]).await?;
        let (taos, name) = (table.taos(), table.name());
        for sql in [
            "selekt 1".to_owned(),
            format!("select * from {name}_missing"),
            format!("select nothing_known(v) from {name}"),
            format!("select no_such_column from {name}"),
            format!("insert into {name} values (1"),
            format!("drop table {name}_missing"),
        ] {
            let error = match taos.query(&sql).await {
                Ok(_) => panic!("{sql} is fine"),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::Server, "{sql}: {error:?}");
            assert!(!error.outcome_unknown(), "{sql}: {error:?}");
            let seven: Option<i64> = taos.query_one("select 7").await?;
            assert_eq!(seven, Some(7), "after {sql}");
        }
        Ok(())
    });
}

#[test]
fn an_empty_statement_is_refused_before_it_is_sent() {
    on_every_target(|target| async move {
        let error = error_of(target.dsn(), " \n").await;
        assert_eq!(error.kind(), ErrorKind::Config);
        says(&error, &["empty"]);
        Ok(())
    });
}

#[test]
fn a_statement_over_one_mebibyte_is_refused_clearly() {
    for_each_target(|target| async move {
        let (taos, database) = target.fresh("long", "").await;
        let sql = format!("select '{}'", "x".repeat(1 << 20));
        let error = error_of(&target.dsn_of(&database), &sql).await;
        assert_eq!(error.code(), 0x0219, "{error}");
        let one: Option<i64> = taos.query_one("select 1").await?;
        assert_eq!(one, Some(1));
        Ok(())
    });
}

#[test]
fn tls_against_a_plain_port_is_a_clear_error() {
    on_every_target(|target| async move {
        let mut dsn = target.impatient(target.parsed(), 5);
        if target.is_tdengine() {
            dsn.driver = "wss".to_owned();
            dsn.protocol = None;
        } else {
            dsn.protocol = Some("https".to_owned());
        }
        let error = error_of(&dsn.to_string(), "select 1").await;
        says(&error, &["TLS"]);
        Ok(())
    });
}

#[test]
fn a_server_that_says_nothing_is_a_timeout() {
    on_every_target(|target| async move {
        let address = peer(|mut socket| async move {
            let mut sink = [0; 1024];
            while matches!(socket.read(&mut sink).await, Ok(n) if n > 0) {}
        })
        .await;
        let error = error_of(&elsewhere(&target, address, 1), "select 1").await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        says(&error, &[&address.port().to_string()]);
        Ok(())
    });
}

#[test]
fn a_server_of_another_protocol_is_a_clear_error() {
    on_every_target(|target| async move {
        let address = peer(|mut socket| async move {
            let _ = socket.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
            let mut sink = [0; 1024];
            while matches!(socket.read(&mut sink).await, Ok(n) if n > 0) {}
        })
        .await;
        let error = error_of(&elsewhere(&target, address, 2), "select 1").await;
        assert_ne!(error.kind(), ErrorKind::Server, "{error:?}");
        says(&error, &[&address.to_string()]);
        Ok(())
    });
}

#[test]
fn a_server_that_is_no_websocket_is_a_clear_error() {
    for_each_target(|_| async move {
        let address = peer(|mut socket| async move {
            let mut sink = [0; 1024];
            let _ = socket.read(&mut sink).await;
            let _ = socket
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
                .await;
        })
        .await;
        let error = error_of(&format!("ws://{address}?conn_retries=0"), "select 1").await;
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        Ok(())
    });
}

#[test]
fn a_server_that_closes_at_once_is_a_clear_error() {
    for_targets(&[needs::SHORT_LIMITS], |target| async move {
        let address = peer(|socket| async move { drop(socket) }).await;
        let error = error_of(&elsewhere(&target, address, 5), "select 1").await;
        assert!(
            matches!(error.kind(), ErrorKind::Connect | ErrorKind::ConnectionLost),
            "{error:?}"
        );
        says(&error, &[&address.to_string()]);
        Ok(())
    });
}

#[test]
fn a_name_with_a_quote_cannot_break_out_of_its_quotes() {
    for_each_target(|target| async move {
        let taos = target.connect().await;
        let error = taos
            .create_database("a`; drop database b; --")
            .await
            .unwrap_err();
        assert!(!error.to_string().is_empty());
        Ok(())
    });
}

#[test]
fn a_server_that_falls_silent_after_the_upgrade_is_a_timeout() {
    for_each_target(|_| async move {
        let address = peer(|socket| async move {
            if let Ok(mut socket) = tokio_tungstenite::accept_async(socket).await {
                while let Some(Ok(_)) = socket.next().await {}
            }
        })
        .await;
        let dsn = format!("ws://root:{SECRET}@{address}?conn_timeout=1&conn_retries=0");
        let error = error_of(&dsn, "select 1").await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        Ok(())
    });
}

#[test]
fn a_server_that_talks_nonsense_is_a_clear_error() {
    for_each_target(|_| async move {
        for nonsense in ["not json", "{}", "{\"code\":0", "[1,2]"] {
            let address = peer(move |socket| async move {
                if let Ok(mut socket) = tokio_tungstenite::accept_async(socket).await {
                    while let Some(Ok(_)) = socket.next().await {
                        let _ = socket.send(nonsense.into()).await;
                    }
                }
            })
            .await;
            let dsn = format!("ws://root:{SECRET}@{address}?conn_timeout=2&conn_retries=0");
            let error = error_of(&dsn, "select 1").await;
            assert_ne!(error.kind(), ErrorKind::Server, "{nonsense}: {error:?}");
            says(&error, &[&address.to_string()]);
        }
        Ok(())
    });
}

#[test]
fn the_port_of_a_host_without_one_is_6041_or_that_of_the_cloud() {
    for_each_target(|_| async move {
        let dsn = "ws://host.invalid?conn_retries=0&conn_timeout=2";
        says(&error_of(dsn, "select 1").await, &["host.invalid:6041"]);
        let dsn = format!("wss://host.invalid?conn_retries=0&conn_timeout=2&token={SECRET}");
        says(&error_of(&dsn, "select 1").await, &["host.invalid:443"]);
        Ok(())
    });
}
