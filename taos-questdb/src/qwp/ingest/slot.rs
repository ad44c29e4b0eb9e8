//! Frames on disk: what a process did not get acknowledged, the next one sends (questdb §14).
//!
//! A slot is a directory. `lock` belongs to whoever has it open. `frames-<number>` are segments: a
//! head, then frames, each length, checksum, bytes; the bytes are written before the other two, so
//! that a frame is there whole or not at all. `symbols` holds the symbols of the frames, each written
//! before the first frame that uses it. `acked` holds the number of the first frame still needed.

mod recovery;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use self::recovery::{Recovery, Unusable};
use super::crc::crc32c;
use crate::error::{Error, Result, error};
use crate::ingress::SymbolTable;

const MAGIC: &[u8; 8] = b"QWPSEG01";

/// Magic, number of the first frame, checksum of both.
const SEGMENT_HEAD: usize = 20;

/// Length and checksum.
const FRAME_HEAD: usize = 8;

/// Bytes of a segment besides those of its only frame.
pub(super) const OVERHEAD: usize = SEGMENT_HEAD + FRAME_HEAD;

/// Says why the server does not take a frame of the slot.
const REFUSED: &str = "refused";

#[derive(Debug)]
struct Segment {
    /// Number of its first frame.
    first: u64,
    path: PathBuf,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// `first` of its segment.
    segment: u64,
    offset: u64,
    len: u32,
}

#[derive(Debug)]
pub(super) struct Slot {
    dir: PathBuf,
    segments: VecDeque<Segment>,
    frames: VecDeque<Place>,
    first: u64,
    bytes: u64,
    max_segment: u64,
    /// The last segment and where the next frame goes.
    tail: Option<(File, u64)>,
    /// The segment that was read last.
    reading: Option<(u64, File)>,
    symbols: File,
    symbols_end: u64,
    acked: File,
    /// Segments with smaller numbers have reached the disk.
    synced_before: u64,
    /// Held as long as the slot is open.
    _lock: File,
}

/// Files and directories whose bytes may not have reached the disk.
#[derive(Debug)]
pub(super) struct Unsynced {
    files: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
    /// Segments before the one with this first frame are whole.
    up_to: u64,
}

