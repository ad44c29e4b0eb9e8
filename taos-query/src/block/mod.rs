//! Raw blocks: the columnar result format of the server, decoded and encoded (raw-block).
//!
//! [`RawBlock::parse_from_raw_block`] checks a block once; afterwards every access is infallible.
//! [`BlockWriter`] makes blocks from typed cells.

mod cell;
mod dump;
mod encode;
mod fuzz;
mod parse;
mod rows;
mod text;
mod v2;
pub mod views;

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use chrono_tz::Tz;

pub use encode::{BlockWriter, ColumnBuilder};
#[doc(hidden)]
pub use fuzz::fuzz_raw_block;
pub use rows::{IntoRows, RowValues, RowView, Rows};
pub use views::{CastError, ColSchema, ColumnView};

pub(crate) use parse::Column;
pub(crate) use text::decode as decode_nchar;

use crate::common::{BorrowedValue, Field, Precision, Ty, Value};
use crate::tmq::{FieldMore, MetaCreate};
use crate::{ErrorKind, RawError, RawResult};
use parse::Layout;

/// A checked raw block: rows in columns, as the server sent them.
///
/// Cloning is cheap, the bytes are shared.
///
/// # Dumps
///
/// [`Inlinable`](crate::util::Inlinable) and [`AsyncInlinable`](crate::util::AsyncInlinable) write a
/// block as: flags in 4 bytes, the [bytes of the block](Self::as_raw_bytes), the table's name behind
/// 2 bytes of length if bit 0 is set, and the name of each column behind 1 byte of length if bit 1 is
/// set. Bits 2 and 3 are always set, bits 8 and 9 hold the [`Precision`]. Flags of all ones stand for
/// the end, which [`read_optional_inlined`](crate::util::Inlinable::read_optional_inlined) gives as
/// `None`. It is the layout of the published crate; of its dumps, those with bit 4, whose NCHAR columns
/// it has turned into UTF-8, are understood too. That crate forgets the unit: blocks from its dumps
/// seem to be in milliseconds, which does not matter when they are written back.
#[derive(Clone)]
pub struct RawBlock {
    pub(crate) data: Arc<BlockData>,
    fields: Arc<[Field]>,
    named: bool,
    timezone: Option<Tz>,
    names: Option<Arc<Names>>,
    /// Made at the first access. They hold the data, so they must not lie inside it.
    views: Arc<OnceLock<Box<[ColumnView]>>>,
}

/// The checked bytes of a block.
pub(crate) struct BlockData {
    pub(crate) bytes: Bytes,
    pub(crate) rows: usize,
    pub(crate) precision: Precision,
    pub(crate) columns: Box<[Column]>,
    group_id: u64,
}

impl BlockData {
    fn parse(mut bytes: Bytes, precision: Precision) -> RawResult<Self> {
        let Layout {
            rows,
            group_id,
            length,
            columns,
        } = parse::parse(&bytes)?;
        bytes.truncate(length);
        Ok(Self {
            bytes,
            rows,
            precision,
            columns,
            group_id,
        })
    }

    /// One column of cells whose offsets need no check, because the builder has made them itself.
    /// `None` for types of which a builder takes what a block must not hold.
    fn of_cells(builder: &ColumnBuilder, precision: Precision) -> Option<Self> {
        if builder.ty().is_null() || builder.ty().is_decimal() || builder.ty() == Ty::NChar {
            return None;
        }
        let mut bytes = Vec::with_capacity(builder.byte_len());
        builder.append_to(&mut bytes);
        Some(Self {
            bytes: bytes.into(),
            rows: builder.len(),
            precision,
            columns: Box::new([Column::of_cells(builder)]),
            group_id: 0,
        })
    }

    /// One column of cells of the fixed width `N`, written where they stay.
    fn of_fixed<const N: usize>(
        ty: Ty,
        cells: impl ExactSizeIterator<Item = Option<[u8; N]>>,
        precision: Precision,
    ) -> Self {
        debug_assert_eq!(N, ty.fixed_length());
        let rows = cells.len();
        let head = rows.div_ceil(8);
        let mut bytes = vec![0; head + N * rows];
        let (flags, data) = bytes.split_at_mut(head);
        let (room, _) = data.as_chunks_mut::<N>();
        for (row, (place, cell)) in room.iter_mut().zip(cells).enumerate() {
            match cell {
                Some(cell) => *place = cell,
                None => {
                    if let Some(flags) = flags.get_mut(row / 8) {
                        *flags |= 0x80 >> (row % 8);
                    }
                }
            }
        }
        Self {
            bytes: bytes.into(),
            rows,
            precision,
            columns: Box::new([Column::of_fixed(ty, head, N * rows)]),
            group_id: 0,
        }
    }
}

