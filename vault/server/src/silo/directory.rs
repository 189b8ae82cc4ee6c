use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lethe_crypto::secret::TransformSeed;
use lethe_crypto::transform::KeyedTransform;
use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_crypto::wiping;
use lethe_domain::{CredentialId, Login, TenantId, Timestamp};
use lethe_index::Pool;
use lethe_policy::{Owner, Principal, SecondFactor};
use parking_lot::RwLock;
use zeroize::Zeroizing;

use super::signing_keys::SigningKey;
use super::{Model, Silo, corrupt};
use crate::access::Proof;
use crate::config::Limits;
use crate::error::{Error, Result};
use crate::keyring::{Keyring, Opener, tree_of};
use crate::records::{
    CredentialRecord, ProfileRecord, RequestRecord, ShreddedRecord, SigningKeyRecord, SubjectRecord, TenantRecord,
    decode,
};
use crate::store::{Follow, Key, ProfileNumber, Row, RowKind, Store};

/// A credential, in memory.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Who it says the caller is.
    pub principal: Principal,
    /// What shows that a call is its.
    pub proof: Proof,
    /// The tree it belongs to.
    pub tree: TreeId,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// By which credential's call it was made, where that was written down.
    pub made_by: Option<CredentialId>,
}

/// All silos and credentials: the fold of the committed rows, at start and ever after.
pub struct Silos {
    keys: Arc<Keyring>,
    pool: Pool,
    limits: Limits,
    /// Bytes of memory that galleries may take.
    pub(super) memory: Option<usize>,
    /// Held by who brings a gallery into memory.
    pub(super) bringing: tokio::sync::Mutex<()>,
    /// Set when the vault is about to close: what takes long ends.
    closing: AtomicBool,
    by_tree: RwLock<HashMap<TreeId, Arc<Silo>>>,
    by_id: RwLock<HashMap<TenantId, Arc<Silo>>>,
    /// Names of tenants that were shredded.
    spent: RwLock<HashSet<TenantId>>,
    credentials: RwLock<Credentials>,
}

/// Credentials, and whose a login is.
#[derive(Default)]
struct Credentials {
    by_id: HashMap<CredentialId, Arc<Credential>>,
    /// The newest of each login, revoked or not: it decides alone.
    by_login: HashMap<Login, CredentialId>,
}

impl Credentials {
    fn put(&mut self, credential: Arc<Credential>) {
        let id = credential.principal.credential;
        self.by_id.insert(id, Arc::clone(&credential));
        self.note_login(&credential);
    }

    /// Who was a login's before is not so again, whatever became of the newer one: a restore may have lost a revocation.
    fn note_login(&mut self, credential: &Credential) {
        let Some(login) = credential.proof.login() else { return };
        if self.newest_of(login).is_none_or(|other| age(credential) > age(other)) {
            self.by_login.insert(login.clone(), credential.principal.credential);
        }
    }

    fn newest_of(&self, login: &Login) -> Option<&Arc<Credential>> {
        self.by_login.get(login).and_then(|id| self.by_id.get(id))
    }

    /// What is left decides then, as it does when the rows are read again.
    fn forget(&mut self, tree: TreeId) {
        self.by_id.retain(|_, credential| credential.tree != tree);
        self.by_login.clear();
        let left: Vec<_> = self.by_id.values().cloned().collect();
        left.iter().for_each(|credential| self.note_login(credential));
    }
}

fn age(credential: &Credential) -> (Timestamp, CredentialId) {
    (credential.created_at, credential.principal.credential)
}

impl Silos {
    /// No silo yet.
    pub fn new(keys: Arc<Keyring>, pool: Pool, limits: Limits, memory: Option<u64>) -> Self {
        let (by_tree, by_id, credentials) = (RwLock::default(), RwLock::default(), RwLock::default());
        let memory = memory.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let (spent, bringing) = (RwLock::default(), tokio::sync::Mutex::default());
        let closing = AtomicBool::new(false);
        Self { keys, pool, limits, memory, bringing, closing, by_tree, by_id, spent, credentials }
    }

    /// Has sweeps end, and galleries that are on their way into memory stay out.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Is the vault about to close?
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// The silo of a tenant.
    pub fn find(&self, tenant: &TenantId) -> Option<Arc<Silo>> {
        self.by_id.read().get(tenant).cloned()
    }

    /// Was there a tenant of this name, that was shredded?
    pub fn is_spent(&self, tenant: &TenantId) -> bool {
        self.spent.read().contains(tenant)
    }

