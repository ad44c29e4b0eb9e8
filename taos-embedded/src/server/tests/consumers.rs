use std::sync::mpsc::channel;

use super::*;
use crate::store::internal;

#[test]
fn sessions_that_end_while_their_subscription_waits_for_the_writer_hold_up_nobody() {
    let server = Server::with(Limits::default());
    let session = server.engine.session("root");
    for sql in [
        "create database d",
        "create table d.n (ts timestamp, v int)",
        "create topic t as select ts, v from d.n",
    ] {
        session.execute(sql).unwrap();
    }
    let (end, wait) = channel::<()>();
    let (begun, tell) = channel();
    let store = server.engine.store().clone();
    let busy = std::thread::spawn(move || {
        store.write(move |_| {
            begun.send(()).map_err(internal)?;
            let _ = wait.recv();
            Ok(0)
        })
    });
    tell.recv().unwrap();
    let subscribe = r#"{"action":"subscribe","args":{"req_id":1,"user":"root","password":"taosdata",
        "group_id":"g","topics":["t"]}}"#;
    let subscribers = (0..8).map(|_| {
        let mut ws = server.ws_at("/rest/tmq");
        ws.send(Message::text(subscribe)).unwrap();
        version(&mut ws);
        ws
    });
    drop(subscribers.collect::<Vec<_>>());
    for _ in 0..50 {
        version(&mut server.ws());
    }
    drop(end);
    busy.join().unwrap().unwrap();
}
