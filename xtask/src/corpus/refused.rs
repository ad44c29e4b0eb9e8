//! Features that the server refuses by name, read from its sources: the corpus tells only of those that its
//! statements want.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::process::root;

/// Where SQL is understood.
const ROOMS: [&str; 4] = ["sql", "plan", "exec", "engine"];
const CALL: &str = "unsupported(";

/// The names, in their order; `…` stands for what only a statement tells.
pub(super) fn names() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for room in ROOMS {
        collect(&root().join("taos-embedded/src").join(room), &mut names)?;
    }
    Ok(names)
}

fn collect(dir: &Path, names: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        // Tests have names of their own.
        if path
            .file_stem()
            .is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
        {
            continue;
        }
        if path.is_dir() {
            collect(&path, names)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(of_source(&fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// The names in one file, up to its tests.
fn of_source(source: &str) -> impl Iterator<Item = String> + '_ {
    let code = source.split("#[cfg(test)]\nmod tests {").next();
    let calls = code.unwrap_or(source).split(CALL).skip(1);
    calls.filter_map(|call| {
        let call = call.trim_start();
        let call = call.strip_prefix("format!(").unwrap_or(call).trim_start();
        let (text, _) = call.strip_prefix('"')?.split_once('"')?;
        Some(without_values(text)).filter(|name| says_something(name))
    })
}

/// Placeholders of `format!` as `…`, and lines joined.
fn without_values(text: &str) -> String {
    let mut name = String::new();
    let mut within = false;
    for char in text.chars() {
        match char {
            '{' => within = true,
            '}' if within => {
                within = false;
                name.push('…');
            }
            _ if within => {}
            '\\' | '\n' => {}
            _ => name.push(char),
        }
    }
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// False for names of nothing but placeholders and small words.
fn says_something(name: &str) -> bool {
    name.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word.len() > 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_their_gaps_and_tests_are_left_out() {
        let source = "
            return Err(SqlError::unsupported(\"fill before a window\"));
            SqlError::unsupported(format!(\"more than {most} columns\"))
            SqlError::unsupported(format!(\"{name} of {}\", ty))
            SqlError::unsupported(
                \"a text cut inside of \\
                 a character\",
            )
            SqlError::unsupported(name)\n#[cfg(test)]\nmod tests {
            SqlError::unsupported(\"the seventh\")";
        let names: Vec<String> = of_source(source).collect();
        let expected = [
            "fill before a window",
            "more than … columns",
            "a text cut inside of a character",
        ];
        assert_eq!(names, expected);
    }
}
