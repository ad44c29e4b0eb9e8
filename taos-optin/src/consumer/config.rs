//! Everything that a DSN says about a consumer, and how the library is told.

use std::sync::LazyLock;

use taos_query::dsn::{NATIVE_PARAMS, nearest};
use taos_query::tmq::backend::{DOTTED, SHORT, Subscription};
use taos_query::util::Secret;
use taos_query::{Code, Dsn, ErrorKind, RawError, RawResult};

use crate::ffi::Library;
use crate::raw::connection::ConnectArgs;
use crate::raw::tmq::{Conf, Refusal};
use crate::settings::Settings;

/// The parameters of a subscription, with those of the ordinary connection.
pub(super) static PARAMS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let consumer = DOTTED.iter().chain(&SHORT);
    consumer.chain(NATIVE_PARAMS).copied().collect()
});

/// What the library knows besides (taosadapter-ws §11.1).
const FURTHER: [&str; 4] = [
    "heartbeat.interval.ms",
    "enable.replay",
    "fetch.max.wait.ms",
    "min.poll.rows",
];

/// Options of connections for which the library has nothing in the configuration of consumers (native-ffi §7).
const NOT_OF_CONSUMERS: [&str; 5] = [
    "charset",
    "user_ip",
    "user_app",
    "connector_info",
    "conn_mode",
];

#[derive(Debug)]
pub(super) struct Config {
    pub(super) settings: Settings,
    pub(super) subscription: Subscription,
    args: ConnectArgs,
    token: Option<Secret>,
}

impl Config {
    pub(super) fn from_dsn(dsn: &Dsn) -> RawResult<Self> {
        let settings = Settings::parse(dsn, &PARAMS)?;
        let mut args = settings.connect_args()?;
        if args.totp.is_some() {
            return Err(RawError::of(
                ErrorKind::Unsupported,
                "totp_code and totp_secret are not supported by consumers: the client library takes only a \
                 password or a token (bearer_token) for them",
            )
            .with_code(Code::WS_DSN));
        }
        if args.user.is_none() {
            args.user = dsn.get("td.connect.user").cloned();
        }
        if args.password.is_none() {
            args.password = dsn
                .get("td.connect.pass")
                .map(|text| Secret::new(text.as_str()));
        }
        let token = dsn
            .get("td.connect.token")
            .filter(|token| !token.is_empty());
        let subscription = Subscription::from_dsn(dsn)?;
        if !subscription.reconnect {
            return Err(RawError::of(
                ErrorKind::Unsupported,
                "auto.reconnect=false is not supported by native consumers: the client library connects again \
                 by itself, and does not tell; leave it out, or use taos+ws:// and taosAdapter",
            )
            .with_code(Code::WS_DSN));
        }
        for key in NOT_OF_CONSUMERS {
            if dsn.get(key).is_some() {
                tracing::warn!(
                    key,
                    "ignored: the client library takes no such option for consumers"
                );
            }
        }
        Ok(Self {
            subscription,
            token: token
                .map(|token| Secret::new(token.as_str()))
                .or_else(|| args.token.take()),
            args,
            settings,
        })
    }

    /// The library's form of all that.
    ///
    /// # Errors
    /// Names the parameter that the library does not know or whose value it does not take.
    pub(super) fn conf(&self, library: &'static Library) -> RawResult<Conf> {
        let mut conf = Setter {
            conf: Conf::new(library)?,
            library,
        };
        let subscription = &self.subscription;
        conf.set("group.id", &subscription.group_id)?;
        // It would commit what the user has not taken yet.
        conf.set("enable.auto.commit", "false")?;
        conf.set("msg.with.table.name", yes(subscription.table_names))?;
        if subscription.snapshot {
            conf.set("experimental.snapshot.enable", "true")?;
        }
        if subscription.batch_meta {
            conf.set_if_known("msg.enable.batchmeta", "1")?;
        }
        for (key, value) in [
            ("client.id", &subscription.client_id),
            ("auto.offset.reset", &subscription.offset_reset),
            ("msg.consume.excluded", &subscription.excluded),
            ("msg.consume.rawdata", &subscription.raw_rows),
            ("session.timeout.ms", &subscription.session_timeout_ms),
            ("max.poll.interval.ms", &subscription.max_poll_interval_ms),
        ] {
            if !value.is_empty() {
                conf.set(key, value)?;
            }
        }
        self.connect(&mut conf)?;
        for (key, value) in &subscription.rest {
            conf.set(key, value)?;
        }
        Ok(conf.conf)
    }

