//! GET /exec by hand (questdb §10.1), so that what a test reads back does not pass the code it tests.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{PASSWORD, USER};

/// What the server said: the status and the JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// 200, or 400 for a mistake in the statement.
    pub status: u16,
    /// The document.
    pub json: Value,
}

impl Answer {
    /// The rows.
    ///
    /// # Errors
    /// If there are none because the statement failed.
    pub fn rows(&self) -> anyhow::Result<Vec<Vec<Value>>> {
        let rows = self.json.get("dataset").and_then(Value::as_array);
        let rows = rows.with_context(|| format!("no rows: {}", self.json))?;
        Ok(rows
            .iter()
            .map(|row| row.as_array().cloned().unwrap_or_default())
            .collect())
    }

    /// The types of the columns, as the server names them.
    #[must_use]
    pub fn types(&self) -> Vec<String> {
        let columns = self.json.get("columns").and_then(Value::as_array);
        let ty = |column: &Value| {
            column
                .get("type")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        columns.into_iter().flatten().filter_map(ty).collect()
    }
}

/// Runs a statement, with the credentials of the guarded server.
///
/// # Errors
/// If no document comes back in time.
pub fn exec(http: SocketAddr, sql: &str) -> anyhow::Result<Answer> {
    use base64::Engine as _;
    let limit = Duration::from_secs(20);
    let mut stream = TcpStream::connect_timeout(&http, limit)?;
    stream.set_read_timeout(Some(limit))?;
    let login = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    write!(
        stream,
        "GET /exec?query={} HTTP/1.1\r\nHost: {http}\r\nAuthorization: Basic {login}\r\nConnection: close\r\n\r\n",
        escaped(sql)
    )?;
    let mut bytes = Vec::new();
    let deadline = Instant::now() + limit;
    let mut piece = [0; 16 * 1024];
    // The server keeps the line open whatever it is asked, so the end is where the last chunk is.
    let (status, body) = loop {
        if let Some(answer) = whole(&bytes) {
            break answer;
        }
        ensure!(
            Instant::now() < deadline,
            "the answer to {sql} does not end"
        );
        let read = stream.read(&mut piece)?;
        ensure!(read > 0, "the answer to {sql} is cut short");
        bytes.extend_from_slice(piece.get(..read).unwrap_or_default());
    };
    let json = serde_json::from_slice(&body)
        .with_context(|| format!("{status} {}", String::from_utf8_lossy(&body)))?;
    Ok(Answer { status, json })
}

/// The status and the body, once all of it is there.
fn whole(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let rest = bytes.get(end + 4..)?;
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let body = match lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        Some((_, length)) => rest.get(..length.parse().ok()?)?.to_vec(),
        None => unchunked(rest)?,
    };
    Some((status, body))
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..end)?).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            escaped += &format!("%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_put_together_and_a_missing_end_is_seen() {
        assert_eq!(
            unchunked(b"3\r\nabc\r\n02\r\nde\r\n0\r\n\r\n").as_deref(),
            Some(b"abcde".as_slice())
        );
        assert_eq!(unchunked(b"3\r\nabc\r\n"), None);
        assert_eq!(escaped("a b'"), "a%20b%27");
    }
}
