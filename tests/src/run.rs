use ring::rand::{SecureRandom, SystemRandom};

/// The number that a variable of the environment gives a run of tests.
///
/// # Panics
/// When it is no number.
#[must_use]
pub fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

/// A seed for a run that was given none.
#[must_use]
pub fn fresh_seed() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}