    fn connect(&self, conf: &mut Setter) -> RawResult<()> {
        let args = &self.args;
        if let Some(host) = &args.host {
            conf.set("td.connect.ip", host)?;
        }
        if args.port != 0 {
            conf.set("td.connect.port", &args.port.to_string())?;
        }
        if let Some(database) = &args.database {
            conf.set("td.connect.db", database)?;
        }
        if let Some(token) = &self.token {
            return conf.set_secret("td.connect.token", token);
        }
        if let Some(user) = &args.user {
            conf.set("td.connect.user", user)?;
        }
        match &args.password {
            Some(password) => conf.set_secret("td.connect.pass", password),
            None => Ok(()),
        }
    }

    /// `host:port` as messages show it.
    pub(super) fn address(&self) -> String {
        self.settings.address()
    }

    pub(super) fn user(&self) -> &str {
        self.args.user.as_deref().unwrap_or("root")
    }
}

const fn yes(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

struct Setter {
    conf: Conf,
    library: &'static Library,
}

impl Setter {
    fn set(&mut self, key: &str, value: &str) -> RawResult<()> {
        let set = self.conf.set(key, value);
        set.map_err(|refusal| self.refused(key, Some(value), refusal))
    }

    /// The same for what libraries before it can do without.
    fn set_if_known(&mut self, key: &str, value: &str) -> RawResult<()> {
        match self.conf.set(key, value) {
            Err(Refusal::Key) => {
                tracing::debug!(library = %self.library.version, key, "not known to the library");
                Ok(())
            }
            set => set.map_err(|refusal| self.refused(key, Some(value), refusal)),
        }
    }

    fn set_secret(&mut self, key: &str, value: &Secret) -> RawResult<()> {
        let set = self.conf.set_secret(key, value);
        set.map_err(|refusal| self.refused(key, None, refusal))
    }

    fn refused(&self, key: &str, value: Option<&str>, refusal: Refusal) -> RawError {
        let library = format!(
            "the client library {} ({})",
            self.library.version, self.library.path
        );
        let text = match refusal {
            Refusal::Text(error) => return error,
            Refusal::Value => {
                let shown = value.filter(|_| !is_secret(key)).unwrap_or("…");
                format!("{library} does not take `{key}={shown}`")
            }
            Refusal::Key => {
                let ours: Vec<&str> = DOTTED.iter().chain(&FURTHER).copied().collect();
                let hint = match nearest(key, &ours) {
                    _ if key == "td.connect.token" => {
                        "; tokens need libtaos 3.4.0.0 or newer".to_owned()
                    }
                    Some(name) if name == key => "; a newer library may know it".to_owned(),
                    Some(name) => format!("; did you mean `{name}`?"),
                    None => String::new(),
                };
                format!("{library} knows no parameter `{key}` of consumers{hint}")
            }
        };
        RawError::of(ErrorKind::Config, text).with_code(Code::WS_DSN)
    }
}

/// True for names whose values should not be seen.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["pass", "token", "secret"]
        .iter()
        .any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(params: &str) -> RawResult<Config> {
        Config::from_dsn(&format!("taos://h?{params}").parse().unwrap())
    }

    #[test]
    fn a_consumer_logs_in_as_the_dsn_says_or_its_keys_do() {
        let config = config("group.id=g&td.connect.user=u&td.connect.pass=p").unwrap();
        assert_eq!(config.user(), "u");
        assert_eq!(config.args.password.as_ref().map(Secret::expose), Some("p"));
        assert!(config.subscription.rest.is_empty());
    }

    #[test]
    fn a_token_for_consumers_wins_over_that_of_the_connection() {
        let token = |params| {
            config(params)
                .unwrap()
                .token
                .map(|token| token.expose().to_owned())
        };
        assert_eq!(
            token("group.id=g&td.connect.token=a&bearer_token=b"),
            Some("a".to_owned())
        );
        assert_eq!(token("group.id=g&bearerToken=b"), Some("b".to_owned()));
        assert_eq!(token("group.id=g&td.connect.token="), None);
        assert!(!format!("{:?}", config("group.id=g&bearer_token=sesame")).contains("sesame"));
    }

    #[test]
    fn what_consumers_cannot_do_is_refused_with_the_parameter() {
        for (params, word) in [
            ("", "group.id"),
            ("group.id=g&totp_code=123456", "totp_code"),
            ("group.id=g&snapshots=1", "snapshot"),
            ("group.id=g&offset=1", "offset"),
            ("group.id=g&auto.reconnect=false", "taos+ws://"),
        ] {
            let error = config(params).unwrap_err();
            assert!(error.to_string().contains(word), "{params}: {error}");
        }
    }
}
