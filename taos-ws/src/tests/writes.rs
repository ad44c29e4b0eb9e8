use super::peer::{Accepts, DSN, Got, Peer, block, client, connected, error_of};
use crate::protocol::{BinaryRequest, InsertArgs, RawBlockWrite, TextRequest};
use crate::query::Taos;
use taos_query::block::{BlockWriter, ColumnBuilder};
use taos_query::common::{Field, Precision, Ty};
use taos_query::schemaless::{SchemalessPrecision, SchemalessProtocol, SmlData, SmlDataBuilder};
use taos_query::{AsyncQueryable as _, ErrorKind, RawBlock, RawMeta};

pub(super) fn lines(lines: &[&str]) -> SmlDataBuilder {
    let mut builder = SmlDataBuilder::default();
    builder
        .protocol(SchemalessProtocol::Line)
        .data(lines.iter().map(ToString::to_string).collect::<Vec<_>>());
    builder
}

async fn connected_to(version: &str) -> (Taos, Peer, Accepts) {
    let (taos, mut accepts) = client(DSN);
    let server = async {
        let mut peer = accepts.accept().await;
        peer.upgrade().await;
        peer.login(version).await;
        peer
    };
    let (told, peer) = tokio::join!(taos.current_version(), server);
    told.unwrap();
    (taos, peer, accepts)
}

impl Peer {
    async fn insert(&mut self) -> InsertArgs {
        match self.recv().await {
            Got::Text(TextRequest::Insert(args)) => args,
            other => panic!("schemaless lines were expected, not {other:?}"),
        }
    }

    async fn inserted(&mut self, req_id: u64, rest: &str) {
        self.text(&format!(
            r#"{{"code":0,"message":"","action":"insert","req_id":{req_id},"timing":1{rest}}}"#
        ))
        .await;
    }

    async fn block_write(&mut self) -> (u64, RawBlockWrite) {
        match self.recv().await {
            Got::Binary(BinaryRequest::WriteRawBlock { req_id, write }) => (req_id, write),
            other => panic!("a raw block was expected, not {other:?}"),
        }
    }

