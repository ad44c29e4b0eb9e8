use std::fmt::Debug;
use std::time::Duration;

use super::*;
use crate::error::ErrorCode;
use crate::ingress::AckLevel;

fn refused<T: Debug>(call: &str, result: Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall, "{call}");
    assert!(error.msg().contains(call), "{error}");
    assert!(error.msg().contains("http"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_only_qwp_has_is_refused_by_name_and_keeps_the_rows() {
    let script = Script::new([]);
    let mut sender = over_http(&script, settings(Protocol::Http)).await;
    let mut buffer = one_row();
    let got = sender.flush_and_get_fsn(&mut buffer).await;
    refused("flush_and_get_fsn", got);
    let got = sender.flush_and_keep_and_get_fsn(&buffer).await;
    refused("flush_and_get_fsn", got);
    assert_eq!(buffer.as_bytes(), ROW);
    refused("published_fsn", sender.published_fsn());
    refused("acked_fsn", sender.acked_fsn());
    refused("completed_fsn", sender.completed_fsn(AckLevel::Ok));
    refused("poll_qwp_ws_error", sender.poll_qwp_ws_error());
    refused("qwp_ws_terminal_error", sender.qwp_ws_terminal_error());
    refused("qwp_ws_errors_dropped", sender.qwp_ws_errors_dropped());
    refused("qwp_ws_totals", sender.qwp_ws_totals());
    refused("drive_once", sender.drive_once().await);
    refused("close_drain", sender.close_drain().await);
    let got = sender.wait(AckLevel::Ok, Duration::ZERO).await;
    refused("wait", got);
    sender.close().await.unwrap();
    assert!(script.dials().is_empty());
}
