use super::*;

#[test]
fn the_first_generation_binds_blocks_and_reads_results_in_the_old_way() {
    let (_server, mut ws) = server();
    let id = stmt1(
        &mut ws,
        "insert into ? using st tags (?, ?) values (?, ?, ?, ?)",
    );
    for name in ["c1", "c2"] {
        done(ws.ask("set_table_name", json!({"stmt_id": id, "name": name})));
        let tags = [
            ColumnView::from_ints(vec![1]),
            ColumnView::from_nchar::<&str, _, _, _>(vec!["t"]),
        ];
        let req_id = ws.next_id();
        ws.send_binary(encode_set_tags(req_id, id, &views_to_raw_block(&tags)));
        done(ws.receive_json());
        let columns = [
            ColumnView::from_millis_timestamp(vec![T0, T0 + 1]),
            ColumnView::from_ints(vec![Some(1), None]),
            ColumnView::from_varchar::<&str, _, _, _>(vec!["", ""]),
            ColumnView::from_nchar::<&str, _, _, _>(vec![Some("ж"), None]),
        ];
        done(bind1(&mut ws, id, &columns));
        done(call1(&mut ws, "add_batch", id));
    }
    assert_eq!(call1(&mut ws, "exec", id)["affected"], 4);
    let query = stmt1(&mut ws, "select v, s, n from c2 where ts >= ? order by ts");
    done(bind1(
        &mut ws,
        query,
        &[ColumnView::from_big_ints(vec![T0])],
    ));
    done(call1(&mut ws, "add_batch", query));
    done(call1(&mut ws, "exec", query));
    let result = done(call1(&mut ws, "use_result", query))["result_id"].clone();
    let step = done(ws.ask("fetch", json!({"id": result})));
    assert_eq!(
        (&step["rows"], &step["completed"]),
        (&json!(2), &json!(false))
    );
    let req_id = ws.next_id();
    ws.send_text(
        json!({"action": "fetch_block", "args": {"req_id": req_id, "id": result}}).to_string(),
    );
    let Reply::OldBlock(reply) = ws.receive_reply() else {
        panic!("no block")
    };
    let block = RawBlock::parse_from_raw_block(reply.block, Precision::Millisecond).unwrap();
    assert_eq!((block.nrows(), block.ncols()), (2, 3));
    assert_eq!(
        done(ws.ask("fetch", json!({"id": result})))["completed"],
        true
    );
}

#[test]
fn text_values_of_the_first_generation_are_checked_before_the_engine_sees_them() {
    let (_server, mut ws) = server();
    let id = stmt1(&mut ws, "insert into plain values (?, ?, ?)");
    let mut bind = |columns: Json| ws.ask("bind", json!({"stmt_id": id, "columns": columns}));
    for (columns, message) in [
        (json!([[T0], [1]]), "stmt column count not match"),
        (
            json!([[T0], ["x"], ["a"]]),
            "stmt parse column json:\"x\" is no INT for v",
        ),
        (
            json!([[T0], [1_u64 << 40], ["a"]]),
            "stmt parse column json:1099511627776 is no INT for v",
        ),
    ] {
        refused_as(&bind(columns), 65535, message);
    }
    done(bind(json!([["2023-11-14T22:13:20Z"], [1], ["a"]])));
    done(call1(&mut ws, "add_batch", id));
    assert_eq!(call1(&mut ws, "exec", id)["affected"], 1);
    assert_eq!(
        rows(&mut ws, "select ts, v from plain"),
        [format!("{T0}|1")]
    );
    let id = stmt1(
        &mut ws,
        "insert into ? using st tags (?, ?) values (?, ?, ?, ?)",
    );
    refused(&call1(&mut ws, "get_tag_fields", id), 0x022B, "table name");
    done(ws.ask("set_table_name", json!({"stmt_id": id, "name": "c1"})));
    let mut tags = |tags: Json| ws.ask("set_tags", json!({"stmt_id": id, "tags": tags}));
    refused_as(&tags(json!([1])), 65535, "stmt tags count not match");
    refused_as(
        &tags(json!(["x", "y"])),
        65535,
        "stmt parse tag json:\"x\" is no INT for g",
    );
    done(tags(json!([1, "y"])));
}