    async fn raw_write(&mut self) -> (u64, RawMeta) {
        match self.recv().await {
            Got::Binary(BinaryRequest::WriteRaw { req_id, write, .. }) => {
                (req_id, RawMeta::new(write.raw_type, write.raw))
            }
            other => panic!("a raw message was expected, not {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lines_leave_as_one_text_with_what_was_set_and_an_id_of_their_own() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let put = async |data: &SmlData, peer: &mut Peer| {
        let server = async {
            let args = peer.insert().await;
            peer.inserted(args.req_id, r#","affected_rows":2,"total_rows":3"#)
                .await;
            args
        };
        let (rows, args) = tokio::join!(taos.s_put(data), server);
        assert_eq!(rows.unwrap(), (2, Some(3)));
        args
    };
    let args = put(&lines(&["a v=1", "b v=2"]).build().unwrap(), &mut peer).await;
    assert_eq!(args.data, "a v=1\nb v=2");
    assert_eq!((args.protocol, args.precision.as_str()), (1, "ms"));
    assert_eq!((args.ttl, args.table_name_key.as_str()), (0, ""));
    assert_ne!(args.req_id, 0);
    for (precision, name) in [
        (SchemalessPrecision::NonConfigured, ""),
        (SchemalessPrecision::Hours, "h"),
        (SchemalessPrecision::Minutes, "m"),
        (SchemalessPrecision::Seconds, "s"),
        (SchemalessPrecision::Millisecond, "ms"),
        // Servers take `us` for nothing.
        (SchemalessPrecision::Microsecond, "u"),
        (SchemalessPrecision::Nanosecond, "ns"),
    ] {
        let data = lines(&["a v=1"])
            .precision(precision)
            .ttl(7)
            .req_id(77)
            .table_name_key("t1")
            .build()
            .unwrap();
        let args = put(&data, &mut peer).await;
        assert_eq!((args.precision.as_str(), args.req_id), (name, 77));
        assert_eq!((args.ttl, args.table_name_key.as_str()), (7, "t1"));
    }
    let json = |documents: &[&str]| {
        lines(documents)
            .protocol(SchemalessProtocol::Json)
            .build()
            .unwrap()
    };
    for (documents, sent) in [
        (&["{\"a\": 1}"][..], "{\"a\": 1}"),
        (
            &["{\"a\": 1}", " [{\"b\":2},{}]", "{\"c\":3}"],
            "[{\"a\": 1},{\"b\":2},{},{\"c\":3}]",
        ),
    ] {
        let args = put(&json(documents), &mut peer).await;
        assert_eq!((args.protocol, args.data.as_str()), (3, sent));
    }
    let error = error_of(taos.put(&json(&["{}", "{"])).await);
    assert!(error.to_string().contains("document 1"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn sixty_four_writes_of_lines_at_once_all_get_their_own_answer() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let data: Vec<_> = (0..64)
        .map(|n| lines(&[&format!("m v={n}i32")]).build().unwrap())
        .collect();
    let writes = futures_util::future::join_all(data.iter().map(|data| taos.s_put(data)));
    let server = async {
        let mut asked = Vec::new();
        for _ in 0..64 {
            asked.push(peer.insert().await);
        }
        asked.reverse();
        for args in asked {
            let digits: String = args.data.chars().filter(char::is_ascii_digit).collect();
            let rows = digits.strip_suffix("32").unwrap();
            peer.inserted(args.req_id, &format!(r#","affected_rows":{rows}"#))
                .await;
        }
    };
    let (written, ()) = tokio::join!(writes, server);
    for (n, rows) in written.into_iter().enumerate() {
        // An old server does not tell the total.
        assert_eq!(rows.unwrap(), (n, None));
    }
}

#[tokio::test(start_paused = true)]
async fn lines_that_may_have_been_written_are_not_sent_again_unless_asked() {
    let data = lines(&["a v=1"]).build().unwrap();
    let (taos, mut peer, accepts) = connected(DSN).await;
    let server = async move {
        peer.insert().await;
        drop(peer);
    };
    let (put, ()) = tokio::join!(taos.put(&data), server);
    let error = error_of(put);
    assert_eq!(error.kind(), ErrorKind::ConnectionLost);
    assert!(error.outcome_unknown());
    assert!(accepts.is_empty());

    let (taos, mut peer, mut accepts) = connected(&format!("{DSN}&retry_writes=true")).await;
    let server = async {
        let first = peer.insert().await;
        drop(peer);
        let mut peer = accepts.login().await;
        let again = peer.insert().await;
        assert_eq!(first, again);
        peer.inserted(again.req_id, r#","affected_rows":1"#).await;
        peer
    };
    let (put, _peer) = tokio::join!(taos.put(&data), server);
    put.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_old_server_is_not_asked_for_what_it_would_pass_over() {
    let (taos, mut peer, _accepts) = connected_to("3.3.2.9").await;
    let keyed = lines(&["a,t=x v=1"]).table_name_key("t").build().unwrap();
    let error = error_of(taos.put(&keyed).await);
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    assert!(
        text.contains("table_name_key") && text.contains("3.3.3.0") && text.contains("3.3.2.9"),
        "{text}"
    );
    let plain = lines(&["a v=1"]).table_name_key("").build().unwrap();
    let (put, ()) = tokio::join!(taos.put(&plain), async {
        let args = peer.insert().await;
        peer.error(args.req_id, 0x3002, "Invalid data format").await;
    });
    assert_eq!(error_of(put).code(), 0x3002);
}

#[tokio::test(start_paused = true)]
async fn the_old_endpoint_would_never_answer_lines_and_so_gets_none() {
    let (taos, mut accepts) = client(DSN);
    let server = async {
        let mut peer = accepts.accept().await;
        peer.head().await;
        peer.raw(b"HTTP/1.1 404 Not Found\r\n\r\n").await;
        let mut peer = accepts.accept().await;
        peer.upgrade().await;
        peer.login("3.0.1.0").await;
        peer
    };
    let data = lines(&["a v=1"]).build().unwrap();
    let (put, mut peer) = tokio::join!(taos.put(&data), server);
    let error = error_of(put);
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("3.1.1.15"), "{error}");
    // Raw writes it knows.
    let raw = RawMeta::new(531, &b"meta"[..]);
    let (written, ()) = tokio::join!(taos.write_raw_meta(&raw), async {
        let (req_id, _) = peer.raw_write().await;
        peer.error(req_id, 0, "").await;
    });
    written.unwrap();
}

fn named_block(names: &[&str]) -> RawBlock {
    let mut block =
        RawBlock::parse_from_raw_block(block(&[1, 2, 3]), Precision::Millisecond).unwrap();
    block.with_table_name("t1").with_field_names(names);
    block
}

#[tokio::test(start_paused = true)]
async fn a_block_goes_by_name_if_it_has_names_and_else_by_position() {
    let (taos, mut peer, _accepts) = connected(DSN).await;
    let mut unnamed =
        RawBlock::parse_from_raw_block(block(&[1, 2, 3]), Precision::Millisecond).unwrap();
    let error = error_of(taos.write_raw_block(&unnamed).await);
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("with_table_name"), "{error}");
    unnamed.with_table_name("t0");
    for (block, table, name) in [
        (&unnamed, "t0", None),
        (&named_block(&["v"]), "t1", Some("v")),
    ] {
        let (written, ()) = tokio::join!(taos.write_raw_block_with_req_id(block, 5), async {
            let (req_id, write) = peer.block_write().await;
            assert_eq!((req_id, write.rows), (5, 3));
            assert_eq!(write.table, table);
            assert_eq!(write.block, *block.as_raw_bytes());
            let names = write
                .fields
                .map(|fields| fields.iter().map(|f| f.name.clone()).collect::<Vec<_>>());
            assert_eq!(names, name.map(|name| vec![name.to_owned()]));
            peer.error(req_id, 0, "").await;
        });
        written.unwrap();
    }
    let fields = [Field::new("w", Ty::Int, 4)];
    let (written, ()) = tokio::join!(taos.write_raw_block_with_fields(&unnamed, &fields), async {
        let (req_id, write) = peer.block_write().await;
        let fields = write.fields.unwrap();
        assert_eq!((fields[0].name.as_str(), fields[0].ty), ("w", 4));
        assert_eq!(fields[0].bytes, 4);
        peer.error(req_id, 0x2603, "Table does not exist").await;
    });
    assert_eq!(error_of(written).code(), 0x2603);
    let nameless = [Field::new("", Ty::Int, 4)];
    let error = error_of(taos.write_raw_block_with_fields(&unnamed, &nameless).await);
    assert!(error.to_string().contains("field 0 has no name"), "{error}");
    let error = error_of(taos.write_raw_block_with_fields(&unnamed, &[]).await);
    assert!(error.to_string().contains("1 columns"), "{error}");
    let mut half = RawBlock::from_views(&[vec![1].into(), vec![2].into()], Precision::Millisecond);
    half.with_table_name("t1").with_field_names(["v", ""]);
    let error = error_of(taos.write_raw_block(&half).await);
    assert!(error.to_string().contains("column 1"), "{error}");
    let long = named_block(&[&"x".repeat(65)]);
    let error = error_of(taos.write_raw_block(&long).await);
    assert!(error.to_string().contains("column 0"), "{error}");
}

fn blob_block() -> RawBlock {
    let mut writer = BlockWriter::new(vec![ColumnBuilder::new(Ty::Blob, 5, 0, 0)]);
    writer.column_mut(0).unwrap().push_bytes(b"blob").unwrap();
    let bytes = writer.finish().unwrap();
    let mut block = RawBlock::parse_from_raw_block(bytes, Precision::Millisecond).unwrap();
    block.with_table_name("t");
    block
}

/// A data message of one block (tmq-raw §2), without schema and table name.
fn data_message(block: &RawBlock) -> Vec<u8> {
    let bytes = block.as_raw_bytes();
    let mut message = vec![100, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    let length = u8::try_from(18 + bytes.len()).unwrap();
    assert!(length < 0x80, "one byte of varint");
    message.push(length);
    message.extend(1u64.to_le_bytes());
    message.extend(u64::try_from(block.nrows()).unwrap().to_be_bytes());
    message.extend([0; 2]);
    message.extend_from_slice(bytes);
    message.extend([0; 8]);
    message
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_could_end_the_adapter_is_refused_before_anything_is_sent() {
    let plain = RawBlock::parse_from_raw_block(block(&[1]), Precision::Millisecond).unwrap();
    // The first is known to crash, and no later one not to.
    for version in ["3.3.7.5", "", "3.3.8.0", "3.4.1.12"] {
        let (taos, mut peer, _accepts) = connected_to(version).await;
        let mut errors = vec![error_of(taos.write_raw_block(&blob_block()).await)];
        for raw_type in [2, 4] {
            let message = RawMeta::new(raw_type, data_message(&blob_block()));
            errors.push(error_of(taos.write_raw_meta(&message).await));
        }
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("BLOB"), "{error}");
        }
        // Nothing of them was sent: this one comes first.
        let message = RawMeta::new(2, data_message(&plain));
        let (written, ()) = tokio::join!(taos.write_raw_meta(&message), async {
            let (req_id, got) = peer.raw_write().await;
            assert_eq!(got, message);
            peer.error(req_id, 0, "").await;
        });
        written.unwrap();
    }
    let (taos, ..) = connected_to("3.3.8.0").await;
    let error = error_of(taos.write_raw_meta(&RawMeta::new(2, &b"\x64x"[..])).await);
    assert!(error.to_string().contains("no data message"), "{error}");
}
