//! Disks at a moment, under a fault.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::device::Device;
use super::model::{Change, Content, Data, Disks, Moment, Node, TOP, put, write};

/// What becomes of what no sync has made sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Unsynced {
    /// It is there: a process that dies takes nothing along.
    Kept,
    /// It is gone.
    Dropped,
    /// Some of it is there, in the order in which it was done; the last write is torn.
    Cut,
    /// Any of it is there, without the rest; any write may be torn.
    Scattered,
}

/// What ends a vault's life, and what its disks do then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) unsynced: Unsynced,
    /// A device that did not do what it acknowledged, and since when.
    pub(crate) liar: Option<(Device, Moment)>,
    /// Since when no device did: no disks are like that, and whoever judges must find it out.
    pub(crate) deaf: Option<Moment>,
    /// What is random is the same for the same seed.
    pub(crate) seed: u64,
}

/// Files and folders, by their names below the vault's folder.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
    pub(crate) folders: BTreeSet<PathBuf>,
}

/// What becomes of one change.
#[derive(Clone, Copy)]
enum Fate {
    Kept,
    Gone,
    /// Of a write only the sectors before a boundary, chosen by this number among those that there are.
    Torn(usize),
}

impl Disks {
    /// The disks after a fault at a moment.
    pub(crate) fn image(&self, at: Moment, fault: Fault) -> Image {
        let mut maker =
            Maker { disks: self, at, fates: self.fates(at, fault), sector: SECTORS[fault.seed as usize % 2] };
        let mut image = Image::default();
        maker.make(TOP, PathBuf::new(), &mut image);
        image
    }

    /// What becomes of all that is not sure, by when it was done.
    fn fates(&self, at: Moment, fault: Fault) -> HashMap<Moment, Fate> {
        let mut unsure: BTreeMap<Device, BTreeSet<Moment>> = BTreeMap::new();
        let mut look = |device: Device, when: Moment, sure: Option<Moment>| {
            let lied = fault.liar.filter(|(liar, _)| *liar == device).map(|(_, since)| since);
            let last = lied.into_iter().chain(fault.deaf).fold(at, Moment::min);
            let is_sure = sure.is_some_and(|sure| sure <= last);
            if when <= at && !is_sure {
                unsure.entry(device).or_default().insert(when);
            }
        };
        for node in &self.nodes {
            match node {
                Content::File(file) => file.changes.iter().for_each(|it| look(it.device, it.when, it.sure)),
                Content::Folder(folder) => folder.changes.iter().for_each(|it| look(it.device, it.when, it.sure)),
            }
        }
        let mut random = ChaCha8Rng::seed_from_u64(fault.seed);
        let mut fates = HashMap::new();
        for (device, changes) in unsure {
            // Of a device that lied all may be lost, or a part: that it is all there says nothing.
            let is_liar = fault.liar.is_some_and(|(liar, _)| liar == device);
            let unsynced = match fault.unsynced {
                Unsynced::Kept if is_liar => Unsynced::Dropped,
                Unsynced::Kept => Unsynced::Kept,
                unsynced @ (Unsynced::Dropped | Unsynced::Cut | Unsynced::Scattered) => unsynced,
            };
            let cut = random.random_range(0..=changes.len());
            for (place, when) in changes.into_iter().enumerate() {
                let torn = Fate::Torn(random.random_range(0..1 << 20));
                let fate = match unsynced {
                    Unsynced::Kept => Fate::Kept,
                    Unsynced::Dropped => Fate::Gone,
                    Unsynced::Cut => match place.cmp(&cut) {
                        std::cmp::Ordering::Less => Fate::Kept,
                        std::cmp::Ordering::Equal => torn,
                        std::cmp::Ordering::Greater => Fate::Gone,
                    },
                    Unsynced::Scattered => match random.random_range(0..3) {
                        0 => Fate::Kept,
                        1 => Fate::Gone,
                        _ => torn,
                    },
                };
                fates.insert(when, fate);
            }
        }
        fates
    }
}

/// Bytes that a disk writes whole or not at all.
const SECTORS: [usize; 2] = [512, 4096];

struct Maker<'a> {
    disks: &'a Disks,
    at: Moment,
    fates: HashMap<Moment, Fate>,
    sector: usize,
}

impl Maker<'_> {
    fn fate<T>(&self, change: &Change<T>) -> Fate {
        self.fates.get(&change.when).copied().unwrap_or(Fate::Kept)
    }

    fn make(&mut self, node: Node, path: PathBuf, image: &mut Image) {
        match &self.disks.nodes[node] {
            Content::File(file) => {
                let mut bytes = file.base.clone();
                for change in file.changes.iter().take_while(|change| change.when <= self.at) {
                    match (self.fate(change), &change.what) {
                        (Fate::Kept, what) => what.apply(&mut bytes),
                        (Fate::Torn(choice), Data::Write { at, bytes: new }) => {
                            write(&mut bytes, *at, &new[..torn(*at, new.len(), self.sector, choice)]);
                        }
                        (Fate::Gone | Fate::Torn(_), _) => {}
                    }
                }
                image.files.insert(path, bytes);
            }
            Content::Folder(folder) => {
                let mut names = folder.base.clone();
                for change in folder.changes.iter().take_while(|change| change.when <= self.at) {
                    if matches!(self.fate(change), Fate::Kept) {
                        put(&mut names, &change.what);
                    }
                }
                for (name, node) in names {
                    self.make(node, path.join(name), image);
                }
                image.folders.insert(path);
            }
        }
    }
}

