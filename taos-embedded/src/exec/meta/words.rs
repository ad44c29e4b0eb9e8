//! What messages say about columns, in the words of statements.

use std::collections::HashMap;

use taos_query::common::Ty;

use super::super::describe::default_compression;
use super::unfit;
use crate::catalog::TableDef;
use crate::meta::{Action, Column, Compression, Schema, SuperTable};
use crate::plan::ColumnInfo;
use crate::sql::SqlError;
use crate::sql::ast::{AlterAction, ColumnDef, DataType, Ident, OptionValue, Span, SqlOption};

/// Of a column: it is part of the key (tmq-raw §2.2).
const KEY_FLAG: u8 = 0x04;
const ENCODES: [(u32, &str); 5] = [
    (1, "simple8b"),
    (2, "delta-i"),
    (3, "bit-packing"),
    (4, "delta-d"),
    (0xff, "disabled"),
];
const COMPRESSES: [(u32, &str); 6] = [
    (1, "lz4"),
    (2, "zlib"),
    (3, "zstd"),
    (4, "tsz"),
    (5, "xz"),
    (0xff, "disabled"),
];
const LEVELS: [(u32, &str); 3] = [(1, "low"), (2, "medium"), (3, "high")];

pub(super) fn ident(name: &str) -> Ident {
    Ident {
        name: name.to_owned(),
        quoted: true,
        span: Span::default(),
    }
}

pub(super) fn option(name: &str, value: OptionValue) -> SqlOption {
    SqlOption {
        name: name.to_owned(),
        values: vec![value],
        span: Span::default(),
    }
}

/// A type by its number, the bytes that a value takes, and the digits of a decimal.
fn data_type(ty: u8, bytes: i32, digits: i32) -> Result<DataType, SqlError> {
    let ty = Ty::from_u8_option(ty).ok_or_else(|| unfit(format_args!("type {ty} of a column")))?;
    let bytes = u32::try_from(bytes).unwrap_or_default();
    let length = match ty {
        Ty::VarChar | Ty::VarBinary | Ty::Geometry => Some(bytes.saturating_sub(2)),
        Ty::NChar => Some(bytes.saturating_sub(2) / 4),
        _ => None,
    };
    let digits = u32::try_from(digits).unwrap_or_default();
    Ok(DataType {
        ty,
        length,
        precision: (digits >> 8) & 0xff,
        scale: digits & 0xff,
    })
}

