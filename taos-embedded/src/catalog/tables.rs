//! The subtables and normal tables of a database by name, split up so that a change copies little.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use super::Entry;

const SHARDS: usize = 256;

type Hasher = BuildHasherDefault<DefaultHasher>;
type Shard = HashMap<String, Entry, Hasher>;

/// A map of names that is cheap to clone: a change copies one of its 256 parts, and only if a
/// clone still looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    shards: Vec<Arc<Shard>>,
    len: usize,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            shards: vec![Arc::default(); SHARDS],
            len: 0,
        }
    }
}

fn shard_of(name: &str) -> usize {
    let hash = Hasher::default().hash_one(name);
    usize::try_from(hash % 256).unwrap_or_default()
}

impl Tables {
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.shards.get(shard_of(name))?.get(name)
    }

    pub(crate) fn insert(&mut self, name: String, entry: Entry) {
        if let Some(shard) = self.shards.get_mut(shard_of(&name))
            && Arc::make_mut(shard).insert(name, entry).is_none()
        {
            self.len += 1;
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(shard) = self.shards.get_mut(shard_of(name))
            && Arc::make_mut(shard).remove(name).is_some()
        {
            self.len -= 1;
        }
    }

    /// Keeps the tables for which `keep` holds.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
        for shard in &mut self.shards {
            if shard.values().any(|e| !keep(e)) {
                Arc::make_mut(shard).retain(|_, e| keep(e));
            }
        }
        self.len = self.shards.iter().map(|s| s.len()).sum();
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.shards
            .iter()
            .flat_map(|s| s.iter().map(|(name, entry)| (name.as_str(), entry)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Child;
    use super::*;

    fn child(name: &str) -> Entry {
        Entry::Child(Arc::new(Child {
            id: 1,
            name: name.to_owned(),
            stable: "st".to_owned(),
            created: 0,
            comment: None,
            ttl: 0,
        }))
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut tables = Tables::default();
        for i in 0..1000 {
            tables.insert(format!("t{i}"), child(&format!("t{i}")));
        }
        let before = tables.clone();
        tables.remove("t7");
        tables.insert("new".to_owned(), child("new"));
        assert!(before.get("t7").is_some() && before.get("new").is_none());
        assert!(tables.get("t7").is_none() && tables.get("new").is_some());
        assert_eq!((before.len(), tables.len()), (1000, 1000));
        tables.retain(|_| false);
        assert_eq!(tables.iter().count(), 0);
    }
}
