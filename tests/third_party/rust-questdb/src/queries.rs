//! Results out of the server.

use anyhow::{Result, bail, ensure};
use questdb::ErrorCode;
use questdb::egress::column::ColumnView;
use questdb::egress::reader::Reader;

use crate::{Check, equal, reader};

pub(crate) const CHECKS: &[Check] = &[
    (
        "a value of every type is read, and NULL where there is one",
        types,
    ),
    ("what is bound comes back", binds),
    ("a million cells in batches are read with credit", batches),
    ("statements without a result end", done),
    (
        "errors bring their category and leave the connection of use",
        errors,
    ),
    ("a connection that is cut ends the query", cut),
    ("the server has nothing to complain of", complaints),
];

/// A result as texts, row by row.
fn rows(reader: &mut Reader, sql: &str) -> Result<Vec<Vec<String>>> {
    let mut cursor = reader.execute(sql)?;
    let mut rows = Vec::new();
    while let Some(batch) = cursor.next_batch()? {
        let columns = (0..batch.column_count())
            .map(|column| Ok(batch.column(column)?))
            .collect::<Result<Vec<_>>>()?;
        rows.extend((0..batch.row_count()).map(|row| {
            columns
                .iter()
                .map(|column| cell(column, row))
                .collect::<Vec<_>>()
        }));
    }
    Ok(rows)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cell(column: &ColumnView<'_>, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    match column {
        ColumnView::Boolean(c) => c.value(row).to_string(),
        ColumnView::Byte(c) => c.value(row).to_string(),
        ColumnView::Short(c) => c.value(row).to_string(),
        ColumnView::Int(c) => c.value(row).to_string(),
        ColumnView::Long(c) | ColumnView::Timestamp(c) | ColumnView::Date(c) => {
            c.value(row).to_string()
        }
        ColumnView::TimestampNanos(c) => c.value(row).to_string(),
        ColumnView::Float(c) => c.value(row).to_string(),
        ColumnView::Double(c) => c.value(row).to_string(),
        ColumnView::Symbol(c) => c.resolve(row).unwrap_or("?").to_owned(),
        ColumnView::Varchar(c) => c.value(row).unwrap_or("?").to_owned(),
        ColumnView::Binary(c) => hex(c.value(row).unwrap_or_default()),
        ColumnView::Uuid(c) => hex(c.value(row)),
        ColumnView::Long256(c) => hex(c.value(row)),
        ColumnView::Char(c) => c.value(row).to_string(),
        ColumnView::Ipv4(c) => format!("{:08x}", c.value(row)),
        ColumnView::Geohash(c) => format!("{:x}/{}", c.value(row), c.precision_bits()),
        ColumnView::Decimal64(c) => format!("{}e-{}", c.value(row), c.scale()),
        ColumnView::Decimal128(c) => format!("{}e-{}", c.value(row), c.scale()),
        ColumnView::Decimal256(c) => format!("{}e-{}", hex(c.value(row)), c.scale()),
        ColumnView::DoubleArray(c) => {
            let elements = (0..c.element_count(row)).map(|at| c.element(row, at));
            format!("{:?} {:?}", c.shape(row), elements.collect::<Vec<_>>())
        }
        ColumnView::LongArray(c) => {
            let elements = (0..c.element_count(row)).map(|at| c.element(row, at));
            format!("{:?} {:?}", c.shape(row), elements.collect::<Vec<_>>())
        }
        _ => "a kind that is new".to_owned(),
    }
}

fn types() -> Result<()> {
    let mut reader = reader()?;
    let [first, second] = rows(&mut reader, "select * from types")?
        .try_into()
        .map_err(|rows| anyhow::anyhow!("not two rows: {rows:?}"))?;
    let long256 = format!("3412{}", "00".repeat(30));
    let decimal256 = format!("{}e-3", "ff".repeat(32));
    let expected = [
        "1",
        "-2",
        "-3",
        "-4",
        "-5",
        "1.5",
        "0.1",
        "ETH",
        "1700000000000001",
        "1700000000001",
        "1700000000000000001",
        "99aabbccddeeff001122334455667788",
        &long256,
        "1a48d08/25",
        "价格 €",
        "Some([1, 2]) [Some(1.0), Some(2.0)]",
        "Some([2]) [Some(7), Some(-7)]",
        "125e-2",
        "-125e-2",
        &decimal256,
        "65",
        "dead",
        "0a000001",
    ];
    equal(first, expected)?;
    let never_null = [(0, "0"), (1, "0"), (2, "0"), (20, "66")];
    for (at, got) in second.iter().enumerate() {
        let expected = never_null
            .iter()
            .find_map(|(column, value)| (*column == at).then_some(*value));
        equal(got.as_str(), expected.unwrap_or("NULL"))?;
    }
    Ok(())
}

fn binds() -> Result<()> {
    let mut reader = reader()?;
    let mut cursor = reader
        .prepare("select $1, $2, $3, $4")
        .bind_i64(-42)
        .bind_f64(0.1)
        .bind_bool(true)
        .bind_varchar("價 \" ' abc")
        .execute()?;
    let mut read = Vec::new();
    while let Some(batch) = cursor.next_batch()? {
        for column in 0..batch.column_count() {
            read.push(cell(&batch.column(column)?, 0));
        }
    }
    equal(read, ["-42", "0.1", "1", "價 \" ' abc"])
}

fn batches() -> Result<()> {
    let mut reader = reader()?;
    let mut cursor = reader
        .prepare("select * from bench(150000, 4096)")
        .initial_credit(64 * 1024)
        .execute()?;
    let (mut rows, mut numbers) = (0, 0);
    while let Some(batch) = cursor.next_batch()? {
        let ColumnView::Long(column) = batch.column(5)? else {
            bail!("the sixth column is no LONG");
        };
        rows += batch.row_count();
        numbers += (0..batch.row_count())
            .map(|row| column.value(row))
            .sum::<i64>();
    }
    equal(rows, 150_000)?;
    let of = |rows: i64| rows * (rows - 1) / 2;
    equal(numbers, 36 * of(4_096) + of(150_000 - 36 * 4_096))
}

fn done() -> Result<()> {
    let mut reader = reader()?;
    let mut cursor = reader.execute("create table t (x long)")?;
    ensure!(
        cursor.next_batch()?.is_none(),
        "rows of a statement that has none"
    );
    ensure!(cursor.terminal().is_some(), "the statement has no end");
    Ok(())
}

fn errors() -> Result<()> {
    let mut reader = reader()?;
    let categories = [
        (3, ErrorCode::ServerSchemaMismatch),
        (5, ErrorCode::ServerParseError),
        (6, ErrorCode::ServerInternalError),
        (8, ErrorCode::ServerSecurityError),
        (14, ErrorCode::QueryTimeout),
    ];
    for (status, code) in categories {
        let Err(error) = rows(&mut reader, &format!("fail {status}")) else {
            bail!("`fail {status}` did not fail");
        };
        let error = error.downcast::<questdb::Error>()?;
        equal(error.code(), code)?;
        ensure!(error.msg().contains("as asked"), "{error}");
    }
    equal(rows(&mut reader, "select count() from nothing")?, [["0"]])
}

fn cut() -> Result<()> {
    let mut reader = reader()?;
    ensure!(
        rows(&mut reader, "cut").is_err(),
        "a cut connection has a result"
    );
    Ok(())
}

fn complaints() -> Result<()> {
    equal(
        rows(&mut reader()?, "show complaints")?,
        Vec::<Vec<String>>::new(),
    )
}
