//! From an address to a WebSocket: TCP, TLS, upgrade, frames. Nothing here knows what a request is.

mod cause;
pub(crate) mod deflate;
mod dial;
#[cfg(feature = "rustls")]
mod tls;
mod upgrade;
mod websocket;

pub(crate) use cause::Cause;
#[cfg(test)]
pub(crate) use dial::Pipes;
pub(crate) use dial::{Dialed, Dialer};
#[cfg(feature = "rustls")]
pub(crate) use tls::connector;
pub(crate) use websocket::{Message, WebSocket};

use tokio::io::{AsyncRead, AsyncWrite};

/// What a connection runs over: a TCP socket, a TLS session, or a pipe in tests.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// Any [`Socket`].
pub(crate) type BoxSocket = Box<dyn Socket>;
