//! SQL over plain HTTP: one statement a request, no state (rest §1 to §3).

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, LengthLimitError, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};

use super::http::{Body, full};
use super::login::UNCHECKED;
use super::{MAX_STATEMENT, Shared, guarded};
use crate::engine::{Answer, ResultRows, Session, SqlError};
use crate::store::Lifeline;

mod auth;
mod console;
mod json;
mod params;

pub(super) use console::query as console;
use params::Params;

/// Text of a result that is collected before it is handed to the socket.
const CHUNK: usize = 64 << 10;

/// Time in which a request's body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Adapter-level error without a code of its own (taosadapter-ws §13).
const ADAPTER: u32 = 0xffff;

/// A refusal before the engine was asked: status, code, text.
type Refusal = (StatusCode, u32, String);

/// Runs the statement in the request's body.
pub(super) async fn sql(request: Request<Incoming>, shared: Arc<Shared>) -> Response<Body> {
    let started = Instant::now();
    let query = match read(request, &shared).await {
        Ok(query) => query,
        Err((status, code, text)) => return refuse(status, code, &text, started),
    };
    let held = Held::default();
    let line = Arc::clone(&held.0);
    let run = move || guarded(|| query.run(&shared, &line, started));
    match tokio::task::spawn_blocking(run).await {
        Ok(Ok(Started::Whole(body))) => reply(StatusCode::OK, full(body)),
        Ok(Ok(Started::Part(head, rest))) => reply(StatusCode::OK, streamed(head, rest, held)),
        Ok(Err(error)) => refuse(StatusCode::OK, error.code, &error.message, started),
        Err(_) => stopping(),
    }
}

/// Held while somebody waits for a request's answer: its queries end when this goes, which it does when the
/// client hangs up.
#[derive(Default)]
struct Held(Arc<Lifeline>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.cut();
    }
}

/// The answer to what comes too late.
pub(super) fn stopping() -> Response<Body> {
    let text = "the server is stopping";
    refuse(
        StatusCode::SERVICE_UNAVAILABLE,
        ADAPTER,
        text,
        Instant::now(),
    )
}

/// Checks the login of a request for something else than SQL.
///
/// No answer asks for one: a browser that was asked would add the login to whatever any page sends here.
pub(super) async fn log_in(
    headers: &HeaderMap,
    shared: &Arc<Shared>,
) -> Result<(), Response<Body>> {
    let started = Instant::now();
    let refused = |code, text: &str| refuse(StatusCode::UNAUTHORIZED, code, text, started);
    let (user, password) = auth::basic(headers).map_err(|(_, code, text)| refused(code, &text))?;
    let outcome = shared.log_in(&user, &password).await;
    outcome.map_err(|error| match error.code {
        UNCHECKED => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            error.code,
            &error.message,
            started,
        ),
        code => refused(code, &error.message),
    })
}

/// Answers a path of the original that this server does not serve.
pub(super) fn unsupported(feature: &str) -> Response<Body> {
    let text = format!("unsupported feature: {feature}; send a Basic Authorization header instead");
    refuse(StatusCode::NOT_IMPLEMENTED, 0x0100, &text, Instant::now())
}

/// One statement with everything the request says about it.
struct Query {
    user: String,
    db: Option<String>,
    params: Params,
    sql: String,
}

/// Reads a request whose login is right.
async fn read(request: Request<Incoming>, shared: &Arc<Shared>) -> Result<Query, Refusal> {
    let bad = |code: u32, text: &str| (StatusCode::BAD_REQUEST, code, text.to_owned());
    auth::same_site(request.headers())?;
    let (user, password) = auth::basic(request.headers())?;
    let params = Params::parse(request.uri().query().unwrap_or_default())?;
    let db = params::database(request.uri().path())?;
    let body = body(request.into_body(), shared.limits.body).await?;
    if body.is_empty() {
        return Err(bad(0x1106, "request is empty"));
    }
    let sql = String::from_utf8(body.to_vec())
        .map_err(|_| bad(ADAPTER, "the statement is not UTF-8 text"))?;
    if sql.trim().is_empty() {
        return Err(bad(0x1107, "the statement is blank"));
    }
    if let Err(error) = shared.log_in(&user, &password).await {
        let status = match error.code {
            UNCHECKED => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::OK,
        };
        return Err((status, error.code, error.message));
    }
    Ok(Query {
        user,
        db,
        params,
        sql,
    })
}

