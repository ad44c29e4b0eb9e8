//! `INSERT INTO table (columns) VALUES (?, literal, …)`, which is all of SQL that becomes lines.

use std::str::Chars;

use taos_query::common::{BorrowedValue, Ty};
use taos_query::{ErrorKind, RawError, RawResult};

use crate::sql::after_comment;

/// What an INSERT says.
#[derive(Debug, Clone)]
pub(super) struct Insert {
    /// `None` for a `?` in its place.
    pub(super) table: Option<String>,
    /// `None` for all of the table's.
    pub(super) columns: Option<Vec<String>>,
    pub(super) values: Vec<Item>,
}

/// One of the values of an INSERT.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Mark,
    Literal(BorrowedValue<'static>),
    /// `now()` and its likes.
    Now,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// Not quoted, dots included.
    Word(String),
    /// A name in double quotes or backticks.
    Name(String),
    /// Text in single quotes.
    Text(String),
    Number(String),
    /// `?`.
    Mark,
    /// `$1` and so on.
    Numbered(usize),
    Sign(char),
}

fn wrong(why: impl std::fmt::Display) -> RawError {
    RawError::of(
        ErrorKind::Config,
        format!("this INSERT cannot be prepared: {why}"),
    )
}

pub(super) fn unsupported(what: impl std::fmt::Display) -> RawError {
    RawError::unsupported(what.to_string(), "QuestDB")
}

/// True if the statement begins with INSERT.
pub(super) fn is_insert(sql: &str) -> bool {
    let first = tokens(sql)
        .ok()
        .and_then(|tokens| tokens.into_iter().next());
    matches!(first, Some(Token::Word(word)) if word.eq_ignore_ascii_case("insert"))
}

impl Insert {
    /// Reads a statement.
    ///
    /// # Errors
    /// `Unsupported` for statements other than INSERT and for what only TDengine's INSERT has;
    /// `Config` for values that are no placeholders or literals.
    pub(super) fn parse(sql: &str) -> RawResult<Self> {
        let mut parser = Parser {
            tokens: tokens(sql)?.into_iter().peekable(),
            marks: 0,
        };
        if !parser.keyword("insert") {
            return Err(unsupported(
                "preparing what is no INSERT, but for `questdb+ws` (write the values into the SQL of a query),",
            ));
        }
        if parser.keyword("atomic") || parser.keyword("batch") {
            return Err(unsupported("preparing INSERT ATOMIC and INSERT BATCH"));
        }
        if !parser.keyword("into") {
            return Err(wrong("INTO is missing"));
        }
        let table = parser.table()?;
        if parser.keyword("using") || parser.keyword("tags") {
            return Err(unsupported(
                "USING and TAGS (there are no super tables; a SYMBOL column is what a tag is)",
            ));
        }
        let columns = if parser.sign('(') {
            Some(parser.columns()?)
        } else {
            None
        };
        if !parser.keyword("values") {
            return Err(wrong("VALUES is missing behind the table and its columns"));
        }
        if !parser.sign('(') {
            return Err(wrong("`(` is missing behind VALUES"));
        }
        let values = parser.values()?;
        parser.sign(';');
        if parser.tokens.peek().is_some() {
            return Err(wrong(
                "it must end with one list of values; several rows are bound, not written out",
            ));
        }
        if let Some(columns) = columns.as_ref().filter(|names| names.len() != values.len()) {
            return Err(wrong(format_args!(
                "{} columns but {} values",
                columns.len(),
                values.len()
            )));
        }
        Ok(Self {
            table,
            columns,
            values,
        })
    }

    /// Number of placeholders but for that of the table.
    pub(super) fn marks(&self) -> usize {
        let marks = self.values.iter().filter(|item| matches!(item, Item::Mark));
        marks.count()
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    /// Placeholders so far.
    marks: usize,
}

impl Parser {
    /// True for a placeholder. Those with numbers count up, because values are bound in that order.
    fn mark(&mut self) -> RawResult<bool> {
        let is = |token: &Token| matches!(token, Token::Mark | Token::Numbered(_));
        let Some(token) = self.tokens.next_if(is) else {
            return Ok(false);
        };
        self.marks += 1;
        match token {
            Token::Numbered(number) if number != self.marks => Err(wrong(format_args!(
                "`${number}` stands where `${}` is next; each placeholder is bound once, in the order of \
                 their numbers",
                self.marks
            ))),
            _ => Ok(true),
        }
    }

