//! Passwords: stored as argon2id strings, and remembered once they were right.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

use crate::catalog::{Catalog, User};
use crate::sql::SqlError;
use crate::store::internal;

pub(super) const UNKNOWN: u32 = 0x0351;
const WRONG_PASSWORD: u32 = 0x0357;
const DISABLED: u32 = 0x0315;
/// Rounds of SHA-256 in files of the second format.
const OLD_ROUNDS: usize = 4096;

pub(super) const DEFAULT_PASSWORD: &str = "taosdata";

/// The form in which a password is stored; it holds its own salt.
pub(super) fn hash(password: &str) -> Result<Vec<u8>, SqlError> {
    // Everybody knows the default password, so new stores of one process may share its hash.
    static DEFAULT: OnceLock<Vec<u8>> = OnceLock::new();
    if password != DEFAULT_PASSWORD {
        return fresh_hash(password);
    }
    if let Some(known) = DEFAULT.get() {
        return Ok(known.clone());
    }
    let new = fresh_hash(password)?;
    Ok(DEFAULT.get_or_init(|| new).clone())
}

fn fresh_hash(password: &str) -> Result<Vec<u8>, SqlError> {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    let salt = SaltString::encode_b64(&bytes).map_err(internal)?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(internal)?;
    Ok(hash.to_string().into_bytes())
}

/// True for a hash of a file of the second format, which the next login renews.
pub(super) fn is_old(user: &User) -> bool {
    !user.salt.is_empty()
}

/// Whether it is the user's password.
pub(super) fn matches(user: &User, password: &str) -> bool {
    if is_old(user) {
        return same(&old_hash(&user.salt, password), &user.hash);
    }
    std::str::from_utf8(&user.hash)
        .ok()
        .and_then(|text| PasswordHash::new(text).ok())
        .is_some_and(|hash| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        })
}

pub(super) fn old_hash(salt: &[u8], password: &str) -> [u8; 32] {
    let mut digest: [u8; 32] = Sha256::new()
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    for _ in 1..OLD_ROUNDS {
        digest = Sha256::new()
            .chain_update(digest)
            .chain_update(salt)
            .finalize()
            .into();
    }
    digest
}

/// Compares without telling by its time where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

/// A user as stored, and the keyed digest of the password that was right.
type Known = (Arc<User>, [u8; 32]);

/// Remembers, under a key of this process, which passwords were right, because every REST request logs in
/// anew.
#[derive(Default)]
pub(crate) struct Passwords {
    key: OnceLock<[u8; 32]>,
    right: Mutex<HashMap<String, Known>>,
    /// One password is computed at a time: each takes 19 MiB, and of many that come at once all but the
    /// first are then remembered.
    turn: Mutex<()>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords")
    }
}

impl Passwords {
    /// Checks a login; true if the stored hash should be renewed.
    ///
    /// # Errors
    /// 0x0351 for an unknown user, 0x0357 for a wrong password, 0x0315 for a disabled user.
    pub(crate) fn check(
        &self,
        catalog: &Catalog,
        name: &str,
        password: &str,
    ) -> Result<bool, SqlError> {
        let user = catalog
            .users
            .get(name)
            .ok_or_else(|| SqlError::new(UNKNOWN, "Invalid user"))?;
        let digest = self.digest(password);
        let known = || {
            let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
            right
                .get(name)
                .is_some_and(|(of, known)| Arc::ptr_eq(of, user) && same(known, &digest))
        };
        let mut old = false;
        if !known() {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            if !known() {
                if !matches(user, password) {
                    return Err(SqlError::new(WRONG_PASSWORD, "Authentication failure"));
                }
                old = is_old(user);
                let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
                right.retain(|name, _| catalog.users.contains_key(name));
                right.insert(name.to_owned(), (Arc::clone(user), digest));
            }
        }
        if !user.rights.enable {
            return Err(SqlError::new(DISABLED, "User is disabled"));
        }
        Ok(old)
    }

    fn digest(&self, password: &str) -> [u8; 32] {
        let key = self.key.get_or_init(|| {
            let mut key = [0; 32];
            rand::rng().fill_bytes(&mut key);
            key
        });
        Sha256::new()
            .chain_update(key)
            .chain_update(password)
            .finalize()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, Storage};

    fn stored(engine: &Engine, name: &str) -> Arc<User> {
        Arc::clone(&engine.store().catalog().users[name])
    }

    #[test]
    fn a_hash_of_the_second_format_opens_and_is_renewed_by_the_login() {
        let engine = Engine::open(Storage::Memory).unwrap();
        let salt = b"0123456789abcdef".to_vec();
        let hash = old_hash(&salt, "Secret_1234").to_vec();
        let store = engine.store();
        store
            .write(move |write| {
                write.execute(
                    "INSERT INTO usr (name, salt, hash, administrator, created) VALUES ('old', ?1, ?2, 0, 0)",
                    (&salt, &hash),
                )?;
                let user = User {
                    salt,
                    hash,
                    administrator: false,
                    created: 0,
                    rights: crate::catalog::Rights::default(),
                };
                write.catalog_mut().users.insert("old".to_owned(), Arc::new(user));
                Ok(0)
            })
            .unwrap();
        assert!(is_old(&stored(&engine, "old")));
        assert_eq!(
            engine.login("old", "Secret_123").unwrap_err().code,
            WRONG_PASSWORD
        );
        assert!(is_old(&stored(&engine, "old")));
        engine.login("old", "Secret_1234").unwrap();
        let renewed = stored(&engine, "old");
        assert!(renewed.hash.starts_with(b"$argon2id$") && renewed.salt.is_empty());
        engine.login("old", "Secret_1234").unwrap();
        assert_eq!(
            engine.login("old", "Secret_123").unwrap_err().code,
            WRONG_PASSWORD
        );
    }

    #[test]
    fn two_thousand_logins_cost_one_computation() {
        let engine = Engine::open(Storage::Memory).unwrap();
        engine.set_login("root", "Secret_1234").unwrap();
        let started = std::time::Instant::now();
        engine.login("root", "Secret_1234").unwrap();
        let first = started.elapsed();
        let started = std::time::Instant::now();
        for _ in 0..2000 {
            engine.login("root", "Secret_1234").unwrap();
        }
        assert!(
            started.elapsed() < first * 200,
            "{:?} after {first:?}",
            started.elapsed()
        );
    }

    #[test]
    fn equal_passwords_have_different_hashes() {
        let (a, b) = (hash("Secret_1234").unwrap(), hash("Secret_1234").unwrap());
        assert_ne!(a, b);
    }
}
