//! Where the client library is looked for, and what is said when it is not there (native-ffi §1).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The variable that names the library, or the folder that it is in.
pub(super) const VARIABLE: &str = "TAOS_LIBRARY_PATH";

/// What the platform calls the library.
pub(super) const DEFAULT_NAME: &str = if cfg!(windows) {
    "taos.dll"
} else if cfg!(target_os = "macos") {
    "libtaos.dylib"
} else {
    "libtaos.so"
};

/// Where installers put the library although the loader does not always look there.
const USUAL_FOLDER: Option<&str> = if cfg!(windows) {
    Some(r"C:\TDengine\driver")
} else if cfg!(target_os = "macos") {
    Some("/usr/local/lib")
} else {
    None
};

/// What to do when there is no library; goes behind every message about that.
const REMEDY: &str = "Install TDengine's client, say where its library is (`libraryPath` in the DSN, or \
     TAOS_LIBRARY_PATH in the environment), or connect by WebSocket, which needs no library (`taos+ws://`)";

/// Who said where the library is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Dsn,
    Environment,
    Default,
}

impl Origin {
    const fn says(self) -> &'static str {
        match self {
            Self::Dsn => "`libraryPath` of the DSN names ",
            Self::Environment => "TAOS_LIBRARY_PATH names ",
            Self::Default => "Looked for ",
        }
    }
}

/// The files to try, in order. A name without a folder is left to the platform's loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) origin: Origin,
    pub(super) files: Vec<PathBuf>,
}

impl Search {
    /// The DSN comes before the environment, and that before the platform's default. What was said is
    /// not passed over: a file that is not there is an error, for another library could be of another
    /// version.
    pub(super) fn new(dsn: Option<&str>, environment: Option<OsString>) -> Self {
        let dsn = dsn.filter(|path| !path.is_empty());
        let environment = environment.filter(|path| !path.is_empty());
        let (origin, named) = match (dsn, environment) {
            (Some(path), _) => (Origin::Dsn, PathBuf::from(path)),
            (None, Some(path)) => (Origin::Environment, PathBuf::from(path)),
            (None, None) => {
                let mut files = vec![PathBuf::from(DEFAULT_NAME)];
                files.extend(USUAL_FOLDER.map(|folder| Path::new(folder).join(DEFAULT_NAME)));
                return Self {
                    origin: Origin::Default,
                    files,
                };
            }
        };
        let is_folder = named.is_dir() || ends_in_separator(&named);
        let file = if is_folder {
            named.join(DEFAULT_NAME)
        } else {
            named
        };
        Self {
            origin,
            files: vec![file],
        }
    }

    /// The message for a search that found nothing that can be loaded. `failures` has the loader's words
    /// for each file, in order.
    pub(super) fn failed(&self, failures: &[String]) -> String {
        let tried: Vec<Attempt> = self
            .files
            .iter()
            .zip(failures)
            .map(|(file, words)| Attempt::of(file, words))
            .collect();
        let says = self.origin.says();
        let unusable = tried.iter().find_map(|attempt| match attempt {
            Attempt::Unusable(file, reason) => Some((file, reason)),
            _ => None,
        });
        if let Some((file, reason)) = unusable {
            return format!(
                "{says}{}, which is there but cannot be loaded: {reason}. {REMEDY}",
                file.display()
            );
        }
        let places: Vec<String> = tried.iter().map(Attempt::place).collect();
        format!(
            "TDengine's client library was not found. {says}{}, where there is none. {REMEDY}",
            places.join(", and ")
        )
    }
}

/// What became of one file.
enum Attempt<'a> {
    /// It is not there.
    Missing(&'a Path),
    /// The loader did not find the name, or did not want what it found.
    Unknown(&'a Path, &'a str),
    /// It is there, but for this reason of no use.
    Unusable(PathBuf, String),
}

