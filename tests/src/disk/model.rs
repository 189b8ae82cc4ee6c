//! Every version of every file and folder there ever was, and when each was sure.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::device::Device;
use super::trace::{Event, Trace};

/// A file or a folder, whatever name it has.
pub(super) type Node = usize;
/// A moment: so many events had happened.
pub(crate) type Moment = usize;

/// The vault's folder.
pub(super) const TOP: Node = 0;
/// What the harness writes there, and the server does not.
const NOT_THE_SERVERS: &str = "server.log";

/// What became of a folder while it was recorded.
pub(crate) struct Disks {
    pub(super) nodes: Vec<Content>,
    /// By what is open, under the recorder's number.
    open: HashMap<u32, Node>,
    /// Syncs at work: of what, since when.
    syncs: HashMap<u64, (Node, Moment)>,
}

pub(super) enum Content {
    File(File),
    Folder(Folder),
}

pub(super) struct File {
    pub(super) device: Device,
    /// A name that it had.
    pub(super) path: PathBuf,
    /// As it was before.
    pub(super) base: Vec<u8>,
    pub(super) changes: Vec<Change<Data>>,
    /// The folder that it was made in, and the place of the change that gave it its name there.
    made: Option<(Node, usize)>,
}

pub(super) struct Folder {
    pub(super) base: BTreeMap<OsString, Node>,
    pub(super) changes: Vec<Change<Names>>,
    /// What it has at the end.
    now: BTreeMap<OsString, Node>,
}

/// Something that was done.
pub(super) struct Change<T> {
    pub(super) when: Moment,
    pub(super) device: Device,
    /// When a sync that covers it had ended.
    pub(super) sure: Option<Moment>,
    pub(super) what: T,
}

pub(super) enum Data {
    Write { at: usize, bytes: Vec<u8> },
    Resize(usize),
}

/// Names that lead to something, or to nothing, from now on: two where something was renamed.
pub(super) type Names = Vec<(OsString, Option<Node>)>;

impl Disks {
    /// What `trace` tells of a folder that was as `base` is.
    pub(crate) fn new(base: &Path, trace: Trace) -> Self {
        let mut disks = Self { nodes: Vec::new(), open: HashMap::new(), syncs: HashMap::new() };
        disks.load(base, Path::new(""));
        for (when, event) in trace.events.into_iter().enumerate() {
            disks.follow(when + 1, event);
        }
        disks
    }

    fn load(&mut self, base: &Path, below: &Path) -> Node {
        let node =
            self.add(Content::Folder(Folder { base: BTreeMap::new(), changes: Vec::new(), now: BTreeMap::new() }));
        for entry in fs::read_dir(base.join(below)).unwrap() {
            let entry = entry.unwrap();
            let (name, path) = (entry.file_name(), below.join(entry.file_name()));
            if path == Path::new(NOT_THE_SERVERS) {
                continue;
            }
            let found = if entry.file_type().unwrap().is_dir() {
                self.load(base, &path)
            } else {
                let (base, device) = (fs::read(entry.path()).unwrap(), Device::of(&path));
                self.add(Content::File(File { device, path, base, changes: Vec::new(), made: None }))
            };
            let folder = self.folder(node);
            folder.base.insert(name.clone(), found);
            folder.now.insert(name, found);
        }
        node
    }

    fn follow(&mut self, when: Moment, event: Event) {
        match event {
            Event::Began => {
                self.open.clear();
                self.syncs.clear();
            }
            Event::Opened { file, path, created, truncated } => {
                let node = if created {
                    let parent = path.parent().and_then(|parent| self.find(parent)).expect("a name is in a folder");
                    let made = Some((parent, self.folder(parent).changes.len()));
                    let (device, base, changes) = (Device::of(&path), Vec::new(), Vec::new());
                    let node = self.add(Content::File(File { device, path: path.clone(), base, changes, made }));
                    self.name(when, &path, Some(node));
                    node
                } else {
                    self.find(&path).unwrap_or_else(|| panic!("{} was opened, and is not known", path.display()))
                };
                self.open.insert(file, node);
                if truncated {
                    self.write(when, file, Data::Resize(0));
                }
            }
            Event::Wrote { file, at, bytes } => self.write(when, file, Data::Write { at, bytes }),
            Event::Resized { file, length } => self.write(when, file, Data::Resize(length)),
            Event::SyncBegan { file, sync } => {
                self.syncs.insert(sync, (self.open[&file], when));
            }
            Event::SyncEnded { sync } => {
                let (node, began) = self.syncs.remove(&sync).expect("what ends has begun");
                let made = match &mut self.nodes[node] {
                    Content::File(file) => {
                        make_sure(&mut file.changes, began, when);
                        file.made
                    }
                    Content::Folder(folder) => {
                        make_sure(&mut folder.changes, began, when);
                        None
                    }
                };
                if let Some((folder, place)) = made {
                    let made = &mut self.folder(folder).changes[place];
                    made.sure = made.sure.or(Some(when));
                }
            }
            Event::Renamed { old, new } => {
                let node = self.find(&old).expect("what is renamed is there");
                assert_eq!(old.parent(), new.parent(), "a rename that one sync makes sure");
                let names = [(&old, None), (&new, Some(node))].map(|(path, to)| (last(path).to_owned(), to));
                self.change_names(when, &new, names.into());
                if let Content::File(file) = &mut self.nodes[node] {
                    file.path = new;
                }
            }
            Event::Linked { old, new } => {
                let node = self.find(&old).expect("what is linked is there");
                self.name(when, &new, Some(node));
            }
            Event::Unlinked(path) | Event::RemovedFolder(path) => self.name(when, &path, None),
            Event::MadeFolder(path) => {
                let made = Folder { base: BTreeMap::new(), changes: Vec::new(), now: BTreeMap::new() };
                let node = self.add(Content::Folder(made));
                self.name(when, &path, Some(node));
            }
            Event::Said(_) | Event::Marked(_) => {}
        }
    }

