//! Statements against a server of scripted answers.

use taos_query::block::ColumnView;
use taos_query::common::{Precision, Timestamp, Ty, Value};
use taos_query::schemaless::{SchemalessPrecision, SchemalessProtocol, SmlDataBuilder};
use taos_query::stmt::BindType;
use taos_query::{
    AsyncBindable, AsyncQueryable, AsyncStatements, AsyncTBuilder, ErrorKind, Stmt2AsyncBindable,
    Stmt2BindParam,
};

use crate::testing::{Script, Step, response};
use crate::{Taos, TaosBuilder};

const SETTINGS: &str = r#"{"config":{"release.version":"9.3.4",
    "line.proto.support.versions":[1,2,3],"cairo.max.file.name.length":127}}"#;

const COLUMNS: &[(&str, &str)] = &[
    ("ts", "TIMESTAMP"),
    ("sym", "SYMBOL"),
    ("d", "DOUBLE"),
    ("i", "INT"),
    ("v", "VARCHAR"),
    ("b", "BOOLEAN"),
    ("t2", "TIMESTAMP_NS"),
    ("day", "DATE"),
    ("dec", "DECIMAL(18,3)"),
    ("arr", "DOUBLE[]"),
    ("bin", "BINARY"),
];

fn json(body: &str) -> Step {
    Step::Answer(response(200, "application/json; charset=utf-8", body))
}

/// The answer about the columns of a table, the first being its time.
fn columns(columns: &[(&str, &str)]) -> Step {
    let rows: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, (name, ty))| format!(r#"["{name}","{ty}",{}]"#, at == 0))
        .collect();
    json(&format!(
        r#"{{"query":"q","columns":[{{"name":"column","type":"STRING"}},{{"name":"type","type":"STRING"}},{{"name":"designated","type":"BOOLEAN"}}],"timestamp":-1,"dataset":[{}],"count":{}}}"#,
        rows.join(","),
        columns.len()
    ))
}

async fn taos(steps: impl IntoIterator<Item = Step>, params: &str) -> (Taos, Script) {
    let script = Script::new(std::iter::once(json(SETTINGS)).chain(steps));
    let address = script.listen(None).await;
    let builder = TaosBuilder::from_dsn(format!("questdb://{address}?{params}")).unwrap();
    (builder.build().await.unwrap(), script)
}

/// The body of the last request.
fn body(script: &Script) -> String {
    let seen = script.seen();
    let last = seen.last().unwrap();
    assert!(last.line.starts_with("POST /write"), "{}", last.line);
    String::from_utf8(last.body.clone()).unwrap()
}

fn times(values: Vec<i64>) -> ColumnView {
    ColumnView::from_micros_timestamp(values)
}

#[tokio::test]
async fn bound_columns_become_lines_with_symbols_first_and_nulls_left_out() {
    let (taos, script) = taos([columns(COLUMNS)], "protocol_version=1").await;
    let sql = "insert into t (d, ts, v, sym, i, b) values (?, ?, ?, ?, 7, ?)";
    let mut stmt = taos.stmt2(sql).await.unwrap();
    assert_eq!(stmt.is_insert(), Some(true));
    let fields = stmt.fields().unwrap();
    let described: Vec<(&str, i8)> = fields
        .iter()
        .map(|field| (field.name.as_str(), field.field_type))
        .collect();
    let id = |ty: Ty| i8::try_from(ty.as_u8()).unwrap();
    assert_eq!(
        described,
        [
            ("d", id(Ty::Double)),
            ("ts", id(Ty::Timestamp)),
            ("v", id(Ty::VarChar)),
            ("sym", id(Ty::VarChar)),
            ("b", id(Ty::Bool)),
        ]
    );
    assert!(
        fields
            .iter()
            .all(|field| field.bind_type == BindType::Column)
    );
    let param = Stmt2BindParam::new(
        None,
        None,
        Some(vec![
            ColumnView::from_doubles(vec![Some(1.5), None]),
            times(vec![5, 6]),
            ColumnView::from_varchar::<&str, _, _, _>(vec![None, Some("a \"b\"")]),
            ColumnView::from_nchar::<&str, _, _, _>(vec![Some("x y"), None]),
            ColumnView::from_bools(vec![Some(true), None]),
        ]),
    );
    stmt.bind(&[param]).await.unwrap();
    assert_eq!(script.seen().len(), 2, "nothing is sent before exec");
    assert_eq!(stmt.exec().await.unwrap(), 2);
    assert_eq!(
        body(&script),
        "t,sym=x\\ y d=1.5,i=7i,b=t 5000\nt v=\"a \\\"b\\\"\",i=7i 6000\n"
    );
    assert_eq!(Stmt2AsyncBindable::affected_rows(&stmt).await, 2);
    assert!(stmt.exec().await.is_err(), "nothing is bound any more");
    assert!(stmt.result_set().await.is_err());
}

