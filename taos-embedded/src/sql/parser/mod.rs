//! Recursive descent over the statements, operator precedence over the expressions.

mod create;
mod expr;
mod insert;
mod query;
mod show;
#[cfg(test)]
mod tests;
mod users;

use super::SqlError;
use super::ast::{Delete, Duration, DurationUnit, Explain, Ident, ObjectName, Span, Statement};
use super::lexer::{Kind, Lexer, Token, unexpected};
use super::text::unquote;

/// Deeper nesting is refused before it can exhaust the stack.
const MAX_DEPTH: u32 = 32;

/// More operators in one chain are refused: a chain is a tree as deep as it is long.
const MAX_CHAIN: u32 = 64;

/// Words that never name a column, table or alias unless they are quoted.
const RESERVED: &[&str] = &[
    "all",
    "alter",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "contains",
    "count_window",
    "create",
    "delete",
    "desc",
    "describe",
    "distinct",
    "drop",
    "else",
    "end",
    "event_window",
    "every",
    "exists",
    "explain",
    "false",
    "fill",
    "for",
    "from",
    "full",
    "group",
    "having",
    "if",
    "in",
    "inner",
    "insert",
    "interval",
    "into",
    "is",
    "jlimit",
    "join",
    "left",
    "like",
    "limit",
    "match",
    "nmatch",
    "not",
    "null",
    "nulls",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "partition",
    "range",
    "regexp",
    "right",
    "select",
    "session",
    "set",
    "show",
    "sliding",
    "slimit",
    "soffset",
    "stable",
    "state_window",
    "table",
    "tags",
    "then",
    "to",
    "true",
    "union",
    "use",
    "using",
    "values",
    "when",
    "where",
    "window",
    "window_offset",
    "with",
];

pub(super) struct Parser<'a> {
    sql: &'a str,
    lexer: Lexer<'a>,
    token: Token,
    /// End of the token before the current one: where an expression stopped.
    last_end: u32,
    depth: u32,
    placeholders: u32,
}

