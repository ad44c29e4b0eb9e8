//! The columns of a result in the forms of C.

use taos_query::abi::{TaosField, TaosFieldE};
use taos_query::common::{Field, Precision, Ty};

use crate::args::copy_name;

/// Both descriptions of the same columns.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) plain: Vec<TaosField>,
    pub(crate) exact: Vec<TaosFieldE>,
}

impl Fields {
    /// Of a decimal the digits are known as `(precision, scale)`, if they are.
    pub(crate) fn new(
        fields: &[Field],
        unit: Precision,
        digits: impl Fn(usize) -> Option<(u8, u8)>,
    ) -> Self {
        let exact: Vec<TaosFieldE> = fields
            .iter()
            .enumerate()
            .map(|(column, field)| {
                let (precision, scale) = match field.ty() {
                    Ty::Timestamp => (unit.as_u8(), 0),
                    ty if ty.is_decimal() => digits(column).unwrap_or_default(),
                    _ => (0, 0),
                };
                TaosFieldE {
                    name: copy_name(field.name()),
                    r#type: type_number(field.ty()),
                    precision,
                    scale,
                    bytes: i32::try_from(field.bytes()).unwrap_or(i32::MAX),
                }
            })
            .collect();
        let plain = exact
            .iter()
            .map(|field| TaosField {
                name: field.name,
                r#type: field.r#type,
                bytes: field.bytes,
            })
            .collect();
        Self { plain, exact }
    }

    /// Whether these are the same columns.
    pub(crate) fn equal(&self, other: &Self) -> bool {
        let told = |field: &TaosFieldE| {
            let digits = (field.precision, field.scale);
            (field.name, field.r#type, field.bytes, digits)
        };
        let (ours, others) = (self.exact.iter(), other.exact.iter());
        ours.map(told).eq(others.map(told))
    }
}

/// The number of a type (raw-block §4).
pub(crate) const fn type_number(ty: Ty) -> i8 {
    ty.as_u8().cast_signed()
}
