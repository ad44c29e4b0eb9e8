//! Prepared statements over QWP, against the server of the tests: rows arrive in the types of their
//! columns, and queries take parameters.

use std::sync::Arc;

use taos::questdb::{Taos, TaosBuilder};
use taos::{
    AsyncBindable, AsyncFetchable, AsyncQueryable, AsyncTBuilder, ColumnView, Stmt2AsyncBindable,
    Stmt2BindParam, Ty,
};
use taos_query::{AsyncStatements, ErrorKind};
use taos_tests::qwp_mock::egress::{Cells, Queries, Request, Step};
use taos_tests::qwp_mock::ingest::{Fate, Ingest, Value};
use taos_tests::qwp_mock::{Halves, QwpMock};

const COLUMNS: [(&str, &str); 9] = [
    ("ts", "TIMESTAMP_NS"),
    ("sym", "SYMBOL"),
    ("b", "BYTE"),
    ("i", "INT"),
    ("f", "FLOAT"),
    ("c", "CHAR"),
    ("u", "UUID"),
    ("ip", "IPv4"),
    ("day", "DATE"),
];

fn answer(request: &Request) -> Vec<Step> {
    let text = |values: Vec<&str>| {
        Cells::Varchar(values.into_iter().map(|v| Some(v.to_owned())).collect())
    };
    if request.sql.contains("table_columns") {
        let (names, types) = COLUMNS.into_iter().unzip();
        let designated = COLUMNS.iter().map(|(name, _)| *name == "ts").collect();
        let rows = vec![
            ("column".to_owned(), text(names)),
            ("type".to_owned(), text(types)),
            ("designated".to_owned(), Cells::Boolean(designated)),
        ];
        return vec![Step::Rows(rows), Step::End];
    }
    let rows = vec![("n".to_owned(), Cells::Long(vec![Some(7)]))];
    vec![Step::Rows(rows), Step::End]
}

struct Server {
    mock: QwpMock,
    ingest: Arc<Ingest>,
    queries: Arc<Queries>,
}

impl Server {
    async fn start() -> anyhow::Result<(Self, Taos)> {
        let ingest = Arc::new(Ingest::default());
        let queries = Arc::new(Queries::new(answer));
        let halves = Halves {
            ingest: Some(ingest.clone()),
            queries: Some(queries.clone()),
        };
        let mock = QwpMock::start(halves).await?;
        let dsn = format!("questdb+ws://{}", mock.addr());
        let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
        let server = Self {
            mock,
            ingest,
            queries,
        };
        Ok((server, taos))
    }
}

fn text(value: &str) -> ColumnView {
    ColumnView::from_varchar::<&str, _, _, _>(vec![Some(value), None])
}

fn two_rows() -> Stmt2BindParam {
    let views = vec![
        ColumnView::from_micros_timestamp(vec![Some(5_i64), None]),
        text("x y"),
        ColumnView::from_ints(vec![Some(-1), None]),
        ColumnView::from_big_ints(vec![Some(-2_i64), None]),
        ColumnView::from_floats(vec![Some(0.5_f32), Some(1.5)]),
        text("é"),
        text("99aabbcc-ddee-ff00-1122-334455667788"),
        text("10.0.0.1"),
        ColumnView::from_millis_timestamp(vec![Some(9_i64), None]),
    ];
    Stmt2BindParam::new(None, None, Some(views))
}

#[tokio::test]
async fn rows_arrive_in_the_types_of_their_columns_and_are_acknowledged() -> anyhow::Result<()> {
    let (server, taos) = Server::start().await?;
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let sql = format!(
        "insert into t ({}) values (?,?,?,?,?,?,?,?,?)",
        names.join(",")
    );
    let mut stmt = taos.stmt2(&sql).await?;
    assert_eq!(stmt.is_insert(), Some(true));
    stmt.bind(&[two_rows()]).await?;
    assert_eq!(stmt.exec().await?, 2);
    let rows = server.ingest.rows();
    assert_eq!(rows.len(), 2);
    let first = &rows[0];
    assert_eq!(first.table, "t");
    assert_eq!(*first.get(""), Value::Nanos(5_000));
    assert_eq!(*first.get("sym"), Value::Symbol("x y".to_owned()));
    assert_eq!(*first.get("b"), Value::Int(-1));
    assert_eq!(*first.get("i"), Value::Int(-2));
    assert_eq!(*first.get("f"), Value::Float(0.5));
    assert_eq!(*first.get("c"), Value::Char(0xE9));
    assert_eq!(*first.get("ip"), Value::Ipv4(0x0A00_0001));
    assert_eq!(*first.get("day"), Value::Millis(9));
    let number = 0x99aa_bbcc_ddee_ff00_1122_3344_5566_7788_u128;
    assert_eq!(*first.get("u"), Value::Bytes(number.to_le_bytes().to_vec()));
    assert_eq!(*rows[1].get("f"), Value::Float(1.5));
    assert_eq!(*rows[1].get("sym"), Value::Null);
    assert_eq!(server.mock.complaints(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn rows_that_the_server_rejects_are_an_error_of_the_execution() -> anyhow::Result<()> {
    let (server, taos) = Server::start().await?;
    server.ingest.on_message(0, Fate::Reject(0x03));
    let mut stmt = taos.stmt2("insert into t (ts, i) values (?, ?)").await?;
    let views = vec![
        ColumnView::from_micros_timestamp(vec![5_i64]),
        ColumnView::from_ints(vec![1]),
    ];
    stmt.bind(&[Stmt2BindParam::new(None, None, Some(views))])
        .await?;
    assert!(stmt.exec().await.is_err());
    assert_eq!(Stmt2AsyncBindable::affected_rows(&stmt).await, 0);
    assert!(server.ingest.rows().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_query_takes_one_row_of_values_for_its_placeholders() -> anyhow::Result<()> {
    let (server, taos) = Server::start().await?;
    assert!(taos.capabilities().prepared_queries);
    let mut stmt = taos
        .stmt2("select n from t where a = ? and b = '?' and c = ?")
        .await?;
    assert_eq!(stmt.is_insert(), Some(false));
    assert!(stmt.exec().await.is_err(), "nothing is bound");
    let values = |n: i64| {
        let views = vec![
            ColumnView::from_big_ints(vec![n]),
            ColumnView::null(1, Ty::VarChar),
        ];
        Stmt2BindParam::new(None, None, Some(views))
    };
    stmt.bind(&[values(42)]).await?;
    assert_eq!(stmt.exec().await?, 0);
    let mut rows = stmt.result_set().await?;
    let found: Vec<i64> = futures::TryStreamExt::try_collect(rows.deserialize::<i64>()).await?;
    assert_eq!(found, [7]);
    assert!(stmt.result_set().await.is_err(), "it was taken");
    let log = server.queries.log();
    let request = log.requests.last().expect("a request");
    assert_eq!(
        request.sql,
        "select n from t where a = $1 and b = '?' and c = $2"
    );
    assert_eq!(
        request.binds,
        [(0x05, Some(42_i64.to_le_bytes().to_vec())), (0x0F, None)]
    );
    let two = stmt.bind(&[values(1), values(2)]).await.map(drop);
    assert_eq!(two.unwrap_err().kind(), ErrorKind::Config);

    let mut first = taos.stmt("select $1").await?;
    AsyncBindable::bind(&mut first, &[ColumnView::from_ints(vec![1])]).await?;
    first.add_batch().await?;
    first.execute().await?;
    assert_eq!(
        AsyncBindable::result_set(&mut first).await?.num_of_fields(),
        1
    );
    Ok(())
}
