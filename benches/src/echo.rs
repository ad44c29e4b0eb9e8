//! What a message there and back costs with tokio-tungstenite alone: the floor under a small query.

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::cases::Failure;
use crate::measure::{Stopwatch, Tally};

const ROUND_TRIPS: u64 = 4_000;
const READ_BUFFER: usize = 16 * 1024;

pub(crate) async fn run(dsn: &str) -> Result<String, Failure> {
    let address = dsn
        .strip_prefix("ws://")
        .ok_or("the echo is at ws://HOST:PORT")?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let url = format!("ws://{address}/echo");
    let (mut socket, _) = client_async_with_config(url, stream, Some(config)).await?;
    let clock = Stopwatch::start();
    for n in 0..ROUND_TRIPS {
        let mut payload = vec![0_u8; 64];
        payload[..8].copy_from_slice(&n.to_le_bytes());
        socket.send(Message::binary(payload)).await?;
        let answer = socket.next().await.ok_or("the echo fell silent")??;
        if answer.into_data().get(..8) != Some(&n.to_le_bytes()) {
            return Err("the echo answered something else".into());
        }
    }
    Ok(clock.report(ROUND_TRIPS, &Tally::default()))
}
