//! `questdb-server`: takes what QuestDB clients send and forgets it; ends when its standard input does.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};

use taos_benches::questdb::start;

fn main() -> io::Result<()> {
    let address = start()?;
    let mut out = io::stdout();
    writeln!(out, "listening on {address}")?;
    out.flush()?;
    // Whoever started this process holds the other end; without it there is nobody to serve.
    io::copy(&mut io::stdin().take(u64::MAX), &mut io::sink()).map(drop)
}
