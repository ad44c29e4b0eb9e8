//! Lines over TCP, to which the server answers nothing (questdb §6).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::timeout;

use super::ecdsa::Key;
use crate::error::{Error, ErrorCode, Result, error};
use crate::net::{BoxIo, Dialer, Probe};
use crate::settings::{Auth, Settings};

/// A path that takes no byte for this long is dead.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// How long a closed connection waits for the server to close its end.
const LINGER: Duration = Duration::from_secs(5);

pub(super) struct Tcp {
    /// Absent once a flush has failed or was given up: what comes next would follow half a line.
    open: Option<Open>,
    tls: bool,
    runtime: Handle,
    peer: String,
    write_limit: Duration,
}

/// Both handles of a socket. It stays open for the server until both are gone.
struct Open {
    io: BoxIo,
    probe: Option<Probe>,
}

impl Tcp {
    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// As [`Dialer::dial`] for the last address; `AuthError`.
    pub(super) async fn connect(settings: &Settings, dialer: &Dialer) -> Result<Self> {
        let key = match &settings.auth {
            Auth::Ecdsa {
                key_id,
                private,
                x,
                y,
            } => Some(Key::new(key_id, private, x, y)?),
            Auth::None | Auth::Basic { .. } | Auth::Token(_) | Auth::Verbatim(_) => None,
        };
        let mut last = None;
        for address in &settings.addresses {
            let peer = address.to_string();
            let made = async {
                let mut dialed = dialer.dial_with_probe(address).await?;
                if let Some(key) = &key {
                    key.log_in(&mut dialed.io, &peer, settings.auth_timeout)
                        .await?;
                }
                Ok(dialed)
            };
            match made.await {
                Ok(dialed) => {
                    return Ok(Self {
                        open: Some(Open {
                            io: dialed.io,
                            probe: dialed.probe,
                        }),
                        tls: settings.tls.is_some(),
                        runtime: Handle::current(),
                        peer,
                        write_limit: WRITE_LIMIT,
                    });
                }
                Err(error) if may_pass_elsewhere(&error) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| error!(ConfigError, "there is no address")))
    }

    pub(super) fn set_write_limit(&mut self, limit: Duration) {
        self.write_limit = limit;
    }

    pub(super) fn is_broken(&self) -> bool {
        self.open.is_none()
    }

    fn gone(&self) -> Error {
        error!(
            SocketError,
            "the connection to {} is closed since an earlier call failed or was given up; make a new \
             sender",
            self.peer
        )
    }

    /// # Errors
    /// `SocketError`, without I/O, when an earlier call failed.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_broken() {
            return Err(self.gone());
        }
        Ok(())
    }

    /// Nobody wakes what waits for a socket in another runtime than the one that drives it, if that
    /// runs on the thread that awaits.
    fn check_runtime(&self) -> Result<()> {
        let Ok(here) = Handle::try_current() else {
            return Err(error!(
                InvalidApiCall,
                "a sender over TCP needs a tokio runtime: await it inside the one that it was made in, or \
                 use the blocking `Sender`"
            ));
        };
        if here.id() != self.runtime.id()
            && self.runtime.runtime_flavor() == RuntimeFlavor::CurrentThread
        {
            return Err(error!(
                InvalidApiCall,
                "the sender to {} was made in another runtime, a single-threaded one that does not run \
                 meanwhile: make a sender in this runtime, or use the blocking `Sender`",
                self.peer
            ));
        }
        Ok(())
    }

    /// Looks whether the server has closed, which is all it ever says.
    ///
    /// # Errors
    /// `InvalidApiCall` outside of the runtime; `SocketError`, and the connection is gone.
    pub(super) async fn look(&mut self) -> Result<()> {
        self.check()?;
        self.check_runtime()?;
        let mut open = self.open.take().ok_or_else(|| self.gone())?;
        // The reactor may not have heard of the end yet.
        let ended = open.probe.as_ref().is_some_and(Probe::has_ended);
        match poll_fn(|cx| Poll::Ready(read(&mut open.io, cx))).await {
            Poll::Ready(Err(error)) => Err(self.failed(&error)),
            Poll::Ready(Ok(1..)) | Poll::Pending if !ended => {
                self.open = Some(open);
                Ok(())
            }
            Poll::Ready(Ok(_)) | Poll::Pending => Err(error!(
                SocketError,
                "{} has closed the connection, as servers do after a line or key that they refuse; its \
                 log says why. Make a new sender",
                self.peer
            )),
        }
    }

    /// Hands the lines to the operating system.
    ///
    /// # Errors
    /// `InvalidApiCall` outside of the runtime; `SocketError`, after which there is no connection any
    /// more.
    pub(super) async fn send(&mut self, lines: &[u8]) -> Result<()> {
        self.look().await?;
        let mut open = self.open.take().ok_or_else(|| self.gone())?;
        let mut left = lines;
        while !left.is_empty() {
            let taken = self
                .step(open.io.write(left))
                .await
                .map_err(Error::doubtful)?;
            left = left.get(taken..).unwrap_or_default();
            if taken == 0 {
                return Err(self.failed(&io::ErrorKind::WriteZero.into()).doubtful());
            }
        }
        self.step(open.io.flush()).await.map_err(Error::doubtful)?;
        self.open = Some(open);
        Ok(())
    }

    async fn step<T>(&self, work: impl Future<Output = io::Result<T>>) -> Result<T> {
        match timeout(self.write_limit, work).await {
            Ok(done) => done.map_err(|error| self.failed(&error)),
            Err(_) => Err(error!(
                SocketError,
                "{} took no byte for {:?}; make a new sender", self.peer, self.write_limit
            )),
        }
    }

    fn failed(&self, error: &io::Error) -> Error {
        error!(
            SocketError,
            "the connection to {} failed: {error}; make a new sender", self.peer
        )
    }

    /// Ends the stream; what is on its way still arrives.
    ///
    /// # Errors
    /// `InvalidApiCall` outside of the runtime, `SocketError`.
    pub(super) async fn close(&mut self) -> Result<()> {
        if self.is_broken() {
            return Ok(());
        }
        self.check_runtime()?;
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        self.step(open.io.shutdown()).await?;
        linger(open.io).await;
        Ok(())
    }
}

/// What another server may do better: its certificate and the keys that it knows are its own.
fn may_pass_elsewhere(error: &Error) -> bool {
    matches!(
        error.code(),
        ErrorCode::CouldNotResolveAddr
            | ErrorCode::ConnectTimeout
            | ErrorCode::SocketError
            | ErrorCode::TlsError
            | ErrorCode::AuthError
    )
}

fn read(io: &mut BoxIo, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut bytes = [0; 64];
    let mut got = ReadBuf::new(&mut bytes);
    Pin::new(io)
        .poll_read(cx, &mut got)
        .map_ok(|()| got.filled().len())
}

/// Waits until the server has read to the end and closes, too. What it sends meanwhile, as tickets of
/// TLS, would otherwise break the connection and what is on its way.
async fn linger(mut io: BoxIo) {
    let mut bytes = [0; 1024];
    let end = async { while matches!(io.read(&mut bytes).await, Ok(1..)) {} };
    // A server that does not close has read what it wanted.
    let _ = timeout(LINGER, end).await;
}

impl Drop for Tcp {
    fn drop(&mut self) {
        let Some(Open { mut io, probe }) = self.open.take() else {
            return;
        };
        // The first poll of a shutdown is the system call.
        let mut cx = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut io).poll_shutdown(&mut cx);
        if let Some(probe) = &probe {
            probe.drain();
        }
        if self.tls {
            self.runtime.spawn(linger(io));
        }
    }
}
