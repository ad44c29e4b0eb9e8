//! Reading messages. Every length is checked against the bytes that are there.

use bytes::Bytes;

use super::wire::{Bad, Cursor, malformed};
use super::{
    ALTER_SUPER, ALTER_TABLE, Action, Alter, CREATE_SUPER, CREATE_TABLES, ChangedField, Column,
    Compression, DELETE, DROP_SUPER, DROP_TABLES, Deletion, DroppedTable, Meta, NewKind, NewTable,
    Schema, SuperChange, SuperTable, TagSetting, Tags,
};

/// The length of the message and the number of its vgroup.
const HEAD: usize = 8;
/// What is in front of each message of a batch: kind, code, epoch, consumer and two versions, aligned. No
/// batch has been recorded.
const BATCH_HEAD: usize = 40;
/// More than a table can have.
const MOST_COLUMNS: usize = 4096;

/// A message of a type that [`is_meta`](super::is_meta) holds for.
///
/// # Errors
/// What does not fit the layout, or is not known here.
pub(crate) fn decode(raw_type: u16, raw: &Bytes) -> Result<Meta, Bad> {
    let mut cursor = Cursor::new(raw.clone());
    cursor.take(HEAD)?;
    match raw_type {
        CREATE_SUPER => super_table(&mut cursor.part()?).map(Meta::CreateSuper),
        ALTER_SUPER => super_table(&mut cursor.part()?).map(Meta::AlterSuper),
        DROP_SUPER => {
            let mut part = cursor.part()?;
            Ok(Meta::DropSuper {
                name: part.text()?,
                uid: part.i64()?,
            })
        }
        CREATE_TABLES => {
            let mut part = cursor.part()?;
            let tables = list(&mut part, new_table)?;
            let source = optional(&mut part, Cursor::u8)?;
            Ok(Meta::CreateTables { tables, source })
        }
        ALTER_TABLE => alter(&mut cursor.part()?).map(Meta::AlterTable),
        DROP_TABLES => list(&mut cursor.part()?, dropped).map(Meta::DropTables),
        DELETE => deletion(&mut cursor).map(Meta::Delete),
        other => Err(Bad::Unsupported(format!("messages of type {other}"))),
    }
}

/// The messages of a batch.
///
/// # Errors
/// As [`decode`].
pub(crate) fn decode_batch(raw: &Bytes) -> Result<Vec<Meta>, Bad> {
    let mut cursor = Cursor::new(raw.clone());
    let count = cursor.i32()?;
    let mut metas = Vec::new();
    for _ in 0..count.max(0) {
        let mut one = Cursor::new(cursor.binary()?);
        one.take(BATCH_HEAD)?;
        offset(&mut one)?;
        let raw_type = one.i16()?.cast_unsigned();
        metas.push(decode(raw_type, &one.binary()?)?);
    }
    Ok(metas)
}

/// A table that a data message creates.
///
/// # Errors
/// As [`decode`].
pub(crate) fn decode_new_table(raw: &Bytes) -> Result<NewTable, Bad> {
    new_table(&mut Cursor::new(raw.clone()))
}

/// An offset (tmq-raw §2.1), which says nothing about tables.
fn offset(cursor: &mut Cursor) -> Result<(), Bad> {
    let kind = cursor.u8()?;
    if kind & 0x80 != 0 {
        return Ok(());
    }
    match kind & 0x0f {
        1 => cursor.take(8).map(drop),
        2 | 3 => {
            cursor.take(16)?;
            if kind >> 4 == 0 {
                return Ok(());
            }
            let key = cursor.u8()?;
            let is_text =
                taos_query::common::Ty::from_u8_option(key).is_some_and(|ty| ty.is_var_type());
            if is_text {
                cursor.binary().map(drop)
            } else {
                cursor.take(8).map(drop)
            }
        }
        other => Err(malformed(format!("{other} is no kind of offset"))),
    }
}

fn list<T>(part: &mut Cursor, read: impl Fn(&mut Cursor) -> Result<T, Bad>) -> Result<Vec<T>, Bad> {
    let count = part.zigzag()?;
    let mut all = Vec::new();
    for _ in 0..count.max(0) {
        all.push(read(part)?);
    }
    Ok(all)
}

