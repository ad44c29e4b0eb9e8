//! Waiting for tables that the server is still creating.

use std::future::Future;
use std::time::Duration;

use taos_query::RawResult;
use taos_query::util::pause;

/// What a server says while it is still busy with the object in question (taosadapter-ws §13).
const BEING_CREATED: i32 = 0x032C;
/// Together with the pause, about ten seconds.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// Repeats a write for as long as the server says that its table is being created, but not for ever.
pub(crate) async fn until_created<W>(mut write: impl FnMut() -> W + Send) -> RawResult<()>
where
    W: Future<Output = RawResult<()>> + Send,
{
    let mut tries = 1;
    loop {
        match write().await {
            Err(error) if error.code() == BEING_CREATED => {
                if tries == TRIES {
                    return Err(error.context(format!("still so after {tries} tries")));
                }
            }
            done => return done,
        }
        tries += 1;
        pause(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taos_query::RawError;

    async fn run(busy: u32, then: RawResult<()>) -> (RawResult<()>, u32) {
        let mut then = Some(then);
        let mut tries = 0;
        let done = until_created(|| {
            tries += 1;
            let answer = if tries <= busy {
                Err(RawError::from_code(BEING_CREATED))
            } else {
                then.take().unwrap()
            };
            async { answer }
        });
        let done = done.await;
        (done, tries)
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_is_repeated_while_its_table_is_being_created() {
        assert!(matches!(run(3, Ok(())).await, (Ok(()), 4)));
        assert!(matches!(run(0, Ok(())).await, (Ok(()), 1)));
    }

    #[tokio::test(start_paused = true)]
    async fn other_errors_come_back_at_once_and_patience_ends() {
        let (done, tries) = run(0, Err(RawError::from_code(0x2603))).await;
        assert_eq!((done.unwrap_err().code().into(), tries), (0x2603, 1));
        let (done, tries) = run(u32::MAX, Ok(())).await;
        let error = done.unwrap_err();
        assert_eq!(error.code(), BEING_CREATED);
        assert!(error.to_string().contains("100 tries"), "{error}");
        assert_eq!(tries, TRIES);
    }
}
