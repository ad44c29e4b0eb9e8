//! What consumers commit, and what not, against a scripted server.

use super::peer::{Accepts, Peer};
use super::topics::{DSN, TOPIC, connected};
use crate::consumer::Consumer;
use std::time::Duration;
use taos_query::tmq::{AsAsyncConsumer as _, Offset, Timeout};

/// A consumer on a server that does not tell what is behind a message; it has taken the one at 0.
async fn older(dsn: &str) -> (Consumer, Offset, Peer, Accepts) {
    let (mut consumer, mut peer, accepts) = connected(dsn, "3.2.3.0").await;
    let (done, _) = tokio::join!(consumer.subscribe([TOPIC]), peer.subscribe(0));
    done.unwrap();
    let script = async {
        let poll = peer.poll().await;
        peer.message(poll.req_id, 1, 1, 0).await;
    };
    let (first, ()) = tokio::join!(consumer.recv(), script);
    let (offset, _) = first.unwrap().unwrap();
    (consumer, offset, peer, accepts)
}

async fn commit(consumer: &Consumer, offset: Option<&Offset>) -> taos_query::RawResult<()> {
    match offset {
        Some(offset) => consumer.commit(offset.clone()).await,
        None => consumer.commit_all().await,
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_on_an_older_server_leaves_out_what_waits_or_is_on_its_way() {
    for (all, waits) in [(false, false), (true, false), (false, true), (true, true)] {
        let (consumer, offset, mut peer, _accepts) = older(DSN).await;
        let gave_up = consumer.recv_timeout(Timeout::from_millis(10));
        let (gave_up, poll) = tokio::join!(gave_up, peer.poll());
        assert!(gave_up.unwrap().is_none());
        if waits {
            peer.message(poll.req_id, 2, 1, 4).await;
            while consumer.waits_for_nobody() {
                tokio::task::yield_now().await;
            }
        }
        let script = async {
            if !waits {
                tokio::time::sleep(Duration::from_millis(100)).await;
                peer.message(poll.req_id, 2, 1, 4).await;
            }
            peer.commit_offset().await
        };
        let offset = Some(&offset).filter(|_| !all);
        let (done, place) = tokio::join!(commit(&consumer, offset), script);
        done.unwrap();
        assert_eq!(place, 4);
        // What the group has is not committed again.
        commit(&consumer, offset).await.unwrap();
    }
}
