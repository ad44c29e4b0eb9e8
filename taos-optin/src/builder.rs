//! Makes connections from a DSN.

use std::sync::Arc;

use taos_query::dsn::NATIVE_PARAMS;
use taos_query::{AsyncQueryable, AsyncTBuilder, Code, ErrorKind, IntoDsn, RawError, RawResult};
use tokio::sync::OnceCell;

use crate::client::Taos;
use crate::settings::Settings;

/// Makes connections through the client library from a DSN such as `taos://root:taosdata@localhost:6030/db`.
///
/// The library is opened with the first connection. Host, port, user and password that the DSN does not give are those of
/// the library: the first endpoint of its `taos.cfg`, 6030, `root`, `taosdata`. Only the first address is used; the
/// library finds the other servers of the cluster.
///
/// Parameters, with their defaults:
///
/// | name | default | meaning |
/// | --- | --- | --- |
/// | `libraryPath` | `TAOS_LIBRARY_PATH`, then the system's library folders | the client library's file, or its folder |
/// | `configDir` | the library's: `/etc/taos` | folder of `taos.cfg`; the same for the whole process |
/// | `maxRetries` | 2 | repetitions of what failed for a passing reason: of all while a table is being created (0x032C), and after a server that cannot be reached (0x000B) of connecting and of questions, not of writes, which may have been done in part |
/// | `totp_code`, `totp_secret` | none | second factor of the login (library 3.4.0.0 and newer) |
/// | `bearer_token` | none | token to log in with (library 3.4.0.0 and newer) |
/// | `timezone` | none | IANA zone of the session (library 3.3.5.0 and newer) and of timestamps as text |
/// | `charset`, `user_ip`, `user_app`, `connector_info` | none | options of the session (library 3.3.5.0 and newer) |
/// | `read_timeout` | 300 s | longest wait for one answer |
/// | `conn_timeout` | 15 s | half of the longest wait for a connection |
/// | `conn_total_timeout` | 30 s, or twice a `conn_timeout` | longest wait for a connection, all tries together |
///
/// Parameters of TLS (`tls_mode` and its like) are refused: a native connection is encrypted only if the library's own
/// configuration says so.
#[derive(Debug)]
pub struct TaosBuilder {
    settings: Arc<Settings>,
    server_version: OnceCell<String>,
}

impl AsyncTBuilder for TaosBuilder {
    type Target = Taos;

    fn available_params() -> &'static [&'static str] {
        NATIVE_PARAMS
    }

    fn from_dsn<D: IntoDsn>(dsn: D) -> RawResult<Self> {
        let dsn = dsn.into_dsn().map_err(|error| {
            RawError::of(ErrorKind::Config, error.to_string()).with_code(Code::WS_DSN)
        })?;
        Ok(Self {
            settings: Arc::new(Settings::from_dsn(&dsn)?),
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
        target.query_first_block("select 1").await.map(drop)
    }

    fn is_broken(target: &Taos) -> bool {
        target.connection.is_lost()
    }

    async fn build(&self) -> RawResult<Taos> {
        Taos::connect(Arc::clone(&self.settings)).await
    }
}
