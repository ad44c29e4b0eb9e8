//! Queries of the web console: only statements that read, and only so much of their results.

use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use url::form_urlencoded;

use super::{ADAPTER, Held, Query, Refusal, Shared, json, refuse, reply, stopping};
use crate::engine::{Answer, SqlError};
use crate::server::http::{Body, full};
use crate::server::{console, guarded};
use crate::store::Lifeline;

/// Rows of a result that are shown, unless fewer are asked for.
const ROWS: u64 = 1000;
/// Rows that may be asked for.
const MOST_ROWS: u64 = 10_000;
/// Bytes of rows; the row that reaches it is the last.
const BYTES: usize = 4 << 20;

/// Runs the statement in the request's body, if it only reads.
pub(in crate::server) async fn query(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Response<Body> {
    let started = Instant::now();
    let mut response = match read(request, &shared).await {
        Ok((query, rows)) => run(query, rows, shared, started).await,
        Err((status, code, text)) => refuse(status, code, &text, started),
    };
    response.headers_mut().extend(console::guards());
    response
}

async fn read(request: Request<Incoming>, shared: &Arc<Shared>) -> Result<(Query, u64), Refusal> {
    let (mut db, mut rows) = (None, ROWS);
    for (name, value) in
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
    {
        match &*name {
            "db" if !value.is_empty() => db = Some(value.into_owned()),
            "rows" => {
                rows = value
                    .parse()
                    .ok()
                    .filter(|n| (1..=MOST_ROWS).contains(n))
                    .ok_or_else(|| {
                        let text =
                            format!("query parameter rows={value:?} is not in 1..={MOST_ROWS}");
                        (StatusCode::BAD_REQUEST, ADAPTER, text)
                    })?;
            }
            _ => {}
        }
    }
    let mut query = super::read(request, shared).await?;
    query.db = db;
    Ok((query, rows))
}

async fn run(query: Query, rows: u64, shared: Arc<Shared>, started: Instant) -> Response<Body> {
    let held = Held::default();
    let line = Arc::clone(&held.0);
    let work = move || guarded(|| query.shown(&shared, &line, rows, started));
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(text)) => reply(StatusCode::OK, full(text)),
        Ok(Err(error)) => refuse(StatusCode::OK, error.code, &error.message, started),
        Err(_) => stopping(),
    }
}

impl Query {
    /// The first rows of the result, and why no more if there are more.
    fn shown(
        self,
        shared: &Shared,
        line: &Arc<Lifeline>,
        most: u64,
        started: Instant,
    ) -> Result<Vec<u8>, SqlError> {
        let session = self.session(shared, line)?;
        let mut rows = match session.read(self.sql.trim())? {
            Answer::Affected(rows) => return Ok(json::affected(rows, Some(started))),
            Answer::Rows(rows) => rows,
        };
        let mut out = Vec::with_capacity(4096);
        json::head(&rows.columns, &mut out);
        let format = json::Format {
            columns: Arc::clone(&rows.columns),
            zone: self.params.zone(),
            named: false,
            exact: true,
        };
        let bounds = json::Bounds {
            rows: most,
            bytes: out.len() + BYTES,
        };
        let (mut written, mut cut) = (0, None);
        while let Some(block) = rows.next_block()? {
            (written, cut) = format.rows_within(&block, written, &bounds, &mut out);
            if cut.is_some() {
                break;
            }
        }
        json::shown_tail(written, cut, started, &mut out);
        Ok(out)
    }
}
