//! The consumer itself.

use std::ffi::CString;
use std::fmt;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use taos_query::abi::TmqTopicAssignment;
use taos_query::tmq::backend::Mark;
use taos_query::tmq::{Assignment, VGroupId};
use taos_query::version::Version;
use taos_query::{Code, ErrorKind, RawError, RawResult};

use super::{Conf, Message, check, offset, refused};
use crate::ffi::{Library, Tmq, TmqList};
use crate::raw::text::{self, c_text};
use crate::raw::{error, free};

/// How often closing is tried, and the pause between.
const CLOSES: u32 = 3;
const CLOSE_PAUSE: Duration = Duration::from_millis(200);
/// The first library that tells errors of a poll (native-ffi §7).
const TELLS_ERRORS: Version = Version::new([3, 3, 5, 8]);

/// A member of a group, closed when it is dropped, which blocks. All calls block but for some memory of the library.
pub(crate) struct Handle {
    library: &'static Library,
    tmq: NonNull<Tmq>,
    /// After an empty poll the thread's last error says whether that was one.
    tells_errors: bool,
}

// SAFETY: "A consumer is single-threaded: serialize all calls" (native-ffi §7): it may move, and without `Sync` no two
// threads use it at once.
unsafe impl Send for Handle {}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    /// Connects.
    ///
    /// # Errors
    /// The library's.
    pub(crate) fn new(conf: &Conf) -> RawResult<Self> {
        let library = conf.library();
        match conf.consumer() {
            Ok(tmq) => Ok(Self {
                library,
                tmq,
                tells_errors: Version::parse(&library.version) >= TELLS_ERRORS,
            }),
            Err(words) => {
                let last = error::last(library);
                Err(match (i32::from(last.code()), words.is_empty()) {
                    (_, true) => last,
                    // The code is not told with every failure.
                    (0, false) => RawError::of(ErrorKind::Server, words),
                    (code, false) => error::of_code(code, words).with_kind(last.kind()),
                })
            }
        }
    }

    /// Joins the group for these topics.
    pub(crate) fn subscribe(&mut self, topics: &[String]) -> RawResult<()> {
        let list = List::of(self.library, topics)?;
        let subscribe = self.library.api.tmq_subscribe;
        // SAFETY: both are ours and not freed; the library copies the list.
        let code = unsafe { subscribe(self.tmq.as_ptr(), list.0.as_ptr()) };
        check(self.library, code)
    }

    /// Leaves its topics.
    pub(crate) fn unsubscribe(&mut self) -> RawResult<()> {
        // SAFETY: ours and not closed.
        let code = unsafe { (self.library.api.tmq_unsubscribe)(self.tmq.as_ptr()) };
        check(self.library, code)
    }

    /// The topics that it is subscribed to.
    pub(crate) fn subscription(&mut self) -> RawResult<Vec<String>> {
        let mut list: *mut TmqList = ptr::null_mut();
        // SAFETY: ours and not closed; with NULL for a list the library makes one.
        let code = unsafe { (self.library.api.tmq_subscription)(self.tmq.as_ptr(), &raw mut list) };
        let list = NonNull::new(list).map(|list| List(list, self.library));
        check(self.library, code)?;
        Ok(list.map_or_else(Vec::new, |list| list.names()))
    }

    /// The next message; `None` if none came within `wait`.
    ///
    /// # Errors
    /// The library's, from 3.3.5.8 on; older ones tell of nothing.
    pub(crate) fn poll(&mut self, wait: Duration) -> RawResult<Option<Message>> {
        let millis = i64::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(i64::MAX);
        // SAFETY: ours and not closed.
        let message = unsafe { (self.library.api.tmq_consumer_poll)(self.tmq.as_ptr(), millis) };
        if let Some(message) = NonNull::new(message) {
            // SAFETY: just given by the library, and to nobody else.
            return Ok(Some(unsafe { Message::adopt(self.library, message) }));
        }
        if self.tells_errors {
            let last = error::last(self.library);
            if i32::from(last.code()) != 0 {
                return Err(last);
            }
        }
        Ok(None)
    }

    /// Commits a message and all before it in its vgroup.
    pub(crate) fn commit(&mut self, message: &Message) -> RawResult<()> {
        let commit = self.library.api.tmq_commit_sync;
        // SAFETY: both are ours and not freed; the message is only read, by this thread.
        let code = unsafe { commit(self.tmq.as_ptr(), message.as_ptr()) };
        check(self.library, code)
    }

    /// Commits a place.
    pub(crate) fn commit_offset(&mut self, mark: &Mark) -> RawResult<()> {
        let commit = self.library.api.tmq_commit_offset_sync.get()?;
        let topic = topic_text(&mark.topic)?;
        // SAFETY: ours and not closed; the text lives until the call returns.
        let code = unsafe { commit(self.tmq.as_ptr(), topic.as_ptr(), mark.vgroup, mark.offset) };
        check(self.library, code)
    }

    /// What the group has committed.
    pub(crate) fn committed(&mut self, topic: &str, vgroup: VGroupId) -> RawResult<i64> {
        let committed = self.library.api.tmq_committed.get()?;
        let topic = topic_text(topic)?;
        // SAFETY: as in `commit_offset`.
        let told = unsafe { committed(self.tmq.as_ptr(), topic.as_ptr(), vgroup) };
        offset(self.library, told)
    }

    /// The place behind what it was given last.
    pub(crate) fn position(&mut self, topic: &str, vgroup: VGroupId) -> RawResult<i64> {
        let position = self.library.api.tmq_position.get()?;
        let topic = topic_text(topic)?;
        // SAFETY: as in `commit_offset`.
        let told = unsafe { position(self.tmq.as_ptr(), topic.as_ptr(), vgroup) };
        offset(self.library, told)
    }

    /// Goes on reading elsewhere.
    pub(crate) fn seek(&mut self, topic: &str, vgroup: VGroupId, to: i64) -> RawResult<()> {
        let seek = self.library.api.tmq_offset_seek.get()?;
        let topic = topic_text(topic)?;
        // SAFETY: as in `commit_offset`.
        let code = unsafe { seek(self.tmq.as_ptr(), topic.as_ptr(), vgroup, to) };
        check(self.library, code)
    }

    /// The vgroups that it reads. Their `current_offset` is the start of what was delivered last.
    pub(crate) fn assignment(&mut self, topic: &str) -> RawResult<Vec<Assignment>> {
        let assignment = self.library.api.tmq_get_topic_assignment.get()?;
        let topic = topic_text(topic)?;
        let mut list: *mut TmqTopicAssignment = ptr::null_mut();
        let mut count: i32 = 0;
        // SAFETY: as in `commit_offset`; the two last are written to and nothing else.
        let code = unsafe {
            assignment(
                self.tmq.as_ptr(),
                topic.as_ptr(),
                &raw mut list,
                &raw mut count,
            )
        };
        let list = Vgroups {
            library: self.library,
            list: NonNull::new(list),
            count: usize::try_from(count).unwrap_or(0),
        };
        check(self.library, code)?;
        Ok(list.read())
    }

    /// Leaves the group and frees what the consumer is.
    ///
    /// # Errors
    /// The library's last word after some tries; what it keeps then is lost.
    fn close(&mut self) -> RawResult<()> {
        let mut tries = 0;
        loop {
            // SAFETY: ours. With 0 the library has freed it, and nobody uses it any more; else it "may be retried".
            let code = unsafe { (self.library.api.tmq_consumer_close)(self.tmq.as_ptr()) };
            tries += 1;
            if code == 0 {
                return Ok(());
            }
            if tries == CLOSES {
                return Err(refused(self.library, code));
            }
            std::thread::sleep(CLOSE_PAUSE);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the client library could not close a consumer");
        }
    }
}

