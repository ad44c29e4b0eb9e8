//! Queries: what a result holds, and what a connection is used for.

use std::sync::Arc;

use futures::TryStreamExt as _;
use taos::*;
use taos_tests::qwp_mock::egress::{Cells, Form, Gate, Info, Queries, Request, Step, Table};
use taos_tests::qwp_mock::{Halves, QwpMock, Refusal};

pub(crate) async fn serve(queries: Queries) -> (QwpMock, Arc<Queries>) {
    let queries = Arc::new(queries);
    let halves = Halves {
        queries: Some(queries.clone()),
        ..Halves::default()
    };
    (QwpMock::start(halves).await.unwrap(), queries)
}

pub(crate) async fn connect(server: &QwpMock, params: &str) -> RawResult<Taos> {
    let dsn = format!("questdb+ws://{}{params}", server.addr());
    TaosBuilder::from_dsn(dsn)?.build().await
}

pub(crate) fn longs(values: impl IntoIterator<Item = i64>) -> Step {
    let cells = values.into_iter().map(Some).collect();
    Step::Rows(vec![("n".to_owned(), Cells::Long(cells))])
}

pub(crate) async fn read(taos: &Taos, sql: &str) -> RawResult<Vec<i64>> {
    taos.query(sql)
        .await?
        .deserialize::<i64>()
        .try_collect()
        .await
}

fn all_types() -> Table {
    let text = |text: &str| Some(text.to_owned());
    let columns = [
        ("boolean", Cells::Boolean(vec![true, false, true])),
        ("byte", Cells::Byte(vec![-128, 0, 127])),
        ("short", Cells::Short(vec![i16::MIN, 0, i16::MAX])),
        ("int", Cells::Int(vec![Some(-1), None, Some(i32::MAX)])),
        ("long", Cells::Long(vec![Some(i64::MAX), None, Some(-7)])),
        ("float", Cells::Float(vec![Some(1.5), None, Some(-0.25)])),
        ("double", Cells::Double(vec![Some(0.1), None, Some(1e300)])),
        (
            "symbol",
            Cells::Symbol(vec![text("ETH"), None, text("ETH")]),
        ),
        (
            "ts",
            Cells::Timestamp(vec![Some(1_700_000_000_000_001), None, Some(-1)]),
        ),
        (
            "date",
            Cells::Date(vec![Some(1_700_000_000_001), None, Some(0)]),
        ),
        (
            "uuid",
            Cells::Uuid(vec![
                Some(0x99aa_bbcc_ddee_ff00_1122_3344_5566_7788),
                None,
                Some(1),
            ]),
        ),
        (
            "long256",
            Cells::Long256(vec![Some([0x34, 0x12, 0, 0]), None, Some([0; 4])]),
        ),
        (
            "geohash",
            Cells::Geohash(
                25,
                vec![Some(0b11010_01001_00011_01000_01000), None, Some(0)],
            ),
        ),
        ("bits", Cells::Geohash(3, vec![Some(0b101), None, Some(0)])),
        (
            "varchar",
            Cells::Varchar(vec![text("价格 €"), None, text("")]),
        ),
        (
            "doubles",
            Cells::DoubleArray(vec![
                Some((vec![2, 2], vec![1.0, 2.5, f64::NAN, -4.0])),
                None,
                Some((vec![0], vec![])),
            ]),
        ),
        (
            "longs",
            Cells::LongArray(vec![
                Some((vec![2], vec![7, i64::MIN])),
                None,
                Some((vec![1, 1, 1], vec![1])),
            ]),
        ),
        (
            "decimal64",
            Cells::Decimal64(2, vec![Some(-125), None, Some(0)]),
        ),
        (
            "decimal128",
            Cells::Decimal128(
                3,
                vec![Some(12_345_678_901_234_567_890_123_456_789), None, Some(5)],
            ),
        ),
        (
            "decimal256",
            Cells::Decimal256(1, vec![Some([0xff; 32]), None, Some([0; 32])]),
        ),
        ("char", Cells::Char(vec![65, 0, 0x20AC])),
        (
            "binary",
            Cells::Binary(vec![Some(vec![0, 0xff]), None, Some(Vec::new())]),
        ),
        (
            "ipv4",
            Cells::Ipv4(vec![Some(0x0A00_0001), None, Some(u32::MAX)]),
        ),
    ];
    columns
        .into_iter()
        .map(|(name, cells)| (name.to_owned(), cells))
        .collect()
}

