//! What the clients know: who is enrolled, who is erased, and whose erasure is on its way.

use lethe_proto::v1::{self, ErasureState};

use crate::{Answer, Caller};

/// How far an erasure is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Live,
    /// Accepted, under this receipt.
    Going(String),
    Shredded,
}

impl State {
    /// Of what is erased.
    pub(super) fn of(erasure: &v1::Erasure) -> Self {
        match erasure.state() {
            ErasureState::Shredded => Self::Shredded,
            ErasureState::Pending | ErasureState::Deferred | ErasureState::Unspecified => {
                Self::Going(erasure.receipt.clone())
            }
        }
    }
}

/// An applicant id, and the lives that it had: each begins with an enrolment and ends with an erasure.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) tenant: usize,
    pub(super) id: String,
    pub(super) lives: Vec<Life>,
}

#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) state: State,
    pub(super) templates: Vec<Template>,
}

#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) state: State,
    pub(super) name: String,
    pub(super) id: [u8; 16],
    pub(super) face: u64,
}

/// A change that is asked for, again and again until it is answered.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) person: usize,
    pub(super) what: What,
    pub(super) message: Message,
    pub(super) caller: Caller,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Enroll {
        face: u64,
    },
    /// The template's place in the life.
    Replace {
        old: usize,
        face: u64,
    },
    Delete(usize),
    Erase,
    /// Of what wraps the keys of the person's tenant, or of the vault: nothing changes for anybody.
    Rotate,
}

#[derive(Clone)]
pub(super) enum Message {
    Enroll(v1::EnrollRequest),
    Replace(v1::ReplaceTemplateRequest),
    Delete(v1::DeleteTemplateRequest),
    Erase(v1::EraseSubjectRequest),
    Rotate(v1::RotateKeysRequest),
}

/// What was answered: the new template's name, and the erasure.
pub(super) struct Done {
    template: Option<String>,
    erasure: Option<v1::Erasure>,
}

impl Done {
    /// The receipt, if the erasure is shredded.
    pub(super) fn shredded(&self) -> Option<&str> {
        let erasure = self.erasure.as_ref().filter(|erasure| erasure.state() == ErasureState::Shredded);
        erasure.map(|erasure| erasure.receipt.as_str())
    }
}

impl Change {
    /// Asks once.
    pub(super) async fn ask(&self) -> Answer<Done> {
        let name = |template: Option<v1::Template>| Some(template.expect("a template").name);
        match self.message.clone() {
            Message::Enroll(message) => {
                let answer = self.caller.ask(message).await?;
                Ok(Done { template: name(answer.template), erasure: None })
            }
            Message::Replace(message) => {
                let answer = self.caller.ask(message).await?;
                Ok(Done { template: name(answer.template), erasure: answer.erasure })
            }
            Message::Delete(message) => Ok(Done { template: None, erasure: Some(self.caller.ask(message).await?) }),
            Message::Erase(message) => Ok(Done { template: None, erasure: Some(self.caller.ask(message).await?) }),
            Message::Rotate(message) => {
                let v1::KeyRotation { receipt, state } = self.caller.ask(message).await?;
                Ok(Done { template: None, erasure: Some(v1::Erasure { receipt, state, erase_time: None }) })
            }
        }
    }
}

impl Person {
    /// The life that goes on.
    pub(super) fn alive(&self) -> Option<&Life> {
        self.lives.last().filter(|life| life.state == State::Live)
    }

    /// Places of the templates that the life has.
    pub(super) fn live_templates(&self) -> Vec<usize> {
        let life = self.alive().into_iter();
        life.flat_map(|life| (0..).zip(&life.templates))
            .filter(|(_, t)| t.state == State::Live)
            .map(|(i, _)| i)
            .collect()
    }

    /// Takes in an answer.
    pub(super) fn apply(&mut self, what: What, done: Done) {
        let new = |face| {
            let name = done.template.clone().expect("a new template has a name");
            let id = hex::decode(name.rsplit('/').next().unwrap()).unwrap().try_into().unwrap();
            Template { state: State::Live, name, id, face }
        };
        let gone = || State::of(done.erasure.as_ref().expect("an erasure has a receipt"));
        if let What::Rotate = what {
            return;
        }
        if let What::Enroll { face } = what {
            let template = new(face);
            if self.alive().is_none() {
                self.lives.push(Life { state: State::Live, templates: Vec::new() });
            }
            self.life().templates.push(template);
            return;
        }
        let life = self.life();
        match what {
            What::Replace { old, face } => {
                life.templates[old].state = gone();
                life.templates.push(new(face));
            }
            What::Delete(place) => life.templates[place].state = gone(),
            What::Erase | What::Enroll { .. } | What::Rotate => life.state = gone(),
        }
    }

    /// Takes in that the person's tenant is shredded, or is about to be.
    pub(super) fn lose_tenant(&mut self, shredding: &v1::Erasure) {
        // Receipts of what was on its way before are the tenant's, and went with it.
        self.going().for_each(|state| *state = State::of(shredding));
        if self.alive().is_some() {
            self.life().state = State::of(shredding);
        }
    }

    fn life(&mut self) -> &mut Life {
        self.lives.last_mut().expect("whoever changes was enrolled")
    }

    /// Everything of this person that is on its way.
    pub(super) fn going(&mut self) -> impl Iterator<Item = &mut State> {
        let states = self.lives.iter_mut().flat_map(|life| {
            let Life { state, templates } = life;
            std::iter::once(state).chain(templates.iter_mut().map(|template| &mut template.state))
        });
        states.filter(|state| matches!(state, State::Going(_)))
    }
}
