//! The programs that users of the `questdb-rs` crate begin with, data and words ours: only their `use`
//! lines name another crate. Each runs against the server, whose rows are read back.

use std::process::Command;

use serde_json::json;
use taos_tests::questdb::{PASSWORD, Servers, USER};
use taos_tests::tls::TlsProxy;

use crate::{create, run, settles};

mod basic {
    use chrono::{TimeZone, Utc};
    use ndarray::arr1;
    use taos::questdb::{
        Result,
        ingress::{Sender, TimestampNanos},
    };

    pub(super) fn main(host: &str, port: &str) -> Result<()> {
        let mut sender = Sender::from_conf(format!("tcp::addr={host}:{port};protocol_version=3;"))?;
        let mut buffer = sender.new_buffer();
        let designated_timestamp =
            TimestampNanos::from_datetime(Utc.with_ymd_and_hms(2003, 10, 2, 5, 7, 9).unwrap())?;
        buffer
            .table("doc_basic")?
            .symbol("station", "Bergen")?
            .symbol("sensor", "north")?
            .column_dec("level", "17.25")?
            .column_f64("wind", 0.000_44)?
            .column_arr("gusts", &arr1(&[3.5, 4.5, 5.5]).view())?
            .at(designated_timestamp)?;
        sender.flush(&mut buffer)?;
        Ok(())
    }
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn the_basic_program_runs() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let (http, tcp) = (servers.plain.http, servers.plain.tcp);
    let columns = "station symbol, sensor symbol, level decimal(18,4), wind double, gusts double[]";
    create(http, "doc_basic", columns)?;
    basic::main(&tcp.ip().to_string(), &tcp.port().to_string())?;
    settles(
        http,
        "select * from doc_basic",
        &json!([[
            "Bergen",
            "north",
            "17.2500",
            4.4E-4,
            [3.5, 4.5, 5.5],
            "2003-10-02T05:07:09.000000Z"
        ]]),
    )
}

mod logged_in {
    use chrono::Utc;
    use taos::questdb::{
        Result,
        ingress::{Sender, TimestampMicros, TimestampNanos},
    };

    pub(super) fn main(conf: &str) -> Result<()> {
        let mut sender = Sender::from_conf(conf)?;
        let mut buffer = sender.new_buffer();
        let now = Utc::now();
        buffer
            .table("doc_auth")?
            .symbol("station", "Tromsø")?
            .column_i64("count", 3)?
            .column_ts("seen", TimestampMicros::from_datetime(now))?
            .at(TimestampNanos::from_datetime(now)?)?;
        sender.flush(&mut buffer)?;
        Ok(())
    }
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn the_program_with_a_login_and_times_of_chrono_runs() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let http = servers.guarded.http;
    let password = PASSWORD.replace(';', ";;");
    logged_in::main(&format!(
        "http::addr={http};username={USER};password={password};retry_timeout=20000;"
    ))?;
    let same = "date_trunc('microsecond', timestamp) = seen";
    let sql = format!("select station, count, {same} from doc_auth");
    settles(http, &sql, &json!([["Tromsø", 3, true]]))
}

mod from_env {
    use taos::questdb::{
        Result,
        ingress::{Sender, TimestampNanos},
    };

    pub(super) fn main() -> Result<()> {
        let mut sender = Sender::from_env()?;
        let mut buffer = sender.new_buffer();
        buffer
            .table("doc_env")?
            .symbol("station", "Kraków")?
            .column_f64("wind", 7.5)?
            .at(TimestampNanos::now())?;
        sender.flush(&mut buffer)?;
        Ok(())
    }
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn the_program_configured_by_its_environment_runs() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    if std::env::var_os("QDB_CLIENT_CONF").is_some() {
        return Ok(from_env::main()?);
    }
    // A process of its own, since the environment of this one belongs to all its tests.
    let http = servers.plain.http;
    let status = Command::new(std::env::current_exe()?)
        .args(["--exact", "--include-ignored"])
        .arg("documented::the_program_configured_by_its_environment_runs")
        .env("QDB_CLIENT_CONF", format!("http::addr={http};"))
        .output()?;
    assert!(status.status.success(), "{status:?}");
    let sql = "select station, wind from doc_env";
    settles(http, sql, &json!([["Kraków", 7.5]]))
}

