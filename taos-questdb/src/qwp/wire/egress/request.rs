//! What the client sends (questdb §13.2, §13.5).

use super::super::{put_string, put_varint};
use super::binds::Bind;
use super::kind;
use crate::error::{Result, error};

/// Longest statement in bytes (questdb §13.5).
const MAX_SQL: usize = 1 << 20;
/// Most parameters (questdb §13.5).
const MAX_BINDS: usize = 1024;
/// Longest message that servers receive (questdb §13.5).
const MAX_MESSAGE: usize = 2 << 20;

/// Bits of the flags behind the parameters (questdb §13.4).
const FLAG_TIMEOUT: u64 = 0x02;

/// A statement to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a> {
    pub(crate) sql: &'a str,
    pub(crate) binds: &'a [Bind],
    /// Bytes of results that may come unasked; 0 is without limit.
    pub(crate) credit: u64,
    /// 0 is without limit. Only for servers that can.
    pub(crate) timeout_ms: u64,
}

impl Query<'_> {
    /// The message, under the number that its answers will have.
    ///
    /// # Errors
    /// The statement, its parameters or their values are beyond what a server takes.
    pub(crate) fn encode(&self, request: i64) -> Result<Vec<u8>> {
        let (sql, binds) = (self.sql, self.binds);
        if sql.len() > MAX_SQL {
            return Err(error!(
                LimitExceeded,
                "a statement of {} bytes is longer than {MAX_SQL}; send rows through a sender",
                sql.len()
            ));
        }
        if binds.len() > MAX_BINDS {
            return Err(error!(
                InvalidBind,
                "{} parameters are more than the {MAX_BINDS} of one statement",
                binds.len()
            ));
        }
        let mut out = Vec::with_capacity(sql.len() + 16 * binds.len() + 48);
        out.push(kind::QUERY_REQUEST);
        out.extend_from_slice(&request.to_le_bytes());
        put_string(&mut out, sql);
        put_varint(&mut out, self.credit);
        put_varint(&mut out, binds.len().try_into().unwrap_or(u64::MAX));
        for (index, bind) in binds.iter().enumerate() {
            bind.put(&mut out)
                .map_err(|e| e.context(format_args!("parameter ${}", index + 1)))?;
        }
        if self.timeout_ms > 0 {
            put_varint(&mut out, FLAG_TIMEOUT);
            put_varint(&mut out, self.timeout_ms);
        }
        if out.len() > MAX_MESSAGE {
            return Err(error!(
                LimitExceeded,
                "a statement of {} bytes with its parameters is longer than the {MAX_MESSAGE} that \
                 servers receive; send rows through a sender",
                out.len()
            ));
        }
        Ok(out)
    }
}

/// Asks the server to give up a query.
pub(crate) fn cancel(request: i64) -> Vec<u8> {
    let mut out = vec![kind::CANCEL];
    out.extend_from_slice(&request.to_le_bytes());
    out
}

/// Allows so many bytes more of results.
pub(crate) fn credit(request: i64, bytes: usize) -> Vec<u8> {
    let mut out = vec![kind::CREDIT];
    out.extend_from_slice(&request.to_le_bytes());
    put_varint(&mut out, bytes.try_into().unwrap_or(u64::MAX));
    out
}
