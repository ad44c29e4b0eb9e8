//! The server of the tests as a program, so that other clients can judge it: `qwp-mock [--port N]
//! [--bitmaps] [--gorilla] [--zstd]` prints `listening on IP:PORT` and serves until it is killed.
//!
//! It keeps what is sent to it and knows these statements:
//!
//! - `select count() from T`: rows that were sent for table T;
//! - `select * from types`: two rows of a column of every type, the second NULL where the type has one;
//! - `select * from bench(ROWS, BATCH)`: ROWS rows in batches of BATCH, of 2 symbols, 3 doubles, a long
//!   and a timestamp;
//! - `select $1, $2 ...`: what was bound, for LONG, DOUBLE, BOOLEAN and VARCHAR;
//! - `show complaints`: what clients did that the protocol does not allow, one a row;
//! - `fail STATUS`, `cut`, `close CODE`: a failure;
//! - anything else is a statement that changed one row.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};

use taos_tests::qwp_mock::egress::{Cells, Form, Queries, Request, Step, Table};
use taos_tests::qwp_mock::ingest::Ingest;
use taos_tests::qwp_mock::{Halves, QwpMock};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut form = Form::default();
    let mut port = 0;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bitmaps" => form.bitmaps = true,
            "--gorilla" => form.gorilla = true,
            "--zstd" => form.zstd = true,
            "--port" => port = arguments.next().unwrap_or_default().parse()?,
            other => anyhow::bail!("unknown argument `{other}`"),
        }
    }
    let ingest = Arc::new(Ingest::default());
    let server: Arc<OnceLock<QwpMock>> = Arc::default();
    let (rows, own) = (Arc::clone(&ingest), Arc::clone(&server));
    let queries = Queries::new(move |request| {
        let complaints = own.get().map(QwpMock::complaints).unwrap_or_default();
        answer(request, &rows, complaints)
    });
    let halves = Halves {
        ingest: Some(ingest),
        queries: Some(Arc::new(queries.with_form(form))),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let addr = listener.local_addr()?;
    let _ = server.set(QwpMock::on(listener, halves)?);
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {addr}")?;
    out.flush()?;
    drop(out);
    std::future::pending().await
}

fn answer(request: &Request, ingest: &Ingest, complaints: Vec<String>) -> Vec<Step> {
    let words: Vec<&str> = request
        .sql
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';' | '"'))
        .filter(|word| !word.is_empty())
        .collect();
    match words.as_slice() {
        ["select", "count", "from", table] => {
            let count = i64::try_from(ingest.count(table)).ok();
            rows(vec![("count".to_owned(), Cells::Long(vec![count]))])
        }
        ["select", "*", "from", "types"] => rows(types()),
        ["select", "*", "from", "bench", rows, batch] => match (rows.parse(), batch.parse()) {
            (Ok(rows), Ok(batch)) if batch > 0 => bench(rows, batch),
            _ => fail(5, "bench(ROWS, BATCH)"),
        },
        ["select", first, ..] if first.starts_with('$') => match echo(request) {
            Some(table) => rows(table),
            None => fail(3, "only LONG, DOUBLE, BOOLEAN and VARCHAR come back"),
        },
        ["show", "complaints"] => {
            let texts = complaints.into_iter().map(Some).collect();
            rows(vec![("complaint".to_owned(), Cells::Varchar(texts))])
        }
        ["fail", status] => fail(status.parse().unwrap_or(6), "as asked"),
        ["cut"] => vec![Step::Cut],
        ["close", code] => vec![Step::Close(code.parse().unwrap_or(1011))],
        _ => vec![Step::Done(1)],
    }
}

fn rows(table: Table) -> Vec<Step> {
    vec![Step::Rows(table), Step::End]
}

fn fail(status: u8, words: &str) -> Vec<Step> {
    vec![Step::Fail(status, words.to_owned())]
}

fn echo(request: &Request) -> Option<Table> {
    let columns = request.binds.iter().enumerate().map(|(at, (code, bytes))| {
        let bytes = bytes.as_deref();
        let long = || Some(i64::from_le_bytes(bytes?.try_into().ok()?));
        let cells = match code {
            0x01 => Cells::Boolean(vec![bytes == Some(&[1])]),
            0x05 => Cells::Long(vec![long()]),
            0x07 => Cells::Double(vec![long().map(|v| f64::from_bits(v.cast_unsigned()))]),
            0x0F => {
                let text = bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                Cells::Varchar(vec![text])
            }
            _ => return None,
        };
        Some((format!("${}", at + 1), cells))
    });
    columns.collect()
}

