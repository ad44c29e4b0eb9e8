//! The owner of a `TAOS_STMT*`: statements of the first generation (native-ffi §6.1).

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use taos_query::abi::{TaosFieldE, TaosMultiBind};
use taos_query::stmt::{BindType, Stmt2Field};
use taos_query::{ErrorKind, RawError, RawResult};

use super::connection::Connection;
use super::statement::Shape;
use super::{error, free, signed_id, text};
use crate::ffi::{Api, TaosRes, TaosStmt};
use crate::stmt::encode::{Column, Table};

/// A statement of the first generation. Closing it blocks.
pub(crate) struct NativeStmt {
    stmt: NonNull<TaosStmt>,
    /// The number of tags that the library reads; `None` until it has told.
    tags: Option<usize>,
    /// The number of columns, or of parameters, of the table that is set.
    params: Option<usize>,
    connection: Arc<Connection>,
}

// SAFETY: "A statement handle is single-threaded (move between threads allowed, no concurrent calls)" (native-ffi §6.2).
unsafe impl Send for NativeStmt {}
// SAFETY: every call of the library needs `&mut self`.
unsafe impl Sync for NativeStmt {}

impl NativeStmt {
    pub(super) fn open(connection: Arc<Connection>, req_id: u64) -> RawResult<Self> {
        let library = connection.library();
        // SAFETY: the connection is open, and lives as long as the statement.
        let stmt = unsafe {
            match library.api.taos_stmt_init_with_reqid.found() {
                Some(init) => init(connection.as_ptr(), signed_id(req_id)),
                None => (library.api.taos_stmt_init)(connection.as_ptr()),
            }
        };
        let Some(stmt) = NonNull::new(stmt) else {
            return Err(error::last(library).context("opening a statement"));
        };
        Ok(Self {
            stmt,
            tags: None,
            params: None,
            connection,
        })
    }

