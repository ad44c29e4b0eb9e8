use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// 11 bits that tell processes apart and 4 bits of the process id, in place.
static PROCESS: LazyLock<u64> = LazyLock::new(|| {
    let random = RandomState::new().hash_one(process::id());
    (random & 0x7FF) << 52 | u64::from(process::id() & 0xF) << 48
});

static COUNTER: AtomicU32 = AtomicU32::new(1);

/// A request id that is unique in the cluster with high probability, below 2^63 and never 0.
///
/// The layout is the usual one (taosadapter-ws §3.2): from the top a zero bit, 11 bits that tell
/// processes apart, 4 bits of the process id, 26 bits of `unix_ms >> 8` and 20 bits of a counter.
pub fn generate_req_id() -> u64 {
    let millis = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| {
            elapsed.as_secs().wrapping_mul(1000) + u64::from(elapsed.subsec_millis())
        });
    let counter = u64::from(COUNTER.fetch_add(1, Ordering::Relaxed) & 0xF_FFFF);
    *PROCESS | (millis >> 8 & 0x3FF_FFFF) << 20 | counter
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::generate_req_id;

    #[test]
    fn ids_are_distinct_positive_and_fit_a_signed_integer() {
        let ids: HashSet<u64> = (0..10_000).map(|_| generate_req_id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| *id > 0 && i64::try_from(*id).is_ok()));
    }
}
