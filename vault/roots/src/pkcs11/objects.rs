//! The objects of a store in its token, by label and id.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as P11Error, RvError};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::slot::Slot;
use cryptoki::types::Ulong;
use lethe_crypto::root::RootId;
use lethe_crypto::{Error as CryptoError, Result};

use crate::Error;

/// `CKA_APPLICATION` of data objects.
const APPLICATION: &[u8] = b"lethe/v1";

/// Bytes of an AES-256 key.
const KEY_LENGTH: u64 = 32;

/// A logged-in session, and the labels of what belongs to this store.
pub(super) struct Session {
    pub(super) session: cryptoki::session::Session,
    module: Pkcs11,
    slot: Slot,
    name: String,
}

/// An error of the token, as the trait gives it.
pub(super) fn failed(action: &'static str) -> impl Fn(P11Error) -> CryptoError {
    move |error| Error::Pkcs11(error).during(action)
}

impl Session {
    pub(super) fn new(session: cryptoki::session::Session, module: &Pkcs11, slot: Slot, name: &str) -> Self {
        Self { session, module: module.clone(), slot, name: name.to_owned() }
    }

    /// All objects that a template describes.
    ///
    /// That there are none is believed only of a token that is well: modules are seen to answer so, without an
    /// error, when they have lost the token.
    fn find(&self, template: &[Attribute]) -> std::result::Result<Vec<ObjectHandle>, P11Error> {
        let found = self.session.find_objects(template)?;
        if found.is_empty() {
            self.session.get_session_info()?;
            self.module.get_token_info(self.slot)?;
        }
        Ok(found)
    }

    /// All key objects of a root, or of all roots. More than one of a root is no sight of this store's
    /// making, but each of them counts.
    pub(super) fn keys(&self, root: Option<RootId>) -> Result<Vec<(RootId, ObjectHandle)>> {
        let failed = failed("finding roots");
        let mut template = vec![Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(self.label("root"))];
        template.extend(root.map(|root| Attribute::Id(root.as_bytes().to_vec())));
        let mut keys = Vec::new();
        for handle in self.find(&template).map_err(&failed)? {
            let attributes = self.session.get_attributes(handle, &[AttributeType::Id]).map_err(&failed)?;
            let id = attributes.iter().find_map(|attribute| {
                if let Attribute::Id(id) = attribute { <[u8; 16]>::try_from(id.as_slice()).ok() } else { None }
            });
            let id = id.ok_or_else(|| corrupt("root in the token", "its CKA_ID is no root id"))?;
            keys.push((RootId::from_bytes(id), handle));
        }
        Ok(keys)
    }

    /// Generates a root in the token.
    pub(super) fn generate(&self, root: RootId) -> Result<ObjectHandle> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(Ulong::from(KEY_LENGTH)),
            Attribute::Label(self.label("root")),
            Attribute::Id(root.as_bytes().to_vec()),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Copyable(false),
            Attribute::Modifiable(true),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Wrap(false),
            Attribute::Unwrap(false),
            Attribute::Sign(false),
            Attribute::Verify(false),
            Attribute::Derive(false),
        ];
        let mechanism = cryptoki::mechanism::Mechanism::AesKeyGen;
        self.session.generate_key(&mechanism, &template).map_err(failed("generating a root"))
    }

    /// Did the token take the root as it was asked to? Some ignore what they do not know.
    pub(super) fn check_kept_in(&self, root: ObjectHandle) -> Result<()> {
        let wanted = [
            (AttributeType::Token, Attribute::Token(true)),
            (AttributeType::Private, Attribute::Private(true)),
            (AttributeType::Sensitive, Attribute::Sensitive(true)),
            (AttributeType::AlwaysSensitive, Attribute::AlwaysSensitive(true)),
            (AttributeType::Extractable, Attribute::Extractable(false)),
            (AttributeType::NeverExtractable, Attribute::NeverExtractable(true)),
            (AttributeType::Local, Attribute::Local(true)),
            (AttributeType::Copyable, Attribute::Copyable(false)),
        ];
        let types: Vec<_> = wanted.iter().map(|(kind, _)| *kind).collect();
        let found = self.session.get_attributes(root, &types).map_err(failed("reading a root's attributes"))?;
        // CKA_COPYABLE is younger than the others (2.40); a token without it cannot copy what is not
        // extractable out of itself, but within. That is not good enough.
        match wanted.iter().all(|(_, attribute)| found.contains(attribute)) {
            true => Ok(()),
            false => {
                let what = "keep keys in (sensitive, not extractable, not copyable, made in the token)";
                Err(Error::UnsuitableToken(what).during("creating a root"))
            }
        }
    }

    /// Has the right to encrypt been taken from this key?
    pub(super) fn may_encrypt(&self, root: ObjectHandle) -> Result<bool> {
        let found = self.session.get_attributes(root, &[AttributeType::Encrypt]);
        Ok(found.map_err(failed("reading a root's attributes"))?.contains(&Attribute::Encrypt(true)))
    }

    /// Data objects of this label.
    pub(super) fn data(&self, label: &str) -> Result<Vec<ObjectHandle>> {
        let template = [
            Attribute::Class(ObjectClass::DATA),
            Attribute::Application(APPLICATION.to_vec()),
            Attribute::Label(self.label(label)),
        ];
        self.find(&template).map_err(failed("finding data objects"))
    }

    /// The value of a data object; `None` if it is gone.
    pub(super) fn value(&self, data: ObjectHandle) -> Result<Option<Vec<u8>>> {
        let found = match self.session.get_attributes(data, &[AttributeType::Value]) {
            Err(P11Error::Pkcs11(RvError::ObjectHandleInvalid, _)) => return Ok(None),
            found => found.map_err(failed("reading a data object"))?,
        };
        let value = found
            .into_iter()
            .find_map(|attribute| if let Attribute::Value(value) = attribute { Some(value) } else { None });
        value.map(Some).ok_or_else(|| corrupt("data object in the token", "it has no value"))
    }

    /// Makes a data object.
    pub(super) fn put(&self, label: &str, value: &[u8]) -> Result<ObjectHandle> {
        let template = [
            Attribute::Class(ObjectClass::DATA),
            Attribute::Application(APPLICATION.to_vec()),
            Attribute::Label(self.label(label)),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Modifiable(false),
            Attribute::Value(value.to_vec()),
        ];
        self.session.create_object(&template).map_err(failed("writing a data object"))
    }

    pub(super) fn remove(&self, object: ObjectHandle) -> Result<()> {
        self.session.destroy_object(object).map_err(failed("destroying an object"))
    }

    fn label(&self, of: &str) -> Vec<u8> {
        format!("{} {of}", self.name).into_bytes()
    }
}

pub(super) fn corrupt(what: &'static str, why: &str) -> CryptoError {
    CryptoError::Corrupt { what, why: why.to_owned() }
}
