//! Calls on a library that only writes down how it was called: every write fails, with that as its reason.

use taos_query::common::{ColumnView, Precision, Ty};
use taos_query::{
    ErrorKind, RawBlock, RawError, RawMeta, RawResult, SchemalessPrecision, SchemalessProtocol,
    SmlData, SmlDataBuilder,
};

use crate::ffi::Library;
use crate::ffi::stub::Stub;
use crate::raw::connection::{ConnectArgs, Connection};
use crate::raw::options::ConnectionOption;
use crate::raw::schemaless::Lines;
use crate::raw::write::{BlockWrite, MessageWrite};

/// The calls, each as text. A function is one line, so that a stub can do without it.
const CODE: &str = r#"
#include <stdio.h>
#include <stdint.h>
static __thread char said[4096]; static __thread int code; static int taos; static int res;
#define FAIL code = 0x80000618
#define SAY(...) snprintf(said, sizeof said, __VA_ARGS__), FAIL
#define LINES void *t, char *l, int n, int32_t *rows, int p, int u
#define BLOCK void *t, int rows, char *d, const char *tb
#define FIELDS struct field *f, int n
typedef long long ll;
struct field { char name[65]; int8_t type; int32_t bytes; };
struct raw { void *raw; uint32_t len; uint16_t type; };
void *taos_connect(char *ip, char *user, char *pass, char *db, uint16_t port) { code = 0; return &taos; }
int taos_errno(void *r) { return code; }
const char *taos_errstr(void *r) { return said; }
int taos_options_connection(void *t, int o, const char *arg, ...) { return !arg || *arg != '?' ? 0 : (SAY("option %d", o)); }
int taos_set_conn_mode(void *t, int mode, int value) { return SAY("mode %d %d", mode, value); }
int taos_validate_sql(void *t, const char *sql) { return SAY("validate %s", sql); }
void *taos_schemaless_insert_raw(LINES) { SAY("raw <%s> %d %d %d", l, n, p, u); return &res; }
void *taos_schemaless_insert_raw_with_reqid(LINES, ll id) { SAY("reqid <%s> %d %d %d %lld", l, n, p, u, id); return &res; }
void *taos_schemaless_insert_raw_ttl(LINES, int ttl) { SAY("ttl <%s> %d %d %d %d", l, n, p, u, ttl); return &res; }
void *taos_schemaless_insert_raw_ttl_with_reqid(LINES, int ttl, ll id) { SAY("ttl reqid <%s> %d %d %d %d %lld", l, n, p, u, ttl, id); return &res; }
void *taos_schemaless_insert_raw_ttl_with_reqid_tbname_key(LINES, int ttl, ll id, char *key) { SAY("key <%s> %d %d %d %d %lld %s", l, n, p, u, ttl, id, key); return &res; }
int taos_write_raw_block(BLOCK) { return SAY("block %d %s", rows, tb); }
int taos_write_raw_block_with_reqid(BLOCK, ll id) { return SAY("block %d %s %d %lld", rows, tb, *(int *)(d + 4), id); }
int taos_write_raw_block_with_fields(BLOCK, FIELDS) { return SAY("fields %d %s %d %s", rows, tb, n, f[1].name); }
int taos_write_raw_block_with_fields_with_reqid(BLOCK, FIELDS, ll id) { return SAY("fields %d %s %d %s %d %d %lld", rows, tb, n, f[1].name, f[1].type, f[1].bytes, id); }
int tmq_write_raw(void *t, struct raw raw) { code = 0; return raw.type == 3 && raw.len == 2 && *(char *)raw.raw == 7 ? 0x80000388 : 1; }
const char *tmq_err2str(int32_t code) { return "by its own words"; }
int taos_get_table_vgId(void *t, const char *db, const char *tb, int *id) { *id = 42; return 0; }
int taos_get_tables_vgId(void *t, const char *db, const char *tb[], int n, int *ids) { while (n--) ids[n] = tb[n][0]; return 0; }
int taos_get_current_db(void *t, char *buf, int len, int *required) { snprintf(buf, len, "power"); return 0; }
const char *taos_get_server_info(void *t) { return "ver:3.3.7.5"; }
"#;

fn connection(stub: Stub) -> Connection {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("libtaos.so");
    stub.build(&file);
    let library = Library::open(file.to_str()).unwrap();
    Connection::open(library, &ConnectArgs::default()).unwrap()
}

fn whole() -> Stub {
    Stub::whole("3.3.7.5").with(CODE)
}

fn lines(change: impl FnOnce(&mut SmlDataBuilder)) -> SmlData {
    let mut builder = SmlDataBuilder::default();
    builder
        .protocol(SchemalessProtocol::Line)
        .precision(SchemalessPrecision::Microsecond)
        .data(vec!["a b=1".to_owned()]);
    change(&mut builder);
    builder.build().unwrap()
}

fn put(connection: &Connection, data: &SmlData) -> RawError {
    connection.put(Lines::new(data).unwrap()).unwrap_err()
}

fn words<T: std::fmt::Debug>(answer: RawResult<T>) -> String {
    answer.unwrap_err().message()
}

