//! A test suite that brings its own server: nothing to install, and no two tests in each other's way.
//!
//! `cargo test --example embedded-in-tests` runs the tests below; run as a program it does the same once.

use taos::*;
use taos_embedded::Embedded;

/// The code under test: keeps readings and knows the highest.
struct Readings(Taos);

impl Readings {
    async fn open(dsn: &str) -> RawResult<Self> {
        let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
        taos.exec_many([
            "create database if not exists readings",
            "use readings",
            "create table if not exists readings (ts timestamp, value double)",
        ])
        .await?;
        Ok(Self(taos))
    }

    async fn add(&self, ms: i64, value: f64) -> RawResult<()> {
        self.0
            .exec(format!("insert into readings values ({ms}, {value})"))
            .await?;
        Ok(())
    }

    async fn highest(&self) -> RawResult<Option<f64>> {
        let highest = self
            .0
            .query_one::<_, Option<f64>>("select max(value) from readings")
            .await?;
        Ok(highest.flatten())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let server = Embedded::builder().memory().start().await?;
    let readings = Readings::open(server.dsn()).await?;
    readings.add(1_700_000_000_000, 20.5).await?;
    readings.add(1_700_000_001_000, 21.5).await?;
    println!("highest: {:?}", readings.highest().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each test starts a server of its own on a free port; it stops when `server` is dropped.
    #[tokio::test]
    async fn the_highest_reading_is_found() -> anyhow::Result<()> {
        let server = Embedded::builder().memory().start().await?;
        let readings = Readings::open(server.dsn()).await?;
        readings.add(1_700_000_000_000, 20.5).await?;
        readings.add(1_700_000_001_000, 23.25).await?;
        readings.add(1_700_000_002_000, 19.0).await?;
        assert_eq!(readings.highest().await?, Some(23.25));
        Ok(())
    }

    #[tokio::test]
    async fn without_readings_there_is_no_highest() -> anyhow::Result<()> {
        let server = Embedded::builder().memory().start().await?;
        let readings = Readings::open(server.dsn()).await?;
        assert_eq!(readings.highest().await?, None);
        Ok(())
    }
}
