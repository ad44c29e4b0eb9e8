//! The request's path and query parameters (rest §1).

use chrono_tz::Tz;
use hyper::StatusCode;
use url::form_urlencoded;

use super::{ADAPTER, Refusal};

/// Query parameters of `/rest/sql`; unknown ones are ignored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Params {
    /// Zone in which the statement is read, and its times are written.
    pub(super) conn_tz: Option<Tz>,
    /// Zone in which times are written.
    tz: Option<Tz>,
    /// Whether to tell the time taken.
    pub(super) timing: bool,
    /// Rows as objects, not as arrays.
    pub(super) row_with_meta: bool,
}

impl Params {
    pub(super) fn parse(query: &str) -> Result<Self, Refusal> {
        let mut params = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.is_empty() {
                continue;
            }
            match &*name {
                "conn_tz" => params.conn_tz = Some(zone(&name, &value)?),
                "tz" => params.tz = Some(zone(&name, &value)?),
                "timing" => params.timing = flag(&name, &value)?,
                "row_with_meta" => params.row_with_meta = flag(&name, &value)?,
                "req_id" => {
                    value
                        .parse::<i64>()
                        .map_err(|_| bad(&name, &value, "a number"))?;
                }
                _ => {}
            }
        }
        Ok(params)
    }

    /// The zone in which times are written.
    pub(super) fn zone(&self) -> Tz {
        self.conn_tz.or(self.tz).unwrap_or(Tz::UTC)
    }
}

fn bad(name: &str, value: &str, wanted: &str) -> Refusal {
    let text = format!("query parameter {name}={value:?} is not {wanted}");
    (StatusCode::BAD_REQUEST, ADAPTER, text)
}

fn zone(name: &str, value: &str) -> Result<Tz, Refusal> {
    value
        .parse()
        .map_err(|_| bad(name, value, "an IANA time zone"))
}

fn flag(name: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(bad(name, value, "true or false")),
    }
}

/// The database in `/rest/sql/<db>`, if there is one.
pub(super) fn database(path: &str) -> Result<Option<String>, Refusal> {
    let name = path
        .strip_prefix("/rest/sql")
        .unwrap_or_default()
        .trim_matches('/');
    if name.is_empty() {
        return Ok(None);
    }
    if name.contains('/') {
        let text = format!("unsupported feature: path {path}");
        return Err((StatusCode::NOT_FOUND, 0x0100, text));
    }
    let name = percent_decode(name).ok_or_else(|| bad("db", name, "percent-encoded UTF-8"))?;
    Ok(Some(name))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conn_tz_wins_over_tz_and_utc_is_the_default() {
        let both = Params::parse("tz=Asia%2FTokyo&conn_tz=Europe/Berlin").unwrap();
        assert_eq!(both.zone(), Tz::Europe__Berlin);
        assert_eq!(
            Params::parse("tz=Asia/Tokyo").unwrap().zone(),
            Tz::Asia__Tokyo
        );
        assert_eq!(Params::parse("app=x&unknown").unwrap().zone(), Tz::UTC);
    }

    #[test]
    fn a_value_that_cannot_be_read_is_a_bad_request_that_names_it() {
        for query in [
            "req_id=x",
            "tz=No/Where",
            "conn_tz=1",
            "timing=maybe",
            "row_with_meta=2",
        ] {
            let (status, code, text) = Params::parse(query).unwrap_err();
            assert_eq!((status, code), (StatusCode::BAD_REQUEST, 0xffff));
            let name = query.split('=').next().unwrap();
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn the_database_is_the_rest_of_the_path() {
        assert_eq!(database("/rest/sql").unwrap(), None);
        assert_eq!(database("/rest/sql/").unwrap(), None);
        assert_eq!(database("/rest/sql/a%62c").unwrap(), Some("abc".into()));
        assert!(database("/rest/sql/a%6").is_err());
        assert!(database("/rest/sql/db/vgid").is_err());
    }
}
