//! What topics may be made on, and what they forbid.

use super::log_tests::Bed;

fn bed() -> Bed {
    let bed = Bed::new("create database d vgroups 1");
    bed.run("create stable st (ts timestamp, v int, w varchar(8)) tags (a int, b varchar(4))");
    bed.run("create table c using st tags (1, 'x')");
    bed.run("create table n (ts timestamp, v int, w int)");
    bed
}

fn code(bed: &Bed, sql: &str) -> u32 {
    match bed.session.execute(sql) {
        Ok(_) => 0,
        Err(error) => error.code,
    }
}

#[test]
fn topics_are_made_on_tables_databases_and_conditions() {
    let bed = bed();
    for source in [
        "select * from st",
        "select ts, v + 1 as x, tbname from d.st where v > 1 and a < 5",
        "select v from c where w like 'x%'",
        "select ts, w from n",
        "stable st",
        "stable d.st where a > 1 and b = 'x'",
        "stable st where tbname like 'c%'",
        "database d",
    ] {
        bed.run(&format!("create topic t as {source}"));
        bed.run(&format!("create topic if not exists t as {source}"));
        assert_eq!(code(&bed, "create topic t as database d"), 0x03E0);
        bed.run("drop topic t");
    }
    bed.run("create topic t with meta as stable st where a > 1");
    bed.run("create topic u with meta as database d");
    let catalog = bed.engine.store().catalog();
    let (t, u) = (&catalog.topics["t"], &catalog.topics["u"]);
    assert!(t.id > 0 && u.id > t.id && t.with_meta);
    assert_eq!((t.kind.as_str(), u.kind.as_str()), ("stable", "db"));
}

#[test]
fn what_no_topic_can_carry_is_refused() {
    let bed = bed();
    for (source, expected) in [
        ("as select count(*) from st", 0x2639),
        ("as select abs(sum(v)) from st", 0x2639),
        ("as select v from st order by v", 0x2639),
        ("as select v from st partition by tbname", 0x2639),
        ("as select v from (select v from st)", 0x2639),
        ("as select 1", 0x2639),
        (
            "as select name from information_schema.ins_databases",
            0x2639,
        ),
        ("as select x from st", 0x2602),
        ("as select v from missing", 0x2603),
        ("as stable missing", 0x0362),
        ("as stable n", 0x0362),
        ("as stable st where v > 1", 0x2600),
        ("as stable st where x > 1", 0x2600),
        ("as stable n where a > 1", 0x2600),
        ("as stable missing where a > 1", 0x2603),
        ("as stable st where count(a) > 1", 0x2639),
        ("as database missing", 0x0388),
        ("with meta as select v from st", 0x2600),
        ("only meta as database d", 0x0100),
    ] {
        let sql = format!("create topic t {source}");
        assert_eq!(code(&bed, &sql), expected, "{sql}: {:x}", code(&bed, &sql));
    }
    let long = "t".repeat(193);
    assert_eq!(
        code(&bed, &format!("create topic {long} as database d")),
        0x2617
    );
    assert_eq!(code(&bed, "drop topic t"), 0x03E1);
    assert_eq!(code(&bed, "drop topic if exists t"), 0);
    assert_eq!(code(&bed, "drop consumer group g on t"), 0x03E1);
    assert_eq!(code(&bed, "drop consumer group if exists g on t"), 0);
}

#[test]
fn what_a_topic_uses_is_neither_changed_nor_dropped() {
    let bed = bed();
    bed.run("create topic t1 as select ts, v from c where a > 0");
    bed.run("create topic t2 as select ts, v from n");
    bed.run("create topic t3 as stable st where b = 'x'");
    for (sql, expected) in [
        ("alter table st drop column v", 0x03C4),
        ("alter table st drop tag a", 0x03C4),
        ("alter table st rename tag a c", 0x03C4),
        ("alter table st modify tag b varchar(9)", 0x03C4),
        ("alter table n drop column v", 0x03C4),
        ("alter table n rename column v u", 0x03C4),
        ("alter table n drop column w", 0),
        ("alter table st modify column w varchar(9)", 0),
        ("alter table st add column z int", 0),
        ("alter table c set tag a = 2", 0),
        ("drop table c", 0x03ED),
        ("drop table n", 0x03ED),
        ("drop stable st", 0x03ED),
        ("drop table st", 0x03ED),
        ("drop database d", 0x03ED),
    ] {
        // the added column brings the number of columns back
        assert_eq!(code(&bed, sql), expected, "{sql}");
        if sql == "alter table n drop column w" {
            bed.run("alter table n add column w int");
        }
    }
    bed.run("drop topic t1");
    bed.run("drop table c");
    bed.run("drop topic force t2");
    bed.run("drop table n");
    bed.run("drop topic if exists t3");
    bed.run("drop database d");
}

