//! RFC 6455 frames over a [`Socket`]: poll-based, bounded, one copy on each side.
//!
//! Own framing, because the frame layer of the WebSocket library prints whole frames, and so the
//! login, to the log at trace level, and cannot be told to use compression.

use super::deflate::{Agreement, Deflate};
use super::{Cause, Socket};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use std::future::Future as _;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Cursor;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::AsyncReadExt as _;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Bytes asked of the socket at a time when no frame says that it needs more.
const READ_BUFFER: usize = 32 * 1024;
/// The most that a frame's header alone makes us allocate; beyond it the buffer grows as data comes.
const TRUSTED_LENGTH: usize = 4 << 20;
/// Frames beyond it get a buffer of their own.
const LARGE_FRAME: usize = 1 << 20;
/// No more frames are queued while this much waits to be written.
const WRITE_BUFFER: usize = 128 * 1024;
/// Bytes that are copied and masked while the fastest cache holds them; a multiple of a mask's four.
const MASK_PIECE: usize = 8 * 1024;
/// Longest payload of a control frame (RFC 6455 §5.5).
const CONTROL_LIMIT: usize = 125;

/// A complete message or control frame.
#[derive(Debug)]
pub(crate) enum Message {
    Text(Bytes),
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    Close(String),
}

/// A message of which pieces have come.
struct Partial {
    kind: Data,
    compressed: bool,
    data: BytesMut,
}

/// The client's end of a WebSocket.
pub(crate) struct WebSocket<S> {
    io: S,
    input: BytesMut,
    header: Option<(FrameHeader, usize)>,
    partial: Option<Partial>,
    max_message: usize,
    /// There if compression was agreed on.
    deflate: Option<Deflate>,
    output: BytesMut,
    queued: u64,
    written: u64,
    received: u64,
    unflushed: bool,
}

impl<S: Socket> WebSocket<S> {
    /// A WebSocket whose upgrade is done; `input` holds what was read beyond it.
    pub(crate) fn new(
        io: S,
        input: BytesMut,
        max_message: usize,
        compression: Option<Agreement>,
    ) -> Self {
        Self {
            io,
            input,
            header: None,
            partial: None,
            max_message,
            deflate: compression.and_then(Deflate::new),
            output: BytesMut::new(),
            queued: 0,
            written: 0,
            received: 0,
            unflushed: false,
        }
    }

    /// False while enough waits to be written.
    pub(crate) fn can_queue(&self) -> bool {
        self.output.len() < WRITE_BUFFER
    }