mod transactional {
    use taos::questdb::{
        Result,
        ingress::{Sender, TimestampNanos},
    };

    pub(super) fn main(conf: &str) -> Result<()> {
        let mut sender = Sender::from_conf(conf)?;
        let mut buffer = sender.new_buffer();
        for (n, station) in ["Oslo", "Bergen", "Bodø"].into_iter().enumerate() {
            buffer
                .table("doc_transaction")?
                .symbol("station", station)?
                .column_i64("n", i64::try_from(n).unwrap())?
                .at(TimestampNanos::now())?;
        }
        assert!(buffer.transactional());
        sender.flush_and_keep_with_flags(&buffer, true)?;
        buffer.clear();
        Ok(())
    }
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn the_program_that_flushes_a_transaction_runs() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let http = servers.plain.http;
    transactional::main(&format!("http::addr={http};"))?;
    settles(
        http,
        "select station, n from doc_transaction order by n",
        &json!([["Oslo", 0], ["Bergen", 1], ["Bodø", 2]]),
    )
}

mod errors_over_http {
    use taos::questdb::{
        ErrorCode, Result,
        ingress::{Sender, TimestampNanos},
    };

    pub(super) fn main(conf: &str) -> Result<()> {
        let mut sender = Sender::from_conf(conf)?;
        let mut buffer = sender.new_buffer();
        let row = |buffer: &mut taos::questdb::ingress::Buffer, good: bool| {
            buffer.table("doc_errors")?.symbol("station", "Oslo")?;
            match good {
                true => buffer.column_i64("n", 1)?,
                false => buffer.column_str("n", "one")?,
            };
            buffer.at(TimestampNanos::now())
        };
        row(&mut buffer, true)?;
        sender.flush(&mut buffer)?;
        row(&mut buffer, false)?;
        match sender.flush(&mut buffer) {
            Ok(()) => panic!("the server takes text for a number"),
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::ServerFlushError);
                assert!(error.msg().contains("doc_errors"), "{error}");
            }
        }
        // The buffer still has its row, and the sender goes on.
        assert_eq!((buffer.row_count(), sender.must_close()), (1, false));
        buffer.clear();
        row(&mut buffer, true)?;
        sender.flush(&mut buffer)
    }
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn the_program_that_handles_errors_over_http_runs() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let http = servers.plain.http;
    errors_over_http::main(&format!("http::addr={http};"))?;
    settles(http, "select n from doc_errors", &json!([[1], [1]]))
}

mod errors_over_tcp {
    use std::time::{Duration, Instant};

    use taos::questdb::{
        Error, ErrorCode, Result,
        ingress::{Buffer, Sender, TimestampNanos},
    };

    fn row(buffer: &mut Buffer, n: &str) -> Result<()> {
        buffer
            .table("doc_errors_tcp")?
            .symbol("station", "Oslo")?
            .column_str("n", n)?
            .at(TimestampNanos::now())
    }

