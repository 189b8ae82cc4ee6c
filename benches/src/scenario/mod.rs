//! What is measured.

mod enroll;
mod erase;
mod retention;
mod search;
mod start;
mod sweep;
mod verify;

use std::path::PathBuf;
use std::time::Duration;

use lethe_dataset::{Model, Population};

use crate::Error;
use crate::measure::{Measure, Pairs};
use crate::peers::Kind;
use crate::record::Sink;

/// What holds for every scenario of one call.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Pairs of runs.
    pub runs: u32,
    /// Threads of whatever lets its threads be chosen.
    pub threads: usize,
    /// Values of an embedding: 128, 512 or 1,024.
    pub dimension: usize,
    /// Bits of a sketch's coordinate: 1 or 2.
    pub sketch_bits: u8,
    /// Seed of the people.
    pub seed: u64,
    /// How long a run of load lasts.
    pub duration: Duration,
    /// Where databases are made; on the storage that is to be measured.
    pub scratch: PathBuf,
    /// Where vaults that are searched are kept, if they are.
    pub keep: Option<PathBuf>,
    /// FAISS indexes to compare searches with.
    pub faiss: Vec<Kind>,
    /// A Python interpreter with Qdrant Edge, where searches are to be compared with that.
    pub qdrant: Option<PathBuf>,
    /// The smallest of the sizes that are measured.
    pub smallest: u64,
}

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// 1:N.
    Search,
    /// 1:1.
    Verify,
    /// Templates in.
    Enroll,
    /// People out.
    Erase,
    /// A process until it answers.
    Start,
    /// A gallery against itself.
    Sweep,
    /// Who ends, of everybody.
    Retention,
}

impl Scenario {
    /// Its name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Verify => "verify",
            Self::Enroll => "enroll",
            Self::Erase => "erase",
            Self::Start => "start",
            Self::Sweep => "sweep",
            Self::Retention => "retention",
        }
    }

    /// Measures with `n` templates in the gallery, and puts records into `sink` as they are had.
    ///
    /// # Errors
    /// The first failure of any call or peer; nothing is recorded of what did not work.
    pub async fn run(self, settings: &Settings, n: u64, sink: &mut dyn Sink) -> Result<(), Error> {
        let bench = &mut Bench { settings, population: settings.population()?, n, sink };
        match self {
            Self::Search => search::run(bench).await,
            Self::Verify => verify::run(bench).await,
            Self::Enroll => enroll::run(bench).await,
            Self::Erase => erase::run(bench).await,
            Self::Start => start::run(bench).await,
            Self::Sweep => sweep::run(bench).await,
            Self::Retention => retention::run(bench).await,
        }
    }
}

impl Settings {
    fn population(&self) -> Result<Population, Error> {
        let model = Model::for_dimension(self.dimension);
        let model = model.ok_or_else(|| Error::invalid("dimensions are 128, 512 and 1024"))?;
        Ok(Population::new(model, self.seed))
    }
}

/// Bytes of a template's facts beside its vector, and of a person's base record (`docs/FORMAT.md`).
const TEMPLATE_FACTS: usize = 42;
const SUBJECT: usize = 138;
/// Bytes of what else is known of a person of whom little is, padded as it is stored.
const DOSSIER: usize = 256;

/// Bytes that `plaintext` bytes have in the vault's store.
fn sealed(plaintext: usize) -> usize {
    plaintext + lethe_crypto::record::OVERHEAD
}

/// One scenario at one size.
struct Bench<'a> {
    settings: &'a Settings,
    population: Population,
    n: u64,
    sink: &'a mut dyn Sink,
}

impl Bench<'_> {
    fn put(&mut self, measure: Measure, pairs: &Pairs) -> Result<(), Error> {
        let record = pairs.record(measure, self.n)?;
        self.sink.put(&record).map_err(Error::io("writing a record"))
    }

    /// Bytes of a stored template: its floats and facts, as the vault keeps them, and what sealing adds.
    fn row_bytes(&self) -> usize {
        sealed(TEMPLATE_FACTS + self.settings.dimension * 4)
    }

    /// Bytes of a stored sketch.
    fn sketch_row_bytes(&self) -> usize {
        sealed(self.sketch_bytes())
    }

    /// Bytes of a sketch: one or two bits a coordinate of the padded vector.
    fn sketch_bytes(&self) -> usize {
        self.settings.dimension.next_power_of_two() / 8 * usize::from(self.settings.sketch_bits)
    }

    /// A person of the gallery, the same for the same `number`; numbers in a row are far apart in it.
    fn person(&self, number: u64) -> u64 {
        scattered(number, self.n)
    }
}

/// One of `n`, the same for the same `number`; the first n numbers are all of them, and far apart.
pub(crate) fn scattered(number: u64, n: u64) -> u64 {
    // Coprime to any size below it.
    (u128::from(number) * 2_654_435_761 % u128::from(n)) as u64
}
