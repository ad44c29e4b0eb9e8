use std::collections::BTreeMap;

use super::encoding::decode;
use super::{Address, Dsn, DsnError};

/// Parses a whole DSN.
pub(super) fn dsn(text: &str) -> Result<Dsn, DsnError> {
    let (scheme, rest) = text.split_once(':').ok_or(DsnError::NoColonFound)?;
    let (driver, protocol) = scheme_parts(scheme)?;
    let mut dsn = match rest.strip_prefix("//") {
        Some(body) => url_form(body)?,
        None => path_form(rest),
    };
    if let Some(protocol) = protocol {
        if dsn.protocol.is_some() {
            return Err(DsnError::InvalidProtocol(format!(
                "`{protocol}` is given behind the driver, and another one before the addresses"
            )));
        }
        dsn.protocol = Some(protocol.to_owned());
    }
    dsn.driver = driver.to_owned();
    Ok(dsn)
}

fn scheme_parts(scheme: &str) -> Result<(&str, Option<&str>), DsnError> {
    let (driver, protocol) = match scheme.split_once('+') {
        Some((driver, protocol)) => (driver, Some(protocol)),
        None => (scheme, None),
    };
    // A wrong scheme may be the start of anything, so it is not repeated in the error.
    if driver.is_empty() || !driver.chars().all(is_name_char) {
        return Err(DsnError::InvalidDriver(
            "the name before the colon must be letters, digits, `_`, `-` and `.`".to_owned(),
        ));
    }
    match protocol {
        Some(protocol) if protocol.is_empty() || !protocol.chars().all(is_name_char) => {
            Err(DsnError::InvalidProtocol(
                "the name behind `+` must be letters, digits, `_`, `-` and `.`".to_owned(),
            ))
        }
        protocol => Ok((driver, protocol)),
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn path_form(rest: &str) -> Dsn {
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    Dsn {
        path: Some(path)
            .filter(|path| !path.is_empty())
            .map(str::to_owned),
        params: query.map(params).unwrap_or_default(),
        ..Dsn::default()
    }
}

/// A password may hold `?`, so every `?` from the right is tried as the start of the parameters.
fn url_form(body: &str) -> Result<Dsn, DsnError> {
    let mut first_error = None;
    for (at, _) in body.rmatch_indices('?') {
        let (connection, query) = (&body[..at], &body[at + 1..]);
        if belongs_to_password(connection, query) {
            continue;
        }
        match connection_part(connection) {
            Ok(dsn) => {
                return Ok(Dsn {
                    params: params(query),
                    ..dsn
                });
            }
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    connection_part(body).map_err(|error| first_error.unwrap_or(error))
}

/// True if the `?` between the two can only be part of a password: credentials end behind it and
/// nothing between looks like `key=value`.
fn belongs_to_password(connection: &str, query: &str) -> bool {
    match query.split_once('@') {
        Some((before, _)) => !connection.contains('@') && !before.contains('='),
        None => false,
    }
}

fn params(query: &str) -> BTreeMap<String, String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key).into_owned(), decode(value).into_owned())
        })
        .collect()
}

fn connection_part(text: &str) -> Result<Dsn, DsnError> {
    let (credentials, target) = match text.rsplit_once('@') {
        Some((credentials, target)) => (Some(credentials), target),
        None => (None, text),
    };
    let (username, password) = credentials.map(login).unwrap_or_default();
    let (protocol, addresses, subject) = target_parts(target)?;
    if subject.contains('?') {
        return Err(DsnError::InvalidSpecialCharacterFormat(
            "`?` cannot be part of a database name".to_owned(),
        ));
    }
    let subject = subject.trim();
    Ok(Dsn {
        protocol: protocol.map(str::to_owned),
        username,
        password,
        addresses: address_list(addresses)?,
        subject: Some(subject)
            .filter(|subject| !subject.is_empty())
            .map(str::to_owned),
        ..Dsn::default()
    })
}

fn login(credentials: &str) -> (Option<String>, Option<String>) {
    let some = |text: &str| Some(decode(text).into_owned()).filter(|text| !text.is_empty());
    match credentials.split_once(':') {
        Some((username, password)) => (some(username), some(password)),
        None => (some(credentials), None),
    }
}

/// Protocol of the old form, addresses, subject.
fn target_parts(target: &str) -> Result<(Option<&str>, &str, &str), DsnError> {
    if let Some((protocol, rest)) = target.split_once('(')
        && !protocol.is_empty()
        && protocol.chars().all(is_name_char)
    {
        let (addresses, rest) = rest.split_once(')').ok_or_else(|| {
            DsnError::InvalidConnection("`)` behind the addresses is missing".to_owned())
        })?;
        let subject = match rest.strip_prefix('/') {
            Some(subject) => subject,
            None if rest.is_empty() => "",
            None => {
                return Err(DsnError::InvalidConnection(
                    "only `/` and a database may follow `)`".to_owned(),
                ));
            }
        };
        return Ok((Some(protocol), addresses, subject));
    }
    let (addresses, subject) = target.split_once('/').unwrap_or((target, ""));
    Ok((None, addresses, subject))
}

fn address_list(text: &str) -> Result<Vec<Address>, DsnError> {
    text.split(',')
        .map(str::parse)
        .filter(|address| !matches!(address, Ok(address) if Address::is_empty(address)))
        .collect()
}
