use std::sync::Arc;

use taos_query::tmq::backend::SHORT;
use taos_query::{AsyncTBuilder, Code, Dsn, ErrorKind, IntoDsn, RawError, RawResult};
use tokio::sync::oneshot;

use super::config::{Config, PARAMS};
use super::driver::{self, Driver};
use super::shared::Shared;
use super::{Consumer, ended_thread};
use crate::TaosBuilder;
use crate::wait::{timed_out, within};

/// Makes consumers from a DSN such as `taos://root:taosdata@localhost:6030?group.id=readers`.
///
/// Parameters beside those of [`TaosBuilder`], with their defaults:
///
/// | name | default | meaning |
/// | --- | --- | --- |
/// | `group.id` | required | the consumer group |
/// | `client.id` | none | name of this member |
/// | `auto.offset.reset` | the library's: `latest` | where a group without commits begins: `earliest`, `latest`, `none` |
/// | `enable.auto.commit` | false | commit what was taken and moved past |
/// | `auto.commit.interval.ms` | 5000 | how often |
/// | `timeout` | 5 s | how long `recv` and `stream` wait: `never`, `none`, or a number with its unit |
/// | `offset` | none | `vgroup:offset,…` of the first topic: where to begin |
/// | `experimental.snapshot.enable` (`snapshot`) | false | also deliver what is older than the log |
/// | `msg.with.table.name` | true | |
/// | `msg.enable.batchmeta` (`batchmeta`, `enable.batch.meta`) | true | several changes of tables in one message |
/// | `msg.consume.excluded` (`replica`) | the library's | leave out what replication wrote |
/// | `msg.consume.rawdata` | the library's | rows as they are stored, for `as_raw_data` only |
/// | `session.timeout.ms`, `max.poll.interval.ms` | the library's | when the server gives this member up |
/// | `td.connect.token` | none | token to log in with (library 3.4.0.0 and newer); before `bearer_token` |
///
/// Any other parameter with a dot goes to the library as it is. `auto.reconnect=false` is refused: the library connects
/// again by itself. The connection options `charset`, `user_ip`, `user_app`, `connector_info` and `conn_mode` have no
/// effect on consumers, which a warning says; `timezone` is that of timestamps as text.
#[derive(Debug)]
pub struct TmqBuilder {
    config: Arc<Config>,
    /// Tells what a consumer does not: the server's version.
    connection: TaosBuilder,
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
            config: Arc::new(Config::from_dsn(&dsn)?),
            connection: TaosBuilder::from_dsn(of_connection(dsn))?,
        })
    }

    fn client_version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// Opens a connection.
    async fn server_version(&self) -> RawResult<&str> {
        self.connection.server_version().await
    }

    async fn ping(&self, target: &mut Consumer) -> RawResult<()> {
        target.asked("ping", Driver::ping).await
    }

    fn is_broken(target: &Consumer) -> bool {
        target.is_ended()
    }

    /// Opens the library, connects and logs in.
    async fn build(&self) -> RawResult<Consumer> {
        let consumer = Consumer {
            shared: Arc::new(Shared::new(Arc::clone(&self.config))),
            leftovers: taos_query::tmq::Leftovers::default(),
        };
        let (ready, opened) = oneshot::channel();
        driver::start(Arc::clone(&consumer.shared), ready)?;
        let limit = self.config.settings.conn_timeout;
        let Some(opened) = within(limit, opened).await else {
            let what = format!("the call to make a consumer at {}", self.config.address());
            return Err(timed_out(&what, "conn_total_timeout", limit));
        };
        opened.unwrap_or_else(|_| Err(ended_thread()))?;
        Ok(consumer)
    }
}

/// The DSN without what concerns consumers, for the login that the consumer has.
fn of_connection(mut dsn: Dsn) -> Dsn {
    let mut taken = |key: &str| dsn.params.remove(key).filter(|text| !text.is_empty());
    let [user, password, token] =
        ["td.connect.user", "td.connect.pass", "td.connect.token"].map(&mut taken);
    dsn.username = dsn.username.or(user);
    dsn.password = dsn.password.or(password);
    if let Some(token) = token {
        dsn.params.remove("bearerToken");
        dsn.set("bearer_token", token);
    }
    dsn.params
        .retain(|key, _| !key.contains('.') && !SHORT.contains(&key.as_str()));
    dsn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_asked_by_the_login_that_the_consumer_has() {
        for (params, told) in [
            ("td.connect.user=u&td.connect.pass=p", "taos://u:p@h:6030"),
            ("timeout=1s", "taos://h:6030"),
            (
                "td.connect.token=a&bearerToken=b",
                "taos://h:6030?bearer_token=a",
            ),
        ] {
            let dsn = format!("taos://h:6030?group.id=g&{params}");
            assert_eq!(
                of_connection(dsn.parse().unwrap()),
                told.parse::<Dsn>().unwrap()
            );
        }
        let dsn = "taos://me:own@h?group.id=g&td.connect.user=u&td.connect.pass=p";
        let dsn = of_connection(dsn.parse().unwrap());
        assert_eq!(dsn.username.as_deref(), Some("me"));
        assert_eq!(dsn.password.as_deref(), Some("own"));
    }
}
