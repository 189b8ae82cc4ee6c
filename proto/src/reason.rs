use crate::v1::ErrorReason;

/// The domain of every `google.rpc.ErrorInfo` of this API.
pub const ERROR_DOMAIN: &str = "lethe.v1";

/// What the names of the enum's values begin with.
const PREFIX: &str = "ERROR_REASON_";

impl ErrorReason {
    /// The stable code as it stands in `google.rpc.ErrorInfo.reason`, such as `EMBEDDING_NAN`.
    #[must_use]
    pub fn code(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix(PREFIX).unwrap_or(name)
    }

    /// The reason of a code; none for one this version does not know.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::from_str_name(&format!("{PREFIX}{code}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_are_upper_snake_case_without_the_prefix() {
        assert_eq!(ErrorReason::EmbeddingNan.code(), "EMBEDDING_NAN");
        assert_eq!(ErrorReason::SubjectIdPersonalData.code(), "SUBJECT_ID_PERSONAL_DATA");
    }

    #[test]
    fn every_reason_survives_the_way_through_its_code() {
        let known: Vec<_> = (0..200).filter_map(|n| ErrorReason::try_from(n).ok()).collect();
        assert!(known.len() > 40, "{}", known.len());
        for reason in known {
            assert!(!reason.code().starts_with(PREFIX));
            assert_eq!(ErrorReason::from_code(reason.code()), Some(reason));
        }
    }

    #[test]
    fn the_full_name_is_no_code() {
        assert_eq!(ErrorReason::from_code("ERROR_REASON_INTERNAL"), None);
        assert_eq!(ErrorReason::from_code("internal"), None);
        assert_eq!(ErrorReason::from_code(""), None);
    }

    proptest! {
        #[test]
        fn an_unknown_code_is_none(code in "[a-z_]{0,40}") {
            prop_assert_eq!(ErrorReason::from_code(&code), None);
        }
    }
}
