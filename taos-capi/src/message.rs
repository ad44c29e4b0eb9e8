//! Messages of topics as results.

use std::ffi::{CString, c_int};

use taos_query::tmq::{Data, IsOffset as _, MessageSet, Meta, Offset};

/// What a result knows of the message that it is.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) offset: Offset,
    pub(crate) set: MessageSet<Meta, Data>,
    pub(crate) topic: CString,
    pub(crate) database: CString,
    /// The rows are as they are stored.
    stored: bool,
}

impl Message {
    pub(crate) fn new(offset: Offset, set: MessageSet<Meta, Data>, stored: bool) -> Self {
        Self {
            topic: CString::new(offset.topic()).unwrap_or_default(),
            database: CString::new(offset.database()).unwrap_or_default(),
            offset,
            set,
            stored,
        }
    }

    /// What `tmq_get_res_type` says of it (native-ffi §7).
    pub(crate) const fn kind(&self) -> c_int {
        match self.set {
            MessageSet::Data(_) if self.stored => 4,
            MessageSet::Data(_) => 1,
            MessageSet::Meta(_) => 2,
            MessageSet::MetaData(..) => 3,
        }
    }
}
