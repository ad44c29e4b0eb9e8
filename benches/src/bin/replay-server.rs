//! `replay-server [ROWS]`: the server of the read bench; ends when its standard input does.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};

use taos_benches::replay::{Shelf, start};

const SEED: u64 = 20_240_131;

fn main() -> io::Result<()> {
    let rows = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let address = start(Shelf::new(rows.unwrap_or(1_000_000), SEED))?;
    let mut out = io::stdout();
    writeln!(out, "listening on {address}")?;
    out.flush()?;
    // Whoever started this process holds the other end; without it there is nobody to serve.
    io::copy(&mut io::stdin().take(u64::MAX), &mut io::sink()).map(drop)
}
