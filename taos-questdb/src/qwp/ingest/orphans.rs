//! Slots that other senders left behind: their frames are sent over connections of their own
//! (questdb §14).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::driver::Driver;
use super::shared::Shared;
use super::slot::{Opened, Slot};
use super::store::Store;
use crate::error::{Result, error};
use crate::settings::Settings;

/// Opens a slot where it may take its time.
pub(super) async fn open(root: &Path, id: &str, max_segment: u64) -> Result<Opened> {
    let (root, id) = (root.to_owned(), id.to_owned());
    tokio::task::spawn_blocking(move || Slot::open(&root, &id, max_segment))
        .await
        .unwrap_or_else(|e| Err(error!(SocketError, "opening a slot was given up: {e}")))
}

/// Empties the other slots of the directory, a few at a time, until the sender is gone.
pub(super) async fn drain(settings: Arc<Settings>, mut closed: watch::Receiver<bool>) {
    let Some(root) = settings.ingest.sf_dir.clone() else {
        return;
    };
    let names = match others(&root, &settings.ingest.sender_id) {
        Ok(names) => names,
        Err(e) => {
            tracing::warn!("store-and-forward: cannot list {}: {e}", root.display());
            return;
        }
    };
    // Dropping the set ends its tasks, which leaves the slots as they are.
    let mut running = JoinSet::new();
    let all = async {
        for name in names {
            if running.len() >= settings.ingest.max_background_drainers {
                running.join_next().await;
            }
            running.spawn(drain_one(Arc::clone(&settings), root.clone(), name));
        }
        while running.join_next().await.is_some() {}
    };
    tokio::select! {
        _ = closed.wait_for(|closed| *closed) => {}
        () = all => {}
    }
}

/// The names of directories that can be slots, without our own.
fn others(root: &Path, own: &str) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        let is_id = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if is_id && name != own && entry.file_type()?.is_dir() && has_segments(&entry.path()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Other directories are nobody's slot, or an empty one.
fn has_segments(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| entry.file_name().as_encoded_bytes().starts_with(b"frames-"))
        })
    })
}

async fn drain_one(settings: Arc<Settings>, root: PathBuf, name: String) {
    match empty(settings, &root, &name).await {
        Ok(0) => {}
        Ok(frames) => {
            tracing::info!("store-and-forward: sent {frames} frames of the slot {name:?}")
        }
        Err(e) => tracing::warn!("store-and-forward: the slot {name:?} stays as it is: {e}"),
    }
}

/// Sends what a slot holds; gives how many frames it was. A slot that somebody has open is theirs.
async fn empty(settings: Arc<Settings>, root: &Path, name: &str) -> Result<u64> {
    let ingest = &settings.ingest;
    let Opened { mut slot, symbols } = open(root, name, ingest.max_segment_bytes).await?;
    let (first, next) = (slot.first(), slot.next());
    if first == next {
        slot.clear();
        return Ok(0);
    }
    let store = Store::on_disk(slot, ingest.max_total_bytes);
    let shared = Arc::new(Shared::new(store, symbols, ingest.error_inbox_capacity));
    let driver = Driver::new(Arc::clone(&settings), Arc::clone(&shared))?;
    let mut progress = shared.subscribe();
    let sent = async {
        loop {
            progress.mark_unchanged();
            if shared.state().store.first() >= next || progress.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = driver.run() => shared.check()?,
        () = sent => {}
    }
    if let Some(slot) = shared.state().store.slot() {
        slot.clear();
    }
    Ok(next - first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_with_segments_are_slots_of_others() {
        let root = tempfile::tempdir().unwrap();
        for name in ["own", "left", "foreign", "me-1.failed"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        for name in ["own", "left", "me-1.failed"] {
            let opened = Slot::open(root.path(), name, 1000).unwrap();
            drop(opened);
            std::fs::write(root.path().join(name).join("frames-0000000000000000"), "").unwrap();
        }
        std::fs::write(root.path().join("foreign").join("notes"), "").unwrap();
        assert_eq!(others(root.path(), "own").unwrap(), ["left"]);
        let Opened { mut slot, .. } = Slot::open(root.path(), "left", 1000).unwrap();
        slot.clear();
        assert_eq!(others(root.path(), "own").unwrap(), Vec::<String>::new());
    }
}
