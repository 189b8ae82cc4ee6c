//! Names of a copy's files.

/// The file of the signed checkpoint.
pub const CHECKPOINT: &str = "checkpoint";

/// The file of the successions of the log's key, a line each; there is none while there are none.
pub const SUCCESSIONS: &str = "successions";

/// Entries of a whole bundle, and hashes of a whole tile.
pub const WIDTH: u64 = 256;

/// Log2 of [`WIDTH`].
pub(super) const HEIGHT: u32 = 8;

/// Levels that a tree of 2^53 leaves has tiles of.
pub(super) const LEVELS: u32 = 7;

/// Tile `index` of a level, with so many hashes.
pub(super) fn tile(level: u32, index: u64, width: u64) -> String {
    format!("tile/{level}/{}", place(index, width))
}

/// Bundle `index` of entries, with so many.
pub(super) fn bundle(index: u64, width: u64) -> String {
    format!("tile/entries/{}", place(index, width))
}

/// Three digits a folder, all but the last with an `x` before them.
fn place(index: u64, width: u64) -> String {
    let (mut rest, last) = (index / 1000, index % 1000);
    let mut path = format!("{last:03}");
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width < WIDTH { format!("{path}.p/{width}") } else { path }
}

/// How many nodes of a level a tree of `size` leaves has that are complete.
pub(super) const fn nodes(size: u64, level: u32) -> u64 {
    // Beyond 64 bits there are none.
    let shift = HEIGHT * level;
    if shift < u64::BITS { size >> shift } else { 0 }
}

/// The files of a tree's right edge that have fewer than a whole one: level (`None`: entries), index and width.
pub(super) fn edge(size: u64) -> impl Iterator<Item = (Option<u32>, u64, u64)> {
    let partial = move |kind: Option<u32>| {
        let count = nodes(size, kind.unwrap_or(0));
        (kind, count / WIDTH, count % WIDTH)
    };
    let kinds = std::iter::once(None).chain((0..LEVELS).map(Some));
    kinds.map(partial).filter(|(_, _, width)| *width > 0)
}

/// Files of a copy of `old` entries that one of `new` entries, which goes on from it, does not have any more.
pub fn stale(old: u64, new: u64) -> Vec<String> {
    let kept: Vec<_> = edge(new).collect();
    edge(old)
        .filter(|file| !kept.contains(file))
        .map(|(kind, index, width)| kind.map_or_else(|| bundle(index, width), |level| tile(level, index, width)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_the_specification_says() {
        assert_eq!(tile(0, 0, 256), "tile/0/000");
        assert_eq!(tile(2, 1_234_067, 256), "tile/2/x001/x234/067");
        assert_eq!(tile(0, 273, 112), "tile/0/273.p/112");
        assert_eq!(bundle(1_000, 1), "tile/entries/x001/000.p/1");
        assert_eq!(bundle(999, 256), "tile/entries/999");
    }

    #[test]
    fn the_edge_of_a_tree_is_what_is_not_whole() {
        // The example of the specification: a tree of 70,000 entries.
        let files: Vec<_> = edge(70_000).collect();
        assert_eq!(files, [(None, 273, 112), (Some(0), 273, 112), (Some(1), 1, 17), (Some(2), 0, 1)]);
        assert_eq!(edge(0).count(), 0);
        assert_eq!(edge(256).collect::<Vec<_>>(), [(Some(1), 0, 1)]);
        assert_eq!(stale(70_000, 70_000), [""; 0]);
        assert_eq!(stale(70_000, 70_001), ["tile/entries/273.p/112", "tile/0/273.p/112"]);
        assert_eq!(nodes((1 << 53) - 1, LEVELS), 0, "there is no level above");
    }
}
