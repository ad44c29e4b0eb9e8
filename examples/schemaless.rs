//! Lines in, tables out: the server makes tables and columns from what the lines name.
//!
//! `cargo run --example schemaless` starts a server of its own; `TAOS_DSN=ws://host:6041` uses that one instead.

use taos::*;
use taos_embedded::Embedded;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (dsn, _server) = match std::env::var("TAOS_DSN") {
        Ok(dsn) => (dsn, None),
        Err(_) => {
            let server = Embedded::builder().memory().start().await?;
            (server.dsn().to_owned(), Some(server))
        }
    };
    let taos = TaosBuilder::from_dsn(&dsn)?.build().await?;
    taos.exec_many([
        "drop database if exists example_schemaless",
        "create database example_schemaless keep 36500",
        "use example_schemaless",
    ])
    .await?;

    // InfluxDB: measurement, tags, fields, time. The second line brings a column of its own.
    let influx = SmlDataBuilder::default()
        .protocol(SchemalessProtocol::Line)
        .precision(SchemalessPrecision::Millisecond)
        .data(vec![
            "weather,place=Oslo celsius=-3.5,rain=2i64 1700000000000".to_owned(),
            "weather,place=Bergen celsius=7.25,wind=\"SW\" 1700000000000".to_owned(),
        ])
        .build()?;
    taos.put(&influx).await?;

    // OpenTSDB over telnet: one metric, one value a line.
    let telnet = SmlDataBuilder::default()
        .protocol(SchemalessProtocol::Telnet)
        .precision(SchemalessPrecision::Seconds)
        .data(vec!["voltage 1700000000 219.5 place=Oslo".to_owned()])
        .build()?;
    taos.put(&telnet).await?;

    // OpenTSDB as JSON; here the tag `meter` names the table.
    let json = r#"[{"metric": "current", "timestamp": 1700000000000, "value": 10.3,
                    "tags": {"place": "Oslo", "meter": "meter_17"}}]"#;
    let json = SmlDataBuilder::default()
        .protocol(SchemalessProtocol::Json)
        .precision(SchemalessPrecision::Millisecond)
        .data(vec![json.to_owned()])
        .table_name_key("meter")
        .build()?;
    taos.put(&json).await?;

    for sql in [
        "select place, celsius, rain, wind from weather order by place",
        "select _value, place from voltage",
        "select _value, place from meter_17",
    ] {
        println!("{sql}");
        let mut result = taos.query(sql).await?;
        let mut rows = result.rows();
        while let Some(row) = rows.try_next().await? {
            let cells: Vec<String> = row.map(|(name, value)| format!("{name}={value}")).collect();
            println!("  {}", cells.join(" "));
        }
    }
    Ok(())
}
