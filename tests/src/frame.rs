//! WebSocket frames as bytes (RFC 6455 §5.2), for the fault proxy: read whole, passed on as they came. Other
//! protocols have no frames that it knows; what is read at once stands for one.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

const MAX_HANDSHAKE: usize = 64 * 1024;

/// One frame, header included.
#[derive(Debug)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
    header: usize,
    /// No frame, but what was read at once.
    plain: bool,
}

impl Frame {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Text, binary, or the continuation of one.
    pub(crate) fn is_data(&self) -> bool {
        self.plain || self.bytes.first().is_some_and(|first| first & 0x0f <= 2)
    }

    /// What the frame is about, as far as a plain look tells: the name of the action, and for SQL its
    /// first word, as in `query insert`, `fetch_raw_block`, `stmt2_exec`. Names of old and new forms of
    /// one action begin alike.
    ///
    /// Of HTTP it is the method and the path, as in `GET /exec`, or `HTTP/1.1 200` for an answer.
    pub(crate) fn kind(&self) -> String {
        if self.plain {
            return plain_kind(&self.bytes);
        }
        let first = self.bytes.first().copied().unwrap_or(0);
        // A continuation, or a message that is compressed, does not tell.
        if first & 0x40 != 0 || first & 0x0f == 0 {
            return "opaque".to_owned();
        }
        let payload = self.start();
        if first & 0x0f == 1 {
            text_kind(&payload)
        } else {
            binary_kind(&payload)
        }
    }

    /// The first bytes of the payload, unmasked.
    fn start(&self) -> Vec<u8> {
        const LOOKED_AT: usize = 512;
        let payload = self.bytes.get(self.header..).unwrap_or_default();
        let start = payload.iter().take(LOOKED_AT).copied();
        let masked = self.bytes.get(1).is_some_and(|second| second & 0x80 != 0);
        let mask = self.header.checked_sub(4).filter(|_| masked);
        match mask.and_then(|at| self.bytes.get(at..self.header)) {
            Some(mask) => start
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask)
                .collect(),
            None => start.collect(),
        }
    }

    /// Inverts byte `at` of the payload, or its last one. Masked or not, the receiver sees just that byte changed.
    pub(crate) fn invert(&mut self, at: usize) {
        let payload = self.bytes.get_mut(self.header..).unwrap_or_default();
        let at = at.min(payload.len().saturating_sub(1));
        if let Some(byte) = payload.get_mut(at) {
            *byte = !*byte;
        }
    }
}

/// Cuts a byte stream into the HTTP head and the frames after it.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    from: BufReader<R>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from: BufReader::new(from),
        }
    }

    /// What can be read at once; `None` at the end.
    pub(crate) async fn piece(&mut self) -> io::Result<Option<Frame>> {
        let bytes = self.from.fill_buf().await?.to_vec();
        self.from.consume(bytes.len());
        Ok((!bytes.is_empty()).then_some(Frame {
            bytes,
            header: 0,
            plain: true,
        }))
    }

    /// The request or response head, its empty line included.
    pub(crate) async fn handshake(&mut self) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() > MAX_HANDSHAKE {
                return Err(io::Error::other("the HTTP head does not end"));
            }
            head.push(self.from.read_u8().await?);
        }
        Ok(head)
    }

    /// The next frame; `None` at an orderly end between two frames.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Frame>> {
        let mut bytes = Vec::new();
        if (&mut self.from).take(2).read_to_end(&mut bytes).await? < 2 {
            return Ok(None);
        }
        let second = bytes.get(1).copied().unwrap_or(0);
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let length = match second & 0x7f {
            126 => {
                self.append(&mut bytes, 2).await?;
                number(&bytes)
            }
            127 => {
                self.append(&mut bytes, 8).await?;
                number(&bytes)
            }
            short => u64::from(short),
        };
        let header = bytes.len() + mask;
        let rest = length + u64::try_from(mask).unwrap_or(0);
        self.append(&mut bytes, rest).await?;
        Ok(Some(Frame {
            bytes,
            header,
            plain: false,
        }))
    }

    async fn append(&mut self, bytes: &mut Vec<u8>, count: u64) -> io::Result<()> {
        let got = (&mut self.from).take(count).read_to_end(bytes).await?;
        if u64::try_from(got).is_ok_and(|got| got == count) {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// `{"action":"…"`; statements of the JSON form have their SQL near the front too.
fn text_kind(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    let value = |key: &str| {
        let (_, rest) = text.split_once(&format!("\"{key}\":\""))?;
        Some(rest.split('"').next().unwrap_or(rest))
    };
    match (value("action").unwrap_or_default(), value("sql")) {
        ("query", Some(sql)) => query_kind(sql),
        ("query" | "binary_query", None) => "query".to_owned(),
        (action, _) => action.to_owned(),
    }
}

/// Requests have their action at 16 (taosadapter-ws §3.3); answers begin with ones and have it at 8 (§3.4).
fn binary_kind(payload: &[u8]) -> String {
    let number = |at: usize| {
        let bytes = payload.get(at..at + 8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes))
    };
    let answer = number(0) == Some(u64::MAX);
    match number(if answer { 8 } else { 16 }) {
        Some(1) => "set_tags".to_owned(),
        Some(2) => "bind".to_owned(),
        Some(3) => "write_raw".to_owned(),
        Some(4) => "write_raw_block".to_owned(),
        Some(5) => "write_raw_block_with_fields".to_owned(),
        Some(6) => query_kind(&String::from_utf8_lossy(
            payload.get(30..).unwrap_or_default(),
        )),
        Some(7) => "fetch_raw_block".to_owned(),
        Some(8) if answer => "fetch_raw_data".to_owned(),
        Some(9) => "stmt2_bind".to_owned(),
        // The answer to an old fetch_block carries no action.
        _ => "fetch_block".to_owned(),
    }
}

/// The first two words of a head, without the query; nothing of what is no head.
fn plain_kind(bytes: &[u8]) -> String {
    let line = bytes
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    match std::str::from_utf8(line) {
        Ok(line) if line.contains("HTTP/1.1") => {
            let words: Vec<&str> = line.split([' ', '?']).take(2).collect();
            words.join(" ")
        }
        _ => String::new(),
    }
}

fn query_kind(sql: &str) -> String {
    let word: String = sql
        .trim_start()
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect();
    format!("query {}", word.to_lowercase())
}

/// The big-endian number after the first two bytes.
fn number(bytes: &[u8]) -> u64 {
    let digits = bytes.get(2..).unwrap_or_default();
    digits
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
