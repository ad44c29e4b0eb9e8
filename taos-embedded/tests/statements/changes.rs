//! What becomes of a statement when time goes on, another database is chosen or its table changes.

use super::*;

#[test]
fn now_beside_placeholders_is_the_time_of_each_bind() {
    let (_server, mut ws) = server();
    // in nanoseconds no two binds have the same time
    ws.run("create database fine precision 'ns'");
    ws.run("create table fine.p (ts timestamp, v int)");
    let sql = "insert into fine.p values (now, ?)";
    let first = stmt1(&mut ws, sql);
    for v in 0..3 {
        done(ws.ask("bind", json!({"stmt_id": first, "columns": [[v]]})));
        done(call1(&mut ws, "add_batch", first));
        assert_eq!(call1(&mut ws, "exec", first)["affected"], 1);
    }
    let second = stmt2(&mut ws, sql);
    for v in 3..6 {
        let column = [ColumnView::from_ints(vec![v])];
        done(bind2(&mut ws, second, &[table(&column)]));
    }
    assert_eq!(exec2(&mut ws, second)["affected"], 3);
    assert_eq!(
        rows(&mut ws, "select v from fine.p order by v"),
        ["0", "1", "2", "3", "4", "5"]
    );
}

#[test]
fn rows_that_would_all_have_one_key_are_refused_and_not_merged() {
    let (_server, mut ws) = server();
    let one_key = "3 rows would have the one key that the statement gives; bind one row at a time";
    for time in ["now", "today()", "'2023-11-14 22:13:20'"] {
        let id = stmt2(&mut ws, &format!("insert into plain values ({time}, ?, ?)"));
        let columns = [
            ColumnView::from_ints(vec![1, 2, 3]),
            ColumnView::from_varchar::<&str, _, _, _>(vec!["a", "b", "c"]),
        ];
        refused_as(&bind2(&mut ws, id, &[table(&columns)]), 0x0200, one_key);
    }
    ws.run("create table keyed (ts timestamp, k int primary key, v int)");
    let id = stmt2(&mut ws, "insert into keyed values (now, ?, 7)");
    let keys = [ColumnView::from_ints(vec![1, 2, 3])];
    done(bind2(&mut ws, id, &[table(&keys)]));
    assert_eq!(exec2(&mut ws, id)["affected"], 3);
    assert_eq!(
        rows(&mut ws, "select k from keyed order by k"),
        ["1", "2", "3"]
    );
}

#[test]
fn tags_bound_before_the_tags_changed_are_not_taken_by_their_positions() {
    let (server, mut ws) = server();
    let mut other = Ws::login(server.addr());
    let sql = "insert into ? using st tags (?, ?) (ts, v) values (?, ?)";
    let tagged = |ws: &mut Ws, name: &str| {
        let id = stmt1(ws, sql);
        done(ws.ask("set_table_name", json!({"stmt_id": id, "name": name})));
        done(ws.ask("set_tags", json!({"stmt_id": id, "tags": [1, "x"]})));
        id
    };
    let row = json!([[T0], [1]]);
    let id = tagged(&mut ws, "c1");
    other.run("alter stable d.st add column extra double");
    done(ws.ask("bind", json!({"stmt_id": id, "columns": row})));
    done(call1(&mut ws, "add_batch", id));
    assert_eq!(call1(&mut ws, "exec", id)["affected"], 1);

    let id = tagged(&mut ws, "c2");
    other.run("alter stable d.st drop tag l");
    other.run("alter stable d.st add tag c int");
    refused_as(
        &ws.ask("bind", json!({"stmt_id": id, "columns": row})),
        0x0200,
        "the table changed after tags for it were bound; prepare again",
    );
    assert_eq!(rows(&mut ws, "select tbname, g, c from st"), ["c1|1|NULL"]);
}

