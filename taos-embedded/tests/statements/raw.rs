use super::*;

fn raw_block(
    ws: &mut Ws,
    rows: u32,
    name: &str,
    views: &[ColumnView],
    fields: Option<&[&str]>,
) -> Json {
    let block = views_to_raw_block(views);
    let fields: Option<Vec<RawField>> = fields.map(|names| {
        let field = |(name, view): (&&str, &ColumnView)| RawField {
            name: (*name).to_owned(),
            ty: view.as_ty() as u8,
            bytes: view.schema().len,
        };
        names.iter().zip(views).map(field).collect()
    });
    let req_id = ws.next_id();
    ws.send_binary(encode_write_raw_block(req_id, rows, name, &block, fields.as_deref()).unwrap());
    let reply = ws.receive_json();
    assert_eq!(reply["req_id"], req_id);
    reply
}

#[test]
fn raw_blocks_go_into_columns_by_position_or_by_name() {
    let (_server, mut ws) = server();
    let all = columns(&[T0, T0 + 1], &[Some(1), None], &[Some("a"), None]);
    done(raw_block(&mut ws, 2, "plain", &all, None));
    let some = [all[2].clone(), all[0].clone()];
    done(raw_block(&mut ws, 2, "plain", &some, Some(&["s", "ts"])));
    let later = columns(&[T0 + 2], &[Some(5)], &[Some("c")]);
    let some = [later[1].clone(), later[0].clone()];
    done(raw_block(&mut ws, 1, "d.plain", &some, Some(&["v", "ts"])));
    assert_eq!(
        rows(&mut ws, "select * from plain order by ts"),
        [
            format!("{T0}|1|a"),
            format!("{}|NULL|NULL", T0 + 1),
            format!("{}|5|NULL", T0 + 2)
        ]
    );
    refused(
        &raw_block(&mut ws, 2, "missing", &all, None),
        0x2603,
        "Table does not exist",
    );
    let wrong = [
        all[0].clone(),
        ColumnView::from_big_ints(vec![1, 2]),
        all[2].clone(),
    ];
    for (rows, views, fields) in [
        (2, &wrong[..], None),
        (2, &all[..2], None),
        (3, &all[..], None),
        (2, &all[1..], Some(&["v", "s"][..])),
        (2, &all[..2], Some(&["ts", "w"][..])),
        (2, &all[..2], Some(&["ts", "ts"][..])),
    ] {
        refused(
            &raw_block(&mut ws, rows, "plain", views, fields),
            0x0118,
            "Invalid parameters",
        );
    }
    refused(
        &raw_block(&mut ws, 2, "st", &all, None),
        0x0118,
        "subtables",
    );
    let mut fresh = Ws::login(_server.addr());
    refused(
        &raw_block(&mut fresh, 2, "plain", &all, None),
        0x0217,
        "Database not specified",
    );
}

#[test]
fn a_data_message_of_a_topic_is_replayed_into_tables_that_exist() {
    // the example of tmq-raw §2.3: one row (1700000000000, 7) of the table d1
    const MESSAGE: &str = "6412000000110500000000000000110600000000000000010000000101\
        4f010000000000000000000000000000010000020000003d0000000100000002000000000000800000000000\
        000000090800000004040000000800000004000000000068e5cf8b0100000007000000000402090010020374\
        73000400080402760003643100\
        0000000000000000";
    let (_server, mut ws) = server();
    let raw: Vec<u8> = (0..MESSAGE.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&MESSAGE[at..at + 2], 16).unwrap())
        .collect();
    let replay = |ws: &mut Ws, raw_type| {
        let req_id = ws.next_id();
        ws.send_binary(taos_ws::protocol::encode_write_raw(req_id, raw_type, &raw).unwrap());
        ws.receive_json()
    };
    refused(&replay(&mut ws, 2), 0x2603, "Table does not exist");
    ws.run("create table d1 (ts timestamp, extra int, v int)");
    assert_eq!(done(replay(&mut ws, 2))["action"], "write_raw");
    assert_eq!(rows(&mut ws, "select * from d1"), [format!("{T0}|NULL|7")]);
    refused(
        &replay(&mut ws, 6),
        0x0100,
        "unsupported feature: write_raw of messages of type 6",
    );
}

/// The messages that the recording of a topic replays, with their types.
fn recorded() -> Vec<(u16, Vec<u8>)> {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/18-raw-block-write");
    (15..=29)
        .step_by(2)
        .map(|seq| {
            let frame = std::fs::read(folder.join(format!("{seq:03}-c2s-write_raw.bin"))).unwrap();
            let (head, raw) = frame.split_at(30);
            (u16::from_le_bytes([head[28], head[29]]), raw.to_vec())
        })
        .collect()
}

fn write_raw(ws: &mut Ws, raw_type: u16, raw: &[u8]) -> Json {
    let req_id = ws.next_id();
    ws.send_binary(taos_ws::protocol::encode_write_raw(req_id, raw_type, raw).unwrap());
    ws.receive_json()
}

#[test]
fn a_recorded_topic_can_be_replayed_twice() {
    let (_server, mut ws) = server();
    ws.run("create database fresh");
    ws.run("use fresh");
    let recorded = recorded();
    assert_eq!(recorded.len(), 8);
    for _ in 0..2 {
        for (raw_type, raw) in &recorded {
            done(write_raw(&mut ws, *raw_type, raw));
        }
        assert_eq!(
            rows(
                &mut ws,
                "select ts, v, name, extra, tg, tn from st order by ts"
            ),
            [
                format!("{T0}|1|one|NULL|9|a"),
                format!("{}|3|three|NULL|2|b", T0 + 2)
            ]
        );
        assert_eq!(rows(&mut ws, "show tables").len(), 2);
    }
}

#[test]
fn a_message_with_rows_that_do_not_fit_creates_no_table() {
    let (_server, mut ws) = server();
    ws.run("create database fresh");
    ws.run("use fresh");
    let recorded = recorded();
    let (raw_type, data) = &recorded[2];
    assert_eq!(*raw_type, 4);
    refused(&write_raw(&mut ws, 4, data), 0x2603, "Table does not exist");
    ws.run("create table st (ts timestamp, v int) tags (tg int, tn varchar(8))");
    ws.run("create table d1 using st tags (1, 'a')");
    // the rows of d1 have a column more than st
    refused(&write_raw(&mut ws, 4, data), 0x0118, "no column name");
    assert_eq!(rows(&mut ws, "show tables"), ["d1"]);
    // everything but the tables to create
    refused(
        &write_raw(&mut ws, 4, &data[..data.len() - 90]),
        0x0118,
        "but it ends at",
    );
    refused(
        &write_raw(&mut ws, 515, b"short"),
        0x0118,
        "8 bytes are needed where 5 are left",
    );
}
