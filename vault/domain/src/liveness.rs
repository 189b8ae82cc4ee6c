use crate::codes::codes;

codes! {
    /// How much a presentation attack may cost that a capture service was tested to detect (ISO/IEC 30107-3). The standard
    /// reports error rates by species of attack; its test laboratories group the species in levels by the effort they take.
    PadLevel {
        /// Prints, screens and paper masks: what anybody makes in hours.
        Level1 = 1 "level_1",
        /// Masks of latex or resin, animated portraits: days, and some skill.
        Level2 = 2 "level_2",
        /// Made-to-measure masks of silicone and the like: weeks, and an expert.
        Level3 = 3 "level_3",
    }
}

/// What a capture service found when it looked for a presentation attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Liveness {
    /// Whether it takes the face for that of a living person who is there.
    pub passed: bool,
    /// The highest level that it was tested at.
    pub level: PadLevel,
}

impl Liveness {
    /// Whether it passed, looking for attacks of at least this level.
    pub fn reaches(self, least: PadLevel) -> bool {
        self.passed && self.level >= least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_reaches_its_own_level_and_those_below_if_it_passed() {
        for level in PadLevel::ALL.iter().copied() {
            for least in PadLevel::ALL.iter().copied() {
                assert_eq!(Liveness { passed: true, level }.reaches(least), least.number() <= level.number());
                assert!(!Liveness { passed: false, level }.reaches(least));
            }
        }
    }
}