#[tokio::test]
async fn each_type_of_column_is_written_as_the_server_reads_it() {
    let (taos, script) = taos([columns(COLUMNS)], "protocol_version=3").await;
    let sql = "insert into t (ts, t2, day, dec, arr, d) values (?, ?, ?, ?, ?, ?)";
    let mut stmt = taos.stmt2(sql).await.unwrap();
    let bind = |views: Vec<ColumnView>| Stmt2BindParam::new(None, None, Some(views));
    let row = bind(vec![
        ColumnView::from_nanos_timestamp(vec![-1_i64 + 2_000]),
        ColumnView::from_millis_timestamp(vec![3_i64]),
        times(vec![4_999]),
        ColumnView::from_decimal(vec![Some(-1_250_i128)], 18, 3),
        ColumnView::from_json::<&str, _, _, _>(vec![Some("[]")]),
        ColumnView::from_ints(vec![Some(-3)]),
    ]);
    stmt.bind(&[row]).await.unwrap();
    stmt.exec().await.unwrap();
    let expected: &[u8] = b"t t2=3000000n,day=4i,dec=-1.250d,arr==\x0e\x0a\x01\0\0\0\0,d=-3i 1t\n";
    assert_eq!(script.seen().last().unwrap().body, expected);
    let text = bind(vec![
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("1970-01-01T00:00:01.5+00:00")]),
        ColumnView::from_big_ints(vec![Some(9)]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("1970-01-01T01:00:00+01:00")]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("0.5")]),
        ColumnView::null(1, Ty::Json),
        ColumnView::from_floats(vec![Some(0.5)]),
    ]);
    stmt.bind(&[text]).await.unwrap();
    stmt.exec().await.unwrap();
    let expected = [
        b"t t2=9n,day=0i,dec=0.5d,d==\x10".as_slice(),
        &0.5_f64.to_le_bytes(),
        b" 1500000t\n",
    ];
    assert_eq!(script.seen().last().unwrap().body, expected.concat());
}

#[tokio::test]
async fn a_row_without_a_time_is_stamped_by_the_server_and_one_of_nulls_says_so() {
    let (taos, script) = taos([columns(COLUMNS)], "protocol_version=1").await;
    let mut stmt = taos
        .stmt2("insert into t (ts, v) values (?, ?)")
        .await
        .unwrap();
    let param = Stmt2BindParam::new(
        None,
        None,
        Some(vec![
            ColumnView::from_micros_timestamp(vec![None, Some(1)]),
            ColumnView::from_varchar::<&str, _, _, _>(vec![Some("a"), None]),
        ]),
    );
    stmt.bind(&[param]).await.unwrap();
    stmt.exec().await.unwrap();
    assert_eq!(body(&script), "t v=\"a\"\nt d=NaN 1000\n");
}

#[tokio::test]
async fn a_bind_that_does_not_fit_names_column_and_type_and_binds_nothing() {
    let (taos, script) = taos([columns(COLUMNS)], "protocol_version=1").await;
    let mut stmt = taos
        .stmt2("insert into t (i, v) values (?, ?)")
        .await
        .unwrap();
    let text = |text: &str| ColumnView::from_varchar::<&str, _, _, _>(vec![Some(text)]);
    let ints = |v: i64| ColumnView::from_big_ints(vec![Some(v)]);
    let cases = [
        (
            vec![ints(5_000_000_000), text("a")],
            ["`i` (INT)", "5000000000"],
        ),
        (vec![text("x"), text("a")], ["`i` (INT)", "VARCHAR"]),
        (vec![ints(1), ints(2)], ["`v` (VARCHAR)", "BIGINT"]),
        (
            vec![ints(1)],
            [
                "2 placeholders",
                "1 columns were bound; the last is for `v`",
            ],
        ),
        (
            vec![ColumnView::from_big_ints(vec![Some(1), None]), text("a")],
            ["differ in length", "`v` has 1"],
        ),
    ];
    let good = Stmt2BindParam::new(None, None, Some(vec![ints(1), text("kept")]));
    stmt.bind(std::slice::from_ref(&good)).await.unwrap();
    for (views, fragments) in cases {
        let bad = Stmt2BindParam::new(None, None, Some(views));
        let error = stmt.bind(&[good.clone(), bad]).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        for fragment in fragments {
            assert!(error.to_string().contains(fragment), "{error}");
        }
    }
    assert_eq!(stmt.exec().await.unwrap(), 1);
    assert_eq!(body(&script), "t i=1i,v=\"kept\"\n");
}

