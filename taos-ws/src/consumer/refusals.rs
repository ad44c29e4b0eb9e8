//! What the server's refusals mean, and what to do about them (taosadapter-ws §13).

use super::config::TmqConfig;
use super::session::Trouble;
use crate::client::{is_dead, is_passing};
use taos_query::tmq::backend::{TOO_EARLY, hint};
use taos_query::{Code, ErrorKind, RawError};

/// "Topic not exist".
const NO_TOPIC: i32 = 0x03E1;
/// "consumer not ready", while the group is being balanced.
const NOT_READY: i32 = 0x03EA;
/// Invalid parameter.
const INVALID: i32 = 0x0118;
/// What adapters before 3.3.6.27 say of a key that they do not know (taosadapter-ws §11.1).
const UNKNOWN_KEY: i32 = 0xFFFE;
/// What servers say of a wrong user or password, under the code of any failure (taosadapter-ws §11.1).
const NO_LOGIN: &str = "init tscObj failed";

/// The server's own error. After some of them only a new subscription helps.
pub(super) fn refusal(code: u32, message: String) -> Trouble {
    let gone = matches!(code, 0x03E6 | 0x4002 | 0x4017)
        || (code == 0xFFFF && message.contains("tmq not init"));
    let error = RawError::new(code, message);
    if gone || is_dead(error.code()) {
        Trouble::Lost(error)
    } else {
        Trouble::Refused(error)
    }
}

/// True for a state of the server that passes: it starts, stops, is busy, or balances the group.
pub(super) fn passes(error: &RawError) -> bool {
    error.kind() == ErrorKind::Server && passing(error.code())
}

fn passing(code: Code) -> bool {
    // Replicas that have no leader, or are slow to find one, are the last four.
    is_passing(code)
        || matches!(
            i32::from(code),
            NOT_READY | 0x0903 | 0x090C | 0x0911 | 0x0914
        )
}

pub(super) fn is_too_early(error: &RawError) -> bool {
    error.kind() == ErrorKind::Server && i32::from(error.code()) == TOO_EARLY
}

pub(super) fn is_about_batches(error: &RawError) -> bool {
    let message = error.message().to_ascii_lowercase();
    match i32::from(error.code()) {
        UNKNOWN_KEY => true,
        INVALID => message.contains("batch"),
        _ => false,
    }
}

/// What was asked of whom, and what to do about the answer.
pub(super) fn named(error: RawError, what: &str, group: &str, address: &str) -> RawError {
    let hint = match i32::from(error.code()) {
        _ if error.kind() != ErrorKind::Server => "",
        _ if passing(error.code()) => "; the server is busy or starts anew, try again later",
        code => hint(code),
    };
    error.context(format!("{what} by the group `{group}` at {address}{hint}"))
}

/// What was tried with a subscription, and what to look at.
pub(super) fn explain(
    config: &TmqConfig,
    topics: &[String],
    address: &str,
    error: RawError,
) -> Trouble {
    let (code, message) = (i32::from(error.code()), error.message());
    let names = topics.join("`, `");
    let user = &config.connection.user;
    let what = match code {
        NO_TOPIC if topics.len() > 1 => format!(
            "subscribing at {address}: not all of the topics `{names}` exist; SHOW TOPICS lists them"
        ),
        NO_TOPIC => {
            format!("subscribing at {address}: there is no topic `{names}`; SHOW TOPICS lists them")
        }
        _ if message.contains(NO_LOGIN) => format!(
            "subscribing as `{user}` at {address} failed; check user and password in the DSN"
        ),
        _ if message.contains("group is empty") => {
            format!("subscribing at {address}: check `group.id` in the DSN")
        }
        _ => {
            let further = match code {
                INVALID | UNKNOWN_KEY | 0xFFFF if !config.subscription.rest.is_empty() => {
                    let keys: Vec<&str> = config
                        .subscription
                        .rest
                        .keys()
                        .map(String::as_str)
                        .collect();
                    format!(
                        "; the DSN's parameters `{}` went to the server as they are, check them",
                        keys.join("`, `")
                    )
                }
                _ => String::new(),
            };
            format!(
                "subscribing to `{names}` in the group `{}` at {address} failed{further}",
                config.subscription.group_id
            )
        }
    };
    let passing = passing(error.code()) || is_dead(error.code());
    let refused = message.contains(NO_LOGIN);
    let kind = if refused {
        ErrorKind::Auth
    } else {
        error.kind()
    };
    let error = error.context(what).with_kind(kind);
    if passing {
        Trouble::Lost(error)
    } else {
        Trouble::Refused(error)
    }
}
