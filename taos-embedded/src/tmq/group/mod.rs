//! Consumer groups: their members, who reads which vgroup, and what they have committed.
//!
//! All of it is decided under one lock, and everything that outlives the server is written by the
//! writer thread with that lock held, so that no member commits what it no longer holds.

mod assign;
mod consumer;
mod rows;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

pub(crate) use consumer::{Consumer, Delivery};

use super::ReadOptions;
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
}

/// A place to be committed.
#[derive(Debug, Clone)]
struct Commit {
    topic: String,
    vgroup: i32,
    offset: i64,
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .unwrap_or_default()
}

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

    /// Makes a consumer a member of its group, with its share of the vgroups.
    ///
    /// # Errors
    /// 0x03E1 for an unknown topic; the storage fails.
    fn join(
        self: &Arc<Self>,
        store: &Store,
        terms: Terms,
    ) -> Result<(MemberId, watch::Receiver<u64>), SqlError> {
        let id = {
            let mut state = self.state();
            state.last_member += 1;
            state.last_member
        };
        let (epoch, changes) = watch::channel(0);
        let (broker, log) = (Arc::clone(self), store.clone());
        let joined = store.write(move |write| {
            let member = Member {
                terms,
                joined: now(),
                rebalanced: now(),
                epoch,
            };
            broker.enrol(write, &log, id, member).map(|()| 0)
        });
        match joined {
            Ok(_) => Ok((id, changes)),
            Err(error) => {
                self.leave(id);
                Err(error)
            }
        }
    }

    /// The part of [`join`](Self::join) that nothing may come between.
    fn enrol(
        &self,
        write: &Write<'_>,
        log: &Store,
        id: MemberId,
        member: Member,
    ) -> Result<(), SqlError> {
        let mut state = self.state();
        let mut fresh = Vec::new();
        for topic in &member.terms.topics {
            let catalog = write.catalog();
            let found = catalog.topics.get(topic).ok_or_else(topic_unknown)?;
            let key = (member.terms.group.clone(), topic.clone());
            let group = state.groups.get(&key);
            let alone = group.is_none_or(|group| group.members.is_empty());
            for vgroup in catalog.database(&found.db)?.vgroups() {
                let slot = group.and_then(|group| group.slots.get(&vgroup));
                // Whoever joins others goes on where they are, however they began.
                let begins = alone
                    && member.terms.reset == Reset::Latest
                    && slot.is_none_or(|slot| slot.committed.is_none() && slot.start.is_none());
                if slot.is_some() && !begins {
                    continue;
                }
                let start = begins.then(|| log.log_bounds(vgroup).1);
                table::begin(write, &key.0, topic, vgroup, start)?;
                fresh.push((key.clone(), vgroup, start));
            }
        }
        for (key, vgroup, start) in fresh {
            let slots = &mut state.groups.entry(key).or_default().slots;
            slots.entry(vgroup).or_default().start = start;
        }
        let group = member.terms.group.clone();
        let topics = member.terms.topics.clone();
        state.members.insert(id, member);
        for topic in topics {
            let key = (group.clone(), topic);
            state
                .groups
                .entry(key.clone())
                .or_default()
                .members
                .insert(id);
            state.rebalance(&key);
        }
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
            for (vgroup, slot) in state.groups.get(&key).iter().flat_map(|g| &g.slots) {
                if slot.owner == Some(id) {
                    holdings.push(Holding {
                        topic: topic.clone(),
                        vgroup: *vgroup,
                        tenure: slot.tenure,
                        committed: slot.committed,
                        start: slot.start,
                    });
                }
            }
        }
        Some((*member.epoch.borrow(), holdings))
    }

    /// Since when a member holds what it holds.
    fn epoch(&self, id: MemberId) -> Option<u64> {
        let state = self.state();
        state.members.get(&id).map(|member| *member.epoch.borrow())
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

    /// Writes down places, and blocks until they are durable. Of those that the member does not hold, one
    /// is refused if `strict`, else left out.
    fn commit(
        self: &Arc<Self>,
        store: &Store,
        id: MemberId,
        places: Vec<Commit>,
        strict: bool,
    ) -> Result<(), SqlError> {
        let broker = Arc::clone(self);
        let written = store.write(move |write| {
            let mut state = broker.state();
            let group = state.members.get(&id).ok_or_else(consumer_unknown)?;
            let group = group.terms.group.clone();
            for place in &places {
                match state.slot(id, &place.topic, place.vgroup) {
                    Ok(slot) => {
                        let Commit {
                            topic,
                            vgroup,
                            offset,
                        } = place;
                        table::commit(write, &group, topic, *vgroup, *offset)?;
                        slot.committed = Some(*offset);
                    }
                    Err(error) if strict => return Err(error),
                    Err(_) => {}
                }
            }
            Ok(0)
        });
        written.map(drop)
    }

    /// Whether any consumer is subscribed to a topic.
    pub(crate) fn is_subscribed(&self, topic: &str) -> bool {
        self.state().members_of(topic, None).next().is_some()
    }

    /// Forgets everything about a topic, as part of dropping it. With `force` its consumers are removed.
    ///
    /// # Errors
    /// 0x03EB while a consumer is subscribed, without `force`.
    pub(crate) fn drop_topic(
        &self,
        write: &Write<'_>,
        topic: &str,
        force: bool,
    ) -> Result<(), SqlError> {
        let mut state = self.state();
        let members: Vec<MemberId> = state.members_of(topic, None).collect();
        if !force && !members.is_empty() {
            let text = "Topic subscribed cannot be dropped";
            return Err(SqlError::new(TOPIC_SUBSCRIBED, text));
        }
        table::forget_topic(write, topic)?;
        for member in members {
            state.remove(member);
        }
        state.groups.retain(|(_, of), _| of != topic);
        Ok(())
    }

    /// Forgets what a group has committed of a topic. With `force` its consumers are removed.
    ///
    /// # Errors
    /// 0x03EC while it has members, without `force`; 0x03E8 if there is no such group, unless `if_exists`.
    pub(crate) fn drop_group(
        &self,
        write: &Write<'_>,
        group: &str,
        topic: &str,
        if_exists: bool,
        force: bool,
    ) -> Result<(), SqlError> {
        let mut state = self.state();
        let key = (group.to_owned(), topic.to_owned());
        if !state.groups.contains_key(&key) {
            return match if_exists {
                true => Ok(()),
                false => Err(SqlError::new(GROUP_UNKNOWN, "Subscribe not exist")),
            };
        }
        let members: Vec<MemberId> = state.members_of(topic, Some(group)).collect();
        if !force && !members.is_empty() {
            let text = "Consumer group being used by some consumer";
            return Err(SqlError::new(GROUP_USED, text));
        }
        table::forget_group(write, group, topic)?;
        for member in members {
            state.remove(member);
        }
        state.groups.remove(&key);
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
                member.rebalanced = now();
                member.epoch.send_modify(|epoch| *epoch += 1);
            }
        }
    }
}
