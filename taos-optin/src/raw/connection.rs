//! The owner of a `TAOS*`.

use std::ffi::CString;
use std::fmt;
use std::ptr::NonNull;

use taos_query::util::Secret;
use taos_query::{ConnectionState, ErrorKind, RawError, RawResult};
use tokio::sync::watch;

use super::options::ConnectionOption;
use super::text::{SecretText, c_text, pointer, secret_pointer};
use super::{error, reaper};
use crate::ffi::{Library, Taos, front_hint};

/// Whom to connect to, and as whom. What is not given is the library's to choose.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectArgs {
    pub(crate) host: Option<String>,
    /// 0 is the library's default.
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) database: Option<String>,
    /// The code of the second factor.
    pub(crate) totp: Option<Secret>,
    /// In place of user and password.
    pub(crate) token: Option<Secret>,
    /// Those that are given.
    pub(crate) options: Vec<(ConnectionOption, String)>,
    /// Whether `*` leaves the tags of super tables out.
    pub(crate) bi_mode: bool,
}

impl ConnectArgs {
    /// `host:port` as messages show it; which port stands for 0 only the library knows.
    pub(crate) fn address(&self) -> String {
        match (&self.host, self.port) {
            (None, 0) => "the first endpoint of the client library's configuration".to_owned(),
            (Some(host), 0) => host.clone(),
            (host, port) => format!("{}:{port}", host.as_deref().unwrap_or("localhost")),
        }
    }
}

/// An open connection; closed when the last who uses it is gone.
pub(crate) struct Connection {
    library: &'static Library,
    taos: NonNull<Taos>,
    address: String,
    state: watch::Sender<ConnectionState>,
}

// SAFETY: "A `TAOS*` may be used from many threads at the same time; calls on one connection may run in parallel"
// (native-ffi §3).
unsafe impl Send for Connection {}
// SAFETY: as above.
unsafe impl Sync for Connection {}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("library", &self.library.path)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects and logs in. Blocks.
    ///
    /// # Errors
    /// A NUL in one of the arguments, a library without what they need, and the library's own.
    pub(crate) fn open(library: &'static Library, args: &ConnectArgs) -> RawResult<Self> {
        let given = |what: &str, value: &Option<String>| -> RawResult<Option<CString>> {
            value
                .as_deref()
                .map(|value| c_text(what, value))
                .transpose()
        };
        let hidden = |what: &str, value: &Option<Secret>| -> RawResult<Option<SecretText>> {
            value
                .as_ref()
                .map(|value| SecretText::new(what, value))
                .transpose()
        };
        let host = given("the host", &args.host)?;
        let user = given("the user", &args.user)?;
        let database = given("the name of the database", &args.database)?;
        let password = hidden("the password", &args.password)?;
        let totp = hidden("the parameter totp_code", &args.totp)?;
        let token = hidden("the parameter bearer_token", &args.token)?;
        let (host, user, database) = (
            pointer(host.as_ref()),
            pointer(user.as_ref()),
            pointer(database.as_ref()),
        );
        let password = secret_pointer(password.as_ref());
        let api = &library.api;
        let taos = if let Some(token) = &token {
            let connect = api.taos_connect_token.get()?;
            // SAFETY: each argument is NULL or a text that ends with NUL and lives until the end of this function.
            unsafe { connect(host, token.as_ptr(), database, args.port) }
        } else if let Some(totp) = &totp {
            let connect = api.taos_connect_totp.get()?;
            // SAFETY: as above.
            unsafe { connect(host, user, password, totp.as_ptr(), database, args.port) }
        } else {
            // SAFETY: as above.
            unsafe { (api.taos_connect)(host, user, password, database, args.port) }
        };
        let address = args.address();
        let Some(taos) = NonNull::new(taos) else {
            return Err(refused(library, args));
        };
        let connection = Self {
            library,
            taos,
            state: watch::Sender::new(ConnectionState::ready(address.as_str())),
            address,
        };
        for (option, value) in &args.options {
            connection.set_option(*option, Some(value))?;
        }
        if args.bi_mode {
            connection.set_bi_mode(true)?;
        }
        Ok(connection)
    }

    /// The library behind it.
    pub(crate) const fn library(&self) -> &'static Library {
        self.library
    }

    /// Good as long as the connection lives.
    pub(in crate::raw) const fn as_ptr(&self) -> *mut Taos {
        self.taos.as_ptr()
    }

    /// What the server's last answer said of the connection.
    pub(crate) fn state(&self) -> ConnectionState {
        self.state.borrow().clone()
    }

    /// The state, and its changes until the connection is closed.
    pub(crate) fn watch(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }

    /// True if the last answer said that the server is out of reach.
    pub(crate) fn is_lost(&self) -> bool {
        !self.state.borrow().is_ready()
    }

    /// Notes what the answer to a call that needs the server says of the connection; the library itself connects again.
    ///
    /// Only a success and the codes of servers prove that there is one. Our own errors, and those that the library
    /// makes without asking, change nothing.
    pub(crate) fn heard(&self, answer: Result<(), &RawError>) {
        let code = answer.map_or_else(|error| error.code().into(), |()| 0);
        if let Err(error) = answer
            && error::is_lost(code)
        {
            self.state
                .send_replace(ConnectionState::broken(error.to_string()));
        } else if answer.is_ok() || error::is_of_server(code) {
            // Looked at and changed under one lock: answers come on many threads.
            self.state.send_if_modified(|state| {
                let was_lost = !state.is_ready();
                if was_lost {
                    *state = ConnectionState::ready(self.address.as_str());
                }
                was_lost
            });
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let close = Close {
            library: self.library,
            taos: self.taos,
        };
        reaper::run(move || close.run());
    }
}

/// A connection that nobody uses any more.
struct Close {
    library: &'static Library,
    taos: NonNull<Taos>,
}

// SAFETY: as for `Connection`.
unsafe impl Send for Close {}

impl Close {
    fn run(self) {
        // SAFETY: made by the library, owned by the `Connection` that is gone, and closed nowhere else.
        unsafe { (self.library.api.taos_close)(self.taos.as_ptr()) }
    }
}

/// Why the library has given no connection; to be called on the thread that it has failed on.
fn refused(library: &Library, args: &ConnectArgs) -> RawError {
    let error = error::last(library);
    let code: i32 = error.code().into();
    let kind = match error.kind() {
        ErrorKind::Auth => ErrorKind::Auth,
        _ if error::is_lost(code) => ErrorKind::Connect,
        kind => kind,
    };
    let context = match front_hint(code) {
        Some(hint) => format!("cannot connect: {hint}"),
        None => match &args.database {
            Some(database) => format!(
                "cannot connect to {}, database `{database}`",
                args.address()
            ),
            None => format!("cannot connect to {}", args.address()),
        },
    };
    error.with_kind(kind).context(context)
}