    fn keyword(&mut self, word: &str) -> bool {
        let is = |token: &Token| matches!(token, Token::Word(w) if w.eq_ignore_ascii_case(word));
        self.tokens.next_if(is).is_some()
    }

    fn sign(&mut self, sign: char) -> bool {
        self.tokens.next_if_eq(&Token::Sign(sign)).is_some()
    }

    fn table(&mut self) -> RawResult<Option<String>> {
        let mut parts = Vec::new();
        if self.mark()? {
            return Ok(None);
        }
        loop {
            match self.tokens.next() {
                Some(Token::Name(name) | Token::Text(name)) => parts.push(name),
                // A dot in a word divides, in quotes it is part of the name.
                Some(Token::Word(word)) => parts.extend(word.split('.').map(str::to_owned)),
                _ => return Err(wrong("the name of the table is missing")),
            }
            if !self.sign('.') {
                break;
            }
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        one_table(&parts).map(|table| Some(table.to_owned()))
    }

    fn columns(&mut self) -> RawResult<Vec<String>> {
        let mut columns: Vec<String> = Vec::new();
        loop {
            match self.tokens.next() {
                Some(Token::Word(word)) if word.eq_ignore_ascii_case("tbname") => {
                    return Err(unsupported(
                        "the column `tbname` (there are no super tables; a SYMBOL column is what a tag is)",
                    ));
                }
                Some(Token::Word(name) | Token::Name(name) | Token::Text(name)) => {
                    if columns
                        .iter()
                        .any(|known| known.eq_ignore_ascii_case(&name))
                    {
                        return Err(wrong(format_args!("the column `{name}` is listed twice")));
                    }
                    columns.push(name);
                }
                _ => return Err(wrong("the list of columns has something that is no name")),
            }
            if self.sign(')') {
                return Ok(columns);
            }
            if !self.sign(',') {
                return Err(wrong("`)` is missing behind the list of columns"));
            }
        }
    }

    fn values(&mut self) -> RawResult<Vec<Item>> {
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            if self.sign(')') {
                return Ok(values);
            }
            if !self.sign(',') {
                return Err(wrong(
                    "the values must be `?` or literals, with commas between them",
                ));
            }
        }
    }

    fn value(&mut self) -> RawResult<Item> {
        if self.mark()? {
            return Ok(Item::Mark);
        }
        let negative = self.sign('-');
        match self.tokens.next() {
            Some(Token::Number(digits)) => number(&digits, negative).map(Item::Literal),
            _ if negative => Err(wrong("`-` must stand before a number")),
            Some(Token::Text(text)) => Ok(Item::Literal(BorrowedValue::VarChar(text.into()))),
            Some(Token::Word(word)) => match word.to_ascii_lowercase().as_str() {
                "null" => Ok(Item::Literal(BorrowedValue::Null(Ty::Null))),
                "true" => Ok(Item::Literal(BorrowedValue::Bool(true))),
                "false" => Ok(Item::Literal(BorrowedValue::Bool(false))),
                "now" | "systimestamp" | "sysdate" if self.sign('(') && self.sign(')') => {
                    Ok(Item::Now)
                }
                _ => Err(wrong(format_args!(
                    "`{word}` among the values is neither `?` nor a literal"
                ))),
            },
            _ => Err(wrong("the values must be `?` or literals")),
        }
    }
}

/// The table of a name that may have a schema before it; there is only one.
fn one_table<'a>(parts: &[&'a str]) -> RawResult<&'a str> {
    match parts {
        [table] => Ok(table),
        ["public" | "qdb", table] => Ok(table),
        [database, _] => Err(unsupported(format_args!(
            "choosing a database (leave `{database}.` out of the name of the table)"
        ))),
        _ => Err(wrong("the name of the table has too many parts")),
    }
}

/// A table as programs name it: bare, in quotes, or behind the one schema.
pub(crate) fn table_name(name: &str) -> RawResult<String> {
    let whole = || wrong(format_args!("{name:?} cannot be the name of a table"));
    // A name may hold dots and blanks; only quotes and a known schema mean more than themselves.
    if !name.contains(['"', '`', '\'']) {
        let bare = name.strip_prefix("public.").unwrap_or(name);
        return Ok(bare.to_owned());
    }
    let mut parser = Parser {
        tokens: tokens(name)?.into_iter().peekable(),
        marks: 0,
    };
    let table = parser.table()?.ok_or_else(whole)?;
    if parser.tokens.next().is_some() {
        return Err(whole());
    }
    Ok(table)
}

