use std::fs;
use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _};
use taos_query::block::ColumnView;
use taos_query::common::Value;
use taos_query::{
    AsyncBindable, AsyncFetchable as _, AsyncStatements, AsyncTBuilder, Stmt2AsyncBindable,
    Stmt2BindParam,
};
use tempfile::TempDir;

use super::fake::compile;
use crate::raw::reaper;
use crate::raw::statement::{Opening, Shape, Statement, alone};
use crate::stmt::encode::{Form, Table};
use crate::{Taos, TaosBuilder};

const INSERT: &str = "insert into ? using st tags(?) values(?, ?, ?)";
const SELECT: &str = "select one from t where v > ?";

/// A library that writes down what it is given.
struct Recorder {
    folder: TempDir,
}

impl Recorder {
    fn new(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("fake.so"),
            compile("statements.c", options),
        )
        .unwrap();
        Self { folder }
    }

    async fn connect(&self) -> Taos {
        let file = self.folder.path().join("fake.so");
        let dsn = format!("taos://root@host?libraryPath={}", file.display());
        TaosBuilder::from_dsn(dsn).unwrap().build().await.unwrap()
    }

    /// What it was given since the last look, once all that was dropped is closed.
    fn notes(&self) -> Vec<String> {
        reaper::settle();
        let file = self.folder.path().join("fake.so.notes");
        let notes = fs::read_to_string(&file).unwrap_or_default();
        fs::write(&file, "").unwrap();
        notes.lines().map(str::to_owned).collect()
    }
}

fn rows() -> [ColumnView; 3] {
    [
        ColumnView::from_millis_timestamp(vec![1_i64, 2]),
        ColumnView::from_ints(vec![Some(7), None]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![None, Some("ab")]),
    ]
}

fn parameter() -> [Stmt2BindParam; 1] {
    let value = ColumnView::from_ints(vec![5]);
    [Stmt2BindParam::new(None, None, Some(vec![value]))]
}

#[tokio::test]
async fn the_second_generation_is_given_packed_values_of_all_tables_at_once() {
    let library = Recorder::new(&[]);
    let taos = library.connect().await;
    let mut stmt = taos.stmt2(INSERT).await.unwrap();
    assert_eq!(
        library.notes(),
        ["open 1", "options 1 0", "prepare 1"],
        "a statement for several tables of one super table"
    );
    let table = |name: &str, place: &str, columns: Vec<ColumnView>| {
        let tags = vec![Value::NChar(place.into())];
        Stmt2BindParam::new(Some(name.into()), Some(tags), Some(columns))
    };
    let nulls = vec![
        ColumnView::from_millis_timestamp(vec![3_i64]),
        ColumnView::from_ints(vec![None::<i32>]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![None::<&str>]),
    ];
    let params = [table("d1", "é", rows().to_vec()), table("d2", "x", nulls)];
    stmt.bind(&params).await.unwrap();
    assert!(
        library.notes().is_empty(),
        "binding is kept until the execution"
    );
    assert_eq!(stmt.exec().await.unwrap(), 2);
    let expected = [
        "bind 1 of 2 tables for column -1",
        "table d1",
        "tag 10 x1 lengths 2: c3a9",
        "column 9 x2: 01000000000000000200000000000000",
        "column 4 x2 nulls 0 1: 0700000000000000",
        "column 8 x2 lengths 0 2 nulls 1 0: 6162",
        "table d2",
        "tag 10 x1 lengths 1: 78",
        "column 9 x1: 0300000000000000",
        "column 4 x1 nulls 1: none",
        "column 8 x1 lengths 0 nulls 1: none",
        "execute 1",
    ];
    assert_eq!(library.notes(), expected);
    drop(stmt);
    drop(taos);
    assert_eq!(library.notes(), ["close 1", "disconnect"]);
}

