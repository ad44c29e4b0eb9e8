//! What a program sees of its connection: the state now, and each change.

use std::pin::pin;
use std::time::Duration;

use taos::*;
use taos_tests::proxy::Proxy;
use taos_tests::{for_targets, needs};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_cut_line_is_seen_as_broken_and_the_next_call_as_ready() {
    for_targets(
        &[needs::LASTING_CONNECTIONS, needs::KNOWN_FRAMES],
        |target| async move {
            let proxy = Proxy::to(target.address().await?).start().await?;
            let dsn = target.dsn_through([&proxy], "");
            let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
            let mut states = pin!(taos.connection_events());
            let mut next = async || tokio::time::timeout(LIMIT, states.next()).await;
            assert!(next().await?.is_some_and(|state| state.is_ready()));
            proxy.cut();
            let broken = next().await?;
            assert!(
                matches!(broken, Some(ConnectionState::Broken { .. })),
                "{broken:?}"
            );
            assert!(!taos.connection_state().is_ready());
            let one: Option<i64> = taos.query_one("select 1").await?;
            assert_eq!(one, Some(1));
            let address = proxy.address().port().to_string();
            loop {
                match next().await? {
                    Some(ConnectionState::Connecting) => {}
                    Some(ConnectionState::Ready { address: found, .. }) => {
                        assert!(found.ends_with(&address), "{found}");
                        break;
                    }
                    other => panic!("{other:?} after a call that was answered"),
                }
            }
            assert!(taos.connection_state().is_ready());
            Ok(())
        },
    );
}

#[test]
fn the_second_address_is_named_when_it_takes_over() {
    for_targets(&[needs::LASTING_CONNECTIONS], |target| async move {
        let server = target.address().await?;
        let mut proxies = [
            Proxy::to(server).start().await?,
            Proxy::to(server).start().await?,
        ];
        let (_direct, database) = target.fresh("takes_over", "").await;
        let dsn = target.dsn_through(&proxies, &database);
        let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
        let mut states = pin!(taos.connection_events());
        let Some(ConnectionState::Ready { address, .. }) = states.next().await else {
            panic!("connected, and not ready");
        };
        let used = |proxy: &Proxy| address.ends_with(&proxy.address().port().to_string());
        let first = proxies.iter().position(used);
        let first = first.ok_or_else(|| anyhow::anyhow!("{address} is neither proxy"))?;
        proxies[first].shut().await;
        let broken = tokio::time::timeout(LIMIT, states.next()).await?;
        assert!(broken.is_some_and(|state| !state.is_ready()));
        // Nothing of this write has left before: it goes to the other address by itself.
        taos.exec("create table t (ts timestamp, v int)").await?;
        let now = taos.connection_state();
        let other = proxies[1 - first].address().port().to_string();
        assert!(
            matches!(&now, ConnectionState::Ready { address, .. } if address.ends_with(&other)),
            "{now}"
        );
        let current: Option<String> = taos.query_one("select database()").await?;
        assert_eq!(current, Some(database), "the session is as it was");
        Ok(())
    });
}
