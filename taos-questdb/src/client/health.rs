//! Whether the server is there, lets the user in, and which release it is.

use futures_util::TryStreamExt as _;
use serde_json::Value;
use taos_query::util::Edition;
use taos_query::{AsyncFetchable as _, ErrorKind, RawError, RawResult};

use super::{ResultSet, exec};
use crate::http::{Client, Request};
use crate::qwp::egress::Session;

/// The answer to `/settings` is short; longer ones are not read.
const MAX_SETTINGS: usize = 4 << 20;

/// What the server says about itself.
#[derive(Debug, Clone)]
pub(super) struct Release {
    pub(super) version: String,
    /// Absent where the server does not say.
    edition: Option<String>,
}

impl Release {
    /// The open-source release is the community's, every other one is licensed.
    pub(super) fn edition(&self) -> RawResult<Edition> {
        match self.edition.as_deref() {
            Some("OSS") => Ok(Edition::new("community", false)),
            Some(_) => Ok(Edition::new("official", false)),
            None => Err(RawError::unsupported(
                "telling the edition of the server (get_edition)",
                "QuestDB",
            )),
        }
    }
}

/// What `release.version` and `release.type` of `/settings` say, which needs no user (questdb §5.1).
pub(super) async fn release(client: &Client) -> RawResult<Release> {
    let request = Request::get("/settings", client.limits().request_timeout);
    let response = client.request(request).await.map_err(unreachable)?;
    let (status, url) = (response.status(), response.url().to_owned());
    let body = response.read_to_end(MAX_SETTINGS).await?;
    let wrong = |what: &str| {
        RawError::of(
            ErrorKind::Connect,
            format!("{url} {what}: is this the HTTP port of a QuestDB server?"),
        )
    };
    if matches!(status.as_u16(), 401 | 403) {
        return Err(exec::refused(client, status.as_u16(), &body));
    }
    if !status.is_success() {
        return Err(wrong(&format!("answers status {}", status.as_u16())));
    }
    let settings: Value =
        serde_json::from_slice(&body).map_err(|_| wrong("does not answer with JSON"))?;
    let config = settings.get("config").unwrap_or(&settings);
    let text = |key| config.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(Release {
        version: text("release.version").ok_or_else(|| wrong("does not tell a version"))?,
        edition: text("release.type"),
    })
}

/// The version in `Build Information: QuestDB 10.0.1, JDK …`.
pub(super) async fn release_over_qwp(session: &Session) -> RawResult<Release> {
    let mut rows = ResultSet::qwp(session.ask("select build()").await?);
    let build: Option<String> = rows.deserialize().try_next().await?;
    let build = build.unwrap_or_default();
    let version = build
        .split_once("QuestDB ")
        .and_then(|(_, rest)| rest.split([',', ' ']).next())
        .filter(|version| !version.is_empty());
    let version = version.ok_or_else(|| {
        RawError::of(
            ErrorKind::Server,
            format!("the server tells no version: {build}"),
        )
    })?;
    Ok(Release {
        version: version.to_owned(),
        edition: None,
    })
}

/// One cheap request that asks nothing of the database.
pub(super) async fn ping(client: &Client) -> RawResult<()> {
    let request = Request::get("/ping", client.limits().request_timeout);
    let response = client.request(request).await.map_err(unreachable)?;
    let status = response.status();
    if !status.is_success() {
        return Err(RawError::of(
            ErrorKind::Server,
            format!("{} answers status {}", response.url(), status.as_u16()),
        ));
    }
    response.read_to_end(MAX_SETTINGS).await?;
    Ok(())
}

/// An error of a request that only asks whether the server is there.
pub(super) fn unreachable(error: crate::Error) -> RawError {
    let raw = RawError::from(error);
    if raw.kind() == ErrorKind::ConnectionLost {
        raw.with_kind(ErrorKind::Connect)
    } else {
        raw
    }
}
