//! Compressed messages: permessage-deflate (RFC 7692), without I/O.
//!
//! Both sides are asked to begin each message anew, as taosAdapter does (taosadapter-ws §2): a
//! message then needs nothing of those before it, and an idle connection keeps no window.

use std::borrow::Cow;

/// What the upgrade offers.
pub(crate) const OFFER: &str =
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover";

/// What client and server agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// A message of the server may refer to those before it.
    pub(crate) server_keeps_context: bool,
}

/// Reads the server's answer to [`OFFER`]; an empty one declines.
///
/// # Errors
/// An answer that the offer does not allow, in words.
pub(crate) fn agreed(answer: &str) -> Result<Option<Agreement>, String> {
    if answer.trim().is_empty() {
        return Ok(None);
    }
    let mut parts = answer.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    if !name.eq_ignore_ascii_case("permessage-deflate") || answer.contains(',') {
        return Err(format!("switched on `{}`", shortened(answer)));
    }
    let mut agreement = Agreement {
        server_keeps_context: true,
    };
    for part in parts {
        let (key, value) = match part.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim().trim_matches('"'))),
            None => (part, None),
        };
        match (key.to_ascii_lowercase().as_str(), value) {
            ("server_no_context_takeover", None) => agreement.server_keeps_context = false,
            ("client_no_context_takeover", None) => {}
            // A smaller window than ours is readable.
            ("server_max_window_bits", Some(bits))
                if bits
                    .parse::<u8>()
                    .is_ok_and(|bits| (8..=15).contains(&bits)) => {}
            _ => return Err(format!("compresses with `{}`", shortened(part))),
        }
    }
    Ok(Some(agreement))
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(80) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

#[cfg(feature = "deflate")]
pub(crate) use codec::Deflate;
#[cfg(not(feature = "deflate"))]
pub(crate) use none::Deflate;

#[cfg(feature = "deflate")]
mod codec {
    use super::Agreement;
    use bytes::Bytes;
    use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

    /// What each message leaves out at its end (RFC 7692 §7.2.1).
    const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];
    /// Shorter messages gain nothing.
    const WORTH_IT: usize = 1024;
    /// First room for an inflated message; it doubles as data comes.
    const FIRST_ROOM: usize = 4096;
    /// A buffer for outgoing messages that is longer is not kept.
    const KEPT: usize = 256 * 1024;

    /// Compresses and inflates the messages of one connection.
    pub(crate) struct Deflate {
        server_keeps_context: bool,
        inflate: Decompress,
        /// Made for the first message that is worth it: it takes some 300 KiB.
        deflate: Option<Compress>,
        output: Vec<u8>,
    }

    impl Deflate {
        #[allow(
            clippy::unnecessary_wraps,
            reason = "a build without compression has none to give"
        )]
        pub(crate) fn new(agreement: Agreement) -> Option<Self> {
            Some(Self {
                server_keeps_context: agreement.server_keeps_context,
                inflate: Decompress::new(false),
                deflate: None,
                output: Vec::new(),
            })
        }

        /// The message of which `payload` is the compressed form.
        ///
        /// # Errors
        /// What is not deflate data, and what would be longer than `limit`; that is noticed as it
        /// is inflated, and never more than about twice of what came out is allocated.
        pub(crate) fn inflate(&mut self, payload: &[u8], limit: usize) -> Result<Bytes, String> {
            let mut out = Vec::new();
            for part in [payload, &TAIL] {
                self.inflate_part(part, &mut out, limit)?;
            }
            if !self.server_keeps_context {
                self.inflate.reset(false);
            }
            Ok(out.into())
        }

        fn inflate_part(
            &mut self,
            mut rest: &[u8],
            out: &mut Vec<u8>,
            limit: usize,
        ) -> Result<(), String> {
            loop {
                make_room(out, limit)?;
                let (taken, made) = (self.inflate.total_in(), out.len());
                let status = self
                    .inflate
                    .decompress_vec(rest, out, FlushDecompress::Sync)
                    .map_err(|error| format!("a message is not deflate data: {error}"))?;
                let used = usize::try_from(self.inflate.total_in() - taken).unwrap_or(0);
                rest = rest.get(used..).unwrap_or_default();
                let full = out.len() == out.capacity();
                if status == Status::StreamEnd {
                    // A block may say that it is the last one; the next begins anew.
                    self.inflate.reset(false);
                }
                if rest.is_empty() && !full {
                    return within(out, limit);
                }
                if used == 0 && out.len() == made && !full {
                    return Err("a message is not deflate data: it does not go on".into());
                }
            }
        }

        /// The compressed form of a message, unless it gains nothing.
        pub(crate) fn deflate(&mut self, payload: &[u8]) -> Option<&[u8]> {
            if payload.len() < WORTH_IT {
                return None;
            }
            let deflate = self
                .deflate
                .get_or_insert_with(|| Compress::new(Compression::fast(), false));
            deflate.reset();
            if self.output.capacity() > KEPT {
                self.output = Vec::new();
            }
            self.output.clear();
            let mut rest = payload;
            loop {
                self.output.reserve(rest.len() / 4 + 64);
                let taken = deflate.total_in();
                deflate
                    .compress_vec(rest, &mut self.output, FlushCompress::Sync)
                    .ok()?;
                let used = usize::try_from(deflate.total_in() - taken).unwrap_or(0);
                rest = rest.get(used..).unwrap_or_default();
                if self.output.len() >= payload.len() {
                    return None;
                }
                if rest.is_empty() && self.output.len() < self.output.capacity() {
                    return self.output.strip_suffix(&TAIL);
                }
            }
        }
    }

    /// Room for at least one more byte, and for one byte more than allowed at most, which tells a
    /// message that is too long.
    fn make_room(out: &mut Vec<u8>, limit: usize) -> Result<(), String> {
        within(out, limit)?;
        if out.len() == out.capacity() {
            let most = limit.saturating_add(1);
            let wanted = out.capacity().saturating_mul(2).max(FIRST_ROOM).min(most);
            out.reserve_exact(wanted.saturating_sub(out.len()));
        }
        Ok(())
    }

    fn within(out: &[u8], limit: usize) -> Result<(), String> {
        if out.len() > limit {
            return Err(format!(
                "an inflated message is longer than max_message_size={limit}"
            ));
        }
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use proptest::prelude::*;

        fn pair(server_keeps_context: bool) -> Deflate {
            let agreement = Agreement {
                server_keeps_context,
            };
            Deflate::new(agreement).unwrap()
        }

        #[test]
        fn the_papers_examples_inflate() {
            // RFC 7692 §7.2.3: one block, the same referring to the last message, a block that is
            // not compressed, one that says it is the last, and two blocks.
            let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
            let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
            let stored = [
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ];
            let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
            let two = [
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ];
            let mut fresh = pair(false);
            for payload in [&hello[..], &stored, &last, &two, &hello] {
                assert_eq!(fresh.inflate(payload, 5).unwrap(), "Hello");
            }
            let mut keeping = pair(true);
            for payload in [&hello[..], &again, &again] {
                assert_eq!(keeping.inflate(payload, 5).unwrap(), "Hello");
            }
            assert_eq!(pair(false).inflate(&[0], 5).unwrap(), "");
        }

        #[test]
        fn a_bomb_is_given_up_at_the_limit_without_room_for_it() {
            let bomb = vec![0; 64 << 20];
            let small = pair(false).deflate(&bomb).unwrap().to_vec();
            assert!(small.len() < 400_000, "{}", small.len());
            let error = pair(false).inflate(&small, 100_000).unwrap_err();
            assert!(error.contains("max_message_size=100000"), "{error}");
            let mut out = Vec::new();
            let mut inflating = pair(false);
            inflating
                .inflate_part(&small, &mut out, 100_000)
                .unwrap_err();
            assert!(out.capacity() <= 100_001, "{}", out.capacity());
            let whole = pair(false).inflate(&small, bomb.len()).unwrap();
            assert_eq!(whole.len(), bomb.len());
            assert!(pair(false).inflate(&small, bomb.len() - 1).is_err());
        }

        proptest! {
            #[test]
            fn what_is_compressed_inflates_to_the_same(
                messages in prop::collection::vec(
                    (prop::collection::vec(any::<u8>(), 0..600), 1usize..200), 1..6
                )
            ) {
                let (mut client, mut server) = (pair(false), pair(false));
                for (piece, times) in messages {
                    let message = piece.repeat(times);
                    let packed = client.deflate(&message).map(<[u8]>::to_vec);
                    prop_assert!(packed.as_ref().is_none_or(|p| p.len() < message.len()));
                    if let Some(packed) = packed {
                        let again = server.inflate(&packed, message.len()).unwrap();
                        prop_assert!(again == message);
                        prop_assert!(server.inflate(&packed, message.len() - 1).is_err());
                        server = pair(false);
                    }
                }
            }

            #[test]
            fn any_bytes_inflate_within_the_limit_or_are_refused(
                payload in prop::collection::vec(any::<u8>(), 0..2000),
                limit in 0usize..5000,
            ) {
                if let Ok(message) = pair(false).inflate(&payload, limit) {
                    prop_assert!(message.len() <= limit);
                }
            }
        }
    }
}