    /// True while something waits to be written.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.output.is_empty()
    }

    /// Where in the stream of bytes the next frame will start.
    pub(crate) const fn queued(&self) -> u64 {
        self.queued
    }

    /// Bytes that have left.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that have come.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn queue_text(&mut self, text: &str) {
        self.queue(OpCode::Data(Data::Text), text.as_bytes());
    }

    pub(crate) fn queue_binary(&mut self, payload: &[u8]) {
        self.queue(OpCode::Data(Data::Binary), payload);
    }

    pub(crate) fn queue_ping(&mut self, payload: &[u8]) {
        self.queue(OpCode::Control(Control::Ping), payload);
    }

    pub(crate) fn queue_pong(&mut self, payload: &[u8]) {
        self.queue(OpCode::Control(Control::Pong), payload);
    }

    pub(crate) fn queue_close(&mut self) {
        self.queue(OpCode::Control(Control::Close), &1000u16.to_be_bytes());
    }

    /// Appends a frame: header and payload stay together, so that they leave in one write.
    fn queue(&mut self, opcode: OpCode, payload: &[u8]) {
        let mask = new_mask();
        let compressed = match (&mut self.deflate, opcode) {
            (Some(deflate), OpCode::Data(_)) => deflate.deflate(payload),
            _ => None,
        };
        let header = FrameHeader {
            is_final: true,
            rsv1: compressed.is_some(),
            rsv2: false,
            rsv3: false,
            opcode,
            mask: Some(mask),
        };
        let payload = compressed.unwrap_or(payload);
        let before = self.output.len();
        let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
        self.output.reserve(payload.len() + 14);
        // Writing into memory cannot fail.
        let _ = header.format(length, &mut (&mut self.output).writer());
        for piece in payload.chunks(MASK_PIECE) {
            let start = self.output.len();
            self.output.put_slice(piece);
            if let Some(piece) = self.output.get_mut(start..) {
                apply_mask(piece, mask);
            }
        }
        let added = self.output.len() - before;
        self.queued += u64::try_from(added).unwrap_or(0);
    }

    /// Writes what is queued; ready when nothing is left.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        let failed = |error: std::io::Error| Cause::io("writing to the server", &error);
        while self.output.has_remaining() {
            let written =
                ready!(Pin::new(&mut self.io).poll_write(cx, &self.output)).map_err(failed)?;
            if written == 0 {
                return Poll::Ready(Err(Cause::disconnected("the socket takes no more bytes")));
            }
            self.output.advance(written);
            self.written += u64::try_from(written).unwrap_or(0);
            self.unflushed = true;
        }
        if self.output.capacity() > 2 * WRITE_BUFFER {
            self.output = BytesMut::new();
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx)).map_err(failed)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// The next message or control frame.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Cause>> {
        loop {
            if let Some(message) = self.parse()? {
                return Poll::Ready(Ok(message));
            }
            let wanted = match &self.header {
                Some((_, len)) => len.saturating_sub(self.input.len()).min(TRUSTED_LENGTH),
                None => 0,
            };
            // Not for every read: a message that is still held would cost a new buffer each time.
            if self.input.capacity() - self.input.len() < wanted.max(READ_BUFFER / 8) {
                self.input.reserve(wanted.max(READ_BUFFER));
            }
            let read = {
                let read = pin!(self.io.read_buf(&mut self.input));
                ready!(read.poll(cx)).map_err(|e| Cause::io("reading from the server", &e))?
            };
            if read == 0 {
                let inside = self.header.is_some() || !self.input.is_empty();
                return Poll::Ready(Err(Cause::disconnected(if inside {
                    "the server closed the connection in the middle of a frame"
                } else {
                    "the server closed the connection"
                })));
            }
            self.received += u64::try_from(read).unwrap_or(0);
        }
    }

    fn parse(&mut self) -> Result<Option<Message>, Cause> {
        loop {
            if self.header.is_none() {
                let mut cursor = Cursor::new(&self.input);
                let parsed = FrameHeader::parse(&mut cursor)
                    .map_err(|error| Cause::malformed(format!("a frame is malformed: {error}")))?;
                let Some((header, len)) = parsed else {
                    return Ok(None);
                };
                let consumed = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
                let len = self.check(&header, len)?;
                self.input.advance(consumed.min(self.input.len()));
                self.header = Some((header, len));
            }
            match self.header.take() {
                Some((header, len)) if self.input.len() >= len => {
                    let payload = self.input.split_to(len).freeze();
                    if len > LARGE_FRAME {
                        // Else the space left behind a large frame would keep all of it alive.
                        let mut fresh = BytesMut::with_capacity(READ_BUFFER);
                        fresh.extend_from_slice(&self.input);
                        self.input = fresh;
                    }
                    if let Some(message) = self.assemble(&header, payload)? {
                        return Ok(Some(message));
                    }
                }
                unfinished => {
                    self.header = unfinished;
                    return Ok(None);
                }
            }
        }
    }

    /// Refuses a frame by its header, before anything is allocated for it.
    fn check(&self, header: &FrameHeader, len: u64) -> Result<usize, Cause> {
        // Compression is said of a whole message, by its first frame (RFC 7692 §6).
        let first = matches!(header.opcode, OpCode::Data(Data::Text | Data::Binary));
        let agreed = self.deflate.is_some() && first;
        if (header.rsv1 && !agreed) || header.rsv2 || header.rsv3 {
            return Err(Cause::malformed(
                "a frame uses an extension that was not agreed on",
            ));
        }
        if header.mask.is_some() {
            return Err(Cause::malformed("the server sent a masked frame"));
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if matches!(header.opcode, OpCode::Control(_)) {
            if len > CONTROL_LIMIT || !header.is_final {
                return Err(Cause::malformed("a control frame is too long or in pieces"));
            }
            return Ok(len);
        }
        let held = self
            .partial
            .as_ref()
            .map_or(0, |partial| partial.data.len());
        if len > self.max_message.saturating_sub(held) {
            return Err(Cause::malformed(format!(
                "a message of at least {} bytes is longer than max_message_size={}",
                len.saturating_add(held),
                self.max_message
            )));
        }
        Ok(len)
    }

    fn assemble(&mut self, header: &FrameHeader, payload: Bytes) -> Result<Option<Message>, Cause> {
        let out_of_order = || Cause::malformed("the pieces of a message are out of order");
        match header.opcode {
            OpCode::Control(Control::Ping) => Ok(Some(Message::Ping(payload))),
            OpCode::Control(Control::Close) => Ok(Some(Message::Close(close_text(&payload)))),
            OpCode::Control(_) => Ok(Some(Message::Pong)),
            OpCode::Data(Data::Continue) => {
                let mut partial = self.partial.take().ok_or_else(out_of_order)?;
                partial.data.extend_from_slice(&payload);
                if header.is_final {
                    let Partial {
                        kind,
                        compressed,
                        data,
                    } = partial;
                    self.complete(kind, compressed, data.freeze()).map(Some)
                } else {
                    self.partial = Some(partial);
                    Ok(None)
                }
            }
            OpCode::Data(_) if self.partial.is_some() => Err(out_of_order()),
            OpCode::Data(kind) if header.is_final => {
                self.complete(kind, header.rsv1, payload).map(Some)
            }
            OpCode::Data(kind) => {
                self.partial = Some(Partial {
                    kind,
                    compressed: header.rsv1,
                    data: BytesMut::from(payload),
                });
                Ok(None)
            }
        }
    }

    fn complete(&mut self, kind: Data, compressed: bool, data: Bytes) -> Result<Message, Cause> {
        let data = match &mut self.deflate {
            Some(deflate) if compressed => deflate
                .inflate(&data, self.max_message)
                .map_err(Cause::malformed)?,
            _ => data,
        };
        Ok(message(kind, data))
    }
}

