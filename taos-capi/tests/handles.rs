//! Every function of the library, called with NULL and with handles of every other kind: none may crash, and each
//! says that something is wrong, by its code or by giving nothing.

#[path = "common/calls.rs"]
mod calls;
mod common;

use std::ffi::c_void;
use std::ptr::{null_mut, with_exposed_provenance_mut};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use calls::{CALLED, Fill, Function, Given};
use common::topics::Reader;
use common::{Answer, Session, last_error};
use taos_capi::connect::*;
use taos_capi::fetch::*;
use taos_capi::misc::*;
use taos_capi::options::*;
use taos_capi::print::*;
use taos_capi::query::*;
use taos_capi::read::*;
use taos_capi::schemaless::*;
use taos_capi::session::*;
use taos_capi::stmt::*;
use taos_capi::stmt2::*;
use taos_capi::tmq::commit::*;
use taos_capi::tmq::conf::*;
use taos_capi::tmq::consumer::*;
use taos_capi::tmq::list::*;
use taos_capi::tmq::message::*;
use taos_capi::tmq::places::*;
use taos_capi::tmq::raw::*;
use taos_capi::tmq::words::*;
use taos_capi::unsupported::*;
use taos_capi::version::*;
use taos_capi::write::*;

/// What a function's first argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Conn,
    Res,
    Stmt,
    Stmt2,
    Conf,
    List,
    Consumer,
}

/// What is to come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// A negative number, or NULL.
    Fails,
    /// A result that holds an error.
    Result,
    Zero,
    /// An address.
    Text,
    /// An object, which needs nothing.
    New,
    /// Something that is no code.
    Anything,
}

struct Export {
    name: &'static str,
    kind: Kind,
    rule: Rule,
    calls_back: bool,
    call: fn(&Fill) -> Given,
}

fn calls_back<F: Function>(_: F) -> bool {
    F::CALLS_BACK
}

macro_rules! exports {
    ($($name:ident($($arg:tt),*) $kind:ident $rule:ident;)*) => {
        fn exports() -> Vec<Export> {
            vec![$(Export {
                name: stringify!($name),
                kind: Kind::$kind,
                rule: Rule::$rule,
                calls_back: calls_back($name as unsafe extern "C" fn($($arg),*) -> _),
                call: |fill| {
                    let function = $name as unsafe extern "C" fn($($arg),*) -> _;
                    // SAFETY: this is what is tried here: every argument is NULL, a number, or alive.
                    unsafe { function.call(fill) }
                },
            }),*]
        }
    };
}

