//! Rows into the server.

use std::time::Duration;

use anyhow::Result;
use questdb::ingress::{AckLevel, Buffer, Sender, TimestampMicros, TimestampNanos};

use crate::{Check, address, count, equal};

pub(crate) const CHECKS: &[Check] = &[
    ("ten thousand rows are acknowledged and counted", many),
    ("a column of every kind is taken", kinds),
    ("columns come and go between the rows of a table", sparse),
    ("tables share messages and symbols", tables),
    (
        "two senders at a time have symbols of their own",
        side_by_side,
    ),
];

const PATIENCE: Duration = Duration::from_secs(20);

fn sender() -> Result<Sender> {
    Ok(Sender::from_conf(format!("ws::addr={};", address()))?)
}

fn flush(sender: &mut Sender, buffer: &mut Buffer) -> Result<()> {
    sender.flush(buffer)?;
    Ok(sender.wait(AckLevel::Ok, PATIENCE)?)
}

fn many() -> Result<()> {
    let mut sender = sender()?;
    let mut buffer = sender.new_buffer();
    for n in 0..10_000_i64 {
        buffer
            .table("many")?
            .symbol("symbol", format!("S{}", n % 700))?
            .symbol("side", if n % 3 == 0 { "buy" } else { "sell" })?
            .column_f64("price", n as f64 / 7.0)?
            .column_i64("number", n << (n % 50))?
            .at(TimestampNanos::new(1_700_000_000_000_000_000 + n * 1_000))?;
        if n % 1_000 == 999 {
            sender.flush(&mut buffer)?;
        }
    }
    sender.wait(AckLevel::Ok, PATIENCE)?;
    equal(sender.acked_fsn()?, Some(9))?;
    equal(count("many")?, 10_000)
}

fn kinds() -> Result<()> {
    let mut sender = sender()?;
    let mut buffer = sender.new_buffer();
    for n in 0..3_i8 {
        buffer
            .table("kinds")?
            .symbol("symbol", "价格 €")?
            .column_bool("boolean", n == 1)?
            .column_i8("byte", -n)?
            .column_i16("short", i16::from(n) * -300)?
            .column_i32("int", i32::from(n) * 70_000)?
            .column_i64("long", i64::MAX - i64::from(n))?
            .column_f32("float", f32::from(n) / 3.0)?
            .column_f64("double", f64::from(n) / 3.0)?
            .column_str("varchar", "\"hé\"\n".repeat(usize::try_from(n)?))?
            .column_dec("decimal", "123.456")?
            .column_dec64("decimal64", "1.25")?
            .column_dec128("decimal128", "-1.25")?
            .column_uuid("uuid", 0x1122_3344_5566_7788, 0x99aa_bbcc_ddee_ff00)?
            .column_long256("long256", &[7; 32])?
            .column_ipv4("ipv4", [10, 0, 0, 1].into())?
            .column_date("date", 1_700_000_000_000)?
            .column_char("char", 65)?
            .column_binary("binary", &[0xde, 0xad])?
            .column_geohash("geohash", 21, 5)?
            .column_arr("array", &vec![vec![1.0_f64, 2.0], vec![3.0, 4.0]])?
            .column_ts("micros", TimestampMicros::new(-5))?
            .column_ts("nanos", TimestampNanos::new(1_999))?
            .at(TimestampMicros::new(1_700_000_000_000_000 + i64::from(n)))?;
    }
    flush(&mut sender, &mut buffer)?;
    equal(count("kinds")?, 3)
}

fn sparse() -> Result<()> {
    let mut sender = sender()?;
    let mut buffer = sender.new_buffer();
    for n in 0..50_i64 {
        buffer.table("sparse")?;
        if n % 2 == 0 {
            buffer.column_i64("even", n)?;
        }
        if n % 3 == 0 {
            buffer.column_str("third", "x".repeat(usize::try_from(n)?))?;
        }
        if n % 5 == 0 {
            buffer.symbol("fifth", "y")?;
        }
        buffer.column_f64("all", 0.5)?.at_now()?;
        // Later messages repeat the columns that the table has had.
        if n % 10 == 9 {
            flush(&mut sender, &mut buffer)?;
        }
    }
    equal(count("sparse")?, 50)
}

fn tables() -> Result<()> {
    let mut sender = sender()?;
    let mut buffer = sender.new_buffer();
    for n in 0..40 {
        let table = if n % 4 == 0 { "tables_a" } else { "tables_b" };
        buffer
            .table(table)?
            .symbol("shared", "one")?
            .symbol("own", table)?
            .at(TimestampNanos::new(1_700_000_000_000_000_000 + n))?;
    }
    flush(&mut sender, &mut buffer)?;
    equal(count("tables_a")?, 10)?;
    equal(count("tables_b")?, 30)
}

fn side_by_side() -> Result<()> {
    let mut senders = [sender()?, sender()?];
    let mut buffers = [senders[0].new_buffer(), senders[1].new_buffer()];
    for n in 0..20_i64 {
        for (sender, buffer) in senders.iter_mut().zip(&mut buffers) {
            buffer
                .table("side_by_side")?
                .symbol("s", format!("{n}"))?
                .at(TimestampNanos::new(1_700_000_000_000_000_000 + n))?;
            sender.flush(buffer)?;
        }
    }
    for sender in &mut senders {
        sender.wait(AckLevel::Ok, PATIENCE)?;
    }
    equal(count("side_by_side")?, 40)
}
