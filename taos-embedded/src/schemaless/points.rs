//! Points gathered by super table and subtable, so that each table is touched once.

use std::borrow::Cow;
use std::collections::HashMap;

use rusqlite::types::Value;
use taos_query::common::Ty;

use super::bad::{COLUMN_NAME, OTHER_TYPE, TABLE_NAME, duplicate_key, near};
use super::name::{of_child, without_dots};
use super::value::Cell;
use super::{NO_TAG, TIME};
use crate::sql::SqlError;

/// Longest name of a column or tag in bytes.
const LONGEST_KEY: usize = 64;
/// Longest name of a table in bytes.
const LONGEST_NAME: usize = 192;
/// Layouts of rows that are looked through for a row that is newer than all before it.
const LAYOUTS: usize = 16;

/// A payload by table.
#[derive(Debug, Default)]
pub(crate) struct Points {
    pub(crate) measures: Vec<Measure>,
}

/// What the payload says of one super table.
#[derive(Debug)]
pub(crate) struct Measure {
    pub(crate) name: String,
    /// The columns but the time, in the order in which they came up.
    pub(crate) columns: Vec<Field>,
    pub(crate) tags: Vec<Field>,
    pub(crate) children: Vec<Child>,
    by_column: HashMap<String, usize>,
    by_tag: HashMap<String, usize>,
    by_child: HashMap<String, usize>,
}

/// A column or tag.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) ty: Ty,
    /// Bytes of the longest text.
    pub(crate) length: usize,
    /// Where in the payload it was first seen.
    pub(crate) place: usize,
    /// The last row that had it.
    row: u64,
}

/// A subtable's rows.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) name: String,
    /// Values of the measure's tags by their positions.
    pub(crate) tags: Vec<(usize, Value)>,
    /// To be written in this order.
    pub(crate) groups: Vec<Group>,
    newest: i64,
}

/// Rows of the same columns.
#[derive(Debug)]
pub(crate) struct Group {
    /// Positions among the measure's columns.
    pub(crate) columns: Vec<usize>,
    /// A time and a value for each column, row after row.
    pub(crate) values: Vec<Value>,
}

impl Child {
    fn push(&mut self, time: i64, columns: &[usize], values: impl Iterator<Item = Value>) {
        let last = self.groups.len().saturating_sub(1);
        let same = |group: &Group| group.columns == columns;
        // A row that is newer than all others may be written before them: it meets none.
        let at = match self.groups.last() {
            Some(group) if same(group) => Some(last),
            Some(_) if time > self.newest => self.groups.iter().take(LAYOUTS).position(same),
            _ => None,
        };
        self.newest = self.newest.max(time);
        let row = std::iter::once(Value::Integer(time)).chain(values);
        match at.and_then(|at| self.groups.get_mut(at)) {
            Some(group) => group.values.extend(row),
            None => self.groups.push(Group {
                columns: columns.to_vec(),
                values: row.collect(),
            }),
        }
    }
}

/// Refuses a key that no column can have.
pub(super) fn check_key(key: &str, shown: &str) -> Result<(), SqlError> {
    if key.is_empty() || key.len() > LONGEST_KEY {
        let what = "SML invalid key or key is too long than 64";
        return Err(near(COLUMN_NAME, what, shown));
    }
    Ok(())
}

/// Refuses a name that no table can have.
pub(super) fn check_name(name: &str, what: &str, shown: &str) -> Result<(), SqlError> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(near(TABLE_NAME, what, shown));
    }
    Ok(())
}

impl Measure {
    fn new(name: String) -> Self {
        Self {
            name,
            columns: Vec::new(),
            tags: Vec::new(),
            children: Vec::new(),
            by_column: HashMap::new(),
            by_tag: HashMap::new(),
            by_child: HashMap::new(),
        }
    }
}

/// The position of a field among `fields`, which is added or widened. `hint` is where it probably is.
fn note(
    fields: &mut Vec<Field>,
    by_name: &mut HashMap<String, usize>,
    hint: usize,
    key: &str,
    cell: &Cell,
    (place, row): (usize, u64),
) -> Result<usize, SqlError> {
    let at = if fields.get(hint).is_some_and(|field| field.name == key) {
        Some(hint)
    } else {
        by_name.get(key).copied()
    };
    let Some((at, field)) = at.and_then(|at| Some((at, fields.get_mut(at)?))) else {
        by_name.insert(key.to_owned(), fields.len());
        fields.push(Field {
            name: key.to_owned(),
            ty: cell.ty,
            length: cell.length,
            place,
            row,
        });
        return Ok(fields.len() - 1);
    };
    if field.ty != cell.ty {
        let what = "SML the type is not the same as before";
        return Err(near(OTHER_TYPE, what, key));
    }
    if field.row == row {
        return Err(duplicate_key(key));
    }
    field.row = row;
    field.length = field.length.max(cell.length);
    Ok(at)
}

