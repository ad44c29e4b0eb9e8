//! The QuestDB cases, written once against the API that both clients share: this folder is compiled against
//! ours and, unchanged, against the published peer, each as `crate::client`.

mod http;
mod trades;

use crate::client::Result as ClientResult;
use crate::client::ingress::{
    Buffer, ColumnName, ProtocolVersion, Sender, TableName, TimestampNanos,
};
use crate::measure::Laps;
use trades::{Source, Trade};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Batches of a case.
const BATCHES: u32 = 100;
const ROWS: u64 = 1_000_000;

/// Reads the result of a query over QWP, from an address.
pub(crate) type Read = fn(&str, &str, &mut Seen) -> Result<(), Failure>;

/// What each client does in its own way.
pub(crate) struct Ways {
    /// By the columns of each batch.
    pub(crate) read: Read,
    /// As rows, where the client has such.
    pub(crate) read_rows: Option<Read>,
    /// Waits until the server has acknowledged all that was sent over QWP.
    pub(crate) acknowledged: fn(&mut Sender) -> ClientResult<()>,
}

/// Runs `case` against the server at `address` (`HTTP` or `HTTP,TCP`) and gives its report as one line of JSON.
pub(crate) fn run(who: &str, address: &str, case: &str, ways: &Ways) -> Result<String, Failure> {
    let (http, tcp) = address.split_once(',').unwrap_or((address, address));
    match case {
        "buffer-v1" => build(&mut Buffer::new(ProtocolVersion::V1), rows),
        "buffer-v2" => build(&mut Buffer::new(ProtocolVersion::V2), rows),
        "buffer-v3" => build(&mut Buffer::new(ProtocolVersion::V3), rows),
        "buffer-v2-names" => {
            let names = Names::new()?;
            build(&mut Buffer::new(ProtocolVersion::V2), |buffer, batch| {
                named(buffer, batch, &names)
            })
        }
        "buffer-qwp" => build_qwp(),
        "http" | "tcp" => real(who, http, tcp, case, ways),
        "http-null" => null(http, &format!("http::addr={http};"), ways),
        "tcp-null" => null(http, &format!("tcp::addr={tcp};protocol_version=2;"), ways),
        "qwp-ingest" => null(http, &format!("ws::addr={http};"), ways),
        "qwp-egress" => egress(http, ways.read),
        "qwp-egress-rows" => egress(http, ways.read_rows.ok_or("this client gives no rows")?),
        other => Err(format!("no case is called {other}").into()),
    }
}

/// One row after another, as programs write it.
fn rows(buffer: &mut Buffer, batch: &[Trade]) -> ClientResult<()> {
    fill(buffer, batch, "trades")
}

#[inline]
fn fill(buffer: &mut Buffer, batch: &[Trade], table: &str) -> ClientResult<()> {
    for trade in batch {
        buffer
            .table(table)?
            .symbol("symbol", trade.symbol)?
            .symbol("side", trade.side)?
            .column_f64("price", trade.price)?
            .column_f64("amount", trade.amount)?
            .column_f64("fee", trade.fee)?
            .column_i64("sequence", trade.sequence)?
            .at(TimestampNanos::new(trade.ns))?;
    }
    Ok(())
}

/// Names that were checked beforehand.
struct Names {
    table: TableName<'static>,
    symbol: ColumnName<'static>,
    side: ColumnName<'static>,
    price: ColumnName<'static>,
    amount: ColumnName<'static>,
    fee: ColumnName<'static>,
    sequence: ColumnName<'static>,
}

impl Names {
    fn new() -> ClientResult<Self> {
        Ok(Self {
            table: TableName::new("trades")?,
            symbol: ColumnName::new("symbol")?,
            side: ColumnName::new("side")?,
            price: ColumnName::new("price")?,
            amount: ColumnName::new("amount")?,
            fee: ColumnName::new("fee")?,
            sequence: ColumnName::new("sequence")?,
        })
    }
}

fn named(buffer: &mut Buffer, batch: &[Trade], names: &Names) -> ClientResult<()> {
    for trade in batch {
        buffer
            .table(names.table)?
            .symbol(names.symbol, trade.symbol)?
            .symbol(names.side, trade.side)?
            .column_f64(names.price, trade.price)?
            .column_f64(names.amount, trade.amount)?
            .column_f64(names.fee, trade.fee)?
            .column_i64(names.sequence, trade.sequence)?
            .at(TimestampNanos::new(trade.ns))?;
    }
    Ok(())
}