// Arguments; what the first of them is; what comes out of a call that makes no sense.
exports! {
    taos_affected_rows(_) Res Zero;
    taos_affected_rows64(_) Res Zero;
    taos_check_server_status(_, _, _, _) None Zero;
    taos_cleanup() None Anything;
    taos_close(_) Conn Anything;
    taos_connect(_, _, _, _, _) None Fails;
    taos_connect_auth(_, _, _, _, _) None Fails;
    taos_connect_dsn(_, _, _, _) None Fails;
    taos_connect_test(_, _, _, _, _, _) None Fails;
    taos_connect_token(_, _, _, _) None Fails;
    taos_connect_totp(_, _, _, _, _, _) None Fails;
    taos_data_type(_) None Text;
    taos_errno(_) Res Anything;
    taos_errstr(_) Res Text;
    taos_fetch_block(_, _) Res Zero;
    taos_fetch_block_s(_, _, _) Res Fails;
    taos_fetch_fields(_) Res Fails;
    taos_fetch_fields_e(_) Res Fails;
    taos_fetch_lengths(_) Res Fails;
    taos_fetch_raw_block(_, _, _) Res Fails;
    taos_fetch_raw_block_a(_, _, _) Res Anything;
    taos_fetch_row(_) Res Fails;
    taos_fetch_rows_a(_, _, _) Res Anything;
    taos_fetch_whitelist_a(_, _, _) Conn Anything;
    taos_fetch_whitelist_dual_stack_a(_, _, _) Conn Anything;
    taos_field_count(_) Res Zero;
    taos_free_instances(_, _) None Anything;
    taos_free_result(_) Res Anything;
    taos_get_client_info() None Text;
    taos_get_column_data_offset(_, _) Res Fails;
    taos_get_connection_info(_, _, _, _) Conn Fails;
    taos_get_current_db(_, _, _, _) Conn Fails;
    taos_get_db_route_info(_, _, _) Conn Fails;
    taos_get_raw_block(_) Res Fails;
    taos_get_server_info(_) Conn Fails;
    taos_get_table_vgId(_, _, _, _) Conn Fails;
    taos_get_tables_vgId(_, _, _, _, _) Conn Fails;
    taos_init() None Zero;
    taos_is_null(_, _, _) Res Anything;
    taos_is_null_by_column(_, _, _, _) Res Fails;
    taos_is_update_query(_) Res Anything;
    taos_kill_query(_) Conn Anything;
    taos_list_instances(_, _, _) None Fails;
    taos_load_table_info(_, _) Conn Fails;
    taos_num_fields(_) Res Zero;
    taos_options(_, _) None Fails;
    taos_options_connection(_, _, _) Conn Fails;
    taos_print_row(_, _, _, _) None Zero;
    taos_print_row_with_size(_, _, _, _, _) None Zero;
    taos_query(_, _) Conn Result;
    taos_query_a(_, _, _, _) Conn Anything;
    taos_query_a_with_reqid(_, _, _, _, _) Conn Anything;
    taos_query_with_reqid(_, _, _) Conn Result;
    taos_register_instance(_, _, _, _) None Fails;
    taos_reset_current_db(_) Conn Anything;
    taos_result_block(_) Res Fails;
    taos_result_precision(_) Res Zero;
    taos_schemaless_insert(_, _, _, _, _) Conn Fails;
    taos_schemaless_insert_raw(_, _, _, _, _, _) Conn Fails;
    taos_schemaless_insert_raw_ttl(_, _, _, _, _, _, _) Conn Fails;
    taos_schemaless_insert_raw_ttl_with_reqid(_, _, _, _, _, _, _, _) Conn Fails;
    taos_schemaless_insert_raw_ttl_with_reqid_tbname_key(_, _, _, _, _, _, _, _, _) Conn Fails;
    taos_schemaless_insert_raw_with_reqid(_, _, _, _, _, _, _) Conn Fails;
    taos_schemaless_insert_ttl(_, _, _, _, _, _) Conn Fails;
    taos_schemaless_insert_ttl_with_reqid(_, _, _, _, _, _, _) Conn Fails;
    taos_schemaless_insert_ttl_with_reqid_tbname_key(_, _, _, _, _, _, _, _) Conn Fails;
    taos_schemaless_insert_with_reqid(_, _, _, _, _, _) Conn Fails;
    taos_select_db(_, _) Conn Fails;
    taos_set_config(_) None Anything;
    taos_set_conn_mode(_, _, _) Conn Fails;
    taos_set_notify_cb(_, _, _, _) Conn Fails;
    taos_stmt2_bind_param(_, _, _) Stmt2 Fails;
    taos_stmt2_bind_param_a(_, _, _, _, _) Stmt2 Fails;
    taos_stmt2_bind_param_column(_, _) Stmt2 Fails;
    taos_stmt2_close(_) Stmt2 Fails;
    taos_stmt2_error(_) Stmt2 Text;
    taos_stmt2_exec(_, _) Stmt2 Fails;
    taos_stmt2_free_fields(_, _) Stmt2 Anything;
    taos_stmt2_get_fields(_, _, _) Stmt2 Fails;
    taos_stmt2_init(_, _) Conn Fails;
    taos_stmt2_is_insert(_, _) Stmt2 Fails;
    taos_stmt2_prepare(_, _, _) Stmt2 Fails;
    taos_stmt2_result(_) Stmt2 Fails;
    taos_stmt_add_batch(_) Stmt Fails;
    taos_stmt_affected_rows(_) Stmt Zero;
    taos_stmt_affected_rows_once(_) Stmt Zero;
    taos_stmt_bind_param(_, _) Stmt Fails;
    taos_stmt_bind_param_batch(_, _) Stmt Fails;
    taos_stmt_bind_single_param_batch(_, _, _) Stmt Fails;
    taos_stmt_close(_) Stmt Fails;
    taos_stmt_errstr(_) Stmt Text;
    taos_stmt_execute(_) Stmt Fails;
    taos_stmt_get_col_fields(_, _, _) Stmt Fails;
    taos_stmt_get_param(_, _, _, _) Stmt Fails;
    taos_stmt_get_tag_fields(_, _, _) Stmt Fails;
    taos_stmt_init(_) Conn Fails;
    taos_stmt_init_with_options(_, _) Conn Fails;
    taos_stmt_init_with_reqid(_, _) Conn Fails;
    taos_stmt_is_insert(_, _) Stmt Fails;
    taos_stmt_num_params(_, _) Stmt Fails;
    taos_stmt_prepare(_, _, _) Stmt Fails;
    taos_stmt_reclaim_fields(_, _) Stmt Anything;
    taos_stmt_set_sub_tbname(_, _) Stmt Fails;
    taos_stmt_set_tags(_, _) Stmt Fails;
    taos_stmt_set_tbname(_, _) Stmt Fails;
    taos_stmt_set_tbname_tags(_, _, _) Stmt Fails;
    taos_stmt_use_result(_) Stmt Fails;
    taos_stop_query(_) Res Anything;
    taos_validate_sql(_, _) Conn Fails;
    taos_write_crashinfo(_, _, _) None Anything;
    taos_write_raw_block(_, _, _, _) Conn Fails;
    taos_write_raw_block_with_fields(_, _, _, _, _, _) Conn Fails;
    taos_write_raw_block_with_fields_with_reqid(_, _, _, _, _, _, _) Conn Fails;
    taos_write_raw_block_with_reqid(_, _, _, _, _) Conn Fails;
    tmq_commit_async(_, _, _, _) Consumer Anything;
    tmq_commit_offset_async(_, _, _, _, _, _) Consumer Anything;
    tmq_commit_offset_sync(_, _, _, _) Consumer Fails;
    tmq_commit_sync(_, _) Consumer Fails;
    tmq_committed(_, _, _) Consumer Fails;
    tmq_conf_destroy(_) Conf Anything;
    tmq_conf_new() None New;
    tmq_conf_set(_, _, _) Conf Fails;
    tmq_conf_set_auto_commit_cb(_, _, _) Conf Anything;
    tmq_consumer_close(_) Consumer Fails;
    tmq_consumer_new(_, _, _) Conf Fails;
    tmq_consumer_poll(_, _) Consumer Fails;
    tmq_err2str(_) None Text;
    tmq_free_assignment(_) None Anything;
    tmq_free_json_meta(_) None Anything;
    tmq_free_raw(_) None Anything;
    tmq_get_connect(_) Consumer Fails;
    tmq_get_db_name(_) Res Fails;
    tmq_get_json_meta(_) Res Fails;
    tmq_get_raw(_, _) Res Fails;
    tmq_get_res_type(_) Res Fails;
    tmq_get_table_name(_) Res Fails;
    tmq_get_topic_assignment(_, _, _, _) Consumer Fails;
    tmq_get_topic_name(_) Res Fails;
    tmq_get_vgroup_id(_) Res Fails;
    tmq_get_vgroup_offset(_) Res Fails;
    tmq_list_append(_, _) List Fails;
    tmq_list_destroy(_) List Anything;
    tmq_list_get_size(_) List Fails;
    tmq_list_new() None New;
    tmq_list_to_c_array(_) List Fails;
    tmq_offset_seek(_, _, _, _) Consumer Fails;
    tmq_position(_, _, _) Consumer Fails;
    tmq_subscribe(_, _) Consumer Fails;
    tmq_subscription(_, _) Consumer Fails;
    tmq_unsubscribe(_) Consumer Fails;
    tmq_write_raw(_, _) Conn Fails;
}

