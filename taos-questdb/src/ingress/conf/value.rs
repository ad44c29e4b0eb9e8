//! Reading the text of one value. No error repeats the text: it may be a secret in the wrong place.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result, error};

/// Longer waits are cut to this, so that adding one to the clock cannot overflow.
const CENTURY: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

pub(super) fn bounded(duration: Duration) -> Duration {
    duration.min(CENTURY)
}

/// The text given for a key of the table.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) key: &'static str,
    pub(super) text: &'a str,
}

impl<'a> Value<'a> {
    pub(super) const fn new(key: &'static str, text: &'a str) -> Self {
        Self { key, text }
    }

    pub(super) fn wrong(self, expected: impl fmt::Display) -> Error {
        error!(ConfigError, "`{}` must be {expected}", self.key)
    }

    pub(super) fn number<T: FromStr>(self) -> Result<T> {
        self.text
            .parse()
            .map_err(|_| self.wrong("a whole number that is not negative and not too large"))
    }

    pub(super) fn within<T: FromStr + PartialOrd + fmt::Display>(
        self,
        least: T,
        most: T,
    ) -> Result<T> {
        match self.text.parse::<T>() {
            Ok(number) if least <= number && number <= most => Ok(number),
            _ => Err(self.wrong(format_args!("a whole number from {least} to {most}"))),
        }
    }

    pub(super) fn millis(self) -> Result<Duration> {
        self.text
            .parse()
            .map(|millis| bounded(Duration::from_millis(millis)))
            .map_err(|_| self.wrong("a whole number of milliseconds that is not negative"))
    }

    pub(super) fn some_millis(self) -> Result<Duration> {
        at_least(self.key, self.millis()?, Duration::from_millis(1))
    }

    /// Zero and negative numbers are `None`.
    pub(super) fn millis_or_never(self) -> Result<Option<Duration>> {
        let millis: i64 = self
            .text
            .parse()
            .map_err(|_| self.wrong("a whole number of milliseconds"))?;
        Ok(u64::try_from(millis)
            .ok()
            .filter(|millis| *millis > 0)
            .map(|millis| bounded(Duration::from_millis(millis))))
    }

    /// Bytes above 0, with `k`, `m`, `g` or `t` for powers of 1024 (questdb §1.6).
    pub(super) fn size(self) -> Result<u64> {
        let expected = "a number of bytes above 0, with k, m, g or t for powers of 1024";
        let lower = self.text.to_ascii_lowercase();
        let text = lower.strip_suffix('b').unwrap_or(&lower);
        let (digits, shift) = match text.as_bytes().last() {
            Some(b'k') => (text.strip_suffix('k'), 10),
            Some(b'm') => (text.strip_suffix('m'), 20),
            Some(b'g') => (text.strip_suffix('g'), 30),
            Some(b't') => (text.strip_suffix('t'), 40),
            _ => (Some(text), 0),
        };
        digits
            .and_then(|digits| digits.parse::<u64>().ok())
            .and_then(|number| number.checked_mul(1_u64 << shift))
            .filter(|bytes| *bytes > 0)
            .ok_or_else(|| self.wrong(expected))
    }

    /// One of a few words, in exactly this spelling.
    pub(super) fn exact<T: Copy>(self, words: &[(&str, T)]) -> Result<T> {
        self.one_of(words, |word| word == self.text)
    }

    /// One of a few words, in any case.
    pub(super) fn word<T: Copy>(self, words: &[(&str, T)]) -> Result<T> {
        self.one_of(words, |word| word.eq_ignore_ascii_case(self.text))
    }

    pub(super) fn switch(self) -> Result<bool> {
        self.word(&[
            ("on", true),
            ("off", false),
            ("true", true),
            ("false", false),
        ])
    }

    fn one_of<T: Copy>(self, words: &[(&str, T)], is: impl Fn(&str) -> bool) -> Result<T> {
        match words.iter().find(|(word, _)| is(word)) {
            Some((_, meaning)) => Ok(*meaning),
            None => {
                let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                Err(self.wrong(format_args!("one of {}", list.join(", "))))
            }
        }
    }
}

/// Refuses characters that would break a header line or hide in a log.
pub(super) fn plain(key: &str, text: &str) -> Result<()> {
    match text.char_indices().find(|(_, c)| c.is_control()) {
        None => Ok(()),
        Some((position, c)) => Err(error!(
            ConfigError,
            "`{key}` has the character {c:?} at position {position}, which is not allowed"
        )),
    }
}

/// Refuses a value below its least.
pub(super) fn at_least<T: PartialOrd + Least>(key: &str, value: T, least: T) -> Result<T> {
    if value < least {
        return Err(error!(
            ConfigError,
            "`{key}` must be at least {}",
            least.words()
        ));
    }
    Ok(value)
}

/// How a least value reads in an error.
pub(super) trait Least {
    fn words(&self) -> String;
}

impl Least for Duration {
    fn words(&self) -> String {
        format!("{} ms", self.as_millis().max(1))
    }
}

impl Least for usize {
    fn words(&self) -> String {
        self.to_string()
    }
}
