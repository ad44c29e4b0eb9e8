use super::link::{
    Control, Failure, Payload, QueryAnswer, Reading, Request, Slot, StmtAnswer, StmtHandle, text,
};
use super::result::{Next, ResultHandle, ResultShared};
use super::status::Status;
use crate::config::Endpoint;
use crate::protocol::{
    Action, FetchArgs, FetchOutcome, FetchReply, OldBlockReply, Reply, StmtArgs, TextReply,
    TmqFrame, classify_binary, classify_text, classify_tmq_binary, classify_tmq_text,
    encode_fetch_raw_block,
};
use crate::transport::{Cause, Message, Socket, WebSocket};
use bytes::Bytes;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use taos_query::stmt::logic::Generation;
use taos_query::util::generate_req_id;
use taos_query::{Code, ErrorKind, RawError};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};

/// Payload of our pings, as other clients send it (taosadapter-ws §15).
const PING: &[u8] = b"TAOS";

/// Requests beyond this many unanswered ones wait in the queue.
const MAX_PENDING: usize = 65_536;

/// How a connection behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// What the frames are read as.
    pub(crate) endpoint: Endpoint,
    /// Blocks come by fetch_raw_block, else by `fetch` and `fetch_block`.
    pub(crate) binary: bool,
    /// Silence of the server after which it is asked whether it lives.
    pub(crate) ping_interval: Duration,
    /// Time it has to give any sign of life after that.
    pub(crate) pong_timeout: Duration,
}

/// A request that was sent and waits for its answer.
#[derive(Debug)]
struct Pending {
    what: Waiting,
    /// Where its frame starts in the stream of bytes sent.
    start: u64,
}

#[derive(Debug)]
enum Waiting {
    Slot(Slot),
    /// fetch_raw_block.
    Block(Arc<ResultShared>),
    /// `fetch`, the first step of the old style.
    Step(Arc<ResultShared>),
    /// `fetch_block`, the second step, which only answers errors under its request id.
    OldBlock(Arc<ResultShared>),
}

/// A result that is being fetched.
#[derive(Debug)]
struct Live {
    shared: Weak<ResultShared>,
    /// Server time and length of the last block, which tell a doubled reply from another block.
    last: (u64, usize),
}

/// Whether the server is being asked for a sign of life.
#[derive(Debug, Clone, Copy)]
enum Pulse {
    Quiet,
    Asked { received: u64, written: u64 },
}

/// The future that owns the socket. Reads and writes happen in the same poll; it never waits for a
/// caller.
pub(super) struct Connection<S: Socket> {
    socket: WebSocket<S>,
    requests: mpsc::Receiver<Request>,
    orders: mpsc::UnboundedReceiver<Control>,
    control: mpsc::WeakUnboundedSender<Control>,
    status: Arc<Status>,
    options: Options,
    pending: HashMap<u64, Pending>,
    /// Request ids of `fetch_block` by result id, because its reply carries no request id.
    old_blocks: HashMap<u64, u64>,
    /// The results that the server holds, by their id.
    results: HashMap<u64, Live>,
    /// The last ping that is not answered yet; a flood of pings needs one answer.
    pong: Option<Bytes>,
    pulse: Pulse,
    last_received: Instant,
    timer: Pin<Box<Sleep>>,
    closing: bool,
}