fn number(digits: &str, negative: bool) -> RawResult<BorrowedValue<'static>> {
    let signed = if negative {
        format!("-{digits}")
    } else {
        digits.to_owned()
    };
    if let Ok(number) = signed.parse() {
        return Ok(BorrowedValue::BigInt(number));
    }
    match signed.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(BorrowedValue::Double(number)),
        _ => Err(wrong(format_args!("{signed} is not a number that fits"))),
    }
}

fn tokens(sql: &str) -> RawResult<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(c) = rest.chars().next() {
        let mut chars = rest.chars();
        if let Some(after) = after_comment(rest) {
            rest = after;
        } else if matches!(c, '\'' | '"' | '`') {
            let text = quoted(&mut chars)?;
            tokens.push(if c == '\'' {
                Token::Text(text)
            } else {
                Token::Name(text)
            });
            rest = chars.as_str();
        } else if c.is_ascii_digit()
            || (c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            let end = number_end(rest);
            tokens.push(Token::Number(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if c == '_' || c.is_alphanumeric() {
            let part = |c: char| c == '_' || c == '.' || c == '$' || c.is_alphanumeric();
            let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
            // A dot at the end divides this word from a name in quotes.
            let end = rest[..end].trim_end_matches('.').len();
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if c == '?' {
            tokens.push(Token::Mark);
            rest = &rest[1..];
        } else if let Some((number, after)) = numbered(rest) {
            tokens.push(Token::Numbered(number));
            rest = after;
        } else {
            chars.next();
            tokens.push(Token::Sign(c));
            rest = chars.as_str();
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// The number of `$1`, and what stands behind it.
fn numbered(text: &str) -> Option<(usize, &str)> {
    let digits = text.strip_prefix('$')?;
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let (number, after) = digits.split_at(end);
    Some((number.parse().ok()?, after))
}

/// Text up to the quote that began it, which doubled stands for itself.
fn quoted(chars: &mut Chars<'_>) -> RawResult<String> {
    let quote = chars.next();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        if Some(c) != quote {
            text.push(c);
        } else if chars.as_str().starts_with(c) {
            chars.next();
            text.push(c);
        } else {
            return Ok(text);
        }
    }
    Err(wrong("a quote is never closed"))
}

/// The length of the number that the text begins with.
fn number_end(text: &str) -> usize {
    let mut end = 0;
    let mut before = '0';
    for c in text.chars() {
        let exponent = matches!(before, 'e' | 'E') && matches!(c, '+' | '-');
        if !(c.is_ascii_alphanumeric() || c == '.' || exponent) {
            break;
        }
        end += c.len_utf8();
        before = c;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(insert: &Insert) -> (Option<&str>, Option<Vec<&str>>, String) {
        let names = insert.columns.as_ref();
        let values: Vec<String> = insert
            .values
            .iter()
            .map(|item| match item {
                Item::Mark => "?".to_owned(),
                Item::Now => "now".to_owned(),
                Item::Literal(BorrowedValue::Null(_)) => "null".to_owned(),
                Item::Literal(BorrowedValue::BigInt(v)) => v.to_string(),
                Item::Literal(BorrowedValue::Double(v)) => format!("{v:?}"),
                Item::Literal(BorrowedValue::Bool(v)) => v.to_string(),
                Item::Literal(value) => format!("{:?}", value.as_str()),
            })
            .collect();
        (
            insert.table.as_deref(),
            names.map(|names| names.iter().map(String::as_str).collect()),
            values.join(" "),
        )
    }

    #[test]
    fn an_insert_says_its_table_its_columns_and_its_values() {
        for (sql, table, columns, values) in [
            ("insert into t values(?,?)", Some("t"), None, "? ?"),
            ("INSERT INTO ? VALUES (?);", None, None, "?"),
            ("insert into $1 values ($2,7,$3)", None, None, "? 7 ?"),
            (
                "insert into \"my t\"\"x\" (a, \"b c\", `d`) values (?, 'it''s', -1)",
                Some("my t\"x"),
                Some(vec!["a", "b c", "d"]),
                "? Some(\"it's\") -1",
            ),
            (
                "insert into 'a.b' (ts, v) values (now(), 1.5e-3) -- end ?",
                Some("a.b"),
                Some(vec!["ts", "v"]),
                "now 0.0015",
            ),
            (
                "/* ? */ insert into `tür`(é) values(.5)",
                Some("tür"),
                Some(vec!["é"]),
                "0.5",
            ),
            (
                "insert into public.t values (null, TRUE, False, 99999999999999999999)",
                Some("t"),
                None,
                "null true false 1e20",
            ),
            (
                "insert into qdb.`t` values (systimestamp ( ))",
                Some("t"),
                None,
                "now",
            ),
        ] {
            let insert = Insert::parse(sql).unwrap();
            assert_eq!(said(&insert), (table, columns, values.to_owned()), "{sql}");
        }
        assert_eq!(
            Insert::parse("insert into t values(?,1,?)")
                .unwrap()
                .marks(),
            2
        );
    }

    #[test]
    fn what_cannot_become_lines_is_refused_by_name() {
        use ErrorKind::{Config, Unsupported};
        for (sql, kind, fragment) in [
            ("", Unsupported, "no INSERT"),
            ("select * from t where a = ?", Unsupported, "no INSERT"),
            (
                "insert into ? using st tags(?) values(?)",
                Unsupported,
                "USING",
            ),
            (
                "insert into st(tbname, v) values(?,?)",
                Unsupported,
                "tbname",
            ),
            ("insert into power.t values(?)", Unsupported, "database"),
            ("insert atomic into t values(?)", Unsupported, "ATOMIC"),
            ("insert t values(?)", Config, "INTO"),
            ("insert into values(?)", Config, "no name"),
            ("insert into t", Config, "VALUES"),
            ("insert into t select * from s", Config, "VALUES"),
            ("insert into t values", Config, "`(`"),
            ("insert into t values(?", Config, "commas"),
            ("insert into t values(?) (?)", Config, "one list"),
            ("insert into t values(?),(?)", Config, "one list"),
            ("insert into t values(? + 1)", Config, "commas"),
            ("insert into t values(rnd_int())", Config, "`rnd_int`"),
            ("insert into t values(-'a')", Config, "`-`"),
            (
                "insert into t(a,b) values(?)",
                Config,
                "2 columns but 1 values",
            ),
            (
                "insert into t(a,A) values(?,?)",
                Config,
                "`A` is listed twice",
            ),
            ("insert into t(a,) values(?,?)", Config, "no name"),
            ("insert into t values('open)", Config, "quote"),
            ("insert into t values(1x)", Config, "1x"),
            ("insert into t values(1e999)", Config, "fits"),
            ("insert into a.b.c values(?)", Config, "too many parts"),
            (
                "insert into t values($2, $1)",
                Config,
                "`$2` stands where `$1` is next",
            ),
            ("insert into t values($1, $1)", Config, "`$2` is next"),
            ("insert into t values($)", Config, "literals"),
        ] {
            let error = Insert::parse(sql).unwrap_err();
            assert_eq!(error.kind(), kind, "{sql}: {error}");
            assert!(error.to_string().contains(fragment), "{sql}: {error}");
        }
    }

    #[test]
    fn a_bound_table_may_be_quoted_or_hold_dots_and_blanks() {
        for (given, name) in [
            ("t", "t"),
            ("my t.x", "my t.x"),
            ("`t`", "t"),
            ("\"a.b\"", "a.b"),
            ("public.t", "t"),
            ("public.\"a b\"", "a b"),
        ] {
            assert_eq!(table_name(given).unwrap(), name, "{given}");
        }
        assert!(table_name("`t` x").is_err());
        assert!(table_name("`db`.`t`").is_err());
        assert!(table_name("`t").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_a_name_in_quotes_comes_back_whole(
            text in "(insert into )?(\\?|`|\"|'|[a-z.]|\\PC){0,12}( values)?\\(?([?,.0-9e'$-]|\\PC){0,12}\\)?",
            name in "[^\\p{Cc}]{1,12}",
        ) {
            let _ = (Insert::parse(&text), table_name(&text), is_insert(&text));
            let _ = super::super::query::Query::parse(&text);
            let quoted = name.replace('"', "\"\"");
            let insert = Insert::parse(&format!("insert into \"{quoted}\" values (?)")).unwrap();
            proptest::prop_assert_eq!(insert.table, Some(name));
        }
    }
}
