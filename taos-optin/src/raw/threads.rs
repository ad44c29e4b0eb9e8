//! Threads of our own for what may block, started when they are needed and ended when they are not.
//!
//! Those of a runtime will not do: a runtime that ends waits for what has begun on them, for as long as the library
//! waits for a server.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::discard;

/// How long a thread waits for the next job.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// True on a thread of ours, which may block.
pub(super) fn is_ours() -> bool {
    OURS.get()
}

/// Does one job after another, on as many threads as there are jobs, within its limit.
pub(super) struct Threads {
    name: &'static str,
    most: usize,
    state: Mutex<State>,
    wake: Condvar,
    #[cfg(test)]
    rest: Condvar,
}

struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Those of `threads` that wait for a job, or were woken and have not taken it yet.
    idle: usize,
}

impl Threads {
    /// No thread yet, and never more than `most`.
    pub(super) const fn new(name: &'static str, most: usize) -> Self {
        Self {
            name,
            most,
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                threads: 0,
                idle: 0,
            }),
            wake: Condvar::new(),
            #[cfg(test)]
            rest: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a thread do the job, which waits for one if there are as many as there may be.
    ///
    /// # Errors
    /// The job, where the system gives no thread at all.
    pub(super) fn give(&'static self, job: Job) -> Result<(), Job> {
        let mut state = self.state();
        if state.idle <= state.jobs.len() && state.threads < self.most {
            let thread = thread::Builder::new().name(self.name.to_owned());
            match thread.spawn(|| self.serve()) {
                Ok(_) => state.threads += 1,
                Err(_) if state.threads == 0 => return Err(job),
                // One of those that there are will come to it.
                Err(_) => {}
            }
        }
        state.jobs.push_back(job);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    fn serve(&self) {
        OURS.set(true);
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
                    discard(panic);
                }
                state = self.state();
                continue;
            }
            state.idle += 1;
            #[cfg(test)]
            self.rest.notify_all();
            let woken = self.wake.wait_timeout(state, PATIENCE);
            let (guard, waited) = woken.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    /// Waits until there is nothing to do.
    #[cfg(test)]
    pub(super) fn settle(&self) {
        let mut state = self.state();
        while !state.jobs.is_empty() || state.idle < state.threads {
            state = self.rest.wait(state).unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_job_that_waits_holds_nobody_up_until_there_are_as_many_as_there_may_be() {
        static TWO: Threads = Threads::new("two", 2);
        let (said, heard) = channel();
        let say = |word: &'static str| {
            let said = said.clone();
            Box::new(move || said.send(word).unwrap()) as Job
        };
        let (go, gate) = channel::<()>();
        assert!(TWO.give(Box::new(move || _ = gate.recv())).is_ok());
        assert!(TWO.give(say("second")).is_ok());
        assert_eq!(heard.recv().unwrap(), "second");
        let (go_too, gate) = channel::<()>();
        assert!(TWO.give(Box::new(move || _ = gate.recv())).is_ok());
        assert!(TWO.give(say("third")).is_ok());
        assert!(heard.try_recv().is_err());
        assert_eq!(TWO.state().threads, 2);
        drop(go);
        assert_eq!(heard.recv().unwrap(), "third");
        drop(go_too);
        TWO.settle();
    }

    #[test]
    fn a_panic_ends_its_job_and_no_thread() {
        static ONE: Threads = Threads::new("one", 1);
        assert!(ONE.give(Box::new(|| panic!("of a job"))).is_ok());
        let (said, heard) = channel();
        assert!(
            ONE.give(Box::new(move || said.send(is_ours()).unwrap()))
                .is_ok()
        );
        assert!(heard.recv().unwrap(), "and it knows itself");
        assert!(!is_ours());
    }
}
