//! Replays the recorded SQL statements against a fresh embedded server and holds its answers
//! against the checked-in floors.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::{self, Server, cargo, follow, root, target};
use crate::suite::Count;

mod refused;
mod table;

/// The page of the guide with the table of what is answered.
const PAGE: &str = "docs/src/embedded-sql.md";

/// Fails when a topic is below its floor, when there are more wrong answers than allowed, or when the
/// guide tells other counts.
pub(crate) fn run() -> Result<Count> {
    let (topics, page) = replay()?;
    let floors = fs::read_to_string(root().join("tests/golden-sql/floors.json"))?;
    let mut complaints = Floors::read(&floors)?.complaints(&topics);
    if fs::read_to_string(root().join(PAGE))? != page {
        complaints.push(format!(
            "{PAGE} tells other counts: `cargo xtask corpus --write` writes them anew"
        ));
    }
    ensure!(complaints.is_empty(), "{}", complaints.join("; "));
    let passed = topics.values().map(|topic| topic.passed).sum();
    Ok(Count {
        passed,
        ..Count::default()
    })
}

/// The corpus without the rest of the tests; `write` puts its counts into the guide instead of judging.
pub(crate) fn alone(write: bool) -> Result<()> {
    process::run(&mut cargo(["build", "-p", "taos-embedded", "--bins"]))?;
    if !write {
        return run().map(drop);
    }
    let (_, page) = replay()?;
    fs::write(root().join(PAGE), page)?;
    println!("written: {PAGE}");
    Ok(())
}

/// Replays everything; gives counts by topic, and what the page of the guide should be.
fn replay() -> Result<(BTreeMap<String, Topic>, String)> {
    let folder = root().join("tests/golden-sql");
    let lacks = target().join("corpus-unsupported.jsonl");
    let report = target().join("corpus-differences.jsonl");
    let server = Server::embedded(&target().join("debug/taos-embedded"))?;
    let mut topics = BTreeMap::new();
    // Exit code 1 only says that something was wrong; how much of it is allowed is decided here.
    follow(
        Command::new("python3")
            .arg(folder.join("replay.py"))
            .args([
                "--url",
                &format!("http://{}", server.address),
                "--show",
                "3",
                "--report",
            ])
            .arg(&report)
            .arg("--unsupported")
            .arg(&lacks),
        |line| {
            println!("{line}");
            if let Some((topic, result)) = topic_result(line) {
                topics.insert(topic.to_owned(), result);
            }
        },
    )
    .context("the corpus needs python3 (standard library only)")?;
    println!("differences: {}", report.display());
    let missing = table::missing(&fs::read_to_string(&lacks)?)?;
    let page = fs::read_to_string(root().join(PAGE))?;
    let refused = table::refused(refused::names()?.iter());
    let page = table::placed(&page, &(table::table(&topics, &missing) + &refused))?;
    Ok((topics, page))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Topic {
    passed: u64,
    failed: u64,
    unsupported: u64,
}

/// Reads `12-insert: 131 passed, 0 failed, 0 unsupported`.
fn topic_result(line: &str) -> Option<(&str, Topic)> {
    let (name, counts) = line.split_once(": ")?;
    if name == "total" || name.starts_with(' ') {
        return None;
    }
    let mut numbers = counts.split(", ");
    let mut next = |word: &str| numbers.next()?.strip_suffix(word)?.trim().parse().ok();
    let topic = Topic {
        passed: next("passed")?,
        failed: next("failed")?,
        unsupported: next("unsupported")?,
    };
    Some((name, topic))
}

struct Floors {
    max_failed: u64,
    min_passed: BTreeMap<String, u64>,
}

impl Floors {
    fn read(text: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(text).context("floors.json")?;
        let topics = json["min_passed"]
            .as_object()
            .context("floors.json has no min_passed")?;
        Ok(Self {
            max_failed: json["max_failed"]
                .as_u64()
                .context("floors.json has no max_failed")?,
            min_passed: topics
                .iter()
                .map(|(name, floor)| Some((name.clone(), floor.as_u64()?)))
                .collect::<Option<_>>()
                .context("a floor is a number of statements")?,
        })
    }

    fn complaints(&self, topics: &BTreeMap<String, Topic>) -> Vec<String> {
        let mut complaints = Vec::new();
        for (name, floor) in &self.min_passed {
            let passed = topics.get(name).map_or(0, |topic| topic.passed);
            if passed < *floor {
                complaints.push(format!("{name}: {passed} passed, at least {floor} must"));
            }
        }
        let failed: u64 = topics.values().map(|topic| topic.failed).sum();
        if failed > self.max_failed {
            complaints.push(format!(
                "{failed} wrong answers, at most {} may be",
                self.max_failed
            ));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOORS: &str = r#"{"max_failed": 1, "min_passed": {"12-insert": 3}}"#;

    fn judge(lines: &[&str]) -> Result<Vec<String>> {
        let topics = lines.iter().filter_map(|line| topic_result(line));
        let topics = topics
            .map(|(name, topic)| (name.to_owned(), topic))
            .collect();
        Ok(Floors::read(FLOORS)?.complaints(&topics))
    }

    #[test]
    fn a_topic_below_its_floor_is_named() -> Result<()> {
        let complaints = judge(&["12-insert: 2 passed, 0 failed, 1 unsupported"])?;
        assert_eq!(complaints, ["12-insert: 2 passed, at least 3 must"]);
        Ok(())
    }

    #[test]
    fn a_topic_that_was_not_replayed_is_below_its_floor() -> Result<()> {
        assert_eq!(judge(&[])?.len(), 1);
        Ok(())
    }

    #[test]
    fn wrong_answers_are_counted_over_all_topics() -> Result<()> {
        let complaints = judge(&[
            "12-insert: 3 passed, 1 failed, 0 unsupported",
            "30-joins: 0 passed, 1 failed, 7 unsupported",
            "total: 3 passed, 2 failed, 7 unsupported, 1.0 s",
        ])?;
        assert_eq!(complaints, ["2 wrong answers, at most 1 may be"]);
        Ok(())
    }
}
