#!/usr/bin/env python3
"""Verifies a copy of a log of Lethe offline, written from docs/FORMAT.md alone.

    verify_log.py FOLDER KEY [EARLIER]

FOLDER is a copy as `lethe audit export` writes it, KEY a public key that the log has or had, in its text
form (name+id+base64), EARLIER the folder of a copy that was kept before. Exit status 0 if and only if the
copy is what the key signed and begins with EARLIER; 1 if not, with the first entry that is wrong.
Needs Python 3.9 and the package `cryptography`.
"""
import hashlib, pathlib, sys
from cryptography.exceptions import InvalidSignature
sys.dont_write_bytecode = True  # beside it lies what it shares with the other verifier
from verify_receipt import (MOST_BYTES, PREDECESSOR, Unsigned, entry_shape, follow, is_before, lines_of, open_checkpoint,
                            read_at_most, read_document, require)

MOST_OF_ENTRY = 16384  # bytes


def place(index, width):
    path = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        path = f"x{index % 1000:03}/{path}"
    return path if width == 256 else f"{path}.p/{width}"


def tiles(count):
    """Index and width of the tiles, or bundles, that have so many."""
    return [(index, min(256, count - 256 * index)) for index in range((count + 255) // 256)]


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(hashes):
    """The root over leaves, as RFC 6962, section 2.1, defines it."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node(root_of(hashes[:split]), root_of(hashes[split:]))


class Beginning:
    """The root over all leaves so far, as they are added."""

    def __init__(self):
        self.size, self.roots = 0, []

    def add(self, leaf):
        size = self.size
        while size % 2 == 1:
            leaf, size = node(self.roots.pop(), leaf), size // 2
        self.roots.append(leaf)
        self.size += 1

    def root(self):
        found = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            found = node(left, found)
        return found


def read_entry(line, what):
    entry = read_document(line, what, MOST_OF_ENTRY)
    entry_shape(entry, what)
    return entry


def entries(folder, size):
    lines = []
    for index, width in tiles(size):
        data = (folder / "tile" / "entries" / place(index, width)).read_bytes()
        for number in range(width):
            length = int.from_bytes(data[:2], "big")
            require(len(data) >= 2 + length, f"entry {256 * index + number} is missing")
            lines.append(data[2:2 + length])
            data = data[2 + length:]
        require(not data, f"there is more than entry {256 * index + width - 1} in its bundle")
    return lines


def chain_of(folder):
    path = folder / "successions"
    return lines_of(read_at_most(path, MOST_BYTES)) if path.exists() else []


def note_of(folder):
    return read_at_most(folder / "checkpoint", 65536).decode()


def verify(folder, key):
    keys, successions = follow(chain_of(folder), key)
    origin, size, root, signer = open_checkpoint(note_of(folder), keys)
    lines = entries(folder, size)
    hashes = [hashlib.sha256(b"\0" + line).digest() for line in lines]
    signed = root_of(hashes) == root
    level, number = hashes, 0
    while level:
        for index, width in tiles(len(level)):
            tile = (folder / "tile" / str(number) / place(index, width)).read_bytes()
            made = level[256 * index:256 * index + width]
            for at, found in enumerate(made):
                if tile[32 * at:32 * at + 32] != found:
                    first = (256 * index + at) << (8 * number)
                    raise ValueError(f"the tile of entry {first} on level {number} is wrong" if signed
                                     else f"entry {first}, or one of the next {256 ** number}, is not what the tiles say")
            require(len(tile) == 32 * width, "a tile has another length")
        level, number = [root_of(level[at:at + 256]) for at in range(0, len(level) - 255, 256)], number + 1
    require(signed, "the entries do not lead to the signed root hash; an earlier copy tells which is wrong")
    told, beginning = [], Beginning()
    for index, line in enumerate(lines):
        entry = read_entry(line, f"entry {index}")
        beginning.add(hashes[index])
        if entry.get("event", {}).get("type") == "LOG_KEY_ROTATED" and entry["outcome"] == "allowed":
            told.append((entry, index + 1, beginning.root()))
    require(told == [each for each in successions if each[1] <= size], "entries and successions of the key disagree")
    return origin, root, lines, PREDECESSOR if is_before(signer, key, keys) else None


def verify_earlier(earlier, key, keys, chain):
    """The entries of an earlier copy, genuine by itself, and by a key whose time it was as later successions have it."""
    refusal = None
    # It may be of a time when the key that is kept today was not there yet.
    for kept in [key] + [other for other, _ in keys if other != key]:
        try:
            lines = verify(earlier, kept)[2]
            break
        except (InvalidSignature, ValueError) as error:
            refusal = refusal or error
    else:
        raise refusal
    agree = all(one == other for one, other in zip(chain_of(earlier), chain))
    require(agree, "the earlier copy leads from a key to another one than the copy: one of them is forged, or the log was forked")
    try:
        open_checkpoint(note_of(earlier), keys)
    except Unsigned:
        pass  # of a time after the copy: its tail was cut
    return lines


def check(folder, key, earlier=None):
    origin, root, lines, caveat = verify(folder, key)
    said = f"log {origin}: {len(lines)} entries as they were signed, root {root.hex()}"
    if earlier:
        chain = chain_of(folder)
        before = verify_earlier(earlier, key, follow(chain, key)[0], chain)
        for index, (one, other) in enumerate(zip(before, lines)):
            require(one == other, f"entry {index} is not what it was: the log was forked")
        require(len(before) <= len(lines), f"entry {len(lines)} and all after are gone: the tail was cut")
        said += f"\nit goes on from entry {len(before)}"
    return f"{said}\n{caveat}" if caveat else said


if __name__ == "__main__":
    try:
        require(len(sys.argv) in (3, 4), __doc__)
        print(check(pathlib.Path(sys.argv[1]), sys.argv[2], *map(pathlib.Path, sys.argv[3:])))
    except (InvalidSignature, OSError, ValueError, RecursionError) as error:
        sys.exit(f"refused: {error or 'the signature is wrong'}")
