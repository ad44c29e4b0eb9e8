//! Logins and TLS: who is let in, and what the others are told.

use std::net::SocketAddr;

use serde_json::json;
use taos::questdb::ErrorCode;
use taos::questdb::ingress::{AsyncSender, Protocol, Sender, SenderBuilder, TimestampNanos};
use taos::*;
use taos_tests::questdb::{KEY, Key, PASSWORD, Servers, USER, WRONG_KEY, exec};
use taos_tests::tls::TlsProxy;

use crate::{run, settles};

const AT: TimestampNanos = TimestampNanos::new(1_700_000_000_000_000_000);

fn keyed(service: &str, address: SocketAddr, key: Key) -> String {
    let Key { id, private, x, y } = key;
    format!(
        "{service}::addr=localhost:{};username={id};token={private};token_x={x};token_y={y};",
        address.port()
    )
}

async fn write(sender: &mut AsyncSender, table: &str) -> questdb::Result<()> {
    let mut buffer = sender.new_buffer();
    buffer.table(table)?.column_i64("n", 1)?.at(AT)?;
    sender.flush(&mut buffer).await
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_wrong_password_and_none_at_all_are_errors_of_their_own_over_http() -> anyhow::Result<()> {
    run(async |servers| {
        let http = servers.guarded.http;
        let wrong = "hunter2-secret";
        for login in [format!("username={USER};password={wrong};"), String::new()] {
            // Its settings the server tells everybody.
            let mut sender = AsyncSender::from_conf(format!("http::addr={http};{login}")).await?;
            let error = write(&mut sender, "let_in").await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::AuthError, "{error}");
            assert!(error.msg().contains("401"), "{error}");
            assert!(!format!("{error} {error:?} {sender:?}").contains(wrong));
            assert!(!sender.must_close());
        }
        let refused = exec(http, "select n from let_in")?;
        assert_eq!(refused.status, 400, "no table was made");
        Ok(())
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn queries_log_in_by_the_dsn_and_a_wrong_password_is_an_error_of_its_own() -> anyhow::Result<()> {
    run(async |servers| {
        let http = servers.guarded.http;
        let mut dsn: Dsn = format!("questdb://{http}").parse()?;
        for (password, right) in [(PASSWORD, true), ("hunter2-secret", false)] {
            dsn.username = Some(USER.to_owned());
            dsn.password = Some(password.to_owned());
            let asked = async {
                let taos = TaosBuilder::from_dsn(&dsn)?.build().await?;
                taos.query_one::<_, i32>("select 7").await
            };
            match asked.await {
                Ok(seven) => assert_eq!((seven, right), (Some(7), true)),
                Err(error) => {
                    assert!(!right, "{error}");
                    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
                    assert!(!format!("{error} {error:?}").contains(password));
                }
            }
        }
        Ok(())
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_key_opens_the_line_over_tcp_with_and_without_tls() -> anyhow::Result<()> {
    run(async |servers| {
        let Servers { guarded, .. } = servers;
        let proxy = TlsProxy::to(guarded.tcp).await?;
        let roots = proxy.roots();
        let over_tls = keyed("tcps", proxy.address(), KEY);
        let over_tls = format!("{over_tls}tls_roots={};", roots.display());
        for conf in [keyed("tcp", guarded.tcp, KEY), over_tls] {
            let mut sender = AsyncSender::from_conf(conf).await?;
            write(&mut sender, "keyed").await?;
            sender.close().await?;
        }
        settles(guarded.http, "select n from keyed", &json!([[1], [1]]))
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_wrong_key_is_found_out_at_a_later_flush_and_writes_nothing() -> anyhow::Result<()> {
    run(async |servers| {
        let tcp = servers.guarded.tcp;
        let mut sender = AsyncSender::from_conf(keyed("tcp", tcp, WRONG_KEY)).await?;
        let closed = async {
            while let Ok(()) = write(&mut sender, "wrong_key").await {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), closed).await?;
        assert!(sender.must_close());
        // Without a key the challenge is never answered either.
        let refused = exec(servers.guarded.http, "select n from wrong_key")?;
        assert_eq!(refused.status, 400, "{}", refused.json);
        Ok(())
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_key_for_a_server_without_keys_is_a_clear_error() -> anyhow::Result<()> {
    run(async |servers| {
        let conf = keyed("tcp", servers.plain.tcp, KEY);
        let conf = format!("{conf}auth_timeout=1000;");
        let error = AsyncSender::from_conf(conf).await.map(drop).unwrap_err();
        assert!(
            matches!(error.code(), ErrorCode::AuthError | ErrorCode::SocketError),
            "{error}"
        );
        Ok(())
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_certificate_that_nobody_vouches_for_is_refused_over_https_and_tcps() -> anyhow::Result<()> {
    run(async |servers| {
        let https = TlsProxy::to(servers.plain.http).await?;
        let tcps = TlsProxy::to(servers.plain.tcp).await?;
        let other = https.roots();
        for (service, proxy) in [("https", &https), ("tcps", &tcps)] {
            let conf = format!(
                "{service}::addr={};protocol_version=2;retry_timeout=0;",
                proxy.address()
            );
            let conf = match service {
                "tcps" => conf.replace("retry_timeout=0;", ""),
                _ => conf,
            };
            let written = async {
                let mut sender = AsyncSender::from_conf(&conf).await?;
                write(&mut sender, "no_trust").await
            };
            let error = written.await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::TlsError, "{service}: {error}");
            assert!(error.msg().contains("certificate"), "{service}: {error}");
        }
        // Trusted it is, but for another server.
        let conf = format!(
            "tcps::addr={};tls_roots={};",
            tcps.address(),
            other.display()
        );
        let error = AsyncSender::from_conf(conf).await.map(drop).unwrap_err();
        assert_eq!(error.code(), ErrorCode::TlsError, "{error}");
        Ok(())
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn queries_and_senders_go_over_https_to_names_and_addresses() -> anyhow::Result<()> {
    run(async |servers| {
        let proxy = TlsProxy::to(servers.guarded.http).await?;
        let (port, roots) = (proxy.address().port(), proxy.roots());
        for host in ["localhost", "127.0.0.1"] {
            let builder = SenderBuilder::new(Protocol::Https, host, port)
                .tls_roots(&roots)?
                .username(USER)?
                .password(PASSWORD)?;
            let mut sender = builder.build_async().await?;
            sender.ping().await?;
            write(&mut sender, "over_https").await?;
            let mut dsn: Dsn = format!("questdb+https://{host}:{port}").parse()?;
            dsn.username = Some(USER.to_owned());
            dsn.password = Some(PASSWORD.to_owned());
            dsn.set("tls_roots", roots.display().to_string());
            let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
            let seven: Option<i32> = taos.query_one("select 7").await?;
            assert_eq!(seven, Some(7));
        }
        settles(
            servers.guarded.http,
            "select n from over_https",
            &json!([[1], [1]]),
        )
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn tls_against_a_plain_port_is_an_error_that_speaks_of_tls() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let conf = format!("tcps::addr={};auth_timeout=2000;", servers.plain.tcp);
    let error = Sender::from_conf(conf).map(drop).unwrap_err();
    // The server may close the line before it answers anything, as one that restarts would.
    let codes = [ErrorCode::TlsError, ErrorCode::SocketError];
    assert!(codes.contains(&error.code()), "{error}");
    assert!(error.msg().contains("TLS"), "{error}");
    Ok(())
}
