//! Consuming topics as a C program does.

mod common;

use std::ffi::{CStr, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::topics::{Conf, Message, Reader};
use common::{Answer, Session, c, last_error, owned};
use taos_capi::connect::taos_close;
use taos_capi::query::{taos_errno, taos_fetch_fields, taos_num_fields, taos_query};
use taos_capi::tmq::commit::*;
use taos_capi::tmq::conf::tmq_conf_set_auto_commit_cb;
use taos_capi::tmq::consumer::*;
use taos_capi::tmq::list::{tmq_list_destroy, tmq_list_get_size, tmq_list_to_c_array};
use taos_capi::tmq::message::*;
use taos_capi::tmq::places::*;
use taos_capi::tmq::raw::*;
use taos_capi::tmq::words::tmq_err2str;
use taos_capi::write::tmq_write_raw;
use taos_query::abi::TmqRawData;

const TABLES: &[&str] = &[
    "create database d vgroups 1 wal_retention_period 3600",
    "use d",
    "create table st (ts timestamp, v int) tags (t int)",
    "create table a using st tags (1)",
    "create table b using st tags (2)",
    "create topic s as stable st",
    "insert into a values (1700000000000, 1) (1700000000001, 2)",
    "insert into b values (1700000000002, 3)",
];

fn session() -> Session {
    let session = Session::start();
    session.exec(TABLES);
    session
}

const BY_HAND: &[(&str, &str)] = &[("group.id", "g"), ("enable.auto.commit", "false")];

fn code(code: c_int) -> u32 {
    code.cast_unsigned()
}

#[test]
fn a_message_tells_where_it_comes_from_and_gives_its_rows_table_by_table() {
    let session = session();
    let reader = Reader::start(&session.server, BY_HAND, &["s"]);
    let mut tables = Vec::new();
    let mut last = None;
    while tables.len() < 2 {
        let message = reader.message();
        // SAFETY: the message is alive.
        unsafe {
            assert_eq!(tmq_get_res_type(message.0), 1);
            assert_eq!(owned(tmq_get_topic_name(message.0)), "s");
            assert_eq!(owned(tmq_get_db_name(message.0)), "d");
            assert!(tmq_get_vgroup_id(message.0) > 0);
            assert!(tmq_get_vgroup_offset(message.0) >= 0);
            assert!(tmq_get_table_name(message.0).is_null(), "before a fetch");
            assert!(tmq_get_json_meta(message.0).is_null());
            assert_eq!(last_error().0, 0, "no meta is no error");
            loop {
                let rows = message.next_block();
                if rows == 0 {
                    break;
                }
                assert_eq!(taos_num_fields(message.0), 2);
                let field = &*taos_fetch_fields(message.0).add(1);
                assert_eq!(owned(field.name.as_ptr()), "v");
                tables.push((owned(tmq_get_table_name(message.0)), rows));
            }
        }
        last = Some(message);
    }
    tables.sort();
    assert_eq!(tables, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    assert_eq!(reader.close(), 0);
    // SAFETY: messages outlive their consumer.
    unsafe { assert_eq!(owned(tmq_get_topic_name(last.unwrap().0)), "s") };
}

#[test]
fn silence_and_errors_of_a_poll_are_told_apart_by_the_threads_error() {
    let session = session();
    let reader = Conf::of(&session.server, BY_HAND).open().unwrap();
    assert!(reader.poll(10).is_none());
    assert_eq!(code(last_error().0), 0x8000_4017, "not subscribed");
    assert_eq!(reader.subscribe(&["s"]), 0);
    let mut rows = 0;
    while rows < 3 {
        rows += reader.message().rows();
    }
    assert!(reader.poll(100).is_none());
    assert_eq!(last_error().0, 0);
    assert!(reader.poll(0).is_none());
    assert_eq!(last_error().0, 0);
    session.exec(&["insert into a values (now, 9)"]);
    assert_eq!(reader.poll(-1).unwrap().rows(), 1);
}

#[test]
fn what_cannot_become_a_consumer_says_why() {
    let session = session();
    let wrong = |values: &[(&str, &str)]| Conf::of(&session.server, values).open().err().unwrap();
    assert!(wrong(&[]).contains("group.id"));
    assert_eq!(code(last_error().0), 0x8000_0118);
    let words = wrong(&[("group.id", "g"), ("td.connect.pass", "secret-word")]);
    assert_eq!(code(last_error().0), 0x8000_0357, "{words}");
    assert!(!words.contains("secret-word"));
    wrong(&[("group.id", "g"), ("td.connect.port", "1")]);
    assert_eq!(code(last_error().0), 0x8000_000B);
    let mut short = [1; 4];
    // SAFETY: NULL is refused, and there are 4 bytes.
    unsafe {
        assert!(tmq_consumer_new(null_mut(), short.as_mut_ptr(), 4).is_null());
        assert_eq!(CStr::from_ptr(short.as_ptr()).count_bytes(), 3);
    }
    let reader = Conf::of(&session.server, BY_HAND).open().unwrap();
    assert_eq!(code(reader.subscribe(&["nowhere"])), 0x8000_03E1);
    assert_eq!(reader.subscribe(&["s"]), 0, "an error is not for ever");
}

#[test]
fn places_are_told_committed_and_sought() {
    let session = session();
    let reader = Reader::start(&session.server, BY_HAND, &["s"]);
    let message = reader.message();
    // SAFETY: consumer and message are alive, and the places are ours.
    unsafe {
        let vgroup = tmq_get_vgroup_id(message.0);
        let begin = tmq_get_vgroup_offset(message.0);
        let topic = c"s".as_ptr();
        let nothing = i64::from(0x8000_4011_u32.cast_signed());
        assert_eq!(tmq_committed(reader.0, topic, vgroup), nothing);
        assert_eq!(
            tmq_commit_sync(reader.0, message.0),
            0,
            "{:?}",
            last_error()
        );
        let committed = tmq_committed(reader.0, topic, vgroup);
        assert_eq!(committed, tmq_position(reader.0, topic, vgroup));
        assert!(committed > begin);

        let (mut places, mut count) = (null_mut(), -1);
        let asked = tmq_get_topic_assignment(reader.0, topic, &raw mut places, &raw mut count);
        assert_eq!((asked, count), (0, 1));
        let place = *places;
        assert_eq!((place.vgId, place.currentOffset), (vgroup, begin));
        assert!(place.begin <= begin && place.end >= committed);
        tmq_free_assignment(places);

        assert_eq!(tmq_offset_seek(reader.0, topic, vgroup, begin), 0);
        let again = reader.message();
        assert_eq!(tmq_get_vgroup_offset(again.0), begin);
        assert_eq!(
            code(tmq_offset_seek(reader.0, topic, vgroup, 1 << 40)),
            0x8000_4007
        );
        assert_eq!(tmq_commit_offset_sync(reader.0, topic, vgroup, begin), 0);
        assert_eq!(tmq_committed(reader.0, topic, vgroup), begin);
        assert_eq!(tmq_commit_sync(reader.0, null()), 0);
        assert_eq!(tmq_committed(reader.0, topic, vgroup), committed);
        assert_eq!(tmq_committed(reader.0, c"other".as_ptr(), vgroup), {
            i64::from(0x8000_4009_u32.cast_signed())
        });
        let words = owned(tmq_err2str(last_error().0));
        assert!(
            !words.is_empty() && !words.starts_with("error 0x"),
            "{words}"
        );
    }
}

/// What a callback was told: the consumer, the code.
type Report = (usize, i32);

/// Passes it to the channel behind its parameter.
unsafe extern "C" fn pass(tmq: *mut c_void, code: i32, param: *mut c_void) {
    // SAFETY: the tests give a sender that outlives the callback.
    let sender = unsafe { &*param.cast::<Sender<Report>>() };
    // Nobody may listen any more.
    let _ = sender.send((tmq.addr(), code));
}

/// As [`pass`], closing the consumer before.
unsafe extern "C" fn close_and_pass(tmq: *mut c_void, code: i32, param: *mut c_void) {
    // SAFETY: the test does not use the consumer any more; the rest as in `pass`.
    unsafe {
        let closed = tmq_consumer_close(tmq);
        pass(tmq, code | closed, param);
    }
}

struct Reports(Box<Sender<Report>>, Receiver<Report>);

impl Reports {
    fn new() -> Self {
        let (sender, receiver) = channel();
        Self(Box::new(sender), receiver)
    }

    fn param(&self) -> *mut c_void {
        (&raw const *self.0).cast_mut().cast()
    }

    fn next(&self) -> Report {
        let report = self.1.recv_timeout(Duration::from_secs(30));
        report.unwrap_or_else(|error| panic!("no callback: {error}"))
    }
}

#[test]
fn commits_in_the_background_are_reported_and_need_the_message_no_more() {
    let session = session();
    let mut reader = Reader::start(&session.server, BY_HAND, &["s"]);
    let reports = Reports::new();
    let message = reader.message();
    // SAFETY: consumer and message are alive, and the sender outlives the callbacks.
    unsafe {
        let (vgroup, begin) = (
            tmq_get_vgroup_id(message.0),
            tmq_get_vgroup_offset(message.0),
        );
        tmq_commit_async(reader.0, message.0, Some(pass), reports.param());
        drop(message);
        assert_eq!(reports.next(), (reader.0.addr(), 0));
        assert!(tmq_committed(reader.0, c"s".as_ptr(), vgroup) > begin);
        let topic = c"s".as_ptr();
        tmq_commit_offset_async(reader.0, topic, vgroup, begin, Some(pass), reports.param());
        assert_eq!(reports.next(), (reader.0.addr(), 0));
        assert_eq!(tmq_committed(reader.0, topic, vgroup), begin);
        tmq_commit_async(null_mut(), null(), Some(pass), reports.param());
        assert_eq!(reports.next(), (0, 0x8000_0118_u32.cast_signed()));
        tmq_commit_async(reader.0, null(), None, null_mut());
        let handle = std::mem::replace(&mut reader.0, null_mut());
        tmq_commit_async(handle, null(), Some(close_and_pass), reports.param());
        assert_eq!(reports.next(), (handle.addr(), 0));
    }
}

#[test]
fn automatic_commits_are_on_unless_switched_off_and_are_reported() {
    let session = session();
    let reports = Reports::new();
    let values = [("group.id", "g"), ("auto.commit.interval.ms", "50")];
    let conf = Conf::of(&session.server, &values);
    // SAFETY: the configuration is alive, and the sender outlives the consumer.
    unsafe { tmq_conf_set_auto_commit_cb(conf.0, Some(pass), reports.param()) };
    let reader = conf.open().unwrap();
    drop(conf);
    assert_eq!(reader.subscribe(&["s"]), 0);
    let message = reader.message();
    // SAFETY: the message is alive.
    let (vgroup, begin) = unsafe {
        (
            tmq_get_vgroup_id(message.0),
            tmq_get_vgroup_offset(message.0),
        )
    };
    let mut rows = message.rows();
    drop(message);
    while rows < 3 {
        rows += reader.message().rows();
    }
    reader.poll(200);
    assert_eq!(reports.next(), (reader.0.addr(), 0));
    // SAFETY: the consumer is alive.
    unsafe { assert!(tmq_committed(reader.0, c"s".as_ptr(), vgroup) > begin) };
    session.exec(&["insert into a values (now, 4)"]);
    assert_eq!(reader.message().rows(), 1);
    assert_eq!(reader.close(), 0);
    let next = Reader::start(&session.server, &values, &["s"]);
    session.exec(&["insert into a values (now + 1s, 5)"]);
    assert_eq!(next.message().rows(), 1, "closing commits what was polled");
    assert!(next.poll(100).is_none());
}

#[test]
fn a_consumer_may_leave_and_subscribe_again_and_tells_its_topics() {
    let session = session();
    let reader = Reader::start(&session.server, BY_HAND, &["s"]);
    let topics = || {
        let mut list = null_mut();
        // SAFETY: the consumer is alive, and the place is ours; the list is freed here.
        unsafe {
            assert_eq!(tmq_subscription(reader.0, &raw mut list), 0);
            let count = usize::try_from(tmq_list_get_size(list)).unwrap();
            let names = tmq_list_to_c_array(list);
            let names: Vec<String> = (0..count).map(|i| owned(*names.add(i))).collect();
            tmq_list_destroy(list);
            names
        }
    };
    assert_eq!(topics(), ["s"]);
    reader.message();
    // SAFETY: the consumer is alive.
    unsafe { assert_eq!(tmq_unsubscribe(reader.0), 0) };
    assert!(topics().is_empty());
    assert!(reader.poll(10).is_none());
    assert_eq!(code(last_error().0), 0x8000_4017);
    // SAFETY: the same.
    unsafe { assert_eq!(tmq_unsubscribe(reader.0), 0, "twice is fine") };
    assert_eq!(reader.subscribe(&["s"]), 0);
    assert!(reader.message().rows() > 0, "nothing was committed");
}

#[test]
fn raw_messages_are_written_elsewhere_and_freed_once() {
    let session = session();
    session.exec(&[
        "create database e",
        "use e",
        "create table st (ts timestamp, v int) tags (t int)",
        "create table a using st tags (1)",
        "create table b using st tags (2)",
    ]);
    let reader = Reader::start(&session.server, BY_HAND, &["s"]);
    let mut raws: Vec<TmqRawData> = Vec::new();
    let mut rows = 0;
    while rows < 3 {
        let message = reader.message();
        let mut raw = TmqRawData {
            raw: null_mut(),
            raw_len: 0,
            raw_type: 0,
        };
        // SAFETY: the message is alive, and the place is ours.
        unsafe {
            assert_eq!(
                tmq_get_raw(message.0, &raw mut raw),
                0,
                "{:?}",
                last_error()
            )
        };
        assert_eq!(raw.raw_type, 2);
        raws.push(raw);
        rows += message.rows();
    }
    drop(reader);
    for raw in raws {
        // SAFETY: the connection is open, and the bytes stay until they are freed.
        unsafe {
            assert_eq!(tmq_write_raw(session.taos, raw), 0, "{:?}", last_error());
            tmq_free_raw(raw);
            assert_eq!(last_error().0, 0);
            tmq_free_raw(raw);
            assert_eq!(code(last_error().0), 0x8000_0118, "freed twice");
        }
    }
    // SAFETY: the connection is open.
    let written = Message(unsafe { taos_query(session.taos, c"select * from e.st".as_ptr()) });
    assert_eq!(written.rows(), 3);
}

#[test]
fn meta_comes_as_json_and_raw() {
    let session = session();
    session.exec(&["create topic m with meta as database d"]);
    let reader = Reader::start(&session.server, BY_HAND, &["m"]);
    session.exec(&["create table c using st tags (3)", "drop table c"]);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let message = reader.message();
        // SAFETY: the message is alive; the text is freed here.
        unsafe {
            if tmq_get_res_type(message.0) != 2 {
                continue;
            }
            let json = tmq_get_json_meta(message.0);
            let text = owned(json);
            tmq_free_json_meta(json);
            assert_eq!(message.rows(), 0);
            if text.contains("\"c\"") {
                seen.push(text);
            }
        }
    }
    assert!(
        seen[0].contains("create") && seen[1].contains("drop"),
        "{seen:?}"
    );
}

#[test]
fn the_connection_beside_a_consumer_runs_sql() {
    let session = session();
    let reader = Reader::start(&session.server, BY_HAND, &["s"]);
    // SAFETY: the consumer is alive, and so is its connection.
    unsafe {
        let taos = tmq_get_connect(reader.0);
        let answer = Answer(taos_query(taos, c("select * from d.st").as_ptr()));
        assert_eq!(taos_errno(answer.0), 0);
        assert!(tmq_get_connect(session.taos).is_null());
        // A consumer is not closed like a connection.
        taos_close(reader.0);
    }
    assert!(reader.message().rows() > 0);
}