/// What each column of [`all_types`] should be, NULL as `None`.
const EXPECTED: [(&str, Ty, [Option<&str>; 3]); 23] = {
    const fn row(
        name: &'static str,
        ty: Ty,
        a: &'static str,
        c: &'static str,
    ) -> (&'static str, Ty, [Option<&'static str>; 3]) {
        (name, ty, [Some(a), None, Some(c)])
    }
    [
        (
            "boolean",
            Ty::Bool,
            [Some("true"), Some("false"), Some("true")],
        ),
        ("byte", Ty::TinyInt, [Some("-128"), Some("0"), Some("127")]),
        (
            "short",
            Ty::SmallInt,
            [Some("-32768"), Some("0"), Some("32767")],
        ),
        row("int", Ty::Int, "-1", "2147483647"),
        row("long", Ty::BigInt, "9223372036854775807", "-7"),
        row("float", Ty::Float, "1.5", "-0.25"),
        row("double", Ty::Double, "0.1", "1e300"),
        row("symbol", Ty::VarChar, "ETH", "ETH"),
        row("ts", Ty::Timestamp, "1700000000000001", "-1"),
        row("date", Ty::Timestamp, "1700000000001000", "0"),
        row(
            "uuid",
            Ty::VarChar,
            "99aabbcc-ddee-ff00-1122-334455667788",
            "00000000-0000-0000-0000-000000000001",
        ),
        row("long256", Ty::VarChar, "0x120000000000000034", "0x00"),
        row("geohash", Ty::VarChar, "u9388", "00000"),
        row("bits", Ty::VarChar, "101", "000"),
        row("varchar", Ty::VarChar, "价格 €", ""),
        row("doubles", Ty::Json, "[[1.0,2.5],[null,-4.0]]", "[]"),
        row("longs", Ty::Json, "[7,null]", "[[[1]]]"),
        row("decimal64", Ty::Decimal, "-1.25", "0.00"),
        row(
            "decimal128",
            Ty::Decimal,
            "12345678901234567890123456.789",
            "0.005",
        ),
        row("decimal256", Ty::VarChar, "-0.1", "0.0"),
        row("char", Ty::VarChar, "A", "€"),
        row("binary", Ty::VarBinary, "00ff", ""),
        row("ipv4", Ty::VarChar, "10.0.0.1", "255.255.255.255"),
    ]
};

fn shown(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null(_) => return None,
        Value::Timestamp(ts) => ts.as_raw_i64().to_string(),
        Value::Float(v) => v.to_string(),
        Value::Double(v) if *v > 1e20 => format!("{v:e}"),
        Value::Double(v) => v.to_string(),
        Value::VarBinary(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        other => other.to_string().unwrap(),
    })
}

#[tokio::test]
async fn cells_of_every_type_come_out_in_every_form_that_the_protocol_has() {
    for (bitmaps, gorilla, zstd) in [
        (false, false, false),
        (true, false, false),
        (true, true, false),
        (false, true, true),
    ] {
        let form = Form {
            bitmaps,
            gorilla,
            zstd,
        };
        let answers = |_: &Request| vec![Step::Rows(all_types()), Step::End];
        let (server, _) = serve(Queries::new(answers).with_form(form)).await;
        let params = if zstd { "?compression=zstd" } else { "" };
        let taos = connect(&server, params).await.unwrap();
        let mut result = taos.query("select * from t").await.unwrap();
        assert_eq!(result.precision(), Precision::Microsecond);
        let fields: Vec<(String, Ty)> = result
            .fields()
            .iter()
            .map(|field| (field.name().to_owned(), field.ty()))
            .collect();
        let rows = result.to_records().await.unwrap();
        assert_eq!(rows.len(), 3);
        for (index, (name, ty, cells)) in EXPECTED.iter().enumerate() {
            assert_eq!(fields[index], ((*name).to_owned(), *ty));
            let got: Vec<Option<String>> = rows.iter().map(|row| shown(&row[index])).collect();
            assert_eq!(
                got,
                cells.map(|cell| cell.map(str::to_owned)),
                "{name} {form:?}"
            );
        }
        assert_eq!(server.complaints(), [""; 0]);
    }
}

#[tokio::test]
async fn arrays_become_vectors() {
    let cells = Cells::DoubleArray(vec![Some((vec![2, 1], vec![1.5, -2.0])), None]);
    let table = vec![("a".to_owned(), cells)];
    let answers = move |_: &Request| vec![Step::Rows(table.clone()), Step::End];
    let (server, _) = serve(Queries::new(answers)).await;
    let taos = connect(&server, "").await.unwrap();
    let mut result = taos.query("select a from t").await.unwrap();
    type Row = (Option<Vec<Vec<f64>>>,);
    let arrays: Vec<Row> = result.deserialize().try_collect().await.unwrap();
    assert_eq!(arrays, [(Some(vec![vec![1.5], vec![-2.0]]),), (None,)]);
}

