//! Seven ways to lose a server × each kind of call: every cell ends in success or an error within its
//! time, and a write reaches the server exactly once, or at least once where `retry_writes` says so.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use taos::*;
use taos_query::Dialect;
use taos_tests::proxy::{Direction, Fault, Proxy};
use taos_tests::{Need, Table, Target, for_targets, needs};

/// What no cell may exceed: connecting again and one answer that does not come are 2 s each.
pub(super) const LIMIT: Duration = Duration::from_secs(15);
pub(super) const PARAMETERS: [(&str, &str); 5] = [
    ("conn_retries", "2"),
    ("retry_backoff_ms", "20"),
    ("retry_backoff_max_ms", "100"),
    ("conn_timeout", "2"),
    ("read_timeout", "3"),
];
/// More than three blocks, so that a fetch is still to come when the query has been answered.
const READ: i64 = 20_000;
const WRITTEN: i64 = 3;
/// How often a cell is run in which no fault was there.
const TRIES: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A close frame comes in the place of the answer.
    Close,
    /// The line breaks before the request has arrived.
    Drop,
    /// The answer never comes, nor anything else.
    Mute,
    /// Something comes that is no answer.
    Garbage,
    /// The line breaks between two calls.
    DropWhileIdle,
    /// The line breaks when the server has done its work.
    DropInExec,
    /// The address in use goes away, another is left.
    SecondAddress,
}

impl Mode {
    const fn is_between_calls(self) -> bool {
        matches!(self, Self::DropWhileIdle | Self::SecondAddress)
    }
}

pub(super) const MODES: [Mode; 7] = [
    Mode::Close,
    Mode::Drop,
    Mode::Mute,
    Mode::Garbage,
    Mode::DropWhileIdle,
    Mode::DropInExec,
    Mode::SecondAddress,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Query,
    Fetch,
    Exec,
    Put,
    Stmt,
    Stmt2,
    Inserter,
    /// An insert by a connection that comes out of a pool.
    Pool,
}

impl Call {
    const fn writes(self) -> bool {
        !matches!(self, Self::Query | Self::Fetch)
    }

    /// The request that the faults strike, or whose answer they do; servers have one of the forms.
    const fn requests(self, dialect: Dialect) -> &'static [&'static str] {
        match (dialect, self) {
            (Dialect::QuestDb, Self::Query | Self::Fetch | Self::Exec | Self::Pool) => {
                &["GET /exec"]
            }
            (Dialect::QuestDb, _) => &["POST /write"],
            (_, Self::Query) => &["query select"],
            (_, Self::Fetch) => &["fetch"],
            (_, Self::Exec | Self::Pool) => &["query insert"],
            (_, Self::Put) => &["insert"],
            // Of the second generation, or of the first where the server has no other.
            (_, Self::Stmt | Self::Stmt2 | Self::Inserter) => &["stmt2_exec", "exec"],
        }
    }
}

#[derive(Clone, Copy)]
struct Cell {
    mode: Mode,
    call: Call,
    retry_writes: bool,
    dialect: Dialect,
    /// A cut is seen before the next call.
    lasting: bool,
}

/// What a cell reads or writes, in the words of its server.
struct Place {
    table: String,
    insert: String,
    lines: String,
    /// Whether `exec` tells how many rows it wrote.
    counted: bool,
}

impl Place {
    async fn make(target: &Target, call: Call) -> anyhow::Result<(Self, Table)> {
        let mut table = target.table("cell", &[("v", Ty::Int)]).await?;
        if !call.writes() {
            table.count_up(READ).await?;
        }
        let place = Self {
            table: table.name().to_owned(),
            insert: table.insertion(&["1, 10", "2, 20", "3, 30"]),
            lines: target.unique("lines"),
            counted: target.capabilities().affected_rows,
        };
        Ok((place, table))
    }

    /// The database that the table is in, where there are any.
    fn database(&self) -> Option<&str> {
        self.table.split_once('.').map(|(database, _)| database)
    }

    /// What the cell has written to.
    fn written(&self, call: Call) -> String {
        match (call, self.database()) {
            (Call::Put, Some(database)) => format!("{database}.{}", self.lines),
            (Call::Put, None) => self.lines.clone(),
            _ => self.table.clone(),
        }
    }

    fn sml(&self) -> Result<SmlData, Error> {
        SmlDataBuilder::default()
            .protocol(SchemalessProtocol::Line)
            .data(
                (1..=WRITTEN)
                    .map(|ts| format!("{},a=b v=1.5 {ts}", self.lines))
                    .collect::<Vec<_>>(),
            )
            .build()
    }

