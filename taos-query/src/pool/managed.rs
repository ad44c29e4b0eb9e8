use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{
    self, BuildError, HookError, Metrics, PoolConfig, PoolError, QueueMode, RecycleResult,
    TimeoutType, Timeouts,
};

use super::{Manager, Pool};
use crate::error::{Code, ErrorKind, RawError, RawResult};
use crate::traits::AsyncTBuilder;

/// Connections of a pool when nobody sets a number.
const MAX_SIZE: usize = 5000;
/// Longest wait for a new connection when nobody sets one.
const CREATE_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) const fn default_config() -> PoolConfig {
    PoolConfig {
        max_size: MAX_SIZE,
        timeouts: Timeouts {
            wait: None,
            create: Some(CREATE_TIMEOUT),
            recycle: None,
        },
        queue_mode: QueueMode::Fifo,
    }
}

pub(crate) fn builder<T: AsyncTBuilder>(
    builder: T,
    config: PoolConfig,
) -> managed::PoolBuilder<Manager<T>> {
    Pool::builder(Manager { builder })
        .config(config)
        .runtime(Runtime::Tokio1)
}

pub(crate) fn pool<T: AsyncTBuilder>(from: T, config: PoolConfig) -> RawResult<Pool<T>> {
    Ok(builder(from, config).build()?)
}

impl<T: AsyncTBuilder> managed::Manager for Manager<T> {
    type Type = T::Target;
    type Error = RawError;

    async fn create(&self) -> RawResult<T::Target> {
        // Boxed, or the pool's layers and the backend's add up to types too deep for the compiler.
        Box::pin(AsyncTBuilder::build(&self.builder)).await
    }

    async fn recycle(&self, target: &mut T::Target, _: &Metrics) -> RecycleResult<RawError> {
        Ok(Box::pin(AsyncTBuilder::check(&self.builder, target)).await?)
    }
}

impl From<PoolError<Self>> for RawError {
    fn from(error: PoolError<Self>) -> Self {
        let timeout = |what: &'static str| {
            Self::of(ErrorKind::Timeout, what).with_code(Code::WS_RECV_TIMEOUT)
        };
        match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                error
            }
            PoolError::Timeout(TimeoutType::Wait) => timeout(
                "no connection of the pool came free in time; raise max_size or the wait timeout",
            ),
            PoolError::Timeout(TimeoutType::Create) => {
                timeout("the pool could not make a connection within its create timeout")
            }
            PoolError::Timeout(TimeoutType::Recycle) => {
                timeout("the check of a pooled connection took longer than its recycle timeout")
            }
            PoolError::Closed => Self::of(ErrorKind::Closed, "the pool was closed by this program")
                .with_code(Code::WS_CLOSED),
            PoolError::NoRuntimeSpecified => no_runtime(),
            PoolError::PostCreateHook(HookError::Message(text)) => {
                Self::from_string(text).context("the pool's post_create hook failed")
            }
        }
    }
}

impl From<BuildError> for RawError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::NoRuntimeSpecified => no_runtime(),
        }
    }
}

fn no_runtime() -> RawError {
    RawError::of(
        ErrorKind::Config,
        "a pool with timeouts needs `.runtime(deadpool::Runtime::Tokio1)`, which `pool_builder` sets",
    )
}
