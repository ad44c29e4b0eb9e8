//! The messages that 16-tmq-db-meta recorded, and what else the layouts allow.

use proptest::prelude::*;

use super::*;

const CREATE_ST: &str = "68000000b80000005c0000000373740058b7b135731d992c0006020901100203747300040108040276000a01\
    840106056e616d6500040204020808037467000800140a03746e000000000000010602020201000204020100\
    0106020300ffffffffffffffffff0000";
const CREATE_D1: &str = "64000000b80000005800000002520000000003643100371520ef0d20c15b56f2de00a20100000000000002ff\
    ffffff037374000258b7b135731d992c1500150002000100000000060804010000000a080161020000000374\
    670003746e00000000000000";
const CREATE_N1: &str = "52000000b800000046000000024000000000036e3100391520ef0d20c15b62f2de00a20100000000000003ff\
    ffffff0402090110020374730007011004027800000000000400020201000204020100040000";
const ADD_EXTRA: &str = "ef000000b8000000e30000000373740058b7b135731d992c0008040901100203747300040108040276000a01\
    840106056e616d65000480080c06657874726100040204020808037467000800140a03746e0072000000726e\
    00000012312e676f6c64656e5f746d7164622e73740005010000000404000000066578747261000000000000\
    00000000000000000000003000000030616c746572207461626c6520676f6c64656e5f746d7164622e737420\
    61646420636f6c756d6e20657874726120696e740100000000000108040202010002040201000106020300ff\
    0c02010001ffffffffffffffff010000000000";
const SET_TAG: &str =
    "29000000b80000001d000000036431000404000000037467000004040900000073f2de00a201000000";
const DROP_N1: &str =
    "27000000b80000001b0000000216000000036e31000000000000000000391520ef0d20c15b0000";
const DELETE_D1: &str = "3b000000b800000058b7b135731d992c02371520ef0d20c15b0168e5cf8b0100000168e5cf8b010000020364\
    3100037473007cf2de00a201000000";

const RECORDED: [(u16, &str); 7] = [
    (531, CREATE_ST),
    (515, CREATE_D1),
    (515, CREATE_N1),
    (533, ADD_EXTRA),
    (517, SET_TAG),
    (519, DROP_N1),
    (579, DELETE_D1),
];
/// The vgroup of the recordings.
const VGROUP: i32 = 184;