    fn insertion_of_marks(&self) -> String {
        format!("insert into {} values (?, ?)", self.table)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retry = if self.retry_writes {
            " with retry_writes"
        } else {
            ""
        };
        write!(f, "{:?} × {:?}{retry}", self.mode, self.call)
    }
}

/// A call that is ready to be made: what it needs beforehand has been done on a healthy line.
enum Prepared {
    Query(Taos),
    Fetch(Taos, Box<ResultSet>),
    Exec(Taos),
    Put(Taos),
    Stmt(Taos, Box<Stmt>),
    Stmt2(Taos, Box<Stmt2>),
    Inserter(Taos, Box<Inserter<Record>>),
    Pool(TaosPool),
}

#[derive(Serialize)]
struct Record {
    ts: i64,
    v: i32,
}

fn columns() -> [ColumnView; 2] {
    [
        ColumnView::from_micros_timestamp((1..=WRITTEN).collect()),
        ColumnView::from_ints(vec![7; 3]),
    ]
}

struct Lines {
    proxies: Vec<Proxy>,
    dsn: Dsn,
}

impl Lines {
    async fn open(cell: Cell, target: &Target, database: &str) -> anyhow::Result<Self> {
        let count = if cell.mode == Mode::SecondAddress {
            2
        } else {
            1
        };
        let mut proxies = Vec::new();
        for _ in 0..count {
            proxies.push(cell.faults(target.proxy().await?).start().await?);
        }
        let mut dsn = target.dsn_through(&proxies, database);
        if cell.dialect == Dialect::QuestDb {
            dsn = target.impatient(dsn, 2);
            if !cell.call.writes() {
                dsn.set("retry_timeout", "2000");
            }
        } else {
            for (key, value) in PARAMETERS {
                dsn.set(key, value);
            }
        }
        if cell.retry_writes {
            dsn.set("retry_writes", "true");
        }
        Ok(Self { proxies, dsn })
    }

    /// What happens between two calls.
    async fn strike(&mut self, mode: Mode) -> anyhow::Result<()> {
        match mode {
            Mode::DropWhileIdle => self.proxies.iter().for_each(Proxy::cut),
            Mode::SecondAddress => {
                let in_use = self
                    .proxies
                    .iter_mut()
                    .find(|proxy| proxy.connections() > 0);
                let in_use = in_use.ok_or_else(|| anyhow::anyhow!("no proxy was connected to"))?;
                in_use.shut().await;
            }
            _ => {}
        }
        Ok(())
    }

    fn struck(&self) -> usize {
        self.proxies.iter().map(Proxy::struck).sum()
    }

    /// How many writing requests have reached the server.
    fn arrived(&self, cell: Cell) -> usize {
        let kinds = cell.call.requests(cell.dialect).iter();
        kinds
            .flat_map(|kind| {
                let count = |proxy: &Proxy| proxy.passed(Direction::ToServer, kind);
                self.proxies.iter().map(count)
            })
            .sum()
    }
}

impl Cell {
    fn faults(self, mut proxy: taos_tests::proxy::Builder) -> taos_tests::proxy::Builder {
        let (before, fault) = match self.mode {
            Mode::Close => (false, Fault::Close),
            Mode::Drop => (true, Fault::Cut),
            Mode::Mute => (false, Fault::Stall),
            Mode::Garbage => (false, Fault::Garbage),
            Mode::DropInExec => (false, Fault::Cut),
            Mode::DropWhileIdle | Mode::SecondAddress => return proxy,
        };
        for request in self.call.requests(self.dialect) {
            proxy = if before {
                proxy.on_kind(Direction::ToServer, request, fault)
            } else {
                proxy.on_answer_to(request, fault)
            };
        }
        proxy
    }

    /// What the call needs, and news of the connection it will use.
    async fn prepare(
        self,
        dsn: &Dsn,
        place: &Place,
    ) -> Result<(Prepared, Pin<Box<dyn Stream<Item = ConnectionState>>>), Error> {
        let builder = TaosBuilder::from_dsn(dsn)?;
        if self.call == Call::Pool {
            let pool = builder.pool()?;
            let states = Box::pin(pool.get().await?.connection_events());
            return Ok((Prepared::Pool(pool), states));
        }
        let taos = builder.build().await?;
        let states = Box::pin(taos.connection_events());
        let prepared = match self.call {
            Call::Query => Prepared::Query(taos),
            Call::Fetch => {
                let result = taos
                    .query(format!("select v from {} order by ts", place.table))
                    .await?;
                Prepared::Fetch(taos, Box::new(result))
            }
            Call::Exec | Call::Pool => Prepared::Exec(taos),
            Call::Put => Prepared::Put(taos),
            Call::Stmt => {
                let stmt = taos.stmt(&place.insertion_of_marks()).await?;
                Prepared::Stmt(taos, Box::new(stmt))
            }
            Call::Stmt2 => {
                let stmt = taos.stmt2(&place.insertion_of_marks()).await?;
                Prepared::Stmt2(taos, Box::new(stmt))
            }
            Call::Inserter => {
                let inserter = taos
                    .inserter::<Record>(&place.table)
                    .max_delay(None)
                    .open()
                    .await?;
                for ts in 1..=WRITTEN {
                    inserter.write(&Record { ts, v: 7 }).await?;
                }
                Prepared::Inserter(taos, Box::new(inserter))
            }
        };
        Ok((prepared, states))
    }

