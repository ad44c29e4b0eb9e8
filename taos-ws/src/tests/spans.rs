//! What a collector of traces sees of the operations.

use super::peer::{DSN, client, error_of};
use super::stmt::{FIELDS, MODERN, columns, with};
use super::stmt_server::Script;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use taos_query::common::Value;
use taos_query::{AsyncQueryable as _, AsyncStatements as _, Stmt2AsyncBindable, Stmt2BindParam};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};

type Fields = BTreeMap<String, String>;

/// Keeps the fields of every span.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Fields>>>);

struct Into<'a>(&'a mut Fields);

impl Visit for Into<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }
}

impl tracing::Subscriber for Spans {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("taos_ws")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        span.record(&mut Into(&mut fields));
        let mut spans = self.0.lock().unwrap();
        spans.push(fields);
        Id::from_u64(u64::try_from(spans.len()).unwrap())
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let at = usize::try_from(id.into_u64()).unwrap() - 1;
        values.record(&mut Into(&mut self.0.lock().unwrap()[at]));
    }

    fn event(&self, _: &tracing::Event<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn operations_are_spans_with_opentelemetrys_names_and_without_values() {
    let spans = Spans::default();
    let _collecting = tracing::subscriber::set_default(spans.clone());
    tracing::callsite::rebuild_interest_cache();
    let (taos, mut accepts) = client(&DSN.replace("6041?", "6041/db?"));
    let server = async {
        let mut peer = accepts.login().await;
        let (req_id, _) = peer.query().await;
        peer.updated(req_id, 1).await;
        let (req_id, _) = peer.query().await;
        peer.error(req_id, 0x2603, "Table does not exist").await;
        peer
    };
    let calls = async {
        taos.exec("insert into t values(1, 'secret')")
            .await
            .unwrap();
        error_of(taos.query("select * from gone where v = 'secret'").await)
    };
    tokio::join!(calls, server);
    let spans = spans.0.lock().unwrap().clone();
    let one = |name: &str| {
        let found: Vec<_> = spans
            .iter()
            .filter(|span| span["db.operation.name"] == name)
            .collect();
        assert_eq!(found.len(), 1, "{name} in {spans:#?}");
        found[0].clone()
    };
    for name in ["connect", "INSERT", "SELECT"] {
        let span = one(name);
        assert_eq!(span["otel.name"], name);
        assert_eq!(span["otel.kind"], "client");
        assert_eq!(span["db.system.name"], "tdengine");
        assert_eq!(span["db.namespace"], "db");
        assert_eq!(span["server.address"], "peer");
        assert_eq!(span["server.port"], "6041");
    }
    assert_eq!(one("INSERT")["db.query.text"], "insert into t values(?, ?)");
    let failed = one("SELECT");
    assert_eq!(failed["db.response.status_code"], "0x2603");
    assert_eq!(failed["error.type"], "0x2603");
    assert_eq!(failed["otel.status_code"], "ERROR");
    assert!(!one("INSERT").contains_key("error.type"));
    let shown = format!("{spans:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("taosdata"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_statements_steps_show_its_text_without_the_literals() {
    let spans = Spans::default();
    let _collecting = tracing::subscriber::set_default(spans.clone());
    tracing::callsite::rebuild_interest_cache();
    let (taos, _server) = with(Script::insert(MODERN, &FIELDS[1..]));
    let sql = "insert into d1 using st tags('secret') values(?,?,?)";
    let mut stmt = taos.stmt2(sql).await.unwrap();
    let param = Stmt2BindParam::new(
        None,
        Some(vec![Value::NChar("secret".into())]),
        Some(columns(1)),
    );
    Stmt2AsyncBindable::bind(&mut stmt, &[param]).await.unwrap();
    stmt.exec().await.unwrap();
    let spans = spans.0.lock().unwrap().clone();
    for name in ["stmt_prepare", "stmt_exec"] {
        let span = spans.iter().find(|span| span["otel.name"] == name).unwrap();
        assert_eq!(
            span["db.query.text"],
            "insert into d1 using st tags(?) values(?,?,?)"
        );
    }
    assert!(!format!("{spans:?}").contains("secret"));
}
