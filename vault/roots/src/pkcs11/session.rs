//! The one session with the token: opened when it is needed, dropped when anything looks wrong.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as P11Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use cryptoki::types::RawAuthPin;
use lethe_crypto::root::{Medium, MediumStatement};
use lethe_crypto::{Error as CryptoError, Result};

use super::module::Module;
use super::objects::Session;
use super::options::Pkcs11Options;
use super::refused::Refusals;
use crate::Error;
use crate::secret_file;

/// A token, and the session with it if there is one.
pub(super) struct Token {
    options: Pkcs11Options,
    /// Dropped before the module is let go.
    session: Option<Session>,
    module: Module,
    refused: Refusals,
}

impl Token {
    pub(super) fn open(options: Pkcs11Options) -> Result<(Self, Medium)> {
        let module = Module::load(&options.module)?;
        let refused = Refusals::of(options.refusals.clone());
        let mut token = Self { options, session: None, module, refused };
        token.session = Some(token.connect("opening")?);
        let medium = token.medium()?;
        Ok((token, medium))
    }

    /// Does something that may be done again: once more with a new session if the first one failed.
    pub(super) fn repeat<T>(&mut self, action: &'static str, mut job: impl FnMut(&Session) -> Result<T>) -> Result<T> {
        let fresh = self.session.is_none();
        match self.once(action, &mut job) {
            // The session was dropped because of it: it may have been stale.
            Err(CryptoError::RootStore { .. }) if !fresh && self.session.is_none() => self.once(action, job),
            result => result,
        }
    }

    /// Does something that must not be done twice.
    pub(super) fn once<T>(&mut self, action: &'static str, job: impl FnOnce(&Session) -> Result<T>) -> Result<T> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.connect(action)?,
        };
        let result = job(&session);
        // After an error of the token nothing is known of the session; what the trait names is no such error.
        if !matches!(result, Err(CryptoError::RootStore { .. })) {
            self.session = Some(session);
        }
        result
    }

    fn connect(&mut self, action: &'static str) -> Result<Session> {
        match self.log_in(action) {
            // What tokens and the way to them have lost, modules often find again only after a new start.
            Err(error @ CryptoError::RootStore { .. }) if !self.refused.any() => match self.module.restart()? {
                true => self.log_in(action),
                false => Err(error),
            },
            result => result,
        }
    }

    fn log_in(&mut self, action: &'static str) -> Result<Session> {
        let failed = |error| Error::Pkcs11(error).during(action);
        let slot = find(&self.module, &self.options)?;
        let stamp = secret_file::stamp(&self.options.pin_file)?;
        let token = self.module.get_token_info(slot).map_err(failed)?;
        self.refused.expect_none(stamp, &token).map_err(|refused| refused.during(action))?;
        let session = self.module.open_rw_session(slot).map_err(failed)?;
        let mut pin = secret_file::read(&self.options.pin_file)?;
        let pin = RawAuthPin::new(Box::new(std::mem::take(&mut *pin)));
        match session.login_with_raw(UserType::User, &pin) {
            Ok(()) => self.refused.forget(),
            Err(P11Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(P11Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange | RvError::PinLocked,
                _,
            )) => {
                let revealed = self.module.get_token_info(slot).is_ok_and(|token| token.user_pin_count_low());
                self.refused.remember(stamp, revealed);
                return Err(Error::PinRefused.during(action));
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(Session::new(session, &self.module, slot, &self.options.name))
    }

    /// What the token says of itself.
    fn medium(&self) -> Result<Medium> {
        let failed = |error| Error::Pkcs11(error).during("opening");
        let mut statements = Vec::new();
        if !self.options.stands_alone {
            statements.push(MediumStatement::KeepsBackups);
        }
        let slot = find(&self.module, &self.options)?;
        if !self.module.get_slot_info(slot).map_err(failed)?.hardware_slot() {
            statements.extend([MediumStatement::Virtual, MediumStatement::RetainsDeleted]);
        }
        Ok(statements.into_iter().collect())
    }
}

/// The one slot with the token, which must be able to do what roots need.
fn find(module: &Pkcs11, options: &Pkcs11Options) -> Result<Slot> {
    let failed = |error| Error::Pkcs11(error).during("looking for the token");
    let mut present = Vec::new();
    let mut found = Vec::new();
    for slot in module.get_slots_with_token().map_err(failed)? {
        let info = module.get_token_info(slot).map_err(failed)?;
        if !info.token_initialized() {
            continue;
        }
        let serial = options.serial.as_ref().is_none_or(|serial| serial == info.serial_number());
        if info.label() == options.token && serial {
            found.push(slot);
        }
        present.push(format!("{:?} (serial number {})", info.label(), info.serial_number()));
    }
    let slot = match found.as_slice() {
        [slot] => *slot,
        [] => {
            let present = if present.is_empty() { "none".to_owned() } else { present.join(", ") };
            let (label, serial) = (options.token.clone(), options.serial.clone());
            return Err(Error::NoToken { label, serial, present }.during("looking for the token"));
        }
        several => {
            let (label, count) = (options.token.clone(), several.len());
            return Err(Error::AmbiguousToken { label, count }.during("looking for the token"));
        }
    };
    let mechanisms = module.get_mechanism_list(slot).map_err(failed)?;
    let unsuitable = |what| Err(Error::UnsuitableToken(what).during("looking for the token"));
    if !mechanisms.contains(&MechanismType::AES_KEY_GEN) {
        return unsuitable("generate AES keys (CKM_AES_KEY_GEN)");
    }
    if !mechanisms.contains(&MechanismType::AES_GCM) {
        return unsuitable("encrypt with AES-GCM (CKM_AES_GCM)");
    }
    Ok(slot)
}
