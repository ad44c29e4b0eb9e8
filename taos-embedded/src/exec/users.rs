//! Users and their passwords, which are stored salted and hashed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

use super::Exec;
use crate::catalog::{Catalog, User};
use crate::sql::SqlError;
use crate::sql::ast::{CreateUser, DropNamed};
use crate::store::{Store, Write};

const EXISTS: u32 = 0x0350;
const UNKNOWN: u32 = 0x0351;
const WRONG_PASSWORD: u32 = 0x0357;
const NO_RIGHTS: u32 = 0x0303;
/// Makes guessing at a stolen file slow, and a login still quick.
const ROUNDS: usize = 4096;

const DEFAULT_USER: &str = "root";
const DEFAULT_PASSWORD: &str = "taosdata";

fn hash(salt: &[u8], password: &str) -> [u8; 32] {
    let mut digest: [u8; 32] = Sha256::new()
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    for _ in 1..ROUNDS {
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
    key: std::sync::OnceLock<[u8; 32]>,
    right: Mutex<HashMap<String, Known>>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords")
    }
}

impl Passwords {
    /// # Errors
    /// 0x0351 for an unknown user, 0x0357 for a wrong password.
    pub(crate) fn check(
        &self,
        catalog: &Catalog,
        name: &str,
        password: &str,
    ) -> Result<(), SqlError> {
        let user = catalog
            .users
            .get(name)
            .ok_or_else(|| SqlError::new(UNKNOWN, "Invalid user"))?;
        let key = self.key.get_or_init(|| {
            let mut key = [0; 32];
            rand::rng().fill_bytes(&mut key);
            key
        });
        let short: [u8; 32] = Sha256::new()
            .chain_update(key)
            .chain_update(password)
            .finalize()
            .into();
        let known = {
            let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
            right
                .get(name)
                .is_some_and(|(of, known)| Arc::ptr_eq(of, user) && same(known, &short))
        };
        if known {
            return Ok(());
        }
        if !same(&hash(&user.salt, password), &user.hash) {
            return Err(SqlError::new(WRONG_PASSWORD, "Authentication failure"));
        }
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.retain(|name, _| catalog.users.contains_key(name));
        right.insert(name.to_owned(), (Arc::clone(user), short));
        Ok(())
    }
}

fn new_user(password: &str, administrator: bool, created: i64) -> User {
    let mut salt = vec![0; 16];
    rand::rng().fill_bytes(&mut salt);
    User {
        hash: hash(&salt, password).to_vec(),
        salt,
        administrator,
        created,
    }
}

fn put(write: &mut Write<'_>, name: String, user: User) -> Result<(), SqlError> {
    write.execute(
        "INSERT OR REPLACE INTO usr (name, salt, hash, administrator, created) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (
            &name,
            &user.salt,
            &user.hash,
            user.administrator,
            user.created,
        ),
    )?;
    write.catalog_mut().users.insert(name, Arc::new(user));
    Ok(())
}

/// Gives a new store its first user.
pub(crate) fn ensure_administrator(store: &Store, now: i64) -> Result<(), SqlError> {
    if store.catalog().users.values().any(|u| u.administrator) {
        return Ok(());
    }
    set_administrator(store, DEFAULT_USER, DEFAULT_PASSWORD, now)
}

/// Makes a user the one administrator; the one before is forgotten.
pub(crate) fn set_administrator(
    store: &Store,
    name: &str,
    password: &str,
    now: i64,
) -> Result<(), SqlError> {
    let catalog = store.catalog();
    let unchanged = catalog
        .users
        .get(name)
        .is_some_and(|u| u.administrator && same(&hash(&u.salt, password), &u.hash));
    if unchanged {
        return Ok(());
    }
    let user = new_user(password, true, now / 1_000_000);
    let name = name.to_owned();
    store.write(move |write| {
        write.execute("DELETE FROM usr WHERE administrator", [])?;
        write.catalog_mut().users.retain(|_, u| !u.administrator);
        put(write, name, user)?;
        Ok(0)
    })?;
    Ok(())
}

/// Applies what a start asks for and tells the administrator's name, and the password if it is known.
///
/// Nothing given leaves the stored administrator alone, and a password alone is given to that one.
///
/// # Errors
/// Another name without a password, unless the stored login is still the default one.
pub(crate) fn choose_administrator(
    store: &Store,
    user: Option<&str>,
    password: Option<&str>,
    now: i64,
) -> Result<(String, Option<String>), SqlError> {
    let catalog = store.catalog();
    let stored = catalog.users.iter().find(|(_, user)| user.administrator);
    let (stored, default) = stored.map_or((DEFAULT_USER, false), |(name, user)| {
        let default = same(&hash(&user.salt, DEFAULT_PASSWORD), &user.hash);
        (name.as_str(), default)
    });
    let name = user.unwrap_or(stored);
    let password = match password {
        Some(password) => password,
        None if name == stored && !default => return Ok((name.to_owned(), None)),
        None if default && (name == stored || stored == DEFAULT_USER) => DEFAULT_PASSWORD,
        None => {
            return Err(SqlError::new(
                NO_RIGHTS,
                format!(
                    "{stored:?} is the administrator stored with the data; give a password too to put \
                     another in that place"
                ),
            ));
        }
    };
    set_administrator(store, name, password, now)?;
    Ok((name.to_owned(), Some(password.to_owned())))
}

impl Exec<'_> {
    fn check_administrator(&self) -> Result<(), SqlError> {
        let users = &self.catalog().users;
        if users.get(self.user).is_some_and(|u| u.administrator) {
            return Ok(());
        }
        Err(SqlError::new(
            NO_RIGHTS,
            "Insufficient privilege for operation",
        ))
    }

    pub(super) fn create_user(&self, create: &CreateUser) -> Result<u64, SqlError> {
        self.check_administrator()?;
        let name = create.name.name.clone();
        if self.catalog().users.contains_key(&name) {
            return if create.if_not_exists {
                Ok(0)
            } else {
                Err(SqlError::new(EXISTS, "User already exists"))
            };
        }
        let user = new_user(&create.password.0, false, self.now / 1_000_000);
        self.store().write(move |write| {
            if write.catalog().users.contains_key(&name) {
                return Err(SqlError::new(EXISTS, "User already exists"));
            }
            put(write, name, user)?;
            Ok(0)
        })
    }

    pub(super) fn drop_user(&self, drop: &DropNamed) -> Result<u64, SqlError> {
        self.check_administrator()?;
        let (name, if_exists) = (drop.name.name.clone(), drop.if_exists);
        self.store().write(move |write| {
            match write.catalog().users.get(&name) {
                None if if_exists => return Ok(0),
                None => return Err(SqlError::new(UNKNOWN, "User not exist")),
                Some(user) if user.administrator => {
                    return Err(SqlError::new(NO_RIGHTS, "Cannot drop the administrator"));
                }
                Some(_) => {}
            }
            write.execute("DELETE FROM usr WHERE name = ?1", [&name])?;
            write.catalog_mut().users.remove(&name);
            Ok(0)
        })
    }
}
