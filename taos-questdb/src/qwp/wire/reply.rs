//! What the server answers to ingested messages (questdb §12.7).

use super::Reader;
use crate::error::{Result, error};

/// How far a table has come in its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableSeq {
    pub(crate) table: String,
    pub(crate) seq_txn: i64,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// This message and all before it are taken.
    Ok {
        sequence: u64,
        tables: Vec<TableSeq>,
    },
    /// These tables are stored durably up to these points.
    DurableAck { tables: Vec<TableSeq> },
    /// This message is refused.
    Rejected {
        sequence: u64,
        status: u8,
        message: String,
    },
}

const OK: u8 = 0x00;
const DURABLE_ACK: u8 = 0x02;

impl Reply {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let reply = match reader.u8("status")? {
            OK => Self::Ok {
                sequence: sequence(&mut reader)?,
                tables: tables(&mut reader)?,
            },
            DURABLE_ACK => Self::DurableAck {
                tables: tables(&mut reader)?,
            },
            status => Self::Rejected {
                sequence: sequence(&mut reader)?,
                status,
                message: reader.string_u16("message")?.to_owned(),
            },
        };
        reader.finish("answer")?;
        Ok(reply)
    }
}

fn sequence(reader: &mut Reader<'_>) -> Result<u64> {
    let sequence = reader.i64("sequence")?;
    u64::try_from(sequence)
        .map_err(|_| error!(ProtocolError, "the server answers message {sequence}"))
}

fn tables(reader: &mut Reader<'_>) -> Result<Vec<TableSeq>> {
    (0..reader.u16("number of tables")?)
        .map(|_| {
            Ok(TableSeq {
                table: reader.string_u16("table name")?.to_owned(),
                seq_txn: reader.i64("table's sequence")?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_answer_is_an_ok_for_message_0() {
        let reply = Reply::decode(&[0; 11]).unwrap();
        assert_eq!(
            reply,
            Reply::Ok {
                sequence: 0,
                tables: vec![]
            }
        );
    }

    #[test]
    fn answers_name_their_tables_and_reasons() {
        let mut bytes = vec![2, 1, 0, 1, 0, b't'];
        bytes.extend_from_slice(&7i64.to_le_bytes());
        let seq = TableSeq {
            table: "t".into(),
            seq_txn: 7,
        };
        assert_eq!(
            Reply::decode(&bytes).unwrap(),
            Reply::DurableAck { tables: vec![seq] }
        );
        let mut bytes = vec![9];
        bytes.extend_from_slice(&5i64.to_le_bytes());
        bytes.extend_from_slice(&[2, 0, b'n', b'o']);
        assert_eq!(
            Reply::decode(&bytes).unwrap(),
            Reply::Rejected {
                sequence: 5,
                status: 9,
                message: "no".into()
            }
        );
        for cut in 0..bytes.len() {
            assert!(Reply::decode(&bytes[..cut]).is_err());
        }
        bytes.push(0);
        assert!(Reply::decode(&bytes).is_err());
    }
}