/// Where the rows of a block belong; shared by all that is made of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    table: Option<String>,
    database: Option<Arc<str>>,
}

impl Names {
    pub(crate) fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }
}

impl RawBlock {
    /// Checks the bytes of a block whose timestamps have `precision`; nothing is copied.
    ///
    /// The columns have no names yet, see [`with_fields`](Self::with_fields).
    ///
    /// # Errors
    /// Kind [`Protocol`](ErrorKind::Protocol) if a length, offset or type id is wrong; the text
    /// names the column and row.
    pub fn parse_from_raw_block(bytes: impl Into<Bytes>, precision: Precision) -> RawResult<Self> {
        BlockData::parse(bytes.into(), precision).map(Self::of_data)
    }

    fn of_data(data: BlockData) -> Self {
        let fields = data.columns.iter().map(Column::unnamed_field).collect();
        Self::described(data, fields)
    }

    fn described(data: BlockData, fields: Arc<[Field]>) -> Self {
        Self {
            fields,
            data: Arc::new(data),
            named: false,
            timezone: None,
            names: None,
            views: Arc::default(),
        }
    }

    /// As [`parse_from_raw_block`](Self::parse_from_raw_block), where columns and table are known.
    pub(crate) fn parse_entry(
        bytes: Bytes,
        precision: Precision,
        fields: Option<Arc<[Field]>>,
        table: Option<String>,
    ) -> RawResult<Self> {
        let data = BlockData::parse(bytes, precision)?;
        let mut block = match fields {
            Some(fields) => {
                check_count(data.columns.len(), fields.len())?;
                let mut block = Self::described(data, fields);
                block.named = true;
                block
            }
            None => Self::of_data(data),
        };
        if let Some(table) = table {
            block.with_table_name(table);
        }
        Ok(block)
    }

    /// The type ids in the head of a block that is not checked yet.
    pub(crate) fn types_of(bytes: &[u8]) -> Option<impl Iterator<Item = u8>> {
        parse::types(bytes)
    }

    /// Checks several blocks that stand one after another.
    ///
    /// # Errors
    /// As [`parse_from_raw_block`](Self::parse_from_raw_block); the text names the block.
    pub fn parse_from_multi_raw_block(
        bytes: impl Into<Bytes>,
        precision: Precision,
    ) -> RawResult<Vec<Self>> {
        let mut rest: Bytes = bytes.into();
        let mut blocks = Vec::new();
        while !rest.is_empty() {
            let block = Self::parse_from_raw_block(rest.clone(), precision)
                .map_err(|error| error.context(format!("block {}", blocks.len())))?;
            // A checked block is at least one header long, so this makes progress.
            rest = rest.split_off(block.data.bytes.len());
            blocks.push(block);
        }
        Ok(blocks)
    }

    /// A block of columns of equal length; all timestamps are cast to `precision`.
    ///
    /// # Errors
    /// The columns differ in length, or a value is too long for a block.
    pub fn try_from_views(views: &[ColumnView], precision: Precision) -> RawResult<Self> {
        let bytes = views::encode_views(views, Some(precision))?;
        Self::parse_from_raw_block(bytes, precision)
    }

    /// As [`try_from_views`](Self::try_from_views); columns that cannot make a block give an empty
    /// one.
    pub fn from_views(views: &[ColumnView], precision: Precision) -> Self {
        Self::try_from_views(views, precision).unwrap_or_else(|error| {
            tracing::error!(%error, "columns do not make a block");
            Self::empty(precision)
        })
    }

    fn empty(precision: Precision) -> Self {
        Self::of_data(BlockData {
            bytes: Bytes::new(),
            rows: 0,
            precision,
            columns: Box::default(),
            group_id: 0,
        })
    }

