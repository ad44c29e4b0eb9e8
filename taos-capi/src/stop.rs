//! Giving up work that is under way: that of one result, or all of a connection.

use std::future::{Future, pending};
use std::pin::pin;

use futures_util::future::{Either, select};
use taos_query::{Code, RawError, RawResult};
use tokio::sync::watch;

use crate::error::{Failure, KILLED};

/// What stops all work of a connection; statements keep a copy.
#[derive(Debug, Clone)]
pub(crate) struct Kill(watch::Sender<()>);

impl Kill {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Stops what has been begun until now.
    pub(crate) fn kill(&self) {
        self.0.send_replace(());
    }

    /// Does the work, which begins now, unless that of the connection is stopped before it ends.
    pub(crate) fn unless_killed<T, F>(
        &self,
        work: F,
    ) -> impl Future<Output = RawResult<T>> + use<T, F>
    where
        F: Future<Output = RawResult<T>>,
    {
        let work = self.stop().unless_stopped(work);
        async move {
            work.await.unwrap_or_else(|failure| {
                let words = failure.text().to_string_lossy().into_owned();
                Err(RawError::new(Code::new(KILLED), words))
            })
        }
    }

    /// For work that begins now.
    pub(crate) fn stop(&self) -> Stop {
        Stop {
            own: watch::Sender::new(false),
            connection: Some(self.0.subscribe()),
        }
    }
}

/// What stops one piece of work.
#[derive(Debug)]
pub(crate) struct Stop {
    own: watch::Sender<bool>,
    connection: Option<watch::Receiver<()>>,
}

impl Stop {
    /// For work without a connection that could be told to stop.
    pub(crate) fn alone() -> Self {
        Self {
            own: watch::Sender::new(false),
            connection: None,
        }
    }

    pub(crate) fn stop(&self) {
        self.own.send_replace(true);
    }

    /// Does the work, unless it is stopped before.
    pub(crate) fn unless_stopped<F: Future>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<F::Output, Failure>> + use<F> {
        let mut own = self.own.subscribe();
        let connection = self.connection.clone();
        async move {
            // One who can stop nothing any more, as a closed connection, has not stopped it.
            let stopped = async move {
                if own.wait_for(|stopped| *stopped).await.is_err() {
                    pending().await
                }
            };
            let killed = async move {
                if let Some(mut connection) = connection
                    && connection.changed().await.is_ok()
                {
                    return;
                }
                pending().await
            };
            let (stopped, killed) = (pin!(stopped), pin!(killed));
            match select(select(stopped, killed), pin!(work)).await {
                Either::Left(_) => Err(Failure::new(KILLED, "the query was killed")),
                Either::Right((output, _)) => Ok(output),
            }
        }
    }
}
