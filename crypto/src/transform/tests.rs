use proptest::prelude::*;

use super::*;

fn seed(fill: impl Fn(usize) -> u8) -> TransformSeed {
    TransformSeed::fill_with(|bytes| {
        bytes.iter_mut().enumerate().for_each(|(i, byte)| *byte = fill(i));
        Ok::<_, Error>(())
    })
    .unwrap()
}

fn counting() -> TransformSeed {
    seed(|i| i as u8)
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn vectors(dimension: usize, count: usize) -> impl Strategy<Value = Vec<Vec<f32>>> {
    prop::collection::vec(prop::collection::vec(-1.0f32..1.0, dimension), count)
}

proptest! {
    #[test]
    fn norms_and_inner_products_stay(
        (dimension, vectors) in (1usize..600).prop_flat_map(|d| (Just(d), vectors(d, 2))),
        fill: u8,
    ) {
        let transform = KeyedTransform::new(&seed(|_| fill), dimension).unwrap();
        let rotated: Vec<_> = vectors.iter().map(|v| transform.rotate(v).unwrap()).collect();
        prop_assert_eq!(rotated[0].len(), dimension.next_power_of_two());
        for a in 0..2 {
            for b in 0..2 {
                let (before, after) = (dot(&vectors[a], &vectors[b]), dot(&rotated[a], &rotated[b]));
                prop_assert!((before - after).abs() < 1e-4 * (dimension as f64).sqrt().max(1.0), "{before} {after}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bits(vector in vectors(512, 1)) {
        let rotate = || KeyedTransform::new(&counting(), 512).unwrap().rotate(&vector[0]).unwrap();
        let bits = |vector: &[f32]| vector.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&rotate()), bits(&rotate()));
    }
}

/// Unlinkability, as far as a rotation gives it: under two seeds the same vector has unrelated images.
#[test]
fn two_seeds_give_unrelated_images() {
    let vector: Vec<f32> = (0..512).map(|i| ((i * 37 % 101) as f32 - 50.0) / 700.0).collect();
    let images: Vec<_> =
        (0..8u8).map(|n| KeyedTransform::new(&seed(|_| n), 512).unwrap().rotate(&vector).unwrap()).collect();
    let norm = dot(&vector, &vector);
    for a in 0..images.len() {
        for b in 0..a {
            // Independent directions in 512 dimensions: standard deviation 1/√512 = 0.044.
            let cosine = dot(&images[a], &images[b]) / norm;
            assert!(cosine.abs() < 0.25, "seeds {a} and {b}: {cosine}");
        }
    }
}

/// A vector with one coordinate spreads over all of them: no coordinate of the input shows in the image.
#[test]
fn one_coordinate_spreads_over_all() {
    let transform = KeyedTransform::new(&counting(), 256).unwrap();
    for coordinate in [0, 1, 100, 255] {
        let mut vector = [0.0; 256];
        vector[coordinate] = 1.0;
        let image = transform.rotate(&vector).unwrap();
        let largest = image.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        assert!(largest < 0.35, "{largest}");
    }
}

#[test]
fn a_wrong_dimension_is_refused() {
    let transform = KeyedTransform::new(&counting(), 12).unwrap();
    assert_eq!((transform.dimension(), transform.padded_dimension()), (12, 16));
    assert!(matches!(transform.rotate(&[0.0; 16]), Err(Error::Dimension { expected: 12, found: 16 })));
    assert!(transform.rotate_into(&[0.0; 12], &mut [0.0; 12]).is_err());
    assert!(KeyedTransform::new(&counting(), 0).is_err());
    assert!(KeyedTransform::new(&counting(), MAX_DIMENSION + 1).is_err());
    assert!(KeyedTransform::new(&counting(), MAX_DIMENSION).is_ok());
}

/// Computed independently, in Python, from the format's description: (input 1, 2, 3, …; image as bits).
#[test]
fn images_are_fixed() {
    let expected: [(u16, &[u32]); 2] = [(12, TWELVE), (5, FIVE)];
    for (dimension, expected) in expected {
        let vector: Vec<f32> = (1..=dimension).map(f32::from).collect();
        let image = KeyedTransform::new(&counting(), vector.len()).unwrap().rotate(&vector).unwrap();
        assert_eq!(image.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), expected);
    }
}

const TWELVE: &[u32] = &[
    0x3f00_0000,
    0x3f00_0000,
    0xc080_0000,
    0xc080_0000,
    0x4120_0000,
    0xc060_0000,
    0xc118_0000,
    0x3f80_0000,
    0xc100_0000,
    0xbf00_0000,
    0x4128_0000,
    0xc170_0000,
    0x3fc0_0000,
    0x4060_0000,
    0x0000_0000,
    0x0000_0000,
];
const FIVE: &[u32] =
    &[0xbeb5_04f9, 0xc01e_6453, 0x404b_a591, 0xbf87_c3b6, 0x40a9_b4a2, 0xbfe2_462e, 0x3fe2_4631, 0xbfe2_4630];