    /// The silo of a tree.
    pub fn of_tree(&self, tree: TreeId) -> Option<Arc<Silo>> {
        self.by_tree.read().get(&tree).cloned()
    }

    /// All silos.
    pub fn all(&self) -> Vec<Arc<Silo>> {
        self.by_tree.read().values().cloned().collect()
    }

    /// A credential, revoked or not.
    pub fn credential(&self, id: CredentialId) -> Option<Arc<Credential>> {
        self.credentials.read().by_id.get(&id).cloned()
    }

    /// The credential that a login shows, unless it is revoked.
    pub fn credential_of(&self, login: &Login) -> Option<Arc<Credential>> {
        self.newest_of(login).filter(|newest| newest.revoked_at.is_none())
    }

    /// The credential that was made last for a login, revoked or not.
    pub fn newest_of(&self, login: &Login) -> Option<Arc<Credential>> {
        self.credentials.read().newest_of(login).cloned()
    }

    /// The credentials of a tree, oldest first.
    pub fn credentials_of(&self, tree: TreeId) -> Vec<Arc<Credential>> {
        let all = self.credentials.read();
        let mut found: Vec<_> = all.by_id.values().filter(|credential| credential.tree == tree).cloned().collect();
        found.sort_by_key(|credential| (credential.created_at, credential.principal.credential));
        found
    }

    /// Notes how far each tenant's log goes. The rows that its entries stand for have been loaded.
    pub fn load_sequences(&self, store: &Store) -> Result<()> {
        store.scan(RowKind::LogHead, &Key::prefix(RowKind::LogHead), |key, value| {
            self.put(&mut self.keys.opener(), &key, value)
        })
    }

