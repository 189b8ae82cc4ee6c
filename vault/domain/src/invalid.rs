use crate::Reason;

/// A value that was refused: which field, the stable reason, and a sentence for a person.
///
/// The sentence never repeats the value of a biometric or an applicant id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// Path of the field in the request, as the caller knows it (`template.embedding`).
    pub field: String,
    /// The stable reason.
    pub reason: Reason,
    /// What was expected and what came.
    pub message: String,
}

impl Invalid {
    /// Names a refused field.
    pub fn new(field: impl Into<String>, reason: Reason, message: impl Into<String>) -> Self {
        Self { field: field.into(), reason, message: message.into() }
    }

    /// The same refusal, of a field inside `outer`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.field = format!("{outer}.{}", self.field);
        self
    }
}
