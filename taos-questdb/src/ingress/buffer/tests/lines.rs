//! Lines read back by a small reader of their own, written from the grammar (questdb §3).

use super::super::Buffer;
use crate::ingress::ProtocolVersion;

/// A value as the wire has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Integer(i64),
    /// By its bits, so that NaN is itself.
    Double(u64),
    Text(String),
    Micros(i64),
    Nanos(i64),
    Array(Vec<u32>, Vec<u64>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) table: String,
    pub(super) symbols: Vec<(String, String)>,
    pub(super) columns: Vec<(String, Value)>,
    /// The number and its letter.
    pub(super) time: Option<(i64, String)>,
}

pub(super) fn read(buffer: &Buffer) -> Vec<Row> {
    let mut reader = Reader {
        bytes: buffer.as_bytes(),
        version: buffer.protocol_version(),
    };
    let mut rows = Vec::new();
    while !reader.bytes.is_empty() {
        rows.push(reader.row());
    }
    rows
}

struct Reader<'a> {
    bytes: &'a [u8],
    version: ProtocolVersion,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> u8 {
        let (first, rest) = self.bytes.split_first().unwrap();
        self.bytes = rest;
        *first
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        taken
    }

    fn take_if(&mut self, byte: u8) -> bool {
        let found = self.bytes.first() == Some(&byte);
        if found {
            self.next();
        }
        found
    }

    /// Up to one of these bytes that has no backslash.
    fn text_until(&mut self, ends: &[u8]) -> String {
        let mut text = Vec::new();
        while !ends.contains(&self.bytes[0]) {
            let byte = self.next();
            text.push(if byte == b'\\' { self.next() } else { byte });
        }
        String::from_utf8(text).unwrap()
    }

    fn row(&mut self) -> Row {
        let table = self.text_until(b", \n");
        let mut symbols = Vec::new();
        while self.take_if(b',') {
            let name = self.text_until(b"=");
            self.next();
            symbols.push((name, self.text_until(b", \n")));
        }
        let mut columns = Vec::new();
        // A space and digits at once are the time of a row without columns.
        if self.bytes[0] == b' ' && !self.is_time() {
            self.next();
            loop {
                let name = self.text_until(b"=");
                self.next();
                columns.push((name, self.value()));
                if !self.take_if(b',') {
                    break;
                }
            }
        }
        let time = self.take_if(b' ').then(|| {
            let text = self.text_until(b"\n");
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            (digits.parse().unwrap(), text[digits.len()..].to_owned())
        });
        assert_eq!(self.next(), b'\n');
        Row {
            table,
            symbols,
            columns,
            time,
        }
    }

    fn is_time(&self) -> bool {
        let end = self.bytes.iter().position(|b| matches!(b, b'\n' | b'='));
        end.is_some_and(|end| self.bytes[end] == b'\n')
    }

    fn value(&mut self) -> Value {
        match self.bytes[0] {
            b'"' => {
                self.next();
                let text = self.text_until(b"\"");
                self.next();
                Value::Text(text)
            }
            b'=' => self.binary(),
            _ => self.plain(),
        }
    }

    fn binary(&mut self) -> Value {
        assert_ne!(self.version, ProtocolVersion::V1);
        self.next();
        match self.next() {
            0x10 => Value::Double(self.double()),
            0x0E => {
                assert_eq!(self.next(), 0x0A);
                let rank = self.next();
                let dims: Vec<u32> = (0..rank)
                    .map(|_| u32::from_le_bytes(self.take(4).try_into().unwrap()))
                    .collect();
                let count: u32 = dims.iter().product();
                Value::Array(dims, (0..count).map(|_| self.double()).collect())
            }
            other => panic!("unknown kind of value {other}"),
        }
    }

    fn double(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn plain(&mut self) -> Value {
        let text = self.text_until(b", \n");
        let (digits, last) = text.split_at(text.len() - 1);
        match last {
            "i" => Value::Integer(digits.parse().unwrap()),
            "n" => Value::Nanos(digits.parse().unwrap()),
            "t" if !digits.is_empty() => Value::Micros(digits.parse().unwrap()),
            "t" | "f" => Value::Bool(last == "t"),
            _ => {
                assert_eq!(self.version, ProtocolVersion::V1);
                Value::Double(
                    text.replace("Infinity", "inf")
                        .parse::<f64>()
                        .unwrap()
                        .to_bits(),
                )
            }
        }
    }
}
