//! Sizes of the futures that programs hold, because they add up on the stack of whoever awaits them.

use taos::*;

/// Bytes; the stack of a worker thread of tokio has 2 MiB, and debug builds copy futures around.
const LARGE: usize = 8_192;

#[tokio::test]
async fn the_futures_of_calls_are_small_enough_to_nest() -> Result<(), Error> {
    let server = taos_embedded::Embedded::builder().memory().start().await?;
    let builder = TaosBuilder::from_dsn(server.dsn())?;
    let taos = builder.build().await?;
    let mut stmt = Stmt::init(&taos).await?;
    let mut stmt2 = Stmt2::init(&taos).await?;
    let data = SmlDataBuilder::default()
        .protocol(SchemalessProtocol::Line)
        .data(vec![])
        .build()?;
    let inserter = taos.inserter::<(i64,)>("t");
    let tmq = TmqBuilder::from_dsn(format!("{}?group.id=g", server.dsn()))?;
    let mut consumer = tmq.build().await?;
    let subscribe = size_of_val(&consumer.subscribe(["t"]));
    let offset = Offset::new("t", "d", 2, 0);
    let prepare = size_of_val(&stmt.prepare("x"));
    let prepare2 = size_of_val(&stmt2.prepare("x"));
    let sizes = [
        ("Stmt::prepare", prepare),
        ("Stmt2::prepare", prepare2),
        ("build", size_of_val(&builder.build())),
        ("query", size_of_val(&taos.query("select 1"))),
        ("exec", size_of_val(&taos.exec("select 1"))),
        (
            "query_one",
            size_of_val(&taos.query_one::<_, i64>("select 1")),
        ),
        ("describe", size_of_val(&taos.describe("t"))),
        ("put", size_of_val(&taos.put(&data))),
        ("Stmt::execute", size_of_val(&stmt.execute())),
        ("Stmt2::exec", size_of_val(&stmt2.exec())),
        ("inserter", size_of_val(&inserter.open())),
        ("TmqBuilder::build", size_of_val(&tmq.build())),
        ("subscribe", subscribe),
        ("recv", size_of_val(&consumer.recv())),
        ("commit", size_of_val(&consumer.commit(offset))),
        ("lag", size_of_val(&consumer.lag())),
        ("next", size_of_val(&consumer.records::<(i64,)>().next())),
    ];
    println!("{sizes:?}");
    for (call, size) in sizes {
        assert!(
            size <= LARGE,
            "{call} has a future of {size} bytes: {sizes:?}"
        );
    }
    Ok(())
}
