//! What a bind of a second-generation statement carries (taosadapter-ws §9.3, §9.5), read.

use super::reader::{Reader, Short};
use super::stmt2::{HEAD, VERSION};
use bytes::Bytes;
use std::ops::Range;
use taos_query::common::Ty;

/// Placeholders of one code-11 request.
const MAX_FIELDS: u32 = 4096;

/// A stmt2_bind (code 9) as a server sees it; every length in it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stmt2Bind {
    /// -1 if the tables carry all columns, else the number of the one that they carry.
    pub col_idx: i32,
    /// The tables, at least one.
    pub tables: Vec<Stmt2Table>,
}

/// The data of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stmt2Table {
    /// The name, `None` if the client gave none.
    pub name: Option<String>,
    /// One item a tag; none if the bind carries no tags.
    pub tags: Vec<BindItem>,
    /// One item a column; none if the bind carries no columns.
    pub columns: Vec<BindItem>,
}

/// A stmt2_bind_exec (code 11) as a server sees it (§9.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stmt2BindExec {
    /// Rows of every item, at least one.
    pub rows: usize,
    /// Runs of equal table name, as the client counted them.
    pub tables: u32,
    /// One item a placeholder, in the order of the statement's fields.
    pub fields: Vec<BindItem>,
}

/// The values of one placeholder; views of the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindItem {
    /// The type id as it stands in the frame, which may be none of [`Ty`].
    pub ty: i32,
    /// Number of rows.
    pub num: usize,
    /// One byte a row, not 0 for NULL.
    pub is_null: Bytes,
    /// The length of each value; `None` for fixed widths.
    pub lengths: Option<Vec<i32>>,
    /// The values one behind the other; may be empty if all are NULL.
    pub buffer: Bytes,
}

impl BindItem {
    /// The type, if it is a known one.
    #[must_use]
    pub fn known_type(&self) -> Option<Ty> {
        u8::try_from(self.ty).ok().and_then(Ty::from_u8_option)
    }

    /// True if the row is NULL or beyond the end.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        self.is_null.get(row).is_none_or(|flag| *flag != 0)
    }

    /// The bytes of each value, `None` for NULL: little-endian for fixed widths, UTF-8 for text.
    pub fn values(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let width = self.known_type().map_or(0, Ty::fixed_length);
        let mut at = 0;
        (0..self.num).map(move |row| {
            let len = match &self.lengths {
                Some(lengths) => lengths
                    .get(row)
                    .and_then(|len| usize::try_from(*len).ok())?,
                None => width,
            };
            let range: Range<usize> = at..at + len;
            // With lengths, a NULL takes no room.
            if self.is_null(row) {
                at += if self.lengths.is_some() { 0 } else { width };
                return None;
            }
            at = range.end;
            self.buffer.get(range)
        })
    }
}

fn short(_: Short) -> String {
    "message length is too short".into()
}

/// Reads the body of a stmt2_bind, which is what follows the 24 bytes of the frame's head.
///
/// # Errors
/// The adapter's words for a layout error (§9.4), to be answered with code 0xffff.
pub fn decode_stmt2_bind(body: &Bytes) -> Result<Stmt2Bind, String> {
    let mut reader = Reader::new(body);
    let version = reader.u16().map_err(short)?;
    let col_idx = i32::from_le_bytes(reader.u32().map_err(short)?.to_le_bytes());
    if version != VERSION {
        return Err("unknown stmt2 bind version".into());
    }
    let tables = decode_tables(&reader.rest(), col_idx >= 0)?;
    Ok(Stmt2Bind { col_idx, tables })
}

/// Reads the payload of a stmt2_bind for all columns, without what stands before it in the frame.
///
/// # Errors
/// As [`decode_stmt2_bind`].
pub fn decode_stmt2_payload(payload: &Bytes) -> Result<Vec<Stmt2Table>, String> {
    decode_tables(payload, false)
}

/// The head of a payload.
struct Head {
    tables: usize,
    tags: usize,
    columns: usize,
    offsets: [usize; 3],
}

impl Head {
    fn read(payload: &Bytes) -> Result<Self, String> {
        if payload.len() < HEAD {
            return Err(format!("data length is less than {HEAD}"));
        }
        let mut reader = Reader::new(payload);
        let mut next = || reader.u32().map_err(short).map(to_usize);
        let total = next()?;
        if total != payload.len() {
            return Err(format!(
                "total length not match, expect {total}, but get {}",
                payload.len()
            ));
        }
        let (tables, tags, columns) = (next()?, next()?, next()?);
        let head = Self {
            tables,
            tags,
            columns,
            offsets: [next()?, next()?, next()?],
        };
        head.check(payload.len())?;
        Ok(head)
    }

