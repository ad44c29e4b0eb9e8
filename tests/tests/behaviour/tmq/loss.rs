//! Consumer processes are killed, lines are cut, the server is killed: no row is lost, and what was
//! committed does not come again.
//!
//! A row counts as committed when a process has written into its journal that the server confirmed the
//! commit of the row's message. It may be given to the group once more only where it was on its way
//! already: to a process that ran when the commit was confirmed, and soon after. A process that starts
//! later must not see it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use taos::*;
use taos_tests::process::{ConsumerProcess, Event, Line, ServerProcess, now};
use taos_tests::proxy::Proxy;
use taos_tests::{Random, Target, dsn_at, needs, targets_with};

use super::PROCESS;

const VGROUPS: u32 = 4;
const TABLES: u64 = 7;
const MEMBERS: [&str; 2] = ["messages", "records"];
/// For how long a message may be on its way to a process. One that was fetched ahead waits while the commit
/// of the one before it is asked again after a cut: for the session timeout, 6 s here, and 5 s more; then for a
/// connection.
const ON_ITS_WAY: Duration = Duration::from_secs(20);
/// How long the rows that are left may need when nothing is broken any more.
const DRAIN: Duration = Duration::from_secs(40);

/// What the journals say, in the order of their times.
#[derive(Debug, Default)]
struct Journals {
    /// When the process of each number was started.
    started: Vec<u128>,
    lines: Vec<(usize, Line)>,
}

#[derive(Debug, Default)]
struct Verdict {
    delivered: BTreeSet<i64>,
    deliveries: usize,
    committed: BTreeSet<i64>,
    /// Deliveries of committed rows that were on their way.
    on_their_way: usize,
    failures: usize,
    wrong: Vec<String>,
}

impl Journals {
    /// `twice` are rows that may have been written twice.
    fn judge(&mut self, twice: &BTreeSet<i64>) -> Verdict {
        self.lines.sort_by_key(|(_, line)| line.at);
        let mut verdict = Verdict::default();
        let mut committed: BTreeMap<i64, u128> = BTreeMap::new();
        // What each process was given of each vgroup and has not committed yet.
        let mut open: BTreeMap<(usize, i32), Vec<(i64, i64)>> = BTreeMap::new();
        for (process, Line { at, event }) in &self.lines {
            match event {
                Event::Joined => {}
                Event::Failed(_) => verdict.failures += 1,
                Event::Delivered {
                    vgroup,
                    offset,
                    row,
                } => {
                    verdict.deliveries += 1;
                    verdict.delivered.insert(*row);
                    let given = open.entry((*process, *vgroup)).or_default();
                    given.push((*offset, *row));
                    let Some(&confirmed) = committed.get(row).filter(|_| !twice.contains(row))
                    else {
                        continue;
                    };
                    let ran = self.started.get(*process).is_some_and(|at| *at < confirmed);
                    if ran && at - confirmed < ON_ITS_WAY.as_nanos() {
                        verdict.on_their_way += 1;
                    } else {
                        let late = (at - confirmed) / 1_000_000;
                        verdict.wrong.push(format!(
                            "row {row} (vgroup {vgroup}, offset {offset}) came to process {process} {late} ms after its commit, ran={ran}"
                        ));
                    }
                }
                Event::Committed { vgroup, offset } => {
                    let given = open.entry((*process, *vgroup)).or_default();
                    given.retain(|(message, row)| {
                        let done = message <= offset;
                        if done {
                            committed.entry(*row).or_insert(*at);
                        }
                        !done
                    });
                }
            }
        }
        verdict.committed = committed.into_keys().collect();
        verdict
    }
}

/// The members of the group: each is started again when it has ended or was killed.
struct Group {
    dsn: String,
    topic: String,
    running: Vec<ConsumerProcess>,
    numbers: usize,
    sender: Sender<(usize, Line)>,
    receiver: Receiver<(usize, Line)>,
    journals: Journals,
    kills: usize,
    ended: usize,
}

impl Group {
    fn start(dsn: &Dsn, topic: &str) -> anyhow::Result<Self> {
        let (sender, receiver) = channel();
        let mut group = Self {
            dsn: dsn.to_string(),
            topic: topic.to_owned(),
            running: Vec::new(),
            numbers: 0,
            sender,
            receiver,
            journals: Journals::default(),
            kills: 0,
            ended: 0,
        };
        for how in MEMBERS {
            let member = group.member(how)?;
            group.running.push(member);
        }
        Ok(group)
    }

    fn member(&mut self, how: &str) -> anyhow::Result<ConsumerProcess> {
        let number = self.numbers;
        self.numbers += 1;
        self.journals.started.push(now());
        let journal = self.sender.clone();
        let place = (self.dsn.as_str(), self.topic.as_str());
        ConsumerProcess::start(PROCESS, how, place, number, journal)
    }

    fn kill(&mut self, random: &mut Random) -> anyhow::Result<()> {
        self.kills += 1;
        let indexes: Vec<usize> = (0..MEMBERS.len()).collect();
        let at = *random.one(&indexes);
        // Dead before the next one starts.
        self.running.remove(at).kill();
        let member = self.member(MEMBERS[at])?;
        self.running.insert(at, member);
        Ok(())
    }

