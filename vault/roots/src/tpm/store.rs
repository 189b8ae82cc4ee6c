//! The trait's operations, each on one sight of the store.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lethe_crypto::root::{Claim, Incarnation, Medium, MediumStatement, RootId, VaultId};
use lethe_crypto::secret::{RootKey, VaultKey};
use lethe_crypto::{Error as CryptoError, Result};
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;

use super::link::{self, Failure, Link};
use super::options::TpmOptions;
use super::sight::{Index, Sight};
use crate::Error;
use crate::formats::nv::{CLAIMS, HEADER, Header, Held, ROOT, USE, WRAPPED};

/// Names this kind of store in the wrapping of its roots.
const STORE: [u8; 16] = *b"lethe/v1/tpm2-nv";

/// The longest pause before an operation begins anew because others use the TPM, milliseconds.
const LONGEST_PAUSE: u32 = 50;

/// The least time between two claims, on average of a few.
const CLAIM_INTERVAL: Duration = Duration::from_secs(60);

/// Makers of discrete chips, by the TCG's vendor ids: Atmel, Infineon, Nationz, Nuvoton, ST. What is not known
/// may be a program.
const DISCRETE: [[u8; 4]; 6] = [*b"ATML", *b"IFX\0", *b"NTZ\0", *b"NTC\0", *b"STM ", *b"STM\0"];

/// A TPM, and the connection with it if there is one.
pub(super) struct Device {
    options: TpmOptions,
    link: Option<Link>,
    /// When this process made its last root. The clock on the wall may be set back; this one not.
    last: Option<Instant>,
}

/// May an operation be done again, if it is not known whether it took effect?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Yes,
    No,
}

impl Device {
    pub(super) fn open(options: TpmOptions) -> Result<(Self, Medium)> {
        let mut device = Self { options, link: None, last: None };
        let maker = device.link("opening").and_then(|mut link| {
            let maker = link.maker().map_err(|failure| known(failure, "opening"));
            device.link = Some(link);
            maker
        })?;
        let statements = match maker {
            Some(maker) if DISCRETE.contains(&maker) => vec![MediumStatement::WearLevelling],
            _ => vec![MediumStatement::WearLevelling, MediumStatement::Virtual, MediumStatement::RetainsDeleted],
        };
        Ok((device, statements.into_iter().collect()))
    }

