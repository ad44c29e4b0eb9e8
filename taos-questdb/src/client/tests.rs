use std::net::SocketAddr;
use std::thread;

use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _};
use taos_query::{
    AsyncFetchable as _, AsyncQueryable as _, AsyncTBuilder as _, ErrorKind, RawError, RawResult,
};

use super::{Taos, TaosBuilder};
use crate::testing::{Script, Step, response};

const JSON: &str = "application/json; charset=utf-8";
const SETTINGS: &str =
    r#"{"config":{"release.type":"OSS","release.version":"9.9.9"},"preferences":{}}"#;
const NUMBERS: &str =
    r#"{"query":"q","columns":[{"name":"x","type":"LONG"}],"dataset":[[1],[2],[3]],"count":3}"#;
const BEGUN: &str = r#"{"query":"q","columns":[{"name":"x","type":"LONG"}],"dataset":[[1],[2]"#;

fn json(body: &str) -> Step {
    Step::Answer(response(200, JSON, body))
}

/// A body that is announced longer than it is.
fn begun() -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    format!("{head}{:x}\r\n{BEGUN}\r\n", BEGUN.len()).into_bytes()
}

fn builder(address: SocketAddr, rest: &str) -> TaosBuilder {
    TaosBuilder::from_dsn(format!("questdb://{address}{rest}")).unwrap()
}

/// A connection to a server that does these steps once the connection is made.
async fn connected(steps: impl IntoIterator<Item = Step>) -> (Script, Taos) {
    let script = Script::new([json(SETTINGS)].into_iter().chain(steps));
    let address = script.listen(None).await;
    let taos = builder(address, "?request_timeout=2000")
        .build()
        .await
        .unwrap();
    (script, taos)
}

async fn numbers(taos: &Taos) -> RawResult<Vec<i64>> {
    let mut result = taos.query("q").await?;
    result.deserialize::<i64>().try_collect().await
}

fn lines(script: &Script) -> Vec<String> {
    script.seen().into_iter().map(|seen| seen.line).collect()
}

#[tokio::test]
async fn connecting_asks_for_the_version_and_whether_the_user_may_enter() {
    let script = Script::new([json(SETTINGS), json(NUMBERS)]);
    let address = script.listen(None).await;
    let dsn = format!("questdb://me:secret@{address}");
    let taos = TaosBuilder::from_dsn(dsn).unwrap().build().await.unwrap();
    assert_eq!(taos.server_version().await.unwrap(), "9.9.9");
    assert_eq!(
        lines(&script),
        [
            "GET /settings HTTP/1.1",
            "GET /exec?query=select+1 HTTP/1.1"
        ]
    );
    let login = "Basic bWU6c2VjcmV0";
    assert_eq!(script.seen()[1].header("authorization"), Some(login));
    assert!(!format!("{taos:?}").contains("secret"));
}

#[tokio::test]
async fn a_refused_user_is_told_when_connecting() {
    let refusal = Step::Answer(response(401, "text/plain", "Unauthorized\r\n"));
    let script = Script::new([json(SETTINGS), refusal]);
    let address = script.listen(None).await;
    let dsn = format!("questdb://me:secret@{address}");
    let error = TaosBuilder::from_dsn(dsn)
        .unwrap()
        .build()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    let text = error.to_string();
    assert!(text.contains("Unauthorized [code: 401]"), "{text}");
    assert!(!text.contains("secret"));
}

