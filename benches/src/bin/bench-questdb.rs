//! `bench-questdb ADDRESS CASE`: one case of the QuestDB bench on this repository's client.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the report goes to standard output")]

#[path = "../../shared/questdb/mod.rs"]
mod cases;
#[allow(dead_code, reason = "other programs use the rest")]
#[path = "../../shared/measure.rs"]
mod measure;

/// The client that the cases are compiled against.
use taos_questdb as client;

use taos_questdb::ingress::Sender;

use cases::{Failure, Seen, Ways};

const WAYS: Ways = Ways { read, acknowledged };

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(case)) = (args.next(), args.next()) else {
        return Err("usage: bench-questdb ADDRESS CASE".into());
    };
    println!("{}", cases::run("ours", &address, &case, &WAYS)?);
    Ok(())
}

fn read(_: &str, _: &str, _: &mut Seen) -> Result<(), Failure> {
    Err("not yet".into())
}

fn acknowledged(_: &mut Sender) -> taos_questdb::Result<()> {
    Ok(())
}
