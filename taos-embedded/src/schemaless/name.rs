//! Names of super tables and subtables.

use std::borrow::Cow;

use md5::{Digest, Md5};

use super::value::Cell;

/// A metric's name as a table has it: without dots.
pub(super) fn without_dots(name: &str) -> Cow<'_, str> {
    if name.contains('.') {
        Cow::Owned(name.replace('.', "_"))
    } else {
        Cow::Borrowed(name)
    }
}

/// Keys as the original sorts them: without regard to ASCII case, a shorter one first.
fn in_order(a: &str, b: &str) -> std::cmp::Ordering {
    let lower = |text: &str| {
        text.bytes()
            .map(|b| b.to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    lower(a).cmp(&lower(b))
}

/// The name of the subtable for these tags: `t_` and the MD5 of the super table's name followed by
/// `,key=value` for each tag in the order of the keys. Numbers stand there by their bytes.
pub(super) fn of_child<'a>(
    stable: &str,
    tags: impl Iterator<Item = (&'a str, &'a Cell)>,
) -> String {
    let mut tags: Vec<_> = tags.collect();
    tags.sort_by(|a, b| in_order(a.0, b.0));
    let mut hash = Md5::new();
    hash.update(without_dots(stable).as_bytes());
    for (key, cell) in tags {
        hash.update(b",");
        hash.update(key.as_bytes());
        hash.update(b"=");
        hash.update(cell.bytes());
    }
    let mut name = "t_".to_owned();
    for byte in hash.finalize() {
        for digit in [byte >> 4, byte & 15] {
            name.extend(char::from_digit(digit.into(), 16));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subtables_name_does_not_depend_on_the_order_of_its_tags() {
        let cell = |text: &str| super::super::value::text_tag(text.to_owned());
        let (a, b) = (cell("California.SanFrancisco"), cell("2"));
        let one = of_child("meters.x", [("location", &a), ("Groupid", &b)].into_iter());
        let other = of_child("meters_x", [("Groupid", &b), ("location", &a)].into_iter());
        assert_eq!(one, other);
        // md5 of "meters_x,Groupid=2,location=California.SanFrancisco"
        assert_eq!(one, "t_664913e7976b00ac7ff4574d7ebb5ff5");
    }
}
