//! Lines over `POST /write` (questdb §5.2 to §5.6).

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::time::sleep;

use super::client::{Client, Request};
use super::response::Response;
use super::retry::{Schedule, is_retriable};
use crate::error::{Error, Result, error};
use crate::settings::Http;

const TARGET: &str = "/write?precision=n";
/// Longer error bodies are not read.
const MAX_ERROR_BODY: usize = 1024 * 1024;

/// An attempt that did not store the lines, as far as is known.
struct Refusal {
    error: Error,
    retriable: bool,
    /// The server may have stored them nevertheless.
    doubtful: bool,
}

/// Sends the lines, again and again while the failure may pass and `retry_timeout` is not over. Lines of
/// an attempt whose answer was lost can be stored twice.
///
/// # Errors
/// `AuthError`, `HttpNotSupported`, `ServerFlushError` for what servers answer; as
/// [`Client::request`] for answers that did not come.
pub(crate) async fn write_lines(client: &Client, lines: Bytes) -> Result<()> {
    write_lines_to(client, TARGET.to_owned(), lines).await
}

/// The same to a target with another unit of bare times.
///
/// # Errors
/// As [`write_lines`].
pub(crate) async fn write_lines_to(client: &Client, target: String, lines: Bytes) -> Result<()> {
    let limits = client.limits();
    let request = Request {
        method: Method::POST,
        target,
        headers: vec![(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        )],
        limit: limit(limits, lines.len()),
        body: lines,
        repeatable: false,
    };
    let mut schedule = Schedule::new(limits.retry_timeout, limits.retry_max_backoff);
    let mut doubtful = false;
    let mut tries = 0_u32;
    loop {
        let refusal = match attempt(client, &request).await {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        tries = tries.saturating_add(1);
        doubtful |= refusal.doubtful;
        let wait = if refusal.retriable {
            schedule.next()
        } else {
            None
        };
        let Some(wait) = wait else {
            let error = given_up(refusal.error, tries, limits);
            return Err(if doubtful { error.doubtful() } else { error });
        };
        tracing::debug!(error = %refusal.error, ?wait, "the lines are sent again");
        sleep(wait).await;
    }
}

/// Says after how many attempts, if there were several.
fn given_up(error: Error, tries: u32, limits: &Http) -> Error {
    if tries < 2 {
        return error;
    }
    Error::new(
        error.code(),
        format!(
            "{}; that was attempt {tries}, and `retry_timeout` ({} ms) is over",
            error.msg(),
            limits.retry_timeout.as_millis()
        ),
    )
}

/// Limit of one attempt (questdb §5.4).
fn limit(limits: &Http, bytes: usize) -> Duration {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let millis = bytes
        .saturating_mul(1000)
        .checked_div(limits.request_min_throughput)
        .unwrap_or(0);
    limits
        .request_timeout
        .saturating_add(Duration::from_millis(millis))
}

async fn attempt(client: &Client, request: &Request) -> std::result::Result<(), Refusal> {
    let response = client.attempt(request).await.map_err(|failure| Refusal {
        error: failure.error,
        retriable: failure.retriable,
        doubtful: failure.sent,
    })?;
    let status = response.status();
    if status.is_success() {
        // The lines are stored. What may follow is read only for the sake of the connection.
        let _ = response.read_to_end(MAX_ERROR_BODY).await;
        return Ok(());
    }
    let number = response.number();
    let doubtful = status.is_server_error();
    let retriable = is_retriable(status.as_u16(), client.has_several());
    if retriable {
        client.leave(number);
    }
    let error = refused(response, client.login())
        .await
        .unwrap_or_else(|unreadable| unreadable);
    Err(Refusal {
        error,
        retriable,
        doubtful,
    })
}

/// The error that an answer stands for; `Err` when its body cannot be read (questdb §5.3).
async fn refused(response: Response, login: &str) -> Result<Error> {
    let status = response.status().as_u16();
    let json = response.is_json();
    let url = response.url().to_owned();
    if (300..400).contains(&status) {
        let target = response
            .header(hyper::header::LOCATION)
            .unwrap_or("nowhere")
            .to_owned();
        return Ok(error!(
            ServerFlushError,
            "Could not flush buffer: {url} redirects to {target} [code: {status}]; configure that \
             address, redirects are not followed"
        ));
    }
    let body = response.read_to_end(MAX_ERROR_BODY).await?;
    let text = String::from_utf8_lossy(&body);
    let text = text.trim();
    Ok(match status {
        404 => error!(
            HttpNotSupported,
            "Could not flush buffer: {url} does not take lines over HTTP; servers before 7.4.0 take \
             them over TCP only"
        ),
        401 | 403 if text.is_empty() => error!(
            AuthError,
            "Could not flush buffer: {url} refuses the login ({login}) [code: {status}]"
        ),
        401 | 403 => error!(
            AuthError,
            "Could not flush buffer: {url} refuses the login ({login}): {text} [code: {status}]"
        ),
        _ => {
            let said = if json { message(&body) } else { None };
            match said {
                Some(said) => error!(ServerFlushError, "Could not flush buffer: {said}"),
                None if text.is_empty() => error!(
                    ServerFlushError,
                    "Could not flush buffer: {url} answers status {status} without a word"
                ),
                None => error!(ServerFlushError, "Could not flush buffer: {text}"),
            }
        }
    })
}

/// The message of a JSON error and in brackets what else it says, or nothing without a message.
fn message(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let mut said = body.get("message")?.as_str()?.to_owned();
    let line = body
        .get("line")
        .and_then(serde_json::Value::as_u64)
        .filter(|line| *line > 0)
        .map(|line| line.to_string());
    let text = |key| Some(body.get(key)?.as_str()?.to_owned());
    let details: Vec<String> = [
        ("id", text("errorId")),
        ("code", text("code")),
        ("line", line),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name}: {}", value?)))
    .collect();
    if !details.is_empty() {
        said.push_str(&format!(" [{}]", details.join(", ")));
    }
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_in_brackets_what_the_server_gave() {
        let whole = br#"{"code":"invalid","message":"bad\nline","line":2,"errorId":"ce0f-1"}"#;
        assert_eq!(
            message(whole).unwrap(),
            "bad\nline [id: ce0f-1, code: invalid, line: 2]"
        );
        let part = br#"{"message":"bad","line":0,"code":"internal error"}"#;
        assert_eq!(message(part).unwrap(), "bad [code: internal error]");
        assert_eq!(message(br#"{"message":"bad"}"#).unwrap(), "bad");
        assert_eq!(message(br#"{"message":7}"#), None);
        assert_eq!(message(b"{"), None);
    }

    #[test]
    fn the_limit_grows_with_the_body_unless_throughput_is_switched_off() {
        let mut limits =
            crate::settings::Settings::new(crate::ingress::Protocol::Http, Vec::new()).http;
        limits.request_timeout = Duration::from_millis(300);
        limits.request_min_throughput = 50;
        assert_eq!(limit(&limits, 54), Duration::from_millis(1380));
        limits.request_min_throughput = 0;
        assert_eq!(limit(&limits, usize::MAX), Duration::from_millis(300));
    }
}
