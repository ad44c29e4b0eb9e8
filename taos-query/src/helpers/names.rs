use crate::error::{ErrorKind, RawError, RawResult};

/// A name between backticks, so that it is taken literally; a name quoted already stays as it is.
///
/// # Errors
/// For an empty name and for one with a backtick inside, which SQL cannot say.
pub fn quote_name(name: &str) -> RawResult<String> {
    let bare = name
        .strip_prefix('`')
        .and_then(|rest| rest.strip_suffix('`'))
        .unwrap_or(name);
    if bare.is_empty() || bare.contains(['`', '\0']) {
        return Err(RawError::of(
            ErrorKind::Config,
            format!("{name:?} cannot be the name of a database or table"),
        ));
    }
    Ok(format!("`{bare}`"))
}

/// Database and table of `database.table`, where a dot between backticks does not divide. The parts
/// are as they are written, each perhaps in backticks.
pub fn split_table(name: &str) -> (Option<&str>, &str) {
    let mut quoted = false;
    let dot = name.find(|c| {
        quoted ^= c == '`';
        c == '.' && !quoted
    });
    match dot.and_then(|dot| name.split_at_checked(dot)) {
        Some((database, table)) => (Some(database), table.strip_prefix('.').unwrap_or(table)),
        None => (None, name),
    }
}

/// As [`quote_name`] for `table` and `database.table`.
///
/// # Errors
/// As [`quote_name`], for either part.
pub fn quote_table(name: &str) -> RawResult<String> {
    match split_table(name) {
        (Some(database), table) => Ok(format!("{}.{}", quote_name(database)?, quote_name(table)?)),
        (None, table) => quote_name(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_once_and_cannot_break_out() {
        assert_eq!(quote_name("power").unwrap(), "`power`");
        assert_eq!(quote_name("`power`").unwrap(), "`power`");
        assert!(quote_name("a`; drop database b; --").is_err());
        assert!(quote_name("").is_err());
        assert_eq!(quote_table("db.t").unwrap(), "`db`.`t`");
        assert_eq!(quote_table("`a.b`").unwrap(), "`a.b`");
        assert_eq!(quote_table("`db`.`t`").unwrap(), "`db`.`t`");
    }

    #[test]
    fn a_dot_between_backticks_does_not_divide_a_name() {
        for (name, quoted) in [
            ("`my db`.`a.b`", "`my db`.`a.b`"),
            ("`a.b`.`t`", "`a.b`.`t`"),
            ("`a.b`.my-t", "`a.b`.`my-t`"),
            ("db.1x", "`db`.`1x`"),
            ("my tür", "`my tür`"),
        ] {
            assert_eq!(quote_table(name).unwrap(), quoted);
        }
        for name in [".t", "db.", "`a`b`.t", "db.`t", "`a.b", "a`.`b"] {
            assert!(quote_table(name).is_err(), "{name}");
        }
        assert_eq!(split_table("`a.b`.t"), (Some("`a.b`"), "t"));
        assert_eq!(split_table("`a.b`"), (None, "`a.b`"));
    }
}