/// Functions that give memory back as C's `free` does, and so can be told nothing about it but NULL.
const FREEING: [&str; 4] = [
    "taos_stmt2_free_fields",
    "taos_stmt_reclaim_fields",
    "tmq_free_assignment",
    "tmq_free_json_meta",
];

/// No host, file, DSN or statement; as a server, one that refuses at once.
const WORDS: &[u8] = b"127.0.0.1:1\0";

/// Room that functions write to.
struct Room {
    words: Vec<u8>,
    places: Vec<u64>,
}

impl Room {
    fn fill(&mut self, export: &Export, handle: *mut c_void) -> Fill {
        self.words.clear();
        self.words.extend_from_slice(WORDS);
        self.words.resize(4096, 0);
        self.places.clear();
        self.places.resize(512, 0);
        let frees = FREEING.contains(&export.name);
        Fill {
            handle,
            words: if frees {
                null_mut()
            } else {
                self.words.as_mut_ptr().cast()
            },
            place: if frees {
                null_mut()
            } else {
                self.places.as_mut_ptr().cast()
            },
            number: 1,
            calls_back: true,
        }
    }
}

const fn nothing(number: i32) -> Fill {
    Fill {
        handle: null_mut(),
        words: null_mut(),
        place: null_mut(),
        number,
        calls_back: false,
    }
}

