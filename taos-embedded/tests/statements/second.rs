use super::*;

#[test]
fn one_bind_fills_many_tables_and_makes_those_that_are_missing() {
    let (_server, mut ws) = server();
    ws.run("create table c0 using st tags (7, 'old')");
    let id = stmt2(
        &mut ws,
        "insert into ? using st (l, g) tags (?, ?) (ts, s, v) values (?, ?, ?)",
    );
    let tags = [
        [Value::NChar("ж".into()), Value::Int(1)],
        [Value::NChar("new".into()), Value::Int(2)],
    ];
    let one = [
        ColumnView::from_millis_timestamp(vec![T0 + 1, T0]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("b"), None]),
        ColumnView::from_ints(vec![Some(11), Some(10)]),
    ];
    let two = [
        ColumnView::from_millis_timestamp(vec![T0]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("")]),
        ColumnView::from_ints(vec![None]),
    ];
    let tables = [
        BindTable {
            name: Some("c1"),
            tags: &tags[0],
            columns: &one,
        },
        BindTable {
            name: Some("d.`c0`"),
            tags: &tags[1],
            columns: &two,
        },
    ];
    done(bind2(&mut ws, id, &tables));
    assert_eq!(
        rows(&mut ws, "select * from st").len(),
        0,
        "not before the execution"
    );
    assert_eq!(exec2(&mut ws, id)["affected"], 3);
    assert_eq!(
        rows(
            &mut ws,
            "select tbname, g, l, ts, v, s, n from st order by tbname, ts"
        ),
        [
            format!("c0|7|old|{T0}|NULL||NULL"),
            format!("c1|1|ж|{T0}|10|NULL|NULL"),
            format!("c1|1|ж|{}|11|b|NULL", T0 + 1),
        ]
    );
    refused(&exec2(&mut ws, id), 0x022A, "");
    done(ws.ask("stmt2_close", json!({"stmt_id": id})));
}

#[test]
fn literals_may_stand_between_placeholders() {
    let (_server, mut ws) = server();
    let id = stmt2(
        &mut ws,
        "insert into c1 using st tags (?, 'fix') values (?, 5, 'lit', ?)",
    );
    let columns = [
        ColumnView::from_millis_timestamp(vec![T0, T0 + 1]),
        ColumnView::from_nchar::<&str, _, _, _>(vec![Some("a"), None]),
    ];
    let bound = BindTable {
        tags: &[Value::Int(3)],
        columns: &columns,
        ..BindTable::default()
    };
    done(bind2(&mut ws, id, &[bound]));
    assert_eq!(exec2(&mut ws, id)["affected"], 2);
    assert_eq!(
        rows(&mut ws, "select g, l, v, s, n from c1 order by ts"),
        ["3|fix|5|lit|a", "3|fix|5|lit|NULL"]
    );
}

#[test]
fn fields_tell_what_each_placeholder_is_in_the_order_of_the_statement() {
    let (_server, mut ws) = server();
    let id = done(ws.ask("stmt2_init", json!({})))["stmt_id"].clone();
    let mut fields = |sql: &str| {
        let args = json!({"stmt_id": id, "sql": sql, "get_fields": true});
        ws.ask("stmt2_prepare", args)
    };
    let reply = fields("insert into st (ts, l, tbname, s) values (?, ?, ?, ?)");
    let told: Vec<_> = reply["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            (
                f["name"].as_str().unwrap(),
                f["bytes"].as_u64().unwrap(),
                f["bind_type"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("ts", 8, 1), ("l", 18, 2), ("tbname", 271, 4), ("s", 10, 1)]
    );
    refused(
        &fields("insert into ? values (?, ?)"),
        0x022B,
        "Table does not exist",
    );
    refused(
        &fields("insert into ? using missing tags (?) values (?, ?)"),
        0x022B,
        "Table does not exist",
    );
    let query = fields("select * from plain where v > ? and s = ?");
    assert_eq!(
        (&query["fields"], &query["fields_count"]),
        (&Json::Null, &json!(2))
    );
    assert_eq!(query["is_insert"], false);
    refused(&fields("create table x (ts timestamp, v int)"), 0x2600, "");
    refused(&fields("select from where"), 0x2600, "");
    refused(
        &fields("insert into plain values (?, ?, ?) st values (?, ?)"),
        0x0200,
        "single table",
    );
}