    /// Names the columns by the fields of the query's answer.
    ///
    /// # Errors
    /// The number of fields is not the number of columns.
    pub fn with_fields(&mut self, fields: Arc<[Field]>) -> RawResult<&mut Self> {
        check_count(self.ncols(), fields.len())?;
        self.fields = fields;
        self.named = true;
        Ok(self)
    }

    /// Names the columns, first to last; surplus names are ignored.
    pub fn with_field_names<S: fmt::Display, I: IntoIterator<Item = S>>(
        &mut self,
        names: I,
    ) -> &mut Self {
        let mut names = names.into_iter();
        self.fields = self
            .fields
            .iter()
            .map(|field| {
                let name = names
                    .next()
                    .map_or_else(|| field.name().to_owned(), |name| name.to_string());
                Field::new(name, field.ty(), field.bytes())
            })
            .collect();
        self.named = true;
        self
    }

    /// Says which table the rows belong to.
    pub fn with_table_name(&mut self, name: impl Into<String>) -> &mut Self {
        Arc::make_mut(self.names.get_or_insert_default()).table = Some(name.into());
        self
    }

    /// Says which database the rows belong to.
    pub fn with_database_name(&mut self, name: impl Into<String>) -> &mut Self {
        let name: String = name.into();
        self.with_shared_database_name(name.into())
    }

    /// As [`with_database_name`](Self::with_database_name), for many blocks of one database.
    #[doc(hidden)]
    pub fn with_shared_database_name(&mut self, name: Arc<str>) -> &mut Self {
        Arc::make_mut(self.names.get_or_insert_default()).database = Some(name);
        self
    }

    pub(crate) const fn names(&self) -> Option<&Arc<Names>> {
        self.names.as_ref()
    }

    /// Sets the zone in which timestamps become text; without one it is the machine's.
    pub fn with_timezone(&mut self, timezone: impl Into<Option<Tz>>) -> &mut Self {
        self.timezone = timezone.into();
        self
    }

    /// Number of columns.
    pub fn ncols(&self) -> usize {
        self.data.columns.len()
    }

    /// Number of rows.
    pub fn nrows(&self) -> usize {
        self.data.rows
    }

    /// The unit of the timestamps.
    pub fn precision(&self) -> Precision {
        self.data.precision
    }

    /// The group of the rows, 0 unless the plan groups; opaque.
    pub fn group_id(&self) -> u64 {
        self.data.group_id
    }

    /// The table that the rows belong to, where known.
    pub fn table_name(&self) -> Option<&str> {
        self.names.as_ref()?.table()
    }

    /// The database that the rows belong to, where known.
    pub fn tmq_db_name(&self) -> Option<&str> {
        self.names.as_ref()?.database.as_deref()
    }

    /// The zone in which timestamps become text, if one was set.
    pub fn timezone(&self) -> Option<Tz> {
        self.timezone
    }

    /// The columns' names, types and declared widths; names are empty until they were set.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The fields in their shared form.
    pub fn fields_shared(&self) -> &Arc<[Field]> {
        &self.fields
    }

    /// True if the columns were given names.
    pub(crate) fn is_named(&self) -> bool {
        self.named
    }

