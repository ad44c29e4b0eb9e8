//! Consumer groups: their members, who reads which vgroup, and what they have committed.
//!
//! Who holds what is decided under one lock. What outlives the server is decided and written by the
//! writer thread, and memory follows once that is committed, in the same order: what a statement that
//! fails, or a commit that fails, would have done was never seen by anybody.

mod assign;
mod consumer;
mod rows;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

pub(crate) use consumer::{Consumer, Delivery};

use super::ReadOptions;
use crate::clock;
use crate::exec::stale;
use crate::sql::SqlError;
use crate::store::{Store, Write};

/// No topic of this name (taosadapter-ws §13).
const TOPIC_UNKNOWN: u32 = 0x03E1;
/// The member was removed from its group.
const CONSUMER_UNKNOWN: u32 = 0x03E6;
const GROUP_UNKNOWN: u32 = 0x03E8;
const TOPIC_SUBSCRIBED: u32 = 0x03EB;
const GROUP_USED: u32 = 0x03EC;
const FOREIGN_VGROUP: u32 = 0x4008;
const FOREIGN_TOPIC: u32 = 0x4009;

/// A member of a group, never used twice while the server runs.
pub(crate) type MemberId = u64;

/// Where a group begins that has committed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reset {
    Earliest,
    Latest,
    None,
}

impl Reset {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Earliest => "earliest",
            Self::Latest => "latest",
            Self::None => "none",
        }
    }
}

/// What a consumer asks for.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) group: String,
    pub(crate) client: String,
    pub(crate) user: String,
    /// In ascending order, each once.
    pub(crate) topics: Vec<String>,
    pub(crate) reset: Reset,
    /// How often polls commit what was consumed before them.
    pub(crate) auto_commit: Option<Duration>,
    /// Silence after which the member is removed.
    pub(crate) session_timeout: Duration,
    /// Time without a poll after which the member is removed.
    pub(crate) max_poll_interval: Duration,
    pub(crate) read: ReadOptions,
}

/// The groups of one engine.
#[derive(Debug, Default)]
pub(crate) struct Broker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_member: MemberId,
    /// By group and topic, those without members included.
    groups: BTreeMap<(String, String), Group>,
    members: BTreeMap<MemberId, Member>,
}

#[derive(Debug, Default)]
struct Group {
    slots: BTreeMap<i32, Slot>,
    members: BTreeSet<MemberId>,
}

/// A vgroup as one group sees it.
#[derive(Debug, Default)]
struct Slot {
    owner: Option<MemberId>,
    /// Goes up with each change of the owner: one who gets it back does not know what was read meanwhile.
    tenure: u64,
    committed: Option<i64>,
    /// Where the log ended when the group began to read its newest part.
    start: Option<i64>,
    /// What the owner has read up to.
    position: Option<i64>,
    /// Rows that the present owner was given.
    rows: u64,
}

#[derive(Debug)]
struct Member {
    terms: Terms,
    /// Milliseconds since 1970.
    joined: i64,
    rebalanced: i64,
    /// Goes up whenever the vgroups may have changed.
    epoch: watch::Sender<u64>,
}

/// A vgroup of a topic that a member holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holding {
    topic: String,
    vgroup: i32,
    tenure: u64,
    committed: Option<i64>,
    start: Option<i64>,
    /// The group has committed something of the topic, here or in another vgroup.
    knows: bool,
}

/// A place to be committed.
#[derive(Debug, Clone)]
struct Commit {
    topic: String,
    vgroup: i32,
    /// Of the member that read up to there.
    tenure: u64,
    offset: i64,
}

/// A topic, one of its vgroups, what a group has committed there, and where it began.
type Row = (String, i32, Option<i64>, Option<i64>);

fn consumer_unknown() -> SqlError {
    SqlError::new(CONSUMER_UNKNOWN, "Consumer not exist")
}

pub(crate) fn foreign_vgroup() -> SqlError {
    SqlError::new(FOREIGN_VGROUP, "VgId does not belong to this consumer")
}

pub(crate) fn foreign_topic() -> SqlError {
    SqlError::new(FOREIGN_TOPIC, "Topic does not belong to this consumer")
}

