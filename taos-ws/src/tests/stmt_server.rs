//! A server of statements that answers by a script and notes what it was asked.

use super::peer::{Accepts, Got, Peer};
use crate::protocol::{BinaryRequest, FetchOutcome, OldBlockReply, Stmt2Bind, TextRequest};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use taos_query::RawBlock;
use taos_query::common::Precision;

/// What one field of a prepared INSERT looks like: name, type id, unit or digits, scale, width, kind.
pub(super) type FieldSpec = (&'static str, u8, u8, u8, i32, u8);

pub(super) const TBNAME: FieldSpec = ("tbname", 8, 0, 0, 271, 4);

/// How the server behaves.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) version: &'static str,
    pub(super) insert: bool,
    pub(super) fields: Vec<FieldSpec>,
    /// Lines of a description: column and type.
    pub(super) described: Vec<(&'static str, &'static str)>,
    /// Errors by action, each given once.
    pub(super) errors: Vec<(&'static str, u32)>,
    /// The action at which the connection is cut, once, without an answer.
    pub(super) cut: Option<&'static str>,
    /// The action that is never answered.
    pub(super) mute: Option<&'static str>,
}

impl Script {
    /// An INSERT with these placeholders on a server of this version.
    pub(super) fn insert(version: &'static str, fields: &[FieldSpec]) -> Self {
        Self {
            version,
            insert: true,
            fields: fields.to_vec(),
            described: Vec::new(),
            errors: Vec::new(),
            cut: None,
            mute: None,
        }
    }

    /// A query whose result is one INT column.
    pub(super) fn query(version: &'static str) -> Self {
        Self {
            insert: false,
            ..Self::insert(version, &[])
        }
    }
}

/// What the server was asked, and which statements and results it holds.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) log: Vec<String>,
    pub(super) binds: Vec<Stmt2Bind>,
    pub(super) blocks: Vec<RawBlock>,
    pub(super) statements: HashSet<u64>,
    pub(super) results: HashSet<u64>,
    pub(super) logins: usize,
    pub(super) executed_rows: usize,
}

pub(super) struct Server {
    pub(super) script: Mutex<Script>,
    pub(super) seen: Mutex<Seen>,
}

impl Server {
    /// Serves every connection of the client until there are no more.
    pub(super) fn start(mut accepts: Accepts, script: Script) -> Arc<Self> {
        let server = Arc::new(Self {
            script: Mutex::new(script),
            seen: Mutex::default(),
        });
        let this = server.clone();
        tokio::spawn(async move {
            while let Some(mut peer) = accepts.next().await {
                let this = this.clone();
                tokio::spawn(async move {
                    peer.upgrade().await;
                    let (version, mute) = {
                        let script = this.script.lock().unwrap();
                        (script.version, script.mute)
                    };
                    if mute == Some("conn") {
                        return std::future::pending().await;
                    }
                    peer.login(version).await;
                    this.seen.lock().unwrap().logins += 1;
                    Session::new(this, peer).serve().await;
                });
            }
        });
        server
    }

    /// What was asked since the last call.
    pub(super) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap().log)
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    pub(super) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }
}

struct Session {
    server: Arc<Server>,
    peer: Peer,
    bound: HashMap<u64, usize>,
    fetched: HashSet<u64>,
    own: Vec<u64>,
}

impl Session {
    fn new(server: Arc<Server>, peer: Peer) -> Self {
        Self {
            server,
            peer,
            bound: HashMap::new(),
            fetched: HashSet::new(),
            own: Vec::new(),
        }
    }

    async fn serve(mut self) {
        loop {
            let open = match self.peer.recv().await {
                Got::Text(request) => self.on_text(request).await,
                Got::Binary(request) => self.on_binary(request).await,
                Got::Close | Got::End => false,
                Got::Ping(_) | Got::Pong(_) => true,
            };
            if !open {
                break;
            }
        }
        // Its statements end with a connection.
        let mut seen = self.server.seen.lock().unwrap();
        for id in &self.own {
            seen.statements.remove(id);
            seen.results.remove(id);
        }
    }

