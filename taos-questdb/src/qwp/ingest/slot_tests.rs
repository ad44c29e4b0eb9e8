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

#[test]
fn a_byte_changed_anywhere_never_gives_another_frame() {
    let root = tempfile::tempdir().unwrap();
    let before = written(root.path());
    let dir = root.path().join("me");
    for name in names(&dir) {
        if !name.starts_with("frames-") && name != "acked" {
            continue;
        }
        let bytes = fs::read(dir.join(&name)).unwrap();
        for at in (0..bytes.len()).step_by(7) {
            let broken = tempfile::tempdir().unwrap();
            copy(&dir, &broken.path().join("me"));
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            fs::write(broken.path().join("me").join(&name), changed).unwrap();
            match Process::start(broken.path()) {
                Ok(mut process) => {
                    let known = |(number, frame): (&u64, &Vec<u8>)| {
                        before.get(number).is_none_or(|before| before == frame)
                    };
                    assert!(process.frames().iter().all(known), "{name} at {at}");
                }
                Err(error) => assert_eq!(error.code(), ErrorCode::StoreResendRequired),
            }
        }
    }
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
