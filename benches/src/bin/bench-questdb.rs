//! `bench-questdb ADDRESS CASE`: one case of the QuestDB bench on this repository's client.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the report goes to standard output")]

#[path = "../../shared/questdb/mod.rs"]
mod cases;
#[allow(dead_code, reason = "other programs use the rest")]
#[path = "../../shared/measure.rs"]
mod measure;

mod client {
    pub(crate) use taos_questdb::Result;
    pub(crate) mod ingress {
        pub(crate) use taos_questdb::ingress::*;
        #[derive(Clone, Copy)]
        pub(crate) enum AckLevel {
            Ok,
        }
        pub(crate) struct Sender;
        impl Sender {
            pub(crate) fn from_conf(_: &str) -> super::Result<Self> {
                Ok(Self)
            }
            pub(crate) fn new_buffer(&self) -> Buffer {
                Buffer::default()
            }
            pub(crate) fn flush(&mut self, _: &mut Buffer) -> super::Result<()> {
                Ok(())
            }
            pub(crate) fn wait(
                &mut self,
                _: AckLevel,
                _: std::time::Duration,
            ) -> super::Result<()> {
                Ok(())
            }
        }
    }
}

use cases::{Failure, Seen};

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(case)) = (args.next(), args.next()) else {
        return Err("usage: bench-questdb ADDRESS CASE".into());
    };
    println!("{}", cases::run("ours", &address, &case, read)?);
    Ok(())
}

fn read(_: &str, _: &str, _: &mut Seen) -> Result<(), Failure> {
    Err("not yet".into())
}
