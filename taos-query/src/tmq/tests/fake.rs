//! A consumer whose messages are written down beforehand, or while it waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore};

use crate::block::ColumnView;
use crate::common::Precision;
use crate::error::{RawError, RawResult};
use crate::tmq::{
    AsAsyncConsumer, Assignment, Data, IsOffset as _, Leftovers, MessageContent, MessageSet, Meta,
    Offset, Received, Timeout, VGroupId,
};
use crate::util::within;
use crate::{RawBlock, RawData};

/// A block of `table` with the columns `n` (INT) and `place` (VARCHAR, `Oslo` in every row).
pub(super) fn block(table: &str, numbers: &[i32]) -> RawBlock {
    let views = [
        ColumnView::from_ints(numbers.to_vec()),
        ColumnView::from_varchar::<&str, _, _, _>(vec!["Oslo"; numbers.len()]),
    ];
    let mut block = RawBlock::from_views(&views, Precision::Millisecond);
    block
        .with_field_names(["n", "place"])
        .with_table_name(table);
    block
}

#[derive(Debug)]
struct Content {
    blocks: Mutex<VecDeque<RawResult<RawBlock>>>,
    /// The blocks are here; otherwise each takes a turn of the scheduler.
    whole: bool,
}

impl Content {
    fn next(&self) -> RawResult<Option<RawBlock>> {
        self.blocks.lock().unwrap().pop_front().transpose()
    }
}

impl MessageContent for Content {
    fn fetch_block(&self) -> BoxFuture<'_, RawResult<Option<RawBlock>>> {
        Box::pin(async {
            tokio::task::yield_now().await;
            self.next()
        })
    }

    fn ready_block(&self) -> Option<RawResult<Option<RawBlock>>> {
        self.whole.then(|| self.next())
    }

    fn raw(&self) -> BoxFuture<'_, RawResult<RawData>> {
        async { Ok(RawData::new(2, vec![1, 2, 3])) }.boxed()
    }

    fn json_meta(&self) -> BoxFuture<'_, RawResult<String>> {
        async { Ok(r#"{"type":"drop","tableNameList":["d1"]}"#.to_owned()) }.boxed()
    }
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<RawResult<(Offset, MessageSet<Meta, Data>)>>,
    commits: Vec<(VGroupId, i64)>,
    refusals: VecDeque<RawError>,
    positions: Vec<(VGroupId, RawResult<i64>)>,
    left: bool,
    returns: Vec<(VGroupId, i64)>,
}

#[derive(Debug)]
pub(super) struct Fake {
    state: Mutex<State>,
    arrived: Notify,
    committed: Notify,
    /// One commit may pass for each permit.
    gate: Semaphore,
    pub(super) slow_blocks: bool,
    leftovers: Leftovers,
}

pub(super) fn offset(vgroup: VGroupId, version: i64) -> Offset {
    Offset::new("topic", "db", vgroup, version).with_next(Some(version + 1))
}