/// A field that older releases do not write.
fn optional<T: Default>(
    part: &mut Cursor,
    read: impl Fn(&mut Cursor) -> Result<T, Bad>,
) -> Result<T, Bad> {
    if part.is_empty() {
        return Ok(T::default());
    }
    read(part)
}

fn schema(part: &mut Cursor) -> Result<Schema, Bad> {
    let count = Cursor::count(part.zigzag()?, MOST_COLUMNS, "columns")?;
    let version = part.zigzag32()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(Column {
            ty: part.u8()?,
            flags: part.u8()?,
            bytes: part.zigzag32()?,
            id: part.zigzag32()?,
            name: part.text()?,
        });
    }
    Ok(Schema { version, columns })
}

fn compression(part: &mut Cursor) -> Result<Compression, Bad> {
    let count = Cursor::count(part.zigzag()?, MOST_COLUMNS, "columns")?;
    let version = part.zigzag32()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push((part.zigzag32()?, part.u32()?));
    }
    Ok(Compression { version, columns })
}

fn digits(part: &mut Cursor, columns: &Schema) -> Result<Option<Vec<i32>>, Bad> {
    if optional(part, Cursor::u8)? == 0 {
        return Ok(None);
    }
    let all = columns.columns.iter().map(|_| part.zigzag32());
    all.collect::<Result<_, _>>().map(Some)
}

fn super_table(part: &mut Cursor) -> Result<SuperTable, Bad> {
    let (name, uid) = (part.text()?, part.i64()?);
    if part.u8()? != 0 {
        return Err(Bad::Unsupported("super tables with roll-up".to_owned()));
    }
    let (columns, tags) = (schema(part)?, schema(part)?);
    let change = match part.i32()? {
        1.. => Some(super_change(&mut Cursor::new(part.binary()?))?),
        _ => None,
    };
    let source = optional(part, Cursor::u8)?;
    let is_compressed = optional(part, Cursor::u8)?;
    let compression = optional(part, compression)?;
    let keep = if part.is_empty() { -1 } else { part.i64()? };
    let digits = digits(part, &columns)?;
    if optional(part, Cursor::u8)? != 0 {
        return Err(Bad::Unsupported("virtual tables".to_owned()));
    }
    Ok(SuperTable {
        name,
        uid,
        columns,
        tags,
        change,
        source,
        is_compressed,
        compression,
        keep,
        digits,
    })
}

fn super_change(cursor: &mut Cursor) -> Result<SuperChange, Bad> {
    let mut part = cursor.part()?;
    let (full_name, kind) = (part.text()?, part.u8()?);
    let count = Cursor::count(part.i32()?.into(), MOST_COLUMNS, "columns")?;
    let mut fields = Vec::new();
    for _ in 0..count {
        fields.push(ChangedField {
            ty: part.u8()?,
            bytes: part.i32()?,
            name: part.text()?,
            compression: match kind {
                14 => Some(part.u32()?),
                _ => None,
            },
        });
    }
    Ok(SuperChange {
        full_name,
        kind,
        fields,
        rest: part.rest(),
    })
}

fn new_table(cursor: &mut Cursor) -> Result<NewTable, Bad> {
    let mut part = cursor.part()?;
    let flags = part.zigzag32()?;
    let name = part.text()?;
    let (uid, created, ttl) = (part.i64()?, part.i64()?, part.i32()?);
    let kind = part.u8()?;
    let comment = match part.i32()? {
        1.. => Some(part.text()?),
        0 => Some(String::new()),
        _ => None,
    };
    let mut sql = Bytes::new();
    let mut statement = |part: &mut Cursor| -> Result<(), Bad> {
        if optional(part, Cursor::i32)? > 0 {
            sql = part.binary()?;
        }
        Ok(())
    };
    let kind = match kind {
        2 => {
            let kind = child(&mut part)?;
            statement(&mut part)?;
            kind
        }
        3 => {
            let columns = schema(&mut part)?;
            statement(&mut part)?;
            let compression = optional(&mut part, compression)?;
            let digits = digits(&mut part, &columns)?;
            NewKind::Normal {
                columns,
                compression,
                digits,
            }
        }
        other => return Err(Bad::Unsupported(format!("tables of kind {other}"))),
    };
    Ok(NewTable {
        flags,
        name,
        uid,
        created,
        ttl,
        comment,
        kind,
        sql,
    })
}

