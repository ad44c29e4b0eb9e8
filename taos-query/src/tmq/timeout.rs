use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long to wait for a message.
///
/// As text: `never`, `none`, a number of seconds, or numbers with units, as in `500ms`, `1.5s` or `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// For ever.
    Never,
    /// Not at all: look once.
    None,
    /// At most so long.
    Duration(Duration),
}

/// A text that is no timeout.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutError {
    /// Nothing is written there.
    Empty,
    /// The text, and what is wrong with it.
    Invalid(String, String),
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, reason) = match self {
            Self::Empty => ("", "it is empty"),
            Self::Invalid(text, reason) => (text.as_str(), reason.as_str()),
        };
        write!(
            f,
            "`{text}` is no timeout: {reason}; use never, none, or a number with us, ms, s, m, h or d"
        )
    }
}

impl std::error::Error for TimeoutError {}

/// What "for ever" is where a number is needed: the longest time in whole seconds that milliseconds in an
/// `i64` can say.
const FOR_EVER: Duration = Duration::from_secs(i64::MAX.unsigned_abs() / 1000);

impl Timeout {
    /// Whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self::Duration(Duration::from_secs(secs))
    }

    /// Milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self::Duration(Duration::from_millis(millis))
    }

    /// For ever.
    pub const fn never() -> Self {
        Self::Never
    }

    /// Not at all.
    pub const fn none() -> Self {
        Self::None
    }

    /// In milliseconds, as polls are told it: -1 for ever, 0 not at all (taosadapter-ws §11.2). What does not
    /// fit is the longest that does.
    pub fn as_raw_timeout(&self) -> i64 {
        match self {
            Self::Never => -1,
            Self::None => 0,
            Self::Duration(time) => i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
        }
    }

    /// As a duration; [`Never`](Self::Never) is some 292 million years.
    pub const fn as_duration(&self) -> Duration {
        match self {
            Self::Never => FOR_EVER,
            Self::None => Duration::ZERO,
            Self::Duration(time) => *time,
        }
    }
}

impl From<Duration> for Timeout {
    fn from(time: Duration) -> Self {
        Self::Duration(time)
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::None => f.write_str("none"),
            Self::Duration(time) => match time.as_nanos() {
                nanos if nanos % 1_000_000_000 == 0 => write!(f, "{}s", time.as_secs()),
                nanos if nanos % 1_000_000 == 0 => write!(f, "{}ms", nanos / 1_000_000),
                nanos if nanos % 1_000 == 0 => write!(f, "{}us", nanos / 1_000),
                nanos => write!(f, "{nanos}ns"),
            },
        }
    }
}

impl FromStr for Timeout {
    type Err = TimeoutError;

    fn from_str(text: &str) -> Result<Self, TimeoutError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "" => Err(TimeoutError::Empty),
            "never" => Ok(Self::Never),
            "none" => Ok(Self::None),
            words => parse(words)
                .map(Self::Duration)
                .map_err(|reason| TimeoutError::Invalid(text.to_owned(), reason)),
        }
    }
}

/// Reads numbers, each with its unit; the units add up.
fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut nanos: u128 = 0;
    let mut first = true;
    while !rest.is_empty() {
        let (number, behind) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, behind) = split(behind.trim_start(), |c| {
            !c.is_ascii_digit() && !c.is_whitespace()
        });
        if number.is_empty() {
            return Err(format!("`{rest}` does not begin with a number"));
        }
        let unit = match unit {
            // Alone, a number counts seconds.
            "" if first && behind.is_empty() => "s",
            unit => unit,
        };
        let part = nanos_of(number, nanos_per(unit)?)?;
        nanos = nanos.checked_add(part).ok_or("it is too long")?;
        rest = behind.trim_start();
        first = false;
    }
    let secs = u64::try_from(nanos / 1_000_000_000).map_err(|_| "it is too long")?;
    let nanos = u32::try_from(nanos % 1_000_000_000).unwrap_or_default();
    Ok(Duration::new(secs, nanos))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

