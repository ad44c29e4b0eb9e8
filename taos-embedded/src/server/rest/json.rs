//! Replies of the REST interface as JSON text (rest §2, §3).

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Datelike, Offset, Timelike};
use chrono_tz::Tz;
use taos_query::RawBlock;
use taos_query::common::{BorrowedValue, Precision, Timestamp, Ty};

use crate::engine::ResultColumn;

/// `{"code":…,"desc":…,"timing":…}`
pub(super) fn error(code: u32, text: &str, started: Instant) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + text.len());
    out.extend_from_slice(b"{\"code\":");
    put(&mut out, code);
    out.extend_from_slice(b",\"desc\":");
    string(&mut out, text);
    out.extend_from_slice(b",\"timing\":");
    put(&mut out, started.elapsed().as_nanos());
    out.push(b'}');
    out
}

/// The reply to a statement without columns.
pub(super) fn affected(rows: u64, timing: Option<Instant>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    out.extend_from_slice(
        b"{\"code\":0,\"column_meta\":[[\"affected_rows\",\"INT\",4]],\"data\":[[",
    );
    put(&mut out, rows);
    out.push(b']');
    tail(1, timing, &mut out);
    out
}

/// Everything before the first row.
pub(super) fn head(columns: &[ResultColumn], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"code\":0,\"column_meta\":[");
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'[');
        string(out, &column.name);
        out.push(b',');
        string(out, &type_name(column));
        out.push(b',');
        put(out, column.length);
        out.push(b']');
    }
    out.extend_from_slice(b"],\"data\":[");
}

/// Everything behind the last row.
pub(super) fn tail(rows: u64, timing: Option<Instant>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"],\"rows\":");
    put(out, rows);
    if let Some(started) = timing {
        out.extend_from_slice(b",\"timing\":");
        put(out, started.elapsed().as_nanos());
    }
    out.push(b'}');
}

/// Everything behind the last row that the console shows.
pub(super) fn shown_tail(rows: u64, cut: Option<Cut>, started: Instant, out: &mut Vec<u8>) {
    out.extend_from_slice(match cut {
        None => b"],\"cut\":null",
        Some(Cut::Rows) => b"],\"cut\":\"rows\"",
        Some(Cut::Bytes) => b"],\"cut\":\"bytes\"",
    });
    out.extend_from_slice(b",\"rows\":");
    put(out, rows);
    out.extend_from_slice(b",\"timing\":");
    put(out, started.elapsed().as_nanos());
    out.push(b'}');
}

/// How much of a result is written.
pub(super) struct Bounds {
    pub(super) rows: u64,
    /// Of everything written; the row that reaches it is the last.
    pub(super) bytes: usize,
}

impl Bounds {
    const NONE: Self = Self {
        rows: u64::MAX,
        bytes: usize::MAX,
    };

    fn reached(&self, rows: u64, bytes: usize) -> Option<Cut> {
        if rows >= self.rows {
            Some(Cut::Rows)
        } else if bytes >= self.bytes {
            Some(Cut::Bytes)
        } else {
            None
        }
    }
}

/// Why rows were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Rows,
    Bytes,
}

/// How rows are written.
pub(super) struct Format {
    pub(super) columns: Arc<[ResultColumn]>,
    pub(super) zone: Tz,
    /// Rows as objects.
    pub(super) named: bool,
    /// Integers of 64 bits as texts: readers in JavaScript would round them.
    pub(super) exact: bool,
}

impl Format {
    /// Writes the rows of a block behind `written` earlier ones; returns how many there are now.
    pub(super) fn rows(&self, block: &RawBlock, written: u64, out: &mut Vec<u8>) -> u64 {
        self.rows_within(block, written, &Bounds::NONE, out).0
    }

