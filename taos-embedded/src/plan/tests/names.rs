//! What names mean in ORDER BY, GROUP BY and PARTITION BY, and which words may be names.

use super::*;

fn names_of(sql: &str) -> Vec<String> {
    let columns = planned(sql).unwrap().columns;
    columns.iter().map(|column| column.name.clone()).collect()
}

fn texts(sql: &str) -> Vec<String> {
    let cells = rows(sql).into_iter().flatten();
    let mut texts: Vec<String> = cells
        .map(|cell| match cell {
            Text(text) => text,
            other => format!("{other:?}"),
        })
        .collect();
    texts.sort();
    texts
}

#[test]
fn a_name_in_order_by_that_means_two_different_results_is_ambiguous() {
    for sql in [
        "select v as u, u from c1 order by u",
        "select v as x, u as x from c1 order by x",
        "select a.ts, b.ts from c1 a join c1 b on a.ts = b.ts order by ts",
    ] {
        assert_eq!(code_of(sql), 0x266F, "{sql}");
    }
    assert_eq!(
        rows("select v, v from c1 order by v desc limit 1"),
        [[Integer(5), Integer(5)]]
    );
    assert_eq!(code_of("select v as x from c1 order by x + 1"), 0x2602);
}

#[test]
fn a_union_is_ordered_by_names_of_its_result_only() {
    let union = "select v from c1 union all select v as w from c1 order by";
    assert_eq!(code_of(&format!("{union} v")), 0);
    assert_eq!(code_of(&format!("{union} w")), 0x2675);
    assert_eq!(code_of(&format!("{union} 2")), 0x2609);
}

#[test]
fn keys_of_groups_are_columns_first_and_aliases_else() {
    assert_eq!(
        code_of("select v as u, count(*) from c1 group by u"),
        0x260A
    );
    assert_eq!(
        rows("select g as k, count(*) from st group by k order by 2 desc limit 1"),
        [[Text("a".into()), Integer(3)]]
    );
    assert_eq!(
        texts("select tbname t from st partition by t limit 1"),
        ["c1", "c2"]
    );
}

#[test]
fn groups_by_tbname_alone_list_subtables_without_rows() {
    assert_eq!(
        texts("select tbname from st group by tbname"),
        ["c1", "c2", "c3"]
    );
    assert_eq!(
        texts("select tbname from st where g = 'a' group by tbname"),
        ["c1"]
    );
    assert_eq!(
        texts("select tbname from st where v > 5 group by tbname"),
        ["c2"]
    );
    assert_eq!(texts("select g from st group by g"), ["a", "b"]);
}

#[test]
fn unquoted_words_of_other_scripts_are_aliases_and_nothing_else() {
    assert_eq!(names_of("select v as 电压, u x电 from c1"), ["电压", "x电"]);
    assert_eq!(
        rows("select v 电压 from c1 order by 电压 desc limit 1"),
        [[Integer(5)]]
    );
    assert_eq!(code_of("select 电压 from c1"), 0x2602);
    assert_eq!(code_of("select v from 表"), 0x2600);
}

#[test]
fn the_time_of_a_query_without_time_is_refused() {
    assert_eq!(code_of("select _rowts from (select v from c1)"), 0x2646);
    assert_eq!(
        rows("select _rowts from (select ts, v from c1) limit 1"),
        [[Integer(1000)]]
    );
}

#[test]
fn a_bool_beside_a_text_counts_as_its_leading_number() {
    assert_eq!(
        rows("select true = '1', false = 'true', true = 'true', true > 'x'"),
        [[Integer(1), Integer(1), Integer(0), Integer(1)]]
    );
}
