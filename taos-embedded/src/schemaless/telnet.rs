//! OpenTSDB telnet lines: `metric time value tag=value tag=value`.

use std::borrow::Cow;
use std::collections::HashMap;

use super::VALUE;
use super::bad::{INVALID_DATA, INVALID_VALUE, near};
use super::points::{Collector, Tag, check_key, check_name};
use super::time::Clock;
use super::value::{self, sized, text_tag};
use crate::sql::SqlError;

/// Reads lines.
pub(super) fn read(data: &str, clock: Clock, points: &mut Collector<'_>) -> Result<(), SqlError> {
    let mut tables = HashMap::new();
    let mut start = 0;
    for line in data.split_terminator('\n') {
        self::line(line, start, clock, points, &mut tables)?;
        start += line.len() + 1;
    }
    Ok(())
}

/// The next word and what follows it. A word ends at a space and nowhere else: the last one of a
/// line is none.
fn word(rest: &str) -> (&str, &str) {
    let rest = rest.trim_start_matches(' ');
    rest.split_once(' ').unwrap_or_default()
}

fn line<'a>(
    line: &'a str,
    start: usize,
    clock: Clock,
    points: &mut Collector<'_>,
    tables: &mut HashMap<(&'a str, &'a str), (usize, usize)>,
) -> Result<(), SqlError> {
    let (metric, rest) = word(line);
    check_name(metric, "SML telnet invalid measure", rest)?;
    let (time, rest) = word(rest);
    if time.is_empty() {
        return Err(near(INVALID_DATA, "SML telnet invalid timestamp", rest));
    }
    let time = clock.by_digits(time)?;
    let (value, rest) = word(rest);
    if value.is_empty() {
        return Err(near(INVALID_VALUE, "SML telnet invalid cols", rest));
    }
    let place = start + line.len() - rest.len() - value.len() - 1;
    let cell = value::read(value)?;
    let text = rest.trim_matches([' ', '\r']);
    if text.is_empty() {
        return Err(near(INVALID_VALUE, "SML telnet invalid tags", rest));
    }
    let (measure, child) = match tables.get(&(metric, text)) {
        Some(&known) => known,
        None => {
            let measure = points.measure(metric);
            let from = start + line.len() - rest.trim_start_matches(' ').len();
            let child = points.child(measure, metric, tags(text, from)?)?;
            tables.insert((metric, text), (measure, child));
            (measure, child)
        }
    };
    points.begin();
    points.cell(measure, VALUE, cell, place)?;
    points.end(measure, child, time);
    Ok(())
}

fn tags(text: &str, from: usize) -> Result<Vec<Tag<'_>>, SqlError> {
    let mut tags = Vec::new();
    let mut place = from;
    for word in text.split(' ') {
        let here = place;
        place += word.len() + 1;
        if word.is_empty() {
            continue;
        }
        let Some((key, tag)) = word.split_once('=') else {
            let rest = text.get(here - from + word.len()..).unwrap_or_default();
            return Err(near(INVALID_DATA, "SML telnet invalid data", rest));
        };
        check_key(key, word)?;
        if tag.is_empty() {
            return Err(near(INVALID_VALUE, "SML telnet invalid value", word));
        }
        if tag.contains('=') {
            return Err(near(INVALID_DATA, "SML telnet invalid data", word));
        }
        let tag = text_tag(tag.to_owned());
        tags.push((Cow::Borrowed(key), sized(tag.ty, tag.value)?, here));
    }
    Ok(tags)
}
