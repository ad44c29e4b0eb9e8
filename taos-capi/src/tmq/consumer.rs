//! A consumer's life, and how it gets messages.

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use taos_query::tmq::{AsAsyncConsumer as _, IsAsyncData as _, Timeout};
use taos_query::{AsyncTBuilder as _, RawError, RawResult};
use taos_ws::consumer::{Consumer, TmqBuilder};
use tokio::sync::RwLock;

use super::conf::{Conf, TmqCommitCb, no_conf};
use super::list::{List, no_list};
use super::reports::Reports;
use crate::args::{invalid, write_text};
use crate::connect::{self, Conn};
use crate::error::{BROKEN, Failure, INVALID_PARA, coded, forget, remember};
use crate::guard::guard;
use crate::handle::{Object, at, at_mut, give, take};
use crate::message::Message;
use crate::result::Res;
use crate::runtime::{Param, start, wait};
use crate::types::{Taos, TaosRes, Tmq, TmqConf, TmqList};

/// "Not subscribed" (taosadapter-ws §13).
const NOT_SUBSCRIBED: i32 = 0x4017;
/// Raw type of rows as they are stored (tmq-raw §4).
const STORED: u16 = 6;

/// What a consumer's handle stands for.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) seat: Arc<Seat>,
    /// The connection that `tmq_get_connect` lends.
    connection: Param,
}

impl Object for Member {
    const KIND: u64 = u64::from_le_bytes(*b"TMQ_MEMB");
}

impl Drop for Member {
    fn drop(&mut self) {
        // SAFETY: it was given for this consumer alone, and programs must not close it.
        drop(unsafe { take::<Conn>(self.connection.0) });
    }
}

/// The part of a consumer that commits in the background share.
#[derive(Debug)]
pub(super) struct Seat {
    builder: TmqBuilder,
    /// None between leaving and subscribing again. Held alone by what changes it.
    consumer: RwLock<Option<Consumer>>,
    subscribed: AtomicBool,
    commits_by_itself: bool,
    raw_rows: bool,
    on_commit: Option<(TmqCommitCb, Param)>,
    pub(super) reports: Arc<Reports>,
}

/// The error of what needs a subscription.
fn not_subscribed() -> RawError {
    RawError::of(
        taos_query::ErrorKind::Config,
        "the consumer is not subscribed to anything; call tmq_subscribe first",
    )
    .with_code(NOT_SUBSCRIBED)
}

impl Seat {
    async fn build(&self) -> RawResult<Consumer> {
        let consumer = self.builder.build().await?;
        if let Some((cb, param)) = self.on_commit {
            let reports = Arc::clone(&self.reports);
            consumer.on_auto_commit(move |ended| {
                let code = ended.map_or_else(|error| Failure::from(error).code(), |()| 0);
                let call = reports.begin();
                start(std::future::ready(()), move |()| {
                    // SAFETY: the program gave both with `tmq_conf_set_auto_commit_cb` for this very use.
                    unsafe { call.make(cb, param, code, false) };
                });
            });
        }
        Ok(consumer)
    }

