//! What the text of a statement says about its placeholders, as far as the peer does not.

use crate::helpers::split_table;

/// The shape of a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// It begins with INSERT.
    pub insert: bool,
    /// A `?` stands where the table is named.
    pub table_mark: bool,
    /// The table that is written out, as it is written.
    table: Option<String>,
    /// The super table behind USING.
    using: Option<String>,
    /// Marks behind TAGS.
    pub tag_marks: usize,
    /// The first mark is that of the primary timestamp: no columns are listed, and the values begin
    /// with a mark.
    pub primary_first: bool,
    /// All marks, but for that of the table.
    pub marks: usize,
    /// Every table that is written out has its database before it.
    qualified: bool,
    /// Where the mark of the table stands.
    table_at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Mark(usize),
    Open,
    Close,
    Comma,
    /// A word, or a name with its dots and backticks.
    Name(&'a str),
    Other,
}

struct Tokens<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    fn rest(&self) -> &'a str {
        self.sql.get(self.at..).unwrap_or_default()
    }

    /// Skips to behind `end`, or to the end of the text.
    fn skip_past(&mut self, end: &str) {
        self.at = match self.rest().find(end) {
            Some(found) => self.at + found + end.len(),
            None => self.sql.len(),
        };
    }

    fn skip_text(&mut self, quote: char) {
        let mut escaped = false;
        for (at, c) in self.rest().char_indices() {
            if c == quote && !escaped {
                self.at += at + 1;
                return;
            }
            escaped = c == '\\' && !escaped;
        }
        self.at = self.sql.len();
    }

    fn name(&mut self) -> Token<'a> {
        let start = self.at;
        while let Some(c) = self.rest().chars().next() {
            if c == '`' {
                self.at += 1;
                self.skip_past("`");
            } else if c == '_' || c == '.' || c.is_alphanumeric() {
                self.at += c.len_utf8();
            } else {
                break;
            }
        }
        Token::Name(self.sql.get(start..self.at).unwrap_or_default())
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            let c = rest.chars().next()?;
            if rest.starts_with("--") {
                self.skip_past("\n");
            } else if rest.starts_with("/*") {
                self.skip_past("*/");
            } else if c.is_whitespace() {
                self.at += c.len_utf8();
            } else if c == '`' || c == '_' || c.is_alphanumeric() {
                return Some(self.name());
            } else {
                let at = self.at;
                self.at += c.len_utf8();
                return Some(match c {
                    '?' => Token::Mark(at),
                    '(' => Token::Open,
                    ')' => Token::Close,
                    ',' => Token::Comma,
                    '\'' | '"' => {
                        self.skip_text(c);
                        Token::Other
                    }
                    _ => Token::Other,
                });
            }
        }
    }
}

impl Outline {
    /// Reads a text.
    #[must_use]
    pub fn of(sql: &str) -> Self {
        let mut tokens = Tokens { sql, at: 0 };
        let insert = matches!(
            tokens.next(),
            Some(Token::Name(word)) if word.eq_ignore_ascii_case("insert")
        );
        let mut outline = Self {
            insert,
            ..Self::default()
        };
        if outline.insert {
            outline.read_insert(&mut tokens);
            // One database holds a table and its super table.
            let mut named = [&outline.table, &outline.using].into_iter().flatten();
            outline.qualified = named.any(|name| is_qualified(name));
        } else {
            outline.qualified = names_databases(Tokens { sql, at: 0 });
        }
        let mut all = Tokens { sql, at: 0 };
        outline.marks = all.by_ref().filter(|t| matches!(t, Token::Mark(_))).count()
            - usize::from(outline.table_mark);
        outline
    }

