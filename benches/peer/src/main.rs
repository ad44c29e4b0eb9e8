//! `bench-peer DSN CASE`: one case of the read bench on the published `taos` crate.
#![forbid(unsafe_code)]

#[path = "../../shared/cases.rs"]
mod cases;
#[path = "../../shared/measure.rs"]
mod measure;

#[tokio::main]
async fn main() -> Result<(), cases::Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(dsn), Some(case)) = (args.next(), args.next()) else {
        return Err("usage: bench-peer DSN CASE".into());
    };
    println!("{}", cases::run(&dsn, &case).await?);
    Ok(())
}
