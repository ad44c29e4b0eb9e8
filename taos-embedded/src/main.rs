//! The server as a program.
#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use taos_embedded::Embedded;
use tracing_subscriber::EnvFilter;

/// A small, durable time-series server that speaks TDengine's dialect and taosAdapter's protocol.
///
/// Prints `listening on IP:PORT` when it is ready and logs to standard error (RUST_LOG sets what).
#[derive(Parser)]
#[command(version, group(clap::ArgGroup::new("storage").required(true).args(["data_dir", "memory"])))]
struct Options {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6041", value_parser = address)]
    listen: SocketAddr,
    /// Directory that keeps the data; created if missing.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Keep nothing after the end.
    #[arg(long)]
    memory: bool,
    /// The administrator's name; without it the stored one stays, and new data get root.
    #[arg(long)]
    user: Option<String>,
    /// The administrator's new password; without it the stored one stays, and new data get taosdata.
    #[arg(long, env = "TAOS_EMBEDDED_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Answer as this release does, such as 3.2.3.0, 3.3.2.0 or 3.4.1.0: its version, only the
    /// requests it knew, its form of decimals in prepared statements. Without it 3.3.7.5.
    #[arg(long, value_name = "VERSION")]
    emulate: Option<String>,
    /// Seconds that one query may compute; 0 is no limit.
    #[arg(long, value_name = "SECS", default_value_t = 600)]
    max_query_time: u64,
    /// Name statements in the log that take more seconds than this; 0 names none.
    #[arg(long, value_name = "SECS", default_value = "3", value_parser = seconds)]
    slow_query: Duration,
    /// MiB that the storage may take for caches, sorts and results; 0 is no limit.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    max_memory: u64,
    /// Serve no web console at /.
    #[arg(long)]
    no_console: bool,
}

/// Seconds with or without a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string())
}

/// `IP:PORT` or `NAME:PORT`; the first address of a name is taken.
fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text
        .to_socket_addrs()
        .map_err(|e| format!("{e}; expected IP:PORT or NAME:PORT"))?;
    found
        .next()
        .ok_or_else(|| "the name has no address".to_owned())
}

fn main() -> ExitCode {
    let options = Options::parse();
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = std::io::stderr().is_terminal() && !unwanted;
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .init();
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The text of an error of the library holds that of its source already.
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> anyhow::Result<()> {
    let some = |limit: u64| (limit > 0).then_some(limit);
    let mut builder = Embedded::builder()
        .listen(options.listen)
        .max_query_time(some(options.max_query_time).map(Duration::from_secs))
        .slow_query(Some(options.slow_query).filter(|limit| !limit.is_zero()))
        .max_memory(some(options.max_memory).map(|mib| mib.saturating_mul(1 << 20)))
        .console(!options.no_console);
    if let Some(user) = options.user {
        builder = builder.user(user);
    }
    if let Some(password) = options.password {
        builder = builder.password(password);
    }
    if let Some(version) = options.emulate {
        builder = builder.emulate(version);
    }
    builder = match options.data_dir {
        Some(dir) => builder.data_dir(dir),
        None => builder.memory(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // The handlers stand before the line is printed: who reads it may send the signal at once.
        let stop = stop_signal()?;
        let server = builder.start().await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "listening on {}", server.addr())?;
        out.flush()?;
        drop(out);
        let signal = stop.await;
        tracing::info!(signal, "stopping");
        server.shutdown().await;
        Ok(())
    })
}

#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => std::future::pending().await,
        }
    })
}
