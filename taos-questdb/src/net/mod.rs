//! TCP, TLS and the choice among addresses, without knowledge of requests.

mod dial;
mod patient;
mod ring;
mod tls;

#[cfg(test)]
pub(crate) use dial::Pipes;
pub(crate) use dial::{Dialed, Dialer, Probe};
pub(crate) use ring::Ring;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Handle, Id};

/// What a connection is to those who speak over it, with TLS or without.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + ?Sized> Io for T {}

pub(crate) type BoxIo = Box<dyn Io>;

/// The runtime around the caller: a socket is only woken by the one it was made in.
pub(crate) fn runtime() -> Option<Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}
