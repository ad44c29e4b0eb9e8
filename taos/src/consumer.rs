//! Consumer and its builder, of whichever backend the DSN chose.

#![cfg_attr(
    not(any(feature = "ws", feature = "optin")),
    allow(
        dead_code,
        unused_variables,
        unused_mut,
        reason = "no consumer can be made that would take the arguments"
    )
)]

#[cfg(not(any(feature = "ws", feature = "optin")))]
use std::convert::Infallible;
use std::fmt;

use taos_query::prelude::tokio::runtime;
use taos_query::tmq::{
    AsAsyncConsumer, Assignment, Data, Leftovers, MessageSet, Meta, Offset, Timeout, VGroupId,
};
use taos_query::{AsyncTBuilder, Dsn, IntoDsn, RawError, RawResult};

use crate::driver::{self, Backend};

/// Declares the types that hold one of the backends that have consumers.
macro_rules! backends {
    ($($feature:literal $variant:ident $krate:ident;)*) => {
        #[allow(
            clippy::large_enum_variant,
            reason = "a program has few of them, and a box would cost each call a jump"
        )]
        enum AnyBuilder {
            $(#[cfg(feature = $feature)] $variant($krate::consumer::TmqBuilder),)*
            #[cfg(not(any($(feature = $feature),*)))]
            None(Infallible),
        }

        enum AnyConsumer {
            $(#[cfg(feature = $feature)] $variant($krate::consumer::Consumer),)*
            #[cfg(not(any($(feature = $feature),*)))]
            None(Infallible),
        }

        $(
            #[cfg(feature = $feature)]
            impl From<$krate::consumer::Consumer> for Consumer {
                fn from(consumer: $krate::consumer::Consumer) -> Self {
                    Self(AnyConsumer::$variant(consumer))
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
                            <$krate::consumer::TmqBuilder as AsyncTBuilder>::from_dsn(dsn)
                                .map(Self::$variant)
                        }
                    )*
                    missing => Err(without_consumers(missing, &dsn)),
                }
            }

            #[allow(unreachable_patterns, reason = "not in builds with one backend")]
            async fn ping(&self, consumer: &mut AnyConsumer) -> RawResult<()> {
                match (self, consumer) {
                    $(
                        #[cfg(feature = $feature)]
                        (Self::$variant(builder), AnyConsumer::$variant(consumer)) => {
                            builder.ping(consumer).await
                        }
                    )*
                    _ => Err(driver::foreign()),
                }
            }
        }

        impl AnyConsumer {
            const fn backend(&self) -> Option<Backend> {
                match self {
                    $(#[cfg(feature = $feature)] Self::$variant(_) => Some(Backend::$variant),)*
                    #[cfg(not(any($(feature = $feature),*)))]
                    Self::None(_) => None,
                }
            }

            fn is_broken(&self) -> bool {
                match self {
                    $(
                        #[cfg(feature = $feature)]
                        Self::$variant(consumer) => $krate::consumer::TmqBuilder::is_broken(consumer),
                    )*
                    #[cfg(not(any($(feature = $feature),*)))]
                    Self::None(never) => absurd(never),
                }
            }
        }

        static PARAMS: std::sync::LazyLock<Vec<&'static str>> = std::sync::LazyLock::new(|| {
            let mut params = Vec::new();
            $(
                #[cfg(feature = $feature)]
                params.extend(<$krate::consumer::TmqBuilder as AsyncTBuilder>::available_params());
            )*
            params
        });
    };
}

backends! {
    "ws" WebSocket taos_ws;
    "optin" Native taos_optin;
}

macro_rules! dispatch {
    ($kind:ident, $value:expr, $inner:ident => $call:expr) => {
        match $value {
            #[cfg(feature = "ws")]
            $kind::WebSocket($inner) => $call,
            #[cfg(feature = "optin")]
            $kind::Native($inner) => $call,
            #[cfg(not(any(feature = "ws", feature = "optin")))]
            $kind::None(never) => absurd(never),
        }
    };
}

/// Stands where there is no backend with consumers, and so no consumer either.
#[cfg(not(any(feature = "ws", feature = "optin")))]
fn absurd<T>(never: impl std::borrow::Borrow<Infallible>) -> T {
    match *never.borrow() {}
}

