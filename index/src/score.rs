/// Partial sums of [`cosine`]. Enough that the additions of one lane don't wait for each other on
/// 4-wide or 8-wide registers.
const LANES: usize = 16;

/// The cosine similarity of two unit vectors: *the* exact score.
///
/// Verification, re-ranking and the test oracle all call this function, so that a pair has one score
/// wherever it is computed. The order of the additions is fixed by the source and none is fused:
/// the result is the same bit for bit whichever instructions the compiler picks, and symmetric.
///
/// Shapes: two slices of equal length. Range: −1 to 1 up to rounding (about 1e-7), not clamped.
///
/// # Panics
/// If the lengths differ: scores of two models are never compared, and a score over the shorter
/// length would be one.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "vectors of different dimensions have no score");
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    (sums.iter().map(|&sum| f64::from(sum)).sum::<f64>() + rest) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    }

    proptest! {
        #[test]
        fn it_is_the_inner_product_at_every_length(
            pairs in prop::collection::vec((-1f32..1.0, -1f32..1.0), 0..200)
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            prop_assert!((f64::from(cosine(&a, &b)) - naive(&a, &b)).abs() < 1e-4);
            prop_assert_eq!(cosine(&a, &b).to_bits(), cosine(&b, &a).to_bits());
        }
    }

    #[test]
    fn its_value_does_not_depend_on_where_the_slices_lie() {
        let values: Vec<f32> = (0..600).map(|i| ((i * 37 % 101) as f32 - 50.0) / 997.0).collect();
        let expected = cosine(&values[..512], &values[64..576]).to_bits();
        for shift in 0..8 {
            let moved: Vec<f32> = std::iter::repeat_n(0.0, shift).chain(values.iter().copied()).collect();
            let score = cosine(&moved[shift..shift + 512], &moved[shift + 64..shift + 576]);
            assert_eq!(score.to_bits(), expected);
        }
    }

    #[test]
    #[should_panic(expected = "different dimensions")]
    fn vectors_of_two_models_have_no_score() {
        let _ = cosine(&[1.0, 0.0], &[1.0]);
    }
}
