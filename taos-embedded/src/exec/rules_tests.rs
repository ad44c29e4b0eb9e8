//! What DDL, INSERT and users are refused for, each rule from several sides (DIALECT §10, §11, §13). The code 0
//! stands for statements that succeed.

use super::log_tests::Bed;
use crate::engine::Batch;
use crate::schemaless::SchemalessBatch;
use crate::sql::SqlError;

fn check(bed: &Bed, cases: &[(&str, u32)]) {
    for (sql, code) in cases {
        let outcome = bed.session.execute(sql);
        let (got, text) = match outcome {
            Ok(_) => (0, String::new()),
            Err(error) => (error.code, error.message),
        };
        assert_eq!(got, *code, "{sql}: {text}");
    }
}

fn bed() -> Bed {
    let bed = Bed::new("create database d keep 36500 vgroups 2");
    bed.run("create database pd keep 36500");
    bed.run("create database p2 precision 'us' keep 36500");
    bed.run("use pd");
    bed
}

#[test]
fn options_of_databases_have_their_ranges_and_go_together() {
    let cases = [
        ("create database `a.b`", 9751),
        ("create database x replica 3", 820),
        ("create database x replica 4", 9753),
        ("create database x minrows 1000 maxrows 500", 898),
        ("create database x pages 63", 9753),
        ("create database x pagesize 0", 9753),
        ("create database x comp 3", 9753),
        ("create database x wal_level 3", 9753),
        ("create database x wal_fsync_period 180001", 9753),
        ("create database x maxrows 199", 9753),
        ("create database x minrows 9", 9753),
        ("create database x stt_trigger 17", 9753),
        ("create database x vgroups 1025", 9753),
        ("create database x cachesize 65537", 9753),
        ("create database x buffer 16385", 9753),
        ("create database x duration 59m", 9753),
        ("create database x duration 3651d", 9753),
        ("create database x duration 1s", 9753),
        ("create database x keep 10,5", 9753),
        ("create database x keep 1,2,3,4", 9753),
        ("create database x single_stable 2", 9753),
        ("create database x precision 1", 9728),
        ("create database x cachemodel none", 9728),
        ("create database x buffer 'a'", 9728),
        ("create database x keep -1", 9728),
        ("create database if not exists information_schema", 512),
        ("drop database information_schema", 512),
        ("drop database nosuch", 904),
        ("alter database nosuch keep 10d", 904),
        ("alter database pd precision 'us'", 9728),
        ("alter database pd vgroups 3", 9728),
        ("alter database pd duration 5d", 9728),
        ("alter database pd keep 29d", 9753),
        ("alter database pd keep 30d", 0),
        ("alter database pd keep 36500", 0),
        ("alter database pd", 9729),
        ("alter database pd buffer 2", 9753),
        ("alter database pd cachemodel 'x'", 9753),
        ("alter database pd wal_retention_period 0", 0),
        (
            "alter database pd wal_retention_period 3600 wal_retention_size 10",
            0,
        ),
        ("alter database pd maxrows 500", 9728),
        ("flush database nosuch", 904),
    ];
    check(&bed(), &cases);
}

