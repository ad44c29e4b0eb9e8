use super::Consumer;
use super::config::{PARAMS, TmqConfig};
use super::shared::Shared;
use crate::client::Client;
use std::sync::Arc;
use taos_query::{AsyncTBuilder, Code, ErrorKind, IntoDsn, RawError, RawResult};
use tokio::sync::OnceCell;

/// Makes consumers from a DSN such as `ws://root:taosdata@localhost:6041?group.id=readers`.
///
/// Parameters beside those of [`TaosBuilder`](crate::TaosBuilder), with their defaults:
///
/// | name | default | meaning |
/// | --- | --- | --- |
/// | `group.id` | required | the consumer group |
/// | `client.id` | none | name of this member |
/// | `auto.offset.reset` | the server's: `latest` | where a group without commits begins: `earliest`, `latest`, `none` |
/// | `enable.auto.commit` | false | commit what was taken and moved past |
/// | `auto.commit.interval.ms` | 5000 | how often |
/// | `auto.reconnect` | true | subscribe again after a loss |
/// | `timeout` | 5 s | how long `recv` and `stream` wait: `never`, `none`, or a number with its unit |
/// | `offset` | none | `vgroup:offset,…` of the first topic: where to begin |
/// | `experimental.snapshot.enable` (`snapshot`) | false | also deliver what is older than the log |
/// | `msg.with.table.name` | true | |
/// | `msg.enable.batchmeta` (`batchmeta`, `enable.batch.meta`) | true | several changes of tables in one message |
/// | `msg.consume.excluded` (`replica`) | server's | leave out what replication wrote |
/// | `msg.consume.rawdata` | server's | rows as they are stored, for `as_raw_data` only |
/// | `session.timeout.ms`, `max.poll.interval.ms` | server's | when the server gives this member up |
/// | `td.connect.token` | none | token to log in with; before `bearer_token` |
///
/// Any other parameter with a dot in its name goes to the server as it is.
#[derive(Debug)]
pub struct TmqBuilder {
    config: TmqConfig,
    server_version: OnceCell<String>,
}

impl TmqBuilder {
    /// A consumer whose sockets are pipes.
    #[cfg(test)]
    pub(crate) async fn build_over(&self, pipes: crate::transport::Pipes) -> RawResult<Consumer> {
        self.connect(Client::over(self.config.connection.clone(), pipes))
            .await
    }

    async fn connect(&self, client: Client) -> RawResult<Consumer> {
        client.link().await?;
        let shared = Shared::new(client, self.config.clone());
        Ok(Consumer::new(Arc::new(shared)))
    }
}

impl AsyncTBuilder for TmqBuilder {
    type Target = Consumer;

    fn available_params() -> &'static [&'static str] {
        &PARAMS
    }

    fn from_dsn<D: IntoDsn>(dsn: D) -> RawResult<Self> {
        let dsn = dsn.into_dsn().map_err(|error| {
            RawError::of(ErrorKind::Config, error.to_string()).with_code(Code::WS_DSN)
        })?;
        Ok(Self {
            config: TmqConfig::from_dsn(&dsn)?,
            server_version: OnceCell::new(),
        })
    }

    fn client_version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    async fn server_version(&self) -> RawResult<&str> {
        let version = self
            .server_version
            .get_or_try_init(|| async {
                let consumer = self.build().await?;
                RawResult::Ok(consumer.server_version().to_owned())
            })
            .await?;
        Ok(version)
    }

    async fn ping(&self, target: &mut Consumer) -> RawResult<()> {
        target.shared.client.link().await.map(drop)
    }

    fn home(target: &Consumer) -> Option<tokio::runtime::Id> {
        taos_query::tmq::AsAsyncConsumer::home(target)
    }

    fn is_broken(target: &Consumer) -> bool {
        target.shared.client.is_broken()
    }

    /// Connects and asks for the server's version. The login is told with `subscribe` only.
    async fn build(&self) -> RawResult<Consumer> {
        self.connect(Client::new(self.config.connection.clone())?)
            .await
    }
}