    /// As [`rows`](Self::rows) up to a bound, with the bound that left rows out.
    pub(super) fn rows_within(
        &self,
        block: &RawBlock,
        mut written: u64,
        bounds: &Bounds,
        out: &mut Vec<u8>,
    ) -> (u64, Option<Cut>) {
        let (open, close) = if self.named {
            (b'{', b'}')
        } else {
            (b'[', b']')
        };
        for row in 0..block.nrows() {
            if let Some(cut) = bounds.reached(written, out.len()) {
                return (written, Some(cut));
            }
            if written > 0 {
                out.push(b',');
            }
            out.push(open);
            for (index, column) in self.columns.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                if self.named {
                    string(out, &column.name);
                    out.push(b':');
                }
                match block.get_ref(row, index) {
                    Some(BorrowedValue::BigInt(v)) if self.exact => string(out, &v.to_string()),
                    Some(BorrowedValue::UBigInt(v)) if self.exact => string(out, &v.to_string()),
                    Some(value) => cell(&value, self.zone, out),
                    None => out.extend_from_slice(b"null"),
                }
            }
            out.push(close);
            written += 1;
        }
        (written, None)
    }
}

fn cell(value: &BorrowedValue<'_>, zone: Tz, out: &mut Vec<u8>) {
    match value {
        BorrowedValue::Null(_) => out.extend_from_slice(b"null"),
        BorrowedValue::Bool(v) => put(out, v),
        BorrowedValue::TinyInt(v) => put(out, v),
        BorrowedValue::SmallInt(v) => put(out, v),
        BorrowedValue::Int(v) => put(out, v),
        BorrowedValue::BigInt(v) => put(out, v),
        BorrowedValue::UTinyInt(v) => put(out, v),
        BorrowedValue::USmallInt(v) => put(out, v),
        BorrowedValue::UInt(v) => put(out, v),
        BorrowedValue::UBigInt(v) => put(out, v),
        BorrowedValue::Float(v) => float(out, v.is_finite(), f64::from(*v).abs(), v),
        BorrowedValue::Double(v) => float(out, v.is_finite(), v.abs(), v),
        BorrowedValue::VarChar(v) | BorrowedValue::NChar(v) => string(out, v),
        BorrowedValue::Timestamp(v) => time(out, *v, zone),
        BorrowedValue::Json(v) => json(out, v),
        BorrowedValue::Decimal(v) | BorrowedValue::Decimal64(v) => {
            out.push(b'"');
            put(out, v);
            out.push(b'"');
        }
        BorrowedValue::VarBinary(v)
        | BorrowedValue::Blob(v)
        | BorrowedValue::MediumBlob(v)
        | BorrowedValue::Geometry(v) => hex(out, v),
    }
}

fn put(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing into a vector does not fail.
    let _ = write!(out, "{value}");
}

fn string(out: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(out, text);
}

/// The shortest digits that read back the same, in the form that the original writes: exponents only
/// below 1e-6 and from 1e21 on.
fn float(
    out: &mut Vec<u8>,
    finite: bool,
    magnitude: f64,
    value: &(impl std::fmt::Display + std::fmt::LowerExp),
) {
    if !finite {
        out.extend_from_slice(b"null");
    } else if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                put(out, format_args!("{digits}e+{exponent}"));
            }
            _ => out.extend_from_slice(text.as_bytes()),
        }
    } else {
        put(out, value);
    }
}

/// JSON goes in as it is; what is not JSON (a value of a damaged tag) as text.
fn json(out: &mut Vec<u8>, text: &[u8]) {
    match serde_json::from_slice::<&serde_json::value::RawValue>(text) {
        Ok(value) => out.extend_from_slice(value.get().as_bytes()),
        Err(_) => string(out, &String::from_utf8_lossy(text)),
    }
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2 + 2);
    out.push(b'"');
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            out.extend(DIGITS.get(usize::from(nibble)));
        }
    }
    out.push(b'"');
}

