//! What a statement's placeholders are, and whether given data fits them.

use std::fmt;

use super::outline::Outline;
use super::{Bound, Generation};
use crate::block::ColumnView;
use crate::common::{BorrowedValue, Decimal, Precision, Ty, Value};
use crate::error::{Code, ErrorKind, RawError, RawResult};
use crate::stmt::{BindType, Stmt2Field};
use crate::version::Version;
use crate::writes::wrong;

/// Who takes bound values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A server, over the network.
    Server,
    /// A client library.
    Library,
}

/// What is made of bound values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Who takes them.
    pub peer: Peer,
    /// By which interface.
    pub generation: Generation,
    /// The version of the peer.
    pub version: Version,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = match self.peer {
            Peer::Server => "server",
            Peer::Library => "client library",
        };
        write!(f, "a {peer} of version {}", self.version)
    }
}

impl Dialect {
    /// True if decimals travel as text (taosadapter-ws §9.3).
    #[must_use]
    pub fn decimal_text(&self) -> bool {
        self.version >= Version::DECIMAL_TEXT
    }

    /// True if values of this type can be bound.
    #[must_use]
    pub fn takes(&self, ty: Ty) -> bool {
        let second = self.generation == Generation::Second;
        match ty {
            Ty::Decimal | Ty::Decimal64 => second && self.version >= Version::DECIMAL,
            Ty::Blob | Ty::MediumBlob => second,
            _ => true,
        }
    }

    fn check(&self, what: &What<'_>, ty: Ty) -> RawResult<()> {
        if self.takes(ty) {
            return Ok(());
        }
        let hint = match self.peer {
            Peer::Server => ", or set version_prefer if the server does not tell its version",
            Peer::Library => "",
        };
        Err(RawError::of(
            ErrorKind::Unsupported,
            format!(
                "{what} is of type {ty}, which cannot be bound on {self}; write it by SQL{hint}"
            ),
        ))
    }
}

/// A tag or column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Ty,
    /// Of a timestamp.
    pub precision: Precision,
    /// Storage width.
    bytes: usize,
    /// Precision and scale of a decimal, once they are known.
    pub digits: Option<(u8, u8)>,
}

/// The placeholders of an INSERT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The table is one of them.
    pub named: bool,
    /// Its tags.
    pub tags: Vec<Target>,
    /// Its columns.
    pub columns: Vec<Target>,
    /// The first column is the primary timestamp.
    primary_first: bool,
}

impl Layout {
    /// Reads what the peer told.
    ///
    /// # Errors
    /// A type or unit that is not known.
    pub fn of(fields: &[Stmt2Field], outline: &Outline) -> RawResult<Self> {
        let mut layout = Self {
            named: false,
            tags: Vec::new(),
            columns: Vec::new(),
            primary_first: outline.primary_first,
        };
        // In the first generation only the first timestamp tells the unit of all.
        let unit = fields
            .iter()
            .filter(|field| field.field_type == 9)
            .map(|field| field.precision)
            .max();
        for field in fields {
            let target = Target::of(field, unit.unwrap_or_default())?;
            match field.bind_type {
                BindType::TableName => layout.named = true,
                BindType::Tag => layout.tags.push(target),
                _ => layout.columns.push(target),
            }
        }
        Ok(layout)
    }

    /// True if the digits of a decimal column are still to be asked for.
    #[must_use]
    pub fn lacks_digits(&self) -> bool {
        let lacks = |column: &Target| column.ty.is_decimal() && column.digits.is_none();
        self.columns.iter().any(lacks)
    }

    /// Notes precision and scale of the decimal column of this name.
    pub fn set_digits(&mut self, name: &str, digits: (u8, u8)) {
        for column in self.columns.iter_mut().filter(|c| c.ty.is_decimal()) {
            if column.name == name {
                column.digits = Some(digits);
            }
        }
    }

    /// The types of the columns, which bound data must name as its own.
    #[must_use]
    pub fn column_types(&self) -> Vec<Ty> {
        self.columns.iter().map(|column| column.ty).collect()
    }

    /// Checks the data of one table and brings it into the form that the peer takes.
    ///
    /// # Errors
    /// Data that does not fit; the text names table and column.
    pub fn fit(&self, bound: &mut Bound, dialect: &Dialect) -> RawResult<()> {
        match (&bound.name, self.named) {
            (None, true) => {
                return Err(wrong(
                    "the statement has a `?` for the table, but no table name was given: call set_tbname(), \
             or give it with the columns",
                ));
            }
            (Some(name), false) => {
                return Err(wrong(format!(
                    "the statement has no `?` for a table, but the table name `{name}` was given"
                )));
            }
            _ => {}
        }
        let named = bound.name.as_deref();
        self.fit_tags(&mut bound.tags, named)?;
        counted("column", &self.columns, bound.columns.len(), named)?;
        even(&bound.columns, named, |index| {
            self.columns.get(index).map(|column| column.name.as_str())
        })?;
        for (index, (target, view)) in self.columns.iter().zip(&mut bound.columns).enumerate() {
            let what = What::new("column", target, named);
            dialect.check(&what, target.ty)?;
            let primary = index == 0 && self.primary_first && target.ty == Ty::Timestamp;
            if let Some(fitted) = fit_column(target, view, dialect, &what, primary)? {
                *view = fitted;
            }
        }
        Ok(())
    }
}

