//! `GET /metrics`: what the server counts, for Prometheus.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response};

use super::http::{Body, full};
use super::{Shared, rest};
use crate::metrics::{CONTENT_TYPE as EXPOSITION, Surroundings};

/// Answers whoever may ask: everybody if only this machine can reach the server, users elsewhere.
pub(super) async fn metrics(request: Request<Incoming>, shared: Arc<Shared>) -> Response<Body> {
    if !shared.pages.open_metrics
        && let Err(refused) = rest::log_in(request.headers(), &shared).await
    {
        return refused;
    }
    let most = shared.limits.connections;
    let open = most.saturating_sub(shared.connections.available_permits());
    // Looking at files may wait for the disk.
    let page = tokio::task::spawn_blocking(move || {
        let around = Surroundings {
            release: shared.emulated.text(),
            connections: (open, most),
            computed_passwords: shared.engine.computed_passwords(),
            store: shared.engine.figures(),
        };
        shared.engine.metrics().page(&around)
    });
    match page.await {
        Ok(page) => {
            let mut response = Response::new(full(page));
            let kind = HeaderValue::from_static(EXPOSITION);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Err(_) => rest::stopping(),
    }
}