/// A key and its value, and where the key is in the payload.
pub(super) type Tag<'a> = (Cow<'a, str>, Cell, usize);

/// Gathers points.
pub(super) struct Collector<'k> {
    points: Points,
    by_name: HashMap<String, usize>,
    /// The tag whose value names the subtable.
    name_key: &'k str,
    /// Counts rows and subtables, to notice a key that comes twice in one.
    row: u64,
    /// The row under way.
    columns: Vec<usize>,
    values: Vec<Value>,
}

impl<'k> Collector<'k> {
    pub(super) fn new(name_key: &'k str) -> Self {
        Self {
            points: Points::default(),
            by_name: HashMap::new(),
            name_key,
            row: 1,
            columns: Vec::new(),
            values: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Points {
        self.points
    }

    /// The number of a super table, by its name as the payload has it.
    pub(super) fn measure(&mut self, name: &str) -> usize {
        let name = without_dots(name);
        if let Some(&at) = self.by_name.get(name.as_ref()) {
            return at;
        }
        let at = self.points.measures.len();
        self.by_name.insert(name.clone().into_owned(), at);
        self.points.measures.push(Measure::new(name.into_owned()));
        at
    }

    /// The number of the subtable for these tags; `raw` is the super table's name as its hash has it.
    pub(super) fn child(
        &mut self,
        measure: usize,
        raw: &str,
        mut tags: Vec<Tag<'_>>,
    ) -> Result<usize, SqlError> {
        self.row += 1;
        let Some(of) = self.points.measures.get_mut(measure) else {
            return Err(crate::store::internal("a subtable without a super table"));
        };
        let mut name = String::new();
        let named = tags.iter().position(|(key, cell, _)| {
            key == self.name_key && matches!(cell.value, Value::Text(_))
        });
        if let Some(named) = named
            && let (
                _,
                Cell {
                    value: Value::Text(text),
                    ..
                },
                _,
            ) = tags.remove(named)
        {
            name = without_dots(crate::sql::clip(&text, LONGEST_NAME)).into_owned();
        }
        if name.is_empty() {
            name = of_child(raw, tags.iter().map(|(key, cell, _)| (key.as_ref(), cell)));
        }
        let mut values = Vec::with_capacity(tags.len());
        for (hint, (key, cell, place)) in tags.into_iter().enumerate() {
            let seen = (place, self.row);
            let at = note(&mut of.tags, &mut of.by_tag, hint, &key, &cell, seen)?;
            values.push((at, cell.value));
        }
        if let Some(&at) = of.by_child.get(&name) {
            return Ok(at);
        }
        let at = of.children.len();
        of.by_child.insert(name.clone(), at);
        of.children.push(Child {
            name,
            tags: values,
            groups: Vec::new(),
            newest: i64::MIN,
        });
        Ok(at)
    }

    /// Begins a row.
    pub(super) fn begin(&mut self) {
        self.row += 1;
        self.columns.clear();
        self.values.clear();
    }

    /// Adds a value to the row under way.
    pub(super) fn cell(
        &mut self,
        measure: usize,
        key: &str,
        cell: Cell,
        place: usize,
    ) -> Result<(), SqlError> {
        if key == TIME {
            return Err(duplicate_key(key));
        }
        if let Some(of) = self.points.measures.get_mut(measure) {
            // rows tend to have the columns of the row before
            let hint = self.columns.last().map_or(0, |last| last + 1);
            let seen = (place, self.row);
            let at = note(&mut of.columns, &mut of.by_column, hint, key, &cell, seen)?;
            self.columns.push(at);
            self.values.push(cell.value);
        }
        Ok(())
    }

    /// Ends the row.
    pub(super) fn end(&mut self, measure: usize, child: usize, time: i64) {
        let of = self.points.measures.get_mut(measure);
        if let Some(child) = of.and_then(|of| of.children.get_mut(child)) {
            child.push(time, &self.columns, self.values.drain(..));
        }
    }
}

impl Measure {
    /// The tags of a super table made for it.
    pub(crate) fn tags_or_none(&self) -> Cow<'_, [Field]> {
        if self.tags.is_empty() {
            return Cow::Owned(vec![Field {
                name: NO_TAG.to_owned(),
                ty: Ty::NChar,
                length: 0,
                place: 0,
                row: 0,
            }]);
        }
        Cow::Borrowed(&self.tags)
    }
}
