//! One subscription on one connection: what is asked there, and what the answers mean.

use super::config::TmqConfig;
use super::refusals::{explain, is_about_batches, is_too_early, named, passes, refusal};
use crate::connection::{Failure, Link, text};
use crate::protocol::{
    Action, AssignmentReply, MessageArgs, OffsetArgs, RawDataOutcome, ReqArgs, SubscribeArgs,
    TmqFrame, TmqReply, TopicArgs, TopicVgroup, Version, VgroupsArgs,
};
use crate::tries::within;
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use taos_query::tmq::backend::Mark;
use taos_query::util::generate_req_id;
use taos_query::{Code, ErrorKind, RawError};

/// Longest wait for a server to let a consumer go, which takes it a second or so (taosadapter-ws
/// §11.1). Closing the connection ends the subscription too.
const LEAVE: Duration = Duration::from_secs(15);
/// Longest wait for what is good to know and can be done without.
const USEFUL: Duration = Duration::from_secs(5);

/// Why a request has no result.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The subscription is gone; another may do.
    Lost(RawError),
    /// The server refuses, or does not answer; the subscription stands.
    Refused(RawError),
}

impl Trouble {
    pub(super) fn into_error(self) -> RawError {
        match self {
            Self::Lost(error) | Self::Refused(error) => error,
        }
    }

    /// The server's last word. What passes by itself, and no answer at all, are no such thing: there
    /// another subscription may have more luck.
    pub(super) fn unless_final(self) -> Result<RawError, Self> {
        match self {
            Self::Refused(error) if error.kind() != ErrorKind::Timeout && !passes(&error) => {
                Ok(error)
            }
            trouble => Err(Self::Lost(trouble.into_error())),
        }
    }
}

/// What the server can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means {
    /// Messages come whole, by fetch_raw_data; else by `fetch` and `fetch_block`.
    pub(super) whole: bool,
    /// The next message may be asked for while the user has this one.
    pub(super) ahead: bool,
    /// `poll` says which message came last, so that a lost one is sent again.
    pub(super) repeats: bool,
}

/// A subscription.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) link: Arc<Link>,
    group: String,
    pub(super) means: Means,
    /// Longest wait for an answer.
    pub(super) limit: Duration,
}

impl Session {
    pub(super) fn new(link: Arc<Link>, config: &TmqConfig) -> Self {
        let whole = link.version >= Version::RAW_DATA;
        Self {
            means: Means {
                whole,
                ahead: whole && !config.subscription.snapshot,
                repeats: link.version >= Version::CONSUMER_CONFIG,
            },
            limit: config.connection.read_timeout,
            group: config.subscription.group_id.clone(),
            link,
        }
    }

