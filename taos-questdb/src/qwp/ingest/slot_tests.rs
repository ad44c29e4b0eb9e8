use std::collections::BTreeMap;

use super::*;
use crate::ErrorCode;
use crate::ingress::{Buffer, QwpEncoder};

const SEGMENT: u64 = 160;

/// A process with a slot open.
struct Process {
    slot: Slot,
    symbols: SymbolTable,
}

impl Process {
    fn start(root: &Path) -> Result<Self> {
        let Opened { slot, symbols } = Slot::open(root, "me", SEGMENT)?;
        Ok(Self { slot, symbols })
    }

    /// Publishes a row with this symbol; gives the frame.
    fn publish(&mut self, symbol: &str) -> Vec<u8> {
        let mut buffer = Buffer::new_qwp_ws();
        buffer.table("t").unwrap().symbol("s", symbol).unwrap();
        buffer.at_now().unwrap();
        let first = self.symbols.len();
        let mut frame = Vec::new();
        QwpEncoder::default()
            .encode(buffer.qwp().unwrap(), &mut self.symbols, &mut frame)
            .unwrap();
        self.slot.append(&frame, self.symbols.from(first)).unwrap();
        frame
    }

    fn frames(&mut self) -> BTreeMap<u64, Vec<u8>> {
        (self.slot.first()..self.slot.next())
            .map(|number| (number, self.slot.read(number).unwrap().to_vec()))
            .collect()
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// Ten frames with ten symbols over several segments, the first three acknowledged.
fn written(root: &Path) -> BTreeMap<u64, Vec<u8>> {
    let mut process = Process::start(root).unwrap();
    for i in 0..10 {
        process.publish(&format!("symbol number {i}"));
    }
    process.slot.trim(3);
    process.frames()
}

#[test]
fn the_next_process_finds_what_was_not_acknowledged() {
    let root = tempfile::tempdir().unwrap();
    let before = written(root.path());
    assert_eq!(
        before.keys().copied().collect::<Vec<_>>(),
        (3..10).collect::<Vec<_>>()
    );
    let mut process = Process::start(root.path()).unwrap();
    assert_eq!(process.frames(), before);
    assert_eq!(process.symbols.len(), 10);
    let total: usize = before.values().map(Vec::len).sum();
    assert_eq!(process.slot.bytes(), total as u64);
    process.publish("one more");
    assert_eq!(process.slot.next(), 11);
    drop(process);
    assert_eq!(Process::start(root.path()).unwrap().frames().len(), 8);
}

#[test]
fn a_slot_is_open_once_and_the_second_is_told_by_whom() {
    let root = tempfile::tempdir().unwrap();
    let process = Process::start(root.path()).unwrap();
    let error = Process::start(root.path()).map(drop).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConfigError);
    assert!(
        error.msg().contains(&std::process::id().to_string()),
        "{error}"
    );
    drop(process);
    Process::start(root.path()).unwrap();
}

#[test]
fn acknowledged_segments_leave_the_disk_and_numbers_go_on() {
    let root = tempfile::tempdir().unwrap();
    written(root.path());
    let segments = |root: &Path| {
        let names = names(&root.join("me"));
        names
            .iter()
            .filter(|name| name.starts_with("frames-"))
            .count()
    };
    assert!(segments(root.path()) > 2);
    let mut process = Process::start(root.path()).unwrap();
    process.slot.trim(10);
    assert_eq!(process.slot.bytes(), 0);
    assert_eq!(segments(root.path()), 1);
    drop(process);
    let mut process = Process::start(root.path()).unwrap();
    assert_eq!((process.slot.first(), process.slot.next()), (10, 10));
    assert_eq!(process.symbols.len(), 0, "none is needed without frames");
    let frame = process.publish("again");
    drop(process);
    let mut process = Process::start(root.path()).unwrap();
    assert_eq!(process.frames(), BTreeMap::from([(10, frame)]));
}

#[test]
fn a_last_segment_cut_anywhere_keeps_the_frames_before_the_cut() {
    let root = tempfile::tempdir().unwrap();
    let before = written(root.path());
    let dir = root.path().join("me");
    let last = names(&dir)
        .into_iter()
        .rfind(|name| name.starts_with("frames-"))
        .unwrap();
    let len = fs::metadata(dir.join(&last)).unwrap().len();
    let mut fewest = before.len();
    for cut in (0..len).rev() {
        let broken = tempfile::tempdir().unwrap();
        copy(&dir, &broken.path().join("me"));
        let file = open(&broken.path().join("me").join(&last)).unwrap();
        file.set_len(cut).unwrap();
        let mut process = Process::start(broken.path()).unwrap();
        let found = process.frames();
        assert!(found.len() <= fewest, "cut at {cut}");
        fewest = found.len();
        assert!(found.iter().all(|(number, frame)| before[number] == *frame));
        let number = process.slot.next();
        assert_eq!(number, 3 + found.len() as u64);
        let frame = process.publish("after the cut");
        drop(process);
        let mut process = Process::start(broken.path()).unwrap();
        assert_eq!(process.frames()[&number], frame, "cut at {cut}");
        assert_eq!(process.frames().len(), found.len() + 1);
    }
    assert!(fewest < before.len());
}

/// The first frame of a segment that does not end before the byte `at`.
fn first_touched(name: &str, bytes: &[u8], at: usize) -> u64 {
    let mut number = u64::from_str_radix(name.trim_start_matches("frames-"), 16).unwrap();
    let mut end = SEGMENT_HEAD;
    while let Some(len) = bytes.get(end..end + 4) {
        let len = u32::from_le_bytes(len.try_into().unwrap());
        end += FRAME_HEAD + usize::try_from(len).unwrap();
        if end > at {
            break;
        }
        number += 1;
    }
    number
}

#[test]
fn a_byte_changed_anywhere_loses_nothing_before_it_and_gives_no_other_frame() {
    let root = tempfile::tempdir().unwrap();
    let before = written(root.path());
    let dir = root.path().join("me");
    let mut refused = 0;
    for name in names(&dir) {
        let bytes = fs::read(dir.join(&name)).unwrap();
        let places = (0..bytes.len()).filter(|at| *at < SEGMENT_HEAD || at % 5 == 0);
        for at in places {
            let broken = tempfile::tempdir().unwrap();
            copy(&dir, &broken.path().join("me"));
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            fs::write(broken.path().join("me").join(&name), changed).unwrap();
            match Process::start(broken.path()) {
                Ok(mut process) => {
                    let touched = if name.starts_with("frames-") {
                        assert!(at >= SEGMENT_HEAD, "{name} has a head");
                        first_touched(&name, &bytes, at)
                    } else {
                        u64::MAX
                    };
                    let found = process.frames();
                    for (number, frame) in &before {
                        let kept = found.get(number);
                        assert!(kept.is_none_or(|kept| kept == frame), "{name} at {at}");
                        assert!(kept.is_some() || *number >= touched, "{name} at {at}");
                    }
                }
                Err(error) => {
                    assert_eq!(error.code(), ErrorCode::StoreResendRequired);
                    let aside = broken.path().join("me-1.failed");
                    assert_eq!(names(&aside), names(&dir), "all files are kept");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn new_symbols_do_not_mix_with_old_frames_when_acked_is_lost() {
    let root = tempfile::tempdir().unwrap();
    written(root.path());
    let mut process = Process::start(root.path()).unwrap();
    process.slot.trim(10);
    drop(process);
    let mut process = Process::start(root.path()).unwrap();
    let frames = [process.publish("a new symbol"), process.publish("another")];
    drop(process);
    fs::remove_file(root.path().join("me").join("acked")).unwrap();
    let mut process = Process::start(root.path()).unwrap();
    let found = process.frames();
    assert_eq!(found.into_values().collect::<Vec<_>>(), frames);
    assert_eq!(process.slot.first(), 10);
}

#[test]
fn every_segment_since_the_last_sync_is_synced() {
    let root = tempfile::tempdir().unwrap();
    let mut process = Process::start(root.path()).unwrap();
    let segments = |unsynced: &Unsynced| {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let names = unsynced.files.iter().map(name);
        names.filter(|name| name.starts_with("frames-")).count()
    };
    for i in 0..10 {
        process.publish(&format!("symbol number {i}"));
    }
    let unsynced = process.slot.unsynced();
    assert!(unsynced.dirs.contains(&root.path().join("me")));
    assert_eq!(segments(&unsynced), process.slot.segments.len());
    assert!(segments(&unsynced) > 2);
    process.slot.synced(unsynced.sync().unwrap());
    assert_eq!(segments(&process.slot.unsynced()), 1, "it may have grown");
    let unsynced = process.slot.unsynced();
    process.slot.trim(10);
    unsynced
        .sync()
        .expect("segments that are gone need no sync");
}

#[test]
fn a_slot_given_back_still_tells_what_to_sync() {
    let root = tempfile::tempdir().unwrap();
    let mut process = Process::start(root.path()).unwrap();
    process.publish("a");
    let mut store = crate::qwp::ingest::store::Store::on_disk(process.slot, 1000);
    store.release();
    let unsynced = store.unsynced().unwrap();
    assert_eq!(unsynced.files.len(), 3);
    unsynced.sync().unwrap();
    assert!(store.unsynced().is_none());
}

#[test]
fn a_slot_with_a_refused_frame_is_set_aside_once() {
    let root = tempfile::tempdir().unwrap();
    let mut process = Process::start(root.path()).unwrap();
    process.publish("a");
    let refusal = error!(ServerRejection, "no such column");
    let error = process.slot.refused(&refusal, false);
    assert!(error.msg().contains("sends them again"), "{error}");
    drop(process);
    let process = Process::start(root.path()).unwrap();
    let error = process.slot.refused(&refusal, true);
    assert_eq!(error.code(), ErrorCode::ServerRejection);
    let slot = root.path().join("me");
    assert!(error.msg().contains(&slot.display().to_string()), "{error}");
    drop(process);
    let error = Process::start(root.path()).map(drop).unwrap_err();
    assert_eq!(error.code(), ErrorCode::StoreResendRequired);
    assert!(error.msg().contains("no such column"), "{error}");
    assert_eq!(names(root.path()), ["me-1.failed"]);
    assert_eq!(Process::start(root.path()).unwrap().slot.next(), 0);
}

#[test]
fn frames_whose_symbols_are_lost_are_set_aside() {
    let root = tempfile::tempdir().unwrap();
    written(root.path());
    let symbols = root.path().join("me").join("symbols");
    let len = fs::metadata(&symbols).unwrap().len();
    // The frames from number 3 on bring their own symbols, those before are needed from the file.
    open(&symbols).unwrap().set_len(len / 2).unwrap();
    assert_eq!(Process::start(root.path()).unwrap().symbols.len(), 10);
    open(&symbols).unwrap().set_len(10).unwrap();
    let error = Process::start(root.path()).map(drop).unwrap_err();
    assert_eq!(error.code(), ErrorCode::StoreResendRequired);
    assert!(error.msg().contains("me-1.failed"), "{error}");
    assert_eq!(names(root.path()), ["me-1.failed"]);
    assert_eq!(Process::start(root.path()).unwrap().slot.next(), 0);
}
