use crate::builder::TaosBuilder;
use crate::client::Client;
use crate::connection::{Failure, Payload, QueryAnswer, Reading, ResultHandle, StmtHandle, text};
use crate::protocol::{
    Action, ConnOption, OptionsArgs, ReqArgs, StatusArgs, TextReply, Version, encode_validate_sql,
    mask_code,
};
use crate::resend::Effect;
use chrono_tz::Tz;
use futures_util::Stream;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use taos_query::common::{Field, Precision, Ty};
use taos_query::util::generate_req_id;
use taos_query::{
    AsyncFetchable, AsyncQueryable, AsyncTBuilder as _, Code, ConnectionState, ErrorKind, IntoDsn,
    PollBlock, RawBlock, RawError, RawMeta, RawResult, SmlData,
};
use tokio::time::{Instant, Sleep};

/// A connection to taosAdapter.
///
/// Any number of statements may be in flight at a time; they share one socket. When the connection
/// breaks, the next statement connects again and restores login, database and options first.
///
/// # Cancel safety
/// Every future may be dropped at any point; the connection stays usable.
#[derive(Debug, Clone)]
pub struct Taos {
    pub(crate) client: Arc<Client>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Taos {
    pub(crate) const fn new(client: Arc<Client>) -> Self {
        Self { client }
    }

    /// The version of the server that the connection was first made to, in its own words; empty if
    /// the server does not tell.
    pub fn version(&self) -> &str {
        self.client.first_version.get().map_or("", String::as_str)
    }

    /// The version of the server that the connection talks to now, after connecting again if that
    /// is needed.
    ///
    /// # Errors
    /// When a broken connection cannot be restored.
    pub async fn current_version(&self) -> RawResult<Version> {
        Ok(self.client.link().await?.version)
    }

    /// Checks a statement without running it (taosadapter-ws §6.7).
    ///
    /// # Errors
    /// The engine's code if the statement is not valid; its words are the client's, as the server
    /// sends none.
    pub async fn validate_sql(&self, sql: impl AsRef<str> + Send + Sync) -> RawResult<()> {
        let sql = sql.as_ref();
        let reply = self
            .call("validate_sql", Version::VALIDATE_SQL, |req_id| {
                encode_validate_sql(req_id, sql)
                    .map(Payload::Binary)
                    .ok_or(Failure::TooLong)
            })
            .await?;
        match mask_code(reply.result_code) {
            0 => Ok(()),
            code => {
                let words = Code::from(code)
                    .text()
                    .unwrap_or("the statement is not valid");
                Err(RawError::new(code, words).context("validate_sql"))
            }
        }
    }

    /// Sets options of the session; they are restored after a reconnect (taosadapter-ws §5.3).
    ///
    /// # Errors
    /// A time zone that is not an IANA name (the server would take it silently), and the server's.
    pub async fn options_connection(&self, options: &[ConnOption]) -> RawResult<()> {
        for option in options {
            if let (1, Some(zone)) = (option.option, &option.value)
                && !zone.is_empty()
                && zone.parse::<Tz>().is_err()
            {
                return Err(RawError::of(
                    ErrorKind::Config,
                    format!("`{zone}` is not an IANA time zone name such as Asia/Shanghai"),
                ));
            }
        }
        self.call(
            "options_connection",
            Version::CONNECTION_OPTIONS,
            |req_id| {
                let args = OptionsArgs::new(req_id, options.to_vec());
                Ok(text(&Action::OptionsConnection, &args))
            },
        )
        .await?;
        let mut session = self.client.session();
        for option in options {
            if option.option == -1 {
                session.options.clear();
            } else {
                session.options.insert(option.option, option.value.clone());
            }
        }
        Ok(())
    }

    /// The session's database, if it has one (taosadapter-ws §5.4).
    ///
    /// # Errors
    /// As any request.
    pub async fn current_database(&self) -> RawResult<Option<String>> {
        let reply = self
            .call("get_current_db", Version::default(), |req_id| {
                Ok(text(&Action::GetCurrentDb, &ReqArgs::new(req_id)))
            })
            .await?;
        Ok(reply.db.filter(|name| !name.is_empty()))
    }

    /// The engine's version, build and revision lines (taosadapter-ws §5.5).
    ///
    /// # Errors
    /// As any request.
    pub async fn server_info(&self) -> RawResult<String> {
        let reply = self
            .call("get_server_info", Version::default(), |req_id| {
                Ok(text(&Action::GetServerInfo, &ReqArgs::new(req_id)))
            })
            .await?;
        Ok(reply.info.unwrap_or_default())
    }

    /// The health of the database behind the adapter (taosadapter-ws §5.7). No `fqdn` and port 0
    /// mean the adapter's own choice.
    ///
    /// # Errors
    /// As any request; servers before 3.3.6.0 cannot tell.
    pub async fn check_server_status(
        &self,
        fqdn: Option<&str>,
        port: u16,
    ) -> RawResult<ServerStatus> {
        let reply = self
            .call("check_server_status", Version::VALIDATE_SQL, |req_id| {
                let args = StatusArgs::new(req_id, fqdn.map(str::to_owned), i32::from(port));
                Ok(text(&Action::CheckServerStatus, &args))
            })
            .await?;
        Ok(ServerStatus {
            status: reply.status,
            details: reply.details.unwrap_or_default(),
        })
    }

    /// The state of the connection now. It costs nothing to ask.
    pub fn connection_state(&self) -> ConnectionState {
        self.client.events.state()
    }

    /// The present state of the connection and then each change, until it is closed.
    ///
    /// The stream does not keep the connection open. One who reads it slowly misses the oldest
    /// changes; when nobody watches, a change costs nothing.
    pub fn connection_events(&self) -> impl Stream<Item = ConnectionState> + Send + use<> {
        self.client.events.watch()
    }

    /// True if the connection is known to be gone, so that the next use would have to connect again.
    pub(crate) fn is_broken(&self) -> bool {
        self.client.is_broken()
    }

    /// Closes the connection for good once the requests in flight are answered.
    pub fn close(&self) {
        self.client.close();
    }

    async fn statement(&self, sql: &str, req_id: u64, reading: Reading) -> RawResult<ResultSet> {
        if sql.trim_ascii().is_empty() {
            return Err(RawError::of(ErrorKind::Config, "the statement is empty"));
        }
        let work = self.client.query(sql, req_id, reading);
        let answer = self
            .client
            .traced(crate::telemetry::sql_span(sql), work)
            .await?;
        let config = &self.client.config;
        let mut result = ResultSet::new(answer, config.timezone, config.read_timeout)?;
        result.home = self.client.home();
        Ok(result)
    }

    /// A request that changes nothing but the session and is answered by one text reply.
    async fn call<P>(
        &self,
        action: &'static str,
        since: Version,
        payload: P,
    ) -> RawResult<Box<TextReply>>
    where
        P: Fn(u64) -> Result<Payload, Failure>,
    {
        let work = self.ask(action, since, payload);
        self.client
            .traced(crate::telemetry::span(action), work)
            .await
    }

    async fn ask<P>(
        &self,
        action: &'static str,
        since: Version,
        payload: P,
    ) -> RawResult<Box<TextReply>>
    where
        P: Fn(u64) -> Result<Payload, Failure>,
    {
        let payload = &payload;
        self.client
            .with_resend(&Effect::Session, action, |link| async move {
                if link.old_endpoint || link.version < since {
                    return Err(link.too_old(action, since).into());
                }
                let req_id = generate_req_id();
                let reply = link.call(req_id, payload(req_id)?).await?;
                self.client.check(&link, &reply)?;
                Ok(reply)
            })
            .await
    }
}

impl AsyncQueryable for Taos {
    type AsyncResultSet = ResultSet;

