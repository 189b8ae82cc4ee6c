//! Row keys and plain rows, as `docs/FORMAT.md` describes them.

/// Slot u64 ‖ generation u32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) number: u64,
    pub(super) generation: u32,
}

/// A tree: its tenant's slot in the vault tree, or 0.0.
pub(super) type Tree = Slot;

/// The vault's own tree.
pub(super) const VAULT: Tree = Slot { number: 0, generation: 0 };

impl Slot {
    pub(super) fn bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.number.to_be_bytes());
        bytes[8..].copy_from_slice(&self.generation.to_be_bytes());
        bytes
    }
}

/// The name of a page, without its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) tree: Tree,
    pub(super) height: u8,
    pub(super) level: u8,
    pub(super) index: u64,
}

impl Place {
    pub(super) fn bytes(&self) -> [u8; 22] {
        let mut bytes = [0; 22];
        bytes[..12].copy_from_slice(&self.tree.bytes());
        bytes[12] = self.height;
        bytes[13] = self.level;
        bytes[14..].copy_from_slice(&self.index.to_be_bytes());
        bytes
    }
}

/// What a row's key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum RowKey {
    Epoch,
    Page {
        place: Place,
        epoch: u64,
    },
    Receipt([u8; 16]),
    LogHead(Tree),
    LogEntry {
        tree: Tree,
        index: u64,
    },
    Sealed(Home),
    /// In clear, and of no use to who looks for keys.
    Plain,
}

/// Whose keys a sealed row is under, and what its AAD names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Home {
    pub(super) kind: u8,
    pub(super) tree: Tree,
    pub(super) gallery: u32,
    /// `None`: the key of the tree's own slot.
    pub(super) subject: Option<Slot>,
    pub(super) thing: Option<Slot>,
    /// The model profile that its AAD names.
    pub(super) profile: Option<u32>,
}

/// Kinds of sealed rows.
pub(super) mod kind {
    pub(in super::super) const TENANT: u8 = 0x10;
    pub(in super::super) const PROFILE: u8 = 0x12;
    pub(in super::super) const SUBJECT: u8 = 0x20;
    pub(in super::super) const TEMPLATE: u8 = 0x21;
    pub(in super::super) const SKETCH: u8 = 0x22;
    pub(in super::super) const REMEMBERED: u8 = 0x23;
    pub(in super::super) const DOSSIER: u8 = 0x24;
    pub(in super::super) const WATCHLIST: u8 = 0x18;
    pub(in super::super) const WATCHLIST_ENTRY: u8 = 0x26;
    pub(in super::super) const LISTED: u8 = 0x27;
    pub(in super::super) const EVIDENCE: u8 = 0x2a;
    pub(in super::super) const REQUEST: u8 = 0x2b;
    pub(in super::super) const ASKED: u8 = 0x2c;
    pub(in super::super) const DISCLOSURE: u8 = 0x29;
    pub(in super::super) const CASE: u8 = 0x2e;
}