#[test]
fn tables_are_made_by_the_rules_of_names_columns_tags_and_options() {
    let cases = [
        ("create table t (v int)", 9791),
        ("create table t (ts int)", 9791),
        ("create table t (ts int, v int)", 9793),
        ("create table t (ts timestamp, j json)", 9810),
        ("create table t (ts timestamp, `a.b` int)", 9751),
        ("create table `a.b` (ts timestamp, v int)", 9751),
        ("create table nosuch.t (ts timestamp, v int)", 904),
        ("create table nosuch.t (v int)", 904),
        ("create table t (ts timestamp, v int) nosuch 1", 9728),
        ("create table t (ts timestamp, v int) watermark 5s", 9754),
        ("create table t (ts timestamp, v int) max_delay 5s", 9754),
        (
            "create stable t (ts timestamp, v int) tags (g int) rollup(avg)",
            9754,
        ),
        (
            "create stable t (ts timestamp, v int) tags (g int) ttl 5",
            9754,
        ),
        ("create table t (ts timestamp, v int) ttl -1", 9728),
        ("create table t (ts timestamp, v int) ttl 2147483648", 548),
        ("create table t (ts timestamp, v int) sma(w)", 9730),
        (
            "create table ts1 (ts timestamp, v int, w int) sma(v) comment 'x' ttl 3",
            0,
        ),
        (
            "create table te (ts timestamp, v int encode 'simple8b' compress 'zlib' level 'high')",
            0,
        ),
        (
            "create stable s (ts timestamp, v int) tags (g int, g int)",
            9788,
        ),
        ("create stable s (ts timestamp, v int) tags (v int)", 9788),
        ("create stable s (ts timestamp, v int) tags ()", 9728),
        (
            "create stable s (ts timestamp, v int) tags (a json, b int)",
            9779,
        ),
        (
            "create stable s (ts timestamp, v int) tags (a varchar(16383))",
            9794,
        ),
        (
            "create stable s (ts timestamp, v int) tags (a nchar(4096))",
            9794,
        ),
        (
            "create stable s (ts timestamp, v int) tags (a varchar(8192), b varchar(8192))",
            9789,
        ),
        (
            "create stable s2 (ts timestamp, v int) tags (a varchar(8190), b varchar(8190))",
            0,
        ),
        ("alter stable s2 add tag c int", 9789),
        ("alter stable s2 modify tag a varchar(8191)", 9789),
        ("create stable s (ts timestamp, v blob) tags (g int)", 0),
        ("drop stable s", 0),
        (
            "create stable s (ts timestamp, v int, s varchar(4)) tags (g int, l varchar(8))",
            0,
        ),
        ("create stable s (ts timestamp, v int) tags (g int)", 864),
        ("create table s (ts timestamp, v int)", 1539),
        ("create table s using s tags (1, 'a')", 1565),
        ("create table c1 using s tags (1, 'a')", 0),
        ("create table c1 (ts timestamp, v int)", 1539),
        ("create stable c1 (ts timestamp, v int) tags (g int)", 1539),
        ("create table p2.c1 using pd.s tags (1, 'a')", 9752),
        ("create table c2 using nosuch.s tags (1)", 9752),
        ("create table c2 using ts1 tags (1)", 9741),
        ("create table c2 using s (g, g) tags (1, 2)", 534),
        ("create table c2 using s (g) tags (1, 'a')", 9741),
        ("create table c2 using s tags (1)", 9741),
        ("create table c2 using s tags (1.5, 2)", 0),
        ("create table c3 using s tags ('1.5', true)", 0),
        (
            "create table c4 using s tags ('null', 'null') ttl 5 comment 'it'",
            0,
        ),
        ("create table c5 using s tags (true, 'x')", 534),
        ("create table c5 using s tags (3000000000, 'x')", 534),
        ("create table c5 using s tags (1, '123456789')", 9811),
        ("drop table s, c1", 9786),
        ("drop stable c1", 866),
        ("drop stable ts1", 866),
        ("drop stable if exists c1", 0),
        ("drop table if exists nosuch", 0),
        ("drop table nosuch.t", 904),
        ("show create stable c1", 559),
        ("show create stable nosuch", 9731),
    ];
    check(&bed(), &cases);
}

