//! Asks the server what arrived, without either of the clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::Failure;

/// Rows that a server has accepted but not yet shown are waited for as long as this.
const PATIENCE: Duration = Duration::from_secs(120);

/// The body of the answer to a GET.
pub(crate) fn get(address: &str, path: &str) -> Result<String, Failure> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    // QuestDB keeps the connection open, whatever it is asked for.
    while !ended(&answer) {
        match stream.read(&mut piece)? {
            0 => break,
            length => answer.extend_from_slice(&piece[..length]),
        }
    }
    let answer = String::from_utf8(answer)?;
    let (_, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| format!("GET {path} was answered by {answer:?}"))?;
    Ok(body.to_owned())
}

/// Whether the last chunk is there.
fn ended(answer: &[u8]) -> bool {
    answer.ends_with(b"0\r\n\r\n")
}

/// Runs a statement on a QuestDB server.
pub(crate) fn exec(address: &str, sql: &str) -> Result<String, Failure> {
    let query: String = sql
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    get(address, &format!("/exec?query={query}"))
}

/// Waits until `table` has that many rows; gives a sum over what is in them.
pub(crate) fn verified(address: &str, table: &str, rows: u64) -> Result<u64, Failure> {
    let sql = format!("select count(), sum(sequence % 1000), count_distinct(symbol) from {table}");
    let since = Instant::now();
    loop {
        let answer = exec(address, &sql)?;
        let found = answer
            .split_once("\"dataset\":[[")
            .and_then(|(_, rest)| rest.split_once(']'))
            .map(|(row, _)| row.to_owned());
        let count = found
            .as_deref()
            .and_then(|row| row.split(',').next()?.parse::<u64>().ok());
        match (count, found) {
            (Some(count), Some(row)) if count == rows => return Ok(super::hash(row.as_bytes())),
            (Some(count), _) if count > rows => {
                return Err(format!("{table} has {count} rows instead of {rows}").into());
            }
            // A table that is not there yet is an error of the server's.
            _ if since.elapsed() > PATIENCE => {
                return Err(format!("{table} lacks rows of {rows}: {answer}").into());
            }
            _ => thread::sleep(Duration::from_millis(100)),
        }
    }
}