    /// Notes a request; true if it shall be answered well.
    async fn note(&mut self, action: &str, req_id: u64, stmt_id: u64, words: String) -> Verdict {
        let (error, cut, mute) = {
            let mut seen = self.server.seen.lock().unwrap();
            seen.log.push(if words.is_empty() {
                action.to_owned()
            } else {
                format!("{action} {words}")
            });
            let mut script = self.server.script.lock().unwrap();
            let cut = script.cut == Some(action);
            if cut {
                script.cut = None;
            }
            let error = script.errors.iter().position(|(name, _)| *name == action);
            (
                error.map(|at| script.errors.remove(at).1),
                cut,
                script.mute == Some(action),
            )
        };
        if cut {
            return Verdict::Cut;
        }
        if mute {
            return Verdict::Silent;
        }
        if let Some(code) = error {
            self.peer
                .text(&format!(
                    r#"{{"code":{code},"message":"refused","action":"{action}","req_id":{req_id},"timing":1,"stmt_id":{stmt_id}}}"#
                ))
                .await;
            return Verdict::Silent;
        }
        Verdict::Answer
    }

    /// Answers with these members; false if the connection is to be cut.
    async fn answer(
        &mut self,
        action: &str,
        req_id: u64,
        stmt_id: u64,
        words: String,
        members: impl FnOnce(&mut Self) -> String,
    ) -> bool {
        match self.note(action, req_id, stmt_id, words).await {
            Verdict::Cut => return false,
            Verdict::Silent => return true,
            Verdict::Answer => {}
        }
        let members = members(self);
        self.peer
            .text(&format!(
                r#"{{"code":0,"message":"","action":"{action}","req_id":{req_id},"timing":1,"stmt_id":{stmt_id}{members}}}"#
            ))
            .await;
        true
    }

    fn new_statement(&mut self) -> u64 {
        let mut seen = self.server.seen.lock().unwrap();
        let id = u64::try_from(seen.log.len()).unwrap() + 100 * u64::try_from(seen.logins).unwrap();
        seen.statements.insert(id);
        self.own.push(id);
        id
    }