#[test]
fn a_statement_stays_in_the_database_in_which_it_was_prepared() {
    let (_server, mut ws) = server();
    ws.run("create table p2 (ts timestamp, v int)");
    let insert = format!("insert into p2 values ({T0}, 1)");
    let query = "select v from p2";
    let (insert1, query1) = (stmt1(&mut ws, &insert), stmt1(&mut ws, query));
    let (insert2, query2) = (
        stmt2(&mut ws, &format!("insert into p2 values ({T0} + 1a, 2)")),
        stmt2(&mut ws, query),
    );
    ws.run("create database e");
    ws.run("use e");
    ws.run("create table p2 (ts timestamp, v int)");
    assert_eq!(call1(&mut ws, "exec", insert1)["affected"], 1);
    assert_eq!(exec2(&mut ws, insert2)["affected"], 1);
    assert_eq!(rows(&mut ws, "select count(*) from e.p2"), ["0"]);
    assert_eq!(rows(&mut ws, "select count(*) from d.p2"), ["2"]);
    done(call1(&mut ws, "exec", query1));
    let result = done(call1(&mut ws, "use_result", query1));
    assert_eq!(
        fetched(&mut ws, result["result_id"].as_u64().unwrap()),
        ["1", "2"]
    );
    done(exec2(&mut ws, query2));
    let result = done(ws.ask("stmt2_result", json!({"stmt_id": query2})));
    assert_eq!(fetched(&mut ws, result["id"].as_u64().unwrap()), ["1", "2"]);
}

#[test]
fn a_json_tag_that_is_bound_may_be_as_long_as_one_in_sql() {
    let (_server, mut ws) = server();
    ws.run("create stable js (ts timestamp, v int) tags (j json)");
    let of_length = |length: usize| format!("{{\"k\":\"{}\"}}", "x".repeat(length - 8));
    let (longest, too_long) = (of_length(4095), of_length(4096));
    let sql = "insert into ? using js tags (?) values (?, ?)";
    let refusal = "Value too long for column/tag: j";
    let columns = [
        ColumnView::from_millis_timestamp(vec![T0]),
        ColumnView::from_ints(vec![1]),
    ];
    let second = |ws: &mut Ws, name: &str, text: &str| {
        let tags = [Value::Json(serde_json::from_str(text).unwrap())];
        let id = stmt2(ws, sql);
        let table = BindTable {
            name: Some(name),
            tags: &tags,
            columns: &columns,
        };
        let reply = bind2(ws, id, &[table]);
        if code(&reply) == 0 {
            done(exec2(ws, id));
        }
        reply
    };
    done(second(&mut ws, "c1", &longest));
    refused_as(&second(&mut ws, "c2", &too_long), 0x2653, refusal);
    let first = |ws: &mut Ws, name: &str| {
        let id = stmt1(ws, sql);
        done(ws.ask("set_table_name", json!({"stmt_id": id, "name": name})));
        id
    };
    let id = first(&mut ws, "c3");
    done(ws.ask("set_tags", json!({"stmt_id": id, "tags": [longest]})));
    refused_as(
        &ws.ask("set_tags", json!({"stmt_id": id, "tags": [too_long]})),
        0x2653,
        refusal,
    );
    let id = first(&mut ws, "c4");
    let block = views_to_raw_block(&[ColumnView::from_json::<&str, _, _, _>(vec![
        too_long.as_str(),
    ])]);
    let req_id = ws.next_id();
    ws.send_binary(encode_set_tags(req_id, id, &block));
    refused_as(&ws.receive_json(), 0x2653, refusal);
    assert_eq!(rows(&mut ws, "select count(*) from js"), ["1"]);
}

#[test]
fn text_as_wide_as_a_binary_decimal_is_refused_where_decimals_are_binary() {
    let (_server, mut ws) = server();
    ws.run("create table dec (ts timestamp, a decimal(38,2), b decimal(18,2))");
    let form = |ty| taos_ws::protocol::BindForm {
        ty,
        decimal_text: true,
    };
    let time = ColumnView::from_millis_timestamp(vec![T0]);
    for (column, value, message) in [
        (
            "a",
            ColumnView::from_decimal(vec![123_456_789_012_345], 38, 2),
            (0x0200, "column type mis-match with buffer type"),
        ),
        (
            "b",
            ColumnView::from_decimal64(vec![1_234_567], 18, 2),
            (0x013D, "Decimal value overflow"),
        ),
    ] {
        let id = stmt2(
            &mut ws,
            &format!("insert into dec (ts, {column}) values (?, ?)"),
        );
        let columns = [time.clone(), value];
        let forms: Vec<_> = columns.iter().map(|c| form(c.as_ty())).collect();
        let mut frame = BytesMut::new();
        encode_stmt2_bind(&mut frame, 1, id, &[table(&columns)], &[], &forms).unwrap();
        ws.send_binary(frame.freeze());
        refused_as(&ws.receive_json(), message.0, message.1);
    }
}