/// The words for a column's way of packing, 0 standing for what is not named.
pub(crate) fn compression_words(form: u32) -> [(&'static str, Option<&'static str>); 3] {
    let word = |words: &[(u32, &'static str)], number: u32| {
        let found = words.iter().find(|(of, _)| *of == number);
        found.map(|(_, word)| *word)
    };
    [
        ("encode", word(&ENCODES, form >> 24)),
        ("compress", word(&COMPRESSES, (form >> 8) & 0xffff)),
        ("level", word(&LEVELS, form & 0xff)),
    ]
}

/// The number for a column's way of packing: encode, compress, level; what is no such word is 0.
pub(in super::super) fn compression_form(words: [&str; 3]) -> u32 {
    let number = |numbers: &[(u32, &str)], word: &str| {
        let found = numbers.iter().find(|(_, of)| *of == word);
        found.map_or(0, |(number, _)| *number)
    };
    let [encode, compress, level] = words;
    number(&ENCODES, encode) << 24 | number(&COMPRESSES, compress) << 8 | number(&LEVELS, level)
}

fn compression_options(form: u32) -> Vec<SqlOption> {
    let text = |(name, word): (&str, Option<&str>)| {
        word.map(|word| option(name, OptionValue::Word(word.to_owned())))
    };
    compression_words(form)
        .into_iter()
        .filter_map(text)
        .collect()
}

/// True if a column is packed as its type usually is.
fn is_usual(ty: Ty, form: u32) -> bool {
    let mut words = compression_words(form)
        .into_iter()
        .zip(default_compression(ty));
    words.all(|((_, word), usual)| word.is_none_or(|word| word == usual))
}

fn column_def(column: &Column, form: Option<u32>, digits: i32) -> Result<ColumnDef, SqlError> {
    let data_type = data_type(column.ty, column.bytes, digits)?;
    Ok(ColumnDef {
        name: ident(&column.name),
        data_type,
        composite_key: column.flags & KEY_FLAG != 0,
        options: match form {
            Some(form) if !is_usual(data_type.ty, form) => compression_options(form),
            _ => Vec::new(),
        },
    })
}

pub(super) fn column_defs(
    schema: &Schema,
    compression: Option<&Compression>,
    digits: Option<&[i32]>,
) -> Result<Vec<ColumnDef>, SqlError> {
    let forms: HashMap<i32, u32> = compression
        .map(|all| all.columns.iter().copied().collect())
        .unwrap_or_default();
    let digits = digits.unwrap_or_default();
    let columns = schema.columns.iter().enumerate();
    columns
        .map(|(at, column)| {
            let digits = digits.get(at).copied().unwrap_or_default();
            column_def(column, forms.get(&column.id).copied(), digits)
        })
        .collect()
}

fn undescribed(name: &str) -> SqlError {
    unfit(format_args!("{name} is changed but not described"))
}

/// What a change of a super table asks for, its columns and tags as they are afterwards.
pub(super) fn super_actions(table: &SuperTable) -> Result<Vec<AlterAction>, SqlError> {
    let Some(change) = &table.change else {
        return Err(SqlError::unsupported(
            "write_raw of a changed super table without its statement",
        ));
    };
    let digits = table.digits.as_deref();
    let columns = column_defs(&table.columns, Some(&table.compression), digits)?;
    let tags = column_defs(&table.tags, None, None)?;
    let find = |defs: &[ColumnDef], name: &str| {
        let found = defs.iter().find(|def| def.name.name == name);
        found.cloned().ok_or_else(|| undescribed(name))
    };
    let names: Vec<&str> = change.fields.iter().map(|f| f.name.as_str()).collect();
    if let (3 | 10, [from, to]) = (change.kind, names.as_slice()) {
        let (from, to) = (ident(from), ident(to));
        return Ok(vec![match change.kind {
            3 => AlterAction::RenameTag(from, to),
            _ => AlterAction::RenameColumn(from, to),
        }]);
    }
    let action = |name: &str| {
        Ok(match change.kind {
            1 => AlterAction::AddTag(find(&tags, name)?),
            2 => AlterAction::DropTag(ident(name)),
            5 | 14 => AlterAction::AddColumn(find(&columns, name)?),
            6 => AlterAction::DropColumn(ident(name)),
            7 => AlterAction::ModifyColumn(ident(name), find(&columns, name)?.data_type),
            8 => AlterAction::ModifyTag(ident(name), find(&tags, name)?.data_type),
            13 => {
                let column = table.columns.columns.iter().find(|c| c.name == name);
                let forms = &table.compression.columns;
                let form = forms
                    .iter()
                    .find(|(id, _)| column.is_some_and(|c| c.id == *id));
                let (_, form) = form.ok_or_else(|| undescribed(name))?;
                AlterAction::ModifyColumnOptions(ident(name), compression_options(*form))
            }
            other => {
                return Err(SqlError::unsupported(format!(
                    "write_raw of changes of super tables of kind {other}"
                )));
            }
        })
    };
    match change.kind {
        9 => Ok(Vec::new()),
        _ => names.into_iter().map(action).collect(),
    }
}

pub(super) fn table_action(action: &Action, def: &TableDef) -> Result<AlterAction, SqlError> {
    Ok(match action {
        Action::AddColumn {
            name,
            ty,
            flags,
            bytes,
            compression,
            digits,
        } => {
            let column = Column {
                ty: *ty,
                flags: *flags,
                bytes: *bytes,
                id: 0,
                name: name.clone(),
            };
            AlterAction::AddColumn(column_def(&column, *compression, *digits)?)
        }
        Action::DropColumn(name) => AlterAction::DropColumn(ident(name)),
        Action::Widen { name, bytes, .. } => {
            // the type that the message names is not always filled in
            let ty = def.column(name).map_or(Ty::Null, |(_, column)| column.ty);
            AlterAction::ModifyColumn(ident(name), data_type(ty.as_u8(), *bytes, 0)?)
        }
        Action::Rename(from, to) => AlterAction::RenameColumn(ident(from), ident(to)),
        Action::Compress(name, form) => {
            AlterAction::ModifyColumnOptions(ident(name), compression_options(*form))
        }
        Action::SetTag(_) | Action::SetTags(_) | Action::Options { .. } => {
            return Err(unfit("a normal table has no tags"));
        }
    })
}

/// True if a change has been made before.
pub(super) fn is_done(def: &TableDef, action: &AlterAction) -> bool {
    let same = |found: Option<(usize, &ColumnInfo)>, new: &ColumnDef| {
        found.is_some_and(|(_, column)| column.ty == new.data_type.ty)
    };
    let wide = |found: Option<(usize, &ColumnInfo)>, to: &DataType| {
        found.is_some_and(|(_, column)| {
            column.ty == to.ty && to.length.is_some_and(|length| column.length >= length)
        })
    };
    match action {
        AlterAction::AddColumn(new) => same(def.column(&new.name.name), new),
        AlterAction::AddTag(new) => same(def.tag(&new.name.name), new),
        AlterAction::DropColumn(name) => def.column(&name.name).is_none(),
        AlterAction::DropTag(name) => def.tag(&name.name).is_none(),
        AlterAction::ModifyColumn(name, to) => wide(def.column(&name.name), to),
        AlterAction::ModifyTag(name, to) => wide(def.tag(&name.name), to),
        AlterAction::RenameColumn(from, to) => {
            def.column(&from.name).is_none() && def.column(&to.name).is_some()
        }
        AlterAction::RenameTag(from, to) => {
            def.tag(&from.name).is_none() && def.tag(&to.name).is_some()
        }
        _ => false,
    }
}