/// RFC 3339 with as many fraction digits as the precision has.
fn time(out: &mut Vec<u8>, time: Timestamp, zone: Tz) {
    let local: DateTime<Tz> = time.to_datetime_with_custom_tz(&zone);
    let nanos = local.nanosecond() % 1_000_000_000;
    let _ = write!(
        out,
        "\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second()
    );
    let _ = match time.precision() {
        Precision::Millisecond => write!(out, "{:03}", nanos / 1_000_000),
        Precision::Microsecond => write!(out, "{:06}", nanos / 1_000),
        Precision::Nanosecond => write!(out, "{nanos:09}"),
    };
    let seconds = local.offset().fix().local_minus_utc();
    if seconds == 0 {
        out.extend_from_slice(b"Z\"");
    } else {
        let minutes = seconds.abs() / 60;
        let sign = if seconds < 0 { '-' } else { '+' };
        let _ = write!(out, "{sign}{:02}:{:02}\"", minutes / 60, minutes % 60);
    }
}

fn type_name(column: &ResultColumn) -> String {
    let name = match column.ty {
        Ty::Null => "NULL",
        Ty::Bool => "BOOL",
        Ty::TinyInt => "TINYINT",
        Ty::SmallInt => "SMALLINT",
        Ty::Int => "INT",
        Ty::BigInt => "BIGINT",
        Ty::Float => "FLOAT",
        Ty::Double => "DOUBLE",
        Ty::VarChar => "VARCHAR",
        Ty::Timestamp => "TIMESTAMP",
        Ty::NChar => "NCHAR",
        Ty::UTinyInt => "TINYINT UNSIGNED",
        Ty::USmallInt => "SMALLINT UNSIGNED",
        Ty::UInt => "INT UNSIGNED",
        Ty::UBigInt => "BIGINT UNSIGNED",
        Ty::Json => "JSON",
        Ty::VarBinary => "VARBINARY",
        Ty::Blob => "BLOB",
        Ty::MediumBlob => "MEDIUMBLOB",
        Ty::Geometry => "GEOMETRY",
        Ty::Decimal | Ty::Decimal64 => {
            let mut name = String::new();
            let _ = write!(name, "DECIMAL({},{})", column.precision, column.scale);
            return name;
        }
        _ => "UNKNOWN",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_have_the_shortest_digits_of_their_own_width() {
        let shown = |value| text(|out| cell(&value, Tz::UTC, out));
        assert_eq!(shown(BorrowedValue::Float(0.1)), "0.1");
        assert_eq!(shown(BorrowedValue::Double(3.0)), "3");
        assert_eq!(shown(BorrowedValue::Double(0.0)), "0");
        assert_eq!(
            shown(BorrowedValue::Double(-f64::MAX)),
            "-1.7976931348623157e+308"
        );
        assert_eq!(
            shown(BorrowedValue::Double(f64::MIN_POSITIVE)),
            "2.2250738585072014e-308"
        );
        assert_eq!(shown(BorrowedValue::Double(f64::NAN)), "null");
    }

    #[test]
    fn times_show_all_digits_of_their_precision_and_the_zone() {
        let shown =
            |raw, precision, zone| text(|out| time(out, Timestamp::new(raw, precision), zone));
        assert_eq!(
            shown(1_700_000_000_000, Precision::Millisecond, Tz::UTC),
            r#""2023-11-14T22:13:20.000Z""#
        );
        assert_eq!(
            shown(-1, Precision::Nanosecond, Tz::Asia__Shanghai),
            r#""1970-01-01T07:59:59.999999999+08:00""#
        );
        assert_eq!(
            shown(0, Precision::Microsecond, Tz::America__St_Johns),
            r#""1969-12-31T20:30:00.000000-03:30""#
        );
    }

    #[test]
    fn json_is_embedded_and_text_is_escaped_without_touching_html() {
        assert_eq!(text(|out| json(out, b"{\"a\":[1]}")), "{\"a\":[1]}");
        assert_eq!(text(|out| json(out, b"{oops")), "\"{oops\"");
        assert_eq!(text(|out| string(out, "<a&b>\"\n")), r#""<a&b>\"\n""#);
    }

    #[test]
    fn bytes_are_lower_case_hex() {
        assert_eq!(text(|out| hex(out, &[0, 0xff, 0x7f])), "\"00ff7f\"");
    }
}
