use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::connection::{Connection, Idle, Lost};
use super::response::Response;
use crate::error::{Error, ErrorCode, Result, error};
use crate::net::{Dialer, Ring};
use crate::settings::{Address, Auth, Http, Settings};

const PRODUCT: &str = concat!("taos-questdb/rust/", env!("CARGO_PKG_VERSION"));

/// Keys that other clients have are ignored in strings, so these are named.
pub(crate) const NO_CREDENTIALS: &str = "no credentials were sent; the keys are `username` and \
                                         `password`, not `user` and `pass`, or `token`";
pub(crate) const REFUSED_CREDENTIALS: &str = "the credentials that were sent are not accepted";

/// What to ask. `Host`, `User-Agent`, `Authorization` and `Content-Length` come from the client.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    /// Limit of the attempt: from dialing to the head of the answer, and to its end where it is read
    /// whole. Chunks read one by one have this limit each.
    pub(crate) limit: Duration,
    /// The server may be asked twice: when a connection kept from before breaks without an answer, the
    /// request goes over a new one.
    pub(crate) repeatable: bool,
}

impl Request {
    pub(crate) fn get(target: impl Into<String>, limit: Duration) -> Self {
        Self {
            method: Method::GET,
            target: target.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            limit,
            repeatable: true,
        }
    }

    /// The target without what may be long or secret.
    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// One attempt that brought no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Another attempt may fare better.
    pub(crate) retriable: bool,
    /// The server may have got the request.
    pub(crate) sent: bool,
}

impl Failure {
    pub(super) fn unsent(error: Error) -> Self {
        let retriable = matches!(
            error.code(),
            ErrorCode::CouldNotResolveAddr | ErrorCode::SocketError | ErrorCode::ConnectTimeout
        );
        Self {
            error,
            retriable,
            sent: false,
        }
    }

    fn into_error(self, repeatable: bool) -> Error {
        if self.sent && !repeatable {
            self.error.doubtful()
        } else {
            self.error
        }
    }
}

/// Requests to the servers of one configuration. Clones share the connections.
#[derive(Clone)]
pub(crate) struct Client(Arc<Shared>);

struct Shared {
    dialer: Dialer,
    ring: Ring,
    idle: Idle,
    headers: HeaderMap,
    scheme: &'static str,
    limits: Http,
}

