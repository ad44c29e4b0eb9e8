use std::fmt;

/// The unit of a database's timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Precision {
    /// Milliseconds, the default of a database.
    #[default]
    Millisecond = 0,
    /// Microseconds.
    Microsecond = 1,
    /// Nanoseconds.
    Nanosecond = 2,
}

impl Precision {
    /// `ms`, `us` or `ns`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Millisecond => "ms",
            Self::Microsecond => "us",
            Self::Nanosecond => "ns",
        }
    }

    /// The wire id: 0, 1 or 2.
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// The precision with this wire id, if there is one.
    pub const fn from_u8_option(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::Millisecond),
            1 => Some(Self::Microsecond),
            2 => Some(Self::Nanosecond),
            _ => None,
        }
    }

    /// Ticks a second: 10³, 10⁶ or 10⁹.
    pub const fn ticks_per_second(self) -> i64 {
        match self {
            Self::Millisecond => 1_000,
            Self::Microsecond => 1_000_000,
            Self::Nanosecond => 1_000_000_000,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