    fn check(&self, total: usize) -> Result<(), String> {
        if self.tables == 0 {
            return Err("table count is 0".into());
        }
        let [names, tags, columns] = self.offsets;
        if names == 0 && tags == 0 && columns == 0 {
            return Err("no table names, tags or columns".into());
        }
        for (what, count, offset) in [("tag", self.tags, tags), ("column", self.columns, columns)] {
            if (count == 0) != (offset == 0) {
                return Err(format!(
                    "{what} count is {count} but {what}s offset is {offset}"
                ));
            }
        }
        for (what, offset, unit) in [
            ("table names", names, 2),
            ("tags", tags, 4),
            ("columns", columns, 4),
        ] {
            // Behind the offset stands at least one length a table.
            let least = offset.saturating_add(self.tables.saturating_mul(unit));
            if offset != 0 && (offset < HEAD || least > total) {
                return Err(format!(
                    "{what} out of range, total length: {total}, offset: {offset}"
                ));
            }
        }
        Ok(())
    }
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn decode_tables(payload: &Bytes, single: bool) -> Result<Vec<Stmt2Table>, String> {
    let head = Head::read(payload)?;
    let [names_at, tags_at, columns_at] = head.offsets;
    let mut names = match names_at {
        0 => Vec::new(),
        at => read_names(&payload.slice(at..), head.tables)?,
    }
    .into_iter();
    let mut tags = match tags_at {
        0 => Vec::new(),
        at => read_groups(&payload.slice(at..), head.tables, head.tags, "tag")?,
    }
    .into_iter();
    let count = if single { 1 } else { head.columns };
    let mut columns = match columns_at {
        0 => Vec::new(),
        at => read_groups(&payload.slice(at..), head.tables, count, "column")?,
    }
    .into_iter();
    // One of the sections holds that many entries, so the frame bounds the allocation.
    Ok((0..head.tables)
        .map(|_| Stmt2Table {
            name: names.next().flatten(),
            tags: tags.next().unwrap_or_default(),
            columns: columns.next().unwrap_or_default(),
        })
        .collect())
}

fn read_names(section: &Bytes, tables: usize) -> Result<Vec<Option<String>>, String> {
    let mut reader = Reader::new(section);
    let out_of_range = |index: usize| format!("table names out of range, tableIndex: {index}");
    let mut lengths = Vec::with_capacity(tables.min(section.len() / 2));
    for index in 0..tables {
        lengths.push(reader.u16().map_err(|_| out_of_range(index))?);
    }
    let mut names = Vec::with_capacity(lengths.len());
    for (index, length) in lengths.into_iter().enumerate() {
        if length == 0 {
            return Err(format!("table name length is 0, tableIndex: {index}"));
        }
        let bytes = reader
            .bytes(length.into())
            .map_err(|_| out_of_range(index))?;
        let name = match bytes.split_last() {
            Some((0, name)) => name,
            _ => return Err(format!("table name is not terminated, tableIndex: {index}")),
        };
        let name = std::str::from_utf8(name)
            .map_err(|_| format!("table name is not UTF-8, tableIndex: {index}"))?;
        names.push((!name.is_empty()).then(|| name.to_owned()));
    }
    Ok(names)
}

/// The items of each table; `count` of them.
fn read_groups(
    section: &Bytes,
    tables: usize,
    count: usize,
    what: &str,
) -> Result<Vec<Vec<BindItem>>, String> {
    let mut reader = Reader::new(section);
    let out_of_range = |index: usize| format!("{what}s out of range, tableIndex: {index}");
    let mut lengths = Vec::with_capacity(tables.min(section.len() / 4));
    for index in 0..tables {
        match reader.u32().map_err(|_| out_of_range(index))? {
            0 => return Err(format!("{what} length is 0, tableIndex: {index}")),
            length => lengths.push(length),
        }
    }
    let mut groups = Vec::with_capacity(lengths.len());
    for (table, length) in lengths.into_iter().enumerate() {
        let group = reader.bytes(length).map_err(|_| out_of_range(table))?;
        groups.push(read_items(&group, count, table)?);
    }
    Ok(groups)
}

fn read_items(group: &Bytes, count: usize, table: usize) -> Result<Vec<BindItem>, String> {
    let mut reader = Reader::new(group);
    // No item is shorter than 17 bytes.
    let mut items = Vec::with_capacity(count.min(group.len() / 17));
    for field in 0..count {
        let bad = || format!("bind data length error, tableIndex: {table}, fieldIndex: {field}");
        items.push(read_item(&mut reader).ok_or_else(bad)?);
    }
    if reader.remaining() > 0 {
        return Err(format!(
            "bind data length error, tableIndex: {table}, fieldIndex: {count}"
        ));
    }
    Ok(items)
}

/// One item, or `None` if its lengths contradict each other.
fn read_item(reader: &mut Reader<'_>) -> Option<BindItem> {
    let length = reader.u32().ok()?;
    let item = reader.bytes(length.checked_sub(4)?).ok()?;
    let mut reader = Reader::new(&item);
    let ty = i32::from_le_bytes(reader.u32().ok()?.to_le_bytes());
    let rows = reader.u32().ok()?;
    i32::try_from(rows).ok()?;
    let is_null = reader.bytes(rows).ok()?;
    let lengths = match reader.u8().ok()? {
        0 => None,
        _ => {
            let bytes = reader.bytes(rows.checked_mul(4)?).ok()?;
            let (lengths, _) = bytes.as_chunks::<4>();
            Some(lengths.iter().map(|n| i32::from_le_bytes(*n)).collect())
        }
    };
    let buffer_length = reader.u32().ok()?;
    let buffer = reader.bytes(buffer_length).ok()?;
    let item = BindItem {
        ty,
        num: to_usize(rows),
        is_null,
        lengths,
        buffer,
    };
    (reader.remaining() == 0 && item.fits()).then_some(item)
}

impl BindItem {
    /// True if the buffer holds exactly the values that flags and lengths announce.
    fn fits(&self) -> bool {
        let used = match (&self.lengths, self.known_type()) {
            (Some(lengths), _) => lengths
                .iter()
                .enumerate()
                .filter(|(row, _)| !self.is_null(*row))
                .try_fold(0_usize, |sum, (_, len)| {
                    sum.checked_add(usize::try_from(*len).ok()?)
                }),
            (None, Some(ty)) if ty.fixed_length() > 0 => ty.fixed_length().checked_mul(self.num),
            // Which type the column has is for the engine to say.
            (None, _) => return true,
        };
        used == Some(self.buffer.len())
            || (self.buffer.is_empty() && self.is_null.iter().all(|flag| *flag != 0))
    }
}

/// Reads the body of a stmt2_bind_exec (§9.5), which is what follows the 24 bytes of the frame's
/// head.
///
/// # Errors
/// As [`decode_stmt2_bind`].
pub fn decode_stmt2_bind_exec(body: &Bytes) -> Result<Stmt2BindExec, String> {
    let mut reader = Reader::new(body);
    if reader.u16().map_err(short)? != VERSION {
        return Err("unknown stmt2 bind version".into());
    }
    let payload = reader.rest();
    let mut reader = Reader::new(&payload);
    let mut next = || {
        reader
            .u32()
            .map_err(|_| "data length is less than 20".to_owned())
    };
    let (total, rows, tables, count, offset) = (next()?, next()?, next()?, next()?, next()?);
    if to_usize(total) != payload.len() {
        return Err(format!(
            "total length not match, expect {total}, but get {}",
            payload.len()
        ));
    }
    if rows == 0 || count == 0 || count > MAX_FIELDS {
        return Err(format!("row count is {rows}, field count is {count}"));
    }
    let offset = to_usize(offset);
    if offset < 20 || offset > payload.len() {
        return Err(format!(
            "fields out of range, total length: {total}, offset: {offset}"
        ));
    }
    let fields = read_items(&payload.slice(offset..), to_usize(count), 0)?;
    let rows = to_usize(rows);
    if let Some(field) = fields.iter().position(|item| item.num != rows) {
        return Err(format!(
            "bind data length error, tableIndex: 0, fieldIndex: {field}"
        ));
    }
    Ok(Stmt2BindExec {
        rows,
        tables,
        fields,
    })
}

/// Feeds arbitrary bytes to the readers of bound data; used by the fuzz target and its corpus.
///
/// What is accepted must be whole: as many values as rows, and a value for each that is not NULL.
pub fn fuzz_bind(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let check = |item: &BindItem| {
        assert_eq!(item.values().count(), item.num, "{item:?}");
        let fixed = item.known_type().map_or(0, Ty::fixed_length);
        if item.lengths.is_none() && fixed == 0 {
            return;
        }
        for (row, value) in item.values().enumerate() {
            assert_eq!(value.is_none(), item.is_null(row), "row {row} of {item:?}");
        }
    };
    if let Ok(bind) = decode_stmt2_bind(&body) {
        for table in &bind.tables {
            table.tags.iter().chain(&table.columns).for_each(check);
        }
    }
    if let Ok(bind) = decode_stmt2_bind_exec(&body) {
        bind.fields.iter().for_each(check);
    }
}
