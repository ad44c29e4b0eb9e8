//! The tags of a subtable in one piece: those that are not NULL, each under the number of its tag, or
//! the pairs of a JSON tag under their keys.

use bytes::{BufMut, Bytes};
use taos_query::common::Ty;

use super::out::Out;
use super::wire::{Bad, Cursor, malformed};

/// The values are pairs of a JSON object.
const JSON: u8 = 0x40;
/// Places of values take two bytes.
const LARGE: u8 = 0x20;
/// Bytes in front of the places.
const HEAD: usize = 9;

/// The tags of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) flags: u8,
    /// The version of the super table's tags.
    pub(crate) version: i32,
    pub(crate) values: Vec<TagValue>,
}

/// What a value belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// The tag of this number, counted with the columns from 1.
    Number(i32),
    /// This key of a JSON object.
    Json(Bytes),
}

/// A value that is not NULL, or a `null` of a JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagValue {
    pub(crate) key: Key,
    pub(crate) ty: u8,
    /// Numbers as they lie in memory, NCHAR in four bytes a character, other texts as they are.
    pub(crate) data: Bytes,
}

impl Tags {
    pub(crate) const fn is_json(&self) -> bool {
        self.flags & JSON != 0
    }

    /// Reads what [`encode`](Self::encode) writes.
    ///
    /// # Errors
    /// What does not fit, in words.
    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, Bad> {
        let mut head = Cursor::new(bytes.clone());
        let flags = head.u8()?;
        let length = head.i16()?.cast_unsigned();
        let count = usize::from(head.i16()?.cast_unsigned());
        let version = head.i32()?;
        if usize::from(length) != bytes.len() {
            return Err(malformed("the tags have another length than they say"));
        }
        let is_large = flags & LARGE != 0;
        let places = head.take(count * if is_large { 2 } else { 1 })?;
        let data = head.rest();
        let place = |index: usize| match is_large {
            true => {
                let two = places.get(index * 2..)?.first_chunk::<2>()?;
                Some(usize::from(u16::from_le_bytes(*two)))
            }
            false => places.get(index).copied().map(usize::from),
        };
        let mut values = Vec::new();
        let mut end = 0;
        for index in 0..count {
            // two values never share bytes, or few bytes could stand for many
            let at = place(index).filter(|at| *at >= end && *at <= data.len());
            let at = at.ok_or_else(|| malformed("a tag lies outside of the tags"))?;
            let mut one = Cursor::new(data.slice(at..));
            let value = value(&mut one, flags & JSON != 0)?;
            end = data.len() - one.rest().len();
            values.push(value);
        }
        Ok(Self {
            flags,
            version,
            values,
        })
    }

    /// The bytes of the tags; `None` if they are more than their lengths can say.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let mut data = Out::default();
        let mut places = Vec::new();
        for value in &self.values {
            if self.flags & LARGE != 0 {
                places.put_u16_le(u16::try_from(data.0.len()).ok()?);
            } else {
                places.put_u8(u8::try_from(data.0.len()).ok()?);
            }
            match &value.key {
                Key::Number(number) => data.zigzag((*number).into()),
                Key::Json(key) => {
                    data.varint(key.len() as u64 + 1);
                    data.raw(key);
                    data.u8(0);
                }
            }
            data.u8(value.ty);
            if is_text(value.ty) {
                data.binary(&value.data);
            } else {
                data.raw(&value.data);
            }
        }
        let mut out = Vec::new();
        let length = HEAD + places.len() + data.0.len();
        out.put_u8(self.flags);
        out.put_u16_le(u16::try_from(length).ok()?);
        out.put_u16_le(u16::try_from(self.values.len()).ok()?);
        out.put_i32_le(self.version);
        out.put_slice(&places);
        out.put_slice(&data.0);
        Some(out)
    }
}

fn is_text(ty: u8) -> bool {
    Ty::from_u8_option(ty).is_some_and(Ty::is_var_type)
}

fn value(one: &mut Cursor, is_json: bool) -> Result<TagValue, Bad> {
    let key = if is_json {
        let key = one.binary()?;
        match key.strip_suffix(&[0]) {
            Some(text) => Key::Json(key.slice_ref(text)),
            None => return Err(malformed("a key does not end with NUL")),
        }
    } else {
        Key::Number(one.zigzag32()?)
    };
    let ty = one.u8()?;
    let data = match Ty::from_u8_option(ty) {
        None => return Err(malformed(format!("type {ty} of a tag is unknown"))),
        Some(kind) if kind.is_var_type() => one.binary()?,
        Some(kind) => one.take(kind.fixed_length())?,
    };
    Ok(TagValue { key, ty, data })
}