#[cfg(not(feature = "deflate"))]
mod none {
    use super::Agreement;
    use bytes::Bytes;

    /// There is none in this build.
    pub(crate) enum Deflate {}

    impl Deflate {
        /// Nothing was offered, so nothing can have been agreed on.
        pub(crate) const fn new(_: Agreement) -> Option<Self> {
            None
        }

        pub(crate) fn inflate(&mut self, _: &[u8], _: usize) -> Result<Bytes, String> {
            match *self {}
        }

        pub(crate) fn deflate(&mut self, _: &[u8]) -> Option<&[u8]> {
            match *self {}
        }
    }
}

/// Feeds arbitrary bytes to the inflater, as one message and as a second one; used by the fuzz
/// target and its corpus.
#[cfg(feature = "deflate")]
pub fn fuzz_inflate(data: &[u8]) {
    const LIMIT: usize = 1 << 16;
    for server_keeps_context in [false, true] {
        let agreement = Agreement {
            server_keeps_context,
        };
        let Some(mut deflate) = Deflate::new(agreement) else {
            continue;
        };
        for _ in 0..2 {
            if let Ok(message) = deflate.inflate(data, LIMIT) {
                assert!(message.len() <= LIMIT, "the limit was passed");
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = agreed(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adapters_answer_is_taken_and_what_was_not_offered_is_refused() {
        let fresh = Some(Agreement {
            server_keeps_context: false,
        });
        let keeping = Some(Agreement {
            server_keeps_context: true,
        });
        for (answer, agreement) in [
            ("", None),
            (
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                fresh,
            ),
            ("Permessage-Deflate;server_no_context_takeover", fresh),
            ("permessage-deflate", keeping),
            ("permessage-deflate; server_max_window_bits=\"10\"", keeping),
        ] {
            assert_eq!(agreed(answer), Ok(agreement), "{answer}");
        }
        for answer in [
            "x-webkit-deflate-frame",
            "permessage-deflate, permessage-deflate",
            "permessage-deflate; client_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; magic=é",
        ] {
            agreed(answer).unwrap_err();
        }
    }
}
