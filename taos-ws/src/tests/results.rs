use super::peer::{
    DSN, Got, Peer, block, client, connected, error_of, fetched, frame, result_text,
};
use crate::protocol::{BinaryRequest, FetchOutcome, OldBlockReply, TextRequest};
use crate::query::{ResultSet, Taos};
use futures_util::TryStreamExt as _;
use std::time::Duration;
use taos_query::{AsyncFetchable as _, AsyncQueryable as _, ErrorKind, RawResult};
use tokio::time::timeout;

async fn ints(taos: &Taos, sql: &str) -> RawResult<Vec<i64>> {
    taos.query(sql)
        .await?
        .deserialize::<i64>()
        .try_collect()
        .await
}

async fn rest(mut result: ResultSet) -> RawResult<Vec<i64>> {
    result.deserialize::<i64>().try_collect().await
}

/// Nothing more comes from the client for a while.
async fn quiet(peer: &mut Peer) {
    let got = timeout(Duration::from_secs(1), peer.recv()).await;
    assert!(got.is_err(), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn a_result_is_prefetched_by_one_block_and_never_fetched_twice_at_a_time() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let (result, _) = tokio::join!(taos.query("select v"), async {
        let (req_id, sql) = peer.query().await;
        assert_eq!(sql, "select v");
        peer.result(req_id, 7).await;
    });
    let mut result = result.unwrap();
    // The first fetch left with the query's reply, before anyone asked for a row.
    let (first, id) = peer.fetch().await;
    assert_eq!(id, 7);
    quiet(&mut peer).await;
    peer.fetched(first, 7, FetchOutcome::Block(block(&[1, 2])))
        .await;
    // The block is here, but nobody has taken it: nothing is fetched ahead of it.
    quiet(&mut peer).await;
    let mut blocks = result.blocks();
    assert_eq!(blocks.try_next().await.unwrap().unwrap().nrows(), 2);
    let (second, _) = peer.fetch().await;
    quiet(&mut peer).await;
    peer.fetched(second, 7, FetchOutcome::Block(block(&[3])))
        .await;
    quiet(&mut peer).await;
    assert_eq!(blocks.try_next().await.unwrap().unwrap().nrows(), 1);
    let (third, _) = peer.fetch().await;
    peer.fetched(third, 7, FetchOutcome::End).await;
    assert!(blocks.try_next().await.unwrap().is_none());
    assert!(blocks.try_next().await.unwrap().is_none());
    assert_eq!(result.summary(), (2, 3));
    drop(result);
    // The server has freed the result at its end.
    quiet(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_reader_gets_its_block_and_the_next_is_fetched_at_once() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let server = async {
        let (req_id, _) = peer.query().await;
        peer.result(req_id, 1).await;
        for value in 0..50 {
            let (req_id, _) = peer.fetch().await;
            peer.fetched(req_id, 1, FetchOutcome::Block(block(&[value])))
                .await;
        }
        let (req_id, _) = peer.fetch().await;
        peer.fetched(req_id, 1, FetchOutcome::End).await;
    };
    let (values, ()) = tokio::join!(ints(&taos, "select v"), server);
    assert_eq!(values.unwrap(), (0..50).collect::<Vec<i64>>());
}

#[tokio::test(start_paused = true)]
async fn answers_out_of_order_and_doubled_ones_find_their_owners() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let calls = futures_util::future::join_all((0..20).map(|n| {
        let taos = taos.clone();
        async move { taos.exec(format!("insert {n}")).await.unwrap() }
    }));
    let server = async {
        let mut asked = Vec::new();
        for _ in 0..20 {
            let (req_id, sql) = peer.query().await;
            asked.push((req_id, sql["insert ".len()..].parse().unwrap()));
        }
        for (req_id, n) in asked.into_iter().rev() {
            peer.updated(req_id, n).await;
            peer.updated(req_id, 999).await;
            peer.updated(u64::MAX, 999).await;
            peer.binary(&fetched(u64::MAX, 3, FetchOutcome::Block(block(&[1]))))
                .await;
        }
    };
    let (counts, ()) = tokio::join!(calls, server);
    assert_eq!(counts, (0..20).collect::<Vec<usize>>());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_result_is_freed_only_if_the_server_still_holds_it() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let mut open = async |id: u64| {
        let (result, fetch) = tokio::join!(taos.query("select v"), async {
            let (req_id, _) = peer.query().await;
            peer.result(req_id, id).await;
            peer.fetch().await.0
        });
        (result.unwrap(), fetch)
    };
    let (first, fetch1) = open(1).await;
    let (second, fetch2) = open(2).await;
    let (third, fetch3) = open(3).await;
    let (fourth, fetch4) = open(4).await;
    // With a fetch in flight, its reply decides.
    drop((first, second, third));
    quiet(&mut peer).await;
    peer.fetched(fetch1, 1, FetchOutcome::End).await;
    let error = FetchOutcome::Error {
        code: 0x2603,
        message: "gone".into(),
    };
    peer.fetched(fetch2, 2, error).await;
    quiet(&mut peer).await;
    peer.fetched(fetch3, 3, FetchOutcome::Block(block(&[1])))
        .await;
    assert_eq!(peer.freed().await, 3);
    // Without one, the server holds it.
    peer.fetched(fetch4, 4, FetchOutcome::Block(block(&[1])))
        .await;
    quiet(&mut peer).await;
    drop(fourth);
    assert_eq!(peer.freed().await, 4);
    quiet(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_in_the_middle_of_a_result_ends_it_and_keeps_the_connection() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let server = async {
        let (req_id, _) = peer.query().await;
        peer.result(req_id, 1).await;
        let (req_id, _) = peer.fetch().await;
        peer.fetched(req_id, 1, FetchOutcome::Block(block(&[5])))
            .await;
        let (req_id, _) = peer.fetch().await;
        let error = FetchOutcome::Error {
            code: 0x2603,
            message: "Table does not exist".into(),
        };
        peer.fetched(req_id, 1, error).await;
    };
    let reader = async {
        let mut result = taos.query("select v").await.unwrap();
        let mut blocks = result.blocks();
        assert!(blocks.try_next().await.unwrap().is_some());
        let error = error_of(blocks.try_next().await);
        assert_eq!(
            error.to_string(),
            "[0x2603] Internal error: `Table does not exist`"
        );
        assert!(blocks.try_next().await.unwrap().is_none());
    };
    tokio::join!(server, reader);
    quiet(&mut peer).await;
    let (values, ()) = tokio::join!(ints(&taos, "again"), peer.serve(2, &[8]));
    assert_eq!(values.unwrap(), [8]);
}

#[tokio::test(start_paused = true)]
async fn a_block_of_wrong_length_fails_its_result_only_and_frees_it() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let mut lying = block(&[1, 2, 3]).to_vec();
    lying[4] ^= 1;
    let mut short = fetched(0, 1, FetchOutcome::Block(block(&[1]))).to_vec();
    short.truncate(60);
    // A block that is whole, but does not hold what its head says.
    let mut inside = block(&[1, 2, 3]).to_vec();
    inside[8] = 200;
    for (id, bad) in [(1, Some(lying)), (2, None), (3, Some(inside))] {
        let server = async {
            let (req_id, _) = peer.query().await;
            peer.result(req_id, id).await;
            let (req_id, _) = peer.fetch().await;
            match bad {
                Some(bad) => {
                    peer.fetched(req_id, id, FetchOutcome::Block(bad.into()))
                        .await;
                }
                None => {
                    short[26..34].copy_from_slice(&req_id.to_le_bytes());
                    peer.binary(&short).await;
                }
            }
        };
        let (values, ()) = tokio::join!(ints(&taos, "select v"), server);
        let error = error_of(values);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        let freed = match peer.recv().await {
            // The reader that waited for the third block had the next one fetched already.
            Got::Binary(BinaryRequest::FetchRawBlock { req_id, result_id }) => {
                peer.fetched(req_id, result_id, FetchOutcome::Block(block(&[1])))
                    .await;
                peer.freed().await
            }
            Got::Text(TextRequest::FreeResult(args)) => args.id,
            other => panic!("{other:?}"),
        };
        assert_eq!(freed, id);
    }
    let (values, ()) = tokio::join!(ints(&taos, "again"), peer.serve(4, &[8]));
    assert_eq!(values.unwrap(), [8]);
}

#[tokio::test(start_paused = true)]
async fn old_servers_are_asked_in_json_and_send_blocks_in_two_steps() {
    let (taos, mut accepts) = client(DSN);
    let server = async {
        let mut peer = accepts.accept().await;
        peer.upgrade().await;
        peer.login("3.0.4.1-beta").await;
        let Got::Text(TextRequest::Query(args)) = peer.recv().await else {
            panic!("old servers know no binary query");
        };
        peer.result(args.req_id, 1).await;
        for value in [10, 20] {
            let Got::Text(TextRequest::Fetch(args)) = peer.recv().await else {
                panic!("`fetch` comes first");
            };
            assert_eq!(args.id, 1);
            peer.text(&format!(
                r#"{{"code":0,"message":"","action":"fetch","req_id":{},"timing":1,"id":1,"completed":false,"lengths":[4],"rows":1}}"#,
                args.req_id
            ))
            .await;
            let Got::Text(TextRequest::FetchBlock(args)) = peer.recv().await else {
                panic!("`fetch_block` comes second");
            };
            let reply = OldBlockReply {
                timing: 1,
                result_id: args.id,
                block: block(&[value]),
            };
            peer.binary(&reply.encode()).await;
        }
        let Got::Text(TextRequest::Fetch(args)) = peer.recv().await else {
            panic!("the end is asked for");
        };
        peer.text(&format!(
            r#"{{"code":0,"message":"","action":"fetch","req_id":{},"timing":1,"id":1,"completed":true,"lengths":null,"rows":0}}"#,
            args.req_id
        ))
        .await;
        peer
    };
    let (values, mut peer) = tokio::join!(ints(&taos, "select v"), server);
    assert_eq!(values.unwrap(), [10, 20]);
    quiet(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn replies_that_come_byte_by_byte_and_in_one_lump_read_the_same() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let server = async {
        let (req_id, _) = peer.query().await;
        for byte in frame(1, result_text(req_id, 1).as_bytes()) {
            peer.raw(&[byte]).await;
            tokio::task::yield_now().await;
        }
        let (req_id, _) = peer.fetch().await;
        for byte in frame(2, &fetched(req_id, 1, FetchOutcome::Block(block(&[4, 5])))) {
            peer.raw(&[byte]).await;
            tokio::task::yield_now().await;
        }
        let (req_id, _) = peer.fetch().await;
        let end = frame(2, &fetched(req_id, 1, FetchOutcome::End));
        peer.raw(&[frame(9, b"hi"), frame(10, b""), end].concat())
            .await;
        assert_eq!(peer.recv().await, Got::Pong(b"hi".to_vec()));
    };
    let reader = async {
        let result = taos.query("select v").await.unwrap();
        rest(result).await.unwrap()
    };
    let ((), values) = tokio::join!(server, reader);
    assert_eq!(values, [4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_request_id_in_flight_cannot_be_used_again() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let first = taos.exec_with_req_id("insert 1", 77);
    let second = async {
        let (req_id, _) = peer.query().await;
        assert_eq!(req_id, 77);
        let error = error_of(taos.exec_with_req_id("insert 2", 77).await);
        assert!(error.to_string().contains("in flight"), "{error}");
        peer.updated(77, 5).await;
    };
    let (count, ()) = tokio::join!(first, second);
    assert_eq!(count.unwrap(), 5);
}

#[tokio::test(start_paused = true)]
async fn two_hundred_large_requests_to_a_slow_reader_all_succeed_by_waiting() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let sql = format!("insert {}", "x".repeat(500_000));
    let calls = futures_util::future::join_all((0..200).map(|_| {
        let (taos, sql) = (taos.clone(), sql.clone());
        async move { taos.exec(sql).await.unwrap() }
    }));
    let server = async {
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let (req_id, sql) = peer.query().await;
            assert_eq!(sql.len(), 500_007);
            peer.updated(req_id, 1).await;
        }
    };
    let (counts, ()) = tokio::join!(calls, server);
    assert_eq!(counts.iter().sum::<usize>(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_block_that_was_not_asked_for_fails_the_result_but_a_doubled_one_does_not() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    for doubled in [true, false] {
        let server = async {
            let (req_id, _) = peer.query().await;
            peer.result(req_id, 1).await;
            // As if the request had arrived twice.
            peer.result(req_id, 2).await;
            let (first, _) = peer.fetch().await;
            assert_eq!(peer.freed().await, 2);
            peer.fetched(first, 1, FetchOutcome::Block(block(&[1])))
                .await;
            let second = if doubled { vec![1] } else { vec![2, 3] };
            peer.fetched(first, 1, FetchOutcome::Block(block(&second)))
                .await;
            let (next, _) = peer.fetch().await;
            if !doubled {
                assert_eq!(peer.freed().await, 1);
            }
            peer.fetched(next, 1, FetchOutcome::End).await;
        };
        let (values, ()) = tokio::join!(ints(&taos, "select v"), server);
        match values {
            Ok(values) => assert!(doubled && values == [1]),
            Err(error) => {
                assert!(!doubled && error.kind() == ErrorKind::Protocol, "{error}");
            }
        }
        quiet(&mut peer).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_wants_a_row_only_gets_it_without_a_fetch_ahead() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    for (id, blocks, expected) in [
        (1, vec![block(&[5, 6])], Some(5)),
        (2, vec![], None),
        (3, vec![block(&[]), block(&[7])], Some(7)),
    ] {
        let server = async {
            let (req_id, _) = peer.query().await;
            peer.result(req_id, id).await;
            for block in blocks {
                let (req_id, _) = peer.fetch().await;
                quiet(&mut peer).await;
                peer.fetched(req_id, id, FetchOutcome::Block(block)).await;
            }
            if expected.is_some() {
                assert_eq!(peer.freed().await, id);
            } else {
                let (req_id, _) = peer.fetch().await;
                peer.fetched(req_id, id, FetchOutcome::End).await;
            }
            quiet(&mut peer).await;
        };
        let (row, ()) = tokio::join!(taos.query_one::<_, i64>("select v"), server);
        assert_eq!(row.unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_first_fetch_and_a_caller_that_leaves_before_it_do_no_harm() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let server = async {
        let (req_id, _) = peer.query().await;
        peer.result(req_id, 1).await;
        let (req_id, _) = peer.fetch().await;
        let error = FetchOutcome::Error {
            code: 0x2603,
            message: "gone".into(),
        };
        peer.fetched(req_id, 1, error).await;
        quiet(&mut peer).await;
    };
    let (row, ()) = tokio::join!(taos.query_one::<_, i64>("select v"), server);
    assert!(error_of(row).to_string().starts_with("[0x2603]"));

    let query = timeout(Duration::from_secs(1), taos.query_one::<_, i64>("select v"));
    let server = async {
        let (req_id, _) = peer.query().await;
        peer.result(req_id, 2).await;
        peer.fetch().await.0
    };
    let (left, fetch) = tokio::join!(query, server);
    assert!(left.is_err());
    quiet(&mut peer).await;
    peer.fetched(fetch, 2, FetchOutcome::Block(block(&[1])))
        .await;
    assert_eq!(peer.freed().await, 2);
}
