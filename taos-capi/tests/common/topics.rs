//! Consumers through the C interface.

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;

use taos_capi::fetch::taos_fetch_raw_block;
use taos_capi::query::taos_free_result;
use taos_capi::tmq::conf::{tmq_conf_destroy, tmq_conf_new, tmq_conf_set};
use taos_capi::tmq::consumer::{
    tmq_consumer_close, tmq_consumer_new, tmq_consumer_poll, tmq_subscribe,
};
use taos_capi::tmq::list::{tmq_list_append, tmq_list_destroy, tmq_list_new};
use taos_embedded::Embedded;

use super::{c, last_error, owned, place};

/// A configuration that reaches the server; freed at the end.
pub(crate) struct Conf(pub(crate) *mut c_void);

impl Conf {
    pub(crate) fn of(server: &Embedded, values: &[(&str, &str)]) -> Self {
        let (host, port) = place(server);
        let conf = Self(tmq_conf_new());
        conf.set("td.connect.ip", host.to_str().unwrap());
        conf.set("td.connect.port", &port.to_string());
        conf.set("auto.offset.reset", "earliest");
        for (key, value) in values {
            conf.set(key, value);
        }
        conf
    }

    fn set(&self, key: &str, value: &str) {
        // SAFETY: the configuration is alive, the texts end with NUL.
        let code = unsafe { tmq_conf_set(self.0, c(key).as_ptr(), c(value).as_ptr()) };
        assert_eq!(code, 0, "{key}={value}: {:?}", last_error());
    }

    /// A consumer, or the words of the error.
    pub(crate) fn open(&self) -> Result<Reader, String> {
        let mut words = [0 as c_char; 256];
        // SAFETY: the configuration is alive, and there is room for 256 bytes.
        let tmq = unsafe { tmq_consumer_new(self.0, words.as_mut_ptr(), 256) };
        if tmq.is_null() {
            return Err(owned(words.as_ptr()));
        }
        Ok(Reader(tmq))
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: it was not freed.
        unsafe { tmq_conf_destroy(self.0) };
    }
}

/// A consumer, closed at the end.
pub(crate) struct Reader(pub(crate) *mut c_void);

impl Reader {
    pub(crate) fn start(server: &Embedded, values: &[(&str, &str)], topics: &[&str]) -> Self {
        let reader = Conf::of(server, values).open().unwrap();
        assert_eq!(reader.subscribe(topics), 0, "{:?}", last_error());
        reader
    }

    pub(crate) fn subscribe(&self, topics: &[&str]) -> i32 {
        let list = tmq_list_new();
        // SAFETY: consumer and list are alive, the texts end with NUL.
        unsafe {
            for topic in topics {
                assert_eq!(tmq_list_append(list, c(topic).as_ptr()), 0);
            }
            let code = tmq_subscribe(self.0, list);
            tmq_list_destroy(list);
            code
        }
    }

    /// The next message; fails if none comes.
    pub(crate) fn message(&self) -> Message {
        self.poll(10_000)
            .unwrap_or_else(|| panic!("no message: {:?}", last_error()))
    }

    pub(crate) fn poll(&self, timeout: i64) -> Option<Message> {
        // SAFETY: the consumer is alive.
        let message = unsafe { tmq_consumer_poll(self.0, timeout) };
        (!message.is_null()).then_some(Message(message))
    }

    pub(crate) fn close(mut self) -> i32 {
        // SAFETY: it is alive, and `drop` does not close NULL again.
        unsafe { tmq_consumer_close(std::mem::replace(&mut self.0, null_mut())) }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it was not closed.
            unsafe { tmq_consumer_close(self.0) };
        }
    }
}

/// A message, freed at the end.
pub(crate) struct Message(pub(crate) *mut c_void);

impl Message {
    /// The number of rows of the next block; 0 at the end.
    pub(crate) fn next_block(&self) -> i32 {
        let (mut rows, mut block) = (-1, null_mut());
        // SAFETY: the message is alive, and the places are ours.
        let code = unsafe { taos_fetch_raw_block(self.0, &raw mut rows, &raw mut block) };
        assert_eq!(code, 0, "{:?}", last_error());
        rows
    }

    /// The rows of all blocks that are left.
    pub(crate) fn rows(&self) -> i32 {
        let mut all = 0;
        loop {
            match self.next_block() {
                0 => return all,
                rows => all += rows,
            }
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: it was not freed.
        unsafe { taos_free_result(self.0) };
    }
}