    /// Starts those again that have ended by themselves, and reads what the journals have.
    fn look_after(&mut self) -> anyhow::Result<()> {
        for (at, how) in MEMBERS.into_iter().enumerate() {
            let member = self.running.get_mut(at);
            if member.is_some_and(ConsumerProcess::has_ended) {
                self.ended += 1;
                self.running[at] = self.member(how)?;
            }
        }
        self.journals.lines.extend(self.receiver.try_iter());
        Ok(())
    }

    /// Ends all members; their journals are whole then.
    fn end(mut self) -> Journals {
        self.running.clear();
        self.journals.lines.extend(self.receiver.try_iter());
        self.journals
    }
}

/// Where rows are written, and which server can be killed.
struct Stage {
    server: Option<(ServerProcess, tempfile::TempDir)>,
    /// Keeps the common server up.
    _common: Vec<Target>,
    target: String,
    proxy: Proxy,
    topic: String,
    restarts: usize,
}

impl Stage {
    async fn new(seed: u64, own_server: bool, found: Vec<Target>) -> anyhow::Result<Self> {
        let server = if own_server {
            let directory = tempfile::tempdir()?;
            Some((ServerProcess::start(PROCESS, directory.path())?, directory))
        } else {
            None
        };
        let target = match &server {
            Some((server, _)) => dsn_at(server.address()),
            None => found[0].dsn().to_owned(),
        };
        let address = match &server {
            Some((server, _)) => server.address(),
            None => found[0].address().await?,
        };
        let topic = found[0].unique("loss");
        let taos = TaosBuilder::from_dsn(&target)?.build().await?;
        taos.exec_many([
            format!("create database `{topic}` vgroups {VGROUPS} keep 36500"),
            format!("create table `{topic}`.s (ts timestamp, n bigint) tags (t int)"),
            format!("create topic `{topic}` as select ts, n from `{topic}`.s"),
        ])
        .await?;
        let proxy = Proxy::to(address).by_chance(seed, 400).start().await?;
        Ok(Self {
            server,
            _common: found,
            target,
            proxy,
            topic,
            restarts: 0,
        })
    }

    /// What the members connect with: by way of the proxy, quick to give up.
    fn dsn(&self) -> anyhow::Result<Dsn> {
        let mut dsn: Dsn = self.target.parse()?;
        dsn.addresses = vec![Address::new("127.0.0.1", self.proxy.address().port())];
        for (key, value) in [
            ("group.id", "loss"),
            ("auto.offset.reset", "earliest"),
            ("session.timeout.ms", "6000"),
            ("read_timeout", "1"),
            ("conn_timeout", "2"),
            ("conn_retries", "10"),
            ("retry_backoff_ms", "20"),
            ("retry_backoff_max_ms", "200"),
        ] {
            dsn.set(key, value);
        }
        Ok(dsn)
    }

    fn restart(&mut self) -> anyhow::Result<()> {
        if let Some((server, directory)) = self.server.take() {
            server.kill();
            let server = ServerProcess::start(PROCESS, directory.path())?;
            self.proxy.lead_to(server.address());
            self.target = dsn_at(server.address());
            self.server = Some((server, directory));
            self.restarts += 1;
        }
        Ok(())
    }
}

/// Writes numbered rows, a few each statement.
struct Producer {
    taos: Option<Taos>,
    database: String,
    next: i64,
    /// Rows of statements that had to be repeated.
    twice: BTreeSet<i64>,
}

