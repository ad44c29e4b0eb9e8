//! What tests need of the server they run against, told by its [`Capabilities`]. A test whose needs are not
//! met is skipped, and says which.

use taos_query::{Capabilities, Dialect};

/// A capability that a test cannot do without.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    name: &'static str,
    met: fn(&Capabilities) -> bool,
}

impl Need {
    const fn new(name: &'static str, met: fn(&Capabilities) -> bool) -> Self {
        Self { name, met }
    }

    /// What is needed, in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Whether a server with these capabilities has it.
    #[must_use]
    pub fn met(self, capabilities: &Capabilities) -> bool {
        (self.met)(capabilities)
    }
}

/// Statements that only TDengine understands.
pub const TDENGINE_SQL: Need = Need::new("TDengine's SQL", |c| c.dialect == Dialect::TDengine);
/// Databases to create and use.
pub const DATABASES: Need = Need::new("databases", |c| c.databases);
/// Super tables with tags.
pub const TAGS: Need = Need::new("tags", |c| c.tags);
/// Topics and consumers.
pub const TOPICS: Need = Need::new("topics", |c| c.topics);
/// OpenTSDB lines and JSON.
pub const OPENTSDB: Need = Need::new("OpenTSDB lines", |c| c.opentsdb);
/// Raw blocks that are written.
pub const RAW_WRITES: Need = Need::new("raw writes", |c| c.raw_writes);
/// Prepared SELECTs.
pub const PREPARED_QUERIES: Need = Need::new("prepared queries", |c| c.prepared_queries);
/// Counts of changed rows.
pub const AFFECTED_ROWS: Need = Need::new("counts of affected rows", |c| c.affected_rows);
/// Connections that can be seen to break.
pub const LASTING_CONNECTIONS: Need = Need::new("lasting connections", |c| c.lasting_connections);
/// Time zones of connections.
pub const TIME_ZONES: Need = Need::new("time zones", |c| c.time_zones);