    /// The columns' names.
    pub fn field_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.fields.iter().map(Field::name)
    }

    /// Type and schema width of each column.
    pub fn schemas(&self) -> Vec<ColSchema> {
        self.data.columns.iter().map(ColSchema::of).collect()
    }

    /// The columns as typed views that share the block's bytes.
    pub fn column_views(&self) -> &[ColumnView] {
        self.views.get_or_init(|| {
            (0..self.ncols())
                .filter_map(|col| ColumnView::of_block(&self.data, col))
                .collect()
        })
    }

    /// The columns one after another.
    pub fn columns(&self) -> std::slice::Iter<'_, ColumnView> {
        self.column_views().iter()
    }

    /// The rows; they borrow the block and cannot outlive it.
    ///
    /// ```compile_fail,E0505
    /// # fn keep(block: taos_query::block::RawBlock) {
    /// let mut rows = block.rows();
    /// drop(block);
    /// rows.next();
    /// # }
    /// ```
    pub fn rows(&self) -> Rows<'_> {
        Rows::new(self)
    }

    /// The rows, each holding on to the block.
    pub fn into_rows(self) -> IntoRows {
        IntoRows::new(self)
    }

    /// True if the cell is NULL or outside the block.
    pub fn is_null(&self, row: usize, col: usize) -> bool {
        self.data
            .columns
            .get(col)
            .is_none_or(|column| row >= self.nrows() || self.data.is_null(column, row))
    }

    /// One cell, or `None` outside the block.
    pub fn get_ref(&self, row: usize, col: usize) -> Option<BorrowedValue<'_>> {
        let column = self.data.columns.get(col)?;
        (row < self.nrows()).then(|| self.data.value(column, row))
    }

    /// All cells, row by row.
    pub fn to_values(&self) -> Vec<Vec<Value>> {
        self.rows().map(RowView::into_values).collect()
    }

    /// The block's bytes, without anything that followed them.
    pub fn as_raw_bytes(&self) -> &Bytes {
        &self.data.bytes
    }

    /// The statement that would create a table for these rows; `None` if the block does not know its
    /// table. The widths of DECIMAL columns are not part of it.
    pub fn to_create(&self) -> Option<MetaCreate> {
        Some(MetaCreate::Normal {
            table_name: self.table_name()?.to_owned(),
            columns: self.fields.iter().cloned().map(FieldMore::from).collect(),
        })
    }

    /// The rows of both blocks, columns cast to this block's types where they differ.
    ///
    /// # Errors
    /// The numbers of columns differ, or a column cannot be cast.
    pub fn concat(&self, other: &Self) -> RawResult<Self> {
        if self.ncols() != other.ncols() {
            return Err(RawError::of(
                ErrorKind::Config,
                format!(
                    "blocks of {} and {} columns cannot be joined",
                    self.ncols(),
                    other.ncols()
                ),
            ));
        }
        let views = self
            .columns()
            .zip(other.columns())
            .map(|(a, b)| a.try_concat_as(b, a.as_ty()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| RawError::of(ErrorKind::Decode, e.to_string()).with_source(e))?;
        let mut block = Self::try_from_views(&views, self.precision())?;
        self.describe(&mut block);
        Ok(block)
    }

    /// The same rows with timestamps in another unit.
    pub fn cast_precision(&self, precision: Precision) -> Self {
        if precision == self.precision() {
            return self.clone();
        }
        let mut block = Self::from_views(self.column_views(), precision);
        self.describe(&mut block);
        block
    }

    fn describe(&self, other: &mut Self) {
        if other.ncols() == self.ncols() {
            other.fields = Arc::clone(&self.fields);
            other.named = self.named;
        }
        other.timezone = self.timezone;
        other.names.clone_from(&self.names);
    }

    /// The rows as a table of text.
    pub fn pretty_format(&self) -> PrettyBlock<'_> {
        PrettyBlock(self)
    }
}

fn check_count(columns: usize, fields: usize) -> RawResult<()> {
    if columns == fields {
        return Ok(());
    }
    Err(RawError::of(
        ErrorKind::Protocol,
        format!("a block of {columns} columns came for a result of {fields} fields"),
    ))
}

impl fmt::Debug for RawBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawBlock")
            .field("rows", &self.nrows())
            .field("fields", &self.fields())
            .field("precision", &self.precision())
            .field("table", &self.table_name())
            .finish_non_exhaustive()
    }
}

/// Prints a block as a table, see [`RawBlock::pretty_format`].
pub struct PrettyBlock<'a>(&'a RawBlock);

impl fmt::Display for PrettyBlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header: Vec<&str> = self.0.field_names().collect();
        let rows: Vec<Vec<String>> = self
            .0
            .rows()
            .map(|row| row.map(|(_, value)| format!("{value}")).collect())
            .collect();
        let width = |col: usize| {
            rows.iter()
                .filter_map(|row| row.get(col))
                .map(String::as_str)
                .chain(header.get(col).copied())
                .map(|text| text.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        if let Some(table) = self.0.table_name() {
            writeln!(f, "table: {table}")?;
        }
        for (text, width) in header.iter().zip(&widths) {
            write!(f, " {text:width$} |")?;
        }
        for row in &rows {
            writeln!(f)?;
            for (text, width) in row.iter().zip(&widths) {
                write!(f, " {text:width$} |")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PrettyBlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