    fn fields(&self, kinds: &[u8], with_kind: bool) -> String {
        let script = self.server.script.lock().unwrap();
        let fields: Vec<String> = script
            .fields
            .iter()
            .filter(|field| kinds.contains(&field.5))
            .map(|(name, ty, precision, scale, bytes, kind)| {
                let kind = if with_kind { format!(r#","bind_type":{kind}"#) } else { String::new() };
                format!(
                    r#"{{"name":"{name}","field_type":{ty},"precision":{precision},"scale":{scale},"bytes":{bytes}{kind}}}"#
                )
            })
            .collect();
        format!(
            r#","fields":[{}],"fields_count":{}"#,
            fields.join(","),
            fields.len()
        )
    }

    fn executed(&mut self, stmt_id: u64) -> String {
        let rows = self.bound.remove(&stmt_id).unwrap_or(0);
        let insert = self.server.script.lock().unwrap().insert;
        let rows = if insert { rows } else { 0 };
        self.server.seen.lock().unwrap().executed_rows += rows;
        format!(r#","affected":{rows}"#)
    }

    fn result(&mut self, name: &str, stmt_id: u64) -> String {
        self.server.seen.lock().unwrap().results.insert(stmt_id);
        self.fetched.remove(&stmt_id);
        format!(
            r#","{name}":{stmt_id},"fields_count":2,"fields_names":["v","s"],"fields_types":[4,10],"fields_lengths":[4,42],"precision":0,"fields_precisions":[0,0],"fields_scales":[0,0]"#
        )
    }

    /// Statements of the second generation.
    async fn on_text(&mut self, request: TextRequest) -> bool {
        use TextRequest as R;
        let none = |_: &mut Self| String::new();
        let insert = self.server.script.lock().unwrap().insert;
        match request {
            R::Stmt2Init(args) => {
                let words = format!("{} {}", args.single_stb_insert, args.single_table_bind_once);
                let id = self.new_statement();
                self.answer("stmt2_init", args.req_id, id, words, none)
                    .await
            }
            R::Stmt2Prepare(args) => {
                let fields = args.get_fields && insert;
                self.answer(
                    "stmt2_prepare",
                    args.req_id,
                    args.stmt_id,
                    args.sql,
                    |this| {
                        let fields = match (fields, insert) {
                            (true, _) => this.fields(&[1, 2, 4], true),
                            (false, true) => r#","fields":null,"fields_count":0"#.to_owned(),
                            (false, false) => r#","fields":null,"fields_count":1"#.to_owned(),
                        };
                        format!(r#","is_insert":{insert}{fields}"#)
                    },
                )
                .await
            }
            R::Stmt2Exec(args) => {
                self.answer(
                    "stmt2_exec",
                    args.req_id,
                    args.stmt_id,
                    String::new(),
                    |this| this.executed(args.stmt_id),
                )
                .await
            }
            R::Stmt2Result(args) => {
                self.answer(
                    "stmt2_result",
                    args.req_id,
                    args.stmt_id,
                    String::new(),
                    |this| this.result("id", args.stmt_id),
                )
                .await
            }
            R::Stmt2Close(args) => {
                self.server
                    .seen
                    .lock()
                    .unwrap()
                    .statements
                    .remove(&args.stmt_id);
                self.answer(
                    "stmt2_close",
                    args.req_id,
                    args.stmt_id,
                    String::new(),
                    none,
                )
                .await
            }
            other => self.on_first(other).await,
        }
    }

    /// Statements of the first generation.
    async fn on_first(&mut self, request: TextRequest) -> bool {
        use TextRequest as R;
        let none = |_: &mut Self| String::new();
        let insert = self.server.script.lock().unwrap().insert;
        match request {
            R::StmtInit(args) => {
                let id = self.new_statement();
                self.answer("init", args.req_id, id, String::new(), none)
                    .await
            }
            R::StmtPrepare(args) => {
                self.answer("prepare", args.req_id, args.stmt_id, args.sql, |_| {
                    format!(r#","is_insert":{insert}"#)
                })
                .await
            }
            R::StmtSetTableName(args) => {
                self.answer("set_table_name", args.req_id, args.stmt_id, args.name, none)
                    .await
            }
            R::StmtGetTagFields(args) => {
                self.answer(
                    "get_tag_fields",
                    args.req_id,
                    args.stmt_id,
                    String::new(),
                    |this| this.fields(&[2], false),
                )
                .await
            }
            R::StmtGetColFields(args) => {
                self.answer(
                    "get_col_fields",
                    args.req_id,
                    args.stmt_id,
                    String::new(),
                    |this| this.fields(&[1], false),
                )
                .await
            }
            R::StmtAddBatch(args) => {
                self.answer("add_batch", args.req_id, args.stmt_id, String::new(), none)
                    .await
            }
            R::StmtExec(args) => {
                self.answer("exec", args.req_id, args.stmt_id, String::new(), |this| {
                    this.executed(args.stmt_id)
                })
                .await
            }
            R::StmtUseResult(args) => {
                self.answer(
                    "use_result",
                    args.req_id,
                    args.stmt_id,
                    String::new(),
                    |this| this.result("result_id", args.stmt_id),
                )
                .await
            }
            R::StmtClose(args) => {
                let mut seen = self.server.seen.lock().unwrap();
                seen.statements.remove(&args.stmt_id);
                seen.log.push("close".into());
                true
            }
            other => self.on_other(other).await,
        }
    }

    /// Queries and their results.
    async fn on_other(&mut self, request: TextRequest) -> bool {
        use TextRequest as R;
        match request {
            R::Query(args) => {
                self.peer.updated(args.req_id, 1).await;
                true
            }
            R::Fetch(args) => {
                let more = self.fetched.insert(args.id);
                if !more {
                    self.server.seen.lock().unwrap().results.remove(&args.id);
                }
                let rows = if more { 2 } else { 0 };
                let (req_id, id) = (args.req_id, args.id);
                self.peer
                    .text(&format!(
                        r#"{{"code":0,"message":"","action":"fetch","req_id":{req_id},"timing":1,"id":{id},"completed":{},"lengths":[4,42],"rows":{rows}}}"#,
                        !more
                    ))
                    .await;
                true
            }
            R::FetchBlock(args) => {
                let reply = OldBlockReply {
                    timing: 1,
                    result_id: args.id,
                    block: rows_of_two(),
                };
                self.peer.binary(&reply.encode()).await;
                true
            }
            R::FreeResult(args) => {
                self.server.seen.lock().unwrap().results.remove(&args.id);
                true
            }
            other => panic!("{other:?}"),
        }
    }

    async fn on_binary(&mut self, request: BinaryRequest) -> bool {
        let none = |_: &mut Self| String::new();
        match request {
            BinaryRequest::Stmt2Bind {
                req_id,
                stmt_id,
                bind,
            } => {
                let words: Vec<String> = bind
                    .tables
                    .iter()
                    .map(|table| {
                        let rows = table.columns.first().map_or(0, |column| column.num);
                        *self.bound.entry(stmt_id).or_default() += rows;
                        format!("{}:{rows}", table.name.as_deref().unwrap_or_default())
                    })
                    .collect();
                self.server.seen.lock().unwrap().binds.push(bind);
                self.answer("stmt2_bind", req_id, stmt_id, words.join(" "), none)
                    .await
            }
            BinaryRequest::SetTags {
                req_id,
                stmt_id,
                block,
            } => {
                let block = RawBlock::parse_from_raw_block(block, Precision::Millisecond).unwrap();
                self.server.seen.lock().unwrap().blocks.push(block);
                self.answer("set_tags", req_id, stmt_id, String::new(), none)
                    .await
            }
            BinaryRequest::Bind {
                req_id,
                stmt_id,
                block,
            } => {
                let block = RawBlock::parse_from_raw_block(block, Precision::Millisecond).unwrap();
                let rows = block.nrows();
                *self.bound.entry(stmt_id).or_default() += rows;
                self.server.seen.lock().unwrap().blocks.push(block);
                self.answer("bind", req_id, stmt_id, rows.to_string(), none)
                    .await
            }
            BinaryRequest::FetchRawBlock { req_id, result_id } => {
                let outcome = if self.fetched.insert(result_id) {
                    FetchOutcome::Block(rows_of_two())
                } else {
                    self.server.seen.lock().unwrap().results.remove(&result_id);
                    FetchOutcome::End
                };
                self.peer.fetched(req_id, result_id, outcome).await;
                true
            }
            BinaryRequest::Query { req_id, sql } if sql.starts_with("describe") => {
                let table = sql.trim_start_matches("describe ").to_owned();
                match self.note("describe", req_id, 0, table).await {
                    Verdict::Answer => self.describe(req_id).await,
                    Verdict::Silent => {}
                    Verdict::Cut => return false,
                }
                true
            }
            BinaryRequest::Query { req_id, sql } if sql.starts_with("select") => {
                self.peer.result(req_id, 7).await;
                true
            }
            BinaryRequest::Query { req_id, .. } => {
                self.peer.updated(req_id, 1).await;
                true
            }
            other => panic!("{other:?}"),
        }
    }

    async fn describe(&mut self, req_id: u64) {
        const ID: u64 = 9_999;
        self.peer.text(&format!(
            r#"{{"code":0,"message":"","action":"binary_query","req_id":{req_id},"timing":1,"id":{ID},"is_update":false,"affected_rows":0,"fields_count":4,"fields_names":["field","type","length","note"],"fields_types":[8,8,4,8],"fields_lengths":[64,20,4,12],"precision":0}}"#
        )).await;
        let described = self.server.script.lock().unwrap().described.clone();
        let (names, types): (Vec<&str>, Vec<&str>) = described.into_iter().unzip();
        let rows = names.len();
        let views = [
            taos_query::block::ColumnView::from_varchar::<&str, _, _, _>(names),
            taos_query::block::ColumnView::from_varchar::<&str, _, _, _>(types),
            taos_query::block::ColumnView::from_ints(vec![8; rows]),
            taos_query::block::ColumnView::from_varchar::<&str, _, _, _>(vec![""; rows]),
        ];
        let block = RawBlock::try_from_views(&views, Precision::Millisecond).unwrap();
        let block = block.as_raw_bytes().clone();
        for outcome in [FetchOutcome::Block(block), FetchOutcome::End] {
            let (fetch, _) = self.peer.fetch().await;
            self.peer.fetched(fetch, ID, outcome).await;
        }
    }
}

enum Verdict {
    Answer,
    Silent,
    Cut,
}

fn rows_of_two() -> bytes::Bytes {
    let views = [
        taos_query::block::ColumnView::from_ints(vec![1, 2]),
        taos_query::block::ColumnView::from_nchar::<&str, _, _, _>(vec!["a", "ß"]),
    ];
    let block = RawBlock::try_from_views(&views, Precision::Millisecond).unwrap();
    block.as_raw_bytes().clone()
}
