//! What programs import with one `use`: the async traits here, the blocking ones in [`sync`].

pub use futures_util::stream::{Stream, StreamExt, TryStreamExt};
pub use tokio;

pub use crate::inserter::{AsyncInsertable, Inserter, InserterBuilder};
#[cfg(feature = "deadpool")]
pub use crate::pool::Pool;
pub use crate::tmq::{AsAsyncConsumer, IsAsyncData, IsAsyncMeta};
pub use crate::util::{AsyncInlinable, AsyncInlinableRead, AsyncInlinableWrite};
pub use crate::{
    AsyncBindable, AsyncFetchable, AsyncQueryable, AsyncStatements, AsyncTBuilder, Helpers,
    Stmt2AsyncBindable,
};
pub use both::*;

mod both {
    pub use itertools::Itertools;

    pub use crate::block::{ColumnView, RawBlock, RowView};
    pub use crate::common::{BorrowedValue, Field, Precision, Timestamp, Ty, Value};
    pub use crate::inserter::{FailedBatch, InsertError, InsertSummary};
    pub use crate::tmq::{
        AlterType, Assignment, IsOffset, JsonMeta, MessageSet, MetaAlter, MetaCreate, MetaDelete,
        MetaDrop, MetaUnit, TagWithValue, Timeout, VGroupId,
    };
    pub use crate::util::{Inlinable, InlinableRead, InlinableWrite};
    pub use crate::{
        Address, Capabilities, Code, ConnectionState, DeError, Dialect, Dsn, DsnError, ErrorKind,
        IntoDsn, Manager, RawData, RawError, RawMeta, RawResult, SchemalessPrecision,
        SchemalessProtocol, SmlData, SmlDataBuilder, Stmt2BindParam,
    };
}

/// The same for blocking programs.
pub mod sync {
    pub use super::both::*;
    pub use crate::inserter::sync::{Insertable, Inserter, InserterBuilder};
    #[cfg(feature = "r2d2")]
    pub use crate::pool::sync::{Pool, PoolBuilder};
    pub use crate::tmq::sync::{AsConsumer, IsData, IsMeta};
    pub use crate::{Bindable, Fetchable, Queryable, Statements, Stmt2Bindable, TBuilder};
    #[cfg(feature = "r2d2")]
    pub use r2d2::ManageConnection;
}
