//! Arithmetic on single vectors.

/// Scales `row` to unit length; `false`, and `row` untouched, if it has none or it is not finite.
pub(crate) fn normalise(row: &mut [f32]) -> bool {
    let norm = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    if !norm.is_finite() || norm <= 1e-12 {
        return false;
    }
    for x in row {
        *x = (f64::from(*x) / norm) as f32;
    }
    true
}