fn child(part: &mut Cursor) -> Result<NewKind, Bad> {
    let stable = part.text()?;
    let (tag_count, super_uid) = (part.u8()?, part.i64()?);
    let tags = Tags::decode(&part.binary()?)?;
    let count = Cursor::count(part.i32()?.into(), MOST_COLUMNS, "tags")?;
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(part.text()?);
    }
    Ok(NewKind::Child {
        stable,
        tag_count,
        super_uid,
        tags,
        names,
    })
}

fn alter(part: &mut Cursor) -> Result<Alter, Bad> {
    let table = part.text()?;
    let kind = part.u8()?;
    let column_id = part.i32()?;
    let mut action = action(part, kind)?;
    let changed = optional(part, Cursor::i64)?;
    let source = optional(part, Cursor::u8)?;
    if let Action::AddColumn { digits, .. } = &mut action {
        *digits = optional(part, Cursor::i32)?;
    }
    Ok(Alter {
        table,
        action,
        column_id,
        changed,
        source,
        ids: (0, 0),
    })
}

fn action(part: &mut Cursor, kind: u8) -> Result<Action, Bad> {
    Ok(match kind {
        4 => Action::SetTag(tag_setting(part, 0)?),
        5 | 14 => Action::AddColumn {
            name: part.text()?,
            ty: part.u8()?,
            flags: part.u8()?,
            bytes: part.zigzag32()?,
            compression: match kind {
                14 => Some(part.u32()?),
                _ => None,
            },
            digits: 0,
        },
        6 => Action::DropColumn(part.text()?),
        7 => Action::Widen {
            name: part.text()?,
            ty: part.u8()?,
            bytes: part.zigzag32()?,
        },
        9 => {
            let ttl = match part.u8()? {
                0 => None,
                _ => Some(part.zigzag32()?),
            };
            let comment = match part.zigzag32()? {
                1.. => Some(part.text()?),
                0 => Some(String::new()),
                _ => None,
            };
            Action::Options { ttl, comment }
        }
        10 => Action::Rename(part.text()?, part.text()?),
        13 => Action::Compress(part.text()?, part.u32()?),
        15 => Action::SetTags(list(part, |part| {
            let id = part.zigzag32()?;
            tag_setting(part, id)
        })?),
        other => {
            return Err(Bad::Unsupported(format!(
                "changes of tables of kind {other}"
            )));
        }
    })
}

fn tag_setting(part: &mut Cursor, id: i32) -> Result<TagSetting, Bad> {
    let name = part.text()?;
    let (is_null, ty) = (part.u8()?, part.u8()?);
    let value = match is_null {
        0 => Some(part.binary()?),
        _ => None,
    };
    Ok(TagSetting {
        id,
        name,
        ty,
        value,
    })
}

fn dropped(cursor: &mut Cursor) -> Result<DroppedTable, Bad> {
    let mut part = cursor.part()?;
    let table = DroppedTable {
        name: part.text()?,
        super_uid: part.i64()?,
        uid: part.i64()?,
        if_exists: part.u8()?,
    };
    if optional(&mut part, Cursor::u8)? != 0 {
        return Err(Bad::Unsupported("virtual tables".to_owned()));
    }
    Ok(table)
}

fn deletion(cursor: &mut Cursor) -> Result<Deletion, Bad> {
    Ok(Deletion {
        super_uid: cursor.i64()?,
        uids: list(cursor, Cursor::i64)?,
        range: (cursor.i64()?, cursor.i64()?),
        affected: cursor.zigzag()?,
        table: cursor.text()?,
        time_column: cursor.text()?,
        changed: optional(cursor, Cursor::i64)?,
        source: optional(cursor, Cursor::u8)?,
    })
}