    /// Asks the consumer something that others may ask at the same time.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Consumer) -> RawResult<T>,
    ) -> Result<T, Failure> {
        let consumer = self.consumer.read().await;
        let answer = match consumer.as_ref() {
            Some(consumer) => question(consumer).await,
            None => Err(not_subscribed()),
        };
        answer.map_err(Failure::from)
    }

    /// Has the consumer do something alone.
    pub(super) async fn tell<T>(
        &self,
        order: impl AsyncFnOnce(&mut Consumer) -> RawResult<T>,
    ) -> Result<T, Failure> {
        let mut consumer = self.consumer.write().await;
        let answer = match consumer.as_mut() {
            Some(consumer) => order(consumer).await,
            None => Err(not_subscribed()),
        };
        answer.map_err(Failure::from)
    }

    async fn subscribe(&self, topics: Vec<String>) -> Result<(), Failure> {
        if topics.is_empty() {
            self.leave().await;
            return Ok(());
        }
        let mut place = self.consumer.write().await;
        let mut consumer = match place.take() {
            Some(consumer) => consumer,
            None => self.build().await?,
        };
        if self.subscribed.load(Ordering::Acquire) {
            self.commit_taken(&consumer).await;
        }
        let subscribed = consumer.subscribe(topics).await;
        *place = Some(consumer);
        drop(place);
        self.subscribed.store(subscribed.is_ok(), Ordering::Release);
        Ok(subscribed?)
    }

    /// As the native library does before a subscription ends: all that the program was given counts.
    async fn commit_taken(&self, consumer: &Consumer) {
        if self.commits_by_itself
            && let Err(error) = consumer.commit_all().await
        {
            tracing::warn!(%error, "the last automatic commit failed");
        }
    }

    async fn leave(&self) {
        // Commits that are under way end first.
        let consumer = self.consumer.write().await.take();
        let subscribed = self.subscribed.swap(false, Ordering::AcqRel);
        if let Some(consumer) = consumer {
            if subscribed {
                self.commit_taken(&consumer).await;
            }
            consumer.unsubscribe().await;
        }
    }

    async fn topics(&self) -> Result<Vec<String>, Failure> {
        if !self.subscribed.load(Ordering::Acquire) {
            return Ok(Vec::new());
        }
        self.ask(async |consumer| consumer.list_topics().await)
            .await
    }

    async fn poll(&self, timeout: Timeout) -> Result<Option<Message>, Failure> {
        self.ask(async |consumer| {
            let Some((offset, mut set)) = consumer.recv_timeout(timeout).await? else {
                return Ok(None);
            };
            let stored = match set.data() {
                Some(data) if self.raw_rows => data.as_raw_data().await?.raw_type() == STORED,
                _ => false,
            };
            Ok(Some(Message::new(offset, set, stored)))
        })
        .await
    }
}

/// The error for a handle that is no consumer.
fn no_consumer() -> Failure {
    Failure::new(INVALID_PARA, "the handle is not one of a consumer")
}

/// The consumer behind a handle.
///
/// # Safety
/// NULL, or a handle that is alive for as long as what is returned is used.
pub(super) unsafe fn member<'a>(tmq: *const c_void) -> Result<&'a Member, Failure> {
    // SAFETY: the caller's duty.
    unsafe { at::<Member>(tmq) }.ok_or_else(no_consumer)
}

/// Connects and logs in.
fn open(conf: &Conf) -> Result<*mut Tmq, Failure> {
    let plan = conf.plan()?;
    // Consumers log in when they subscribe only, and programs expect to hear of a wrong password now.
    let connection = connect::open(&plan.connection)?;
    let seat = Arc::new(Seat {
        builder: TmqBuilder::from_dsn(plan.consumer)?,
        consumer: RwLock::new(None),
        subscribed: AtomicBool::new(false),
        commits_by_itself: plan.commits_by_itself,
        raw_rows: plan.raw_rows,
        on_commit: conf.on_commit,
        reports: Reports::new(),
    });
    wait(async {
        let consumer = seat.build().await?;
        *seat.consumer.write().await = Some(consumer);
        RawResult::Ok(())
    })?;
    let reports = Arc::clone(&seat.reports);
    let handle = give(Member {
        seat,
        connection: Param(give(Conn::new(connection, plan.connection))),
    });
    reports.belong_to(handle);
    Ok(handle)
}

/// Makes a consumer and connects it; the configuration may be freed afterwards. NULL is an error, whose words are
/// written to `errstr`, cut to `errstr_len` bytes with their NUL, and whose code `taos_errno(NULL)` tells on this
/// thread.
///
/// # Safety
/// `conf` is NULL or a configuration that is alive; `errstr` is NULL or has `errstr_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_consumer_new(
    conf: *mut TmqConf,
    errstr: *mut c_char,
    errstr_len: i32,
) -> *mut Tmq {
    guard("tmq_consumer_new", null_mut(), || {
        // SAFETY: the same duty.
        let conf = unsafe { at::<Conf>(conf) }.ok_or_else(no_conf);
        match conf.and_then(open) {
            Ok(handle) => {
                forget();
                handle
            }
            Err(failure) => {
                let words = failure.text().to_string_lossy();
                // SAFETY: the same duty.
                unsafe { write_text(&words, errstr, errstr_len) };
                remember(failure);
                null_mut()
            }
        }
    })
}

/// Joins the group and reads these topics, and none of before, from now on; an empty list leaves the group. The list
/// is copied. 0, or a negative code.
///
/// # Safety
/// `tmq` is NULL or a consumer, `list` NULL or a list, both alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_subscribe(tmq: *mut Tmq, list: *const TmqList) -> i32 {
    guard("tmq_subscribe", BROKEN, || {
        // SAFETY: the same duty.
        let found = unsafe { member(tmq) }
            .and_then(|member| Ok((member, unsafe { at::<List>(list) }.ok_or_else(no_list)?)));
        coded(found.and_then(|(member, list)| wait(member.seat.subscribe(list.topics()))))
    })
}

