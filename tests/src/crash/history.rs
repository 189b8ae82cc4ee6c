use std::collections::BTreeSet;

/// A face of the test: number of the vector that a template holds. Each is enrolled under one request.
pub(super) type Face = u32;

/// Number of a request that erases.
pub(super) type RequestNumber = u32;

/// What a client asks about one subject. A repeat of the request is the same operation again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Op {
    /// Stores a face; makes the subject if there is none.
    Enroll(Face),
    /// Stores `new` in place of `old`.
    Replace {
        /// The face that is to go.
        old: Face,
        /// The face that comes.
        new: Face,
    },
    /// Erases one face.
    Delete(RequestNumber, Face),
    /// Erases the subject.
    Erase(RequestNumber),
    /// Asks whether a face is found.
    Look(Face),
}

impl Op {
    /// The request that it is, if it changes something.
    pub(super) fn request(self) -> Option<RequestNumber> {
        match self {
            Self::Enroll(request) | Self::Replace { new: request, .. } => Some(request),
            Self::Delete(request, _) | Self::Erase(request) => Some(request),
            Self::Look(_) => None,
        }
    }
}

/// Templates of one model that the API lets a subject have.
const MOST_TEMPLATES: usize = 16;

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    /// It is done.
    Done,
    /// There is no such subject or template, or the request belongs to what is gone.
    Refused,
    /// The subject has as many templates as it may.
    NoRoom,
    /// Whether the face was found.
    Found(bool),
}

/// A call, between two moments of one clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// What was asked.
    pub(super) op: Op,
    /// When.
    pub(super) begun: u64,
    /// When what was answered. `None`: nobody knows what became of it; it may have happened at any time after
    /// it began, or never.
    pub(super) ended: Option<(u64, Answer)>,
}

/// What the vault knows about one applicant id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct State {
    /// The subject, if there is one.
    pub(super) subject: Option<Subject>,
    /// Erasing requests that were accepted: they have a receipt, whatever came after.
    pub(super) accepted: BTreeSet<RequestNumber>,
}

/// What the vault knows about a subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Subject {
    /// Faces that are found.
    pub(super) live: BTreeSet<Face>,
    /// Faces whose request is remembered: those of this life of the subject.
    pub(super) remembered: BTreeSet<Face>,
}

impl State {
    /// The faces that are found.
    pub(super) fn live(&self) -> impl Iterator<Item = Face> + '_ {
        self.subject.iter().flat_map(|subject| subject.live.iter().copied())
    }

    /// What the contract of the API makes of a call: the answer, and the state after it.
    #[must_use]
    pub(super) fn apply(&self, op: Op) -> (Answer, Self) {
        let mut after = self.clone();
        let answer = after.change(op);
        (answer, after)
    }

    fn change(&mut self, op: Op) -> Answer {
        match op {
            Op::Enroll(face) => {
                let subject = self.subject.get_or_insert_default();
                if !subject.remembered.contains(&face) && subject.live.len() >= MOST_TEMPLATES {
                    return Answer::NoRoom;
                }
                if subject.remembered.insert(face) {
                    subject.live.insert(face);
                }
                subject.has(face)
            }
            Op::Replace { old, new } => {
                let Some(subject) = &mut self.subject else { return Answer::Refused };
                if !subject.remembered.contains(&new) && subject.live.remove(&old) {
                    subject.live.insert(new);
                    subject.remembered.insert(new);
                }
                subject.has(new)
            }
            Op::Delete(request, face) => {
                let subject = self.subject.as_mut();
                if !self.accepted.contains(&request) && subject.is_some_and(|subject| subject.live.remove(&face)) {
                    self.accepted.insert(request);
                }
                if self.accepted.contains(&request) { Answer::Done } else { Answer::Refused }
            }
            Op::Erase(request) => match (self.accepted.contains(&request), &self.subject) {
                // Enrolled again since: the receipt is about what was there before.
                (true, Some(_)) | (false, None) => Answer::Refused,
                (true, None) => Answer::Done,
                (false, Some(_)) => {
                    self.subject = None;
                    self.accepted.insert(request);
                    Answer::Done
                }
            },
            Op::Look(face) => Answer::Found(self.live().any(|live| live == face)),
        }
    }
}

impl Subject {
    fn has(&self, face: Face) -> Answer {
        if self.live.contains(&face) { Answer::Done } else { Answer::Refused }
    }
}
