use super::*;
use crate::error::ErrorCode;
use crate::http::Request;
use crate::testing::CountPolls;

fn get(target: &str) -> Request {
    Request::get(target, Duration::from_secs(5))
}

#[tokio::test(start_paused = true)]
async fn a_connection_serves_one_request_after_the_other() {
    let script = Script::new([
        Step::Answer(response(400, "text/plain", "no")),
        Step::Answer(response(200, "text/plain", "body")),
    ]);
    let client = client(&script, &settings());
    write(&client).await.unwrap_err();
    let answer = client.request(get("/exec?query=x")).await.unwrap();
    assert_eq!(answer.read_to_end(100).await.unwrap(), "body");
    write(&client).await.unwrap();
    let connections: Vec<usize> = script.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 1, 1]);
    assert_eq!(client.idle_connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_closed_while_idle_costs_nothing_but_a_new_one() {
    let ok = response(204, "text/plain", "");
    let script = Script::new([Step::AnswerAndClose(ok.clone()), Step::AnswerAndClose(ok)]);
    let mut settings = settings();
    settings.http.retry_timeout = Duration::ZERO;
    let client = client(&script, &settings);
    for _ in 0..3 {
        write(&client).await.unwrap();
        tokio::task::yield_now().await;
    }
    let seen = script.seen();
    assert_eq!(seen.len(), 3, "each flush arrived once");
    assert_eq!(script.dials().len(), 3);
}

#[tokio::test]
async fn a_real_connection_closed_while_idle_is_seen_before_the_reactor_tells() {
    let ok = response(204, "text/plain", "");
    let script = Script::new([Step::AnswerAndClose(ok)]);
    let address = script.listen(None).await;
    let addresses = vec![Address::new("127.0.0.1", address.port())];
    let mut settings = Settings::new(Protocol::Http, addresses);
    settings.http.retry_timeout = Duration::ZERO;
    let client = Client::new(&settings).unwrap();
    write(&client).await.unwrap();
    // The server has closed when its end of the connection is gone; the wait is for that only.
    tokio::time::sleep(Duration::from_millis(20)).await;
    write(&client).await.unwrap();
    assert_eq!(script.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_breaks_is_replaced_for_requests_that_may_be_repeated() {
    let script = Script::new([status(200), Step::Close, status(200)]);
    let client = client(&script, &settings());
    for _ in 0..2 {
        let answer = client.request(get("/exec?query=x")).await.unwrap();
        answer.read_to_end(100).await.unwrap();
    }
    assert_eq!(script.seen().len(), 3);

    let script = Script::new([status(200), Step::Close]);
    let client = super::client(&script, &settings());
    let mut once = get("/exec?query=insert");
    once.repeatable = false;
    let answer = client.request(once.clone()).await.unwrap();
    answer.read_to_end(100).await.unwrap();
    let error = client.request(once).await.err().unwrap();
    assert!(error.in_doubt());
    assert_eq!(error.code(), ErrorCode::SocketError);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_server_is_passed_over_also_without_retries() {
    let script = Script::new([refused(), status(200)]);
    let client = client(&script, &two_servers());
    let answer = client.request(get("/exec")).await.unwrap();
    assert_eq!(answer.url(), "http://second:9000/exec");
    let script = Script::new([refused(), refused()]);
    let client = super::client(&script, &two_servers());
    assert!(client.request(get("/exec")).await.is_err());
    assert_eq!(script.dials().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_chunked_body_is_read_as_it_comes() {
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let script = Script::new([Step::Answer(chunked.to_vec())]);
    let client = client(&script, &settings());
    let mut answer = client.request(get("/exec")).await.unwrap();
    let mut whole = Vec::new();
    while let Some(piece) = answer.chunk().await.unwrap() {
        whole.extend_from_slice(&piece);
    }
    assert_eq!(whole, b"abcde");
    assert_eq!(answer.chunk().await.unwrap(), None, "the end stays the end");
    assert_eq!(client.idle_connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_cut_off_or_too_long_or_stopped_is_an_error() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_vec();
    let script = Script::new([
        Step::AnswerAndClose(cut.clone()),
        Step::Answer(response(200, "text/plain", "0123456789")),
        Step::Answer(cut),
    ]);
    let client = client(&script, &settings());
    for (max, said) in [(100, "broke off"), (9, "longer than 9"), (100, "within 5s")] {
        let answer = client.request(get("/exec")).await.unwrap();
        let error = answer.read_to_end(max).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::SocketError);
        assert!(error.msg().contains(said), "{error}");
        assert_eq!(client.idle_connections(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_answer_takes_its_connection_along() {
    let script = Script::new([status(200), status(200)]);
    let client = client(&script, &settings());
    drop(client.request(get("/exec")).await.unwrap());
    assert_eq!(client.idle_connections(), 0);
    client.request(get("/exec")).await.unwrap();
    assert_eq!(script.dials().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_head_without_end_is_refused() {
    let mut endless = b"HTTP/1.1 200 OK\r\n".to_vec();
    for n in 0..40_000 {
        endless.extend_from_slice(format!("h{n}: 0123456789\r\n").as_bytes());
    }
    let script = Script::new([Step::Answer(endless)]);
    let client = client(&script, &settings());
    assert!(client.request(get("/exec")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_request_dropped_at_any_point_leaves_the_client_usable() {
    for polls in 1..12 {
        let script = Script::new([
            status(503),
            Step::Late(Duration::from_secs(1), response(204, "text/plain", "")),
        ]);
        let client = client(&script, &settings());
        let done = CountPolls::new(write(&client), polls).await;
        let before = script.seen().len();
        if done.is_some() {
            assert!(polls > 2, "there was something to wait for");
        }
        client.request(get("/ping")).await.unwrap();
        assert!(script.seen().len() <= before + 2);
    }
}

#[tokio::test(start_paused = true)]
async fn many_requests_at_once_share_a_few_kept_connections() {
    let script = Script::new([]);
    let client = client(&script, &settings());
    let all = (0..30).map(|_| write(&client));
    for done in futures_util::future::join_all(all).await {
        done.unwrap();
    }
    assert_eq!(script.seen().len(), 30);
    assert_eq!(client.idle_connections(), 8);
}

#[test]
fn a_connection_of_one_runtime_is_not_used_in_another() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let server = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let script = Script::new([]);
    let address = server.block_on(script.listen(None));
    let addresses = vec![Address::new("127.0.0.1", address.port())];
    let client = Client::new(&Settings::new(Protocol::Http, addresses)).unwrap();
    let first = runtime();
    first.block_on(write(&client)).unwrap();
    runtime().block_on(write(&client)).unwrap();
    first.block_on(write(&client)).unwrap();
    let seen = script.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].connection, seen[2].connection);
    assert_ne!(seen[0].connection, seen[1].connection);
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    use std::task::{Context, Poll, Waker};
    let client = Client::new(&settings()).unwrap();
    let mut asked = std::pin::pin!(client.request(get("/ping")));
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Err(error)) = asked.as_mut().poll(&mut cx) else {
        panic!("it waits");
    };
    assert_eq!(error.code(), ErrorCode::InvalidApiCall);
}

#[tokio::test]
async fn certificates_are_judged_by_the_named_file_and_the_name() {
    use crate::settings::{Roots, Tls};
    let (acceptor, certificate) = crate::testing::tls_server("localhost");
    let script = Script::new([]);
    let port = script.listen(Some(acceptor)).await.port();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roots.pem");
    std::fs::write(&path, certificate).unwrap();
    let with = |host: &str, roots: Roots| {
        let mut settings = Settings::new(Protocol::Https, vec![Address::new(host, port)]);
        settings.tls = Some(Tls {
            roots,
            verify: true,
        });
        settings
    };
    let file = || Roots::File(path.clone());
    let trusted = Client::new(&with("localhost", file())).unwrap();
    write(&trusted).await.unwrap();
    write(&trusted).await.unwrap();
    assert_eq!(script.seen()[0].connection, script.seen()[1].connection);
    for (host, roots) in [("127.0.0.1", file()), ("localhost", Roots::Webpki)] {
        let error = write(&Client::new(&with(host, roots)).unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::TlsError, "{host}: {error}");
    }
    let mut unsafe_off = with("127.0.0.1", Roots::Webpki);
    if let Some(tls) = &mut unsafe_off.tls {
        tls.verify = false;
    }
    match Client::new(&unsafe_off) {
        Ok(client) if cfg!(feature = "insecure-skip-verify") => write(&client).await.unwrap(),
        Err(error) if !cfg!(feature = "insecure-skip-verify") => {
            assert_eq!(error.code(), ErrorCode::ConfigError);
        }
        other => panic!("{}", other.is_ok()),
    }
    std::fs::write(&path, "no certificate").unwrap();
    let error = Client::new(&with("localhost", file())).err().unwrap();
    assert_eq!(error.code(), ErrorCode::TlsError);
    std::fs::remove_file(&path).unwrap();
    let error = Client::new(&with("localhost", file())).err().unwrap();
    assert_eq!(error.code(), ErrorCode::ConfigError);
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_is_out_is_read_although_the_rest_fails() {
    for _ in 0..20 {
        let refusal = response(401, "text/plain", "Unauthorized");
        let script = Script::new([Step::AnswerEarly(refusal)]);
        let port = script.listen(None).await.port();
        let address = Address::new("127.0.0.1", port);
        let client = Client::new(&Settings::new(Protocol::Http, vec![address])).unwrap();
        let lines = Bytes::from(vec![b'\n'; 8_000_000]);
        let error = write_lines(&client, lines).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::AuthError, "{error}");
        assert_eq!(script.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_is_given_up_after_auth_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    let mut settings = Settings::new(Protocol::Https, vec![address]);
    settings.auth_timeout = Duration::from_millis(50);
    let error = write(&Client::new(&settings).unwrap()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TlsError);
    assert!(error.msg().contains("50ms"), "{error}");
}

#[tokio::test]
async fn a_connection_cut_during_the_handshake_is_tried_again_as_any_other() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    let accepted = tokio::spawn(async move {
        let mut count = 0;
        while count < 3 {
            drop(listener.accept().await.unwrap());
            count += 1;
        }
    });
    let mut settings = Settings::new(Protocol::Https, vec![address]);
    settings.http.retry_timeout = Duration::from_millis(500);
    let error = write(&Client::new(&settings).unwrap()).await.unwrap_err();
    accepted.await.unwrap();
    assert_eq!(error.code(), ErrorCode::SocketError);
}

#[allow(dead_code, reason = "a statement about types")]
fn requests_can_move_between_threads(client: &Client) {
    fn send<T: Send>(_: T) {}
    send(client.request(get("/ping")));
    send(write(client));
    send::<Option<Error>>(None);
}
