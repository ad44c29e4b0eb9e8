//! The entry point of the data message fuzzer.

use bytes::Bytes;

use super::{DATA, DATA_AND_TABLES, DataMessage, DataReader};

/// Decodes arbitrary bytes as a data message of either type.
///
/// # Panics
/// If a message that was read reads differently after it was written, which is a defect.
pub fn fuzz_data_message(data: &[u8]) {
    let raw = Bytes::copy_from_slice(data);
    for raw_type in [DATA, DATA_AND_TABLES] {
        let Ok(message) = DataMessage::decode(raw_type, &raw) else {
            continue;
        };
        let again = message.encode(raw_type);
        let again = DataMessage::decode(raw_type, &again);
        assert!(again.is_ok_and(|again| again == message), "{message:?}");
        let Ok(mut reader) = DataReader::open(raw_type, raw.clone()) else {
            continue;
        };
        let mut left = message.entries.len();
        while reader.left() > 0 {
            left -= usize::from(matches!(reader.next_block(), Ok(Some(_))));
        }
        let broken = message.entries.iter().filter(|e| e.open().is_err()).count();
        assert_eq!(left, broken, "{message:?}");
    }
}
