//! `bench-ours DSN CASE`: one case of the read or write bench on this repository's client. Beside
//! those that the peer has: `echo`, a bare WebSocket round trip, `load:ROWS`, which fills a server,
//! and ways of writing that the peer lacks.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the report goes to standard output")]

#[path = "../../shared/cases.rs"]
mod cases;
#[path = "../echo.rs"]
mod echo;
#[path = "../load.rs"]
mod load;
#[allow(dead_code, reason = "other programs use the rest")]
#[path = "../../shared/measure.rs"]
mod measure;
#[path = "../own_topics.rs"]
mod own_topics;
#[path = "../own_writes.rs"]
mod own_writes;
#[path = "../../shared/readings.rs"]
mod readings;
#[path = "../../shared/topics.rs"]
mod topics;
#[path = "../../shared/writes.rs"]
mod writes;

mod sml {
    pub(crate) use taos::{SchemalessPrecision, SchemalessProtocol, SmlDataBuilder};
}

#[tokio::main]
async fn main() -> Result<(), cases::Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(dsn), Some(case)) = (args.next(), args.next()) else {
        return Err("usage: bench-ours DSN CASE".into());
    };
    let report = match case.split_once(':') {
        None if case == "echo" => echo::run(&dsn).await?,
        Some(("load", rows)) => load::run(&dsn, rows.parse()?).await?,
        _ if case.starts_with("tmq-") => own_topics::run(&dsn, &case)
            .await?
            .ok_or_else(|| format!("no case is called {case}"))?,
        _ => match own_writes::run(&dsn, &case).await? {
            Some(report) => report,
            None => cases::run(&dsn, &case).await?,
        },
    };
    println!("{report}");
    Ok(())
}
