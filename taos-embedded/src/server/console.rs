//! The web console's files, and the rules that browsers hold them to.

use hyper::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use super::http::{Body, full};

/// Nothing but our own files, no inline script or style, no other host, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

struct File {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($name:literal, $kind:expr) => {
        File {
            name: $name,
            kind: $kind,
            text: include_str!(concat!("../../console/", $name)),
        }
    };
}

const FILES: &[File] = &[
    file!("style.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
    file!("main.js", SCRIPT),
    file!("api.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("tree.js", SCRIPT),
    file!("table.js", SCRIPT),
    file!("chart.js", SCRIPT),
    file!("series.js", SCRIPT),
];

const PAGE: File = file!("index.html", "text/html; charset=utf-8");

/// The page, for those who take pages.
pub(super) fn page() -> Response<Body> {
    serve(&PAGE)
}

/// A file of the page, if there is one of this name.
pub(super) fn file(name: &str) -> Option<Response<Body>> {
    FILES.iter().find(|file| file.name == name).map(serve)
}

/// True for browsers; programs ask for anything, or for JSON.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| value.to_str().is_ok_and(|v| v.contains("text/html")))
}

fn serve(file: &File) -> Response<Body> {
    let mut response = Response::new(full(file.text));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    for (name, value) in guards() {
        headers.insert(name, value);
    }
    headers.insert(VARY, HeaderValue::from_name(ACCEPT));
    response
}

/// Headers of every file and answer of the console.
pub(super) fn guards() -> [(HeaderName, HeaderValue); 6] {
    [
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ]
}