#[test]
fn an_engine_error_sticks_to_a_statement_of_the_first_generation_for_good() {
    let (_server, mut ws) = server();
    let id = stmt1(&mut ws, "insert into plain values (?, ?, ?)");
    refused(&call1(&mut ws, "exec", id), 0x022A, "Stmt API usage error");
    let sql = "insert into plain values (?, ?, ?)";
    let again = ws.ask("prepare", json!({"stmt_id": id, "sql": sql}));
    refused(&again, 0x022A, "success");
    let id = stmt1(&mut ws, sql);
    refused(&call1(&mut ws, "add_batch", id), 0x022A, "");
    let query = stmt1(&mut ws, "select * from plain where v = ?");
    for action in ["get_tag_fields", "get_col_fields"] {
        refused(&call1(&mut ws, action, query), 0x022A, "");
    }
    let json_values = ws.ask("bind", json!({"stmt_id": query, "columns": [[1]]}));
    refused(&json_values, 0x022A, "");
}

#[test]
fn closing_answers_only_in_the_second_generation() {
    let (_server, mut ws) = server();
    let (first, second) = (stmt1(&mut ws, "select 1"), stmt2(&mut ws, "select 1"));
    refused(&call1(&mut ws, "close", second), 65535, "stmt is nil");
    refused(&call1(&mut ws, "stmt2_close", first), 65535, "stmt2 is nil");
    done(call1(&mut ws, "stmt2_close", 4711));
    for id in [first, first, 4711] {
        ws.send_text(json!({"action": "close", "args": {"req_id": 1, "stmt_id": id}}).to_string());
    }
    refused(&call1(&mut ws, "exec", first), 65535, "stmt is nil");
    done(call1(&mut ws, "stmt2_close", second));
    refused(&exec2(&mut ws, second), 65535, "stmt2 is nil");
}

#[test]
fn the_first_generation_has_no_decimals_and_no_blobs() {
    let (_server, mut ws) = server();
    for (ty, name) in [
        ("decimal(10,2)", "DECIMAL"),
        ("decimal(38,2)", "DECIMAL"),
        ("blob", "BLOB"),
    ] {
        ws.run("drop table if exists t");
        ws.run(&format!("create table t (ts timestamp, v int, x {ty})"));
        let id = stmt1(&mut ws, "insert into t values (?, ?, ?)");
        let message = format!("stmt get column type error, column x is {name}");
        refused_as(&call1(&mut ws, "get_col_fields", id), 65535, &message);
        let text = ws.ask(
            "bind",
            json!({"stmt_id": id, "columns": [[T0], [1], ["1"]]}),
        );
        refused_as(&text, 65535, &message);
        let columns = [
            ColumnView::from_millis_timestamp(vec![T0]),
            ColumnView::from_ints(vec![1]),
            ColumnView::from_varchar::<&str, _, _, _>(vec!["1"]),
        ];
        refused_as(&bind1(&mut ws, id, &columns), 65535, &message);
        let id = stmt1(&mut ws, "insert into t (ts, v) values (?, ?)");
        done(bind1(&mut ws, id, &columns[..2]));
    }
}

#[test]
fn a_query_of_the_first_generation_takes_no_timestamp() {
    let (_server, mut ws) = server();
    ws.run(&format!("insert into plain values ({T0}, 1, 'a')"));
    let id = stmt1(&mut ws, "select v from plain where ts = ?");
    for times in [vec![Some(T0)], vec![None]] {
        refused_as(
            &bind1(&mut ws, id, &[ColumnView::from_millis_timestamp(times)]),
            65535,
            "a query takes no parameter of TIMESTAMP; bind times as BIGINT or VARCHAR and decimals as VARCHAR",
        );
    }
    done(bind1(&mut ws, id, &[ColumnView::from_big_ints(vec![T0])]));
    done(call1(&mut ws, "add_batch", id));
    done(call1(&mut ws, "exec", id));
    let result = done(call1(&mut ws, "use_result", id))["result_id"].clone();
    assert_eq!(fetched(&mut ws, result.as_u64().unwrap()), ["1"]);
}