impl RowKey {
    /// # Panics
    /// For a key that the format does not know.
    pub(super) fn parse(key: &[u8]) -> Self {
        let mut rest = Cursor(key);
        let kind = rest.byte();
        let own = |tree| Home { kind, tree, gallery: 0, subject: None, thing: None, profile: None };
        let parsed = match kind {
            0x01 => Self::Plain,
            0x02 => Self::Epoch,
            0x03 => rest.skip(12),
            0x04 => {
                let place = Place { tree: rest.slot(), height: rest.byte(), level: rest.byte(), index: rest.long() };
                Self::Page { place, epoch: rest.long() }
            }
            0x05 => rest.skip(28),
            0x06 => rest.skip(8),
            0x07 | 0x09..=0x0b => Self::Plain,
            0x08 => rest.skip(16),
            kind::TENANT | 0x15 => Self::Sealed(own(rest.slot())),
            0x11 | 0x14 | 0x28 => {
                let home = own(rest.slot());
                rest.skip(16);
                Self::Sealed(home)
            }
            kind::PROFILE | kind::WATCHLIST => {
                let home = own(rest.slot());
                rest.skip(4);
                Self::Sealed(home)
            }
            0x13 => {
                rest.skip(12);
                Self::Receipt(rest.array())
            }
            // Of a tenant that is shredded, under the vault's own key.
            0x17 => {
                rest.skip(12);
                Self::Sealed(own(VAULT))
            }
            0x16 => rest.skip(20),
            kind::WATCHLIST_ENTRY => {
                let home = own(rest.slot());
                rest.skip(20);
                Self::Sealed(Home { subject: Some(rest.slot()), ..home })
            }
            kind::EVIDENCE => {
                let home = own(rest.slot());
                rest.skip(16);
                Self::Sealed(Home { subject: Some(rest.slot()), ..home })
            }
            kind::REQUEST => {
                let home = own(rest.slot());
                rest.skip(16);
                Self::Sealed(home)
            }
            // A mark that says something by being there.
            0x25 => rest.skip(24),
            kind::SUBJECT | kind::DOSSIER | kind::ASKED | kind::LISTED => {
                let home = own(rest.slot());
                Self::Sealed(Home { subject: Some(rest.slot()), ..home })
            }
            kind::TEMPLATE => {
                let (tree, gallery) = (rest.slot(), rest.int());
                let (subject, thing) = (Some(rest.slot()), Some(rest.slot()));
                Self::Sealed(Home { kind, tree, gallery, subject, thing, profile: Some(rest.int()) })
            }
            kind::SKETCH => {
                let (tree, gallery, profile) = (rest.slot(), rest.int(), Some(rest.int()));
                let (subject, thing) = (Some(rest.slot()), Some(rest.slot()));
                Self::Sealed(Home { kind, tree, gallery, subject, thing, profile })
            }
            kind::REMEMBERED | kind::DISCLOSURE | kind::CASE => {
                let home = own(rest.slot());
                let home = Home { subject: Some(rest.slot()), ..home };
                rest.skip(16);
                Self::Sealed(home)
            }
            0x30 => Self::LogHead(rest.slot()),
            0x31 => Self::LogEntry { tree: rest.slot(), index: rest.long() },
            0x32 => rest.skip(21),
            // Marks, by which a database shows that it is whole.
            0x0f | 0x1f | 0x3f => rest.skip(8),
            unknown => panic!("a row of the unknown kind {unknown:02x}"),
        };
        assert!(rest.0.is_empty(), "a key of the kind {kind:02x} is too long: {key:?}");
        parsed
    }
}

/// # Panics
/// If it is no key of a row that the format knows.
pub fn expect_row_key(key: &[u8]) {
    RowKey::parse(key);
}

/// A wrapped vault key, as an epoch state names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wrapped {
    pub(super) vault: [u8; 16],
    pub(super) epoch: u64,
    pub(super) root: [u8; 16],
    pub(super) blob: Vec<u8>,
}

/// Reads an epoch state; `None` while the vault is founded.
pub(super) fn epoch_state(row: &[u8]) -> Option<Wrapped> {
    let mut rest = Cursor(row);
    assert_eq!(rest.byte(), 1, "version of the epoch state");
    let vault = rest.array();
    rest.skip(16);
    // claiming, targets
    for most in [1, 2] {
        let count = rest.byte();
        assert!(count <= most, "more incarnations than there may be");
        rest.skip(16 * usize::from(count));
    }
    let wrapped = rest.flag().then(|| {
        let (epoch, root, length) = (rest.long(), rest.array(), rest.int());
        Wrapped { vault, epoch, root, blob: rest.take(length as usize).to_vec() }
    });
    if rest.flag() {
        rest.skip(24);
        for width in [30, 12] {
            let count = rest.int() as usize;
            rest.take(count * width);
        }
    }
    assert!(rest.0.is_empty(), "an epoch state is too long");
    wrapped
}

/// Bytes that are read from the front.
///
/// # Panics
/// Where there are fewer than the format says.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(length).expect("as many bytes as the format says");
        self.0 = rest;
        taken
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().unwrap()
    }

    fn skip(&mut self, length: usize) -> RowKey {
        self.take(length);
        RowKey::Plain
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn flag(&mut self) -> bool {
        match self.byte() {
            0 => false,
            1 => true,
            other => panic!("{other} is no flag"),
        }
    }

    pub(super) fn int(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    pub(super) fn long(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    pub(super) fn slot(&mut self) -> Slot {
        Slot { number: self.long(), generation: self.int() }
    }
}
