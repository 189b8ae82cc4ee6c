use std::fmt;
use std::path::Path;

/// What fails by itself: the folders of a vault, as if each were a disk of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Device {
    /// The data directory.
    Data,
    /// The mirror.
    Mirror,
    /// The other mirror.
    SecondMirror,
    /// The backups.
    Backups,
    /// The root store's first replica.
    Root,
    /// Its second replica.
    SecondRoot,
    /// The first replica of the root store that the vault moves to.
    NewRoot,
    /// Its second replica.
    SecondNewRoot,
    /// What is beside them: the operator's key, and the names of the others.
    Home,
}

impl Device {
    /// Where a file is, by its name below the vault's folder ([`crate::Home`]).
    pub(crate) fn of(path: &Path) -> Self {
        let mut names = path.iter().map(|name| name.to_string_lossy());
        let (first, second) = (names.next().unwrap_or_default(), names.next());
        match (&*first, second.as_deref()) {
            ("data", Some(_)) => Self::Data,
            ("mirror", Some(_)) => Self::Mirror,
            ("second-mirror", Some(_)) => Self::SecondMirror,
            ("backups", Some(_)) => Self::Backups,
            ("roots", Some(name)) if name.starts_with("0.") => Self::Root,
            ("roots", Some(name)) if name.starts_with("1.") => Self::SecondRoot,
            ("moved", Some(name)) if name.starts_with("0.") => Self::NewRoot,
            ("moved", Some(name)) if name.starts_with("1.") => Self::SecondNewRoot,
            _ => Self::Home,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "the data",
            Self::Mirror => "a mirror",
            Self::SecondMirror => "the other mirror",
            Self::Backups => "the backups",
            Self::Root => "a root replica",
            Self::SecondRoot => "the other root replica",
            Self::NewRoot => "a new root replica",
            Self::SecondNewRoot => "the other new root replica",
            Self::Home => "the rest",
        })
    }
}