impl Layout {
    /// Checks tags and brings them into the form that the peer takes.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_tags(&self, tags: &mut [Value], table: Option<&str>) -> RawResult<()> {
        counted("tag", &self.tags, tags.len(), table)?;
        for (target, value) in self.tags.iter().zip(tags) {
            let what = What::new("tag", target, table);
            if let Some(fitted) = fit_tag(target, value, &what)? {
                *value = fitted;
            }
        }
        Ok(())
    }
}

/// Checks data whose placeholders nobody has told, which leaves counts and lengths.
pub(super) fn fit_unknown(outline: &Outline, bound: &Bound) -> RawResult<()> {
    if outline.table_mark && bound.name.is_none() {
        return Err(wrong(
            "the statement has a `?` for the table, but no table name was given: call set_tbname(), \
             or give it with the columns",
        ));
    }
    let marks = bound.tags.len() + bound.columns.len();
    if outline.insert && marks != outline.marks {
        return Err(wrong(format!(
            "{}the statement has {} `?` for tags and columns, but {marks} were given",
            At(bound.name.as_deref()),
            outline.marks
        )));
    }
    even(&bound.columns, bound.name.as_deref(), |_| None)
}

/// Checks the parameters of a query and brings them into the form that the peer takes.
pub(super) fn fit_query(count: usize, bound: &mut Bound, dialect: &Dialect) -> RawResult<()> {
    if bound.name.is_some() || !bound.tags.is_empty() {
        return Err(wrong(
            "a query takes columns only, without table name and tags",
        ));
    }
    if bound.columns.len() != count {
        return Err(wrong(format!(
            "the query has {count} `?`, but {} values were given",
            bound.columns.len()
        )));
    }
    for (index, view) in bound.columns.iter_mut().enumerate() {
        if view.len() != 1 {
            return Err(wrong(format!(
                "parameter {index} of the query has {} rows; each must have exactly one",
                view.len()
            )));
        }
        let text = match view.get(0) {
            Some(BorrowedValue::Timestamp(time)) => {
                // As text it is the same time whatever unit the table has.
                Some(
                    time.to_datetime_with_custom_tz(&chrono_tz::UTC)
                        .to_rfc3339(),
                )
            }
            Some(BorrowedValue::Decimal(v) | BorrowedValue::Decimal64(v)) => Some(v.to_string()),
            _ => None,
        };
        if let Some(text) = text {
            *view = ColumnView::from_varchar::<String, _, _, _>(vec![text]);
        }
        let ty = view.as_ty();
        if dialect.generation == Generation::First && matches!(ty, Ty::Geometry | Ty::Blob) {
            return Err(RawError::of(
                ErrorKind::Unsupported,
                format!(
                    "parameter {index} of the query is of type {ty}, which {dialect} does not take"
                ),
            ));
        }
    }
    Ok(())
}

/// ``table `d1`: `` in front of a message, or nothing.
struct At<'a>(Option<&'a str>);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(table) => write!(f, "table `{table}`: "),
            None => Ok(()),
        }
    }
}

/// The place of a value, for messages.
struct What<'a> {
    kind: &'static str,
    name: &'a str,
    table: Option<&'a str>,
}

impl<'a> What<'a> {
    fn new(kind: &'static str, target: &'a Target, table: Option<&'a str>) -> Self {
        Self {
            kind,
            name: &target.name,
            table,
        }
    }
}

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} `{}`", At(self.table), self.kind, self.name)
    }
}

fn counted(kind: &str, targets: &[Target], given: usize, table: Option<&str>) -> RawResult<()> {
    if targets.len() == given {
        return Ok(());
    }
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    Err(wrong(format!(
        "{}the statement has {} {kind}{} to bind ({}), but {given} {} given",
        At(table),
        targets.len(),
        if targets.len() == 1 { "" } else { "s" },
        names.join(", "),
        if given == 1 { "was" } else { "were" }
    )))
}

