//! Statements and the types that not every server takes, or not in the same form.

use super::peer::error_of;
use super::stmt::{FIELDS, MODERN, OLD, SQL, columns, prepared2, with};
use super::stmt_server::{FieldSpec, Script};
use crate::query::Taos;
use bytes::BytesMut;
use serde_json::json;
use taos_query::block::ColumnView;
use taos_query::common::{Precision, Timestamp, Ty, Value};
use taos_query::{
    AsyncBindable, AsyncStatements as _, ErrorKind, RawError, Stmt2AsyncBindable, Stmt2BindParam,
};

const NEWEST: &str = "3.4.1.0";

const DECIMALS: [FieldSpec; 3] = [
    ("ts", 9, 0, 0, 8, 1),
    ("a", 21, 0, 0, 8, 1),
    ("b", 17, 0, 0, 16, 1),
];

async fn bind_decimals(taos: &Taos, a: ColumnView, b: ColumnView) -> Result<usize, RawError> {
    let mut stmt = taos.stmt2("insert into Dec.`T` values(?,?,?)").await?;
    let time = ColumnView::from_millis_timestamp(vec![1]);
    let param = Stmt2BindParam::new(None, None, Some(vec![time, a, b]));
    Stmt2AsyncBindable::bind(&mut stmt, &[param]).await?;
    stmt.exec().await
}

