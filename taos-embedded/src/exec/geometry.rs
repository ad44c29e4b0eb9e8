//! Geometry between text (WKT), shapes, and the little-endian bytes that are stored (WKB).

use std::fmt::Write as _;

use geo::{Coord, Geometry, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};

/// Kinds by their number in WKB.
const KINDS: [(&str, u32); 6] = [
    ("POINT", 1),
    ("LINESTRING", 2),
    ("POLYGON", 3),
    ("MULTIPOINT", 4),
    ("MULTILINESTRING", 5),
    ("MULTIPOLYGON", 6),
];

/// Why a text is no geometry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It cannot be read or is no shape.
    Bad,
    /// A form that the dialect may know but this server does not: more than two dimensions, EMPTY.
    NotDone,
}

/// The bytes of a geometry written as text.
pub(crate) fn to_bytes(text: &str) -> Result<Vec<u8>, Refused> {
    let mut reader = Reader {
        rest: text,
        not_done: false,
    };
    let refused = |reader: &Reader<'_>| {
        if reader.not_done {
            Refused::NotDone
        } else {
            Refused::Bad
        }
    };
    let word = reader.word().to_ascii_uppercase();
    let Some(&(_, kind)) = KINDS.iter().find(|kind| kind.0 == word) else {
        return Err(Refused::Bad);
    };
    let word = reader.word().to_ascii_uppercase();
    if matches!(word.as_str(), "EMPTY" | "Z" | "M" | "ZM") {
        return Err(Refused::NotDone);
    }
    let shape = reader.shape(kind).filter(|_| word.is_empty());
    let shape = shape.ok_or_else(|| refused(&reader))?;
    reader.skip();
    if !reader.rest.is_empty() {
        return Err(Refused::Bad);
    }
    let mut out = Vec::new();
    put(&shape, &mut out).ok_or(Refused::Bad)?;
    Ok(out)
}

/// The bytes of a point.
pub(crate) fn point_bytes(x: f64, y: f64) -> Vec<u8> {
    let mut out = Vec::new();
    head(1, &mut out);
    put_coord(Coord { x, y }, &mut out);
    out
}

struct Reader<'a> {
    rest: &'a str,
    not_done: bool,
}

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
        let number = number.parse().ok().filter(|n: &f64| n.is_finite())?;
        self.rest = rest;
        Some(number)
    }

    fn coord(&mut self) -> Option<Coord> {
        let coord = Coord {
            x: self.number()?,
            y: self.number()?,
        };
        if self.number().is_some() {
            self.not_done = true;
            return None;
        }
        Some(coord)
    }

    /// `(item, item, …)`.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        if !self.eat('(') {
            self.not_done |= self.word().eq_ignore_ascii_case("empty");
            return None;
        }
        let mut items = vec![item(self)?];
        while self.eat(',') {
            items.push(item(self)?);
        }
        self.eat(')').then_some(items)
    }

    fn line(&mut self) -> Option<LineString> {
        line(self.list(Self::coord)?)
    }

    fn polygon(&mut self) -> Option<Polygon> {
        polygon(self.list(|reader| ring(reader.list(Self::coord)?))?)
    }

    /// A point alone in parentheses.
    fn point(&mut self) -> Option<Point> {
        match self.list(Self::coord)?.as_slice() {
            [coord] => Some(Point(*coord)),
            _ => None,
        }
    }

    fn shape(&mut self, kind: u32) -> Option<Geometry> {
        Some(match kind {
            1 => self.point()?.into(),
            2 => self.line()?.into(),
            3 => self.polygon()?.into(),
            4 => {
                let points = self.list(|reader| {
                    if reader.rest.trim_start().starts_with('(') {
                        reader.point()
                    } else {
                        reader.coord().map(Point)
                    }
                })?;
                MultiPoint(points).into()
            }
            5 => MultiLineString(self.list(Self::line)?).into(),
            _ => MultiPolygon(self.list(Self::polygon)?).into(),
        })
    }
}

fn line(coords: Vec<Coord>) -> Option<LineString> {
    (coords.len() >= 2).then_some(LineString(coords))
}

