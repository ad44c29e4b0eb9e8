//! Keeps a connection to one of the servers and brings the frames over it.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::endpoints::{Backoff, Endpoints, Health};
use super::link::{Break, Link};
use super::report::{
    QwpWsErrorCategory, QwpWsErrorPolicy, QwpWsSenderError, category, is_dictionary_gap, policy,
};
use super::shared::{DEFAULT_LIMIT, Shared};
use crate::error::{Error, ErrorCode, Result, error};
use crate::net::Dialer;
use crate::qwp::socket::{self, Refusal, Target};
use crate::settings::Settings;

/// Where rows are taken (questdb §12.1).
const PATH: &str = "/write/v4";

/// Longest answer: an OK names every table of a message.
const MAX_REPLY: usize = 4 * 1024 * 1024;

/// How long a goodbye may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

pub(super) struct Driver {
    settings: Arc<Settings>,
    dialer: Dialer,
    shared: Arc<Shared>,
    client_id: Option<HeaderValue>,
    endpoints: Endpoints,
    backoff: Backoff,
    link: Option<Link>,
    /// Whether there has been a connection.
    connected: bool,
    /// When the pause before the next connection is over.
    resume_at: Option<Instant>,
    rejections: Option<Rejections>,
    /// Frames before this one have been sent at least once.
    sent: u64,
}

/// Tells those who wait when the task ends before its sender: with its runtime, or by a panic.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        if !*self.0.closed.borrow() && self.0.check().is_ok() {
            let error = error!(
                SocketError,
                "the task that sends has ended: the runtime the sender was made on was shut down; \
                 make a new sender on one that outlives it"
            );
            self.0.fail(error, None);
        }
    }
}

/// How often the same frame was refused, one time after the other.
struct Rejections {
    frame: u64,
    count: usize,
    since: Instant,
}

/// How a round over the servers ended.
enum Round {
    Connected,
    Stopped,
    Failed { last: Error, only_roles: bool },
}

impl Driver {
    pub(super) fn new(settings: Arc<Settings>, shared: Arc<Shared>) -> Result<Self> {
        let ingest = &settings.ingest;
        let client_id = settings.query.client_id.as_deref();
        let client_id = client_id.map(HeaderValue::from_str).transpose();
        let client_id = client_id.map_err(|_| {
            error!(
                ConfigError,
                "`client_id` holds a character that an HTTP header cannot carry"
            )
        })?;
        Ok(Self {
            client_id,
            dialer: Dialer::new(&settings)?,
            endpoints: Endpoints::new(&settings.addresses),
            backoff: Backoff::new(
                ingest.reconnect_initial_backoff,
                ingest.reconnect_max_backoff,
            ),
            shared,
            link: None,
            connected: false,
            resume_at: None,
            rejections: None,
            sent: 0,
            settings,
        })
    }

    /// The first connection: one round, or rounds until `limit` is over.
    pub(super) async fn connect_first(&mut self, limit: Option<Duration>) -> Result<()> {
        let end = limit.map(|limit| Instant::now() + limit);
        loop {
            match self.round().await {
                Round::Connected => return Ok(()),
                Round::Stopped => return self.shared.check(),
                Round::Failed { last, only_roles } => {
                    let pause = self.pause_after(only_roles);
                    match end {
                        Some(end) if Instant::now() + pause < end => sleep(pause).await,
                        Some(_) => {
                            return Err(last.context(format_args!(
                                "no connection within {:?}",
                                limit.unwrap_or_default()
                            )));
                        }
                        None => return Err(last),
                    }
                }
            }
        }
    }

    /// Works until the sender is gone or cannot go on.
    pub(super) fn run(mut self) -> impl Future<Output = ()> + Send {
        let ended = Ended(Arc::clone(&self.shared));
        async move {
            let _ended = ended;
            let mut closed = self.shared.closed.subscribe();
            loop {
                tokio::select! {
                    biased;
                    _ = closed.wait_for(|closed| *closed) => break,
                    () = self.step(true) => {}
                }
                if self.shared.check().is_err() {
                    break;
                }
            }
            let _ = timeout(CLOSE_LIMIT, self.last_words()).await;
            self.close().await;
        }
    }

    /// Sends what a sender that is gone still had in memory, as much as may be without an answer.
    async fn last_words(&mut self) {
        let kept = self.shared.state().store.slot().is_some();
        if kept || self.shared.check().is_err() {
            return;
        }
        if let Some(link) = &mut self.link {
            let _ = link.serve(&self.shared, &mut self.sent, false).await;
        }
    }

