use super::peer::error_of;
use crate::builder::TaosBuilder;
use crate::query::Taos;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use std::time::{Duration, Instant};
use taos_query::{AsyncTBuilder as _, Code, ErrorKind, RawResult};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A TLS server with a self-signed certificate for `name`; it answers any request with HTTP 404.
/// Gives its port, its certificate, and everything in clear that clients sent it.
async fn server(name: &str) -> (u16, String, tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>) {
    server_of(name, rustls::DEFAULT_VERSIONS).await
}

async fn server_of(
    name: &str,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> (u16, String, tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, hears) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(tcp).await else {
                continue;
            };
            let mut request = vec![0; 2000];
            let len = tls.read(&mut request).await.unwrap_or(0);
            request.truncate(len);
            let _ = heard.send(request);
            let _ = tls.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n").await;
            let _ = tls.shutdown().await;
        }
    });
    (port, cert.pem(), hears)
}

async fn build(host: &str, port: u16, params: &[(&str, &str)]) -> RawResult<Taos> {
    let mut dsn: taos_query::Dsn = format!("wss://{host}:{port}?conn_retries=0&conn_timeout=5")
        .parse()
        .unwrap();
    for (key, value) in params {
        dsn.set(*key, *value);
    }
    TaosBuilder::from_dsn(dsn)?.build().await
}

#[tokio::test]
async fn an_unknown_certificate_is_refused_before_a_byte_of_http() {
    let (port, _, mut hears) = server("localhost").await;
    let error = error_of(build("localhost", port, &[("token", "tok-tok")]).await);
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.code(), Code::WS_TLS);
    assert!(error.to_string().contains("tls_ca"), "{error}");
    assert!(hears.try_recv().is_err());
}

#[tokio::test]
async fn a_named_authority_is_trusted_as_text_and_as_file() {
    let (port, pem, mut hears) = server("localhost").await;
    let error = error_of(build("localhost", port, &[("tls_ca", &pem)]).await);
    assert!(error.to_string().contains("404"), "{error}");
    let request = String::from_utf8(hears.recv().await.unwrap()).unwrap();
    assert!(request.starts_with("GET /ws HTTP/1.1"), "{request}");
    let path = std::env::temp_dir().join(format!("taos-ws-{}-{port}.pem", std::process::id()));
    std::fs::write(&path, &pem).unwrap();
    let error = error_of(build("localhost", port, &[("tls_ca", path.to_str().unwrap())]).await);
    std::fs::remove_file(&path).unwrap();
    assert!(error.to_string().contains("404"), "{error}");
}

#[tokio::test]
async fn an_address_in_the_certificate_works_and_another_name_is_refused() {
    let (port, pem, _hears) = server("127.0.0.1").await;
    let error = error_of(build("127.0.0.1", port, &[("tls_ca", &pem)]).await);
    assert!(error.to_string().contains("404"), "{error}");
    let (port, pem, mut hears) = server("other.example").await;
    let error = error_of(build("localhost", port, &[("tls_ca", &pem)]).await);
    assert_eq!(error.code(), Code::WS_TLS, "{error}");
    assert!(hears.try_recv().is_err());
}

#[tokio::test]
async fn verification_is_switched_off_only_by_its_full_name() {
    let (port, _, _hears) = server("other.example").await;
    let any = [("tls_mode", "dangerous_accept_any")];
    let error = error_of(build("localhost", port, &any).await);
    assert!(error.to_string().contains("404"), "{error}");
}

#[tokio::test]
async fn only_the_versions_of_the_list_are_offered() {
    for (served, offered, works) in [
        (&rustls::version::TLS13, "TLSv1.2", false),
        (&rustls::version::TLS12, "TLSv1.3", false),
        (&rustls::version::TLS12, "TLSv1.2", true),
        (&rustls::version::TLS13, "TLSv1.3", true),
        (&rustls::version::TLS12, "TLSv1.2,TLSv1.3", true),
        (&rustls::version::TLS13, "TLSv1.3, TLSv1.2", true),
    ] {
        let (port, pem, mut hears) = server_of("localhost", &[served]).await;
        let params = [("tls_ca", pem.as_str()), ("tls_version", offered)];
        let error = error_of(build("localhost", port, &params).await);
        let told = error.to_string();
        assert_eq!(told.contains("404"), works, "{offered}: {told}");
        assert_eq!(error.code() == Code::WS_TLS, !works, "{offered}: {told}");
        assert_eq!(hears.try_recv().is_ok(), works);
    }
}

#[tokio::test]
async fn tls_against_a_plain_port_is_a_clear_error_in_time() {
    // One that answers in clear, and one that says nothing.
    for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut tcp, _)) = listener.accept().await {
                let _ = tcp.write_all(answer).await;
                held.push(tcp);
            }
        });
        let started = Instant::now();
        let error = error_of(build("localhost", port, &[("conn_timeout", "1")]).await);
        assert!(error.to_string().contains("ws://"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(4));
    }
}

#[tokio::test]
async fn a_plain_client_goes_over_to_tls_when_the_server_asks_and_verifies_it() {
    let (tls_port, pem, mut hears) = server("localhost").await;
    // A port that redirects what comes in clear, and passes the rest on to the TLS server.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redirecting = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut first = [0];
            tcp.peek(&mut first).await.unwrap();
            if first == *b"G" {
                let mut request = [0; 2000];
                let _ = tcp.read(&mut request).await;
                let answer = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://x/ws\r\n\r\n";
                tcp.write_all(answer).await.unwrap();
            } else {
                let mut tls = tokio::net::TcpStream::connect(("127.0.0.1", tls_port))
                    .await
                    .unwrap();
                let _ = tokio::io::copy_bidirectional(&mut tcp, &mut tls).await;
            }
        }
    });
    for port in [tls_port, redirecting] {
        let plain = |params: &[(&str, &str)]| {
            let mut dsn: taos_query::Dsn =
                format!("ws://localhost:{port}?conn_retries=0&conn_timeout=5")
                    .parse()
                    .unwrap();
            for (key, value) in params {
                dsn.set(*key, *value);
            }
            async { TaosBuilder::from_dsn(dsn)?.build().await }
        };
        let error = error_of(plain(&[]).await);
        assert_eq!(error.code(), Code::WS_TLS, "{error}");
        assert!(hears.try_recv().is_err());
        let error = error_of(plain(&[("tls_ca", &pem)]).await);
        assert!(error.to_string().contains("404"), "{error}");
        assert!(hears.recv().await.unwrap().starts_with(b"GET /ws "));
        assert!(hears.recv().await.unwrap().starts_with(b"GET /rest/ws "));
    }
}

#[test]
fn an_authority_that_cannot_be_read_is_named() {
    for (ca, words) in [
        ("no/such/file.pem", "no/such/file.pem"),
        ("-----BEGIN NOTHING-----", "not PEM"),
    ] {
        let mut dsn: taos_query::Dsn = "wss://localhost".parse().unwrap();
        dsn.set("tls_ca", ca);
        let error =
            error_of(TaosBuilder::from_dsn(dsn).and_then(|builder| builder.client().map(drop)));
        assert!(error.to_string().contains(words), "{error}");
    }
}