#[test]
fn topics_outlive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let storage = crate::engine::Storage::Dir(dir.path().to_owned());
        crate::engine::Engine::open(storage).unwrap()
    };
    let engine = open();
    let session = engine.session("root");
    for sql in [
        "create database d",
        "create table d.n (ts timestamp, v int, w int)",
        "create topic t as select v from d.n",
    ] {
        session.execute(sql).unwrap();
    }
    let id = engine.store().catalog().topics["t"].id;
    engine.close();
    drop((session, engine));
    let engine = open();
    assert_eq!(engine.store().catalog().topics["t"].id, id);
    let refused = engine
        .session("root")
        .execute("alter table d.n drop column v");
    assert_eq!(refused.unwrap_err().code, 0x03C4);
    let session = engine.session("root");
    session.execute("alter table d.n drop column w").unwrap();
}

#[test]
fn a_replayed_message_cannot_take_a_column_from_a_topic() {
    let bed = bed();
    let of = |sql: &str| {
        let entries = bed.log(bed.vgroup());
        bed.run(sql);
        let body = bed.log(bed.vgroup()).split_off(entries.len()).pop();
        match body.map(|entry| entry.body) {
            Some(crate::tmq::Body::Meta(meta)) => meta,
            other => panic!("{sql}: {other:?}"),
        }
    };
    bed.run("alter table n add column x int");
    let drop_v = of("alter table n drop column v");
    let drop_w = of("alter table n drop column w");
    bed.run("drop table n");
    bed.run("create table n (ts timestamp, v int, w int, x int)");
    bed.run("create topic t as select ts, v from n");
    let replay = |meta| bed.session.write_meta(vec![meta]);
    assert_eq!(replay(drop_v.clone()).unwrap_err().code, 0x03C4);
    replay(drop_w).unwrap();
    bed.run("drop topic t");
    replay(drop_v).unwrap();
}

#[test]
fn a_topic_whose_statement_would_be_read_otherwise_than_written_is_refused() {
    let bed = bed();
    bed.run("create database other");
    bed.run("create topic t as select ts, database() from d.n");
    bed.run("use other");
    let sql = "create topic u as select ts, database() from d.n";
    assert_eq!(code(&bed, sql), 0x0100);
    bed.run("create topic u as select ts, server_version() from d.n");
}

#[test]
fn changes_of_a_database_that_wait_together_keep_what_the_others_change() {
    let bed = bed();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let changes = [
        "keep 100",
        "wal_retention_size 7",
        "wal_retention_period 9",
        "cachesize 5",
    ];
    let all = std::sync::Barrier::new(changes.len() + 1);
    std::thread::scope(|scope| {
        let store = bed.engine.store().clone();
        scope.spawn(move || store.write(move |_| Ok(wait.recv().map_or(0, |()| 0))));
        for change in changes {
            let (session, all) = (bed.engine.session("root"), &all);
            scope.spawn(move || {
                all.wait();
                session
                    .execute(&format!("alter database d {change}"))
                    .unwrap();
            });
        }
        all.wait();
        // what was read before the others' changes is read by now
        std::thread::park_timeout(std::time::Duration::from_millis(50));
        go.send(()).unwrap();
    });
    let catalog = bed.engine.store().catalog();
    let options = &catalog.databases["d"].options;
    let numbers = ["wal_retention_size", "wal_retention_period", "cachesize"];
    assert_eq!(numbers.map(|name| options.number(name)), [7, 9, 5]);
}

#[test]
fn a_topic_that_repeats_too_many_bytes_of_tags_is_refused() {
    let bed = bed();
    bed.run("create stable wide (ts timestamp, v int) tags (a nchar(4000))");
    bed.run("create topic t as select ts, v, a, a from wide");
    for items in ["ts, a, a, a", "*, a, a"] {
        assert_eq!(
            code(&bed, &format!("create topic u as select {items} from wide")),
            0x0100
        );
    }
}
