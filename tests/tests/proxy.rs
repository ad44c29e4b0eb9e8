//! The fault proxy itself, between a plain WebSocket client and an echo: each fault does what it says.
#![allow(
    clippy::unwrap_used,
    reason = "what the helpers set up must be there, or the test fails"
)]

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use taos_tests::proxy::{Builder, Direction, Fault, Proxy};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<TcpStream>;

/// Sends each data message back as it came.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = accept_async(stream).await?;
                while let Some(message) = socket.next().await {
                    let message = message?;
                    if message.is_text() || message.is_binary() {
                        socket.send(message).await?;
                    }
                }
                Ok::<_, Error>(())
            });
        }
    });
    address
}

async fn through(rules: impl FnOnce(Builder) -> Builder) -> (Proxy, Socket) {
    let proxy = rules(Proxy::to(echo().await)).start().await.unwrap();
    let socket = connect(&proxy).await;
    (proxy, socket)
}

async fn connect(proxy: &Proxy) -> Socket {
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let url = format!("ws://{}/", proxy.address());
    client_async(url, stream).await.unwrap().0
}

async fn say(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

async fn hear(socket: &mut Socket) -> Result<String, Error> {
    let next = tokio::time::timeout(LONG, socket.next());
    let message = next
        .await
        .expect("an answer in time")
        .ok_or(Error::ConnectionClosed)??;
    Ok(message.into_text()?.to_string())
}

#[tokio::test]
async fn frames_pass_unchanged_where_no_rule_says_otherwise() {
    let (proxy, mut socket) = through(|proxy| proxy.on(Direction::ToServer, 9, Fault::Cut)).await;
    let long = "x".repeat(70_000);
    for text in ["a", &long[..200], &long] {
        say(&mut socket, text).await;
        assert_eq!(hear(&mut socket).await.unwrap(), text);
    }
    assert_eq!(proxy.struck(), 0);
}

#[tokio::test]
async fn a_cut_line_ends_at_the_frame_named_and_the_next_connection_is_whole() {
    let (proxy, mut socket) = through(|proxy| proxy.on(Direction::ToClient, 2, Fault::Cut)).await;
    say(&mut socket, "one").await;
    assert_eq!(hear(&mut socket).await.unwrap(), "one");
    say(&mut socket, "two").await;
    assert!(hear(&mut socket).await.is_err());
    let mut again = connect(&proxy).await;
    for text in ["one", "two", "three"] {
        say(&mut again, text).await;
        assert_eq!(hear(&mut again).await.unwrap(), text);
    }
    assert_eq!((proxy.struck(), proxy.connections()), (1, 2));
}

#[tokio::test]
async fn a_frame_cut_in_the_middle_does_not_arrive() {
    let (_proxy, mut socket) =
        through(|proxy| proxy.on(Direction::ToClient, 1, Fault::CutAfter(3))).await;
    say(&mut socket, "hello").await;
    assert!(hear(&mut socket).await.is_err());
}

#[tokio::test]
async fn pieces_add_up_to_the_frame() {
    let (proxy, mut socket) = through(|proxy| {
        proxy.on(Direction::ToServer, 1, Fault::Split(1)).on(
            Direction::ToClient,
            1,
            Fault::Split(7),
        )
    })
    .await;
    let text = "0123456789".repeat(40);
    say(&mut socket, &text).await;
    assert_eq!(hear(&mut socket).await.unwrap(), text);
    assert_eq!(proxy.struck(), 2);
}

#[tokio::test]
async fn a_stalled_line_stays_open_and_silent() {
    let (proxy, mut socket) = through(|proxy| proxy.on(Direction::ToClient, 1, Fault::Stall)).await;
    say(&mut socket, "anyone?").await;
    proxy.until_struck(1).await;
    assert!(tokio::time::timeout(SHORT, socket.next()).await.is_err());
}

#[tokio::test]
async fn one_byte_is_corrupted_and_only_one() {
    let (_proxy, mut socket) =
        through(|proxy| proxy.on(Direction::ToServer, 1, Fault::Corrupt(1))).await;
    socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    let answer = tokio::time::timeout(LONG, socket.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(answer.into_data().as_ref(), [1, !2, 3]);
}

#[tokio::test]
async fn a_doubled_frame_comes_twice_and_a_dropped_one_never() {
    let (_proxy, mut socket) = through(|proxy| {
        proxy
            .on(Direction::ToClient, 1, Fault::Duplicate)
            .on(Direction::ToServer, 2, Fault::Drop)
    })
    .await;
    for text in ["one", "two", "three"] {
        say(&mut socket, text).await;
    }
    for expected in ["one", "one", "three"] {
        assert_eq!(hear(&mut socket).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_delayed_frame_holds_up_what_follows() {
    let (_proxy, mut socket) =
        through(|proxy| proxy.on(Direction::ToClient, 1, Fault::Delay(SHORT))).await;
    let before = std::time::Instant::now();
    say(&mut socket, "one").await;
    say(&mut socket, "two").await;
    assert_eq!(hear(&mut socket).await.unwrap(), "one");
    assert_eq!(hear(&mut socket).await.unwrap(), "two");
    assert!(before.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_frame_is_found_by_its_kind_and_those_passed_on_are_counted() {
    let (proxy, mut socket) =
        through(|proxy| proxy.on_kind(Direction::ToClient, "stmt2_exec", Fault::Garbage)).await;
    for action in ["version", "stmt2_exec", "stmt2_exec"] {
        say(&mut socket, &format!(r#"{{"action":"{action}"}}"#)).await;
    }
    assert_eq!(hear(&mut socket).await.unwrap(), r#"{"action":"version"}"#);
    assert_eq!(hear(&mut socket).await.unwrap(), "{not a frame}");
    assert_eq!(
        hear(&mut socket).await.unwrap(),
        r#"{"action":"stmt2_exec"}"#
    );
    assert_eq!(proxy.passed(Direction::ToServer, "stmt2"), 2);
    assert_eq!(proxy.passed(Direction::ToClient, "stmt2"), 1);
}

#[tokio::test]
async fn requests_with_sql_are_told_apart_by_its_first_word() {
    let (proxy, mut socket) = through(|proxy| proxy).await;
    let mut binary = vec![0; 30];
    binary[16] = 6;
    binary.extend(b"Insert into t values (1)");
    let json = r#"{"action":"query","args":{"req_id":1,"sql":"select 1"}}"#;
    socket.send(Message::binary(binary)).await.unwrap();
    say(&mut socket, json).await;
    for _ in 0..2 {
        tokio::time::timeout(LONG, socket.next()).await.unwrap();
    }
    assert_eq!(proxy.passed(Direction::ToServer, "query insert"), 1);
    assert_eq!(proxy.passed(Direction::ToServer, "query select"), 1);
}

#[tokio::test]
async fn a_close_frame_comes_in_the_place_of_an_answer() {
    let (_proxy, mut socket) =
        through(|proxy| proxy.on(Direction::ToClient, 1, Fault::Close)).await;
    say(&mut socket, "one").await;
    let next = tokio::time::timeout(LONG, socket.next()).await.unwrap();
    assert!(
        matches!(next, Some(Ok(Message::Close(Some(_))))),
        "{next:?}"
    );
}

#[tokio::test]
async fn lines_are_cut_on_demand_and_refused_once_the_proxy_is_shut() {
    let (mut proxy, mut socket) = through(|proxy| proxy).await;
    say(&mut socket, "one").await;
    assert_eq!(hear(&mut socket).await.unwrap(), "one");
    proxy.cut();
    assert!(hear(&mut socket).await.is_err());
    let mut again = connect(&proxy).await;
    say(&mut again, "two").await;
    assert_eq!(hear(&mut again).await.unwrap(), "two");
    proxy.shut().await;
    assert!(hear(&mut again).await.is_err());
    assert!(TcpStream::connect(proxy.address()).await.is_err());
}

#[tokio::test]
async fn a_paced_line_takes_its_time() {
    let (_proxy, mut socket) =
        through(|proxy| proxy.pace(Direction::ToServer, 100, SHORT / 10)).await;
    let before = std::time::Instant::now();
    let text = "x".repeat(1_000);
    say(&mut socket, &text).await;
    assert_eq!(hear(&mut socket).await.unwrap(), text);
    assert!(before.elapsed() >= SHORT);
}

#[tokio::test]
async fn an_answer_is_found_by_its_request() {
    let (proxy, mut socket) =
        through(|proxy| proxy.on_answer_to("stmt2_exec", Fault::Garbage)).await;
    let exec = r#"{"action":"stmt2_exec"}"#;
    say(&mut socket, "one").await;
    assert_eq!(hear(&mut socket).await.unwrap(), "one");
    say(&mut socket, exec).await;
    assert_eq!(hear(&mut socket).await.unwrap(), "{not a frame}");
    say(&mut socket, exec).await;
    assert_eq!(hear(&mut socket).await.unwrap(), exec);
    assert_eq!(proxy.struck(), 1);
}

#[tokio::test]
async fn a_mute_proxy_passes_nothing_and_closes_nothing() {
    let (proxy, mut socket) = through(|rules| rules).await;
    say(&mut socket, "before").await;
    assert_eq!(hear(&mut socket).await.unwrap(), "before");
    proxy.mute();
    let answer = async {
        // The order may reach the line after the first of them.
        loop {
            say(&mut socket, "after").await;
            hear(&mut socket).await.unwrap();
        }
    };
    tokio::time::timeout(SHORT, answer).await.unwrap_err();
    let late = tokio::time::timeout(SHORT, connect(&proxy)).await;
    assert!(late.is_err(), "the handshake passed");
}

#[tokio::test]
async fn a_proxy_can_lead_to_another_server() {
    let (proxy, _) = through(|rules| rules).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    proxy.lead_to(listener.local_addr().unwrap());
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let accepted = tokio::time::timeout(LONG, listener.accept()).await;
    assert!(accepted.unwrap().is_ok());
    drop(stream);
}

#[tokio::test]
async fn faults_by_chance_are_those_of_their_seed_and_end_in_a_calm() {
    let run = async |seed| {
        let (proxy, mut socket) = through(|rules| rules.by_chance(seed, 5)).await;
        for n in 0..1_000 {
            if proxy.struck() > 0 {
                proxy.calm();
                let mut socket = connect(&proxy).await;
                for _ in 0..100 {
                    say(&mut socket, "calm").await;
                    assert_eq!(hear(&mut socket).await.unwrap(), "calm");
                }
                return n;
            }
            let _ = socket.send(Message::text("x")).await;
            let _ = tokio::time::timeout(SHORT, socket.next()).await;
        }
        panic!("no fault in a thousand frames");
    };
    assert_eq!(run(7).await, run(7).await);
}
