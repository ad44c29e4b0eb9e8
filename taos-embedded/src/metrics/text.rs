//! The counts as text, in the exposition format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};
use std::sync::PoisonError;

use super::histogram::Snapshot;
use super::{Class, Kind, Metrics, Path};
use crate::store::Figures;

/// What `/metrics` says its body is.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is known outside the counts.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    /// The release that clients see.
    pub(crate) release: &'a str,
    /// Open connections, and how many there may be.
    pub(crate) connections: (usize, usize),
    /// Passwords that were computed to check logins.
    pub(crate) computed_passwords: u64,
    pub(crate) store: Figures,
}

/// One text that grows family by family.
struct Page(String);

impl Page {
    /// Begins a family; its samples follow.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// `labels` are names and values that need no escapes.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let open = if place == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// A family of one sample.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, label: (&str, &str), seen: &Snapshot) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in &seen.buckets {
            let bound = bound.to_string();
            self.sample(&bucket, &[label, ("le", bound.as_str())], count);
        }
        self.sample(&bucket, &[label, ("le", "+Inf")], seen.count);
        self.sample(&format!("{name}_sum"), &[label], seen.seconds);
        self.sample(&format!("{name}_count"), &[label], seen.count);
    }
}

impl Metrics {
    /// Everything that is counted.
    pub(crate) fn page(&self, around: &Surroundings<'_>) -> String {
        let mut page = Page(String::with_capacity(8 << 10));
        page.family("taos_build_info", "gauge", "What runs; always 1.");
        let version = env!("CARGO_PKG_VERSION");
        let labels = [("version", version), ("release", around.release)];
        page.sample("taos_build_info", &labels, 1);
        page.single(
            "taos_uptime_seconds",
            "gauge",
            "Seconds since the server was started.",
            self.started.elapsed().as_secs_f64(),
        );
        self.clients(&mut page, around.connections);
        page.single(
            "taos_logins_refused_total",
            "counter",
            "Logins and REST requests with a wrong name or password, or of a disabled user.",
            self.logins_refused.get(),
        );
        page.single(
            "taos_passwords_computed_total",
            "counter",
            "Passwords that were computed; those that were tried before are remembered.",
            around.computed_passwords,
        );
        self.statements(&mut page);
        store(&mut page, &around.store);
        page.0
    }

    fn clients(&self, page: &mut Page, (open, most): (usize, usize)) {
        page.single(
            "taos_connections",
            "gauge",
            "Open connections, this one included.",
            open,
        );
        page.single(
            "taos_connections_limit",
            "gauge",
            "Connections that may be open; further ones wait.",
            most,
        );
        page.single(
            "taos_connections_accepted_total",
            "counter",
            "Connections since the start.",
            self.accepted.get(),
        );
        page.family("taos_sessions", "gauge", "Open WebSocket sessions.");
        for path in Path::ALL {
            let counts = self.of_path(path);
            let ended = counts.ended.get();
            let open = counts.begun.get().saturating_sub(ended);
            page.sample("taos_sessions", &[("path", path.name())], open);
        }
        page.family(
            "taos_sessions_begun_total",
            "counter",
            "WebSocket sessions since the start.",
        );
        for path in Path::ALL {
            let begun = self.of_path(path).begun.get();
            page.sample("taos_sessions_begun_total", &[("path", path.name())], begun);
        }
    }

    fn statements(&self, page: &mut Page) {
        let name = "taos_statements_total";
        page.family(
            name,
            "counter",
            "Statements that were answered, by kind and outcome.",
        );
        for kind in Kind::ALL {
            let counts = self.outcomes(kind);
            let of = ("kind", kind.name());
            page.sample(name, &[of, ("outcome", "ok")], counts.ok.get());
            page.sample(name, &[of, ("outcome", "error")], counts.failed.get());
        }
        let name = "taos_statement_errors_total";
        page.family(
            name,
            "counter",
            "Errors by code; those met after the first 64 codes are `other`.",
        );
        let codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        for (code, count) in &codes.known {
            let code = format!("0x{code:04X}");
            page.sample(name, &[("code", code.as_str())], count);
        }
        page.sample(name, &[("code", "other")], codes.others);
        drop(codes);
        let name = "taos_statement_seconds";
        page.family(
            name,
            "histogram",
            "Time from a statement to its first rows, or until its changes were durable.",
        );
        for class in Class::ALL {
            let seen = self.times(class).snapshot();
            page.histogram(name, ("class", class.name()), &seen);
        }
        for (name, help, counter) in [
            (
                "taos_rows_read_total",
                "Rows of results that were handed to clients.",
                &self.rows_read,
            ),
            (
                "taos_rows_written_total",
                "Rows that statements wrote, those that replaced others included.",
                &self.rows_written,
            ),
            (
                "taos_rows_deleted_total",
                "Rows that DELETE removed.",
                &self.rows_deleted,
            ),
        ] {
            page.single(name, "counter", help, counter.get());
        }
    }
}

fn store(page: &mut Page, store: &Figures) {
    for (name, help, value) in [
        (
            "taos_commits_total",
            "Transactions of the writer.",
            store.commits,
        ),
        (
            "taos_committed_changes_total",
            "Changes in these transactions; divided by them, how many share one.",
            store.changes,
        ),
        (
            "taos_log_appended_entries_total",
            "Entries added to the logs that topics read.",
            store.appended_entries,
        ),
        (
            "taos_log_appended_bytes_total",
            "Bytes of these entries.",
            store.appended_bytes,
        ),
    ] {
        page.single(name, "counter", help, value);
    }
    page.single(
        "taos_log_entries",
        "gauge",
        "Entries that the logs keep now.",
        store.log_entries,
    );
    page.family("taos_store_bytes", "gauge", "Sizes of the store's files.");
    for (file, bytes) in store.files {
        page.sample("taos_store_bytes", &[("file", file)], bytes);
    }
    let name = "taos_readers";
    page.family(
        name,
        "gauge",
        "Threads that read: busy with a query, waiting for a client to fetch, or idle.",
    );
    page.sample(name, &[("state", "busy")], store.readers.busy);
    page.sample(name, &[("state", "waiting")], store.readers.waiting);
    page.sample(name, &[("state", "idle")], store.readers.idle);
    page.single(
        "taos_reads_queued",
        "gauge",
        "Queries that wait for a reader.",
        store.readers.queued,
    );
}
