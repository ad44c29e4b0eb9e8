//! Prepared queries over QWP, whose placeholders are `$1`, `$2`, … (questdb §13.5).

use taos_query::block::ColumnView;
use taos_query::{ErrorKind, RawError, RawResult};

use crate::qwp::egress::Bind;
use crate::sql::after_comment;

/// A statement with numbered placeholders.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) marks: usize,
}

impl Query {
    /// Numbers the `?` of a statement; those that have numbers keep them.
    pub(super) fn parse(sql: &str) -> Self {
        let mut out = String::with_capacity(sql.len() + 8);
        let mut marks = 0;
        let mut rest = sql;
        while let Some(c) = rest.chars().next() {
            let length = if let Some(after) = after_comment(rest) {
                rest.len() - after.len()
            } else if matches!(c, '\'' | '"') {
                rest[1..].find(c).map_or(rest.len(), |end| end + 2)
            } else {
                c.len_utf8()
            };
            let (part, after) = rest.split_at(length);
            if part == "?" {
                marks += 1;
                out.push_str(&format!("${marks}"));
            } else {
                out.push_str(part);
                if part == "$" {
                    let digits = after.chars().take_while(char::is_ascii_digit);
                    let number = digits.collect::<String>().parse().unwrap_or(0);
                    marks = marks.max(number);
                }
            }
            rest = after;
        }
        Self { sql: out, marks }
    }

    /// The values of the placeholders: one row.
    pub(super) fn binds(&self, views: &[ColumnView]) -> RawResult<Vec<Bind>> {
        if views.len() != self.marks {
            return Err(config(format!(
                "the query has {} placeholders, but {} values were bound",
                self.marks,
                views.len()
            )));
        }
        views.iter().enumerate().map(value).collect()
    }
}

fn config(text: String) -> RawError {
    RawError::of(ErrorKind::Config, text)
}

fn value((at, view): (usize, &ColumnView)) -> RawResult<Bind> {
    let place = at + 1;
    let cell = match (view.len(), view.get(0)) {
        (1, Some(cell)) => cell,
        (rows, _) => {
            return Err(config(format!(
                "a query takes one row of values; for ${place} {rows} were bound"
            )));
        }
    };
    Bind::from_value(&cell.to_value())
        .map_err(|error| error.context(format_args!("${place}")).into())
}

#[cfg(test)]
mod tests {
    use taos_query::common::Ty;

    use super::*;
    use crate::qwp::wire::ColumnType;

    #[test]
    fn placeholders_are_numbered_where_they_are_no_text() {
        for (sql, numbered, marks) in [
            ("select 1", "select 1", 0),
            ("a = ? and b = ?", "a = $1 and b = $2", 2),
            ("'?' || \"?\" -- ?\n|| ?", "'?' || \"?\" -- ?\n|| $1", 1),
            ("/* ? */ 'it''s ?' ?", "/* ? */ 'it''s ?' $1", 1),
            ("/*/ ? */ ?", "/*/ ? */ $1", 1),
            ("$2 = $1 and é", "$2 = $1 and é", 2),
            ("'open ?", "'open ?", 0),
        ] {
            let query = Query::parse(sql);
            assert_eq!((query.sql.as_str(), query.marks), (numbered, marks));
        }
    }

    #[test]
    fn each_value_has_its_type_on_the_wire_or_is_refused_by_its_place() {
        let query = Query::parse("select ?, ?, ?, ?");
        let views = [
            ColumnView::from_big_ints(vec![42]),
            ColumnView::from_varchar::<&str, _, _, _>(vec!["abc"]),
            ColumnView::from_nanos_timestamp(vec![5]),
            ColumnView::null(1, Ty::Double),
        ];
        let expected = [
            Bind::Long(42),
            Bind::Varchar("abc".to_owned()),
            Bind::TimestampNanos(5),
            Bind::Null(ColumnType::Double),
        ];
        assert_eq!(query.binds(&views).unwrap(), expected);
        let refused = |views: &[ColumnView]| query.binds(views).unwrap_err().to_string();
        assert!(refused(&views[..3]).contains("4 placeholders, but 3"));
        let mut two = views.clone();
        two[1] = ColumnView::from_ints(vec![1, 2]);
        assert!(refused(&two).contains("$2 2 were bound"));
        two[1] = ColumnView::from_json::<&str, _, _, _>(vec!["[1]"]);
        assert!(refused(&two).contains("$2: servers take no parameters of type JSON"));
    }
}
