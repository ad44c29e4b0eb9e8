//! The HTTP upgrade (RFC 6455 §4, taosadapter-ws §2).

use super::{Cause, Socket, WebSocket};
use bytes::BytesMut;
use taos_query::{Code, ErrorKind, RawError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Longest answer to the upgrade that is read.
const RESPONSE_LIMIT: usize = 16 * 1024;

/// Asks for the WebSocket at `path`, which may carry a token and is therefore never shown.
pub(crate) async fn upgrade<S: Socket>(
    mut io: S,
    host: &str,
    path: &str,
    address: &str,
    max_message: usize,
) -> Result<WebSocket<S>, RawError> {
    let key = generate_key();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    let lost = |error: std::io::Error| {
        Cause::io("the WebSocket upgrade", &error).into_connect_error(address)
    };
    io.write_all(request.as_bytes()).await.map_err(lost)?;
    io.flush().await.map_err(lost)?;
    let mut input = BytesMut::with_capacity(4096);
    let end = loop {
        if let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if !input.is_empty() && !b"HTTP/".starts_with(input.get(..5).unwrap_or(&input)) {
            return Err(not_http(address));
        }
        if input.len() > RESPONSE_LIMIT {
            return Err(refused(
                address,
                "answered the upgrade with endless headers",
            ));
        }
        if io.read_buf(&mut input).await.map_err(lost)? == 0 {
            return Err(Cause::disconnected(
                "the server closed the connection instead of answering the upgrade; \
                 if it expects TLS, use wss://",
            )
            .into_connect_error(address));
        }
    };
    let head = input.split_to(end + 4);
    let head = String::from_utf8_lossy(&head);
    check(&head, &key, address)?;
    Ok(WebSocket::new(io, input, max_message))
}

fn check(head: &str, key: &str, address: &str) -> Result<(), RawError> {
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let code = status.split(' ').nth(1).unwrap_or_default();
    if code != "101" {
        return Err(status_error(code, status, address));
    }
    let accept = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-accept"))
        .map(|(_, value)| value.trim());
    if accept == Some(derive_accept_key(key.as_bytes()).as_str()) {
        Ok(())
    } else {
        Err(refused(
            address,
            "accepted the upgrade without the right Sec-WebSocket-Accept; is a proxy in between?",
        ))
    }
}

fn status_error(code: &str, status: &str, address: &str) -> RawError {
    match code {
        "401" | "403" => RawError::of(
            ErrorKind::Auth,
            format!("{address} refused the upgrade with HTTP {code}: check the token"),
        )
        .with_code(Code::WS_UNAUTHORIZED),
        "404" => refused(
            address,
            "has no WebSocket at /ws (HTTP 404): is it taosAdapter 3.2 or newer?",
        ),
        "400" => refused(
            address,
            "refused the upgrade with HTTP 400: if it expects TLS, use wss://",
        ),
        "301" | "302" | "307" | "308" => refused(
            address,
            &format!("redirects (HTTP {code}): it probably expects TLS, use wss://"),
        ),
        _ => {
            let words: String = status.chars().take(80).collect();
            let error = refused(address, &format!("answered the upgrade with `{words}`"));
            // Gateways say 5xx while their server restarts: worth another try.
            if code.starts_with('5') {
                error.with_code(Code::WS_DISCONNECTED)
            } else {
                error
            }
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
        let upgraded = upgrade(client, "h:1", "/ws?token=SECRET", "h:1", 1000).await;
        let error = upgraded.err().unwrap();
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
            ("HTTP/1.1 404 Not Found\r\n\r\n", ErrorKind::Connect, "/ws"),
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
