use super::peer::{DSN, Got, block, client_with, connected};
use crate::protocol::{BinaryRequest, FetchOutcome, TextRequest};
use futures_util::TryStreamExt as _;
use futures_util::future::{Either, select};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use taos_query::common::Precision;
use taos_query::schemaless::{SchemalessProtocol, SmlDataBuilder};
use taos_query::{AsyncFetchable as _, AsyncQueryable as _, RawBlock, RawMeta};

/// Polls a future a number of times, letting everything else run in between, and drops it.
pub(super) async fn poll_times<F: Future>(work: F, times: usize) -> Option<F::Output> {
    let mut work = pin!(work);
    for _ in 0..times {
        let polled = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Answers everything until the client goes, and tells which results it still holds.
async fn serve(mut peer: super::peer::Peer) -> Vec<u64> {
    let mut held = Vec::new();
    let mut next = 0;
    let mut sent = std::collections::HashSet::new();
    loop {
        match peer.recv().await {
            Got::Binary(BinaryRequest::Query { req_id, .. }) => {
                next += 1;
                held.push(next);
                peer.result(req_id, next).await;
            }
            Got::Binary(BinaryRequest::FetchRawBlock { req_id, result_id }) => {
                if sent.insert(result_id) {
                    peer.fetched(req_id, result_id, FetchOutcome::Block(block(&[42])))
                        .await;
                } else {
                    held.retain(|id| *id != result_id);
                    peer.fetched(req_id, result_id, FetchOutcome::End).await;
                }
            }
            Got::Text(TextRequest::FreeResult(args)) => held.retain(|id| *id != args.id),
            Got::Close | Got::End => return held,
            other => panic!("{other:?}"),
        }
    }
}

/// A pipe of a few bytes cuts requests and replies in half at nearly every poll.
#[tokio::test(start_paused = true)]
async fn a_query_dropped_after_any_poll_leaves_a_usable_connection_and_no_result_behind() {
    for capacity in [7, 64, 1 << 16] {
        let (taos, mut accepts) = client_with(DSN, capacity);
        let (version, peer) = tokio::join!(taos.current_version(), accepts.login());
        version.unwrap();
        let server = tokio::spawn(serve(peer));
        let mut completed = 0;
        for times in 0..60 {
            let one = poll_times(
                async {
                    let mut result = taos.query("select v").await.unwrap();
                    result.deserialize::<i64>().try_next().await.unwrap()
                },
                times,
            );
            completed += usize::from(one.await == Some(Some(42)));
            let again: Option<i64> = taos.query_one("select v").await.unwrap();
            assert_eq!(again, Some(42), "after {times} polls");
        }
        assert!(completed > 0, "no query was polled to its end");
        let all: Vec<i64> = taos
            .query("select v")
            .await
            .unwrap()
            .deserialize::<i64>()
            .try_collect()
            .await
            .unwrap();
        assert_eq!(all, [42]);
        // What was given up is freed by the answers that come later.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        drop(taos);
        assert_eq!(server.await.unwrap(), Vec::<u64>::new());
        assert!(accepts.is_empty(), "the connection never broke");
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_given_up_before_it_left_is_not_sent() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    {
        let mut query = pin!(taos.query("select 1"));
        let polled = poll_fn(|cx| Poll::Ready(query.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
    }
    let mut exec = pin!(taos.exec("insert 2"));
    let (req_id, sql) = match select(exec.as_mut(), pin!(peer.query())).await {
        Either::Right((asked, _)) => asked,
        Either::Left(_) => panic!("nobody has answered"),
    };
    assert_eq!(sql, "insert 2");
    peer.updated(req_id, 1).await;
    assert_eq!(exec.await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_its_query_was_dropped_is_freed_without_a_fetch() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let req_id = {
        let mut query = pin!(taos.query("select 1"));
        match select(query.as_mut(), pin!(peer.query())).await {
            Either::Right(((req_id, _), _)) => req_id,
            Either::Left(_) => panic!("nobody has answered"),
        }
    };
    peer.result(req_id, 9).await;
    assert_eq!(peer.freed().await, 9);
}

/// Answers every write until the client goes; gives how many there were.
async fn serve_writes(mut peer: super::peer::Peer) -> usize {
    let mut writes = 0;
    loop {
        let req_id = match peer.recv().await {
            Got::Text(TextRequest::Insert(args)) => args.req_id,
            Got::Binary(BinaryRequest::WriteRawBlock { req_id, .. }) => req_id,
            Got::Binary(BinaryRequest::WriteRaw { req_id, .. }) => req_id,
            Got::Close | Got::End => return writes,
            other => panic!("{other:?}"),
        };
        writes += 1;
        peer.error(req_id, 0, "").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_dropped_after_any_poll_leaves_a_usable_connection() {
    let lines = SmlDataBuilder::default()
        .protocol(SchemalessProtocol::Line)
        .data(vec!["m,t=a v=1i32 1".repeat(9)])
        .build()
        .unwrap();
    let mut rows =
        RawBlock::parse_from_raw_block(block(&[1, 2, 3]), Precision::Millisecond).unwrap();
    rows.with_table_name("t").with_field_names(["v"]);
    let meta = RawMeta::new(531, vec![7; 300]);
    for capacity in [7, 64, 1 << 16] {
        let (taos, mut accepts) = client_with(DSN, capacity);
        let (version, peer) = tokio::join!(taos.current_version(), accepts.login());
        version.unwrap();
        let server = tokio::spawn(serve_writes(peer));
        let mut completed = 0;
        for times in 0..40 {
            let done = [
                poll_times(taos.put(&lines), times).await,
                poll_times(taos.write_raw_block(&rows), times).await,
                poll_times(taos.write_raw_meta(&meta), times).await,
            ];
            completed += done.iter().flatten().filter(|done| done.is_ok()).count();
            taos.put(&lines).await.unwrap();
            taos.write_raw_block(&rows).await.unwrap();
            taos.write_raw_meta(&meta).await.unwrap();
        }
        assert!(completed > 0, "no write was polled to its end");
        drop(taos);
        assert!(server.await.unwrap() >= 120 + completed);
        assert!(accepts.is_empty(), "the connection never broke");
    }
}