    /// Gives the error that closed the first sender.
    pub(super) fn main(conf: &str) -> Result<Error> {
        let mut sender = Sender::from_conf(conf)?;
        let mut buffer = sender.new_buffer();
        // The server says nothing and closes; that shows at one of the flushes after it.
        let deadline = Instant::now() + Duration::from_secs(20);
        let error = loop {
            row(&mut buffer, "text for a number")?;
            if let Err(error) = sender.flush(&mut buffer) {
                break error;
            }
            assert!(Instant::now() < deadline, "the line is never closed");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(sender.must_close());
        assert_eq!(buffer.row_count(), 1, "the rows are kept");
        let again = sender.flush(&mut buffer).unwrap_err();
        assert_eq!(again.code(), ErrorCode::SocketError);
        drop(sender);
        let mut sender = Sender::from_conf(conf)?;
        buffer.clear();
        row(&mut buffer, "7")?;
        sender.flush(&mut buffer)?;
        Ok(error)
    }
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn the_program_that_handles_errors_over_tcp_runs() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let http = servers.plain.http;
    // Text can become a character, if it is a single one.
    create(http, "doc_errors_tcp", "station symbol, n char")?;
    let error = errors_over_tcp::main(&format!("tcp::addr={};", servers.plain.tcp))?;
    assert_eq!(error.code(), taos::questdb::ErrorCode::SocketError);
    settles(http, "select n from doc_errors_tcp", &json!([["7"]]))
}

mod versions {
    use std::str::FromStr;

    use bigdecimal::BigDecimal;
    use ndarray::arr1;
    use taos::questdb::{
        Result,
        ingress::{Sender, TimestampNanos},
    };

    pub(super) fn main(addr: &str) -> Result<()> {
        let mut sender = Sender::from_conf(format!("http::addr={addr};protocol_version=1;"))?;
        let mut buffer = sender.new_buffer();
        buffer
            .table("doc_version_1")?
            .symbol("station", "Oslo")?
            .column_f64("wind", 12.5)?
            .at(TimestampNanos::now())?;
        sender.flush(&mut buffer)?;

        let mut sender2 = Sender::from_conf(format!("http::addr={addr};protocol_version=3;"))?;
        let level = BigDecimal::from_str("-12.125").unwrap();
        let mut buffer2 = sender2.new_buffer();
        buffer2
            .table("doc_version_3")?
            .symbol("station", "Oslo")?
            .column_dec("level", &level)?
            .column_f64("wind", 12.5)?
            .column_arr("gusts", &arr1(&[1.0, 2.0]).view())?
            .at(TimestampNanos::now())?;
        sender2.flush(&mut buffer2)?;
        Ok(())
    }
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn the_program_that_chooses_versions_runs() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let http = servers.plain.http;
    let columns = "station symbol, level decimal(18,3), wind double, gusts double[]";
    create(http, "doc_version_3", columns)?;
    versions::main(&http.to_string())?;
    let sql = "select station, wind from doc_version_1";
    settles(http, sql, &json!([["Oslo", 12.5]]))?;
    settles(
        http,
        "select station, level, wind, gusts from doc_version_3",
        &json!([["Oslo", "-12.125", 12.5, [1.0, 2.0]]]),
    )
}

mod over_tls {
    use std::str::FromStr;

    use ndarray::arr1;
    use rust_decimal::Decimal;
    use taos::questdb::{
        Result,
        ingress::{Sender, TimestampNanos},
    };

    pub(super) fn main(conf: &str) -> Result<()> {
        let mut sender = Sender::from_conf(conf)?;
        let mut buffer = sender.new_buffer();
        let level = Decimal::from_str("0.5").unwrap();
        buffer
            .table("doc_https")?
            .symbol("station", "Oslo")?
            .column_dec("level", &level)?
            .column_arr("gusts", &arr1(&[100.0, 100.25]).view())?
            .at(TimestampNanos::now())?;
        sender.flush(&mut buffer)?;
        Ok(())
    }
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn the_program_over_https_runs() -> anyhow::Result<()> {
    run(async |servers| {
        let http = servers.guarded.http;
        let proxy = TlsProxy::to(http).await?;
        create(
            http,
            "doc_https",
            "station symbol, level decimal(9,2), gusts double[]",
        )?;
        let conf = format!(
            "https::addr=localhost:{};username={USER};password={};tls_roots={};",
            proxy.address().port(),
            PASSWORD.replace(';', ";;"),
            proxy.roots().display()
        );
        tokio::task::spawn_blocking(move || over_tls::main(&conf)).await??;
        settles(
            http,
            "select station, level, gusts from doc_https",
            &json!([["Oslo", "0.50", [100.0, 100.25]]]),
        )
    })
}
