//! Pools: what they hand out works, also after the line of every pooled connection was cut.

use futures::future::try_join_all;
use taos::taos_query::pool::sync::{Pool as BlockingPool, PoolBuilder};
use taos::*;
use taos_tests::proxy::{Direction, Fault, Proxy};
use taos_tests::{Target, for_targets, needs, targets_with};
use tokio::runtime::Runtime;

/// The target's DSN by way of these proxies.
fn through(target: &Target, proxies: &[&Proxy]) -> Dsn {
    let dsn = target.dsn_through(proxies.iter().copied(), "");
    target.impatient(dsn, 5)
}

/// Two lines to one server: the one that a pool uses, and the one that is left when that is cut.
async fn two_lines(target: &Target) -> anyhow::Result<(Proxy, Proxy)> {
    let (a, b) = (target.proxy().await?, target.proxy().await?);
    Ok((a.start().await?, b.start().await?))
}

/// Puts the line that is in use first.
fn used_first(a: Proxy, b: Proxy) -> (Proxy, Proxy) {
    if a.connections() > 0 { (a, b) } else { (b, a) }
}

#[test]
fn connections_cut_while_idle_are_not_handed_out() {
    for_targets(
        &[needs::KNOWN_FRAMES, needs::FAILOVER],
        |target| async move {
            let (a, b) = two_lines(&target).await?;
            let pool = TaosBuilder::from_dsn(through(&target, &[&a, &b]))?.pool()?;
            let three = try_join_all((0..3).map(|_| pool.get()))
                .await
                .map_err(Error::from)?;
            drop(three);
            let (used, spare) = used_first(a, b);
            assert_eq!((used.connections(), spare.connections()), (3, 0));
            drop(used);
            let three = try_join_all((0..3).map(|_| pool.get()))
                .await
                .map_err(Error::from)?;
            for taos in &three {
                assert_eq!(taos.query_one::<_, i32>("select 7").await?, Some(7));
            }
            assert_eq!((spare.connections(), pool.status().size), (3, 3));
            Ok(())
        },
    );
}

#[test]
fn a_connection_that_no_longer_answers_is_replaced() {
    for_targets(
        &[needs::NUMBERED_ANSWERS, needs::KNOWN_FRAMES],
        |target| async move {
            // Frames to the client: the answers to version and conn, then that to the ping.
            let proxy = Proxy::to(target.address().await?)
                .on(Direction::ToClient, 3, Fault::Stall)
                .start()
                .await?;
            let pool = TaosBuilder::from_dsn(through(&target, &[&proxy]))?.pool()?;
            drop(pool.get().await?);
            let taos = pool.get().await?;
            assert_eq!(taos.query_one::<_, i32>("select 7").await?, Some(7));
            assert_eq!((proxy.struck(), proxy.connections()), (1, 2));
            assert_eq!(pool.status().size, 1);
            Ok(())
        },
    );
}

#[test]
fn many_tasks_share_the_few_connections_of_a_pool() {
    for_targets(&[needs::KNOWN_FRAMES], |target| async move {
        let proxy = target.proxy().await?.start().await?;
        let pool = TaosBuilder::from_dsn(through(&target, &[&proxy]))?
            .pool_builder()
            .max_size(4)
            .build()?;
        let tasks = (0..64_i64).map(|n| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let taos = pool.get().await?;
                let got: Option<i64> = taos.query_one(format!("select {n}")).await?;
                anyhow::ensure!(got == Some(n), "{n} became {got:?}");
                Ok(())
            })
        });
        for outcome in try_join_all(tasks).await? {
            outcome?;
        }
        assert!(proxy.connections() <= 4, "{}", proxy.connections());
        Ok(())
    });
}

#[test]
fn a_refused_connection_is_an_error_with_its_cause() {
    for_targets(
        &[needs::KNOWN_FRAMES, needs::SHORT_LIMITS],
        |target| async move {
            let proxy = target.proxy().await?.start().await?;
            let dsn = through(&target, &[&proxy]);
            drop(proxy);
            let pool = TaosBuilder::from_dsn(&dsn)?.pool()?;
            let error = Error::from(pool.get().await.map(drop).unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
            Ok(())
        },
    );
}

/// A blocking program over a pool whose connections are cut half-way.
fn blocking_program(target: &Target, lines: &Runtime) -> anyhow::Result<()> {
    use taos::sync::{Queryable, TBuilder};
    let (a, b) = std::thread::scope(|scope| {
        // The lines must not depend on the thread that blocks.
        scope
            .spawn(|| lines.block_on(two_lines(target)))
            .join()
            .map_err(|_| anyhow::anyhow!("no lines"))?
    })?;
    let builder = <TaosBuilder as TBuilder>::from_dsn(through(target, &[&a, &b]))?;
    let pool: BlockingPool<TaosBuilder> =
        builder.with_pool_builder(PoolBuilder::new().max_size(2).min_idle(Some(0)))?;
    let one = |taos: &Taos| Queryable::query_one::<_, i32>(taos, "select 7");
    {
        let held = (pool.get()?, pool.get()?);
        assert_eq!((one(&held.0)?, one(&held.1)?), (Some(7), Some(7)));
    }
    let (used, spare) = used_first(a, b);
    assert_eq!((used.connections(), spare.connections()), (2, 0));
    drop(used);
    let held = (pool.get()?, pool.get()?);
    assert_eq!((one(&held.0)?, one(&held.1)?), (Some(7), Some(7)));
    assert_eq!((spare.connections(), pool.state().connections), (2, 2));
    Ok(())
}

#[test]
fn a_blocking_pool_works_on_threads_and_inside_both_kinds_of_runtime() -> anyhow::Result<()> {
    let lines = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    for target in targets_with(&[needs::KNOWN_FRAMES, needs::FAILOVER]) {
        blocking_program(&target, &lines)?;
        let single = tokio::runtime::Builder::new_current_thread().build()?;
        single.block_on(async { blocking_program(&target, &lines) })?;
        let multi = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()?;
        multi.block_on(async { blocking_program(&target, &lines) })?;
    }
    Ok(())
}
