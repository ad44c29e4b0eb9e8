//! The outermost value of a row: a struct or a map. What becomes of its fields is up to [`Fields`].

use serde::ser::{Impossible, Serialize, SerializeMap, SerializeStruct, Serializer};

use super::refusal::{Refusal, refuse};

/// The methods of a serializer that takes no sequences, tuples or enums with data.
macro_rules! refuse_sequences {
    ($error:expr) => {
        fn serialize_newtype_variant<V: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &V,
        ) -> Result<(), Refusal> {
            Err($error)
        }

        fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Refusal> {
            Err($error)
        }

        fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Refusal> {
            Err($error)
        }

        fn serialize_tuple_struct(
            self,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeTupleStruct, Refusal> {
            Err($error)
        }

        fn serialize_tuple_variant(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeTupleVariant, Refusal> {
            Err($error)
        }
    };
}

/// What is done with the fields of a record.
pub(super) trait Fields {
    /// A field of a struct.
    fn field<V: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &V,
    ) -> Result<(), Refusal>;

    /// A field of a struct that leaves itself out.
    fn skipped(&mut self, name: &'static str);

    /// An entry of a map.
    fn entry<V: Serialize + ?Sized>(&mut self, name: &str, value: &V) -> Result<(), Refusal>;
}

/// Takes a row apart.
pub(super) struct Record<'a, F> {
    fields: &'a mut F,
    key: String,
}

impl<'a, F: Fields> Record<'a, F> {
    pub(super) const fn new(fields: &'a mut F) -> Self {
        Self {
            fields,
            key: String::new(),
        }
    }
}

fn not_a_record() -> Refusal {
    Refusal::new("a row must be a struct or a map with the names of columns")
}

impl<F: Fields> Serializer for Record<'_, F> {
    type Ok = ();
    type Error = Refusal;
    type SerializeSeq = Impossible<(), Refusal>;
    type SerializeTuple = Impossible<(), Refusal>;
    type SerializeTupleStruct = Impossible<(), Refusal>;
    type SerializeTupleVariant = Impossible<(), Refusal>;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), Refusal>;

    refuse! { _this => not_a_record();
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    fn serialize_some<V: Serialize + ?Sized>(self, value: &V) -> Result<(), Refusal> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_struct<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &V,
    ) -> Result<(), Refusal> {
        value.serialize(self)
    }

    refuse_sequences!(not_a_record());

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Refusal> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Refusal> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Refusal> {
        Err(not_a_record())
    }
}

impl<F: Fields> SerializeStruct for Record<'_, F> {
    type Ok = ();
    type Error = Refusal;

    // A call for each field costs as much as writing the field.
    #[inline(always)]
    fn serialize_field<V: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &V,
    ) -> Result<(), Refusal> {
        self.fields.field(name, value)
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), Refusal> {
        self.fields.skipped(name);
        Ok(())
    }

    #[inline]
    fn end(self) -> Result<(), Refusal> {
        Ok(())
    }
}

impl<F: Fields> SerializeMap for Record<'_, F> {
    type Ok = ();
    type Error = Refusal;

    fn serialize_key<K: Serialize + ?Sized>(&mut self, key: &K) -> Result<(), Refusal> {
        self.key.clear();
        key.serialize(Text(&mut self.key))
            .map_err(|_| Refusal::new("the keys of a row must be text, the names of columns"))
    }

    fn serialize_value<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), Refusal> {
        self.fields.entry(&self.key, value)
    }

    fn end(self) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Appends a text, which is the name of something, and refuses all that is not text.
pub(super) struct Text<'a>(pub(super) &'a mut String);

fn not_a_name() -> Refusal {
    Refusal::new("a name must be text")
}

impl Serializer for Text<'_> {
    type Ok = ();
    type Error = Refusal;
    type SerializeSeq = Impossible<(), Refusal>;
    type SerializeTuple = Impossible<(), Refusal>;
    type SerializeTupleStruct = Impossible<(), Refusal>;
    type SerializeTupleVariant = Impossible<(), Refusal>;
    type SerializeMap = Impossible<(), Refusal>;
    type SerializeStruct = Impossible<(), Refusal>;
    type SerializeStructVariant = Impossible<(), Refusal>;

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), Refusal> {
        self.0.push_str(text);
        Ok(())
    }

    fn serialize_char(self, c: char) -> Result<(), Refusal> {
        self.0.push(c);
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Refusal> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &V,
    ) -> Result<(), Refusal> {
        value.serialize(self)
    }

    refuse! { _this => not_a_name();
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
    }

    fn serialize_some<V: Serialize + ?Sized>(self, value: &V) -> Result<(), Refusal> {
        value.serialize(self)
    }

    refuse_sequences!(not_a_name());

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Refusal> {
        Err(not_a_name())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Refusal> {
        Err(not_a_name())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Refusal> {
        Err(not_a_name())
    }
}
