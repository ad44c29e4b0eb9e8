//! Groups and their members as rows of system tables.

use rusqlite::types::Value;

use super::{Broker, Member, MemberId, Slot};

/// Where clients are, as far as the tables tell.
const HOST: &str = "localhost";

fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

fn consumer_text(id: MemberId) -> Value {
    text(format!("0x{id:x}"))
}

impl Broker {
    /// Rows of `ins_subscriptions`: one for each vgroup that a group reads.
    pub(crate) fn subscriptions(&self) -> Vec<Vec<Value>> {
        let state = self.state();
        let mut rows = Vec::new();
        for ((name, topic), group) in &state.groups {
            for (vgroup, slot) in &group.slots {
                let owner = slot
                    .owner
                    .and_then(|id| Some((id, state.members.get(&id)?)));
                let (id, user, host) = match owner {
                    Some((id, member)) => (consumer_text(id), text(&member.terms.user), text(HOST)),
                    None => (Value::Null, Value::Null, Value::Null),
                };
                rows.push(vec![
                    text(topic),
                    text(name),
                    Value::Integer(i64::from(*vgroup)),
                    id,
                    user,
                    host,
                    text(place(slot, owner.map(|(_, member)| member))),
                    i64::try_from(slot.rows).map_or(Value::Null, Value::Integer),
                ]);
            }
        }
        rows
    }

    /// Rows of `perf_consumers`: one for each topic of each member.
    pub(crate) fn consumers(&self) -> Vec<Vec<Value>> {
        let state = self.state();
        let members = state.members.iter().flat_map(|(id, member)| {
            let topics = member.terms.topics.iter();
            topics.map(move |topic| (*id, member, topic))
        });
        let row = |(id, member, topic): (MemberId, &Member, &String)| {
            vec![
                consumer_text(id),
                text(&member.terms.group),
                text(&member.terms.client),
                text(&member.terms.user),
                text(HOST),
                text("ready"),
                text(topic),
                Value::Integer(member.joined),
                Value::Integer(member.joined),
                Value::Integer(member.rebalanced),
                text(parameters(member)),
            ]
        };
        members.map(row).collect()
    }
}

/// How far a group is (tmq-raw §7).
fn place(slot: &Slot, owner: Option<&Member>) -> String {
    match slot.position.or(slot.committed).or(slot.start) {
        Some(version) => format!("wal:{version}"),
        None => owner
            .map_or("none", |member| member.terms.reset.name())
            .to_owned(),
    }
}

fn parameters(member: &Member) -> String {
    let terms = &member.terms;
    let commit = u8::from(terms.auto_commit.is_some());
    let interval = terms.auto_commit.unwrap_or_default().as_millis();
    let reset = terms.reset.name();
    format!("tbname:1,commit:{commit},interval:{interval}ms,reset:{reset}")
}
