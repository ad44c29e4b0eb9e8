//! Messages of which no place in the log is known: those of a snapshot, and all of libraries before 3.1.0.0. They can
//! only be committed by themselves, so the last of them are kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use taos_query::tmq::{IsOffset as _, Offset, VGroupId};

use crate::raw::tmq::Message;

/// Messages that are kept.
const KEPT: usize = 64;

struct Kept {
    offset: Offset,
    message: Arc<Mutex<Message>>,
    /// The user has asked for another after it.
    passed: bool,
}

/// What can be done to commit a message.
pub(super) enum Found {
    Message(Arc<Mutex<Message>>),
    /// It is committed, or one behind it.
    Done,
    /// It is not kept any more.
    Gone,
}

/// Messages that were taken and have no place; the oldest first. Those that are not kept any more are handed back,
/// since to drop one is work of the library's.
#[derive(Default)]
pub(super) struct Unplaced {
    kept: VecDeque<Kept>,
    /// Of each vgroup the last that was committed.
    done: Vec<Offset>,
}

impl Unplaced {
    /// Gives the oldest one if that is too many.
    pub(super) fn keep(
        &mut self,
        offset: Offset,
        message: Arc<Mutex<Message>>,
    ) -> Option<Arc<Mutex<Message>>> {
        self.kept.push_back(Kept {
            offset,
            message,
            passed: false,
        });
        if self.kept.len() > KEPT {
            return self.kept.pop_front().map(|kept| kept.message);
        }
        None
    }

    fn part_with(&mut self, spent: impl Fn(&Offset) -> bool) -> Vec<Arc<Mutex<Message>>> {
        let kept = std::mem::take(&mut self.kept).into_iter();
        let (gone, kept): (VecDeque<Kept>, _) = kept.partition(|kept| spent(&kept.offset));
        self.kept = kept;
        gone.into_iter().map(|kept| kept.message).collect()
    }

    /// The user asks for another message.
    pub(super) fn pass(&mut self) {
        for kept in &mut self.kept {
            kept.passed = true;
        }
    }

    pub(super) fn has_passed(&self) -> bool {
        self.kept.iter().any(|kept| kept.passed)
    }

    pub(super) fn find(&self, offset: &Offset) -> Found {
        let is_it = |other: &Offset| other.message_id() == offset.message_id();
        if let Some(kept) = self.kept.iter().find(|kept| is_it(&kept.offset)) {
            return Found::Message(Arc::clone(&kept.message));
        }
        let done = self.done.iter().any(|done| {
            done.is_of(offset.topic(), offset.vgroup_id())
                && done.message_id() >= offset.message_id()
        });
        if done { Found::Done } else { Found::Gone }
    }

    /// The last of each vgroup, or the last that was moved past.
    pub(super) fn last(&self, passed: bool) -> Vec<Offset> {
        let mut last: Vec<&Offset> = Vec::new();
        for kept in self.kept.iter().rev().filter(|kept| kept.passed || !passed) {
            let offset = &kept.offset;
            if !last
                .iter()
                .any(|other| other.is_of(offset.topic(), offset.vgroup_id()))
            {
                last.push(offset);
            }
        }
        last.into_iter().cloned().collect()
    }

    /// The message is committed, and with it those before it in its vgroup.
    pub(super) fn committed(&mut self, offset: &Offset) -> Vec<Arc<Mutex<Message>>> {
        let (topic, vgroup) = (offset.topic(), offset.vgroup_id());
        match self.done.iter_mut().find(|done| done.is_of(topic, vgroup)) {
            Some(done) => *done = offset.clone(),
            None => self.done.push(offset.clone()),
        }
        self.part_with(|kept| kept.is_of(topic, vgroup) && kept.message_id() <= offset.message_id())
    }

    /// Reading goes on elsewhere in the vgroup, or others do.
    pub(super) fn forget(&mut self, topic: &str, vgroup: VGroupId) -> Vec<Arc<Mutex<Message>>> {
        self.done.retain(|done| !done.is_of(topic, vgroup));
        self.part_with(|kept| kept.is_of(topic, vgroup))
    }

    pub(super) fn clear(&mut self) -> Vec<Arc<Mutex<Message>>> {
        self.done.clear();
        self.part_with(|_| true)
    }
}
