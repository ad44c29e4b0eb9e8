//! Which field of a record goes where, and the statement for it.

use serde::Serialize;

use super::record::{Fields, Record};
use super::refusal::Refusal;
use super::time::Clock;
use crate::block::ColumnBuilder;
use crate::common::Ty;
use crate::dsn::nearest;
use crate::error::{ErrorKind, RawError, RawResult};
use crate::helpers::{ColumnMeta, Describe};

/// The field that names a row's table.
pub(super) const TABLE_NAME: &str = "tbname";

/// A column or tag to write.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) ty: Ty,
    /// Characters of NCHAR, bytes of the other variable types, 0 where the server sets no limit.
    pub(super) width: usize,
    digits: (u8, u8),
    /// The time of the row, which cannot be NULL.
    pub(super) key: bool,
}

impl Column {
    fn new(meta: &ColumnMeta, key: bool) -> Self {
        let unlimited = meta.ty.is_blob() || meta.ty.is_json() || !meta.ty.is_var_type();
        Self {
            name: meta.field.clone(),
            ty: meta.ty,
            width: if unlimited { 0 } else { meta.length },
            digits: meta.decimal.unwrap_or_default(),
            key,
        }
    }

    /// A column beside the plan, for a value that is not bound.
    pub(super) const fn plain(ty: Ty) -> Self {
        Self {
            name: String::new(),
            ty,
            width: 0,
            digits: (0, 0),
            key: false,
        }
    }

    pub(super) const fn precision(&self) -> u8 {
        self.digits.0
    }

    pub(super) const fn scale(&self) -> u8 {
        self.digits.1
    }

    /// An empty column. NCHAR is bound as UTF-8, so its text is kept as it comes.
    pub(super) fn builder(&self) -> ColumnBuilder {
        let ty = match self.ty {
            Ty::NChar => Ty::VarChar,
            ty => ty,
        };
        ColumnBuilder::new(ty, 0, self.digits.0, self.digits.1)
    }

    /// Bytes that a row takes at least.
    fn floor(&self) -> usize {
        1 + if self.ty.is_var_type() {
            4
        } else {
            self.ty.fixed_length()
        }
    }
}

/// Where a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    TableName,
    Tag(usize),
    Column(usize),
}

/// How the table of a row is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// All rows go into the one table.
    One,
    /// The field `tbname` says it.
    Field,
    /// It is made from the tags.
    Tags,
}

/// The table as the server describes it.
#[derive(Debug)]
pub(super) struct Table {
    /// As the caller named it, for messages.
    pub(super) name: String,
    /// Quoted for SQL.
    pub(super) sql_name: String,
    pub(super) describe: Describe,
    pub(super) clock: Clock,
}

/// How records of one type are written.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) table: String,
    /// The table's name without database and quotes.
    pub(super) bare_name: String,
    pub(super) sql: String,
    pub(super) naming: Naming,
    pub(super) columns: Vec<Column>,
    pub(super) tags: Vec<Column>,
    pub(super) clock: Clock,
    /// Bytes of a row without its texts.
    pub(super) row_floor: usize,
    /// The fields of a struct in their order; empty for maps.
    fields: Vec<(&'static str, Place)>,
}

impl Plan {
    /// Looks at the first record and decides.
    ///
    /// # Errors
    /// A field that the table does not have, or one that is missing.
    pub(super) fn new<T: Serialize + ?Sized>(table: &Table, first: &T) -> RawResult<Self> {
        let mut names = Names::default();
        first
            .serialize(Record::new(&mut names))
            .map_err(|refusal| refusal.into_error().context(table.name.clone()))?;
        let given: Vec<&str> = names
            .fields
            .iter()
            .copied()
            .chain(names.keys.iter().map(String::as_str))
            .collect();
        check_names(table, &given)?;
        // A map may have other keys the next time, so all that the table has takes part.
        let is_map = names.fields.is_empty();
        let named = given.contains(&TABLE_NAME);
        let tagged = table.describe.tag_names().any(|tag| given.contains(&tag));
        let time = table.describe.time_column();
        let part = |tags: bool| -> Vec<Column> {
            table
                .describe
                .iter()
                .filter(|meta| meta.is_tag() == tags)
                .filter(|meta| given.contains(&meta.field()) || (is_map && (!tags || tagged)))
                .map(|meta| Column::new(meta, Some(meta) == time))
                .collect()
        };
        let (columns, tags) = (part(false), part(true));
        let naming = match (named, tagged) {
            (true, _) => Naming::Field,
            (false, true) => Naming::Tags,
            (false, false) => Naming::One,
        };
        let mut plan = Self {
            table: table.name.clone(),
            // The text before the last quote.
            bare_name: table
                .sql_name
                .rsplit('`')
                .nth(1)
                .unwrap_or_default()
                .to_owned(),
            sql: statement(&table.sql_name, naming, &tags, &columns),
            naming,
            row_floor: columns.iter().map(Column::floor).sum(),
            columns,
            tags,
            clock: table.clock,
            fields: Vec::new(),
        };
        plan.fields = names
            .fields
            .iter()
            .filter_map(|name| Some((*name, plan.find(name)?)))
            .collect();
        Ok(plan)
    }

