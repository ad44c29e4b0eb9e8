//! What tests need of the server they run against, told by its [`Capabilities`], or of the way to it. A test
//! whose needs are not met is skipped, and says which.

use taos_query::{Capabilities, Dialect};

use crate::Target;

/// Something that a test cannot do without.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    name: &'static str,
    met: Met,
}

#[derive(Debug, Clone, Copy)]
enum Met {
    By(fn(&Capabilities) -> bool),
    OnTheWay(fn(&Target) -> bool),
}

impl Need {
    const fn new(name: &'static str, met: fn(&Capabilities) -> bool) -> Self {
        let met = Met::By(met);
        Self { name, met }
    }

    const fn of_the_way(name: &'static str, met: fn(&Target) -> bool) -> Self {
        let met = Met::OnTheWay(met);
        Self { name, met }
    }

    /// What is needed, in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Whether this server, or the way to it, has it.
    #[must_use]
    pub fn met(self, target: &Target) -> bool {
        match self.met {
            Met::By(met) => met(target.capabilities()),
            Met::OnTheWay(met) => met(target),
        }
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
/// Rows that are fetched after the query has been answered; elsewhere the answer brings all of them.
pub const FETCHES: Need = Need::new("fetches apart from the query", |c| {
    c.dialect == Dialect::TDengine
});
/// Answers that come in one frame each and name their request.
pub const NUMBERED_ANSWERS: Need = Need::new("answers that name their request", |c| {
    c.dialect == Dialect::TDengine
});
/// Time zones of connections.
pub const TIME_ZONES: Need = Need::new("time zones", |c| c.time_zones);
/// A line that the proxy understands: WebSocket, or the plain one of QuestDB. The native protocol is neither.
pub const KNOWN_FRAMES: Need = Need::of_the_way("line that the proxy understands", |target| {
    !target.is_native() || target.is_native_over_websocket()
});
/// Short timeouts and no further tries to connect, by the DSN: a native library has those of the whole process.
pub const SHORT_LIMITS: Need = Need::of_the_way("limits of single connections", |target| {
    !target.is_native() || std::env::var_os("TAOS_READ_TIMEOUT_SEC").is_some()
});
/// A connection that lives on the runtime it was made on, as one of our own over WebSocket does.
pub const TASK_OF_THE_RUNTIME: Need = Need::of_the_way("task on the caller's runtime", |target| {
    target.is_tdengine() && !target.is_native()
});
/// A library that has threads of its own.
pub const NATIVE_LIBRARY: Need = Need::of_the_way("native library", Target::is_native);
/// Another address when one is gone.
pub const FAILOVER: Need = Need::of_the_way("second address", |target| !target.is_native());
