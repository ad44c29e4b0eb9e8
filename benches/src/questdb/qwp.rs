//! QWP on the server's side, as little of it as costs least: it trusts whoever connects.

use std::io;
use std::net::TcpStream;

use super::Shared;
use super::batches::{BATCHES, Batches, PER_BATCH, header, varint};
use crate::replay::ws::{BINARY, CLOSE, PING, PONG, Socket};

const VERSION: &str = "X-QWP-Version: 1\r\n";
const DELTA_DICTIONARY: u8 = 0x08;

/// A reader of what QWP packs, without care for the end: what is not there is zero.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn varint(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1).first().copied().unwrap_or(0);
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }

    fn length(&mut self) -> usize {
        usize::try_from(self.varint()).unwrap_or(0)
    }

    fn text(&mut self) {
        let length = self.length();
        self.take(length);
    }
}

/// Counts the rows of the first table block of each message and acknowledges.
pub(super) fn take(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let (mut socket, _) = Socket::accept_with(stream, VERSION)?;
    let mut message = Vec::new();
    let mut sequence = 0_u64;
    loop {
        match socket.read(&mut message)? {
            BINARY => {
                let rows = rows(&message);
                shared.change(|seen| seen.rows += rows);
                let mut reply = vec![0];
                reply.extend_from_slice(&sequence.to_le_bytes());
                reply.extend_from_slice(&[0, 0]);
                socket.send(BINARY, &reply, &[])?;
                sequence += 1;
            }
            PING => socket.send(PONG, &message, &[])?,
            CLOSE => {
                socket.send(CLOSE, &message, &[])?;
                return socket.flush();
            }
            _ => {}
        }
    }
}

fn rows(message: &[u8]) -> u64 {
    let mut fields = Fields(message);
    let head = fields.take(12);
    if head
        .get(5)
        .is_some_and(|flags| flags & DELTA_DICTIONARY != 0)
    {
        fields.varint();
        for _ in 0..fields.length() {
            fields.text();
        }
    }
    if head.get(6) == Some(&0) {
        return 0;
    }
    fields.text();
    fields.varint()
}

/// Answers every query by the same million rows.
pub(super) fn answer(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let (mut socket, _) = Socket::accept_with(stream, VERSION)?;
    socket.send(BINARY, &Batches::server_info(), &[])?;
    let (mut message, mut symbols_sent) = (Vec::new(), false);
    loop {
        match socket.read(&mut message)? {
            BINARY if message.first() == Some(&0x10) => {
                let mut fields = Fields(&message[1..]);
                let id = fields.take(8).to_vec();
                fields.text();
                let credit = fields.varint();
                stream_rows(&mut socket, shared, &id, credit, &mut symbols_sent)?;
            }
            PING => socket.send(PONG, &message, &[])?,
            CLOSE => {
                socket.send(CLOSE, &message, &[])?;
                return socket.flush();
            }
            _ => {}
        }
    }
}

fn stream_rows(
    socket: &mut Socket,
    shared: &Shared,
    id: &[u8],
    credit: u64,
    symbols_sent: &mut bool,
) -> io::Result<()> {
    let mut left = i64::try_from(credit).unwrap_or(i64::MAX);
    let mut message = Vec::new();
    for sequence in 0..BATCHES {
        let dictionary = shared.batches.dictionary(*symbols_sent);
        *symbols_sent = true;
        let (schema, data) = shared.batches.part(sequence);
        let mut head = vec![0x11];
        head.extend_from_slice(id);
        varint(&mut head, sequence);
        head.extend_from_slice(dictionary);
        head.push(0);
        varint(&mut head, PER_BATCH);
        if sequence == 0 {
            head.extend_from_slice(schema);
        }
        let mut whole = header(DELTA_DICTIONARY, 1, head.len() + data.len());
        whole.extend_from_slice(&head);
        left -= i64::try_from(whole.len() + data.len()).unwrap_or(0);
        socket.send(BINARY, &whole, data)?;
        while credit > 0 && left <= 0 {
            socket.read(&mut message)?;
            if message.first() == Some(&0x15) {
                left += i64::try_from(Fields(&message[9..]).varint()).unwrap_or(0);
            }
        }
    }
    let mut end = vec![0x12];
    end.extend_from_slice(id);
    varint(&mut end, BATCHES - 1);
    varint(&mut end, BATCHES * PER_BATCH);
    socket.send(BINARY, &header(0, 0, end.len()), &end)
}