#[test]
fn schemaless_writes_call_the_most_specific_function_for_what_is_set() {
    let connection = connection(whole());
    let error = put(&connection, &lines(|lines| _ = lines.req_id(7)));
    assert_eq!(error.message(), "reqid <a b=1> 5 1 5 7");
    assert_eq!(error.code(), 0x0618);
    let said = put(&connection, &lines(|lines| _ = lines.ttl(3).req_id(7))).message();
    assert_eq!(said, "ttl reqid <a b=1> 5 1 5 3 7");
    let said = put(
        &connection,
        &lines(|lines| _ = lines.ttl(3).req_id(7).table_name_key("id")),
    );
    assert_eq!(said.message(), "key <a b=1> 5 1 5 3 7 id");
    let said = put(&connection, &lines(|lines| _ = lines.req_id(u64::MAX))).message();
    assert!(said.ends_with(" -1"), "{said}");
}

#[test]
fn an_older_library_is_used_for_all_that_it_can_do() {
    let keyless = ["taos_schemaless_insert_raw_ttl_with_reqid_tbname_key"];
    let old = [
        "taos_schemaless_insert_raw_with_reqid",
        "taos_schemaless_insert_raw_ttl_with_reqid",
        "taos_schemaless_insert_raw_ttl_with_reqid_tbname_key",
        "taos_write_raw_block_with_reqid",
        "taos_write_raw_block_with_fields_with_reqid",
    ];
    let connection = connection(whole().without(&old));
    let said = put(&connection, &lines(|_| ())).message();
    assert_eq!(said, "raw <a b=1> 5 1 5");
    let said = put(&connection, &lines(|lines| _ = lines.ttl(3))).message();
    assert_eq!(said, "ttl <a b=1> 5 1 5 3");
    for (data, name) in [
        (lines(|lines| _ = lines.req_id(7)), old[0]),
        (lines(|lines| _ = lines.req_id(7).ttl(1)), old[1]),
        (lines(|lines| _ = lines.table_name_key("id")), keyless[0]),
    ] {
        let error = put(&connection, &data);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    let mut block = block(Ty::Int);
    block.with_table_name("t1");
    let said = words(connection.write_block(BlockWrite::new(&block, 9).unwrap()));
    assert_eq!(said, "block 2 t1");
    block.with_field_names(["ts", "v"]);
    let said = words(connection.write_block(BlockWrite::new(&block, 9).unwrap()));
    assert_eq!(said, "fields 2 t1 2 v");
}

#[test]
fn options_of_a_connection_have_their_numbers_and_are_set_back_without_a_value() {
    let connection = connection(whole());
    let said = words(connection.set_option(ConnectionOption::UserApp, Some("?")));
    assert_eq!(said, "option 3");
    connection
        .set_option(ConnectionOption::UserApp, Some("app"))
        .unwrap();
    connection
        .set_option(ConnectionOption::Clear, None)
        .unwrap();
    assert_eq!(words(connection.set_bi_mode(true)), "mode 0 1");
    assert_eq!(words(connection.validate("select 1")), "validate select 1");
    assert_eq!(connection.database().unwrap().as_deref(), Some("power"));
    assert_eq!(connection.server_info().unwrap(), "ver:3.3.7.5");
}

#[test]
fn virtual_groups_come_in_the_order_of_their_tables() {
    let connection = connection(whole());
    assert_eq!(connection.vgroup_of("db", "t").unwrap(), 42);
    let tables = ["a".to_owned(), "c".to_owned(), "b".to_owned()];
    assert_eq!(connection.vgroups_of("db", &tables).unwrap(), [97, 99, 98]);
}

fn block(ty: Ty) -> RawBlock {
    let columns = [
        ColumnView::from_millis_timestamp(vec![1, 2]),
        ColumnView::null(2, ty),
    ];
    RawBlock::from_views(&columns, Precision::Millisecond)
}

#[test]
fn blocks_go_by_name_if_they_have_names() {
    let connection = connection(whole());
    let mut block = block(Ty::Int);
    block.with_table_name("t1");
    let said = words(connection.write_block(BlockWrite::new(&block, 9).unwrap()));
    assert_eq!(said, format!("block 2 t1 {} 9", block.as_raw_bytes().len()));
    block.with_field_names(["ts", "v"]);
    let said = words(connection.write_block(BlockWrite::new(&block, 9).unwrap()));
    assert_eq!(said, "fields 2 t1 2 v 4 4 9");
}

#[test]
fn blobs_are_kept_from_every_library_for_of_none_is_known_that_they_do_not_crash_it() {
    for version in ["3.3.7.5", "3.3.8.0", "3.4.1.12"] {
        let connection = connection(Stub::whole(version).with(CODE));
        let mut block = block(Ty::Blob);
        block.with_table_name("t1");
        let error = connection
            .write_block(BlockWrite::new(&block, 9).unwrap())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(version), "{error}");
    }
}

#[test]
fn a_failed_message_has_the_words_of_its_code() {
    let connection = connection(whole());
    let message = RawMeta::new(3, vec![7, 8]);
    let error = connection
        .write_message(MessageWrite::new(&message).unwrap())
        .unwrap_err();
    assert_eq!(error.message(), "by its own words");
    assert_eq!(error.code(), 0x0388);
}
