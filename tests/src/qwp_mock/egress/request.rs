//! What clients send (questdb §13.2, §13.5).

use anyhow::{Context as _, bail, ensure};

use super::codec::Cursor;

/// A statement as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Number of the connection, from 0 in the order of upgrades.
    pub connection: usize,
    /// The client's number.
    pub id: i64,
    /// The statement.
    pub sql: String,
    /// Bytes of results that the client takes unasked; 0 is without limit.
    pub credit: u64,
    /// Type and bytes of each parameter, `None` for NULL. The bytes are what the protocol gives a value.
    pub binds: Vec<(u8, Option<Vec<u8>>)>,
    /// The flags behind the parameters.
    pub flags: u64,
    /// Milliseconds.
    pub timeout: Option<u64>,
}

/// A message of a client.
#[derive(Debug)]
pub(super) enum Incoming {
    Query(Request),
    Cancel(i64),
    Credit(i64, u64),
}

impl Incoming {
    pub(super) fn read(message: &[u8], connection: usize) -> anyhow::Result<Self> {
        let mut cursor = Cursor(message);
        let incoming = match cursor.u8()? {
            0x10 => Self::Query(query(&mut cursor, connection).context("a query")?),
            0x14 => Self::Cancel(cursor.i64()?),
            0x15 => Self::Credit(cursor.i64()?, cursor.varint()?),
            kind => bail!("a message of kind {kind:#04x}"),
        };
        cursor.end()?;
        Ok(incoming)
    }
}

fn query(cursor: &mut Cursor<'_>, connection: usize) -> anyhow::Result<Request> {
    let id = cursor.i64()?;
    let sql = cursor.text()?.to_owned();
    let credit = cursor.varint()?;
    let count = cursor.size()?;
    ensure!(count <= 1024, "{count} parameters");
    let binds = (1..=count)
        .map(|number| bind(cursor).with_context(|| format!("parameter ${number}")))
        .collect::<anyhow::Result<_>>()?;
    let mut request = Request {
        connection,
        id,
        sql,
        credit,
        binds,
        flags: 0,
        timeout: None,
    };
    if !cursor.0.is_empty() {
        request.flags = cursor.varint()?;
        ensure!(request.flags != 0, "flags that say nothing are left out");
        if request.flags & 2 != 0 {
            request.timeout = Some(cursor.varint()?);
            ensure!(request.timeout != Some(0), "a limit of no time");
        }
    }
    Ok(request)
}

fn bind(cursor: &mut Cursor<'_>) -> anyhow::Result<(u8, Option<Vec<u8>>)> {
    let code = cursor.u8()?;
    let null = match cursor.u8()? {
        0 => false,
        _ => {
            ensure!(cursor.u8()? == 1, "a bitmap of one NULL is 01");
            true
        }
    };
    let mut prefix = Vec::new();
    let width = match code {
        0x01 | 0x02 => 1,
        0x03 | 0x16 => 2,
        0x04 | 0x06 => 4,
        0x05 | 0x07 | 0x0A | 0x0B | 0x10 => 8,
        0x0C => 16,
        0x0D => 32,
        0x0E => {
            let precision = cursor.size()?;
            ensure!(
                (1..=60).contains(&precision),
                "a geohash of {precision} bits"
            );
            prefix.push(u8::try_from(precision)?);
            precision.div_ceil(8)
        }
        0x0F if null => 0,
        0x0F => {
            ensure!(cursor.u32()? == 0, "offsets start at 0");
            usize::try_from(cursor.u32()?)?
        }
        0x13..=0x15 => {
            prefix.push(cursor.u8()?);
            8 << (code - 0x13)
        }
        _ => bail!("no server takes type {code:#04x}"),
    };
    if null {
        return Ok((code, None));
    }
    prefix.extend_from_slice(cursor.take(width)?);
    Ok((code, Some(prefix)))
}