fn bytes(hex: &str) -> Bytes {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn column(ty: u8, flags: u8, bytes: i32, id: i32, name: &str) -> Column {
    Column {
        ty,
        flags,
        bytes,
        id,
        name: name.to_owned(),
    }
}

#[test]
fn every_recorded_message_is_written_as_it_was_recorded() {
    for (raw_type, hex) in RECORDED {
        let raw = bytes(hex);
        let meta = decode(raw_type, &raw).unwrap();
        assert_eq!(meta.raw_type(), raw_type);
        assert_eq!(meta.encode(VGROUP), Some(raw), "{meta:?}");
    }
}

#[test]
fn a_recorded_super_table_has_its_columns_tags_and_compression() {
    let Ok(Meta::CreateSuper(table)) = decode(531, &bytes(CREATE_ST)) else {
        panic!("no super table")
    };
    assert_eq!(table.name, "st");
    assert_eq!(
        table.columns.columns,
        [
            column(9, 1, 8, 1, "ts"),
            column(4, 1, 4, 2, "v"),
            column(10, 1, 66, 3, "name")
        ]
    );
    assert_eq!(
        table.tags.columns,
        [column(4, 2, 4, 4, "tg"), column(8, 0, 10, 5, "tn")]
    );
    assert_eq!(
        table.compression.columns,
        [(1, 0x0200_0102), (2, 0x0100_0102), (3, 0xff00_0302)]
    );
    assert_eq!((table.change, table.digits), (None, None));
}

#[test]
fn recorded_changes_say_what_they_change() {
    let Ok(Meta::AlterSuper(table)) = decode(533, &bytes(ADD_EXTRA)) else {
        panic!("no change of a super table")
    };
    let change = table.change.unwrap();
    assert_eq!(
        (change.full_name.as_str(), change.kind),
        ("1.golden_tmqdb.st", 5)
    );
    assert_eq!(change.fields[0].name, "extra");
    let Ok(Meta::AlterTable(alter)) = decode(517, &bytes(SET_TAG)) else {
        panic!("no change of a table")
    };
    assert_eq!(
        (alter.table.as_str(), alter.action),
        (
            "d1",
            Action::SetTag(TagSetting {
                id: 0,
                name: "tg".to_owned(),
                ty: 4,
                value: Some(Bytes::from_static(&[9, 0, 0, 0])),
            })
        )
    );
    let Ok(Meta::Delete(rows)) = decode(579, &bytes(DELETE_D1)) else {
        panic!("no deletion")
    };
    assert_eq!(
        (rows.table.as_str(), rows.range),
        ("d1", (1_700_000_000_001, 1_700_000_000_001))
    );
}

#[test]
fn a_recorded_subtable_has_its_tags_under_their_numbers() {
    let Ok(Meta::CreateTables { tables, .. }) = decode(515, &bytes(CREATE_D1)) else {
        panic!("no tables")
    };
    let NewKind::Child {
        stable,
        tags,
        names,
        ..
    } = &tables[0].kind
    else {
        panic!("{tables:?}")
    };
    assert_eq!((stable.as_str(), names.join(" ")), ("st", "tg tn".into()));
    let values: Vec<_> = tags.values.iter().map(|v| (&v.key, &*v.data)).collect();
    assert_eq!(
        values,
        [
            (&Key::Number(4), &[1, 0, 0, 0][..]),
            (&Key::Number(5), b"a")
        ]
    );
}

#[test]
fn a_message_that_ends_early_is_refused() {
    for (raw_type, hex) in RECORDED {
        let raw = bytes(hex);
        // of a deletion the last two fields came later
        let needed = raw.len() - if raw_type == 579 { 9 } else { 0 };
        for end in 0..needed {
            let cut = decode(raw_type, &raw.slice(..end));
            assert!(matches!(cut, Err(Bad::Malformed(_))), "{raw_type} {end}");
        }
    }
}

#[test]
fn what_is_not_known_is_named() {
    let mut kind = bytes(SET_TAG).to_vec();
    kind[16] = 19;
    for (raw_type, raw, text) in [
        (517, kind, "changes of tables of kind 19"),
        (577, bytes(SET_TAG).to_vec(), "messages of type 577"),
    ] {
        let answer = decode(raw_type, &raw.into());
        assert_eq!(answer, Err(Bad::Unsupported(text.to_owned())));
    }
}

#[test]
fn a_batch_is_the_messages_in_it() {
    let mut batch = 2_i32.to_le_bytes().to_vec();
    for (raw_type, hex) in [(531_u16, CREATE_ST), (519, DROP_N1)] {
        let raw = bytes(hex);
        let mut one = vec![0; 40];
        one.push(0x11); // an offset of the log
        one.extend([0; 8]);
        one.extend(raw_type.to_le_bytes());
        let mut message = out::Out::default();
        message.binary(&raw);
        one.extend(message.0);
        let mut length = out::Out::default();
        length.binary(&one);
        batch.extend(length.0);
    }
    let metas = decode_batch(&batch.into()).unwrap();
    assert_eq!(
        metas,
        [
            decode(531, &bytes(CREATE_ST)).unwrap(),
            decode(519, &bytes(DROP_N1)).unwrap()
        ]
    );
}

fn name() -> impl Strategy<Value = String> {
    "[a-zß水\\x00]{0,9}"
}

fn data() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..9).prop_map(Bytes::from)
}

fn schema() -> impl Strategy<Value = Schema> {
    let column = (any::<u8>(), any::<u8>(), any::<i32>(), any::<i32>(), name());
    let column = column.prop_map(|(ty, flags, bytes, id, name)| Column {
        ty,
        flags,
        bytes,
        id,
        name,
    });
    (any::<i32>(), prop::collection::vec(column, 0..4))
        .prop_map(|(version, columns)| Schema { version, columns })
}

fn compression() -> impl Strategy<Value = Compression> {
    let one = (any::<i32>(), any::<u32>());
    (any::<i32>(), prop::collection::vec(one, 0..4))
        .prop_map(|(version, columns)| Compression { version, columns })
}

fn tag_value(is_json: bool) -> impl Strategy<Value = TagValue> {
    let ty = prop::sample::select(vec![(1_u8, 1), (4, 4), (5, 8), (7, 8), (8, 0), (10, 0)]);
    (ty, any::<i32>(), name(), data()).prop_map(move |((ty, width), number, name, data)| TagValue {
        key: match is_json {
            true => Key::Json(name.into()),
            false => Key::Number(number),
        },
        ty,
        data: match width {
            0 => data,
            width => Bytes::from(vec![7; width]),
        },
    })
}

fn tags() -> impl Strategy<Value = Tags> {
    (any::<bool>(), any::<bool>(), any::<i32>()).prop_flat_map(|(is_json, is_large, version)| {
        prop::collection::vec(tag_value(is_json), 0..5).prop_map(move |values| Tags {
            flags: u8::from(is_json) << 6 | u8::from(is_large) << 5,
            version,
            values,
        })
    })
}

fn new_table() -> impl Strategy<Value = NewTable> {
    let child = (name(), any::<u8>(), any::<i64>(), tags()).prop_flat_map(|all| {
        prop::collection::vec(name(), 0..4).prop_map(move |names| NewKind::Child {
            stable: all.0.clone(),
            tag_count: all.1,
            super_uid: all.2,
            tags: all.3.clone(),
            names,
        })
    });
    let normal =
        (schema(), compression(), any::<bool>()).prop_map(|(columns, compression, with)| {
            let digits = with.then(|| vec![0x0a02; columns.columns.len()]);
            NewKind::Normal {
                columns,
                compression,
                digits,
            }
        });
    let kind = prop_oneof![child, normal];
    let comment = prop::option::of(name());
    (name(), any::<(i32, i64, i64, i32)>(), comment, kind, data()).prop_map(
        |(name, (flags, uid, created, ttl), comment, kind, sql)| NewTable {
            flags,
            name,
            uid,
            created,
            ttl,
            comment,
            kind,
            sql,
        },
    )
}