    /// For taking in rows that were read or committed before.
    pub(super) fn opener(&self) -> Opener<'_> {
        self.keys.opener()
    }

    /// Takes one row into memory.
    pub(super) fn put(&self, keys: &mut Opener<'_>, key: &Key, value: &[u8]) -> Result<()> {
        match key {
            Key::Shredded { .. } => {
                let record: ShreddedRecord = decode("record of a shredded tenant", &open(keys, key, "", value)?)?;
                self.spent.write().insert(record.id()?);
                Ok(())
            }
            Key::Tenant { tenant } => self.put_tenant(keys, key, *tenant, value),
            Key::Credential { tree, credential } => self.put_credential(keys, key, *tree, *credential, value),
            Key::Profile { tree, number } => self.put_profile(keys, key, *tree, *number, value),
            Key::Subject { tree, subject } => self.put_subject(keys, key, *tree, *subject, value),
            Key::Sketch { tree, profile, at, .. } => {
                let model = self.model(*tree, *profile)?;
                if model.held().is_out() {
                    model.count(1);
                    return Ok(());
                }
                let sketch = open(keys, key, &model.profile.model().to_string(), value)?;
                model.add(&[(*at, sketch)]);
                Ok(())
            }
            // It is read when it is asked for; what was judged by an earlier one is judged again.
            Key::Dossier { tree, .. } => {
                self.silo(*tree)?.rights.recorded();
                Ok(())
            }
            Key::Request { tree, request } => {
                let open = RequestRecord::read(&open(keys, key, "", value)?)?;
                self.silo(*tree)?.unanswered.note(*request, &open);
                Ok(())
            }
            Key::SigningKey { tree, .. } => self.put_signing_key(keys, key, *tree, value),
            // A search that compared with an entry as it was looks again.
            Key::WatchlistEntry { tree, .. } => {
                self.silo(*tree)?.rights.changed();
                Ok(())
            }
            // The last row of a change: what it stands for has been followed.
            Key::LogHead { tree } => match self.of_tree(*tree) {
                Some(silo) => silo.follow_log(value),
                None => Ok(()),
            },
            Key::Format
            | Key::Epoch
            | Key::HighWater { .. }
            | Key::Page(_)
            | Key::Intent { .. }
            | Key::EpochEnd { .. }
            | Key::Position
            | Key::Mirror { .. }
            | Key::Restoring
            | Key::Statements
            | Key::History
            | Key::Receipt { .. }
            | Key::TenantRequest { .. }
            | Key::LogKey { .. }
            | Key::Notification { .. }
            | Key::Watchlist { .. }
            | Key::Attestation { .. }
            | Key::Listed { .. }
            | Key::Census { .. }
            | Key::Template { .. }
            | Key::SubjectRequest { .. }
            | Key::Held { .. }
            | Key::Evidence { .. }
            | Key::Asked { .. }
            | Key::Proposal { .. }
            | Key::Disclosure { .. }
            | Key::Case { .. }
            | Key::LogEntry { .. }
            | Key::LogNode { .. }
            | Key::LogSuccession { .. }
            | Key::TreeMark { .. }
            | Key::RowsMark { .. }
            | Key::LogMark { .. } => Ok(()),
        }
    }

    /// Forgets one row.
    fn delete(&self, key: &Key) -> Result<()> {
        if let Key::Sketch { tree, profile, at, .. } = key {
            self.model(*tree, *profile)?.remove((*at).try_into()?);
        }
        if let Key::WatchlistEntry { tree, .. } = key {
            self.silo(*tree)?.rights.changed();
        }
        if let Key::Subject { tree, subject } = key {
            let silo = self.silo(*tree)?;
            silo.subjects.write().remove((*subject).try_into()?);
            silo.rights.changed();
        }
        Ok(())
    }

    /// Forgets a tenant with all that it has. Who holds its silo is at work, and comes too late with what it would commit.
    fn delete_tenant(&self, tree: TreeId) {
        // Nobody gets in with a key whose tenant is on its way out.
        self.credentials.write().forget(tree);
        if let Some(silo) = self.by_tree.write().remove(&tree) {
            self.by_id.write().remove(&silo.id);
            silo.rights.end();
        }
        self.keys.forget(tree);
    }

    fn put_tenant(&self, keys: &mut Opener<'_>, key: &Key, tenant: SlotRef, value: &[u8]) -> Result<()> {
        let record: TenantRecord = decode("tenant record", &open(keys, key, "", value)?)?;
        let (id, policy, created_at) = record.parse()?;
        let tree = tree_of(tenant)?;
        if let Some(silo) = self.of_tree(tree) {
            *silo.policy.write() = Arc::new(policy);
            silo.rights.changed();
            return Ok(());
        }
        let silo = Arc::new(Silo::new(id.clone(), tree, policy, created_at, &self.limits));
        self.by_tree.write().insert(tree, Arc::clone(&silo));
        self.by_id.write().insert(id, silo);
        Ok(())
    }

    fn put_credential(
        &self,
        keys: &mut Opener<'_>,
        key: &Key,
        tree: TreeId,
        id: CredentialId,
        value: &[u8],
    ) -> Result<()> {
        let record: CredentialRecord = decode("credential record", &open(keys, key, "", value)?)?;
        let owner = match tree.as_tenant() {
            None => Owner::Vault,
            Some(_) => Owner::Tenant(self.silo(tree)?.id.clone()),
        };
        let expires = record.expires_at.map(Timestamp::from_millis);
        let credential = Credential {
            principal: Principal {
                credential: id,
                owner,
                roles: record.roles()?,
                expires,
                factor: SecondFactor::NotAsked,
            },
            proof: record.proof()?.into(),
            tree,
            created_at: Timestamp::from_millis(record.created_at),
            revoked_at: record.revoked_at.map(Timestamp::from_millis),
            made_by: record.made_by.map(CredentialId::from),
        };
        self.credentials.write().put(Arc::new(credential));
        Ok(())
    }

    fn put_signing_key(&self, keys: &mut Opener<'_>, key: &Key, tree: TreeId, value: &[u8]) -> Result<()> {
        let known = SigningKey::of(&SigningKeyRecord::read(&open(keys, key, "", value)?)?)?;
        let silo = self.silo(tree)?;
        silo.signing_keys.put(known);
        // An answer that rests on it is judged again.
        silo.rights.changed();
        Ok(())
    }

    fn put_profile(
        &self,
        keys: &mut Opener<'_>,
        key: &Key,
        tree: TreeId,
        number: ProfileNumber,
        value: &[u8],
    ) -> Result<()> {
        let record: ProfileRecord = decode("profile record", &open(keys, key, "", value)?)?;
        let profile = record.parse()?;
        let silo = self.silo(tree)?;
        let mut models = silo.models.write();
        let updated_at = Timestamp::from_millis(record.updated_at);
        let model = match models.get(&number) {
            Some(known) => known.amended(profile, updated_at),
            None => {
                let seed = TransformSeed::derive(&self.keys.own(tree)?, 0);
                let transform = KeyedTransform::new(&seed, profile.dimension());
                let transform = transform.map_err(Error::crypto("make a keyed transform"))?;
                let times = (Timestamp::from_millis(record.created_at), updated_at);
                Model::new(number, profile, times, transform, &self.pool)?
            }
        };
        models.insert(number, model);
        Ok(())
    }

    fn put_subject(&self, keys: &mut Opener<'_>, key: &Key, tree: TreeId, slot: SlotRef, value: &[u8]) -> Result<()> {
        let record = SubjectRecord::decode(&open(keys, key, "", value)?)?;
        let added = self.silo(tree)?.subjects.write().add(&record.id, slot.try_into()?);
        if added {
            Ok(())
        } else {
            Err(corrupt("subject row", format!("{slot} has another owner, or its applicant id has another slot")))
        }
    }

    fn silo(&self, tree: TreeId) -> Result<Arc<Silo>> {
        self.of_tree(tree).ok_or_else(|| corrupt("row", format!("{tree} has rows but no tenant")))
    }

    pub(super) fn model(&self, tree: TreeId, number: ProfileNumber) -> Result<Model> {
        let model = self.silo(tree)?.model_numbered(number);
        model.ok_or_else(|| corrupt("row", format!("{tree} has templates of a model without a profile")))
    }

    /// Takes what a bad row belongs to out of service; the rest goes on.
    pub(super) fn quarantine(&self, key: &Key, fault: &Error) {
        let fault = format!("{:?} row: {fault}", key.kind());
        match key {
            Key::Sketch { tree, profile, .. } => match self.model(*tree, *profile) {
                Ok(model) => model.fail(&fault),
                Err(_) => tracing::error!(fault, "a sketch without a model"),
            },
            Key::Subject { tree, .. } | Key::Profile { tree, .. } => match self.of_tree(*tree) {
                Some(silo) => silo.fail(&fault),
                None => tracing::error!(fault, "a row without a tenant"),
            },
            Key::Format
            | Key::Epoch
            | Key::HighWater { .. }
            | Key::Page(_)
            | Key::Intent { .. }
            | Key::EpochEnd { .. }
            | Key::Position
            | Key::Mirror { .. }
            | Key::Restoring
            | Key::Statements
            | Key::Shredded { .. }
            | Key::History
            | Key::Tenant { .. }
            | Key::Credential { .. }
            | Key::Receipt { .. }
            | Key::TenantRequest { .. }
            | Key::LogKey { .. }
            | Key::Census { .. }
            | Key::Template { .. }
            | Key::SubjectRequest { .. }
            | Key::Dossier { .. }
            | Key::Held { .. }
            | Key::Evidence { .. }
            | Key::Watchlist { .. }
            | Key::SigningKey { .. }
            | Key::Attestation { .. }
            | Key::WatchlistEntry { .. }
            | Key::Listed { .. }
            | Key::Request { .. }
            | Key::Notification { .. }
            | Key::Asked { .. }
            | Key::Proposal { .. }
            | Key::Disclosure { .. }
            | Key::Case { .. }
            | Key::LogHead { .. }
            | Key::LogEntry { .. }
            | Key::LogNode { .. }
            | Key::LogSuccession { .. }
            | Key::TreeMark { .. }
            | Key::RowsMark { .. }
            | Key::LogMark { .. } => tracing::error!(fault, "a row cannot be used"),
        }
    }
}

