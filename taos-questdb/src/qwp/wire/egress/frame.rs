//! What the server sends, taken apart as far as the rows (questdb §13.2).

use super::super::{Header, Reader, flags};
use super::{kind, limit};
use crate::error::{Error, ErrorCode, Result, error};

/// Bits of [`ServerInfo::capabilities`] (questdb §13.4).
pub(crate) mod capability {
    pub(crate) const ZONE: u32 = 0x01;
    pub(crate) const QUERY_TIMEOUT: u32 = 0x08;
}

/// Values of [`ServerInfo::role`] (questdb §13.4).
pub(crate) mod role {
    pub(crate) const REPLICA: u8 = 2;

    /// The name as the server spells it.
    pub(crate) const fn name(role: u8) -> &'static str {
        match role {
            0 => "STANDALONE",
            1 => "PRIMARY",
            REPLICA => "REPLICA",
            3 => "PRIMARY_CATCHUP",
            _ => "of an unknown role",
        }
    }
}

/// Why a query failed (questdb §12.7).
pub(crate) mod status {
    pub(crate) const CANCELLED: u8 = 0x0A;
}

/// What a server says about itself before anything else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerInfo {
    pub(crate) role: u8,
    pub(crate) epoch: u64,
    pub(crate) capabilities: u32,
    /// Nanoseconds since 1970.
    pub(crate) clock: i64,
    pub(crate) cluster: String,
    pub(crate) node: String,
    pub(crate) zone: Option<String>,
}

impl ServerInfo {
    pub(crate) const fn can(&self, capability: u32) -> bool {
        self.capabilities & capability != 0
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut info = Self {
            role: reader.u8("role")?,
            epoch: reader.u64("epoch")?,
            capabilities: reader.u32("capabilities")?,
            clock: reader.i64("clock")?,
            cluster: reader.string_u16("cluster id")?.to_owned(),
            node: reader.string_u16("node id")?.to_owned(),
            zone: None,
        };
        if info.can(capability::ZONE) {
            info.zone = Some(reader.string_u16("zone id")?.to_owned());
        }
        Ok(info)
    }
}

/// Rows that are not decoded yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) request: i64,
    pub(crate) seq: u64,
    /// Bytes of the whole message, which count against the credit.
    pub(crate) wire_len: usize,
    pub(super) flags: u8,
    /// What follows the number of the batch.
    pub(super) body: &'a [u8],
}

/// A message of the server.
#[derive(Debug, Clone)]
pub(crate) enum Event<'a> {
    Info(ServerInfo),
    Batch(Batch<'a>),
    End {
        request: i64,
        last_seq: u64,
        rows: u64,
    },
    /// Request -1 is the connection itself.
    Failed {
        request: i64,
        status: u8,
        message: &'a str,
    },
    Done {
        request: i64,
        affected: u64,
    },
    Reset {
        mask: u8,
    },
}

impl<'a> Event<'a> {
    /// Takes a whole message apart.
    pub(crate) fn read(message: &'a [u8]) -> Result<Self> {
        if message.len() > limit::MESSAGE {
            return Err(error!(
                LimitExceeded,
                "a message of {} bytes is longer than {}",
                message.len(),
                limit::MESSAGE
            ));
        }
        let mut reader = Reader::new(message);
        let header = Header::read(&mut reader)?;
        let kind = reader.u8("kind")?;
        let tables = u16::from(kind == kind::RESULT_BATCH);
        if header.table_count != tables {
            return Err(error!(
                ProtocolError,
                "a message of kind {kind:#04x} announces {} tables instead of {tables}",
                header.table_count
            ));
        }
        if kind == kind::RESULT_BATCH {
            let request = reader.i64("request id")?;
            let seq = reader.varint("number of the batch")?;
            let body = reader.bytes(reader.remaining(), "rows")?;
            return Ok(Self::Batch(Batch {
                request,
                seq,
                wire_len: message.len(),
                flags: header.flags,
                body,
            }));
        }
        let event = Self::short(kind, &mut reader)?;
        reader.finish("message")?;
        Ok(event)
    }

    /// A message without rows.
    fn short(kind: u8, reader: &mut Reader<'a>) -> Result<Self> {
        Ok(match kind {
            kind::RESULT_END => Self::End {
                request: reader.i64("request id")?,
                last_seq: reader.varint("number of the last batch")?,
                rows: reader.varint("number of rows")?,
            },
            kind::QUERY_ERROR => Self::Failed {
                request: reader.i64("request id")?,
                status: reader.u8("status")?,
                message: reader.string_u16("message")?,
            },
            kind::EXEC_DONE => {
                let request = reader.i64("request id")?;
                reader.u8("type of the statement")?;
                let affected = reader.varint("number of rows")?;
                Self::Done { request, affected }
            }
            kind::CACHE_RESET => Self::Reset {
                mask: reader.u8("mask")?,
            },
            kind::SERVER_INFO => Self::Info(ServerInfo::read(reader)?),
            _ => {
                return Err(error!(
                    ProtocolError,
                    "the server sent a message of the unknown kind {kind:#04x}"
                ));
            }
        })
    }
}

impl Batch<'_> {
    pub(super) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) const fn is_compressed(&self) -> bool {
        self.has(flags::ZSTD)
    }
}

/// The error that a failed query stands for, in the words of the server.
pub(crate) fn failure(status: u8, message: &str) -> Error {
    let code = match status {
        0x03 => ErrorCode::ServerSchemaMismatch,
        0x05 => ErrorCode::ServerParseError,
        0x08 => ErrorCode::ServerSecurityError,
        status::CANCELLED => ErrorCode::Cancelled,
        0x0B => ErrorCode::ServerLimitExceeded,
        0x0C => ErrorCode::RoleMismatch,
        0x0E => ErrorCode::QueryTimeout,
        _ => ErrorCode::ServerInternalError,
    };
    let message = if message.is_empty() {
        "the server gave no reason"
    } else {
        message
    };
    Error::new(code, format!("{message} [status {status:#04x}]"))
}
