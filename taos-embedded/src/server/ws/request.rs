//! From messages to requests. Reading a long one takes its time, and so does not happen on the runtime.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use taos_ws::protocol::{
    BadBinary, BadRequest, BinaryRequest, ReqArgs, TextRequest, decode_binary, decode_text,
};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;

use super::{QUICK, Ticket, binary, text};

/// Longest text in which values for a statement may stand; as numbers and texts in memory they are many
/// times as long.
const MAX_JSON_BIND: usize = 4 << 20;

/// How much more memory the requests in a text may take than the text.
const TEXT_GROWTH: usize = 8;

enum Request {
    Text(Result<TextRequest, BadRequest>),
    Binary(Result<BinaryRequest, BadBinary>),
}

/// What a message counts for among those that a session has under way.
pub(super) fn weight(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len().saturating_mul(TEXT_GROWTH),
        other => other.len(),
    }
}

/// Answers a message, or starts what will. The next is not to be read before this returns, so requests
/// start in the order in which they came.
pub(super) async fn serve(ticket: Ticket, message: Message) {
    match read(&ticket, message).await {
        Some(Request::Text(request)) => text::handle(ticket, request),
        Some(Request::Binary(request)) => binary::handle(ticket, request),
        None => tracing::error!("a message could not be read"),
    }
}

async fn read(ticket: &Ticket, message: Message) -> Option<Request> {
    if ticket.size <= QUICK {
        return decode(&message);
    }
    let place = Arc::clone(&ticket.conn.shared.decoders)
        .acquire_owned()
        .await
        .ok()?;
    // Not a thread of the blocking pool: results may hold all of those until messages behind this one
    // fetch them.
    let (tell, told) = oneshot::channel();
    let copy = message.clone();
    let thread = std::thread::Builder::new().name("taos-decode".to_owned());
    let started = thread.spawn(move || {
        // The session may have ended meanwhile.
        let _ = tell.send(decode(&message));
        drop(place);
    });
    match started {
        Ok(_) => told.await.ok()?,
        Err(_) => decode(&copy),
    }
}

fn decode(message: &Message) -> Option<Request> {
    match message {
        Message::Text(text) => Some(Request::Text(match overlong(text) {
            Some(bad) => Err(bad),
            None => decode_text(text),
        })),
        Message::Binary(frame) => Some(Request::Binary(decode_binary(frame))),
        _ => None,
    }
}

/// Refuses values as JSON before they are read, if they are too long.
fn overlong(text: &str) -> Option<BadRequest> {
    if text.len() <= MAX_JSON_BIND {
        return None;
    }
    let Ok(head) = serde_json::from_str::<Head>(text) else {
        return Some(BadRequest {
            action: String::new(),
            req_id: 0,
            message: "unmarshal request error".to_owned(),
        });
    };
    matches!(&*head.action, "bind" | "set_tags").then(|| BadRequest {
        message: format!(
            "{} takes at most {MAX_JSON_BIND} bytes as JSON; use its binary form, or bind fewer rows at \
             a time",
            head.action
        ),
        action: head.action,
        req_id: head.req_id,
    })
}

/// What a text request is, without most of its arguments.
#[derive(Default)]
struct Head {
    action: String,
    req_id: u64,
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Head;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with action and args")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head, A::Error> {
                let mut head = Head::default();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    if key.eq_ignore_ascii_case("action") {
                        head.action = map.next_value::<Option<String>>()?.unwrap_or_default();
                    } else if key.eq_ignore_ascii_case("args") {
                        let args = map.next_value::<Option<ReqArgs>>()?;
                        head.req_id = args.map_or(0, |args| args.req_id);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(head)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_of_statements_are_too_long_as_json() {
        let long = "x".repeat(MAX_JSON_BIND);
        let bad = |action: &str| {
            overlong(&format!(
                r#"{{"args":{{"columns":[["{long}"]],"req_id":7}},"Action":"{action}"}}"#
            ))
        };
        let refused = bad("bind").unwrap();
        assert_eq!((refused.action.as_str(), refused.req_id), ("bind", 7));
        assert!(
            refused.message.contains("4194304 bytes"),
            "{}",
            refused.message
        );
        assert!(bad("set_tags").is_some());
        assert!(bad("insert").is_none());
        assert!(overlong(r#"{"action":"bind"}"#).is_none());
    }
}
