//! Statements: what is sent, what is refused before anything is, and what comes back.

use super::peer::{DSN, client, error_of};
use super::stmt_server::{FieldSpec, Script, Server, TBNAME};
use crate::query::Taos;
use crate::stmt::{Stmt, Stmt2};
use futures_util::TryStreamExt as _;
use std::sync::Arc;
use taos_query::block::ColumnView;
use taos_query::common::{Ty, Value};
use taos_query::stmt::BindType;
use taos_query::{
    AsyncBindable, AsyncFetchable as _, AsyncStatements as _, ErrorKind, Stmt2AsyncBindable,
    Stmt2BindParam,
};

pub(super) const MODERN: &str = "3.3.7.5";
pub(super) const OLD: &str = "3.2.3.0";

/// `insert into ? using st tags(?) values(?,?,?)`.
pub(super) const FIELDS: [FieldSpec; 5] = [
    TBNAME,
    ("place", 10, 0, 0, 42, 2),
    ("ts", 9, 0, 0, 8, 1),
    ("v", 4, 0, 0, 4, 1),
    ("s", 8, 0, 0, 12, 1),
];
pub(super) const SQL: &str = "insert into ? using st tags(?) values(?,?,?)";

pub(super) fn with(script: Script) -> (Taos, Arc<Server>) {
    let (taos, accepts) = client(DSN);
    (taos, Server::start(accepts, script))
}

pub(super) fn columns(rows: usize) -> Vec<ColumnView> {
    let rows = i32::try_from(rows).unwrap();
    vec![
        ColumnView::from_millis_timestamp((0..rows).map(i64::from).collect::<Vec<_>>()),
        ColumnView::from_ints((0..rows).collect::<Vec<_>>()),
        ColumnView::from_varchar::<String, _, _, _>(
            (0..rows).map(|n| format!("r{n}")).collect::<Vec<_>>(),
        ),
    ]
}

pub(super) fn param(table: &str, rows: usize) -> Stmt2BindParam {
    Stmt2BindParam::new(
        Some(table.into()),
        Some(vec![Value::NChar("Köln".into())]),
        Some(columns(rows)),
    )
}

pub(super) async fn prepared2(taos: &Taos, sql: &str) -> Stmt2 {
    let mut stmt = <Stmt2 as Stmt2AsyncBindable<_>>::init(taos).await.unwrap();
    Stmt2AsyncBindable::prepare(&mut stmt, sql).await.unwrap();
    stmt
}

#[tokio::test(start_paused = true)]
async fn many_tables_travel_in_one_message_and_the_statement_is_used_again() {
    let (taos, server) = with(Script::insert(MODERN, &FIELDS));
    let mut stmt = prepared2(&taos, SQL).await;
    assert_eq!(Stmt2AsyncBindable::is_insert(&stmt), Some(true));
    assert_eq!(stmt.fields_count(), Some(5));
    let fields = Stmt2AsyncBindable::fields(&stmt).unwrap();
    assert_eq!(fields[0].bind_type, BindType::TableName);
    let first = [param("d1", 2), param("d2", 3)];
    let rows = Stmt2AsyncBindable::bind(&mut stmt, &first)
        .await
        .unwrap()
        .exec()
        .await
        .unwrap();
    assert_eq!(rows, 5);
    Stmt2AsyncBindable::bind(&mut stmt, &[param("d3", 1)])
        .await
        .unwrap();
    assert_eq!(stmt.exec().await.unwrap(), 1);
    assert_eq!(Stmt2AsyncBindable::affected_rows(&stmt).await, 6);
    assert_eq!(stmt.affected_rows_once(), 1);
    assert_eq!(
        server.take_log(),
        [
            "stmt2_init true false",
            &format!("stmt2_prepare {SQL}"),
            "stmt2_bind d1:2 d2:3",
            "stmt2_exec",
            "stmt2_bind d3:1",
            "stmt2_exec"
        ]
    );
    let place = server.seen(|seen| seen.binds[0].tables[1].tags[0].clone());
    assert_eq!(place.values().next(), Some(Some("Köln".as_bytes())));
    drop(stmt);
    taos_query::AsyncQueryable::exec(&taos, "insert")
        .await
        .unwrap();
    assert!(server.seen(|seen| seen.statements.is_empty()), "not closed");
}

