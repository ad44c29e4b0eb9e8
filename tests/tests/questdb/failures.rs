//! What goes wrong between a sender and its server, and what is in the tables afterwards.

use std::time::Duration;

use serde_json::json;
use taos::questdb::ErrorCode;
use taos::questdb::ingress::{AsyncSender, Buffer, Protocol, SenderBuilder, TimestampMicros};
use taos_tests::Random;
use taos_tests::proxy::{Direction, Fault, Proxy};
use taos_tests::questdb::exec;

use crate::{create, run, settles};

const LIMIT: Duration = Duration::from_secs(20);

fn row(buffer: &mut Buffer, table: &str, n: i64) -> taos::questdb::Result<()> {
    buffer
        .table(table)?
        .column_i64("n", n)?
        .at(TimestampMicros::new(1_700_000_000_000_000 + n))
}

/// The same table with a number where text was, which no server takes.
fn bad_row(buffer: &mut Buffer, table: &str) -> taos::questdb::Result<()> {
    buffer
        .table(table)?
        .column_str("n", "no number")?
        .at(TimestampMicros::new(1_700_000_000_000_000))
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn of_a_request_with_a_bad_line_nothing_is_committed_and_the_sender_goes_on() -> anyhow::Result<()>
{
    run(async |servers| {
        let http = servers.plain.http;
        create(http, "bad_line", "n long")?;
        let mut sender = AsyncSender::from_conf(format!("http::addr={http};")).await?;
        let mut buffer = sender.new_buffer();
        row(&mut buffer, "bad_line", 1)?;
        row(&mut buffer, "bad_line", 2)?;
        bad_row(&mut buffer, "bad_line")?;
        row(&mut buffer, "bad_line", 3)?;
        let before = buffer.as_bytes().to_vec();
        let error = sender.flush(&mut buffer).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::ServerFlushError);
        // Its words, and the line by number.
        assert!(
            error.msg().contains("bad_line") && error.msg().contains('3'),
            "{error}"
        );
        assert!(
            !error.msg().contains("{\""),
            "not the JSON as it came: {error}"
        );
        assert_eq!(buffer.as_bytes(), before, "the rows are kept");
        assert!(!sender.must_close());
        buffer.clear();
        row(&mut buffer, "bad_line", 9)?;
        sender.flush(&mut buffer).await?;
        settles(http, "select n from bad_line", &json!([[9]]))
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_bad_line_over_tcp_keeps_those_before_it_and_closes_the_sender_in_the_end() -> anyhow::Result<()>
{
    run(async |servers| {
        let http = servers.plain.http;
        create(http, "bad_line_tcp", "n long")?;
        let mut sender =
            AsyncSender::from_conf(format!("tcp::addr={};", servers.plain.tcp)).await?;
        let mut buffer = sender.new_buffer();
        row(&mut buffer, "bad_line_tcp", 1)?;
        bad_row(&mut buffer, "bad_line_tcp")?;
        row(&mut buffer, "bad_line_tcp", 2)?;
        sender.flush(&mut buffer).await?;
        let closed = async {
            loop {
                row(&mut buffer, "bad_line_tcp", 3)?;
                if let Err(error) = sender.flush(&mut buffer).await {
                    return Ok::<_, taos::questdb::Error>(error);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let error = tokio::time::timeout(LIMIT, closed).await??;
        assert_eq!(error.code(), ErrorCode::SocketError);
        assert!(sender.must_close() && buffer.row_count() > 0);
        settles(http, "select n from bad_line_tcp", &json!([[1]]))
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn when_the_first_of_two_addresses_is_gone_the_second_takes_over_and_no_row_is_lost()
-> anyhow::Result<()> {
    run(async |servers| {
        let http = servers.plain.http;
        let table = "failover";
        let columns = "n long";
        create(http, table, columns)?;
        let dedup = format!("alter table {table} dedup enable upsert keys(timestamp)");
        assert_eq!(exec(http, &dedup)?.status, 200);
        let first = Proxy::to(http).plain().start().await?;
        let second = Proxy::to(http).plain().start().await?;
        let mut sender = SenderBuilder::new(Protocol::Http, "127.0.0.1", first.address().port())
            .address("127.0.0.1", second.address().port())
            .build_async()
            .await?;
        let mut buffer = sender.new_buffer();
        let mut first = Some(first);
        for n in 0..40 {
            row(&mut buffer, table, n)?;
            if n == 20 {
                let first = first.take();
                assert!(first.is_some_and(|first| first.connections() > 0));
                assert_eq!(second.connections(), 0, "not needed so far");
            }
            sender.flush(&mut buffer).await?;
        }
        assert!(second.connections() > 0);
        let sql = format!("select count(), sum(n) from {table}");
        settles(http, &sql, &json!([[40, 780]]))
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn lines_that_are_cut_at_random_lose_no_row_and_with_dedup_store_none_twice() -> anyhow::Result<()>
{
    run(async |servers| {
        const FLUSHES: i64 = 150;
        const ROWS: i64 = 10;
        let http = servers.plain.http;
        let table = "cut_lines";
        create(http, table, "n long")?;
        let dedup = format!("alter table {table} dedup enable upsert keys(timestamp)");
        assert_eq!(exec(http, &dedup)?.status, 200);
        let seed = Random::seed();
        eprintln!("TAOS_TEST_SEED={seed}");
        let mut random = Random::new(seed);
        let proxy = Proxy::to(http).plain().start().await?;
        let conf = format!("http::addr={};retry_timeout=20000;", proxy.address());
        let mut sender = AsyncSender::from_conf(conf).await?;
        let mut buffer = sender.new_buffer();
        let mut cut = 0_u32;
        for flush in 0..FLUSHES {
            for n in 0..ROWS {
                row(&mut buffer, table, flush * ROWS + n)?;
            }
            let pause = Duration::from_micros(random.below(3_000));
            let flushed = sender.flush(&mut buffer);
            if random.below(3) > 0 {
                flushed.await?;
                continue;
            }
            // Somewhere in the middle of the request or of its answer.
            cut += 1;
            let cutting = async {
                tokio::time::sleep(pause).await;
                proxy.cut();
            };
            let (flushed, ()) = futures::future::join(flushed, cutting).await;
            flushed?;
        }
        assert!(cut > 0);
        let total = FLUSHES * ROWS;
        let sql = format!("select count(), count_distinct(n), sum(n) from {table}");
        settles(
            http,
            &sql,
            &json!([[total, total, total * (total - 1) / 2]]),
        )
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn an_answer_that_is_lost_is_asked_for_again_and_the_rows_may_come_twice() -> anyhow::Result<()> {
    run(async |servers| {
        let http = servers.plain.http;
        create(http, "lost_answer", "n long")?;
        let proxy = Proxy::to(http)
            .plain()
            .on_answer_to("POST /write", Fault::Cut)
            .start()
            .await?;
        let conf = format!("http::addr={};", proxy.address());
        let mut sender = AsyncSender::from_conf(conf).await?;
        let mut buffer = sender.new_buffer();
        row(&mut buffer, "lost_answer", 1)?;
        sender.flush(&mut buffer).await?;
        assert_eq!(proxy.struck(), 1);
        assert_eq!(proxy.passed(Direction::ToServer, "POST /write"), 2);
        settles(http, "select n from lost_answer", &json!([[1], [1]]))?;

        // One attempt is at most once: an error that says it may have been.
        let proxy = Proxy::to(http)
            .plain()
            .on_answer_to("POST /write", Fault::Cut)
            .start()
            .await?;
        let conf = format!("http::addr={};retry_timeout=0;", proxy.address());
        let mut sender = AsyncSender::from_conf(conf).await?;
        row(&mut buffer, "lost_answer", 2)?;
        let error = sender.flush(&mut buffer).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::SocketError, "{error}");
        assert_eq!(proxy.passed(Direction::ToServer, "POST /write"), 1);
        assert_eq!(buffer.row_count(), 1);
        let sql = "select n from lost_answer where n = 2";
        settles(http, sql, &json!([[2]]))
    })
}
