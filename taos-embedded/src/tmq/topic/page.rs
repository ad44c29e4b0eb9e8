//! Entries of a log into one message. Nothing is looked up here but through [`View`].

use taos_query::tmq::raw::{DataEntry, DataMessage, Place};

use super::super::{Body, Entry, Kind, Message, Page, Part};
use super::ReadOptions;
use super::json::{self, Names};
use crate::meta::{BATCH, Meta, NewTable};
use crate::sql::SqlError;
use crate::store::internal;

/// The raw type of rows alone, and of rows with new subtables (tmq-raw §4).
const DATA: u16 = 2;
const METADATA: u16 = 4;
/// Changes that one message holds at most.
const METAS: usize = 1024;

/// What a topic wants of the log.
pub(super) trait View {
    /// The rows of a part as messages carry them; none if they do not concern the topic.
    fn rows(&mut self, part: &Part) -> Result<Vec<DataEntry>, SqlError>;

    /// A change as far as it concerns the topic.
    fn meta(&self, meta: &Meta) -> Option<Meta>;

    /// True if the topic carries the new subtable with its first rows.
    fn carries(&self, part: &Part) -> bool;
}

/// What of the log a topic carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    Rows,
    RowsAndMeta,
}

/// Whether more entries may follow into the same message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    More,
    Full,
}

/// A message that comes to be.
#[derive(Debug)]
pub(super) struct Builder {
    carries: Carries,
    options: ReadOptions,
    begin: i64,
    next: i64,
    entries: Vec<DataEntry>,
    rows: usize,
    bytes: usize,
    creates: Vec<NewTable>,
    metas: Vec<Meta>,
}

impl Builder {
    pub(super) fn new(carries: Carries, options: ReadOptions, begin: i64) -> Self {
        Self {
            carries,
            options,
            begin,
            next: begin,
            entries: Vec::new(),
            rows: 0,
            bytes: 0,
            creates: Vec::new(),
            metas: Vec::new(),
        }
    }

    /// The version at which reading goes on.
    pub(super) const fn next(&self) -> i64 {
        self.next
    }

    /// Passes over everything below a version.
    pub(super) fn pass(&mut self, version: i64) {
        self.next = self.next.max(version);
    }

    /// True while nothing was found for the topic.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.creates.is_empty() && self.metas.is_empty()
    }

    /// Takes an entry into the message, or leaves it for the next one.
    pub(super) fn take(&mut self, entry: &Entry, view: &mut dyn View) -> Result<Flow, SqlError> {
        let flow = match &entry.body {
            // rows end a series of changes even if none of them is for the topic
            Body::Rows(_) if !self.metas.is_empty() => return Ok(Flow::Full),
            Body::Rows(parts) => self.take_rows(parts, view)?,
            Body::Meta(_) if self.carries == Carries::Rows => Flow::More,
            Body::Meta(meta) => match view.meta(meta) {
                None => Flow::More,
                Some(_) if !self.entries.is_empty() || !self.creates.is_empty() => {
                    return Ok(Flow::Full);
                }
                Some(meta) => {
                    self.metas.push(meta);
                    match self.options.batch_meta && self.metas.len() < METAS {
                        true => Flow::More,
                        false => Flow::Full,
                    }
                }
            },
        };
        self.next = entry.version + 1;
        Ok(flow)
    }

    fn take_rows(&mut self, parts: &[Part], view: &mut dyn View) -> Result<Flow, SqlError> {
        for part in parts {
            if self.carries != Carries::Rows
                && let Some(created) = &part.created
                && view.carries(part)
            {
                self.creates.push(created.clone());
            }
            for entry in view.rows(part)? {
                self.rows += usize::try_from(entry.rows).unwrap_or(usize::MAX);
                self.bytes += entry.block.len();
                self.entries.push(entry);
            }
        }
        let full = self.rows >= self.options.max_rows
            || self.bytes >= self.options.max_bytes
            || self.creates.len() >= METAS;
        Ok(if full { Flow::Full } else { Flow::More })
    }

    /// The message, if there is one.
    pub(super) fn finish(self, vgroup: i32, names: Names<'_>) -> Result<Page, SqlError> {
        let next = self.next;
        let message = if !self.metas.is_empty() {
            Some(self.meta_message(vgroup, names)?)
        } else if !self.is_empty() {
            Some(self.data_message(names)?)
        } else {
            None
        };
        Ok(Page { message, next })
    }

    fn meta_message(self, vgroup: i32, names: Names<'_>) -> Result<Message, SqlError> {
        let too_long = || internal("the tags of a subtable are too long for a message");
        let (raw_type, raw, json) = match (self.options.batch_meta, self.metas.as_slice()) {
            (false, [meta]) => (
                meta.raw_type(),
                meta.encode(vgroup).ok_or_else(too_long)?,
                json::unit(meta, names),
            ),
            (_, metas) => (
                BATCH,
                Meta::encode_batch(metas, vgroup, self.next).ok_or_else(too_long)?,
                json::batch(metas, names),
            ),
        };
        Ok(Message {
            kind: Kind::Meta,
            begin: self.begin,
            next: self.next,
            raw_type,
            raw,
            entries: Vec::new(),
            json: Some(json.to_string()),
        })
    }

    fn data_message(self, names: Names<'_>) -> Result<Message, SqlError> {
        let creates: Option<Vec<_>> = self.creates.iter().map(NewTable::encode).collect();
        let creates =
            creates.ok_or_else(|| internal("the tags of a subtable are too long for a message"))?;
        let (kind, raw_type, json) = if creates.is_empty() {
            (Kind::Data, DATA, None)
        } else {
            let json = json::creates(&self.creates, names).to_string();
            (Kind::MetaData, METADATA, Some(json))
        };
        let data = DataMessage {
            begin: Place::Log(self.begin),
            end: Place::Log(self.next),
            entries: self.entries,
            creates,
        };
        Ok(Message {
            kind,
            begin: self.begin,
            next: self.next,
            raw_type,
            raw: data.encode(raw_type),
            entries: data.entries,
            json,
        })
    }
}
