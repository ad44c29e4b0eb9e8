//! Who asks: the Authorization header (rest §1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::{ADAPTER, Refusal};

fn refused(code: u32, text: &str) -> Refusal {
    (StatusCode::UNAUTHORIZED, code, text.to_owned())
}

/// User and password of a Basic header.
pub(super) fn basic(headers: &HeaderMap) -> Result<(String, String), Refusal> {
    let Some(value) = headers.get(AUTHORIZATION).filter(|v| !v.is_empty()) else {
        return Err(refused(0x1105, "no auth info input"));
    };
    let (scheme, rest) = value
        .to_str()
        .ok()
        .and_then(|v| v.trim().split_once(' '))
        .ok_or_else(|| refused(0x1124, "the Authorization header is not `Basic <base64>`"))?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused(
            0x1122,
            "unknown Authorization scheme: only Basic is served",
        ));
    }
    STANDARD
        .decode(rest.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|pair| {
            let (user, password) = pair.split_once(':')?;
            (!user.is_empty() && !password.is_empty())
                .then(|| (user.to_owned(), password.to_owned()))
        })
        .ok_or_else(|| {
            refused(
                0x1124,
                "the Authorization header does not hold base64 of `user:password`",
            )
        })
}

/// Refuses what a browser sends for another site's page: with the login of the user in front of it, if it
/// has one for this server.
pub(super) fn same_site(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| {
        headers
            .get(name)
            .map(|v: &HeaderValue| v.to_str().unwrap_or("?"))
    };
    let own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        // Browsers leave the first out where there is no TLS.
        (None, Some(origin)) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some() && authority == text("host")
        }
        (None, None) => true,
    };
    if own {
        return Ok(());
    }
    let text = "a page of another site may not send statements; a proxy in front has to keep Host";
    Err((StatusCode::FORBIDDEN, ADAPTER, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(header: Option<&str>) -> Option<u32> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        basic(&headers).err().map(|(_, code, _)| code)
    }

    #[test]
    fn each_kind_of_bad_login_has_its_code() {
        assert_eq!(code(None), Some(0x1105));
        assert_eq!(code(Some("Digest abc")), Some(0x1122));
        for bad in [
            "Basic",
            "Basic ???",
            "Basic cm9vdA==",
            "Basic OnB3",
            "Basic cm9vdDo=",
        ] {
            assert_eq!(code(Some(bad)), Some(0x1124), "{bad}");
        }
        assert_eq!(code(Some("basic cm9vdDp0YW9zZGF0YQ==")), None);
    }

    #[test]
    fn pages_of_other_sites_may_not_send_statements() {
        let is_own = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter().copied();
            let headers = pairs
                .map(|(name, value)| {
                    let name = hyper::header::HeaderName::from_static(name);
                    (name, HeaderValue::from_static(value))
                })
                .collect();
            same_site(&headers).is_ok()
        };
        let host = ("host", "db.local:6041");
        assert!(is_own(&[host]), "programs send neither header");
        assert!(is_own(&[host, ("origin", "http://db.local:6041")]));
        for origin in [
            "http://evil.example",
            "http://db.local",
            "http://db.local:6041.evil.example",
            "null",
        ] {
            assert!(!is_own(&[host, ("origin", origin)]), "{origin}");
        }
        let proxied = ("origin", "https://db.example");
        assert!(is_own(&[host, proxied, ("sec-fetch-site", "same-origin")]));
        for site in ["cross-site", "same-site"] {
            let origin = ("origin", "http://db.local:6041");
            assert!(!is_own(&[host, origin, ("sec-fetch-site", site)]), "{site}");
        }
    }

    #[test]
    fn only_the_first_colon_divides_user_from_password() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Basic YTpiOmM=".parse().unwrap());
        assert_eq!(basic(&headers).unwrap(), ("a".into(), "b:c".into()));
    }
}