/// A closed ring.
fn ring(coords: Vec<Coord>) -> Option<LineString> {
    (coords.len() >= 3 && coords.first() == coords.last()).then_some(LineString(coords))
}

fn polygon(rings: Vec<LineString>) -> Option<Polygon> {
    let mut rings = rings.into_iter();
    Some(Polygon::new(rings.next()?, rings.collect()))
}

fn head(kind: u32, out: &mut Vec<u8>) {
    out.push(1);
    out.extend_from_slice(&kind.to_le_bytes());
}

fn put_count(count: usize, out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&u32::try_from(count).ok()?.to_le_bytes());
    Some(())
}

fn put_coord(coord: Coord, out: &mut Vec<u8>) {
    out.extend_from_slice(&coord.x.to_le_bytes());
    out.extend_from_slice(&coord.y.to_le_bytes());
}

fn put_coords(line: &LineString, out: &mut Vec<u8>) -> Option<()> {
    put_count(line.0.len(), out)?;
    line.0.iter().for_each(|coord| put_coord(*coord, out));
    Some(())
}

fn put_line(line: &LineString, out: &mut Vec<u8>) -> Option<()> {
    head(2, out);
    put_coords(line, out)
}

fn put_polygon(polygon: &Polygon, out: &mut Vec<u8>) -> Option<()> {
    head(3, out);
    put_count(polygon.interiors().len() + 1, out)?;
    put_coords(polygon.exterior(), out)?;
    polygon
        .interiors()
        .iter()
        .try_for_each(|ring| put_coords(ring, out))
}

fn put(shape: &Geometry, out: &mut Vec<u8>) -> Option<()> {
    match shape {
        Geometry::Point(point) => {
            head(1, out);
            put_coord(point.0, out);
            Some(())
        }
        Geometry::LineString(line) => put_line(line, out),
        Geometry::Polygon(polygon) => put_polygon(polygon, out),
        Geometry::MultiPoint(points) => {
            head(4, out);
            put_count(points.0.len(), out)?;
            for point in points {
                head(1, out);
                put_coord(point.0, out);
            }
            Some(())
        }
        Geometry::MultiLineString(lines) => {
            head(5, out);
            put_count(lines.0.len(), out)?;
            lines.iter().try_for_each(|line| put_line(line, out))
        }
        Geometry::MultiPolygon(polygons) => {
            head(6, out);
            put_count(polygons.0.len(), out)?;
            polygons
                .iter()
                .try_for_each(|polygon| put_polygon(polygon, out))
        }
        _ => None,
    }
}

/// The shape of stored bytes; `None` if they are none.
pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Geometry> {
    let mut bytes = Bytes { rest: bytes };
    let shape = bytes.shape()?;
    bytes.rest.is_empty().then_some(shape)
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

    fn number(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(self.take()?)).filter(|number| number.is_finite())
    }

    fn coord(&mut self) -> Option<Coord> {
        Some(Coord {
            x: self.number()?,
            y: self.number()?,
        })
    }

    /// A count and so many items, which the bytes must hold before room is made for them.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = u32::from_le_bytes(self.take()?);
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn kind(&mut self) -> Option<u32> {
        let [1] = self.take()? else {
            return None;
        };
        self.take().map(u32::from_le_bytes)
    }

    fn point(&mut self) -> Option<Point> {
        self.coord().map(Point)
    }

    fn line(&mut self) -> Option<LineString> {
        line(self.list(Self::coord)?)
    }

    fn polygon(&mut self) -> Option<Polygon> {
        polygon(self.list(|bytes| ring(bytes.list(Self::coord)?))?)
    }

    /// A part of a collection, of the one kind that fits.
    fn part<T>(&mut self, kind: u32, item: impl Fn(&mut Self) -> Option<T>) -> Option<T> {
        (self.kind()? == kind).then(|| item(self))?
    }

    fn shape(&mut self) -> Option<Geometry> {
        Some(match self.kind()? {
            1 => self.point()?.into(),
            2 => self.line()?.into(),
            3 => self.polygon()?.into(),
            4 => MultiPoint(self.list(|bytes| bytes.part(1, Self::point))?).into(),
            5 => MultiLineString(self.list(|bytes| bytes.part(2, Self::line))?).into(),
            6 => MultiPolygon(self.list(|bytes| bytes.part(3, Self::polygon))?).into(),
            _ => return None,
        })
    }
}

