//! `bench-peer DSN CASE`: one case of the read or write bench on the published `taos` crate.
#![forbid(unsafe_code)]

#[path = "../../shared/cases.rs"]
mod cases;
#[allow(dead_code, reason = "other programs use the rest")]
#[path = "../../shared/measure.rs"]
mod measure;
#[path = "../../shared/readings.rs"]
mod readings;
#[path = "../../shared/topics.rs"]
mod topics;
#[path = "../../shared/writes.rs"]
mod writes;

mod sml {
    pub(crate) use taos::taos_query::common::{
        SchemalessPrecision, SchemalessProtocol, SmlDataBuilder,
    };
}

use taos::{AsyncTBuilder, TaosBuilder};

#[tokio::main]
async fn main() -> Result<(), cases::Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(dsn), Some(case)) = (args.next(), args.next()) else {
        return Err("usage: bench-peer DSN CASE".into());
    };
    let report = match writes::Job::read(&case) {
        Some(job) => {
            let taos = TaosBuilder::from_dsn(&dsn)?.build().await?;
            writes::run(&taos, &job).await?
        }
        None => None,
    };
    let report = match report {
        Some(report) => Some(report),
        None => topics::run(&dsn, &case).await?,
    };
    let report = match report {
        Some(report) => report,
        None => cases::run(&dsn, &case).await?,
    };
    println!("{report}");
    Ok(())
}
