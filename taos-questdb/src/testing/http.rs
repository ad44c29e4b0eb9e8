use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::error::Error;
use crate::net::{BoxIo, Dialer, Pipes};
use crate::settings::{Address, Settings};

/// What the server does with the next request, or with the next connection.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// The next connection is not made; without effect when a request comes over an old one.
    Refuse(Error),
    /// Answers with these bytes and keeps the connection.
    Answer(Vec<u8>),
    /// Answers, and closes once it has.
    AnswerAndClose(Vec<u8>),
    /// Reads the request and closes without an answer.
    Close,
    /// Reads the head and so many bytes of the body, and closes.
    CloseAfter(usize),
    /// Answers before it has read the body, and closes.
    AnswerEarly(Vec<u8>),
    /// Reads the request and never answers.
    Mute,
    /// Waits, then answers.
    Late(Duration, Vec<u8>),
}

/// A request that arrived whole, or as far as it got.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Since the script was made.
    pub(crate) at: Duration,
    /// Counts connections.
    pub(crate) connection: usize,
    /// Method, target and version.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// An answer with a body of the media type.
pub(crate) fn response(status: u16, media: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Words\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

struct State {
    steps: VecDeque<Step>,
    seen: Vec<Seen>,
    /// Addresses that were dialed, and when.
    dials: Vec<(Duration, Address)>,
    connections: usize,
}

/// A server that does the steps in turn, whatever connection they come over, and answers 204 to all
/// requests after them.
#[derive(Clone)]
pub(crate) struct Script {
    state: Arc<Mutex<State>>,
    start: Instant,
}

impl Script {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                steps: steps.into_iter().collect(),
                seen: Vec::new(),
                dials: Vec::new(),
                connections: 0,
            })),
            start: Instant::now(),
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub(crate) fn dials(&self) -> Vec<(Duration, Address)> {
        self.state.lock().unwrap().dials.clone()
    }

    /// Steps that are not done yet.
    pub(crate) fn left(&self) -> usize {
        self.state.lock().unwrap().steps.len()
    }

    /// A dialer whose connections are pipes to this server.
    pub(crate) fn dialer(&self, settings: &Settings) -> Dialer {
        let mut dialer = Dialer::new(settings).unwrap();
        let script = self.clone();
        let pipes: Pipes = Arc::new(move |address| script.dialed(address));
        dialer.pipes = Some(pipes);
        dialer
    }

    fn dialed(&self, address: &Address) -> Result<BoxIo, Error> {
        let mut state = self.state.lock().unwrap();
        state.dials.push((self.start.elapsed(), address.clone()));
        if let Some(Step::Refuse(_)) = state.steps.front()
            && let Some(Step::Refuse(error)) = state.steps.pop_front()
        {
            return Err(error);
        }
        drop(state);
        let (ours, theirs) = duplex(64 * 1024);
        tokio::spawn(self.clone().serve(ours));
        Ok(Box::new(theirs))
    }

    /// Listens on a real port.
    pub(crate) async fn listen(&self, tls: Option<TlsAcceptor>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = self.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                match &tls {
                    None => drop(tokio::spawn(script.clone().serve(tcp))),
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(tcp).await {
                            tokio::spawn(script.clone().serve(stream));
                        }
                    }
                }
            }
        });
        address
    }

    async fn serve(self, mut io: impl AsyncRead + AsyncWrite + Unpin) {
        let number = {
            let mut state = self.state.lock().unwrap();
            state.connections += 1;
            state.connections
        };
        while let Some(seen) = self.head(&mut io, number).await {
            let step = self.next();
            if !self.act(step, seen, &mut io).await {
                return;
            }
        }
    }

    /// The next step that is about a request.
    fn next(&self) -> Step {
        let mut state = self.state.lock().unwrap();
        loop {
            match state.steps.pop_front() {
                Some(Step::Refuse(_)) => {}
                Some(step) => return step,
                None => return Step::Answer(response(204, "text/plain", "")),
            }
        }
    }

    /// False ends the connection.
    async fn act(
        &self,
        step: Step,
        mut seen: Seen,
        io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> bool {
        let length = seen.header("content-length").unwrap_or("0");
        let length: usize = length.parse().unwrap();
        let wanted = match step {
            Step::CloseAfter(bytes) => bytes,
            Step::AnswerEarly(_) => 0,
            _ => length,
        };
        seen.body.resize(wanted, 0);
        if io.read_exact(&mut seen.body).await.is_err() {
            return false;
        }
        self.state.lock().unwrap().seen.push(seen);
        match step {
            Step::Refuse(_) => unreachable!("it is not about a request"),
            Step::Answer(bytes) => io.write_all(&bytes).await.is_ok(),
            Step::Late(wait, bytes) => {
                tokio::time::sleep(wait).await;
                io.write_all(&bytes).await.is_ok()
            }
            Step::AnswerAndClose(bytes) | Step::AnswerEarly(bytes) => {
                let _ = io.write_all(&bytes).await;
                let _ = io.shutdown().await;
                false
            }
            Step::Close | Step::CloseAfter(_) => false,
            Step::Mute => {
                // Until the client gives up.
                let _ = io.read_u8().await;
                false
            }
        }
    }

    async fn head(
        &self,
        io: &mut (impl AsyncRead + AsyncWrite + Unpin),
        connection: usize,
    ) -> Option<Seen> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(io.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Some(Seen {
            at: self.start.elapsed(),
            connection,
            line,
            headers,
            body: Vec::new(),
        })
    }
}