#[tokio::test(start_paused = true)]
async fn decimals_go_in_the_form_of_the_servers_version_and_at_the_columns_scale() {
    let a = |unscaled, scale| ColumnView::from_decimal64(vec![Some(unscaled)], 18, scale);
    let b = |unscaled, scale| ColumnView::from_decimal(vec![Some(unscaled)], 38, scale);
    for (version, first, second) in [
        (
            MODERN,
            (-1250_i64).to_le_bytes().to_vec(),
            5_i128.to_le_bytes().to_vec(),
        ),
        (NEWEST, b"-12.50".to_vec(), b"0.0000000005".to_vec()),
    ] {
        let mut script = Script::insert(version, &DECIMALS);
        script.described = vec![
            ("ts", "TIMESTAMP"),
            ("a", "DECIMAL(10,2)"),
            ("b", "DECIMAL(38,10)"),
        ];
        let (taos, server) = with(script);
        assert_eq!(bind_decimals(&taos, a(-125, 1), b(5, 10)).await.unwrap(), 1);
        assert!(server.take_log().contains(&"describe Dec.`T`".to_owned()));
        let items = server.seen(|seen| seen.binds[0].tables[0].columns.clone());
        assert_eq!(items[1].values().next(), Some(Some(&first[..])));
        assert_eq!(items[2].values().next(), Some(Some(&second[..])));
        assert_eq!(items[1].known_type(), Some(Ty::Decimal64));
        // Either width of view will do.
        bind_decimals(&taos, b(125, 1), a(5, 0)).await.unwrap();
        for (a, b, words) in [
            (
                a(-1_255, 3),
                b(5, 10),
                "column `a` is DECIMAL(10,2), which cannot hold -1.255",
            ),
            (
                a(99_999_999_999, 2),
                b(5, 10),
                "column `a` is DECIMAL(10,2)",
            ),
            (a(1, 2), b(5, 11), "column `b` is DECIMAL(38,10)"),
        ] {
            let error = error_of(bind_decimals(&taos, a, b).await);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
    for version in [OLD, "3.3.5.9", "no version"] {
        let (taos, _server) = with(Script::insert(version, &DECIMALS));
        let error = error_of(bind_decimals(&taos, a(1, 2), b(5, 10)).await);
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{version}: {error}");
        assert!(
            error.to_string().contains("column `a`"),
            "{version}: {error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn digits_that_could_not_be_asked_for_are_asked_for_the_next_time() {
    let mut script = Script::insert(MODERN, &DECIMALS);
    script.described = vec![("a", "DECIMAL(10,2)"), ("b", "DECIMAL(38,10)")];
    let (taos, server) = with(script);
    let mut stmt = taos.stmt2("insert into ? values(?,?,?)").await.unwrap();
    let columns = vec![
        ColumnView::from_millis_timestamp(vec![1]),
        ColumnView::from_decimal64(vec![Some(-125)], 18, 1),
        ColumnView::from_decimal(vec![Some(5)], 38, 10),
    ];
    let param = Stmt2BindParam::new(Some("t".into()), None, Some(columns));
    server.set(|script| script.errors.push(("describe", 0x0130)));
    Stmt2AsyncBindable::bind(&mut stmt, std::slice::from_ref(&param))
        .await
        .unwrap();
    let error = error_of(stmt.exec().await);
    assert!(error.to_string().contains("the scale"), "{error}");
    Stmt2AsyncBindable::bind(&mut stmt, &[param]).await.unwrap();
    assert_eq!(stmt.exec().await.unwrap(), 1);
    let item = server.seen(|seen| seen.binds[0].tables[0].columns[1].clone());
    assert_eq!(
        item.values().next(),
        Some(Some(&(-1250_i64).to_le_bytes()[..]))
    );
}

#[tokio::test(start_paused = true)]
async fn blobs_are_refused_by_name_where_only_the_first_generation_is() {
    let fields = [("ts", 9, 0, 0, 8, 1), ("pic", 18, 0, 0, 5, 1)];
    for (version, works) in [(MODERN, true), (OLD, false)] {
        let (taos, _server) = with(Script::insert(version, &fields));
        let mut stmt = taos.stmt("insert into t values(?,?)").await.unwrap();
        let bound = [
            ColumnView::from_millis_timestamp(vec![1]),
            ColumnView::from_blob_bytes::<&[u8], _, _, _>(vec![&[1_u8, 2][..]]),
        ];
        match stmt.bind(&bound).await {
            Ok(_) => assert!(works),
            Err(error) => {
                assert!(!works, "{error}");
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(error.to_string().contains("column `pic`"), "{error}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn integers_of_another_width_fit_a_tag_if_their_value_does() {
    let mut fields = FIELDS;
    fields[1] = ("place", 2, 0, 0, 1, 2);
    let (taos, server) = with(Script::insert(MODERN, &fields));
    let mut stmt = taos.stmt(SQL).await.unwrap();
    stmt.set_tbname("d1").await.unwrap();
    let error = error_of(stmt.set_tags(&[Value::Int(300)]).await);
    assert!(error.to_string().contains("tag `place`"), "{error}");
    let time = Value::Timestamp(Timestamp::new(1, Precision::Millisecond));
    error_of(stmt.set_tags(&[time]).await);
    stmt.set_tags(&[Value::Int(-3)]).await.unwrap();
    stmt.bind(&columns(1))
        .await
        .unwrap()
        .add_batch()
        .await
        .unwrap();
    stmt.execute().await.unwrap();
    let tag = server.seen(|seen| seen.binds[0].tables[0].tags[0].clone());
    assert_eq!(tag.values().next(), Some(Some(&[0xFD][..])));
}

#[tokio::test(start_paused = true)]
async fn bytes_in_the_form_of_the_wire_are_sent_as_they_are() {
    let (taos, server) = with(Script::insert(MODERN, &FIELDS));
    let mut stmt = prepared2(&taos, SQL).await;
    let bound = columns(4);
    let tags = [Value::NChar("x".into())];
    let table = crate::protocol::BindTable {
        name: Some("d9"),
        tags: &tags,
        columns: &bound,
    };
    let mut payload = BytesMut::new();
    crate::protocol::encode_payload(&mut payload, &[table], &[], &[]).unwrap();
    stmt.bind_bytes(77, payload.freeze()).unwrap();
    assert_eq!(stmt.exec().await.unwrap(), 4);
    assert!(server.take_log().contains(&"stmt2_bind d9:4".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn columns_of_json_are_bound_by_the_types_of_the_table() {
    let (taos, server) = with(Script::insert(MODERN, &FIELDS));
    let mut stmt = taos.stmt(SQL).await.unwrap();
    stmt.set_tbname_tags("d1", &[Value::NChar("x".into())])
        .await
        .unwrap();
    stmt.bind_all(vec![
        json!([5, "2022-06-07T11:02:44.022450088+08:00"]),
        json!([1, null]),
        json!(["a", "b"]),
    ])
    .await
    .unwrap();
    assert_eq!(stmt.execute().await.unwrap(), 2);
    let items = server.seen(|seen| seen.binds[0].tables[0].columns.clone());
    let times = [5, 1_654_570_964_022_i64].map(i64::to_le_bytes);
    assert!(
        items[0]
            .values()
            .eq(times.iter().map(|time| Some(&time[..])))
    );
    assert!(items[1].values().eq([Some(&1_i32.to_le_bytes()[..]), None]));
    for (columns, words) in [
        (vec![json!([1]), json!([true]), json!(["a"])], "column `v`"),
        (
            vec![json!([1]), json!([3_000_000_000_u64]), json!(["a"])],
            "column `v`",
        ),
        (
            vec![json!(["now"]), json!([1]), json!(["a"])],
            "column `ts`",
        ),
        (vec![json!([1]), json!([1])], "3 columns to bind, but 2"),
    ] {
        let error = error_of(stmt.bind_all(columns).await);
        assert!(error.to_string().contains(words), "{error}");
    }
}
