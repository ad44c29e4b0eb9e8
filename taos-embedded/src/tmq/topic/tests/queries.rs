//! Topics of statements: the rows as they were written, the columns as the statement has them.

use proptest::prelude::*;

use super::*;

const SET_UP: [&str; 2] = [
    "create database q vgroups 1 keep 36500",
    "create stable q.st (ts timestamp, v int, s varchar(20), n nchar(10), f double, b bool, d decimal(10,2)) \
     tags (tg int, name nchar(8))",
];

/// The rows of a topic.
fn rows(bed: &Bed, topic: &str) -> Vec<Vec<Value>> {
    let rows = bed.rows(topic).into_iter();
    rows.map(|(table, row)| {
        assert_eq!(table, None);
        row
    })
    .collect()
}

/// Creates a topic of a statement and checks that it gives what the statement gives, table by table.
fn check(bed: &Bed, topic: &str, items: &str, filter: &str) {
    bed.run(&format!(
        "create topic {topic} as select {items} from q.st {filter}"
    ));
    let mut theirs = Vec::new();
    for table in ["a", "b", "c"] {
        let filter = match filter {
            "" => format!("where tbname = '{table}'"),
            filter => format!("{filter} and tbname = '{table}'"),
        };
        theirs.extend(bed.query(&format!("select {items} from q.st {filter} order by ts")));
    }
    assert_eq!(rows(bed, topic), theirs, "{items} {filter}");
}

fn cell() -> impl Strategy<Value = [String; 6]> {
    let null = || Just("null".to_owned());
    let text = || {
        prop_oneof![
            null(),
            "[a-zäß水😀]{0,5}".prop_map(|text| format!("'{text}'"))
        ]
    };
    (
        prop_oneof![null(), any::<i16>().prop_map(|v| v.to_string())],
        text(),
        text(),
        prop_oneof![
            null(),
            (-99_i32..99).prop_map(|v| format!("{}", f64::from(v) / 4.0))
        ],
        prop_oneof![null(), any::<bool>().prop_map(|v| v.to_string())],
        prop_oneof![null(), (-999_i32..999).prop_map(|v| format!("'{}.25'", v))],
    )
        .prop_map(|(v, s, n, f, b, d)| [v, s, n, f, b, d])
}

fn columns() -> impl Strategy<Value = Vec<&'static str>> {
    let names = ["ts", "v", "s", "n", "f", "b", "d", "tg", "name", "tbname"];
    prop::sample::subsequence(names.to_vec(), 1..=names.len()).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn columns_tags_and_names_are_those_of_the_query(
        all in prop::collection::vec(prop::collection::vec(cell(), 1..20), 3),
        items in columns(),
    ) {
        let bed = Bed::new(&SET_UP);
        for (number, (table, rows)) in ["a", "b", "c"].iter().zip(&all).enumerate() {
            let rows: String = rows
                .iter()
                .enumerate()
                .map(|(ts, cells)| format!("({ts}, {})", cells.join(", ")))
                .collect();
            let tags = if number == 1 { "null, null" } else { "3, '水'" };
            bed.run(&format!("insert into q.{table} using q.st tags ({tags}) values {rows}"));
        }
        let tags_only = items.iter().all(|item| ["tg", "name", "tbname"].contains(item));
        // without a column a statement lists subtables
        let items = if tags_only { format!("ts, {}", items.join(", ")) } else { items.join(", ") };
        check(&bed, "t", &items, "");
        check(&bed, "x", &format!("{items}, v + 1"), "where (v is null or v > 0)");
    }
}

fn filled() -> Bed {
    let bed = Bed::new(&SET_UP);
    bed.run("insert into q.a using q.st tags (1, 'eins') values (1, 5, 'five', '五', 0.5, true, '1.25')");
    bed.run("insert into q.b using q.st tags (2, 'zwei') values (2, 50, 'fifty', null, 1.5, false, null)(3, 51, '', '', 0, null, '2.50')");
    bed.run("insert into q.c using q.st tags (null, null) (ts, v) values (4, 500)(5, 5)");
    bed
}

