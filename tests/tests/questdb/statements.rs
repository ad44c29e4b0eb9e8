//! Prepared INSERTs, the typed inserter and lines through the common traits, read back.

use serde::Serialize;
use serde_json::{Value as Json, json};
use taos::*;
use taos_query::AsyncInsertable;
use taos_tests::questdb::Servers;

use crate::{run, settles};

/// All types that lines carry, the designated timestamp being neither first nor last.
const COLUMNS: [(&str, &str); 21] = [
    ("b", "boolean"),
    ("ts", "timestamp"),
    ("by", "byte"),
    ("sh", "short"),
    ("i", "int"),
    ("l", "long"),
    ("f", "float"),
    ("d", "double"),
    ("sy", "symbol"),
    ("v", "varchar"),
    ("s", "string"),
    ("c", "char"),
    ("u", "uuid"),
    ("ip", "ipv4"),
    ("g", "geohash(2c)"),
    ("dt", "date"),
    ("tm", "timestamp"),
    ("tn", "timestamp_ns"),
    ("de", "decimal(18,3)"),
    ("a", "double[]"),
    ("m", "double[][]"),
];

async fn connect(servers: &Servers) -> anyhow::Result<Taos> {
    let dsn = format!("questdb://{}", servers.plain.http);
    Ok(TaosBuilder::from_dsn(dsn)?.build().await?)
}

async fn create(taos: &Taos, table: &str) -> anyhow::Result<()> {
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|(name, ty)| format!("{name} {ty}"))
        .collect();
    let sql = format!(
        "create table {table} ({}) timestamp(ts) partition by day wal",
        columns.join(",")
    );
    taos.exec(sql).await?;
    Ok(())
}

/// A row of values and one of NULLs.
fn views() -> Vec<ColumnView> {
    let text =
        |text: &str| ColumnView::from_varchar::<&str, Option<&str>, _, _>(vec![Some(text), None]);
    let json =
        |text: &str| ColumnView::from_json::<&str, Option<&str>, _, _>(vec![Some(text), None]);
    vec![
        ColumnView::from_bools(vec![Some(true), None]),
        ColumnView::from_micros_timestamp(vec![1_700_000_000_000_001_i64, 1_700_000_000_000_002]),
        ColumnView::from_tiny_ints(vec![Some(-1), None]),
        ColumnView::from_small_ints(vec![Some(-2), None]),
        ColumnView::from_ints(vec![Some(-3), None]),
        ColumnView::from_big_ints(vec![Some(-4_i64), None]),
        ColumnView::from_floats(vec![Some(1.5_f32), None]),
        ColumnView::from_doubles(vec![Some(0.1), None]),
        text("sy m,b=l"),
        text("va\"r\n"),
        text("价格"),
        text("e"),
        text("11111111-2222-3333-4444-555555555555"),
        text("10.0.0.1"),
        text("u3"),
        ColumnView::from_millis_timestamp(vec![Some(1_700_000_000_003_i64), None]),
        ColumnView::from_micros_timestamp(vec![Some(-5_i64), None]),
        ColumnView::from_nanos_timestamp(vec![Some(1_700_000_000_000_000_009_i64), None]),
        ColumnView::from_decimal(vec![Some(-1_250_i128), None], 18, 3),
        json("[1, 2.5]"),
        json("[[1,2],[3,4]]"),
    ]
}

