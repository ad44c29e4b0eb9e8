use super::{Parser, duration_of};
use crate::sql::SqlError;
use crate::sql::ast::{
    Expr, ExprKind, Fill, FillMode, Ident, Join, JoinKind, Limit, OrderItem, Query, QueryBody,
    Select, SelectItem, TableRef, Width, Window,
};
use crate::sql::lexer::Kind;

impl Parser<'_> {
    pub(super) fn query(&mut self) -> Result<Query, SqlError> {
        self.enter()?;
        let start = self.token.span.start;
        let mut body = self.query_primary()?;
        let mut links = 0;
        while self.accept_word("union") {
            links += 9;
            self.link(&mut links)?;
            let all = self.accept_word("all");
            let left = self.plain_query(body, start);
            let right_start = self.token.span.start;
            let right = self.query_primary()?;
            let right = self.plain_query(right, right_start);
            body = QueryBody::Union {
                all,
                left: Box::new(left),
                right: Box::new(right),
            };
        }
        let order_by = self.order_by()?;
        let slimit = self.limit_clause("slimit", "soffset")?;
        let limit = self.limit_clause("limit", "offset")?;
        self.leave();
        Ok(Query {
            body,
            order_by,
            slimit,
            limit,
            span: self.span_from(start),
        })
    }

    const fn plain_query(&self, body: QueryBody, start: u32) -> Query {
        Query {
            body,
            order_by: Vec::new(),
            slimit: None,
            limit: None,
            span: self.span_from(start),
        }
    }

    fn query_primary(&mut self) -> Result<QueryBody, SqlError> {
        if self.accept(Kind::LParen) {
            let inner = self.query()?;
            self.expect(Kind::RParen)?;
            let plain = inner.order_by.is_empty() && inner.limit.is_none();
            if plain && inner.slimit.is_none() {
                return Ok(inner.body);
            }
            let star = SelectItem {
                expr: Expr {
                    kind: ExprKind::Wildcard(None),
                    span: inner.span,
                },
                alias: None,
            };
            return Ok(QueryBody::Select(Box::new(Select {
                items: vec![star],
                from: Some(TableRef::Subquery {
                    query: Box::new(inner),
                    alias: None,
                }),
                ..Select::default()
            })));
        }
        if !self.is_word("select") {
            return Err(self.unexpected());
        }
        Ok(QueryBody::Select(Box::new(self.select()?)))
    }

    fn select(&mut self) -> Result<Select, SqlError> {
        self.advance();
        let mut select = Select::default();
        if self.accept_word("distinct") {
            select.distinct = true;
        } else {
            self.accept_word("all");
        }
        if self.accept_word("tags") {
            select.tags = true;
        }
        select.items = self.select_items()?;
        if self.accept_word("from") {
            select.from = Some(self.table_refs()?);
        }
        select.filter = self.filter_clause()?;
        if self.accept_word("partition") {
            self.expect_word("by")?;
            select.partition_by = self.select_items()?;
        }
        if self.is_word("range") && self.peek().kind == Kind::LParen {
            self.advance();
            select.range = Some(self.parenthesised_list()?);
        }
        if self.accept_word("every") {
            self.expect(Kind::LParen)?;
            select.every = Some(self.expr()?);
            self.expect(Kind::RParen)?;
        }
        if self.is_word("fill") {
            select.fill = Some(self.fill_clause(true)?);
        }
        select.window = self.window_clause()?;
        if select.fill.is_some() && select.window.is_some() {
            return Err(SqlError::unsupported("fill before a window"));
        }
        if matches!(select.window, Some(Window::Interval { .. })) && self.is_word("fill") {
            select.fill = Some(self.fill_clause(false)?);
        }
        if self.accept_word("group") {
            self.expect_word("by")?;
            select.group_by = self.expr_list()?;
        }
        if self.accept_word("having") {
            select.having = Some(self.expr()?);
        }
        Ok(select)
    }

    fn parenthesised_list(&mut self) -> Result<Vec<Expr>, SqlError> {
        self.expect(Kind::LParen)?;
        let list = self.expr_list()?;
        self.expect(Kind::RParen)?;
        Ok(list)
    }

    pub(super) fn filter_clause(&mut self) -> Result<Option<Expr>, SqlError> {
        if self.accept_word("where") {
            return self.expr().map(Some);
        }
        Ok(None)
    }

    fn select_items(&mut self) -> Result<Vec<SelectItem>, SqlError> {
        let mut items = vec![self.select_item()?];
        while self.accept(Kind::Comma) {
            items.push(self.select_item()?);
        }
        Ok(items)
    }

    fn select_item(&mut self) -> Result<SelectItem, SqlError> {
        if self.token.kind == Kind::Star {
            let token = self.advance();
            return Ok(SelectItem {
                expr: Expr {
                    kind: ExprKind::Wildcard(None),
                    span: token.span,
                },
                alias: None,
            });
        }
        let expr = self.expr()?;
        let alias = self.column_alias()?;
        Ok(SelectItem { expr, alias })
    }

    fn alias(&mut self) -> Result<Option<Ident>, SqlError> {
        if self.accept_word("as") || self.is_name() {
            return self.ident().map(Some);
        }
        Ok(None)
    }

    /// An alias of a result column, which other scripts may write without quotes.
    fn column_alias(&mut self) -> Result<Option<Ident>, SqlError> {
        let foreign =
            |parser: &mut Self| (parser.token.kind == Kind::Alias).then(|| parser.foreign_name());
        if let Some(name) = foreign(self) {
            return Ok(Some(name));
        }
        if self.accept_word("as") {
            return match foreign(self) {
                Some(name) => Ok(Some(name)),
                None => self.ident().map(Some),
            };
        }
        self.alias()
    }

    // ---- FROM ----

    fn table_refs(&mut self) -> Result<TableRef, SqlError> {
        let mut left = self.table_ref()?;
        let mut links = 0;
        loop {
            self.link(&mut links)?;
            if self.accept(Kind::Comma) {
                let right = self.table_ref()?;
                left = joined(left, right, JoinKind::Inner);
                continue;
            }
            let Some(kind) = self.join_kind()? else {
                return Ok(left);
            };
            let right = self.table_ref()?;
            let mut join = Join {
                left,
                right,
                kind,
                on: None,
                window_offset: None,
                jlimit: None,
            };
            if self.accept_word("on") {
                join.on = Some(self.expr()?);
            }
            if self.accept_word("window_offset") {
                self.expect(Kind::LParen)?;
                let from = self.expr()?;
                self.expect(Kind::Comma)?;
                join.window_offset = Some((from, self.expr()?));
                self.expect(Kind::RParen)?;
            }
            if self.accept_word("jlimit") {
                join.jlimit = Some(self.integer()?);
            }
            left = TableRef::Join(Box::new(join));
        }
    }

    fn join_kind(&mut self) -> Result<Option<JoinKind>, SqlError> {
        let word = self.word().to_ascii_lowercase();
        let kind = match word.as_str() {
            "join" => {
                self.advance();
                return Ok(Some(JoinKind::Inner));
            }
            "inner" => {
                self.advance();
                JoinKind::Inner
            }
            "full" => {
                self.advance();
                self.accept_word("outer");
                JoinKind::FullOuter
            }
            "left" | "right" => {
                self.advance();
                let left = word == "left";
                let form = self.word().to_ascii_lowercase();
                let (if_left, if_right) = match form.as_str() {
                    "semi" => (JoinKind::LeftSemi, JoinKind::RightSemi),
                    "anti" => (JoinKind::LeftAnti, JoinKind::RightAnti),
                    "asof" => (JoinKind::LeftAsof, JoinKind::RightAsof),
                    "window" => (JoinKind::LeftWindow, JoinKind::RightWindow),
                    _ => (JoinKind::LeftOuter, JoinKind::RightOuter),
                };
                if matches!(form.as_str(), "semi" | "anti" | "asof" | "window" | "outer") {
                    self.advance();
                }
                if left { if_left } else { if_right }
            }
            _ => return Ok(None),
        };
        self.expect_word("join")?;
        Ok(Some(kind))
    }

    fn table_ref(&mut self) -> Result<TableRef, SqlError> {
        if self.token.kind == Kind::LParen {
            let next = self.peek();
            let query =
                next.kind == Kind::LParen || next.span.of(self.sql).eq_ignore_ascii_case("select");
            if query {
                self.advance();
                let query = Box::new(self.query()?);
                self.expect(Kind::RParen)?;
                let alias = self.alias()?;
                return Ok(TableRef::Subquery { query, alias });
            }
            self.advance();
            let inner = self.table_refs()?;
            self.expect(Kind::RParen)?;
            return Ok(inner);
        }
        let name = self.object_name()?;
        let alias = self.alias()?;
        Ok(TableRef::Table { name, alias })
    }

    // ---- windows ----

    fn window_clause(&mut self) -> Result<Option<Window>, SqlError> {
        let word = self.word().to_ascii_lowercase();
        Ok(Some(match word.as_str() {
            "interval" => {
                self.advance();
                self.interval()?
            }
            "session" => {
                self.advance();
                self.expect(Kind::LParen)?;
                let column = self.expr()?;
                self.expect(Kind::Comma)?;
                let gap = self.width()?;
                self.expect(Kind::RParen)?;
                Window::Session { column, gap }
            }
            "state_window" => {
                self.advance();
                self.expect(Kind::LParen)?;
                let state = self.expr()?;
                if self.token.kind == Kind::Comma {
                    return Err(SqlError::unsupported("state_window with more arguments"));
                }
                self.expect(Kind::RParen)?;
                let true_for = self.true_for()?;
                Window::State { state, true_for }
            }
            "event_window" => {
                self.advance();
                self.event_window()?
            }
            "count_window" => {
                self.advance();
                self.count_window()?
            }
            "anomaly_window" => return Err(SqlError::unsupported("anomaly_window")),
            _ => return Ok(None),
        }))
    }

    fn interval(&mut self) -> Result<Window, SqlError> {
        self.expect(Kind::LParen)?;
        let width = self.width()?;
        let (mut offset, mut auto) = (None, false);
        if self.accept(Kind::Comma) {
            auto = self.accept_word("auto");
            if !auto {
                offset = Some(self.width()?);
            }
        }
        self.expect(Kind::RParen)?;
        let mut sliding = None;
        if self.accept_word("sliding") {
            self.expect(Kind::LParen)?;
            sliding = Some(self.width()?);
            self.expect(Kind::RParen)?;
        }
        Ok(Window::Interval {
            width,
            offset,
            auto,
            sliding,
        })
    }

    fn event_window(&mut self) -> Result<Window, SqlError> {
        self.expect_word("start")?;
        self.expect_word("with")?;
        let start = self.expr()?;
        self.expect_word("end")?;
        self.expect_word("with")?;
        let end = self.expr()?;
        let true_for = self.true_for()?;
        Ok(Window::Event {
            start,
            end,
            true_for,
        })
    }

    fn count_window(&mut self) -> Result<Window, SqlError> {
        self.expect(Kind::LParen)?;
        let count = self.integer()?;
        let mut step = None;
        let mut columns = Vec::new();
        while self.accept(Kind::Comma) {
            if self.token.kind == Kind::Integer && step.is_none() && columns.is_empty() {
                step = Some(self.integer()?);
            } else {
                columns.push(self.expr()?);
            }
        }
        self.expect(Kind::RParen)?;
        Ok(Window::Count {
            count,
            step,
            columns,
        })
    }

    fn true_for(&mut self) -> Result<Option<Width>, SqlError> {
        if !self.accept_word("true_for") {
            return Ok(None);
        }
        self.expect(Kind::LParen)?;
        let width = self.width()?;
        self.expect(Kind::RParen)?;
        Ok(Some(width))
    }

    fn width(&mut self) -> Result<Width, SqlError> {
        match self.token.kind {
            Kind::Integer => Ok(Width::Ticks(self.integer()?)),
            Kind::Duration | Kind::Text => {
                let token = self.token;
                let text = self
                    .peek_text()
                    .unwrap_or_else(|| self.here().of(self.sql).to_owned());
                let duration = duration_of(&text)
                    .ok_or_else(|| SqlError::syntax(token.span.rest(self.sql)))?;
                self.advance();
                Ok(Width::Duration(duration))
            }
            _ => Err(self.unexpected()),
        }
    }

    /// FILL of INTERP may name values for points without a row nearby, FILL of a window may not.
    fn fill_clause(&mut self, of_points: bool) -> Result<Fill, SqlError> {
        self.advance();
        self.expect(Kind::LParen)?;
        let mode = match self.word().to_ascii_lowercase().as_str() {
            "none" => FillMode::None,
            "null" => FillMode::Null,
            "null_f" => FillMode::NullForced,
            "value" => FillMode::Value,
            "value_f" => FillMode::ValueForced,
            "prev" => FillMode::Prev,
            "next" => FillMode::Next,
            "linear" => FillMode::Linear,
            "near" => FillMode::Near,
            _ => return Err(self.unexpected()),
        };
        self.advance();
        let mut values = Vec::new();
        let near = matches!(mode, FillMode::Prev | FillMode::Next | FillMode::Near);
        if matches!(mode, FillMode::Value | FillMode::ValueForced) {
            self.expect(Kind::Comma)?;
            values = self.expr_list()?;
        } else if of_points && near {
            if self.accept(Kind::Comma) {
                values = self.expr_list()?;
            }
        } else if self.accept(Kind::Comma) {
            return Err(SqlError::unsupported("values behind this mode of fill"));
        }
        self.expect(Kind::RParen)?;
        Ok(Fill { mode, values })
    }

    // ---- ORDER BY, LIMIT ----

    fn order_by(&mut self) -> Result<Vec<OrderItem>, SqlError> {
        let mut items = Vec::new();
        if !self.accept_word("order") {
            return Ok(items);
        }
        self.expect_word("by")?;
        loop {
            let expr = self.expr()?;
            let descending = !self.accept_word("asc") && self.accept_word("desc");
            let mut nulls_first = None;
            if self.accept_word("nulls") {
                nulls_first = Some(self.accept_word("first"));
                if nulls_first == Some(false) {
                    self.expect_word("last")?;
                }
            }
            items.push(OrderItem {
                expr,
                descending,
                nulls_first,
            });
            if !self.accept(Kind::Comma) {
                return Ok(items);
            }
        }
    }

    fn limit_clause(&mut self, limit: &str, offset: &str) -> Result<Option<Limit>, SqlError> {
        if !self.accept_word(limit) {
            return Ok(None);
        }
        let first = self.integer()?;
        if self.accept_word(offset) {
            return Ok(Some(Limit {
                count: Some(first),
                offset: Some(self.integer()?),
            }));
        }
        if self.accept(Kind::Comma) {
            return Ok(Some(Limit {
                count: Some(self.integer()?),
                offset: Some(first),
            }));
        }
        Ok(Some(Limit {
            count: Some(first),
            offset: None,
        }))
    }
}

fn joined(left: TableRef, right: TableRef, kind: JoinKind) -> TableRef {
    TableRef::Join(Box::new(Join {
        left,
        right,
        kind,
        on: None,
        window_offset: None,
        jlimit: None,
    }))
}
