use super::peer::{Accepts, DSN, Got, Peer, block, client, error_of, fetched, frame, result_text};
use crate::protocol::{BinaryRequest, FetchOutcome, decode_binary};
use crate::query::Taos;
use crate::transport::deflate::{Agreement, Deflate};
use futures_util::TryStreamExt as _;
use taos_query::{AsyncFetchable as _, AsyncQueryable as _, Code, ErrorKind};

const ANSWER: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                      client_no_context_takeover\r\n";
/// The bit that says "compressed".
const RSV1: u8 = 0x40;

fn deflate() -> Deflate {
    Deflate::new(Agreement {
        server_keeps_context: false,
    })
    .unwrap()
}

fn packed(message: &[u8]) -> Vec<u8> {
    deflate()
        .deflate(message)
        .expect("long and regular")
        .to_vec()
}

/// A reply that is long enough to be compressed.
fn long_block() -> Vec<i64> {
    (0..5000).map(|v| v % 7).collect()
}

async fn connected(dsn: &str, answer: &str) -> (Taos, Peer, Accepts) {
    let (taos, mut accepts) = client(dsn);
    let server = async {
        let mut peer = accepts.accept().await;
        let head = peer.upgrade_with(answer).await;
        assert!(
            head.contains(
                "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; \
                 server_no_context_takeover\r\n"
            ),
            "{head}"
        );
        peer.login("3.3.7.5").await;
        peer
    };
    let (version, peer) = tokio::join!(taos.current_version(), server);
    version.unwrap();
    (taos, peer, accepts)
}

#[tokio::test(start_paused = true)]
async fn compressed_messages_are_read_whole_in_pieces_and_between_plain_ones() {
    let (taos, mut peer, _accepts) = connected(&format!("{DSN}&compression=true"), ANSWER).await;
    let server = async {
        let (req_id, _) = peer.query().await;
        // In clear, which is always allowed.
        peer.text(&result_text(req_id, 1)).await;
        let (req_id, _) = peer.fetch().await;
        let reply = packed(&fetched(
            req_id,
            1,
            FetchOutcome::Block(block(&long_block())),
        ));
        peer.raw(&frame(2 | RSV1, &reply)).await;
        let (req_id, _) = peer.fetch().await;
        let reply = packed(&fetched(
            req_id,
            1,
            FetchOutcome::Block(block(&long_block())),
        ));
        // In three pieces with a ping in between: only the first says that they are compressed.
        let third = reply.len() / 3;
        let mut first = frame(2 | RSV1, &reply[..third]);
        first[0] &= 0x7F;
        let mut second = frame(0, &reply[third..2 * third]);
        second[0] &= 0x7F;
        for bytes in [first, frame(9, b"?"), second, frame(0, &reply[2 * third..])] {
            peer.raw(&bytes).await;
        }
        let mut pongs = 0;
        let (req_id, _) = loop {
            match peer.recv().await {
                Got::Pong(_) => pongs += 1,
                Got::Binary(BinaryRequest::FetchRawBlock { req_id, result_id }) => {
                    break (req_id, result_id);
                }
                other => panic!("{other:?}"),
            }
        };
        peer.fetched(req_id, 1, FetchOutcome::End).await;
        if pongs == 0 {
            assert_eq!(peer.recv().await, Got::Pong(b"?".to_vec()));
        }
    };
    let reader = async {
        let mut result = taos.query("select v").await.unwrap();
        result.deserialize::<i64>().try_collect::<Vec<_>>().await
    };
    let (rows, ()) = tokio::join!(reader, server);
    assert_eq!(rows.unwrap(), [long_block(), long_block()].concat());
}

#[tokio::test(start_paused = true)]
async fn long_statements_leave_compressed_and_short_ones_as_they_are() {
    let (taos, mut peer, _accepts) = connected(&format!("{DSN}&compression=true"), ANSWER).await;
    let long = format!("insert into t values {}", "(now, 1)".repeat(1000));
    for sql in [long.as_str(), "insert 1", &long] {
        let server = async {
            let (first, payload) = peer.recv_frame().await.unwrap();
            let compressed = first & RSV1 != 0;
            assert_eq!(compressed, sql.len() > 1000);
            let payload = if compressed {
                assert!(payload.len() < sql.len() / 10);
                deflate().inflate(&payload, 1 << 20).unwrap()
            } else {
                payload.into()
            };
            let Ok(BinaryRequest::Query { req_id, sql: got }) = decode_binary(&payload) else {
                panic!("a statement was expected");
            };
            assert_eq!(got, sql);
            peer.updated(req_id, 5).await;
        };
        let (count, ()) = tokio::join!(taos.exec(sql), server);
        assert_eq!(count.unwrap(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_declines_is_talked_to_in_clear_and_may_not_compress() {
    let (taos, mut peer, _accepts) = connected(&format!("{DSN}&compression"), "").await;
    let long = format!("insert {}", "x".repeat(5000));
    let (count, ()) = tokio::join!(taos.exec(&long), async {
        let (req_id, sql) = peer.query().await;
        assert_eq!(sql, long);
        peer.updated(req_id, 1).await;
    });
    assert_eq!(count.unwrap(), 1);
    let (count, ()) = tokio::join!(taos.exec("insert 1"), async {
        let (req_id, _) = peer.query().await;
        let reply = packed(result_text(req_id, 1).repeat(9).as_bytes());
        peer.raw(&frame(1 | RSV1, &reply)).await;
    });
    let error = error_of(count);
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::ConnectionLost, Code::WS_BAD_ANSWER)
    );
}

#[tokio::test(start_paused = true)]
async fn bombs_and_bits_that_nobody_agreed_on_break_the_connection_with_a_reason() {
    let bomb = packed(&vec![0; 50 << 20]);
    assert!(bomb.len() < 1 << 18);
    for (garbage, words) in [
        (frame(2 | RSV1, &bomb), "max_message_size=1000000"),
        (frame(2 | RSV1, &[0xFF; 40]), "deflate"),
        (frame(2 | 0x20, b"x"), "extension"),
        (frame(9 | RSV1, b"x"), "extension"),
        (
            [vec![0x01, 1, b'x'], frame(RSV1, b"x")].concat(),
            "extension",
        ),
    ] {
        let dsn = format!("{DSN}&compression=true&max_message_size=1000000");
        let (taos, mut peer, _accepts) = connected(&dsn, ANSWER).await;
        let server = async {
            peer.query().await;
            peer.raw(&garbage).await;
        };
        let (count, ()) = tokio::join!(taos.exec("insert 1"), server);
        let error = error_of(count);
        assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
        assert!(error.to_string().contains(words), "{error} / {words}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_not_offered_refuses_the_connection() {
    for (dsn, answer) in [
        (
            "ws://peer?compression=true",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9\r\n",
        ),
        ("ws://peer", ANSWER),
        ("ws://peer", "Sec-WebSocket-Extensions: x-other\r\n"),
    ] {
        let (taos, mut accepts) = client(dsn);
        let server = async {
            let mut peer = accepts.accept().await;
            peer.upgrade_with(answer).await
        };
        let (version, head) = tokio::join!(taos.current_version(), server);
        let error = error_of(version);
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(error.to_string().contains("not offered"), "{error}");
        assert_eq!(
            head.contains("permessage-deflate"),
            dsn.contains("compression")
        );
    }
}
