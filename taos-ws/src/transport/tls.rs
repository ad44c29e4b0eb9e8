//! TLS by rustls with an explicit provider; certificates are verified unless the DSN spells out
//! that they must not be.

use crate::config::{TlsMode, TlsOptions};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use std::sync::Arc;
use taos_query::{Code, ErrorKind, RawError};
use tokio_rustls::TlsConnector;

fn tls_error(message: String) -> RawError {
    RawError::of(ErrorKind::Config, message).with_code(Code::WS_TLS)
}

/// The connector for these options.
///
/// # Errors
/// A `tls_ca` that cannot be read or holds no certificate.
pub(crate) fn connector(options: &TlsOptions) -> Result<TlsConnector, RawError> {
    let provider = Arc::new(ring::default_provider());
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    if options.tls13 {
        versions.push(&rustls::version::TLS13);
    }
    if options.tls12 {
        versions.push(&rustls::version::TLS12);
    }
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions)
        .map_err(|e| tls_error(format!("TLS cannot be set up: {e}")))?;
    let config = match (options.mode, &options.ca) {
        (TlsMode::AcceptAny, _) => {
            tracing::warn!(
                "tls_mode=dangerous_accept_any: the server's certificate is not verified, \
                 anyone in between can read the password"
            );
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
                .with_no_client_auth()
        }
        (TlsMode::Verify, Some(ca)) => builder
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth(),
        (TlsMode::Verify, None) => builder
            .with_platform_verifier()
            .map_err(|e| {
                tls_error(format!(
                    "the system's root certificates cannot be used: {e}; \
                     name a certificate file with tls_ca"
                ))
            })?
            .with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// `ca` is PEM text or the path of a PEM file.
fn roots(ca: &str) -> Result<RootCertStore, RawError> {
    let (pem, place) = if ca.contains("-----BEGIN") {
        (ca.as_bytes().to_vec(), "the text of tls_ca".to_owned())
    } else {
        let pem = std::fs::read(ca)
            .map_err(|e| tls_error(format!("tls_ca names `{ca}`, which cannot be read: {e}")))?;
        (pem, format!("the file `{ca}` of tls_ca"))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|e| tls_error(format!("{place} is not PEM: {e}")))?;
        roots
            .add(certificate)
            .map_err(|e| tls_error(format!("{place} holds an unusable certificate: {e}")))?;
    }
    if roots.is_empty() {
        return Err(tls_error(format!("{place} holds no certificate")));
    }
    Ok(roots)
}

/// The error of a failed TLS handshake, with what to do about it.
pub(crate) fn handshake_error(error: &std::io::Error, address: &str) -> RawError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let message = match inner {
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("{address} does not speak TLS: use ws:// if the port is a plain one")
        }
        Some(rustls::Error::InvalidCertificate(reason)) => format!(
            "the certificate of {address} is refused ({reason}): name its authority with tls_ca, \
             and use a host name that it was issued for"
        ),
        _ if error.kind() == std::io::ErrorKind::UnexpectedEof => format!(
            "{address} closed the connection during the TLS handshake: \
             use ws:// if the port is a plain one"
        ),
        _ => format!("the TLS handshake with {address} failed: {error}"),
    };
    RawError::of(ErrorKind::Connect, message).with_code(Code::WS_TLS)
}

/// Takes every certificate, but still checks that the peer owns its key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
