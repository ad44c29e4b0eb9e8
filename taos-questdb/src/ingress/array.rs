//! Arrays of any rank, read element by element in logical order (questdb §3.5).

use crate::error::{Error, Result, error};

/// The most dimensions an array may have.
pub const MAX_ARRAY_DIMS: usize = 32;
/// The most bytes the elements of one array may take: 512 MiB.
pub const MAX_ARRAY_BUFFER_SIZE: usize = 512 * 1024 * 1024;
/// The greatest length of one dimension.
pub const MAX_ARRAY_DIM_LEN: usize = 0x0FFF_FFFF;

/// The most elements `questdb-rs` gives an array of `ndarray`; a buffer of rows takes as many as
/// [`MAX_ARRAY_BUFFER_SIZE`] has room for.
pub const MAX_NDARRAY_LEAF_ELEMS: usize = 1 << 24;

mod sealed {
    /// How an element looks on the wire.
    #[allow(
        unnameable_types,
        reason = "seals `ArrayElement`: only what the wire knows can be an element"
    )]
    pub trait Element: Copy {
        /// The code of the type.
        const TYPE: u8;
        /// Eight bytes, little-endian.
        fn to_wire(self) -> [u8; 8];
    }
}

use self::sealed::Element;

/// What an array may hold: `f64`, and `i64` where the transport carries it.
pub trait ArrayElement: Element + 'static {}

/// The code of `f64`, the one element type of lines.
pub(crate) const TYPE_F64: u8 = 0x0A;

impl Element for f64 {
    const TYPE: u8 = TYPE_F64;

    #[inline]
    fn to_wire(self) -> [u8; 8] {
        self.to_le_bytes()
    }
}

impl Element for i64 {
    const TYPE: u8 = 0x06;

    #[inline]
    fn to_wire(self) -> [u8; 8] {
        self.to_le_bytes()
    }
}

impl ArrayElement for f64 {}
impl ArrayElement for i64 {}

/// An array to write. Vectors, slices and fixed arrays up to three deep are views, and so is
/// `ndarray::ArrayView` with the feature `ndarray`; own types can be.
///
/// ```
/// use taos_questdb::ingress::{Buffer, NdArrayView, ProtocolVersion, TimestampNanos};
///
/// let grid = vec![vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0]];
/// assert_eq!((grid.ndim(), grid.dim(0)?, grid.dim(1)?), (2, 2, 3));
/// let mut buffer = Buffer::new(ProtocolVersion::V2);
/// buffer.table("t")?.column_arr("a", &grid)?.at(TimestampNanos::new(1))?;
/// assert!(buffer.as_bytes().starts_with(b"t a==\x0e\x0a\x02\x02\0\0\0\x03\0\0\0"));
/// # taos_questdb::Result::Ok(())
/// ```
pub trait NdArrayView<T: ArrayElement> {
    /// Goes through the elements.
    type Iter<'a>: Iterator<Item = &'a T>
    where
        Self: 'a,
        T: 'a;

    /// The number of dimensions.
    fn ndim(&self) -> usize;

    /// The length of one dimension, the outermost being 0.
    ///
    /// # Errors
    /// `ArrayError` when there is no such dimension, or rows differ in length.
    fn dim(&self, index: usize) -> Result<usize>;

    /// All elements in row-major order, where they lie so in memory.
    fn as_slice(&self) -> Option<&[T]>;

    /// All elements, the last index running fastest.
    fn iter(&self) -> Self::Iter<'_>;
}

/// Lengths of an array that fits the limits of the wire.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    dims: [u32; MAX_ARRAY_DIMS],
    rank: u8,
    elements: usize,
}

impl Shape {
    /// # Errors
    /// `ArrayError` when the array is ragged or beyond a limit.
    pub(crate) fn of<A: NdArrayView<T>, T: ArrayElement>(array: &A) -> Result<Self> {
        let rank = match u8::try_from(array.ndim()) {
            Ok(0) => return Err(error!(ArrayError, "an array needs at least one dimension")),
            Ok(rank) if usize::from(rank) <= MAX_ARRAY_DIMS => rank,
            _ => {
                return Err(error!(
                    ArrayError,
                    "an array of {} dimensions, the limit is {MAX_ARRAY_DIMS}",
                    array.ndim()
                ));
            }
        };
        let mut shape = Self {
            dims: [0; MAX_ARRAY_DIMS],
            rank,
            elements: 1,
        };
        for (index, slot) in shape.dims.iter_mut().take(usize::from(rank)).enumerate() {
            let len = array.dim(index)?;
            *slot = match u32::try_from(len) {
                Ok(fits) if len <= MAX_ARRAY_DIM_LEN => fits,
                _ => {
                    return Err(error!(
                        ArrayError,
                        "dimension {index} has length {len}, the limit is {MAX_ARRAY_DIM_LEN}"
                    ));
                }
            };
            // A length of zero makes the array empty, however long the others are.
            shape.elements = shape.elements.saturating_mul(len);
        }
        if shape.elements > MAX_ARRAY_BUFFER_SIZE / 8 {
            return Err(error!(
                ArrayError,
                "an array of more than {MAX_ARRAY_BUFFER_SIZE} bytes"
            ));
        }
        Ok(shape)
    }

