//! Queries over HTTP by the common traits.

use taos::*;
use taos_tests::proxy::Proxy;
use taos_tests::questdb::Servers;

use crate::run;

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn one_query_after_another_goes_over_one_line() -> anyhow::Result<()> {
    run(async |servers: Servers| {
        let proxy = Proxy::to(servers.plain.http).plain().start().await?;
        let dsn = format!("questdb://{}", proxy.address());
        let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
        for n in 0..10_i64 {
            let rows: Vec<i64> = taos
                .query(format!("select x from long_sequence({})", n + 1))
                .await?
                .deserialize::<i64>()
                .try_collect()
                .await?;
            assert_eq!(rows.len(), usize::try_from(n + 1)?);
        }
        assert_eq!(proxy.connections(), 1, "results that are read to their end");
        for n in 0..10_i64 {
            let one: Option<i64> = taos.query_one(format!("select {n}")).await?;
            assert_eq!(one, Some(n));
        }
        assert_eq!(proxy.connections(), 1, "results of one row");
        Ok(())
    })
}
