//! The first messages of a connection: version, login, session state (taosadapter-ws §4).

use crate::client::{Session, check};
use crate::config::{Config, Endpoint, Totp};
use crate::connection::{Link, Options};
use crate::events::Lease;
use crate::protocol::{
    Action, ConnArgs, OptionsArgs, Reply, ReqArgs, TextReply, Version, classify_text, encode_text,
};
use crate::transport::{Cause, Dialed, Message, Socket, WebSocket};
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;
use taos_query::util::generate_req_id;
use taos_query::{Code, ErrorKind, RawError, RawResult};
use tokio::time::timeout;
use zeroize::{Zeroize as _, Zeroizing};

/// Silence of the server after which a ping is sent (taosadapter-ws §15).
const PING_INTERVAL: Duration = Duration::from_secs(53);
/// "Database not exist".
const NO_DATABASE: i32 = 0x0388;

/// Logs in, restores the session and starts the connection's task. Gives the database that the
/// session really has.
pub(crate) async fn login(
    dialed: Dialed,
    config: &Config,
    address: &str,
    session: &Session,
    lease: Lease,
) -> RawResult<(Link, String)> {
    let old = dialed.old;
    let mut talk = Talk {
        socket: dialed.socket,
        address,
        limit: config.conn_timeout,
    };
    let version_text = talk.version().await?;
    // The text of its library may say more than the old endpoint can do.
    let told = match version_text.as_deref().map(Version::parse) {
        told if old => Some(told.map_or(Version::OLD_ENDPOINT, |v| v.min(Version::OLD_ENDPOINT))),
        told => told,
    };
    if config.endpoint == Endpoint::Topics {
        let version = told.unwrap_or(config.version_prefer);
        let mut link = start(talk.socket, config, address, version, lease);
        link.version_text = version_text.unwrap_or_default();
        return Ok((link, String::new()));
    }
    let mut database = session.database.clone();
    let reply = talk.conn(config, &database, told).await?;
    let reply = if i32::from(Code::from(reply.code)) == NO_DATABASE && database != config.database {
        // The database that `USE` had selected was dropped meanwhile.
        tracing::warn!(address, %database, "the session's database is gone");
        database.clear();
        talk.conn(config, &database, told).await?
    } else {
        reply
    };
    check(&reply)
        .map_err(|error| error.context(refusal(address, config, &database, reply.code)))?;
    let version_text = version_text.or_else(|| reply.version.clone());
    let version = told
        .or_else(|| reply.version.as_deref().map(Version::parse))
        .unwrap_or(config.version_prefer);
    let options = session.options();
    if !options.is_empty() {
        let req_id = generate_req_id();
        let request = encode_text(
            &Action::OptionsConnection,
            &OptionsArgs::new(req_id, options),
        );
        let reply = talk.ask(&request, req_id, "options_connection").await?;
        check(&reply).map_err(|error| {
            error.context(format!(
                "restoring the session's options at {address} failed"
            ))
        })?;
    }
    let mut link = start(talk.socket, config, address, version, lease);
    link.old_endpoint = old;
    link.version_text = version_text.unwrap_or_default();
    Ok((link, database))
}

fn start<S: Socket + 'static>(
    socket: WebSocket<S>,
    config: &Config,
    address: &str,
    version: Version,
    lease: Lease,
) -> Link {
    let options = Options {
        endpoint: config.endpoint,
        binary: version >= Version::BINARY_SQL,
        ping_interval: PING_INTERVAL,
        pong_timeout: config.conn_timeout,
    };
    Link::start(socket, address.to_owned(), version, options, lease)
}

/// What was refused and what to look at.
fn refusal(address: &str, config: &Config, database: &str, code: u32) -> String {
    let user = &config.user;
    if let (Some(Totp::Code(_)), ErrorKind::Auth) = (&config.totp, RawError::new(code, "").kind()) {
        return format!(
            "login of `{user}` at {address} failed; a totp_code is good for a short time only, and \
             not for connecting again later: totp_secret in the DSN is"
        );
    }
    match i32::from(Code::from(code)) {
        NO_DATABASE => format!("login at {address}: there is no database `{database}`"),
        0x0351 | 0x0357 | 0x0358 => {
            format!("login of `{user}` at {address} failed; check user and password in the DSN")
        }
        _ => format!("login of `{user}` at {address} failed"),
    }
}

fn told(known: bool, text: &str) -> String {
    if known {
        text.to_owned()
    } else {
        String::new()
    }
}

/// One question at a time, before the task owns the socket.
struct Talk<'a, S> {
    socket: WebSocket<S>,
    address: &'a str,
    limit: Duration,
}