    pub(crate) fn rank(&self) -> u8 {
        self.rank
    }

    /// Lengths, outermost first.
    pub(crate) fn dims(&self) -> &[u32] {
        &self.dims[..usize::from(self.rank)]
    }

    /// Bytes of all elements.
    pub(crate) fn data_len(&self) -> usize {
        self.elements * 8
    }
}

/// Writes all elements; `out` has exactly the bytes of the shape.
///
/// # Errors
/// `ArrayError` when a view gives fewer or more elements than its lengths say.
pub(crate) fn write_elements<A: NdArrayView<T>, T: ArrayElement>(
    array: &A,
    out: &mut [u8],
) -> Result<()> {
    match array.as_slice() {
        Some(elements) => write_all(elements.iter(), out),
        None => write_all(array.iter(), out),
    }
}

#[inline]
fn write_all<'a, T: ArrayElement>(
    mut elements: impl Iterator<Item = &'a T>,
    out: &mut [u8],
) -> Result<()> {
    let (slots, _) = out.as_chunks_mut::<8>();
    let expected = slots.len();
    let mut written = 0;
    for (slot, element) in slots.iter_mut().zip(&mut elements) {
        *slot = element.to_wire();
        written += 1;
    }
    if written == expected && elements.next().is_none() {
        Ok(())
    } else {
        Err(error!(
            ArrayError,
            "the lengths of the array say {expected} elements, its view gives {}",
            if written < expected { "fewer" } else { "more" }
        ))
    }
}

fn no_dimension(index: usize, rank: usize) -> Error {
    error!(
        ArrayError,
        "no dimension {index} in an array of {rank} dimensions"
    )
}

fn ragged(dimension: usize) -> Error {
    error!(
        ArrayError,
        "the array is ragged: rows of dimension {dimension} differ in length"
    )
}

/// The length all rows have.
fn common_len(mut lens: impl Iterator<Item = usize>, dimension: usize) -> Result<usize> {
    let first = lens.next().unwrap_or(0);
    if lens.all(|len| len == first) {
        Ok(first)
    } else {
        Err(ragged(dimension))
    }
}

/// Views whose elements lie in one piece: `$slice` makes that piece, `$dims` the lengths.
macro_rules! contiguous {
    ([$($generics:tt)*] $type:ty, |$array:ident| $slice:expr, [$($dim:expr),+]) => {
        impl<T: ArrayElement, $($generics)*> NdArrayView<T> for $type {
            type Iter<'a>
                = std::slice::Iter<'a, T>
            where
                Self: 'a,
                T: 'a;

            fn ndim(&self) -> usize {
                [$(stringify!($dim)),+].len()
            }

            fn dim(&self, index: usize) -> Result<usize> {
                let $array = self;
                let dims = [$($dim),+];
                dims.get(index).copied().ok_or_else(|| no_dimension(index, dims.len()))
            }

            fn as_slice(&self) -> Option<&[T]> {
                let $array = self;
                Some($slice)
            }

            fn iter(&self) -> Self::Iter<'_> {
                let $array = self;
                // Typed, so that this is not the method being defined.
                let elements: &[T] = $slice;
                elements.iter()
            }
        }
    };
}

contiguous!([] Vec<T>, |a| &a[..], [a.len()]);
contiguous!([] & [T], |a| *a, [a.len()]);
contiguous!([const N: usize] [T; N], |a| &a[..], [a.len()]);
contiguous!([const M: usize, const N: usize] [[T; M]; N], |a| a.as_flattened(), [a.len(), M]);
contiguous!([const M: usize] &[[T; M]], |a| a.as_flattened(), [a.len(), M]);
contiguous!(
    [const M: usize, const N: usize, const L: usize] [[[T; M]; N]; L],
    |a| a.as_flattened().as_flattened(),
    [a.len(), N, M]
);
contiguous!(
    [const M: usize, const N: usize] &[[[T; M]; N]],
    |a| a.as_flattened().as_flattened(),
    [a.len(), N, M]
);

