//! A server that dies and comes back.

use std::time::Duration;

use serde_json::json;
use taos::questdb::ingress::{AsyncSender, TimestampMicros};
use taos_tests::questdb::exec;

use crate::{create, run, settles};

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn what_was_acknowledged_before_the_server_was_killed_is_there_when_it_is_back()
-> anyhow::Result<()> {
    run(async |servers| {
        let (_root, mut server) = servers.another()?;
        let http = server.endpoints().http;
        create(http, "killed", "n long")?;
        let dedup = "alter table killed dedup enable upsert keys(timestamp)";
        assert_eq!(exec(http, dedup)?.status, 200);
        let conf = format!("http::addr={http};retry_timeout=120000;request_timeout=5000;");
        let mut sender = AsyncSender::from_conf(conf).await?;
        let mut buffer = sender.new_buffer();
        let mut next = 0_i64;
        let mut flush = async || {
            for _ in 0..5 {
                buffer
                    .table("killed")?
                    .column_i64("n", next)?
                    .at(TimestampMicros::new(1_700_000_000_000_000 + next))?;
                next += 1;
            }
            sender.flush(&mut buffer).await?;
            Ok::<_, taos::questdb::Error>(next)
        };
        let mut acknowledged = 0;
        for kill in 0..2 {
            for _ in 0..40 {
                acknowledged = flush().await?;
            }
            let restarted = tokio::task::spawn_blocking(move || {
                // By now the loop below is in the middle of its flushes.
                std::thread::sleep(Duration::from_millis(20));
                server.kill()?;
                server.restart()?;
                anyhow::Ok(server)
            });
            while !restarted.is_finished() {
                acknowledged = flush().await?;
            }
            server = restarted.await??;
            assert!(acknowledged >= 200 * (kill + 1));
        }
        acknowledged = flush().await?.max(acknowledged);
        let sum = acknowledged * (acknowledged - 1) / 2;
        settles(
            http,
            "select count(), sum(n) from killed",
            &json!([[acknowledged, sum]]),
        )
    })
}