#[test]
fn a_table_named_at_binding_need_not_be_known_when_preparing() {
    let (_server, mut ws) = server();
    let id = stmt2(&mut ws, "insert into ? values (?, ?, ?)");
    let columns = columns(&[T0], &[Some(1)], &[Some("x")]);
    let named = |name| BindTable {
        name,
        ..table(&columns)
    };
    done(bind2(&mut ws, id, &[named(Some("plain"))]));
    assert_eq!(exec2(&mut ws, id)["affected"], 1);
    assert_eq!(rows(&mut ws, "select v, s from plain"), ["1|x"]);
    refused(
        &bind2(&mut ws, id, &[named(Some("missing"))]),
        0x2603,
        "Table does not exist",
    );
    let id = stmt2(&mut ws, "insert into ? values (?, ?, ?)");
    refused(&bind2(&mut ws, id, &[named(None)]), 0x022B, "table name");
}

#[test]
fn an_engine_error_sticks_to_a_statement_of_the_second_generation_until_it_is_prepared_again() {
    let (_server, mut ws) = server();
    let sql = "insert into plain values (?, ?, ?)";
    let long = "x".repeat(9);
    let times: Vec<i64> = (0..32_768).map(|i| T0 + i).collect();
    let many = [
        ColumnView::from_millis_timestamp(times.clone()),
        ColumnView::from_ints(vec![Some(1); 32_768]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![None; 32_768]),
    ];
    let uneven = [
        ColumnView::from_millis_timestamp(vec![T0, T0 + 1]),
        ColumnView::from_ints(vec![1]),
        ColumnView::from_varchar::<&str, _, _, _>(vec!["a"]),
    ];
    let wrong_type = [
        ColumnView::from_millis_timestamp(vec![T0]),
        ColumnView::from_big_ints(vec![1]),
        ColumnView::from_varchar::<&str, _, _, _>(vec!["a"]),
    ];
    let no_time = [
        ColumnView::from_millis_timestamp(vec![Some(T0), None]),
        ColumnView::from_ints(vec![1, 2]),
        ColumnView::from_varchar::<&str, _, _, _>(vec!["a", "b"]),
    ];
    let too_long = columns(&[T0], &[None], &[Some(&long)]);
    let too_old = columns(&[1], &[None], &[None]);
    let cases: [(&[ColumnView], u64, &str); 7] = [
        (&many, 0x0236, "bind number"),
        (&uneven, 0x0200, "row number"),
        (&wrong_type, 0x0200, "column type mis-match"),
        (&wrong_type[..2], 0x0200, "columns"),
        (&no_time, 0x267B, ""),
        (&too_long, 0x2653, "s"),
        (&too_old, 0x060B, ""),
    ];
    let id = stmt2(&mut ws, sql);
    for (columns, expected, text) in cases {
        refused(&bind2(&mut ws, id, &[table(columns)]), expected, text);
        let repeated = exec2(&mut ws, id);
        refused(&repeated, expected, "success");
        done(ws.ask("stmt2_prepare", json!({"stmt_id": id, "sql": sql})));
        let good = columns_of_one(&times);
        done(bind2(&mut ws, id, &[table(&good)]));
        assert_eq!(exec2(&mut ws, id)["affected"], 32_767);
    }
}

fn columns_of_one(times: &[i64]) -> [ColumnView; 3] {
    let most = 32_767;
    [
        ColumnView::from_millis_timestamp(times[..most].to_vec()),
        ColumnView::from_ints(vec![Some(1); most]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("a"); most]),
    ]
}

#[test]
fn a_malformed_frame_leaves_a_statement_as_it_was() {
    let (_server, mut ws) = server();
    let id = stmt2(&mut ws, "insert into plain values (?, ?, ?)");
    let columns = columns(&[T0], &[Some(1)], &[None]);
    done(bind2(&mut ws, id, &[table(&columns)]));
    let frame = bind2_frame(9, id, &[table(&columns)]);
    for end in 24..frame.len() {
        ws.send_binary(frame.slice(..end));
        let reply = ws.receive_json();
        assert_eq!(
            (&reply["code"], &reply["stmt_id"]),
            (&json!(65535), &json!(id)),
            "{reply}"
        );
    }
    assert_eq!(exec2(&mut ws, id)["affected"], 1);
}

