//! Hundreds of connections and thousands of queries at once hold nothing up, and leave nothing behind.

use std::process::Command;
use std::time::Duration;

use taos_tests::crowd::{Figures, Size};
use taos_tests::dsn_at;
use taos_tests::process::ServerProcess;
use taos_tests::proxy::{Direction, Proxy};

const PROGRAM: &str = env!("CARGO_BIN_EXE_taos-test-process");

async fn figures(dsn: String, size: Size) -> anyhow::Result<Figures> {
    let size = serde_json::to_string(&size)?;
    let run = move || Command::new(PROGRAM).args(["crowd", &dsn, &size]).output();
    let output = tokio::task::spawn_blocking(run).await??;
    let text = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    eprintln!("{}", text.trim());
    Ok(serde_json::from_str(text.trim())?)
}

/// Nothing that was open for a while is still open.
fn clean(figures: &Figures, size: Size) {
    // Figures of processes are Linux's.
    let seen = u64::try_from(size.connections / 2).unwrap_or_default();
    assert!(
        !cfg!(target_os = "linux") || figures.files_open > figures.files_before + seen,
        "nothing was measured: {figures:?}"
    );
    assert!(
        figures.files_after <= figures.files_before,
        "files stay open: {figures:?}"
    );
}

#[tokio::test]
async fn a_crowd_over_a_slow_line_holds_the_runtime_up_nowhere_and_leaves_no_file_open()
-> anyhow::Result<()> {
    const SIZE: Size = Size {
        connections: 20,
        queries: 100,
        rounds: 1,
        rows: 0,
    };
    // Each answer takes longer than this: a call that waited for one would show.
    const LIMIT: u64 = 250;
    let data = tempfile::tempdir()?;
    let server = ServerProcess::start(PROGRAM, data.path())?;
    let proxy = Proxy::to(server.address())
        .pace(Direction::ToClient, 64, Duration::from_millis(100))
        .start()
        .await?;
    let dsn = dsn_at(proxy.address());
    let mut last = Figures::default();
    // Other programs can hold the heart up too, but not each time.
    for _ in 0..3 {
        last = figures(dsn.clone(), SIZE).await?;
        clean(&last, SIZE);
        assert!(last.opening > LIMIT && last.querying > LIMIT, "{last:?}");
        if last.longest_gap().max(last.longest_turn()) < LIMIT {
            return Ok(());
        }
    }
    anyhow::bail!("the runtime's thread was held up: {last:?}")
}

#[tokio::test]
#[ignore = "takes a minute and prints figures: cargo xtask soak"]
async fn two_hundred_connections_and_two_thousand_queries_at_once_hold_nothing_up_and_leave_nothing()
-> anyhow::Result<()> {
    const SIZE: Size = Size {
        connections: 200,
        queries: 2_000,
        rounds: 24,
        rows: 5_000,
    };
    let data = tempfile::tempdir()?;
    let server = ServerProcess::start(PROGRAM, data.path())?;
    let figures = figures(dsn_at(server.address()), SIZE).await?;
    clean(&figures, SIZE);
    assert!(figures.longest_turn() < 500, "{figures:?}");
    // All of two thousand tasks have a turn between two beats.
    assert!(figures.longest_gap() < 5_000, "{figures:?}");
    let grown = figures.memory_late.saturating_sub(figures.memory_early);
    assert!(grown < 32 * 1024, "memory grows: {figures:?}");
    let kept = figures
        .memory_reclosed
        .saturating_sub(figures.memory_closed);
    assert!(
        kept < 8 * 1024,
        "closed connections keep memory: {figures:?}"
    );
    Ok(())
}
