//! Users: who there is, and what they may do.

use std::sync::Arc;

use super::Exec;
use super::passwords::{DEFAULT_PASSWORD, UNKNOWN, hash, hash_in_turn, is_old, matches};
use crate::catalog::{Rights, User};
use crate::sql::SqlError;
use crate::sql::ast::{AlterUser, CreateUser, DropNamed, UserRights};
use crate::store::{Store, Write, internal};

const EXISTS: u32 = 0x0350;
const NO_RIGHTS: u32 = 0x0303;
const TOO_LONG: u32 = 0x2610;
const TOO_SHORT: u32 = 0x2611;
const WEAK: u32 = 0x2648;

/// Longest name in bytes.
const USER_NAME: usize = 23;
const SHORTEST_PASSWORD: usize = 8;
const LONGEST_PASSWORD: usize = 255;
/// Characters that count as special in a password.
const SPECIAL: &str = "!@#$%^&*()-_+=[]{}:;><?|~,.";

const DEFAULT_USER: &str = "root";

fn new_user(hash: Vec<u8>, administrator: bool, created: i64) -> User {
    User {
        hash,
        salt: Vec::new(),
        administrator,
        created,
        rights: Rights {
            createdb: administrator,
            ..Rights::default()
        },
    }
}

fn put(write: &mut Write<'_>, name: String, user: User) -> Result<(), SqlError> {
    write.execute(
        "INSERT OR REPLACE INTO usr (name, salt, hash, administrator, created, rights) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (
            &name,
            &user.salt,
            &user.hash,
            user.administrator,
            user.created,
            serde_json::to_string(&user.rights).map_err(internal)?,
        ),
    )?;
    write.catalog_mut().users.insert(name, Arc::new(user));
    Ok(())
}

/// Stores the hash of a password that was right in the present form.
pub(crate) fn renew(store: &Store, name: &str, password: &str) -> Result<(), SqlError> {
    let (name, hash) = (name.to_owned(), hash_in_turn(password)?);
    store.write(move |write| {
        let Some(user) = write.catalog().users.get(&name).filter(|u| is_old(u)) else {
            return Ok(0);
        };
        let user = User {
            hash,
            salt: Vec::new(),
            ..User::clone(user)
        };
        put(write, name, user)?;
        Ok(0)
    })?;
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
        .is_some_and(|u| u.administrator && !is_old(u) && matches(u, password));
    if unchanged {
        return Ok(());
    }
    let user = new_user(hash(password)?, true, now / 1_000_000);
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
        let default = matches(user, DEFAULT_PASSWORD);
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

/// Refuses passwords that are too short, too long or too simple.
fn check_password(password: &str) -> Result<(), SqlError> {
    if password.len() > LONGEST_PASSWORD {
        return Err(SqlError::new(TOO_LONG, "Name or password too long"));
    }
    if password.trim().len() < SHORTEST_PASSWORD {
        return Err(SqlError::new(TOO_SHORT, "Password too short or empty"));
    }
    let kinds: [fn(char) -> bool; 4] = [
        |c| c.is_ascii_uppercase(),
        |c| c.is_ascii_lowercase(),
        |c| c.is_ascii_digit(),
        |c| SPECIAL.contains(c),
    ];
    let found = kinds.iter().filter(|kind| password.chars().any(kind));
    if password != DEFAULT_PASSWORD && found.count() < 3 {
        return Err(SqlError::new(
            WEAK,
            "Invalid password: three of upper-case letters, lower-case letters, digits and special \
             characters are needed",
        ));
    }
    Ok(())
}

fn refused() -> SqlError {
    SqlError::new(NO_RIGHTS, "Insufficient privilege for operation")
}

fn apply(rights: &mut Rights, changes: &UserRights) {
    let set = |right: &mut bool, change: Option<bool>| {
        if let Some(change) = change {
            *right = change;
        }
    };
    set(&mut rights.enable, changes.enable);
    set(&mut rights.sysinfo, changes.sysinfo);
    set(&mut rights.createdb, changes.createdb);
}

impl Exec<'_> {
    fn check_administrator(&self) -> Result<(), SqlError> {
        let users = &self.catalog().users;
        if users.get(self.user).is_some_and(|u| u.administrator) {
            return Ok(());
        }
        Err(refused())
    }

    pub(super) fn create_user(&self, create: &CreateUser) -> Result<u64, SqlError> {
        let name = create.name.name.clone();
        if name.len() > USER_NAME {
            return Err(SqlError::new(TOO_LONG, "Name or password too long"));
        }
        check_password(&create.password.0)?;
        self.check_administrator()?;
        if self.catalog().users.contains_key(&name) {
            return if create.if_not_exists {
                Ok(0)
            } else {
                Err(SqlError::new(EXISTS, "User already exists"))
            };
        }
        let hash = hash_in_turn(&create.password.0)?;
        let mut user = new_user(hash, false, self.now / 1_000_000);
        apply(&mut user.rights, &create.rights);
        self.store().write(move |write| {
            if write.catalog().users.contains_key(&name) {
                return Err(SqlError::new(EXISTS, "User already exists"));
            }
            put(write, name, user)?;
            Ok(0)
        })
    }

    pub(super) fn alter_user(&self, alter: &AlterUser) -> Result<u64, SqlError> {
        let (name, rights) = (alter.name.name.clone(), alter.rights);
        if let Some(password) = &alter.password {
            check_password(&password.0)?;
        }
        if name != self.user || rights != UserRights::default() {
            self.check_administrator()?;
        }
        if !self.catalog().users.contains_key(&name) {
            return Err(unknown());
        }
        let password = alter.password.as_ref();
        let new_hash = password.map(|p| hash_in_turn(&p.0)).transpose()?;
        self.store().write(move |write| {
            let user = write.catalog().users.get(&name);
            let mut user = User::clone(user.ok_or_else(unknown)?);
            if user.administrator && rights != UserRights::default() {
                return Err(refused());
            }
            apply(&mut user.rights, &rights);
            if let Some(hash) = new_hash {
                (user.hash, user.salt) = (hash, Vec::new());
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
                None => return Err(unknown()),
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

fn unknown() -> SqlError {
    SqlError::new(UNKNOWN, "User not exist")
}