/// A stored geometry as text with six decimals; `None` for bytes that are none.
pub(crate) fn to_text(bytes: &[u8]) -> Option<String> {
    Some(match from_bytes(bytes)? {
        Geometry::Point(point) => format!("POINT ({})", coord_text(point.0)),
        Geometry::LineString(line) => format!("LINESTRING {}", line_text(&line)),
        Geometry::Polygon(polygon) => format!("POLYGON {}", polygon_text(&polygon)),
        Geometry::MultiPoint(points) => {
            let point = |point: &Point| format!("({})", coord_text(point.0));
            format!("MULTIPOINT {}", listed(points.iter().map(point)))
        }
        Geometry::MultiLineString(lines) => {
            format!("MULTILINESTRING {}", listed(lines.iter().map(line_text)))
        }
        Geometry::MultiPolygon(polygons) => {
            let polygons = polygons.iter().map(polygon_text);
            format!("MULTIPOLYGON {}", listed(polygons))
        }
        _ => return None,
    })
}

fn coord_text(coord: Coord) -> String {
    format!("{:.6} {:.6}", coord.x, coord.y)
}

fn line_text(line: &LineString) -> String {
    listed(line.0.iter().map(|coord| coord_text(*coord)))
}

fn polygon_text(polygon: &Polygon) -> String {
    let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
    listed(rings.map(line_text))
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let mut out = String::from("(");
    for (index, item) in items.enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let _ = write!(out, "{comma}{item}");
    }
    out.push(')');
    out
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
                "POLYGON((0 0, 4 0, 4 4, 0 0),(1 1,2 1,2 2,1 1))",
                "POLYGON ((0.000000 0.000000, 4.000000 0.000000, 4.000000 4.000000, 0.000000 0.000000), \
                 (1.000000 1.000000, 2.000000 1.000000, 2.000000 2.000000, 1.000000 1.000000))",
            ),
            (
                "MULTIPOINT((1 1), 2 2)",
                "MULTIPOINT ((1.000000 1.000000), (2.000000 2.000000))",
            ),
            (
                "MULTILINESTRING((1 1, 2 2))",
                "MULTILINESTRING ((1.000000 1.000000, 2.000000 2.000000))",
            ),
            (
                "MULTIPOLYGON(((0 0, 4 0, 4 4, 0 0)))",
                "MULTIPOLYGON (((0.000000 0.000000, 4.000000 0.000000, 4.000000 4.000000, 0.000000 0.000000)))",
            ),
        ] {
            let bytes = to_bytes(given).unwrap();
            assert_eq!(to_text(&bytes).as_deref(), Some(shown));
        }
        assert_eq!(point_bytes(1.0, 2.0), to_bytes("POINT(1 2)").unwrap());
    }

    #[test]
    fn broken_text_and_bytes_are_refused() {
        for text in [
            "",
            "garbage",
            "POINT(1)",
            "POINT(1 2) x",
            "POINT x (1 2)",
            "POINT(1 2, 3 4)",
            "LINESTRING(1 1)",
            "POLYGON((0 0, 1 1, 2 2, 3 3))",
            "GEOMETRYCOLLECTION(POINT(1 2))",
        ] {
            assert_eq!(to_bytes(text), Err(Refused::Bad), "{text}");
        }
        for text in [
            "POINT EMPTY",
            "POINT(1 2 3)",
            "POLYGON(EMPTY)",
            "point z (1 2 3)",
        ] {
            assert_eq!(to_bytes(text), Err(Refused::NotDone), "{text}");
        }
        assert_eq!(to_text(&[1, 2, 0, 0, 0, 255, 255, 255, 255]), None);
        assert_eq!(to_text(&[]), None);
    }
}
