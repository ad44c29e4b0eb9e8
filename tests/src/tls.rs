//! TLS in front of a server that has none: https, tcps and wss end here.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A running proxy; dropping it cuts all its lines.
#[derive(Debug)]
pub struct TlsProxy {
    address: SocketAddr,
    directory: tempfile::TempDir,
    accepting: JoinHandle<()>,
}

impl TlsProxy {
    /// Ends TLS for `server` with a certificate for `localhost` and `127.0.0.1` that only
    /// [`roots`](Self::roots) vouches for.
    ///
    /// # Errors
    /// If no port can be had, or no certificate made.
    pub async fn to(server: SocketAddr) -> anyhow::Result<Self> {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("roots.pem"), cert.pem())?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = tokio_rustls::rustls::crypto::ring::default_provider();
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Ok(Self {
            address: listener.local_addr()?,
            directory,
            accepting: tokio::spawn(accept(listener, acceptor, server)),
        })
    }

    /// Where clients connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A PEM file with the certificate to trust.
    #[must_use]
    pub fn roots(&self) -> PathBuf {
        let directory: &Path = self.directory.path();
        directory.join("roots.pem")
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, server: SocketAddr) {
    // Dropped with this task, and all lines with it.
    let mut lines = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        lines.spawn(line(client, acceptor.clone(), server));
    }
}

async fn line(client: TcpStream, acceptor: TlsAcceptor, server: SocketAddr) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
