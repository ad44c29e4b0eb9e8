//! What is stored of an entry is what is read; what is read of anything else is an error. What is old goes.

use proptest::prelude::*;

use super::*;
use crate::engine::{Engine, Storage};
use crate::meta::{DroppedTable, NewKind};
use crate::tmq::Part;
use taos_query::tmq::raw::{DataEntry, EntryColumn, EntrySchema};

fn column() -> impl Strategy<Value = EntryColumn> {
    let all = (
        any::<u8>(),
        any::<u8>(),
        any::<i32>(),
        any::<i32>(),
        "[a-zß水]{0,9}",
    );
    all.prop_map(|(ty, flags, bytes, id, name)| EntryColumn {
        ty,
        flags,
        bytes,
        id,
        name,
    })
}

fn entry() -> impl Strategy<Value = DataEntry> {
    let schema = (any::<i32>(), prop::collection::vec(column(), 0..4));
    let schema = schema.prop_map(|(version, columns)| Arc::new(EntrySchema::new(version, columns)));
    let block = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let table = prop::option::of("[a-zß水]{0,9}");
    (
        block,
        any::<u64>(),
        any::<u8>(),
        prop::option::of(schema),
        table,
    )
        .prop_map(|(block, rows, precision, schema, table)| DataEntry {
            block,
            rows,
            precision,
            schema,
            table,
        })
}

fn new_table() -> impl Strategy<Value = NewTable> {
    ("[a-zß水]{1,9}", any::<(i64, i64, i32)>()).prop_map(|(name, (uid, created, ttl))| NewTable {
        flags: 0,
        name,
        uid,
        created,
        ttl,
        comment: None,
        kind: NewKind::Normal {
            columns: crate::meta::Schema::default(),
            compression: crate::meta::Compression::default(),
            digits: None,
        },
        sql: Bytes::new(),
    })
}

fn body() -> impl Strategy<Value = Body> {
    let part = (
        any::<i64>(),
        any::<i64>(),
        prop::option::of(new_table()),
        entry(),
    );
    let part = part.prop_map(|(table, def, created, rows)| Part {
        table,
        def,
        created,
        rows,
    });
    let dropped =
        ("[a-z]{0,9}", any::<(i64, i64, u8)>()).prop_map(|(name, (super_uid, uid, if_exists))| {
            DroppedTable {
                name,
                super_uid,
                uid,
                if_exists,
            }
        });
    prop_oneof![
        prop::collection::vec(part, 0..4).prop_map(Body::Rows),
        prop::collection::vec(dropped, 0..4).prop_map(|all| Body::Meta(Meta::DropTables(all))),
        prop::collection::vec(new_table(), 0..4)
            .prop_map(|tables| Body::Meta(Meta::CreateTables { tables, source: 0 })),
    ]
}

