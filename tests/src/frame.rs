//! WebSocket frames as bytes (RFC 6455 §5.2), for the fault proxy: read whole, passed on as they came.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, BufReader};

const MAX_HANDSHAKE: usize = 64 * 1024;

/// One frame, header included.
#[derive(Debug)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
    header: usize,
}

impl Frame {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Text, binary, or the continuation of one.
    pub(crate) fn is_data(&self) -> bool {
        self.bytes.first().is_some_and(|first| first & 0x0f <= 2)
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
        Ok(Some(Frame { bytes, header }))
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

/// The big-endian number after the first two bytes.
fn number(bytes: &[u8]) -> u64 {
    let digits = bytes.get(2..).unwrap_or_default();
    digits
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