/// Fills one buffer again and again; the sum is over every byte of every filling.
fn build(
    buffer: &mut Buffer,
    fill: impl Fn(&mut Buffer, &[Trade]) -> ClientResult<()>,
) -> Result<String, Failure> {
    let (mut source, mut batch) = (Source::new(), Vec::new());
    let (mut laps, mut sum) = (Laps::default(), 0_u64);
    for _ in 0..BATCHES {
        source.refill(&mut batch);
        laps.time(|| fill(buffer, &batch))?;
        sum = sum.rotate_left(7) ^ hash(buffer.as_bytes());
        buffer.clear();
    }
    Ok(laps.report(ROWS, sum))
}

/// Columns of QWP have no bytes before they leave, so here only the rows are compared.
fn build_qwp() -> Result<String, Failure> {
    let (mut source, mut batch) = (Source::new(), Vec::new());
    let (mut laps, mut done) = (Laps::default(), 0);
    let mut buffer = Buffer::new_qwp_ws();
    for _ in 0..BATCHES {
        source.refill(&mut batch);
        laps.time(|| rows(&mut buffer, &batch))?;
        done += u64::try_from(buffer.row_count())?;
        buffer.clear();
    }
    Ok(laps.report(done, done))
}

/// Builds and sends; the clocks run for both.
fn send(conf: &str, table: &str, ways: &Ways) -> Result<Laps, Failure> {
    let mut laps = Laps::default();
    let (mut source, mut batch) = (Source::new(), Vec::new());
    let mut sender = laps.time(|| Sender::from_conf(conf))?;
    let mut buffer = sender.new_buffer();
    for _ in 0..BATCHES {
        source.refill(&mut batch);
        laps.time(|| {
            fill(&mut buffer, &batch, table)?;
            sender.flush(&mut buffer)
        })?;
    }
    laps.time(|| {
        if conf.starts_with("ws") {
            (ways.acknowledged)(&mut sender)?;
        }
        drop(sender);
        ClientResult::Ok(())
    })?;
    Ok(laps)
}

/// To a real server, which tells in the end what it has.
fn real(who: &str, http: &str, tcp: &str, case: &str, ways: &Ways) -> Result<String, Failure> {
    let conf = match case {
        "tcp" => format!("tcp::addr={tcp};protocol_version=2;"),
        _ => format!("http::addr={http};"),
    };
    let table = format!("bench_{who}_{case}");
    let gone = http::exec(http, &format!("drop table if exists {table}"))?;
    if !gone.contains("OK") {
        return Err(format!("{table} could not be dropped: {gone}").into());
    }
    let laps = send(&conf, &table, ways)?;
    let sum = http::verified(http, &table, ROWS)?;
    http::exec(http, &format!("drop table {table}"))?;
    Ok(laps.report(ROWS, sum))
}

/// To a server that costs nothing and sums up what it gets.
fn null(http: &str, conf: &str, ways: &Ways) -> Result<String, Failure> {
    http::get(http, "/seen")?;
    let laps = send(conf, "trades", ways)?;
    let seen = http::get(http, "/seen")?;
    if conf.starts_with("ws") && !seen.starts_with(&format!("{ROWS} rows")) {
        return Err(format!("the server saw {seen:?}").into());
    }
    Ok(laps.report(ROWS, hash(seen.as_bytes())))
}

/// What a reader has read.
#[derive(Default)]
pub(crate) struct Seen {
    rows: u64,
    sum: u64,
}

impl Seen {
    #[inline]
    pub(crate) fn row(
        &mut self,
        ts: i64,
        id: i64,
        price: f64,
        symbol: Option<&str>,
        note: Option<&str>,
    ) {
        self.rows += 1;
        let long = |value: i64| u64::from_le_bytes(value.to_le_bytes());
        let text = |value: Option<&str>| {
            value.map_or(7, |text| {
                let last = text.bytes().last().map_or(0, u64::from);
                last << 32 ^ u64::try_from(text.len()).unwrap_or(u64::MAX)
            })
        };
        let values = long(ts) ^ long(id).rotate_left(11) ^ price.to_bits().rotate_left(23);
        self.sum = self.sum.rotate_left(7) ^ values ^ text(symbol).rotate_left(3) ^ text(note);
    }
}

/// A million rows of five columns.
fn egress(http: &str, read: Read) -> Result<String, Failure> {
    let (mut laps, mut seen) = (Laps::default(), Seen::default());
    laps.time(|| {
        read(
            http,
            "select ts, id, price, symbol, note from trades",
            &mut seen,
        )
    })?;
    if seen.rows != ROWS {
        return Err(format!("{} rows were read", seen.rows).into());
    }
    Ok(laps.report(ROWS, seen.sum))
}

/// FNV-1a, by eight bytes where there are as many.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        sum = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME);
    }
    for byte in rest {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    sum
}
