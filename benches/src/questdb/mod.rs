//! A server for the QuestDB bench that speaks all of it on one port: lines over HTTP and over bare TCP, and
//! QWP in both directions. It sums up what arrives and forgets it; `GET /seen` tells the sum and starts anew.

mod batches;
mod http;
mod qwp;

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use batches::Batches;

/// What was written since the last question.
#[derive(Default)]
struct Seen {
    rows: u64,
    sum: Sum,
    /// Connections that may still bring something.
    open: usize,
}

/// FNV-1a over bytes, however they are cut into pieces.
#[derive(Clone, Copy)]
struct Sum(u64);

impl Default for Sum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    closed: Condvar,
    batches: Batches,
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        self.closed.notify_all();
    }

    /// Waits until only the asking connection is left.
    fn take(&self) -> String {
        let guard = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = self
            .closed
            .wait_while(guard, |seen| seen.open > 1)
            .unwrap_or_else(PoisonError::into_inner);
        let told = format!("{} rows, sum {:016x}", seen.rows, seen.sum.0);
        *seen = Seen {
            open: seen.open,
            ..Seen::default()
        };
        told
    }
}

/// Starts the server on a free port of the loopback interface; it lives as long as the process.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let shared = Arc::new(Shared::default());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Here and not in the thread: whoever asks afterwards must wait for this one.
            shared.change(|seen| seen.open += 1);
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                // A client that goes away in the middle is no news here.
                let _ = serve(stream, &shared);
                shared.change(|seen| seen.open -= 1);
            });
        }
    });
    Ok(address)
}

/// Finds out what the other side speaks from its first bytes, which stay in the stream.
fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0; 24];
    let mut known = 0;
    loop {
        let ready = stream.peek(&mut first)?;
        let head = &first[..ready];
        let whole = ready == first.len() || head.contains(&b'\n') || ready == known;
        if whole {
            return if head.starts_with(b"GET /read/") {
                qwp::answer(stream, shared)
            } else if head.starts_with(b"GET /write/") || head.starts_with(b"GET /api/v4/write") {
                qwp::take(stream, shared)
            } else if head.starts_with(b"GET ") || head.starts_with(b"POST ") {
                http::serve(stream, shared)
            } else {
                lines(stream, shared)
            };
        }
        known = ready;
    }
}

fn lines(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut sum = Sum::default();
    let mut piece = vec![0; 256 * 1024];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(length) => sum.add(&piece[..length]),
        }
    }
    shared.change(|seen| seen.sum = sum);
    Ok(())
}
