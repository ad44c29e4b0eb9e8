//! The dialect's functions inside SQLite. All names begin with `td_`.

mod aggregates;
mod approximate;
mod decimals;
mod digest;
mod geometry;
mod histogram;
mod interp;
mod jsons;
mod keyed;
mod memory;
mod numbers;
mod series;
mod sums;
mod texts;
mod times;
mod windows;

pub(crate) use memory::{Held, limit_collected};

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};

use crate::sql::SqlError;

type Output = rusqlite::Result<Value>;

/// Makes the dialect's functions known to a connection; needed before a plan runs on it.
///
/// # Errors
/// What SQLite says.
pub(crate) fn register_functions(connection: &Connection) -> rusqlite::Result<()> {
    rusqlite::vtab::series::load_module(connection)?;
    numbers::register(connection)?;
    decimals::register(connection)?;
    geometry::register(connection)?;
    texts::register(connection)?;
    times::register(connection)?;
    jsons::register(connection)?;
    series::register(connection)?;
    interp::register(connection)?;
    histogram::register(connection)?;
    windows::register(connection)?;
    keyed::register(connection)?;
    aggregates::register(connection)
}

/// Registers a scalar that gives NULL as soon as one argument is NULL.
fn strict(
    connection: &Connection,
    name: &str,
    args: i32,
    function: impl Fn(&Args<'_>) -> Option<Value> + Send + 'static,
) -> rusqlite::Result<()> {
    fallible(connection, name, args, move |args| Ok(function(args)))
}

/// As [`strict`], for what may be refused.
fn fallible(
    connection: &Connection,
    name: &str,
    args: i32,
    function: impl Fn(&Args<'_>) -> Result<Option<Value>, SqlError> + Send + 'static,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function(name, args, flags, move |context| -> Output {
        let args = Args { context };
        let null = (0..args.context.len()).any(|index| args.get(index) == ValueRef::Null);
        if null {
            return Ok(Value::Null);
        }
        let refused = |error: SqlError| rusqlite::Error::UserFunctionError(error.into());
        Ok(function(&args).map_err(refused)?.unwrap_or(Value::Null))
    })
}

/// The arguments of a call; what is missing or of another kind reads as `None`.
struct Args<'c> {
    context: &'c Context<'c>,
}

impl Args<'_> {
    fn len(&self) -> usize {
        self.context.len()
    }

    /// Bytes of all texts among them.
    fn bytes(&self) -> usize {
        let texts = (0..self.len()).filter_map(|index| self.text(index));
        texts.map(str::len).sum()
    }

    fn get(&self, index: usize) -> ValueRef<'_> {
        if index < self.context.len() {
            self.context.get_raw(index)
        } else {
            ValueRef::Null
        }
    }

    fn int(&self, index: usize) -> Option<i64> {
        match self.get(index) {
            ValueRef::Integer(value) => Some(value),
            ValueRef::Real(value) => Some(cut(value)),
            _ => None,
        }
    }

    fn real(&self, index: usize) -> Option<f64> {
        number(self.get(index))
    }

    fn text(&self, index: usize) -> Option<&str> {
        self.get(index).as_str().ok()
    }
}

fn number(value: ValueRef<'_>) -> Option<f64> {
    match value {
        #[allow(
            clippy::cast_precision_loss,
            reason = "the dialect computes integers as doubles"
        )]
        ValueRef::Integer(value) => Some(value as f64),
        ValueRef::Real(value) => Some(value),
        _ => None,
    }
}

/// A double cut to 64 bits.
#[allow(
    clippy::cast_possible_truncation,
    reason = "saturating is what is wanted"
)]
const fn cut(value: f64) -> i64 {
    value as i64
}

/// A double rounded to FLOAT.
#[allow(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
const fn single(value: f64) -> f32 {
    value as f32
}

/// A double, or NULL if it is not finite.
fn finite(value: f64) -> Option<Value> {
    value.is_finite().then_some(Value::Real(value))
}

fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// Bytes of hex digits; `None` for an odd number or other characters.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect()
}
