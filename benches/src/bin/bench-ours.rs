//! `bench-ours DSN CASE`: one case of the read bench on this repository's client. Two cases more
//! than the peer has: `echo`, a bare WebSocket round trip, and `load:ROWS`, which fills a server.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the report goes to standard output")]

#[path = "../../shared/cases.rs"]
mod cases;
#[path = "../echo.rs"]
mod echo;
#[path = "../load.rs"]
mod load;
#[path = "../../shared/measure.rs"]
mod measure;

#[tokio::main]
async fn main() -> Result<(), cases::Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(dsn), Some(case)) = (args.next(), args.next()) else {
        return Err("usage: bench-ours DSN CASE".into());
    };
    let report = match case.split_once(':') {
        None if case == "echo" => echo::run(&dsn).await?,
        Some(("load", rows)) => load::run(&dsn, rows.parse()?).await?,
        _ => cases::run(&dsn, &case).await?,
    };
    println!("{report}");
    Ok(())
}
