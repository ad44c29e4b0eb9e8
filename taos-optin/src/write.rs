//! Writes without SQL, and where tables live.

use taos_query::{RawBlock, RawError, RawMeta, RawResult, SmlData};

use crate::client::Taos;

impl Taos {
    pub(crate) async fn write_lines(&self, _data: &SmlData) -> RawResult<()> {
        Err(RawError::unsupported("schemaless writing", "native"))
    }

    pub(crate) async fn write_message(&self, _meta: &RawMeta) -> RawResult<()> {
        Err(RawError::unsupported("writing raw messages", "native"))
    }

    pub(crate) async fn write_block(&self, _block: &RawBlock, _req_id: u64) -> RawResult<()> {
        Err(RawError::unsupported("writing raw blocks", "native"))
    }

    pub(crate) async fn vgroup_of(&self, _db: &str, _table: &str) -> Option<i32> {
        None
    }

    pub(crate) async fn vgroups_of(&self, _db: &str, _tables: &[&str]) -> Option<Vec<i32>> {
        None
    }
}
