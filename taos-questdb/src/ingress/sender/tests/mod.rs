mod auto;
mod http;
mod progress;
mod tcp;

use std::sync::{Arc, Mutex};

use tokio::io::DuplexStream;

use super::AsyncSender;
use crate::error::Result;
use crate::ingress::{Buffer, Protocol, ProtocolVersion, TimestampNanos};
use crate::net::{BoxIo, Dialer, Pipes};
use crate::settings::{Address, Settings};
use crate::testing::Script;

fn settings(protocol: Protocol) -> Settings {
    let mut settings = Settings::new(protocol, vec![Address::new("first", 9000)]);
    settings.protocol_version = Some(ProtocolVersion::V1);
    settings
}

async fn over_http(script: &Script, settings: Settings) -> AsyncSender {
    let dialer = script.dialer(&settings);
    AsyncSender::connect_with(settings, dialer).await.unwrap()
}

/// A dialer whose first connection is this one, with no other after it.
fn dialer_to(settings: &Settings, io: DuplexStream) -> Dialer {
    let io = Mutex::new(Some(Box::new(io) as BoxIo));
    let pipes: Pipes = Arc::new(move |_| Ok(io.lock().unwrap().take().unwrap()));
    let mut dialer = Dialer::new(settings).unwrap();
    dialer.pipes = Some(pipes);
    dialer
}

fn add(buffer: &mut Buffer, table: &str) {
    let row = buffer.table(table).unwrap().column_i64("i", 1).unwrap();
    row.at(TimestampNanos::new(7)).unwrap();
}

fn one_row() -> Buffer {
    let mut buffer = Buffer::default();
    add(&mut buffer, "t");
    buffer
}

const ROW: &[u8] = b"t i=1i 7\n";

#[allow(dead_code, reason = "a statement about types")]
fn senders_and_their_futures_move_between_threads(sender: &mut AsyncSender, buffer: &mut Buffer) {
    fn send<T: Send>(_: T) {}
    fn both<T: Send + Sync>() {}
    both::<AsyncSender>();
    both::<crate::ingress::Sender>();
    send(sender.flush(buffer));
    send(sender.at(buffer, TimestampNanos::now()));
    send(sender.flush_and_keep(buffer));
    send(sender.ping());
    send::<Result<()>>(Ok(()));
}