impl<S: Socket> Connection<S> {
    pub(super) fn new(
        socket: WebSocket<S>,
        requests: mpsc::Receiver<Request>,
        orders: mpsc::UnboundedReceiver<Control>,
        control: mpsc::WeakUnboundedSender<Control>,
        status: Arc<Status>,
        options: Options,
    ) -> Self {
        let now = Instant::now();
        Self {
            socket,
            requests,
            orders,
            control,
            status,
            options,
            pending: HashMap::new(),
            old_blocks: HashMap::new(),
            results: HashMap::new(),
            pong: None,
            pulse: Pulse::Quiet,
            last_received: now,
            timer: Box::pin(sleep_until(now + options.ping_interval)),
            closing: false,
        }
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        loop {
            self.read(cx)?;
            if !self.closing {
                self.take_orders(cx);
                self.take_requests(cx);
            }
            if let Some(payload) = self.pong.take_if(|_| self.socket.can_queue()) {
                self.socket.queue_pong(&payload);
            }
            let was_full = !self.socket.can_queue();
            let flushed = self.socket.poll_flush(cx)?;
            if flushed.is_ready() && self.closing {
                return Poll::Ready(Ok(()));
            }
            if flushed.is_ready() && was_full {
                continue;
            }
            if self.poll_timer(cx)? {
                continue;
            }
            return Poll::Pending;
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Cause> {
        let mut heard = false;
        while let Poll::Ready(message) = self.socket.poll_next(cx) {
            heard = true;
            let message = message?;
            // Behind a close frame nothing may be sent, and nobody is left to tell.
            if !self.closing {
                self.on_message(message)?;
            }
        }
        if heard {
            self.last_received = Instant::now();
            self.pulse = Pulse::Quiet;
        }
        Ok(())
    }

    fn take_orders(&mut self, cx: &mut Context<'_>) {
        while self.socket.can_queue() {
            match self.orders.poll_recv(cx) {
                Poll::Ready(Some(Control::Fetch(result))) => self.send_fetch(result),
                Poll::Ready(Some(Control::Free(id))) => self.send_free(id),
                Poll::Ready(Some(Control::Close {
                    stmt_id,
                    generation,
                })) => self.send_close(stmt_id, generation),
                Poll::Ready(None) => {
                    self.socket.queue_close();
                    self.closing = true;
                    return;
                }
                Poll::Pending => return,
            }
        }
    }

    fn take_requests(&mut self, cx: &mut Context<'_>) {
        while self.socket.can_queue() && !self.closing && self.pending.len() < MAX_PENDING {
            match self.requests.poll_recv(cx) {
                Poll::Ready(Some(request)) => self.send_request(request),
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
    }

    fn send_request(&mut self, request: Request) {
        let Request {
            req_id,
            payload,
            slot,
        } = request;
        if slot.is_abandoned() {
            return;
        }
        let start = self.socket.queued();
        match self.pending.entry(req_id) {
            Entry::Occupied(_) => {
                slot.fail(Failure::DuplicateId);
                return;
            }
            Entry::Vacant(entry) => entry.insert(Pending {
                what: Waiting::Slot(slot),
                start,
            }),
        };
        match &payload {
            Payload::Text(text) => self.socket.queue_text(text),
            Payload::Binary(frame) => self.socket.queue_binary(frame),
        }
    }

    /// Registers a request of the task itself under an id that is free.
    fn register(&mut self, what: Waiting) -> u64 {
        let start = self.socket.queued();
        loop {
            let req_id = generate_req_id();
            if let Entry::Vacant(entry) = self.pending.entry(req_id) {
                entry.insert(Pending { what, start });
                return req_id;
            }
        }
    }

    fn send_fetch(&mut self, result: Arc<ResultShared>) {
        let id = result.id;
        if self.options.binary {
            let req_id = self.register(Waiting::Block(result));
            self.socket
                .queue_binary(&encode_fetch_raw_block(req_id, id));
        } else {
            let req_id = self.register(Waiting::Step(result));
            self.send_text(&Action::Fetch, &FetchArgs::new(req_id, id));
        }
    }

    fn send_free(&mut self, id: u64) {
        self.results.remove(&id);
        self.send_text(&Action::FreeResult, &FetchArgs::new(generate_req_id(), id));
    }

    /// Of the answer to the second form nobody needs to know.
    fn send_close(&mut self, stmt_id: u64, generation: Generation) {
        let action = match generation {
            Generation::First => Action::Close,
            Generation::Second => Action::Stmt2Close,
        };
        self.send_text(&action, &StmtArgs::new(generate_req_id(), stmt_id));
    }

    fn send_text<A: serde::Serialize>(&mut self, action: &Action, args: &A) {
        if let Payload::Text(text) = text(action, args) {
            self.socket.queue_text(&text);
        }
    }

    fn on_message(&mut self, message: Message) -> Result<(), Cause> {
        let topics = self.options.endpoint == Endpoint::Topics;
        let reply = match message {
            Message::Text(text) => match std::str::from_utf8(&text) {
                Ok(text) if topics => return self.on_topics(classify_tmq_text(text)),
                Ok(text) => classify_text(text),
                Err(_) => return Err(Cause::malformed("a text frame is not UTF-8")),
            },
            Message::Binary(frame) if topics => {
                return self.on_topics(classify_tmq_binary(&frame));
            }
            Message::Binary(frame) => classify_binary(&frame),
            Message::Ping(payload) => {
                self.pong = Some(payload);
                return Ok(());
            }
            Message::Pong => return Ok(()),
            Message::Close(reason) => {
                return Err(Cause::disconnected(format!(
                    "the server closed the connection ({reason})"
                )));
            }
        };
        match reply {
            Reply::Text(reply) => self.on_text(reply),
            Reply::Fetch(reply) => self.on_fetch(reply),
            Reply::OldBlock(reply) => self.on_old_block(reply),
            Reply::Malformed {
                req_id: Some(req_id),
                reason,
            } => self.on_malformed(req_id, &reason),
            Reply::Malformed { reason, .. } => return Err(Cause::malformed(reason)),
        }
        Ok(())
    }

    /// A frame of a consumer's connection. All of them say which request they answer.
    fn on_topics(&mut self, frame: TmqFrame) -> Result<(), Cause> {
        let req_id = match (&frame, frame.req_id()) {
            (TmqFrame::Malformed { reason, .. }, _) => {
                return Err(Cause::malformed(reason.clone()));
            }
            (_, Some(req_id)) => req_id,
            (_, None) => return Ok(()),
        };
        match self.pending.remove(&req_id).map(|pending| pending.what) {
            Some(Waiting::Slot(Slot::Topics(slot))) => drop(slot.send(Ok(frame))),
            _ => self.unexpected(req_id),
        }
        Ok(())
    }

    fn on_text(&mut self, mut reply: Box<TextReply>) {
        if reply.action == Action::UseResult {
            reply.id = reply.result_id;
        }
        let Some(pending) = self.pending.remove(&reply.req_id) else {
            self.unexpected(reply.req_id);
            let of_query = matches!(
                reply.action,
                Action::Query | Action::BinaryQuery | Action::UseResult | Action::Stmt2Result
            );
            if of_query && has_rows(&reply) && !self.results.contains_key(&reply.id) {
                self.send_free(reply.id);
            }
            return;
        };
        match pending.what {
            Waiting::Slot(Slot::Call(slot)) => drop(slot.send(Ok(reply))),
            // Not on this endpoint.
            Waiting::Slot(Slot::Topics(_)) => {}
            Waiting::Slot(Slot::Stmt(slot)) => {
                let answer = self.stmt_answer(reply);
                // If the caller has left, dropping the answer closes the statement.
                drop(slot.send(Ok(answer)));
            }
            Waiting::Slot(Slot::Query(slot, _)) if slot.is_closed() => {
                if has_rows(&reply) {
                    self.send_free(reply.id);
                }
            }
            Waiting::Slot(Slot::Query(slot, reading)) => {
                let answer = self.query_answer(reply);
                if reading == Reading::FirstBlock && answer.result.is_some() {
                    answer.hold(slot);
                    return;
                }
                // If the caller leaves just now, dropping the answer gives the result up.
                drop(slot.send(Ok(answer)));
            }
            Waiting::Step(result) if reply.code == 0 && !reply.completed => {
                let id = result.id;
                let req_id = self.register(Waiting::OldBlock(result));
                self.old_blocks.insert(id, req_id);
                self.send_text(&Action::FetchBlock, &FetchArgs::new(req_id, id));
            }
            Waiting::Step(result) | Waiting::Block(result) | Waiting::OldBlock(result) => {
                self.old_blocks.remove(&result.id);
                self.results.remove(&result.id);
                result.finish((reply.code != 0).then(|| server_error(reply.code, reply.message)));
            }
        }
    }

    fn stmt_answer(&self, reply: Box<TextReply>) -> StmtAnswer {
        let control = self.control.upgrade().filter(|_| reply.code == 0);
        let handle = control.map(|control| StmtHandle {
            stmt_id: reply.stmt_id,
            generation: match reply.action {
                Action::Stmt2Init => Generation::Second,
                _ => Generation::First,
            },
            control,
        });
        StmtAnswer { reply, handle }
    }

    /// Starts the fetch of a result's first block before its owner has even woken up.
    fn query_answer(&mut self, reply: Box<TextReply>) -> QueryAnswer {
        let control = self.control.upgrade().filter(|_| has_rows(&reply));
        let result = control.map(|control| {
            let shared = ResultShared::fetching(reply.id);
            let live = Live {
                shared: Arc::downgrade(&shared),
                last: (0, 0),
            };
            self.results.insert(reply.id, live);
            self.send_fetch(shared.clone());
            ResultHandle::new(shared, control, self.status.clone())
        });
        QueryAnswer { reply, result }
    }

    fn on_fetch(&mut self, reply: FetchReply) {
        let FetchReply {
            req_id,
            result_id,
            timing,
            outcome,
        } = reply;
        let Some(result) = self.take_result(req_id) else {
            if let FetchOutcome::Block(block) = outcome {
                self.on_stray_block(result_id, (timing, block.len()));
            }
            return;
        };
        match outcome {
            FetchOutcome::Block(block) => {
                if let Some(live) = self.results.get_mut(&result.id) {
                    live.last = (timing, block.len());
                }
                self.deliver(result, block);
            }
            FetchOutcome::End => {
                self.results.remove(&result.id);
                result.finish(None);
            }
            FetchOutcome::Error { code, message } => {
                self.results.remove(&result.id);
                result.finish(Some(server_error(code, message)));
            }
        }
    }

    /// A reply that comes twice does no harm. But another block means that the server has gone on
    /// by itself, and the reader would miss rows without noticing.
    fn on_stray_block(&mut self, result_id: u64, mark: (u64, usize)) {
        let live = self
            .results
            .get(&result_id)
            .filter(|live| live.last != mark);
        if let Some(result) = live.and_then(|live| live.shared.upgrade()) {
            let error = RawError::of(
                ErrorKind::Protocol,
                format!(
                    "{} sent a block of the result that was not asked for; run the query again",
                    self.status.address
                ),
            );
            result.finish(Some(error.with_code(Code::WS_BAD_ANSWER)));
            self.send_free(result_id);
        }
    }

    fn on_old_block(&mut self, reply: OldBlockReply) {
        let Some(req_id) = self.old_blocks.remove(&reply.result_id) else {
            self.unexpected(reply.result_id);
            return;
        };
        if let Some(result) = self.take_result(req_id) {
            self.deliver(result, reply.block);
        }
    }

    /// The frame was bad but says which request it answers: only that one fails.
    fn on_malformed(&mut self, req_id: u64, reason: &str) {
        if let Some(result) = self.take_result(req_id) {
            let error = RawError::of(
                ErrorKind::Protocol,
                format!("{} sent a malformed block: {reason}", self.status.address),
            )
            .with_code(Code::WS_BAD_ANSWER);
            let id = result.id;
            result.finish(Some(error));
            self.send_free(id);
        }
    }

    /// The result whose block is answered under this id.
    fn take_result(&mut self, req_id: u64) -> Option<Arc<ResultShared>> {
        if let Entry::Occupied(entry) = self.pending.entry(req_id)
            && matches!(entry.get().what, Waiting::Block(_) | Waiting::OldBlock(_))
            && let Waiting::Block(result) | Waiting::OldBlock(result) = entry.remove().what
        {
            return Some(result);
        }
        self.unexpected(req_id);
        None
    }

    fn deliver(&mut self, result: Arc<ResultShared>, block: Bytes) {
        match result.deliver(block) {
            Next::Nothing => {}
            Next::Fetch => self.send_fetch(result),
            Next::Free => self.send_free(result.id),
        }
    }

    /// Late and doubled replies do no harm.
    fn unexpected(&self, id: u64) {
        tracing::debug!(address = %self.status.address, id, "reply that nobody waits for");
    }

    /// True if something was queued.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Result<bool, Cause> {
        let mut queued = false;
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let (received, written) = (self.socket.received(), self.socket.written());
            let next = match self.pulse {
                Pulse::Quiet if now < self.last_received + self.options.ping_interval => {
                    self.last_received + self.options.ping_interval
                }
                Pulse::Asked {
                    received: before,
                    written: sent,
                } if received == before && !(self.socket.has_unsent() && written > sent) => {
                    return Err(Cause::disconnected(format!(
                        "the server gave no sign of life for {:?} after a ping",
                        self.options.pong_timeout
                    )));
                }
                // Quiet for long, or in the middle of a long transfer.
                Pulse::Quiet | Pulse::Asked { .. } => {
                    if matches!(self.pulse, Pulse::Quiet) {
                        self.socket.queue_ping(PING);
                        queued = true;
                    }
                    self.pulse = Pulse::Asked { received, written };
                    now + self.options.pong_timeout
                }
            };
            self.timer.as_mut().reset(next);
        }
        Ok(queued)
    }

    /// Tells everyone who waits that nothing more will come.
    fn fail(&mut self, cause: &Cause) {
        self.status.set_broken(cause.clone());
        self.requests.close();
        self.orders.close();
        let written = self.socket.written();
        for (_, pending) in self.pending.drain() {
            match pending.what {
                Waiting::Slot(slot) => slot.fail(Failure::Lost {
                    sent: written > pending.start,
                    cause: cause.clone(),
                }),
                Waiting::Block(result) | Waiting::Step(result) | Waiting::OldBlock(result) => {
                    result.finish(Some(cause.clone().into_error(&self.status.address)));
                }
            }
        }
        while let Ok(request) = self.requests.try_recv() {
            request.slot.fail(Failure::Lost {
                sent: false,
                cause: cause.clone(),
            });
        }
        while let Ok(order) = self.orders.try_recv() {
            if let Control::Fetch(result) = order {
                result.finish(Some(cause.clone().into_error(&self.status.address)));
            }
        }
    }
}

/// True if the reply names a result that the server now holds.
const fn has_rows(reply: &TextReply) -> bool {
    reply.code == 0 && !reply.is_update
}

fn server_error(code: u32, message: String) -> RawError {
    RawError::new(code, message)
}

impl<S: Socket> Future for Connection<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let ended = std::task::ready!(this.drive(cx));
        if let Err(cause) = ended {
            tracing::debug!(address = %this.status.address, %cause, "connection lost");
            this.fail(&cause);
            // Courtesy to a server that can still hear; whether it does is of no matter.
            this.socket.queue_close();
            let _ = this.socket.poll_flush(cx);
        }
        Poll::Ready(())
    }
}

impl<S: Socket> Drop for Connection<S> {
    fn drop(&mut self) {
        // After a failure nothing is left to tell. Otherwise nobody waits, or the runtime is being
        // shut down and whoever waits on another one must not wait for ever.
        let cause = Cause::disconnected("the runtime that served the connection was shut down");
        self.fail(&cause);
    }
}
