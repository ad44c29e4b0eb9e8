//! Many connections and queries at once in a process of its own, so that its files, threads and memory are
//! those of the client alone, and so that a call that blocks is seen: the runtime has one thread.

use std::cell::Cell;
use std::fs;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::{join, try_join_all};
use serde::{Deserialize, Serialize};
use taos::*;

/// How often the heart beats.
const BEAT: Duration = Duration::from_millis(5);
/// One query in so many reads the table.
const READERS: usize = 20;
/// How often all connections are opened and closed again between two measurements of what that leaves.
pub const REOPENINGS: u32 = 3;
/// How long closed connections may take to give their files back.
const CLOSING: Duration = Duration::from_secs(30);

/// How many there are.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Size {
    /// Connections, all open at the same time.
    pub connections: usize,
    /// Queries under way at the same time, over all connections.
    pub queries: usize,
    /// How often that many.
    pub rounds: usize,
    /// Rows of a table that some of the queries read; with 0 none does.
    pub rows: i64,
}

/// What was measured. Times are in milliseconds, memory is in KiB.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Until all connections were open.
    pub opening: u64,
    /// Longest pause of the heart in that time; it has to wait for its turn, as every task has.
    pub opening_gap: u64,
    /// Longest turn of one task in that time: more than the work of a turn is a call that blocks.
    pub opening_turn: u64,
    /// Until all queries of all rounds were answered.
    pub querying: u64,
    /// Longest pause of the heart in that time.
    pub querying_gap: u64,
    /// Longest turn of one task in that time.
    pub querying_turn: u64,
    /// Longest pause of the heart while all was closed.
    pub closing_gap: u64,
    /// How long the connections took to be dropped.
    pub closing_turn: u64,
    /// Open files before, with one connection opened and closed.
    pub files_before: u64,
    /// With all connections.
    pub files_open: u64,
    /// When all were closed.
    pub files_after: u64,
    /// Threads after the first round.
    pub threads: u64,
    /// Memory before, with one connection opened and closed.
    pub memory_before: u64,
    /// After a quarter of the rounds.
    pub memory_early: u64,
    /// After the last round.
    pub memory_late: u64,
    /// When all connections had been opened and closed once more.
    pub memory_closed: u64,
    /// And [`REOPENINGS`] times more.
    pub memory_reclosed: u64,
}

impl Figures {
    /// Of all phases.
    #[must_use]
    pub fn longest_gap(&self) -> u64 {
        self.opening_gap
            .max(self.querying_gap)
            .max(self.closing_gap)
    }

    /// Of all phases.
    #[must_use]
    pub fn longest_turn(&self) -> u64 {
        self.opening_turn
            .max(self.querying_turn)
            .max(self.closing_turn)
    }
}

/// Beats on the runtime's only thread, which whatever blocks holds up.
#[derive(Clone, Default)]
struct Heart {
    longest: Rc<Cell<Duration>>,
    longest_turn: Rc<Cell<Duration>>,
}

impl Heart {
    async fn beat(self) {
        loop {
            let before = Instant::now();
            tokio::time::sleep(BEAT).await;
            let late = before.elapsed().saturating_sub(BEAT);
            self.longest.set(self.longest.get().max(late));
        }
    }