impl Client {
    /// Does no I/O but reading certificates.
    ///
    /// # Errors
    /// As [`Dialer::new`]; `ConfigError` for a user or token that no header can carry.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        Self::with_dialer(settings, Dialer::new(settings)?)
    }

    pub(crate) fn with_dialer(settings: &Settings, dialer: Dialer) -> Result<Self> {
        Ok(Self(Arc::new(Shared {
            dialer,
            ring: Ring::new(settings.addresses.clone()),
            idle: Idle::default(),
            headers: headers(settings)?,
            scheme: if settings.tls.is_some() {
                "https"
            } else {
                "http"
            },
            limits: settings.http.clone(),
        })))
    }

    pub(crate) fn limits(&self) -> &Http {
        &self.0.limits
    }

    /// What to say of a refused login: whether there was one.
    pub(crate) fn login(&self) -> &'static str {
        if self.is_anonymous() {
            NO_CREDENTIALS
        } else {
            REFUSED_CREDENTIALS
        }
    }

    /// Whether requests go without credentials.
    pub(crate) fn is_anonymous(&self) -> bool {
        !self.0.headers.contains_key(AUTHORIZATION)
    }

    pub(super) fn idle(&self) -> &Idle {
        &self.0.idle
    }

    /// Whether there is another server to turn to.
    pub(super) fn has_several(&self) -> bool {
        self.0.ring.len() > 1
    }

    /// Sends later requests elsewhere.
    pub(super) fn leave(&self, number: usize) {
        self.0.ring.failed(number);
    }

    /// Asks once. A server that cannot be reached is passed over for the next, since it got nothing.
    ///
    /// # Errors
    /// `CouldNotResolveAddr`, `ConnectTimeout`, `TlsError`, and `SocketError` for the rest.
    pub(crate) async fn request(&self, request: Request) -> Result<Response> {
        let mut tries = self.0.ring.len();
        loop {
            tries = tries.saturating_sub(1);
            match self.attempt(&request).await {
                Ok(response) => return Ok(response),
                Err(failure) if failure.retriable && !failure.sent && tries > 0 => {}
                Err(failure) => return Err(failure.into_error(request.repeatable)),
            }
        }
    }

    /// One attempt at the server whose turn it is.
    pub(super) async fn attempt(
        &self,
        request: &Request,
    ) -> std::result::Result<Response, Failure> {
        if Handle::try_current().is_err() {
            return Err(Failure::unsent(error!(
                InvalidApiCall,
                "requests need a tokio runtime: await them inside one, or use the blocking calls"
            )));
        }
        let Some((number, address)) = self.0.ring.pick() else {
            return Err(Failure::unsent(error!(ConfigError, "there is no address")));
        };
        let url = format!("{}://{address}{}", self.0.scheme, request.path());
        let end = Instant::now() + request.limit;
        let mut sent = false;
        let exchange = self.exchange(number, address, request, &url, &mut sent);
        let result = match timeout_at(end, exchange).await {
            Ok(Ok((connection, answer))) => {
                return Ok(Response::new(
                    answer,
                    connection,
                    self.clone(),
                    number,
                    url,
                    request.limit,
                    end,
                ));
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure {
                error: error!(
                    SocketError,
                    "no answer from {url} within {:?}{}",
                    request.limit,
                    if sent || self.0.scheme == "http" {
                        ""
                    } else {
                        "; does the port expect TLS?"
                    }
                )
                .late(),
                retriable: true,
                sent,
            },
        };
        self.0.ring.failed(number);
        Err(result)
    }

    async fn exchange(
        &self,
        number: usize,
        address: &Address,
        request: &Request,
        url: &str,
        sent: &mut bool,
    ) -> std::result::Result<(Connection, hyper::Response<hyper::body::Incoming>), Failure> {
        while let Some(mut kept) = self.0.idle.take(number).await {
            *sent = true;
            match kept.send(self.message(address, request)?).await {
                Ok(answer) => return Ok((kept, answer)),
                Err(Lost::Unsent) => {}
                Err(Lost::Broken(_)) if request.repeatable => break,
                Err(Lost::Broken(error)) => return Err(broken(url, &error)),
            }
            *sent = false;
        }
        *sent = false;
        let dialed = self
            .0
            .dialer
            .dial_with_probe(address)
            .await
            .map_err(|error| self.undialed(error))?;
        let mut fresh = Connection::over(dialed, number).await?;
        *sent = true;
        match fresh.send(self.message(address, request)?).await {
            Ok(answer) => Ok((fresh, answer)),
            Err(Lost::Broken(error)) => Err(broken_at_first(url, address, &error)),
            Err(Lost::Unsent) => Err(Failure::unsent(error!(
                SocketError,
                "{url} closed the connection at once{}",
                port_of_lines(address)
            ))),
        }
    }

    /// Another server may have a better certificate, or answer handshakes.
    fn undialed(&self, error: Error) -> Failure {
        let elsewhere = error.code() == ErrorCode::TlsError && self.has_several();
        let mut failure = Failure::unsent(error);
        failure.retriable |= elsewhere;
        failure
    }

    fn message(
        &self,
        address: &Address,
        request: &Request,
    ) -> std::result::Result<hyper::Request<Full<Bytes>>, Failure> {
        let mut message = hyper::Request::builder()
            .method(request.method.clone())
            .uri(&request.target)
            .header(HOST, address.to_string())
            .body(Full::new(request.body.clone()))
            .map_err(|error| {
                Failure::unsent(error!(
                    InvalidApiCall,
                    "no request can be made of {:?}: {error}",
                    request.path()
                ))
            })?;
        let headers = message.headers_mut();
        for (name, value) in &self.0.headers {
            headers.insert(name, value.clone());
        }
        for (name, value) in &request.headers {
            headers.insert(name, value.clone());
        }
        Ok(message)
    }

    #[cfg(test)]
    pub(crate) fn idle_connections(&self) -> usize {
        self.0.idle.len()
    }
}

/// What every request says.
fn headers(settings: &Settings) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let product = settings.http.user_agent.as_deref().unwrap_or(PRODUCT);
    let product = HeaderValue::try_from(product).map_err(|error| {
        error!(
            ConfigError,
            "user_agent does not fit into a header: {error}"
        )
    })?;
    headers.insert(USER_AGENT, product);
    let login = match &settings.auth {
        Auth::None | Auth::Ecdsa { .. } => return Ok(headers),
        Auth::Basic { user, password } => {
            let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
            Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
        }
        Auth::Token(token) => Zeroizing::new(format!("Bearer {}", token.expose())),
        Auth::Verbatim(value) => Zeroizing::new(value.expose().to_owned()),
    };
    let mut login = HeaderValue::try_from(login.as_str()).map_err(|_| {
        error!(
            ConfigError,
            "the token or auth does not fit into a header: it has characters that headers may not have"
        )
    })?;
    login.set_sensitive(true);
    headers.insert(AUTHORIZATION, login);
    Ok(headers)
}

fn broken(url: &str, error: &hyper::Error) -> Failure {
    Failure {
        error: error!(SocketError, "the request to {url} failed: {}", words(error)),
        retriable: !(error.is_parse() || error.is_user()),
        sent: true,
    }
}

/// As [`broken`], for the first request of a connection, which the TCP listener answers by closing.
fn broken_at_first(url: &str, address: &Address, error: &hyper::Error) -> Failure {
    let mut failure = broken(url, error);
    if error.is_incomplete_message() {
        let hint = port_of_lines(address);
        failure.error = error!(SocketError, "{}{hint}", failure.error.msg());
    }
    failure
}

/// The advice where a server closes instead of answering HTTP.
pub(crate) fn port_of_lines(address: &Address) -> &'static str {
    if address.port == 9000 {
        ""
    } else {
        "; is this the port for lines over TCP (usually 9009) in place of the one for HTTP (usually \
         9000)?"
    }
}

/// The error and what is behind it.
pub(super) fn words(error: &hyper::Error) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