fn nanos_per(unit: &str) -> Result<u128, String> {
    Ok(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000_000_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000_000_000,
        "d" | "day" | "days" => 86_400_000_000_000,
        "" => return Err("a number has no unit".to_owned()),
        unit => return Err(format!("`{unit}` is not a unit")),
    })
}

/// `number` has digits and points only.
fn nanos_of(number: &str, unit: u128) -> Result<u128, String> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let bad = || format!("`{number}` is not a number that can be read");
    let digits = |digits: &str| match digits {
        "" => Ok(0),
        digits => digits.parse::<u128>().map_err(|_| bad()),
    };
    if whole.is_empty() && part.is_empty() {
        return Err(bad());
    }
    // What lies below 18 places behind the point is no nanosecond of any unit here.
    let part = part.get(..18.min(part.len())).unwrap_or_default();
    let places = u32::try_from(part.len()).unwrap_or(18);
    let fraction = digits(part)? * unit / 10_u128.pow(places);
    digits(whole)?
        .checked_mul(unit)
        .and_then(|nanos| nanos.checked_add(fraction))
        .ok_or_else(|| "it is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Timeout {
        text.parse().unwrap()
    }

    #[test]
    fn every_unit_is_read_and_a_bare_number_counts_seconds() {
        for (text, millis) in [
            ("5", 5_000),
            ("500ms", 500),
            ("2s", 2_000),
            ("2 sec", 2_000),
            ("3m", 180_000),
            ("3min", 180_000),
            ("1h", 3_600_000),
            ("1hr", 3_600_000),
            ("1d", 86_400_000),
            ("2 day", 172_800_000),
            ("1.5s", 1_500),
            (".25m", 15_000),
            ("1h 30m", 5_400_000),
            ("1H30M", 5_400_000),
            ("0", 0),
        ] {
            assert_eq!(read(text), Timeout::from_millis(millis), "{text}");
        }
        assert_eq!(read("250us"), Timeout::Duration(Duration::from_micros(250)));
        assert_eq!(read("Never"), Timeout::Never);
        assert_eq!(read("NONE"), Timeout::None);
    }

    #[test]
    fn what_is_no_timeout_is_an_error_that_names_the_fault() {
        assert_eq!("".parse::<Timeout>(), Err(TimeoutError::Empty));
        for (text, names) in [
            ("soon", "`soon`"),
            ("5 parsecs", "`parsecs`"),
            ("5s 3", "no unit"),
            ("1.2.3s", "`1.2.3`"),
            (".", "`.`"),
            ("99999999999999999999d", "too long"),
            (
                "99999999999999999999999999999999999999999999s",
                "can be read",
            ),
            ("-1s", "`-1s`"),
        ] {
            let error = text.parse::<Timeout>().unwrap_err().to_string();
            assert!(error.contains(names), "{text}: {error}");
        }
    }

    #[test]
    fn a_timeout_is_read_back_from_what_it_prints() {
        for timeout in [
            Timeout::Never,
            Timeout::None,
            Timeout::from_secs(5),
            Timeout::from_millis(1_500),
            Timeout::Duration(Duration::from_micros(7)),
            Timeout::Duration(Duration::from_nanos(1_000_000_001)),
        ] {
            assert_eq!(read(&timeout.to_string()), timeout);
        }
    }

    #[test]
    fn polls_are_told_milliseconds() {
        assert_eq!(Timeout::Never.as_raw_timeout(), -1);
        assert_eq!(Timeout::None.as_raw_timeout(), 0);
        assert_eq!(Timeout::from_secs(2).as_raw_timeout(), 2_000);
        assert_eq!(Timeout::Duration(Duration::MAX).as_raw_timeout(), i64::MAX);
        assert!(Timeout::Never.as_duration() > Duration::from_secs(1 << 50));
        assert_eq!(Timeout::None.as_duration(), Duration::ZERO);
    }
}