/// How many bytes of a write are there if it stops before some sector.
fn torn(at: usize, length: usize, sector: usize, choice: usize) -> usize {
    let first = sector - at % sector;
    let boundaries = if length <= first { 0 } else { (length - first).div_ceil(sector) };
    match choice % (boundaries + 1) {
        0 => 0,
        boundary => first + (boundary - 1) * sector,
    }
}

impl Image {
    /// A folder as it is.
    pub(crate) fn read(folder: &Path) -> Self {
        Disks::new(folder, super::Trace { events: Vec::new() }).image(0, Fault::death(0))
    }

    /// Makes the folder.
    pub(crate) fn write(&self, folder: &Path) {
        for below in self.folders.iter().filter(|path| !path.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(below)).unwrap();
        }
        for (path, bytes) in &self.files {
            let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(path));
            std::io::Write::write_all(&mut file.unwrap(), bytes).unwrap();
        }
    }

    /// Names and contents by which two differ.
    pub(crate) fn differences(&self, other: &Self) -> Vec<PathBuf> {
        let paths: BTreeSet<_> = self.files.keys().chain(other.files.keys()).collect();
        let files = paths.into_iter().filter(|path| self.files.get(*path) != other.files.get(*path));
        files.chain(self.folders.symmetric_difference(&other.folders)).cloned().collect()
    }
}

impl Fault {
    /// The process dies; the disks do what they always do.
    pub(crate) const fn death(seed: u64) -> Self {
        Self { unsynced: Unsynced::Kept, liar: None, deaf: None, seed }
    }

    /// The power goes.
    pub(crate) const fn power_cut(unsynced: Unsynced, seed: u64) -> Self {
        Self { unsynced, liar: None, deaf: None, seed }
    }
}

#[cfg(test)]
mod tests {
    use super::super::trace::{Event, Trace};
    use super::*;

    /// A file that is made, written, synced, and written to again.
    fn disks() -> Disks {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("data")).unwrap();
        let open = |file, path: &str, created| Event::Opened { file, path: path.into(), created, truncated: false };
        let wrote = |at, byte, length| Event::Wrote { file: 1, at, bytes: vec![byte; length] };
        let events = vec![
            open(1, "data/log", true),
            wrote(0, 1, 1000),
            Event::SyncBegan { file: 1, sync: 1 },
            // While the sync is at work: it does not cover this.
            wrote(1000, 2, 8000),
            Event::SyncEnded { sync: 1 },
            open(2, "data", false),
            Event::SyncBegan { file: 2, sync: 2 },
            Event::SyncEnded { sync: 2 },
        ];
        Disks::new(base.path(), Trace { events })
    }

    fn log(disks: &Disks, at: Moment, fault: Fault) -> Option<Vec<u8>> {
        disks.image(at, fault).files.remove(Path::new("data/log"))
    }

    #[test]
    fn what_is_not_synced_may_be_lost_and_what_is_synced_may_not() {
        let disks = disks();
        let dropped = Fault::power_cut(Unsynced::Dropped, 0);
        assert_eq!(log(&disks, 8, Fault::death(0)).unwrap().len(), 9000);
        assert_eq!(log(&disks, 4, dropped), None, "a name is not sure because it is there");
        assert_eq!(log(&disks, 5, dropped), Some(vec![1; 1000]), "a synced file keeps the name it was made under");
        assert_eq!(log(&disks, 8, dropped), Some(vec![1; 1000]));
        assert_eq!(log(&disks, 4, Fault::death(0)).unwrap().len(), 9000);
        assert_eq!(log(&disks, 2, Fault::death(0)).unwrap().len(), 1000);
        let deaf = Fault { deaf: Some(0), ..dropped };
        assert_eq!(log(&disks, 8, deaf), None);
        let lies = |since| Fault { liar: Some((Device::Data, since)), ..dropped };
        assert_eq!(log(&disks, 8, lies(4)), None);
        assert_eq!(log(&disks, 8, lies(5)), Some(vec![1; 1000]));
        let other = Fault { liar: Some((Device::Mirror, 0)), ..dropped };
        assert_eq!(log(&disks, 8, other), Some(vec![1; 1000]));
    }

    #[test]
    fn writes_are_torn_at_sectors() {
        let disks = disks();
        let mut lengths = BTreeSet::new();
        for seed in 0..400 {
            for unsynced in [Unsynced::Cut, Unsynced::Scattered] {
                let log = log(&disks, 8, Fault::power_cut(unsynced, seed)).unwrap();
                assert!(log.len() >= 1000 && log.iter().skip(1000).all(|byte| *byte == 2));
                let sector = SECTORS[seed as usize % 2];
                assert!([1000, 9000].contains(&log.len()) || log.len().is_multiple_of(sector), "{}", log.len());
                lengths.insert(log.len());
            }
        }
        let sectors = |size: usize| (1000_usize.div_ceil(size)..9000_usize.div_ceil(size)).map(move |n| n * size);
        let expected: BTreeSet<_> = sectors(512).chain(sectors(4096)).chain([1000, 9000]).collect();
        assert_eq!(lengths, expected);
    }

    #[test]
    fn an_image_is_written_as_it_is() {
        let disks = disks();
        let image = disks.image(8, Fault::death(0));
        let folder = tempfile::tempdir().unwrap();
        image.write(folder.path());
        let read = Image::read(folder.path());
        assert_eq!(image.differences(&read), Vec::<PathBuf>::new());
        assert!(!disks.image(3, Fault::death(0)).differences(&read).is_empty());
    }
}
