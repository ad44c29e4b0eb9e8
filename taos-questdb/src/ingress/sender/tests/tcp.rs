use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, duplex};

use super::*;
use crate::error::ErrorCode;
use crate::settings::{Auth, Secret};
use crate::testing::CountPolls;

async fn connected(room: usize) -> (AsyncSender, DuplexStream) {
    let (ours, theirs) = duplex(room);
    let settings = settings(Protocol::Tcp);
    let dialer = dialer_to(&settings, ours);
    let sender = AsyncSender::connect_with(settings, dialer).await.unwrap();
    (sender, theirs)
}

fn rows(count: usize) -> Buffer {
    let mut buffer = Buffer::default();
    for _ in 0..count {
        add(&mut buffer, "t");
    }
    buffer
}

#[tokio::test(start_paused = true)]
async fn lines_arrive_in_order_and_the_end_after_the_sender_is_dropped() {
    let (mut sender, mut server) = connected(64 * 1024).await;
    let mut buffer = rows(100);
    let expected = buffer.as_bytes().to_vec();
    sender.flush_and_keep(&buffer).await.unwrap();
    sender.flush(&mut buffer).await.unwrap();
    assert!(buffer.is_empty());
    sender.ping().await.unwrap();
    assert!(!sender.must_close());
    drop(sender);
    let mut arrived = Vec::new();
    server.read_to_end(&mut arrived).await.unwrap();
    assert_eq!(arrived, [expected.clone(), expected].concat());
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_flush_the_sender_must_be_closed_and_the_rows_stay() {
    let (mut sender, server) = connected(1024).await;
    drop(server);
    let mut buffer = one_row();
    let error = sender.flush(&mut buffer).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::SocketError);
    assert!(sender.must_close());
    assert_eq!(buffer.as_bytes(), ROW);
    for _ in 0..2 {
        let error = sender.flush(&mut buffer).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::SocketError);
        let error = sender.ping().await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::SocketError);
    }
    let error = sender.flush(&mut Buffer::default()).await.unwrap_err();
    assert_eq!(
        error.code(),
        ErrorCode::SocketError,
        "the connection is checked first"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_closed_is_seen_before_rows_are_given_to_the_system() {
    let (mut sender, mut server) = connected(1024).await;
    sender.flush(&mut one_row()).await.unwrap();
    server.shutdown().await.unwrap();
    let error = sender.flush(&mut one_row()).await.unwrap_err();
    assert!(error.msg().contains("has closed the connection"), "{error}");
    assert!(!error.in_doubt());
    let mut arrived = vec![0; ROW.len()];
    server.read_exact(&mut arrived).await.unwrap();
    assert_eq!(arrived, ROW);
}

#[tokio::test(start_paused = true)]
async fn a_path_that_takes_no_byte_is_given_up_after_the_write_timeout() {
    let (mut sender, _server) = connected(16).await;
    sender.set_write_timeout(Duration::from_secs(3));
    let start = tokio::time::Instant::now();
    let error = sender.flush(&mut rows(10)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::SocketError);
    assert!(error.in_doubt());
    assert_eq!(start.elapsed().as_secs(), 3);
    assert!(sender.must_close());
}

#[tokio::test(start_paused = true)]
async fn a_slow_path_that_goes_on_taking_bytes_is_not_given_up() {
    let (mut sender, mut server) = connected(16).await;
    sender.set_write_timeout(Duration::from_secs(3));
    let mut buffer = rows(20);
    let expected = buffer.as_bytes().to_vec();
    let reader = tokio::spawn(async move {
        let mut arrived = vec![0; expected.len()];
        for byte in arrived.chunks_mut(8) {
            tokio::time::sleep(Duration::from_secs(2)).await;
            server.read_exact(byte).await.unwrap();
        }
        assert_eq!(arrived, expected);
    });
    sender.flush(&mut buffer).await.unwrap();
    reader.await.unwrap();
    assert!(!sender.must_close());
}

#[tokio::test(start_paused = true)]
async fn a_flush_given_up_half_way_keeps_the_rows_and_ends_the_sender() {
    for polls in 1..4 {
        let (mut sender, mut server) = connected(16).await;
        let mut buffer = rows(20);
        let before = buffer.as_bytes().to_vec();
        let reader = tokio::spawn(async move {
            let mut arrived = Vec::new();
            server.read_to_end(&mut arrived).await.unwrap();
            arrived
        });
        let done = CountPolls::new(sender.flush(&mut buffer), polls).await;
        assert!(done.is_none());
        assert_eq!(buffer.as_bytes(), before);
        assert!(sender.must_close());
        sender.flush(&mut buffer).await.unwrap_err();
        let arrived = reader.await.unwrap();
        assert!(arrived.len() < before.len() && before.starts_with(&arrived));
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_http_has_is_refused_and_the_rest_goes_on() {
    let (mut sender, _server) = connected(1024).await;
    let error = sender
        .flush_and_keep_with_flags(&one_row(), true)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall);
    let mut other = Buffer::new(ProtocolVersion::V2);
    add(&mut other, "t");
    let error = sender.flush(&mut other).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ProtocolVersionError);
    sender.flush(&mut one_row()).await.unwrap();
    sender.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_transaction_is_judged_behind_what_is_wrong_with_the_buffer() {
    let (mut sender, _server) = connected(1024).await;
    let mut buffer = Buffer::default();
    sender
        .flush_and_keep_with_flags(&buffer, true)
        .await
        .unwrap();
    buffer.table("t").unwrap();
    let error = sender
        .flush_and_keep_with_flags(&buffer, true)
        .await
        .unwrap_err();
    assert!(!error.msg().contains("transactional"), "{error}");
}

fn one_thread() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap()
}

#[test]
fn outside_of_its_runtime_a_sender_is_refused_and_stays_usable() {
    let home = one_thread();
    let (mut sender, _server) = home.block_on(connected(1024));
    let mut buffer = one_row();
    let error = futures_util::FutureExt::now_or_never(sender.flush(&mut buffer))
        .unwrap()
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall, "{error}");
    for elsewhere in [
        one_thread(),
        tokio::runtime::Builder::new_multi_thread().build().unwrap(),
    ] {
        let error = elsewhere.block_on(sender.flush(&mut buffer)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidApiCall, "{error}");
        assert!(error.msg().contains("another runtime"), "{error}");
        assert!(elsewhere.block_on(sender.ping()).is_err());
    }
    assert_eq!(buffer.as_bytes(), ROW);
    assert!(!sender.must_close());
    home.block_on(sender.flush(&mut buffer)).unwrap();
    let error = futures_util::FutureExt::now_or_never(sender.close())
        .unwrap()
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall, "{error}");
}

