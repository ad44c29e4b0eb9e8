use std::collections::HashMap;
use std::ops::Range;

use super::Bound;
use crate::block::ColumnView;

/// Rows of one table that go together: below the 32,767 that are allowed, and whole bytes of a NULL
/// bitmap (taosadapter-ws §9.2, native-ffi §6.1).
const ROWS: usize = 32_760;

/// Fewer rows than these are copied to others of their table rather than sent alone.
const FEW: usize = 256;

/// The parts of one bind, each some rows of one table.
pub type Rounds<'b> = Vec<Vec<(&'b Bound, Range<usize>)>>;

/// Which rows of which table go into which bind: no more than are allowed, and no table twice.
pub fn rounds<'b>(bound: impl IntoIterator<Item = &'b Bound>) -> Rounds<'b> {
    let mut rounds: Rounds<'_> = Vec::new();
    let mut next: HashMap<Option<&str>, usize> = HashMap::new();
    for table in bound {
        let rows = table.columns.first().map_or(0, ColumnView::len);
        let next = next.entry(table.name.as_deref()).or_default();
        for start in (0..rows.max(1)).step_by(ROWS) {
            if rounds.len() <= *next {
                rounds.push(Vec::new());
            }
            if let Some(round) = rounds.get_mut(*next) {
                round.push((table, start..rows.min(start + ROWS)));
            }
            *next += 1;
        }
    }
    rounds
}

fn row_count(table: &Bound) -> usize {
    table.columns.first().map_or(0, ColumnView::len)
}

/// Whether the rows of both may stand in one bind of one table.
fn alike(a: &Bound, b: &Bound) -> bool {
    let same = |(a, b): (&ColumnView, &ColumnView)| {
        let of = |view: &ColumnView| (view.as_ty(), view.precision(), view.decimal_digits());
        of(a) == of(b)
    };
    a.fitted == b.fitted
        && a.name == b.name
        && a.tags == b.tags
        && a.columns.len() == b.columns.len()
        && a.columns.iter().zip(&b.columns).all(same)
}

/// A run of binds of one table as one, if that is possible.
fn merged(run: &[Bound]) -> Option<Bound> {
    let first = run.first().filter(|_| run.len() > 1)?;
    let columns = (0..first.columns.len()).map(|at| {
        let parts: Vec<&ColumnView> = run.iter().filter_map(|t| t.columns.get(at)).collect();
        ColumnView::join(&parts).ok().flatten()
    });
    Some(Bound {
        columns: columns.collect::<Option<Vec<ColumnView>>>()?,
        ..first.clone()
    })
}

/// Puts rows of one table together that were checked, but bound a few at a time: each bind would be a
/// message of its own. The rows of a table keep their order.
#[must_use]
pub(super) fn joined(bound: Vec<Bound>) -> Vec<Bound> {
    if bound.len() < 2 {
        return bound;
    }
    let mut runs: Vec<(usize, Vec<Bound>)> = Vec::with_capacity(bound.len());
    let mut open: HashMap<Option<String>, usize> = HashMap::new();
    for table in bound {
        let rows = row_count(&table);
        let run = open.get(&table.name).and_then(|at| runs.get_mut(*at));
        if let Some((count, run)) = run
            && let Some(last) = run.last()
            && (1..FEW).contains(&rows)
            && (1..FEW).contains(&row_count(last))
            && *count + rows <= ROWS
            && table.fitted > 0
            && alike(last, &table)
        {
            *count += rows;
            run.push(table);
        } else {
            open.insert(table.name.clone(), runs.len());
            runs.push((rows, vec![table]));
        }
    }
    runs.into_iter()
        .flat_map(|(_, run)| match merged(&run) {
            Some(one) => vec![one],
            None => run,
        })
        .collect()
}

/// How many binds these need.
#[must_use]
pub fn most_rounds(bound: &[Bound]) -> usize {
    rounds(bound).len()
}

/// These rows of all columns; `None` if that is all of them.
#[must_use]
pub fn slice(columns: &[ColumnView], rows: &Range<usize>) -> Option<Vec<ColumnView>> {
    let len = columns.first().map_or(0, ColumnView::len);
    if *rows == (0..len) {
        return None;
    }
    columns
        .iter()
        .map(|column| column.slice(rows.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Value;

    fn rows(name: &str, tag: i32, from: i64, count: usize) -> Bound {
        let times: Vec<i64> = (from..).take(count).collect();
        let texts: Vec<Option<String>> = times
            .iter()
            .map(|time| (time % 2 == 0).then(|| format!("ø{time}")))
            .collect();
        Bound {
            name: Some(name.to_owned()),
            tags: vec![Value::Int(tag)],
            columns: vec![
                ColumnView::from_micros_timestamp(times),
                ColumnView::from_nchar::<String, _, _, _>(texts),
            ],
            fitted: 1,
        }
    }

    #[test]
    fn rows_that_are_bound_one_by_one_go_together_table_by_table_and_in_order() {
        let bound = (0..6).map(|at| rows(if at % 3 == 0 { "a" } else { "b" }, 1, at, 1));
        let together = joined(bound.collect());
        let views = |table: &Bound| table.columns.clone();
        assert_eq!(together.len(), 2);
        let expected: Vec<ColumnView> = rows("a", 1, 0, 1)
            .columns
            .iter()
            .zip(&rows("a", 1, 3, 1).columns)
            .map(|(a, b)| a.concat(b))
            .collect();
        assert_eq!(views(&together[0]), expected);
        assert_eq!(
            together[0].columns[0].precision(),
            crate::common::Precision::Microsecond
        );
        assert_eq!(row_count(&together[1]), 4);
    }

    #[test]
    fn other_tags_many_rows_and_unchecked_ones_stay_apart() {
        let apart = [
            vec![rows("a", 1, 0, 1), rows("a", 2, 1, 1)],
            vec![rows("a", 1, 0, FEW), rows("a", 1, 1000, 1)],
            vec![
                Bound {
                    fitted: 0,
                    ..rows("a", 1, 0, 1)
                },
                Bound {
                    fitted: 0,
                    ..rows("a", 1, 1, 1)
                },
            ],
        ];
        for bound in apart {
            assert_eq!(joined(bound).len(), 2);
        }
    }

    #[test]
    fn a_bind_never_gets_more_rows_than_are_allowed() {
        let each = FEW - 1;
        let bound: Vec<Bound> = (0..200).map(|_| rows("a", 1, 0, each)).collect();
        let together = joined(bound);
        assert!(together.iter().all(|table| row_count(table) <= ROWS));
        assert_eq!(together.iter().map(row_count).sum::<usize>(), 200 * each);
        assert_eq!(together.len(), 2);
    }
}
