//! Values as SQL literals.

use std::fmt::Write;

use super::BorrowedValue;

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
            // Writing into a String cannot fail.
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// Text between single quotes, with the escapes that the server's lexer understands.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

pub(super) fn write_sql(value: &BorrowedValue<'_>, rfc3339: bool) -> String {
    match value {
        BorrowedValue::VarChar(v) | BorrowedValue::NChar(v) => quote(v),
        BorrowedValue::Json(v) => quote(&String::from_utf8_lossy(v)),
        BorrowedValue::Timestamp(v) if rfc3339 => {
            let time = v.to_datetime_with_custom_tz(&chrono::Utc);
            format!(
                "'{}'",
                time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
            )
        }
        BorrowedValue::Timestamp(v) => v.as_raw_i64().to_string(),
        BorrowedValue::VarBinary(v)
        | BorrowedValue::Geometry(v)
        | BorrowedValue::Blob(v)
        | BorrowedValue::MediumBlob(v) => format!("'\\x{}'", hex(v)),
        // Rust prints these as words that SQL reads as names.
        BorrowedValue::Float(v) if !v.is_finite() => "NULL".to_owned(),
        BorrowedValue::Double(v) if !v.is_finite() => "NULL".to_owned(),
        other => format!("{other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::common::{Decimal, Timestamp, Ty, Value};

    #[test]
    fn sql_literals_are_escaped() {
        for (value, sql) in [
            (Value::from("it's\n\\"), r"'it\'s\n\\'"),
            (Value::Null(Ty::Int), "NULL"),
            (Value::Bool(true), "true"),
            (Value::Double(f64::NAN), "NULL"),
            (Value::VarBinary(vec![0, 0xff].into()), r"'\x00ff'"),
            (Value::Decimal(Decimal::new(-50, 10, 2)), "-0.50"),
            (Value::Timestamp(Timestamp::Milliseconds(12)), "12"),
            (Value::Json(serde_json::json!({"a": 1})), r#"'{"a":1}'"#),
        ] {
            assert_eq!(value.to_sql_value(), sql);
        }
        assert_eq!(
            Value::Timestamp(Timestamp::Microseconds(1)).to_sql_value_with_rfc3339(),
            "'1970-01-01T00:00:00.000001Z'"
        );
    }

    #[test]
    fn plain_text_of_bytes_that_are_not_utf8_is_an_error() {
        assert!(
            BorrowedValue::VarBinary(Cow::Borrowed(&[0xff]))
                .to_string()
                .is_err()
        );
        assert_eq!(Value::Null(Ty::Int).to_string().unwrap(), "");
        assert_eq!(format!("{}", Value::Null(Ty::Int)), "NULL");
    }

    #[test]
    fn values_compare_across_forms_and_survive_json() {
        let values = [
            Value::Null(Ty::NChar),
            Value::from("x"),
            Value::NChar("é".into()),
            Value::Json(serde_json::json!([1, "a"])),
            Value::Decimal64(Decimal::new(125, 10, 2)),
            Value::Timestamp(Timestamp::Nanoseconds(-1)),
            Value::Geometry(vec![1, 2].into()),
            Value::UBigInt(u64::MAX),
        ];
        for value in values {
            assert_eq!(value, value.to_borrowed_value());
            assert_eq!(value.to_borrowed_value().to_value(), value);
            let json = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
            let borrowed = serde_json::to_string(&value.to_borrowed_value()).unwrap();
            assert_eq!(borrowed, json);
        }
        assert_ne!(Value::Int(1), Value::BigInt(1));
    }
}