impl<'a> Attempt<'a> {
    fn of(file: &'a Path, words: &'a str) -> Self {
        let there = if has_folder(file) {
            Some(file.to_path_buf()).filter(|file| file.exists())
        } else {
            // The loader passes over files of other machines, and then says that there is none.
            folders_of_the_loader()
                .into_iter()
                .map(|folder| folder.join(file))
                .find(|file| file.exists())
        };
        match there {
            Some(there) => {
                let reason = flaw(&there).unwrap_or_else(|| words.to_owned());
                Self::Unusable(there, reason)
            }
            None if has_folder(file) => Self::Missing(file),
            None => Self::Unknown(file, words),
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Missing(file) => file.display().to_string(),
            Self::Unusable(file, _) => file.display().to_string(),
            Self::Unknown(name, words) => {
                format!("{} in {} ({words})", name.display(), loader_places())
            }
        }
    }
}

fn has_folder(file: &Path) -> bool {
    file.parent()
        .is_some_and(|folder| !folder.as_os_str().is_empty())
}

fn ends_in_separator(path: &Path) -> bool {
    path.as_os_str()
        .to_string_lossy()
        .ends_with(std::path::is_separator)
}

/// The variable with the folders that the loader looks into first.
const LOADER_VARIABLE: &str = if cfg!(windows) {
    "PATH"
} else if cfg!(target_os = "macos") {
    "DYLD_LIBRARY_PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// Where the loader looks besides.
const LOADER_REST: &str = if cfg!(windows) {
    "the program's folder and those of the system"
} else if cfg!(target_os = "macos") {
    "/usr/local/lib and /usr/lib"
} else {
    "the loader's cache (`ldconfig -p`), /lib and /usr/lib"
};

fn folders_of_the_loader() -> Vec<PathBuf> {
    let named = std::env::var_os(LOADER_VARIABLE).unwrap_or_default();
    let fixed: &[&str] = if cfg!(windows) {
        &[]
    } else if cfg!(target_os = "macos") {
        &["/usr/local/lib", "/usr/lib"]
    } else {
        &["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"]
    };
    std::env::split_paths(&named)
        .filter(|folder| folder.as_os_str() != OsStr::new(""))
        .chain(fixed.iter().map(PathBuf::from))
        .collect()
}

fn loader_places() -> String {
    let named = std::env::var_os(LOADER_VARIABLE).unwrap_or_default();
    let folders: Vec<String> = std::env::split_paths(&named)
        .filter(|folder| folder.as_os_str() != OsStr::new(""))
        .map(|folder| folder.display().to_string())
        .collect();
    let named = if folders.is_empty() {
        format!("{LOADER_VARIABLE} (not set)")
    } else {
        format!("{LOADER_VARIABLE} ({})", folders.join(", "))
    };
    format!("the folders of {named}, {LOADER_REST}")
}

/// Why a file that is there is not a library of this machine; none if it looks like one.
fn flaw(file: &Path) -> Option<String> {
    if file.is_dir() {
        return Some("it is a folder".to_owned());
    }
    let mut start = Vec::with_capacity(64);
    let read = File::open(file).and_then(|file| file.take(64).read_to_end(&mut start));
    match read {
        Ok(_) => flaw_of(&start),
        Err(error) => Some(format!("it cannot be read: {error}")),
    }
}

const BITS: u8 = if cfg!(target_pointer_width = "64") {
    64
} else {
    32
};

/// The same from the first bytes. The loader itself says of a file of another machine that it is not there.
fn flaw_of(start: &[u8]) -> Option<String> {
    let kind = match start {
        [0x7F, b'E', b'L', b'F', class, order, ..] => {
            return elf_flaw(*class, *order, start).or_else(|| {
                (!cfg!(target_os = "linux") && !cfg!(target_os = "freebsd"))
                    .then(|| "it is an ELF file, which this platform does not load".to_owned())
            });
        }
        [0xCF | 0xCE, 0xFA, 0xED, 0xFE, ..] | [0xCA, 0xFE, 0xBA, 0xBE, ..] => {
            if cfg!(target_os = "macos") {
                return None;
            }
            "a library for macOS"
        }
        [b'M', b'Z', ..] => {
            if cfg!(windows) {
                return None;
            }
            "a library for Windows"
        }
        start if start.starts_with(b"!<arch>") => "an archive for static linking",
        [] => "empty",
        start
            if start
                .iter()
                .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) =>
        {
            "a text file"
        }
        _ => "not a library",
    };
    Some(format!("it is {kind}"))
}

