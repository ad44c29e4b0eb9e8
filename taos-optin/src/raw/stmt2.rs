//! The owner of a `TAOS_STMT2*`: statements of the second generation (native-ffi §6.2).

use std::ffi::{c_char, c_int};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use taos_query::abi::{TaosFieldAll, TaosStmt2Bind, TaosStmt2Bindv, TaosStmt2Option};
use taos_query::stmt::{BindType, Stmt2Field};
use taos_query::{ErrorKind, RawError, RawResult};

use super::connection::Connection;
use super::statement::{Opening, Shape};
use super::stmt::{no_result, pointers};
use super::{error, signed_id, text};
use crate::ffi::{Api, TaosRes, TaosStmt2};
use crate::stmt::encode::{Column, Table};

/// A statement of the second generation. Closing it blocks.
pub(crate) struct NativeStmt2 {
    stmt: NonNull<TaosStmt2>,
    /// A thread of the library's may work on what was bound until the execution (native-ffi §6.2).
    interlaced: bool,
    /// What the library reads of each table, unless that depends on the table.
    shape: Option<Shape>,
    pending: Vec<Binds>,
    connection: Arc<Connection>,
}

// SAFETY: "A statement handle is single-threaded (move between threads allowed, no concurrent calls)" (native-ffi §6.2);
// and what the pointers of `pending` point to moves with them.
unsafe impl Send for NativeStmt2 {}
// SAFETY: every call of the library needs `&mut self`, and so does every look at `pending`.
unsafe impl Sync for NativeStmt2 {}