fn rows() -> Json {
    let nulls = vec![Json::Null; COLUMNS.len() - 4];
    let mut second = vec![
        json!(false),
        json!("2023-11-14T22:13:20.000002Z"),
        json!(0),
        json!(0),
    ];
    second.extend(nulls);
    // A CHAR without a value is an empty text in JSON.
    second[11] = json!("");
    json!([
        [
            true,
            "2023-11-14T22:13:20.000001Z",
            -1,
            -2,
            -3,
            -4,
            1.5,
            0.1,
            "sy m,b=l",
            "va\"r\n",
            "价格",
            "e",
            "11111111-2222-3333-4444-555555555555",
            "10.0.0.1",
            "u3",
            "2023-11-14T22:13:20.003Z",
            "1969-12-31T23:59:59.999995Z",
            "2023-11-14T22:13:20.000000009Z",
            "-1.250",
            [1.0, 2.5],
            [[1.0, 2.0], [3.0, 4.0]]
        ],
        second
    ])
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn bound_columns_of_every_type_and_their_nulls_read_back() -> anyhow::Result<()> {
    run(async |servers: Servers| {
        let taos = connect(&servers).await?;
        create(&taos, "bound_second").await?;
        create(&taos, "bound_first").await?;
        let marks = vec!["?"; COLUMNS.len()].join(",");

        let mut stmt = Stmt2::init(&taos).await?;
        let sql = format!("insert into bound_second values ({marks})");
        Stmt2AsyncBindable::prepare(&mut stmt, &sql).await?;
        assert_eq!(stmt.fields().map(<[_]>::len), Some(COLUMNS.len()));
        let param = Stmt2BindParam::new(None, None, Some(views()));
        Stmt2AsyncBindable::bind(&mut stmt, &[param]).await?;
        assert_eq!(stmt.exec().await?, 2);

        let mut stmt = Stmt::init(&taos).await?;
        AsyncBindable::prepare(&mut stmt, &format!("insert into ? values ({marks})")).await?;
        stmt.set_tbname("bound_first").await?;
        AsyncBindable::bind(&mut stmt, &views()).await?;
        stmt.add_batch().await?;
        assert_eq!(stmt.execute().await?, 2);

        for table in ["bound_second", "bound_first"] {
            settles(
                servers.plain.http,
                &format!("select * from {table}"),
                &rows(),
            )?;
        }
        Ok(())
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_row_of_nulls_is_stored_and_one_without_a_time_is_stamped() -> anyhow::Result<()> {
    run(async |servers: Servers| {
        let taos = connect(&servers).await?;
        create(&taos, "bound_nulls").await?;
        let mut stmt = Stmt2::init(&taos).await?;
        Stmt2AsyncBindable::prepare(&mut stmt, "insert into bound_nulls (ts, v) values (?, ?)")
            .await?;
        let columns = vec![
            ColumnView::from_micros_timestamp(vec![Some(7_i64), None]),
            ColumnView::null(2, Ty::VarChar),
        ];
        let param = Stmt2BindParam::new(None, None, Some(columns));
        Stmt2AsyncBindable::bind(&mut stmt, &[param]).await?;
        assert_eq!(stmt.exec().await?, 2);
        let sql =
            "select count(), count(d), min(ts), max(ts) > dateadd('d', -1, now()) from bound_nulls";
        settles(
            servers.plain.http,
            sql,
            &json!([[2, 0, "1970-01-01T00:00:00.000007Z", true]]),
        )
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn an_execution_that_the_server_refuses_stores_nothing_and_the_next_goes_on() -> anyhow::Result<()>
{
    run(async |servers: Servers| {
        let taos = connect(&servers).await?;
        create(&taos, "bound_refused").await?;
        let mut stmt = Stmt2::init(&taos).await?;
        Stmt2AsyncBindable::prepare(&mut stmt, "insert into bound_refused (ts, u) values (?, ?)")
            .await?;
        let param = |uuid: &str| {
            let columns = vec![
                ColumnView::from_micros_timestamp(vec![7_i64]),
                ColumnView::from_varchar::<&str, &str, _, _>(vec![uuid]),
            ];
            Stmt2BindParam::new(None, None, Some(columns))
        };
        let good = param("11111111-2222-3333-4444-555555555555");
        Stmt2AsyncBindable::bind(&mut stmt, &[good.clone(), param("no uuid")]).await?;
        let error = stmt.exec().await.unwrap_err();
        assert!(error.to_string().contains("column: u"), "{error}");
        assert!(!error.outcome_unknown());
        Stmt2AsyncBindable::bind(&mut stmt, &[good]).await?;
        assert_eq!(stmt.exec().await?, 1);
        settles(
            servers.plain.http,
            "select count() from bound_refused",
            &json!([[1]]),
        )
    })
}

#[derive(Serialize)]
struct Trade<'a> {
    symbol: &'a str,
    price: f64,
    amount: Option<i64>,
    when: chrono::DateTime<chrono::Utc>,
    levels: Vec<f64>,
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn records_of_a_type_are_written_in_batches_over_several_connections() -> anyhow::Result<()> {
    run(async |servers: Servers| {
        let taos = connect(&servers).await?;
        let sql = "create table \"typed trades\" (symbol symbol, price double, amount long, \
                   \"when\" timestamp, levels double[]) timestamp(\"when\") partition by day wal";
        taos.exec(sql).await?;
        let inserter = taos.inserter::<Trade<'_>>("typed trades");
        let mut inserter = inserter.max_rows(300).connections(2).open().await?;
        for n in 0..1_000_i32 {
            let when =
                chrono::DateTime::from_timestamp_micros(1_700_000_000_000_000 + i64::from(n));
            let trade = Trade {
                symbol: if n % 2 == 0 { "even" } else { "odd" },
                price: f64::from(n) / 2.0,
                amount: (n % 4 == 0).then_some(i64::from(n)),
                when: when.unwrap(),
                levels: vec![f64::from(n), 1.0],
            };
            inserter.write(&trade).await?;
        }
        let summary = inserter.close().await?;
        assert_eq!(
            (summary.rows, summary.batches, summary.affected_rows),
            (1_000, 4, 1_000)
        );
        let sql = "select symbol, count(), sum(price), count(amount), min(\"when\"), sum(levels[1]) \
                   from \"typed trades\" order by symbol";
        let rows = json!([
            [
                "even",
                500,
                124_750.0,
                250,
                "2023-11-14T22:13:20.000000Z",
                249_500.0
            ],
            [
                "odd",
                500,
                125_000.0,
                0,
                "2023-11-14T22:13:20.000001Z",
                250_000.0
            ]
        ]);
        settles(servers.plain.http, sql, &rows)?;
        let error = taos
            .inserter::<Trade<'_>>("no such table")
            .open()
            .await
            .map(drop);
        assert!(error.unwrap_err().to_string().contains("no such table"));
        Ok(())
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn lines_are_put_with_the_unit_of_their_times() -> anyhow::Result<()> {
    use taos::{SchemalessPrecision as Unit, SchemalessProtocol, SmlDataBuilder};
    run(async |servers: Servers| {
        let taos = connect(&servers).await?;
        let line = |unit, time: &str| {
            SmlDataBuilder::default()
                .protocol(SchemalessProtocol::Line)
                .precision(unit)
                .data(vec![format!("put_units,place=x\\ y v=1.5 {time}")])
                .build()
        };
        for (unit, time) in [
            (Unit::Seconds, "1"),
            (Unit::Millisecond, "2000"),
            (Unit::Microsecond, "3000000"),
            (Unit::Nanosecond, "4000000000"),
            (Unit::NonConfigured, "5000000000"),
        ] {
            taos.put(&line(unit, time)?).await?;
        }
        let seconds: Vec<Json> = (1..=5)
            .map(|n| json!(["x y", 1.5, format!("1970-01-01T00:00:0{n}.000000Z")]))
            .collect();
        let sql = "select place, v, timestamp from put_units order by timestamp";
        settles(servers.plain.http, sql, &Json::from(seconds))?;
        let tcp = TaosBuilder::from_dsn(format!("questdb+tcp://{}", servers.plain.tcp))?;
        let tcp = tcp.build().await?;
        tcp.put(&line(Unit::Nanosecond, "6000000000")?).await?;
        settles(
            servers.plain.http,
            "select count() from put_units",
            &json!([[6]]),
        )?;
        let refused = tcp.put(&line(Unit::Seconds, "7")?).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        Ok(())
    })
}