fn topic_text(topic: &str) -> RawResult<CString> {
    c_text("the name of the topic", topic)
}

/// A list of names, freed when it is dropped.
struct List(NonNull<TmqList>, &'static Library);

impl List {
    fn of(library: &'static Library, names: &[String]) -> RawResult<Self> {
        // SAFETY: takes nothing.
        let list = unsafe { (library.api.tmq_list_new)() };
        let Some(list) = NonNull::new(list) else {
            return Err(RawError::of(
                ErrorKind::Server,
                "the client library gave no list of topics; it may be out of memory",
            )
            .with_code(Code::WS_CLOSED));
        };
        let list = Self(list, library);
        for name in names {
            let name = topic_text(name)?;
            // SAFETY: the list is ours and not freed; the text is copied.
            let code = unsafe { (library.api.tmq_list_append)(list.0.as_ptr(), name.as_ptr()) };
            check(library, code)?;
        }
        Ok(list)
    }

    fn names(&self) -> Vec<String> {
        let api = &self.1.api;
        // SAFETY: the list is ours and not freed.
        let (count, names) = unsafe {
            (
                (api.tmq_list_get_size)(self.0.as_ptr()),
                (api.tmq_list_to_c_array)(self.0.as_ptr()),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        if names.is_null() || count == 0 {
            return Vec::new();
        }
        // SAFETY: as many texts as the list is long, which belong to it.
        let names = unsafe { slice::from_raw_parts(names, count) };
        let mut read = Vec::with_capacity(count);
        for name in names {
            // SAFETY: NULL, or a text of the list, which lives.
            read.push(unsafe { text::read(*name) });
        }
        read
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: ours, and freed nowhere else.
        unsafe { (self.1.api.tmq_list_destroy)(self.0.as_ptr()) }
    }
}

/// What the library says of the vgroups of a topic, freed when it is dropped.
struct Vgroups {
    library: &'static Library,
    list: Option<NonNull<TmqTopicAssignment>>,
    count: usize,
}

impl Vgroups {
    fn read(&self) -> Vec<Assignment> {
        let Some(list) = self.list.filter(|_| self.count > 0) else {
            return Vec::new();
        };
        // SAFETY: the library has told so many, and they stay until they are freed.
        let list = unsafe { slice::from_raw_parts(list.as_ptr(), self.count) };
        list.iter()
            .map(|vgroup| {
                Assignment::new(vgroup.vgId, vgroup.currentOffset, vgroup.begin, vgroup.end)
            })
            .collect()
    }
}

impl Drop for Vgroups {
    fn drop(&mut self) {
        let Some(list) = self.list else {
            return;
        };
        match self.library.api.tmq_free_assignment.found() {
            // SAFETY: given by the library, ours, and freed nowhere else.
            Some(free) => unsafe { free(list.as_ptr()) },
            // SAFETY: as above; libraries without a function of their own say to use that of C (native-ffi §7).
            None => unsafe { free(list.as_ptr().cast()) },
        }
    }
}