fn super_table() -> impl Strategy<Value = SuperTable> {
    let field = (any::<u8>(), any::<i32>(), name(), any::<u32>());
    let change = (name(), 1..15_u8, prop::collection::vec(field, 0..3), data());
    let change = change.prop_map(|(full_name, kind, fields, rest)| SuperChange {
        full_name,
        kind,
        fields: fields
            .into_iter()
            .map(|(ty, bytes, name, form)| ChangedField {
                ty,
                bytes,
                name,
                compression: (kind == 14).then_some(form),
            })
            .collect(),
        rest,
    });
    let numbers = any::<(i64, u8, u8, i64, bool)>();
    let change = prop::option::of(change);
    (name(), schema(), schema(), change, compression(), numbers).prop_map(
        |(name, columns, tags, change, compression, (uid, source, is_compressed, keep, with))| {
            let digits = with.then(|| vec![-1; columns.columns.len()]);
            SuperTable {
                name,
                uid,
                columns,
                tags,
                change,
                source,
                is_compressed,
                compression,
                keep,
                digits,
            }
        },
    )
}

fn tag_setting(id: i32) -> impl Strategy<Value = TagSetting> {
    (name(), any::<u8>(), prop::option::of(data())).prop_map(move |(name, ty, value)| TagSetting {
        id,
        name,
        ty,
        value,
    })
}

fn action() -> impl Strategy<Value = Action> {
    let numbers = any::<(u8, u8, i32, i32)>();
    let add = (name(), numbers, prop::option::of(any::<u32>())).prop_map(
        |(name, (ty, flags, bytes, digits), compression)| Action::AddColumn {
            name,
            ty,
            flags,
            bytes,
            compression,
            digits,
        },
    );
    prop_oneof![
        add,
        name().prop_map(Action::DropColumn),
        (name(), any::<u8>(), any::<i32>()).prop_map(|(name, ty, bytes)| Action::Widen {
            name,
            ty,
            bytes
        }),
        (name(), name()).prop_map(|(from, to)| Action::Rename(from, to)),
        tag_setting(0).prop_map(Action::SetTag),
        prop::collection::vec(tag_setting(7), 0..3).prop_map(Action::SetTags),
        (prop::option::of(any::<i32>()), prop::option::of(name()))
            .prop_map(|(ttl, comment)| Action::Options { ttl, comment }),
        (name(), any::<u32>()).prop_map(|(name, form)| Action::Compress(name, form)),
    ]
}

fn meta() -> impl Strategy<Value = Meta> {
    let alter = (name(), action(), any::<(i32, i64, u8)>()).prop_map(
        |(table, action, (column_id, changed, source))| {
            Meta::AlterTable(Alter {
                table,
                action,
                column_id,
                changed,
                source,
                ids: (0, 0),
            })
        },
    );
    let dropped =
        (name(), any::<(i64, i64, u8)>()).prop_map(|(name, (super_uid, uid, if_exists))| {
            DroppedTable {
                name,
                super_uid,
                uid,
                if_exists,
            }
        });
    let uids = prop::collection::vec(any::<i64>(), 0..3);
    let delete = (
        uids,
        any::<(i64, (i64, i64), i64, i64, u8)>(),
        name(),
        name(),
    )
        .prop_map(
            |(uids, (super_uid, range, affected, changed, source), table, time_column)| {
                Meta::Delete(Deletion {
                    super_uid,
                    uids,
                    range,
                    affected,
                    table,
                    time_column,
                    changed,
                    source,
                })
            },
        );
    prop_oneof![
        super_table().prop_map(Meta::CreateSuper),
        super_table().prop_map(Meta::AlterSuper),
        (name(), any::<i64>()).prop_map(|(name, uid)| Meta::DropSuper { name, uid }),
        (prop::collection::vec(new_table(), 0..3), any::<u8>())
            .prop_map(|(tables, source)| Meta::CreateTables { tables, source }),
        alter,
        prop::collection::vec(dropped, 0..3).prop_map(Meta::DropTables),
        delete,
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(meta in meta(), vgroup: i32) {
        let raw = meta.encode(vgroup).unwrap();
        prop_assert_eq!(decode(meta.raw_type(), &raw), Ok(meta));
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        which in 0..RECORDED.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
    ) {
        let (raw_type, hex) = RECORDED[which];
        let mut raw = raw_type.to_le_bytes().to_vec();
        raw.extend(bytes(hex));
        for (at, value) in changes {
            let at = at.index(raw.len());
            raw[at] = value;
        }
        fuzz_topic_message(&raw);
    }
}
