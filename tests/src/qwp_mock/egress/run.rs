//! A connection and the queries on it, one at a time (questdb §13.3).

use anyhow::{bail, ensure};
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::super::codec;
use super::cells::{Form, Symbols, Table, batch, body};
use super::request::Incoming;
use super::{Head, Queries, Request, Socket, Step};

pub(super) async fn connection(
    queries: &Queries,
    head: &Head,
    socket: Socket,
) -> anyhow::Result<()> {
    let mut number = 0;
    queries.note(|log| {
        number = log.connections;
        log.connections += 1;
    });
    let zstd = queries.form.zstd
        && head
            .header("X-QWP-Accept-Encoding")
            .is_some_and(|wanted| wanted.starts_with("zstd"));
    let mut connection = Connection {
        queries,
        number,
        socket,
        symbols: Symbols::default(),
        form: Form {
            zstd,
            ..queries.form
        },
    };
    if queries.introduces {
        connection.send(queries.info.encode()).await?;
    }
    while let Some(incoming) = connection.receive().await? {
        match incoming {
            Incoming::Query(request) => {
                queries.note(|log| log.requests.push(request.clone()));
                let steps = (queries.answers)(&request);
                if !connection.answer(&request, steps).await? {
                    return Ok(());
                }
            }
            // What crossed the end of its query.
            Incoming::Cancel(_) => {}
            Incoming::Credit(request, bytes) => {
                queries.note(|log| log.credits.push((request, bytes)));
            }
        }
    }
    Ok(())
}

struct Connection<'a> {
    queries: &'a Queries,
    number: usize,
    socket: Socket,
    symbols: Symbols,
    form: Form,
}

/// How far a query is.
struct Progress {
    metered: bool,
    credit: i128,
    seq: u64,
    rows: u64,
}