    pub(super) fn claim(&mut self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()> {
        let (least, now) = (self.options.min_interval.min(CLAIM_INTERVAL), now());
        self.run("claiming", Repeat::Yes, |sight| {
            let Some(claim) = Claim::advance(sight.claim(), vault, known, next)? else { return Ok(()) };
            let roots = sight.headers().count();
            if sight.claim().is_none() && roots > 0 {
                return Err(Error::UnclaimedRoots(roots).during("claiming").into());
            }
            if let Some(wait) = sight.held.and_then(|held| to_claim(least, &held, now)) {
                return Err(Error::TooSoon(wait).during("claiming").into());
            }
            sight.write_claim(claim, now)
        })
    }

    pub(super) fn claimed(&mut self) -> Result<Option<Claim>> {
        self.run("reading the claim", Repeat::Yes, |sight| Ok(sight.claim()))
    }

    pub(super) fn create(&mut self, claim: &Claim) -> Result<RootId> {
        let (least, last, now) = (self.options.min_interval, self.last, now());
        let id = self.run("creating a root", Repeat::No, |sight| {
            claim.check(sight.claim().as_ref())?;
            if let Some(wait) = to_wait(least, last, sight.headers().map(|header| header.made), now) {
                return Err(Error::TooSoon(wait).during("creating a root").into());
            }
            undefine_unwritten(sight)?;
            let number = sight.free().ok_or(CryptoError::RootStoreFull)?;
            let (header, key) = (Header { id: RootId::random()?, wrapped: false, made: now }, RootKey::generate()?);
            let index = sight.define(number, ROOT)?;
            step!("root-tpm-defined");
            sight.write(index, &header.encode(&key), 0)?;
            step!("root-tpm-written");
            Ok(header.id)
        })?;
        self.last = Some(Instant::now());
        Ok(id)
    }

    pub(super) fn wrap(&mut self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        let root_key = self.run("wrapping", Repeat::No, |sight| {
            claim.check(sight.claim().as_ref())?;
            let (index, header) = find(sight, root)?;
            // Durable before the blob exists outside: a crash loses the root, never wraps twice with it. The mark
            // comes last, so that an operation that begins anew has not made it yet.
            if header.wrapped {
                return Err(CryptoError::AlreadyWrapped(root).into());
            }
            let key = read_key(sight, index, root)?;
            sight.write(index, &[WRAPPED], USE)?;
            step!("root-tpm-marked");
            Ok(key)
        })?;
        root_key.wrap_key(&STORE, root, key, context)
    }

    pub(super) fn unwrap(&mut self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        let root_key = self.run("unwrapping", Repeat::Yes, |sight| {
            let (index, _) = find(sight, root)?;
            read_key(sight, index, root)
        })?;
        root_key.unwrap_key(&STORE, root, wrapped, context)
    }

    /// Was it gone already?
    pub(super) fn destroy(&mut self, claim: &Claim, root: RootId) -> Result<bool> {
        let mut was_absent = true;
        self.run("destroying a root", Repeat::Yes, |sight| {
            claim.check(sight.claim().as_ref())?;
            while let Ok((index, _)) = find(sight, root) {
                was_absent = false;
                // Whatever the chip makes of an index that is undefined, the key is not in it any more.
                sight.write(index, &[0; RootKey::LENGTH], HEADER)?;
                step!("root-tpm-overwritten");
                sight.undefine(index)?;
                step!("root-tpm-undefined");
                if sight.is_defined(index)? {
                    return Err(CryptoError::RootsRemain(1).into());
                }
            }
            // Here, too: it may be the last that this store is asked for.
            undefine_unwritten(sight)
        })?;
        Ok(was_absent)
    }

    pub(super) fn epochs(&mut self) -> Result<Vec<RootId>> {
        let mut roots: Vec<_> =
            self.run("listing roots", Repeat::Yes, |sight| Ok(sight.headers().map(|header| header.id).collect()))?;
        roots.sort_unstable();
        roots.dedup();
        Ok(roots)
    }

    /// Runs an operation on a sight of the store: anew whenever somebody else's command came in between, and
    /// once more over a new connection if the old one fails.
    fn run<T>(
        &mut self,
        action: &'static str,
        repeat: Repeat,
        mut operation: impl FnMut(&mut Sight<'_>) -> link::Result<T>,
    ) -> Result<T> {
        let mut reconnected = self.link.is_none();
        // Half of what the caller waits, so that it learns the reason.
        let deadline = Instant::now() + self.options.timeout / 2;
        let mut pause = 1;
        while Instant::now() < deadline {
            let mut link = match self.link.take() {
                Some(link) => link,
                None => self.link(action)?,
            };
            let mut looked = false;
            let result = Sight::new(&mut link, self.options.first_index).and_then(|mut sight| {
                looked = true;
                operation(&mut sight)
            });
            match result {
                Err(Failure::Disturbed) => {
                    self.link = Some(link);
                    // Two who disturb each other must not go on in step.
                    std::thread::park_timeout(random_part(pause)?);
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
                // What is not known of the connection is not trusted. Who only looked may look again.
                Err(Failure::Tpm(_)) if !reconnected && (repeat == Repeat::Yes || !looked) => reconnected = true,
                Err(failure @ Failure::Tpm(_)) => return Err(known(failure, action)),
                Err(Failure::Known(error)) => {
                    self.link = Some(link);
                    return Err(error);
                }
                Ok(result) => {
                    self.link = Some(link);
                    return Ok(result);
                }
            }
        }
        Err(busy(action))
    }

    fn link(&self, action: &'static str) -> Result<Link> {
        Link::open(&self.options).map_err(|failure| known(failure, action))
    }
}

/// A random part of so many milliseconds.
fn random_part(milliseconds: u32) -> Result<Duration> {
    let mut byte = [0];
    SystemRandom::new().fill(&mut byte).map_err(|_| CryptoError::Random)?;
    Ok(Duration::from_millis(milliseconds.into()) * u32::from(byte[0]) / 255)
}

fn busy(action: &'static str) -> CryptoError {
    Error::Busy("others use the TPM all the time").during(action)
}

fn known(failure: Failure, action: &'static str) -> CryptoError {
    match failure {
        Failure::Disturbed => busy(action),
        Failure::Tpm(error) => Error::Tpm(error).during(action),
        Failure::Known(error) => error,
    }
}

/// Undefines what was defined and never written: by a crash, or by somebody who would like to own what we write.
fn undefine_unwritten(sight: &mut Sight<'_>) -> link::Result<()> {
    while let Some(slot) = sight.slots.iter().find(|slot| slot.header.is_none()) {
        sight.undefine(slot.index)?;
    }
    Ok(())
}

fn find(sight: &Sight<'_>, root: RootId) -> Result<(Index, Header)> {
    let mut roots = sight.slots.iter().filter_map(|slot| Some((slot.index, slot.header?)));
    roots.find(|(_, header)| header.id == root).ok_or(CryptoError::NoSuchRoot(root))
}

fn read_key(sight: &mut Sight<'_>, index: Index, root: RootId) -> link::Result<RootKey> {
    let read = sight.read(index, ROOT - HEADER, HEADER)?.ok_or(CryptoError::NoSuchRoot(root))?;
    // Overwritten by a destruction that got no further. Nothing is wrapped with what everybody knows.
    if bool::from(read.as_slice().ct_eq(&[0; RootKey::LENGTH])) {
        return Err(CryptoError::NoSuchRoot(root).into());
    }
    Ok(RootKey::from_medium(&read)?)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How long the next root must wait for the memory's sake. Roots from the future were made before the clock
/// was set back, and say nothing.
fn to_wait(least: Duration, last: Option<Instant>, made: impl Iterator<Item = u64>, now: u64) -> Option<Duration> {
    let ages = made.filter_map(|made| now.checked_sub(made)).map(Duration::from_secs);
    let youngest = ages.chain(last.map(|last| last.elapsed())).min()?;
    least.checked_sub(youngest).filter(|wait| !wait.is_zero())
}

/// How long the next claim must wait. A start makes one or two; one that is repeated every few seconds for days would
/// wear the memory out.
fn to_claim(least: Duration, held: &Held, now: u64) -> Option<Duration> {
    let oldest = held.made.last().copied().filter(|made| *made > 0)?;
    let age = Duration::from_secs(now.checked_sub(oldest)?);
    let wait = (least * u32::try_from(CLAIMS).unwrap_or(u32::MAX)).checked_sub(age)?;
    (!wait.is_zero()).then(|| wait.min(least))
}

#[cfg(test)]
mod tests {
    use lethe_crypto::root::{Incarnation, VaultId};

    use super::*;

    #[test]
    fn a_start_every_few_seconds_claims_once_a_minute() {
        let claim = Claim { vault: VaultId::from_bytes([1; 16]), incarnation: Incarnation::from_bytes([2; 16]) };
        let (mut held, mut claims) = (None, 0);
        for now in (1000..1000 + 24 * 3600).step_by(5) {
            if held.is_none_or(|held| to_claim(CLAIM_INTERVAL, &held, now).is_none()) {
                held = Some(Held::next(held, claim, now));
                claims += 1;
            }
        }
        assert!((1440..1450).contains(&claims), "{claims}");
        let held = held.unwrap();
        assert!(to_claim(CLAIM_INTERVAL, &held, held.made[0]).is_some());
        assert_eq!(to_claim(CLAIM_INTERVAL, &held, 5), None, "the clock was set back");
        assert_eq!(to_claim(Duration::ZERO, &held, held.made[0]), None);
    }

    #[test]
    fn the_youngest_root_says_how_long_to_wait() {
        let hour = Duration::from_secs(3600);
        let wait = |made: &[u64], now| to_wait(hour, None, made.iter().copied(), now);
        assert_eq!(wait(&[], 5000), None);
        assert_eq!(wait(&[1000], 4000), Some(Duration::from_secs(600)));
        assert_eq!(wait(&[1000], 4600), None);
        assert_eq!(wait(&[1000, 3000, 2000], 4600), Some(Duration::from_secs(2000)));
        assert_eq!(wait(&[1000, 9000], 4600), None, "the clock was set back");
        assert_eq!(to_wait(Duration::ZERO, Some(Instant::now()), [7].into_iter(), 7), None);
        assert!(to_wait(hour, Some(Instant::now()), [].into_iter(), 7).is_some());
    }
}