impl NativeStmt2 {
    pub(super) fn open(connection: Arc<Connection>, opening: Opening) -> RawResult<Self> {
        let library = connection.library();
        let init = library.api.taos_stmt2_init.get()?;
        let mut option = TaosStmt2Option {
            reqid: signed_id(opening.req_id),
            singleStbInsert: opening.single_stb_insert,
            singleTableBindOnce: opening.single_table_bind_once,
            asyncExecFn: None,
            userdata: ptr::null_mut(),
        };
        // SAFETY: the connection is open, and lives as long as the statement; the options live until the call returns.
        let stmt = unsafe { init(connection.as_ptr(), &raw mut option) };
        let Some(stmt) = NonNull::new(stmt) else {
            return Err(error::last(library).context("opening a statement"));
        };
        Ok(Self {
            stmt,
            interlaced: opening.single_stb_insert && opening.single_table_bind_once,
            shape: None,
            pending: Vec::new(),
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
        let words = match self.api().taos_stmt2_error.found() {
            // SAFETY: the statement is open; its text stays until the next call.
            Some(words) => unsafe { text::read(words(self.stmt.as_ptr())) },
            None => String::new(),
        };
        Err(error::of_code(code, words).context(what))
    }

    pub(crate) fn prepare(&mut self, sql: &str) -> RawResult<()> {
        let prepare = self.api().taos_stmt2_prepare.get()?;
        let sql = text::c_text("the statement", sql)?;
        self.shape = None;
        // SAFETY: the statement is open; a length of 0 lets the library look for the NUL.
        let code = unsafe { prepare(self.stmt.as_ptr(), sql.as_ptr(), 0) };
        self.checked(code, "preparing the statement")
    }

    pub(crate) fn is_insert(&mut self) -> RawResult<bool> {
        let ask = self.api().taos_stmt2_is_insert.get()?;
        let mut insert: c_int = 0;
        // SAFETY: the statement is open, and so is the place for the answer.
        let code = unsafe { ask(self.stmt.as_ptr(), &raw mut insert) };
        self.checked(code, "preparing the statement")?;
        Ok(insert != 0)
    }

    /// The number of placeholders, and of an INSERT what they are.
    pub(crate) fn fields(&mut self) -> RawResult<(usize, Vec<Stmt2Field>)> {
        let api = self.api();
        let (ask, give_back) = (
            api.taos_stmt2_get_fields.get()?,
            api.taos_stmt2_free_fields.get()?,
        );
        let mut count: c_int = 0;
        let mut fields: *mut TaosFieldAll = ptr::null_mut();
        // SAFETY: the statement is open, and so are the places for the answer.
        let code = unsafe { ask(self.stmt.as_ptr(), &raw mut count, &raw mut fields) };
        self.checked(code, "asking for the fields of the statement")?;
        let count = usize::try_from(count).unwrap_or(0);
        let Some(given) = NonNull::new(fields) else {
            self.shape = Some(Shape {
                tags: 0,
                columns: count,
            });
            return Ok((count, Vec::new()));
        };
        // SAFETY: the library has given so many, and they stay until they are given back.
        let list = unsafe { slice::from_raw_parts(given.as_ptr(), count) };
        let read: Vec<Stmt2Field> = list.iter().map(field_of).collect();
        // SAFETY: the library's own, not used any more, and given back once.
        unsafe { give_back(self.stmt.as_ptr(), given.as_ptr()) };
        self.shape = Some(Shape::of(&read));
        Ok((count, read))
    }

    /// Gives the data of these tables. Where what the library reads depends on the table, `told` is what it has told of
    /// these.
    ///
    /// # Errors
    /// The library's, and for other numbers of tags and columns than it would read.
    pub(crate) fn bind(&mut self, tables: Vec<Table>, told: Shape) -> RawResult<()> {
        let bind = self.api().taos_stmt2_bind_param.get()?;
        let shape = self.shape.unwrap_or(told);
        tables.iter().try_for_each(|table| shape.check(table))?;
        let mut binds = Binds::new(tables);
        let mut all = binds.point()?;
        // SAFETY: the statement is open. Each array has an entry for each table, or is NULL, and each entry as many binds
        // as the library reads, by its own account (`shape`). What they point to is in `binds`, which lives until the
        // call has copied it, or until the execution where a thread of the library may do that later.
        let code = unsafe { bind(self.stmt.as_ptr(), &raw mut all, -1) };
        if self.interlaced {
            self.pending.push(binds);
        }
        self.checked(code, "binding data")
    }

    /// Runs it; gives the rows changed.
    pub(crate) fn execute(&mut self) -> RawResult<usize> {
        let exec = self.api().taos_stmt2_exec.get()?;
        let mut rows: c_int = 0;
        // SAFETY: the statement is open, and so is the place for the answer.
        let code = unsafe { exec(self.stmt.as_ptr(), &raw mut rows) };
        self.checked(code, "executing the statement")?;
        self.pending.clear();
        Ok(usize::try_from(rows).unwrap_or(0))
    }

    /// The result; the version of the library tells whose it is.
    pub(super) fn result(&mut self) -> RawResult<*mut TaosRes> {
        let ask = self.api().taos_stmt2_result.get()?;
        // SAFETY: the statement is open.
        let res = unsafe { ask(self.stmt.as_ptr()) };
        if res.is_null() {
            return Err(no_result());
        }
        Ok(res)
    }
}

impl Drop for NativeStmt2 {
    fn drop(&mut self) {
        let Some(close) = self.api().taos_stmt2_close.found() else {
            return;
        };
        // SAFETY: ours, closed nowhere else, and before its connection and what was bound.
        let code = unsafe { close(self.stmt.as_ptr()) };
        if code != 0 {
            tracing::debug!(code, "the client library could not close a statement");
        }
    }
}

fn field_of(field: &TaosFieldAll) -> Stmt2Field {
    Stmt2Field::new(
        text::of_array(&field.name),
        field.r#type,
        field.precision,
        field.scale,
        field.bytes,
        BindType::from(field.field_type),
    )
}

/// The arrays of one bind, and what they point to.
struct Binds {
    tables: Vec<Table>,
    names: Vec<*mut c_char>,
    groups: Vec<Vec<TaosStmt2Bind>>,
    tags: Vec<*mut TaosStmt2Bind>,
    columns: Vec<*mut TaosStmt2Bind>,
}

impl Binds {
    const fn new(tables: Vec<Table>) -> Self {
        Self {
            tables,
            names: Vec::new(),
            groups: Vec::new(),
            tags: Vec::new(),
            columns: Vec::new(),
        }
    }

    /// Fills the arrays. They are good as long as `self` is, wherever it moves: all of them are on the heap.
    fn point(&mut self) -> RawResult<TaosStmt2Bindv> {
        let count = c_int::try_from(self.tables.len())
            .map_err(|_| RawError::of(ErrorKind::Config, "too many tables for one bind"))?;
        let (mut named, mut tagged, mut filled) = (false, false, false);
        for table in &mut self.tables {
            named |= table.name.is_some();
            tagged |= !table.tags.is_empty();
            filled |= !table.columns.is_empty();
            // The library does not write to names.
            let name = table.name.as_ref().map(|name| name.as_ptr().cast_mut());
            self.names.push(name.unwrap_or(ptr::null_mut()));
            for (columns, pointers) in [
                (&mut table.tags, &mut self.tags),
                (&mut table.columns, &mut self.columns),
            ] {
                let mut group: Vec<TaosStmt2Bind> = columns.iter_mut().map(stmt2_bind).collect();
                pointers.push(group.as_mut_ptr());
                self.groups.push(group);
            }
        }
        let given = |there: bool, pointers: &mut Vec<*mut TaosStmt2Bind>| {
            if there {
                pointers.as_mut_ptr()
            } else {
                ptr::null_mut()
            }
        };
        Ok(TaosStmt2Bindv {
            count,
            tbnames: if named {
                self.names.as_mut_ptr()
            } else {
                ptr::null_mut()
            },
            tags: given(tagged, &mut self.tags),
            bind_cols: given(filled, &mut self.columns),
        })
    }
}

/// Points to what the column owns.
fn stmt2_bind(column: &mut Column) -> TaosStmt2Bind {
    let (buffer, length, is_null) = pointers(column);
    TaosStmt2Bind {
        buffer_type: column.ty.as_u8().into(),
        buffer,
        length,
        is_null,
        num: column.rows,
    }
}
