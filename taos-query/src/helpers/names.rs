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

/// As [`quote_name`] for `table` and `database.table`.
pub(crate) fn quote_table(name: &str) -> RawResult<String> {
    let quoted_whole =
        name.starts_with('`') && name.matches('`').count() == 2 && name.ends_with('`');
    match name.split_once('.') {
        Some((database, table)) if !quoted_whole => {
            Ok(format!("{}.{}", quote_name(database)?, quote_name(table)?))
        }
        _ => quote_name(name),
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
}