/// Leaves the group. With `enable.auto.commit` all that was polled is committed before. 0, or a negative code.
///
/// # Safety
/// NULL, or a consumer that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_unsubscribe(tmq: *mut Tmq) -> i32 {
    guard("tmq_unsubscribe", BROKEN, || {
        // SAFETY: the same duty.
        let found = unsafe { member(tmq) };
        coded(found.map(|member| wait(member.seat.leave())))
    })
}

/// Adds the topics that are subscribed to to `*topics`, or makes that a new list if it is NULL; destroy it with
/// `tmq_list_destroy`. 0, or a negative code.
///
/// # Safety
/// `tmq` is NULL or a consumer that is alive; `topics` is NULL or the place of NULL or of a list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_subscription(tmq: *mut Tmq, topics: *mut *mut TmqList) -> i32 {
    guard("tmq_subscription", BROKEN, || {
        // SAFETY: the same duty.
        coded(unsafe { member(tmq) }.and_then(|member| {
            if topics.is_null() {
                return Err(invalid("there is no place for the list"));
            }
            let names = wait(member.seat.topics())?;
            let mut list = List::default();
            // SAFETY: the same duty.
            let held = unsafe { topics.read_unaligned() };
            let target = if held.is_null() {
                &mut list
            } else {
                // SAFETY: the same duty.
                unsafe { at_mut::<List>(held) }.ok_or_else(no_list)?
            };
            for name in &names {
                target.push(name)?;
            }
            if held.is_null() {
                // SAFETY: the place may be written.
                unsafe { topics.write_unaligned(give(list)) };
            }
            Ok(())
        }))
    })
}

/// Waits at most so many milliseconds for a message; negative numbers wait for ever, and 0 looks once. The message is
/// a result, to be freed with `taos_free_result`, also after the consumer. NULL if none came; if `taos_errno(NULL)` is
/// not 0 then, the reason is that error.
///
/// A message from a server before 3.3.1.2 stays there, and its rows can be fetched only until the next poll.
///
/// # Safety
/// NULL, or a consumer that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_consumer_poll(tmq: *mut Tmq, timeout: i64) -> *mut TaosRes {
    guard("tmq_consumer_poll", null_mut(), || {
        let timeout = u64::try_from(timeout).map_or(Timeout::Never, Timeout::from_millis);
        // SAFETY: the same duty.
        let message = unsafe { member(tmq) }.and_then(|member| wait(member.seat.poll(timeout)));
        match message {
            Ok(Some(message)) => Res::message(message).into_handle(),
            Ok(None) => {
                forget();
                null_mut()
            }
            Err(failure) => {
                remember(failure);
                null_mut()
            }
        }
    })
}

/// Leaves the group as `tmq_unsubscribe` does, closes the connection of `tmq_get_connect`, and frees the consumer if
/// it gives 0. Messages stay until they are freed. Waits up to five seconds for callbacks of commits that run, but not
/// from within one; a callback that runs longer may use the consumer until it returns, and nobody else may.
///
/// # Safety
/// NULL, or a consumer that nobody else uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_consumer_close(tmq: *mut Tmq) -> i32 {
    guard("tmq_consumer_close", BROKEN, || {
        // SAFETY: the same duty.
        let closed = unsafe { member(tmq) }.map(|member| {
            wait(member.seat.leave());
            let reports = Arc::clone(&member.seat.reports);
            reports.finish()
        });
        if matches!(closed, Ok(true)) {
            // SAFETY: the caller gives it up, and commits in the background have the seat alone.
            drop(unsafe { take::<Member>(tmq) });
        }
        coded(closed.map(drop))
    })
}

/// The connection beside the consumer, with the same login. It belongs to the consumer: use it, and never close it.
///
/// # Safety
/// NULL, or a consumer that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_connect(tmq: *mut Tmq) -> *mut Taos {
    guard("tmq_get_connect", null_mut(), || {
        // SAFETY: the same duty.
        match unsafe { member(tmq) } {
            Ok(member) => {
                forget();
                member.connection.0
            }
            Err(failure) => {
                remember(failure);
                null_mut()
            }
        }
    })
}