/// The error for a backend without topics, and for one that is not part of this build.
fn without_consumers(backend: Backend, dsn: &Dsn) -> RawError {
    match backend {
        Backend::QuestDb => RawError::unsupported("subscribing to topics (TmqBuilder)", "QuestDB"),
        missing => driver::missing(missing, dsn),
    }
}

/// Makes consumers of topics from a DSN; the DSN's driver chooses the backend.
///
/// The DSN is that of a connection with the parameters of a subscription; `group.id` is required. See
/// `taos_ws::consumer::TmqBuilder` and `taos_optin::consumer::TmqBuilder` for the others.
///
/// ```
/// use taos::*;
///
/// let error = TmqBuilder::from_dsn("ws://localhost").unwrap_err();
/// assert!(error.to_string().contains("group.id"));
/// let error = TmqBuilder::from_dsn("questdb://localhost?group.id=g").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Unsupported);
/// ```
pub struct TmqBuilder(AnyBuilder);

/// A member of a consumer group, reading topics: see [`AsAsyncConsumer`] for what it can do.
///
/// ```
/// use serde::Deserialize;
/// use taos::*;
///
/// #[derive(Debug, Deserialize)]
/// struct Record {
///     ts: i64,
///     current: Option<f32>,
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Error> {
/// let dsn = "ws://root:taosdata@localhost:6041";
/// # let server = taos_embedded::Embedded::builder().memory().start().await?;
/// # let dsn = server.dsn();
/// let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
/// taos.exec_many([
///     "create database power wal_retention_period 3600",
///     "create table power.meters (ts timestamp, current float) tags (place varchar(16))",
///     "create topic readings as stable power.meters",
///     "insert into power.d0 using power.meters tags ('Oslo') values (now, 10.3)",
/// ])
/// .await?;
///
/// # let dsn = format!("{dsn}?group.id=g1&auto.offset.reset=earliest&timeout=1s");
/// # /*
/// let dsn = "ws://root:taosdata@localhost:6041?group.id=g1&auto.offset.reset=earliest";
/// # */
/// let tmq = TmqBuilder::from_dsn(dsn)?;
/// let mut consumer = tmq.build().await?;
/// consumer.subscribe(["readings"]).await?;
/// # let mut seen = Vec::new();
/// {
///     let mut stream = consumer.stream();
///     while let Some((offset, message)) = stream.try_next().await? {
///         let topic = offset.topic();
///         let vgroup_id = offset.vgroup_id();
///         if let Some(data) = message.into_data() {
///             while let Some(block) = data.fetch_raw_block().await? {
///                 let table = block.table_name();
///                 let records: Vec<Record> = block.deserialize().try_collect()?;
///                 println!("{topic}, vgroup {vgroup_id}, table {table:?}: {records:?}");
/// #               seen.push((topic.to_owned(), table.map(str::to_owned), records[0].current, records[0].ts > 0));
///             }
///         }
///         consumer.commit(offset).await?;
///     }
/// }
/// consumer.unsubscribe().await;
/// # assert_eq!(seen, [("readings".to_owned(), Some("d0".to_owned()), Some(10.3), true)]);
/// # Ok(())
/// # }
/// ```
///
/// For rows as structs without the loops, see [`records`](AsAsyncConsumer::records).
pub struct Consumer(AnyConsumer);

impl AsyncTBuilder for TmqBuilder {
    type Target = Consumer;

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

    async fn ping(&self, target: &mut Consumer) -> RawResult<()> {
        self.0.ping(&mut target.0).await
    }

    fn home(target: &Consumer) -> Option<runtime::Id> {
        AsAsyncConsumer::home(target)
    }

    fn is_broken(target: &Consumer) -> bool {
        target.0.is_broken()
    }

    async fn build(&self) -> RawResult<Consumer> {
        dispatch!(AnyBuilder, &self.0, builder => {
            AsyncTBuilder::build(builder).await.map(Consumer::from)
        })
    }
}

impl Consumer {
    /// True if this consumer goes over WebSocket.
    pub fn is_ws(&self) -> bool {
        self.0.backend() == Some(Backend::WebSocket)
    }

    /// True if this consumer goes through TDengine's client library.
    pub fn is_native(&self) -> bool {
        self.0.backend() == Some(Backend::Native)
    }

    /// The WebSocket consumer behind this one, for what only it has, such as the gaps that the log had.
    #[cfg(feature = "ws")]
    #[allow(unreachable_patterns, reason = "not in builds with one backend")]
    pub fn as_ws(&self) -> Option<&taos_ws::consumer::Consumer> {
        match &self.0 {
            AnyConsumer::WebSocket(consumer) => Some(consumer),
            _ => None,
        }
    }

    /// The native consumer behind this one.
    #[cfg(feature = "optin")]
    #[allow(unreachable_patterns, reason = "not in builds with one backend")]
    pub fn as_native(&self) -> Option<&taos_optin::consumer::Consumer> {
        match &self.0 {
            AnyConsumer::Native(consumer) => Some(consumer),
            _ => None,
        }
    }
}

impl AsAsyncConsumer for Consumer {
    type Offset = Offset;
    type Meta = Meta;
    type Data = Data;

    fn default_timeout(&self) -> Timeout {
        dispatch!(AnyConsumer, &self.0, consumer => consumer.default_timeout())
    }

    fn home(&self) -> Option<runtime::Id> {
        dispatch!(AnyConsumer, &self.0, consumer => AsAsyncConsumer::home(consumer))
    }

    async fn subscribe<T: Into<String>, I: IntoIterator<Item = T> + Send>(
        &mut self,
        topics: I,
    ) -> RawResult<()> {
        let topics: Vec<String> = topics.into_iter().map(Into::into).collect();
        dispatch!(AnyConsumer, &mut self.0, consumer => consumer.subscribe(topics).await)
    }

    async fn recv_timeout(
        &self,
        timeout: Timeout,
    ) -> RawResult<Option<(Offset, MessageSet<Meta, Data>)>> {
        dispatch!(AnyConsumer, &self.0, consumer => consumer.recv_timeout(timeout).await)
    }

    fn leftovers(&self) -> Option<&Leftovers> {
        dispatch!(AnyConsumer, &self.0, consumer => consumer.leftovers())
    }

    async fn go_back(&self, topic: &str, vgroup_id: VGroupId, offset: i64) -> RawResult<()> {
        dispatch!(AnyConsumer, &self.0, consumer => consumer.go_back(topic, vgroup_id, offset).await)
    }

    async fn commit(&self, offset: Offset) -> RawResult<()> {
        dispatch!(AnyConsumer, &self.0, consumer => consumer.commit(offset).await)
    }

    async fn commit_all(&self) -> RawResult<()> {
        dispatch!(AnyConsumer, &self.0, consumer => consumer.commit_all().await)
    }

    async fn commit_offset(&self, topic: &str, vgroup_id: VGroupId, offset: i64) -> RawResult<()> {
        dispatch!(AnyConsumer, &self.0, consumer => {
            consumer.commit_offset(topic, vgroup_id, offset).await
        })
    }

    async fn unsubscribe(self) {
        dispatch!(AnyConsumer, self.0, consumer => consumer.unsubscribe().await)
    }

    async fn list_topics(&self) -> RawResult<Vec<String>> {
        dispatch!(AnyConsumer, &self.0, consumer => consumer.list_topics().await)
    }

    async fn try_topic_assignment(&self, topic: &str) -> RawResult<Vec<Assignment>> {
        dispatch!(AnyConsumer, &self.0, consumer => consumer.try_topic_assignment(topic).await)
    }

    async fn offset_seek(
        &mut self,
        topic: &str,
        vgroup_id: VGroupId,
        offset: i64,
    ) -> RawResult<()> {
        dispatch!(AnyConsumer, &mut self.0, consumer => {
            consumer.offset_seek(topic, vgroup_id, offset).await
        })
    }

    async fn committed(&self, topic: &str, vgroup_id: VGroupId) -> RawResult<i64> {
        dispatch!(AnyConsumer, &self.0, consumer => consumer.committed(topic, vgroup_id).await)
    }

    async fn position(&self, topic: &str, vgroup_id: VGroupId) -> RawResult<i64> {
        dispatch!(AnyConsumer, &self.0, consumer => consumer.position(topic, vgroup_id).await)
    }
}

impl fmt::Debug for TmqBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TmqBuilder").finish_non_exhaustive()
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("backend", &self.0.backend())
            .finish_non_exhaustive()
    }
}
