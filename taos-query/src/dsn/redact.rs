use std::fmt;

use super::Dsn;

pub(super) const MASK: &str = "***";

const SECRET_KEYS: &[&str] = &[
    "token",
    "totp_code",
    "totpCode",
    "totp_secret",
    "bearer_token",
    "bearerToken",
    "td.connect.token",
    "td.connect.pass",
    "password",
    "auth",
    "tls_roots_password",
];

/// True for parameters whose value lets someone in.
pub(super) fn is_secret(key: &str) -> bool {
    SECRET_KEYS
        .iter()
        .any(|secret| secret.eq_ignore_ascii_case(key))
}

/// The path as it may be shown: one with `@` is more likely `user:password@host` without its slashes.
pub(super) fn path(path: &str) -> &str {
    if path.contains('@') { MASK } else { path }
}

/// Prints a [`Dsn`] with its password and tokens masked.
#[derive(Clone, Copy)]
pub struct Redacted<'a>(pub(super) &'a Dsn);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, true)
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The DSN in `text` with its password and tokens masked; of a text that is no DSN only what
/// stands before the first colon is kept.
pub fn redact_dsn(text: &str) -> String {
    match text.parse::<Dsn>() {
        Ok(dsn) => dsn.redacted().to_string(),
        Err(_) => match text.split_once(':') {
            Some((scheme, _)) => format!("{scheme}:{MASK}"),
            None => MASK.to_owned(),
        },
    }
}