    pub(super) async fn close(&mut self) {
        if let Some(link) = self.link.take() {
            let _ = timeout(CLOSE_LIMIT, link.close()).await;
        }
    }

    /// One thing: a round of connecting, or sending what there is and, if `wait`, one event.
    pub(super) async fn step(&mut self, wait: bool) {
        let Some(link) = &mut self.link else {
            self.reconnect(wait).await;
            return;
        };
        match link.serve(&self.shared, &mut self.sent, wait).await {
            Ok(()) => {
                if link.progressed() {
                    self.backoff.reset();
                    self.rejections = None;
                    self.endpoints.clear_too_small();
                }
            }
            Err(broken) => {
                let endpoint = link.endpoint;
                let barren = !link.progressed();
                self.link = None;
                self.endpoints.begin();
                self.mourn(broken, endpoint, barren);
            }
        }
    }

    /// Whether the last step had something to do.
    pub(super) fn is_idle(&self) -> bool {
        match &self.link {
            Some(link) => link.is_idle(),
            None => self.resume_at.is_some_and(|at| at > Instant::now()),
        }
    }

    /// Decides what follows from the end of a connection.
    fn mourn(&mut self, broken: Break, endpoint: usize, barren: bool) {
        if *self.shared.closed.borrow() {
            return;
        }
        match broken {
            Break::Transport(error) => {
                tracing::warn!("QWP connection lost: {error}");
                self.endpoints.set(endpoint, Health::TransportError);
            }
            Break::TooLong(error) => {
                tracing::warn!("QWP connection given up: {error}");
                if self.endpoints.too_small(endpoint) {
                    return self.give_up(error);
                }
            }
            Break::Fatal(error) => return self.give_up(error),
            Break::Rejected {
                frame,
                sequence,
                status,
                message,
            } => self.rejected(endpoint, frame, sequence, status, message),
        }
        if barren {
            self.resume_at = Some(Instant::now() + self.backoff.next());
        }
    }

    fn give_up(&self, error: Error) {
        let head = self.head();
        let report = QwpWsSenderError {
            category: QwpWsErrorCategory::ProtocolViolation,
            applied_policy: QwpWsErrorPolicy::Terminal,
            status: None,
            message: Some(error.msg().to_owned()),
            message_sequence: None,
            from_fsn: head,
            to_fsn: head,
        };
        self.shared.report(report.clone());
        // Only of its length is a frame to blame.
        let blamed = error.code() == ErrorCode::BatchTooLarge;
        self.shared.refuse(error, report, blamed);
    }

    /// The oldest frame that is not acknowledged.
    fn head(&self) -> u64 {
        self.shared.state().acked
    }

    fn rejected(
        &mut self,
        endpoint: usize,
        frame: u64,
        sequence: u64,
        status: u8,
        message: String,
    ) {
        let kind = category(status);
        let mut applied = policy(&self.settings.ingest.policies, kind);
        if is_dictionary_gap(status) {
            applied = QwpWsErrorPolicy::Retriable;
        }
        let poisoned = self.is_poison(frame);
        if poisoned {
            applied = QwpWsErrorPolicy::Terminal;
        }
        let report = QwpWsSenderError {
            category: kind,
            applied_policy: applied,
            status: Some(status),
            message: Some(message.clone()),
            message_sequence: Some(sequence),
            from_fsn: frame,
            to_fsn: frame,
        };
        self.shared.report(report.clone());
        match applied {
            QwpWsErrorPolicy::Retriable => self.endpoints.set(endpoint, Health::Healthy),
            QwpWsErrorPolicy::RetriableOther => {
                self.endpoints.set(endpoint, Health::TransientReject);
            }
            QwpWsErrorPolicy::Terminal => {
                let often = if poisoned {
                    format!(" {} times", self.rejections.as_ref().map_or(0, |r| r.count))
                } else {
                    String::new()
                };
                let error = error!(
                    ServerRejection,
                    "the server refused frame {frame}{often} [{kind:?}, status {status:#04x}]: {message}"
                );
                // What was not allowed may be allowed later.
                let blamed = kind != QwpWsErrorCategory::SecurityError;
                self.shared.refuse(error, report, blamed);
            }
        }
    }