/// Calls the function; what is wrong with what it gives, if anything is.
fn try_out(export: &Export, fill: &Fill, with: &str) -> Option<String> {
    let given = (export.call)(fill);
    let name = export.name;
    match (export.rule, given) {
        (Rule::Anything, _) | (_, Given::Nothing) => (),
        (Rule::Zero, Given::Number(0)) => (),
        (Rule::Fails, Given::Number(number)) if number < 0 => (),
        (Rule::Fails, Given::Address(address)) if address.is_null() => (),
        (Rule::Text, Given::Address(address)) if !address.is_null() => (),
        (Rule::Result, Given::Address(address)) if !address.is_null() => {
            let error = Answer(address).error();
            if error.0 >= 0 {
                return Some(format!("{name} with {with} gave a result without an error"));
            }
        }
        (Rule::New, Given::Address(address)) if !address.is_null() => {
            // SAFETY: it is new, and one of the two.
            unsafe {
                tmq_conf_destroy(address);
                tmq_list_destroy(address);
            }
        }
        (rule, given) => return Some(format!("{name} with {with} gave {given:?}, not {rule:?}")),
    }
    None
}

/// How many callbacks are to come of a call.
fn promised(export: &Export, given: &Fill) -> usize {
    let tells_otherwise = ["taos_stmt2_bind_param_a", "taos_set_notify_cb"];
    let reports = export.calls_back && given.calls_back && !tells_otherwise.contains(&export.name);
    // This one only remembers what it is given.
    usize::from(reports && export.name != "tmq_conf_set_auto_commit_cb")
}

/// Connecting to nowhere in particular must not reach a server that happens to be there.
fn lead_nowhere() {
    let config = c"{\"adapterList\": \"127.0.0.1:1\", \"connRetries\": \"0\"}";
    // SAFETY: the text ends with NUL.
    let told = unsafe { taos_set_config(config.as_ptr()) };
    assert_eq!(told.retCode, 0);
}

/// One handle of each kind, two of results.
struct Handles {
    session: Session,
    reader: Reader,
    rows: Answer,
    all: Vec<(Kind, *mut c_void)>,
}

impl Handles {
    fn new() -> Self {
        let session = Session::start();
        session.exec(&[
            "create database d",
            "use d",
            "create table t (ts timestamp, v int)",
        ]);
        session.exec(&[
            "insert into t values (now, 1)",
            "create topic p as select ts, v from t",
        ]);
        let values = [("group.id", "g"), ("enable.auto.commit", "false")];
        let reader = Reader::start(&session.server, &values, &["p"]);
        let rows = session.query("select * from t");
        // SAFETY: the connection is open.
        let (stmt, stmt2) = unsafe {
            (
                taos_stmt_init(session.taos),
                taos_stmt2_init(session.taos, null_mut()),
            )
        };
        let all = vec![
            (Kind::Conn, session.taos),
            (Kind::Res, rows.0),
            (Kind::Stmt, stmt),
            (Kind::Stmt2, stmt2),
            (Kind::Conf, tmq_conf_new()),
            (Kind::List, tmq_list_new()),
            (Kind::Consumer, reader.0),
        ];
        assert!(all.iter().all(|(_, handle)| !handle.is_null()), "{all:?}");
        Self {
            session,
            reader,
            rows,
            all,
        }
    }

    fn of(&self, kind: Kind) -> *mut c_void {
        let mut all = self.all.iter();
        let found = all.find_map(|(other, handle)| (*other == kind).then_some(*handle));
        found.unwrap_or_else(|| panic!("there is none of {kind:?}"))
    }