#[tokio::test]
async fn a_value_that_would_be_kept_as_null_is_refused_by_its_column() {
    let types = [
        ("ts", "TIMESTAMP"),
        ("i", "INT"),
        ("l", "LONG"),
        ("day", "DATE"),
        ("t1", "TIMESTAMP"),
        ("t2", "TIMESTAMP_NS"),
        ("ip", "IPv4"),
        ("id", "UUID"),
        ("c", "CHAR"),
        ("d", "DOUBLE"),
        ("s", "SHORT"),
    ];
    let text = |text: &str| ColumnView::from_varchar::<&str, _, _, _>(vec![Some(text)]);
    let long = |v: i64| ColumnView::from_big_ints(vec![Some(v)]);
    let cases = [
        ("ts", times(vec![i64::MIN]), times(vec![1])),
        ("i", long(i32::MIN.into()), long(i64::from(i32::MIN) + 1)),
        ("l", long(i64::MIN), long(i64::MIN + 1)),
        ("day", long(i64::MIN), long(1)),
        ("t1", times(vec![i64::MIN]), times(vec![1])),
        ("t2", long(i64::MIN), long(1)),
        ("ip", text("0.0.0.0"), text("0.0.0.1")),
        (
            "id",
            text("80000000-0000-0000-8000-000000000000"),
            text("80000000-0000-0000-8000-000000000001"),
        ),
        ("c", text("\0"), text("0")),
        (
            "d",
            ColumnView::from_doubles(vec![f64::INFINITY]),
            ColumnView::from_doubles(vec![f64::NAN]),
        ),
        ("s", long(1 << 20), long(i16::MIN.into())),
    ];
    let steps = cases.iter().map(|_| columns(&types));
    let (taos, _script) = taos(steps, "protocol_version=2").await;
    for (name, null, other) in cases {
        let sql = format!("insert into t ({name}) values (?)");
        let mut stmt = taos.stmt2(&sql).await.unwrap();
        let error = stmt
            .bind(&[Stmt2BindParam::new(None, None, Some(vec![null]))])
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        let words = if name == "s" { "outside" } else { "as NULL" };
        let text = error.to_string();
        assert!(
            text.contains(&format!("`{name}`")) && text.contains(words),
            "{text}"
        );
        stmt.bind(&[Stmt2BindParam::new(None, None, Some(vec![other]))])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_table_without_a_log_is_refused_with_the_way_out() {
    let plain = r#"{"query":"q","columns":[{"name":"column","type":"STRING"},{"name":"type","type":"STRING"},{"name":"designated","type":"BOOLEAN"}],"dataset":[["a","INT",false]],"count":1}"#;
    let refused =
        r#"{"code":"invalid","message":"cannot insert in non-WAL table","line":1,"errorId":"e"}"#;
    let steps = [
        json(plain),
        columns(COLUMNS),
        Step::Answer(response(400, "application/json", refused)),
    ];
    let (taos, _script) = taos(steps, "protocol_version=1").await;
    let error = taos.stmt2("insert into nodes values (?)").await.map(drop);
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    assert!(
        text.contains("`nodes`") && text.contains("partition by day wal"),
        "{text}"
    );

    let mut stmt = taos.stmt2("insert into t (i) values ($1)").await.unwrap();
    let one = Stmt2BindParam::new(None, None, Some(vec![ColumnView::from_ints(vec![1])]));
    stmt.bind(&[one]).await.unwrap();
    let text = stmt.exec().await.unwrap_err().to_string();
    assert!(
        text.contains("non-WAL") && text.contains("`t`: bound rows go only"),
        "{text}"
    );
}

#[tokio::test]
async fn statements_that_cannot_be_written_are_refused_when_they_are_prepared() {
    let missing = r#"{"query":"q","error":"table does not exist [table=t]","position":5}"#;
    let steps = [
        columns(COLUMNS),
        columns(COLUMNS),
        columns(COLUMNS),
        columns(COLUMNS),
        Step::Answer(response(400, "application/json; charset=utf-8", missing)),
    ];
    let (taos, _script) = taos(steps, "").await;
    for (sql, kind, fragment) in [
        (
            "insert into t (ts, x) values (?, ?)",
            ErrorKind::Config,
            "no column `x`",
        ),
        (
            "insert into t values (?, ?)",
            ErrorKind::Config,
            "11 columns",
        ),
        (
            "insert into t (bin) values (?)",
            ErrorKind::Unsupported,
            "BINARY",
        ),
        (
            "insert into t (ts, t2) values (now(), now())",
            ErrorKind::Unsupported,
            "now()",
        ),
        (
            "insert into t (ts) values (?)",
            ErrorKind::Server,
            "does not exist",
        ),
        (
            "/*/ insert into t (ts) values (?) */ select 1",
            ErrorKind::Unsupported,
            "INSERT",
        ),
        (
            "select * from t where i > ?",
            ErrorKind::Unsupported,
            "INSERT",
        ),
        (
            "insert into ? using s tags(?) values (?)",
            ErrorKind::Unsupported,
            "USING",
        ),
    ] {
        let error = taos.stmt2(sql).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{sql}: {error}");
        assert!(error.to_string().contains(fragment), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_bind_beyond_the_limit_of_a_request_is_refused_and_those_before_it_stay() {
    let steps = [columns(COLUMNS)];
    let (taos, script) = taos(steps, "max_buf_size=1024&protocol_version=1").await;
    let mut stmt = taos
        .stmt2("insert into t (ts, i) values (?, ?)")
        .await
        .unwrap();
    let rows = |count: i32| {
        let ints = ColumnView::from_ints((0..count).collect::<Vec<_>>());
        let views = [times((0..i64::from(count)).collect()), ints];
        Stmt2BindParam::new(None, None, Some(views.to_vec()))
    };
    let error = stmt.bind(&[rows(1000)]).await.unwrap_err();
    assert!(error.to_string().contains("bind fewer"), "{error}");
    stmt.bind(&[rows(3)]).await.unwrap();
    let error = stmt.bind(&[rows(1000)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("execute"), "{error}");
    assert_eq!(stmt.exec().await.unwrap(), 3);
    assert_eq!(body(&script).lines().count(), 3);
}

#[tokio::test]
async fn the_first_generation_names_its_tables_by_set_tbname() {
    let columns = || columns(&[("ts", "TIMESTAMP"), ("v", "LONG")]);
    let (taos, script) = taos([columns(), columns()], "protocol_version=2").await;
    let mut stmt = taos.stmt("insert into ? values (?, ?)").await.unwrap();
    let views = || [times(vec![1]), ColumnView::from_big_ints(vec![Some(2)])];
    assert!(stmt.bind(&views()).await.is_err(), "no table is named");
    assert!(stmt.add_batch().await.is_err(), "nothing is bound");
    let tags = stmt.set_tbname_tags("a", &[Value::Int(1)]).await.map(drop);
    assert_eq!(tags.unwrap_err().kind(), ErrorKind::Unsupported);
    for table in ["a b", "`c`"] {
        stmt.set_tbname(table).await.unwrap();
        stmt.bind(&views())
            .await
            .unwrap()
            .add_batch()
            .await
            .unwrap();
        assert!(stmt.add_batch().await.is_err());
    }
    assert_eq!(stmt.execute().await.unwrap(), 2);
    assert_eq!(body(&script), "a\\ b v=2i 1t\nc v=2i 1t\n");
    assert_eq!(AsyncBindable::affected_rows(&stmt).await, 2);
}

#[tokio::test]
async fn an_execution_whose_answer_is_lost_may_have_been_stored_and_one_refused_was_not() {
    let refusal = r#"{"code":"invalid","message":"bad line","line":1,"errorId":"x-1"}"#;
    let steps = [
        columns(COLUMNS),
        Step::Answer(response(400, "application/json; charset=utf-8", refusal)),
        Step::Close,
    ];
    let (taos, _script) = taos(steps, "protocol_version=1&retry_timeout=0").await;
    let mut stmt = taos.stmt2("insert into t (i) values (?)").await.unwrap();
    let param = Stmt2BindParam::new(None, None, Some(vec![ColumnView::from_ints(vec![Some(1)])]));
    stmt.bind(std::slice::from_ref(&param)).await.unwrap();
    let refused = stmt.exec().await.unwrap_err();
    assert!(!refused.outcome_unknown(), "{refused}");
    assert!(refused.to_string().contains("bad line"), "{refused}");
    stmt.bind(std::slice::from_ref(&param)).await.unwrap();
    let lost = stmt.exec().await.unwrap_err();
    assert!(lost.outcome_unknown(), "{lost}");
    stmt.bind(&[param]).await.unwrap();
    assert_eq!(stmt.exec().await.unwrap(), 1);
}

#[tokio::test]
async fn lines_are_put_as_they_are_with_the_unit_of_their_times() {
    use SchemalessPrecision as Unit;
    let (taos, script) = taos([], "").await;
    for (precision, unit) in [
        (Unit::NonConfigured, "n"),
        (Unit::Nanosecond, "n"),
        (Unit::Microsecond, "u"),
        (Unit::Millisecond, "ms"),
        (Unit::Seconds, "s"),
        (Unit::Minutes, "m"),
        (Unit::Hours, "h"),
    ] {
        let data = SmlDataBuilder::default()
            .protocol(SchemalessProtocol::Line)
            .precision(precision)
            .data(vec![
                "m,place=oslo c=1.5 1".to_owned(),
                "m c=2i 2".to_owned(),
            ])
            .build()
            .unwrap();
        taos.put(&data).await.unwrap();
        assert_eq!(body(&script), "m,place=oslo c=1.5 1\nm c=2i 2\n");
        let seen = script.seen();
        let line = &seen.last().unwrap().line;
        assert_eq!(*line, format!("POST /write?precision={unit} HTTP/1.1"));
    }
}

#[tokio::test]
async fn what_only_tdengine_puts_is_refused_by_name() {
    let (taos, script) = taos([], "max_buf_size=1024").await;
    let asked = script.seen().len();
    let data = |protocol, change: fn(&mut SmlDataBuilder) -> &mut SmlDataBuilder| {
        let mut builder = SmlDataBuilder::default();
        builder.protocol(protocol).data(vec!["m c=1i".to_owned()]);
        change(&mut builder);
        builder.build().unwrap()
    };
    let line = SchemalessProtocol::Line;
    for (data, fragment) in [
        (data(SchemalessProtocol::Telnet, |b| b), "telnet"),
        (data(SchemalessProtocol::Json, |b| b), "JSON"),
        (data(line, |b| b.ttl(3)), "ttl"),
        (data(line, |b| b.table_name_key("id")), "table name key"),
    ] {
        let error = taos.put(&data).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(fragment), "{error}");
    }
    let long = data(line, |b| b.data(vec!["x".repeat(1024)]));
    let error = taos.put(&long).await.unwrap_err();
    assert!(
        error.to_string().contains("`max_buf_size` (1024)"),
        "{error}"
    );
    assert_eq!(script.seen().len(), asked);
    assert!(taos.put(&data(line, |b| b.ttl(0))).await.is_ok());
}

#[test]
fn a_time_in_another_unit_is_cut_off_towards_the_past_and_one_too_far_away_refused() {
    use super::table::Type;
    use crate::ingress::{Buffer, ColumnName};
    use taos_query::common::BorrowedValue;
    let write = |ty: &Type, time: Timestamp| {
        let mut buffer = Buffer::default();
        buffer.table("t").unwrap();
        let name = ColumnName::new("c").unwrap();
        super::value::column(&mut buffer, name, ty, &BorrowedValue::Timestamp(time))
            .map(|()| String::from_utf8_lossy(buffer.as_bytes()).into_owned())
    };
    let nanos = Timestamp::new(-1, Precision::Nanosecond);
    assert_eq!(write(&Type::Micros, nanos).unwrap(), "t c=-1t");
    assert_eq!(write(&Type::Date, nanos).unwrap(), "t c=-1i");
    let far = Timestamp::new(i64::MAX / 10, Precision::Millisecond);
    assert!(write(&Type::Nanos, far).is_err());
}