impl Fake {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            arrived: Notify::new(),
            committed: Notify::new(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            slow_blocks: false,
            leftovers: Leftovers::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn push(&self, message: RawResult<(Offset, MessageSet<Meta, Data>)>) {
        self.state().messages.push_back(message);
        self.arrived.notify_one();
    }

    fn content(&self, blocks: Vec<RawResult<RawBlock>>) -> Arc<Content> {
        Arc::new(Content {
            blocks: Mutex::new(blocks.into()),
            whole: !self.slow_blocks,
        })
    }

    /// A message with one block for each table.
    pub(super) fn rows(&self, vgroup: VGroupId, version: i64, tables: &[(&str, &[i32])]) {
        let blocks = tables.iter().map(|(table, rows)| Ok(block(table, rows)));
        self.blocks(vgroup, version, blocks.collect());
    }

    pub(super) fn blocks(&self, vgroup: VGroupId, version: i64, blocks: Vec<RawResult<RawBlock>>) {
        let data = Data::new(self.content(blocks));
        self.push(Ok((offset(vgroup, version), MessageSet::Data(data))));
    }

    pub(super) fn meta(&self, vgroup: VGroupId, version: i64) {
        let meta = Meta::new(self.content(Vec::new()));
        self.push(Ok((offset(vgroup, version), MessageSet::Meta(meta))));
    }

    pub(super) fn fail(&self, error: RawError) {
        self.push(Err(error));
    }

    /// The next commit is answered by this error.
    pub(super) fn refuse(&self, error: RawError) {
        self.state().refusals.push_back(error);
    }

    /// How many refusals have not been used up.
    pub(super) fn refusals(&self) -> usize {
        self.state().refusals.len()
    }

    /// Where the consumer says it has read to.
    pub(super) fn position_of(&self, vgroup: VGroupId, position: RawResult<i64>) {
        self.state().positions.push((vgroup, position));
    }

    /// Vgroup and offset of each message that was committed.
    pub(super) fn commits(&self) -> Vec<(VGroupId, i64)> {
        self.state().commits.clone()
    }

    /// Where streams had the consumer go back to.
    pub(super) fn returns(&self) -> Vec<(VGroupId, i64)> {
        self.state().returns.clone()
    }

    pub(super) async fn until_committed(&self, commits: &[(VGroupId, i64)]) {
        self.until_commits(|made| made == commits).await;
    }

    pub(super) async fn until_one_is_committed(&self, commit: (VGroupId, i64)) {
        self.until_commits(|made| made.contains(&commit)).await;
    }

    async fn until_commits(&self, wanted: impl Fn(&[(VGroupId, i64)]) -> bool) {
        let reached = async {
            loop {
                let changed = self.committed.notified();
                if wanted(&self.commits()) {
                    return;
                }
                changed.await;
            }
        };
        within(Duration::from_secs(10), reached)
            .await
            .unwrap_or_else(|_| panic!("committed {:?}", self.commits()));
    }

    pub(super) fn close_gate(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(super) fn open_gate(&self) {
        self.gate.add_permits(100);
    }
}

impl AsAsyncConsumer for Fake {
    type Offset = Offset;
    type Meta = Meta;
    type Data = Data;

    fn default_timeout(&self) -> Timeout {
        Timeout::from_millis(20)
    }

    async fn subscribe<T: Into<String>, I: IntoIterator<Item = T> + Send>(
        &mut self,
        _: I,
    ) -> RawResult<()> {
        Ok(())
    }

    async fn recv_timeout(&self, timeout: Timeout) -> RawResult<Option<Received<Self>>> {
        let next = async {
            loop {
                let arrived = self.arrived.notified();
                if let Some(message) = self.state().messages.pop_front() {
                    return message.map(Some);
                }
                arrived.await;
            }
        };
        match timeout {
            Timeout::Never => next.await,
            other => within(other.as_duration(), next).await.unwrap_or(Ok(None)),
        }
    }

    fn leftovers(&self) -> Option<&Leftovers> {
        Some(&self.leftovers)
    }

    async fn go_back(&self, _: &str, vgroup: VGroupId, offset: i64) -> RawResult<()> {
        tokio::task::yield_now().await;
        if let Some(error) = self.state().refusals.pop_front() {
            return Err(error);
        }
        self.state().returns.push((vgroup, offset));
        Ok(())
    }

    async fn commit(&self, offset: Offset) -> RawResult<()> {
        self.gate.acquire().await.unwrap().forget();
        let refusal = self.state().refusals.pop_front();
        let outcome = match refusal {
            Some(error) => Err(error),
            None => {
                let commit = (offset.vgroup_id(), offset.offset());
                self.state().commits.push(commit);
                Ok(())
            }
        };
        self.committed.notify_waiters();
        outcome
    }

    async fn commit_all(&self) -> RawResult<()> {
        Ok(())
    }

    async fn commit_offset(&self, _: &str, vgroup: VGroupId, offset: i64) -> RawResult<()> {
        self.state().commits.push((vgroup, offset));
        Ok(())
    }

    async fn unsubscribe(self) {
        self.state().left = true;
    }

    async fn list_topics(&self) -> RawResult<Vec<String>> {
        Ok(vec!["topic".to_owned()])
    }

    async fn try_topic_assignment(&self, topic: &str) -> RawResult<Vec<Assignment>> {
        match topic {
            "topic" => Ok((self.state().positions.iter())
                .map(|(vgroup, _)| Assignment::new(*vgroup, 3, 2, 10))
                .collect()),
            other => Err(RawError::new(
                0x4009,
                format!("{other} is not subscribed to"),
            )),
        }
    }

    async fn offset_seek(&mut self, _: &str, _: VGroupId, _: i64) -> RawResult<()> {
        Ok(())
    }

    async fn committed(&self, _: &str, vgroup: VGroupId) -> RawResult<i64> {
        let commits = self.commits();
        let last = commits.iter().rev().find(|(group, _)| *group == vgroup);
        Ok(last.map_or(-2_147_467_247, |(_, offset)| *offset))
    }

    async fn position(&self, _: &str, vgroup: VGroupId) -> RawResult<i64> {
        let mut state = self.state();
        let known = state.positions.iter_mut().find(|(id, _)| *id == vgroup);
        known.map_or(Ok(0), |(_, position)| std::mem::replace(position, Ok(0)))
    }
}
