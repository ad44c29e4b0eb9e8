use std::fmt;

/// A server or client error code, always within 16 bits.
///
/// The server's codes are the low half of the engine's 0x8000xxxx (taosadapter-ws §13); client-side
/// codes are 0xE000 to 0xE009. The generic "failed" is 0xFFFF.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(i32);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Self = Self($value);)*
        }

        const NAMED: &[(i32, &str)] = &[$(($value, $text)),*];
    };
}

codes! {
    /// No error.
    SUCCESS = 0x0000, "success";
    /// The generic failure.
    FAILED = 0xFFFF, "failed";
    /// An operation that is not supported.
    UNSUPPORTED = 0x0100, "Operation not supported";
    /// A parameter is invalid.
    INVALID_PARA = 0x0118, "Invalid parameters";
    /// Login with an unknown user.
    INVALID_USER = 0x0351, "Invalid user";
    /// Login with a wrong password.
    AUTH_FAILURE = 0x0357, "Authentication failure";
    /// The super table is not there.
    STABLE_NOT_EXIST = 0x0362, "STable not exists";
    /// The tag is there already.
    TAG_ALREADY_EXIST = 0x0369, "Tag already exists";
    /// The tag is not there.
    TAG_NOT_EXIST = 0x036A, "Tag does not exist";
    /// The column is there already.
    COLUMN_EXISTS = 0x036B, "Column already exists";
    /// The column is not there.
    COLUMN_NOT_EXIST = 0x036C, "Column does not exist";
    /// The database is not there.
    DATABASE_NOT_EXIST = 0x0388, "Database not exist";
    /// A topic cannot be appended to.
    TMQ_TOPIC_APPEND_ERR = 0x03E5, "Topic append error";
    /// The log does not have the version, or not any more.
    TMQ_OUT_OF_LOG = 0x4007, "Offset out of range";
    /// The vgroup is another consumer's.
    TMQ_FOREIGN_VGROUP = 0x4008, "VgId does not belong to this consumer";
    /// The topic is not subscribed to.
    TMQ_FOREIGN_TOPIC = 0x4009, "Topic does not belong to this consumer";
    /// The consumer has not been given vgroups yet.
    TMQ_NOT_ASSIGNED = 0x4010, "Needs assignment or poll first";
    /// The change was made already.
    MODIFIED_ALREADY = 0x264B, "Modified already";
    /// A column name is invalid.
    INVALID_COLUMN_NAME = 0x2602, "Invalid column name";
    /// The table is not there.
    TABLE_NOT_EXIST = 0x2603, "Table does not exist";
    /// The row is too long.
    INVALID_ROW_BYTES = 0x036F, "Invalid row bytes";
    /// A column name occurs twice.
    DUPLICATED_COLUMN_NAMES = 0x263C, "Duplicated column names";
    /// The last column stays.
    NO_COLUMN_CAN_BE_DROPPED = 0x2651, "No columns can be dropped";
    /// An object has no value.
    OBJECT_IS_NULL = 0xEFFF, "Object is null";
    /// Client side: the DSN is wrong.
    WS_DSN = 0xE000, "Invalid DSN";
    /// Client side: the WebSocket failed.
    WS_ERROR = 0xE001, "WebSocket error";
    /// Client side: the connection is closed.
    WS_CLOSED = 0xE002, "WebSocket connection closed";
    /// Client side: a request could not be handed over in time.
    WS_SEND_TIMEOUT = 0xE003, "Send timeout";
    /// Client side: an answer did not come in time.
    WS_RECV_TIMEOUT = 0xE004, "Receive timeout";
    /// Client side: input or output failed.
    WS_IO = 0xE005, "I/O error";
    /// Client side: the upgrade was answered with HTTP 401.
    WS_UNAUTHORIZED = 0xE006, "Unauthorized";
    /// Client side: an answer could not be read.
    WS_BAD_ANSWER = 0xE007, "Malformed answer";
    /// Client side: the connection broke.
    WS_DISCONNECTED = 0xE008, "WebSocket disconnected";
    /// Client side: TLS failed.
    WS_TLS = 0xE009, "TLS error";
}

impl Code {
    /// The code of `value`, cut to 16 bits.
    pub const fn new(value: i32) -> Self {
        Self(value & 0xFFFF)
    }

    /// True for the success code.
    pub const fn success(self) -> bool {
        self.0 == 0
    }

    /// The words known for this code.
    pub fn text(self) -> Option<&'static str> {
        NAMED
            .iter()
            .find(|(code, _)| *code == self.0)
            .map(|(_, text)| *text)
    }
}

macro_rules! integers {
    ($($ty:ty)*) => {$(
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_possible_wrap,
            clippy::cast_sign_loss,
            clippy::cast_lossless,
            reason = "only the low 16 bits of a code carry meaning"
        )]
        impl From<$ty> for Code {
            fn from(value: $ty) -> Self {
                Self::new(value as i32)
            }
        }

        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_possible_wrap,
            clippy::cast_sign_loss,
            clippy::cast_lossless,
            reason = "the width is the caller's choice"
        )]
        impl From<Code> for $ty {
            fn from(code: Code) -> Self {
                code.0 as $ty
            }
        }
    )*};
}
integers!(i8 u8 i16 u16 i32 u32 i64 u64 isize usize);

impl PartialEq<i32> for Code {
    fn eq(&self, other: &i32) -> bool {
        *self == Self::new(*other)
    }
}

impl PartialEq<usize> for Code {
    fn eq(&self, other: &usize) -> bool {
        *self == Self::from(*other)
    }
}

impl PartialEq<Code> for i32 {
    fn eq(&self, other: &Code) -> bool {
        other == self
    }
}

impl fmt::LowerHex for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

impl fmt::UpperHex for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::UpperHex::fmt(&self.0, f)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06X}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => write!(f, "Code({self}: {text})"),
            None => write!(f, "Code({self})"),
        }
    }
}
