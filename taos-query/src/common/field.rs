use std::fmt;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::Ty;
use crate::util::{Inlinable, InlinableRead, InlinableWrite};

/// Name, type and declared width of a result column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Field {
    name: String,
    #[serde(rename = "type")]
    ty: Ty,
    #[serde(rename = "length", default)]
    bytes: u32,
}

impl Field {
    /// A field; `bytes` is the declared width: bytes for VARCHAR, characters for NCHAR, else the
    /// width of the type.
    pub fn new(name: impl Into<String>, ty: Ty, bytes: u32) -> Self {
        Self {
            name: name.into(),
            ty,
            bytes,
        }
    }

    /// A field without name, of type NULL and width 0.
    pub const fn empty() -> Self {
        Self {
            name: String::new(),
            ty: Ty::Null,
            bytes: 0,
        }
    }

    /// The column's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name in backticks, ready for SQL.
    pub fn escaped_name(&self) -> String {
        format!("`{}`", self.name.replace('`', "``"))
    }

    /// The column's type.
    pub const fn ty(&self) -> Ty {
        self.ty
    }

    /// The declared width.
    pub const fn bytes(&self) -> u32 {
        self.bytes
    }

    /// The column as `CREATE TABLE` wants it: escaped name, type and, where the type has one, width.
    pub fn sql_repr(&self) -> String {
        if self.ty.is_var_type() && !matches!(self.ty, Ty::Json | Ty::Blob | Ty::MediumBlob) {
            format!("{} {}({})", self.escaped_name(), self.ty, self.bytes)
        } else {
            format!("{} {}", self.escaped_name(), self.ty)
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql_repr())
    }
}

/// The type in 1 byte, the width in 4, and the name behind 2 bytes of length.
impl Inlinable for Field {
    fn read_inlined<R: Read>(reader: &mut R) -> io::Result<Self> {
        let ty = Ty::from_u8(InlinableRead::read_u8(reader)?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let bytes = InlinableRead::read_u32(reader)?;
        let name = reader.read_inlined_str::<2>()?;
        Ok(Self::new(name, ty, bytes))
    }

    fn write_inlined<W: Write>(&self, wtr: &mut W) -> io::Result<usize> {
        Ok(wtr.write_u8_le(self.ty.as_u8())?
            + wtr.write_u32_le(self.bytes)?
            + wtr.write_inlined_str::<2>(&self.name)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_repr_escapes_the_name_and_shows_widths() {
        assert_eq!(
            Field::new("a`b", Ty::NChar, 8).sql_repr(),
            "`a``b` NCHAR(8)"
        );
        assert_eq!(Field::new("j", Ty::Json, 4095).to_string(), "`j` JSON");
        assert_eq!(Field::new("u", Ty::UInt, 4).to_string(), "`u` INT UNSIGNED");
    }

    #[test]
    fn serde_names_are_name_type_and_length() {
        let field: Field =
            serde_json::from_str(r#"{"name":"v","type":"VARCHAR","length":20}"#).unwrap();
        assert_eq!(field, Field::new("v", Ty::VarChar, 20));
        assert_eq!(
            serde_json::to_string(&field).unwrap(),
            r#"{"name":"v","type":8,"length":20}"#
        );
    }
}
