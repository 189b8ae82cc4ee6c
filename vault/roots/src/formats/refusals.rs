//! What a file remembers of the PINs that a token refused.
#![cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "tokens alone lock after wrong PINs"))]

/// What tells one version of a file from the next, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) modified: (i64, i64),
    pub(crate) inode: u64,
    pub(crate) length: u64,
}

impl Stamp {
    /// Four numbers in a line.
    pub(crate) fn encode(&self) -> String {
        let Self { modified: (seconds, nanoseconds), inode, length } = self;
        format!("{seconds} {nanoseconds} {inode} {length}")
    }

    /// Reads what [`Stamp::encode`] wrote.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let numbers: Vec<_> = text.split(' ').collect();
        let [seconds, nanoseconds, inode, length] = numbers.as_slice() else { return None };
        let modified = (seconds.parse().ok()?, nanoseconds.parse().ok()?);
        Some(Self { modified, inode: inode.parse().ok()?, length: length.parse().ok()? })
    }
}

/// What is remembered of refusals since the last login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// How many there were.
    pub(crate) count: u32,
    /// Did the token say so, too? Then it says as well that somebody has logged in since.
    pub(crate) revealed: bool,
    /// The PIN file that held the last one.
    pub(crate) stamp: Stamp,
}

impl Memory {
    pub(crate) fn encode(&self) -> String {
        format!("{} {} {}\n", self.count, u8::from(self.revealed), self.stamp.encode())
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let (count, rest) = text.trim_end().split_once(' ')?;
        let (revealed, stamp) = rest.split_once(' ')?;
        Some(Self { count: count.parse().ok()?, revealed: revealed == "1", stamp: Stamp::decode(stamp)? })
    }
}
