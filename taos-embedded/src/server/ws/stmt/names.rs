//! Text requests about statements by their names.

use taos_ws::protocol::TextRequest;

use super::Call;

/// Name and request id of a request about statements that must be answered.
pub(in super::super) const fn named(request: &TextRequest) -> Option<(&'static str, u64)> {
    Some(match request {
        TextRequest::StmtInit(args) => ("init", args.req_id),
        TextRequest::StmtPrepare(args) => ("prepare", args.req_id),
        TextRequest::StmtSetTableName(args) => ("set_table_name", args.req_id),
        TextRequest::StmtSetTags(args) => ("set_tags", args.req_id),
        TextRequest::StmtBind(args) => ("bind", args.req_id),
        TextRequest::StmtAddBatch(args) => ("add_batch", args.req_id),
        TextRequest::StmtExec(args) => ("exec", args.req_id),
        TextRequest::StmtGetTagFields(args) => ("get_tag_fields", args.req_id),
        TextRequest::StmtGetColFields(args) => ("get_col_fields", args.req_id),
        TextRequest::StmtUseResult(args) => ("use_result", args.req_id),
        TextRequest::StmtNumParams(args) => ("stmt_num_params", args.req_id),
        TextRequest::StmtGetParam(args) => ("stmt_get_param", args.req_id),
        TextRequest::StmtClose(args) => ("close", args.req_id),
        TextRequest::Stmt2Init(args) => ("stmt2_init", args.req_id),
        TextRequest::Stmt2Prepare(args) => ("stmt2_prepare", args.req_id),
        TextRequest::Stmt2Exec(args) => ("stmt2_exec", args.req_id),
        TextRequest::Stmt2Result(args) => ("stmt2_result", args.req_id),
        TextRequest::Stmt2Close(args) => ("stmt2_close", args.req_id),
        _ => return None,
    })
}

/// What a request asks of which statement.
pub(super) fn call(request: TextRequest) -> Option<(u64, Call)> {
    Some(match request {
        TextRequest::StmtPrepare(args) => (args.stmt_id, Call::Prepare(args.sql)),
        TextRequest::StmtSetTableName(args) => (args.stmt_id, Call::SetTable(args.name)),
        TextRequest::StmtSetTags(args) => (args.stmt_id, Call::Tags(args.tags)),
        TextRequest::StmtBind(args) => (args.stmt_id, Call::Bind(args.columns)),
        TextRequest::StmtAddBatch(args) => (args.stmt_id, Call::AddBatch),
        TextRequest::StmtExec(args) => (args.stmt_id, Call::Exec),
        TextRequest::StmtGetTagFields(args) => (args.stmt_id, Call::TagFields),
        TextRequest::StmtGetColFields(args) => (args.stmt_id, Call::ColFields),
        TextRequest::StmtUseResult(args) => (args.stmt_id, Call::UseResult),
        TextRequest::StmtNumParams(args) => (args.stmt_id, Call::NumParams),
        TextRequest::StmtGetParam(args) => (args.stmt_id, Call::GetParam(args.index)),
        TextRequest::StmtClose(args) => (args.stmt_id, Call::Close),
        TextRequest::Stmt2Prepare(args) => {
            let (sql, get_fields) = (args.sql, args.get_fields);
            (args.stmt_id, Call::Prepare2 { sql, get_fields })
        }
        TextRequest::Stmt2Exec(args) => (args.stmt_id, Call::Exec2),
        TextRequest::Stmt2Result(args) => (args.stmt_id, Call::Result2),
        TextRequest::Stmt2Close(args) => (args.stmt_id, Call::Close2),
        _ => return None,
    })
}
