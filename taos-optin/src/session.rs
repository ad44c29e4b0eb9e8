//! What a connection can be told and asked besides statements.

use chrono_tz::Tz;
use taos_query::RawResult;
use taos_query::writes::wrong;

use crate::ConnectionOption;
use crate::client::Taos;

impl Taos {
    /// Sets an option of the connection, or with no value sets it back (libtaos 3.3.5.0 and newer).
    ///
    /// Texts of timestamps that this program makes follow the DSN's `timezone`, not this one.
    ///
    /// # Errors
    /// A time zone that is not an IANA name, and the library's.
    pub async fn set_option(&self, option: ConnectionOption, value: Option<&str>) -> RawResult<()> {
        let value = value.map(str::to_owned);
        if let (ConnectionOption::Timezone, Some(zone)) = (option, &value)
            && zone.parse::<Tz>().is_err()
        {
            return Err(wrong(format!(
                "`{zone}` is not an IANA time zone name such as Asia/Shanghai"
            )));
        }
        self.asking("setting an option", move |connection| {
            connection.set_option(option, value.as_deref())
        })
        .await
    }

    /// Checks a statement without running it.
    ///
    /// # Errors
    /// Why it is not valid.
    pub async fn validate_sql(&self, sql: impl AsRef<str> + Send + Sync) -> RawResult<()> {
        let sql = sql.as_ref().to_owned();
        self.asking("checking a statement", move |connection| {
            connection.validate(&sql)
        })
        .await
    }

    /// The connection's database, if it has one (libtaos 3.0.5 and newer).
    ///
    /// # Errors
    /// The library's.
    pub async fn current_database(&self) -> RawResult<Option<String>> {
        self.asking("the question for the database", |connection| {
            connection.database()
        })
        .await
    }

    /// The server's version, build and revision lines.
    ///
    /// # Errors
    /// The library's.
    pub async fn server_info(&self) -> RawResult<String> {
        self.asking("the question for the server", |connection| {
            connection.server_info()
        })
        .await
    }
}