/// The same batch again and again, so that the server costs next to nothing.
fn bench(rows: u64, batch: u64) -> Vec<Step> {
    let table = |rows: u64| -> Table {
        let numbers = || (0..i64::try_from(rows).unwrap_or(i64::MAX)).map(Some);
        let doubles = |by: f64| {
            let values = (0..rows).scan(0.0, |at, _| {
                *at += by;
                Some(Some(*at))
            });
            Cells::Double(values.collect())
        };
        let symbols = |names: &[&str]| {
            let names = names.iter().cycle().map(|name| Some((*name).to_owned()));
            Cells::Symbol(
                names
                    .take(usize::try_from(rows).unwrap_or(usize::MAX))
                    .collect(),
            )
        };
        let times = numbers().map(|n| n.map(|n| 1_700_000_000_000_000 + n * 1000));
        [
            (
                "symbol",
                symbols(&["ETH-USD", "BTC-USD", "ADA-USD", "SOL-USD"]),
            ),
            ("side", symbols(&["buy", "sell"])),
            ("price", doubles(0.25)),
            ("amount", doubles(0.001)),
            ("fee", doubles(1e-6)),
            ("number", Cells::Long(numbers().collect())),
            ("timestamp", Cells::Timestamp(times.collect())),
        ]
        .map(|(name, cells)| (name.to_owned(), cells))
        .into()
    };
    let mut steps = vec![Step::Repeat(table(batch), rows / batch)];
    if !rows.is_multiple_of(batch) || rows == 0 {
        steps.push(Step::Rows(table(rows % batch)));
    }
    steps.push(Step::End);
    steps
}

fn types() -> Table {
    let text = |text: &str| Some(text.to_owned());
    [
        ("boolean", Cells::Boolean(vec![true, false])),
        ("byte", Cells::Byte(vec![-2, 0])),
        ("short", Cells::Short(vec![-3, 0])),
        ("int", Cells::Int(vec![Some(-4), None])),
        ("long", Cells::Long(vec![Some(-5), None])),
        ("float", Cells::Float(vec![Some(1.5), None])),
        ("double", Cells::Double(vec![Some(0.1), None])),
        ("symbol", Cells::Symbol(vec![text("ETH"), None])),
        (
            "timestamp",
            Cells::Timestamp(vec![Some(1_700_000_000_000_001), None]),
        ),
        ("date", Cells::Date(vec![Some(1_700_000_000_001), None])),
        (
            "timestamp_ns",
            Cells::TimestampNanos(vec![Some(1_700_000_000_000_000_001), None]),
        ),
        (
            "uuid",
            Cells::Uuid(vec![Some(0x99aa_bbcc_ddee_ff00_1122_3344_5566_7788), None]),
        ),
        (
            "long256",
            Cells::Long256(vec![Some([0x1234, 0, 0, 0]), None]),
        ),
        ("geohash", Cells::Geohash(25, vec![Some(0x1a4_8d08), None])),
        ("varchar", Cells::Varchar(vec![text("价格 €"), None])),
        (
            "doubles",
            Cells::DoubleArray(vec![Some((vec![1, 2], vec![1.0, 2.0])), None]),
        ),
        (
            "longs",
            Cells::LongArray(vec![Some((vec![2], vec![7, -7])), None]),
        ),
        ("decimal64", Cells::Decimal64(2, vec![Some(125), None])),
        ("decimal128", Cells::Decimal128(2, vec![Some(-125), None])),
        (
            "decimal256",
            Cells::Decimal256(3, vec![Some([0xff; 32]), None]),
        ),
        ("char", Cells::Char(vec![65, 66])),
        ("binary", Cells::Binary(vec![Some(vec![0xde, 0xad]), None])),
        ("ipv4", Cells::Ipv4(vec![Some(0x0A00_0001), None])),
    ]
    .map(|(name, cells)| (name.to_owned(), cells))
    .into()
}