    async fn query_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        req_id: u64,
    ) -> RawResult<ResultSet> {
        self.statement(sql.as_ref(), req_id, Reading::All).await
    }

    async fn query_first_block<T: AsRef<str> + Send + Sync>(&self, sql: T) -> RawResult<ResultSet> {
        self.statement(sql.as_ref(), generate_req_id(), Reading::FirstBlock)
            .await
    }

    fn home(&self) -> Option<tokio::runtime::Id> {
        self.client.home()
    }

    async fn put(&self, data: &SmlData) -> RawResult<()> {
        self.s_put(data).await.map(drop)
    }

    async fn write_raw_meta(&self, meta: &RawMeta) -> RawResult<()> {
        self.write_message(meta).await
    }

    async fn write_raw_block_with_req_id(&self, block: &RawBlock, req_id: u64) -> RawResult<()> {
        self.write_block(block, req_id).await
    }
}

/// The health of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStatus {
    /// 0 unavailable, 1 network ok, 2 service ok, 3 degraded, 4 exiting.
    pub status: i32,
    /// More words, often none.
    pub details: String,
}

/// Asks the server of a DSN for the health of the database behind it: the members of
/// [`ServerStatus`]. No `fqdn` and port 0 mean the adapter's own choice.
///
/// # Errors
/// A port beyond 65535, and as connecting and [`Taos::check_server_status`].
pub async fn check_server_status<'a>(
    dsn: impl IntoDsn + Send,
    fqdn: impl Into<Option<&'a str>> + Send,
    port: i32,
) -> RawResult<(i32, String)> {
    let port = u16::try_from(port).map_err(|_| {
        RawError::of(
            ErrorKind::Config,
            format!("{port} is not a port: 0 to 65535 are possible"),
        )
    })?;
    let fqdn = fqdn.into().filter(|name| !name.is_empty());
    let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
    let ServerStatus { status, details } = taos.check_server_status(fqdn, port).await?;
    Ok((status, details))
}