fn open(keys: &mut Opener<'_>, key: &Key, model: &str, value: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    keys.open(key, model, value)?.ok_or_else(|| outlived(key))
}

/// A row that is there after its key was destroyed.
pub(super) fn outlived(key: &Key) -> Error {
    corrupt("row", format!("{:?} outlived its key", key.kind()))
}

impl Silos {
    fn follow_row(&self, keys: &mut Opener<'_>, row: &Row) {
        let followed = match row {
            Row::Put(key, value) => self.put(keys, key, value),
            Row::Delete(key) => self.delete(key),
            Row::DeleteTree(RowKind::Tenant, tree) => {
                self.delete_tenant(*tree);
                Ok(())
            }
            // All there is of a tenant goes with it; which attestations were used is asked of the rows.
            Row::DeleteTree(..) | Row::DeleteAttestations(..) => Ok(()),
        };
        if let (Err(fault), Some(key)) = (followed, row.key()) {
            self.quarantine(key, &fault);
        }
    }
}

impl Follow for Silos {
    fn follow(&self, rows: &[Row]) {
        let all = || {
            let mut keys = self.opener();
            rows.iter().for_each(|row| self.follow_row(&mut keys, row));
        };
        // A change that opens nothing has nothing to be wiped, and there is one thread for all of them.
        let all = || if rows.iter().any(is_opened) { wiping::after_ciphers(all) } else { all() };
        match replaced(rows).and_then(|(tree, profile, subject)| Some((self.model(tree, profile).ok()?, subject))) {
            Some((model, subject)) => model.replacing(subject, all),
            None => all(),
        }
    }
}

