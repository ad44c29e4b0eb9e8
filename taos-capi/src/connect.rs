//! Making and closing connections.

use std::ffi::{CString, c_char, c_int};
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use taos_query::{AsyncTBuilder as _, Dsn, IntoDsn as _, RawResult};
use taos_ws::TaosBuilder;
use taos_ws::protocol::ConnOption;

use crate::args::{optional_text, text};
use crate::config::{ENGINE_PORT, Settings};
use crate::error::{BROKEN, DISCONNECTED, Failure, forget, remember};
use crate::guard::guard;
use crate::handle::{Object, give, take};
use crate::runtime::wait;
use crate::stop::{Kill, Stop};
use crate::types::Taos;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Conn {
    /// Replaced when the connection must log in anew.
    taos: Mutex<taos_ws::Taos>,
    dsn: Mutex<Dsn>,
    /// As they were set, for when the connection logs in anew.
    options: Mutex<Vec<ConnOption>>,
    pub(crate) kill: Kill,
    pub(crate) server_info: OnceLock<CString>,
}

const _: () = {
    // Handles of connections are used by many threads at once.
    const fn shared<T: Send + Sync>() {}
    shared::<Conn>();
};

impl Object for Conn {
    const KIND: u64 = u64::from_le_bytes(*b"TAOSCONN");
}

impl Conn {
    pub(crate) fn new(taos: taos_ws::Taos, dsn: Dsn) -> Self {
        Self {
            taos: Mutex::new(taos),
            dsn: Mutex::new(dsn),
            options: Mutex::default(),
            kill: Kill::new(),
            server_info: OnceLock::new(),
        }
    }

    /// The connection behind the handle; it stays usable when the handle is closed meanwhile.
    pub(crate) fn taos(&self) -> taos_ws::Taos {
        lock(&self.taos).clone()
    }

    /// A parameter that the connection was made with.
    pub(crate) fn param(&self, key: &str) -> Option<String> {
        lock(&self.dsn).get(key).cloned()
    }

    /// The user's name; the bearer of a token has one that only the server knows.
    pub(crate) fn user(&self) -> Option<String> {
        let dsn = lock(&self.dsn);
        let by_token = ["token", "bearer_token", "bearerToken"];
        if by_token.iter().any(|key| dsn.get(key).is_some()) {
            return None;
        }
        let root = || "root".to_owned();
        Some(dsn.username.clone().unwrap_or_else(root))
    }

    /// Notes an option that the server has taken.
    pub(crate) fn remember_option(&self, option: ConnOption) {
        let mut options = lock(&self.options);
        options.retain(|held| option.option != -1 && held.option != option.option);
        if option.option != -1 {
            options.push(option);
        }
    }

    /// Logs in anew with something changed, and goes on there. Work that is under way ends on the old connection.
    pub(crate) fn renew(&self, change: impl FnOnce(&mut Dsn)) -> Result<(), Failure> {
        // One at a time, so that none undoes the other.
        let mut held = lock(&self.dsn);
        let mut dsn = held.clone();
        change(&mut dsn);
        let taos = open(&dsn)?;
        let options = lock(&self.options).clone();
        if !options.is_empty() {
            wait(taos.options_connection(&options))?;
        }
        *held = dsn;
        *lock(&self.taos) = taos;
        Ok(())
    }

    /// What stops a piece of work that begins now.
    pub(crate) fn stop(&self) -> Stop {
        self.kill.stop()
    }
}

/// The error for a handle that is no connection.
pub(crate) fn no_connection() -> Failure {
    Failure::new(DISCONNECTED, "Invalid connection: the handle is not one")
}

/// Logs in.
pub(crate) fn open(dsn: &Dsn) -> RawResult<taos_ws::Taos> {
    let mut dsn = dsn.clone();
    dsn.params
        .entry("connector_info".to_owned())
        .or_insert_with(|| concat!("c-taos-capi-v", env!("CARGO_PKG_VERSION")).to_owned());
    let by_engine = dsn
        .addresses
        .iter()
        .any(|address| address.port == Some(ENGINE_PORT));
    let builder = TaosBuilder::from_dsn(dsn)?;
    wait(builder.build()).map_err(|error| match by_engine {
        true => error.context(
            "port 6030 is the engine's, and this library needs taosAdapter, usually at 6041",
        ),
        false => error,
    })
}

