//! What it costs to write the data of one bind, beside copying the same bytes.
//!
//! `cargo run --release -p taos-ws --example stmt2_encode_speed`
#![allow(clippy::print_stdout, reason = "it is a program that prints numbers")]

use bytes::BytesMut;
use std::hint::black_box;
use std::time::{Duration, Instant};
use taos_query::block::ColumnView;
use taos_ws::protocol::{BindTable, encode_stmt2_bind};

const ROWS: i32 = 10_000;
const ROUNDS: u32 = 2_000;

fn best(mut work: impl FnMut()) -> Duration {
    (0..5)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..ROUNDS {
                work();
            }
            started.elapsed() / ROUNDS
        })
        .min()
        .unwrap_or_default()
}

fn measure(name: &str, columns: &[ColumnView]) {
    let table = BindTable {
        name: Some("d1"),
        tags: &[],
        columns,
    };
    let mut out = BytesMut::new();
    let encoded = best(|| {
        out.clear();
        let written = encode_stmt2_bind(&mut out, 1, 2, black_box(&[table]), &[], &[]);
        assert!(written.is_ok());
        black_box(&out);
    });
    let source = out.to_vec();
    let mut copy = BytesMut::new();
    let copied = best(|| {
        copy.clear();
        copy.extend_from_slice(black_box(&source));
        black_box(&copy);
    });
    let rate = |took: Duration| {
        let bytes = u32::try_from(source.len()).unwrap_or(u32::MAX);
        f64::from(bytes) / took.as_secs_f64() / 1e9
    };
    println!(
        "{name:24} {:8} bytes  encode {:6.2} GB/s  copy {:6.2} GB/s",
        source.len(),
        rate(encoded),
        rate(copied)
    );
}

fn main() {
    let times = ColumnView::from_millis_timestamp((0..ROWS).map(i64::from).collect::<Vec<_>>());
    let wide = ColumnView::from_doubles((0..ROWS).map(f64::from).collect::<Vec<_>>());
    let ints = ColumnView::from_ints((0..ROWS).collect::<Vec<_>>());
    let sparse = ColumnView::from_ints(
        (0..ROWS)
            .map(|n| (n % 10 != 0).then_some(n))
            .collect::<Vec<_>>(),
    );
    let flags = ColumnView::from_bools((0..ROWS).map(|n| n % 2 == 0).collect::<Vec<_>>());
    let texts = || (0..ROWS).map(|n| format!("text {n}")).collect::<Vec<_>>();
    let varchar = ColumnView::from_varchar::<String, _, _, _>(texts());
    let nchar = ColumnView::from_nchar::<String, _, _, _>(texts());
    measure(
        "fixed",
        &[times.clone(), wide.clone(), ints.clone(), flags.clone()],
    );
    measure("fixed, a tenth NULL", &[times.clone(), sparse]);
    measure("varchar", &[times.clone(), varchar]);
    measure("nchar", &[times, nchar]);
    measure("bool", &[flags]);
    measure("double", &[wide, ints]);
}
