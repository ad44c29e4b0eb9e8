//! Opening a WebSocket to one server: the request, what the answer means, the limits of the stream
//! (questdb §12.1, §13.1).

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::error::{Error, Result, error};
use crate::http::{NO_CREDENTIALS, REFUSED_CREDENTIALS, port_of_lines};
use crate::net::{BoxIo, Dialer};
use crate::settings::{Address, Auth, Settings};

/// Longest head of an answer in bytes (questdb §12.1).
const MAX_HEAD: usize = 32 * 1024;

/// Most bytes of a refusal's body that are read to be shown.
const MAX_REFUSAL_BODY: usize = 4 * 1024;

/// The version of QWP this client offers.
const OFFERED_VERSION: u8 = 1;

const READ_BUFFER: usize = 32 * 1024;

/// What to ask for.
#[derive(Debug, Clone)]
pub(crate) struct Target<'a> {
    pub(crate) path: &'a str,
    /// Headers besides those of every upgrade.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Longest message that is taken from the server, in bytes.
    pub(crate) max_message: usize,
}

/// What the server said when it agreed.
#[derive(Debug, Clone)]
pub(crate) struct UpgradeHeaders {
    headers: HeaderMap,
}

impl UpgradeHeaders {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// Longest message the server takes, in bytes.
    pub(crate) fn max_batch_size(&self) -> Option<usize> {
        self.get("x-qwp-max-batch-size")?
            .parse()
            .ok()
            .filter(|&n| n > 0)
    }

    pub(crate) fn durable_ack(&self) -> bool {
        self.get("x-qwp-durable-ack")
            .is_some_and(|v| v.eq_ignore_ascii_case("enabled"))
    }
}

/// A connection, or why there is none.
pub(crate) type Outcome<T> = std::result::Result<T, Refusal>;

/// Why there is no connection, by what follows from it.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// No server will take these credentials, or none can do what is asked for.
    Terminal(Error),
    /// The server has another role; another server may do.
    Role {
        role: String,
        zone: Option<String>,
        error: Error,
    },
    /// This server cannot be used now.
    Transport(Error),
}

impl Refusal {
    pub(crate) const fn error(&self) -> &Error {
        match self {
            Self::Terminal(error) | Self::Role { error, .. } | Self::Transport(error) => error,
        }
    }

    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Terminal(error) | Self::Role { error, .. } | Self::Transport(error) => error,
        }
    }

    /// Whether the server is about to become usable by itself.
    pub(crate) fn is_transient_role(&self) -> bool {
        matches!(self, Self::Role { role, .. } if role.eq_ignore_ascii_case("PRIMARY_CATCHUP"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

/// Connects to one server and upgrades the connection.
pub(crate) async fn connect(
    settings: &Settings,
    dialer: &Dialer,
    address: &Address,
    target: &Target<'_>,
) -> Outcome<(WebSocketStream<BoxIo>, UpgradeHeaders)> {
    let io = match dialer.dial(address).await {
        Ok(io) => io,
        // Wrong certificates stay wrong on this server, but another one may have better ones.
        Err(error) => return Err(Refusal::Transport(error)),
    };
    upgrade(settings, io, address, target).await
}

/// Upgrades an open connection within the settings' `auth_timeout`.
pub(crate) async fn upgrade<S>(
    settings: &Settings,
    io: S,
    address: &Address,
    target: &Target<'_>,
) -> Outcome<(WebSocketStream<S>, UpgradeHeaders)>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let limit = settings.auth_timeout;
    match tokio::time::timeout(limit, exchange(settings, io, address, target)).await {
        Ok(result) => result,
        Err(_) => Err(Refusal::Transport(too_late(address, target.path, limit))),
    }
}

fn too_late(address: &Address, path: &str, limit: Duration) -> Error {
    error!(
        ConnectTimeout,
        "{address} did not answer the WebSocket upgrade of {path} within {limit:?}"
    )
}

async fn exchange<S>(
    settings: &Settings,
    io: S,
    address: &Address,
    target: &Target<'_>,
) -> Outcome<(WebSocketStream<S>, UpgradeHeaders)>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let key = generate_key();
    let request = request(settings, address, target, &key).map_err(Refusal::Terminal)?;
    let broken = |e: hyper::Error| {
        Refusal::Transport(error!(
            SocketError,
            "the WebSocket upgrade of {} at {address} failed: {e}{}",
            target.path,
            if e.is_incomplete_message() {
                port_of_lines(address)
            } else {
                ""
            }
        ))
    };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(io))
        .await
        .map_err(broken)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        drop(sender);
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let anonymous = settings.auth == Auth::None;
            return Err(refusal(address, target.path, anonymous, response).await);
        }
        let headers = UpgradeHeaders {
            headers: response.headers().clone(),
        };
        check_acceptance(address, &headers, &key)?;
        let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
        Ok((upgraded, headers))
    };
    let connection = connection.with_upgrades();
    let (upgraded, headers) = drive(answer, connection).await?;
    let parts = upgraded.downcast::<TokioIo<S>>().map_err(|_| {
        Refusal::Transport(error!(
            SocketError,
            "the upgraded connection to {address} is not the one that was opened"
        ))
    })?;
    let stream = WebSocketStream::from_partially_read(
        parts.io.into_inner(),
        parts.read_buf.to_vec(),
        Role::Client,
        Some(config(target.max_message)),
    )
    .await;
    Ok((stream, headers))
}