#[tokio::test]
async fn the_first_generation_is_given_values_at_equal_distances_table_by_table() {
    let library = Recorder::new(&["-DOLD", "-DVERSION=\"3.0.4.0\""]);
    let taos = library.connect().await;
    let mut stmt = taos.stmt(INSERT).await.unwrap();
    stmt.set_tbname_tags("d1", &[Value::NChar("é".into())])
        .await
        .unwrap();
    stmt.bind(&rows()).await.unwrap().add_batch().await.unwrap();
    assert_eq!(library.notes(), ["open 1", "prepare 1"]);
    assert_eq!(stmt.execute().await.unwrap(), 2);
    let expected = [
        // Asking for the fields.
        "table d1",
        "table d1",
        "tag 10 x1 stride 2 lengths 2: c3a9",
        "column 9 x2 stride 8: 01000000000000000200000000000000",
        "column 4 x2 stride 4 nulls 0 1: 0700000000000000",
        "column 8 x2 stride 2 lengths 0 2 nulls 1 0: 00006162",
        "batch",
        "execute 1",
    ];
    assert_eq!(library.notes(), expected);

    let mut query = taos.stmt2(SELECT).await.unwrap();
    query
        .bind(&parameter())
        .await
        .unwrap()
        .exec()
        .await
        .unwrap();
    let result = query.result_set().await.unwrap();
    drop((stmt, query));
    let expected = [
        "open 2",
        "prepare 2",
        "parameter 4 x1 stride 4: 05000000",
        "batch",
        "execute 2",
        "result 2",
        "close 1",
    ];
    assert_eq!(library.notes(), expected, "a result keeps its statement");
    drop(result);
    assert_eq!(library.notes(), ["close 2"], "its result is freed with it");
}

#[tokio::test]
async fn results_are_freed_by_whom_the_librarys_version_says_and_never_after_their_statement() {
    for (version, freed) in [
        ("-DVERSION=\"3.3.8.0\"", &["close 1"][..]),
        ("-DVERSION=\"3.4.0.1\"", &["free", "close 1"]),
    ] {
        let library = Recorder::new(&[version]);
        let taos = library.connect().await;
        let mut stmt = taos.stmt2(SELECT).await.unwrap();
        stmt.bind(&parameter()).await.unwrap().exec().await.unwrap();
        let result = stmt.result_set().await.unwrap();
        assert_eq!(library.notes().last().unwrap(), "result 1");
        // The statement of a result that is being read is left alone.
        stmt.bind(&parameter()).await.unwrap().exec().await.unwrap();
        let expected = [
            "open 2",
            "options 1 0",
            "prepare 2",
            "bind 2 of 1 tables for column -1",
            "column 4 x1: 05000000",
            "execute 2",
            "result 2",
        ];
        assert_eq!(library.notes(), expected);
        drop(result);
        assert_eq!(library.notes(), freed, "{version}");
    }
}

#[tokio::test]
async fn a_statement_that_has_failed_is_closed_and_the_next_use_prepares_another() {
    for options in [&[][..], &["-DOLD", "-DVERSION=\"3.1.0.0\""]] {
        let library = Recorder::new(options);
        let taos = library.connect().await;
        let mut stmt = taos.stmt(&format!("{INSERT} -- fail")).await.unwrap();
        for execution in ["execute 1", "execute 2"] {
            stmt.set_tbname_tags("d1", &[Value::NChar("x".into())])
                .await
                .unwrap();
            stmt.bind(&rows()).await.unwrap().add_batch().await.unwrap();
            let ended = stmt.execute().await;
            let notes = library.notes();
            assert!(notes.iter().any(|note| note == execution), "{notes:?}");
            if execution == "execute 1" {
                let error = ended.unwrap_err();
                assert_eq!(error.code(), 0x2603);
                assert!(error.to_string().contains("no such table"), "{error}");
                assert_eq!(notes.last().unwrap(), "close 1");
            } else {
                assert_eq!(ended.unwrap(), 2);
                assert!(notes.iter().any(|note| note == "prepare 2"), "{notes:?}");
            }
        }
        assert_eq!(AsyncBindable::affected_rows(&stmt).await, 2);
    }
}

/// Has the test fail if the library is given as much as one bind.
fn assert_no_data(notes: &[String]) {
    let kinds = ["parameter", "column", "tag", "bind", "batch", "execute"];
    let data = |note: &String| kinds.iter().any(|kind| note.starts_with(kind));
    assert!(!notes.iter().any(data), "{notes:?}");
}

#[tokio::test]
async fn a_query_takes_as_many_parameters_as_the_library_counts() {
    for options in [&[][..], &["-DOLD", "-DVERSION=\"3.0.4.0\""]] {
        let library = Recorder::new(options);
        let taos = library.connect().await;
        let mut query = taos.stmt2(&format!("{SELECT} -- twice")).await.unwrap();
        assert_eq!(query.fields_count(), Some(2));
        let error = query.bind(&parameter()).await.unwrap_err().to_string();
        assert!(error.contains("2 `?`, but 1 values"), "{error}");
        assert_no_data(&library.notes());
        let two = vec![ColumnView::from_ints(vec![5]); 2];
        let two = [Stmt2BindParam::new(None, None, Some(two))];
        query.bind(&two).await.unwrap().exec().await.unwrap();
        let notes = library.notes();
        let given = |note: &&String| note.ends_with(": 05000000");
        assert_eq!(notes.iter().filter(given).count(), 2, "{notes:?}");
    }
}

