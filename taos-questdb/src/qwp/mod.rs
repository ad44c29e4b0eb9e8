//! QWP, the binary protocol over WebSocket, in both directions (questdb §12 to §14).

pub(crate) mod egress;
pub(crate) mod ingest;
pub(crate) mod socket;
pub(crate) mod wire;

/// Reads the bytes as messages of a server of queries.
#[doc(hidden)]
pub fn fuzz_qwp_answers(data: &[u8]) {
    wire::egress::fuzz(data);
}
