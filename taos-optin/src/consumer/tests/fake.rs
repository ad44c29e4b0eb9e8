//! The library of `tests/fake/tmq.c`, and the test's end of its socket.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use taos_query::tmq::{AsAsyncConsumer as _, Data, MessageSet, Meta, Offset};
use taos_query::{AsyncTBuilder as _, RawResult};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::consumer::{Consumer, TmqBuilder};
use crate::raw::tests::fake::compile;

/// Longer than anything takes here; what waits so long waits for ever.
const LIMIT: Duration = Duration::from_secs(20);

static LIBRARIES: LazyLock<(TempDir, [PathBuf; 2])> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let paths = [("new.so", &[][..]), ("old.so", &["-DOLD"])].map(|(name, options)| {
        let path = folder.path().join(name);
        std::fs::write(&path, compile("tmq.c", options)).unwrap();
        path
    });
    (folder, paths)
});

/// The other side of a consumer.
pub(super) struct Peer {
    lines: Lines<BufReader<OwnedReadHalf>>,
    orders: OwnedWriteHalf,
    /// How long the polls might take that have been seen, in milliseconds.
    pub(super) polls: Vec<u64>,
    _folder: TempDir,
}

/// A place to listen at, and a DSN with parameters that end with `&`.
fn place(old: bool, params: &str) -> (TempDir, UnixListener, String) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let library = &LIBRARIES.1[usize::from(old)];
    let dsn = format!(
        "taos://root@host?group.id=g&{params}fake.socket={}&libraryPath={}",
        socket.display(),
        library.display()
    );
    (folder, listener, dsn)
}

pub(super) fn dsn(params: &str) -> String {
    place(false, params).2
}

async fn accept(folder: TempDir, listener: UnixListener) -> Peer {
    let (stream, _) = timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
    let (read, orders) = stream.into_split();
    let mut peer = Peer {
        lines: BufReader::new(read).lines(),
        orders,
        polls: Vec::new(),
        _folder: folder,
    };
    assert_eq!(peer.next().await, "new");
    peer
}

/// A consumer that is being built, and its other side.
pub(super) async fn building(params: &str) -> (tokio::task::JoinHandle<RawResult<Consumer>>, Peer) {
    let (folder, listener, dsn) = place(false, params);
    let building = tokio::spawn(async move { TmqBuilder::from_dsn(dsn)?.build().await });
    (building, accept(folder, listener).await)
}

/// A consumer that is not subscribed to anything.
pub(super) async fn built(old: bool, params: &str) -> (Consumer, Peer) {
    let (folder, listener, dsn) = place(old, params);
    let builder = TmqBuilder::from_dsn(dsn).unwrap();
    let (consumer, peer) = tokio::join!(builder.build(), accept(folder, listener));
    (consumer.unwrap(), peer)
}

/// A consumer of the topic `t`.
pub(super) async fn subscribed(params: &str) -> (Consumer, Peer) {
    let (mut consumer, mut peer) = built(false, params).await;
    consumer.subscribe(["t"]).await.unwrap();
    peer.sees("subscribe t").await;
    (consumer, peer)
}

/// The same through a library of 3.0.
pub(super) async fn subscribed_by_old(params: &str) -> (Consumer, Peer) {
    let (mut consumer, mut peer) = built(true, params).await;
    consumer.subscribe(["t"]).await.unwrap();
    peer.sees("subscribe t").await;
    (consumer, peer)
}

impl Peer {
    /// The next call that is no poll.
    pub(super) async fn next(&mut self) -> String {
        loop {
            let line = self.line().await;
            match line.strip_prefix("poll ") {
                Some(millis) => self.polls.push(millis.parse().unwrap()),
                None => return line,
            }
        }
    }

    async fn line(&mut self) -> String {
        let line = timeout(LIMIT, self.lines.next_line()).await;
        line.expect("a call should come")
            .unwrap()
            .expect("the library should be there")
    }

    pub(super) async fn sees(&mut self, call: &str) {
        assert_eq!(self.next().await, call);
    }

    /// Waits for a poll.
    pub(super) async fn poll(&mut self) -> u64 {
        let line = self.line().await;
        let millis = line.strip_prefix("poll ");
        millis.unwrap_or_else(|| panic!("{line}")).parse().unwrap()
    }

    pub(super) async fn say(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.orders.write_all(line.as_bytes()).await.unwrap();
    }

    /// A message of rows, of the vgroup 1.
    pub(super) async fn rows(&mut self, begin: i64, next: i64) {
        self.say(&format!("m 1 1 {begin} {next} 1")).await;
    }
}

/// The next message, for which there is time.
pub(super) async fn message(consumer: &Consumer) -> (Offset, MessageSet<Meta, Data>) {
    let message = timeout(
        LIMIT,
        consumer.recv_timeout(taos_query::tmq::Timeout::Never),
    )
    .await;
    message.expect("a message should come").unwrap().unwrap()
}