/// Connects by a DSN, and gives the handle.
fn connected(dsn: Result<Dsn, Failure>) -> *mut Taos {
    let conn = dsn.and_then(|dsn| {
        let taos = open(&dsn).map_err(Failure::from)?;
        Ok(Conn::new(taos, dsn))
    });
    match conn {
        Ok(conn) => {
            forget();
            give(conn)
        }
        Err(failure) => {
            remember(failure);
            null_mut()
        }
    }
}

/// A text that may be NULL, but is taken as it is otherwise.
///
/// # Safety
/// NULL or NUL-terminated text.
unsafe fn given<'a>(address: *const c_char) -> Result<Option<&'a str>, Failure> {
    if address.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's duty.
    unsafe { text(address) }.map(Some)
}

/// How a program says where to connect; each may be NULL.
#[derive(Debug, Clone, Copy)]
struct Place {
    host: *const c_char,
    db: *const c_char,
    port: u16,
}

impl Place {
    /// # Safety
    /// Each address is NULL or that of NUL-terminated text.
    unsafe fn dsn(self) -> Result<Dsn, Failure> {
        // SAFETY: the caller's duty.
        let (host, db) = unsafe { (optional_text(self.host)?, optional_text(self.db)?) };
        let mut dsn = Settings::load()?.dsn(host, self.port)?;
        dsn.subject = db.map(str::to_owned);
        Ok(dsn)
    }

    /// # Safety
    /// As [`dsn`](Self::dsn).
    unsafe fn with_password(
        self,
        user: *const c_char,
        password: *const c_char,
    ) -> Result<Dsn, Failure> {
        // SAFETY: the caller's duty.
        unsafe {
            let mut dsn = self.dsn()?;
            // An empty password is one that is wrong, and does not stand for the default.
            dsn.username = given(user)?.map(str::to_owned);
            dsn.password = given(password)?.map(str::to_owned);
            Ok(dsn)
        }
    }

    /// # Safety
    /// As [`dsn`](Self::dsn).
    unsafe fn with_totp(
        self,
        user: *const c_char,
        password: *const c_char,
        code: *const c_char,
    ) -> Result<Dsn, Failure> {
        // SAFETY: the caller's duty.
        unsafe {
            let mut dsn = self.with_password(user, password)?;
            if let Some(code) = optional_text(code)? {
                dsn.set("totp_code", code);
            }
            Ok(dsn)
        }
    }
}

/// Connects with a user's name and password, and waits for it. NULL is an error, which `taos_errno(NULL)` tells on
/// the same thread.
///
/// No host (NULL or empty) stands for what is configured (see `taos.cfg` in the guide), no user (NULL) for `root`, no
/// password (NULL) for `taosdata`, and no database (NULL or empty) for none. The port is that of taosAdapter; 0 stands for what is configured with the host, else 6041. Several hosts
/// may stand between commas.
///
/// # Safety
/// Each address is NULL or that of NUL-terminated text in UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect(
    ip: *const c_char,
    user: *const c_char,
    pass: *const c_char,
    db: *const c_char,
    port: u16,
) -> *mut Taos {
    guard("taos_connect", null_mut(), || {
        let place = Place { host: ip, db, port };
        // SAFETY: the same duty.
        connected(unsafe { place.with_password(user, pass) })
    })
}

