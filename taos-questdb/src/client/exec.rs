//! Statements over `GET /exec` (questdb §10.1).

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use taos_query::{ErrorKind, RawError, RawResult};

use super::health::unreachable;
use super::trouble::Trouble;
use crate::http::{Client, Request};
use crate::rest::Reply;
use crate::settings::Settings;
use crate::sql::only_reads;

/// Longer error bodies are not read.
const MAX_ERROR: usize = 1 << 20;
/// What a server gives a query unless it is set up otherwise; an answer that stops for longer is lost.
const SERVER_LIMIT: Duration = Duration::from_secs(60);
/// How much longer than the server a statement waits for its limit.
const GRACE: Duration = Duration::from_secs(1);
/// The request line of a server with its own settings; longer ones make it close the connection.
const USUAL_TARGET: usize = 32_000;
/// More does not fit into a URL at all.
const LONGEST_TARGET: usize = 65_000;
const STATEMENT_TIMEOUT: HeaderName = HeaderName::from_static("statement-timeout");

/// The answer to a statement, read as far as its columns.
pub(super) struct Answer {
    pub(super) reply: Reply,
    /// Absent when the answer has been read to its end.
    pub(super) response: Option<crate::http::Response>,
}

/// Runs a statement and waits for the columns of its result.
pub(super) async fn run(
    client: &Client,
    settings: &Settings,
    sql: &str,
) -> Result<Answer, Trouble> {
    let request = request(settings, sql)?;
    let length = request.target.len();
    let mut response = client.request(request).await.map_err(|error| {
        let late = error.is_late();
        let trouble = Trouble::from(error).map(|error| too_long(error, length));
        if !late {
            return trouble;
        }
        trouble.map(|error| {
            error.context(
                "the statement took longer than it may; `query_timeout_ms` in the DSN gives it more",
            )
        })
    })?;
    let status = response.status();
    if !status.is_success() {
        let url = response.url().to_owned();
        let body = response.read_to_end(MAX_ERROR).await?;
        return Err(refusal(client, status.as_u16(), &url, &body).into());
    }
    let mut reply = Reply::new();
    while reply.head().is_none() {
        match response.chunk().await? {
            Some(piece) => reply.feed(&piece)?,
            None => {
                reply.finish()?;
                return Ok(Answer {
                    reply,
                    response: None,
                });
            }
        }
    }
    Ok(Answer {
        reply,
        response: Some(response),
    })
}

/// Asks for something that costs nothing but needs a user.
pub(super) async fn log_in(client: &Client) -> RawResult<()> {
    let request = Request::get("/exec?query=select+1", client.limits().request_timeout);
    let response = client.request(request).await.map_err(unreachable)?;
    let (status, url) = (response.status(), response.url().to_owned());
    let body = response.read_to_end(MAX_ERROR).await?;
    if status.is_success() {
        Ok(())
    } else {
        Err(refusal(client, status.as_u16(), &url, &body))
    }
}

fn request(settings: &Settings, sql: &str) -> RawResult<Request> {
    let target = target(sql);
    if target.len() > LONGEST_TARGET {
        let error = RawError::of(
            ErrorKind::Config,
            "the statement does not fit into the URL of a request",
        );
        return Err(too_long(error, target.len()));
    }
    let limit = settings.query.query_timeout;
    let mut request = Request::get(target, patience(settings));
    // A statement that changes something must not be run twice.
    request.repeatable = only_reads(sql);
    if !limit.is_zero() {
        let value = HeaderValue::from(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        request.headers.push((STATEMENT_TIMEOUT, value));
    }
    Ok(request)
}

/// How long a statement may take until its answer begins, and each piece of the answer.
pub(super) fn patience(settings: &Settings) -> Duration {
    let limit = settings.query.query_timeout;
    let network = if settings.protocol.is_qwp() {
        settings.ingest.request_timeout
    } else {
        settings.http.request_timeout
    };
    if limit.is_zero() {
        SERVER_LIMIT.saturating_add(network)
    } else {
        // Servers pass over the header at times; closing the connection stops the statement then.
        limit.saturating_add(network.min(GRACE))
    }
}

fn target(sql: &str) -> String {
    let mut target = String::with_capacity(sql.len() + sql.len() / 8 + 16);
    target.push_str("/exec?query=");
    for byte in sql.bytes() {
        match byte {
            b' ' => target.push('+'),
            // As few escapes as the server understands, because the URL is limited.
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => target.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b',' | b'/'
            | b':' | b';' | b'?' | b'@' => target.push(char::from(byte)),
            _ => {
                let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
                target.push('%');
                target.push(digit(byte >> 4));
                target.push(digit(byte & 15));
            }
        }
    }
    target
}

/// Says what a long statement runs into.
fn too_long(error: RawError, length: usize) -> RawError {
    if length < USUAL_TARGET {
        return error;
    }
    error.context(format!(
        "a statement that takes {length} bytes as part of a URL; a server with its default settings \
         takes about 32 KiB: split the statement, write rows by `put` or a prepared INSERT, or raise \
         `http.request.header.buffer.size` of the server"
    ))
}

/// The error of an answer whose status is none of success.
fn refusal(client: &Client, status: u16, url: &str, body: &Bytes) -> RawError {
    if matches!(status, 401 | 403) {
        return refused(client, status, body);
    }
    let mut reply = Reply::new();
    match reply.feed(body).and_then(|()| reply.finish()) {
        Err(error) if reply.is_complete() && error.kind() != ErrorKind::Protocol => error,
        _ => {
            let text: String = String::from_utf8_lossy(body).chars().take(500).collect();
            RawError::of(
                ErrorKind::Server,
                format!("{url} answers status {status}: {}", text.trim()),
            )
        }
    }
}

/// The error of a user whom the server does not let in.
pub(super) fn refused(client: &Client, status: u16, body: &Bytes) -> RawError {
    let what = if client.is_anonymous() {
        "the server asks for a login, and the DSN has no user; write \
         `questdb://user:password@host:9000` or add `token`"
    } else {
        "the server refuses this user, password or token"
    };
    let text: String = String::from_utf8_lossy(body).chars().take(500).collect();
    RawError::of(
        ErrorKind::Auth,
        format!("{what}: {} [code: {status}]", text.trim()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_that_urls_reserve_are_escaped() {
        assert_eq!(
            target("select 'a+b' = \"é%\"\n"),
            "/exec?query=select+'a%2bb'+%3d+%22%c3%a9%25%22%0a"
        );
    }

    #[test]
    fn refusals_keep_the_words_of_the_server() {
        let body = Bytes::from_static(br#"{"query":"x","error":"no such table","position":3}"#);
        let settings = Settings::new(crate::ingress::Protocol::Http, Vec::new());
        let client = Client::new(&settings).unwrap();
        let error = refusal(&client, 400, "http://h/exec", &body);
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.to_string().contains("no such table (at position 3"));
        let error = refusal(
            &client,
            401,
            "http://h/exec",
            &Bytes::from_static(b"Unauthorized\n"),
        );
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(error.to_string().contains("Unauthorized [code: 401]"));
        assert!(error.to_string().contains("has no user"), "{error}");
        let error = refusal(
            &client,
            503,
            "http://h/exec",
            &Bytes::from_static(b"<busy>"),
        );
        assert!(error.to_string().contains("503: <busy>"), "{error}");
    }
}
