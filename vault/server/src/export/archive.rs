use std::io::{self, Write};

use lethe_domain::Timestamp;
use tar::{EntryType, Header};
use zeroize::Zeroizing;

/// What a tar archive is made of.
const BLOCK: usize = 512;

/// Writes files into a tar archive (ustar), one after another, without keeping any.
pub(crate) struct Writer<W> {
    out: W,
    made_at: u64,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(out: W, made_at: Timestamp) -> Self {
        Self { out, made_at: u64::try_from(made_at.millis() / 1000).unwrap_or(0) }
    }

    /// Adds a file.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_path(name)?;
        header.set_entry_type(EntryType::Regular);
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.made_at);
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(content)?;
        let padding = content.len().next_multiple_of(BLOCK) - content.len();
        self.out.write_all(&[0; BLOCK][..padding])
    }

    /// Ends the archive, and gives back what it was written to.
    pub(crate) fn end(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }
}

/// An embedding as an `.npy` file (NEP 1, version 1.0): one axis, f32 little-endian.
pub(crate) fn npy(components: &[f32]) -> Zeroizing<Vec<u8>> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", components.len());
    // Magic, length, dictionary and newline are a multiple of 64 bytes long.
    let start = (MAGIC.len() + 2 + dictionary.len() + 1).next_multiple_of(64);
    let padded = start - MAGIC.len() - 2;
    // Of its whole length at once: a buffer of secrets must not move while it grows.
    let mut file = Zeroizing::new(Vec::with_capacity(start + 4 * components.len()));
    file.extend_from_slice(MAGIC);
    // A shape of one number is far shorter than 64 KiB.
    file.extend_from_slice(&(padded as u16).to_le_bytes());
    file.extend_from_slice(dictionary.as_bytes());
    file.resize(start - 1, b' ');
    file.push(b'\n');
    components.iter().for_each(|component| file.extend_from_slice(&component.to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_by_others() {
        let mut writer = Writer::new(Vec::new(), Timestamp::from_millis(1_800_000_000_999));
        let files = [("manifest.json", vec![b'x'; 512]), ("templates/0001.npy", vec![7; 513]), ("empty", Vec::new())];
        for (name, content) in &files {
            writer.add(name, content).unwrap();
        }
        let bytes = writer.end().unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let read: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                assert_eq!(entry.header().mtime().unwrap(), 1_800_000_000);
                let (name, mut content) = (entry.path().unwrap().display().to_string(), Vec::new());
                entry.read_to_end(&mut content).unwrap();
                (name, content)
            })
            .collect();
        assert_eq!(read, files.map(|(name, content)| (name.to_owned(), content)));
    }

    #[test]
    fn an_embedding_is_an_npy_file() {
        for dimension in [64, 512, 4096] {
            let components: Vec<f32> = (0..dimension).map(|i| (i as f32).sin()).collect();
            let file = npy(&components);
            assert_eq!(&file[..8], b"\x93NUMPY\x01\x00");
            let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
            let (header, payload) = file[10..].split_at(length);
            assert_eq!((10 + length) % 64, 0);
            let header = std::str::from_utf8(header).unwrap();
            let expected = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({dimension},), }}");
            assert_eq!(header.trim_end(), expected);
            assert!(header.ends_with('\n'));
            let read: Vec<_> = payload.as_chunks::<4>().0.iter().map(|le| f32::from_le_bytes(*le)).collect();
            assert_eq!(read, components);
        }
    }
}