impl<T: ArrayElement> NdArrayView<T> for Vec<Vec<T>> {
    type Iter<'a>
        = std::iter::Flatten<std::slice::Iter<'a, Vec<T>>>
    where
        T: 'a;

    fn ndim(&self) -> usize {
        2
    }

    fn dim(&self, index: usize) -> Result<usize> {
        match index {
            0 => Ok(self.len()),
            1 => common_len(self[..].iter().map(Vec::len), 1),
            _ => Err(no_dimension(index, 2)),
        }
    }

    fn as_slice(&self) -> Option<&[T]> {
        None
    }

    fn iter(&self) -> Self::Iter<'_> {
        self[..].iter().flatten()
    }
}

impl<T: ArrayElement> NdArrayView<T> for Vec<Vec<Vec<T>>> {
    type Iter<'a>
        = std::iter::Flatten<std::iter::Flatten<std::slice::Iter<'a, Vec<Vec<T>>>>>
    where
        T: 'a;

    fn ndim(&self) -> usize {
        3
    }

    fn dim(&self, index: usize) -> Result<usize> {
        match index {
            0 => Ok(self.len()),
            1 => common_len(self[..].iter().map(Vec::len), 1),
            2 => common_len(self[..].iter().flatten().map(Vec::len), 2),
            _ => Err(no_dimension(index, 3)),
        }
    }

    fn as_slice(&self) -> Option<&[T]> {
        None
    }

    fn iter(&self) -> Self::Iter<'_> {
        self[..].iter().flatten().flatten()
    }
}

#[cfg(feature = "ndarray")]
impl<T: ArrayElement, D: ndarray::Dimension> NdArrayView<T> for ndarray::ArrayView<'_, T, D> {
    type Iter<'a>
        = ndarray::iter::Iter<'a, T, D>
    where
        Self: 'a,
        T: 'a;

    fn ndim(&self) -> usize {
        self.shape().len()
    }

    fn dim(&self, index: usize) -> Result<usize> {
        let shape = self.shape();
        shape
            .get(index)
            .copied()
            .ok_or_else(|| no_dimension(index, shape.len()))
    }

    fn as_slice(&self) -> Option<&[T]> {
        self.to_slice()
    }

    fn iter(&self) -> Self::Iter<'_> {
        self.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_ARRAY_DIM_LEN, NdArrayView, Shape};
    use crate::error::Result;

    /// Lengths without elements.
    struct Lengths(Vec<usize>);

    impl NdArrayView<f64> for Lengths {
        type Iter<'a> = std::slice::Iter<'a, f64>;

        fn ndim(&self) -> usize {
            self.0.len()
        }

        fn dim(&self, index: usize) -> Result<usize> {
            Ok(self.0[index])
        }

        fn as_slice(&self) -> Option<&[f64]> {
            Some(&[])
        }

        fn iter(&self) -> Self::Iter<'_> {
            Default::default()
        }
    }

    #[test]
    fn lengths_are_judged_before_the_bytes_and_a_zero_makes_any_array_small() {
        let empty = Lengths(vec![MAX_ARRAY_DIM_LEN, MAX_ARRAY_DIM_LEN, 0]);
        assert_eq!(Shape::of(&empty).unwrap().data_len(), 0);
        let long = Lengths(vec![100_000_000, MAX_ARRAY_DIM_LEN + 1, 0]);
        let error = Shape::of(&long).unwrap_err();
        assert!(error.msg().contains("dimension 1 has length"), "{error}");
        let error = Shape::of(&Lengths(vec![100_000_000])).unwrap_err();
        assert!(error.msg().contains("bytes"), "{error}");
        let huge = Lengths(vec![MAX_ARRAY_DIM_LEN; 32]);
        assert!(Shape::of(&huge).is_err());
    }

    #[test]
    fn elements_of_slices_come_in_their_order() {
        let slice: &[f64] = &[1.0, 2.0];
        let elements: Vec<f64> = NdArrayView::iter(&slice).copied().collect();
        assert_eq!(elements, slice);
        let rows: &[[f64; 2]] = &[[1.0, 2.0], [3.0, 4.0]];
        let elements: Vec<f64> = NdArrayView::iter(&rows).copied().collect();
        assert_eq!(elements, [1.0, 2.0, 3.0, 4.0]);
    }
}