#[tokio::test]
async fn the_server_sees_the_end_when_a_flush_fails_and_not_only_when_the_sender_goes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(Protocol::Tcp);
    settings.addresses = vec![Address::new(
        "127.0.0.1",
        listener.local_addr().unwrap().port(),
    )];
    let mut sender = AsyncSender::connect(settings).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    sender.set_write_timeout(Duration::from_millis(50));
    sender.flush(&mut rows(2_000_000)).await.unwrap_err();
    assert!(sender.must_close());
    let mut nowhere = tokio::io::sink();
    let read = tokio::io::copy(&mut server, &mut nowhere);
    let ended = tokio::time::timeout(Duration::from_secs(30), read).await;
    assert!(ended.is_ok(), "the connection is still open");
    drop(sender);
}

/// A key pair made for these tests: `d`, `x`, `y`.
fn key() -> (String, String, String) {
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    let random = ring::rand::SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
            .unwrap();
    let public = pair.public_key().as_ref();
    // The private number follows `04 20`, the tag and length of its octet string.
    let bytes = document.as_ref();
    let at = bytes.windows(2).position(|pair| pair == [4, 32]).unwrap() + 2;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    (
        text(&bytes[at..at + 32]),
        text(&public[1..33]),
        text(&public[33..]),
    )
}