/// Runs the connection as long as the answer needs it, without a task of its own.
async fn drive<T>(
    answer: impl Future<Output = T>,
    connection: impl Future<Output = hyper::Result<()>>,
) -> T {
    let mut answer = std::pin::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        done = &mut answer => return done,
        // An error of the connection also reaches the answer, which says it better.
        _ = &mut connection => {}
    }
    answer.await
}

fn config(max_message: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}

fn request(
    settings: &Settings,
    address: &Address,
    target: &Target<'_>,
    key: &str,
) -> Result<Request<Empty<Bytes>>> {
    let mut request = Request::get(target.path)
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, key)
        .header("X-QWP-Max-Version", u16::from(OFFERED_VERSION));
    for (name, value) in &target.headers {
        request = request.header(name, value);
    }
    if let Some(value) = authorization(&settings.auth)? {
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(Empty::new()).map_err(|e| {
        error!(
            ConfigError,
            "the request for {} at {address} cannot be written: {e}", target.path
        )
    })
}

/// The value of `Authorization` (questdb §1.5), marked so that nothing prints it.
fn authorization(auth: &Auth) -> Result<Option<HeaderValue>> {
    let text = match auth {
        Auth::None => return Ok(None),
        Auth::Basic { user, password } => {
            let pair = zeroize::Zeroizing::new(format!("{user}:{}", password.expose()));
            format!("Basic {}", STANDARD.encode(pair.as_bytes()))
        }
        Auth::Token(token) => format!("Bearer {}", token.expose()),
        Auth::Verbatim(value) => value.expose().to_owned(),
        Auth::Ecdsa { .. } => {
            return Err(error!(
                ConfigError,
                "keys for the TCP challenge cannot be used over WebSocket; give username and \
                 password, or a token"
            ));
        }
    };
    let text = zeroize::Zeroizing::new(text);
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        error!(
            ConfigError,
            "the credentials hold a character that an HTTP header cannot carry"
        )
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn has_token(headers: &UpgradeHeaders, name: HeaderName, token: &str) -> bool {
    headers
        .headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

fn check_acceptance(address: &Address, headers: &UpgradeHeaders, key: &str) -> Outcome<()> {
    let transport = |what: &str| {
        Refusal::Transport(error!(
            HandshakeError,
            "{address} answered the WebSocket upgrade with 101, but {what}"
        ))
    };
    if !has_token(headers, header::UPGRADE, "websocket") {
        return Err(transport("without `Upgrade: websocket`"));
    }
    if !has_token(headers, header::CONNECTION, "upgrade") {
        return Err(transport("without `Connection: Upgrade`"));
    }
    let accept = headers.get(header::SEC_WEBSOCKET_ACCEPT.as_str());
    if accept != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return Err(transport(
            "its `Sec-WebSocket-Accept` belongs to another key",
        ));
    }
    match headers.headers.get("x-qwp-version") {
        None => Ok(()),
        Some(value) => match value
            .to_str()
            .ok()
            .and_then(|v| v.trim().parse::<u8>().ok())
        {
            Some(version) if (1..=OFFERED_VERSION).contains(&version) => Ok(()),
            _ => Err(transport(&format!(
                "chose the QWP version {value:?}; this client speaks version {OFFERED_VERSION}"
            ))),
        },
    }
}

async fn refusal(
    address: &Address,
    path: &str,
    anonymous: bool,
    response: Response<Incoming>,
) -> Refusal {
    let login = if anonymous {
        NO_CREDENTIALS
    } else {
        REFUSED_CREDENTIALS
    };
    let (head, body) = response.into_parts();
    let text = Limited::new(body, MAX_REFUSAL_BODY)
        .collect()
        .await
        .map(|body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned())
        .unwrap_or_default();
    let said = if text.is_empty() || text.starts_with('<') {
        String::new()
    } else {
        format!(": {text}")
    };
    let status = head.status;
    let header = |name: &str| {
        head.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(str::trim)
            .filter(|v| !v.is_empty())
            .map(str::to_owned)
    };
    match status.as_u16() {
        401 | 403 => Refusal::Terminal(error!(
            AuthError,
            "{address} refuses the login for {path} ({login}) [code: {}]{said}",
            status.as_u16()
        )),
        421 => match header("x-questdb-role") {
            Some(role) => Refusal::Role {
                error: error!(
                    RoleMismatch,
                    "{address} does not serve {path} in its role {role}; name a server of another \
                     role in `addr`{said}"
                ),
                role,
                zone: header("x-questdb-zone"),
            },
            None => other(address, path, status, &said),
        },
        404 => Refusal::Transport(error!(
            UnsupportedServer,
            "{address} does not speak QWP: it answered {path} with 404. QWP needs QuestDB 10.0 or \
             newer; reach an older server by `http::` in place of `ws::`, in a DSN by `questdb://` in \
             place of `questdb+ws://`"
        )),
        426 => Refusal::Transport(error!(
            HandshakeError,
            "{address} asks for another protocol on {path} (426); is a proxy in between that does \
             not pass WebSocket on?{said}"
        )),
        503 => Refusal::Transport(error!(
            HandshakeError,
            "{address} is not available for {path} at the moment (503){said}"
        )),
        _ => other(address, path, status, &said),
    }
}

fn other(address: &Address, path: &str, status: StatusCode, said: &str) -> Refusal {
    Refusal::Transport(error!(
        HandshakeError,
        "{address} answered the WebSocket upgrade of {path} with {status}{said}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingress::Protocol;
    use crate::settings::Secret;
    use futures_util::StreamExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    fn settings(auth: Auth) -> Settings {
        let mut settings = Settings::new(Protocol::Ws, vec![Address::new("db", 9000)]);
        settings.auth = auth;
        settings
    }

    fn target() -> Target<'static> {
        Target {
            path: "/write/v4",
            headers: vec![(
                HeaderName::from_static("x-qwp-client-id"),
                HeaderValue::from_static("me"),
            )],
            max_message: 1024,
        }
    }

    /// Reads the request's head and answers by what `answer` makes of it.
    async fn server(mut io: DuplexStream, answer: impl Fn(&str) -> Vec<u8>) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(io.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        io.write_all(&answer(&head)).await.unwrap();
        head
    }

    fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.trim())
    }

    fn accepting(head: &str, more: &str) -> Vec<u8> {
        let key = value(head, "sec-websocket-key").unwrap();
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nconnection: keep-alive, \
             upgrade\r\nsec-websocket-accept: {}\r\n{more}\r\n",
            derive_accept_key(key.as_bytes())
        )
        .into_bytes()
    }

    async fn against(
        auth: Auth,
        answer: impl Fn(&str) -> Vec<u8>,
    ) -> (
        Outcome<(WebSocketStream<DuplexStream>, UpgradeHeaders)>,
        String,
    ) {
        let (ours, theirs) = tokio::io::duplex(4096);
        let settings = settings(auth);
        let address = Address::new("::1", 9000);
        let target = target();
        tokio::join!(
            upgrade(&settings, ours, &address, &target),
            server(theirs, answer)
        )
    }

    #[tokio::test]
    async fn frames_right_behind_the_upgrade_are_kept() {
        let (result, head) = against(
            Auth::Basic {
                user: "a".into(),
                password: Secret::new("b:c"),
            },
            |head| {
                let mut bytes =
                    accepting(head, "X-QWP-Version: 1\r\nX-QWP-Max-Batch-Size: 4096\r\n");
                bytes.extend_from_slice(&[0x82, 2, 7, 9]);
                bytes
            },
        )
        .await;
        let (mut stream, headers) = result.unwrap();
        assert_eq!(headers.max_batch_size(), Some(4096));
        assert!(!headers.durable_ack());
        let message = stream.next().await.unwrap().unwrap();
        assert_eq!(message.into_data().as_ref(), [7, 9]);
        assert!(head.starts_with("GET /write/v4 HTTP/1.1\r\n"));
        for (name, expected) in [
            ("host", "[::1]:9000"),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-version", "13"),
            ("x-qwp-max-version", "1"),
            ("x-qwp-client-id", "me"),
            ("authorization", "Basic YTpiOmM="),
        ] {
            assert_eq!(value(&head, name), Some(expected), "{name}");
        }
    }

    #[tokio::test]
    async fn refusals_say_what_follows_from_them() {
        let answer = |status: &'static str| {
            move |_: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 3\r\n\r\nwhy").into_bytes()
        };
        let refused = async |status| against(Auth::None, answer(status)).await.0.unwrap_err();
        for status in ["401 No", "403 No"] {
            let refusal = refused(status).await;
            assert!(matches!(&refusal, Refusal::Terminal(e)
                if e.code() == crate::ErrorCode::AuthError && e.msg().ends_with("why") && e.msg().contains("no credentials were sent")));
        }
        let role = refused("421 X\r\nX-QuestDB-Role: REPLICA\r\nX-QuestDB-Zone: z").await;
        assert!(!role.is_transient_role());
        assert!(
            matches!(role, Refusal::Role { role, zone: Some(zone), .. } if role == "REPLICA" && zone == "z")
        );
        let role = refused("421 X\r\nX-QuestDB-Role: PRIMARY_CATCHUP").await;
        assert!(role.is_transient_role());
        for status in ["421 X", "404 X", "426 X", "503 X", "500 X", "200 OK"] {
            assert!(
                matches!(refused(status).await, Refusal::Transport(_)),
                "{status}"
            );
        }
        let old = refused("404 Not Found").await;
        assert!(old.to_string().contains("10.0"), "{old}");
        assert!(old.to_string().contains("http::"), "{old}");
        assert!(old.to_string().contains("questdb://"), "{old}");
    }

    #[tokio::test]
    async fn an_acceptance_that_is_none_is_refused() {
        let wrong_key = |_: &str| accepting("Sec-WebSocket-Key: other", "");
        let newer = |head: &str| accepting(head, "X-QWP-Version: 2\r\n");
        let zero = |head: &str| accepting(head, "X-QWP-Version: 0\r\n");
        for result in [
            against(Auth::None, wrong_key).await.0,
            against(Auth::None, newer).await.0,
            against(Auth::None, zero).await.0,
        ] {
            assert!(matches!(result, Err(Refusal::Transport(_))));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_given_up_within_the_limit() {
        let (ours, _theirs) = tokio::io::duplex(4096);
        let refusal = upgrade(
            &settings(Auth::None),
            ours,
            &Address::new("db", 9000),
            &target(),
        )
        .await
        .unwrap_err();
        assert_eq!(refusal.error().code(), crate::ErrorCode::ConnectTimeout);
    }
}
