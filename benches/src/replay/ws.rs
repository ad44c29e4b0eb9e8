//! The server's side of RFC 6455, as little of it as costs least: blocking, no limits, trusting.

use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::net::TcpStream;

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
const CONTINUATION: u8 = 0;

/// One WebSocket, after its handshake.
pub(crate) struct Socket {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    out: Vec<u8>,
}

impl Socket {
    /// Answers the upgrade request; gives the socket and the path that was asked for.
    pub(crate) fn accept(stream: TcpStream) -> io::Result<(Self, String)> {
        Self::accept_with(stream, "")
    }

    /// [`Self::accept`] with header lines of the answer, each with its line end.
    pub(crate) fn accept_with(stream: TcpStream, headers: &str) -> io::Result<(Self, String)> {
        stream.set_nodelay(true)?;
        let mut socket = Self {
            writer: stream.try_clone()?,
            reader: BufReader::with_capacity(64 * 1024, stream),
            out: Vec::with_capacity(64 * 1024),
        };
        let (mut path, mut key, mut line) = (String::new(), String::new(), String::new());
        loop {
            line.clear();
            if socket.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = line.trim();
            if text.is_empty() {
                break;
            }
            if let Some(request) = text.strip_prefix("GET ") {
                path = request.split([' ', '?']).next().unwrap_or("").to_owned();
            } else if let Some((name, value)) = text.split_once(':')
                && name.eq_ignore_ascii_case("sec-websocket-key")
            {
                key = value.trim().to_owned();
            }
        }
        let accept = derive_accept_key(key.as_bytes());
        write!(
            socket.writer,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        )?;
        Ok((socket, path))
    }

    /// Reads one whole message into `payload` and gives its opcode.
    pub(crate) fn read(&mut self, payload: &mut Vec<u8>) -> io::Result<u8> {
        payload.clear();
        let mut message = CONTINUATION;
        loop {
            // What is ready goes out before waiting for more.
            if self.reader.buffer().is_empty() {
                self.flush()?;
            }
            let [first, second] = self.array()?;
            let length = match second & 0x7f {
                126 => u64::from(u16::from_be_bytes(self.array()?)),
                127 => u64::from_be_bytes(self.array()?),
                short => u64::from(short),
            };
            let mask: [u8; 4] = if second & 0x80 == 0 {
                [0; 4]
            } else {
                self.array()?
            };
            let start = payload.len();
            (&mut self.reader).take(length).read_to_end(payload)?;
            for (i, byte) in payload[start..].iter_mut().enumerate() {
                *byte ^= mask[i & 3];
            }
            let opcode = first & 0x0f;
            if opcode != CONTINUATION {
                message = opcode;
            }
            if first & 0x80 != 0 {
                return Ok(message);
            }
        }
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Queues a message of two parts; large ones leave at once and uncopied.
    pub(crate) fn send(&mut self, opcode: u8, head: &[u8], body: &[u8]) -> io::Result<()> {
        let length = head.len() + body.len();
        self.out.push(0x80 | opcode);
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ 0..=125), _) => self.out.push(short),
            (_, Ok(medium)) => {
                self.out.push(126);
                self.out.extend_from_slice(&medium.to_be_bytes());
            }
            _ => {
                self.out.push(127);
                self.out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        self.out.extend_from_slice(head);
        if body.len() < 1024 {
            self.out.extend_from_slice(body);
            return Ok(());
        }
        let mut parts = [IoSlice::new(&self.out), IoSlice::new(body)];
        let mut parts = &mut parts[..];
        while !parts.is_empty() {
            let written = self.writer.write_vectored(parts)?;
            IoSlice::advance_slices(&mut parts, written);
        }
        self.out.clear();
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.writer.write_all(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }
}
