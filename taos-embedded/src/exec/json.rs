//! JSON tags: one object of scalars (DIALECT §12).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Longest key in bytes.
const KEY: usize = 256;

/// Why a text is no JSON tag: the words of the refusal, and what it is about if not the whole text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: &'static str,
    pub(crate) near: Option<String>,
}

/// The pairs in the order written, equal keys included.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// The stored form of a JSON tag: keys sorted, of equal keys the first, numbers as doubles; `None` for
/// the empty text, which is NULL.
pub(crate) fn canonical(text: &str) -> Result<Option<String>, Refused> {
    let bare = text.trim();
    if bare.is_empty() || bare.eq_ignore_ascii_case("null") {
        return Ok(None);
    }
    let refused = |reason| Refused { reason, near: None };
    let pairs: Pairs =
        serde_json::from_str(text).map_err(|_| refused("json error invalide value"))?;
    let mut sorted = BTreeMap::new();
    for (key, value) in pairs.0 {
        let printable = key.bytes().all(|b| (0x20..0x7F).contains(&b));
        if !printable || key.len() > KEY {
            return Err(Refused {
                reason: "json key not validate",
                near: Some(key),
            });
        }
        if matches!(value, Value::Array(_) | Value::Object(_)) {
            return Err(refused("invalidate json value"));
        }
        if !key.is_empty() {
            sorted.entry(key).or_insert(value);
        }
    }
    if sorted.is_empty() {
        return Ok(None);
    }
    let mut out = String::from("{");
    for (key, value) in &sorted {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&Value::from(key.as_str()).to_string());
        out.push(':');
        match value.as_f64().filter(|_| value.is_number()) {
            Some(number) => out.push_str(&number_text(number)),
            None => out.push_str(&value.to_string()),
        }
    }
    out.push('}');
    Ok(Some(out))
}

/// A double as short as it comes back: whole numbers without a point, large ones as `1.5e+19`.
fn number_text(number: f64) -> String {
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let most = if digits > 15 { 17 } else { 15 };
    if (-5..most).contains(&exponent) {
        format!("{number}")
    } else {
        format!(
            "{mantissa}e{}{:02}",
            if exponent < 0 { '-' } else { '+' },
            exponent.abs()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_the_first_of_equals_stays() {
        let given = r#"{"z":1.0,"a":"x","dup":1,"dup":2,"e":1e3,"big":12345678901234567890,"esc":"a\"b","n":null}"#;
        assert_eq!(
            canonical(given).unwrap().as_deref(),
            Some(
                r#"{"a":"x","big":1.2345678901234567e+19,"dup":1,"e":1000,"esc":"a\"b","n":null,"z":1}"#
            )
        );
        for empty in ["", "\t", "null", "NULL", "{}"] {
            assert_eq!(canonical(empty), Ok(None), "{empty:?}");
        }
        assert_eq!(
            canonical("{\"a\\tb\":1}").unwrap_err().reason,
            "json key not validate"
        );
    }

    #[test]
    fn only_an_object_of_scalars_is_taken() {
        assert_eq!(
            canonical("[1,2]").unwrap_err().reason,
            "json error invalide value"
        );
        assert_eq!(
            canonical(r#"{"k":{"a":1}}"#).unwrap_err().reason,
            "invalidate json value"
        );
        assert_eq!(
            canonical(r#"{"键":1}"#).unwrap_err().near.as_deref(),
            Some("键")
        );
    }
}
