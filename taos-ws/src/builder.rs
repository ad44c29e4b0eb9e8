use crate::client::Client;
use crate::config::Config;
use crate::query::Taos;
use std::sync::Arc;
use taos_query::dsn::WEBSOCKET_PARAMS;
use taos_query::{AsyncQueryable, AsyncTBuilder, ErrorKind, IntoDsn, RawError, RawResult};
use tokio::sync::OnceCell;

/// Makes connections to taosAdapter from a DSN such as `ws://root:taosdata@localhost:6041/db`.
///
/// Parameters, with their defaults:
///
/// | name | default | meaning |
/// | --- | --- | --- |
/// | `conn_timeout` | 10 s | limit of each step: TCP, TLS, upgrade, each login message, pong |
/// | `conn_total_timeout` | 30 s, or twice `conn_timeout` for each address | limit of connecting as a whole |
/// | `read_timeout` | 300 s | longest wait for one answer |
/// | `conn_retries` | 5 | further rounds over all addresses |
/// | `retry_backoff_ms`, `retry_backoff_max_ms` | 200, 2000 | pause between rounds, doubled each time, ±20 % |
/// | `retry_writes` | false | send a write again although it may have been run |
/// | `timezone` | none | IANA zone of the session and of timestamps as text |
/// | `token`, `bearer_token`, `totp_secret`, `totp_code` | none | other ways to log in |
/// | `conn_mode` | 0 | 1 = BI mode |
/// | `tls_ca` | system roots | PEM text or file of the authority |
/// | `tls_mode` | `verify_identity` | `dangerous_accept_any` switches verification off |
/// | `tls_version` | both | list of `TLSv1.2`, `TLSv1.3` |
/// | `compression` | false | compress messages if the server agrees (Cargo feature `deflate`) |
/// | `max_message_size` | 256 MiB | bytes of one message; longer ones break the connection |
/// | `version_prefer` | `2.x` | generation of servers that do not tell their version |
/// | `user_ip`, `user_app`, `connector_info` | | shown in the server's list of connections |
#[derive(Debug)]
pub struct TaosBuilder {
    config: Config,
    server_version: OnceCell<String>,
}

impl TaosBuilder {
    /// A client that is not connected yet.
    pub(crate) fn client(&self) -> RawResult<Client> {
        Client::new(self.config.clone())
    }
}

impl AsyncTBuilder for TaosBuilder {
    type Target = Taos;

    fn available_params() -> &'static [&'static str] {
        WEBSOCKET_PARAMS
    }

    fn from_dsn<D: IntoDsn>(dsn: D) -> RawResult<Self> {
        let dsn = dsn.into_dsn().map_err(|error| {
            RawError::of(ErrorKind::Config, error.to_string()).with_code(taos_query::Code::WS_DSN)
        })?;
        Ok(Self {
            config: Config::from_dsn(&dsn)?,
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
                let taos = self.build().await?;
                let version = taos.server_version().await?;
                RawResult::Ok(version.into_owned())
            })
            .await?;
        Ok(version)
    }

    async fn ping(&self, target: &mut Taos) -> RawResult<()> {
        target.query("select 1").await.map(drop)
    }

    fn home(target: &Taos) -> Option<tokio::runtime::Id> {
        AsyncQueryable::home(target)
    }

    fn is_broken(target: &Taos) -> bool {
        target.is_broken()
    }

    async fn build(&self) -> RawResult<Taos> {
        let client = Arc::new(self.client()?);
        client.link().await?;
        Ok(Taos::new(client))
    }
}
