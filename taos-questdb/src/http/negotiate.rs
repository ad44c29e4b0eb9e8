//! What the server speaks, by `GET /settings` (questdb §5.1).

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::client::{Client, Request};
use super::retry::{Schedule, is_retriable};
use crate::error::{Error, ErrorCode, Result, error};
use crate::ingress::ProtocolVersion;

const RETRY: Duration = Duration::from_secs(1);
const MAX_BODY: usize = 4 * 1024 * 1024;

/// What the server says about lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub(crate) version: ProtocolVersion,
    /// Bytes; `None` when the server does not say.
    pub(crate) max_name_len: Option<usize>,
}

/// Asks the server, for a second if it does not answer, or for `retry_timeout` if that is shorter.
///
/// # Errors
/// `ProtocolVersionError` with the URL and what came instead; `TlsError`, `ConfigError` and
/// `InvalidApiCall` as they are.
pub(crate) async fn negotiate(client: &Client) -> Result<Negotiated> {
    let limits = client.limits();
    let request = Request::get("/settings", limits.request_timeout);
    let mut schedule = Schedule::new(RETRY.min(limits.retry_timeout), limits.retry_max_backoff);
    loop {
        let (error, retriable) = match attempt(client, &request).await {
            Ok(negotiated) => return Ok(negotiated),
            Err(failed) => failed,
        };
        let wait = if retriable { schedule.next() } else { None };
        let Some(wait) = wait else {
            return Err(error);
        };
        tracing::debug!(%error, ?wait, "the settings are asked for again");
        sleep(wait).await;
    }
}

/// What has nothing to do with the server's version stays what it is.
fn undetected(why: Error) -> Error {
    match why.code() {
        ErrorCode::InvalidApiCall | ErrorCode::ConfigError | ErrorCode::TlsError => why,
        _ => unanswered(&why),
    }
}

/// No setting helps where nothing answers; the words of the failure say what to look at.
fn unanswered(why: &Error) -> Error {
    error!(
        ProtocolVersionError,
        "could not ask the server for its version of the line protocol: {why}"
    )
}

fn unknown(why: &Error) -> Error {
    error!(
        ProtocolVersionError,
        "could not detect the server's version of the line protocol; set protocol_version to do \
         without: {why}"
    )
}

async fn attempt(
    client: &Client,
    request: &Request,
) -> std::result::Result<Negotiated, (Error, bool)> {
    let response = client
        .attempt(request)
        .await
        .map_err(|failure| (undetected(failure.error), failure.retriable))?;
    let status = response.status();
    let number = response.number();
    let url = response.url().to_owned();
    let retriable = is_retriable(status.as_u16(), client.has_several());
    if retriable {
        client.leave(number);
    }
    let body = response
        .read_to_end(MAX_BODY)
        .await
        .map_err(|error| (unanswered(&error), true))?;
    if status == hyper::StatusCode::NOT_FOUND {
        return Ok(Negotiated {
            version: ProtocolVersion::V1,
            max_name_len: None,
        });
    }
    if !status.is_success() {
        let why = error!(SocketError, "{url} answers status {}", status.as_u16());
        return Err((unknown(&why), retriable));
    }
    settings(&body, &url).map_err(|error| (error, false))
}

fn settings(body: &[u8], url: &str) -> Result<Negotiated> {
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        unknown(&error!(
            SocketError,
            "the answer of {url} is not JSON: {error}"
        ))
    })?;
    let config = body.get("config");
    let get = |key| config.and_then(|config| config.get(key));
    let version = match get("line.proto.support.versions").and_then(Value::as_array) {
        None => ProtocolVersion::V1,
        Some(listed) => highest(listed).ok_or_else(|| {
            error!(
                ProtocolVersionError,
                "{url} lists no version of the line protocol that is known here (1, 2 or 3)"
            )
        })?,
    };
    let max_name_len = get("cairo.max.file.name.length")
        .and_then(Value::as_u64)
        .and_then(|length| usize::try_from(length).ok());
    Ok(Negotiated {
        version,
        max_name_len,
    })
}

fn highest(listed: &[Value]) -> Option<ProtocolVersion> {
    [
        (3, ProtocolVersion::V3),
        (2, ProtocolVersion::V2),
        (1, ProtocolVersion::V1),
    ]
    .into_iter()
    .find(|(number, _)| listed.iter().any(|listed| listed.as_u64() == Some(*number)))
    .map(|(_, version)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<(ProtocolVersion, Option<usize>)> {
        settings(body.as_bytes(), "http://h:1/settings")
            .map(|found| (found.version, found.max_name_len))
    }

    #[test]
    fn the_highest_known_version_is_taken_and_the_length_of_names() {
        let versions = |list: &str| {
            read(&format!(
                r#"{{"config":{{"line.proto.support.versions":{list},"cairo.max.file.name.length":200}}}}"#
            ))
        };
        let v = |version| (version, Some(200));
        assert_eq!(versions("[1,2,3]").unwrap(), v(ProtocolVersion::V3));
        assert_eq!(versions("[2,1,17]").unwrap(), v(ProtocolVersion::V2));
        assert_eq!(versions("\"1\"").unwrap(), v(ProtocolVersion::V1));
        let error = versions("[17]").unwrap_err();
        assert_eq!(error.code(), ErrorCode::ProtocolVersionError);
        assert_eq!(read("{}").unwrap(), (ProtocolVersion::V1, None));
    }

    #[test]
    fn an_answer_that_is_not_json_is_an_error_with_the_url() {
        for body in [&b"<html>"[..], b"\xff\xfe", b""] {
            let error = settings(body, "http://h:1/settings").unwrap_err();
            assert_eq!(error.code(), ErrorCode::ProtocolVersionError);
            assert!(error.msg().contains("http://h:1/settings"), "{error}");
        }
    }
}