#[test]
fn expressions_and_conditions_are_those_of_the_query() {
    let bed = filled();
    for (number, (items, filter)) in [
        ("ts, v * 2 + 1, upper(s), concat(s, 'x')", ""),
        ("ts, v, 7, 'const', tbname", ""),
        ("ts, cast(v as bigint), length(n), d", "where v > 5"),
        ("*", "where tg > 1"),
        ("ts, tbname, tg", "where name = 'eins'"),
        ("ts, v", "where tbname in ('a', 'c')"),
        (
            "ts, case when v > 10 then 'big' else 'small' end",
            "where ts >= 2",
        ),
        ("_rowts, v", "where 1 = 1"),
        ("*, tbname", ""),
    ]
    .into_iter()
    .enumerate()
    {
        check(&bed, &format!("t{number}"), items, filter);
    }
}

#[test]
fn a_topic_describes_its_columns_by_position() {
    let bed = filled();
    bed.run("create topic t as select tbname, s as text, v + 1 from q.st where v > 0");
    bed.run("create topic u as select tbname, s, v from q.st");
    for topic in ["t", "u"] {
        let messages = bed.messages(topic, &ReadOptions::default());
        let entries = &messages[0].1.entries;
        let schema = entries[0].schema.as_ref().unwrap();
        assert!(
            entries
                .iter()
                .all(|entry| entry.schema.as_ref() == Some(schema))
        );
        let columns = schema.columns();
        let ids: Vec<_> = columns.iter().map(|c| (c.id, c.flags)).collect();
        assert_eq!(ids, [(1, 0), (2, 0), (3, 0)]);
        assert_eq!((columns[0].bytes, columns[1].bytes), (272, 22));
    }
}

#[test]
fn rows_are_delivered_as_often_as_they_were_written_and_with_what_was_named() {
    let bed = Bed::new(&SET_UP);
    bed.run("insert into q.a using q.st tags (1, 'eins') (ts, v) values (1, 5)");
    bed.run("insert into q.a (ts, s) values (1, 'x')");
    bed.run("create topic t as select ts, v, s from q.st");
    bed.run("create topic u as select ts, v, s from q.st where ts > 0");
    let cells = |topic: &str| -> Vec<(bool, bool)> {
        let rows = rows(&bed, topic).into_iter();
        rows.map(|row| (row[1].is_null(), row[2].is_null()))
            .collect()
    };
    assert_eq!(cells("t"), [(false, true), (true, false)]);
    assert_eq!(cells("u"), [(false, true), (true, false)]);
}

#[test]
fn topics_on_one_table_pass_over_the_others() {
    let bed = filled();
    bed.run("create table q.n (ts timestamp, v int)");
    bed.run("insert into q.n values (1, 1) q.a values (9, 9, null, null, null, null, null)");
    for (topic, sql) in [
        ("t", "select ts, v, tbname from q.a"),
        ("u", "select ts, v, tbname from q.n"),
        ("w", "select ts, v + 1, tbname from q.a where v > 5"),
        ("x", "select * from q.b"),
    ] {
        bed.run(&format!("create topic {topic} as {sql}"));
        assert_eq!(rows(&bed, topic), bed.query(sql), "{sql}");
    }
}

