//! The half that answers queries (questdb §13), by a script.

mod cells;
mod request;
mod run;

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::watch;

use super::{Half, Head, Refusal, Socket, codec};
pub use cells::{Cells, Form, Table};
pub use request::Request;

/// Bits of [`Info::capabilities`].
pub mod capability {
    /// The zone is told.
    pub const ZONE: u32 = 0x01;
    /// Flags may follow the parameters.
    pub const QUERY_FLAGS: u32 = 0x02;
    /// Results may be compressed.
    pub const COMPRESSION: u32 = 0x04;
    /// Queries may have a limit of time.
    pub const QUERY_TIMEOUT: u32 = 0x08;
}

/// What the server says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// 0 standalone, 1 primary, 2 replica, 3 becoming primary.
    pub role: u8,
    /// See [`capability`].
    pub capabilities: u32,
    /// Sent if the capability says so.
    pub zone: String,
}

impl Default for Info {
    fn default() -> Self {
        Self {
            role: 0,
            capabilities: capability::QUERY_FLAGS
                | capability::COMPRESSION
                | capability::QUERY_TIMEOUT,
            zone: String::new(),
        }
    }
}

impl Info {
    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0x18, self.role];
        out.extend_from_slice(&7_u64.to_le_bytes());
        out.extend_from_slice(&self.capabilities.to_le_bytes());
        out.extend_from_slice(&1_700_000_000_000_000_000_i64.to_le_bytes());
        codec::short_text(&mut out, "cluster");
        codec::short_text(&mut out, "node");
        if self.capabilities & capability::ZONE != 0 {
            codec::short_text(&mut out, &self.zone);
        }
        codec::message(0, 0, &out)
    }
}

/// One thing that the server does in answer to a query.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends rows; waits before for credit if the client limits it.
    Rows(Table),
    /// As [`Rows`](Self::Rows), so many times.
    Repeat(Table, u64),
    /// Ends a result.
    End,
    /// Ends a statement without rows that changed so many.
    Done(u64),
    /// Fails the query.
    Fail(u8, String),
    /// Fails the connection, with the request id -1.
    FailConnection(u8, String),
    /// Forgets the symbols and says so.
    ForgetSymbols,
    /// Drops the connection without a word.
    Cut,
    /// Closes the connection with a code.
    Close(u16),
    /// Goes on when the gate is open.
    Hold(Gate),
    /// Sends bytes as they are, whatever they mean.
    Raw(Vec<u8>),
}

/// Lets a server wait for a test.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Gate {
    /// Lets everybody through from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn pass(&self) {
        // The sender is alive as long as this gate.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

type Answers = dyn Fn(&Request) -> Vec<Step> + Send + Sync;

/// What clients did.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Connections that were upgraded.
    pub connections: usize,
    /// Connections that have ended.
    pub ended: usize,
    /// Statements in their order.
    pub requests: Vec<Request>,
    /// Requests that were cancelled while they ran.
    pub cancelled: Vec<i64>,
    /// Credit that was granted, in the order in which it came.
    pub credits: Vec<(i64, u64)>,
    /// Length of each message of rows.
    pub batches: Vec<usize>,
}

/// A server of queries.
pub struct Queries {
    info: Info,
    /// How results are written.
    form: Form,
    /// What upgrades are answered with instead.
    refusal: Option<Refusal>,
    introduces: bool,
    answers: Box<Answers>,
    log: watch::Sender<Log>,
}

impl Queries {
    /// A server that answers a statement with these steps.
    pub fn new(answers: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self {
            info: Info::default(),
            form: Form::default(),
            refusal: None,
            introduces: true,
            answers: Box::new(answers),
            log: watch::Sender::default(),
        }
    }

    /// Says something else about itself.
    #[must_use]
    pub fn with_info(mut self, info: Info) -> Self {
        self.info = info;
        self
    }

    /// Writes results in another form.
    #[must_use]
    pub const fn with_form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// Refuses every upgrade.
    #[must_use]
    pub fn refusing(mut self, refusal: Refusal) -> Self {
        self.refusal = Some(refusal);
        self
    }

    /// Says nothing after the upgrade.
    #[must_use]
    pub const fn silent(mut self) -> Self {
        self.introduces = false;
        self
    }

    /// What happened so far.
    pub fn log(&self) -> Log {
        self.log.borrow().clone()
    }

    /// Waits until something has happened.
    pub async fn until(&self, happened: impl Fn(&Log) -> bool) -> Log {
        let mut log = self.log.subscribe();
        // The sender is as old as the server, so waiting cannot fail.
        match log.wait_for(|log| happened(log)).await {
            Ok(log) => log.clone(),
            Err(_) => self.log(),
        }
    }

    fn note(&self, what: impl FnOnce(&mut Log)) {
        self.log.send_modify(what);
    }

    /// Waits until so many connections have ended.
    pub async fn ended(&self, count: usize) {
        self.until(|log| log.ended >= count).await;
    }
}

impl Half for Queries {
    fn upgrade(&self, head: &Head) -> Result<Vec<(&'static str, String)>, Refusal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let mut headers = vec![("X-QWP-Version", "1".to_owned())];
        let wanted = head.header("X-QWP-Accept-Encoding").unwrap_or("raw");
        if self.form.zstd && wanted.starts_with("zstd") {
            headers.push(("X-QWP-Content-Encoding", "zstd;level=1".to_owned()));
        }
        Ok(headers)
    }

    fn serve(
        self: Arc<Self>,
        head: Head,
        socket: Socket,
    ) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(async move {
            let result = run::connection(&self, &head, socket).await;
            self.note(|log| log.ended += 1);
            result
        })
    }
}
