//! The half that takes rows (questdb §12), by a script.

mod message;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use futures::future::BoxFuture;
use futures::{SinkExt as _, StreamExt as _};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};

use super::{Half, Head, Refusal, Socket, codec, lock};
pub use message::{Message, Row, Value};

/// Most messages that a client may have without an answer (questdb §12.7).
const WINDOW: usize = 128;

/// What to do about a message instead of taking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Answer with this status.
    Reject(u8),
    /// End the connection without an answer; nothing of the message stays.
    Cut,
    /// Keep its rows, and end the connection without an answer.
    TakeAndCut,
    /// Send something that is not the protocol.
    Nonsense,
}

#[derive(Default)]
struct State {
    refusals: VecDeque<Refusal>,
    fates: HashMap<usize, Fate>,
    max_batch: Option<usize>,
    durable: bool,
    /// No answers until this is over.
    held: bool,
    connections: usize,
    messages: Vec<Message>,
    rows: Vec<Row>,
    commits: BTreeMap<String, i64>,
    stored: BTreeMap<String, i64>,
    goodbyes: Vec<Option<u16>>,
}

/// Takes rows. Without a script every message is answered by an OK.
pub struct Ingest {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }
}

impl Ingest {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.send_modify(|count| *count += 1);
        result
    }

    /// The next upgrade is refused so; each call is for one more.
    pub fn refuse(&self, refusal: Refusal) {
        self.state().refusals.push_back(refusal);
    }

    /// What happens to the message with tables that comes as number `at`, counted from 0 over all
    /// connections.
    pub fn on_message(&self, at: usize, fate: Fate) {
        self.state().fates.insert(at, fate);
    }

    /// Longest message in bytes, for connections from now on.
    pub fn limit(&self, bytes: usize) {
        self.state().max_batch = Some(bytes);
    }

    /// Connections from now on acknowledge durably, by [`store`](Self::store).
    pub fn acknowledge_durably(&self) {
        self.state().durable = true;
    }

    /// Answers nothing until [`release`](Self::release), which answers with one OK for all.
    pub fn hold(&self) {
        self.state().held = true;
    }

    /// See [`hold`](Self::hold).
    pub fn release(&self) {
        self.change(|state| state.held = false);
    }

    /// Everything committed is now in the object store.
    pub fn store(&self) {
        self.change(|state| state.stored = state.commits.clone());
    }

    /// The rows that are committed, in their order.
    pub fn rows(&self) -> Vec<Row> {
        self.state().rows.clone()
    }

    /// Committed rows of a table.
    pub fn count(&self, table: &str) -> usize {
        let state = self.state();
        state.rows.iter().filter(|row| row.table == table).count()
    }

    /// All messages, in their order.
    pub fn messages(&self) -> Vec<Message> {
        self.state().messages.clone()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// How connections ended: the code of each close frame.
    pub fn goodbyes(&self) -> Vec<Option<u16>> {
        self.state().goodbyes.clone()
    }

    /// Waits until this says so.
    pub async fn until(&self, mut done: impl FnMut(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        while !done(self) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Half for Ingest {
    fn upgrade(&self, head: &Head) -> Result<Vec<(&'static str, String)>, Refusal> {
        let mut state = self.state();
        if let Some(refusal) = state.refusals.pop_front() {
            return Err(refusal);
        }
        let mut headers = vec![("X-QWP-Version", "1".to_owned())];
        if let Some(bytes) = state.max_batch {
            headers.push(("X-QWP-Max-Batch-Size", bytes.to_string()));
        }
        if state.durable && head.header("X-QWP-Request-Durable-Ack") == Some("true") {
            headers.push(("X-QWP-Durable-Ack", "enabled".to_owned()));
        }
        state.connections += 1;
        Ok(headers)
    }

    fn serve(
        self: Arc<Self>,
        _head: Head,
        socket: Socket,
    ) -> BoxFuture<'static, anyhow::Result<()>> {
        let (connection, limit, durable) = {
            let state = self.state();
            let limit = state.max_batch.unwrap_or(usize::MAX);
            (state.connections - 1, limit, state.durable)
        };
        let connection = Connection {
            number: connection,
            limit,
            durable,
            ..Connection::default()
        };
        Box::pin(connection.run(self, socket))
    }
}

/// What follows from a message.
enum Next {
    Go,
    Answer(Vec<u8>),
    End,
}

#[derive(Default)]
struct Connection {
    number: usize,
    limit: usize,
    durable: bool,
    /// The dictionary.
    symbols: Vec<String>,
    /// Messages received.
    received: usize,
    /// Messages answered.
    answered: usize,
    /// Rows of messages that a later one commits.
    deferred: Vec<Row>,
    /// Committed tables that the next OK names.
    tables: BTreeMap<String, i64>,
    told: BTreeMap<String, i64>,
}

impl Connection {
    async fn run(mut self, half: Arc<Ingest>, mut socket: Socket) -> anyhow::Result<()> {
        let mut changed = half.changed.subscribe();
        loop {
            self.answer(&half, &mut socket).await?;
            let frame = tokio::select! {
                frame = socket.next() => frame,
                _ = changed.changed() => continue,
            };
            match frame {
                // A connection may end at any time; what it meant to send is its own matter.
                None | Some(Err(_)) => return Ok(()),
                Some(Ok(Frame::Close(frame))) => {
                    let code = frame.map(|frame| frame.code.into());
                    half.change(|state| state.goodbyes.push(code));
                }
                Some(Ok(Frame::Binary(bytes))) if bytes.len() > self.limit => {
                    let reason = CloseFrame {
                        code: CloseCode::Size,
                        reason: "too long".into(),
                    };
                    socket.close(Some(reason)).await?;
                    anyhow::bail!(
                        "a message of {} bytes, allowed are {}",
                        bytes.len(),
                        self.limit
                    );
                }
                Some(Ok(Frame::Binary(bytes))) => match self.take(&half, &bytes)? {
                    Next::Go => {}
                    Next::Answer(answer) => {
                        socket.send(Frame::Binary(answer.into())).await?;
                    }
                    Next::End => return Ok(()),
                },
                Some(Ok(Frame::Text(_))) => anyhow::bail!("text from the client"),
                Some(Ok(_)) => {}
            }
        }
    }

    fn take(&mut self, half: &Ingest, bytes: &Bytes) -> anyhow::Result<Next> {
        let sequence = self.received;
        self.received += 1;
        anyhow::ensure!(
            self.received - self.answered <= WINDOW,
            "more than {WINDOW} messages without an answer"
        );
        let message = match Message::decode(bytes, &mut self.symbols, self.number)? {
            Ok(message) => message,
            Err(gap) => {
                self.answered = self.received;
                return Ok(Next::Answer(rejection(0x0D, sequence, &gap)));
            }
        };
        let fate = half.change(|state| {
            let at = state
                .messages
                .iter()
                .filter(|m| !m.tables.is_empty())
                .count();
            let fate = (!message.tables.is_empty())
                .then(|| state.fates.remove(&at))
                .flatten();
            state.messages.push(message.clone());
            fate
        });
        match fate {
            Some(Fate::Cut) => return Ok(Next::End),
            Some(Fate::Nonsense) => return Ok(Next::Answer(vec![0xEE])),
            Some(Fate::Reject(status)) => {
                self.answered = self.received;
                let answer = rejection(status, sequence, "refused by the script");
                return Ok(Next::Answer(answer));
            }
            Some(Fate::TakeAndCut) | None => {}
        }
        self.deferred.extend(message.rows());
        if !message.deferred {
            let rows = std::mem::take(&mut self.deferred);
            half.change(|state| {
                for table in &message.tables {
                    let commit = state.commits.entry(table.clone()).or_default();
                    *commit += 1;
                    self.tables.insert(table.clone(), *commit);
                }
                state.rows.extend(rows);
            });
        }
        Ok(match fate {
            Some(_) => Next::End,
            None => Next::Go,
        })
    }

    /// One OK for everything without an answer, then what has been stored.
    async fn answer(&mut self, half: &Ingest, socket: &mut Socket) -> anyhow::Result<()> {
        let (held, stored) = {
            let state = half.state();
            (state.held, state.stored.clone())
        };
        if held {
            return Ok(());
        }
        if self.answered < self.received {
            self.answered = self.received;
            let mut ok = vec![0];
            ok.extend_from_slice(&i64::try_from(self.received - 1)?.to_le_bytes());
            name_tables(&mut ok, &std::mem::take(&mut self.tables));
            socket.send(Frame::Binary(ok.into())).await?;
        }
        if self.durable && stored != self.told {
            let mut ack = vec![2];
            name_tables(&mut ack, &stored);
            self.told = stored;
            socket.send(Frame::Binary(ack.into())).await?;
        }
        Ok(())
    }
}

fn name_tables(out: &mut Vec<u8>, tables: &BTreeMap<String, i64>) {
    let count = u16::try_from(tables.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_le_bytes());
    for (table, commit) in tables {
        codec::short_text(out, table);
        out.extend_from_slice(&commit.to_le_bytes());
    }
}

fn rejection(status: u8, sequence: usize, why: &str) -> Vec<u8> {
    let mut out = vec![status];
    out.extend_from_slice(&i64::try_from(sequence).unwrap_or(i64::MAX).to_le_bytes());
    codec::short_text(&mut out, why);
    out
}
