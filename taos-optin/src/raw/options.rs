//! Options of a connection, and questions about it (native-ffi §3).

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use taos_query::{RawError, RawResult};

use super::connection::Connection;
use super::error;
use super::text::{c_text, of_array, read};

/// What a connection can be told after it was opened (libtaos 3.3.5.0 and newer).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionOption {
    /// Everything back to what it was.
    Clear,
    /// The charset of texts; leave it alone, for all texts of this crate are UTF-8.
    Charset,
    /// The IANA time zone in which the server reads and writes timestamps as text.
    Timezone,
    /// The address that the server shows for this connection.
    UserIp,
    /// The program that the server shows for this connection.
    UserApp,
    /// What this client is (libtaos 3.4 and newer).
    ConnectorInfo,
}

impl ConnectionOption {
    /// Those that parameters of a DSN set, which have their names.
    pub(crate) const OF_DSN: [Self; 5] = [
        Self::Charset,
        Self::Timezone,
        Self::UserIp,
        Self::UserApp,
        Self::ConnectorInfo,
    ];

    const fn number(self) -> c_int {
        match self {
            Self::Clear => -1,
            Self::Charset => 0,
            Self::Timezone => 1,
            Self::UserIp => 2,
            Self::UserApp => 3,
            Self::ConnectorInfo => 4,
        }
    }

    /// The parameter that sets it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Clear => "clearing the options of the connection",
            Self::Charset => "charset",
            Self::Timezone => "timezone",
            Self::UserIp => "user_ip",
            Self::UserApp => "user_app",
            Self::ConnectorInfo => "connector_info",
        }
    }
}

/// Longest name of a database that there is, with room to spare.
const DATABASE_NAME: usize = 256;
/// `TAOS_CONN_MODE_BI`.
const MODE_BI: c_int = 0;

impl Connection {
    /// Sets an option, or with no value sets it back. Blocks.
    ///
    /// # Errors
    /// `Unsupported` from a library before 3.3.5.0, and the library's.
    pub(crate) fn set_option(
        &self,
        option: ConnectionOption,
        value: Option<&str>,
    ) -> RawResult<()> {
        let set = self.library().api.taos_options_connection.get()?;
        let value = value
            .map(|value| c_text(option.name(), value))
            .transpose()?;
        let text: *const c_void = value
            .as_ref()
            .map_or(ptr::null(), |value| value.as_ptr().cast());
        // SAFETY: the connection is open; the value is NULL or a text that lives until the call returns.
        let code = unsafe { set(self.as_ptr(), option.number(), text) };
        error::check(self.library(), code, option.name())
    }

    /// Switches BI mode, in which `*` leaves tags out. Blocks.
    ///
    /// # Errors
    /// `Unsupported` from a library before 3.2.3, and the library's.
    pub(crate) fn set_bi_mode(&self, on: bool) -> RawResult<()> {
        let set = self.library().api.taos_set_conn_mode.get()?;
        // SAFETY: the connection is open.
        let code = unsafe { set(self.as_ptr(), MODE_BI, c_int::from(on)) };
        error::check(self.library(), code, "conn_mode")
    }

    /// Has the server check a statement without running it. Blocks.
    ///
    /// # Errors
    /// Why the statement is not valid.
    pub(crate) fn validate(&self, sql: &str) -> RawResult<()> {
        let validate = self.library().api.taos_validate_sql.get()?;
        let sql = c_text("the statement", sql)?;
        // SAFETY: the connection is open, and the text lives until the call returns.
        let code = unsafe { validate(self.as_ptr(), sql.as_ptr()) };
        error::check(self.library(), code, "validate_sql")
    }

    /// The database of the connection, if it has one. Blocks.
    ///
    /// # Errors
    /// `Unsupported` from a library before 3.0.5, and the library's.
    pub(crate) fn database(&self) -> RawResult<Option<String>> {
        let ask = self.library().api.taos_get_current_db.get()?;
        let mut name = [0 as c_char; DATABASE_NAME];
        let room = c_int::try_from(name.len()).unwrap_or(0);
        let mut required = 0;
        // SAFETY: the connection is open; the library writes no more than `room` bytes, and a number.
        let code = unsafe { ask(self.as_ptr(), name.as_mut_ptr(), room, &raw mut required) };
        if code != 0 && required > room {
            return Err(RawError::from_string(format!(
                "the name of the connection's database has {required} bytes, more than any name may have"
            )));
        }
        error::check(self.library(), code, "current_database")?;
        Ok(Some(of_array(&name)).filter(|name| !name.is_empty()))
    }

    /// The server's version, build and revision lines. May block.
    ///
    /// # Errors
    /// The library's, when it cannot ask.
    pub(crate) fn server_info(&self) -> RawResult<String> {
        let ask = self.library().api.taos_get_server_info.get()?;
        // SAFETY: the connection is open.
        let info = unsafe { ask(self.as_ptr()) };
        if info.is_null() {
            return Err(error::last(self.library()).context("server_info"));
        }
        // SAFETY: the text is good while the connection is open.
        Ok(unsafe { read(info) })
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectionOption::*;

    #[test]
    fn options_have_the_numbers_of_the_library() {
        let all = [Clear, Charset, Timezone, UserIp, UserApp, ConnectorInfo];
        assert_eq!(all.map(|option| option.number()), [-1, 0, 1, 2, 3, 4]);
    }
}
