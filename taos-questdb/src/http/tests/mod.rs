mod chaos;
mod client;
mod negotiate;
mod write;

use std::time::Duration;

use bytes::Bytes;

use super::{Client, write_lines};
use crate::error::{Error, Result, error};
use crate::ingress::Protocol;
use crate::settings::{Address, Settings};
use crate::testing::{Script, Step, response};

const LINE: &[u8] = b"t,s=x i=1i 1700000000000000000\n";

fn settings() -> Settings {
    Settings::new(Protocol::Http, vec![Address::new("first", 9000)])
}

fn two_servers() -> Settings {
    let addresses = vec![Address::new("first", 9000), Address::new("second", 9000)];
    Settings::new(Protocol::Http, addresses)
}

fn client(script: &Script, settings: &Settings) -> Client {
    Client::with_dialer(settings, script.dialer(settings)).unwrap()
}

async fn write(client: &Client) -> Result<()> {
    write_lines(client, Bytes::from_static(LINE)).await
}

fn status(status: u16) -> Step {
    Step::Answer(response(status, "text/plain", "words of the server"))
}

fn refused() -> Step {
    Step::Refuse(error!(SocketError, "connection refused"))
}

fn statuses_of(count: usize, of: u16) -> Vec<Step> {
    (0..count).map(|_| status(of)).collect()
}
