//! Everything that a DSN says about a consumer, checked once.

use crate::config::{Config, Endpoint, Secret};
use std::sync::LazyLock;
use taos_query::dsn::WEBSOCKET_PARAMS;
use taos_query::tmq::backend::{DOTTED, SHORT, Subscription};
use taos_query::{Code, Dsn, ErrorKind, RawError, RawResult};

/// The parameters of a subscription, with those of the ordinary connection.
pub(super) static PARAMS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let consumer = DOTTED.iter().chain(&SHORT);
    consumer.chain(WEBSOCKET_PARAMS).copied().collect()
});

#[derive(Debug, Clone)]
pub(super) struct TmqConfig {
    pub(super) connection: Config,
    pub(super) subscription: Subscription,
    pub(super) token: Option<Secret>,
}

impl TmqConfig {
    pub(super) fn from_dsn(dsn: &Dsn) -> RawResult<Self> {
        let mut connection = Config::parse(dsn, &PARAMS, Endpoint::Topics)?;
        if dsn.username.is_none()
            && let Some(user) = dsn.get("td.connect.user")
        {
            connection.user.clone_from(user);
        }
        if dsn.password.is_none()
            && let Some(password) = dsn.get("td.connect.pass")
        {
            connection.password = Secret::new(password.as_str());
        }
        if let Some(totp) = &connection.totp {
            return Err(RawError::of(
                ErrorKind::Unsupported,
                format!(
                    "{} is not supported by consumers: servers take only a password or a token \
                     (bearer_token) from them",
                    totp.name()
                ),
            )
            .with_code(Code::WS_DSN));
        }
        Ok(Self {
            subscription: Subscription::from_dsn(dsn)?,
            token: dsn
                .get("td.connect.token")
                .filter(|token| !token.is_empty())
                .map(|token| Secret::new(token.as_str()))
                .or_else(|| connection.bearer_token.clone()),
            connection,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use taos_query::tmq::Timeout;

    fn config(params: &str) -> RawResult<TmqConfig> {
        TmqConfig::from_dsn(&format!("ws://h?{params}").parse().unwrap())
    }

    #[test]
    fn what_is_not_said_has_the_documented_default() {
        let config = config("group.id=g").unwrap();
        assert_eq!(
            (
                config.subscription.group_id.as_str(),
                config.subscription.client_id.as_str()
            ),
            ("g", "")
        );
        assert_eq!(config.subscription.auto_commit, None);
        assert_eq!(config.subscription.timeout, Timeout::from_secs(5));
        assert!(
            config.subscription.reconnect
                && config.subscription.table_names
                && config.subscription.batch_meta
                && !config.subscription.snapshot
        );
        assert!(config.subscription.excluded.is_empty() && config.subscription.raw_rows.is_empty());
        assert!(
            config.subscription.rest.is_empty()
                && config.subscription.seeks.is_empty()
                && config.token.is_none()
        );
    }

    #[test]
    fn every_parameter_and_its_other_names_are_read() {
        let config = config(
            "group.id=g&client.id=c&auto.offset.reset=earliest&enable.auto.commit&\
             auto.commit.interval.ms=200&snapshot=true&msg.with.table.name=false&batchmeta=N&\
             replica&msg.consume.rawdata=1&timeout=never&offset=3:7,4:0&auto.reconnect=false&\
             fetch.max.wait.ms=10&session.timeout.ms=9000&max.poll.interval.ms=2000",
        )
        .unwrap();
        assert_eq!(
            config.subscription.auto_commit,
            Some(Duration::from_millis(200))
        );
        assert!(
            !config.subscription.reconnect
                && !config.subscription.table_names
                && !config.subscription.batch_meta
                && config.subscription.snapshot
        );
        assert_eq!(
            (
                config.subscription.excluded.as_str(),
                config.subscription.raw_rows.as_str()
            ),
            ("1", "1")
        );
        assert_eq!(config.subscription.timeout, Timeout::Never);
        assert_eq!(config.subscription.seeks, [(3, 7), (4, 0)]);
        assert_eq!(config.subscription.rest.len(), 1);
        assert_eq!(config.subscription.rest["fetch.max.wait.ms"], "10");
        assert_eq!(config.subscription.session_timeout_ms, "9000");
    }

    #[test]
    fn mistakes_are_named_with_the_parameter() {
        for (params, word) in [
            ("", "group.id"),
            ("group.id=", "`group.id` to have a value"),
            ("GROUP.ID=g", "not `GROUP.ID`"),
            ("group.id=a:b", "without colons"),
            ("group_id=g", "group_id"),
            ("group.id=g&offset=1", "offset"),
            ("group.id=g&offset=1:x", "offset"),
            ("group.id=g&offset=1:-2", "offset"),
            ("group.id=g&offset=99999999999:1", "offset"),
            ("group.id=g&timeout=soon", "timeout"),
            ("group.id=g&batchmeta=maybe", "batchmeta"),
            ("group.id=g&snapshots=1", "snapshot"),
            (
                "group.id=g&auto.commit.interval.ms=x",
                "auto.commit.interval.ms",
            ),
            ("group.id=g&totp_code=123456", "totp_code"),
            ("group.id=g&auto.offset.reset=erliest", "auto.offset.reset"),
            ("group.id=g&session.timeout.ms=9s", "session.timeout.ms"),
            ("group.id=g&max.poll.interval.ms=-1", "max.poll.interval.ms"),
        ] {
            let error = config(params).unwrap_err();
            assert!(error.to_string().contains(word), "{params}: {error}");
        }
    }

    #[test]
    fn a_token_for_consumers_wins_over_that_of_the_connection() {
        let both = config("group.id=g&td.connect.token=a&bearer_token=b").unwrap();
        assert_eq!(both.token.as_ref().map(Secret::expose), Some("a"));
        let one = config("group.id=g&bearerToken=b").unwrap();
        assert_eq!(one.token.as_ref().map(Secret::expose), Some("b"));
        assert!(!format!("{both:?}").contains("\"a\""));
        let empty = config("group.id=g&td.connect.token=&bearer_token=b").unwrap();
        assert_eq!(empty.token.as_ref().map(Secret::expose), Some("b"));
        assert!(
            config("group.id=g&td.connect.token=")
                .unwrap()
                .token
                .is_none()
        );
        let login = config("group.id=g&td.connect.user=u&td.connect.pass=p").unwrap();
        assert_eq!(login.connection.user, "u");
        assert_eq!(login.connection.password.expose(), "p");
        assert!(login.subscription.rest.is_empty());
    }

    #[test]
    fn values_of_further_keys_are_not_printed() {
        let config = config("group.id=g&sasl.password=hidden&fetch.max.wait.ms=10").unwrap();
        let printed = format!("{config:?}");
        assert!(printed.contains("sasl.password"), "{printed}");
        assert!(!printed.contains("hidden"), "{printed}");
    }
}
