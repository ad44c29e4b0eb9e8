//! The column of consumers in the fault table: seven ways to lose a server × each kind of call. Every call
//! ends in success or an error within its time, what it says is true, and the consumer goes on afterwards.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Instant;

use serde::Deserialize;
use taos::*;
use taos_tests::proxy::{Builder, Direction, Fault, Proxy};
use taos_tests::{Target, for_targets, needs};

use super::{numbered, write};
use crate::fault_table::{LIMIT, MODES, Mode, PARAMETERS, none_fails};

const ROWS: i64 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Subscribe,
    /// The poll of a receive.
    Poll,
    /// What a receive, or the reading of its rows, asks for after the poll.
    Fetch,
    Commit,
    Seek,
}

impl Call {
    /// The request that the faults strike, or whose answer they do; servers have one of the forms.
    const fn request(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Poll => "poll",
            Self::Fetch => "fetch",
            Self::Commit => "commit",
            Self::Seek => "seek",
        }
    }
}

#[derive(Clone, Copy)]
struct Cell {
    mode: Mode,
    call: Call,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} × {:?}", self.mode, self.call)
    }
}

#[derive(Debug, Deserialize)]
struct Row {
    n: i64,
}

/// A consumer, and what it has been given so far.
struct Member {
    consumer: Consumer,
    topic: String,
    seen: BTreeSet<i64>,
    last: Option<Offset>,
}

impl Member {
    /// Receives once and reads all rows; true if something came.
    async fn receive(&mut self) -> Result<bool, Error> {
        let received = self.consumer.recv_timeout(Timeout::from_secs(8)).await?;
        let Some((at, message)) = received else {
            return Ok(false);
        };
        if let Some(data) = message.into_data() {
            while let Some(block) = data.fetch_raw_block().await? {
                let rows: Vec<Row> = block.deserialize().try_collect()?;
                self.seen.extend(rows.into_iter().map(|row| row.n));
            }
        }
        self.last = Some(at);
        Ok(true)
    }

    fn place(&self) -> Result<Offset, Error> {
        let last = self.last.clone();
        last.ok_or_else(|| Error::from_string("nothing was received to begin with"))
    }

    async fn make(&mut self, call: Call) -> Result<(), Error> {
        match call {
            Call::Subscribe => self.consumer.subscribe([self.topic.as_str()]).await,
            Call::Poll | Call::Fetch => {
                let came = self.receive().await?;
                assert!(came, "silence, though there are rows");
                Ok(())
            }
            Call::Commit => {
                let place = self.place()?;
                self.consumer.commit(place.clone()).await?;
                let committed = self
                    .consumer
                    .committed(&self.topic, place.vgroup_id())
                    .await?;
                assert!(committed > place.offset(), "{committed} after {place:?}");
                Ok(())
            }
            Call::Seek => {
                let place = self.place()?;
                self.consumer
                    .offset_seek(&self.topic, place.vgroup_id(), place.offset())
                    .await?;
                assert!(self.receive().await?, "silence after a seek");
                assert_eq!(self.place()?.offset(), place.offset());
                Ok(())
            }
        }
    }
}

impl Cell {
    fn faults(self, proxy: Builder) -> Builder {
        let request = self.call.request();
        match self.mode {
            Mode::Close => proxy.on_answer_to(request, Fault::Close),
            Mode::Drop => proxy.on_kind(Direction::ToServer, request, Fault::Cut),
            Mode::Mute => proxy.on_answer_to(request, Fault::Stall),
            Mode::Garbage => proxy.on_answer_to(request, Fault::Garbage),
            Mode::DropInExec => proxy.on_answer_to(request, Fault::Cut),
            Mode::DropWhileIdle | Mode::SecondAddress => proxy,
        }
    }

    async fn open(self, target: &Target) -> anyhow::Result<Vec<Proxy>> {
        let server = target.address().await?;
        let count = if self.mode == Mode::SecondAddress {
            2
        } else {
            1
        };
        let mut proxies = Vec::new();
        for _ in 0..count {
            proxies.push(self.faults(Proxy::to(server)).start().await?);
        }
        Ok(proxies)
    }

    /// A consumer that is ready for the call.
    async fn prepare(self, dsn: &Dsn, topic: &str) -> anyhow::Result<Member> {
        let mut member = Member {
            consumer: TmqBuilder::from_dsn(dsn)?.build().await?,
            topic: topic.to_owned(),
            seen: BTreeSet::new(),
            last: None,
        };
        if self.call != Call::Subscribe {
            member.consumer.subscribe([topic]).await?;
        }
        if matches!(self.call, Call::Commit | Call::Seek) {
            anyhow::ensure!(member.receive().await?, "no rows to begin with");
        }
        Ok(member)
    }