fn topic_unknown() -> SqlError {
    SqlError::new(TOPIC_UNKNOWN, "Topic not exist")
}

impl Broker {
    /// The groups as the store remembers them.
    ///
    /// # Errors
    /// The storage fails.
    pub(crate) fn open(store: &Store) -> Result<Arc<Self>, SqlError> {
        let mut state = State::default();
        for row in table::load(store)? {
            let group = state.groups.entry((row.group, row.topic)).or_default();
            group.slots.insert(
                row.vgroup,
                Slot {
                    committed: row.committed,
                    start: row.start,
                    ..Slot::default()
                },
            );
        }
        Ok(Arc::new(Self(Mutex::new(state))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a consumer a member of its group, with its share of the vgroups. `ids` are the numbers of its
    /// topics, as it knows them.
    ///
    /// # Errors
    /// 0x03E1 for an unknown topic; that a topic is another one by now; the storage fails.
    fn join(
        self: &Arc<Self>,
        store: &Store,
        terms: Terms,
        ids: Vec<i64>,
    ) -> Result<(MemberId, watch::Receiver<u64>), SqlError> {
        let id = {
            let mut state = self.state();
            state.last_member += 1;
            state.last_member
        };
        let (epoch, changes) = watch::channel(0);
        let broker = Arc::clone(self);
        store.write(move |write| {
            let member = Member {
                terms,
                joined: clock::millis(),
                rebalanced: clock::millis(),
                epoch,
            };
            broker.enrol(write, id, member, &ids).map(|()| 0)
        })?;
        Ok((id, changes))
    }

    /// The part of [`join`](Self::join) that nothing may come between. What the table says counts here:
    /// memory follows only with the commit.
    fn enrol(
        self: &Arc<Self>,
        write: &mut Write<'_>,
        id: MemberId,
        member: Member,
        ids: &[i64],
    ) -> Result<(), SqlError> {
        let group = &member.terms.group;
        let mut places = Vec::new();
        for (topic, known) in member.terms.topics.iter().zip(ids) {
            let found = write.catalog().topics.get(topic);
            let found = found.ok_or_else(topic_unknown)?;
            if found.id != *known {
                return Err(stale());
            }
            let alone = self.state().members_of(topic, Some(group)).next().is_none();
            for vgroup in write.catalog().database(&found.db)?.vgroups() {
                let row = table::find(write, group, topic, vgroup)?;
                let (committed, mut start) = row.unwrap_or_default();
                // Whoever joins others goes on where they are, however they began.
                let begins = alone
                    && member.terms.reset == Reset::Latest
                    && committed.is_none()
                    && start.is_none();
                if begins {
                    start = Some(write.log_end(vgroup));
                }
                if begins || row.is_none() {
                    table::begin(write, group, topic, vgroup, start)?;
                }
                places.push((topic.clone(), vgroup, committed, start));
            }
        }
        let broker = Arc::clone(self);
        write.on_commit(move || broker.state().admit(id, member, places));
        Ok(())
    }

    /// Takes a member out of its group and gives what it held to the others.
    fn leave(&self, id: MemberId) {
        self.state().remove(id);
    }

    /// What a member holds, and since when; nothing once it has been removed.
    fn holdings(&self, id: MemberId) -> Option<(u64, Vec<Holding>)> {
        let state = self.state();
        let member = state.members.get(&id)?;
        let mut holdings = Vec::new();
        for topic in &member.terms.topics {
            let key = (member.terms.group.clone(), topic.clone());
            let Some(group) = state.groups.get(&key) else {
                continue;
            };
            let knows = group.slots.values().any(|slot| slot.committed.is_some());
            for (vgroup, slot) in &group.slots {
                if slot.owner == Some(id) {
                    holdings.push(Holding {
                        topic: topic.clone(),
                        vgroup: *vgroup,
                        tenure: slot.tenure,
                        committed: slot.committed,
                        start: slot.start,
                        knows,
                    });
                }
            }
        }
        Some((*member.epoch.borrow(), holdings))
    }

    /// What a group has committed, as one of its members may know it.
    fn committed(&self, id: MemberId, topic: &str, vgroup: i32) -> Result<Option<i64>, SqlError> {
        self.state()
            .slot(id, topic, vgroup)
            .map(|slot| slot.committed)
    }

    /// Remembers how far a member has read.
    fn progress(&self, id: MemberId, topic: &str, vgroup: i32, position: i64, rows: u64) {
        if let Ok(slot) = self.state().slot(id, topic, vgroup) {
            slot.position = Some(position);
            slot.rows += rows;
        }
    }

    /// Writes down places, and blocks until they are durable. Of those that the member does not hold, or
    /// lost meanwhile, one is refused if `strict`, else left out.
    fn commit(
        self: &Arc<Self>,
        store: &Store,
        id: MemberId,
        places: Vec<Commit>,
        strict: bool,
    ) -> Result<(), SqlError> {
        let broker = Arc::clone(self);
        let written = store.write(move |write| broker.put(write, id, places, strict).map(|()| 0));
        written.map(drop)
    }

    /// The part of [`commit`](Self::commit) that nothing may come between.
    fn put(
        self: &Arc<Self>,
        write: &mut Write<'_>,
        id: MemberId,
        places: Vec<Commit>,
        strict: bool,
    ) -> Result<(), SqlError> {
        let (group, places) = self.state().held(id, places, strict)?;
        for place in &places {
            // A group that is not known any more was dropped just now.
            if !table::commit(write, &group, &place.topic, place.vgroup, place.offset)? {
                return Err(consumer_unknown());
            }
        }
        let broker = Arc::clone(self);
        write.on_commit(move || broker.state().remember(&group, places));
        Ok(())
    }

    /// Forgets everything about a topic, as part of dropping it. With `force` its consumers are removed.
    ///
    /// # Errors
    /// 0x03EB while a consumer is subscribed, without `force`.
    pub(crate) fn drop_topic(
        self: &Arc<Self>,
        write: &mut Write<'_>,
        topic: &str,
        force: bool,
    ) -> Result<(), SqlError> {
        if !force && self.state().members_of(topic, None).next().is_some() {
            let text = "Topic subscribed cannot be dropped";
            return Err(SqlError::new(TOPIC_SUBSCRIBED, text));
        }
        table::forget_topic(write, topic)?;
        let (broker, topic) = (Arc::clone(self), topic.to_owned());
        write.on_commit(move || broker.state().forget(&topic, None));
        Ok(())
    }

    /// Forgets what a group has committed of a topic. With `force` its consumers are removed.
    ///
    /// # Errors
    /// 0x03EC while it has members, without `force`; 0x03E8 if there is no such group, unless `if_exists`.
    pub(crate) fn drop_group(
        self: &Arc<Self>,
        write: &mut Write<'_>,
        group: &str,
        topic: &str,
        if_exists: bool,
        force: bool,
    ) -> Result<(), SqlError> {
        let is_used = self.state().members_of(topic, Some(group)).next().is_some();
        if is_used && !force {
            let text = "Consumer group being used by some consumer";
            return Err(SqlError::new(GROUP_USED, text));
        }
        if !table::forget_group(write, group, topic)? {
            return match if_exists {
                true => Ok(()),
                false => Err(SqlError::new(GROUP_UNKNOWN, "Subscribe not exist")),
            };
        }
        let (broker, group, topic) = (Arc::clone(self), group.to_owned(), topic.to_owned());
        write.on_commit(move || broker.state().forget(&topic, Some(&group)));
        Ok(())
    }
}

impl State {
    /// Those subscribed to a topic, in one group or in all.
    fn members_of<'a>(
        &'a self,
        topic: &'a str,
        group: Option<&'a str>,
    ) -> impl Iterator<Item = MemberId> + 'a {
        let groups = self
            .groups
            .iter()
            .filter(move |((of, on), _)| on == topic && group.is_none_or(|group| group == of));
        groups.flat_map(|(_, group)| group.members.iter().copied())
    }

    /// A vgroup that a member holds.
    fn slot(&mut self, id: MemberId, topic: &str, vgroup: i32) -> Result<&mut Slot, SqlError> {
        let member = self.members.get(&id).ok_or_else(consumer_unknown)?;
        if !member.terms.topics.iter().any(|of| of == topic) {
            return Err(foreign_topic());
        }
        let key = (member.terms.group.clone(), topic.to_owned());
        let slot = self
            .groups
            .get_mut(&key)
            .and_then(|g| g.slots.get_mut(&vgroup));
        slot.filter(|slot| slot.owner == Some(id))
            .ok_or_else(foreign_vgroup)
    }

    /// Takes in a member whose groups are written down, with where they are in each vgroup.
    fn admit(&mut self, id: MemberId, member: Member, places: Vec<Row>) {
        let group = member.terms.group.clone();
        let topics = member.terms.topics.clone();
        for (topic, vgroup, committed, start) in places {
            let group = self.groups.entry((group.clone(), topic)).or_default();
            let slot = group.slots.entry(vgroup).or_default();
            (slot.committed, slot.start) = (committed, start);
        }
        self.members.insert(id, member);
        for topic in topics {
            let key = (group.clone(), topic);
            let group = self.groups.entry(key.clone()).or_default();
            group.members.insert(id);
            self.rebalance(&key);
        }
    }

    /// Those of the places that a member holds, and its group.
    fn held(
        &mut self,
        id: MemberId,
        places: Vec<Commit>,
        strict: bool,
    ) -> Result<(String, Vec<Commit>), SqlError> {
        let member = self.members.get(&id).ok_or_else(consumer_unknown)?;
        let group = member.terms.group.clone();
        let mut held = Vec::new();
        for place in places {
            match self.slot(id, &place.topic, place.vgroup) {
                Ok(slot) if slot.tenure == place.tenure => held.push(place),
                Err(error) if strict => return Err(error),
                Ok(_) if strict => return Err(foreign_vgroup()),
                _ => {}
            }
        }
        Ok((group, held))
    }

    /// Takes over what a group has committed, whoever holds the vgroups by now.
    fn remember(&mut self, group: &str, places: Vec<Commit>) {
        for place in places {
            let group = self.groups.get_mut(&(group.to_owned(), place.topic));
            if let Some(slot) = group.and_then(|group| group.slots.get_mut(&place.vgroup)) {
                slot.committed = Some(place.offset);
            }
        }
    }

    /// Removes one group of a topic, or all, with the members.
    fn forget(&mut self, topic: &str, group: Option<&str>) {
        let members: Vec<MemberId> = self.members_of(topic, group).collect();
        for member in members {
            self.remove(member);
        }
        self.groups
            .retain(|(of, on), _| on != topic || group.is_some_and(|group| group != of));
    }

    fn remove(&mut self, id: MemberId) {
        let Some(member) = self.members.remove(&id) else {
            return;
        };
        for topic in &member.terms.topics {
            let key = (member.terms.group.clone(), topic.clone());
            if let Some(group) = self.groups.get_mut(&key) {
                group.members.remove(&id);
            }
            self.rebalance(&key);
        }
        member.epoch.send_modify(|epoch| *epoch += 1);
    }

    /// Shares the vgroups of a topic anew among the members of a group.
    fn rebalance(&mut self, key: &(String, String)) {
        let mut load: HashMap<MemberId, usize> = HashMap::new();
        for (other, group) in &self.groups {
            if other.0 == key.0 && other.1 != key.1 {
                for owner in group.slots.values().filter_map(|slot| slot.owner) {
                    *load.entry(owner).or_default() += 1;
                }
            }
        }
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        let slots = group.slots.iter();
        let mut owners = slots.map(|(vgroup, slot)| (*vgroup, slot.owner)).collect();
        assign::balance(&mut owners, &group.members, &load);
        let mut concerned = BTreeSet::new();
        for (slot, owner) in group.slots.values_mut().zip(owners.into_values()) {
            if slot.owner != owner {
                concerned.extend(slot.owner);
                concerned.extend(owner);
                *slot = Slot {
                    owner,
                    tenure: slot.tenure + 1,
                    committed: slot.committed,
                    start: slot.start,
                    ..Slot::default()
                };
            }
        }
        for id in concerned {
            if let Some(member) = self.members.get_mut(&id) {
                member.rebalanced = clock::millis();
                member.epoch.send_modify(|epoch| *epoch += 1);
            }
        }
    }
}
