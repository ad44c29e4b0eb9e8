//! A buffer as one message (questdb §12.3, §12.4).

use super::{QwpBuffer, Symbols, Table};
use crate::error::{Result, error};
use crate::qwp::wire::{Header, flags, put_string, put_varint};

/// Most rows of one table in a message.
const MAX_ROWS: usize = 1_000_000;

/// Most symbols of a connection.
pub(crate) const MAX_SYMBOLS: usize = 2_000_000;

/// What encoding keeps from message to message.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    /// The connection's number of each of the buffer's symbols.
    ids: Vec<u32>,
}

impl Encoder {
    /// Appends the buffer's rows as one message to `out`. New symbols get their numbers in `known`,
    /// which the caller takes back if the message is not used.
    pub(crate) fn encode(
        &mut self,
        buffer: &QwpBuffer,
        known: &mut Symbols,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        buffer.check_can_flush()?;
        let first = known.len();
        self.number(buffer, known)?;
        let tables = || buffer.grid.tables.iter().filter(|table| table.rows > 0);
        let table_count = u16::try_from(tables().count()).map_err(|_| {
            error!(
                BatchTooLarge,
                "rows for more than 65535 tables; flush oftener"
            )
        })?;
        out.reserve(buffer.len());
        let start = out.len();
        let header = |payload_len| Header {
            flags: flags::DELTA_SYMBOL_DICT,
            table_count,
            payload_len,
        };
        out.extend_from_slice(&header(0).to_bytes());
        put_delta(out, first, known);
        for table in tables() {
            self.put_table(table, out)?;
        }
        let payload = out.len() - start - header(0).to_bytes().len();
        let payload = u32::try_from(payload)
            .map_err(|_| error!(BatchTooLarge, "a message of more than 4 GiB; flush oftener"))?;
        for (to, from) in out.iter_mut().skip(start).zip(header(payload).to_bytes()) {
            *to = from;
        }
        Ok(())
    }

    fn number(&mut self, buffer: &QwpBuffer, known: &mut Symbols) -> Result<()> {
        self.ids.clear();
        self.ids.reserve(buffer.symbols.len());
        for symbol in buffer.symbols.from(0) {
            match known.intern(symbol) {
                Some(id) if known.len() <= MAX_SYMBOLS => self.ids.push(id),
                _ => {
                    return Err(error!(
                        SymbolDictFull,
                        "a connection knows at most {MAX_SYMBOLS} symbols, and this buffer brings \
                         more; use a new sender, and strings for values that seldom repeat"
                    ));
                }
            }
        }
        Ok(())
    }

    fn put_table(&self, table: &Table, out: &mut Vec<u8>) -> Result<()> {
        if table.rows > MAX_ROWS {
            return Err(error!(
                BatchTooLarge,
                "{} rows for table {:?} in one buffer, a message takes {MAX_ROWS}; flush oftener",
                table.rows,
                table.name
            ));
        }
        put_string(out, &table.name);
        put_varint(out, table.rows as u64);
        put_varint(out, table.columns.len() as u64);
        for column in &table.columns {
            put_string(out, &column.name);
            out.push(column.kind.code());
        }
        for column in &table.columns {
            column.encode(table.rows, &self.ids, out);
        }
        Ok(())
    }
}

/// The symbols numbered from `first` on (questdb §12.3).
fn put_delta(out: &mut Vec<u8>, first: usize, known: &Symbols) {
    put_varint(out, first as u64);
    put_varint(out, (known.len() - first) as u64);
    for symbol in known.from(first) {
        put_varint(out, symbol.len() as u64);
        out.extend_from_slice(symbol);
    }
}
