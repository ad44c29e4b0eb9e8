//! The frames that the server has not taken yet.

use std::collections::VecDeque;

use bytes::Bytes;

use super::slot::{Slot, Unsynced};
use crate::error::{Result, error};

/// Frames by their numbers, which have no gaps: in memory, or with a slot on disk.
#[derive(Debug)]
pub(super) struct Store {
    frames: VecDeque<Bytes>,
    first: u64,
    bytes: u64,
    max_bytes: u64,
    slot: Option<Slot>,
    /// What a slot that was released had written last.
    left: Option<Unsynced>,
}

impl Store {
    pub(super) const fn in_memory(max_bytes: u64) -> Self {
        Self {
            frames: VecDeque::new(),
            first: 0,
            bytes: 0,
            max_bytes,
            slot: None,
            left: None,
        }
    }

    /// Goes on where the slot was left.
    pub(super) const fn on_disk(slot: Slot, max_bytes: u64) -> Self {
        Self {
            frames: VecDeque::new(),
            first: 0,
            bytes: 0,
            max_bytes,
            slot: Some(slot),
            left: None,
        }
    }

    /// The number the next frame gets.
    pub(super) fn next(&self) -> u64 {
        match &self.slot {
            Some(slot) => slot.next(),
            None => self.first + self.frames.len() as u64,
        }
    }

    /// The oldest frame kept, or the next one's number.
    pub(super) fn first(&self) -> u64 {
        match &self.slot {
            Some(slot) => slot.first(),
            None => self.first,
        }
    }

    /// Bytes kept.
    pub(super) fn bytes(&self) -> u64 {
        match &self.slot {
            Some(slot) => slot.bytes(),
            None => self.bytes,
        }
    }

    pub(super) const fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    pub(super) fn has_room(&self, len: usize) -> bool {
        self.bytes().saturating_add(len as u64) <= self.max_bytes
    }

    /// Adds a frame, and before it the symbols it brings; gives its number. After an error nothing
    /// was added.
    pub(super) fn append<'a>(
        &mut self,
        frame: Bytes,
        symbols: impl Iterator<Item = &'a [u8]>,
    ) -> Result<u64> {
        if let Some(slot) = &mut self.slot {
            return slot.append(&frame, symbols);
        }
        let number = self.next();
        self.bytes += frame.len() as u64;
        self.frames.push_back(frame);
        Ok(number)
    }

    pub(super) fn get(&mut self, number: u64) -> Result<Bytes> {
        if let Some(slot) = &mut self.slot {
            return slot.read(number);
        }
        number
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok())
            .and_then(|at| self.frames.get(at))
            .cloned()
            .ok_or_else(|| error!(StoreResendRequired, "frame {number} is no longer kept"))
    }

    /// Forgets the frames before `number`.
    pub(super) fn trim(&mut self, number: u64) {
        if let Some(slot) = &mut self.slot {
            slot.trim(number);
            return;
        }
        while self.first < number
            && let Some(frame) = self.frames.pop_front()
        {
            self.first += 1;
            self.bytes -= frame.len() as u64;
        }
    }

    /// Leaves the slot to the next sender.
    pub(super) fn release(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.first = slot.next();
            self.left = Some(slot.unsynced());
        }
    }

    /// What has to be brought to the disk, also after [`release`](Self::release).
    pub(super) fn unsynced(&mut self) -> Option<Unsynced> {
        match &self.slot {
            Some(slot) => Some(slot.unsynced()),
            None => self.left.take(),
        }
    }

    pub(super) fn slot(&mut self) -> Option<&mut Slot> {
        self.slot.as_mut()
    }
}
