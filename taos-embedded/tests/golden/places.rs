//! Places in logs: which they are is the server's choice, how they stand to each other is not.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// A place in a reply, with its vgroup where the reply tells it.
pub(crate) type Place = (Option<u64>, i64);

/// The places in a reply about messages and offsets.
pub(crate) fn of_text(reply: &Value) -> Vec<Place> {
    let vgroup = |of: &Value| of["vgroup_id"].as_u64();
    let number = |vgroup: Option<u64>, value: &Value| value.as_i64().map(|at| (vgroup, at));
    match reply["action"].as_str().unwrap_or_default() {
        "poll" | "commit_offset" if vgroup(reply).is_some_and(|vgroup| vgroup > 0) => {
            number(vgroup(reply), &reply["offset"])
                .into_iter()
                .collect()
        }
        "assignment" => {
            let rows = reply["assignment"].as_array().into_iter().flatten();
            let places = rows.flat_map(|row| {
                ["offset", "begin", "end"].map(|name| number(vgroup(row), &row[name]))
            });
            places.flatten().collect()
        }
        action @ ("committed" | "position") => {
            let values = reply[action].as_array().into_iter().flatten();
            // Negative ones say that there is none.
            let places = values.filter_map(|value| number(None, value));
            places.filter(|(_, at)| *at >= 0).collect()
        }
        _ => Vec::new(),
    }
}

/// A vgroup as recorded, and the one here that a reply names in its place: tables may lie in others.
type Vgroups = (u64, u64);

/// Places as recorded and as they are here.
#[derive(Default)]
pub(crate) struct Places {
    here: HashMap<Vgroups, BTreeMap<i64, i64>>,
    /// Those of the reply before that named one, by connection.
    polled: HashMap<u64, Vgroups>,
}

impl Places {
    /// Pairs the places of two replies; tells what stands otherwise here than it was recorded.
    pub(crate) fn pair(
        &mut self,
        connection: u64,
        recorded: &[Place],
        here: &[Place],
    ) -> Option<String> {
        if recorded.len() != here.len() {
            return Some(format!("places {recorded:?}, here {here:?}"));
        }
        // Of several vgroups nothing tells which here is which.
        let first = recorded.first()?.0;
        if recorded.iter().any(|(vgroup, _)| *vgroup != first) {
            return None;
        }
        for ((was_in, was), (is_in, is)) in recorded.iter().zip(here) {
            let vgroups = match (was_in, is_in) {
                (Some(was_in), Some(is_in)) => (*was_in, *is_in),
                _ => self.polled.get(&connection).copied().unwrap_or_default(),
            };
            self.polled.insert(connection, vgroups);
            let known = self.here.entry(vgroups).or_default();
            let below = known.range(..*was).next_back();
            let above = known.range(*was + 1..).next();
            let fits = known.get(was).is_none_or(|known| known == is)
                && below.is_none_or(|(_, below)| below <= is)
                && above.is_none_or(|(_, above)| is <= above);
            if !fits {
                return Some(format!("{was} is {is} here, but {known:?} in {vgroups:?}"));
            }
            known.insert(*was, *is);
        }
        None
    }
}
