use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::AsyncTBuilder;
use crate::dsn::Dsn;
use crate::error::{ErrorKind, RawError};

/// How the connections of a [`Fake`] behave from now on.
#[derive(Debug, Clone, Copy)]
enum Health {
    Good = 0,
    KnownBroken = 1,
    Refuses = 2,
    Mute = 3,
}

/// Counts what a pool does.
#[derive(Debug, Clone, Default)]
struct Fake {
    health: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
    pings: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Connection {
    number: usize,
    health: Arc<AtomicUsize>,
    /// What the builder says holds for connections made before it was said.
    well: bool,
}

impl Fake {
    fn set(&self, health: Health) {
        self.health.store(health as usize, Ordering::SeqCst);
    }

    fn counts(&self) -> (usize, usize) {
        let of = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (of(&self.made), of(&self.pings))
    }
}

impl Connection {
    fn is(&self, health: Health) -> bool {
        !self.well && self.health.load(Ordering::SeqCst) == health as usize
    }
}

impl AsyncTBuilder for Fake {
    type Target = Connection;

    fn available_params() -> &'static [&'static str] {
        &["known"]
    }

    fn from_dsn<D: IntoDsn>(dsn: D) -> RawResult<Self> {
        let dsn: Dsn = dsn.into_dsn()?;
        assert!(dsn.params.keys().all(|key| key == "known"));
        Ok(Self::default())
    }

    fn client_version() -> &'static str {
        "0"
    }

    async fn server_version(&self) -> RawResult<&str> {
        Ok("0")
    }

    async fn ping(&self, target: &mut Connection) -> RawResult<()> {
        self.pings.fetch_add(1, Ordering::SeqCst);
        if target.is(Health::Mute) {
            std::future::pending::<()>().await;
        }
        if target.is(Health::Refuses) {
            return Err(RawError::from_code(0x0018));
        }
        Ok(())
    }

    fn is_broken(target: &Connection) -> bool {
        target.is(Health::KnownBroken)
    }

    async fn build(&self) -> RawResult<Connection> {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let health = self.health.load(Ordering::SeqCst);
        Ok(Connection {
            number,
            health: self.health.clone(),
            well: health != Health::Good as usize,
        })
    }
}

#[test]
fn a_manager_returns_the_parameters_that_its_builder_does_not_know() {
    let (_, unused) = Manager::<Fake>::from_dsn("ws://h?known=1&other=2").unwrap();
    assert_eq!(unused, BTreeMap::from([("other".into(), "2".into())]));
}

#[cfg(feature = "deadpool")]
mod managed {
    use super::*;

    #[tokio::test]
    async fn a_good_connection_is_pinged_and_used_again() {
        let fake = Fake::default();
        let pool = AsyncTBuilder::pool(fake.clone()).unwrap();
        for _ in 0..3 {
            assert_eq!(pool.get().await.unwrap().number, 0);
        }
        assert_eq!(fake.counts(), (1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn broken_connections_are_replaced_before_they_are_handed_out() {
        for health in [Health::KnownBroken, Health::Refuses, Health::Mute] {
            let fake = Fake::default();
            let pool = AsyncTBuilder::pool(fake.clone()).unwrap();
            let both = (pool.get().await.unwrap(), pool.get().await.unwrap());
            drop(both);
            fake.set(health);
            assert_eq!(pool.get().await.unwrap().number, 2, "{health:?}");
            assert_eq!(pool.status().size, 1, "{health:?}: both are gone");
            let pinged = if matches!(health, Health::KnownBroken) {
                0
            } else {
                2
            };
            assert_eq!(fake.counts(), (3, pinged), "{health:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn errors_of_the_pool_have_a_kind_and_say_what_to_do() {
        let fake = Fake::default();
        let mut config = AsyncTBuilder::default_pool_config(&fake);
        assert_eq!((config.max_size, config.timeouts.wait), (5000, None));
        assert_eq!(config.timeouts.create, Some(Duration::from_secs(30)));
        config.max_size = 1;
        config.timeouts.wait = Some(Duration::from_secs(1));
        let pool = fake.with_pool_config(config).unwrap();
        let held = pool.get().await.unwrap();
        let error = RawError::from(pool.get().await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains("max_size"), "{error}");
        pool.close();
        let error = RawError::from(pool.get().await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Closed);
        drop(held);
    }

    #[test]
    fn a_pool_without_a_runtime_is_a_mistake_in_the_settings() {
        let manager = Manager::new(Fake::default());
        let timeout = Some(Duration::from_secs(1));
        let error = Pool::builder(manager).wait_timeout(timeout).build();
        let error = RawError::from(error.map(drop).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}

#[cfg(feature = "r2d2")]
mod blocking {
    use super::*;
    use crate::TBuilder;

    #[test]
    fn a_good_connection_is_pinged_and_used_again() {
        let fake = Fake::default();
        let pool = TBuilder::pool(fake.clone()).unwrap();
        assert_eq!((pool.max_size(), pool.min_idle()), (200, Some(0)));
        assert_eq!(pool.max_lifetime(), Some(Duration::from_secs(43_200)));
        assert_eq!(pool.connection_timeout(), Duration::from_secs(60));
        let first = pool.get().unwrap().number;
        for _ in 0..3 {
            assert_eq!(pool.get().unwrap().number, first);
        }
        // Every use begins with a ping, also that of a connection just made.
        assert!(fake.counts().1 >= 4);
    }

    #[test]
    fn broken_connections_are_replaced_before_they_are_handed_out() {
        for health in [Health::KnownBroken, Health::Refuses] {
            let fake = Fake::default();
            let pool = TBuilder::pool(fake.clone()).unwrap();
            let first = pool.get().unwrap().number;
            fake.set(health);
            assert_ne!(pool.get().unwrap().number, first, "{health:?}");
        }
    }

    #[test]
    fn a_connection_known_to_be_broken_does_not_come_back() {
        let fake = Fake::default();
        let one = sync::PoolBuilder::new().max_size(1).min_idle(Some(0));
        let pool = fake.clone().with_pool_builder(one).unwrap();
        let held = pool.get().unwrap();
        fake.set(Health::KnownBroken);
        drop(held);
        assert_eq!(pool.state().connections, 0);
    }

    #[test]
    fn a_wait_that_is_too_long_is_a_timeout() {
        let short = sync::PoolBuilder::new()
            .max_size(1)
            .connection_timeout(Duration::from_millis(20));
        let pool = Manager::new(Fake::default())
            .into_pool_with_builder(short)
            .unwrap();
        let _held = pool.get().unwrap();
        let error = RawError::from(pool.get().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains("pool"), "{error}");
    }
}