#[test]
fn no_frame_makes_the_server_fall_silent_or_fail_inside() {
    let (_server, mut ws) = server();
    let id = stmt2(
        &mut ws,
        "insert into ? using st tags (?, ?) values (?, ?, ?, ?)",
    );
    let tags = [Value::Int(1), Value::NChar("x".into())];
    let columns = [
        ColumnView::from_millis_timestamp(vec![T0, T0 + 1]),
        ColumnView::from_ints(vec![Some(1), None]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("ab"), None]),
        ColumnView::from_nchar::<&str, _, _, _>(vec![Some("ж"), None]),
    ];
    let bound = BindTable {
        name: Some("c1"),
        tags: &tags,
        columns: &columns,
    };
    let second = bind2_frame(9, id, &[bound]);
    let mut first = stmt1(&mut ws, "insert into plain values (?, ?, ?)");
    let block = views_to_raw_block(&columns[..3]);
    let frames = [
        second,
        encode_bind(9, first, &block),
        encode_write_raw_block(9, 2, "plain", &block, None).unwrap(),
    ];
    for (kind, frame) in frames.iter().enumerate() {
        for at in 24..frame.len() {
            for change in [0xff, 0x01, 0x80] {
                let mut bytes = frame.to_vec();
                if kind == 1 {
                    bytes[8..16].copy_from_slice(&first.to_le_bytes());
                }
                bytes[at] ^= change;
                ws.send_binary(bytes);
                let reply = ws.receive_json();
                let text = reply["message"].as_str().unwrap();
                assert!(!text.contains("internal error"), "byte {at}: {reply}");
                assert_ne!(
                    text, "success",
                    "byte {at}: the statement was broken before"
                );
                if code(&reply) != 0 && code(&reply) != 65535 && kind == 1 {
                    ws.send_text(
                        json!({"action": "close", "args": {"stmt_id": first}}).to_string(),
                    );
                    first = stmt1(&mut ws, "insert into plain values (?, ?, ?)");
                } else if code(&reply) != 0 && code(&reply) != 65535 && kind == 0 {
                    let sql = "insert into ? using st tags (?, ?) values (?, ?, ?, ?)";
                    done(ws.ask("stmt2_prepare", json!({"stmt_id": id, "sql": sql})));
                }
            }
        }
    }
    assert_eq!(rows(&mut ws, "select 1"), ["1"]);
}

#[test]
fn requests_of_a_statement_run_in_the_order_of_their_frames() {
    let (_server, mut ws) = server();
    let id = stmt2(&mut ws, "insert into plain values (?, ?, ?)");
    const ROUNDS: i64 = 50;
    for round in 0..ROUNDS {
        let times: Vec<i64> = (0..100).map(|i| T0 + round * 100 + i).collect();
        let columns = columns(&times, &[Some(1); 100], &[Some("a"); 100]);
        ws.send_binary(bind2_frame(1, id, &[table(&columns)]));
        ws.send_text(
            json!({"action": "stmt2_exec", "args": {"req_id": 2, "stmt_id": id}}).to_string(),
        );
    }
    for _ in 0..ROUNDS {
        assert_eq!(done(ws.receive_json())["action"], "stmt2_bind");
        assert_eq!(done(ws.receive_json())["affected"], 100);
    }
    assert_eq!(rows(&mut ws, "select count(*) from plain"), ["5000"]);
}

#[test]
fn statements_of_one_connection_do_not_mix_what_is_bound_to_them() {
    let (_server, mut ws) = server();
    let ids: Vec<u64> = (0..8)
        .map(|i| {
            ws.run(&format!(
                "create table p{i} (ts timestamp, v int, s varchar(8))"
            ));
            stmt2(&mut ws, &format!("insert into p{i} values (?, ?, ?)"))
        })
        .collect();
    for round in 0..10 {
        for (v, id) in (0..).zip(&ids) {
            let columns = columns(&[T0 + round], &[Some(v)], &[None]);
            ws.send_binary(bind2_frame(1, *id, &[table(&columns)]));
        }
        for id in &ids {
            ws.send_text(
                json!({"action": "stmt2_exec", "args": {"req_id": 1, "stmt_id": id}}).to_string(),
            );
        }
    }
    for _ in 0..10 * 2 * ids.len() {
        done(ws.receive_json());
    }
    for i in 0..8 {
        assert_eq!(
            rows(&mut ws, &format!("select v, count(*) from p{i} group by v")),
            [format!("{i}|10")]
        );
    }
}

