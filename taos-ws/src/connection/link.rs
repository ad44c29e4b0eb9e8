use super::result::{ResultHandle, ResultShared};
use super::status::Status;
use super::task::{Connection, Options};
use crate::events::Lease;
use crate::protocol::{Action, TextReply, TmqFrame, Version};
use crate::transport::{Cause, Socket, WebSocket};
use bytes::Bytes;
use std::sync::Arc;
use taos_query::stmt::logic::Generation;
use taos_query::{ErrorKind, RawError};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Requests that wait for the task; senders beyond it wait for room.
const QUEUE: usize = 64;

/// A request's frame.
#[derive(Debug)]
pub(crate) enum Payload {
    Text(String),
    Binary(Bytes),
}

/// Where the answer goes.
#[derive(Debug)]
pub(crate) enum Slot {
    Call(oneshot::Sender<Result<Box<TextReply>, Failure>>),
    Query(QuerySlot, Reading),
    /// `init` and `stmt2_init`.
    Stmt(oneshot::Sender<Result<StmtAnswer, Failure>>),
    /// Any request of a consumer.
    Topics(oneshot::Sender<Result<TmqFrame, Failure>>),
}

pub(crate) type QuerySlot = oneshot::Sender<Result<QueryAnswer, Failure>>;

/// What the one who asks will read of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    All,
    /// The answer may wait for the first block, which saves waking the caller twice.
    FirstBlock,
}

impl Slot {
    /// True if nobody waits any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Call(slot) => slot.is_closed(),
            Self::Query(slot, _) => slot.is_closed(),
            Self::Stmt(slot) => slot.is_closed(),
            Self::Topics(slot) => slot.is_closed(),
        }
    }

    pub(crate) fn fail(self, failure: Failure) {
        // A caller that has left does not want to know.
        match self {
            Self::Call(slot) => drop(slot.send(Err(failure))),
            Self::Query(slot, _) => drop(slot.send(Err(failure))),
            Self::Stmt(slot) => drop(slot.send(Err(failure))),
            Self::Topics(slot) => drop(slot.send(Err(failure))),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) req_id: u64,
    pub(crate) payload: Payload,
    pub(crate) slot: Slot,
}

/// What results and statements ask of the task. Bounded by their number.
#[derive(Debug)]
pub(crate) enum Control {
    Fetch(Arc<ResultShared>),
    Free(u64),
    Close {
        stmt_id: u64,
        generation: Generation,
    },
}

/// A statement that the server holds; dropping this closes it there.
#[derive(Debug)]
pub(crate) struct StmtHandle {
    pub(super) stmt_id: u64,
    pub(super) generation: Generation,
    pub(super) control: mpsc::UnboundedSender<Control>,
}

impl StmtHandle {
    pub(crate) const fn id(&self) -> u64 {
        self.stmt_id
    }

    pub(crate) const fn generation(&self) -> Generation {
        self.generation
    }
}

impl Drop for StmtHandle {
    fn drop(&mut self) {
        // When the connection is gone, so is the statement.
        let _ = self.control.send(Control::Close {
            stmt_id: self.stmt_id,
            generation: self.generation,
        });
    }
}

/// The answer to the opening of a statement.
#[derive(Debug)]
pub(crate) struct StmtAnswer {
    pub(crate) reply: Box<TextReply>,
    /// There if the server agreed.
    pub(crate) handle: Option<StmtHandle>,
}

/// The answer to a statement.
#[derive(Debug)]
pub(crate) struct QueryAnswer {
    pub(crate) reply: Box<TextReply>,
    /// There if the statement has columns; its first fetch is already on its way.
    pub(crate) result: Option<ResultHandle>,
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The connection ended; `sent` says whether any byte of the request may have left.
    Lost { sent: bool, cause: Cause },
    /// The request id is that of a request in flight.
    DuplicateId,
    /// The statement does not fit into a frame.
    TooLong,
}

