//! The challenge of the TCP endpoint (questdb §6.2).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::error::{Result, error};
use crate::net::BoxIo;
use crate::settings::Secret;

/// Bytes of each number of the curve.
const COORDINATE: usize = 32;
/// Servers send 512 bytes; a longer challenge is no challenge.
const MAX_CHALLENGE: usize = 4096;

/// A key that can sign.
pub(super) struct Key {
    id: String,
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Key {
    /// The private number and the public point, base64url without padding.
    ///
    /// # Errors
    /// `AuthError` naming the setting, for text that is no number, and for numbers that do not belong
    /// together.
    pub(super) fn new(id: &str, private: &Secret, x: &str, y: &str) -> Result<Self> {
        if id.contains('\n') {
            return Err(error!(
                AuthError,
                "the key id (username) must not hold a line feed"
            ));
        }
        let private = number("token", private.expose())?;
        let (x, y) = (number("token_x", x)?, number("token_y", y)?);
        let public = [&[0x04][..], x.as_slice(), y.as_slice()].concat();
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            private.as_slice(),
            &public,
            &random,
        )
        .map_err(|error| {
            error!(
                AuthError,
                "token, token_x and token_y are not one key of the curve P-256: {error}"
            )
        })?;
        Ok(Self {
            id: id.to_owned(),
            pair,
            random,
        })
    }

    fn sign(&self, challenge: &[u8]) -> Result<String> {
        let signature = self.pair.sign(&self.random, challenge).map_err(|_| {
            error!(
                AuthError,
                "the challenge could not be signed: the system gave no random numbers"
            )
        })?;
        Ok(STANDARD.encode(signature.as_ref()))
    }

    /// Logs in over a new connection. The server does not say whether it agrees; it closes if not.
    ///
    /// # Errors
    /// `AuthError` when what comes is no challenge, `SocketError` when nothing comes within the limit.
    pub(super) async fn log_in(&self, io: &mut BoxIo, peer: &str, limit: Duration) -> Result<()> {
        let login = async {
            send(io, format!("{}\n", self.id).as_bytes(), peer).await?;
            let challenge = challenge(io, peer).await?;
            let signature = self.sign(&challenge)?;
            send(io, format!("{signature}\n").as_bytes(), peer).await
        };
        timeout(limit, login).await.map_err(|_| {
            error!(
                SocketError,
                "{peer} sent no challenge within {limit:?} (auth_timeout); does the server ask for \
                 keys (line.tcp.auth.db.path)?"
            )
        })?
    }
}

/// A number of the curve, with the zeros in front that its text may lack.
fn number(setting: &str, text: &str) -> Result<Zeroizing<Vec<u8>>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new);
    let bytes =
        bytes.map_err(|_| error!(AuthError, "{setting} is not base64url without padding"))?;
    let zeros = COORDINATE.checked_sub(bytes.len()).ok_or_else(|| {
        error!(
            AuthError,
            "{setting} has {} bytes, a number of the curve P-256 has {COORDINATE}",
            bytes.len()
        )
    })?;
    let mut padded = Zeroizing::new(vec![0; zeros]);
    padded.extend_from_slice(&bytes);
    Ok(padded)
}

async fn send(io: &mut BoxIo, bytes: &[u8], peer: &str) -> Result<()> {
    let sent = async {
        io.write_all(bytes).await?;
        io.flush().await
    };
    sent.await
        .map_err(|error| error!(SocketError, "logging in at {peer} failed: {error}"))
}

async fn challenge(io: &mut BoxIo, peer: &str) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let got = io
            .read(&mut piece)
            .await
            .map_err(|error| error!(SocketError, "logging in at {peer} failed: {error}"))?;
        let got = piece.get(..got).unwrap_or_default();
        if got.is_empty() && read.is_empty() {
            return Err(error!(
                AuthError,
                "{peer} closed the connection in place of a challenge; the server probably asks for no \
                 keys (line.tcp.auth.db.path)"
            ));
        }
        if got.is_empty() {
            return Err(error!(
                AuthError,
                "{peer} closed the connection in the middle of its challenge"
            ));
        }
        read.extend_from_slice(got);
        if let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            read.truncate(end);
            return Ok(read);
        }
        if read.len() > MAX_CHALLENGE {
            return Err(error!(
                AuthError,
                "{peer} sends more than {MAX_CHALLENGE} bytes in place of a challenge"
            ));
        }
    }
}