#[test]
fn an_execution_writes_all_that_was_bound_or_nothing() {
    let (server, mut ws) = server();
    ws.run("create table gone (ts timestamp, v int, s varchar(8))");
    let id = stmt2(&mut ws, "insert into ? values (?, ?, ?)");
    let columns = columns(&[T0], &[Some(1)], &[None]);
    let named = |name| BindTable {
        name: Some(name),
        ..table(&columns)
    };
    done(bind2(&mut ws, id, &[named("plain"), named("gone")]));
    Ws::login(server.addr()).run("drop table d.gone");
    refused(&exec2(&mut ws, id), 0x2603, "Table does not exist");
    assert_eq!(rows(&mut ws, "select count(*) from plain"), ["0"]);
}

#[test]
fn rows_that_were_bound_survive_changes_that_leave_their_columns() {
    let (server, mut ws) = server();
    let mut other = Ws::login(server.addr());
    let sql = "insert into ? using st tags (?, ?) values (?, ?, ?, ?)";
    let id = stmt2(&mut ws, sql);
    let tags = [Value::Int(1), Value::NChar("x".into())];
    let columns = [
        ColumnView::from_millis_timestamp(vec![T0]),
        ColumnView::from_ints(vec![Some(1)]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("ab")]),
        ColumnView::from_nchar::<&str, _, _, _>(vec![Some("ж")]),
    ];
    let bound = BindTable {
        name: Some("c1"),
        tags: &tags,
        columns: &columns,
    };
    done(bind2(&mut ws, id, &[bound]));
    other.run("alter stable d.st add column extra double");
    other.run("create table d.c1 using d.st tags (5, 'own')");
    assert_eq!(exec2(&mut ws, id)["affected"], 1);
    assert_eq!(
        rows(&mut ws, "select g, v, s, n, extra from c1"),
        ["5|1|ab|ж|NULL"]
    );
    let sql = "insert into ? using st tags (?, ?) (ts, v, s, n) values (?, ?, ?, ?)";
    done(ws.ask("stmt2_prepare", json!({"stmt_id": id, "sql": sql})));
    done(bind2(&mut ws, id, &[bound]));
    other.run("alter stable d.st drop column s");
    refused(&exec2(&mut ws, id), 0x0200, "prepare again");
}

#[test]
fn queries_take_a_value_for_each_placeholder() {
    let (_server, mut ws) = server();
    ws.run(&format!(
        "insert into plain values ({T0}, -3, 'a') ({}, 4, 'it''s') ({}, 5, null)",
        T0 + 1,
        T0 + 2
    ));
    let id = stmt2(
        &mut ws,
        "select ts, v, s from plain where v = ? or s = ? or ts > ? order by ts",
    );
    let parameters = |v, s: &str, ts: i64| {
        [
            ColumnView::from_big_ints(vec![v]),
            ColumnView::from_varchar::<&str, _, _, _>(vec![s]),
            ColumnView::from_millis_timestamp(vec![ts]),
        ]
    };
    refused(&exec2(&mut ws, id), 0x022A, "");
    let sql = "select ts, v, s from plain where v = ? or s = ? or ts > ? order by ts";
    done(ws.ask("stmt2_prepare", json!({"stmt_id": id, "sql": sql})));
    for (bound, expected) in [
        (
            parameters(-3, "it's", T0 + 5),
            vec![format!("{T0}|-3|a"), format!("{}|4|it's", T0 + 1)],
        ),
        (
            parameters(0, "' or 1 = 1 --", T0 + 1),
            vec![format!("{}|5|NULL", T0 + 2)],
        ),
    ] {
        done(bind2(&mut ws, id, &[table(&bound)]));
        assert_eq!(exec2(&mut ws, id)["affected"], 0);
        let result = done(ws.ask("stmt2_result", json!({"stmt_id": id})));
        assert_eq!(result["fields_lengths"], json!([8, 4, 10]));
        assert_eq!(fetched(&mut ws, result["id"].as_u64().unwrap()), expected);
    }
    let two_rows = [
        ColumnView::from_big_ints(vec![1, 2]),
        ColumnView::from_varchar::<&str, _, _, _>(vec!["a", "b"]),
        ColumnView::from_millis_timestamp(vec![T0, T0]),
    ];
    refused(&bind2(&mut ws, id, &[table(&two_rows)]), 0x0236, "");
    done(ws.ask(
        "stmt2_prepare",
        json!({"stmt_id": id, "sql": "select count(*) from plain"}),
    ));
    done(exec2(&mut ws, id));
    let result = done(ws.ask("stmt2_result", json!({"stmt_id": id})));
    assert_eq!(fetched(&mut ws, result["id"].as_u64().unwrap()), ["3"]);
}