    /// All of them still do what they are for.
    fn close(self) {
        let (mut count, mut block) = (0, null_mut());
        // SAFETY: nobody has closed any of them.
        unsafe {
            assert_eq!(
                taos_fetch_raw_block(self.rows.0, &raw mut count, &raw mut block),
                0
            );
            assert_eq!(count, 1);
            let sql = c"insert into t values (?, ?)".as_ptr();
            assert_eq!(
                taos_stmt_prepare(self.of(Kind::Stmt), sql, 0),
                0,
                "{:?}",
                last_error()
            );
            assert_eq!(taos_stmt_close(self.of(Kind::Stmt)), 0);
            assert_eq!(taos_stmt2_prepare(self.of(Kind::Stmt2), sql, 0), 0);
            assert_eq!(taos_stmt2_close(self.of(Kind::Stmt2)), 0);
            let (key, value) = (c"group.id".as_ptr(), c"g".as_ptr());
            assert_eq!(tmq_conf_set(self.of(Kind::Conf), key, value), 0);
            tmq_conf_destroy(self.of(Kind::Conf));
            assert_eq!(tmq_list_get_size(self.of(Kind::List)), 0);
            tmq_list_destroy(self.of(Kind::List));
        }
        assert_eq!(self.reader.message().rows(), 1);
        assert_eq!(self.reader.close(), 0);
        self.session.exec(&["select 1"]);
    }
}

#[test]
fn every_function_of_the_library_is_tried_here() {
    let tried: Vec<&str> = exports().iter().map(|export| export.name).collect();
    let interface: Vec<&str> = include_str!("exports.txt").lines().collect();
    assert_eq!(tried, interface);
}

