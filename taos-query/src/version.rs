//! Versions of servers and client libraries.

use std::fmt;
use std::num::{IntErrorKind, ParseIntError};

/// The version of a server or of a client library: four numbers; anything else in the text is ignored
/// (taosadapter-ws §16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version([u32; 4]);

impl Version {
    /// First version whose clients send binary_query and fetch_raw_block.
    pub const BINARY_SQL: Self = Self([3, 3, 2, 0]);
    /// First version that knows `options_connection` and `tz`, `app`, `ip` in `conn`.
    pub const CONNECTION_OPTIONS: Self = Self([3, 3, 5, 0]);
    /// First version that knows `validate_sql` and `check_server_status`.
    pub const VALIDATE_SQL: Self = Self([3, 3, 6, 0]);

    /// First version that knows BI mode.
    pub const BI_MODE: Self = Self([3, 2, 0, 0]);
    /// The newest that a server without `/ws` can be (taosadapter-ws §1).
    pub const OLD_ENDPOINT: Self = Self([3, 1, 1, 14]);
    /// First version of the 3.2 line whose `/ws` has everything of that line (taosadapter-ws §1).
    pub const UNIFIED: Self = Self([3, 1, 1, 15]);
    /// First version that knows `table_name_key` in `insert`.
    pub const TABLE_NAME_KEY: Self = Self([3, 3, 3, 0]);
    /// First version whose second-generation statements can be relied on.
    pub const STMT2: Self = Self([3, 3, 5, 0]);
    /// First version with decimals, which statements take as unscaled integers.
    pub const DECIMAL: Self = Self([3, 3, 6, 0]);
    /// First version whose statements take decimals as text.
    pub const DECIMAL_TEXT: Self = Self([3, 4, 0, 0]);
    /// First version that gives a topic's message in one binary frame, errors included (taosadapter-ws §11.6).
    pub const RAW_DATA: Self = Self([3, 3, 1, 2]);
    /// First version that takes a consumer's timeouts by name (taosadapter-ws §11.1).
    pub const CONSUMER_TIMEOUTS: Self = Self([3, 3, 3, 0]);
    /// First version that takes any key of a consumer's configuration, and the number of the last
    /// message in `poll` (taosadapter-ws §11.1, §11.2).
    pub const CONSUMER_CONFIG: Self = Self([3, 3, 6, 0]);
    /// First version that knows tokens and one-time codes in `conn`.
    pub const TOKENS: Self = Self([3, 4, 0, 0]);

    /// The version of four numbers.
    #[must_use]
    pub const fn new(numbers: [u32; 4]) -> Self {
        Self(numbers)
    }

    /// Reads the first four numbers; a missing or non-numeric one counts as 0, so every text has
    /// a version. One that is too long to count is the highest.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut numbers = [0; 4];
        let parts = text.trim().trim_start_matches(['v', 'V']).split(['.', '-']);
        for (number, part) in numbers.iter_mut().zip(parts) {
            *number = part.parse().unwrap_or_else(|error: ParseIntError| {
                let too_high = *error.kind() == IntErrorKind::PosOverflow;
                if too_high { u32::MAX } else { 0 }
            });
        }
        Self(numbers)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, build] = self.0;
        write!(f, "{major}.{minor}.{patch}.{build}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_version_texts_are_read_as_far_as_they_go() {
        for (text, numbers) in [
            ("3.3.7.5.alpha", [3, 3, 7, 5]),
            ("3.3.6.0-beta", [3, 3, 6, 0]),
            ("3.3.6-beta.1", [3, 3, 6, 0]),
            ("3", [3, 0, 0, 0]),
            ("", [0; 4]),
            ("what?", [0; 4]),
            ("3.99999999999.1", [3, u32::MAX, 1, 0]),
            ("v3.4", [3, 4, 0, 0]),
        ] {
            assert_eq!(Version::parse(text), Version(numbers), "{text}");
        }
        assert!(Version::parse("3.3.10.0") > Version::BINARY_SQL);
        assert!(Version::parse("3.3.1.9") < Version::BINARY_SQL);
    }
}