fn elf_flaw(class: u8, order: u8, start: &[u8]) -> Option<String> {
    let bits = match class {
        1 => 32,
        2 => 64,
        _ => return Some("its ELF header is damaged".to_owned()),
    };
    let machine: [u8; 2] = start.get(18..20)?.try_into().ok()?;
    let machine = match order {
        1 => u16::from_le_bytes(machine),
        2 => u16::from_be_bytes(machine),
        _ => return Some("its ELF header is damaged".to_owned()),
    };
    let machine = match machine {
        3 => "x86",
        8 => "mips",
        20 => "powerpc",
        21 => "powerpc64",
        22 => "s390x",
        40 => "arm",
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv64",
        258 => "loongarch64",
        _ => "an unknown machine",
    };
    let here = std::env::consts::ARCH;
    let known = [
        "x86",
        "mips",
        "powerpc",
        "powerpc64",
        "s390x",
        "arm",
        "x86_64",
        "aarch64",
        "riscv64",
        "loongarch64",
    ];
    if bits == BITS && (machine == here || !known.contains(&here)) {
        return None;
    }
    Some(format!(
        "it is a {bits}-bit library for {machine}, but this program is a {BITS}-bit one for {here}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The start of an ELF library.
    fn elf(class: u8, order: u8, machine: u16) -> Vec<u8> {
        let mut start = vec![0x7F, b'E', b'L', b'F', class, order, 1, 0];
        start.resize(16, 0);
        let words = [3, machine];
        for word in words {
            start.extend(if order == 2 {
                u16::to_be_bytes(word)
            } else {
                u16::to_le_bytes(word)
            });
        }
        start.resize(64, 0);
        start
    }

    #[test]
    fn the_dsn_comes_before_the_environment_and_that_before_the_default() {
        let both = Search::new(Some("a/libx.so"), Some("b/liby.so".into()));
        assert_eq!(both.origin, Origin::Dsn);
        assert_eq!(both.files, [PathBuf::from("a/libx.so")]);
        let one = Search::new(None, Some("b/liby.so".into()));
        assert_eq!(one.origin, Origin::Environment);
        assert_eq!(one.files, [PathBuf::from("b/liby.so")]);
        for nothing in [
            Search::new(None, None),
            Search::new(Some(""), Some("".into())),
        ] {
            assert_eq!(nothing.origin, Origin::Default);
            assert_eq!(nothing.files.first(), Some(&PathBuf::from(DEFAULT_NAME)));
        }
    }

    #[test]
    fn a_folder_gets_the_default_name_even_if_it_does_not_exist() {
        let folder = tempfile::tempdir().unwrap();
        let there = Search::new(folder.path().to_str(), None);
        assert_eq!(there.files, [folder.path().join(DEFAULT_NAME)]);
        let missing = Search::new(Some("no/such/folder/"), None);
        assert_eq!(
            missing.files,
            [Path::new("no/such/folder").join(DEFAULT_NAME)]
        );
    }

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn files_of_other_machines_are_told_from_the_first_bytes() {
        assert_eq!(flaw_of(&elf(2, 1, 62)), None);
        for (start, expected) in [
            (elf(1, 1, 3), "a 32-bit library for x86,"),
            (elf(2, 1, 183), "a 64-bit library for aarch64,"),
            (elf(1, 1, 62), "a 32-bit library for x86_64,"),
            (elf(2, 2, 22), "a 64-bit library for s390x,"),
            (elf(9, 1, 62), "damaged"),
            (elf(2, 7, 62), "damaged"),
            (b"MZ\x90\0".to_vec(), "for Windows"),
            (vec![0xCF, 0xFA, 0xED, 0xFE], "for macOS"),
            (b"!<arch>\n".to_vec(), "static linking"),
            (b"#!/bin/sh\n".to_vec(), "a text file"),
            (vec![0, 1, 2], "not a library"),
            (Vec::new(), "empty"),
        ] {
            let flaw = flaw_of(&start).unwrap();
            assert!(flaw.contains(expected), "{flaw}");
        }
        for length in 0..20 {
            // A cut header is somebody else's flaw, not a panic.
            let whole = elf(2, 1, 62);
            let _ = flaw_of(&whole[..length]);
        }
    }
}
