use crate::sql::ast::*;
use crate::sql::{code, parse};

fn code_of(sql: &str) -> u32 {
    parse(sql).map_or_else(|error| error.code, |_| 0)
}

#[test]
fn errors_quote_the_statement_from_the_offending_place() {
    let error = parse("select v,, st from series").unwrap_err();
    assert_eq!(error.message, "syntax error near \", st from series\"");
    assert_eq!(code_of("select v from series limit"), code::INCOMPLETE);
    assert_eq!(code_of("select 'unclosed from series"), code::SYNTAX);
    assert_eq!(
        code_of("insert series values (now, 1)"),
        code::INSERT_SYNTAX
    );
    assert_eq!(code_of(&" ".repeat(1_048_577)), code::TOO_LONG);
}

#[test]
fn only_the_first_of_several_statements_is_read() {
    assert_eq!(code_of("use a; this is @ no sql"), 0);
}

#[test]
fn names_are_folded_unless_backquoted() {
    let Statement::Describe(name) = parse("DESCRIBE Db.`MiXed`").unwrap() else {
        panic!("describe expected");
    };
    assert_eq!(name.db.unwrap().name, "db");
    assert_eq!(name.name.name, "MiXed");
}

#[test]
fn a_comma_behind_the_compression_of_a_column_begins_the_next_column() {
    let sql = "create table t (ts timestamp encode 'delta-i' compress 'lz4' level 'medium', \
               v int encode 'simple8b' level 'high', w int)";
    let Statement::CreateTable(create) = parse(sql).unwrap() else {
        panic!("create table expected");
    };
    let options: Vec<_> = create
        .columns
        .iter()
        .map(|column| column.options.len())
        .collect();
    assert_eq!(options, [3, 2, 0]);
}

#[test]
fn insert_takes_many_tables_with_all_that_belongs_to_them() {
    let sql = "insert into a values (now + 1s, -1.5, 'it''s', null) (0x1F, true, ?, '2024-01-01' - 1d), \
               (1, 2, 3, 4) db.b using st (g) tags ('x') (ts, v) values (today(), 0b101)";
    let Statement::Insert(insert) = parse(sql).unwrap() else {
        panic!("insert expected");
    };
    let [a, b] = insert.targets.as_slice() else {
        panic!("two tables expected");
    };
    let InsertSource::Values(rows) = &a.source else {
        panic!("values expected");
    };
    assert_eq!(
        rows.rows().map(<[InsertValue]>::len).collect::<Vec<_>>(),
        [4, 4, 4]
    );
    assert_eq!(rows.values[1].span.of(sql), "-1.5");
    assert_eq!(rows.values[2].kind, InsertValueKind::Text);
    assert_eq!(insert.times.len(), 3);
    let offset = |at: usize| insert.times[at].offset.unwrap().value;
    assert_eq!((offset(0), offset(1)), (1, -1));
    assert_eq!(b.using.as_ref().unwrap().values.len(), 1);
    assert_eq!(b.columns.as_ref().unwrap().len(), 2);
}

#[test]
fn operators_bind_as_the_dialect_says() {
    let Statement::Query(query) = parse("select a > 0 or b > 0 and not c = 1 + 2 * 3 | 4").unwrap()
    else {
        panic!("query expected");
    };
    let QueryBody::Select(select) = &query.body else {
        panic!("select expected");
    };
    let ExprKind::Binary(BinaryOp::Or, _, right) = &select.items[0].expr.kind else {
        panic!("OR binds least");
    };
    let ExprKind::Binary(BinaryOp::And, _, right) = &right.kind else {
        panic!("then AND");
    };
    let ExprKind::Unary(UnaryOp::Not, inner) = &right.kind else {
        panic!("then NOT");
    };
    let ExprKind::Binary(BinaryOp::Equal, _, right) = &inner.kind else {
        panic!("then comparisons");
    };
    let ExprKind::Binary(BinaryOp::BitOr, left, _) = &right.kind else {
        panic!("then bits");
    };
    assert!(matches!(left.kind, ExprKind::Binary(BinaryOp::Add, ..)));
}

#[test]
fn a_number_may_touch_the_word_behind_it() {
    assert_eq!(code_of("select count(*)from series where v>10and v<20"), 0);
}

#[test]
fn passwords_do_not_show_in_the_tree() {
    let statement = parse("create user u pass 'Secret_1234'").unwrap();
    assert!(!format!("{statement:?}").contains("Secret"));
}

#[test]
fn reserved_words_are_sorted_for_the_search() {
    assert!(super::RESERVED.is_sorted());
}