#[tokio::test(start_paused = true)]
async fn the_first_generation_sends_nothing_before_execute_and_then_the_newer_form() {
    let (taos, server) = with(Script::insert(MODERN, &FIELDS));
    let mut stmt = taos.stmt(SQL).await.unwrap();
    server.take_log();
    for table in ["d1", "d2"] {
        stmt.set_tbname_tags(table, &[Value::NChar("x".into())])
            .await
            .unwrap();
        stmt.bind(&columns(2))
            .await
            .unwrap()
            .add_batch()
            .await
            .unwrap();
    }
    // The same table once more, whose rows go with those before.
    stmt.bind(&columns(1))
        .await
        .unwrap()
        .add_batch()
        .await
        .unwrap();
    assert_eq!(server.take_log(), [""; 0]);
    assert_eq!(stmt.execute().await.unwrap(), 5);
    assert_eq!(stmt.affected_rows().await, 5);
    assert_eq!(server.take_log(), ["stmt2_bind d1:2 d2:3", "stmt2_exec"]);
    assert_eq!(stmt.stmt_num_params().await.unwrap(), 3);
    let param = stmt.stmt_get_param(1).await.unwrap();
    assert_eq!(
        (param.index, param.data_type, param.length),
        (1, Ty::Int, 4)
    );
    stmt.stmt_get_param(3).await.unwrap_err();
    stmt.stmt_get_param(-1).await.unwrap_err();
    let tags = stmt.stmt_get_tag_fields().await.unwrap();
    assert_eq!((tags.len(), tags[0].name.as_str()), (1, "place"));
    let sibling = taos.sibling().await.unwrap();
    assert_eq!(server.seen(|seen| seen.logins), 2);
    drop(sibling);
}

#[tokio::test(start_paused = true)]
async fn old_servers_get_the_messages_of_the_first_generation_from_both_apis() {
    let (taos, server) = with(Script::insert(OLD, &FIELDS));
    let mut stmt = taos.stmt(SQL).await.unwrap();
    for table in ["d1", "d2"] {
        stmt.set_tbname(table).await.unwrap();
        stmt.set_tags(&[Value::VarChar("x".into())]).await.unwrap();
        stmt.bind(&columns(2))
            .await
            .unwrap()
            .add_batch()
            .await
            .unwrap();
    }
    assert_eq!(stmt.execute().await.unwrap(), 4);
    let once = |table| {
        [
            format!("set_table_name {table}"),
            "set_tags".into(),
            "bind 2".into(),
            "add_batch".into(),
        ]
    };
    let mut expected = vec!["init".to_owned(), format!("prepare {SQL}")];
    expected.extend(["set_table_name d1", "get_tag_fields", "get_col_fields"].map(str::to_owned));
    expected.extend(once("d1"));
    expected.extend(once("d2"));
    expected.push("exec".into());
    assert_eq!(server.take_log(), expected);
    let (tags, rows) = server.seen(|seen| (seen.blocks[0].clone(), seen.blocks[1].clone()));
    assert_eq!(tags.schemas()[0].ty, Ty::NChar);
    assert_eq!(tags.get_ref(0, 0).unwrap().to_string().unwrap(), "x");
    assert_eq!((rows.nrows(), rows.ncols()), (2, 3));
    drop(stmt);

    let mut stmt = prepared2(&taos, SQL).await;
    Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 1)])
        .await
        .unwrap();
    assert_eq!(stmt.exec().await.unwrap(), 1);
    let error = stmt.bind_bytes(1, &[0_u8; 4][..]).unwrap_err();
    assert!(error.to_string().contains("data length is less than 28"));
}