#[tokio::test]
async fn symbols_are_known_for_as_long_as_the_connection_until_they_are_forgotten() {
    let answers = |request: &Request| {
        let names = request.sql.split(' ').map(|name| Some(name.to_owned()));
        let table = vec![("s".to_owned(), Cells::Symbol(names.collect()))];
        let mut steps = vec![Step::Rows(table.clone()), Step::Rows(table), Step::End];
        if request.sql.starts_with("forget") {
            steps.insert(0, Step::ForgetSymbols);
        }
        steps
    };
    let (server, queries) = serve(Queries::new(answers)).await;
    let taos = connect(&server, "").await.unwrap();
    for sql in ["select a b", "select b c a", "forget b", "select c"] {
        let mut result = taos.query(sql).await.unwrap();
        let got: Vec<String> = result.deserialize().try_collect().await.unwrap();
        assert_eq!(got.join(" "), format!("{sql} {sql}"));
    }
    assert_eq!(queries.log().connections, 1);
}

#[tokio::test]
async fn a_result_without_rows_still_has_columns_and_a_statement_counts_its_rows() {
    let answers = |request: &Request| match request.sql.as_str() {
        "select" => vec![longs([]), Step::End],
        _ => vec![Step::Done(3)],
    };
    let (server, _) = serve(Queries::new(answers)).await;
    let taos = connect(&server, "").await.unwrap();
    let mut result = taos.query("select").await.unwrap();
    assert_eq!(result.fields()[0].name(), "n");
    assert!(result.to_records().await.unwrap().is_empty());
    assert_eq!(taos.exec("update").await.unwrap(), 3);
}

#[tokio::test]
async fn a_refused_statement_says_why_and_spoils_nothing() {
    let answers = |request: &Request| match request.sql.parse::<u8>() {
        Ok(status) => vec![Step::Fail(status, "no table `x`".to_owned())],
        Err(_) => vec![longs([1]), Step::Fail(6, "out of memory".to_owned())],
    };
    let (server, queries) = serve(Queries::new(answers)).await;
    let taos = connect(&server, "").await.unwrap();
    for (status, kind) in [
        (3, ErrorKind::Server),
        (5, ErrorKind::Server),
        (8, ErrorKind::Server),
        (11, ErrorKind::Server),
        (14, ErrorKind::Timeout),
        (99, ErrorKind::Server),
    ] {
        let error = taos.query(status.to_string()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert!(error.to_string().contains("no table `x`"), "{error}");
        assert!(!error.outcome_unknown());
    }
    let error = read(&taos, "select").await.unwrap_err();
    assert!(error.to_string().contains("out of memory"), "{error}");
    let log = queries.log();
    assert_eq!(log.connections, 1);
    assert_eq!(log.requests.len(), 7, "none was run again");
}

#[tokio::test]
async fn a_result_that_is_dropped_cancels_its_query_and_the_connection_serves_the_next() {
    let answers = |request: &Request| match request.sql.as_str() {
        "select endless" => vec![longs([1]), Step::Hold(Gate::default())],
        _ => vec![longs([2]), Step::End],
    };
    let (server, queries) = serve(Queries::new(answers)).await;
    let taos = connect(&server, "").await.unwrap();
    let mut result = taos.query("select endless").await.unwrap();
    let block = result.blocks().try_next().await.unwrap().unwrap();
    assert_eq!(block.nrows(), 1);
    drop(result);
    // Nobody drives the connection now: the request to cancel left with the drop.
    let log = queries.until(|log| !log.cancelled.is_empty()).await;
    assert_eq!(log.cancelled, [log.requests[0].id]);
    assert_eq!(read(&taos, "select 2").await.unwrap(), [2]);
    assert_eq!(queries.log().connections, 1);
    assert_eq!(server.complaints(), [""; 0]);
}

#[tokio::test]
async fn credit_is_granted_for_the_length_of_each_batch() {
    let answers = |_: &Request| {
        let mut steps: Vec<Step> = (0..5).map(|n| longs(n * 100..n * 100 + 100)).collect();
        steps.push(Step::End);
        steps
    };
    let (server, queries) = serve(Queries::new(answers)).await;
    let taos = connect(&server, "?initial_credit=1").await.unwrap();
    let got = read(&taos, "select").await.unwrap();
    assert_eq!(got, (0..500).collect::<Vec<_>>());
    let log = queries.until(|log| log.credits.len() == 5).await;
    assert_eq!(log.requests[0].credit, 1);
    let granted: Vec<usize> = log
        .credits
        .iter()
        .map(|(_, bytes)| usize::try_from(*bytes).unwrap())
        .collect();
    assert_eq!(granted, log.batches);
    assert_eq!(server.complaints(), [""; 0]);
}

#[tokio::test]
async fn the_time_of_a_query_is_limited_only_by_servers_that_can() {
    let answers = |_: &Request| vec![longs([1]), Step::End];
    let (server, queries) = serve(Queries::new(answers)).await;
    let taos = connect(&server, "?query_timeout_ms=1500").await.unwrap();
    read(&taos, "select").await.unwrap();
    let request = queries.log().requests.remove(0);
    assert_eq!((request.flags, request.timeout), (2, Some(1500)));

    let info = Info {
        capabilities: 0,
        ..Info::default()
    };
    let (server, queries) = serve(Queries::new(answers).with_info(info)).await;
    let taos = connect(&server, "?query_timeout_ms=1500").await.unwrap();
    let error = read(&taos, "select").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("query_timeout_ms"), "{error}");
    assert!(queries.log().requests.is_empty());
    let taos = connect(&server, "").await.unwrap();
    read(&taos, "select").await.unwrap();
    assert_eq!(queries.log().requests[0].flags, 0);
}

