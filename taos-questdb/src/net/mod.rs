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

/// What a connection is to those who speak over it, with TLS or without.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + ?Sized> Io for T {}

pub(crate) type BoxIo = Box<dyn Io>;
