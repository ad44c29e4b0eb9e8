//! Passwords: stored as argon2id strings, and remembered once they were computed.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

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

pub(crate) fn old_hash(salt: &[u8], password: &str) -> [u8; 32] {
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

/// Wrong passwords of a user that are remembered: a client that asks again and again with the same one costs
/// nothing.
const WRONG: usize = 4;

/// Held while a password is computed that a client sent: each takes 19 MiB and tens of milliseconds, and of
/// many that come at once all but the first are remembered then.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As [`hash`], for a password that a statement brings.
pub(super) fn hash_in_turn(password: &str) -> Result<Vec<u8>, SqlError> {
    let _turn = turn();
    hash(password)
}

/// The user, as long as there is one of this name and the login is not closed.
///
/// # Errors
/// 0x0351 for an unknown user, 0x0315 for a disabled one.
pub(crate) fn enabled<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Arc<User>, SqlError> {
    let user = find(catalog, name)?;
    if !user.rights.enable {
        return Err(SqlError::new(DISABLED, "User is disabled"));
    }
    Ok(user)
}

fn find<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Arc<User>, SqlError> {
    let user = catalog.users.get(name);
    user.ok_or_else(|| SqlError::new(UNKNOWN, "Invalid user"))
}

fn wrong() -> SqlError {
    SqlError::new(WRONG_PASSWORD, "Authentication failure")
}

type Digest = [u8; 32];

/// A user as stored, and the keyed digests of passwords that were tried.
struct Known {
    of: Arc<User>,
    right: Option<Digest>,
    /// The latest last.
    wrong: VecDeque<Digest>,
}

/// Remembers, under a key of this process, which passwords were right and which were wrong, because every
/// REST request logs in anew.
#[derive(Default)]
pub(crate) struct Passwords {
    key: OnceLock<[u8; 32]>,
    known: Mutex<HashMap<String, Known>>,
    computed: AtomicU64,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords")
    }
}

impl Passwords {
    /// The outcome of a login that needs no computation; `None` if it does.
    pub(crate) fn recall(
        &self,
        catalog: &Catalog,
        name: &str,
        password: &str,
    ) -> Option<Result<(), SqlError>> {
        let user = match find(catalog, name) {
            Ok(user) => user,
            Err(unknown) => return Some(Err(unknown)),
        };
        let digest = self.digest(password);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(name).filter(|of| Arc::ptr_eq(&of.of, user))?;
        if known.right.is_some_and(|right| same(&right, &digest)) {
            return Some(enabled(catalog, name).map(drop));
        }
        let refused = known.wrong.iter().any(|tried| same(tried, &digest));
        refused.then(|| Err(wrong()))
    }

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
        let recall = || self.recall(catalog, name, password);
        if let Some(outcome) = recall() {
            return outcome.map(|()| false);
        }
        let _turn = turn();
        if let Some(outcome) = recall() {
            return outcome.map(|()| false);
        }
        let user = find(catalog, name)?;
        let is_right = matches(user, password);
        self.computed.fetch_add(1, Ordering::Relaxed);
        self.remember(catalog, (name, user), self.digest(password), is_right);
        if !is_right {
            return Err(wrong());
        }
        enabled(catalog, name)?;
        Ok(is_old(user))
    }

    /// How many passwords were computed.
    pub(crate) fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    fn remember(
        &self,
        catalog: &Catalog,
        (name, user): (&str, &Arc<User>),
        digest: Digest,
        is_right: bool,
    ) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|name, of| {
            let now = catalog.users.get(name);
            now.is_some_and(|now| Arc::ptr_eq(now, &of.of))
        });
        let known = known.entry(name.to_owned()).or_insert_with(|| Known {
            of: Arc::clone(user),
            right: None,
            wrong: VecDeque::new(),
        });
        if is_right {
            known.right = Some(digest);
            return;
        }
        if known.wrong.len() == WRONG {
            known.wrong.pop_front();
        }
        known.wrong.push_back(digest);
    }

    fn digest(&self, password: &str) -> Digest {
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
    fn logins_that_are_repeated_cost_one_computation_right_or_wrong() {
        let engine = Engine::open(Storage::Memory).unwrap();
        engine.set_login("root", "Secret_1234").unwrap();
        for _ in 0..2000 {
            engine.login("root", "Secret_1234").unwrap();
            let refused = engine.login("root", "Secret_123").unwrap_err();
            assert_eq!(refused.code, WRONG_PASSWORD);
            assert_eq!(engine.login("nobody", "x").unwrap_err().code, UNKNOWN);
        }
        assert_eq!(engine.computed_passwords(), 2);
    }

    #[test]
    fn only_so_many_wrong_passwords_are_remembered_and_none_beyond_a_change() {
        let engine = Engine::open(Storage::Memory).unwrap();
        let recalled = |password: &str| {
            let catalog = engine.store().catalog();
            engine.passwords().recall(&catalog, "root", password)
        };
        for number in 0..=WRONG {
            engine.login("root", &number.to_string()).unwrap_err();
        }
        assert_eq!(recalled("0"), None);
        assert_eq!(recalled("1"), Some(Err(wrong())));
        engine.set_login("root", "Secret_1234").unwrap();
        assert_eq!(recalled("1"), None);
        engine.login("root", "Secret_1234").unwrap();
        assert_eq!(recalled("Secret_1234"), Some(Ok(())));
        let session = engine.session("root");
        session
            .execute("alter user root pass 'Secret_5678'")
            .unwrap();
        assert_eq!(recalled("Secret_1234"), None);
        engine.login("root", "Secret_1234").unwrap_err();
    }

    #[test]
    fn a_password_is_hashed_only_for_those_who_may_set_it() {
        let engine = Engine::open(Storage::Memory).unwrap();
        engine
            .session("root")
            .execute("create user worker pass 'Secret_1234'")
            .unwrap();
        // whoever hashed now would wait for this for ever
        let _turn = turn();
        let (worker, root) = (engine.session("worker"), engine.session("root"));
        for (session, sql, code) in [
            (&worker, "alter user root pass 'Secret_5678'", 0x0303),
            (&worker, "create user u pass 'Secret_5678'", 0x0303),
            (&root, "alter user nobody pass 'Secret_5678'", UNKNOWN),
        ] {
            assert_eq!(session.execute(sql).unwrap_err().code, code, "{sql}");
        }
    }

    #[test]
    fn a_right_password_opens_although_its_hash_cannot_be_renewed() {
        let engine = Engine::open(Storage::Memory).unwrap();
        let salt = b"0123456789abcdef".to_vec();
        let hash = old_hash(&salt, "Secret_1234").to_vec();
        let put = move |write: &mut crate::store::Write<'_>| {
            let user = User {
                salt,
                hash,
                administrator: false,
                created: 0,
                rights: crate::catalog::Rights::default(),
            };
            let users = &mut write.catalog_mut().users;
            users.insert("old".to_owned(), Arc::new(user));
            write.execute("DROP TABLE usr", [])?;
            Ok(0)
        };
        engine.store().write(put).unwrap();
        engine.login("old", "Secret_1234").unwrap();
        assert!(is_old(&stored(&engine, "old")));
    }

    #[test]
    fn equal_passwords_have_different_hashes() {
        let (a, b) = (hash("Secret_1234").unwrap(), hash("Secret_1234").unwrap());
        assert_ne!(a, b);
    }
}
