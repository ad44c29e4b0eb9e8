use taos::*;
#[tokio::main]
async fn main() -> Result<(), Error> {
    let t0 = std::time::Instant::now();
    let b = TaosBuilder::from_dsn("questdb://127.0.0.1:19610")?;
    println!("{:?}", AsyncTBuilder::server_version(&b).await?);
    let mut taos = b.build().await?;
    println!("{taos:?} {:?}", taos.as_questdb());
    b.ping(&mut taos).await?;
    println!("{:?}", AsyncQueryable::server_version(&taos).await?);
    let mut r = taos.query("select cast(9223372036854775807 as timestamp) a, cast(-62167305600000000 as timestamp) b").await?;
    println!("{:?}", r.fields()); println!("{:?}", r.to_records().await?);
    let mut r = taos.query("select cast(9223372036854775807 as timestamp_ns) f, cast(1 as timestamp_ns), cast(-1 as timestamp_ns), build(), null, 'a\nb\"\\' || 'é😀', array[[1.0,null],[2.0,3.0]] arr, interval('2020-01-01','2020-01-02'), 1.23m, 'x'::char, rnd_uuid4(), to_long256(1,2,3,4), rnd_geohash(20), rnd_ipv4()").await?;
    println!("{:?}", r.to_records().await?);
    println!("{:?}", taos.query("select * from nosuch").await.map(drop));
    println!("{:?}", taos.query("").await.map(drop));
    println!("{:?}", taos.query("select bi from t").await.map(drop));
    println!("{:?}", taos.query(format!("select '{}'", "x".repeat(40000))).await.map(drop));
    println!("{:?}", taos.query(format!("select '{}'", "x".repeat(140000))).await.map(drop));
    println!("{:?}", taos.describe("t").await?.iter().map(|c| (c.field().to_string(), c.ty(), c.length(), c.decimal)).collect::<Vec<_>>());
    println!("{:?}", taos.databases().await?);
    println!("{:?}", taos.use_database("x").await);
    println!("{:?}", taos.exec("create table if not exists p (ts timestamp, x long) timestamp(ts) partition by day wal dedup upsert keys(ts, x)").await?);
    println!("{:?}", taos.exec("insert into p select x::timestamp, x from long_sequence(10)").await?);
    println!("{:?}", taos.describe("p").await?);
    let t = std::time::Instant::now();
    let mut r = taos.query("select x, x*1.5 d, x::timestamp t, 'abc' || x s from long_sequence(1000000)").await?;
    println!("head after {:?}", t.elapsed());
    let mut n = 0; let mut blocks = 0;
    { let mut b = r.blocks(); while let Some(x) = b.try_next().await? { n += x.nrows(); blocks += 1; } }
    println!("{n} rows {blocks} blocks {:?} {:?}", t.elapsed(), r.summary());
    let t = std::time::Instant::now();
    let v: Option<i64> = taos.query_one("select x from long_sequence(100000000)").await?;
    println!("{v:?} {:?}", t.elapsed());
    let futs: Vec<_> = (0..50).map(|i| { let taos=&taos; async move { taos.query_one::<_, i64>(format!("select x + {i} from long_sequence(5000)")).await } }).collect();
    for (i, f) in futures(futs).await.into_iter().enumerate() { assert_eq!(f.unwrap().unwrap(), i as i64 + 1); }
    println!("state {:?}", taos.connection_state());
    println!("{:?}", TaosBuilder::from_dsn("questdb://127.0.0.1:1")?.build().await.map(drop));
    println!("{:?}", TaosBuilder::from_dsn("questdb+tcp://127.0.0.1:19611")?.build().await?.query("select 1").await.map(drop));
    println!("total {:?}", t0.elapsed());
    // blocking
    std::thread::spawn(|| {
        use taos::sync::{TBuilder, Queryable, Fetchable};
        let taos = TBuilder::build(&<taos::sync::TaosBuilder as TBuilder>::from_dsn("questdb://127.0.0.1:19610").unwrap()).unwrap();
        let mut r = Queryable::query(&taos, "select x from long_sequence(10000)").unwrap();
        let v: Vec<i64> = Fetchable::deserialize(&mut r).collect::<Result<_, _>>().unwrap();
        println!("sync {} {:?}", v.len(), Queryable::server_version(&taos).unwrap());
    }).join().unwrap();
    Ok(())
}
async fn futures<F: std::future::Future>(v: Vec<F>) -> Vec<F::Output> {
    let mut out = Vec::new(); for f in v { out.push(f.await); } out
}