impl Producer {
    /// Writes one statement; one that fails is repeated until it is known to be there.
    async fn write(&mut self, dsn: &str, random: &mut Random) -> anyhow::Result<()> {
        let count = i64::try_from(1 + random.below(12))?;
        let rows: Vec<String> = (self.next..self.next + count)
            .map(|n| format!("({n}, {n})"))
            .collect();
        let table = random.below(TABLES);
        let sql = format!(
            "insert into `{0}`.s{table} using `{0}`.s tags ({table}) values {1}",
            self.database,
            rows.join(" ")
        );
        let deadline = Instant::now() + DRAIN;
        loop {
            let written = match &self.taos {
                Some(taos) => taos.exec(&sql).await,
                None => Err(Error::from_string("not connected")),
            };
            match written {
                Ok(_) => break,
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(error) => {
                    if error.outcome_unknown() {
                        self.twice.extend(self.next..self.next + count);
                    }
                    let mut impatient: Dsn = dsn.parse()?;
                    impatient.set("conn_retries", "0");
                    impatient.set("read_timeout", "5");
                    self.taos = TaosBuilder::from_dsn(impatient)?.build().await.ok();
                    if self.taos.is_none() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        }
        self.next += count;
        Ok(())
    }
}

/// One run; prints its seed first.
fn run(time: Duration, own_server: bool) -> anyhow::Result<()> {
    let targets = targets_with(&[needs::TOPICS, needs::KNOWN_FRAMES]);
    if targets.is_empty() {
        return Ok(());
    }
    let seed = Random::seed();
    eprintln!("TAOS_TEST_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut random = Random::new(seed);
        let mut stage = Stage::new(random.number(), own_server, targets).await?;
        let mut group = Group::start(&stage.dsn()?, &stage.topic)?;
        let mut producer = Producer {
            taos: None,
            database: stage.topic.clone(),
            next: 0,
            twice: BTreeSet::new(),
        };
        let mut cuts = 0;
        let end = Instant::now() + time;
        let mut trouble = Instant::now() + Duration::from_millis(1_000);
        while Instant::now() < end {
            producer.write(&stage.target, &mut random).await?;
            tokio::time::sleep(Duration::from_millis(random.below(12))).await;
            group.look_after()?;
            if Instant::now() < trouble {
                continue;
            }
            match random.below(6) {
                // Each run has one of each, however slow the machine.
                _ if group.kills == 0 => group.kill(&mut random)?,
                _ if own_server && stage.restarts == 0 => stage.restart()?,
                action if cuts == 0 || action < 2 => {
                    stage.proxy.cut();
                    cuts += 1;
                }
                2 | 3 if own_server => stage.restart()?,
                _ => group.kill(&mut random)?,
            }
            let pause = Duration::from_millis(300 + random.below(1_500));
            trouble = Instant::now() + pause;
        }
        stage.proxy.calm();
        drain(&mut group, &producer).await?;
        let (kills, ended) = (group.kills, group.ended);
        let (restarts, faults) = (stage.restarts, stage.proxy.struck());
        let mut journals = group.end();
        let verdict = journals.judge(&producer.twice);
        eprintln!(
            "{} rows, {} deliveries, {kills} consumers and {restarts} servers killed, {ended} consumers ended by themselves, {faults} faults on the line, {} failed calls, {} committed rows on their way at a cut",
            producer.next, verdict.deliveries, verdict.failures, verdict.on_their_way,
        );
        report(&journals);
        let missing: Vec<i64> = (0..producer.next)
            .filter(|n| !verdict.delivered.contains(n))
            .collect();
        anyhow::ensure!(missing.is_empty(), "seed {seed}: lost {missing:?}");
        anyhow::ensure!(
            verdict.wrong.is_empty(),
            "seed {seed}: {} committed rows came again: {:#?}",
            verdict.wrong.len(),
            verdict.wrong.iter().take(20).collect::<Vec<_>>()
        );
        anyhow::ensure!(kills > 0 && cuts + restarts + faults > 0, "nothing was broken");
        anyhow::ensure!(
            2 * verdict.committed.len() > verdict.delivered.len(),
            "only {} of {} rows were committed",
            verdict.committed.len(),
            verdict.delivered.len()
        );
        Ok(())
    })
}

/// What failed on the way, each text once, and where each process was last.
fn report(journals: &Journals) {
    let mut texts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, line) in &journals.lines {
        if let Event::Failed(text) = &line.event {
            *texts.entry(text).or_default() += 1;
        }
    }
    if std::env::var_os("TAOS_TEST_VERBOSE").is_some() {
        for (text, count) in texts {
            eprintln!("{count} × {text}");
        }
        let mut last: BTreeMap<usize, &Line> = BTreeMap::new();
        for (process, line) in &journals.lines {
            last.insert(*process, line);
        }
        for (process, line) in last {
            eprintln!("process {process} ended with: {line}");
        }
    }
}

/// Waits until every row was given to someone.
async fn drain(group: &mut Group, producer: &Producer) -> anyhow::Result<()> {
    let deadline = Instant::now() + DRAIN;
    let mut seen = BTreeSet::new();
    let mut read = 0;
    loop {
        group.look_after()?;
        for (_, line) in &group.journals.lines[read..] {
            if let Event::Delivered { row, .. } = line.event {
                seen.insert(row);
            }
        }
        read = group.journals.lines.len();
        if (0..producer.next).all(|n| seen.contains(&n)) {
            return Ok(());
        }
        // What is missing then is told by the verdict.
        if Instant::now() > deadline {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Older releases are run one after another, so each has less time.
fn short() -> Duration {
    let emulated = std::env::var_os("TAOS_TEST_EMULATE").is_some();
    Duration::from_secs(if emulated { 5 } else { 15 })
}

#[test]
fn killed_consumers_and_cut_lines_lose_no_row() -> anyhow::Result<()> {
    run(short(), false)
}

#[test]
fn a_killed_server_loses_no_row() -> anyhow::Result<()> {
    run(short() * 2 / 3, true)
}

#[test]
#[ignore = "takes two minutes: cargo xtask soak"]
fn killed_consumers_and_cut_lines_lose_no_row_in_two_minutes() -> anyhow::Result<()> {
    run(Duration::from_secs(120), false)
}

#[test]
#[ignore = "takes two minutes: cargo xtask soak"]
fn a_killed_server_loses_no_row_in_two_minutes() -> anyhow::Result<()> {
    run(Duration::from_secs(120), true)
}