fn even<'n>(
    columns: &[ColumnView],
    table: Option<&str>,
    name: impl Fn(usize) -> Option<&'n str>,
) -> RawResult<()> {
    let of = |index: usize| match name(index) {
        Some(name) => format!("column `{name}`"),
        None => format!("column {index}"),
    };
    let rows = columns.first().map_or(0, ColumnView::len);
    if rows == 0 && !columns.is_empty() {
        return Err(wrong(format!("{}{} has no rows", At(table), of(0))));
    }
    match columns.iter().position(|column| column.len() != rows) {
        Some(index) => Err(wrong(format!(
            "{}{} has {} rows but {} has {rows}",
            At(table),
            of(index),
            columns.get(index).map_or(0, ColumnView::len),
            of(0)
        ))),
        None => Ok(()),
    }
}

const fn is_text(ty: Ty) -> bool {
    matches!(ty, Ty::VarChar | Ty::NChar)
}

impl Target {
    fn of(field: &Stmt2Field, unit: u8) -> RawResult<Self> {
        let unknown = |what: String| {
            RawError::of(
                ErrorKind::Protocol,
                format!("the placeholder `{}` was described with {what}", field.name),
            )
            .with_code(Code::WS_BAD_ANSWER)
        };
        let ty = u8::try_from(field.field_type)
            .ok()
            .and_then(Ty::from_u8_option)
            .ok_or_else(|| unknown(format!("the unknown type {}", field.field_type)))?;
        let precision = Precision::from_u8_option(unit)
            .ok_or_else(|| unknown(format!("the unknown time unit {unit}")))?;
        let told = ty.is_decimal() && field.precision > 0;
        Ok(Self {
            name: field.name.clone(),
            ty,
            precision,
            bytes: usize::try_from(field.bytes).unwrap_or(0),
            digits: told.then_some((field.precision, field.scale)),
        })
    }

    fn mismatch(&self, what: &What<'_>, given: Ty) -> RawError {
        wrong(format!(
            "{what} is of type {}, but {given} was given",
            self.ty
        ))
    }

    /// Longest value in bytes of UTF-8, or in characters for NCHAR; `None` if the peer shall say.
    const fn room(&self) -> Option<usize> {
        match self.ty {
            Ty::NChar => Some(self.bytes.saturating_sub(2) / 4),
            Ty::VarChar | Ty::VarBinary | Ty::Geometry => Some(self.bytes.saturating_sub(2)),
            _ => None,
        }
    }
}

fn too_long(what: &What<'_>, target: &Target, row: Option<usize>, len: usize) -> RawError {
    let unit = if target.ty == Ty::NChar {
        "characters"
    } else {
        "bytes"
    };
    let row = row.map_or_else(String::new, |row| format!(" in row {row}"));
    wrong(format!(
        "{what} takes {} {unit} at most, but the value{row} has {len}",
        target.room().unwrap_or(0)
    ))
}

/// `None` if the value is right as it is.
fn fit_tag(target: &Target, value: &Value, what: &What<'_>) -> RawResult<Option<Value>> {
    let given = value.ty();
    if value.is_null() {
        return Ok((given != target.ty).then_some(Value::Null(target.ty)));
    }
    let text = value.as_str();
    let len = match value {
        Value::VarBinary(bytes) | Value::Geometry(bytes) => Some(bytes.len()),
        _ if target.ty == Ty::NChar => text.map(|text| text.chars().count()),
        _ => text.map(str::len),
    };
    let same = given == target.ty
        || (text.is_some() && matches!(target.ty, Ty::VarChar | Ty::NChar | Ty::Json));
    let fitted = match value {
        Value::Timestamp(time) if same && time.precision() != target.precision => {
            Some(Value::Timestamp(time.cast_precision(target.precision)))
        }
        Value::VarChar(text) | Value::NChar(text) if same && given != target.ty => {
            Some(match target.ty {
                Ty::NChar => Value::NChar(text.clone()),
                Ty::Json => Value::Json(
                    serde_json::from_str(text)
                        .map_err(|error| wrong(format!("{what} takes JSON: {error}")))?,
                ),
                _ => Value::VarChar(text.clone()),
            })
        }
        _ if same => None,
        _ if given.is_integer() && target.ty.is_integer() => {
            let cast = ColumnView::from(value.clone())
                .cast(target.ty)
                .map_err(|error| wrong(format!("{what}: {error}")))?;
            cast.get(0).map(|cell| cell.to_value())
        }
        _ => return Err(target.mismatch(what, given)),
    };
    match (len, target.room()) {
        (Some(len), Some(room)) if len > room => Err(too_long(what, target, None, len)),
        _ => Ok(fitted),
    }
}

