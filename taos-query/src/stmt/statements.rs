use std::future::Future;

use super::{AsyncBindable, Stmt2AsyncBindable};
use crate::AsyncQueryable;
use crate::error::RawResult;
use crate::util::block_on;

/// Connections that prepare statements.
pub trait AsyncStatements: AsyncQueryable {
    /// The statement of the first generation.
    type Stmt: AsyncBindable<Self>;
    /// The statement of the second generation.
    type Stmt2: Stmt2AsyncBindable<Self>;

    /// Another connection made from the same DSN.
    ///
    /// # Errors
    /// As connecting.
    fn sibling(&self) -> impl Future<Output = RawResult<Self>> + Send;

    /// A prepared statement of the first generation.
    ///
    /// # Errors
    /// As [`AsyncBindable::prepare`].
    fn stmt(&self, sql: &str) -> impl Future<Output = RawResult<Self::Stmt>> + Send {
        async move {
            let mut stmt = Self::Stmt::init(self).await?;
            stmt.prepare(sql).await?;
            Ok(stmt)
        }
    }

    /// A prepared statement of the second generation.
    ///
    /// # Errors
    /// As [`Stmt2AsyncBindable::prepare`].
    fn stmt2(&self, sql: &str) -> impl Future<Output = RawResult<Self::Stmt2>> + Send {
        async move {
            let mut stmt = Self::Stmt2::init(self).await?;
            stmt.prepare(sql).await?;
            Ok(stmt)
        }
    }
}

/// Connections that prepare statements, blocking; see [`AsyncStatements`].
pub trait Statements {
    /// The statement of the first generation.
    type Stmt;
    /// The statement of the second generation.
    type Stmt2;

    /// Another connection made from the same DSN.
    ///
    /// # Errors
    /// As connecting.
    fn sibling(&self) -> RawResult<Self>
    where
        Self: Sized;

    /// A prepared statement of the first generation.
    ///
    /// # Errors
    /// As [`AsyncStatements::stmt`].
    fn stmt(&self, sql: &str) -> RawResult<Self::Stmt>;

    /// A prepared statement of the second generation.
    ///
    /// # Errors
    /// As [`AsyncStatements::stmt2`].
    fn stmt2(&self, sql: &str) -> RawResult<Self::Stmt2>;
}

impl<Q: AsyncStatements> Statements for Q {
    type Stmt = <Q as AsyncStatements>::Stmt;
    type Stmt2 = <Q as AsyncStatements>::Stmt2;

    fn sibling(&self) -> RawResult<Self> {
        block_on(self.home(), AsyncStatements::sibling(self))?
    }

    fn stmt(&self, sql: &str) -> RawResult<Self::Stmt> {
        block_on(self.home(), AsyncStatements::stmt(self, sql))?
    }

    fn stmt2(&self, sql: &str) -> RawResult<Self::Stmt2> {
        block_on(self.home(), AsyncStatements::stmt2(self, sql))?
    }
}