impl Connection<'_> {
    async fn send(&mut self, message: Vec<u8>) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::Binary(message.into())).await?)
    }

    /// The next message; `None` when the client has gone.
    async fn receive(&mut self) -> anyhow::Result<Option<Incoming>> {
        loop {
            match self.socket.next().await {
                None | Some(Err(_) | Ok(Message::Close(_))) => return Ok(None),
                Some(Ok(Message::Binary(message))) => {
                    return Incoming::read(&message, self.number).map(Some);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => bail!("the client sent {other:?}"),
            }
        }
    }

    /// What came while a query runs. False if the query is over with it.
    async fn meanwhile(
        &mut self,
        incoming: Incoming,
        request: &Request,
        progress: &mut Progress,
    ) -> anyhow::Result<bool> {
        match incoming {
            Incoming::Query(_) => bail!("a query while another one runs"),
            Incoming::Cancel(id) => {
                ensure!(
                    id == request.id,
                    "request {id} is cancelled, which does not run"
                );
                self.queries.note(|log| log.cancelled.push(id));
                self.fail(id, 0x0A, "cancelled").await?;
                Ok(false)
            }
            Incoming::Credit(id, bytes) => {
                ensure!(id == request.id, "credit for {id}, which does not run");
                ensure!(progress.metered, "credit for a query without limit");
                progress.credit += i128::from(bytes);
                self.queries.note(|log| log.credits.push((id, bytes)));
                Ok(true)
            }
        }
    }

    async fn fail(&mut self, id: i64, status: u8, message: &str) -> anyhow::Result<()> {
        let mut payload = vec![0x13];
        payload.extend_from_slice(&id.to_le_bytes());
        payload.push(status);
        codec::short_text(&mut payload, message);
        self.send(codec::message(0, 0, &payload)).await
    }

    /// False if the connection is over.
    async fn answer(&mut self, request: &Request, steps: Vec<Step>) -> anyhow::Result<bool> {
        let mut progress = Progress {
            metered: request.credit > 0,
            credit: request.credit.into(),
            seq: 0,
            rows: 0,
        };
        for step in steps {
            // A cancel between two steps comes first.
            while let Some(incoming) = self.receive().now_or_never() {
                let Some(incoming) = incoming? else {
                    return Ok(false);
                };
                if !self.meanwhile(incoming, request, &mut progress).await? {
                    return Ok(true);
                }
            }
            match self.step(step, request, &mut progress).await? {
                After::GoOn => {}
                After::Ended => return Ok(true),
                After::Gone => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn rows(
        &mut self,
        table: &Table,
        times: u64,
        request: &Request,
        progress: &mut Progress,
    ) -> anyhow::Result<After> {
        let rows = u64::try_from(table.first().map_or(0, |(_, cells)| cells.len()))?;
        // All batches but the first of a result have the same bytes behind their number.
        let mut later = None;
        for _ in 0..times {
            while progress.metered && progress.credit <= 0 && progress.seq > 0 {
                let Some(incoming) = self.receive().await? else {
                    return Ok(After::Gone);
                };
                if !self.meanwhile(incoming, request, progress).await? {
                    return Ok(After::Ended);
                }
            }
            let (form, symbols) = (self.form, &mut self.symbols);
            let message = match (&later, progress.seq) {
                (_, 0) => batch(request.id, 0, &body(table, true, form, symbols)),
                (Some(body), seq) => batch(request.id, seq, body),
                (None, seq) => {
                    let sent = symbols.sent;
                    let body = body(table, false, form, symbols);
                    let message = batch(request.id, seq, &body);
                    // New symbols must not be sent twice.
                    later = (symbols.sent == sent).then_some(body);
                    message
                }
            };
            progress.seq += 1;
            progress.rows += rows;
            progress.credit -= i128::try_from(message.len())?;
            self.queries.note(|log| log.batches.push(message.len()));
            self.send(message).await?;
        }
        Ok(After::GoOn)
    }

    async fn step(
        &mut self,
        step: Step,
        request: &Request,
        progress: &mut Progress,
    ) -> anyhow::Result<After> {
        match step {
            Step::Rows(table) => return self.rows(&table, 1, request, progress).await,
            Step::Repeat(table, times) => {
                return self.rows(&table, times, request, progress).await;
            }
            Step::End => {
                let mut payload = vec![0x12];
                payload.extend_from_slice(&request.id.to_le_bytes());
                codec::varint(&mut payload, progress.seq.saturating_sub(1));
                codec::varint(&mut payload, progress.rows);
                self.send(codec::message(0, 0, &payload)).await?;
            }
            Step::Done(affected) => {
                let mut payload = vec![0x16];
                payload.extend_from_slice(&request.id.to_le_bytes());
                payload.push(1);
                codec::varint(&mut payload, affected);
                self.send(codec::message(0, 0, &payload)).await?;
            }
            Step::Fail(status, message) => self.fail(request.id, status, &message).await?,
            Step::FailConnection(status, message) => self.fail(-1, status, &message).await?,
            Step::ForgetSymbols => {
                self.symbols = Symbols::default();
                self.send(codec::message(0, 0, &[0x17, 1])).await?;
            }
            Step::Cut => return Ok(After::Gone),
            Step::Close(code) => {
                let frame = CloseFrame {
                    code: code.into(),
                    reason: "scripted".into(),
                };
                self.socket.send(Message::Close(Some(frame))).await?;
                // Until the client has answered it.
                while self.receive().await?.is_some() {}
                return Ok(After::Gone);
            }
            Step::Hold(gate) => loop {
                let incoming = tokio::select! {
                    () = gate.pass() => break,
                    incoming = self.receive() => incoming?,
                };
                let Some(incoming) = incoming else {
                    return Ok(After::Gone);
                };
                if !self.meanwhile(incoming, request, progress).await? {
                    return Ok(After::Ended);
                }
            },
            Step::Raw(bytes) => self.send(bytes).await?,
        }
        Ok(After::GoOn)
    }
}

enum After {
    GoOn,
    Ended,
    Gone,
}