/// `None` if the column is right as it is.
fn fit_column(
    target: &Target,
    view: &ColumnView,
    dialect: &Dialect,
    what: &What<'_>,
    primary: bool,
) -> RawResult<Option<ColumnView>> {
    let given = view.as_ty();
    if primary && let Some(row) = view.first_null() {
        return Err(wrong(format!(
            "{what} is the primary timestamp, but row {row} is NULL"
        )));
    }
    if given.is_decimal() && target.ty.is_decimal() {
        return fit_decimal(target, view, what);
    }
    if given != target.ty && !(is_text(given) && is_text(target.ty)) {
        // NULL has no type that could be wrong.
        if (0..view.len()).all(|row| view.is_null(row)) {
            return Ok(Some(ColumnView::null(view.len(), target.ty)));
        }
        return Err(target.mismatch(what, given));
    }
    if given == Ty::Timestamp && view.precision() != target.precision {
        return cast_unit(target, view, what).map(Some);
    }
    if let Some(room) = target.room() {
        check_widths(target, view, room, what)?;
    }
    // The first generation takes the bytes for what the column is.
    if given != target.ty && dialect.generation == Generation::First {
        let cast = view.cast(target.ty);
        return cast
            .map(Some)
            .map_err(|error| wrong(format!("{what}: {error}")));
    }
    Ok(None)
}

fn cast_unit(target: &Target, view: &ColumnView, what: &What<'_>) -> RawResult<ColumnView> {
    let cast = view.cast_precision(target.precision);
    let scale = target.precision.ticks_per_second() / view.precision().ticks_per_second();
    if scale > 1
        && let ColumnView::Timestamp(times) = view
    {
        for (row, time) in times.iter().enumerate() {
            if time.is_some_and(|time| time.as_raw_i64().checked_mul(scale).is_none()) {
                return Err(wrong(format!(
                    "{what}: the time in row {row} is beyond what {} can say",
                    target.precision
                )));
            }
        }
    }
    Ok(cast)
}

fn check_widths(target: &Target, view: &ColumnView, room: usize, what: &What<'_>) -> RawResult<()> {
    let (from, to) = (view.as_ty(), target.ty);
    // A column of values is declared as wide as the longest of them.
    let declared = usize::try_from(view.schema().len).unwrap_or(usize::MAX);
    if from == to && declared <= target.bytes {
        return Ok(());
    }
    // Bytes of the block that no value of the right width exceeds, whatever its characters.
    let safe = match (from, to) {
        (Ty::NChar, Ty::NChar) => room * 4,
        _ => room,
    };
    if view.max_variable_length() <= safe {
        return Ok(());
    }
    for (row, payload) in view.payloads().enumerate() {
        let Some(payload) = payload else {
            continue;
        };
        let len = match (from, to) {
            (Ty::NChar, Ty::NChar) => payload.len() / 4,
            (Ty::NChar, _) => payload
                .chunks_exact(4)
                .map(|unit| match unit {
                    [0..=0x7F, 0, 0, 0] => 1,
                    [_, 0..=7, 0, 0] => 2,
                    [_, _, 0, 0] => 3,
                    _ => 4,
                })
                .sum(),
            // The bytes that begin a character of UTF-8.
            (_, Ty::NChar) => payload.iter().filter(|byte| **byte & 0xC0 != 0x80).count(),
            _ => payload.len(),
        };
        if len > room {
            return Err(too_long(what, target, Some(row), len));
        }
    }
    Ok(())
}

/// Brings decimals to the column's scale if that is exact.
fn fit_decimal(
    target: &Target,
    view: &ColumnView,
    what: &What<'_>,
) -> RawResult<Option<ColumnView>> {
    let Some((precision, scale)) = target.digits else {
        return Err(RawError::of(
            ErrorKind::Unsupported,
            format!("{what} is a decimal of which nobody tells the scale"),
        ));
    };
    let given = view.decimal_digits();
    if view.as_ty() == target.ty && given.1 == scale && given.0 <= precision && given.0 > 0 {
        return Ok(None);
    }
    let (ColumnView::Decimal(decimals) | ColumnView::Decimal64(decimals)) = view else {
        return Ok(None);
    };
    let limit = 10_u128.saturating_pow(precision.into());
    let rescaled = decimals
        .iter()
        .enumerate()
        .map(|(row, value)| {
            let fits = |value: Decimal| {
                value
                    .rescale(scale)
                    .filter(|unscaled| unscaled.unsigned_abs() < limit)
                    .ok_or_else(|| {
                        wrong(format!(
                            "{what} is DECIMAL({precision},{scale}), which cannot hold {value} of row \
                             {row} exactly"
                        ))
                    })
            };
            value.map(fits).transpose()
        })
        .collect::<RawResult<Vec<Option<i128>>>>()?;
    if target.ty == Ty::Decimal {
        return Ok(Some(ColumnView::from_decimal(rescaled, precision, scale)));
    }
    let narrow = rescaled
        .into_iter()
        .map(|value| value.and_then(|value| i64::try_from(value).ok()))
        .collect();
    Ok(Some(ColumnView::from_decimal64(narrow, precision, scale)))
}
