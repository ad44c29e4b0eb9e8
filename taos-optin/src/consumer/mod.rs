//! Consumers of topics.

use taos_query::tmq::{
    AsAsyncConsumer, Assignment, Data, MessageSet, Meta, Offset, Timeout, VGroupId,
};
use taos_query::{AsyncTBuilder, IntoDsn, RawError, RawResult};

fn unsupported() -> RawError {
    RawError::unsupported("subscribing to topics", "native")
}

/// Makes consumers from a DSN such as `taos://root:taosdata@localhost:6030?group.id=readers`.
#[derive(Debug)]
pub struct TmqBuilder(());

/// A member of a consumer group.
#[derive(Debug)]
pub struct Consumer(());

impl AsyncTBuilder for TmqBuilder {
    type Target = Consumer;

    fn available_params() -> &'static [&'static str] {
        &[]
    }

    fn from_dsn<D: IntoDsn>(_dsn: D) -> RawResult<Self> {
        Err(unsupported())
    }

    fn client_version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    async fn server_version(&self) -> RawResult<&str> {
        Err(unsupported())
    }

    async fn ping(&self, _target: &mut Consumer) -> RawResult<()> {
        Err(unsupported())
    }

    async fn build(&self) -> RawResult<Consumer> {
        Err(unsupported())
    }
}

impl AsAsyncConsumer for Consumer {
    type Offset = Offset;
    type Meta = Meta;
    type Data = Data;

    fn default_timeout(&self) -> Timeout {
        Timeout::from_secs(5)
    }

    async fn subscribe<T: Into<String>, I: IntoIterator<Item = T> + Send>(
        &mut self,
        _topics: I,
    ) -> RawResult<()> {
        Err(unsupported())
    }

    async fn recv_timeout(
        &self,
        _timeout: Timeout,
    ) -> RawResult<Option<(Offset, MessageSet<Meta, Data>)>> {
        Err(unsupported())
    }

    async fn commit(&self, _offset: Offset) -> RawResult<()> {
        Err(unsupported())
    }

    async fn commit_all(&self) -> RawResult<()> {
        Err(unsupported())
    }

    async fn commit_offset(
        &self,
        _topic: &str,
        _vgroup_id: VGroupId,
        _offset: i64,
    ) -> RawResult<()> {
        Err(unsupported())
    }

    async fn unsubscribe(self) {}

    async fn list_topics(&self) -> RawResult<Vec<String>> {
        Err(unsupported())
    }

    async fn try_topic_assignment(&self, _topic: &str) -> RawResult<Vec<Assignment>> {
        Err(unsupported())
    }

    async fn offset_seek(
        &mut self,
        _topic: &str,
        _vgroup_id: VGroupId,
        _offset: i64,
    ) -> RawResult<()> {
        Err(unsupported())
    }

    async fn committed(&self, _topic: &str, _vgroup_id: VGroupId) -> RawResult<i64> {
        Err(unsupported())
    }

    async fn position(&self, _topic: &str, _vgroup_id: VGroupId) -> RawResult<i64> {
        Err(unsupported())
    }
}
