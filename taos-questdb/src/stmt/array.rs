//! Arrays as JSON text.

use serde_json::Value;

use super::value::Refusal;
use crate::error::{Result, error};
use crate::ingress::{MAX_ARRAY_DIMS, NdArrayView};

/// Doubles in row-major order.
#[derive(Debug)]
pub(super) struct Array {
    lengths: Vec<usize>,
    elements: Vec<f64>,
}

impl Array {
    /// Reads nested lists of numbers, where null is NaN.
    pub(super) fn read(text: &[u8], rank: usize) -> std::result::Result<Self, Refusal> {
        let json: Value = serde_json::from_slice(text)
            .map_err(|_| Refusal::from("an array is bound as JSON, as [[1.5, 2], [3, null]]"))?;
        let mut array = Self {
            lengths: lengths(&json),
            elements: Vec::new(),
        };
        if array.lengths.is_empty() || array.lengths.len() > MAX_ARRAY_DIMS {
            return Err(format!("an array has 1 to {MAX_ARRAY_DIMS} dimensions").into());
        }
        // An empty list says nothing about the dimensions below it.
        let unknown = array.lengths.last() == Some(&0);
        if unknown && array.lengths.len() < rank {
            array.lengths.resize(rank, 0);
        }
        if rank != 0 && array.lengths.len() != rank {
            return Err(format!(
                "the column has {rank} dimensions, the array {}",
                array.lengths.len()
            )
            .into());
        }
        array.collect(&json, 0)?;
        Ok(array)
    }

    fn collect(&mut self, json: &Value, depth: usize) -> std::result::Result<(), Refusal> {
        match (json, self.lengths.get(depth)) {
            (Value::Array(list), Some(length)) if list.len() == *length => list
                .iter()
                .try_for_each(|inner| self.collect(inner, depth + 1)),
            (Value::Array(_), Some(_)) => Err("the lists of the array differ in length".into()),
            (Value::Null, None) => {
                self.elements.push(f64::NAN);
                Ok(())
            }
            (Value::Number(number), None) => {
                self.elements.push(number.as_f64().unwrap_or(f64::NAN));
                Ok(())
            }
            _ => Err("an array holds numbers, all at the same depth".into()),
        }
    }
}

/// The length of the first list of each depth.
fn lengths(json: &Value) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut inner = Some(json);
    while let Some(Value::Array(list)) = inner {
        lengths.push(list.len());
        inner = list.first();
    }
    lengths
}

impl NdArrayView<f64> for Array {
    type Iter<'a> = std::slice::Iter<'a, f64>;

    fn ndim(&self) -> usize {
        self.lengths.len()
    }

    fn dim(&self, index: usize) -> Result<usize> {
        self.lengths
            .get(index)
            .copied()
            .ok_or_else(|| error!(ArrayError, "the array has no dimension {index}"))
    }

    fn as_slice(&self) -> Option<&[f64]> {
        Some(&self.elements)
    }

    fn iter(&self) -> Self::Iter<'_> {
        self.elements.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_lengths_and_elements() {
        let read = |text: &str, rank| {
            let array = Array::read(text.as_bytes(), rank).unwrap();
            (array.lengths, array.elements)
        };
        assert_eq!(read("[1, 2.5]", 1), (vec![2], vec![1.0, 2.5]));
        assert_eq!(
            read("[[1,2,3],[4,5,6]]", 0),
            (vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        );
        assert_eq!(read("[]", 2), (vec![0, 0], vec![]));
        assert!(read("[null]", 1).1[0].is_nan());
    }

    #[test]
    fn what_is_no_array_of_the_rank_is_refused() {
        for (text, rank, fragment) in [
            ("x", 1, "JSON"),
            ("1", 0, "dimensions"),
            ("[[1]]", 1, "the column has 1 dimensions, the array 2"),
            ("[1]", 2, "the column has 2 dimensions, the array 1"),
            ("[[1],[1,2]]", 2, "differ in length"),
            ("[1,[2]]", 1, "same depth"),
            ("[[1],2]", 2, "same depth"),
            ("[\"a\"]", 1, "numbers"),
        ] {
            let refusal = Array::read(text.as_bytes(), rank).unwrap_err();
            assert!(refusal.contains(fragment), "{text}: {refusal}");
        }
    }
}
