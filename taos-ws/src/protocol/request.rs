use super::action::Action;
use super::args::{
    ConnArgs, ConnectionInfoArgs, Envelope, FetchArgs, InsertArgs, NumFieldsArgs, OptionsArgs,
    ReqArgs, SqlArgs, StatusArgs, Stmt2InitArgs, Stmt2PrepareArgs, StmtArgs, StmtBindArgs,
    StmtGetParamArgs, StmtPrepareArgs, StmtTableArgs, StmtTagsArgs,
};
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The text frame of a request (§3.1), written in one pass.
#[must_use]
pub fn encode_text<A: Serialize>(action: &Action, args: &A) -> String {
    let envelope = Envelope {
        action: action.as_str(),
        args,
    };
    // Maps with keys that are not text are the only thing that serde_json refuses to write.
    serde_json::to_string(&envelope).unwrap_or_default()
}

/// A text request as a server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextRequest {
    /// §5.1
    Version(ReqArgs),
    /// §5.2
    Conn(Box<ConnArgs>),
    /// §5.3
    OptionsConnection(OptionsArgs),
    /// §5.4
    GetCurrentDb(ReqArgs),
    /// §5.5
    GetServerInfo(ReqArgs),
    /// §5.6
    GetConnectionInfo(ConnectionInfoArgs),
    /// §5.7
    CheckServerStatus(StatusArgs),
    /// §6.1
    Query(SqlArgs),
    /// §6.3
    Fetch(FetchArgs),
    /// §6.4
    FetchBlock(FetchArgs),
    /// §6.6, must not be answered
    FreeResult(FetchArgs),
    /// §6.6
    NumFields(NumFieldsArgs),
    /// §7
    Insert(InsertArgs),
    /// §8: `init`
    StmtInit(ReqArgs),
    /// §8: `prepare`
    StmtPrepare(StmtPrepareArgs),
    /// §8: `set_table_name`
    StmtSetTableName(StmtTableArgs),
    /// §8: `set_tags`
    StmtSetTags(StmtTagsArgs),
    /// §8: `bind`
    StmtBind(StmtBindArgs),
    /// §8: `add_batch`
    StmtAddBatch(StmtArgs),
    /// §8: `exec`
    StmtExec(StmtArgs),
    /// §8: `get_tag_fields`
    StmtGetTagFields(StmtArgs),
    /// §8: `get_col_fields`
    StmtGetColFields(StmtArgs),
    /// §8: `use_result`
    StmtUseResult(StmtArgs),
    /// §8: `stmt_num_params`
    StmtNumParams(StmtArgs),
    /// §8: `stmt_get_param`
    StmtGetParam(StmtGetParamArgs),
    /// §8: `close`, must not be answered on success
    StmtClose(StmtArgs),
    /// §9.1: `stmt2_init`
    Stmt2Init(Stmt2InitArgs),
    /// §9.1: `stmt2_prepare`
    Stmt2Prepare(Stmt2PrepareArgs),
    /// §9.1: `stmt2_exec`
    Stmt2Exec(StmtArgs),
    /// §9.1: `stmt2_result`
    Stmt2Result(StmtArgs),
    /// §9.1: `stmt2_close`
    Stmt2Close(StmtArgs),
}

/// A text request that cannot be served, with what the answer must carry (§3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRequest {
    /// Echo of the action, empty if there was none.
    pub action: String,
    /// Echo of the request id as far as it could be read, else 0.
    pub req_id: u64,
    /// The adapter's words.
    pub message: String,
}

/// Decodes a text request.
///
/// # Errors
/// Text that is not JSON, a missing or unknown action, and arguments of the wrong shape; the error
/// is what the adapter answers in that case.
pub fn decode_text(text: &str) -> Result<TextRequest, BadRequest> {
    let Ok(parts) = serde_json::from_str::<Parts<'_>>(text) else {
        return Err(BadRequest {
            action: String::new(),
            req_id: 0,
            message: "unmarshal request error".into(),
        });
    };
    let args = parts.args;
    let bad = |message: String| BadRequest {
        action: parts.action.clone(),
        req_id: args.map_or(0, |args| recover_req_id(args.get())),
        message,
    };
    if parts.action.is_empty() {
        return Err(bad("request no action".into()));
    }
    let action = Action::from(parts.action.as_str());
    let decoded = match &action {
        Action::Version if args.is_none() => Some(TextRequest::Version(ReqArgs::default())),
        Action::Version => read(args).map(TextRequest::Version),
        Action::Conn => read(args).map(Box::new).map(TextRequest::Conn),
        Action::OptionsConnection => read(args).map(TextRequest::OptionsConnection),
        Action::GetCurrentDb => read(args).map(TextRequest::GetCurrentDb),
        Action::GetConnectionInfo => read(args).map(TextRequest::GetConnectionInfo),
        Action::GetServerInfo => read(args).map(TextRequest::GetServerInfo),
        Action::CheckServerStatus => read(args).map(TextRequest::CheckServerStatus),
        Action::Query => read(args).map(TextRequest::Query),
        Action::Fetch => read(args).map(TextRequest::Fetch),
        Action::FetchBlock => read(args).map(TextRequest::FetchBlock),
        Action::FreeResult => read(args).map(TextRequest::FreeResult),
        Action::NumFields => read(args).map(TextRequest::NumFields),
        Action::Insert => read(args).map(TextRequest::Insert),
        other => match statement(other, args) {
            Some(decoded) => decoded,
            None => return Err(bad(format!("unknown action {action}"))),
        },
    };
    decoded.ok_or_else(|| {
        let name = match &action {
            Action::Conn => "connect".to_owned(),
            other => other.as_str().replace('_', " "),
        };
        bad(format!("unmarshal {name} request error"))
    })
}

