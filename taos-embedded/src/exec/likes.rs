//! LIKE as SHOW uses it.

/// Whether `text` is like `pattern`: `%`, `_`, `\%` and `\_`; ASCII letters match in either case.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // where to go on after the last `%` if what follows it does not match
    let mut back = None;
    loop {
        let (step, matched) = match pattern.get(p) {
            Some('%') => {
                back = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some('_') => (1, t < text.len()),
            Some('\\') if matches!(pattern.get(p + 1), Some('%' | '_')) => {
                (2, pattern.get(p + 1) == text.get(t))
            }
            Some(c) => (1, text.get(t).is_some_and(|x| x.eq_ignore_ascii_case(c))),
            None if t == text.len() => return true,
            None => (0, false),
        };
        if matched {
            p += step;
            t += 1;
            continue;
        }
        match back {
            Some((after, from)) if from < text.len() => {
                back = Some((after, from + 1));
                p = after;
                t = from + 1;
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn wildcards_match_runs_and_single_characters() {
        for (pattern, text, expected) in [
            ("c%", "c1", true),
            ("M%", "mixed", true),
            ("js_", "js1", true),
            ("js_", "js", false),
            ("js\\_", "jsa", false),
            ("js\\_", "js_", true),
            ("%b%d", "abcd", true),
            ("%b%d", "abc", false),
            ("", "", true),
            ("%", "", true),
            ("_", "表", true),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
