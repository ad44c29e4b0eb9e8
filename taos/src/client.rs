//! Builder, connection and result of whichever backend the DSN chose.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use chrono_tz::Tz;
use taos_query::common::{Field, Precision};
use taos_query::helpers::{Describe, ShowDatabase, Topic};
use taos_query::prelude::tokio::runtime;
use taos_query::prelude::{Stream, StreamExt as _};
use taos_query::util::Edition;
use taos_query::{
    AsyncFetchable, AsyncQueryable, AsyncTBuilder, Capabilities, ConnectionState, Dsn, IntoDsn,
    PollBlock, RawBlock, RawMeta, RawResult, SmlData,
};

use crate::creating::until_created;
use crate::driver::{self, Backend};

/// Declares the types that hold one of the backends. A new backend is one line here, one in
/// `dispatch`, and its names in the driver table.
macro_rules! backends {
    ($($feature:literal $variant:ident $krate:ident;)*) => {
        #[allow(
            clippy::large_enum_variant,
            reason = "a program has few of them, and a box would cost each call a jump"
        )]
        enum AnyBuilder {
            $(#[cfg(feature = $feature)] $variant($krate::TaosBuilder),)*
        }

        pub(crate) enum AnyTaos {
            $(#[cfg(feature = $feature)] $variant($krate::Taos),)*
        }

        #[allow(
            clippy::large_enum_variant,
            reason = "a program has few of them, and a box would cost each call a jump"
        )]
        enum AnyResult {
            $(#[cfg(feature = $feature)] $variant($krate::ResultSet),)*
        }

        $(
            #[cfg(feature = $feature)]
            impl From<$krate::Taos> for Taos {
                fn from(taos: $krate::Taos) -> Self {
                    Self(AnyTaos::$variant(taos))
                }
            }

            #[cfg(feature = $feature)]
            impl From<$krate::ResultSet> for ResultSet {
                fn from(result: $krate::ResultSet) -> Self {
                    Self(AnyResult::$variant(result))
                }
            }
        )*

        impl AnyBuilder {
            #[allow(unreachable_patterns, reason = "not in builds that have all backends")]
            fn new(backend: Backend, dsn: Dsn) -> RawResult<Self> {
                match backend {
                    $(
                        #[cfg(feature = $feature)]
                        Backend::$variant => {
                            <$krate::TaosBuilder as AsyncTBuilder>::from_dsn(dsn).map(Self::$variant)
                        }
                    )*
                    missing => Err(driver::missing(missing, &dsn)),
                }
            }

            #[allow(unreachable_patterns, reason = "not in builds with one backend")]
            async fn ping(&self, taos: &mut AnyTaos) -> RawResult<()> {
                match (self, taos) {
                    $(
                        #[cfg(feature = $feature)]
                        (Self::$variant(builder), AnyTaos::$variant(taos)) => builder.ping(taos).await,
                    )*
                    _ => Err(driver::foreign()),
                }
            }
        }

        impl AnyTaos {
            const fn backend(&self) -> Backend {
                match self {
                    $(#[cfg(feature = $feature)] Self::$variant(_) => Backend::$variant,)*
                }
            }

            fn is_broken(&self) -> bool {
                match self {
                    $(
                        #[cfg(feature = $feature)]
                        Self::$variant(taos) => $krate::TaosBuilder::is_broken(taos),
                    )*
                }
            }
        }

        static PARAMS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
            let mut params = Vec::new();
            $(
                #[cfg(feature = $feature)]
                params.extend(<$krate::TaosBuilder as AsyncTBuilder>::available_params());
            )*
            params
        });
    };
}

macro_rules! dispatch {
    ($kind:ident, $value:expr, $inner:ident => $call:expr) => {
        match $value {
            #[cfg(feature = "ws")]
            $kind::WebSocket($inner) => $call,
            #[cfg(feature = "optin")]
            $kind::Native($inner) => $call,
            #[cfg(feature = "questdb")]
            $kind::QuestDb($inner) => $call,
        }
    };
}
pub(crate) use dispatch;

backends! {
    "ws" WebSocket taos_ws;
    "optin" Native taos_optin;
    "questdb" QuestDb taos_questdb;
}

/// Makes connections from a DSN; the DSN's driver chooses the backend.
///
/// ```
/// use taos::*;
///
/// let error = TaosBuilder::from_dsn("ws://localhost?conn_timeot=3s").unwrap_err();
/// assert!(error.to_string().contains("did you mean `conn_timeout`?"));
/// ```
pub struct TaosBuilder(AnyBuilder);

/// A connection to a database. Share it by reference or in an `Arc`: many requests may be under way
/// at the same time.
pub struct Taos(AnyTaos);

/// The result of a query, see [`AsyncFetchable`].
pub struct ResultSet(AnyResult);

impl AsyncTBuilder for TaosBuilder {
    type Target = Taos;

