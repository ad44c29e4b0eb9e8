//! Functions of shapes. Predicates look at the DE-9IM matrix of two shapes.

use geo::{Geometry, Relate, Validation};
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use super::{Args, fallible, strict};
use crate::exec::geometry::{Refused, from_bytes, point_bytes, to_bytes, to_text};
use crate::sql::SqlError;

/// A value that a function cannot read.
pub(super) fn bad_value() -> SqlError {
    SqlError::new(0x2803, "Invalid function para value")
}

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    fallible(connection, "td_st_geomfromtext", 1, |args| {
        match args.text(0) {
            // the empty text is no shape, and no error
            None | Some("") => Ok(None),
            Some(text) => to_bytes(text).map(Value::Blob).map(Some).map_err(refused),
        }
    })?;
    fallible(connection, "td_st_astext", 1, |args| match blob(args, 0) {
        Some(bytes) => to_text(bytes)
            .map(|text| Some(Value::Text(text)))
            .ok_or_else(bad_value),
        None => Ok(None),
    })?;
    strict(connection, "td_st_makepoint", 2, |args| {
        Some(Value::Blob(point_bytes(args.real(0)?, args.real(1)?)))
    })?;
    let predicates: [(&str, &str); 5] = [
        ("td_st_contains", "T*****FF*"),
        ("td_st_containsproperly", "T**FF*FF*"),
        ("td_st_covers", "covers"),
        ("td_st_intersects", "intersects"),
        ("td_st_touches", "touches"),
    ];
    for (name, pattern) in predicates {
        predicate(connection, name, pattern)?;
    }
    predicate(connection, "td_st_equals", "equals")
}

pub(super) fn refused(refused: Refused) -> SqlError {
    match refused {
        Refused::Bad => bad_value(),
        Refused::NotDone => {
            SqlError::unsupported("empty geometries and those of more than two dimensions")
        }
    }
}

fn blob<'a>(args: &'a Args<'_>, index: usize) -> Option<&'a [u8]> {
    match args.get(index) {
        ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

fn predicate(connection: &Connection, name: &str, pattern: &'static str) -> rusqlite::Result<()> {
    fallible(connection, name, 2, move |args| {
        let (Some(a), Some(b)) = (blob(args, 0), blob(args, 1)) else {
            return Ok(None);
        };
        let holds = related(&shape(a)?, &shape(b)?, pattern)?;
        Ok(Some(Value::Integer(i64::from(holds))))
    })
}

/// A shape whose relations are defined: without rings that cross themselves and the like.
fn shape(bytes: &[u8]) -> Result<Geometry, SqlError> {
    let shape = from_bytes(bytes).ok_or_else(bad_value)?;
    if shape.is_valid() {
        Ok(shape)
    } else {
        Err(SqlError::unsupported(
            "relations of a geometry that crosses itself or has no extent",
        ))
    }
}

fn related(a: &Geometry, b: &Geometry, pattern: &str) -> Result<bool, SqlError> {
    let matrix = a.relate(b);
    Ok(match pattern {
        "covers" => matrix.is_covers(),
        "intersects" => matrix.is_intersects(),
        "touches" => matrix.is_touches(),
        "equals" => matrix.is_equal_topo(),
        pattern => matrix
            .matches(pattern)
            .map_err(|_| SqlError::unsupported("this relation of geometries"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(pattern: &str, a: &str, b: &str) -> bool {
        let shape = |text| shape(&to_bytes(text).unwrap()).unwrap();
        related(&shape(a), &shape(b), pattern).unwrap()
    }

    const SQUARE: &str = "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))";

    #[test]
    fn borders_belong_to_a_shape_but_are_not_inside_of_it() {
        let inside = "T*****FF*";
        let proper = "T**FF*FF*";
        assert!(holds(inside, SQUARE, "POINT(1 1)"));
        assert!(!holds(inside, SQUARE, "POINT(0 1)"));
        assert!(holds("covers", SQUARE, "POINT(0 1)"));
        assert!(holds("touches", SQUARE, "POINT(0 1)"));
        assert!(holds("intersects", SQUARE, "POINT(0 1)"));
        let along = "LINESTRING(0 1, 2 1)";
        assert!(holds(inside, SQUARE, along));
        assert!(!holds(proper, SQUARE, along));
        assert!(holds(proper, SQUARE, "LINESTRING(1 1, 2 1)"));
        assert!(!holds("touches", SQUARE, along));
        assert!(holds(proper, "POINT(1 1)", "POINT(1 1)"));
    }

    #[test]
    fn equal_shapes_may_begin_at_another_corner() {
        let turned = "POLYGON((4 4, 0 4, 0 0, 4 0, 4 4))";
        assert!(holds("equals", SQUARE, turned));
        assert!(holds(
            "equals",
            "LINESTRING(0 0, 2 2)",
            "LINESTRING(2 2, 1 1, 0 0)"
        ));
        assert!(!holds("equals", SQUARE, "POINT(1 1)"));
        assert!(!holds("intersects", SQUARE, "POINT(10.5 -3.25)"));
    }

    #[test]
    fn a_ring_that_crosses_itself_has_no_relations() {
        let bow = to_bytes("POLYGON((0 0, 4 4, 4 0, 0 4, 0 0))").unwrap();
        assert_eq!(shape(&bow).unwrap_err().code, 0x0100);
    }
}