    /// Where the struct's field goes that stands at `at` when no field is left out.
    #[inline(always)]
    pub(super) fn place(&self, at: usize, name: &'static str) -> Result<Place, Refusal> {
        match self.fields.get(at) {
            // The same text is nearly always the same constant.
            Some((known, place)) if std::ptr::eq(*known, name) || *known == name => Ok(*place),
            _ => self.place_by_name(name),
        }
    }

    #[cold]
    fn place_by_name(&self, name: &str) -> Result<Place, Refusal> {
        self.find(name).ok_or_else(|| {
            Refusal::new(format_args!(
                "field `{name}` was not in the first record, whose fields chose the columns"
            ))
        })
    }

    /// Where a field goes by its name alone.
    pub(super) fn find(&self, name: &str) -> Option<Place> {
        let among = |columns: &[Column]| columns.iter().position(|column| column.name == name);
        if name == TABLE_NAME {
            return Some(Place::TableName);
        }
        among(&self.columns)
            .map(Place::Column)
            .or_else(|| among(&self.tags).map(Place::Tag))
    }
}

/// The table has all that a record has, and the record has its time.
fn check_names(table: &Table, given: &[&str]) -> RawResult<()> {
    for name in given {
        if *name != TABLE_NAME && !table.describe.names().any(|known| known == *name) {
            return Err(unknown_field(table, name));
        }
    }
    let time = table.describe.time_column();
    let time = time.map_or("ts", |meta| meta.field());
    if given.contains(&time) {
        return Ok(());
    }
    Err(RawError::of(
        ErrorKind::Config,
        format!(
            "a record for `{}` needs the field `{time}`, the time of the row",
            table.name
        ),
    ))
}

fn unknown_field(table: &Table, name: &str) -> RawError {
    let known: Vec<&str> = table.describe.names().collect();
    let hint = match nearest(name, &known) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => ".".to_owned(),
    };
    RawError::of(
        ErrorKind::Config,
        format!(
            "`{}` has no column or tag for the field `{name}`{hint} It has: {}",
            table.name,
            known.join(", ")
        ),
    )
}

fn statement(table: &str, naming: Naming, tags: &[Column], columns: &[Column]) -> String {
    let named = tags.iter().chain(columns).map(|c| format!("`{}`", c.name));
    let names: Vec<String> = match naming {
        Naming::One => named.collect(),
        _ => std::iter::once(TABLE_NAME.to_owned())
            .chain(named)
            .collect(),
    };
    let marks = vec!["?"; names.len()].join(",");
    format!("INSERT INTO {table}({}) VALUES({marks})", names.join(","))
}

/// Collects the names of a record and none of its values.
#[derive(Default)]
struct Names {
    fields: Vec<&'static str>,
    keys: Vec<String>,
}

impl Fields for Names {
    fn field<V: Serialize + ?Sized>(&mut self, name: &'static str, _: &V) -> Result<(), Refusal> {
        self.fields.push(name);
        Ok(())
    }

    fn skipped(&mut self, name: &'static str) {
        self.fields.push(name);
    }

    fn entry<V: Serialize + ?Sized>(&mut self, name: &str, _: &V) -> Result<(), Refusal> {
        self.keys.push(name.to_owned());
        Ok(())
    }
}