fn with_key(key: &(String, String, String)) -> Settings {
    let mut settings = settings(Protocol::Tcp);
    settings.auth = Auth::Ecdsa {
        key_id: "me".to_owned(),
        private: Secret::new(&key.0),
        x: key.1.clone(),
        y: key.2.clone(),
    };
    settings
}

#[tokio::test(start_paused = true)]
async fn the_challenge_is_signed_with_the_key() {
    let key = key();
    let settings = with_key(&key);
    let (ours, server) = duplex(4096);
    let server = tokio::spawn(async move {
        let mut server = BufReader::new(server);
        let mut line = String::new();
        server.read_line(&mut line).await.unwrap();
        assert_eq!(line, "me\n");
        let challenge: Vec<u8> = (0..512)
            .map(|n| b' ' + u8::try_from(n % 95).unwrap())
            .collect();
        server.write_all(&challenge[..100]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.write_all(&challenge[100..]).await.unwrap();
        server.write_all(b"\n").await.unwrap();
        line.clear();
        server.read_line(&mut line).await.unwrap();
        assert_eq!(line.len(), 89);
        let signature = STANDARD.decode(line.trim_end()).unwrap();
        let point = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let public = [vec![4], point(&key.1), point(&key.2)].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
            .verify(&challenge, &signature)
            .unwrap();
        line.clear();
        server.read_line(&mut line).await.unwrap();
        line
    });
    let dialer = dialer_to(&settings, ours);
    let mut sender = AsyncSender::connect_with(settings, dialer).await.unwrap();
    sender.flush(&mut one_row()).await.unwrap();
    assert_eq!(server.await.unwrap().as_bytes(), ROW);
}

/// The error of a login to which the server answers these bytes and closes, or nothing at all.
async fn login(settings: Settings, answer: Option<&'static [u8]>) -> crate::Error {
    let (ours, mut server) = duplex(64 * 1024);
    tokio::spawn(async move {
        if let Some(answer) = answer {
            server.write_all(answer).await.unwrap();
        } else {
            tokio::time::sleep(Duration::from_secs(1000)).await;
        }
        drop(server);
    });
    let dialer = dialer_to(&settings, ours);
    let connected = AsyncSender::connect_with(settings, dialer).await;
    connected.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_login_that_gets_no_challenge_says_what_came_instead() {
    static LONG: [u8; 5000] = [b'x'; 5000];
    let key = key();
    for (answer, code, words) in [
        (
            Some(&b""[..]),
            ErrorCode::AuthError,
            "in place of a challenge",
        ),
        (Some(b"abc"), ErrorCode::AuthError, "in the middle"),
        (Some(&LONG), ErrorCode::AuthError, "more than 4096 bytes"),
        (None, ErrorCode::SocketError, "within 15s"),
    ] {
        let error = login(with_key(&key), answer).await;
        assert_eq!(error.code(), code, "{error}");
        assert!(error.msg().contains(words), "{error}");
        assert!(!error.msg().contains(&key.0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_is_refused_before_anything_is_sent() {
    let good = key();
    let other = key();
    let long = URL_SAFE_NO_PAD.encode([1; 33]);
    let cases = [
        (
            ("?".to_owned(), good.1.clone(), good.2.clone()),
            "token is not",
        ),
        (
            (good.0.clone(), "a=".to_owned(), good.2.clone()),
            "token_x is not",
        ),
        (
            (good.0.clone(), good.1.clone(), long),
            "token_y has 33 bytes",
        ),
        (
            (other.0.clone(), good.1.clone(), good.2.clone()),
            "not one key",
        ),
        (
            (String::new(), good.1.clone(), good.2.clone()),
            "not one key",
        ),
    ];
    for (key, words) in cases {
        let settings = with_key(&key);
        let dialer = Dialer::new(&settings).unwrap();
        let error = AsyncSender::connect_with(settings, dialer)
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::AuthError);
        assert!(error.msg().contains(words), "{error}");
    }
    let mut settings = with_key(&good);
    let Auth::Ecdsa { key_id, .. } = &mut settings.auth else {
        panic!("it has a key");
    };
    key_id.push('\n');
    let error = AsyncSender::connect(settings).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::AuthError);
}

#[tokio::test]
async fn the_next_address_is_taken_where_nobody_listens() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed_port = closed.local_addr().unwrap().port();
    drop(closed);
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(Protocol::Tcp);
    settings.addresses = vec![
        Address::new("127.0.0.1", closed_port),
        Address::new("localhost", server.local_addr().unwrap().port()),
    ];
    let mut sender = AsyncSender::connect(settings.clone()).await.unwrap();
    let (mut stream, _) = server.accept().await.unwrap();
    let mut arrived = Vec::new();
    let send = async move {
        sender.flush(&mut rows(100_000)).await.unwrap();
        drop(sender);
    };
    let (read, ()) = tokio::join!(stream.read_to_end(&mut arrived), send);
    assert_eq!(read.unwrap(), 100_000 * ROW.len());

    settings.addresses.truncate(1);
    let error = AsyncSender::connect(settings.clone()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::SocketError);
    assert!(error.msg().contains("refused"), "{error}");

    settings.bind_interface = Some("127.0.0.1".to_owned());
    settings.addresses = vec![Address::new(
        "127.0.0.1",
        server.local_addr().unwrap().port(),
    )];
    AsyncSender::connect(settings.clone()).await.unwrap();
    settings.bind_interface = Some("no.such.interface.invalid".to_owned());
    let error = AsyncSender::connect(settings).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::CouldNotResolveAddr);
    assert!(error.msg().contains("bind_interface"), "{error}");
}

#[tokio::test]
async fn the_next_address_is_taken_where_the_first_speaks_no_tls() {
    let (acceptor, certificate) = crate::testing::tls_server("localhost");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roots.pem");
    std::fs::write(&path, certificate).unwrap();
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = |listener: &tokio::net::TcpListener| listener.local_addr().unwrap().port();
    let (first, second) = (port(&mute), port(&listener));
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((tcp, _)) = listener.accept().await {
            kept.push(acceptor.accept(tcp).await);
        }
    });
    for scheme in ["tcps", "https"] {
        let conf = format!(
            "{scheme}::addr=localhost:{first};tls_roots={};",
            path.display()
        );
        let builder = crate::ingress::SenderBuilder::from_conf(conf)
            .and_then(|b| b.auth_timeout(Duration::from_millis(100)))
            .and_then(|b| b.protocol_version(ProtocolVersion::V1))
            .unwrap()
            .address("localhost", second);
        if scheme == "tcps" {
            builder.build_async().await.unwrap();
            continue;
        }
        let client = crate::http::Client::new(&builder.settings().unwrap()).unwrap();
        let request = crate::http::Request::get("/ping", Duration::from_millis(500));
        let error = client.request(request).await.map(drop).unwrap_err();
        let words = error.msg();
        assert!(words.contains(&second.to_string()), "{words}");
    }
}

#[tokio::test]
async fn lines_over_tls_arrive_whole_and_end_in_order() {
    let (acceptor, certificate) = crate::testing::tls_server("localhost");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roots.pem");
    std::fs::write(&path, certificate).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(tcp).await.unwrap();
        let mut arrived = Vec::new();
        // An end without a goodbye would be an error.
        stream.read_to_end(&mut arrived).await.unwrap();
        arrived
    });
    let conf = format!("tcps::addr=localhost:{port};tls_roots={};", path.display());
    let mut sender = AsyncSender::from_conf(conf).await.unwrap();
    assert_eq!(sender.protocol_version(), ProtocolVersion::V1);
    let mut buffer = rows(200_000);
    let expected = buffer.as_bytes().to_vec();
    sender.flush(&mut buffer).await.unwrap();
    drop(sender);
    assert_eq!(server.await.unwrap(), expected);
}
