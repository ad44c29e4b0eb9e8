use super::*;
use crate::common::{Field, Ty};
use crate::{RawData, RawMeta};

#[test]
fn numbers_and_lengths_are_little_endian() {
    let mut bytes = Vec::new();
    let sizes = [
        bytes.write_u8_le(1).unwrap(),
        bytes.write_u16_le(2).unwrap(),
        bytes.write_u32_le(3).unwrap(),
        bytes.write_u64_le(4).unwrap(),
        bytes.write_u128_le(5).unwrap(),
        InlinableWrite::write_inlined_str::<2>(&mut bytes, "ab").unwrap(),
        InlinableWrite::write_len_with_width::<8>(&mut bytes, 6).unwrap(),
    ];
    assert_eq!(sizes, [1, 2, 4, 8, 16, 4, 8]);
    assert_eq!(bytes[..7], [1, 2, 0, 3, 0, 0, 0]);
    let mut reader = &bytes[..];
    assert_eq!(InlinableRead::read_u8(&mut reader).unwrap(), 1);
    assert_eq!(InlinableRead::read_u16(&mut reader).unwrap(), 2);
    assert_eq!(InlinableRead::read_u32(&mut reader).unwrap(), 3);
    assert_eq!(InlinableRead::read_u64(&mut reader).unwrap(), 4);
    assert_eq!(InlinableRead::read_u128(&mut reader).unwrap(), 5);
    assert_eq!(
        InlinableRead::read_inlined_str::<2>(&mut reader).unwrap(),
        "ab"
    );
    let length = InlinableRead::read_len_with_width::<8>(&mut reader);
    assert_eq!((length.unwrap(), reader.len()), (6, 0));
}

#[test]
fn lengths_that_do_not_fit_or_lie_are_errors() {
    let mut bytes = Vec::new();
    assert!(InlinableWrite::write_inlined_bytes::<1>(&mut bytes, &[0; 256]).is_err());
    assert!(InlinableWrite::write_len_with_width::<9>(&mut bytes, 1).is_err());
    assert!(bytes.is_empty(), "nothing half-written");
    // A length that only a machine with all that memory could trust.
    let mut huge = &[0xFF, 0xFF, 0xFF, 0x7F, 1][..];
    let error = InlinableRead::read_inlined_bytes::<4>(&mut huge).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    let mut short = &[3, 0, 0, 0][..];
    assert!(InlinableRead::read_len_with_data::<4>(&mut short).is_err());
    let mut whole = &[6, 0, 0, 0, 8, 9][..];
    let data = InlinableRead::read_len_with_data::<4>(&mut whole).unwrap();
    assert_eq!(data, [6, 0, 0, 0, 8, 9]);
    let mut binary = &[1, 0xFF][..];
    assert!(InlinableRead::read_inlined_str::<1>(&mut binary).is_err());
}

#[tokio::test]
async fn a_raw_message_is_length_type_and_bytes_in_both_kinds_of_stream() {
    let meta = RawMeta::new(0x0102, &b"xyz"[..]);
    let expected = [3, 0, 0, 0, 2, 1, b'x', b'y', b'z'];
    assert_eq!(Inlinable::inlined(&meta), expected);
    assert_eq!(AsyncInlinable::inlined(&meta).await, expected);
    assert_eq!(
        Inlinable::printable_inlined(&meta),
        "\\x03\\x00\\x00\\x00\\x02\\x01xyz"
    );
    let back: RawData = InlinableRead::read_inlinable(&mut &expected[..]).unwrap();
    assert_eq!(back, meta);
    let back: RawData = AsyncInlinableRead::read_inlinable(&mut &expected[..])
        .await
        .unwrap();
    assert_eq!(back, meta);
    assert!(<RawData as Inlinable>::read_inlined(&mut &expected[..8]).is_err());
}

#[test]
fn a_field_is_type_width_and_name() {
    let field = Field::new("v", Ty::VarChar, 16);
    let bytes = field.inlined();
    assert_eq!(bytes, [8, 16, 0, 0, 0, 1, 0, b'v']);
    assert_eq!(Field::read_inlined(&mut &bytes[..]).unwrap(), field);
    assert!(Field::read_inlined(&mut &[99, 0, 0, 0, 0, 0, 0][..]).is_err());
}

#[tokio::test]
async fn lengths_and_texts_go_through_asynchronous_streams() {
    let mut bytes = Vec::new();
    AsyncInlinableWrite::write_inlined_str::<1>(&mut bytes, "ab")
        .await
        .unwrap();
    let field = AsyncInlinableWrite::write_inlined_bytes::<1>(&mut bytes, &[0; 256]).await;
    assert!(field.is_err());
    assert_eq!(bytes, [2, b'a', b'b']);
    let text = AsyncInlinableRead::read_inlined_str::<1>(&mut &bytes[..]).await;
    assert_eq!(text.unwrap(), "ab");
    let all = AsyncInlinableRead::read_len_with_data::<1>(&mut &[3, 1, 2][..]).await;
    assert_eq!(all.unwrap(), [3, 1, 2]);
}
