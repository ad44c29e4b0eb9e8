use super::Ty;

/// Name, type and declared width of a result column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Field {
    name: String,
    ty: Ty,
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

    /// The column's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The column's type.
    pub const fn ty(&self) -> Ty {
        self.ty
    }

    /// The declared width.
    pub const fn bytes(&self) -> u32 {
        self.bytes
    }
}