#[test]
fn tables_are_altered_by_the_rules_of_their_kind() {
    let bed = bed();
    for sql in [
        "create stable s (ts timestamp, v int, s varchar(4)) tags (g int, l varchar(8))",
        "create table c1 using s tags (1, 'a')",
        "create table ts1 (ts timestamp, v int, w int)",
    ] {
        bed.run(sql);
    }
    let cases = [
        ("alter table nosuch add column x int", 9731),
        ("alter table s add column v int", 875),
        ("alter table s add column g int", 873),
        ("alter table s add column j json", 9810),
        ("alter table s add column k int primary key", 9850),
        ("alter table s drop column nosuch", 9730),
        ("alter table s drop column ts", 962),
        ("alter table s drop column g", 876),
        ("alter table s drop tag v", 874),
        ("alter table s modify column g bigint", 9803),
        ("alter table s modify column l varchar(9)", 876),
        ("alter table s modify tag v int", 9803),
        ("alter table s modify tag s varchar(9)", 874),
        ("alter stable c1 add column x int", 866),
        ("alter stable ts1 add column x int", 866),
        ("alter stable ts1 drop column v", 9801),
        ("alter stable c1 set tag g = 1", 9801),
        ("alter table s modify column v bigint", 9803),
        ("alter table s modify column v varchar(70000)", 9803),
        ("alter table s modify column s varchar(65518)", 9794),
        ("alter table s modify column s nchar(40)", 9803),
        ("alter table s modify column nosuch varchar(9)", 9730),
        ("alter table s modify tag nosuch varchar(9)", 9742),
        ("alter table s modify tag l varchar(8)", 9803),
        ("alter table s rename tag nosuch x", 874),
        ("alter table s rename tag g l", 873),
        ("alter table s rename tag g v", 875),
        ("alter table s rename column v w", 9801),
        ("alter table s set tag g = 1", 9801),
        ("alter table s ttl 4", 9801),
        ("alter table s add tag g int", 873),
        ("alter table s add tag v int", 875),
        ("alter table s add tag j json", 9779),
        ("alter table s add tag d decimal(5,2)", 9730),
        ("alter table s drop tag nosuch", 9742),
        ("alter table s drop column v", 0),
        ("alter table s drop column s", 9809),
        ("alter table ts1 add tag x int", 9801),
        ("alter table ts1 set tag x = 1", 9801),
        ("alter table ts1 rename column nosuch x", 9730),
        ("alter table ts1 rename column v w", 9788),
        ("alter table ts1 rename column v `w.w`", 9751),
        ("alter table ts1 drop column ts", 9802),
        ("alter table ts1 add column v int", 9788),
        ("alter table ts1 comment 'new' ttl 9", 0),
        ("alter table ts1 sma(v)", 9728),
        ("alter table c1 set tag g = 5, l = 'z'", 0),
        ("alter table c1 set tag nosuch = 5", 9801),
        ("alter table c1 set tag l = '123456789'", 9811),
        ("alter table c1 set tag g = 'x'", 534),
        ("alter table c1 add column x int", 1316),
        ("alter table c1 add column g int", 9788),
        ("alter table c1 drop column nosuch", 9809),
        ("alter table c1 add tag x int", 9801),
        ("alter table ts1 drop column w", 0),
        ("alter table ts1 drop column nosuch", 9809),
        ("alter stable nosuch add column x int", 9731),
        (
            "alter table information_schema.ins_tables add column x int",
            9833,
        ),
        ("drop table information_schema.ins_tables", 9833),
        (
            "create table information_schema.t (ts timestamp, v int)",
            9833,
        ),
        ("create stable js (ts timestamp, v int) tags (j json)", 0),
        ("alter stable js add tag x int", 9779),
        ("alter stable js drop tag j", 9779),
    ];
    check(&bed, &cases);
}

