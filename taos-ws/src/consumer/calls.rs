//! What users ask beside messages and commits: places, topics.

use super::session::{Session, Trouble};
use super::shared::Shared;
use crate::protocol::Action;
use crate::resend::RESENDS;
use crate::telemetry::span;
use std::future::Future;
use std::sync::Arc;
use taos_query::RawResult;
use taos_query::tmq::{Assignment, VGroupId};

impl Shared {
    /// Asks on the subscription, made anew if it is lost. All that is asked this way may be asked
    /// twice.
    pub(super) async fn call<T, F, W>(&self, name: &'static str, ask: F) -> RawResult<T>
    where
        F: Fn(Arc<Session>) -> W + Send + Sync,
        W: Future<Output = Result<T, Trouble>> + Send,
        T: Send,
    {
        let work = async {
            let mut tries = 0;
            loop {
                let session = self.session().await?;
                match ask(Arc::clone(&session)).await {
                    Ok(value) => return Ok(value),
                    Err(Trouble::Refused(error)) => return Err(error),
                    Err(Trouble::Lost(error)) => {
                        self.lose(&session, &error);
                        if tries >= RESENDS || !self.config.subscription.reconnect {
                            return Err(error);
                        }
                        tries += 1;
                    }
                }
            }
        };
        // Large, and rarely waited for together with others.
        Box::pin(self.client.traced(span(name), work)).await
    }

    pub(super) async fn list_topics(&self) -> RawResult<Vec<String>> {
        self.call(
            "list_topics",
            |session| async move { session.topics().await },
        )
        .await
    }

    /// The server counts what was fetched ahead as delivered; here it is not.
    pub(super) async fn assignment(&self, topic: &str) -> RawResult<Vec<Assignment>> {
        let assigned = self
            .call("assignment", |session| async move {
                session.assignment(topic).await
            })
            .await?;
        let state = self.state();
        Ok(assigned
            .into_iter()
            .map(|vgroup| {
                let id = vgroup.vgroup_id;
                let current = state.places.current(topic, id, vgroup.offset);
                Assignment::new(id, current, vgroup.begin, vgroup.end)
            })
            .collect())
    }

    pub(super) async fn committed(&self, topic: &str, vgroup: VGroupId) -> RawResult<i64> {
        self.server_offset(Action::Committed, topic, vgroup).await
    }

    pub(super) async fn position(&self, topic: &str, vgroup: VGroupId) -> RawResult<i64> {
        let own = {
            let mut state = self.state();
            state.usable()?;
            let waiting = state.slot.as_ref().map(|message| &message.offset);
            state.places.position(topic, vgroup, waiting)
        };
        match own {
            Some(position) => Ok(position),
            None => self.server_offset(Action::Position, topic, vgroup).await,
        }
    }

    async fn server_offset(&self, action: Action, topic: &str, vgroup: VGroupId) -> RawResult<i64> {
        let name = match action {
            Action::Committed => "committed",
            _ => "position",
        };
        let offsets = self
            .call(name, |session| {
                let action = action.clone();
                async move { session.offsets(action, topic, &[vgroup]).await }
            })
            .await?;
        Ok(offsets.first().copied().unwrap_or_default())
    }
}