const fn message(kind: Data, payload: Bytes) -> Message {
    match kind {
        Data::Text => Message::Text(payload),
        _ => Message::Binary(payload),
    }
}

fn close_text(payload: &Bytes) -> String {
    match (payload.first_chunk::<2>(), payload.get(2..)) {
        (Some(code), Some(reason)) => {
            let code = u16::from_be_bytes(*code);
            let reason = String::from_utf8_lossy(reason);
            format!("code {code} {reason}").trim_end().to_owned()
        }
        _ => "no reason given".to_owned(),
    }
}

/// Four bytes that nobody outside can foretell: `RandomState` is seeded by the operating system.
fn new_mask() -> [u8; 4] {
    let [a, b, c, d, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    [a, b, c, d]
}

fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        if let Ok(eight) = <[u8; 8]>::try_from(&*chunk) {
            chunk.copy_from_slice(&(u64::from_ne_bytes(eight) ^ wide).to_ne_bytes());
        }
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::AsyncWriteExt as _;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..=125 => frame.push(u8::try_from(len).unwrap()),
            len => {
                frame.push(126);
                frame.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    async fn read(bytes: &[u8], max: usize) -> Vec<Result<Message, Cause>> {
        let (mut server, client) = tokio::io::duplex(1 << 20);
        server.write_all(bytes).await.unwrap();
        drop(server);
        let mut socket = WebSocket::new(client, BytesMut::new(), max, None);
        let mut messages = Vec::new();
        loop {
            let message = poll_fn(|cx| socket.poll_next(cx)).await;
            let end = message.is_err();
            messages.push(message);
            if end {
                return messages;
            }
        }
    }

    #[tokio::test]
    async fn pieces_of_a_message_are_joined_with_a_ping_between_them() {
        let bytes = [
            frame(0x02, b"ab"),
            frame(0x89, b"TAOS"),
            frame(0x00, b"cd"),
            frame(0x80, &[b'e'; 300]),
        ]
        .concat();
        let messages = read(&bytes, 1000).await;
        assert!(matches!(&messages[0], Ok(Message::Ping(data)) if data == "TAOS"));
        assert!(
            matches!(&messages[1], Ok(Message::Binary(data)) if data.len() == 304 && data.starts_with(b"abcde"))
        );
        assert_eq!(messages.len(), 3);
    }

    #[tokio::test]
    async fn frames_that_break_the_rules_end_the_stream_with_the_reason() {
        let huge = [&[0x82, 127][..], &u64::MAX.to_be_bytes()].concat();
        for (bytes, words) in [
            (huge, "max_message_size=1000"),
            (frame(0xC2, b"x"), "extension"),
            (frame(0x80, b"x"), "out of order"),
            (frame(0x83, b"x"), "malformed"),
            (frame(0x09, b"x"), "control frame"),
            (vec![0x82, 0x81, 1, 2, 3, 4, 5], "masked"),
            (frame(0x82, b"abc")[..4].to_vec(), "middle of a frame"),
            (
                [frame(0x02, &[0; 600]), frame(0x80, &[0; 600])].concat(),
                "max_message_size",
            ),
        ] {
            let messages = read(&bytes, 1000).await;
            let error = messages.last().unwrap().as_ref().unwrap_err();
            assert!(error.to_string().contains(words), "{error} / {words}");
        }
    }

    /// Counts the writes that reach it.
    #[derive(Default)]
    struct Sink(Vec<usize>);

    impl tokio::io::AsyncRead for Sink {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            Poll::Pending
        }
    }

    impl tokio::io::AsyncWrite for Sink {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            self.0.push(bytes.len());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn header_and_payload_of_all_queued_frames_leave_in_one_write() {
        let mut socket = WebSocket::new(Sink::default(), BytesMut::new(), 1000, None);
        socket.queue_text("select 1");
        poll_fn(|cx| socket.poll_flush(cx)).await.unwrap();
        socket.queue_binary(&[7; 1000]);
        socket.queue_ping(b"TAOS");
        poll_fn(|cx| socket.poll_flush(cx)).await.unwrap();
        assert_eq!(socket.io.0, [2 + 4 + 8, 4 + 4 + 1000 + 2 + 4 + 4]);
        assert_eq!((socket.queued(), socket.written()), (1032, 1032));
    }

    #[test]
    fn masking_twice_gives_the_payload_back_at_every_length() {
        for len in 0..40u8 {
            let plain: Vec<u8> = (0..len).collect();
            let mut data = plain.clone();
            apply_mask(&mut data, [1, 2, 3, 4]);
            for (at, byte) in data.iter().enumerate() {
                assert_eq!(*byte, plain[at] ^ [1, 2, 3, 4][at % 4]);
            }
        }
    }
}
