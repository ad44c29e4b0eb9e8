//! TLS by rustls with an explicit provider (questdb §7).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{BoxIo, Io};
use crate::error::{Error, ErrorCode, Result, error};
use crate::ingress::Protocol;
use crate::settings::{Address, Roots, Tls};

/// The connector for these options.
///
/// # Errors
/// `ConfigError` for a missing file or what is compiled out, `TlsError` for unusable certificates.
pub(super) fn connector(tls: &Tls) -> Result<TlsConnector> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error!(TlsError, "TLS cannot be set up: {error}"))?;
    let config = if tls.verify {
        builder
            .with_root_certificates(roots(&tls.roots)?)
            .with_no_client_auth()
    } else {
        unverified::config(builder)?
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The handshake over an open connection, within the limit.
///
/// # Errors
/// The code `cut` when the connection is cut, `TlsError` for everything else.
pub(super) async fn handshake(
    connector: &TlsConnector,
    io: impl Io + 'static,
    address: &Address,
    limit: Duration,
    cut: ErrorCode,
) -> Result<BoxIo> {
    let name = ServerName::try_from(address.host.clone()).map_err(|error| {
        error!(
            TlsError,
            "`{}` cannot be the name in a certificate: {error}", address.host
        )
    })?;
    match timeout(limit, connector.connect(name, io)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(failed(&error, address, cut)),
        Err(_) => Err(error!(
            TlsError,
            "{address} did not answer the TLS handshake within {limit:?} (auth_timeout); does the \
             port expect TLS?"
        )),
    }
}

fn failed(error: &std::io::Error, address: &Address, cut: ErrorCode) -> Error {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidMessage(_)) => error!(
            TlsError,
            "{address} does not speak TLS: use the protocol without TLS if the port is a plain one"
        ),
        Some(rustls::Error::InvalidCertificate(reason)) => error!(
            TlsError,
            "the certificate of {address} is refused ({reason}): name its authority with tls_roots \
             or tls_ca, and use a host name that it was issued for"
        ),
        None if is_cut(error.kind()) => Error::new(
            cut,
            format!(
                "{address} closed the connection during the TLS handshake ({error}); does the port \
                 expect TLS?"
            ),
        ),
        _ => error!(TlsError, "the TLS handshake with {address} failed: {error}"),
    }
}

/// The code of a handshake that the peer ends by closing. That is how the listener for plain lines
/// answers one; over HTTP it is tried again, since servers that restart close as well.
pub(super) fn code_of_cut(protocol: Protocol) -> ErrorCode {
    match protocol {
        Protocol::Tcps => ErrorCode::TlsError,
        _ => ErrorCode::SocketError,
    }
}

/// What servers do that stop or restart, as opposed to those that disagree.
fn is_cut(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind as K;
    matches!(
        kind,
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof
    )
}

fn roots(source: &Roots) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    match source {
        Roots::Webpki => add_webpki(&mut store)?,
        Roots::Os => add_os(&mut store)?,
        Roots::WebpkiAndOs => {
            add_webpki(&mut store)?;
            add_os(&mut store)?;
        }
        Roots::File(path) => add_file(&mut store, path)?,
    }
    Ok(store)
}

#[cfg(feature = "tls-webpki-certs")]
#[allow(
    clippy::unnecessary_wraps,
    reason = "its other form, without the feature, fails"
)]
fn add_webpki(store: &mut RootCertStore) -> Result<()> {
    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    Ok(())
}

#[cfg(not(feature = "tls-webpki-certs"))]
fn add_webpki(_: &mut RootCertStore) -> Result<()> {
    Err(error!(
        ConfigError,
        "tls_ca=webpki_roots needs the Cargo feature `tls-webpki-certs`"
    ))
}

#[cfg(feature = "tls-native-certs")]
fn add_os(store: &mut RootCertStore) -> Result<()> {
    let found = rustls_native_certs::load_native_certs();
    let (usable, refused) = store.add_parsable_certificates(found.certs);
    if usable > 0 {
        return Ok(());
    }
    let why = found.errors.first().map_or_else(
        || format!("{refused} certificates, none of them usable"),
        ToString::to_string,
    );
    Err(error!(
        TlsError,
        "the operating system's root certificates cannot be used: {why}; name a file with tls_roots"
    ))
}

#[cfg(not(feature = "tls-native-certs"))]
fn add_os(_: &mut RootCertStore) -> Result<()> {
    Err(error!(
        ConfigError,
        "the operating system's roots in tls_ca need the Cargo feature `tls-native-certs`"
    ))
}

fn add_file(store: &mut RootCertStore, path: &Path) -> Result<()> {
    let pem = std::fs::read(path).map_err(|error| {
        error!(
            ConfigError,
            "tls_roots names {path:?}, which cannot be read: {error}"
        )
    })?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| {
            error!(
                TlsError,
                "the file {path:?} of tls_roots is not PEM: {error}"
            )
        })?;
        store.add(certificate).map_err(|error| {
            error!(
                TlsError,
                "the file {path:?} of tls_roots holds an unusable certificate: {error}"
            )
        })?;
    }
    if store.is_empty() {
        return Err(error!(
            TlsError,
            "the file {path:?} of tls_roots holds no certificate"
        ));
    }
    Ok(())
}

#[cfg(not(feature = "insecure-skip-verify"))]
mod unverified {
    use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};

    use crate::error::{Result, error};

    pub(super) fn config(_: ConfigBuilder<ClientConfig, WantsVerifier>) -> Result<ClientConfig> {
        Err(error!(
            ConfigError,
            "tls_verify=unsafe_off needs the Cargo feature `insecure-skip-verify`"
        ))
    }
}

#[cfg(feature = "insecure-skip-verify")]
mod unverified {
    use std::sync::Arc;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{
        WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
    };
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{
        ClientConfig, ConfigBuilder, DigitallySignedStruct, SignatureScheme, WantsVerifier,
    };

    use crate::error::Result;

    #[allow(
        clippy::unnecessary_wraps,
        reason = "its other form, without the feature, fails"
    )]
    pub(super) fn config(
        builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    ) -> Result<ClientConfig> {
        tracing::warn!(
            "tls_verify=unsafe_off: the server's certificate is not verified, anyone in between can \
             read everything"
        );
        let algorithms = ring::default_provider().signature_verification_algorithms;
        Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(algorithms)))
            .with_no_client_auth())
    }

    /// Takes every certificate and name, but the peer must own the certificate's key.
    #[derive(Debug)]
    struct AnyCertificate(WebPkiSupportedAlgorithms);

    impl ServerCertVerifier for AnyCertificate {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> std::result::Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls12_signature(message, certificate, signature, &self.0)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls13_signature(message, certificate, signature, &self.0)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.supported_schemes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_port_is_an_error_of_tls_for_lines_and_one_of_the_socket_where_it_is_tried_again() {
        let eof = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let address = Address::new("h", 9009);
        for (protocol, code) in [
            (Protocol::Tcps, ErrorCode::TlsError),
            (Protocol::Https, ErrorCode::SocketError),
            (Protocol::Wss, ErrorCode::SocketError),
        ] {
            let error = failed(&eof, &address, code_of_cut(protocol));
            assert_eq!(error.code(), code, "{protocol:?}");
            assert!(error.msg().contains("expect TLS?"), "{error}");
        }
    }
}