#[test]
fn an_unread_result_goes_with_its_statement() {
    let (_server, mut ws) = server();
    ws.run(&format!("insert into plain values ({T0}, 1, 'a')"));
    let id = stmt2(&mut ws, "select * from plain");
    done(exec2(&mut ws, id));
    let result = done(ws.ask("stmt2_result", json!({"stmt_id": id})))["id"]
        .as_u64()
        .unwrap();
    done(ws.ask("stmt2_close", json!({"stmt_id": id})));
    let Reply::Fetch(reply) = ws.fetch(result) else {
        panic!("no reply")
    };
    assert!(matches!(reply.outcome, FetchOutcome::Error { .. }));
}

#[test]
fn bound_decimals_are_integers_or_text_as_the_release_has_them() {
    let time = ColumnView::from_millis_timestamp(vec![T0]);
    for (version, as_text) in [("3.3.7.5", false), ("3.4.1.0", true)] {
        let server = Embedded::builder()
            .emulate(version)
            .start_blocking()
            .unwrap();
        let mut ws = prepared_session(&server);
        ws.run("create table dec (ts timestamp, a decimal(10,2), b decimal(38,10))");
        let sql = "insert into dec values (?, ?, ?)";
        let id = stmt2(&mut ws, sql);
        let columns = [
            time.clone(),
            ColumnView::from_decimal64(vec![-50], 10, 2),
            ColumnView::from_decimal(vec![12_345_678_901], 38, 10),
        ];
        let form = |ty| taos_ws::protocol::BindForm {
            ty,
            decimal_text: as_text,
        };
        let forms: Vec<_> = columns.iter().map(|c| form(c.as_ty())).collect();
        let mut frame = BytesMut::new();
        encode_stmt2_bind(&mut frame, 1, id, &[table(&columns)], &[], &forms).unwrap();
        ws.send_binary(frame.freeze());
        done(ws.receive_json());
        assert_eq!(exec2(&mut ws, id)["affected"], 1);
        assert_eq!(
            rows(
                &mut ws,
                "select cast(a as varchar(20)), cast(b as varchar(40)) from dec"
            ),
            ["-0.50|1.2345678901"],
            "{version}"
        );
        let wide = [
            time.clone(),
            ColumnView::from_decimal64(vec![10_i64.pow(10)], 12, 2),
        ];
        done(ws.ask(
            "stmt2_prepare",
            json!({"stmt_id": id, "sql": "insert into dec (ts, a) values (?, ?)"}),
        ));
        let forms: Vec<_> = wide.iter().map(|c| form(c.as_ty())).collect();
        let mut frame = BytesMut::new();
        encode_stmt2_bind(&mut frame, 1, id, &[table(&wide)], &[], &forms).unwrap();
        ws.send_binary(frame.freeze());
        refused(&ws.receive_json(), 0x013D, "");
    }
}

#[test]
fn single_columns_bound_one_after_another_make_whole_rows() {
    let (_server, mut ws) = server();
    let id = stmt2(&mut ws, "insert into plain values (?, ?, ?)");
    let columns = columns(&[T0], &[Some(1)], &[Some("x")]);
    for (at, column) in (0_i32..).zip(&columns) {
        let frame = bind2_frame(1, id, &[table(std::slice::from_ref(column))]);
        let mut frame = frame.to_vec();
        frame[26..30].copy_from_slice(&at.to_le_bytes());
        ws.send_binary(frame);
        done(ws.receive_json());
    }
    assert_eq!(exec2(&mut ws, id)["affected"], 1);
    assert_eq!(rows(&mut ws, "select * from plain"), [format!("{T0}|1|x")]);
}