impl Unsynced {
    /// Brings them to the disk; gives what to tell [`Slot::synced`].
    pub(super) fn sync(&self) -> io::Result<u64> {
        for path in &self.files {
            match OpenOptions::new().write(true).open(path) {
                Ok(file) => file.sync_data()?,
                // Its frames are acknowledged.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        self.dirs.iter().try_for_each(|dir| sync_dir(dir))?;
        Ok(self.up_to)
    }
}

/// Makes the names of new files last.
fn sync_dir(dir: &Path) -> io::Result<()> {
    // Elsewhere directories cannot be opened, and need not be.
    if cfg!(unix) {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// A slot as it was found.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) slot: Slot,
    pub(super) symbols: SymbolTable,
}

fn failed(what: &str, path: &Path, e: &io::Error) -> Error {
    error!(
        SocketError,
        "store-and-forward: cannot {what} {}: {e}",
        path.display()
    )
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|e| failed("open", path, &e))
}

impl Slot {
    /// Opens the slot `id` under `root`, alone. A slot whose frames cannot be sent any more is set
    /// aside under a name that ends in `.failed`.
    pub(super) fn open(root: &Path, id: &str, max_segment: u64) -> Result<Opened> {
        let dir = root.join(id);
        fs::create_dir_all(&dir).map_err(|e| failed("create", &dir, &e))?;
        let lock = lock(&dir)?;
        let mut slot = Self {
            segments: VecDeque::new(),
            frames: VecDeque::new(),
            first: 0,
            bytes: 0,
            max_segment,
            tail: None,
            reading: None,
            symbols: open(&dir.join("symbols"))?,
            symbols_end: 0,
            acked: open(&dir.join("acked"))?,
            synced_before: 0,
            _lock: lock,
            dir,
        };
        if let Ok(why) = fs::read_to_string(slot.dir.join(REFUSED)) {
            return Err(slot.set_aside(why.trim()));
        }
        let mut symbols = slot.recover_symbols()?;
        match slot.recover_frames(&mut symbols) {
            Ok(()) => {}
            Err(Recovery::Io(error)) => return Err(error),
            Err(Recovery::Unusable(Unusable(why))) => return Err(slot.set_aside(&why)),
        }
        if slot.frames.is_empty() {
            // Every connection starts without symbols, so without frames none are needed.
            symbols = SymbolTable::default();
            slot.renumber()?;
        }
        let cut = slot.symbols_end;
        slot.symbols
            .set_len(cut)
            .map_err(|e| failed("cut", &slot.dir.join("symbols"), &e))?;
        Ok(Opened { slot, symbols })
    }

    /// Begins the symbols anew. Frames that use the old numbers go before the symbols do, for a lost
    /// `acked` would have them sent again.
    fn renumber(&mut self) -> Result<()> {
        self.symbols_end = 0;
        if self.segments.is_empty() {
            return Ok(());
        }
        self.begin_segment(self.first)?;
        self.drop_segments();
        if let Err(e) = sync_dir(&self.dir) {
            tracing::warn!("store-and-forward: cannot sync {}: {e}", self.dir.display());
        }
        Ok(())
    }

    /// Removes the segments of a slot without frames, so that nobody takes it for one with work left.
    pub(super) fn clear(&mut self) {
        if self.frames.is_empty() {
            self.tail = None;
            self.reading = None;
            for segment in self.segments.drain(..) {
                remove(&segment.path);
            }
        }
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// Adds to an error that stops the sender where its frames are. If a frame is to `blame`, notes
    /// it, so that the next sender does not try again.
    pub(super) fn refused(&self, error: &Error, blame: bool) -> Error {
        let path = self.dir.join(REFUSED);
        let noted = if blame {
            Some(fs::write(&path, error.msg()))
        } else {
            None
        };
        let next = match noted {
            None => "the next sender on that directory sends them again".to_owned(),
            Some(Ok(())) => format!(
                "the next sender sets that directory aside as `.failed` and the one after it starts \
                 anew; to have them sent again, remove {} first",
                path.display()
            ),
            Some(Err(e)) => format!(
                "move that directory away to go on ({}: {e})",
                path.display()
            ),
        };
        let text = format!(
            "{}; the {} frames without an acknowledgement are kept in {}: {next}",
            error.msg(),
            self.frames.len(),
            self.dir.display()
        );
        Error::new(error.code(), text)
    }

    pub(super) fn next(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn write_symbols<'a>(&mut self, symbols: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        let mut out = Vec::new();
        for symbol in symbols {
            let len = u32::try_from(symbol.len())
                .map_err(|_| error!(BatchTooLarge, "a symbol of more than 4 GiB"))?;
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(symbol);
            let crc = crc32c(crc32c(0, &len.to_le_bytes()), symbol);
            out.extend_from_slice(&crc.to_le_bytes());
        }
        if out.is_empty() {
            return Ok(());
        }
        write_at(&mut self.symbols, self.symbols_end, &out)
            .map_err(|e| failed("write", &self.dir.join("symbols"), &e))?;
        self.symbols_end += out.len() as u64;
        Ok(())
    }

    /// Adds a frame, and before it the symbols it brings; gives its number.
    pub(super) fn append<'a>(
        &mut self,
        frame: &[u8],
        symbols: impl Iterator<Item = &'a [u8]>,
    ) -> Result<u64> {
        let symbols_end = self.symbols_end;
        let number = self.next();
        let done = self
            .write_symbols(symbols)
            .and_then(|()| self.write_frame(number, frame));
        if done.is_err() {
            // The numbers of these symbols go to others.
            self.symbols_end = symbols_end;
            let _ = self.symbols.set_len(symbols_end);
        }
        self.frames.push_back(done?);
        self.bytes += frame.len() as u64;
        Ok(number)
    }

    fn write_frame(&mut self, number: u64, frame: &[u8]) -> Result<Place> {
        let len = u32::try_from(frame.len())
            .map_err(|_| error!(BatchTooLarge, "a frame of {} bytes", frame.len()))?;
        let needed = (FRAME_HEAD + frame.len()) as u64;
        let full = |end: u64| end.saturating_add(needed) > self.max_segment;
        if self.tail.as_ref().is_none_or(|(_, end)| full(*end)) {
            self.begin_segment(number)?;
        }
        let (Some((file, end)), Some(segment)) = (&mut self.tail, self.segments.back()) else {
            return Err(error!(SocketError, "store-and-forward: no segment is open"));
        };
        let mut head = [0; FRAME_HEAD];
        let (len_bytes, crc_bytes) = head.split_at_mut(4);
        len_bytes.copy_from_slice(&len.to_le_bytes());
        crc_bytes.copy_from_slice(&frame_crc(number, len, frame).to_le_bytes());
        write_at(file, *end + FRAME_HEAD as u64, frame)
            .and_then(|()| write_at(file, *end, &head))
            .map_err(|e| failed("write", &segment.path, &e))?;
        let place = Place {
            segment: segment.first,
            offset: *end + FRAME_HEAD as u64,
            len,
        };
        *end += needed;
        Ok(place)
    }

    fn begin_segment(&mut self, first: u64) -> Result<()> {
        let path = self.dir.join(format!("frames-{first:016x}"));
        let mut file = open(&path)?;
        let head = segment_head(first);
        file.set_len(0)
            .and_then(|()| write_at(&mut file, 0, &head))
            .map_err(|e| failed("write", &path, &e))?;
        self.tail = Some((file, head.len() as u64));
        // A segment whose only frame failed to be written begins anew under the same name.
        self.segments.retain(|segment| segment.first != first);
        self.segments.push_back(Segment { first, path });
        Ok(())
    }

    pub(super) fn read(&mut self, number: u64) -> Result<Bytes> {
        let gone = || error!(StoreResendRequired, "frame {number} is no longer kept");
        let place = number
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok())
            .and_then(|at| self.frames.get(at))
            .copied()
            .ok_or_else(gone)?;
        let segment = self
            .segments
            .iter()
            .find(|segment| segment.first == place.segment)
            .ok_or_else(gone)?;
        let file = match &mut self.reading {
            Some((first, file)) if *first == place.segment => file,
            reading => {
                let file =
                    File::open(&segment.path).map_err(|e| failed("open", &segment.path, &e))?;
                &mut reading.insert((place.segment, file)).1
            }
        };
        let mut frame = vec![0; place.len as usize];
        file.seek(SeekFrom::Start(place.offset))
            .and_then(|_| file.read_exact(&mut frame))
            .map_err(|e| failed("read", &segment.path, &e))?;
        Ok(frame.into())
    }

    /// Forgets the frames before `number`; segments without any other go.
    pub(super) fn trim(&mut self, number: u64) {
        while self.first < number
            && let Some(place) = self.frames.pop_front()
        {
            self.first += 1;
            self.bytes -= u64::from(place.len);
        }
        let number = self.first.to_le_bytes();
        let mut record = number.to_vec();
        record.extend_from_slice(&crc32c(0, &number).to_le_bytes());
        if let Err(e) = write_at(&mut self.acked, 0, &record) {
            // At worst the frames are sent again.
            tracing::warn!("store-and-forward: cannot note what is acknowledged: {e}");
        }
        self.drop_segments();
    }

    fn drop_segments(&mut self) {
        // The last one stays, for it says what number comes next.
        while self.segments.len() > 1
            && self
                .segments
                .get(1)
                .is_some_and(|second| second.first <= self.first)
            && let Some(segment) = self.segments.pop_front()
        {
            self.reading.take_if(|(first, _)| *first == segment.first);
            remove(&segment.path);
        }
    }

    /// What was written since the last [`synced`](Self::synced): symbols before the frames that use
    /// them.
    pub(super) fn unsynced(&self) -> Unsynced {
        let segments = self
            .segments
            .iter()
            .filter(|segment| segment.first >= self.synced_before)
            .map(|segment| segment.path.clone());
        let mut files = vec![self.dir.join("symbols")];
        files.extend(segments);
        files.push(self.dir.join("acked"));
        let parent = self.dir.parent().map(Path::to_owned);
        Unsynced {
            files,
            dirs: [Some(self.dir.clone()), parent]
                .into_iter()
                .flatten()
                .collect(),
            up_to: self.segments.back().map_or(0, |segment| segment.first),
        }
    }

    /// Segments before the one with this first frame need no more.
    pub(super) fn synced(&mut self, before: u64) {
        self.synced_before = self.synced_before.max(before);
    }
}

fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let file = open(&path)?;
    let holder = dir.join("holder");
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => {}
        Err(fs4::TryLockError::WouldBlock) => {
            let who = fs::read_to_string(&holder).unwrap_or_else(|_| "unknown".to_owned());
            return Err(error!(
                ConfigError,
                "the store-and-forward slot {} is open already, by the process {}; give each sender a \
                 `sender_id` of its own",
                dir.display(),
                who.trim()
            ));
        }
        Err(fs4::TryLockError::Error(e)) => return Err(failed("lock", &path, &e)),
    }
    fs::write(&holder, std::process::id().to_string()).map_err(|e| failed("write", &holder, &e))?;
    Ok(file)
}

fn write_at(file: &mut File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

fn remove(path: &Path) {
    if let Err(e) = fs::remove_file(path) {
        tracing::warn!("store-and-forward: cannot remove {}: {e}", path.display());
    }
}

fn segment_head(first: u64) -> [u8; SEGMENT_HEAD] {
    let mut head = [0; SEGMENT_HEAD];
    let (magic, rest) = head.split_at_mut(MAGIC.len());
    magic.copy_from_slice(MAGIC);
    let (number, crc) = rest.split_at_mut(8);
    number.copy_from_slice(&first.to_le_bytes());
    crc.copy_from_slice(&crc32c(crc32c(0, magic), number).to_le_bytes());
    head
}

/// The number is part of it, so that a frame in the wrong place is none.
fn frame_crc(number: u64, len: u32, frame: &[u8]) -> u32 {
    let head = crc32c(crc32c(0, &number.to_le_bytes()), &len.to_le_bytes());
    crc32c(head, frame)
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