    fn available_params() -> &'static [&'static str] {
        &PARAMS
    }

    fn from_dsn<D: IntoDsn>(dsn: D) -> RawResult<Self> {
        let dsn = dsn.into_dsn()?;
        AnyBuilder::new(driver::select(&dsn)?, dsn).map(Self)
    }

    fn client_version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    async fn server_version(&self) -> RawResult<&str> {
        dispatch!(AnyBuilder, &self.0, builder => AsyncTBuilder::server_version(builder).await)
    }

    async fn ping(&self, target: &mut Taos) -> RawResult<()> {
        self.0.ping(&mut target.0).await
    }

    fn home(target: &Taos) -> Option<runtime::Id> {
        AsyncQueryable::home(target)
    }

    fn is_broken(target: &Taos) -> bool {
        target.0.is_broken()
    }

    async fn get_edition(&self) -> RawResult<Edition> {
        dispatch!(AnyBuilder, &self.0, builder => AsyncTBuilder::get_edition(builder).await)
    }

    async fn build(&self) -> RawResult<Taos> {
        dispatch!(AnyBuilder, &self.0, builder => AsyncTBuilder::build(builder).await.map(Taos::from))
    }
}

impl Taos {
    pub(crate) const fn any(&self) -> &AnyTaos {
        &self.0
    }

    /// True if this connection goes through TDengine's client library.
    pub const fn is_native(&self) -> bool {
        matches!(self.0.backend(), Backend::Native)
    }

    /// True if this connection goes to TDengine over WebSocket.
    pub const fn is_ws(&self) -> bool {
        matches!(self.0.backend(), Backend::WebSocket)
    }

    /// True if this connection goes to QuestDB.
    pub const fn is_questdb(&self) -> bool {
        matches!(self.0.backend(), Backend::QuestDb)
    }

    /// The connection to QuestDB behind this one.
    #[cfg(feature = "questdb")]
    #[allow(unreachable_patterns, reason = "not in builds with one backend")]
    pub fn as_questdb(&self) -> Option<&taos_questdb::Taos> {
        match &self.0 {
            AnyTaos::QuestDb(taos) => Some(taos),
            _ => None,
        }
    }

    /// The native connection behind this one, for what only it has: which client library it goes through.
    ///
    /// ```no_run
    /// # fn run(taos: taos::Taos) {
    /// if let Some(native) = taos.as_native() {
    ///     println!("{} {}", native.library_path(), native.library_version());
    /// }
    /// # }
    /// ```
    #[cfg(feature = "optin")]
    #[allow(unreachable_patterns, reason = "not in builds with one backend")]
    pub fn as_native(&self) -> Option<&taos_optin::Taos> {
        match &self.0 {
            AnyTaos::Native(taos) => Some(taos),
            _ => None,
        }
    }

    /// The WebSocket connection behind this one, for what only it has: checking SQL without running
    /// it, options of the session, the health of the server.
    ///
    /// ```no_run
    /// # async fn run(taos: taos::Taos) -> Result<(), taos::Error> {
    /// if let Some(ws) = taos.as_ws() {
    ///     ws.validate_sql("select 1").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "ws")]
    #[allow(unreachable_patterns, reason = "not in builds with one backend")]
    pub fn as_ws(&self) -> Option<&taos_ws::Taos> {
        match &self.0 {
            AnyTaos::WebSocket(taos) => Some(taos),
            _ => None,
        }
    }

    /// The state of the connection now.
    pub fn connection_state(&self) -> ConnectionState {
        dispatch!(AnyTaos, &self.0, taos => taos.connection_state())
    }

    /// The present state of the connection and then each change, until it is closed. The stream does
    /// not keep the connection open.
    ///
    /// ```no_run
    /// use taos::*;
    ///
    /// # async fn run(taos: Taos) {
    /// let mut states = std::pin::pin!(taos.connection_events());
    /// while let Some(state) = states.next().await {
    ///     println!("{state}");
    /// }
    /// # }
    /// ```
    pub fn connection_events(&self) -> impl Stream<Item = ConnectionState> + Send + use<> {
        dispatch!(AnyTaos, &self.0, taos => taos.connection_events().boxed())
    }
}

impl AsyncQueryable for Taos {
    type AsyncResultSet = ResultSet;

    fn home(&self) -> Option<runtime::Id> {
        dispatch!(AnyTaos, &self.0, taos => taos.home())
    }

    fn capabilities(&self) -> Capabilities {
        dispatch!(AnyTaos, &self.0, taos => taos.capabilities())
    }

