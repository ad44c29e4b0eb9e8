//! What buffers of lines write and refuse.

mod lines;
mod properties;
mod refusals;
mod rewind;
mod vectors;

use super::Buffer;
use crate::ErrorCode;
use crate::ingress::ProtocolVersion;

const V1: ProtocolVersion = ProtocolVersion::V1;
const V2: ProtocolVersion = ProtocolVersion::V2;
const V3: ProtocolVersion = ProtocolVersion::V3;
const ALL: [ProtocolVersion; 3] = [V1, V2, V3];

/// What a buffer of this version holds after these calls, which all succeed.
fn written(
    version: ProtocolVersion,
    calls: impl FnOnce(&mut Buffer) -> crate::Result<()>,
) -> Vec<u8> {
    let mut buffer = Buffer::new(version);
    calls(&mut buffer).unwrap();
    buffer.as_bytes().to_vec()
}

/// The code and words of a failure.
fn refused<T>(result: crate::Result<T>) -> (ErrorCode, String) {
    match result {
        Ok(_) => panic!("this call should have been refused"),
        Err(error) => (error.code(), error.msg().to_owned()),
    }
}