#[tokio::test]
async fn queries_at_the_same_time_have_connections_of_their_own_which_are_kept() {
    let gate = Gate::default();
    let held = gate.clone();
    let answers = move |_: &Request| vec![Step::Hold(held.clone()), longs([1]), Step::End];
    let (server, queries) = serve(Queries::new(answers)).await;
    let taos = connect(&server, "").await.unwrap();
    let all = futures::future::try_join_all((0..4).map(|_| read(&taos, "select")));
    let opened = async {
        queries.until(|log| log.requests.len() == 4).await;
        gate.open();
    };
    let (results, ()) = tokio::join!(all, opened);
    assert_eq!(results.unwrap(), vec![[1]; 4]);
    for _ in 0..8 {
        read(&taos, "select").await.unwrap();
    }
    assert_eq!(queries.log().connections, 4);
    assert_eq!(server.complaints(), [""; 0]);
}

#[tokio::test]
async fn the_upgrade_says_what_the_settings_say() {
    let answers = |_: &Request| vec![longs([1]), Step::End];
    let (server, _) = serve(Queries::new(answers)).await;
    let params = "?client_id=me&compression=auto&compression_level=3&max_batch_rows=10";
    connect(&server, params).await.unwrap();
    connect(&server, "").await.unwrap();
    let heads = server.heads();
    assert_eq!(heads[0].path, "/read/v1");
    let ours: Vec<(String, &str)> = heads[0]
        .headers
        .iter()
        .filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-qwp"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
        .collect();
    let expected = [
        ("x-qwp-max-version", "1"),
        ("x-qwp-client-id", "me"),
        ("x-qwp-accept-encoding", "zstd;level=3,raw"),
        ("x-qwp-max-batch-rows", "10"),
    ];
    assert_eq!(ours, expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(heads[1].header("x-qwp-accept-encoding"), Some("raw"));
    assert_eq!(heads[1].header("x-qwp-max-batch-rows"), None);
    // Compression that cannot be done without is not to be had here.
    let error = connect(&server, "?compression=zstd").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_server_that_does_not_speak_the_protocol_is_told_from_one_that_refuses_the_user() {
    let server = QwpMock::start(Halves::default()).await.unwrap();
    let error = connect(&server, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("10.0"), "{error}");
    let refusing = Queries::new(|_| Vec::new()).refusing(Refusal::status(401));
    let (server, _) = serve(refusing).await;
    let error = connect(&server, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
}

#[test]
fn blocking_calls_read_results_too() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answers = |_: &Request| vec![longs([1, 2]), longs([3]), Step::End];
    let (server, _) = runtime.block_on(serve(Queries::new(answers)));
    let dsn = format!("questdb+ws://{}", server.addr());
    let taos = TaosBuilder::from_dsn(dsn).unwrap();
    let taos = sync::TBuilder::build(&taos).unwrap();
    let mut result = sync::Queryable::query(&taos, "select").unwrap();
    let got: Vec<i64> = sync::Fetchable::deserialize(&mut result)
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(got, [1, 2, 3]);
}