#[test]
fn values_are_converted_to_the_type_of_their_column_or_refused() {
    let cases = [
        (
            "create table a (ts timestamp, b bool, ti tinyint, si smallint, i int, bi bigint, uti tinyint unsigned, usi smallint unsigned, ui int unsigned, ubi bigint unsigned, f float, d double, s varchar(5), n nchar(3), vb varbinary(4), g geometry(64), de decimal(5,2), t timestamp)",
            0,
        ),
        (
            "insert into a (ts, b) values (1, '1') (2, '0') (3, '0.5') (4, 0.0) (5, 0x1) (6, 'null') (7, null)",
            0,
        ),
        ("insert into a (ts, b) values (1, '')", 534),
        ("insert into a (ts, b) values (1, 'yes')", 534),
        (
            "insert into a (ts, i) values (1, 'null') (2, 'NULL') (3, '0x10') (4, 1.5) (5, -1.5) (6, '2.5') (7, '-7') (8, 0b11) (9, 1e2)",
            0,
        ),
        ("insert into a (ts, i) values (1, '')", 534),
        ("insert into a (ts, i) values (1, 'nul')", 534),
        ("insert into a (ts, i) values (1, false)", 534),
        ("insert into a (ts, ti) values (1, -129)", 534),
        ("insert into a (ts, ti) values (1, 127.5)", 534),
        ("insert into a (ts, ti) values (1, 127.4)", 0),
        ("insert into a (ts, si) values (1, -32769)", 534),
        (
            "insert into a (ts, bi) values (1, -9223372036854775809)",
            534,
        ),
        ("insert into a (ts, uti) values (1, 256)", 534),
        ("insert into a (ts, uti) values (1, -0)", 0),
        ("insert into a (ts, uti) values (1, '-1')", 534),
        ("insert into a (ts, usi) values (1, 65536)", 534),
        ("insert into a (ts, ui) values (1, 4294967296)", 534),
        ("insert into a (ts, f) values (1, 'abc')", 534),
        ("insert into a (ts, f) values (1, 3.4e38)", 0),
        ("insert into a (ts, f) values (1, -3.5e38)", 534),
        ("insert into a (ts, f) values (1, true)", 534),
        ("insert into a (ts, d) values (1, 1e308)", 0),
        ("insert into a (ts, d) values (1, 1e309)", 534),
        ("insert into a (ts, d) values (1, '')", 534),
        ("insert into a (ts, s) values (1, 123456)", 9811),
        (
            "insert into a (ts, s) values (1, 'null') (2, null) (3, 1.50) (4, TRUE) (5, -1)",
            0,
        ),
        ("insert into a (ts, n) values (1, 'abcd')", 9811),
        ("insert into a (ts, n) values (1, '二三四')", 0),
        ("insert into a (ts, vb) values (1, 12)", 9834),
        ("insert into a (ts, vb) values (1, '\\x1')", 9834),
        ("insert into a (ts, vb) values (1, '\\xzz')", 9834),
        ("insert into a (ts, vb) values (1, '\\x0102030405')", 9811),
        ("insert into a (ts, vb) values (1, 'null')", 0),
        ("insert into a (ts, g) values (1, 'POINT(1 2')", 534),
        ("insert into a (ts, g) values (1, 1)", 534),
        ("insert into a (ts, g) values (1, 'null')", 0),
        ("insert into a (ts, de) values (1, 999.994)", 0),
        ("insert into a (ts, de) values (1, 1000)", 317),
        ("insert into a (ts, de) values (1, -999.995)", 317),
        (
            "insert into a (ts, t) values (1, 'now') (2, 'today') (3, 'null') (4, null) (5, 1) (6, '1') (7, '2024-01-01') (8, 1s + '2024-01-01')",
            0,
        ),
        ("insert into a (ts, t) values (1, 1.5)", 534),
        ("insert into a (ts, t) values (1, 0x10)", 534),
        ("insert into a (ts, t) values (1, true)", 534),
        ("insert into a (ts, t) values (1, now + 1n)", 534),
        ("insert into a (ts, t) values (1, now + 1y)", 534),
        ("insert into a (ts, t) values (1, now + 5)", 534),
        ("insert into a (ts, t) values (1, now + 1s + 1s)", 534),
        ("insert into a (ts, t) values (1, 1s + 1s)", 534),
        ("insert into a (ts, t) values (1, '2024-13-01')", 534),
        (
            "insert into a (ts, t) values (1, '2024-01-01 25:00:00')",
            534,
        ),
        ("insert into a (ts) values (null)", 534),
        ("insert into a (ts) values ('')", 534),
        ("insert into a values (1)", 534),
        ("insert into a (ts, ts) values (1, 2)", 534),
        ("insert into a (ts, i) values (1 2)", 534),
        ("insert into a (ts, i) values (1,)", 534),
        ("insert into a (ts, i) values ()", 534),
        ("insert into a (ts, i) values (1, abc)", 534),
        ("insert into a (ts, i) values (now, 1),", 0),
        ("insert into a (ts, i) values (31556995200000, 1)", 0),
        ("insert into a (ts, i) values (31556995200001, 1)", 1547),
    ];
    check(&bed(), &cases);
}

#[test]
fn times_outside_of_what_is_kept_are_refused_also_after_it_was_altered() {
    let cases = [
        ("create database pm keep 10d duration 1d", 0),
        ("insert into pm.x values (1, 1)", 9731),
        ("create table pm.x (ts timestamp, v int)", 0),
        ("insert into pm.x values (now - 239h, 1)", 0),
        ("alter database pm keep 20d", 0),
        ("insert into pm.x values (now - 19d, 1)", 0),
        ("insert into pm.x values (now - 480h - 1m, 1)", 534),
        ("insert into pm.x values (now - 481h, 1)", 1547),
        ("alter database pm keep 100h", 0),
        ("insert into pm.x values (now - 101h, 1)", 1547),
        ("insert into pm.x values (now - 99h, 1)", 0),
    ];
    check(&bed(), &cases);
}

