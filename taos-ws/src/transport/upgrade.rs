//! The HTTP upgrade (RFC 6455 §4, taosadapter-ws §2).

use super::deflate::{self, Agreement};
use super::{Cause, Socket, WebSocket};
use bytes::BytesMut;
use taos_query::{Code, ErrorKind, RawError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Longest answer to the upgrade that is read.
const RESPONSE_LIMIT: usize = 16 * 1024;
/// The first byte of a TLS record that complains.
const TLS_ALERT: u8 = 0x15;

/// What to ask for, and of whom.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) host: &'a str,
    /// May carry a token and is therefore never shown.
    pub(crate) path: &'a str,
    pub(crate) address: &'a str,
    pub(crate) max_message: usize,
    /// Whether compression is offered.
    pub(crate) compression: bool,
}

impl Request<'_> {
    /// The path without what may be a token.
    fn endpoint(&self) -> &str {
        self.path
            .split_once('?')
            .map_or(self.path, |(endpoint, _)| endpoint)
    }
}

/// Why there is no WebSocket.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The server wants to be asked over TLS.
    WantsTls(RawError),
    /// There is no WebSocket at this path.
    NoEndpoint(RawError),
    Other(RawError),
}

impl Refusal {
    pub(crate) fn into_error(self) -> RawError {
        match self {
            Self::WantsTls(error) | Self::NoEndpoint(error) | Self::Other(error) => error,
        }
    }
}

impl From<RawError> for Refusal {
    fn from(error: RawError) -> Self {
        Self::Other(error)
    }
}

/// Asks for the WebSocket at a path.
pub(crate) async fn upgrade<S: Socket>(
    mut io: S,
    request: Request<'_>,
) -> Result<WebSocket<S>, Refusal> {
    let Request {
        host,
        path,
        address,
        ..
    } = request;
    let key = generate_key();
    let extensions = if request.compression {
        format!("Sec-WebSocket-Extensions: {}\r\n", deflate::OFFER)
    } else {
        String::new()
    };
    let text = zeroize::Zeroizing::new(format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{extensions}\r\n"
    ));
    let lost = |error: std::io::Error| {
        Cause::io("the WebSocket upgrade", &error).into_connect_error(address)
    };
    io.write_all(text.as_bytes()).await.map_err(lost)?;
    io.flush().await.map_err(lost)?;
    let mut input = BytesMut::with_capacity(4096);
    let end = loop {
        if let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if !input.is_empty() && !b"HTTP/".starts_with(input.get(..5).unwrap_or(&input)) {
            let error = not_http(address);
            return Err(if input.first() == Some(&TLS_ALERT) {
                Refusal::WantsTls(error)
            } else {
                Refusal::Other(error)
            });
        }
        if input.len() > RESPONSE_LIMIT {
            return Err(refused(address, "answered the upgrade with endless headers").into());
        }
        if io.read_buf(&mut input).await.map_err(lost)? == 0 {
            return Err(Cause::disconnected(
                "the server closed the connection instead of answering the upgrade; \
                 if it expects TLS, use wss://",
            )
            .into_connect_error(address)
            .into());
        }
    };
    let head = input.split_to(end + 4);
    let head = String::from_utf8_lossy(&head);
    let agreement = check(&head, &input, &key, request)?;
    Ok(WebSocket::new(io, input, request.max_message, agreement))
}

/// The values of a header, as if it stood there once.
fn header(head: &str, wanted: &str) -> Option<String> {
    let values: Vec<&str> = head
        .split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.trim())
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn check(
    head: &str,
    body: &[u8],
    key: &str,
    request: Request<'_>,
) -> Result<Option<Agreement>, Refusal> {
    let address = request.address;
    let status = head.split("\r\n").next().unwrap_or_default();
    let code = status.split(' ').nth(1).unwrap_or_default();
    if code != "101" {
        return Err(status_error(code, head, body, request));
    }
    let accept = header(head, "sec-websocket-accept");
    if accept.as_deref() != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return Err(refused(
            address,
            "accepted the upgrade without the right Sec-WebSocket-Accept; is a proxy in between?",
        )
        .into());
    }
    let extensions = header(head, "sec-websocket-extensions").unwrap_or_default();
    let agreement = deflate::agreed(&extensions)
        .map_err(|what| refused(address, &format!("{what}, which was not offered")))?;
    if agreement.is_some() && !request.compression {
        return Err(refused(address, "compresses, which was not offered").into());
    }
    Ok(agreement)
}

