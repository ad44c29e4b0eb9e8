//! The one table that says which backend a DSN belongs to.

use taos_query::{Code, Dsn, DsnError, ErrorKind, RawError, RawResult};

/// What can stand behind a DSN, whether or not this build has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    WebSocket,
    Native,
    QuestDb,
}

struct Driver {
    names: &'static [&'static str],
    /// The protocols behind `+` that this line takes; an empty list takes all and none.
    protocols: &'static [Option<&'static str>],
    /// Taken only with this parameter.
    with_param: Option<&'static str>,
    backend: Backend,
}

const ANY: &[Option<&str>] = &[];

/// The first line that fits decides.
const DRIVERS: &[Driver] = &[
    Driver {
        names: &["ws", "wss", "http", "https", "taosws", "taoswss"],
        protocols: ANY,
        with_param: None,
        backend: Backend::WebSocket,
    },
    Driver {
        names: &["taos", "tmq"],
        protocols: &[Some("ws"), Some("wss"), Some("http"), Some("https")],
        with_param: None,
        backend: Backend::WebSocket,
    },
    Driver {
        names: &["taos", "tmq"],
        protocols: &[None],
        with_param: Some("token"),
        backend: Backend::WebSocket,
    },
    Driver {
        names: &["taos", "tmq"],
        protocols: &[None],
        with_param: None,
        backend: Backend::Native,
    },
    Driver {
        names: &["questdb"],
        protocols: &[
            None,
            Some("http"),
            Some("https"),
            Some("tcp"),
            Some("tcps"),
            Some("ws"),
            Some("wss"),
        ],
        with_param: None,
        backend: Backend::QuestDb,
    },
];

impl Driver {
    fn takes(&self, dsn: &Dsn) -> bool {
        self.names.contains(&dsn.driver.as_str())
            && (self.protocols.is_empty() || self.protocols.contains(&dsn.protocol.as_deref()))
            && self.with_param.is_none_or(|key| dsn.get(key).is_some())
    }
}

/// The backend that `dsn` belongs to.
///
/// # Errors
/// For a driver or protocol that is not in the table; the text lists those that are.
pub(crate) fn select(dsn: &Dsn) -> RawResult<Backend> {
    if let Some(driver) = DRIVERS.iter().find(|driver| driver.takes(dsn)) {
        return Ok(driver.backend);
    }
    let mut names: Vec<&str> = DRIVERS.iter().flat_map(|d| d.names).copied().collect();
    names.dedup();
    if names.contains(&dsn.driver.as_str()) {
        let protocol = dsn.protocol.as_deref().unwrap_or_default();
        let known: Vec<&str> = DRIVERS
            .iter()
            .filter(|driver| driver.names.contains(&dsn.driver.as_str()))
            .flat_map(|driver| driver.protocols.iter().flatten())
            .copied()
            .collect();
        return Err(DsnError::InvalidProtocol(format!(
            "`{protocol}` is not known to the driver `{}`; known ones are {}",
            dsn.driver,
            known.join(", ")
        ))
        .into());
    }
    names.sort_unstable();
    names.dedup();
    // A text such as `root:password@host` has its user for a driver; nothing behind it is shown.
    Err(DsnError::InvalidDriver(format!(
        "`{}` is not a known driver; known ones are {}, as in ws://host:6041",
        dsn.driver,
        names.join(", ")
    ))
    .into())
}

/// The error for a backend that is not part of this build.
pub(crate) fn missing(backend: Backend, dsn: &Dsn) -> RawError {
    let driver = &dsn.driver;
    let text = match backend {
        Backend::WebSocket => {
            format!("the driver `{driver}` needs the Cargo feature `ws-rustls` or `ws`")
        }
        Backend::Native => format!(
            "`{driver}://` without a protocol is the native driver, which needs the Cargo feature `optin` \
             (or `native`, the same) and TDengine's client library; `{driver}+ws://` reaches the server \
             over WebSocket"
        ),
        Backend::QuestDb => {
            format!("the driver `{driver}` needs the Cargo feature `questdb`")
        }
    };
    RawError::of(ErrorKind::Unsupported, text).with_code(Code::WS_DSN)
}

/// The error for a connection that a builder of another backend has made.
#[cold]
pub(crate) fn foreign() -> RawError {
    RawError::of(
        ErrorKind::Config,
        "this was made by a builder of another backend; ping it with the builder that made it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> RawResult<Backend> {
        select(&text.parse::<Dsn>().unwrap())
    }

    #[test]
    fn scheme_protocol_and_token_choose_the_backend() {
        for text in [
            "ws://h",
            "wss://h",
            "http://h",
            "https://h",
            "taosws://h",
            "taosws+wss://h",
            "taoswss://h",
            "taos+ws://h",
            "taos+wss://h",
            "tmq+http://h",
            "taos://ws(h)/db",
            "taos://h?token=t",
        ] {
            assert_eq!(of(text).unwrap(), Backend::WebSocket, "{text}");
        }
        assert_eq!(of("taos://h").unwrap(), Backend::Native);
        assert_eq!(of("tmq:///topic").unwrap(), Backend::Native);
        for protocol in ["", "+http", "+https", "+tcp", "+tcps", "+ws", "+wss"] {
            let text = format!("questdb{protocol}://h");
            assert_eq!(of(&text).unwrap(), Backend::QuestDb, "{text}");
        }
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = of("mysql://u:secret@h").unwrap_err();
        assert_eq!(error.code(), Code::WS_DSN);
        let text = error.to_string();
        assert!(
            text.contains("`mysql`") && text.contains("taosws"),
            "{text}"
        );
        assert!(!text.contains("secret"));
        let text = of("taos+tcp://h").unwrap_err().to_string();
        assert!(text.contains("`tcp`") && text.contains("wss"), "{text}");
        let text = of("questdb+udp://h").unwrap_err().to_string();
        assert!(text.contains("`udp`") && text.contains("tcps"), "{text}");
    }
}
