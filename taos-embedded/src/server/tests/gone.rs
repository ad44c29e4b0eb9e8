//! Clients that hang up while their queries compute.

use serde_json::json;

use super::*;

/// Computes for hours and finds nothing: each row of each table with each of the others.
const ENDLESS: &str = "select a.v from d.st a join d.st b on a.ts = b.ts join d.st c on b.ts = c.ts \
                       where a.v + b.v + c.v < 0";

/// A server whose super table has so many rows of one time.
fn server() -> Server {
    let server = Server::with(Limits::default());
    let session = server.engine.session("root");
    let rows: String = (0..2000)
        .map(|n| format!("d.c{n} using d.st tags ({n}) values (1, {n}) "))
        .collect();
    for sql in [
        "create database d keep 36500",
        "create table d.st (ts timestamp, v int) tags (g int)",
        &format!("insert into {rows}"),
    ] {
        session.execute(sql).unwrap();
    }
    server
}

/// Waits until so many readers compute.
fn until_busy(server: &Server, readers: usize) {
    let started = Instant::now();
    while server.engine.figures().readers.busy != readers {
        let patience = Duration::from_secs(20);
        assert!(
            started.elapsed() < patience,
            "{:?}",
            server.engine.figures()
        );
        std::thread::yield_now();
    }
}

fn send(ws: &mut WebSocket<TcpStream>, action: &str, args: serde_json::Value) {
    let request = json!({"action": action, "args": args}).to_string();
    ws.send(Message::text(request)).unwrap();
}

#[test]
fn queries_of_a_session_that_ends_before_their_first_rows_give_their_readers_back() {
    let server = server();
    until_busy(&server, 0);
    let mut ws = server.ws();
    log_in(&mut ws);
    for n in 1..4 {
        send(&mut ws, "query", json!({"req_id": n, "sql": ENDLESS}));
    }
    until_busy(&server, 3);
    drop(ws);
    until_busy(&server, 0);
}

#[test]
fn prepared_queries_of_a_session_that_ends_give_their_readers_back() {
    let server = server();
    let mut ws = server.ws();
    log_in(&mut ws);
    let made = answer(&mut ws, r#"{"action":"init","args":{"req_id":1}}"#);
    let id = &made["stmt_id"];
    let args = json!({"req_id": 2, "stmt_id": id, "sql": ENDLESS});
    let request = json!({"action": "prepare", "args": args}).to_string();
    assert_eq!(answer(&mut ws, &request)["code"], 0);
    send(&mut ws, "exec", json!({"req_id": 3, "stmt_id": id}));
    until_busy(&server, 1);
    drop(ws);
    until_busy(&server, 0);
}

#[test]
fn a_query_over_http_ends_with_its_connection() {
    let server = server();
    let asked = ask(&server, ENDLESS);
    until_busy(&server, 1);
    drop(asked);
    until_busy(&server, 0);
}

#[test]
fn a_result_that_is_freed_while_its_next_rows_are_computed_gives_its_reader_back() {
    let server = server();
    let mut ws = server.ws();
    log_in(&mut ws);
    // whole blocks first, then nothing for hours
    let sql = format!(
        "select a.v from d.st a join d.st b on a.ts = b.ts where b.g < 4 union all {ENDLESS}"
    );
    let opened = query(&mut ws, &sql);
    assert_eq!(opened["code"], 0, "{opened}");
    let id = &opened["id"];
    let first = json!({"action": "fetch", "args": {"req_id": 2, "id": id}}).to_string();
    assert_eq!(answer(&mut ws, &first)["completed"], false);
    send(&mut ws, "fetch", json!({"req_id": 3, "id": id}));
    until_busy(&server, 1);
    let free = json!({"action": "free_result", "args": {"req_id": 4, "id": id}}).to_string();
    // the fetch is answered, the other never is
    assert_eq!(answer(&mut ws, &free)["req_id"], 3);
    until_busy(&server, 0);
    assert_eq!(query(&mut ws, "select count(*) from d.st")["code"], 0);
}
