#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::block::{BlockWriter, ColumnBuilder};
use crate::common::Ty;

/// The worked example of tmq-raw §2.3.
pub(super) fn example() -> Vec<u8> {
    let text = "64 12000000 11 0500000000000000 11 0600000000000000 01000000 01 01 4f \
        0100000000000000 0000000000000001 00 00 02000000 3d000000 01000000 02000000 00000080 \
        0000000000000000 0908000000 0404000000 08000000 04000000 00 0068e5cf8b010000 00 07000000 \
        00 04 02 09 00 10 02 03 747300 04 00 08 04 02 7600 03 643100 0000000000000000";
    let digits: String = text.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn column(name: &str, ty: Ty, bytes: i32, id: i32) -> EntryColumn {
    EntryColumn {
        ty: ty.as_u8(),
        flags: 0,
        bytes,
        id,
        name: name.to_owned(),
    }
}

#[test]
fn the_papers_example_decodes_to_its_values_and_encodes_to_its_bytes() {
    let raw = Bytes::from(example());
    let message = DataMessage::decode(DATA, &raw).unwrap();
    assert_eq!(
        (&message.begin, &message.end),
        (&Place::Log(5), &Place::Log(6))
    );
    let [entry] = message.entries.as_slice() else {
        panic!("{message:?}")
    };
    let columns = [
        column("ts", Ty::Timestamp, 8, 1),
        column("v", Ty::Int, 4, 2),
    ];
    let schema = entry.schema.as_ref().unwrap();
    assert_eq!((schema.version(), schema.columns()), (1, columns.to_vec()));
    assert_eq!(**schema, EntrySchema::new(1, columns.to_vec()));
    assert!(entry.column_types().unwrap().eq([9, 4]));
    let block = entry.open().unwrap();
    assert_eq!(block.table_name(), Some("d1"));
    assert!(block.field_names().eq(["ts", "v"]));
    assert_eq!(
        block.get_ref(0, 1).map(|v| format!("{v}")),
        Some("7".to_owned())
    );
    assert_eq!(message.encode(DATA), raw);
}

#[test]
fn a_head_of_older_libraries_is_understood() {
    let new = example();
    let old = [&[1][..], &9_i64.to_le_bytes(), &[2], &[0; 16], &new[23..]].concat();
    let message = DataMessage::decode(DATA, &old.into()).unwrap();
    assert_eq!(message.begin, Place::Log(9));
    assert_eq!(
        message.end,
        Place::Snapshot(2, Bytes::from_static(&[0; 16]))
    );
    assert_eq!(message.entries.len(), 1);
    let error = DataMessage::decode(DATA, &Bytes::from_static(&[17, 0, 0])).unwrap_err();
    assert!(error.to_string().contains("first byte is 17"), "{error}");
}

#[test]
fn a_head_that_is_not_known_hides_no_rows() {
    let rows = &example()[23..];
    let head = [0x14, 1, 2, 3];
    let raw = [&[100, 4, 0, 0, 0][..], &head, rows].concat();
    let message = DataMessage::decode(DATA, &raw.into()).unwrap();
    assert_eq!((message.begin, message.end), (Place::None, Place::None));
    assert_eq!(message.entries.len(), 1);
}

#[test]
fn places_of_every_kind_come_back() {
    let variable = [&[0; 16][..], &[8, 3], b"abc"].concat();
    for place in [
        Place::None,
        Place::Earliest,
        Place::Latest,
        Place::Log(i64::MIN),
        Place::Snapshot(0x12, Bytes::from(vec![7; 25])),
        Place::Snapshot(0x13, Bytes::from(variable)),
        Place::Snapshot(0x02, Bytes::from(vec![7; 16])),
    ] {
        let message = DataMessage {
            begin: place.clone(),
            end: place,
            entries: Vec::new(),
            creates: Vec::new(),
        };
        let raw = message.encode(DATA);
        assert_eq!(DataMessage::decode(DATA, &raw).unwrap(), message);
    }
}

#[test]
fn neighbours_of_one_description_share_it_and_so_do_messages() {
    let mut message = DataMessage::decode(DATA, &example().into()).unwrap();
    message.entries.push(message.entries[0].clone());
    message.entries[1].table = Some("d2".to_owned());
    let raw = message.encode(DATA);
    let mut reader = DataReader::open(DATA, raw.clone()).unwrap();
    let first = reader.next_block().unwrap().unwrap();
    let second = reader.next_block().unwrap().unwrap();
    assert!(Arc::ptr_eq(first.fields_shared(), second.fields_shared()));
    assert_eq!((reader.left(), second.table_name()), (0, Some("d2")));
    let kept = reader.schema().cloned();
    let mut reader = DataReader::open(DATA, raw).unwrap().with_schema(kept);
    let third = reader.next_block().unwrap().unwrap();
    assert!(Arc::ptr_eq(first.fields_shared(), third.fields_shared()));
}

#[test]
fn the_requests_behind_the_rows_are_kept_as_they_are() {
    let mut message = DataMessage::decode(DATA, &example().into()).unwrap();
    message.creates = vec![Bytes::from_static(b"one"), Bytes::from(vec![1; 300])];
    let raw = message.encode(DATA_AND_TABLES);
    assert_eq!(DataMessage::decode(DATA_AND_TABLES, &raw).unwrap(), message);
    let reader = DataReader::open(DATA_AND_TABLES, raw).unwrap();
    assert_eq!(reader.creates().unwrap(), message.creates);
    message.entries.clear();
    let raw = message.encode(DATA_AND_TABLES);
    assert_eq!(DataMessage::decode(DATA_AND_TABLES, &raw).unwrap(), message);
}

#[test]
fn messages_without_rows_are_refused_by_their_type() {
    for raw_type in [0, 3, 5, 6, 515, 579] {
        let error = DataReader::open(raw_type, example().into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(&format!("type {raw_type} ")));
    }
}

#[test]
fn every_cut_is_refused_and_every_changed_byte_is_read_or_refused() {
    let whole = example();
    let behind_rows = whole.len() - 8;
    for end in 0..behind_rows {
        let cut = Bytes::copy_from_slice(&whole[..end]);
        assert!(DataMessage::decode(DATA, &cut).is_err(), "{end}");
    }
    let old = Bytes::copy_from_slice(&whole[..behind_rows]);
    assert!(
        DataMessage::decode(DATA, &old).is_ok(),
        "no pause at the end"
    );
    for at in 0..whole.len() {
        for value in [0, 1, 2, 0x7F, 0x80, 0xFF] {
            let mut changed = whole.clone();
            changed[at] = value;
            fuzz_data_message(&changed);
        }
    }
}

#[test]
fn numbers_that_promise_too_much_are_refused_without_a_reservation() {
    let mut entries = example();
    entries[23..27].copy_from_slice(&i32::MAX.to_le_bytes());
    assert!(DataMessage::decode(DATA, &entries.into()).is_err());
    let mut tables = example();
    let len = tables.len();
    tables[len - 8..len - 4].copy_from_slice(&i32::MAX.to_le_bytes());
    assert!(DataMessage::decode(DATA_AND_TABLES, &tables.into()).is_err());
    let mut columns = example();
    columns.splice(109..110, [0xfe, 0xff, 0xff, 0xff, 0x0f]);
    let error = DataMessage::decode(DATA, &columns.into()).unwrap_err();
    assert!(error.to_string().contains("2147483647 columns"), "{error}");
}

/// A block of one column of numbers.
fn block(cells: &[Option<i64>]) -> Bytes {
    let mut writer = BlockWriter::new(vec![ColumnBuilder::new(Ty::BigInt, 8, 0, 0)]);
    let column = writer.column_mut(0).unwrap();
    for cell in cells {
        match cell {
            Some(cell) => column.push_i64(*cell).unwrap(),
            None => column.push_null(),
        }
    }
    writer.finish().unwrap()
}

fn entry() -> impl Strategy<Value = DataEntry> {
    (
        vec(option::of(any::<i64>()), 1..20),
        0_u8..3,
        (
            "\\PC{0,200}",
            any::<u8>(),
            any::<i32>(),
            any::<i32>(),
            any::<i32>(),
        ),
        "\\PC{0,20}",
    )
        .prop_map(
            |(cells, precision, (name, flags, bytes, id, version), table)| {
                let column = EntryColumn {
                    ty: Ty::BigInt.as_u8(),
                    flags,
                    bytes,
                    id,
                    name: name.replace('\0', "0"),
                };
                DataEntry {
                    rows: cells.len().try_into().unwrap(),
                    block: block(&cells),
                    precision,
                    schema: Some(Arc::new(EntrySchema::new(version, vec![column]))),
                    table: Some(table.replace('\0', "0")),
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(
        entries in vec(entry(), 0..6),
        named: bool,
        described: bool,
        creates in vec(vec(any::<u8>(), 0..300), 0..4),
        version: i64,
    ) {
        let mut entries = entries;
        for entry in &mut entries {
            entry.table = entry.table.take().filter(|_| named);
            entry.schema = entry.schema.take().filter(|_| described);
        }
        let message = DataMessage {
            begin: Place::Log(version),
            end: Place::Latest,
            entries,
            creates: creates.into_iter().map(Bytes::from).collect(),
        };
        let raw = message.encode(DATA_AND_TABLES);
        let again = DataMessage::decode(DATA_AND_TABLES, &raw).unwrap();
        prop_assert_eq!(&again, &message);
        for entry in &again.entries {
            let block = entry.open().unwrap();
            prop_assert_eq!(block.nrows(), usize::try_from(entry.rows).unwrap());
            prop_assert_eq!(block.table_name(), entry.table.as_deref());
            prop_assert_eq!(block.fields()[0].name().is_empty(), !described || entry.schema.as_ref().unwrap().columns()[0].name.is_empty());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(data in vec(any::<u8>(), 0..200)) {
        fuzz_data_message(&data);
        let behind = [&example()[..27], &data].concat();
        fuzz_data_message(&behind);
    }
}