proptest! {
    #[test]
    fn an_entry_is_read_as_it_was_stored_and_never_when_it_is_cut(body in body(), cut in any::<prop::sample::Index>()) {
        let stored = Bytes::from(codec::encode(&body).unwrap());
        let mut last = codec::Last::default();
        prop_assert_eq!(codec::decode(stored.clone(), &mut last), Ok(body.clone()));
        let cut = stored.slice(..cut.index(stored.len()));
        // an entry of rows may end behind each of its parts
        if let Ok(less) = codec::decode(cut, &mut last) {
            let (Body::Rows(less), Body::Rows(all)) = (less, body) else {
                panic!("a cut message was read")
            };
            prop_assert!(less.len() < all.len());
            prop_assert_eq!(&less[..], &all[..less.len()]);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 1..3_u8) {
        let mut entry = vec![kind];
        entry.extend(bytes);
        let _ = codec::decode(Bytes::from(entry), &mut codec::Last::default());
    }
}

struct Bed {
    engine: Engine,
}

impl Bed {
    fn new(options: &str) -> Self {
        let bed = Self {
            engine: Engine::open(Storage::Memory).unwrap(),
        };
        bed.run(&format!("create database d vgroups 1 {options}"));
        bed.run("create table d.n (ts timestamp, v varchar(2000))");
        bed
    }

    fn run(&self, sql: &str) {
        self.engine.session("root").execute(sql).unwrap();
    }

    fn insert(&self, entries: usize, length: usize) {
        let text = "x".repeat(length);
        for n in 0..entries {
            let ts = 1_700_000_000_000 + n;
            self.run(&format!("insert into d.n values ({ts}, '{text}')"));
        }
    }

    fn trim(&self, now: i64) {
        self.engine.store().trim_logs(now).unwrap();
    }

    fn bounds(&self) -> (i64, i64) {
        let store = self.engine.store();
        let (begin, end) = store.log_bounds(2);
        let there = store.log_read(2, 0, usize::MAX, usize::MAX).unwrap();
        let versions: Vec<i64> = there.iter().map(|e| e.version).collect();
        assert_eq!(versions, (begin.max(FIRST)..end).collect::<Vec<_>>());
        (begin, end)
    }
}

#[test]
fn entries_are_kept_for_the_time_that_the_database_says() {
    let bed = Bed::new("wal_retention_period 600");
    bed.insert(3, 1);
    let now = clock::millis();
    bed.trim(now + 300_000);
    assert_eq!(bed.bounds(), (0, 6));
    bed.run("alter database d wal_retention_period 100");
    bed.trim(now + 50_000);
    assert_eq!(bed.bounds(), (0, 6));
    bed.run("alter database d wal_retention_period -1");
    bed.trim(i64::MAX);
    assert_eq!(bed.bounds(), (0, 6), "for ever");
    bed.run("alter database d wal_retention_period 100");
    bed.trim(now + 200_000);
    assert_eq!(bed.bounds(), (6, 6), "nothing is left, and the end stays");
    bed.insert(1, 1);
    assert_eq!(bed.bounds(), (6, 7));
}

#[test]
fn of_a_log_with_a_size_the_newest_entries_are_kept() {
    let bed = Bed::new("wal_retention_period -1 wal_retention_size 10");
    bed.insert(20, 1000);
    bed.trim(clock::millis());
    let (begin, end) = bed.bounds();
    assert_eq!(end, 23);
    let kept = end - begin;
    assert!(
        (8..=10).contains(&kept),
        "{kept} entries of a good 1,000 bytes in 10 KiB"
    );
}

#[test]
fn many_old_entries_go_in_small_steps() {
    let bed = Bed::new("wal_retention_period 3600");
    bed.insert(600, 1);
    let limits = trim::Limits {
        before: Some(i64::MAX),
        bytes: None,
    };
    let most = (256, i64::MAX);
    let step = bed
        .engine
        .store()
        .read(move |c| trim::expired(c, 2, 0..603, (limits, 0), most))
        .unwrap();
    assert_eq!(
        (step.next, step.is_more, step.kept),
        (Some(FIRST + 256), true, None)
    );
    bed.trim(clock::millis() + 3_700_000);
    assert_eq!(bed.bounds(), (603, 603));
}

#[test]
fn bounds_and_numbers_of_vgroups_outlive_restarts_and_drops() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Engine::open(Storage::Dir(dir.path().to_owned())).unwrap();
    let run = |engine: &Engine, sql: &str| drop(engine.session("root").execute(sql).unwrap());
    let engine = open();
    run(
        &engine,
        "create database a vgroups 3 wal_retention_period 1",
    );
    run(&engine, "create database b vgroups 2");
    run(&engine, "create table b.n (ts timestamp, v int)");
    run(&engine, "create table b.m (ts timestamp, v int)");
    run(
        &engine,
        "create stable a.st (ts timestamp, v int) tags (t int)",
    );
    engine.store().trim_logs(clock::millis() + 5_000).unwrap();
    let place =
        |engine: &Engine, name: &str| engine.store().catalog().database(name).unwrap().vgroups();
    assert_eq!((place(&engine, "a"), place(&engine, "b")), (2..5, 5..7));
    let bounds = |engine: &Engine| -> Vec<(i64, i64)> {
        (2..7).map(|v| engine.store().log_bounds(v)).collect()
    };
    let before = bounds(&engine);
    assert_eq!(before[..3], [(3, 3); 3]);
    assert_eq!(before[3..], [(0, 3); 2]);
    engine.close();
    drop(engine);
    let engine = open();
    assert_eq!(bounds(&engine), before);
    run(&engine, "drop database b");
    run(&engine, "create database b vgroups 2");
    assert_eq!(place(&engine, "b"), 7..9, "numbers are not used again");
    assert!(engine.store().log_read(5, 0, 9, 9).unwrap().is_empty());
    let rows = engine.store().read(|c| {
        let count = "SELECT count(*) FROM log WHERE id >= 5 << 40";
        c.query_row(count, [], |row| row.get::<_, i64>(0))
    });
    assert_eq!(rows.unwrap(), 0, "the log of a database goes with it");
}

#[test]
fn old_entries_go_by_themselves_while_nothing_is_written() {
    let bed = Bed::new("wal_retention_period 1");
    bed.insert(2, 1);
    let asked = std::time::Instant::now();
    while bed.engine.store().log_bounds(2) != (5, 5) {
        assert!(asked.elapsed().as_secs() < 60, "{:?}", bed.bounds());
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
}

#[test]
fn the_bytes_of_a_log_are_counted_once_and_only_what_came_later_is_looked_at() {
    let bed = Bed::new("wal_retention_period -1 wal_retention_size 10");
    bed.insert(20, 1000);
    let (tools, mut oldest) = (bed.engine.store().trim_tools(), Oldest::new());
    let mut trim = || {
        tools.trim(clock::millis(), &mut oldest).unwrap();
        let sum = "SELECT coalesce(sum(length(body)), 0) FROM log WHERE id >= 2 << 40";
        let there: i64 = bed
            .engine
            .store()
            .read(|c| c.query_row(sum, [], |row| row.get(0)))
            .unwrap();
        (oldest[&2].bytes, there)
    };
    let (counted, there) = trim();
    assert_eq!(counted, there);
    assert!((8_000..=10_240).contains(&there), "{there}");
    bed.insert(3, 1000);
    let (counted, there) = trim();
    assert_eq!(counted, there);
    // what is counted already is not read again
    let grow = "UPDATE log SET body = zeroblob(100000)";
    let grown = bed
        .engine
        .store()
        .write(|write| write.execute(grow, []).map(|n| n as u64));
    assert!(grown.unwrap() > 5);
    let (again, there) = trim();
    assert_eq!(again, counted);
    assert!(there > 500_000);
}

#[test]
fn a_store_in_memory_keeps_so_many_bytes_of_a_log_whatever_the_database_says() {
    let bed = Bed::new("wal_retention_period -1");
    bed.insert(20, 1000);
    let mut tools = bed.engine.store().trim_tools();
    assert_eq!(tools.most, Some(MEMORY_BYTES));
    tools.most = Some(5000);
    tools.trim(clock::millis(), &mut Oldest::new()).unwrap();
    let (begin, end) = bed.bounds();
    assert!(end == 23 && (18..=19).contains(&begin), "{begin}..{end}");
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(Storage::Dir(dir.path().to_owned())).unwrap();
    assert_eq!(engine.store().trim_tools().most, None);
}
