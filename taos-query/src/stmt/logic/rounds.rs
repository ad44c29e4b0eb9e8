use std::collections::HashMap;
use std::ops::Range;

use super::Bound;
use crate::block::ColumnView;

/// Rows of one table that go together: below the 32,767 that are allowed, and whole bytes of a NULL
/// bitmap (taosadapter-ws §9.2, native-ffi §6.1).
const ROWS: usize = 32_760;

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