#[test]
fn null_and_handles_of_other_kinds_are_refused_by_every_function() {
    lead_nowhere();
    let handles = Handles::new();
    let mut room = Room {
        words: Vec::new(),
        places: Vec::new(),
    };
    let (mut expected, mut wrong) = (0, Vec::new());
    for export in exports() {
        for number in [0, -1, i32::MAX] {
            // Forgets the error of the call before.
            taos_init();
            wrong.extend(try_out(&export, &nothing(number), "NULL"));
            let refused = last_error().0.cast_unsigned() == 0x8000_0100;
            let listed = EXPORTS.contains(&export.name);
            assert_eq!(refused, listed, "{} says `unsupported`", export.name);
        }
        if export.rule == Rule::New {
            continue;
        }
        let fill = room.fill(&export, null_mut());
        // What has no handle may well take the other arguments.
        if export.kind != Kind::None {
            expected += promised(&export, &fill);
            wrong.extend(try_out(&export, &fill, "a handle that is NULL"));
        }
        for (kind, handle) in &handles.all {
            if [Kind::None, *kind].contains(&export.kind) {
                continue;
            }
            let fill = room.fill(&export, *handle);
            expected += promised(&export, &fill);
            wrong.extend(try_out(&export, &fill, &format!("a handle of {kind:?}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let late = Instant::now() + Duration::from_secs(20);
    while CALLED.load(Ordering::Acquire) < expected && Instant::now() < late {
        std::thread::yield_now();
    }
    assert_eq!(CALLED.load(Ordering::Acquire), expected, "callbacks");
    handles.close();
}

#[test]
fn the_second_handle_of_a_call_is_checked_as_the_first_is() {
    let handles = Handles::new();
    let (tmq, taos) = (handles.of(Kind::Consumer), handles.of(Kind::Conn));
    let mut no_list = taos;
    let unaligned = with_exposed_provenance_mut::<c_void>(taos.expose_provenance() + 1);
    // SAFETY: all handles are alive, and one is not aligned as any handle is.
    unsafe {
        for other in [null_mut(), tmq, taos] {
            assert!(tmq_subscribe(tmq, other) < 0);
        }
        for other in [tmq, taos, handles.rows.0] {
            assert!(tmq_commit_sync(tmq, other) < 0);
        }
        assert!(tmq_subscription(tmq, &raw mut no_list) < 0);
        assert!(tmq_subscription(tmq, null_mut()) < 0);
        assert!(taos_select_db(unaligned, c"d".as_ptr()) < 0);
    }
    handles.close();
}

/// What takes the handle away from the test, reads as much memory as made-up bytes say, or refuses by value.
const NOT_TRIED: [&str; 12] = [
    "taos_close",
    "taos_free_result",
    "taos_options_connection",
    "taos_stmt2_close",
    "taos_stmt_close",
    "taos_write_raw_block",
    "taos_write_raw_block_with_fields",
    "taos_write_raw_block_with_fields_with_reqid",
    "taos_write_raw_block_with_reqid",
    "tmq_conf_destroy",
    "tmq_consumer_close",
    "tmq_list_destroy",
];

/// A statement of its own, as one that failed answers with its first error only.
fn fresh(kind: Kind, handles: &Handles) -> *mut c_void {
    let sql = c"insert into d.t values (?, ?)".as_ptr();
    // SAFETY: the connection is open.
    unsafe {
        match kind {
            Kind::None => null_mut(),
            Kind::Stmt => {
                let stmt = taos_stmt_init(handles.session.taos);
                assert_eq!(taos_stmt_prepare(stmt, sql, 0), 0);
                stmt
            }
            Kind::Stmt2 => {
                let stmt = taos_stmt2_init(handles.session.taos, null_mut());
                assert_eq!(taos_stmt2_prepare(stmt, sql, 0), 0);
                stmt
            }
            kind => handles.of(kind),
        }
    }
}

#[test]
fn with_valid_handles_those_that_are_listed_say_unsupported_and_no_others() {
    lead_nowhere();
    let handles = Handles::new();
    handles.session.exec(&["use d"]);
    let mut room = Room {
        words: Vec::new(),
        places: Vec::new(),
    };
    for export in exports() {
        if NOT_TRIED.contains(&export.name) || export.rule == Rule::New {
            continue;
        }
        for number in [0, 1] {
            let handle = fresh(export.kind, &handles);
            let fill = Fill {
                number,
                calls_back: false,
                ..room.fill(&export, handle)
            };
            taos_init();
            let given = (export.call)(&fill);
            let refused = last_error().0.cast_unsigned() == 0x8000_0100;
            let listed = EXPORTS.contains(&export.name);
            assert_eq!(
                refused,
                listed,
                "{} gave {given:?}, {:?}",
                export.name,
                last_error()
            );
            if let (Rule::Result, Given::Address(result)) = (export.rule, given) {
                drop(Answer(result));
            }
            // SAFETY: they are of this round.
            unsafe {
                match export.kind {
                    Kind::Stmt => drop(taos_stmt_close(handle)),
                    Kind::Stmt2 => drop(taos_stmt2_close(handle)),
                    _ => (),
                }
            }
        }
    }
}

#[test]
fn what_is_refused_by_value_is_listed_with_a_reason() {
    use taos_query::abi::{TaosMultiBind, TaosStmt2Bind, TaosStmt2Bindv};
    let handles = Handles::new();
    let (taos, unsupported) = (handles.session.taos, 0x8000_0100_u32);
    let mut number = [0_i64; 2];
    let place = number.as_mut_ptr().cast::<c_void>();
    let mut left_out = [2 as std::ffi::c_char; 2];
    // SAFETY: the connection is open, the texts end with NUL, the arrays are as long as they say.
    let refused = unsafe {
        let locale = taos_options(0, c"de_DE.ISO-8859-1".as_ptr().cast());
        let charset = taos_options(1, c"GBK".as_ptr().cast());
        assert_eq!(charset, locale);
        let driver = taos_options(6, c"native".as_ptr().cast());
        let of_connection = taos_options_connection(taos, 0, c"GBK".as_ptr().cast());

        let stmt2 = fresh(Kind::Stmt2, &handles);
        let bind = |ty| TaosStmt2Bind {
            buffer_type: ty,
            buffer: place,
            length: null_mut(),
            is_null: null_mut(),
            num: 1,
        };
        let mut columns = [bind(9), bind(4)];
        columns[1].is_null = left_out.as_mut_ptr();
        let mut all = columns.as_mut_ptr();
        let mut bindv = TaosStmt2Bindv {
            count: 1,
            tbnames: null_mut(),
            tags: null_mut(),
            bind_cols: &raw mut all,
        };
        let column = taos_stmt2_bind_param(stmt2, &raw mut bindv, -1);
        taos_stmt2_close(stmt2);

        let stmt = taos_stmt_init(taos);
        let sql = c"select * from d.t where v = ?".as_ptr();
        assert_eq!(taos_stmt_prepare(stmt, sql, 0), 0);
        let mut decimal = TaosMultiBind {
            buffer_type: 21,
            buffer: place,
            buffer_length: 8,
            length: null_mut(),
            is_null: null_mut(),
            num: 1,
        };
        let digits = taos_stmt_bind_param(stmt, &raw mut decimal);
        taos_stmt_close(stmt);
        [
            ("taos_options", locale),
            ("taos_options", driver),
            ("taos_options_connection", of_connection),
            ("taos_stmt2_bind_param", column),
            ("taos_stmt_bind_param", digits),
        ]
    };
    let listed: Vec<&str> = BY_VALUE.iter().map(|(name, _)| *name).collect();
    assert_eq!(refused.map(|(name, _)| name).to_vec(), listed);
    for (name, code) in refused {
        assert_eq!(code.cast_unsigned(), unsupported, "{name}");
    }
}
