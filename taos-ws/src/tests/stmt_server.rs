//! A server of statements that answers by a script and notes what it was asked.

use super::peer::{Accepts, Got, Peer};
use crate::protocol::{
    BinaryRequest, FetchOutcome, OldBlockReply, Stmt2Bind, Stmt2PrepareArgs, Stmt2Table, StmtArgs,
    TextRequest,
};
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

    fn close(&self, stmt_id: u64) {
        self.seen.lock().unwrap().statements.remove(&stmt_id);
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

    /// Answers with nothing of its own.
    async fn plain(&mut self, action: &str, req_id: u64, stmt_id: u64, words: String) -> bool {
        let none = |_: &mut Self| String::new();
        self.answer(action, req_id, stmt_id, words, none).await
    }

    fn is_insert(&self) -> bool {
        self.server.script.lock().unwrap().insert
    }

    /// Statements of the second generation.
    async fn on_text(&mut self, request: TextRequest) -> bool {
        use TextRequest as R;
        let words = String::new();
        match request {
            R::Stmt2Init(args) => {
                let words = format!("{} {}", args.single_stb_insert, args.single_table_bind_once);
                let id = self.new_statement();
                self.plain("stmt2_init", args.req_id, id, words).await
            }
            R::Stmt2Prepare(args) => self.on_prepare(args).await,
            R::Stmt2Exec(StmtArgs {
                req_id, stmt_id, ..
            }) => {
                let members = |this: &mut Self| this.executed(stmt_id);
                self.answer("stmt2_exec", req_id, stmt_id, words, members)
                    .await
            }
            R::Stmt2Result(StmtArgs {
                req_id, stmt_id, ..
            }) => {
                let members = |this: &mut Self| this.result("id", stmt_id);
                self.answer("stmt2_result", req_id, stmt_id, words, members)
                    .await
            }
            R::Stmt2Close(StmtArgs {
                req_id, stmt_id, ..
            }) => {
                self.server.close(stmt_id);
                self.plain("stmt2_close", req_id, stmt_id, words).await
            }
            other => self.on_first(other).await,
        }
    }

    async fn on_prepare(&mut self, args: Stmt2PrepareArgs) -> bool {
        let insert = self.is_insert();
        let members = |this: &mut Self| {
            let fields = match (args.get_fields && insert, insert) {
                (true, _) => this.fields(&[1, 2, 4], true),
                (false, true) => r#","fields":null,"fields_count":0"#.to_owned(),
                (false, false) => r#","fields":null,"fields_count":1"#.to_owned(),
            };
            format!(r#","is_insert":{insert}{fields}"#)
        };
        self.answer(
            "stmt2_prepare",
            args.req_id,
            args.stmt_id,
            args.sql,
            members,
        )
        .await
    }

    /// Statements of the first generation.
    async fn on_first(&mut self, request: TextRequest) -> bool {
        use TextRequest as R;
        let words = String::new();
        match request {
            R::StmtInit(args) => {
                let id = self.new_statement();
                self.plain("init", args.req_id, id, words).await
            }
            R::StmtPrepare(args) => {
                let members = |this: &mut Self| format!(r#","is_insert":{}"#, this.is_insert());
                self.answer("prepare", args.req_id, args.stmt_id, args.sql, members)
                    .await
            }
            R::StmtSetTableName(args) => {
                self.plain("set_table_name", args.req_id, args.stmt_id, args.name)
                    .await
            }
            R::StmtGetTagFields(StmtArgs {
                req_id, stmt_id, ..
            }) => {
                let members = |this: &mut Self| this.fields(&[2], false);
                self.answer("get_tag_fields", req_id, stmt_id, words, members)
                    .await
            }
            R::StmtGetColFields(StmtArgs {
                req_id, stmt_id, ..
            }) => {
                let members = |this: &mut Self| this.fields(&[1], false);
                self.answer("get_col_fields", req_id, stmt_id, words, members)
                    .await
            }
            R::StmtAddBatch(StmtArgs {
                req_id, stmt_id, ..
            }) => self.plain("add_batch", req_id, stmt_id, words).await,
            R::StmtExec(StmtArgs {
                req_id, stmt_id, ..
            }) => {
                let members = |this: &mut Self| this.executed(stmt_id);
                self.answer("exec", req_id, stmt_id, words, members).await
            }
            R::StmtUseResult(StmtArgs {
                req_id, stmt_id, ..
            }) => {
                let members = |this: &mut Self| this.result("result_id", stmt_id);
                self.answer("use_result", req_id, stmt_id, words, members)
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

    /// What is bound.
    async fn on_binary(&mut self, request: BinaryRequest) -> bool {
        match request {
            BinaryRequest::Stmt2Bind {
                req_id,
                stmt_id,
                bind,
            } => {
                let rows = |table: &Stmt2Table| table.columns.first().map_or(0, |c| c.num);
                *self.bound.entry(stmt_id).or_default() +=
                    bind.tables.iter().map(rows).sum::<usize>();
                let words = bind.tables.iter().map(|table| {
                    format!(
                        "{}:{}",
                        table.name.as_deref().unwrap_or_default(),
                        rows(table)
                    )
                });
                let words = words.collect::<Vec<_>>().join(" ");
                self.server.seen.lock().unwrap().binds.push(bind);
                self.plain("stmt2_bind", req_id, stmt_id, words).await
            }
            BinaryRequest::SetTags {
                req_id,
                stmt_id,
                block,
            } => {
                self.keep(block);
                self.plain("set_tags", req_id, stmt_id, String::new()).await
            }
            BinaryRequest::Bind {
                req_id,
                stmt_id,
                block,
            } => {
                let rows = self.keep(block);
                *self.bound.entry(stmt_id).or_default() += rows;
                self.plain("bind", req_id, stmt_id, rows.to_string()).await
            }
            other => self.on_binary_query(other).await,
        }
    }

    /// Keeps a bound block; gives its rows.
    fn keep(&mut self, block: bytes::Bytes) -> usize {
        let block = RawBlock::parse_from_raw_block(block, Precision::Millisecond).unwrap();
        let rows = block.nrows();
        self.server.seen.lock().unwrap().blocks.push(block);
        rows
    }

    /// Queries and their results, in binary form.
    async fn on_binary_query(&mut self, request: BinaryRequest) -> bool {
        match request {
            BinaryRequest::FetchRawBlock { req_id, result_id } => {
                let outcome = if self.fetched.insert(result_id) {
                    FetchOutcome::Block(rows_of_two())
                } else {
                    self.server.seen.lock().unwrap().results.remove(&result_id);
                    FetchOutcome::End
                };
                self.peer.fetched(req_id, result_id, outcome).await;
            }
            BinaryRequest::Query { req_id, sql } if sql.starts_with("describe") => {
                let table = sql.trim_start_matches("describe ").to_owned();
                match self.note("describe", req_id, 0, table).await {
                    Verdict::Answer => self.describe(req_id).await,
                    Verdict::Silent => {}
                    Verdict::Cut => return false,
                }
            }
            BinaryRequest::Query { req_id, sql } if sql.starts_with("select") => {
                self.peer.result(req_id, 7).await;
            }
            BinaryRequest::Query { req_id, .. } => self.peer.updated(req_id, 1).await,
            other => panic!("{other:?}"),
        }
        true
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