    fn add(&mut self, content: Content) -> Node {
        self.nodes.push(content);
        self.nodes.len() - 1
    }

    fn folder(&mut self, node: Node) -> &mut Folder {
        match &mut self.nodes[node] {
            Content::Folder(folder) => folder,
            Content::File(file) => panic!("{} is no folder", file.path.display()),
        }
    }

    fn find(&self, path: &Path) -> Option<Node> {
        path.iter().try_fold(TOP, |node, name| match &self.nodes[node] {
            Content::Folder(folder) => folder.now.get(name).copied(),
            Content::File(_) => None,
        })
    }

    fn name(&mut self, when: Moment, path: &Path, to: Option<Node>) {
        self.change_names(when, path, vec![(last(path).to_owned(), to)]);
    }

    fn change_names(&mut self, when: Moment, path: &Path, what: Names) {
        let parent = path.parent().and_then(|parent| self.find(parent)).expect("a name is in a folder");
        let folder = self.folder(parent);
        put(&mut folder.now, &what);
        folder.changes.push(Change { when, device: Device::of(path), sure: None, what });
    }

    fn write(&mut self, when: Moment, file: u32, what: Data) {
        match &mut self.nodes[self.open[&file]] {
            Content::File(file) => {
                let device = file.device;
                file.changes.push(Change { when, device, sure: None, what });
            }
            Content::Folder(_) => panic!("a folder is not written to"),
        }
    }

    /// What is in each file of a device after each time that it was written to.
    pub(crate) fn versions(&self, of: &[Device], mut each: impl FnMut(&Path, &[u8])) {
        for file in self.files().filter(|file| of.contains(&file.device)) {
            let mut bytes = file.base.clone();
            each(&file.path, &bytes);
            for change in &file.changes {
                change.what.apply(&mut bytes);
                each(&file.path, &bytes);
            }
        }
    }

    /// Everything that was ever in files with this extension: what was cut off again, too.
    pub(crate) fn everything<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
        let wanted = move |file: &&File| file.path.extension().is_some_and(|found| found == extension);
        self.files().filter(wanted).map(|file| {
            let mut bytes = file.base.clone();
            let writes = file.changes.iter().filter(|change| matches!(change.what, Data::Write { .. }));
            writes.for_each(|change| change.what.apply(&mut bytes));
            bytes
        })
    }

    fn files(&self) -> impl Iterator<Item = &File> {
        self.nodes.iter().filter_map(|node| match node {
            Content::File(file) => Some(file),
            Content::Folder(_) => None,
        })
    }
}

impl Data {
    pub(super) fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => write(to, *at, bytes),
            Self::Resize(length) => to.resize(*length, 0),
        }
    }
}

/// Writes at a place; what lies between the end and there is zeros.
pub(super) fn write(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if to.len() < at + bytes.len() {
        to.resize(at + bytes.len(), 0);
    }
    to[at..at + bytes.len()].copy_from_slice(bytes);
}

pub(super) fn put(to: &mut BTreeMap<OsString, Node>, names: &Names) {
    for (name, node) in names {
        match node {
            Some(node) => drop(to.insert(name.clone(), *node)),
            None => drop(to.remove(name)),
        }
    }
}

/// All that was done before the sync began.
fn make_sure<T>(changes: &mut [Change<T>], began: Moment, ended: Moment) {
    let unsure = changes.iter_mut().filter(|change| change.sure.is_none());
    unsure.filter(|change| change.when < began).for_each(|change| change.sure = Some(ended));
}

fn last(path: &Path) -> &OsStr {
    path.file_name().expect("a file has a name")
}