    /// Counts a refusal; true once the same frame had too many over long enough (questdb §12.9).
    fn is_poison(&mut self, frame: u64) -> bool {
        let ingest = &self.settings.ingest;
        let now = Instant::now();
        let rejections = match self.rejections.take() {
            Some(known) if known.frame == frame => Rejections {
                count: known.count + 1,
                ..known
            },
            _ => Rejections {
                frame,
                count: 1,
                since: now,
            },
        };
        let poisoned = rejections.count >= ingest.max_frame_rejections
            && now.duration_since(rejections.since) >= ingest.poison_min_escalation_window;
        self.rejections = Some(rejections);
        poisoned
    }

    fn pause_after(&mut self, only_roles: bool) -> Duration {
        self.endpoints.reset();
        if only_roles {
            self.backoff.first()
        } else {
            self.backoff.next()
        }
    }

    /// One round of connecting; without `wait`, only if no pause has to pass before it.
    async fn reconnect(&mut self, wait: bool) {
        if let Some(at) = self.resume_at {
            if !wait && at > Instant::now() {
                return;
            }
            sleep_until(at).await;
            self.resume_at = None;
        }
        match self.round().await {
            Round::Connected | Round::Stopped => {}
            Round::Failed { last, only_roles } => {
                let pause = self.pause_after(only_roles);
                tracing::warn!("no QWP connection, next try in {pause:?}: {last}");
                self.resume_at = Some(Instant::now() + pause);
            }
        }
    }

    /// Tries each server once.
    async fn round(&mut self) -> Round {
        self.endpoints.begin();
        let mut only_roles = true;
        let mut last = None;
        while let Some((number, address)) = self.endpoints.next() {
            if self.connected {
                self.shared.state().totals.reconnect_attempts += 1;
            }
            let target = self.target();
            let attempt = socket::connect(&self.settings, &self.dialer, &address, &target).await;
            let refusal = match attempt
                .and_then(|(stream, headers)| self.accept(&address, stream, &headers))
            {
                Ok(link) => {
                    self.adopt(link, number);
                    return Round::Connected;
                }
                Err(refusal) => refusal,
            };
            tracing::debug!("QWP endpoint {address}: {refusal}");
            let health = match &refusal {
                Refusal::Terminal(error) => {
                    self.shared.fail(error.clone(), None);
                    return Round::Stopped;
                }
                Refusal::Role { .. } if refusal.is_transient_role() => Health::TransientReject,
                Refusal::Role { .. } => Health::TopologyReject,
                Refusal::Transport(_) => {
                    only_roles = false;
                    Health::TransportError
                }
            };
            self.endpoints.set(number, health);
            last = Some(refusal.into_error());
        }
        Round::Failed {
            last: last.unwrap_or_else(|| error!(ConfigError, "no server to connect to: `addr`")),
            only_roles,
        }
    }

    fn target(&self) -> Target<'static> {
        let mut headers = Vec::new();
        if let Some(id) = &self.client_id {
            headers.push((HeaderName::from_static("x-qwp-client-id"), id.clone()));
        }
        if self.settings.ingest.durable_ack {
            headers.push((
                HeaderName::from_static("x-qwp-request-durable-ack"),
                HeaderValue::from_static("true"),
            ));
        }
        Target {
            path: PATH,
            headers,
            max_message: MAX_REPLY,
        }
    }

    fn accept(
        &self,
        address: &crate::settings::Address,
        stream: super::link::Stream,
        headers: &socket::UpgradeHeaders,
    ) -> socket::Outcome<Link> {
        let ingest = &self.settings.ingest;
        if ingest.durable_ack && !headers.durable_ack() {
            return Err(Refusal::Terminal(error!(
                UnsupportedServer,
                "{address} does not acknowledge durably, which QuestDB Enterprise does; leave \
                 `request_durable_ack` out"
            )));
        }
        let limit = headers.max_batch_size().unwrap_or(DEFAULT_LIMIT);
        let first = {
            let mut state = self.shared.state();
            state.limit = limit;
            state.store.first()
        };
        Ok(Link::new(
            stream,
            ingest,
            limit,
            first,
            self.connected || first > 0 || self.shared.recovered_symbols,
        ))
    }

    fn adopt(&mut self, mut link: Link, number: usize) {
        link.endpoint = number;
        self.endpoints.set(number, Health::Healthy);
        if self.connected {
            self.shared.state().totals.reconnects_succeeded += 1;
        }
        self.connected = true;
        self.link = Some(link);
    }
}