    pub(super) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    fn api(&self) -> &'static Api {
        &self.connection.library().api
    }

    fn checked(&mut self, code: c_int, what: &'static str) -> RawResult<()> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: the statement is open; its text stays until the next call.
        let words = unsafe { text::read((self.api().taos_stmt_errstr)(self.stmt.as_ptr())) };
        Err(error::of_code(code, words).context(what))
    }

    pub(crate) fn prepare(&mut self, sql: &str) -> RawResult<()> {
        (self.tags, self.params) = (None, None);
        let sql = text::c_text("the statement", sql)?;
        // SAFETY: the statement is open; a length of 0 lets the library look for the NUL.
        let code = unsafe { (self.api().taos_stmt_prepare)(self.stmt.as_ptr(), sql.as_ptr(), 0) };
        self.checked(code, "preparing the statement")
    }

    pub(crate) fn is_insert(&mut self) -> RawResult<bool> {
        let mut insert: c_int = 0;
        // SAFETY: the statement is open, and so is the place for the answer.
        let code = unsafe { (self.api().taos_stmt_is_insert)(self.stmt.as_ptr(), &raw mut insert) };
        self.checked(code, "preparing the statement")?;
        Ok(insert != 0)
    }

    pub(crate) fn set_table(&mut self, name: &str) -> RawResult<()> {
        let name = text::c_text("the table name", name)?;
        self.set_table_text(&name)
    }

    fn set_table_text(&mut self, name: &CString) -> RawResult<()> {
        // No two tables need be alike, nor one table at two times.
        self.params = None;
        // SAFETY: the statement is open, and the text lives until the call returns.
        let code = unsafe { (self.api().taos_stmt_set_tbname)(self.stmt.as_ptr(), name.as_ptr()) };
        self.checked(code, "naming the table")
    }

    /// The number of binds that the library reads: the parameters of a query, or the columns of an INSERT whose table is
    /// known.
    pub(crate) fn params(&mut self) -> RawResult<usize> {
        if let Some(known) = self.params {
            return Ok(known);
        }
        let mut count: c_int = 0;
        // SAFETY: the statement is open, and so is the place for the answer.
        let code = unsafe { (self.api().taos_stmt_num_params)(self.stmt.as_ptr(), &raw mut count) };
        self.checked(code, "asking for the number of parameters")?;
        let count = usize::try_from(count).unwrap_or(0);
        self.params = Some(count);
        Ok(count)
    }

    /// What the library reads of the table that is set.
    fn shape(&mut self) -> RawResult<Shape> {
        Ok(Shape {
            tags: self.tags.unwrap_or(0),
            columns: self.params()?,
        })
    }

    /// The tags, or the columns, of a statement whose table is known.
    pub(crate) fn fields(&mut self, kind: BindType) -> RawResult<Vec<Stmt2Field>> {
        let api = self.api();
        let ask = if kind == BindType::Tag {
            api.taos_stmt_get_tag_fields
        } else {
            api.taos_stmt_get_col_fields
        };
        let mut count: c_int = 0;
        let mut fields: *mut TaosFieldE = ptr::null_mut();
        // SAFETY: the statement is open, and so are the places for the answer.
        let code = unsafe { ask(self.stmt.as_ptr(), &raw mut count, &raw mut fields) };
        self.checked(code, "asking for the fields of the statement")?;
        let len = usize::try_from(count).unwrap_or(0);
        if kind == BindType::Tag {
            self.tags = Some(len);
        }
        let Some(given) = NonNull::new(fields) else {
            return Ok(Vec::new());
        };
        // SAFETY: the library has given so many, and they stay until they are given back.
        let list = unsafe { slice::from_raw_parts(given.as_ptr(), len) };
        let read = list.iter().map(|field| field_of(field, kind)).collect();
        // SAFETY: the library's own, not used any more, and given back once.
        unsafe {
            match api.taos_stmt_reclaim_fields.found() {
                Some(reclaim) => reclaim(self.stmt.as_ptr(), given.as_ptr()),
                None => free(given.as_ptr().cast()),
            }
        }
        Ok(read)
    }

    /// Gives the data of one table as one batch.
    ///
    /// # Errors
    /// The library's, and for other numbers of tags and columns than it would read.
    pub(crate) fn bind(&mut self, table: &mut Table, insert: bool) -> RawResult<()> {
        if let Some(name) = &table.name {
            let name = name.clone();
            self.set_table_text(&name)?;
        }
        if !table.tags.is_empty() && self.tags.is_none() {
            self.fields(BindType::Tag)?;
        }
        self.shape()?.check(table)?;
        if !table.tags.is_empty() {
            let mut tags: Vec<TaosMultiBind> = table.tags.iter_mut().map(multi_bind).collect();
            // SAFETY: the statement is open, and there are as many binds as the library reads, by its own account
            // (`shape`). What they point to lives until the call returns, which copies it.
            let code =
                unsafe { (self.api().taos_stmt_set_tags)(self.stmt.as_ptr(), tags.as_mut_ptr()) };
            self.checked(code, "binding tags")?;
        }
        let mut columns: Vec<TaosMultiBind> = table.columns.iter_mut().map(multi_bind).collect();
        let bind = if insert {
            self.api().taos_stmt_bind_param_batch
        } else {
            self.api().taos_stmt_bind_param
        };
        // SAFETY: as above, for columns or parameters.
        let code = unsafe { bind(self.stmt.as_ptr(), columns.as_mut_ptr()) };
        self.checked(code, "binding columns")?;
        // SAFETY: the statement is open.
        let code = unsafe { (self.api().taos_stmt_add_batch)(self.stmt.as_ptr()) };
        self.checked(code, "binding columns")
    }

    /// Runs it; gives the rows changed.
    pub(crate) fn execute(&mut self) -> RawResult<usize> {
        // SAFETY: the statement is open.
        let code = unsafe { (self.api().taos_stmt_execute)(self.stmt.as_ptr()) };
        self.checked(code, "executing the statement")?;
        // SAFETY: as above.
        let rows = unsafe { (self.api().taos_stmt_affected_rows_once)(self.stmt.as_ptr()) };
        Ok(usize::try_from(rows).unwrap_or(0))
    }

    /// The result, which is the statement's.
    pub(super) fn use_result(&mut self) -> RawResult<*mut TaosRes> {
        // SAFETY: the statement is open.
        let res = unsafe { (self.api().taos_stmt_use_result)(self.stmt.as_ptr()) };
        if res.is_null() {
            let error = error::last(self.connection.library());
            return Err(if error.code().success() {
                no_result()
            } else {
                error
            });
        }
        Ok(res)
    }
}

impl Drop for NativeStmt {
    fn drop(&mut self) {
        // SAFETY: ours, closed nowhere else, and before its connection.
        let code = unsafe { (self.api().taos_stmt_close)(self.stmt.as_ptr()) };
        if code != 0 {
            tracing::debug!(code, "the client library could not close a statement");
        }
    }
}

/// The library has executed a query, and has no rows of it.
pub(super) fn no_result() -> RawError {
    RawError::of(
        ErrorKind::Protocol,
        "the client library gave no result of an executed query",
    )
}

fn field_of(field: &TaosFieldE, kind: BindType) -> Stmt2Field {
    Stmt2Field::new(
        text::of_array(&field.name),
        field.r#type,
        field.precision,
        field.scale,
        field.bytes,
        kind,
    )
}

/// Points to what the column owns.
fn multi_bind(column: &mut Column) -> TaosMultiBind {
    let (buffer, length, is_null) = pointers(column);
    TaosMultiBind {
        buffer_type: column.ty.as_u8().into(),
        buffer,
        buffer_length: column.stride,
        length,
        is_null,
        num: column.rows,
    }
}

/// Where the values, lengths and NULL flags of a column are; NULL for those that it has not.
pub(super) fn pointers(column: &mut Column) -> (*mut c_void, *mut i32, *mut c_char) {
    let buffer = if column.values.is_empty() {
        ptr::null_mut()
    } else {
        column.values.as_mut_ptr()
    };
    let lengths = column.lengths.as_mut();
    let nulls = column.nulls.as_mut();
    (
        buffer,
        lengths.map_or(ptr::null_mut(), Vec::as_mut_ptr),
        nulls.map_or(ptr::null_mut(), |nulls| nulls.as_mut_ptr().cast()),
    )
}
