//! Prepared statements of whichever backend the connection has.

use std::fmt;

use taos_query::block::ColumnView;
use taos_query::common::Value;
use taos_query::prelude::tokio::runtime;
use taos_query::stmt::Stmt2Field;
use taos_query::{AsyncBindable, AsyncStatements, RawResult, Stmt2AsyncBindable, Stmt2BindParam};

use crate::client::{AnyTaos, ResultSet, Taos, dispatch};

/// Declares the types that hold a statement of one of the backends, as `client` does for the rest.
macro_rules! statements {
    ($($feature:literal $variant:ident $krate:ident;)*) => {
        #[allow(
            clippy::large_enum_variant,
            reason = "a program has few of them, and a box would cost each call a jump"
        )]
        enum AnyStmt {
            $(#[cfg(feature = $feature)] $variant($krate::Stmt),)*
        }

        #[allow(
            clippy::large_enum_variant,
            reason = "a program has few of them, and a box would cost each call a jump"
        )]
        enum AnyStmt2 {
            $(#[cfg(feature = $feature)] $variant($krate::Stmt2),)*
        }

        $(
            #[cfg(feature = $feature)]
            impl From<$krate::Stmt> for Stmt {
                fn from(stmt: $krate::Stmt) -> Self {
                    Self(AnyStmt::$variant(stmt))
                }
            }

            #[cfg(feature = $feature)]
            impl From<$krate::Stmt2> for Stmt2 {
                fn from(stmt: $krate::Stmt2) -> Self {
                    Self(AnyStmt2::$variant(stmt))
                }
            }
        )*
    };
}

statements! {
    "ws" WebSocket taos_ws;
    "optin" Native taos_optin;
    "questdb" QuestDb taos_questdb;
}

/// A prepared statement whose table, tags and columns are given one after another.
///
/// ```
/// use taos::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # let dsn = "ws://localhost:6041";
/// # async fn bind(taos: &Taos) -> Result<(), Error> {
/// let mut stmt = Stmt::init(taos).await?;
/// stmt.prepare("insert into ? using weather tags(?) values(?, ?)").await?;
/// stmt.set_tbname_tags("oslo", &[Value::VarChar("Oslo".into())]).await?;
/// let rows = stmt
///     .bind(&[
///         ColumnView::from_millis_timestamp(vec![1_700_000_000_000, 1_700_000_001_000]),
///         ColumnView::from_floats(vec![Some(-3.5), None]),
///     ])
///     .await?
///     .add_batch()
///     .await?
///     .execute()
///     .await?;
/// assert_eq!(rows, 2);
/// # Ok(())
/// # }
/// # let _ = (dsn, bind);
/// # Ok(())
/// # }
/// ```
pub struct Stmt(AnyStmt);

/// A prepared statement that takes the data of any number of tables in one call.
///
/// ```
/// use taos::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # async fn bind(taos: &Taos) -> Result<(), Error> {
/// let mut stmt = Stmt2::init(taos).await?;
/// stmt.prepare("insert into ? using weather tags(?) values(?, ?)").await?;
/// let params = ["Oslo", "Rome"].map(|place| {
///     Stmt2BindParam::new(
///         Some(place.to_lowercase()),
///         Some(vec![Value::VarChar(place.into())]),
///         Some(vec![
///             ColumnView::from_millis_timestamp(vec![1_700_000_000_000]),
///             ColumnView::from_floats(vec![21.5]),
///         ]),
///     )
/// });
/// assert_eq!(stmt.bind(&params).await?.exec().await?, 2);
/// # Ok(())
/// # }
/// # let _ = bind;
/// # Ok(())
/// # }
/// ```
pub struct Stmt2(AnyStmt2);

impl Stmt {
    /// The WebSocket statement behind this one, for what only it has: the fields and parameters of
    /// the statement, a limit of its own, the rows of the last execution.
    #[cfg(feature = "ws")]
    #[allow(unreachable_patterns, reason = "not in builds with one backend")]
    pub fn as_ws(&mut self) -> Option<&mut taos_ws::Stmt> {
        match &mut self.0 {
            AnyStmt::WebSocket(stmt) => Some(stmt),
            _ => None,
        }
    }
}