#[tokio::test(start_paused = true)]
async fn a_table_of_more_rows_than_a_message_takes_is_divided() {
    let (taos, server) = with(Script::insert(MODERN, &FIELDS));
    let mut stmt = prepared2(&taos, SQL).await;
    server.take_log();
    let params = [param("d1", 70_000), param("d2", 3)];
    Stmt2AsyncBindable::bind(&mut stmt, &params).await.unwrap();
    assert_eq!(stmt.exec().await.unwrap(), 70_003);
    assert_eq!(
        server.take_log(),
        [
            "stmt2_bind d1:32760 d2:3",
            "stmt2_bind d1:32760",
            "stmt2_bind d1:4480",
            "stmt2_exec"
        ]
    );
    let last = server.seen(|seen| seen.binds[2].tables[0].columns[1].clone());
    assert_eq!(
        last.values().last(),
        Some(Some(&69_999_i32.to_le_bytes()[..]))
    );

    let mut once = Stmt2::new(&taos);
    once.init_with_options(5, true, true).await.unwrap();
    Stmt2AsyncBindable::prepare(&mut once, SQL).await.unwrap();
    let error = error_of(Stmt2AsyncBindable::bind(&mut once, &params).await);
    assert!(
        error.to_string().contains("single_table_bind_once"),
        "{error}"
    );
    Stmt2AsyncBindable::bind(&mut once, &params[1..])
        .await
        .unwrap();
    let error = error_of(Stmt2AsyncBindable::bind(&mut once, &params[1..]).await);
    assert!(error.to_string().contains("once"), "{error}");
    assert_eq!(once.exec().await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn calls_out_of_order_are_refused_without_a_message() {
    let (taos, server) = with(Script::insert(MODERN, &FIELDS));
    let mut stmt = <Stmt as AsyncBindable<_>>::init(&taos).await.unwrap();
    server.take_log();
    let mut texts = vec![
        error_of(stmt.set_tbname("d").await),
        error_of(stmt.bind(&columns(1)).await),
        error_of(stmt.add_batch().await),
        error_of(stmt.execute().await),
        error_of(stmt.stmt_get_col_fields().await),
    ];
    assert_eq!(server.take_log(), [""; 0]);
    AsyncBindable::prepare(&mut stmt, SQL).await.unwrap();
    server.take_log();
    texts.push(error_of(stmt.execute().await));
    texts.push(error_of(stmt.add_batch().await));
    texts.push(error_of(stmt.bind(&[]).await));
    texts.push(error_of(stmt.result_set().await));
    stmt.set_tbname_tags("d", &[Value::Null(Ty::NChar)])
        .await
        .unwrap();
    stmt.bind(&columns(1)).await.unwrap();
    texts.push(error_of(stmt.execute().await));
    assert_eq!(server.take_log(), [""; 0]);
    let words = [
        "prepare()",
        "prepare()",
        "bind()",
        "prepare()",
        "prepare()",
        "nothing was bound",
        "bind()",
        "no columns",
        "INSERT has no result",
        "add_batch()",
    ];
    for (error, words) in texts.iter().zip(words) {
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(words), "{error} / {words}");
    }
    // The data is still there.
    assert_eq!(stmt.add_batch().await.unwrap().execute().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn data_that_does_not_fit_is_refused_by_name_before_anything_is_sent() {
    let (taos, server) = with(Script::insert(MODERN, &FIELDS));
    let mut stmt = prepared2(&taos, SQL).await;
    server.take_log();
    let good = columns(2);
    let set = |index: usize, column: ColumnView| {
        let mut columns = good.clone();
        columns[index] = column;
        Stmt2BindParam::new(
            Some("d1".into()),
            Some(vec![Value::NChar("x".into())]),
            Some(columns),
        )
    };
    let tag =
        |tag: Value| Stmt2BindParam::new(Some("d1".into()), Some(vec![tag]), Some(good.clone()));
    let text = |text: &str| ColumnView::from_varchar::<&str, _, _, _>(vec!["ok", text]);
    let cases: Vec<(Stmt2BindParam, &str)> = vec![
        (Stmt2BindParam::new(None, None, None), "no table name"),
        (
            Stmt2BindParam::new(Some("d1".into()), None, Some(good.clone())),
            "table `d1`: the statement has 1 tag to bind (place), but 0",
        ),
        (
            Stmt2BindParam::new(Some("d1".into()), Some(vec![Value::Null(Ty::NChar)]), None),
            "3 columns to bind (ts, v, s), but 0",
        ),
        (tag(Value::Int(5)), "tag `place` is of type NCHAR, but INT"),
        (
            tag(Value::VarChar("12345678901".into())),
            "tag `place` takes 10 characters",
        ),
        (
            set(1, ColumnView::from_big_ints(vec![1, 2])),
            "table `d1`: column `v` is of type INT, but BIGINT was given",
        ),
        (
            set(1, ColumnView::from_ints(vec![1])),
            "column `v` has 1 rows but column `ts` has 2",
        ),
        (
            set(0, ColumnView::from_millis_timestamp(vec![Some(1), None])),
            "column `ts` is the primary timestamp, but row 1 is NULL",
        ),
        (
            set(2, text("12345678901")),
            "column `s` takes 10 bytes at most, but the value in row 1 has 11",
        ),
        (
            set(
                2,
                ColumnView::from_nchar::<&str, _, _, _>(vec!["ok", "ßßßßßß"]),
            ),
            "column `s` takes 10 bytes at most, but the value in row 1 has 12",
        ),
        (
            set(0, ColumnView::from_millis_timestamp(Vec::<i64>::new())),
            "column `ts` has no rows",
        ),
    ];
    for (param, words) in cases {
        let error = error_of(Stmt2AsyncBindable::bind(&mut stmt, &[param]).await);
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(words), "{error} / {words}");
    }
    let error = error_of(Stmt2AsyncBindable::bind(&mut stmt, &[]).await);
    assert!(error.to_string().contains("no params to bind"), "{error}");
    assert_eq!(server.take_log(), [""; 0]);

    // Text fits text, NULL fits everything, and the unit of times is the column's.
    let fits = Stmt2BindParam::new(
        Some("d1".into()),
        Some(vec![Value::VarChar("ßßßßßßßßßß".into())]),
        Some(vec![
            ColumnView::from_nanos_timestamp(vec![1_500_000_000, -1]),
            ColumnView::null(2, Ty::VarChar),
            ColumnView::from_nchar::<&str, _, _, _>(vec!["ßßßßß", "aaaaaaaaaa"]),
        ]),
    );
    Stmt2AsyncBindable::bind(&mut stmt, &[fits]).await.unwrap();
    assert_eq!(stmt.exec().await.unwrap(), 2);
    let items = server.seen(|seen| seen.binds[0].tables[0].columns.clone());
    let times: Vec<_> = items[0].values().flatten().map(<[u8]>::to_vec).collect();
    assert_eq!(times, [1500_i64.to_le_bytes(), (-1_i64).to_le_bytes()]);
    assert_eq!(items[1].known_type(), Some(Ty::Int));
    assert_eq!(items[2].known_type(), Some(Ty::VarChar));
}

#[tokio::test(start_paused = true)]
async fn superfluous_names_are_refused_and_statements_without_any_work() {
    let fields = &FIELDS[2..];
    let (taos, server) = with(Script::insert(MODERN, fields));
    let mut stmt = prepared2(&taos, "insert into d1 values(?,?,?)").await;
    let error = error_of(Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 1)]).await);
    assert!(error.to_string().contains("no `?` for a table"), "{error}");
    let param = Stmt2BindParam::new(None, None, Some(columns(2)));
    let twice = [param.clone(), param];
    Stmt2AsyncBindable::bind(&mut stmt, &twice).await.unwrap();
    server.take_log();
    assert_eq!(stmt.exec().await.unwrap(), 4);
    assert_eq!(server.take_log(), ["stmt2_bind :4", "stmt2_exec"]);
    let mut first = taos.stmt("insert into d1 values(?,?,?)").await.unwrap();
    let error = error_of(first.set_tbname("d1").await);
    assert!(error.to_string().contains("no `?` for a table"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_bare_table_mark_is_prepared_without_fields_and_learnt_from_the_first_table() {
    let mut fields = FIELDS.to_vec();
    fields.drain(..2);
    for (version, probing) in [
        (
            MODERN,
            vec![
                "stmt2_init false false",
                "stmt2_prepare insert into `d1` values(?,?,?)",
            ],
        ),
        (OLD, vec!["set_table_name d1", "get_col_fields"]),
    ] {
        let (taos, server) = with(Script::insert(version, &fields));
        let mut stmt = taos.stmt("insert into ? values(?,?,?)").await.unwrap();
        server.take_log();
        stmt.stmt_get_col_fields().await.unwrap_err();
        stmt.set_tbname("d1").await.unwrap();
        let error = error_of(stmt.bind(&columns(1)[..2]).await);
        assert!(
            error
                .to_string()
                .contains("3 `?` for tags and columns, but 2"),
            "{error}"
        );
        // The wrong type is seen when the table tells its columns, which is before data is sent.
        let mut wrong = columns(1);
        wrong[1] = ColumnView::from_big_ints(vec![1]);
        stmt.bind(&wrong).await.unwrap().add_batch().await.unwrap();
        assert_eq!(server.take_log(), [""; 0]);
        let error = error_of(stmt.execute().await);
        assert!(
            error.to_string().contains("column `v` is of type INT"),
            "{error}"
        );
        let log = server.take_log();
        assert!(
            log.iter()
                .map(String::as_str)
                .take(probing.len())
                .eq(probing),
            "{log:?}"
        );
        assert!(!log.iter().any(|line| line.contains("bind ")), "{log:?}");
        // From now on it is seen at once.
        let error = error_of(stmt.bind(&wrong).await);
        assert!(error.to_string().contains("column `v`"), "{error}");
        stmt.bind(&columns(2))
            .await
            .unwrap()
            .add_batch()
            .await
            .unwrap();
        assert_eq!(stmt.execute().await.unwrap(), 2);
        assert_eq!(stmt.stmt_num_params().await.unwrap(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_that_means_an_unnamed_table_leaves_the_fields_unknown() {
    let mut script = Script::insert(MODERN, &FIELDS);
    script.errors.push(("stmt2_prepare", 0x022B));
    let (taos, server) = with(script);
    let stmt = prepared2(&taos, SQL).await;
    assert_eq!(Stmt2AsyncBindable::fields(&stmt), None);
    assert_eq!(Stmt2AsyncBindable::is_insert(&stmt), Some(true));
    server.set(|script| script.errors.push(("stmt2_prepare", 0x022B)));
    // A table that is written out is really missing.
    let error = error_of(taos.stmt2("insert into missing values(?,?)").await);
    assert_eq!(i32::from(error.code()), 0x022B);
}

#[tokio::test(start_paused = true)]
async fn parameters_of_a_query_are_bound_and_its_rows_read() {
    for version in [MODERN, OLD] {
        let (taos, server) = with(Script::query(version));
        let mut stmt = taos.stmt2("select v, s from t where ts > ?").await.unwrap();
        assert_eq!(Stmt2AsyncBindable::is_insert(&stmt), Some(false));
        let none = error_of(Stmt2AsyncBindable::result_set(&stmt).await);
        assert!(none.to_string().contains("after an execution"), "{none}");
        for wrong in [
            Stmt2BindParam::new(
                Some("t".into()),
                None,
                Some(vec![ColumnView::from_ints(vec![1])]),
            ),
            Stmt2BindParam::new(None, None, Some(vec![ColumnView::from_ints(vec![1, 2])])),
            Stmt2BindParam::new(None, None, None),
        ] {
            let error = error_of(Stmt2AsyncBindable::bind(&mut stmt, &[wrong]).await);
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        }
        let time = ColumnView::from_micros_timestamp(vec![1_700_000_000_123_456]);
        for _ in 0..2 {
            let param = Stmt2BindParam::new(None, None, Some(vec![time.clone()]));
            Stmt2AsyncBindable::bind(&mut stmt, &[param]).await.unwrap();
            assert_eq!(stmt.exec().await.unwrap(), 0);
            let mut result = Stmt2AsyncBindable::result_set(&stmt).await.unwrap();
            assert_eq!(result.fields()[1].bytes(), 10, "the declared width");
            let rows: Vec<(i32, String)> = result.deserialize().try_collect().await.unwrap();
            assert_eq!(rows, [(1, "a".into()), (2, "ß".into())]);
            error_of(Stmt2AsyncBindable::result_set(&stmt).await);
        }
        let sent = server.seen(|seen| match seen.blocks.first() {
            Some(block) => block.get_ref(0, 0).unwrap().to_string().unwrap(),
            None => {
                let item = &seen.binds[0].tables[0].columns[0];
                String::from_utf8(item.values().next().unwrap().unwrap().to_vec()).unwrap()
            }
        });
        assert_eq!(sent, "2023-11-14T22:13:20.123456+00:00");
        assert!(server.seen(|seen| seen.results.is_empty()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_outlives_its_statement_and_the_next_execution() {
    let (taos, server) = with(Script::query(MODERN));
    let mut stmt = taos.stmt("select v, s from t where v > ?").await.unwrap();
    let bind = [ColumnView::from_ints(vec![0])];
    stmt.bind(&bind).await.unwrap().add_batch().await.unwrap();
    stmt.execute().await.unwrap();
    let mut first = AsyncBindable::result_set(&mut stmt).await.unwrap();
    stmt.bind(&bind).await.unwrap();
    stmt.execute().await.unwrap();
    let shape = stmt.use_result().await.unwrap();
    assert_eq!(shape.fields_names, Some(vec!["v".into(), "s".into()]));
    assert_eq!(shape.fields_types, Some(vec![Ty::Int, Ty::NChar]));
    assert_eq!(shape.fields_lengths, Some(vec![4, 10]));
    assert!(shape.fields_count == 2 && shape.result_id > 0, "{shape:?}");
    let mut second = AsyncBindable::result_set(&mut stmt).await.unwrap();
    error_of(stmt.use_result().await);
    drop(stmt);
    for result in [&mut first, &mut second] {
        let rows: Vec<(i32, String)> = result.deserialize().try_collect().await.unwrap();
        assert_eq!(rows.len(), 2);
    }
    // The second execution took another statement, because the first was still being read.
    let log = server.take_log();
    assert_eq!(
        log.iter()
            .filter(|line| line.starts_with("stmt2_init"))
            .count(),
        2
    );
    assert!(!log.contains(&"stmt2_close".to_owned()));
    drop((first, second));
    taos_query::AsyncQueryable::exec(&taos, "insert")
        .await
        .unwrap();
    assert!(server.seen(|seen| seen.statements.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_server_discards_what_was_bound_and_the_statement_goes_on() {
    for (action, old) in [
        ("stmt2_bind", false),
        ("stmt2_exec", false),
        ("set_tags", true),
        ("add_batch", true),
        ("exec", true),
    ] {
        let (taos, server) = with(Script::insert(if old { OLD } else { MODERN }, &FIELDS));
        let mut stmt = prepared2(&taos, SQL).await;
        server.set(|script| script.errors.push((action, 0x2653)));
        Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 2)])
            .await
            .unwrap();
        let error = error_of(stmt.exec().await);
        assert_eq!(i32::from(error.code()), 0x2653, "{error}");
        assert!(!error.outcome_unknown());
        assert_eq!(Stmt2AsyncBindable::affected_rows(&stmt).await, 0);
        error_of(stmt.exec().await);
        Stmt2AsyncBindable::bind(&mut stmt, &[param("d1", 3)])
            .await
            .unwrap();
        assert_eq!(stmt.exec().await.unwrap(), 3);
        assert_eq!(server.seen(|seen| seen.executed_rows), 3);
        // The broken one was closed, so the server holds one only.
        assert_eq!(server.seen(|seen| seen.statements.len()), 1, "{action}");
    }
}
