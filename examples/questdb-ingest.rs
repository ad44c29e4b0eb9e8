//! Rows into a buffer, the buffer to QuestDB.
//!
//! `cargo run --example questdb-ingest` wants a QuestDB server at localhost:9000, or where `QUESTDB_ADDR` says.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use taos::questdb::ingress::{ColumnName, Sender, TableName, TimestampNanos};
use taos::sync::*;

const HELP: &str = "is there a QuestDB server? `docker run -p 9000:9000 questdb/questdb` starts one; \
                    QUESTDB_ADDR=host:port names another";
const ROWS: i64 = 10_000;

fn main() -> anyhow::Result<()> {
    let address = std::env::var("QUESTDB_ADDR").unwrap_or_else(|_| "localhost:9000".to_owned());

    // Which version of the lines the server takes is asked here; nothing else has been sent yet.
    let mut sender = Sender::from_conf(format!("http::addr={address};")).context(HELP)?;
    let taos = TaosBuilder::from_dsn(format!("questdb://{address}"))?.build()?;
    taos.exec("drop table if exists example_ingest")?;

    // Names that are used for every row are worth checking once.
    let table = TableName::new("example_ingest")?;
    let symbol = ColumnName::new("symbol")?;
    let price = ColumnName::new("price")?;
    let mut buffer = sender.new_buffer();
    let start = 1_700_000_000_000_000_000;
    for n in 0..ROWS {
        buffer
            .table(table)?
            .symbol(symbol, if n % 3 == 0 { "ETH-USD" } else { "BTC-USD" })?
            .column_f64(price, 2_600.0 + f64::from(u8::try_from(n % 97)?) / 4.0)?
            .column_i64("trade", n)?
            .at(TimestampNanos::new(start + n * 1_000_000))?;
        // A request of some thousand rows is a good size.
        if buffer.row_count() == 2_500 {
            println!("{} rows, {} bytes", buffer.row_count(), buffer.len());
            // A flush that fails keeps the rows: call it again, or give up and clear.
            sender.flush(&mut buffer)?;
        }
    }
    sender.flush(&mut buffer)?;
    println!(
        "{ROWS} rows sent in lines of version {}",
        sender.protocol_version()
    );

    // The server has accepted them; it shows them a moment later.
    let count = "select count() from example_ingest";
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let seen = taos.query_one::<_, i64>(count)?;
        if seen >= Some(ROWS) {
            break;
        }
        ensure!(
            Instant::now() < deadline,
            "of {ROWS} rows only {seen:?} can be read after half a minute"
        );
        thread::sleep(Duration::from_millis(50));
    }
    let sql = "select symbol, count(), max(price) from example_ingest order by symbol";
    let mut result = taos.query(sql)?;
    for row in result.deserialize::<(String, i64, f64)>() {
        let (symbol, trades, highest) = row?;
        println!("{symbol}: {trades} trades, at most {highest}");
    }
    Ok(())
}