impl Stmt2 {
    /// The WebSocket statement behind this one, for what only it has: its id and limit, the rows of
    /// the last execution, binding bytes that have the form of the wire.
    #[cfg(feature = "ws")]
    #[allow(unreachable_patterns, reason = "not in builds with one backend")]
    pub fn as_ws(&mut self) -> Option<&mut taos_ws::Stmt2> {
        match &mut self.0 {
            AnyStmt2::WebSocket(stmt) => Some(stmt),
            _ => None,
        }
    }

    /// Opens a statement of which the server is told more. Only if all its tables belong to one
    /// super table, `single_stb_insert` may be true; only if also each table is bound once for each
    /// execution, `single_table_bind_once` may be. With both the server takes a shorter way.
    ///
    /// # Errors
    /// The server's, and those of a connection.
    pub async fn init_with_options(
        taos: &Taos,
        req_id: u64,
        single_stb_insert: bool,
        single_table_bind_once: bool,
    ) -> RawResult<Self> {
        match taos.any() {
            #[cfg(feature = "ws")]
            AnyTaos::WebSocket(taos) => {
                let mut stmt = taos_ws::Stmt2::new(taos);
                stmt.init_with_options(req_id, single_stb_insert, single_table_bind_once)
                    .await?;
                Ok(stmt.into())
            }
            #[cfg(feature = "optin")]
            AnyTaos::Native(taos) => taos_optin::Stmt2::init_with_options(
                taos,
                req_id,
                single_stb_insert,
                single_table_bind_once,
            )
            .await
            .map(Self::from),
            #[cfg(feature = "questdb")]
            AnyTaos::QuestDb(taos) => {
                let _ = (req_id, single_stb_insert, single_table_bind_once);
                <taos_questdb::Stmt2 as Stmt2AsyncBindable<_>>::init(taos)
                    .await
                    .map(Self::from)
            }
        }
    }
}

impl AsyncStatements for Taos {
    type Stmt = Stmt;
    type Stmt2 = Stmt2;

    async fn sibling(&self) -> RawResult<Self> {
        dispatch!(AnyTaos, self.any(), taos => taos.sibling().await.map(Self::from))
    }
}

impl AsyncBindable<Taos> for Stmt {
    async fn init_with_req_id(taos: &Taos, req_id: u64) -> RawResult<Self> {
        match taos.any() {
            #[cfg(feature = "ws")]
            AnyTaos::WebSocket(taos) => {
                <taos_ws::Stmt as AsyncBindable<_>>::init_with_req_id(taos, req_id)
                    .await
                    .map(Self::from)
            }
            #[cfg(feature = "optin")]
            AnyTaos::Native(taos) => {
                <taos_optin::Stmt as AsyncBindable<_>>::init_with_req_id(taos, req_id)
                    .await
                    .map(Self::from)
            }
            #[cfg(feature = "questdb")]
            AnyTaos::QuestDb(taos) => {
                <taos_questdb::Stmt as AsyncBindable<_>>::init_with_req_id(taos, req_id)
                    .await
                    .map(Self::from)
            }
        }
    }

    fn home(&self) -> Option<runtime::Id> {
        dispatch!(AnyStmt, &self.0, stmt => AsyncBindable::home(stmt))
    }

    async fn prepare(&mut self, sql: &str) -> RawResult<&mut Self> {
        dispatch!(AnyStmt, &mut self.0, stmt => AsyncBindable::prepare(stmt, sql).await.map(drop))?;
        Ok(self)
    }

    async fn set_tbname(&mut self, name: &str) -> RawResult<&mut Self> {
        dispatch!(AnyStmt, &mut self.0, stmt => {
            AsyncBindable::set_tbname(stmt, name).await.map(drop)
        })?;
        Ok(self)
    }

    async fn set_tags(&mut self, tags: &[Value]) -> RawResult<&mut Self> {
        dispatch!(AnyStmt, &mut self.0, stmt => {
            AsyncBindable::set_tags(stmt, tags).await.map(drop)
        })?;
        Ok(self)
    }