    async fn query_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        req_id: u64,
    ) -> RawResult<ResultSet> {
        dispatch!(AnyTaos, &self.0, taos => {
            AsyncQueryable::query_with_req_id(taos, sql, req_id)
                .await
                .map(ResultSet::from)
        })
    }

    async fn exec_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        req_id: u64,
    ) -> RawResult<usize> {
        dispatch!(AnyTaos, &self.0, taos => {
            AsyncQueryable::exec_with_req_id(taos, sql, req_id).await
        })
    }

    async fn query_first_block<T: AsRef<str> + Send + Sync>(&self, sql: T) -> RawResult<ResultSet> {
        dispatch!(AnyTaos, &self.0, taos => {
            AsyncQueryable::query_first_block(taos, sql)
                .await
                .map(ResultSet::from)
        })
    }

    async fn server_version(&self) -> RawResult<Cow<'_, str>> {
        dispatch!(AnyTaos, &self.0, taos => AsyncQueryable::server_version(taos).await)
    }

    async fn create_database<N: AsRef<str> + Send>(&self, name: N) -> RawResult<()> {
        dispatch!(AnyTaos, &self.0, taos => AsyncQueryable::create_database(taos, name).await)
    }

    async fn use_database<N: AsRef<str> + Send>(&self, name: N) -> RawResult<()> {
        dispatch!(AnyTaos, &self.0, taos => AsyncQueryable::use_database(taos, name).await)
    }

    async fn database_exists(&self, name: &str) -> RawResult<bool> {
        dispatch!(AnyTaos, &self.0, taos => AsyncQueryable::database_exists(taos, name).await)
    }

    async fn databases(&self) -> RawResult<Vec<ShowDatabase>> {
        dispatch!(AnyTaos, &self.0, taos => AsyncQueryable::databases(taos).await)
    }

    async fn describe(&self, table: &str) -> RawResult<Describe> {
        dispatch!(AnyTaos, &self.0, taos => AsyncQueryable::describe(taos, table).await)
    }

    async fn topics(&self) -> RawResult<Vec<Topic>> {
        dispatch!(AnyTaos, &self.0, taos => AsyncQueryable::topics(taos).await)
    }

    async fn create_topic<N: AsRef<str> + Send + Sync, S: AsRef<str> + Send>(
        &self,
        name: N,
        sql: S,
    ) -> RawResult<()> {
        dispatch!(AnyTaos, &self.0, taos => AsyncQueryable::create_topic(taos, name, sql).await)
    }

    async fn create_topic_as_database(
        &self,
        name: impl AsRef<str> + Send + Sync,
        db: impl fmt::Display + Send,
    ) -> RawResult<()> {
        dispatch!(AnyTaos, &self.0, taos => {
            AsyncQueryable::create_topic_as_database(taos, name, db).await
        })
    }

    async fn table_vgroup_id(&self, db: &str, table: &str) -> Option<i32> {
        dispatch!(AnyTaos, &self.0, taos => AsyncQueryable::table_vgroup_id(taos, db, table).await)
    }

    async fn tables_vgroup_ids<T: AsRef<str> + Sync>(
        &self,
        db: &str,
        tables: &[T],
    ) -> Option<Vec<i32>> {
        dispatch!(AnyTaos, &self.0, taos => {
            AsyncQueryable::tables_vgroup_ids(taos, db, tables).await
        })
    }

    async fn put(&self, data: &SmlData) -> RawResult<()> {
        dispatch!(AnyTaos, &self.0, taos => AsyncQueryable::put(taos, data).await)
    }

    /// Repeated for some seconds while the server says that the table is being created.
    async fn write_raw_meta(&self, meta: &RawMeta) -> RawResult<()> {
        dispatch!(AnyTaos, &self.0, taos => {
            until_created(|| AsyncQueryable::write_raw_meta(taos, meta)).await
        })
    }

    async fn write_raw_block_with_req_id(&self, block: &RawBlock, req_id: u64) -> RawResult<()> {
        dispatch!(AnyTaos, &self.0, taos => {
            AsyncQueryable::write_raw_block_with_req_id(taos, block, req_id).await
        })
    }

    async fn write_raw_block_with_fields(
        &self,
        block: &RawBlock,
        fields: &[Field],
    ) -> RawResult<()> {
        dispatch!(AnyTaos, &self.0, taos => {
            AsyncQueryable::write_raw_block_with_fields(taos, block, fields).await
        })
    }
}

impl AsyncFetchable for ResultSet {
    fn fields(&self) -> &[Field] {
        dispatch!(AnyResult, &self.0, result => result.fields())
    }

    fn precision(&self) -> Precision {
        dispatch!(AnyResult, &self.0, result => result.precision())
    }

    fn affected_rows64(&self) -> i64 {
        dispatch!(AnyResult, &self.0, result => result.affected_rows64())
    }

    fn summary(&self) -> (usize, usize) {
        dispatch!(AnyResult, &self.0, result => result.summary())
    }

    fn timezone(&self) -> Option<Tz> {
        dispatch!(AnyResult, &self.0, result => result.timezone())
    }

    fn home(&self) -> Option<runtime::Id> {
        dispatch!(AnyResult, &self.0, result => result.home())
    }

    fn split(&mut self) -> (&[Field], &mut dyn PollBlock) {
        dispatch!(AnyResult, &mut self.0, result => result.split())
    }
}

impl fmt::Debug for TaosBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaosBuilder").finish_non_exhaustive()
    }
}

impl fmt::Debug for Taos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taos")
            .field("backend", &self.0.backend())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ResultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultSet")
            .field("fields", &AsyncFetchable::fields(self))
            .field("affected_rows", &self.affected_rows64())
            .finish_non_exhaustive()
    }
}