#[tokio::test]
async fn a_server_of_another_kind_is_told_when_connecting() {
    for (step, words) in [
        (
            Step::Answer(response(404, "text/html", "<html>")),
            "status 404",
        ),
        (json("<html>"), "JSON"),
        (json(r#"{"config":{}}"#), "version"),
    ] {
        let script = Script::new([step]);
        let address = script.listen(None).await;
        let error = builder(address, "").build().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        let text = error.to_string();
        assert!(
            text.contains(words) && text.contains(&address.to_string()),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for protocol in ["http", "tcp", "ws"] {
        let dsn = format!("questdb+{protocol}://{address}");
        let error = TaosBuilder::from_dsn(dsn)
            .unwrap()
            .build()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{protocol}: {error}");
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}

#[tokio::test]
async fn statements_go_one_after_another_over_the_connection_that_is_there() {
    let (script, taos) = connected([json(NUMBERS), json(NUMBERS), json(NUMBERS)]).await;
    for _ in 0..3 {
        assert_eq!(numbers(&taos).await.unwrap(), [1, 2, 3]);
    }
    assert!(script.seen().iter().all(|seen| seen.connection == 1));
}

#[tokio::test]
async fn many_statements_are_under_way_at_the_same_time() {
    let (_script, taos) = connected((0..40).map(|_| json(NUMBERS))).await;
    let all = try_join_all((0..40).map(|_| numbers(&taos))).await.unwrap();
    assert_eq!(all, vec![vec![1, 2, 3]; 40]);
}

#[tokio::test]
async fn the_limit_of_a_statement_is_told_to_the_server() {
    let script = Script::new([json(SETTINGS), json(NUMBERS)]);
    let address = script.listen(None).await;
    let taos = builder(address, "?query_timeout_ms=1500")
        .build()
        .await
        .unwrap();
    numbers(&taos).await.unwrap();
    assert_eq!(script.seen()[1].header("statement-timeout"), Some("1500"));
}

#[tokio::test]
async fn a_statement_without_an_answer_is_given_up_at_its_limit() {
    let script = Script::new([json(SETTINGS), Step::Mute]);
    let address = script.listen(None).await;
    let rest = "?query_timeout_ms=50&request_timeout=50";
    let taos = builder(address, rest).build().await.unwrap();
    let error = taos.query("select 1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("query_timeout_ms"), "{error}");
}

#[tokio::test]
async fn the_edition_is_the_type_of_the_release() {
    for (ty, licensed) in [("OSS", false), ("EE", true)] {
        let script = Script::new([json(&SETTINGS.replace("OSS", ty))]);
        let builder = builder(script.listen(None).await, "");
        assert_eq!(builder.is_enterprise_edition().await.unwrap(), licensed);
        assert_eq!(builder.server_version().await.unwrap(), "9.9.9");
        assert_eq!(script.seen().len(), 1);
    }
}

#[tokio::test]
async fn rows_are_read_before_the_answer_has_ended_and_leaving_closes_the_connection() {
    let (script, taos) = connected([Step::Answer(begun()), json(NUMBERS)]).await;
    let mut result = taos.query("q").await.unwrap();
    assert_eq!(result.fields()[0].name(), "x");
    {
        let mut rows = result.deserialize::<i64>();
        assert_eq!(rows.try_next().await.unwrap(), Some(1));
        assert_eq!(rows.try_next().await.unwrap(), Some(2));
    }
    assert_eq!(result.summary(), (1, 2));
    drop(result);
    assert_eq!(numbers(&taos).await.unwrap(), [1, 2, 3]);
    let connections: Vec<_> = script.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
}

#[tokio::test]
async fn an_answer_that_ends_in_the_middle_is_an_error_once() {
    let (_script, taos) = connected([json(BEGUN)]).await;
    let mut result = taos.query("q").await.unwrap();
    let mut blocks = result.blocks();
    let mut rows = 0;
    let error = loop {
        match blocks.next().await.unwrap() {
            Ok(block) => rows += block.nrows(),
            Err(error) => break error,
        }
    };
    assert!(rows <= 2);
    assert!(error.to_string().contains("broke off"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(blocks.next().await.is_none());
}

#[tokio::test]
async fn a_connection_that_is_lost_in_the_middle_is_told_as_such() {
    let (_script, taos) = connected([Step::AnswerAndClose(begun())]).await;
    let error = numbers(&taos).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionLost);
}

#[tokio::test]
async fn refused_statements_keep_the_words_and_the_connection() {
    let words = r#"{"query":"q","error":"table does not exist [table=t]","position":14}"#;
    let refused = Step::Answer(response(400, JSON, words));
    let (script, taos) = connected([refused, json(r#"{"ddl":"OK"}"#), json(NUMBERS)]).await;
    let error = taos.query("select * from t").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    let text = error.to_string();
    assert!(text.contains("[table=t] (at position 14"), "{text}");
    let mut done = taos.query("create table t (x long)").await.unwrap();
    assert!(done.fields().is_empty() && done.blocks().next().await.is_none());
    assert_eq!(numbers(&taos).await.unwrap(), [1, 2, 3]);
    assert!(script.seen().iter().all(|seen| seen.connection == 1));
}

#[tokio::test]
async fn a_statement_that_changes_something_is_not_sent_twice_by_itself() {
    let (script, taos) = connected([Step::Close, json(NUMBERS)]).await;
    let error = taos.exec("insert into t values (1)").await.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(script.seen().len(), 2);
    let (script, taos) = connected([Step::Close, json(NUMBERS)]).await;
    let one: Option<i64> = taos.query_one("select 1").await.unwrap();
    assert_eq!((one, script.seen().len()), (Some(1), 3));
}

#[tokio::test]
async fn the_state_follows_what_requests_find() {
    let (_script, taos) = connected([Step::Close, Step::Close, Step::Close, json(NUMBERS)]).await;
    let mut states = Box::pin(taos.connection_events());
    assert!(states.next().await.unwrap().is_ready());
    taos.exec("insert 1").await.unwrap_err();
    assert!(!taos.connection_state().is_ready());
    assert!(!states.next().await.unwrap().is_ready());
    while numbers(&taos).await.is_err() {}
    assert!(states.next().await.unwrap().is_ready());
    drop(taos);
    assert!(states.next().await.is_none());
}

#[tokio::test]
async fn an_answer_that_says_timeout_does_not_break_the_connection_but_silence_does() {
    let words = r#"{"query":"q","error":"timeout, query aborted [fd=1]","position":0}"#;
    let aborted = Step::Answer(response(400, JSON, words));
    let script = Script::new([json(SETTINGS), aborted, Step::Mute]);
    let address = script.listen(None).await;
    let rest = "?query_timeout_ms=50&request_timeout=50";
    let taos = builder(address, rest).build().await.unwrap();
    for ready in [true, false] {
        let error = taos.query("select 1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert_eq!(taos.connection_state().is_ready(), ready);
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_while_rows_are_read_is_seen_in_the_state() {
    let (_script, taos) = connected([Step::AnswerAndClose(begun())]).await;
    numbers(&taos).await.unwrap_err();
    assert!(!taos.connection_state().is_ready());
}

#[tokio::test]
async fn silence_is_a_timeout_whatever_was_asked() {
    let script = Script::new([Step::Mute]);
    let address = script.listen(None).await;
    let error = builder(address, "?request_timeout=50").build().await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");

    let script = Script::new([json(SETTINGS), Step::Answer(begun())]);
    let address = script.listen(None).await;
    let rest = "?query_timeout_ms=50&request_timeout=50";
    let taos = builder(address, rest).build().await.unwrap();
    let error = numbers(&taos).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(!taos.connection_state().is_ready());
}

#[tokio::test]
async fn a_statement_is_done_when_its_answer_has_ended() {
    let late = r#"{"query":"q","columns":[{"name":"x","type":"LONG"}],"dataset":[[1]],"count":1,
        "error":"disk full"}"#;
    let (script, taos) = connected([json(late), json(NUMBERS), json(NUMBERS)]).await;
    let error = taos.exec("copy t from 'f'").await.unwrap_err();
    assert!(error.to_string().contains("disk full"), "{error}");
    assert_eq!(taos.exec("select x").await.unwrap(), 0);
    assert_eq!(numbers(&taos).await.unwrap(), [1, 2, 3]);
    let connections: Vec<_> = script.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1; 4], "none is closed early");
}

#[test]
fn a_directory_of_one_sender_is_no_matter_of_a_connection() {
    let error = TaosBuilder::from_dsn("questdb+ws://h?sf_dir=d").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("ingress::Sender"), "{error}");
}

#[tokio::test]
async fn what_the_server_has_not_is_unsupported_by_name() {
    let (_script, taos) = connected([]).await;
    let named = |name: &str, error: RawError| {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let text = error.to_string();
        assert!(text.contains(name) && text.contains("QuestDB"), "{text}");
    };
    named("use_database", taos.use_database("x").await.unwrap_err());
    named(
        "create_database",
        taos.create_database("x").await.unwrap_err(),
    );
    named("topics", taos.topics().await.unwrap_err());
    named(
        "create_topic",
        taos.create_topic("t", "s").await.unwrap_err(),
    );
    let topic = taos.create_topic_as_database("t", "d").await;
    named("create_topic_as_database", topic.unwrap_err());
    let block = taos_query::RawBlock::from_views(&[], taos_query::common::Precision::default());
    named(
        "write_raw_block",
        taos.write_raw_block(&block).await.unwrap_err(),
    );
    assert!(taos.database_exists("qdb").await.unwrap());
    assert!(!taos.database_exists("power").await.unwrap());
    assert_eq!(taos.databases().await.unwrap()[0].name, "qdb");
}

#[tokio::test]
async fn queries_over_tcp_name_the_way_that_has_them() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dsn = format!("questdb+tcp://{}", listener.local_addr().unwrap());
    let mut taos = TaosBuilder::from_dsn(&dsn).unwrap().build().await.unwrap();
    let can = taos.capabilities();
    assert!(!can.queries && can.lasting_connections);
    let error = taos.query("select 1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error.to_string().contains("use `questdb+http://"),
        "{error}"
    );
    TaosBuilder::from_dsn(&dsn)
        .unwrap()
        .ping(&mut taos)
        .await
        .unwrap();
}

#[tokio::test]
async fn lines_go_over_another_connection_where_the_kept_one_was_closed() {
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dsn = format!("questdb+tcp://{}", listener.local_addr().unwrap());
    let taos = TaosBuilder::from_dsn(&dsn).unwrap().build().await.unwrap();
    drop(listener.accept().await.unwrap());
    let mut buffer = taos.shared.new_buffer().await.unwrap();
    buffer.adopt(b"t i=1i 7\n".to_vec());
    taos.shared.send(&mut buffer).await.unwrap();
    let (mut second, _) = listener.accept().await.unwrap();
    drop(taos);
    let mut arrived = Vec::new();
    second.read_to_end(&mut arrived).await.unwrap();
    assert_eq!(arrived, b"t i=1i 7\n");
}

#[tokio::test]
async fn lines_use_the_connection_and_the_certificates_that_are_there() {
    let (acceptor, certificate) = crate::testing::tls_server("localhost");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roots.pem");
    std::fs::write(&path, certificate).unwrap();
    let script = Script::new([json(SETTINGS), json(SETTINGS)]);
    let port = script.listen(Some(acceptor)).await.port();
    let dsn = format!(
        "questdb+https://localhost:{port}?tls_roots={}",
        path.display()
    );
    let taos = TaosBuilder::from_dsn(dsn).unwrap().build().await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut buffer = taos.shared.new_buffer().await.unwrap();
    buffer.adopt(b"t i=1i 7\n".to_vec());
    taos.shared.send(&mut buffer).await.unwrap();
    let seen = script.seen();
    assert_eq!(seen.last().unwrap().body, b"t i=1i 7\n");
    assert!(seen.iter().all(|seen| seen.connection == 1));
}

#[tokio::test]
async fn a_table_is_described_by_its_columns() {
    let columns = r#"{"columns":[{"name":"column","type":"STRING"},{"name":"type","type":"STRING"},
        {"name":"designated","type":"BOOLEAN"},{"name":"upsertKey","type":"BOOLEAN"}],"dataset":[
        ["ts","TIMESTAMP_NS",true,true],["s","SYMBOL",false,true],["d","DECIMAL(18,3)",false,false]]}"#;
    let (script, taos) = connected([json(columns)]).await;
    let table = taos.describe("my \"t\"").await.unwrap();
    assert!(lines(&script)[1].contains("show+columns+from+%22my+%22%22t%22%22%22"));
    assert_eq!(table.names().collect::<Vec<_>>(), ["ts", "s", "d"]);
    assert!(!table[0].is_primary_key() && table[1].is_primary_key());
    assert_eq!(table[2].decimal, Some((18, 3)));
}

/// A server with a runtime of its own, because the caller's stands still in blocking calls.
fn elsewhere(script: Script) -> SocketAddr {
    let (told, address) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            told.send(script.listen(None).await).unwrap();
            std::future::pending::<()>().await;
        });
    });
    address.recv().unwrap()
}

#[tokio::test]
async fn a_connection_works_in_blocking_calls_even_inside_the_runtime_that_made_it() {
    let steps = [json(SETTINGS), json(NUMBERS), json(NUMBERS), json(NUMBERS)];
    let address = elsewhere(Script::new(steps));
    let taos = builder(address, "").build().await.unwrap();
    assert_eq!(numbers(&taos).await.unwrap(), [1, 2, 3]);
    let mut result = taos_query::sync::Queryable::query(&taos, "q").unwrap();
    let rows: RawResult<Vec<i64>> = taos_query::sync::Fetchable::deserialize(&mut result).collect();
    assert_eq!(rows.unwrap(), [1, 2, 3]);
    assert_eq!(numbers(&taos).await.unwrap(), [1, 2, 3]);
}