    /// Any request and its answer.
    pub(super) async fn ask<A: Serialize>(
        &self,
        action: Action,
        req_id: u64,
        args: &A,
        limit: Duration,
    ) -> Result<TmqFrame, Trouble> {
        let answer = self.link.ask(req_id, text(&action, args));
        match within(limit, &self.link, answer).await {
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(Failure::Lost { cause, .. })) => {
                Err(Trouble::Lost(cause.into_error(self.link.address())))
            }
            Ok(Err(failure @ (Failure::DuplicateId | Failure::TooLong))) => {
                Err(Trouble::Refused(unsent(&action, &failure)))
            }
            Err(_) => Err(Trouble::Refused(
                RawError::of(
                    ErrorKind::Timeout,
                    format!(
                        "`{action}` was not answered by {} within {limit:?}; read_timeout sets the \
                         limit",
                        self.link.address()
                    ),
                )
                .with_code(Code::WS_RECV_TIMEOUT),
            )),
        }
    }

    /// A request that is answered by text.
    pub(super) async fn text<A: Serialize>(
        &self,
        action: Action,
        req_id: u64,
        args: &A,
    ) -> Result<Box<TmqReply>, Trouble> {
        self.text_within(self.limit, action, req_id, args).await
    }

    /// As [`text`](Self::text), for what need not be waited for as long as for other answers.
    async fn text_within<A: Serialize>(
        &self,
        limit: Duration,
        action: Action,
        req_id: u64,
        args: &A,
    ) -> Result<Box<TmqReply>, Trouble> {
        let frame = self.ask(action, req_id, args, limit).await?;
        self.reply(frame)
    }

    /// The reply in a frame, if it tells of success.
    pub(super) fn reply(&self, frame: TmqFrame) -> Result<Box<TmqReply>, Trouble> {
        match frame {
            TmqFrame::Text(reply) if reply.code == 0 => Ok(reply),
            TmqFrame::Text(reply) => Err(refusal(reply.code, reply.message)),
            _ => Err(self.unexpected("a binary frame in the place of text")),
        }
    }

    fn unexpected(&self, what: &str) -> Trouble {
        Trouble::Lost(
            RawError::of(
                ErrorKind::Protocol,
                format!("{} sent {what}", self.link.address()),
            )
            .with_code(Code::WS_BAD_ANSWER),
        )
    }

    /// The same trouble with what was asked, of whom, and what to do.
    pub(super) fn named(&self, trouble: Trouble, what: &str) -> Trouble {
        let name = |error| named(error, what, &self.group, self.link.address());
        match trouble {
            Trouble::Lost(error) => Trouble::Lost(name(error)),
            Trouble::Refused(error) => Trouble::Refused(name(error)),
        }
    }

    /// The message of this reply to a poll was not there in time.
    pub(super) fn missed(&self, reply: &TmqReply, limit: Duration) -> RawError {
        RawError::of(
            ErrorKind::Timeout,
            format!(
                "the message {} of the topic `{}`, vgroup {}, offset {} was found for the group `{}` and \
                 not given by {} within {limit:?}",
                reply.message_id,
                reply.topic.as_deref().unwrap_or_default(),
                reply.vgroup_id,
                reply.offset,
                self.group,
                self.link.address(),
            ),
        )
        .with_code(Code::WS_RECV_TIMEOUT)
    }

    /// Where reading goes on was not told in time.
    pub(super) fn silent(&self, limit: Duration) -> RawError {
        RawError::of(
            ErrorKind::Timeout,
            format!(
                "{} did not say within {limit:?} where the group `{}` is",
                self.link.address(),
                self.group
            ),
        )
        .with_code(Code::WS_RECV_TIMEOUT)
    }

    /// A message whole: its type and bytes.
    pub(super) async fn raw_data(&self, message_id: u64) -> Result<(u16, Bytes), Trouble> {
        self.raw(Action::FetchRawData, message_id).await
    }

    /// The same from servers that do not know that request.
    pub(super) async fn raw_message(&self, message_id: u64) -> Result<(u16, Bytes), Trouble> {
        self.raw(Action::FetchRaw, message_id).await
    }

    async fn raw(&self, action: Action, message_id: u64) -> Result<(u16, Bytes), Trouble> {
        let req_id = generate_req_id();
        let args = MessageArgs::new(req_id, message_id);
        let name = action.clone();
        let fetched = match self.ask(action, req_id, &args, self.limit).await {
            Ok(TmqFrame::RawData(reply)) => match reply.outcome {
                RawDataOutcome::Message { raw_type, raw } => Ok((raw_type, raw)),
                RawDataOutcome::Error { code, message } => Err(refusal(code, message)),
            },
            Ok(TmqFrame::RawMessage(reply)) => Ok((reply.raw_type, reply.raw)),
            Ok(TmqFrame::Text(reply)) if reply.code != 0 => Err(refusal(reply.code, reply.message)),
            Ok(_) => Err(self.unexpected("an answer of another kind")),
            Err(trouble) => Err(trouble),
        };
        fetched.map_err(|trouble| self.named(trouble, &format!("`{name}` of message {message_id}")))
    }

    /// What a message says of tables.
    pub(super) async fn json_meta(&self, message_id: u64) -> Result<String, Trouble> {
        let req_id = generate_req_id();
        let args = MessageArgs::new(req_id, message_id);
        let reply = self.text(Action::FetchJsonMeta, req_id, &args).await;
        let reply = reply.map_err(|trouble| {
            self.named(
                trouble,
                &format!("`fetch_json_meta` of message {message_id}"),
            )
        })?;
        Ok(reply.data.unwrap_or_else(|| "null".to_owned()))
    }

    pub(super) async fn commit_offset(&self, mark: &Mark) -> Result<(), Trouble> {
        let Mark {
            topic,
            vgroup,
            offset,
        } = mark;
        let req_id = generate_req_id();
        let args = OffsetArgs::new(req_id, &**topic, *vgroup, *offset);
        let done = self.text(Action::CommitOffset, req_id, &args).await;
        done.map(drop).map_err(|trouble| {
            self.named(
                trouble,
                &format!("`commit_offset` of {offset} in the topic `{topic}`, vgroup {vgroup},"),
            )
        })
    }

    /// Commits whatever the server has sent.
    pub(super) async fn commit_all(&self, message_id: u64) -> Result<(), Trouble> {
        let req_id = generate_req_id();
        let args = MessageArgs::new(req_id, message_id);
        let done = self.text(Action::Commit, req_id, &args).await;
        done.map(drop)
            .map_err(|trouble| self.named(trouble, "`commit` of all that was received"))
    }

    pub(super) async fn seek(&self, topic: &str, vgroup: i32, offset: i64) -> Result<(), Trouble> {
        let mut early = false;
        loop {
            let req_id = generate_req_id();
            let args = OffsetArgs::new(req_id, topic, vgroup, offset);
            match self.text(Action::Seek, req_id, &args).await {
                Err(Trouble::Refused(error)) if !early && is_too_early(&error) => {
                    early = true;
                    self.assignment(topic).await?;
                }
                ended => {
                    return ended.map(drop).map_err(|trouble| {
                        self.named(
                            trouble,
                            &format!("`seek` to {offset} in the topic `{topic}`, vgroup {vgroup},"),
                        )
                    });
                }
            }
        }
    }

    /// As [`assignment`](Self::assignment), if it comes soon.
    pub(super) async fn assignment_soon(
        &self,
        topic: &str,
    ) -> Result<Vec<AssignmentReply>, Trouble> {
        self.assignment_within(USEFUL.min(self.limit), topic).await
    }

    pub(super) async fn assignment(&self, topic: &str) -> Result<Vec<AssignmentReply>, Trouble> {
        self.assignment_within(self.limit, topic).await
    }

    async fn assignment_within(
        &self,
        limit: Duration,
        topic: &str,
    ) -> Result<Vec<AssignmentReply>, Trouble> {
        let req_id = generate_req_id();
        let args = TopicArgs::new(req_id, topic);
        let reply = self
            .text_within(limit, Action::Assignment, req_id, &args)
            .await
            .map_err(|trouble| {
                self.named(trouble, &format!("`assignment` of the topic `{topic}`"))
            })?;
        Ok(reply.assignment.unwrap_or_default())
    }

    /// `committed` or `position` of vgroups of one topic, in their order.
    pub(super) async fn offsets(
        &self,
        action: Action,
        topic: &str,
        vgroups: &[i32],
    ) -> Result<Vec<i64>, Trouble> {
        let req_id = generate_req_id();
        let ids = vgroups.iter().map(|id| TopicVgroup::new(topic, *id));
        let args = VgroupsArgs::new(req_id, ids.collect());
        let name = action.clone();
        let offsets = match self.text(action, req_id, &args).await {
            Ok(reply) => reply.committed.or(reply.position).unwrap_or_default(),
            Err(trouble) => {
                let what = format!("`{name}` in the topic `{topic}`, vgroups {vgroups:?},");
                return Err(self.named(trouble, &what));
            }
        };
        if offsets.len() == vgroups.len() {
            Ok(offsets)
        } else {
            Err(self.unexpected(&format!(
                "{} numbers for {} vgroups in the answer to `{name}`",
                offsets.len(),
                vgroups.len()
            )))
        }
    }

    pub(super) async fn topics(&self) -> Result<Vec<String>, Trouble> {
        let req_id = generate_req_id();
        let reply = self
            .text(Action::ListTopics, req_id, &ReqArgs::new(req_id))
            .await
            .map_err(|trouble| self.named(trouble, "`list_topics`"))?;
        Ok(reply.topics.unwrap_or_default())
    }

    pub(super) async fn unsubscribe(&self) -> Result<(), Trouble> {
        let req_id = generate_req_id();
        let limit = LEAVE.min(self.limit);
        self.text_within(limit, Action::Unsubscribe, req_id, &ReqArgs::new(req_id))
            .await
            .map(drop)
    }

    /// Joins the group. A server that does not know batches of meta is asked without them.
    pub(super) async fn subscribe(
        &self,
        config: &TmqConfig,
        topics: &[String],
    ) -> Result<(), Trouble> {
        let mut batch_meta = config.subscription.batch_meta;
        loop {
            let req_id = generate_req_id();
            let args = self.arguments(config, topics, req_id, batch_meta)?;
            let payload = text(&Action::Subscribe, &args);
            wipe(args);
            let answer = within(self.limit, &self.link, self.link.ask(req_id, payload)).await;
            let error = match answer {
                Ok(Ok(frame)) => match self.reply(frame) {
                    Ok(_) => return Ok(()),
                    Err(trouble) => trouble.into_error(),
                },
                Ok(Err(Failure::Lost { cause, .. })) => {
                    return Err(Trouble::Lost(cause.into_error(self.link.address())));
                }
                Ok(Err(failure)) => {
                    return Err(Trouble::Refused(unsent(&Action::Subscribe, &failure)));
                }
                Err(_) => {
                    return Err(Trouble::Lost(
                        RawError::of(
                            ErrorKind::Timeout,
                            format!(
                                "`subscribe` was not answered by {} within {:?}; read_timeout sets \
                                 the limit",
                                self.link.address(),
                                self.limit
                            ),
                        )
                        .with_code(Code::WS_RECV_TIMEOUT),
                    ));
                }
            };
            if batch_meta && is_about_batches(&error) {
                tracing::debug!(address = self.link.address(), "no batches of meta");
                batch_meta = false;
                continue;
            }
            return Err(explain(config, topics, self.link.address(), error));
        }
    }

    fn arguments(
        &self,
        config: &TmqConfig,
        topics: &[String],
        req_id: u64,
        batch_meta: bool,
    ) -> Result<SubscribeArgs, Trouble> {
        let version = self.link.version;
        let mut rest = self.further(config)?;
        let mut args = SubscribeArgs::new(
            req_id,
            config.subscription.group_id.clone(),
            topics.to_vec(),
        );
        let yes = |on: bool| if on { "true" } else { "false" }.to_owned();
        args.user.clone_from(&config.connection.user);
        config
            .connection
            .password
            .expose()
            .clone_into(&mut args.password);
        args.db.clone_from(&config.connection.database);
        args.client_id.clone_from(&config.subscription.client_id);
        args.offset_reset
            .clone_from(&config.subscription.offset_reset);
        // Servers before 3.1 know only this spelling.
        args.offset_rest
            .clone_from(&config.subscription.offset_reset);
        // It would commit what the user has not seen yet.
        args.auto_commit = yes(false);
        args.snapshot_enable = yes(config.subscription.snapshot);
        args.with_table_name = yes(config.subscription.table_names);
        if batch_meta {
            args.enable_batch_meta = "1".to_owned();
        }
        args.msg_consume_excluded
            .clone_from(&config.subscription.excluded);
        args.msg_consume_rawdata
            .clone_from(&config.subscription.raw_rows);
        if version >= Version::CONSUMER_TIMEOUTS {
            args.session_timeout_ms
                .clone_from(&config.subscription.session_timeout_ms);
            args.max_poll_interval_ms
                .clone_from(&config.subscription.max_poll_interval_ms);
        } else if !(config.subscription.session_timeout_ms.is_empty()
            && config.subscription.max_poll_interval_ms.is_empty())
        {
            tracing::warn!(
                address = self.link.address(),
                %version,
                "session.timeout.ms and max.poll.interval.ms are not known to this server, which has \
                 its own"
            );
        }
        if version >= Version::CONNECTION_OPTIONS {
            args.tz = config
                .connection
                .timezone
                .map(|zone| zone.name().to_owned())
                .unwrap_or_default();
            args.app.clone_from(&config.connection.user_app);
            args.ip.clone_from(&config.connection.user_ip);
            args.connector.clone_from(&config.connection.connector_info);
        }
        if let Some(token) = &config.token {
            rest.insert("td.connect.token".to_owned(), token.expose().to_owned());
        }
        args.config = rest;
        Ok(args)
    }

    /// The keys that have no member of their own. Older servers would pass over them silently.
    fn further(&self, config: &TmqConfig) -> Result<BTreeMap<String, String>, Trouble> {
        let since = if config.token.is_some() {
            Version::TOKENS
        } else {
            Version::CONSUMER_CONFIG
        };
        let key = match config.subscription.rest.keys().next() {
            _ if config.token.is_some() => "a token for consumers",
            Some(key) => key.as_str(),
            None => return Ok(BTreeMap::new()),
        };
        if self.link.version < since {
            return Err(Trouble::Refused(self.link.too_old(key, since)));
        }
        Ok(config.subscription.rest.clone())
    }
}

/// What the connection did not take.
fn unsent(action: &Action, failure: &Failure) -> RawError {
    let why = match failure {
        Failure::TooLong => "it is longer than 4 GiB",
        _ => "its request id is in use",
    };
    RawError::of(
        ErrorKind::Config,
        format!("`{action}` could not be sent: {why}"),
    )
}

/// Does not leave the login behind in memory.
fn wipe(mut args: SubscribeArgs) {
    use zeroize::Zeroize as _;
    args.password.zeroize();
    for value in args.config.values_mut() {
        value.zeroize();
    }
}
