//! Which call may follow which, and the points a buffer can go back to: the same for lines and for
//! columns (questdb §4).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result, error};

/// A call that moves a row on. The value is its bit in [`State`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Call {
    Table = 1,
    Symbol = 2,
    Column = 4,
    At = 8,
    Flush = 16,
}

impl Call {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Table, "table"),
        (Self::Symbol, "symbol"),
        (Self::Column, "column"),
        (Self::At, "at"),
        (Self::Flush, "flush"),
    ];

    fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(call, _)| *call == self)
            .map_or("", |(_, name)| name)
    }
}

/// The calls allowed next, one bit each.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct State(u8);

impl State {
    /// No row is open: nothing written yet, or the last row is complete.
    pub(crate) const READY: Self = Self::of(&[Call::Table, Call::Flush]);
    /// The table of a row is known, nothing else.
    pub(crate) const TABLE: Self = Self::of(&[Call::Symbol, Call::Column]);
    /// The last cell was a symbol; or, where symbols may follow columns, any cell.
    pub(crate) const SYMBOL: Self = Self::of(&[Call::Symbol, Call::Column, Call::At]);
    /// The last cell was a column.
    pub(crate) const COLUMN: Self = Self::of(&[Call::Column, Call::At]);

    const fn of(calls: &[Call]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < calls.len() {
            bits |= calls[i] as u8;
            i += 1;
        }
        Self(bits)
    }

    #[inline]
    pub(crate) const fn allows(self, call: Call) -> bool {
        self.0 & call as u8 != 0
    }

    /// # Errors
    /// `InvalidApiCall` naming the call and those allowed instead.
    #[inline]
    pub(crate) fn check(self, call: Call) -> Result<()> {
        if self.allows(call) {
            Ok(())
        } else {
            Err(self.refuse(call.name()))
        }
    }

    /// # Errors
    /// `InvalidApiCall` in the middle of a row.
    pub(crate) fn check_marker(self) -> Result<()> {
        if self.allows(Call::Table) {
            Ok(())
        } else {
            Err(self.refuse("set_marker"))
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(self, call: &str) -> Error {
        let mut allowed = String::new();
        for (other, name) in Call::ALL {
            if self.allows(other) {
                if !allowed.is_empty() {
                    allowed.push_str(", ");
                }
                allowed.push('`');
                allowed.push_str(name);
                allowed.push('`');
            }
        }
        error!(
            InvalidApiCall,
            "`{call}` was called out of order; allowed at this point: {allowed}"
        )
    }
}

/// Identity of a buffer for its bookmarks, never zero.
fn next_origin() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A point of one buffer to go back to, taken by [`Buffer::bookmark`](super::Buffer::bookmark).
///
/// It is good until the buffer is cleared or another marker or bookmark is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bookmark {
    origin: u64,
    generation: u64,
}

/// The one point a buffer remembers: `S` is what it needs to go back.
#[derive(Debug)]
pub(crate) struct Marker<S> {
    origin: u64,
    generation: u64,
    saved: Option<S>,
}

impl<S> Default for Marker<S> {
    fn default() -> Self {
        Self {
            origin: next_origin(),
            generation: 0,
            saved: None,
        }
    }
}

/// A clone keeps the point and gets an identity of its own, so bookmarks of the original are not
/// taken for its.
impl<S: Clone> Clone for Marker<S> {
    fn clone(&self) -> Self {
        Self {
            origin: next_origin(),
            generation: 0,
            saved: self.saved.clone(),
        }
    }
}

impl<S> Marker<S> {
    /// Remembers this point in place of any other.
    pub(crate) fn set(&mut self, saved: S) -> Bookmark {
        self.generation = self.generation.wrapping_add(1);
        self.saved = Some(saved);
        Bookmark {
            origin: self.origin,
            generation: self.generation,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.saved = None;
    }

    /// Forgets the point if it is this bookmark's.
    pub(crate) fn clear_bookmark(&mut self, bookmark: Bookmark) {
        if self.owns(bookmark) {
            self.saved = None;
        }
    }

    /// # Errors
    /// `InvalidApiCall` when no point is set.
    pub(crate) fn take(&mut self) -> Result<S> {
        self.saved.take().ok_or_else(|| {
            error!(
                InvalidApiCall,
                "cannot rewind: no marker is set; call `set_marker` between rows first"
            )
        })
    }

    /// # Errors
    /// `InvalidApiCall` when the bookmark is of another buffer or was replaced.
    pub(crate) fn take_bookmark(&mut self, bookmark: Bookmark) -> Result<S> {
        if bookmark.origin != self.origin {
            return Err(error!(
                InvalidApiCall,
                "cannot rewind: the bookmark was taken from another buffer"
            ));
        }
        self.saved
            .take_if(|_| bookmark.generation == self.generation)
            .ok_or_else(|| {
                error!(
                    InvalidApiCall,
                    "cannot rewind: the bookmark is no longer set; another one replaced it, or it was \
                     used or cleared"
                )
            })
    }

    fn owns(&self, bookmark: Bookmark) -> bool {
        bookmark.origin == self.origin && bookmark.generation == self.generation
    }
}