#[test]
fn subtables_that_an_insert_makes_follow_the_rules_of_their_super_table() {
    let bed = bed();
    bed.run("create table a (ts timestamp, v int)");
    let cases = [
        (
            "create stable s (ts timestamp, v int) tags (g int, l varchar(8))",
            0,
        ),
        ("insert into x1 using s tags (1, 'a') values (1, 1)", 0),
        ("insert into x1 using s (g) tags (1, 2) values (1, 1)", 9741),
        (
            "insert into x2 using s (nosuch) tags (1) values (1, 1)",
            9742,
        ),
        ("insert into x2 using a tags (1) values (1, 1)", 512),
        ("insert into a using s tags (1, 'a') values (1, 1)", 1565),
        ("insert into s (tbname, ts, v) values ('', 1, 1)", 512),
        ("insert into s (tbname, ts, v) values ('a.b', 1, 1)", 512),
        ("insert into s (tbname, ts, v) values (null, 1, 1)", 512),
        ("insert into s (tbname, ts, v) values ('a', 1, 1)", 1565),
        ("insert into s (tbname, v) values ('x9', 1)", 512),
        (
            "insert into s (tbname, ts, nosuch) values ('x9', 1, 1)",
            9730,
        ),
        ("insert into s (tbname, ts) values ('x9', 1)", 0),
    ];
    check(&bed, &cases);
}

#[test]
fn users_are_made_altered_and_dropped_by_the_administrator() {
    let cases = [
        ("drop user if exists u1", 0),
        ("drop user u1", 849),
        ("create user u1 pass 'short'", 9745),
        ("create user u1 pass ''", 9745),
        ("create user u1 pass 'alllowercase'", 9800),
        ("create user u1 pass 'lower1234567'", 9800),
        ("create user u1 pass 'Lower1234567'", 0),
        ("create user u1 pass 'Lower1234567'", 848),
        ("create user root pass 'Lower1234567'", 848),
        ("create user u3 pass 'Lower1234567' sysinfo 2", 9728),
        ("create user u3", 9729),
        ("create user u3 pass", 9729),
        ("create user u3 pass abc", 9728),
        ("alter user u1", 9729),
        ("alter user u1 pass 'Other_12345'", 0),
        ("alter user u1 enable 0", 0),
        ("alter user u1 sysinfo 0", 0),
        ("alter user nosuch enable 0", 849),
        ("alter user root enable 0", 771),
        ("drop user root", 771),
        ("drop user u1", 0),
    ];
    check(&bed(), &cases);
}

#[test]
fn a_user_may_change_the_own_password_and_little_else() {
    let bed = bed();
    bed.run("create user worker pass 'Secret_1234'");
    let other = bed.engine.session("worker");
    let code = |sql: &str| other.execute(sql).map_or_else(|error| error.code, |_| 0);
    for sql in [
        "create user another pass 'Secret_1234'",
        "drop user root",
        "alter user worker enable 0",
        "alter user root pass 'Secret_1234'",
    ] {
        assert_eq!(code(sql), 0x0303, "{sql}");
    }
    assert_eq!(code("alter user worker pass 'Secret_5678'"), 0);
    assert_eq!(
        bed.engine.login("worker", "Secret_1234").unwrap_err().code,
        0x0357
    );
    bed.engine.login("worker", "Secret_5678").unwrap();
    assert_eq!(code("show users"), 0);
    bed.run("alter user worker sysinfo 0");
    assert_eq!(code("show users"), 0x2644);
    assert_eq!(code("select * from information_schema.ins_dnodes"), 0x2644);
    assert_eq!(code("describe information_schema.ins_users"), 0x2644);
    assert_eq!(code("select * from information_schema.ins_tables"), 0);
    bed.run("alter user worker enable 0");
    assert_eq!(
        bed.engine.login("worker", "Secret_5678").unwrap_err().code,
        0x0315
    );
    assert_eq!(
        bed.engine.login("worker", "wrong").unwrap_err().code,
        0x0357
    );
}

