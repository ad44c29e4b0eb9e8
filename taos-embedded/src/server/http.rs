//! One HTTP connection: routes, and the upgrade to a WebSocket.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::paced::Paced;
use super::session::{self, Kind};
use super::{Shared, Stop, console, metrics, rest, stopping, tmq, ws};

/// Body of every reply.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Time in which a request's head must arrive, counted from the end of the request before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(114);

/// Serves one connection to its end. The permit is held until then, through an upgrade too.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>, permit: OwnedSemaphorePermit) {
    let permit = Arc::new(permit);
    let mut stop = shared.stop.clone();
    let head = shared.limits.head;
    let stream = Paced::new(stream, shared.limits.write);
    let held = Arc::clone(&permit);
    let service = service_fn(move |request| {
        let (shared, permit) = (Arc::clone(&shared), Arc::clone(&held));
        async move { Ok::<_, Infallible>(route(request, shared, permit).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(head)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        how = stopping(&mut stop) => {
            if how == Stop::Now {
                return;
            }
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                outcome = connection => outcome,
                _ = stop.wait_for(|stop| *stop == Stop::Now) => return,
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "HTTP connection ended");
    }
    drop(permit);
}

async fn route(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    permit: Arc<OwnedSemaphorePermit>,
) -> Response<Body> {
    let path = request.uri().path();
    match path {
        "/ws" => upgrade::<ws::State>(request, shared, permit),
        "/rest/tmq" => upgrade::<tmq::State>(request, shared, permit),
        "/-/ping" => allow(&request, &Method::GET).unwrap_or_else(|| text(StatusCode::OK, "")),
        _ if path == "/rest/sql" || path.starts_with("/rest/sql/") => {
            match allow(&request, &Method::POST) {
                Some(refused) => refused,
                None => rest::sql(request, shared).await,
            }
        }
        _ if path.starts_with("/rest/login/") => rest::unsupported("login tokens"),
        "/metrics" => match allow(&request, &Method::GET) {
            Some(refused) => refused,
            None => metrics::metrics(request, shared).await,
        },
        "/" => front(&request, &shared),
        "/console/query" if shared.pages.console => match allow(&request, &Method::POST) {
            Some(refused) => refused,
            None => rest::console(request, shared).await,
        },
        _ if shared.pages.console && path.starts_with("/console/") => {
            let name = path.strip_prefix("/console/").unwrap_or_default();
            match (allow(&request, &Method::GET), console::file(name)) {
                (Some(refused), _) => refused,
                (None, Some(file)) => file,
                (None, None) => text(StatusCode::NOT_FOUND, "404 page not found"),
            }
        }
        _ => text(StatusCode::NOT_FOUND, "404 page not found"),
    }
}

/// The console for browsers; a hint for everybody else, who cannot have meant this path.
fn front(request: &Request<Incoming>, shared: &Shared) -> Response<Body> {
    if let Some(refused) = allow(request, &Method::GET) {
        return refused;
    }
    if shared.pages.console && console::wants_page(request.headers()) {
        return console::page();
    }
    text(
        StatusCode::NOT_FOUND,
        "404 page not found: SQL goes to POST /rest/sql, WebSocket to /ws, figures are at /metrics\n",
    )
}

fn allow(request: &Request<Incoming>, method: &Method) -> Option<Response<Body>> {
    if request.method() == method {
        return None;
    }
    let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed");
    if let Ok(value) = HeaderValue::from_str(method.as_str()) {
        refused.headers_mut().insert(ALLOW, value);
    }
    Some(refused)
}

/// Answers the opening handshake (RFC 6455 §4.2) and hands the socket to a session.
fn upgrade<S: Kind>(
    mut request: Request<Incoming>,
    shared: Arc<Shared>,
    permit: Arc<OwnedSemaphorePermit>,
) -> Response<Body> {
    if let Some(refused) = allow(&request, &Method::GET) {
        return refused;
    }
    let headers = request.headers();
    if !has_token(headers, UPGRADE, "websocket") || !has_token(headers, CONNECTION, "upgrade") {
        return text(
            StatusCode::BAD_REQUEST,
            "this path speaks WebSocket: the request asks for no upgrade",
        );
    }
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .map(HeaderValue::as_bytes)
        != Some(b"13")
    {
        let mut refused = text(
            StatusCode::UPGRADE_REQUIRED,
            "only WebSocket version 13 is spoken",
        );
        refused
            .headers_mut()
            .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return refused;
    }
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY) else {
        return text(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is missing");
    };
    let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) else {
        return text(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is not a key");
    };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // Held so that the connection counts as open until the session ends.
        let _permit = permit;
        match upgraded
            .await
            .map(hyper::upgrade::Upgraded::downcast::<TokioIo<Paced>>)
        {
            Ok(Ok(parts)) => {
                let socket = parts.io.into_inner().into_inner();
                session::run::<S>(socket, parts.read_buf, shared).await;
            }
            Ok(Err(_)) => tracing::error!("an upgraded connection is not the socket it was"),
            Err(error) => tracing::debug!(%error, "the upgrade was cut off"),
        }
    });
    let mut accepted = text(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = accepted.headers_mut();
    headers.clear();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    accepted
}

/// Whether a comma-separated header contains this token, in any case.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        value.to_str().is_ok_and(|v| {
            v.split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(token))
        })
    })
}

fn text(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// A body that is already there.
pub(super) fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}