impl<'a> Parser<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        let mut lexer = Lexer::new(sql);
        let token = lexer.next_token();
        Self {
            sql,
            lexer,
            token,
            last_end: 0,
            depth: 0,
            placeholders: 0,
        }
    }

    pub(super) fn statement(mut self) -> Result<Statement, SqlError> {
        let start = self.token;
        if start.kind == Kind::LParen {
            return self.query_statement();
        }
        let word = self.word().to_ascii_lowercase();
        let statement = match word.as_str() {
            "select" => return self.query_statement(),
            "insert" | "import" => return self.insert_statement(),
            "create" => self.create_statement()?,
            "drop" => self.drop_statement()?,
            "alter" => self.alter_statement()?,
            "show" => self.show_statement()?,
            "use" => {
                self.advance();
                Statement::Use(self.ident()?)
            }
            "describe" | "desc" => {
                self.advance();
                Statement::Describe(self.object_name()?)
            }
            "delete" => {
                self.advance();
                self.expect_word("from")?;
                let table = self.object_name()?;
                let filter = self.filter_clause()?;
                Statement::Delete(Delete { table, filter })
            }
            "flush" => {
                self.advance();
                self.expect_word("database")?;
                Statement::FlushDatabase(self.ident()?)
            }
            "explain" => self.explain_statement()?,
            "grant" | "revoke" | "kill" | "trim" | "compact" | "reset" | "balance" | "merge"
            | "redistribute" | "split" | "syncdb" | "pause" | "resume" | "restore"
            | "s3migrate" | "recalculate" | "analyze" | "stop" | "start" | "ssmigrate"
            | "rollup" | "scan" | "assign" => {
                return Ok(Statement::Other(word.to_ascii_uppercase()));
            }
            _ => return Err(self.unexpected()),
        };
        self.end_of_statement()?;
        Ok(statement)
    }

    fn explain_statement(&mut self) -> Result<Statement, SqlError> {
        self.advance();
        let analyze = self.accept_word("analyze");
        let mut verbose = false;
        loop {
            if self.accept_word("verbose") {
                verbose = self.accept_word("true");
                if !verbose {
                    self.expect_word("false")?;
                }
            } else if self.accept_word("ratio") {
                self.advance();
            } else {
                break;
            }
        }
        if self.is_word("insert") {
            return Err(SqlError::unsupported("explain insert"));
        }
        let query = self.query()?;
        Ok(Statement::Explain(Box::new(Explain {
            analyze,
            verbose,
            query,
        })))
    }

    fn query_statement(mut self) -> Result<Statement, SqlError> {
        let query = self.query()?;
        self.end_of_statement()?;
        Ok(Statement::Query(Box::new(query)))
    }

    fn end_of_statement(&self) -> Result<(), SqlError> {
        match self.token.kind {
            Kind::End | Kind::Semicolon => Ok(()),
            _ => Err(self.unexpected()),
        }
    }

    // ---- tokens ----

    fn advance(&mut self) -> Token {
        let token = self.token;
        self.last_end = token.span.end;
        self.token = self.lexer.next_token();
        token
    }

    /// The token behind the current one.
    fn peek(&self) -> Token {
        let mut lexer = self.lexer;
        lexer.next_token()
    }

    /// The current token's text, if it is an unquoted word.
    fn word(&self) -> &'a str {
        if self.token.kind == Kind::Word {
            self.token.span.of(self.sql)
        } else {
            ""
        }
    }

    fn is_word(&self, word: &str) -> bool {
        self.word().eq_ignore_ascii_case(word)
    }

    fn peek_is_word(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == Kind::Word && token.span.of(self.sql).eq_ignore_ascii_case(word)
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), SqlError> {
        if self.accept_word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn accept(&mut self, kind: Kind) -> bool {
        let found = self.token.kind == kind;
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, kind: Kind) -> Result<Token, SqlError> {
        if self.token.kind == kind {
            Ok(self.advance())
        } else {
            Err(self.unexpected())
        }
    }

    fn unexpected(&self) -> SqlError {
        match self.token.kind {
            Kind::Semicolon => SqlError::incomplete(),
            _ => unexpected(self.sql, self.token),
        }
    }

    fn enter(&mut self) -> Result<(), SqlError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SqlError::unsupported(format!(
                "nesting deeper than {MAX_DEPTH} levels"
            )));
        }
        Ok(())
    }

    /// One more link of a chain.
    fn link(&self, links: &mut u32) -> Result<(), SqlError> {
        *links += 1;
        if *links > MAX_CHAIN {
            return Err(SqlError::unsupported(format!(
                "more than {MAX_CHAIN} operators in a row"
            )));
        }
        Ok(())
    }

    const fn leave(&mut self) {
        self.depth -= 1;
    }

    const fn span_from(&self, start: u32) -> Span {
        Span {
            start,
            end: self.last_end,
        }
    }

    // ---- names and literals ----

    fn is_name(&self) -> bool {
        match self.token.kind {
            Kind::Quoted => true,
            Kind::Word => !is_reserved(self.word()),
            _ => false,
        }
    }

    /// The name that an unquoted word of another script is.
    fn foreign_name(&mut self) -> Ident {
        let token = self.advance();
        Ident {
            name: token.span.of(self.sql).to_ascii_lowercase(),
            quoted: true,
            span: token.span,
        }
    }

    fn ident(&mut self) -> Result<Ident, SqlError> {
        if !self.is_name() {
            return Err(self.unexpected());
        }
        let token = self.advance();
        let text = token.span.of(self.sql);
        if token.kind == Kind::Quoted {
            let name = text.trim_matches('`').to_owned();
            if name.is_empty() {
                return Err(unexpected(self.sql, token));
            }
            return Ok(Ident {
                name,
                quoted: true,
                span: token.span,
            });
        }
        Ok(Ident {
            name: text.to_ascii_lowercase(),
            quoted: false,
            span: token.span,
        })
    }

    fn object_name(&mut self) -> Result<ObjectName, SqlError> {
        let first = self.ident()?;
        if self.accept(Kind::Dot) {
            let name = self.ident()?;
            return Ok(ObjectName {
                db: Some(first),
                name,
            });
        }
        Ok(ObjectName {
            db: None,
            name: first,
        })
    }

    fn text(&mut self) -> Result<String, SqlError> {
        let token = self.expect(Kind::Text)?;
        Ok(unquote(token.span.of(self.sql)).into_owned())
    }

    fn integer(&mut self) -> Result<i64, SqlError> {
        let token = self.expect(Kind::Integer)?;
        token
            .span
            .of(self.sql)
            .parse()
            .map_err(|_| unexpected(self.sql, token))
    }

    fn if_not_exists(&mut self) -> Result<bool, SqlError> {
        if self.is_word("if") {
            self.advance();
            self.expect_word("not")?;
            self.expect_word("exists")?;
            return Ok(true);
        }
        Ok(false)
    }

    fn if_exists(&mut self) -> Result<bool, SqlError> {
        if self.is_word("if") {
            self.advance();
            self.expect_word("exists")?;
            return Ok(true);
        }
        Ok(false)
    }
}

fn is_reserved(word: &str) -> bool {
    word.len() <= 16 && {
        let lower = word.to_ascii_lowercase();
        RESERVED.binary_search(&lower.as_str()).is_ok()
    }
}

/// Reads `10a`; `None` for anything else, also for numbers beyond 64 bits.
pub(super) fn duration_of(text: &str) -> Option<Duration> {
    let unit = DurationUnit::of_letter(*text.as_bytes().last()?)?;
    let value = text.get(..text.len() - 1)?.trim().parse().ok()?;
    Some(Duration { value, unit })
}