impl<S: Socket> Talk<'_, S> {
    /// `None` if the server does not say.
    async fn version(&mut self) -> RawResult<Option<String>> {
        let req_id = generate_req_id();
        let request = encode_text(&Action::Version, &ReqArgs::new(req_id));
        match self.ask(&request, req_id, "version").await {
            Ok(reply) => Ok(reply.version.filter(|_| reply.code == 0)),
            Err(error) if error.kind() == ErrorKind::Timeout => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A server whose version is known gets only what it knows: it would pass over the rest, and let
    /// in whoever the default password belongs to.
    async fn conn(
        &mut self,
        config: &Config,
        database: &str,
        version: Option<Version>,
    ) -> RawResult<Box<TextReply>> {
        self.check_login(config, version)?;
        let options = version.is_none_or(|version| version >= Version::CONNECTION_OPTIONS);
        if !options && config.timezone.is_some() {
            tracing::warn!(
                address = self.address,
                "the server is too old for `timezone`: it reads time texts in a zone of its own"
            );
        }
        let req_id = generate_req_id();
        let expose = |secret: &Option<crate::config::Secret>| {
            secret
                .as_ref()
                .map(|secret| secret.expose().to_owned())
                .unwrap_or_default()
        };
        let mut args = ConnArgs {
            req_id,
            user: config.user.clone(),
            password: config.password.expose().to_owned(),
            db: database.to_owned(),
            mode: config.mode,
            tz: config
                .timezone
                .filter(|_| options)
                .map(|zone| zone.name().to_owned())
                .unwrap_or_default(),
            app: told(options, &config.user_app),
            ip: told(options, &config.user_ip),
            connector: told(options, &config.connector_info),
            totp_code: config.totp.as_ref().map(Totp::code).unwrap_or_default(),
            bearer_token: expose(&config.bearer_token),
            list_instances: false,
        };
        let request = Zeroizing::new(encode_text(&Action::Conn, &args));
        args.password.zeroize();
        args.totp_code.zeroize();
        args.bearer_token.zeroize();
        self.ask(&request, req_id, "conn").await
    }

    fn check_login(&self, config: &Config, version: Option<Version>) -> RawResult<()> {
        let Some(version) = version else {
            return Ok(());
        };
        for (given, name, since) in [
            (
                config.bearer_token.is_some(),
                "bearer_token",
                Version::TOKENS,
            ),
            (
                config.totp.is_some(),
                config.totp.as_ref().map_or("", Totp::name),
                Version::TOKENS,
            ),
            (config.mode.is_some(), "conn_mode=1", Version::BI_MODE),
        ] {
            if given && version < since {
                return Err(RawError::of(
                    ErrorKind::Unsupported,
                    format!(
                        "{name} needs a server of version {since} or newer, {} has {version}",
                        self.address
                    ),
                ));
            }
        }
        Ok(())
    }

    async fn ask(&mut self, request: &str, req_id: u64, action: &str) -> RawResult<Box<TextReply>> {
        self.socket.queue_text(request);
        let socket = &mut self.socket;
        let answer = timeout(
            self.limit,
            poll_fn(|cx| poll_answer(socket, req_id, action, cx)),
        );
        match answer.await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(cause)) => Err(cause.into_connect_error(self.address)),
            Err(_) => Err(RawError::of(
                ErrorKind::Timeout,
                format!(
                    "{} did not answer `{action}` within {:?}; conn_timeout sets the limit",
                    self.address, self.limit
                ),
            )
            .with_code(Code::WS_RECV_TIMEOUT)),
        }
    }
}

/// Pings may come before the answer (§16), and so may answers to questions given up.
fn poll_answer<S: Socket>(
    socket: &mut WebSocket<S>,
    req_id: u64,
    action: &str,
    cx: &mut Context<'_>,
) -> Poll<Result<Box<TextReply>, Cause>> {
    loop {
        let flushed = socket.poll_flush(cx)?;
        let message = match socket.poll_next(cx)? {
            Poll::Ready(message) => message,
            Poll::Pending => {
                debug_assert!(flushed.is_ready() || socket.has_unsent());
                return Poll::Pending;
            }
        };
        match message {
            Message::Text(text) => {
                let text = std::str::from_utf8(&text)
                    .map_err(|_| Cause::malformed("a text frame is not UTF-8"))?;
                match classify_text(text) {
                    Reply::Text(reply) if reply.req_id == req_id => return Poll::Ready(Ok(reply)),
                    // Old endpoints do not repeat the id of `version` (§5.1).
                    Reply::Text(reply) if reply.req_id == 0 && reply.action.as_str() == action => {
                        return Poll::Ready(Ok(reply));
                    }
                    Reply::Malformed { reason, .. } => {
                        return Poll::Ready(Err(Cause::malformed(reason)));
                    }
                    _ => {}
                }
            }
            Message::Ping(payload) if socket.can_queue() => socket.queue_pong(&payload),
            Message::Close(reason) => {
                return Poll::Ready(Err(Cause::disconnected(format!(
                    "the server closed the connection ({reason})"
                ))));
            }
            Message::Binary(_) => {
                return Poll::Ready(Err(Cause::malformed(
                    "a binary frame came before the login",
                )));
            }
            Message::Ping(_) | Message::Pong => {}
        }
    }
}