#[tokio::test]
async fn a_table_that_got_a_column_since_it_was_described_is_not_read_beyond() {
    let library = Recorder::new(&["-DOLD", "-DVERSION=\"3.0.4.0\""]);
    let taos = library.connect().await;
    let mut stmt = taos.stmt(INSERT).await.unwrap();
    stmt.set_tbname_tags("wide", &[Value::NChar("x".into())])
        .await
        .unwrap();
    stmt.bind(&rows()).await.unwrap().add_batch().await.unwrap();
    let error = stmt.execute().await.unwrap_err().to_string();
    assert!(error.contains("takes 4 columns here, but 3"), "{error}");
    assert_no_data(&library.notes());
}

#[tokio::test]
async fn no_bind_is_given_to_a_library_that_would_read_beyond_it() {
    let value = || ColumnView::from_ints(vec![5]);
    let table = |columns: &[ColumnView], tags: &[Value], form| {
        Table::new(None, tags, columns, &[], form).unwrap()
    };
    let uneven = [ColumnView::from_ints(vec![5, 6]), value()];
    let tag = [Value::Int(1)];

    let library = Recorder::new(&["-DOLD", "-DVERSION=\"3.0.4.0\""]);
    let taos = library.connect().await;
    let mut shared = Statement::open(Arc::clone(&taos.connection), Opening::new(1)).unwrap();
    let Statement::First(stmt) = alone(&mut shared).unwrap() else {
        panic!("a library of the first generation");
    };
    stmt.prepare("select twice").unwrap();
    let form = Form::Strided;
    for columns in [&[][..], &[value()], &[value(), value(), value()], &uneven] {
        stmt.bind(&mut table(columns, &[], form), false)
            .unwrap_err();
    }
    let pair = [value(), value()];
    stmt.prepare("insert").unwrap();
    let (two, three) = (
        [tag.clone(), tag.clone()].concat(),
        [value(), value(), value()],
    );
    stmt.bind(&mut table(&pair, &tag, form), true).unwrap_err();
    stmt.bind(&mut table(&three, &two, form), true).unwrap_err();
    assert_no_data(&library.notes());
    stmt.bind(&mut table(&three, &tag, form), true).unwrap();

    let library = Recorder::new(&[]);
    let taos = library.connect().await;
    let mut shared = Statement::open(Arc::clone(&taos.connection), Opening::new(1)).unwrap();
    let Statement::Second(stmt) = alone(&mut shared).unwrap() else {
        panic!("a library of the second generation");
    };
    stmt.prepare("select twice").unwrap();
    let form = Form::Packed {
        decimal_text: false,
    };
    let told = |tags, columns| Shape { tags, columns };
    // The statement's own answer goes before what another has told.
    stmt.bind(vec![table(&pair, &tag, form)], told(0, 2))
        .unwrap_err();
    stmt.fields().unwrap();
    for columns in [&[][..], &[value()], &uneven] {
        let tables = vec![table(&pair, &[], form), table(columns, &[], form)];
        stmt.bind(tables, told(0, columns.len())).unwrap_err();
    }
    assert_no_data(&library.notes());
    stmt.bind(vec![table(&pair, &[], form)], told(9, 9))
        .unwrap();
}

#[tokio::test]
async fn a_statement_goes_on_after_results_that_were_not_read_to_their_end() {
    for version in ["-DVERSION=\"3.3.8.0\"", "-DVERSION=\"3.4.0.1\""] {
        let library = Recorder::new(&[version]);
        let taos = library.connect().await;
        let mut stmt = taos.stmt2(&format!("{SELECT} -- hold")).await.unwrap();
        library.notes();
        for _ in 0..3 {
            // Nobody takes it, or reads it.
            stmt.bind(&parameter()).await.unwrap().exec().await.unwrap();
        }
        drop(stmt.result_set().await.unwrap());
        stmt.bind(&parameter()).await.unwrap().exec().await.unwrap();
        let mut result = stmt.result_set().await.unwrap();
        assert!(result.blocks().next().now_or_never().is_none());
        drop(result);
        // What it had asked for is still to come.
        let bound = stmt.bind(&parameter()).await.unwrap();
        let (ended, told) = tokio::join!(bound.exec(), taos.server_info());
        ended.unwrap();
        assert_eq!(told.unwrap(), "ver:3");
        let notes = library.notes();
        let again = |note: &String| note.starts_with("open") || note.starts_with("prepare");
        assert!(!notes.iter().any(again), "{notes:?}");
        let executed = notes.iter().filter(|note| *note == "execute 1").count();
        assert_eq!(executed, 5, "{notes:?}");
    }
}
