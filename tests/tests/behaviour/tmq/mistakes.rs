//! What is wrong with the DSN of a consumer, and what the error must say. None shows the password.

use std::time::{Duration, Instant};

use taos::*;
use taos_tests::{Target, for_targets, needs};

use super::{dsn_of, numbered};

const SECRET: &str = "hunter2-secret";

#[track_caller]
fn says(error: &Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} lacks {word:?}");
    }
    for text in [text, format!("{error:?}"), format!("{error:#?}")] {
        assert!(!text.contains(SECRET), "the password shows: {text}");
    }
}

/// Builds a consumer and subscribes; returns the error, which must come, and in time.
async fn error_of(dsn: &str, topic: &str) -> Error {
    let limit = Duration::from_secs(15);
    let outcome = tokio::time::timeout(limit, async {
        let mut consumer = TmqBuilder::from_dsn(dsn)?.build().await?;
        consumer.subscribe([topic]).await
    })
    .await;
    match outcome {
        Ok(Err(error)) => error,
        Ok(Ok(())) => panic!("{dsn} should fail"),
        Err(_) => panic!("no answer within {limit:?} for {dsn}"),
    }
}

#[test]
fn a_dsn_that_cannot_be_read_is_refused_at_once() {
    for_targets(&[needs::TOPICS], |_| async move {
        let base = format!("ws://root:{SECRET}@127.0.0.1:1?conn_retries=0");
        for (rest, words) in [
            ("", &["group.id"][..]),
            ("group.id=", &["group.id"]),
            ("group.id=a:b", &["group.id"]),
            ("group.id=g&offset=1", &["offset", "vgroup:offset"]),
            ("group.id=g&offset=a:b", &["offset", "a:b"]),
            ("group.id=g&offset=1:2:3", &["offset", "1:2:3"]),
            ("group.id=g&timeout=soon", &["timeout", "soon"]),
            ("group.id=g&timeout=5 parsecs", &["timeout", "parsecs"]),
            (
                "group.id=g&enable.auto.commit=perhaps",
                &["enable.auto.commit", "perhaps"],
            ),
            (
                "group.id=g&auto.commit.interval.ms=often",
                &["auto.commit.interval.ms", "often"],
            ),
            (
                "group.id=g&experimental.snapshot.enable=maybe",
                &["experimental.snapshot.enable", "maybe"],
            ),
            (
                "group.id=g&msg.with.table.name=2",
                &["msg.with.table.name", "2"],
            ),
            ("group.id=g&timeuot=5s", &["timeuot", "`timeout`"]),
            (
                "group.id=g&read_timeuot=5",
                &["read_timeuot", "`read_timeout`"],
            ),
            (
                "group.id=g&auto.reconnect=sometimes",
                &["auto.reconnect", "sometimes"],
            ),
        ] {
            let started = Instant::now();
            let dsn = format!("{base}&{rest}");
            let built = TmqBuilder::from_dsn(&dsn);
            let error = match built {
                Err(error) => error,
                Ok(_) => panic!("`{rest}` should be refused before anything is sent"),
            };
            assert_eq!(error.kind(), ErrorKind::Config, "{rest}: {error:?}");
            says(&error, words);
            assert!(started.elapsed() < Duration::from_secs(1));
        }
        Ok(())
    });
}

#[test]
fn a_driver_without_consumers_is_named() {
    for_targets(&[needs::TOPICS], |_| async move {
        let missing = "taos://localhost:6030?group.id=g&libraryPath=no-such-folder/libtaos.so";
        let error = error_of(missing, "t").await;
        says(&error, &["no-such-folder", "libraryPath", "taos+ws://"]);
        let error = TmqBuilder::from_dsn("mongo://localhost?group.id=g").err();
        let error = error.ok_or_else(|| anyhow::anyhow!("a consumer of mongo"))?;
        says(&error, &["mongo", "ws"]);
        Ok(())
    });
}

