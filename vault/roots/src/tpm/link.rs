//! The connection to a TPM: one authenticated, encrypted, exclusive session.

use std::str::FromStr as _;

use lethe_crypto::{Error as CryptoError, Result as CryptoResult};
use ring::hmac;
use tss_esapi::attributes::{ObjectAttributesBuilder, SessionAttributes};
use tss_esapi::constants::{PropertyTag, SessionType, Tss2ResponseCodeKind};
use tss_esapi::handles::{KeyHandle, ObjectHandle};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    Auth, EccPoint, Public, PublicBuilder, PublicEccParametersBuilder, SymmetricDefinition, SymmetricDefinitionObject,
};
use tss_esapi::tcti_ldr::TctiNameConf;
use tss_esapi::{Context, Error as TssError};
use zeroize::Zeroizing;

use super::options::TpmOptions;
use crate::{Error, secret_file};

/// What the authorisation value is derived for.
const AUTH: &[u8] = b"lethe/v1/root/tpm-auth";

/// The shortest secret that is taken for random.
const SHORTEST: usize = 16;

/// Why an operation ended: the TPM's reason, or one of the trait's.
pub(super) enum Failure {
    /// Somebody else used the TPM meanwhile: it must begin anew.
    Disturbed,
    Tpm(TssError),
    Known(CryptoError),
}

impl From<TssError> for Failure {
    fn from(error: TssError) -> Self {
        if kind(&error) == Some(Tss2ResponseCodeKind::Exclusive) { Self::Disturbed } else { Self::Tpm(error) }
    }
}

impl From<CryptoError> for Failure {
    fn from(error: CryptoError) -> Self {
        Self::Known(error)
    }
}

pub(super) type Result<T> = std::result::Result<T, Failure>;

/// Where in an operation a command stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Before it, and without the session: what it tells is looked at again.
    Before,
    /// It begins one: from here on the session is exclusive.
    First,
    /// It goes on, if nobody else's command came in between.
    Next,
}

/// A TPM, connected, with a session.
pub(super) struct Link {
    context: Context,
    session: AuthSession,
    /// Of the store's indices.
    pub(super) auth: Auth,
}

impl Link {
    pub(super) fn open(options: &TpmOptions) -> Result<Self> {
        let auth = index_auth(options)?;
        let tcti = TctiNameConf::from_str(&options.tcti)
            .map_err(|_| Error::option("the TCTI", "must be device:…, tabrmd:…, swtpm:… or mssim:…"))?;
        let mut context = Context::new(tcti)?;
        if let Some(file) = &options.owner_auth_file {
            let owner = secret_file::read(file)?;
            let owner = Auth::try_from(owner.to_vec())
                .map_err(|_| Error::option("the owner authorisation", "is too long for a TPM"))?;
            context.tr_set_auth(ObjectHandle::Owner, owner)?;
        }
        let session = start_session(&mut context)?;
        Ok(Self { context, session, auth })
    }

    /// Runs one command in the session.
    pub(super) fn run<T>(
        &mut self,
        order: Order,
        command: impl FnOnce(&mut Context) -> tss_esapi::Result<T>,
    ) -> tss_esapi::Result<T> {
        if order == Order::Before {
            return self.context.execute_without_session(command);
        }
        let (attributes, mask) = SessionAttributes::builder()
            .with_continue_session(true)
            .with_decrypt(true)
            .with_encrypt(true)
            .with_audit(true)
            .with_audit_reset(order == Order::First)
            .with_audit_exclusive(order == Order::Next)
            .build();
        self.context.tr_sess_set_attributes(self.session, attributes, mask)?;
        self.context.execute_with_session(Some(self.session), command)
    }

    /// The library's own bookkeeping, which sends the TPM nothing.
    pub(super) fn local(&mut self) -> &mut Context {
        &mut self.context
    }

    /// Who made the TPM, as it says.
    pub(super) fn maker(&mut self) -> Result<Option<[u8; 4]>> {
        let maker = self.context.get_tpm_property(PropertyTag::Manufacturer)?;
        Ok(maker.map(u32::to_be_bytes))
    }
}

/// What the TPM says is wrong.
pub(super) fn kind(error: &TssError) -> Option<Tss2ResponseCodeKind> {
    match error {
        TssError::Tss2Error(code) => code.kind(),
        TssError::WrapperError(_) => None,
    }
}

/// The value is derived, so that a TPM that somebody else runs learns nothing of the file.
fn index_auth(options: &TpmOptions) -> CryptoResult<Auth> {
    let secret = secret_file::read(&options.auth_file)?;
    if secret.len() < SHORTEST {
        let why = format!("must hold at least {SHORTEST} bytes, better 32, drawn at random");
        return Err(Error::option("the authorisation file", why));
    }
    let mut value = Zeroizing::new([0; 32]);
    value.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), AUTH).as_ref());
    Auth::try_from(value.to_vec()).map_err(|error| Error::Tpm(error).during("opening"))
}

/// Salted, so that a listener on the bus does not know the session's key even if it knows the authorisation.
fn start_session(context: &mut Context) -> Result<AuthSession> {
    let template = salt_key()?;
    let key = context.execute_with_session(Some(AuthSession::Password), |context| {
        // The null hierarchy has no authorisation, and nothing of its keys outlives a restart.
        context.create_primary(Hierarchy::Null, template, None, None, None, None)
    })?;
    let salt: KeyHandle = key.key_handle;
    let session = context.execute_without_session(|context| {
        let (kind, cipher) = (SessionType::Hmac, SymmetricDefinition::AES_128_CFB);
        context.start_auth_session(Some(salt), None, None, kind, cipher, HashingAlgorithm::Sha256)
    });
    context.flush_context(ObjectHandle::from(salt))?;
    session?.ok_or_else(|| Error::Busy("the TPM has no room for a session").during("opening").into())
}

/// A storage key on NIST P-256, as the TCG's templates have it.
fn salt_key() -> tss_esapi::Result<Public> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_decrypt(true)
        .with_restricted(true)
        .build()?;
    let cipher = SymmetricDefinitionObject::AES_128_CFB;
    let parameters = PublicEccParametersBuilder::new_restricted_decryption_key(cipher, EccCurve::NistP256).build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}
