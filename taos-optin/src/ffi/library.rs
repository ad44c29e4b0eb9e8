//! One loaded library: found, loaded once, checked, and kept for ever (native-ffi §1).

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{LazyLock, Mutex, PoisonError};

use taos_query::{Code, ErrorKind, RawError, RawResult};

use super::api::Api;
use super::find::{Search, VARIABLE};
use super::types::TaosRes;

/// `TSDB_OPTION_CONFIGDIR` of `taos_options`.
const CONFIG_DIR: c_int = 3;
/// So many names of missing functions are enough to see what a library is.
const NAMES_SHOWN: usize = 5;

type Info = unsafe extern "C" fn() -> *const c_char;

/// A client library, loaded and found fit for use.
pub(crate) struct Library {
    /// Its functions.
    pub(crate) api: Api,
    /// What it says of itself, such as `3.3.7.5`.
    pub(crate) version: String,
    /// The file, or the name that the platform's loader found.
    pub(crate) path: String,
    config: Mutex<Config>,
}

/// Whether it is too late for a configuration directory.
enum Config {
    /// No connection was opened yet.
    Open,
    /// The library has read the configuration of this directory, or its default one.
    Read(Option<String>),
}

/// All libraries of the process. They own threads and exit handlers, so that none is ever closed.
static LOADED: LazyLock<Mutex<HashMap<PathBuf, &'static Library>>> = LazyLock::new(Mutex::default);

impl Library {
    /// The library of a DSN's `libraryPath`, else of the environment, else the platform's default.
    ///
    /// # Errors
    /// If it is not there, cannot be loaded, is older than 3.0 or lacks functions: what was tried where,
    /// and what to do.
    pub(crate) fn open(path: Option<&str>) -> RawResult<&'static Self> {
        Self::find(&Search::new(path, std::env::var_os(VARIABLE)))
    }

    fn find(search: &Search) -> RawResult<&'static Self> {
        // Held while loading: the start code of a library must not run twice at the same time.
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failures = Vec::new();
        for file in &search.files {
            let key = key_of(file);
            if let Some(library) = loaded.get(&key) {
                return Ok(library);
            }
            match load(file) {
                Ok(opened) => {
                    let library = match loaded.values().find(|known| known.is(&opened)) {
                        Some(known) => {
                            // Like all others it is never closed.
                            let _open = ManuallyDrop::new(opened);
                            known
                        }
                        None => Self::keep(opened, file)?,
                    };
                    loaded.insert(key, library);
                    return Ok(library);
                }
                Err(words) => failures.push(words),
            }
        }
        Err(wrong(search.failed(&failures)))
    }

    fn keep(opened: libloading::Library, file: &Path) -> RawResult<&'static Self> {
        let library: &'static Self = Box::leak(Box::new(Self::check(opened, file)?));
        tracing::debug!(path = %library.path, version = %library.version, "client library loaded");
        Ok(library)
    }

    /// True if the loader has given this very library, by whatever name.
    fn is(&self, opened: &libloading::Library) -> bool {
        // SAFETY: under this name the client library has a function of this signature; it is not called here.
        let info = unsafe { opened.get::<Info>("taos_get_client_info") };
        info.is_ok_and(|info| ptr::fn_addr_eq(*info, self.api.taos_get_client_info))
    }

    fn check(opened: libloading::Library, file: &Path) -> RawResult<Self> {
        // One that is refused stays loaded too: it may have started threads already.
        let opened = ManuallyDrop::new(opened);
        let path = file.display().to_string();
        let version = version(&opened).map_err(|reason| {
            wrong(format!(
                "{path}: {reason}; the DSN parameter `libraryPath` or the variable TAOS_LIBRARY_PATH names another \
                 file, and `taos+ws://` needs none"
            ))
        })?;
        if !version.starts_with("3.") {
            return Err(too_old(&path, &version));
        }
        let missing = Api::missing(&opened);
        if !missing.is_empty() {
            return Err(wrong(lacking(&path, &version, &missing)));
        }
        // SAFETY: it says that it is the client library, of a generation whose signatures these are, and
        // it is never closed.
        let api = unsafe { Api::of(&opened, version.clone().leak()) }
            .map_err(|lost| wrong(lacking(&path, &version, &[lost])))?;
        Ok(Self {
            api,
            version,
            path,
            config: Mutex::new(Config::Open),
        })
    }

    /// Sets the configuration directory, or leaves the default. Every connection asks for this before it
    /// is opened, for the library reads its configuration with the first one.
    ///
    /// # Errors
    /// If the library was started with another directory, or there is no such directory.
    pub(crate) fn configure(&self, directory: Option<&str>) -> RawResult<()> {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*config, directory) {
            (Config::Read(_), None) => return Ok(()),
            (Config::Read(Some(first)), Some(directory)) if first == directory => return Ok(()),
            (Config::Read(first), Some(directory)) => {
                let first = first
                    .as_ref()
                    .map_or_else(|| "its default".to_owned(), |first| format!("`{first}`"));
                return Err(wrong(format!(
                    "`configDir={directory}` comes too late: {} has read the configuration of {first} with \
                     the first connection of this process, and there is one for all; give every DSN the \
                     same `configDir`",
                    self.path
                )));
            }
            (Config::Open, Some(directory)) => self.set_directory(directory)?,
            (Config::Open, None) => {}
        }
        *config = Config::Read(directory.map(str::to_owned));
        Ok(())
    }

    fn set_directory(&self, directory: &str) -> RawResult<()> {
        if !Path::new(directory).exists() {
            return Err(wrong(format!(
                "`configDir={directory}`: there is no such directory; it is the one that taos.cfg is in"
            )));
        }
        let text = CString::new(directory)
            .map_err(|_| wrong("`configDir` has a NUL character".to_owned()))?;
        // SAFETY: this option takes one NUL-terminated text, which the library copies.
        let code = unsafe { (self.api.taos_options)(CONFIG_DIR, text.as_ptr().cast()) };
        if code == 0 {
            return Ok(());
        }
        Err(wrong(format!(
            "{} did not take `configDir={directory}` (code {code:#010X})",
            self.path
        )))
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library")
            .field("path", &self.path)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What a code means that only the thin front of newer libraries has (native-ffi §1).
pub(crate) fn front_hint(code: i32) -> Option<&'static str> {
    match code & 0xFFFF {
        0x010B => Some(
            "libtaos could not load the library that does the work (libtaosnative, or libtaosws): install \
             the whole client package of one release, with its folder known to the loader",
        ),
        0x010C => Some(
            "the library behind libtaos (libtaosnative, or libtaosws) lacks a function: both must come from \
             the same release of the client package",
        ),
        _ => None,
    }
}