/// A handle to a connection's task. The task ends when the last handle and result are gone.
#[derive(Debug)]
pub(crate) struct Link {
    requests: mpsc::Sender<Request>,
    /// Keeps the task alive, which ends when nobody can ask anything of it any more.
    _control: mpsc::UnboundedSender<Control>,
    status: Arc<Status>,
    pub(crate) version: Version,
    /// The version in the server's own words, empty if it does not say.
    pub(crate) version_text: String,
    /// The server has only the endpoint that knows queries and raw writes, and never answers others.
    pub(crate) old_endpoint: bool,
    /// Where the task lives.
    pub(crate) runtime: Handle,
}

impl Link {
    /// Starts the task of a connection that is logged in.
    pub(crate) fn start<S: Socket + 'static>(
        socket: WebSocket<S>,
        address: String,
        version: Version,
        options: Options,
        lease: Lease,
    ) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE);
        let (control, orders) = mpsc::unbounded_channel();
        let status = Arc::new(Status::new(address, lease));
        let task = Connection::new(
            socket,
            queue,
            orders,
            control.downgrade(),
            status.clone(),
            options,
        );
        let task = tokio::spawn(task);
        tracing::debug!(address = %status.address, task = %task.id(), "connection ready");
        Self {
            requests,
            _control: control,
            status,
            version,
            version_text: String::new(),
            old_endpoint: false,
            runtime: Handle::current(),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.status.address
    }

    /// The error of a request that the server does not know.
    pub(crate) fn too_old(&self, what: &str, since: Version) -> RawError {
        let since = since.max(if self.old_endpoint {
            Version::UNIFIED
        } else {
            Version::default()
        });
        RawError::of(
            ErrorKind::Unsupported,
            format!(
                "{what} needs a server of version {since} or newer, {} has {}",
                self.address(),
                self.version
            ),
        )
    }

    /// True if requests are still taken.
    pub(crate) fn is_usable(&self) -> bool {
        !self.requests.is_closed() && !self.status.is_broken()
    }

    /// Tells watchers that this link is the one in use.
    pub(crate) fn announce(&self) {
        self.status.announce();
    }

    pub(crate) fn cause(&self) -> Cause {
        self.status.cause()
    }

    /// Sends a request that is answered by one text reply.
    pub(crate) async fn call(
        &self,
        req_id: u64,
        payload: Payload,
    ) -> Result<Box<TextReply>, Failure> {
        let (slot, answer) = oneshot::channel();
        self.send(req_id, payload, Slot::Call(slot)).await?;
        answer.await.unwrap_or_else(|_| Err(self.vanished()))
    }

    /// Sends a statement.
    pub(crate) async fn query(
        &self,
        req_id: u64,
        payload: Payload,
        reading: Reading,
    ) -> Result<QueryAnswer, Failure> {
        let (slot, answer) = oneshot::channel();
        self.send(req_id, payload, Slot::Query(slot, reading))
            .await?;
        answer.await.unwrap_or_else(|_| Err(self.vanished()))
    }

    /// Sends the opening of a statement.
    pub(crate) async fn open_statement(
        &self,
        req_id: u64,
        payload: Payload,
    ) -> Result<StmtAnswer, Failure> {
        let (slot, answer) = oneshot::channel();
        self.send(req_id, payload, Slot::Stmt(slot)).await?;
        answer.await.unwrap_or_else(|_| Err(self.vanished()))
    }

    /// Sends a request of a consumer.
    pub(crate) async fn ask(&self, req_id: u64, payload: Payload) -> Result<TmqFrame, Failure> {
        let (slot, answer) = oneshot::channel();
        self.send(req_id, payload, Slot::Topics(slot)).await?;
        answer.await.unwrap_or_else(|_| Err(self.vanished()))
    }

    async fn send(&self, req_id: u64, payload: Payload, slot: Slot) -> Result<(), Failure> {
        let request = Request {
            req_id,
            payload,
            slot,
        };
        self.requests
            .send(request)
            .await
            .map_err(|_| Failure::Lost {
                sent: false,
                cause: self.status.cause(),
            })
    }

    /// The task ended without a word, which takes a runtime that is shut down.
    fn vanished(&self) -> Failure {
        Failure::Lost {
            sent: true,
            cause: self.status.cause(),
        }
    }
}

/// Encodes a text request.
pub(crate) fn text<A: serde::Serialize>(action: &Action, args: &A) -> Payload {
    Payload::Text(crate::protocol::encode_text(action, args))
}