/// As `taos_connect`, with a one-time code beside the password (servers from 3.4.0.0 on). `taos_set_conn_mode` and
/// `taos_reset_current_db` fail on such a connection once the code has expired, as they log in anew.
///
/// # Safety
/// As `taos_connect`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_totp(
    ip: *const c_char,
    user: *const c_char,
    pass: *const c_char,
    totp: *const c_char,
    db: *const c_char,
    port: u16,
) -> *mut Taos {
    guard("taos_connect_totp", null_mut(), || {
        let place = Place { host: ip, db, port };
        // SAFETY: the same duty.
        connected(unsafe { place.with_totp(user, pass, totp) })
    })
}

/// Connects as `taos_connect_totp` and closes the connection again; gives 0 or a negative code.
///
/// # Safety
/// As `taos_connect`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_test(
    ip: *const c_char,
    user: *const c_char,
    pass: *const c_char,
    totp: *const c_char,
    db: *const c_char,
    port: u16,
) -> c_int {
    guard("taos_connect_test", BROKEN, || {
        let place = Place { host: ip, db, port };
        // SAFETY: the same duty.
        let dsn = unsafe { place.with_totp(user, pass, totp) };
        match dsn.and_then(|dsn| open(&dsn).map_err(Failure::from)) {
            Ok(_) => {
                forget();
                0
            }
            Err(failure) => remember(failure),
        }
    })
}

/// As `taos_connect`, with a token instead of name and password (servers from 3.4.0.0 on).
///
/// # Safety
/// As `taos_connect`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_token(
    ip: *const c_char,
    token: *const c_char,
    db: *const c_char,
    port: u16,
) -> *mut Taos {
    guard("taos_connect_token", null_mut(), || {
        let place = Place { host: ip, db, port };
        // SAFETY: the same duty.
        connected(unsafe {
            text(token).and_then(|token| {
                let mut dsn = place.dsn()?;
                dsn.set("bearer_token", token);
                Ok(dsn)
            })
        })
    })
}

/// Connects by a DSN such as `ws://localhost:6041` or `wss://host?token=…`; name, password and database count more
/// than those in it, unless they are NULL or empty. A DSN without servers takes those that are configured, and one
/// without a time zone that. As `taos_connect` otherwise.
///
/// # Safety
/// As `taos_connect`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_dsn(
    dsn: *const c_char,
    user: *const c_char,
    pass: *const c_char,
    db: *const c_char,
) -> *mut Taos {
    guard("taos_connect_dsn", null_mut(), || {
        // SAFETY: the same duty.
        connected(unsafe { by_dsn(dsn, user, pass, db) })
    })
}

/// # Safety
/// Each address is NULL or that of NUL-terminated text.
unsafe fn by_dsn(
    dsn: *const c_char,
    user: *const c_char,
    password: *const c_char,
    db: *const c_char,
) -> Result<Dsn, Failure> {
    let settings = Settings::load()?;
    // SAFETY: the caller's duty.
    let [dsn, user, password, db] = unsafe {
        [
            optional_text(dsn)?,
            optional_text(user)?,
            optional_text(password)?,
            optional_text(db)?,
        ]
    };
    let mut dsn = match dsn {
        None => settings.dsn(None, 0)?,
        Some(dsn) => {
            let mut dsn = dsn
                .into_dsn()
                .map_err(|error| crate::args::invalid(&error.to_string()))?;
            if dsn.addresses.is_empty() && dsn.path.is_none() {
                dsn.addresses = settings.dsn(None, 0)?.addresses;
            }
            settings.add_zone(&mut dsn)?;
            dsn
        }
    };
    for (given, place) in [
        (user, &mut dsn.username),
        (password, &mut dsn.password),
        (db, &mut dsn.subject),
    ] {
        if let Some(given) = given {
            *place = Some(given.to_owned());
        }
    }
    Ok(dsn)
}

/// Closes a connection and waits for nothing. Results, statements and consumers that came from it stay usable until
/// they are freed, and the socket is closed behind the last of them; calls that wait on other threads end as usual.
/// NULL is fine.
///
/// # Safety
/// NULL, or a connection that was not closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_close(taos: *mut Taos) {
    // SAFETY: the same duty.
    guard("taos_close", (), || unsafe {
        drop(take::<Conn>(taos));
    });
}
