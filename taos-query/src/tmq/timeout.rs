use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long to wait for a message.
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
pub struct TimeoutError(String);

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no timeout: use never, none, or a number with us, ms, s, m, h or d",
            self.0
        )
    }
}

impl std::error::Error for TimeoutError {}

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
}

impl FromStr for Timeout {
    type Err = TimeoutError;

    fn from_str(text: &str) -> Result<Self, TimeoutError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "never" => Ok(Self::Never),
            "none" => Ok(Self::None),
            _ => Err(TimeoutError(text.to_owned())),
        }
    }
}