/// The requests about statements; `None` if it is not one of them.
fn statement(action: &Action, args: Option<&RawValue>) -> Option<Option<TextRequest>> {
    Some(match action {
        Action::Init => read(args).map(TextRequest::StmtInit),
        Action::Prepare => read(args).map(TextRequest::StmtPrepare),
        Action::SetTableName => read(args).map(TextRequest::StmtSetTableName),
        Action::SetTags => read(args).map(TextRequest::StmtSetTags),
        Action::Bind => read(args).map(TextRequest::StmtBind),
        Action::AddBatch => read(args).map(TextRequest::StmtAddBatch),
        Action::Exec => read(args).map(TextRequest::StmtExec),
        Action::GetTagFields => read(args).map(TextRequest::StmtGetTagFields),
        Action::GetColFields => read(args).map(TextRequest::StmtGetColFields),
        Action::UseResult => read(args).map(TextRequest::StmtUseResult),
        Action::StmtNumParams => read(args).map(TextRequest::StmtNumParams),
        Action::StmtGetParam => read(args).map(TextRequest::StmtGetParam),
        Action::Close => read(args).map(TextRequest::StmtClose),
        Action::Stmt2Init => read(args).map(TextRequest::Stmt2Init),
        Action::Stmt2Prepare => read(args).map(TextRequest::Stmt2Prepare),
        Action::Stmt2Exec => read(args).map(TextRequest::Stmt2Exec),
        Action::Stmt2Result => read(args).map(TextRequest::Stmt2Result),
        Action::Stmt2Close => read(args).map(TextRequest::Stmt2Close),
        _ => return None,
    })
}

pub(super) fn read<A: DeserializeOwned>(args: Option<&RawValue>) -> Option<A> {
    serde_json::from_str(args?.get()).ok()
}

/// The adapter takes a number or the text of one as the id of a request that it refuses.
fn recover_req_id(args: &str) -> u64 {
    struct Id(u64);
    impl<'de> Deserialize<'de> for Id {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Members;
            impl<'de> Visitor<'de> for Members {
                type Value = Id;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Id, A::Error> {
                    let mut id = 0;
                    while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                        if key.eq_ignore_ascii_case("req_id") {
                            let raw = map.next_value::<&RawValue>()?.get();
                            id = raw.trim_matches('"').parse().unwrap_or(0);
                        } else {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                    Ok(Id(id))
                }
            }
            deserializer.deserialize_map(Members)
        }
    }
    serde_json::from_str::<Id>(args).map_or(0, |id| id.0)
}

/// The outer object; `args` stays text until the action is known.
pub(super) struct Parts<'a> {
    pub(super) action: String,
    pub(super) args: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Parts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Parts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with action and args")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut parts = Parts {
                    action: String::new(),
                    args: None,
                };
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    if key.eq_ignore_ascii_case("action") {
                        parts.action = map.next_value::<Option<String>>()?.unwrap_or_default();
                    } else if key.eq_ignore_ascii_case("args") {
                        let raw = map.next_value::<&'de RawValue>()?;
                        parts.args = (raw.get() != "null").then_some(raw);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(parts)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_match_in_any_case_and_missing_ones_are_zero() {
        let request = decode_text(r#"{"Action":"query","ARGS":{"SQL":"select 1","x":[1]}}"#);
        assert_eq!(
            request,
            Ok(TextRequest::Query(SqlArgs {
                req_id: 0,
                sql: "select 1".into()
            }))
        );
        let request = decode_text(r#"{"action":"fetch","args":{"req_id":18446744073709551615}}"#);
        assert_eq!(
            request,
            Ok(TextRequest::Fetch(FetchArgs {
                req_id: u64::MAX,
                id: 0
            }))
        );
    }

    #[test]
    fn a_bad_request_keeps_what_could_be_read_of_its_id() {
        for (text, action, req_id, message) in [
            ("{not json", "", 0, "unmarshal request error"),
            (r#"{"args":{"req_id":5}}"#, "", 5, "request no action"),
            (
                r#"{"action":"conn","args":{"req_id":"12"}}"#,
                "conn",
                12,
                "unmarshal connect request error",
            ),
            (
                r#"{"action":"query","args":{"req_id":-4}}"#,
                "query",
                0,
                "unmarshal query request error",
            ),
            (
                r#"{"action":"conn"}"#,
                "conn",
                0,
                "unmarshal connect request error",
            ),
            (
                r#"{"action":"dance","args":{"req_id":3}}"#,
                "dance",
                3,
                "unknown action dance",
            ),
        ] {
            let bad = decode_text(text).unwrap_err();
            assert_eq!(
                (bad.action.as_str(), bad.req_id, bad.message.as_str()),
                (action, req_id, message),
                "{text}"
            );
        }
    }

    #[test]
    fn unset_login_arguments_are_left_out_and_secrets_do_not_show() {
        let args = ConnArgs {
            user: "root".into(),
            password: "hunter2".into(),
            bearer_token: "tok-tok".into(),
            ..ConnArgs::default()
        };
        let text = encode_text(&Action::Conn, &args);
        assert_eq!(
            text,
            r#"{"action":"conn","args":{"req_id":0,"user":"root","password":"hunter2","db":"","bearer_token":"tok-tok"}}"#
        );
        assert_eq!(
            decode_text(&text),
            Ok(TextRequest::Conn(Box::new(args.clone())))
        );
        let shown = format!("{args:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("tok-tok"),
            "{shown}"
        );
    }
}
