//! The planner on a small catalog, run on SQLite.

mod keys;
mod names;
mod values;
mod windows;

use rusqlite::Connection;
use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

mod series;

use super::*;
use crate::sql::ast::Statement;

mod scalars;

struct Fake;

fn column(name: &str, id: u32, ty: Ty, length: u32) -> ColumnInfo {
    ColumnInfo {
        name: name.into(),
        id,
        ty,
        length,
        precision: 0,
        scale: 0,
        composite_key: false,
    }
}

impl Schema for Fake {
    fn database(&self, name: &str) -> Result<Option<Precision>, SqlError> {
        Ok((name == "db").then_some(Precision::Millisecond))
    }

    fn table(&self, _: &str, name: &str) -> Result<Option<TableInfo>, SqlError> {
        let (id, kind) = match name {
            "st" => (1, TableKind::Super),
            "c1" => (
                7,
                TableKind::Child {
                    super_id: 1,
                    super_name: "st".into(),
                },
            ),
            _ => return Ok(None),
        };
        Ok(Some(TableInfo {
            id,
            name: name.into(),
            db: "db".into(),
            precision: Precision::Millisecond,
            kind,
            columns: [
                column("ts", 0, Ty::Timestamp, 8),
                column("v", 1, Ty::Int, 4),
                column("u", 2, Ty::UBigInt, 8),
            ]
            .into(),
            tags: [column("g", 1, Ty::VarChar, 8)].into(),
        }))
    }

    fn system_table(&self, _: &str, _: &str) -> Result<Option<SystemTable>, SqlError> {
        Ok(None)
    }
}

fn planned(sql: &str) -> Result<Plan, SqlError> {
    let context = Context {
        zone: None,
        schema: &Fake,
        db: Some("db".into()),
        now: 0,
        version: "3.3.7.5",
    };
    match crate::sql::parse(sql)? {
        Statement::Query(query) => plan(&query, sql, &context),
        other => panic!("not a query: {other:?}"),
    }
}

fn rows(sql: &str) -> Vec<Vec<Value>> {
    let plan = planned(sql).unwrap();
    let connection = Connection::open_in_memory().unwrap();
    register_functions(&connection).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE d1 (tbl, ts, c1, c2, PRIMARY KEY (tbl, ts)) WITHOUT ROWID;
             CREATE TABLE t1 (tbl INTEGER PRIMARY KEY, name, created, g1);
             INSERT INTO t1 VALUES (7, 'c1', 0, 'a'), (8, 'c2', 0, 'b'), (9, 'c3', 0, NULL);
             INSERT INTO d1 VALUES (7, 1000, 1, 0), (7, 2000, NULL, -1), (7, 3000, 5, NULL),
                                   (8, 1500, 9, -9223372036854775808);",
        )
        .unwrap();
    let mut statement = connection.prepare(&plan.sql).unwrap();
    let width = plan.columns.len();
    statement
        .query_map(rusqlite::params_from_iter(&plan.params), |row| {
            (0..width).map(|index| row.get(index)).collect()
        })
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn code_of(sql: &str) -> u32 {
    planned(sql).map_or_else(|error| error.code, |_| 0)
}

use Value::{Integer, Null, Real, Text};

#[test]
fn comparison_with_null_is_false_and_not_of_it_true() {
    assert_eq!(rows("select ts from c1 where v = 1"), [[Integer(1000)]]);
    assert_eq!(
        rows("select ts from c1 where not v = 1"),
        [[Integer(2000)], [Integer(3000)]]
    );
    assert_eq!(rows("select ts from c1 where v <> 1"), [[Integer(3000)]]);
    assert_eq!(rows("select v > 1 from c1 limit 1, 1"), [[Integer(0)]]);
}

#[test]
fn integers_divide_as_doubles_and_by_zero_give_null() {
    assert_eq!(rows("select 7 / 2, 1 / 0"), [[Real(3.5), Null]]);
}

#[test]
fn unsigned_bigints_compare_over_their_whole_range() {
    assert_eq!(
        rows("select ts from c1 where u = 9223372036854775808"),
        [[Integer(1000)]]
    );
    assert_eq!(rows("select v from st where u < 1"), [[Integer(9)]]);
}