    /// Makes the call; what it gave is checked here, whether it failed is the caller's business.
    async fn make(self, prepared: &mut Prepared, place: &Place) -> Result<(), Error> {
        let rows = if place.counted { 3 } else { 0 };
        match prepared {
            Prepared::Query(taos) => {
                let sum = taos
                    .query_one::<_, i64>(format!("select sum(v) from {}", place.table))
                    .await?;
                assert_eq!(sum, Some(READ * (READ - 1) / 2), "{self}");
            }
            Prepared::Fetch(_taos, result) => {
                let rows: Vec<i64> = result.deserialize::<i64>().try_collect().await?;
                assert!(rows.into_iter().eq(0..READ), "{self}");
            }
            Prepared::Exec(taos) => assert_eq!(taos.exec(&place.insert).await?, rows, "{self}"),
            Prepared::Put(taos) => taos.put(&place.sml()?).await?,
            Prepared::Stmt(_taos, stmt) => {
                stmt.bind(&columns()).await?.add_batch().await?;
                assert_eq!(stmt.execute().await?, 3, "{self}");
            }
            Prepared::Stmt2(_taos, stmt) => {
                let param = Stmt2BindParam::new(None, None, Some(columns().into()));
                assert_eq!(stmt.bind(&[param]).await?.exec().await?, 3, "{self}");
            }
            Prepared::Inserter(_taos, inserter) => {
                assert_eq!(inserter.close().await?.rows, 3, "{self}");
            }
            Prepared::Pool(pool) => {
                assert_eq!(pool.get().await?.exec(&place.insert).await?, rows, "{self}");
            }
        }
        Ok(())
    }

    /// Runs the cell until its fault was there: a machine under load can end a call in a timeout before.
    async fn run(self, target: &Target, direct: &Taos) -> anyhow::Result<()> {
        for _ in 0..TRIES {
            if self.is_struck(target, direct).await? {
                return Ok(());
            }
        }
        anyhow::bail!("no fault struck")
    }

    /// Makes the call with its fault and judges what comes of it; gives whether the fault was there.
    async fn is_struck(self, target: &Target, direct: &Taos) -> anyhow::Result<bool> {
        let (place, _table) = Place::make(target, self.call).await?;
        let mut lines = Lines::open(self, target, place.database().unwrap_or_default()).await?;
        let (mut prepared, mut states) = self.prepare(&lines.dsn, &place).await?;
        if self.mode.is_between_calls() {
            lines.strike(self.mode).await?;
        }
        if self.mode.is_between_calls() && target.capabilities().lasting_connections {
            // What follows does not race with the news of the cut.
            let known = async { while states.next().await.is_some_and(|s| s.is_ready()) {} };
            tokio::time::timeout(LIMIT, known).await?;
        }

        let outcome = tokio::time::timeout(LIMIT, self.make(&mut prepared, &place))
            .await
            .map_err(|_| anyhow::anyhow!("no end within {LIMIT:?}"))?;
        if !self.mode.is_between_calls() && lines.struck() == 0 {
            anyhow::ensure!(outcome.is_err(), "success, and no fault struck");
            return Ok(false);
        }
        if self.call.writes() {
            let written = place.written(self.call);
            self.count(&outcome, &lines, (target, direct), &written)
                .await?;
        }
        self.judge(&outcome)?;
        Ok(true)
    }

    /// What arrived is what the call says, no more and no less.
    async fn count(
        self,
        outcome: &Result<(), Error>,
        lines: &Lines,
        (target, direct): (&Target, &Taos),
        table: &str,
    ) -> anyhow::Result<()> {
        let arrived = lines.arrived(self);
        anyhow::ensure!(
            self.retry_writes || arrived <= 1,
            "the write arrived {arrived} times"
        );
        anyhow::ensure!(outcome.is_err() || arrived > 0, "success without a write");
        if let Err(error) = outcome {
            anyhow::ensure!(
                arrived == 0 || error.outcome_unknown(),
                "it arrived, and the error does not say that it may have: {error:?}"
            );
        }
        let expected = if arrived > 0 { WRITTEN } else { 0 };
        settled(target, direct, table, expected).await
    }