#[test]
fn a_statement_keeps_the_columns_that_there_were_and_has_the_tags_of_now() {
    let bed = filled();
    bed.run("create topic t as select * from q.st");
    bed.run("create topic u as select *, v + 1 from q.st where v > 0");
    let widths = |topic| -> Vec<usize> { rows(&bed, topic).iter().map(Vec::len).collect() };
    assert_eq!((widths("t"), widths("u")), (vec![9; 5], vec![10; 5]));
    bed.run("alter table q.st add column w bigint");
    bed.run("insert into q.a (ts, v, w) values (10, 7, 70)");
    bed.run("alter table q.a set tag tg = 11");
    assert_eq!((widths("t"), widths("u")), (vec![9; 6], vec![10; 6]));
    for topic in ["t", "u"] {
        let rows = rows(&bed, topic);
        // ts v s n f b d tg name
        assert_eq!(
            (&rows[0][1], &rows[0][7]),
            (&Value::Int(5), &Value::Int(11))
        );
        assert_eq!(
            (&rows[5][1], &rows[5][7]),
            (&Value::Int(7), &Value::Int(11))
        );
    }
    bed.run("create topic x as select w, * from q.st");
    bed.run("create topic y as select w, * from q.st where v = 5 or v = 7");
    let news = |topic| -> Vec<Value> {
        rows(&bed, topic)
            .into_iter()
            .map(|mut row| row.remove(0))
            .collect()
    };
    let null = Value::Null(taos_query::common::Ty::BigInt);
    assert_eq!(news("y"), [null.clone(), null, Value::BigInt(70)]);
    assert_eq!(news("x").last(), Some(&Value::BigInt(70)));
    assert_eq!(widths("x"), [11; 6]);
}

#[test]
fn rows_of_subtables_that_are_gone_are_left_out() {
    let bed = filled();
    bed.run("create topic t as select ts, v from q.st");
    bed.run("create topic u as select ts, v from q.st where v > 0");
    bed.run("drop table q.b");
    for topic in ["t", "u"] {
        assert_eq!(rows(&bed, topic).len(), 3);
    }
}

#[test]
fn json_tags_and_members_of_them_are_those_of_the_query() {
    let bed = Bed::new(&[
        "create database q vgroups 1 keep 36500",
        "create stable q.st (ts timestamp, v int) tags (info json)",
        r#"insert into q.a using q.st tags ('{"k": 1, "t": "x"}') values (1, 1)"#,
        "insert into q.b using q.st tags (null) values (2, 2)",
        r#"insert into q.c using q.st tags ('{"k": 3}') values (3, 3)"#,
    ]);
    check(&bed, "t", "ts, v, info", "");
    check(&bed, "u", "ts, info->'k', tbname", "where v > 0");
}

#[test]
fn times_of_a_topic_mean_the_same_to_everybody() {
    let bed = filled();
    bed.session.set_timezone(Some(chrono_tz::Asia::Shanghai));
    let create = |topic: &str, time: &str| {
        let sql = format!("create topic {topic} as select ts, v from q.st where ts < '{time}'");
        bed.session
            .execute(&sql)
            .map(drop)
            .map_err(|error| error.code)
    };
    assert_eq!(create("t", "1970-01-01 08:00:00.003"), Err(0x0100));
    assert_eq!(create("t", "1970-01-01T08:00:00.003+08:00"), Ok(()));
    assert_eq!(rows(&bed, "t").len(), 2);
    bed.session.set_timezone(Some(chrono_tz::UTC));
    assert_eq!(create("u", "1970-01-01 00:00:00.003"), Ok(()));
    assert_eq!(rows(&bed, "u"), rows(&bed, "t"));
}

#[test]
fn a_statement_is_planned_anew_only_where_it_names_the_present() {
    let bed = Bed::new(&[
        "create database q vgroups 1 keep 36500",
        "create table q.n (ts timestamp, known int)",
        "create topic t as select ts, known from q.n",
        "create topic u as select ts, known from q.n where ts < now",
        "insert into q.n values (1, 1)",
    ]);
    let vgroup = bed.vgroups("q").start;
    for (topic, is_kept) in [("t", true), ("u", false)] {
        let reader = bed.reader(topic);
        let plan = || {
            let page = reader.read(vgroup, 0, &ReadOptions::default()).unwrap();
            assert!(page.message.is_some());
            reader.work().plan.clone().unwrap()
        };
        assert_eq!(Arc::ptr_eq(&plan(), &plan()), is_kept, "{topic}");
    }
}