#[test]
fn sessions_of_users_that_were_dropped_or_disabled_do_nothing_more() {
    let bed = bed();
    bed.run("create user worker pass 'Secret_1234' sysinfo 0");
    let worker = bed.engine.session("worker");
    worker.execute("use pd").unwrap();
    worker
        .execute("create table own (ts timestamp, v int)")
        .unwrap();
    let insert = worker.prepare("insert into own values (?, ?)").unwrap();
    let shape = worker.shape(&insert, None).unwrap();
    let query = worker.prepare("select * from own").unwrap();
    let lines = SchemalessBatch {
        protocol: 1,
        precision: "ms",
        ttl: 0,
        table_name_key: "",
        data: "m,a=b v=1 1700000000000",
    };
    let codes = || {
        let of = |outcome: Result<(), SqlError>| outcome.map_or_else(|error| error.code, |()| 0);
        let run = |sql: &str| of(worker.execute(sql).map(drop));
        let mut codes = vec![
            run("select * from own"),
            run("insert into own values (now, 1)"),
            run("use pd"),
            run("select * from information_schema.ins_users"),
            of(worker.schemaless(&lines).map(drop)),
            of(worker.write_meta(Vec::new()).map(drop)),
            of(worker.run_prepared(&query, &[]).map(drop)),
            of(worker.shape(&insert, None).map(drop)),
            of(worker.write_batch(Batch::default(), "").map(drop)),
            of(worker.validate("select * from own")),
        ];
        codes.dedup();
        codes
    };
    assert_eq!(codes(), [0, 0x2644, 0]);
    bed.run("alter user worker enable 0");
    assert_eq!(codes(), [0x0315]);
    bed.run("alter user worker enable 1");
    assert_eq!(codes(), [0, 0x2644, 0]);
    bed.run("drop user worker");
    assert_eq!(codes(), [0x0351]);
    // shapes are only compared, which tells nothing
    assert!(worker.is_current(&shape));
}

fn rows(bed: &Bed, sql: &str) -> Vec<String> {
    let answer = bed.session.execute(sql);
    let crate::engine::Answer::Rows(mut rows) = answer.unwrap_or_else(|e| panic!("{sql}: {e}"))
    else {
        panic!("{sql}: no result");
    };
    let mut all = Vec::new();
    while let Some(block) = rows.next_block().unwrap() {
        all.extend(block.to_values().into_iter().map(|row| format!("{row:?}")));
    }
    all
}

#[test]
fn show_create_writes_what_makes_the_same_table_again() {
    let bed = bed();
    let statements = [
        "CREATE TABLE `a` (`ts` TIMESTAMP, `v` INT, `w` INT) COMMENT 'x' TTL 3 SMA(`v`)",
        "CREATE TABLE `b` (`ts` TIMESTAMP, `k` INT COMPRESS 'zlib' LEVEL 'high' COMPOSITE KEY, `d` DECIMAL(9,2))",
        "CREATE STABLE `c` (`ts` TIMESTAMP, `n` NCHAR(4)) TAGS (`g` GEOMETRY(64), `l` VARCHAR(8)) COMMENT ''",
        "CREATE TABLE `d` USING `c` (`g`, `l`) TAGS (NULL, \"e\") COMMENT 'y' TTL 9",
    ];
    for sql in statements {
        bed.run(sql);
        let name = sql.split('`').nth(1).unwrap();
        let shown = rows(&bed, &format!("show create table {name}"));
        assert!(shown[0].contains(&format!("{sql:?}")), "{shown:?}");
    }
    let shown = rows(&bed, "show create database pd");
    let text = shown[0].split("CREATE DATABASE `pd`").nth(1).unwrap();
    let options = text.trim_end_matches(|c| c != '0' && c != 'h');
    bed.run(&format!("CREATE DATABASE `again`{options}"));
    assert_eq!(
        rows(&bed, "show create database again")[0].replace("again", "pd"),
        shown[0]
    );
}

#[test]
fn system_tables_answer_all_forms_of_show() {
    let bed = bed();
    for (sql, count) in [
        ("show dnodes", 1),
        ("show mnodes", 1),
        ("show qnodes", 0),
        ("show cluster", 1),
        ("show cluster alive", 1),
        ("show pd.alive", 1),
        ("show pd.vgroups", 2),
        ("show vnodes", 6),
        ("show users", 1),
        ("show user privileges", 1),
        ("show functions", 0),
        ("show topics", 0),
        ("show consumers", 0),
        ("show transactions", 0),
        ("show indexes from t from pd", 0),
        ("show local variables like 'time%'", 1),
        ("show system databases", 2),
        ("show user databases", 3),
    ] {
        assert_eq!(rows(&bed, sql).len(), count, "{sql}");
    }
    check(
        &bed,
        &[
            ("show nosuch", 0x2600),
            ("show users x", 0x2600),
            ("show databases like 'p%'", 0x2600),
            ("show nosuch.alive", 0x0388),
            ("show nosuch.vgroups", 0x0388),
            ("show streams", 0x0100),
            ("show table distributed t", 0x0100),
        ],
    );
}