    /// Which cells must succeed, and what an error may be.
    fn judge(self, outcome: &Result<(), Error>) -> anyhow::Result<()> {
        let Err(error) = outcome else { return Ok(()) };
        let kinds = [
            ErrorKind::Connect,
            ErrorKind::ConnectionLost,
            ErrorKind::Timeout,
            ErrorKind::Protocol,
        ];
        anyhow::ensure!(kinds.contains(&error.kind()), "{error:?}");
        let lost = !matches!(self.mode, Mode::Mute | Mode::Garbage);
        let repeatable = self.call == Call::Query || self.retry_writes;
        // Nothing of it had left when the line broke, and the client knew: without lasting connections the cut
        // races with the next request, and a write is sent once.
        let fresh = self.mode.is_between_calls() && self.call != Call::Fetch && self.lasting;
        anyhow::ensure!(
            !(lost && repeatable || fresh),
            "was not sent again: {error:?}"
        );
        Ok(())
    }
}

/// Waits until the server has as many rows as were sent to it: it may still be at work when the line
/// is gone already.
async fn settled(target: &Target, direct: &Taos, table: &str, expected: i64) -> anyhow::Result<()> {
    let count = format!("select count(*) from {table}");
    let mut rows = None;
    for _ in 0..1_000 {
        rows = match direct.query_one::<_, i64>(&count).await {
            // The first schemaless write makes the table.
            Err(error) if target.misses_table(&error) => Some(0),
            rows => rows?,
        };
        if rows == Some(expected) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("{rows:?} rows are there, {expected} were sent")
}

/// Runs all cells at once, for the sake of time; names each that fails.
pub(super) async fn none_fails<C, R>(cells: &[C], runs: impl Iterator<Item = R>)
where
    C: fmt::Display,
    R: Future<Output = anyhow::Result<()>>,
{
    let failures: Vec<String> = join_all(runs)
        .await
        .into_iter()
        .zip(cells)
        .filter_map(|(outcome, cell)| Some(format!("{cell}: {:#}", outcome.err()?)))
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// All modes of a call at once, for the sake of time; names each cell that fails.
fn every_fault(call: Call) {
    every_fault_where(&[needs::KNOWN_FRAMES], call);
}

fn every_fault_where(needed: &[Need], call: Call) {
    for_targets(needed, |target| async move {
        let direct = target.connect().await;
        let can = target.capabilities();
        let modes = MODES.into_iter();
        let cells: Vec<Cell> = modes
            .filter(|mode| *mode != Mode::SecondAddress || needs::FAILOVER.met(&target))
            .flat_map(|mode| {
                let cell = |retry_writes| Cell {
                    mode,
                    call,
                    retry_writes,
                    dialect: can.dialect,
                    lasting: can.lasting_connections,
                };
                let repeats = call.writes() && can.lasting_connections;
                [Some(cell(false)), repeats.then(|| cell(true))]
            })
            .flatten()
            .collect();
        let runs = cells.iter().map(|cell| cell.run(&target, &direct));
        none_fails(&cells, runs).await;
        Ok(())
    });
}

#[test]
fn a_query_ends_in_each_of_seven_faults() {
    every_fault(Call::Query);
}

#[test]
fn a_fetch_ends_in_each_of_seven_faults() {
    every_fault_where(&[needs::FETCHES, needs::KNOWN_FRAMES], Call::Fetch);
}

#[test]
fn an_insert_by_sql_ends_in_each_of_seven_faults_and_arrives_once() {
    every_fault(Call::Exec);
}

#[test]
fn an_insert_by_a_pooled_connection_ends_in_each_of_seven_faults_and_arrives_once() {
    every_fault(Call::Pool);
}

#[test]
fn a_schemaless_write_ends_in_each_of_seven_faults_and_arrives_once() {
    every_fault(Call::Put);
}

#[test]
fn a_statement_of_the_first_generation_ends_in_each_of_seven_faults_and_arrives_once() {
    every_fault(Call::Stmt);
}

#[test]
fn a_statement_of_the_second_generation_ends_in_each_of_seven_faults_and_arrives_once() {
    every_fault(Call::Stmt2);
}

#[test]
fn an_inserter_ends_in_each_of_seven_faults_and_its_batch_arrives_once() {
    every_fault(Call::Inserter);
}
