//! The table of the guide that tells what of the recorded SQL is answered: counts and names of features, so
//! that it changes only when they do.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Topic;

/// The lines between which the table stands.
const BEGIN: &str = "<!-- corpus: written by `cargo xtask corpus --write` -->";
const END: &str = "<!-- corpus: end -->";
/// Features named for one topic.
const NAMED: usize = 8;
const UNSUPPORTED: &str = "unsupported feature: ";

/// What the topics are about, in the words of the guide.
const ABOUT: &[(&str, &str)] = &[
    ("00-setup", "The tables that the others use"),
    ("10-ddl-database", "Databases and their options"),
    (
        "11-ddl-table",
        "Tables, super tables, subtables: CREATE, ALTER, DROP",
    ),
    ("12-insert", "INSERT in its forms"),
    ("13-delete", "DELETE"),
    (
        "20-select-basic",
        "Expressions, conditions, ORDER, LIMIT, GROUP, subqueries, UNION",
    ),
    ("22-aggregates", "Aggregates"),
    (
        "23-windows",
        "INTERVAL, SLIDING, FILL, SESSION, STATE, EVENT, COUNT windows",
    ),
    (
        "24-selection-series",
        "Functions that choose rows, functions over series, INTERP",
    ),
    ("25-scalar-math-string", "Mathematical and text functions"),
    (
        "26-scalar-time-cast",
        "Time functions, CAST and conversions",
    ),
    ("30-joins", "Joins"),
    ("31-json", "JSON tags"),
    ("32-decimal", "DECIMAL"),
    ("33-geometry", "GEOMETRY and its functions"),
    ("34-information-schema", "SHOW, DESCRIBE, system tables"),
    ("35-topics", "Topics"),
    ("40-errors", "Codes and words of errors"),
    ("41-limits", "Lengths, widths and numbers at their bounds"),
];

/// Names of features by topic, with how many statements wanted them.
pub(super) type Missing = BTreeMap<String, BTreeMap<String, u64>>;

/// Reads what the replay wrote about statements that were answered as unsupported.
pub(super) fn missing(lines: &str) -> Result<Missing> {
    let mut missing = Missing::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).context("a line of the unsupported")?;
        let text = |key: &str| {
            line[key]
                .as_str()
                .with_context(|| format!("no {key}: {line}"))
        };
        let (topic, answer) = (text("topic")?, text("answer")?);
        let name = answer.strip_prefix(UNSUPPORTED).unwrap_or(answer);
        // Further words tell what to do instead.
        let name = name.split([';', '\n']).next().unwrap_or(name).trim();
        let names = missing.entry(topic.to_owned()).or_default();
        *names.entry(name.to_owned()).or_default() += 1;
    }
    Ok(missing)
}

/// The table, and a line with the sums.
pub(super) fn table(topics: &BTreeMap<String, Topic>, missing: &Missing) -> String {
    let mut out = String::from(
        "| topic | statements | as recorded | unsupported | wrong | unsupported features, by how often they are wanted |\n\
         | --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    let mut all = Topic::default();
    for (name, topic) in topics {
        let about = ABOUT.iter().find(|(of, _)| of == name);
        let about = about.map_or(name.as_str(), |(_, about)| about);
        let names = missing.get(name).map(names).unwrap_or_default();
        row(&mut out, about, *topic, &names);
        all.passed += topic.passed;
        all.failed += topic.failed;
        all.unsupported += topic.unsupported;
    }
    row(&mut out, "**together**", all, "");
    out
}

/// The paragraph of features that are refused beside those of the table.
pub(super) fn refused<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| code(name)).collect();
    format!(
        "\nWhat is refused by name, as the sources have it (`…` stands for what a statement says):\n\n{}\n",
        names.join(",\n")
    )
}

fn code(name: &str) -> String {
    format!("`{}`", name.replace('|', "\\|").replace('`', "'"))
}

fn row(out: &mut String, about: &str, topic: Topic, names: &str) {
    let Topic {
        passed,
        failed,
        unsupported,
    } = topic;
    let statements = passed + failed + unsupported;
    // Writing into a text does not fail.
    let _ = writeln!(
        out,
        "| {about} | {statements} | {passed} | {unsupported} | {failed} | {names} |"
    );
}

fn names(counts: &BTreeMap<String, u64>) -> String {
    let mut names: Vec<_> = counts.iter().collect();
    names.sort_by_key(|(name, count)| (u64::MAX - **count, (*name).clone()));
    let shown = names.iter().take(NAMED);
    let mut text = shown
        .map(|(name, _)| code(name))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > NAMED {
        let _ = write!(text, " and {} more", names.len() - NAMED);
    }
    text
}

/// The page with another table in it.
///
/// # Errors
/// If the page has no place for it.
pub(super) fn placed(page: &str, table: &str) -> Result<String> {
    let (before, rest) = page
        .split_once(BEGIN)
        .with_context(|| format!("the page has no line {BEGIN}"))?;
    let (_, after) = rest
        .split_once(END)
        .with_context(|| format!("the page has no line {END}"))?;
    Ok(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_stand_in_the_order_of_how_often_they_are_wanted() -> Result<()> {
        let missing = missing(concat!(
            r#"{"topic": "23-windows", "answer": "unsupported feature: session"}"#,
            "\n",
            r#"{"topic": "23-windows", "answer": "unsupported feature: fill; write it out"}"#,
            "\n",
            r#"{"topic": "23-windows", "answer": "unsupported feature: fill"}"#,
            "\n",
        ))?;
        let topic = Topic {
            passed: 5,
            failed: 0,
            unsupported: 3,
        };
        let topics = BTreeMap::from([("23-windows".to_owned(), topic)]);
        let table = table(&topics, &missing);
        assert!(
            table.contains(" | 8 | 5 | 3 | 0 | `fill`, `session` |\n"),
            "{table}"
        );
        assert!(
            table.contains("| **together** | 8 | 5 | 3 | 0 |  |\n"),
            "{table}"
        );
        Ok(())
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() -> Result<()> {
        let page = format!("# SQL\n\n{BEGIN}\nold\n{END}\n\nmore\n");
        let new = placed(&page, "| new |\n")?;
        assert_eq!(
            new,
            format!("# SQL\n\n{BEGIN}\n\n| new |\n\n{END}\n\nmore\n")
        );
        assert_eq!(placed(&new, "| new |\n")?, new);
        assert!(placed("# SQL\n", "| new |\n").is_err());
        Ok(())
    }
}
