//! Names of time zones.

use chrono_tz::Tz;

use crate::args::invalid;
use crate::error::Failure;

/// The IANA name of a zone that is given as programs for the native library give it: `Asia/Shanghai`,
/// `Asia/Shanghai (CST, +0800)`, or `UTC-8`, which by POSIX lies east of Greenwich.
pub(crate) fn iana(zone: &str) -> Result<String, Failure> {
    let name = zone.split_whitespace().next().unwrap_or_default();
    if name.parse::<Tz>().is_ok() {
        return Ok(name.to_owned());
    }
    offset(name)
        .filter(|name| name.parse::<Tz>().is_ok())
        .ok_or_else(|| {
            invalid(&format!(
                "`{zone}` is not a time zone: an IANA name such as Asia/Shanghai, or whole hours as in UTC-8"
            ))
        })
}

fn offset(name: &str) -> Option<String> {
    let rest = name
        .strip_prefix("UTC")
        .or_else(|| name.strip_prefix("GMT"))?;
    let sign = rest.chars().next().filter(|c| matches!(c, '+' | '-'))?;
    let hours = rest.get(1..)?.trim_end_matches(":00");
    let hours: u8 = hours
        .strip_suffix("00")
        .filter(|h| h.len() == 2)
        .unwrap_or(hours)
        .parse()
        .ok()?;
    Some(match hours {
        0 => "UTC".to_owned(),
        hours => format!("Etc/GMT{sign}{hours}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_name_and_by_whole_hours() {
        for (given, name) in [
            ("Asia/Shanghai", "Asia/Shanghai"),
            ("Asia/Shanghai (CST, +0800)", "Asia/Shanghai"),
            ("UTC", "UTC"),
            ("UTC-8", "Etc/GMT-8"),
            ("GMT+05:00", "Etc/GMT+5"),
            ("UTC-0800", "Etc/GMT-8"),
            ("UTC+0", "UTC"),
        ] {
            assert_eq!(iana(given).unwrap(), name, "{given}");
        }
        for wrong in ["", "UTC-99", "Mars/Base", "UTC-5:30"] {
            assert!(iana(wrong).is_err(), "{wrong}");
        }
    }
}
