use super::Parser;
use crate::sql::SqlError;
use crate::sql::ast::{
    Duration, Ident, Insert, InsertSource, InsertTarget, InsertValue, InsertValueKind, ObjectName,
    Span, Statement, TimeBase, TimeExpr, Using, ValueRows,
};
use crate::sql::code::{INCOMPLETE, INSERT_SYNTAX, SYNTAX};
use crate::sql::lexer::Kind;

impl Parser<'_> {
    pub(super) fn insert_statement(self) -> Result<Statement, SqlError> {
        let writes_values = self.writes_values();
        self.insert_parts().map_err(|error| match error.code {
            INSERT_SYNTAX if !writes_values => SqlError::new(SYNTAX, error.message),
            _ => error,
        })
    }

    /// True if VALUES, USING or FILE comes before any SELECT; another INSERT has the codes of a query.
    fn writes_values(&self) -> bool {
        let mut lexer = self.lexer;
        loop {
            let token = lexer.next_token();
            match token.kind {
                Kind::End | Kind::Semicolon | Kind::Bad => return false,
                Kind::Word => {}
                _ => continue,
            }
            let word = token.span.of(self.sql);
            let is = |other: &&str| word.eq_ignore_ascii_case(other);
            if ["values", "using", "file"].iter().any(is) {
                return true;
            }
            if word.eq_ignore_ascii_case("select") {
                return false;
            }
        }
    }

    fn insert_parts(mut self) -> Result<Statement, SqlError> {
        self.advance();
        if !self.accept_word("into") {
            return Err(self.bad_insert("keyword INTO is expected"));
        }
        let mut insert = Insert {
            targets: Vec::new(),
            times: Vec::new(),
        };
        while !matches!(self.token.kind, Kind::End | Kind::Semicolon) {
            let target = self.insert_target(&mut insert.times)?;
            let query = matches!(target.source, InsertSource::Query(_));
            insert.targets.push(target);
            if query {
                self.end_of_statement()?;
            }
        }
        if insert.targets.is_empty() {
            return Err(self.bad_insert("table name is expected"));
        }
        Ok(Statement::Insert(insert))
    }

    fn bad_insert(&self, reason: &str) -> SqlError {
        SqlError::insert_syntax(self.token.span.rest(self.sql), reason)
    }

    fn insert_target(&mut self, times: &mut Vec<TimeExpr>) -> Result<InsertTarget, SqlError> {
        let start = self.token.span.start;
        let table = self.insert_table()?;
        let mut columns = None;
        if self.token.kind == Kind::LParen && !self.peek_is_word("select") {
            columns = Some(self.insert_columns()?);
        }
        let mut using = None;
        if self.accept_word("using") {
            using = Some(self.using().map_err(|error| self.as_insert(error))?);
            if self.token.kind == Kind::LParen && columns.is_none() {
                columns = Some(self.insert_columns()?);
            }
        }
        let values_at = self.token.span;
        let source = if self.accept_word("values") {
            InsertSource::Values(self.value_rows(times)?)
        } else if self.is_word("select") || self.token.kind == Kind::LParen {
            InsertSource::Query(Box::new(self.query()?))
        } else if self.is_word("file") {
            return Err(SqlError::unsupported("INSERT FILE"));
        } else {
            return Err(self.bad_insert("keyword VALUES or FILE is expected"));
        };
        Ok(InsertTarget {
            table,
            using,
            columns,
            source,
            span: self.span_from(start),
            values_at,
        })
    }

    /// A name, or the `?` of a prepared statement.
    fn insert_table(&mut self) -> Result<ObjectName, SqlError> {
        if self.token.kind == Kind::Question {
            let span = self.advance().span;
            let name = Ident {
                name: InsertTarget::ANY_TABLE.to_owned(),
                quoted: false,
                span,
            };
            return Ok(ObjectName { db: None, name });
        }
        self.object_name()
            .map_err(|_| self.bad_insert("invalid table name"))
    }

    /// Inside INSERT every syntax error has INSERT's code.
    fn as_insert(&self, error: SqlError) -> SqlError {
        match error.code {
            SYNTAX | INCOMPLETE => self.bad_insert("invalid form of USING"),
            _ => error,
        }
    }

    fn insert_columns(&mut self) -> Result<Vec<Ident>, SqlError> {
        self.advance();
        let mut columns = Vec::new();
        loop {
            columns.push(
                self.ident()
                    .map_err(|_| self.bad_insert("column name is expected"))?,
            );
            if !self.accept(Kind::Comma) {
                break;
            }
        }
        if !self.accept(Kind::RParen) {
            return Err(self.bad_insert(") expected"));
        }
        Ok(columns)
    }

    fn value_rows(&mut self, times: &mut Vec<TimeExpr>) -> Result<ValueRows, SqlError> {
        let mut rows = ValueRows::default();
        loop {
            if self.token.kind != Kind::LParen {
                break;
            }
            self.advance();
            loop {
                rows.values.push(self.insert_value(times)?);
                if !self.accept(Kind::Comma) {
                    break;
                }
            }
            if !self.accept(Kind::RParen) {
                return Err(self.bad_insert(") expected"));
            }
            rows.row_ends
                .push(u32::try_from(rows.values.len()).unwrap_or(u32::MAX));
            self.accept(Kind::Comma);
        }
        if rows.row_ends.is_empty() {
            return Err(SqlError::insert_syntax(
                "no any data points",
                "rows are expected behind VALUES",
            ));
        }
        Ok(rows)
    }

    /// One value of VALUES, TAGS or SET TAG.
    pub(super) fn insert_value(
        &mut self,
        times: &mut Vec<TimeExpr>,
    ) -> Result<InsertValue, SqlError> {
        let start = self.token.span.start;
        if self.token.kind == Kind::Duration {
            return self.duration_first(times);
        }
        let mut base = None;
        let mut kind = self.insert_literal(&mut base)?;
        if let Some(base) = base {
            let offset = self.time_offset()?;
            let bare = matches!(base, TimeBase::Number(_) | TimeBase::Text(_));
            if offset.is_some() || !bare {
                kind = InsertValueKind::Time(u32::try_from(times.len()).unwrap_or(u32::MAX));
                times.push(TimeExpr { base, offset });
            }
        }
        Ok(InsertValue {
            kind,
            span: self.span_from(start),
        })
    }

    fn insert_literal(&mut self, base: &mut Option<TimeBase>) -> Result<InsertValueKind, SqlError> {
        let start = self.token.span.start;
        match self.token.kind {
            Kind::Text => {
                let token = self.advance();
                *base = Some(TimeBase::Text(token.span));
                Ok(InsertValueKind::Text)
            }
            Kind::Integer | Kind::Float | Kind::Radix => {
                let token = self.advance();
                *base = Some(TimeBase::Number(token.span));
                Ok(InsertValueKind::Number)
            }
            Kind::Minus | Kind::Plus => {
                self.advance();
                if !matches!(self.token.kind, Kind::Integer | Kind::Float | Kind::Radix) {
                    return Err(self.bad_insert("a number is expected"));
                }
                self.advance();
                *base = Some(TimeBase::Number(self.span_from(start)));
                Ok(InsertValueKind::Number)
            }
            Kind::Question => {
                self.advance();
                Ok(InsertValueKind::Placeholder)
            }
            Kind::Word => self.insert_word(base),
            _ => Err(self.bad_insert("a value is expected")),
        }
    }

    /// `duration + time`.
    fn duration_first(&mut self, times: &mut Vec<TimeExpr>) -> Result<InsertValue, SqlError> {
        let start = self.token.span.start;
        let offset = self.fixed_duration()?;
        if !self.accept(Kind::Plus) {
            return Err(self.bad_insert("invalid timestamp"));
        }
        let mut base = None;
        self.insert_literal(&mut base)?;
        let base = base.ok_or_else(|| self.bad_insert("invalid timestamp"))?;
        let kind = InsertValueKind::Time(u32::try_from(times.len()).unwrap_or(u32::MAX));
        times.push(TimeExpr {
            base,
            offset: Some(offset),
        });
        Ok(InsertValue {
            kind,
            span: self.span_from(start),
        })
    }

    fn insert_word(&mut self, base: &mut Option<TimeBase>) -> Result<InsertValueKind, SqlError> {
        let word = self.word();
        let constant = if word.eq_ignore_ascii_case("null") {
            InsertValueKind::Null
        } else if word.eq_ignore_ascii_case("true") {
            InsertValueKind::Bool(true)
        } else if word.eq_ignore_ascii_case("false") {
            InsertValueKind::Bool(false)
        } else if word.eq_ignore_ascii_case("now") || word.eq_ignore_ascii_case("today") {
            *base = Some(if word.len() == 3 {
                TimeBase::Now
            } else {
                TimeBase::Today
            });
            self.advance();
            if self.accept(Kind::LParen) && !self.accept(Kind::RParen) {
                return Err(self.bad_insert(") expected"));
            }
            return Ok(InsertValueKind::Time(0));
        } else {
            return Err(self.bad_insert("a value is expected"));
        };
        self.advance();
        Ok(constant)
    }

    /// At most one duration that is added or taken away.
    fn time_offset(&mut self) -> Result<Option<Duration>, SqlError> {
        if !matches!(self.token.kind, Kind::Plus | Kind::Minus) {
            return Ok(None);
        }
        let negative = self.advance().kind == Kind::Minus;
        let mut offset = self.fixed_duration()?;
        if negative {
            offset.value = -offset.value;
        }
        Ok(Some(offset))
    }

    /// A duration of a fixed length, as INSERT takes it.
    fn fixed_duration(&mut self) -> Result<Duration, SqlError> {
        let text = self.token.span.of(self.sql);
        let duration = match self.token.kind {
            Kind::Duration => super::duration_of(text),
            _ => None,
        };
        let duration = duration
            .filter(|duration| duration.unit.nanoseconds().is_some())
            .ok_or_else(|| self.bad_insert("invalid timestamp"))?;
        self.advance();
        Ok(duration)
    }

    /// What follows USING.
    pub(super) fn using(&mut self) -> Result<Using, SqlError> {
        let stable = self.object_name()?;
        let mut tag_names = None;
        if self.accept(Kind::LParen) {
            let mut names = vec![self.ident()?];
            while self.accept(Kind::Comma) {
                names.push(self.ident()?);
            }
            self.expect(Kind::RParen)?;
            tag_names = Some(names);
        }
        self.expect_word("tags")?;
        self.expect(Kind::LParen)?;
        let mut times = Vec::new();
        let mut values = vec![self.insert_value(&mut times)?];
        while self.accept(Kind::Comma) {
            values.push(self.insert_value(&mut times)?);
        }
        self.expect(Kind::RParen)?;
        Ok(Using {
            stable,
            tag_names,
            values,
            times,
        })
    }

    pub(super) const fn here(&self) -> Span {
        self.token.span
    }
}
