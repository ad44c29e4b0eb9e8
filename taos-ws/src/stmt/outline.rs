//! What the text of a statement says about its placeholders, as far as the server does not.

/// The shape of a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outline {
    /// It begins with INSERT.
    pub(super) insert: bool,
    /// A `?` stands where the table is named.
    pub(super) table_mark: bool,
    /// The table that is written out, as it is written.
    table: Option<String>,
    /// The super table behind USING.
    using: Option<String>,
    /// Marks behind TAGS.
    pub(super) tag_marks: usize,
    /// The first mark is that of the primary timestamp: no columns are listed, and the values begin
    /// with a mark.
    pub(super) primary_first: bool,
    /// All marks, but for that of the table.
    pub(super) marks: usize,
    /// Where the mark of the table stands.
    table_at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Mark(usize),
    Open,
    Close,
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
    pub(super) fn of(sql: &str) -> Self {
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
                Token::Mark(_) | Token::Close | Token::Other => {}
            }
        }
    }

    /// True if only the name of a table tells what its columns are.
    pub(super) const fn needs_table(&self) -> bool {
        self.table_mark && self.using.is_none()
    }

    /// The table whose description holds for all rows, if the text names one.
    pub(super) fn described(&self) -> Option<&str> {
        self.using.as_deref().or(self.table.as_deref())
    }

    /// True if it is clear from the text alone which table is meant.
    pub(super) fn is_qualified(&self) -> bool {
        self.described().is_some_and(|name| name.contains('.'))
    }

    /// The statement for one table.
    pub(super) fn with_table(&self, sql: &str, table: &str) -> String {
        let (before, mark) = sql.split_at_checked(self.table_at).unwrap_or((sql, ""));
        let after = mark.strip_prefix('?').unwrap_or(mark);
        format!("{before}{}{after}", quoted(table))
    }
}

/// Marks up to the end of the list whose parenthesis was just read.
fn list_marks(tokens: &mut Tokens<'_>) -> usize {
    let (mut depth, mut marks) = (1, 0);
    for token in tokens.by_ref() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth -= 1,
            Token::Mark(_) => marks += 1,
            Token::Name(_) | Token::Other => {}
        }
        if depth == 0 {
            break;
        }
    }
    marks
}

/// A bound name as it must stand in SQL.
pub(super) fn quoted(table: &str) -> String {
    let plain = |c: char| c == '_' || c == '.' || c == '`' || c.is_ascii_alphanumeric();
    let digit = table.starts_with(|c: char| c.is_ascii_digit());
    if table.chars().all(plain) && !digit {
        return table.to_owned();
    }
    format!("`{}`", table.replace('`', "``"))
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
        for (table, expected) in [
            ("d1", "insert into d1 values(?,?)"),
            ("db.d1", "insert into db.d1 values(?,?)"),
            ("`My`.`t`", "insert into `My`.`t` values(?,?)"),
            ("my t", "insert into `my t` values(?,?)"),
            ("1; drop", "insert into `1; drop` values(?,?)"),
        ] {
            let sql = "insert into ? values(?,?)";
            let outline = Outline::of(sql);
            assert!(outline.needs_table());
            assert_eq!(outline.with_table(sql, table), expected);
        }
    }
}
