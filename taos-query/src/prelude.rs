//! What programs import with one `use`: the async traits here, the blocking ones in [`sync`].

pub use futures_util::stream::{Stream, StreamExt, TryStreamExt};
pub use tokio;

pub use crate::{AsyncFetchable, AsyncQueryable, AsyncTBuilder};
pub use both::*;

mod both {
    pub use itertools::Itertools;

    pub use crate::block::{ColumnView, RawBlock, RowView};
    pub use crate::common::{BorrowedValue, Field, Precision, Timestamp, Ty, Value};
    pub use crate::{
        Address, Code, DeError, Dsn, DsnError, ErrorKind, IntoDsn, RawError, RawResult,
    };
}

/// The same for blocking programs.
pub mod sync {
    pub use super::both::*;
    pub use crate::{Fetchable, Queryable, TBuilder};
}