#[test]
fn what_only_the_server_knows_comes_back_in_its_words() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (_taos, topic) = numbered(&target, "mistakes", 1).await?;
        let with = |more: &[(&str, &str)]| dsn_of(&target, "g", more).to_string();
        // Old servers would pass over it, so that they are not asked.
        let error = error_of(&with(&[("no.such.key", "1")]), &topic).await;
        let kinds = [
            ErrorKind::Server,
            ErrorKind::Unsupported,
            // A native library knows its keys without asking.
            ErrorKind::Config,
        ];
        assert!(kinds.contains(&error.kind()), "{error:?}");
        says(&error, &["no.such.key"]);
        let error = error_of(&with(&[("auto.offset.reset", "middle")]), &topic).await;
        says(&error, &["auto.offset.reset"]);
        let error = error_of(&with(&[]), "no_such_topic").await;
        assert_eq!(error.code(), 0x03E1, "{error}");
        says(&error, &["no_such_topic"]);
        Ok(())
    });
}

#[test]
fn times_that_the_server_does_not_take_are_named_in_its_words() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (_taos, topic) = numbered(&target, "times", 1).await?;
        for (key, value) in [
            ("session.timeout.ms", "1"),
            ("session.timeout.ms", "long"),
            ("max.poll.interval.ms", "1"),
        ] {
            let dsn = dsn_of(&target, "g", &[(key, value)]).to_string();
            says(&error_of(&dsn, &topic).await, &[key]);
        }
        Ok(())
    });
}

#[test]
fn a_wrong_login_is_an_error_of_its_own() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (_taos, topic) = numbered(&target, "login", 1).await?;
        let mut dsn = dsn_of(&target, "g", &[("conn_retries", "0")]);
        dsn.password = Some(SECRET.to_owned());
        let started = Instant::now();
        let error = error_of(&dsn.to_string(), &topic).await;
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        says(&error, &["root"]);
        assert!(started.elapsed() < Duration::from_secs(5));
        Ok(())
    });
}

#[test]
fn a_refused_port_is_reported_at_once_without_retries() {
    for_targets(&[needs::TOPICS], |_| async move {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let started = Instant::now();
        let dsn = format!("ws://root:{SECRET}@127.0.0.1:{port}?group.id=g&conn_retries=0");
        let error = error_of(&dsn, "t").await;
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        says(&error, &[&port.to_string()]);
        assert!(started.elapsed() < Duration::from_secs(2));
        Ok(())
    });
}

#[test]
fn calls_before_a_subscription_say_that_there_is_none() {
    for_targets(&[needs::TOPICS], |target| async move {
        let mut consumer = TmqBuilder::from_dsn(dsn_of(&target, "g", &[]))?
            .build()
            .await?;
        for error in [
            consumer
                .recv_timeout(Timeout::from_millis(300))
                .await
                .map(drop)
                .err(),
            consumer.commit_offset("t", 1, 1).await.err(),
            consumer.offset_seek("t", 1, 1).await.err(),
            consumer.committed("t", 1).await.map(drop).err(),
            consumer.position("t", 1).await.map(drop).err(),
        ] {
            let error = error.ok_or_else(|| anyhow::anyhow!("no error"))?;
            assert!(error.to_string().contains("subscri"), "{error}");
        }
        Ok(())
    });
}

#[test]
fn keys_that_begin_connections_are_taken_by_consumers_too() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (_taos, topic) = numbered(&target, "keys", 1).await?;
        for (key, value) in [
            ("client.id", "me"),
            ("snapshot", "false"),
            ("batchmeta", "0"),
            ("enable.batch.meta", "no"),
            ("msg.with.table.name", "false"),
            ("enable.auto.commit", "1"),
            ("max.poll.interval.ms", "300000"),
            ("conn_timeout", "5"),
            ("timezone", "UTC"),
        ] {
            takes(&target, &topic, key, value).await?;
        }
        Ok(())
    });
}

async fn takes(target: &Target, topic: &str, key: &str, value: &str) -> anyhow::Result<()> {
    let dsn = dsn_of(target, "g", &[(key, value)]);
    let mut consumer = TmqBuilder::from_dsn(dsn)?.build().await?;
    consumer
        .subscribe([topic])
        .await
        .map_err(|error| anyhow::anyhow!("{key}={value}: {error}"))?;
    consumer.unsubscribe().await;
    Ok(())
}

#[test]
fn any_other_key_with_a_dot_goes_to_the_server() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (_taos, topic) = numbered(&target, "dotted", 1).await?;
        for (key, value) in [
            ("heartbeat.interval.ms", "2000"),
            ("fetch.max.wait.ms", "500"),
            ("min.poll.rows", "100"),
        ] {
            takes(&target, &topic, key, value).await?;
        }
        Ok(())
    });
}
