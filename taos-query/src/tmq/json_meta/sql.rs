//! Names and values as SQL takes them, whatever they contain.

use std::fmt;

use serde_json::Value;

use crate::common::{Field, Ty};
use crate::util::sql_value_escape;

/// A name in backticks.
pub(super) struct Name<'a>(pub(super) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.replace('`', "``"))
    }
}

/// Things with commas between them; can be printed once for each time that it is cloned.
pub(super) struct List<I>(pub(super) I);

impl<I: Iterator<Item: fmt::Display> + Clone> fmt::Display for List<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.0.clone().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            one.fmt(f)?;
        }
        Ok(())
    }
}

/// Name and type of a column, with its length where it has one.
pub(super) struct Column<'a>(pub(super) &'a Field);

impl fmt::Display for Column<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ty, length) = (self.0.ty(), self.0.bytes());
        write!(f, "{} {ty}", Name(self.0.name()))?;
        if ty.is_var_type() && !ty.is_json() && !ty.is_blob() && length > 0 {
            write!(f, "({length})")?;
        }
        Ok(())
    }
}

/// Settings of a column's compression; `unknown` is what the server says of one that it has no name for.
pub(super) fn compression(
    f: &mut fmt::Formatter<'_>,
    encode: Option<&String>,
    compress: Option<&String>,
    level: Option<&String>,
) -> fmt::Result {
    for (word, setting) in [("ENCODE", encode), ("COMPRESS", compress), ("LEVEL", level)] {
        if let Some(setting) = setting.filter(|setting| *setting != "unknown") {
            write!(f, " {word} '{}'", sql_value_escape(setting))?;
        }
    }
    Ok(())
}

/// The value of a tag as a literal.
pub(super) enum TagValue<'a> {
    Null,
    Bool(bool),
    Number(String),
    Text(&'a str),
    /// Bytes, as `\x` and digits.
    Hex(&'a str),
}

impl<'a> TagValue<'a> {
    /// A value in the form of tmq-raw §6.2.
    pub(super) fn typed(ty: Ty, value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) if ty == Ty::Bool => Self::Bool(number.as_f64() != Some(0.0)),
            Value::Number(number) => match number.as_f64() {
                // Whole numbers pass through a double on their way, and may come out as one.
                Some(double) if ty.is_integer() || ty == Ty::Timestamp => {
                    let whole = number.is_i64() || number.is_u64();
                    Self::Number(if whole {
                        number.to_string()
                    } else {
                        format!("{double:.0}")
                    })
                }
                _ => Self::Number(number.to_string()),
            },
            Value::String(text) => {
                let inner = unquoted(text);
                match ty {
                    Ty::VarBinary if is_hex(inner) => Self::Hex(inner),
                    ty if ty.is_var_type() => Self::Text(inner),
                    _ if is_number(inner) => Self::Number(inner.to_owned()),
                    _ => Self::Text(inner),
                }
            }
            // Neither is a form that a server writes.
            Value::Array(_) | Value::Object(_) => Self::Null,
        }
    }

    /// False for a text that may be bytes: then it takes the type to tell which.
    pub(super) fn is_told(text: &str) -> bool {
        !is_hex(unquoted(text))
    }

    /// A text whose type is not told: quotes of its own tell texts from numbers (tmq-raw §6.3).
    pub(super) fn untyped(text: &'a str) -> Self {
        let inner = unquoted(text);
        if inner.len() == text.len() && is_number(text) {
            return Self::Number(text.to_owned());
        }
        match text {
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            _ => Self::Text(inner),
        }
    }
}

impl fmt::Display for TagValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(value) => value.fmt(f),
            Self::Number(text) => f.write_str(text),
            Self::Text(text) => write!(f, "'{}'", sql_value_escape(text)),
            Self::Hex(text) => write!(f, "'{text}'"),
        }
    }
}

/// Without the quotes around it, if there are any; those inside are part of the text.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text)
}

fn is_hex(text: &str) -> bool {
    text.strip_prefix("\\x")
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Only what SQL reads as one number: no words like `inf`.
fn is_number(text: &str) -> bool {
    let of_number = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    text.bytes().all(of_number) && text.parse::<f64>().is_ok()
}