/// What a file is known by. The same file under two names is one library; but a name without a folder means what the
/// loader finds, whatever has that name in the working directory.
fn key_of(file: &Path) -> PathBuf {
    let has_folder = file.parent().is_some_and(|folder| folder != Path::new(""));
    let real = has_folder.then(|| file.canonicalize().ok()).flatten();
    real.unwrap_or_else(|| file.to_owned())
}

fn load(file: &Path) -> Result<libloading::Library, String> {
    // SAFETY: what a library does when it is loaded is the duty of whoever named it; TDengine's only
    // prepares its own data.
    unsafe { libloading::Library::new(file) }.map_err(|error| error.to_string())
}

/// Asks the library for its version.
fn version(opened: &libloading::Library) -> Result<String, String> {
    // SAFETY: under this name the client library has a function of this signature.
    let info = unsafe { opened.get::<Info>("taos_get_client_info") }.map_err(|_| {
        "this is not TDengine's client library: it has no `taos_get_client_info`".to_owned()
    })?;
    // SAFETY: it takes nothing, and may be called first.
    let text = unsafe { info() };
    if !text.is_null() {
        // SAFETY: it is a NUL-terminated text in static storage.
        let text = unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .trim()
            .to_owned();
        if !text.is_empty() {
            return Ok(text);
        }
    }
    type Errno = unsafe extern "C" fn(*mut TaosRes) -> c_int;
    // SAFETY: as above; without a result it gives the last error of this thread.
    let code = unsafe {
        opened
            .get::<Errno>("taos_errno")
            .map(|errno| errno(ptr::null_mut()))
    };
    let hint = code.ok().and_then(front_hint);
    Err(format!(
        "the library does not say which version it is: {}",
        hint.unwrap_or("this is not TDengine's client library, or a damaged one")
    ))
}

fn too_old(path: &str, version: &str) -> RawError {
    RawError::of(
        ErrorKind::Unsupported,
        format!(
            "{path} is libtaos {version}, but libtaos 3.x is needed: install the client of TDengine 3, point \
             `libraryPath` or TAOS_LIBRARY_PATH to it, or connect by WebSocket (`taos+ws://`)"
        ),
    )
    .with_code(Code::FAILED)
}

fn lacking(path: &str, version: &str, missing: &[&str]) -> String {
    let shown = missing
        .iter()
        .take(NAMES_SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    let rest = missing.len().saturating_sub(NAMES_SHOWN);
    let more = if rest == 0 {
        String::new()
    } else {
        format!(" and {rest} more")
    };
    format!(
        "{path} (libtaos {version}) lacks functions that every libtaos 3.x has: {shown}{more}. It is damaged, \
         or something else under its name; point `libraryPath` or TAOS_LIBRARY_PATH to a whole one"
    )
}

fn wrong(text: String) -> RawError {
    RawError::of(ErrorKind::Config, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_thin_front_are_explained() {
        let not_loaded = front_hint(0x8000_010B_u32.cast_signed()).unwrap();
        assert!(not_loaded.contains("libtaosnative"), "{not_loaded}");
        assert!(front_hint(0x8000_010C_u32.cast_signed()).is_some());
        assert!(front_hint(0x8000_0357_u32.cast_signed()).is_none());
    }
}
