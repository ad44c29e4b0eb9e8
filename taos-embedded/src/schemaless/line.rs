//! InfluxDB line protocol: `measurement,tag=value column=value,column=value time`.

use std::collections::HashMap;

use super::bad::{INVALID_DATA, invalid_data, near};
use super::points::{Collector, Tag, check_key, check_name};
use super::time::{Clock, Unit};
use super::value::{self, sized, text_tag, unescape};
use crate::sql::SqlError;

/// What a backslash takes the meaning from in a name, and in a key or tag.
const IN_NAME: &[u8] = b", ";
const IN_KEY: &[u8] = b", =";

/// Reads lines. Those that begin with `#` are comments.
pub(super) fn read(
    data: &str,
    unit: Unit,
    clock: Clock,
    points: &mut Collector<'_>,
) -> Result<(), SqlError> {
    let mut tables = Tables::default();
    let mut start = 0;
    for line in data.split_terminator('\n') {
        if !line.starts_with('#') {
            let mut reader = Reader { line, at: 0, start };
            reader.line(unit, clock, points, &mut tables)?;
        }
        start += line.len() + 1;
    }
    Ok(())
}

/// Subtables by the text that names them.
#[derive(Default)]
struct Tables<'a> {
    last: (&'a str, (usize, usize)),
    known: HashMap<&'a str, (usize, usize)>,
}

struct Reader<'a> {
    line: &'a str,
    at: usize,
    /// Where the line begins in the payload.
    start: usize,
}

impl<'a> Reader<'a> {
    fn byte(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    /// From a place to the present one.
    fn since(&self, from: usize) -> &'a str {
        self.line.get(from..self.at).unwrap_or_default()
    }

    fn rest(&self, from: usize) -> &'a str {
        self.line.get(from..).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        while self.byte() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Goes on to the first of `ends` that no backslash stands before.
    fn seek(&mut self, ends: &[u8]) -> Option<u8> {
        let bytes = self.line.as_bytes();
        let mut before = self.at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        while let Some(byte) = self.byte() {
            if before != Some(b'\\') && ends.contains(&byte) {
                return Some(byte);
            }
            before = Some(byte);
            self.at += 1;
        }
        None
    }

    fn line(
        &mut self,
        unit: Unit,
        clock: Clock,
        points: &mut Collector<'_>,
        tables: &mut Tables<'a>,
    ) -> Result<(), SqlError> {
        self.skip_spaces();
        let from = self.at;
        self.seek(b" ");
        let head = self.since(from);
        let (measure, child) = if tables.last.0 == head && !head.is_empty() {
            tables.last.1
        } else if let Some(&known) = tables.known.get(head) {
            known
        } else {
            self.at = from;
            let table = self.table(from + head.len(), points)?;
            tables.known.insert(head, table);
            table
        };
        tables.last = (head, (measure, child));
        self.skip_spaces();
        points.begin();
        let columns = self.at;
        self.columns(measure, points)?;
        if self.at == columns {
            return Err(invalid_data("SML line has no columns"));
        }
        self.skip_spaces();
        let time = self.rest(self.at);
        let time = time.split_ascii_whitespace().next().unwrap_or_default();
        points.end(measure, child, clock.of_line(time, unit)?);
        Ok(())
    }

    /// The name and the tags, which end at `end`.
    fn table(
        &mut self,
        end: usize,
        points: &mut Collector<'_>,
    ) -> Result<(usize, usize), SqlError> {
        let from = self.at;
        if self.byte() == Some(b',') {
            return Err(near(INVALID_DATA, "SML line invalid data", self.rest(from)));
        }
        self.seek(b", ");
        let raw = self.since(from);
        let name = unescape(raw, IN_NAME);
        check_name(
            &name,
            "SML line measure is empty or too large than 192",
            self.rest(from),
        )?;
        let measure = points.measure(&name);
        let mut tags: Vec<Tag<'_>> = Vec::new();
        while self.at < end {
            // the comma
            self.at += 1;
            if self.at >= end {
                break;
            }
            let place = self.start + self.at;
            let key = self.key()?;
            let from = self.at;
            match self.seek(b" ,=") {
                Some(b'=') => {
                    let rest = self.rest(self.at);
                    return Err(near(INVALID_DATA, "SML line invalid data", rest));
                }
                _ if self.at == from => {
                    let rest = self.rest(from);
                    return Err(near(INVALID_DATA, "SML line invalid value", rest));
                }
                _ => {}
            }
            let text = unescape(self.since(from), IN_KEY);
            let tag = text_tag(text.into_owned());
            tags.push((key, sized(tag.ty, tag.value)?, place));
        }
        let child = points.child(measure, raw, tags)?;
        Ok((measure, child))
    }

    /// A key and the sign behind it.
    fn key(&mut self) -> Result<std::borrow::Cow<'a, str>, SqlError> {
        let from = self.at;
        let key = match self.seek(b" ,=") {
            Some(b'=') => self.since(from),
            Some(_) => {
                let rest = self.rest(self.at);
                return Err(near(INVALID_DATA, "SML line invalid data", rest));
            }
            None => "",
        };
        self.at += 1;
        let key = unescape(key, IN_KEY);
        check_key(&key, self.rest(from))?;
        Ok(key)
    }

    fn columns(&mut self, measure: usize, points: &mut Collector<'_>) -> Result<(), SqlError> {
        while !matches!(self.byte(), None | Some(b' ')) {
            let place = self.start + self.at;
            let key = self.key()?;
            let from = self.at;
            self.value()?;
            let text = self.since(from);
            if text.is_empty() {
                let rest = self.rest(from);
                return Err(near(INVALID_DATA, "SML line invalid value", rest));
            }
            points.cell(measure, &key, value::read(text)?, place)?;
            if self.byte() != Some(b',') {
                break;
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Goes on to the end of a value, which may have one text in quotes.
    fn value(&mut self) -> Result<(), SqlError> {
        let from = self.at;
        let mut quotes = 0;
        while let Some(byte) = self.byte() {
            match byte {
                // what follows has no meaning of its own
                b'\\' => self.at += 1,
                b'"' => quotes += 1,
                b' ' | b',' if quotes % 2 == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        // a backslash may have been the last
        self.at = self.at.min(self.line.len());
        if quotes != 0 && quotes != 2 {
            let rest = self.rest(from);
            return Err(near(INVALID_DATA, "SML line unbalanced quotes", rest));
        }
        Ok(())
    }
}