#[test]
fn count_keeps_subtables_without_rows_and_other_aggregates_do_not() {
    let mut counts = rows("select tbname, count(*) from st where v > 1 group by tbname");
    counts.sort_by_key(|row| format!("{row:?}"));
    let text = |name: &str| Text(name.into());
    assert_eq!(
        counts,
        [
            [text("c1"), Integer(1)],
            [text("c2"), Integer(1)],
            [text("c3"), Integer(0)]
        ]
    );
    assert_eq!(
        rows("select max(v), tbname from st where v > 5 group by tbname"),
        [[Integer(9), text("c2")]]
    );
}

#[test]
fn no_rows_give_one_row_with_count_and_none_without() {
    assert_eq!(
        rows("select count(*), sum(v) from c1 where v > 100"),
        [[Integer(0), Null]]
    );
    assert!(rows("select sum(v) from c1 where v > 100").is_empty());
    assert!(rows("select count(*) from c1 where 1 = 0").is_empty());
}

#[test]
fn columns_beside_one_selecting_function_come_from_its_row() {
    assert_eq!(
        rows("select last(v), ts from c1"),
        [[Integer(5), Integer(3000)]]
    );
    assert_eq!(
        rows("select min(v), ts from st"),
        [[Integer(1), Integer(1000)]]
    );
}

#[test]
fn windows_begin_at_multiples_and_slide_over_each_other() {
    assert_eq!(
        rows("select _wstart, count(*) from c1 interval(2s)"),
        [[Integer(0), Integer(1)], [Integer(2000), Integer(2)]]
    );
    let starts = rows("select _wstart, count(*) from c1 where v = 1 interval(2s) sliding(1s)");
    let one = Integer(1);
    assert_eq!(starts, [[Integer(0), one.clone()], [Integer(1000), one]]);
}

#[test]
fn refusals_have_the_codes_of_the_dialect() {
    assert_eq!(code_of("select nosuch from c1"), 0x2602);
    assert_eq!(code_of("select v from nosuch"), 0x2603);
    assert_eq!(code_of("select v from nodb.t"), 0x0388);
    assert_eq!(code_of("select v, count(*) from c1"), 0x260C);
    assert_eq!(code_of("select v, count(*) from c1 group by u"), 0x260A);
    assert_eq!(code_of("select sum(sum(v)) from c1"), 0x2627);
    assert_eq!(code_of("select v from c1 where ts = 'yesterday'"), 0x0127);
    assert_eq!(code_of("select diff(v), sum(v) from c1"), 0x264F);
}

#[test]
fn deep_and_long_statements_end_in_an_answer_on_a_small_stack() {
    let deep = format!("select {}1{}", "(".repeat(5000), ")".repeat(5000));
    let long = format!("select 1{}", " + 1".repeat(5000));
    let sum = format!("select 1{}", " + 1".repeat(60));
    let chain = format!("select v from c1 where v = 1{}", " or v = 1".repeat(4000));
    let nested = format!(
        "select * from {}c1{}",
        "(select * from ".repeat(24),
        ")".repeat(24)
    );
    let doubled = format!(
        "select {}1{}",
        "(".repeat(24),
        " between 0 and 1)".repeat(24)
    );
    let run = move || {
        assert_eq!(code_of(&deep), 0x0100);
        assert_eq!(code_of(&long), 0x0100);
        assert_eq!(code_of(&sum), 0);
        assert_eq!(code_of(&chain), 0);
        assert_eq!(code_of(&nested), 0);
        assert_eq!(code_of(&doubled), 0x0100);
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn subtables_are_listed_without_rows_only_by_name() {
    assert_eq!(rows("select distinct tbname from st").len(), 3);
    assert_eq!(rows("select tags g from st").len(), 3);
    assert_eq!(rows("select distinct g from st").len(), 2);
    assert_eq!(code_of("select distinct tbname from st order by v"), 0x260B);
}

#[test]
fn limits_count_within_groups_unless_the_whole_is_ordered() {
    assert_eq!(
        rows("select v from st partition by tbname limit 1").len(),
        2
    );
    let one = rows("select v from st partition by tbname order by ts limit 1");
    assert_eq!(one, [[Integer(1)]]);
    assert_eq!(
        rows("select v from st partition by tbname slimit 1 limit 2").len(),
        2
    );
}