    async fn bind(&mut self, params: &[ColumnView]) -> RawResult<&mut Self> {
        dispatch!(AnyStmt, &mut self.0, stmt => AsyncBindable::bind(stmt, params).await.map(drop))?;
        Ok(self)
    }

    async fn add_batch(&mut self) -> RawResult<&mut Self> {
        dispatch!(AnyStmt, &mut self.0, stmt => AsyncBindable::add_batch(stmt).await.map(drop))?;
        Ok(self)
    }

    async fn execute(&mut self) -> RawResult<usize> {
        dispatch!(AnyStmt, &mut self.0, stmt => AsyncBindable::execute(stmt).await)
    }

    async fn affected_rows(&self) -> usize {
        dispatch!(AnyStmt, &self.0, stmt => AsyncBindable::affected_rows(stmt).await)
    }

    async fn result_set(&mut self) -> RawResult<ResultSet> {
        dispatch!(AnyStmt, &mut self.0, stmt => {
            AsyncBindable::result_set(stmt).await.map(ResultSet::from)
        })
    }
}

impl Stmt2AsyncBindable<Taos> for Stmt2 {
    async fn init(taos: &Taos) -> RawResult<Self> {
        match taos.any() {
            #[cfg(feature = "ws")]
            AnyTaos::WebSocket(taos) => <taos_ws::Stmt2 as Stmt2AsyncBindable<_>>::init(taos)
                .await
                .map(Self::from),
            #[cfg(feature = "optin")]
            AnyTaos::Native(taos) => <taos_optin::Stmt2 as Stmt2AsyncBindable<_>>::init(taos)
                .await
                .map(Self::from),
            #[cfg(feature = "questdb")]
            AnyTaos::QuestDb(taos) => <taos_questdb::Stmt2 as Stmt2AsyncBindable<_>>::init(taos)
                .await
                .map(Self::from),
        }
    }

    fn home(&self) -> Option<runtime::Id> {
        dispatch!(AnyStmt2, &self.0, stmt => Stmt2AsyncBindable::home(stmt))
    }

    async fn prepare(&mut self, sql: &str) -> RawResult<&mut Self> {
        dispatch!(AnyStmt2, &mut self.0, stmt => {
            Stmt2AsyncBindable::prepare(stmt, sql).await.map(drop)
        })?;
        Ok(self)
    }

    async fn bind(&mut self, params: &[Stmt2BindParam]) -> RawResult<&mut Self> {
        dispatch!(AnyStmt2, &mut self.0, stmt => {
            Stmt2AsyncBindable::bind(stmt, params).await.map(drop)
        })?;
        Ok(self)
    }

    async fn exec(&mut self) -> RawResult<usize> {
        dispatch!(AnyStmt2, &mut self.0, stmt => Stmt2AsyncBindable::exec(stmt).await)
    }

    async fn affected_rows(&self) -> usize {
        dispatch!(AnyStmt2, &self.0, stmt => Stmt2AsyncBindable::affected_rows(stmt).await)
    }

    async fn result_set(&self) -> RawResult<ResultSet> {
        dispatch!(AnyStmt2, &self.0, stmt => {
            Stmt2AsyncBindable::result_set(stmt).await.map(ResultSet::from)
        })
    }

    fn is_insert(&self) -> Option<bool> {
        dispatch!(AnyStmt2, &self.0, stmt => Stmt2AsyncBindable::is_insert(stmt))
    }

    fn fields(&self) -> Option<&[Stmt2Field]> {
        dispatch!(AnyStmt2, &self.0, stmt => Stmt2AsyncBindable::fields(stmt))
    }
}

impl fmt::Debug for Stmt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dispatch!(AnyStmt, &self.0, stmt => fmt::Debug::fmt(stmt, f))
    }
}

impl fmt::Debug for Stmt2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dispatch!(AnyStmt2, &self.0, stmt => fmt::Debug::fmt(stmt, f))
    }
}
