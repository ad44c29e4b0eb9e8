//! What a session sends: whole frames, one after another, written by whoever has one.
//!
//! A thread that has a reply writes it to the socket itself as long as the socket takes it, so that a
//! small reply costs one system call and no wake-up. What the socket does not take at once stays in a
//! queue that the session's task drains.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;

/// Waiting bytes above which no further request is read.
const HIGH_WATER: usize = 4 << 20;

/// A server's frame header at its longest: two bytes and a 64-bit length.
const FRAME_HEAD: usize = 10;

/// The way out of one session.
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    /// Something waits, or the outbox was closed.
    work: Notify,
    /// Less waits than did.
    relief: Notify,
}

struct Queue {
    /// Gone once the session has ended; what is sent afterwards is dropped.
    socket: Option<Arc<OwnedWriteHalf>>,
    frames: VecDeque<Frame>,
    waiting: usize,
    /// When the socket last took something that had waited.
    taken: Option<Instant>,
}

struct Frame {
    head: Vec<u8>,
    body: Bytes,
    sent: usize,
}

impl Frame {
    fn remaining(&self) -> usize {
        self.head.len() + self.body.len() - self.sent
    }

    /// Writes what the socket takes; true once nothing remains.
    fn write(&mut self, socket: &OwnedWriteHalf) -> io::Result<bool> {
        while self.remaining() > 0 {
            let head = self.head.get(self.sent..).unwrap_or_default();
            let body_sent = self.sent.saturating_sub(self.head.len());
            let body = self.body.get(body_sent..).unwrap_or_default();
            match socket.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }
}

impl Outbox {
    pub(super) fn new(socket: Arc<OwnedWriteHalf>) -> Self {
        Self {
            queue: Mutex::new(Queue {
                socket: Some(socket),
                frames: VecDeque::new(),
                waiting: 0,
                taken: None,
            }),
            work: Notify::new(),
            relief: Notify::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one message whose payload is `prefix` followed by `body`. Never waits.
    pub(super) fn send(&self, opcode: OpCode, prefix: &[u8], body: Bytes) {
        let header = FrameHeader {
            opcode,
            ..FrameHeader::default()
        };
        let payload = prefix.len() + body.len();
        let mut head = Vec::with_capacity(FRAME_HEAD + prefix.len());
        // A length always fits the 64 bits of the header, and a vector takes what it is given.
        if header.format(payload as u64, &mut head).is_ok() {
            head.extend_from_slice(prefix);
            self.push(Frame {
                head,
                body,
                sent: 0,
            });
        }
    }

    /// Sends bytes that already are whole frames.
    pub(super) fn send_frames(&self, bytes: &[u8]) {
        self.push(Frame {
            head: bytes.to_vec(),
            body: Bytes::new(),
            sent: 0,
        });
    }

    fn push(&self, mut frame: Frame) {
        let mut queue = self.queue();
        let Some(socket) = &queue.socket else { return };
        if queue.frames.is_empty() {
            match frame.write(socket) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(%error, "a client is gone");
                    return self.shut(&mut queue);
                }
            }
        }
        queue.waiting += frame.remaining();
        queue.frames.push_back(frame);
        drop(queue);
        self.work.notify_one();
    }

    fn shut(&self, queue: &mut Queue) {
        queue.socket = None;
        queue.frames.clear();
        queue.waiting = 0;
        self.work.notify_one();
        self.relief.notify_one();
    }

    /// Drops what waits and whatever is sent from now on.
    pub(super) fn close(&self) {
        self.shut(&mut self.queue());
    }

    /// When the client last made room for something that had waited, which shows that it lives.
    pub(super) fn last_taken(&self) -> Option<Instant> {
        self.queue().taken
    }

    /// True if requests should not be read until the client has taken some of its replies.
    pub(super) fn is_crowded(&self) -> bool {
        self.queue().waiting > HIGH_WATER
    }

    /// Waits until the outbox is not [crowded](Self::is_crowded).
    pub(super) async fn relief(&self) {
        while self.is_crowded() {
            self.relief.notified().await;
        }
    }

    /// Waits until everything has been written, or the outbox closed.
    pub(super) async fn flushed(&self) {
        while !self.queue().frames.is_empty() {
            self.relief.notified().await;
        }
    }

    /// Writes what waits; ends when the socket fails, the outbox is closed, or the client has taken
    /// nothing for as long as `patience`.
    pub(super) async fn drain(&self, socket: Arc<OwnedWriteHalf>, patience: Duration) -> io::Error {
        loop {
            match self.write_some() {
                Ok(true) => self.work.notified().await,
                Ok(false) => match tokio::time::timeout(patience, socket.writable()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return error,
                    Err(_) => return io::ErrorKind::TimedOut.into(),
                },
                Err(error) => return error,
            }
        }
    }

    /// Writes what the socket takes; true once nothing waits.
    fn write_some(&self) -> io::Result<bool> {
        let mut queue = self.queue();
        let Queue {
            socket: Some(socket),
            frames,
            waiting,
            taken,
        } = &mut *queue
        else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let mut empty = true;
        let before = *waiting;
        while let Some(frame) = frames.front_mut() {
            let length = frame.remaining();
            let whole = frame.write(socket);
            *waiting -= length - frame.remaining();
            if !whole? {
                empty = false;
                break;
            }
            frames.pop_front();
        }
        if *waiting < before {
            *taken = Some(Instant::now());
            self.relief.notify_one();
        }
        Ok(empty)
    }
}
