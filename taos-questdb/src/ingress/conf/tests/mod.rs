mod accepted;
mod cases;
mod dsn;
mod refused;

use super::draft::Use;
use crate::error::{Error, Result};
use crate::settings::Settings;

fn sender(conf: &str) -> Result<Settings> {
    Settings::from_conf(conf, Use::Ingest)
}

fn query(conf: &str) -> Result<Settings> {
    Settings::from_conf(conf, Use::Query)
}

/// The error of a string that must be refused, which says all of `fragments`.
#[track_caller]
fn refused(result: Result<Settings>, conf: &str, fragments: &[&str]) -> Error {
    let error = match result {
        Ok(_) => panic!("{conf:?} is accepted"),
        Err(error) => error,
    };
    for fragment in fragments {
        assert!(
            error.msg().contains(fragment),
            "{conf:?}: {:?} does not say {fragment:?}",
            error.msg()
        );
    }
    error
}