fn status_error(code: &str, head: &str, body: &[u8], request: Request<'_>) -> Refusal {
    let address = request.address;
    let other = |what: &str| Refusal::Other(refused(address, what));
    match code {
        "401" | "403" => Refusal::Other(
            RawError::of(
                ErrorKind::Auth,
                format!("{address} refused the upgrade with HTTP {code}: check the token"),
            )
            .with_code(Code::WS_UNAUTHORIZED),
        ),
        "404" => Refusal::NoEndpoint(refused(
            address,
            &format!(
                "has no WebSocket at {} (HTTP 404): is it taosAdapter?",
                request.endpoint()
            ),
        )),
        "400" => {
            let error = refused(
                address,
                "refused the upgrade with HTTP 400: if it expects TLS, use wss://",
            );
            // "Client sent an HTTP request to an HTTPS server", and the like.
            if body.windows(5).any(|five| five == b"HTTPS") {
                Refusal::WantsTls(error)
            } else {
                Refusal::NoEndpoint(error)
            }
        }
        "301" | "302" | "307" | "308" => {
            let target = header(head, "location").unwrap_or_default();
            if target.starts_with("http://") || target.starts_with("ws://") {
                return other(&format!(
                    "redirects to another address (HTTP {code}), which is not followed; \
                     write that address into the DSN"
                ));
            }
            Refusal::WantsTls(refused(
                address,
                &format!("redirects (HTTP {code}): it probably expects TLS, use wss://"),
            ))
        }
        _ => {
            let status = head.split("\r\n").next().unwrap_or_default();
            let words: String = status.chars().take(80).collect();
            let error = refused(address, &format!("answered the upgrade with `{words}`"));
            // Gateways say 5xx while their server restarts: worth another try.
            Refusal::Other(if code.starts_with('5') {
                error.with_code(Code::WS_DISCONNECTED)
            } else {
                error
            })
        }
    }
}

fn refused(address: &str, what: &str) -> RawError {
    RawError::of(ErrorKind::Connect, format!("{address} {what}")).with_code(Code::WS_ERROR)
}

fn not_http(address: &str) -> RawError {
    refused(
        address,
        "does not speak HTTP: is it taosAdapter's port (6041)? if it expects TLS, use wss://",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(response: &str) -> RawError {
        let (client, mut server) = tokio::io::duplex(4096);
        server.write_all(response.as_bytes()).await.unwrap();
        let request = Request {
            host: "h:1",
            path: "/ws?token=SECRET",
            address: "h:1",
            max_message: 1000,
            compression: false,
        };
        let error = upgrade(client, request).await.err().unwrap().into_error();
        assert!(!format!("{error:#?}").contains("SECRET"));
        error
    }

    #[tokio::test]
    async fn refusals_say_what_to_do() {
        for (response, kind, words) in [
            (
                "HTTP/1.1 401 Unauthorized\r\n\r\n",
                ErrorKind::Auth,
                "check the token",
            ),
            (
                "HTTP/1.1 404 Not Found\r\n\r\n",
                ErrorKind::Connect,
                "at /ws (HTTP 404)",
            ),
            ("HTTP/1.0 400 Bad\r\n\r\n", ErrorKind::Connect, "wss://"),
            (
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://x\r\n\r\n",
                ErrorKind::Connect,
                "wss://",
            ),
            (
                "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: no\r\n\r\n",
                ErrorKind::Connect,
                "Sec-WebSocket-Accept",
            ),
            ("SSH-2.0-OpenSSH_9\r\n", ErrorKind::Connect, "HTTP"),
            (
                "\u{15}\u{3}\u{1}\0\u{2}\u{2}F",
                ErrorKind::Connect,
                "wss://",
            ),
        ] {
            let error = answer(response).await;
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
