//! Queries with parameters, and results that arrive while they are read.

use futures::TryStreamExt as _;
use taos::*;
use taos_tests::qwp_mock::egress::{Cells, Form, Gate, Queries, Request, Step, Table};

use super::egress::{connect, longs, serve};

#[tokio::test]
async fn parameters_reach_the_server_as_their_types() {
    let answers = |_: &Request| vec![longs([7]), Step::End];
    let (server, queries) = serve(Queries::new(answers)).await;
    let taos = connect(&server, "").await.unwrap();
    let mut stmt = Stmt2::init(&taos).await.unwrap();
    stmt.prepare("select n from t where a = ? and b = ? and c = ? and d = '?' and e = ?")
        .await
        .unwrap();
    assert_eq!(stmt.is_insert(), Some(false));
    let row = [
        ColumnView::from_big_ints(vec![42]),
        ColumnView::from_varchar(vec!["abc"]),
        ColumnView::from_doubles(vec![None::<f64>]),
        ColumnView::from_nanos_timestamp(vec![5]),
    ];
    stmt.bind(&[Stmt2BindParam::new(None, None, Some(row.to_vec()))])
        .await
        .unwrap();
    stmt.exec().await.unwrap();
    let mut result = stmt.result_set().await.unwrap();
    let got: Vec<i64> = result.deserialize::<i64>().try_collect().await.unwrap();
    assert_eq!(got, [7]);
    let request = queries.log().requests.remove(0);
    assert_eq!(
        request.sql,
        "select n from t where a = $1 and b = $2 and c = $3 and d = '?' and e = $4"
    );
    let long = |value: i64| Some(value.to_le_bytes().to_vec());
    assert_eq!(
        request.binds,
        [
            (0x05, long(42)),
            (0x0F, Some(b"abc".to_vec())),
            (0x07, None),
            (0x10, long(5)),
        ]
    );
    assert_eq!(server.complaints(), [""; 0]);
}

#[tokio::test]
async fn rows_are_handed_out_before_the_query_has_ended() {
    let gate = Gate::default();
    let held = gate.clone();
    let answers =
        move |_: &Request| vec![longs([1]), Step::Hold(held.clone()), longs([2]), Step::End];
    let (server, _) = serve(Queries::new(answers)).await;
    let taos = connect(&server, "").await.unwrap();
    let mut result = taos.query("select n from t").await.unwrap();
    let mut rows = result.deserialize::<i64>();
    assert_eq!(rows.try_next().await.unwrap(), Some(1));
    gate.open();
    assert_eq!(rows.try_next().await.unwrap(), Some(2));
    assert_eq!(rows.try_next().await.unwrap(), None);
}

#[tokio::test]
async fn a_long_result_comes_whole_and_in_order() {
    let rows = 5_000_i64;
    let table = move || -> Table {
        let numbers = (0..rows).map(|n| (n % 7 != 3).then_some(n));
        let names = (0..rows).map(|n| (n % 5 != 1).then(|| format!("s{}", n % 11)));
        let times = (0..rows).map(|n| (n % 13 != 6).then_some(1_700_000_000_000_000 + n * n));
        vec![
            ("n".to_owned(), Cells::Long(numbers.collect())),
            ("s".to_owned(), Cells::Symbol(names.collect())),
            ("t".to_owned(), Cells::Timestamp(times.collect())),
        ]
    };
    let form = Form {
        bitmaps: true,
        gorilla: true,
        zstd: true,
    };
    let answers = move |_: &Request| vec![Step::Repeat(table(), 20), Step::End];
    let (server, _) = serve(Queries::new(answers).with_form(form)).await;
    let params = "?compression=auto&initial_credit=100000";
    let taos = connect(&server, params).await.unwrap();
    let mut result = taos.query("select * from t").await.unwrap();
    type Row = (Option<i64>, Option<String>, Option<i64>);
    let mut seen = 0;
    let mut got = result.deserialize::<Row>();
    while let Some((number, name, time)) = got.try_next().await.unwrap() {
        let n = seen % rows;
        assert_eq!(number, (n % 7 != 3).then_some(n), "row {seen}");
        assert_eq!(name, (n % 5 != 1).then(|| format!("s{}", n % 11)));
        assert_eq!(
            time,
            (n % 13 != 6).then_some(1_700_000_000_000_000 + n * n),
            "row {seen}"
        );
        seen += 1;
    }
    assert_eq!(seen, 20 * rows);
    assert_eq!(server.complaints(), [""; 0]);
}