/// The result of a statement: its columns, and its rows block by block.
///
/// While one block is being read, the next is already on its way. Dropping the result frees it on
/// the server.
#[derive(Debug)]
pub struct ResultSet {
    fields: Arc<[Field]>,
    precision: Precision,
    affected_rows: i64,
    timing: Duration,
    fields_precisions: Vec<i64>,
    fields_scales: Vec<i64>,
    home: Option<tokio::runtime::Id>,
    blocks: Blocks,
    /// The statement that the result is of, which must stay open; behind the blocks, so that those
    /// are freed first.
    _statement: Option<Arc<StmtHandle>>,
}

/// The part that moves.
#[derive(Debug)]
struct Blocks {
    fields: Arc<[Field]>,
    precision: Precision,
    timezone: Option<Tz>,
    handle: Option<ResultHandle>,
    read_timeout: Duration,
    /// Made at the first wait and used again.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    taken: (usize, usize),
}

impl ResultSet {
    fn new(answer: QueryAnswer, timezone: Option<Tz>, read_timeout: Duration) -> RawResult<Self> {
        let QueryAnswer { reply, result } = answer;
        let reply = *reply;
        let malformed = |what: &str| {
            RawError::of(ErrorKind::Protocol, format!("the reply to a query {what}"))
                .with_code(Code::WS_BAD_ANSWER)
        };
        let precision = u8::try_from(reply.precision)
            .ok()
            .and_then(Precision::from_u8_option)
            .ok_or_else(|| malformed("names an unknown time precision"))?;
        let names = reply.fields_names.unwrap_or_default();
        let types = reply.fields_types.unwrap_or_default();
        let lengths = reply.fields_lengths.unwrap_or_default();
        if names.len() != types.len() || names.len() != lengths.len() {
            return Err(malformed("names, types and widths of different counts"));
        }
        if names.is_empty() != result.is_none() {
            return Err(malformed("contradicts itself about having columns"));
        }
        let fields: Vec<Field> = names
            .into_iter()
            .zip(types)
            .zip(lengths)
            .map(|((name, ty), length)| {
                let ty = Ty::from_u8_option(ty).ok_or_else(|| {
                    malformed(&format!("gives column `{name}` the unknown type {ty}"))
                })?;
                let length = u32::try_from(length)
                    .map_err(|_| malformed(&format!("gives column `{name}` the width {length}")))?;
                Ok(Field::new(name, ty, length))
            })
            .collect::<RawResult<_>>()?;
        let fields: Arc<[Field]> = fields.into();
        Ok(Self {
            fields: fields.clone(),
            precision,
            affected_rows: reply.affected_rows,
            timing: Duration::from_nanos(u64::try_from(reply.timing).unwrap_or(0)),
            fields_precisions: reply.fields_precisions.unwrap_or_default(),
            fields_scales: reply.fields_scales.unwrap_or_default(),
            home: None,
            blocks: Blocks {
                fields,
                precision,
                timezone,
                handle: result,
                read_timeout,
                timer: None,
                waiting: false,
                taken: (0, 0),
            },
            _statement: None,
        })
    }