    async fn strike(self, proxies: &mut [Proxy]) -> anyhow::Result<()> {
        match self.mode {
            Mode::DropWhileIdle => proxies.iter().for_each(Proxy::cut),
            Mode::SecondAddress => {
                let in_use = proxies.iter_mut().find(|proxy| proxy.connections() > 0);
                let in_use = in_use.ok_or_else(|| anyhow::anyhow!("no proxy was connected to"))?;
                in_use.shut().await;
            }
            _ => {}
        }
        Ok(())
    }

    async fn run(self, target: &Target) -> anyhow::Result<()> {
        let (taos, topic) = numbered(target, "cell", 1).await?;
        write(&taos, 0, 0..ROWS).await?;
        let mut proxies = self.open(target).await?;
        let mut dsn = target.dsn_through(&proxies, "");
        for (key, value) in PARAMETERS {
            dsn.set(key, value);
        }
        dsn.set("group.id", "g");
        dsn.set("auto.offset.reset", "earliest");
        let mut member = self.prepare(&dsn, &topic).await?;
        self.strike(&mut proxies).await?;

        let outcome = tokio::time::timeout(LIMIT, member.make(self.call)).await;
        let outcome = outcome.map_err(|_| anyhow::anyhow!("no end within {LIMIT:?}"))?;
        let struck: usize = proxies.iter().map(Proxy::struck).sum();
        let between = matches!(self.mode, Mode::DropWhileIdle | Mode::SecondAddress);
        anyhow::ensure!(between || struck > 0, "no fault struck");
        self.judge(&outcome)?;
        self.go_on(&mut member, outcome.is_err()).await
    }

    /// What an error may be, and when there may be none: a line that breaks is mended for the asking.
    fn judge(self, outcome: &Result<(), Error>) -> anyhow::Result<()> {
        let Err(error) = outcome else { return Ok(()) };
        let kinds = [
            ErrorKind::Connect,
            ErrorKind::ConnectionLost,
            ErrorKind::Timeout,
            ErrorKind::Protocol,
        ];
        anyhow::ensure!(kinds.contains(&error.kind()), "{error:?}");
        let mended = !matches!(self.mode, Mode::Mute | Mode::Garbage)
            && matches!(self.call, Call::Subscribe | Call::Poll);
        anyhow::ensure!(!mended, "was not asked again: {error:?}");
        Ok(())
    }

    /// All rows come, whatever became of the call; errors on the way are told and got over.
    async fn go_on(self, member: &mut Member, failed: bool) -> anyhow::Result<()> {
        if failed && self.call == Call::Subscribe {
            member.consumer.subscribe([member.topic.as_str()]).await?;
        }
        let mut expected: BTreeSet<i64> = (0..ROWS).collect();
        let deadline = Instant::now() + 2 * LIMIT;
        let mut told = Vec::new();
        while !expected.is_empty() {
            anyhow::ensure!(
                Instant::now() < deadline && told.len() < 5,
                "{expected:?} did not come; {told:?}"
            );
            if let Err(error) = member.receive().await {
                told.push(error.to_string());
            }
            expected.retain(|n| !member.seen.contains(n));
        }
        Ok(())
    }
}

/// All modes of a call at once, for the sake of time; names each cell that fails.
fn every_fault(call: Call) {
    for_targets(
        &[needs::TOPICS, needs::KNOWN_FRAMES, needs::SHORT_LIMITS],
        |target| async move {
            let modes = MODES.into_iter();
            let modes =
                modes.filter(|mode| *mode != Mode::SecondAddress || needs::FAILOVER.met(&target));
            let cells: Vec<Cell> = modes.map(|mode| Cell { mode, call }).collect();
            let runs = cells.iter().map(|cell| cell.run(&target));
            none_fails(&cells, runs).await;
            Ok(())
        },
    );
}

#[test]
fn a_subscription_ends_in_each_of_seven_faults() {
    every_fault(Call::Subscribe);
}

#[test]
fn a_poll_ends_in_each_of_seven_faults_and_no_row_is_lost() {
    every_fault(Call::Poll);
}

#[test]
fn a_fetch_of_a_message_ends_in_each_of_seven_faults_and_no_row_is_lost() {
    every_fault(Call::Fetch);
}

#[test]
fn a_commit_ends_in_each_of_seven_faults_and_what_it_says_is_true() {
    every_fault(Call::Commit);
}

#[test]
fn a_seek_ends_in_each_of_seven_faults_and_what_it_says_is_true() {
    every_fault(Call::Seek);
}