async fn body(body: Incoming, limit: usize) -> Result<Bytes, Refusal> {
    let whole = Limited::new(body, limit).collect();
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let text = format!("the request's body is longer than {limit} bytes");
            Err((StatusCode::PAYLOAD_TOO_LARGE, ADAPTER, text))
        }
        Ok(Err(_)) => {
            let text = "the request's body was cut off".to_owned();
            Err((StatusCode::BAD_REQUEST, ADAPTER, text))
        }
        Err(_) => {
            let text = format!("the request's body took longer than {BODY_TIMEOUT:?}");
            Err((StatusCode::REQUEST_TIMEOUT, ADAPTER, text))
        }
    }
}

/// What a statement has given so far.
enum Started {
    Whole(Vec<u8>),
    Part(Vec<u8>, Rest),
}

impl Query {
    /// The session that the statement runs in.
    fn session(&self, shared: &Shared, line: &Arc<Lifeline>) -> Result<Session, SqlError> {
        if self.sql.len() > MAX_STATEMENT {
            return Err(super::statement_too_long());
        }
        let mut session = shared.engine.session(&self.user);
        session.hang_on(line);
        session.set_timezone(self.params.conn_tz);
        if let Some(db) = &self.db {
            // Not checked, since `create database` must work with the new name in the path (rest §1).
            session.assume_db(db);
        }
        Ok(session)
    }

    fn run(
        self,
        shared: &Shared,
        line: &Arc<Lifeline>,
        started: Instant,
    ) -> Result<Started, SqlError> {
        let session = self.session(shared, line)?;
        let timing = self.params.timing.then_some(started);
        match session.execute(self.sql.trim())? {
            Answer::Affected(rows) => Ok(Started::Whole(json::affected(rows, timing))),
            Answer::Rows(rows) => {
                let mut out = Vec::with_capacity(1024);
                json::head(&rows.columns, &mut out);
                let format = json::Format {
                    columns: Arc::clone(&rows.columns),
                    zone: self.params.zone(),
                    named: self.params.row_with_meta,
                    exact: false,
                };
                let rest = Rest {
                    rows,
                    format,
                    written: 0,
                    timing,
                };
                rest.fill(out)
            }
        }
    }
}

/// The part of a result that has not been written yet.
struct Rest {
    rows: ResultRows,
    format: json::Format,
    written: u64,
    timing: Option<Instant>,
}

impl Rest {
    /// Appends blocks until there is enough for a chunk, or everything.
    fn fill(mut self, mut out: Vec<u8>) -> Result<Started, SqlError> {
        while out.len() < CHUNK {
            match self.rows.next_block()? {
                Some(block) => {
                    self.written = self.format.rows(&block, self.written, &mut out);
                }
                None => {
                    json::tail(self.written, self.timing, &mut out);
                    return Ok(Started::Whole(out));
                }
            }
        }
        Ok(Started::Part(out, self))
    }
}

/// Sends `head`, then chunk after chunk, each made when the client has taken the one before.
///
/// An error in the middle cuts the transfer off, so that nobody takes a part of a result for the whole.
fn streamed(head: Vec<u8>, rest: Rest, held: Held) -> Body {
    let first = Some((Started::Part(head, rest), held));
    let chunks = stream::try_unfold(first, |state| async move {
        let (chunk, next) = match state {
            None => return Ok(None),
            Some((Started::Whole(chunk), _)) => (chunk, None),
            Some((Started::Part(chunk, rest), held)) => {
                let next = tokio::task::spawn_blocking(move || {
                    guarded(|| rest.fill(Vec::with_capacity(CHUNK * 2)))
                });
                let next = next.await.map_err(std::io::Error::other)?;
                let next = next.map_err(|e| std::io::Error::other(e.message))?;
                (chunk, Some((next, held)))
            }
        };
        Ok(Some((Frame::data(Bytes::from(chunk)), next)))
    });
    StreamBody::new(chunks).boxed_unsync()
}

fn refuse(status: StatusCode, code: u32, text: &str, started: Instant) -> Response<Body> {
    reply(status, full(json::error(code, text, started)))
}

fn reply(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response
}