    /// The result of an executed statement.
    pub(crate) fn of_statement(
        answer: QueryAnswer,
        client: &Client,
        statement: Arc<StmtHandle>,
    ) -> RawResult<Self> {
        let config = &client.config;
        let mut result = Self::new(answer, config.timezone, config.read_timeout)?;
        result.home = client.home();
        result._statement = Some(statement);
        Ok(result)
    }

    /// Time that the server needed for the statement.
    pub const fn take_timing(&self) -> Duration {
        self.timing
    }

    /// Decimal precision of each column, 0 for other types; empty from old servers.
    pub fn fields_precisions(&self) -> &[i64] {
        &self.fields_precisions
    }

    /// Decimal scale of each column, 0 for other types; empty from old servers.
    pub fn fields_scales(&self) -> &[i64] {
        &self.fields_scales
    }

    /// Gives the rest of the result up.
    pub fn stop(&mut self) {
        self.blocks.handle = None;
    }
}

impl PollBlock for Blocks {
    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<RawResult<Option<RawBlock>>> {
        let Some(handle) = &self.handle else {
            return Poll::Ready(Ok(None));
        };
        let arrived = match handle.poll_block(cx) {
            Poll::Ready(arrived) => arrived,
            Poll::Pending => {
                let timer = self.timer.get_or_insert_with(|| Box::pin(handle.timer()));
                if !self.waiting {
                    timer.as_mut().reset(Instant::now() + self.read_timeout);
                    self.waiting = true;
                }
                std::task::ready!(timer.as_mut().poll(cx));
                Err(handle.timed_out(self.read_timeout))
            }
        };
        self.waiting = false;
        let block = match arrived {
            Ok(Some(bytes)) => self.parse(bytes).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if !matches!(block, Ok(Some(_))) {
            self.handle = None;
        }
        Poll::Ready(block)
    }
}

impl Blocks {
    fn parse(&mut self, bytes: bytes::Bytes) -> RawResult<RawBlock> {
        let mut block = RawBlock::parse_from_raw_block(bytes, self.precision)?;
        block.with_fields(self.fields.clone())?;
        block.with_timezone(self.timezone);
        self.taken.0 += 1;
        self.taken.1 += block.nrows();
        Ok(block)
    }
}

impl AsyncFetchable for ResultSet {
    fn home(&self) -> Option<tokio::runtime::Id> {
        self.home
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn affected_rows64(&self) -> i64 {
        self.affected_rows
    }

    fn summary(&self) -> (usize, usize) {
        self.blocks.taken
    }

    fn split(&mut self) -> (&[Field], &mut dyn PollBlock) {
        (&self.fields, &mut self.blocks)
    }

    fn timezone(&self) -> Option<Tz> {
        self.blocks.timezone
    }
}
