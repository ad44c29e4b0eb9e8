//! One-time codes for the second factor of a login, the parameter `totp_code` (RFC 6238).

use std::time::{SystemTime, UNIX_EPOCH};

use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::error::{Code, ErrorKind, RawError, RawResult};

/// Bytes that both hashes take at a time.
const BLOCK: usize = 64;
/// Seconds that a code is valid.
const STEP: u64 = 30;
/// Most digits of a code: 31 bits have no more.
const MOST_DIGITS: u32 = 9;
/// The alphabet of RFC 4648 §6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// HMAC (RFC 2104).
fn hmac<D: Digest>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut padded = [0; BLOCK];
    let hashed;
    let key = if key.len() > BLOCK {
        hashed = D::digest(key);
        hashed.as_slice()
    } else {
        key
    };
    for (slot, byte) in padded.iter_mut().zip(key) {
        *slot = *byte;
    }
    let inner = D::new()
        .chain_update(padded.map(|byte| byte ^ 0x36))
        .chain_update(message)
        .finalize();
    D::new()
        .chain_update(padded.map(|byte| byte ^ 0x5C))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

/// The secret that the server makes of a seed: 32 bytes, always the same for the same seed.
pub fn generate_totp_secret(seed: &[u8]) -> Vec<u8> {
    hmac::<Sha256>(&[], seed)
}

/// The code of a secret for a count of 30-second steps since 1970, as a number of at most nine
/// decimal digits; in print it has leading zeros.
pub fn generate_totp_code(secret: &[u8], counter: u64, digits: u32) -> u32 {
    let sum = hmac::<Sha1>(secret, &counter.to_be_bytes());
    let offset = usize::from(sum.last().copied().unwrap_or_default() & 0x0F);
    let four = sum.get(offset..).and_then(|rest| rest.first_chunk::<4>());
    let number = u32::from_be_bytes(four.copied().unwrap_or_default()) & 0x7FFF_FFFF;
    number % 10u32.pow(digits.min(MOST_DIGITS))
}

/// The six digits that a login needs now.
pub fn current_totp_code(secret: &[u8]) -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    format!("{:06}", generate_totp_code(secret, seconds / STEP, 6))
}

/// A secret as text: base32 without padding, as the server and authenticators show it.
pub fn encode_totp_secret(secret: &[u8]) -> String {
    let mut text = String::with_capacity(secret.len().div_ceil(5) * 8);
    for chunk in secret.chunks(5) {
        let mut bits = [0; 8];
        for (slot, byte) in bits.iter_mut().skip(3).zip(chunk) {
            *slot = *byte;
        }
        let bits = u64::from_be_bytes(bits);
        let letters = (chunk.len() * 8).div_ceil(5);
        for letter in 0..letters {
            let index = usize::try_from(bits >> (35 - 5 * letter) & 31).unwrap_or_default();
            text.push(char::from(BASE32.get(index).copied().unwrap_or(b'A')));
        }
    }
    text
}

/// The secret behind its text. Small letters, blanks, hyphens and padding are taken as well.
///
/// # Errors
/// A letter that base32 does not have; the text itself is not repeated.
pub fn decode_totp_secret(text: &str) -> RawResult<Vec<u8>> {
    let mut secret = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut count) = (0u32, 0);
    for (at, letter) in text.bytes().enumerate() {
        if matches!(letter, b' ' | b'-' | b'=') {
            continue;
        }
        let letter = letter.to_ascii_uppercase();
        let value = BASE32.iter().position(|known| *known == letter);
        let value = value.and_then(|value| u32::try_from(value).ok());
        bits = bits << 5 | value.ok_or_else(|| bad_letter(at))?;
        count += 5;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            secret.push(byte);
            bits &= (1 << count) - 1;
        }
    }
    Ok(secret)
}

fn bad_letter(at: usize) -> RawError {
    RawError::of(
        ErrorKind::Config,
        format!("the TOTP secret is not base32: byte {at} is none of A to Z and 2 to 7"),
    )
    .with_code(Code::INVALID_PARA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_papers_appendix() {
        let secret = b"12345678901234567890";
        // RFC 6238 appendix B, whose codes have eight digits.
        for (seconds, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_234_567_890, 89_005_924),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(generate_totp_code(secret, seconds / STEP, 8), code);
            assert_eq!(
                generate_totp_code(secret, seconds / STEP, 6),
                code % 1_000_000
            );
        }
        let now = current_totp_code(secret);
        assert!(now.len() == 6 && now.bytes().all(|digit| digit.is_ascii_digit()));
    }

    #[test]
    fn a_seed_makes_the_secret_that_the_server_makes() {
        let secret = generate_totp_secret(b"12345678901234567890");
        assert_eq!(
            encode_totp_secret(&secret),
            "VR62SA7EK3RP7MRTH7QXSIVZXXS57OY2SRUMGLKDJPREZ62OHFEQ"
        );
    }

    #[test]
    fn long_keys_are_hashed_first() {
        // RFC 2202, test case 6.
        let sum = hmac::<Sha1>(
            &[0xAA; 80],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
        );
        assert_eq!(sum[..4], [0xAA, 0x4A, 0xE5, 0xE1]);
    }

    #[test]
    fn secrets_come_back_from_their_text_at_every_length() {
        for (plain, text) in [
            (&b""[..], ""),
            (b"f", "MY"),
            (b"fo", "MZXQ"),
            (b"foo", "MZXW6"),
            (b"foob", "MZXW6YQ"),
            (b"fooba", "MZXW6YTB"),
            (b"foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(encode_totp_secret(plain), text);
            assert_eq!(decode_totp_secret(text).unwrap(), plain);
        }
        assert_eq!(decode_totp_secret("mzxw 6ytb-oi======").unwrap(), b"foobar");
        let error = decode_totp_secret("MZ1").unwrap_err().to_string();
        assert!(
            error.contains("byte 2") && !error.contains("MZ1"),
            "{error}"
        );
    }
}