    /// Reads up to VALUES.
    fn read_insert(&mut self, tokens: &mut Tokens<'_>) {
        let mut target = tokens.next();
        if matches!(target, Some(Token::Name(into)) if into.eq_ignore_ascii_case("into")) {
            target = tokens.next();
        }
        match target {
            Some(Token::Mark(at)) => {
                self.table_mark = true;
                self.table_at = at;
            }
            Some(Token::Name(name)) => self.table = Some(name.to_owned()),
            _ => return,
        }
        let mut before = "";
        let mut columns_listed = false;
        while let Some(token) = tokens.next() {
            match token {
                Token::Open => {
                    let marks = list_marks(tokens);
                    if before.eq_ignore_ascii_case("tags") {
                        self.tag_marks = marks;
                        before = "";
                    } else if !before.eq_ignore_ascii_case("using name") {
                        columns_listed = true;
                    }
                }
                Token::Name(name) if name.eq_ignore_ascii_case("values") => {
                    let begin = (tokens.next(), tokens.next());
                    let marked = matches!(begin, (Some(Token::Open), Some(Token::Mark(_))));
                    self.primary_first = marked && !columns_listed;
                    return;
                }
                Token::Name(name) if before.eq_ignore_ascii_case("using") => {
                    self.using = Some(name.to_owned());
                    before = "using name";
                }
                Token::Name(name) => before = name,
                Token::Mark(_) | Token::Close | Token::Comma | Token::Other => {}
            }
        }
    }

    /// True if only the name of a table tells what its columns are.
    #[must_use]
    pub const fn needs_table(&self) -> bool {
        self.table_mark && self.using.is_none()
    }

    /// The table whose description holds for all rows, if the text names one.
    #[must_use]
    pub fn described(&self) -> Option<&str> {
        self.using.as_deref().or(self.table.as_deref())
    }

    /// True if it does not depend on the session's database which tables are meant, those with these
    /// names bound.
    #[must_use]
    pub fn is_qualified<'n>(&self, bound: impl IntoIterator<Item = &'n str>) -> bool {
        let mut bound = bound.into_iter().peekable();
        if self.insert && self.needs_table() {
            return bound.peek().is_some() && bound.all(is_qualified);
        }
        self.qualified
    }

    /// The statement for the table that SQL calls `place`.
    #[must_use]
    pub fn with_table(&self, sql: &str, place: &str) -> String {
        let (before, mark) = sql.split_at_checked(self.table_at).unwrap_or((sql, ""));
        let after = mark.strip_prefix('?').unwrap_or(mark);
        format!("{before}{place}{after}")
    }
}

fn is_qualified(name: &str) -> bool {
    split_table(name).0.is_some()
}

/// True if every table that a query reads has its database before it. What looks like a table
/// behind FROM counts as one, so that a doubt makes this false.
fn names_databases(tokens: Tokens<'_>) -> bool {
    const BEHIND: [&str; 16] = [
        "where",
        "on",
        "partition",
        "group",
        "having",
        "order",
        "interval",
        "session",
        "state_window",
        "event_window",
        "count_window",
        "range",
        "every",
        "limit",
        "slimit",
        "union",
    ];
    // For each open parenthesis: are tables being listed, and is one to come next?
    let mut levels = vec![(false, false)];
    for token in tokens {
        let Some((listing, next)) = levels.last_mut() else {
            return false;
        };
        match token {
            Token::Open => {
                *next = false;
                levels.push((false, false));
            }
            Token::Close => {
                levels.pop();
            }
            Token::Comma => *next = *listing,
            Token::Name(name) if *next => {
                if !is_qualified(name) {
                    return false;
                }
                *next = false;
            }
            Token::Name(word)
                if ["from", "join"]
                    .iter()
                    .any(|w| word.eq_ignore_ascii_case(w)) =>
            {
                (*listing, *next) = (true, true);
            }
            Token::Name(word) if BEHIND.iter().any(|w| word.eq_ignore_ascii_case(w)) => {
                *listing = false;
            }
            Token::Name(_) | Token::Mark(_) | Token::Other => {}
        }
    }
    true
}