    /// The future, with its turns measured.
    async fn timing<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let before = Instant::now();
            let polled = future.as_mut().poll(cx);
            let longest = self.longest_turn.get().max(before.elapsed());
            self.longest_turn.set(longest);
            polled
        })
        .await
    }

    /// The longest turn since the last question.
    fn turn(&self) -> u64 {
        millis(self.longest_turn.take())
    }

    /// The longest pause since the last question.
    fn gap(&self) -> u64 {
        millis(self.longest.take())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Opens the connections, asks the queries and closes all.
///
/// # Errors
/// For any answer that is not the one that was asked for, and for files that stay open.
pub async fn run(dsn: &str, size: Size) -> anyhow::Result<Figures> {
    let heart = Heart::default();
    let local = tokio::task::LocalSet::new();
    local.spawn_local(heart.clone().beat());
    local.run_until(crowd(dsn, size, &heart)).await
}

async fn crowd(dsn: &str, size: Size, heart: &Heart) -> anyhow::Result<Figures> {
    let builder = TaosBuilder::from_dsn(dsn)?;
    let mut figures = Figures::default();
    // What the first connection makes for the whole process is no leak.
    table(&builder.build().await?, size.rows).await?;
    (figures.files_before, figures.memory_before) = (settled(0).await?, memory()?);

    heart.gap();
    let started = Instant::now();
    let opening = (0..size.connections).map(|_| heart.clone().timing(builder.build()));
    let connections = Rc::new(try_join_all(opening).await?);
    figures.opening = millis(started.elapsed());
    (figures.opening_gap, figures.opening_turn) = (heart.gap(), heart.turn());
    figures.files_open = files()?;

    let started = Instant::now();
    for round in 0..size.rounds {
        let queries = (0..size.queries).map(|n| {
            let (connections, heart) = (Rc::clone(&connections), heart.clone());
            // Tasks of their own: joined in one they would get their turns at once, and no beat between.
            tokio::task::spawn_local(async move {
                let taos = &connections[n % connections.len()];
                heart.timing(query(taos, n, size.rows)).await
            })
        });
        for query in queries.collect::<Vec<_>>() {
            query.await??;
        }
        if round == 0 {
            figures.threads = status("Threads:")?;
        }
        if round == size.rounds / 4 {
            figures.memory_early = memory()?;
        }
    }
    figures.querying = millis(started.elapsed());
    (figures.querying_gap, figures.querying_turn) = (heart.gap(), heart.turn());
    figures.memory_late = memory()?;

    let started = Instant::now();
    drop(connections);
    figures.closing_turn = millis(started.elapsed());
    figures.files_after = settled(figures.files_before).await?;
    figures.closing_gap = heart.gap();

    reopened(&builder, size, figures.files_before).await?;
    figures.memory_closed = memory()?;
    for _ in 0..REOPENINGS {
        reopened(&builder, size, figures.files_before).await?;
    }
    figures.memory_reclosed = memory()?;
    Ok(figures)
}

/// Opens all connections, uses each and closes them.
async fn reopened(builder: &TaosBuilder, size: Size, files: u64) -> anyhow::Result<()> {
    let opening = (0..size.connections).map(|_| builder.build());
    let connections = try_join_all(opening).await?;
    try_join_all(connections.iter().map(|taos| query(taos, 0, 0))).await?;
    drop(connections);
    let open = settled(files).await?;
    ensure!(open <= files, "{open} files stay open, of {files} before");
    Ok(())
}

async fn table(taos: &Taos, rows: i64) -> anyhow::Result<()> {
    taos.exec("drop database if exists crowd").await?;
    taos.exec("create database crowd").await?;
    taos.exec("create table crowd.t (ts timestamp, v bigint, s varchar(20))")
        .await?;
    if rows > 0 {
        let values: Vec<String> = (0..rows)
            .map(|n| format!("({}, {n}, 'row {n}')", 1_700_000_000_000 + n))
            .collect();
        taos.exec(format!("insert into crowd.t values {}", values.join(" ")))
            .await?;
    }
    Ok(())
}

async fn query(taos: &Taos, n: usize, rows: i64) -> anyhow::Result<()> {
    if rows > 0 && n.is_multiple_of(READERS) {
        let mut result = taos.query("select ts, v, s from crowd.t").await?;
        let mut read = 0;
        let mut blocks = result.blocks();
        while let Some(block) = blocks.try_next().await? {
            // Reading every row would be work of this thread that no other could do meanwhile.
            let v = block.get_ref(0, 1).map(|v| v.to_value());
            ensure!(v == Some(Value::BigInt(read)), "{v:?} in row {read}");
            read += i64::try_from(block.nrows())?;
        }
        ensure!(read == rows, "{read} rows");
        return Ok(());
    }
    let asked = i64::try_from(n)?;
    let (got, failed) = join(taos.query_one::<_, i64>(format!("select {asked}")), async {
        // Errors take another way through callbacks.
        match n % (READERS / 2) {
            1 => taos.query("select v from crowd.nothing").await.err(),
            _ => None,
        }
    })
    .await;
    ensure!(got? == Some(asked), "another answer than {asked}");
    if n % (READERS / 2) == 1 {
        let failed = failed.context("a table that is not there")?;
        ensure!(failed.code() == 0x2603, "{failed}");
    }
    Ok(())
}

/// Waits until no more files are open than `wanted`, or no longer fewer and fewer.
async fn settled(wanted: u64) -> anyhow::Result<u64> {
    let started = Instant::now();
    let mut last = files()?;
    while last > wanted && started.elapsed() < CLOSING {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = files()?;
        if wanted == 0 && now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

#[cfg(target_os = "linux")]
fn files() -> anyhow::Result<u64> {
    // The directory that is being read is one of them.
    Ok(u64::try_from(fs::read_dir("/proc/self/fd")?.count())? - 1)
}

/// Elsewhere nothing is measured, but all is asked.
#[cfg(not(target_os = "linux"))]
fn files() -> anyhow::Result<u64> {
    Ok(0)
}

fn memory() -> anyhow::Result<u64> {
    status("VmRSS:")
}

fn status(key: &str) -> anyhow::Result<u64> {
    if !cfg!(target_os = "linux") {
        return Ok(0);
    }
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("no such line")?.parse()?)
}