/// Is there something to decrypt in a row, for who takes it into memory?
fn is_opened(row: &Row) -> bool {
    let opened = |key: &Key| {
        use RowKind::{Credential, Profile, Request, Shredded, SigningKey, Sketch, Subject, Tenant};
        matches!(key.kind(), Shredded | Tenant | Credential | SigningKey | Profile | Subject | Sketch | Request)
    };
    matches!(row, Row::Put(key, _) if opened(key))
}

/// Whose template of which model a change replaces: it removes a sketch of the subject, and writes another.
#[allow(clippy::wildcard_enum_match_arm, reason = "no other row is a sketch")]
fn replaced(rows: &[Row]) -> Option<(TreeId, ProfileNumber, SlotRef)> {
    let of = |key: &Key| match *key {
        Key::Sketch { tree, profile, at, .. } => Some((tree, profile, at.subject)),
        _ => None,
    };
    let mut written = rows.iter().filter_map(|row| if let Row::Put(key, _) = row { of(key) } else { None });
    let removed: Vec<_> =
        rows.iter().filter_map(|row| if let Row::Delete(key) = row { of(key) } else { None }).collect();
    written.find(|sketch| removed.contains(sketch))
}

#[cfg(test)]
mod tests {
    use lethe_domain::{Role, Roles};

    use super::*;

    fn login() -> Login {
        Login::parse("login", "https://login.example.org", "00u1a2b3").unwrap()
    }

    fn credential(id: u8, tree: TreeId, revoked: bool) -> Arc<Credential> {
        let (credential, roles) = (CredentialId::from_bytes([id; 16]), Roles::only(Role::Auditor));
        let factor = SecondFactor::NotAsked;
        Arc::new(Credential {
            principal: Principal { credential, owner: Owner::Vault, roles, expires: None, factor },
            proof: Proof::Login(login()),
            tree,
            created_at: Timestamp::from_millis(i64::from(id)),
            revoked_at: revoked.then_some(Timestamp::from_millis(100)),
            made_by: None,
        })
    }

    /// In whatever order rows come.
    #[test]
    fn the_newest_credential_of_a_login_decides_alone() {
        let (vault, tenant) = (TreeId::VAULT, tree_of(SlotRef::first(1)).unwrap());
        let shown = |puts: &[(u8, bool)]| {
            let mut all = Credentials::default();
            puts.iter().for_each(|&(id, revoked)| all.put(credential(id, vault, revoked)));
            all.newest_of(&login())
                .map(|newest| (newest.principal.credential.as_bytes()[0], newest.revoked_at.is_some()))
        };
        assert_eq!(shown(&[(1, false)]), Some((1, false)));
        assert_eq!(shown(&[(1, false), (1, true)]), Some((1, true)));
        for puts in
            [[(1, true), (2, false)], [(2, false), (1, true)], [(1, false), (2, false)], [(2, false), (1, false)]]
        {
            assert_eq!(shown(&puts), Some((2, false)), "{puts:?}");
        }
        // A restore lost the older one's revocation: it does not come back when the newer one goes.
        for puts in [[(1, false), (2, true)], [(2, true), (1, false)]] {
            assert_eq!(shown(&puts), Some((2, true)), "{puts:?}");
        }
        assert_eq!(shown(&[(1, false), (3, false), (2, false), (3, true)]), Some((3, true)));

        let mut all = Credentials::default();
        all.put(credential(1, tenant, false));
        all.put(credential(2, vault, true));
        all.forget(tenant);
        assert!(all.newest_of(&login()).unwrap().revoked_at.is_some() && all.by_id.len() == 1);
        all.put(credential(3, tenant, false));
        all.forget(tenant);
        assert_eq!(all.newest_of(&login()).unwrap().created_at.millis(), 2, "as if the rows were read again");
        all.forget(vault);
        assert!(all.by_login.is_empty() && all.by_id.is_empty(), "with its tenant a login is free");
    }
}