/// Marks up to the end of the list whose parenthesis was just read.
fn list_marks(tokens: &mut Tokens<'_>) -> usize {
    let (mut depth, mut marks) = (1, 0);
    for token in tokens.by_ref() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth -= 1,
            Token::Mark(_) => marks += 1,
            Token::Name(_) | Token::Comma | Token::Other => {}
        }
        if depth == 0 {
            break;
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_tags_and_marks_are_found_whatever_stands_around_them() {
        let cases = [
            ("insert into t values(?,?)", false, Some("t"), 0, true, 2),
            (
                "insert into t values(now, ?)",
                false,
                Some("t"),
                0,
                false,
                1,
            ),
            (
                "INSERT INTO `a.?`.`b c` VALUES (?)",
                false,
                Some("`a.?`.`b c`"),
                0,
                true,
                1,
            ),
            (
                "insert into ? using st tags(?,?) values(?,?)",
                true,
                Some("st"),
                2,
                true,
                4,
            ),
            (
                "insert into ? using db.st (a, b) tags('?', ?) values(?)",
                true,
                Some("db.st"),
                1,
                true,
                2,
            ),
            (
                "insert into ? using st tags(?) (ts, v) values(?,?)",
                true,
                Some("st"),
                1,
                false,
                3,
            ),
            (
                "insert into st(tbname, a, ts) values(?,?,?)",
                false,
                Some("st"),
                0,
                false,
                3,
            ),
            (
                "/* ? */ insert into ? -- ?\n values(?, 'it\\'s ?', ?)",
                true,
                None,
                0,
                true,
                2,
            ),
            ("insert into ? (ts, v) values(?,?)", true, None, 0, false, 2),
            (
                "select * from t where a = ? and b = \"?\" and c > ?",
                false,
                None,
                0,
                false,
                2,
            ),
            ("", false, None, 0, false, 0),
            ("insert into", false, None, 0, false, 0),
            (
                "insert into t values('open ?",
                false,
                Some("t"),
                0,
                false,
                0,
            ),
        ];
        for (sql, table_mark, described, tag_marks, primary, marks) in cases {
            let outline = Outline::of(sql);
            assert_eq!(
                (
                    outline.table_mark,
                    outline.described(),
                    outline.tag_marks,
                    outline.primary_first,
                    outline.marks
                ),
                (table_mark, described, tag_marks, primary, marks),
                "{sql}"
            );
        }
    }

    #[test]
    fn a_statement_for_one_table_names_it_in_place_of_its_mark() {
        let sql = "insert into ? values(?,?)";
        let outline = Outline::of(sql);
        assert!(outline.needs_table());
        let expected = "insert into `my db`.`d1` values(?,?)";
        assert_eq!(outline.with_table(sql, "`my db`.`d1`"), expected);
    }

    #[test]
    fn it_is_known_which_statements_mean_the_same_in_every_database() {
        for (sql, bound, qualified) in [
            ("insert into db1.t values(?)", &[][..], true),
            ("insert into `a.b` values(?)", &[], false),
            ("insert into `a.b`.`t` values(?)", &[], true),
            (
                "insert into ? using db1.st tags(?) values(?)",
                &["d1"],
                true,
            ),
            (
                "insert into ? using st tags(?) values(?)",
                &["db.d1"],
                false,
            ),
            ("insert into ? values(?)", &["db1.d1", "db2.d2"], true),
            ("insert into ? values(?)", &["db1.d1", "d2"], false),
            ("insert into ? values(?)", &["`db1.d1`"], false),
            ("insert into ? values(?)", &[], false),
            ("select * from db1.t where a > ?", &[], true),
            ("select * from t where a > ?", &[], false),
            ("select * from `a.b` where c > ?", &[], false),
            (
                "select a, b from db1.t x, db2.u y where x.ts = y.ts and a > ?",
                &[],
                true,
            ),
            (
                "select a, b from db1.t x, u y where x.ts = y.ts and a > ?",
                &[],
                false,
            ),
            (
                "select a from db1.t x join u y on x.ts = y.ts where a > ?",
                &[],
                false,
            ),
            (
                "select a from (select a, b from db1.t where b > ?), db1.u",
                &[],
                true,
            ),
            (
                "select a from (select a, b from t where b > ?) order by a, b",
                &[],
                false,
            ),
            (
                "select a from db1.t where a > ? group by b, c order by b, c",
                &[],
                true,
            ),
            ("select ?", &[], true),
        ] {
            let found = Outline::of(sql).is_qualified(bound.iter().copied());
            assert_eq!(found, qualified, "{sql}");
        }
    }
}
