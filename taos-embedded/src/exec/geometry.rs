//! Geometry between text (WKT) and the little-endian bytes that are stored (WKB).

use std::fmt::Write as _;

/// Kinds by their number in WKB.
const KINDS: [(&str, u32); 6] = [
    ("POINT", 1),
    ("LINESTRING", 2),
    ("POLYGON", 3),
    ("MULTIPOINT", 4),
    ("MULTILINESTRING", 5),
    ("MULTIPOLYGON", 6),
];

/// The bytes of a geometry written as text; `None` if it cannot be read or is no valid shape.
pub(crate) fn to_bytes(text: &str) -> Option<Vec<u8>> {
    let mut reader = Reader { rest: text };
    let word = reader.word().to_ascii_uppercase();
    let kind = KINDS.iter().find(|k| k.0 == word)?.1;
    let mut out = Vec::new();
    reader.shape(kind, &mut out)?;
    reader.skip();
    reader.rest.is_empty().then_some(out)
}

struct Reader<'a> {
    rest: &'a str,
}

type Points = Vec<[f64; 2]>;

impl<'a> Reader<'a> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn word(&mut self) -> &'a str {
        self.skip();
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn eat(&mut self, c: char) -> bool {
        self.skip();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn number(&mut self) -> Option<f64> {
        self.skip();
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)))
            .unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        number.parse().ok().filter(|n: &f64| n.is_finite())
    }

    fn point(&mut self) -> Option<[f64; 2]> {
        Some([self.number()?, self.number()?])
    }

    /// `(item, item, …)`.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        if !self.eat('(') {
            return None;
        }
        let mut items = vec![item(self)?];
        while self.eat(',') {
            items.push(item(self)?);
        }
        self.eat(')').then_some(items)
    }

    fn points(&mut self) -> Option<Points> {
        self.list(Self::point)
    }

    fn line(&mut self) -> Option<Points> {
        self.points().filter(|p| p.len() >= 2)
    }

    /// A polygon's rings, each closed.
    fn rings(&mut self) -> Option<Vec<Points>> {
        self.list(|r| r.points().filter(|p| p.len() >= 4 && p.first() == p.last()))
    }

    fn shape(&mut self, kind: u32, out: &mut Vec<u8>) -> Option<()> {
        match kind {
            1 => {
                let points = self.points()?;
                let [point] = points.as_slice() else {
                    return None;
                };
                head(1, out);
                put_point(*point, out);
            }
            2 => {
                let points = self.line()?;
                head(2, out);
                put_points(&points, out)?;
            }
            3 => put_polygon(&self.rings()?, out)?,
            4 => {
                let points = self.list(|r| {
                    if r.rest.trim_start().starts_with('(') {
                        let points = r.points()?;
                        points.first().copied().filter(|_| points.len() == 1)
                    } else {
                        r.point()
                    }
                })?;
                head(4, out);
                put_count(points.len(), out)?;
                for point in points {
                    head(1, out);
                    put_point(point, out);
                }
            }
            5 => {
                let lines = self.list(Self::line)?;
                head(5, out);
                put_count(lines.len(), out)?;
                for line in lines {
                    head(2, out);
                    put_points(&line, out)?;
                }
            }
            _ => {
                let polygons = self.list(Self::rings)?;
                head(6, out);
                put_count(polygons.len(), out)?;
                for rings in polygons {
                    put_polygon(&rings, out)?;
                }
            }
        }
        Some(())
    }
}

fn head(kind: u32, out: &mut Vec<u8>) {
    out.push(1);
    out.extend_from_slice(&kind.to_le_bytes());
}

fn put_count(count: usize, out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&u32::try_from(count).ok()?.to_le_bytes());
    Some(())
}

fn put_point(point: [f64; 2], out: &mut Vec<u8>) {
    for number in point {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn put_points(points: &[[f64; 2]], out: &mut Vec<u8>) -> Option<()> {
    put_count(points.len(), out)?;
    for point in points {
        put_point(*point, out);
    }
    Some(())
}

fn put_polygon(rings: &[Points], out: &mut Vec<u8>) -> Option<()> {
    head(3, out);
    put_count(rings.len(), out)?;
    for ring in rings {
        put_points(ring, out)?;
    }
    Some(())
}

/// A stored geometry as text with six decimals; `None` for bytes that are none.
pub(crate) fn to_text(bytes: &[u8]) -> Option<String> {
    let mut reader = Bytes { rest: bytes };
    let mut out = String::new();
    reader.shape(true, &mut out)?;
    reader.rest.is_empty().then_some(out)
}

struct Bytes<'a> {
    rest: &'a [u8],
}

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    fn count(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn point(&mut self, out: &mut String) -> Option<()> {
        let x = f64::from_le_bytes(self.take()?);
        let y = f64::from_le_bytes(self.take()?);
        let _ = write!(out, "{x:.6} {y:.6}");
        Some(())
    }

    fn list(
        &mut self,
        out: &mut String,
        item: impl Fn(&mut Self, &mut String) -> Option<()>,
    ) -> Option<()> {
        out.push('(');
        for i in 0..self.count()? {
            if i > 0 {
                out.push_str(", ");
            }
            item(self, out)?;
        }
        out.push(')');
        Some(())
    }

    fn shape(&mut self, named: bool, out: &mut String) -> Option<()> {
        let [1] = self.take()? else {
            return None;
        };
        let kind = self.count()?;
        if named {
            let _ = write!(out, "{} ", KINDS.iter().find(|k| k.1 == kind)?.0);
        }
        match kind {
            1 => {
                out.push('(');
                self.point(out)?;
                out.push(')');
                Some(())
            }
            2 => self.list(out, Self::point),
            3 => self.list(out, |b, out| b.list(out, Self::point)),
            // parts are points, lines and polygons, which have no parts themselves
            4..=6 => self.list(out, |b, out| match b.rest.get(1) {
                Some(1..=3) => b.shape(false, out),
                _ => None,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_come_back_as_text_with_six_decimals() {
        for (given, shown) in [
            ("POINT(1 2)", "POINT (1.000000 2.000000)"),
            (
                "linestring(0 0, 1.5 -1)",
                "LINESTRING (0.000000 0.000000, 1.500000 -1.000000)",
            ),
            (
                "POLYGON((0 0, 4 0, 4 4, 0 0))",
                "POLYGON ((0.000000 0.000000, 4.000000 0.000000, 4.000000 4.000000, 0.000000 0.000000))",
            ),
            (
                "MULTIPOINT((1 1), (2 2))",
                "MULTIPOINT ((1.000000 1.000000), (2.000000 2.000000))",
            ),
        ] {
            let bytes = to_bytes(given).unwrap();
            assert_eq!(to_text(&bytes).as_deref(), Some(shown));
        }
    }

    #[test]
    fn broken_text_and_bytes_are_refused() {
        for text in [
            "",
            "garbage",
            "POINT(1)",
            "POINT(1 2) x",
            "LINESTRING(1 1)",
            "POLYGON((0 0, 1 1, 2 2, 3 3))",
        ] {
            assert_eq!(to_bytes(text), None, "{text}");
        }
        assert_eq!(to_text(&[1, 2, 0, 0, 0, 255, 255, 255, 255]), None);
        assert_eq!(to_text(&[]), None);
    }
}
