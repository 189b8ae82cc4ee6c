#!/usr/bin/env python3
"""Verifies a copy of a log of Lethe offline, written from docs/FORMAT.md alone.

    verify_log.py FOLDER KEY [EARLIER]

FOLDER is a copy as `lethe audit export` writes it, KEY a public key that the log has or had, in its text
form (name+id+base64), EARLIER the folder of a copy that was kept before. Exit status 0 if and only if the
copy is what the key signed and begins with EARLIER; 1 if not, with the first entry that is wrong.
Needs Python 3.9 and the package `cryptography`.
"""
import hashlib, json, pathlib, sys
from cryptography.exceptions import InvalidSignature
sys.dont_write_bytecode = True  # beside it lies what it shares with the other verifier
from verify_receipt import CODE, HASH, ID, NUMBER, canonical, follow, lines_of, open_checkpoint, require, shape

ENTRY = {"version": range(1, 2), "time": NUMBER, "operation": CODE, "credential?": CODE, "purpose?": CODE,
         "basis?": CODE, "outcome": "allowed|denied|failed", "reason?": CODE, "pseudonym?": HASH,
         "sealed?": "[A-Za-z0-9+/]+={0,2}", "blind": ID, "event?": dict}


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


def verify(folder, key, chain):
    keys, successions = follow(chain, key)
    origin, size, root = open_checkpoint((folder / "checkpoint").read_text(), keys)
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
    told = []
    for index, line in enumerate(lines):
        entry = json.loads(line)
        require(canonical(entry) == line, f"entry {index} is not canonical")
        shape(entry, ENTRY, f"entry {index}")
        if entry.get("event", {}).get("type") == "LOG_KEY_ROTATED" and entry["outcome"] == "allowed":
            told.append((entry, index + 1, root_of(hashes[:index + 1])))
    require(told == [each for each in successions if each[1] <= size], "entries and successions of the key disagree")
    return origin, root, lines


def check(folder, key, earlier=None):
    chain = folder / "successions"
    chain = lines_of(chain.read_bytes()) if chain.exists() else []
    origin, root, lines = verify(folder, key, chain)
    said = f"log {origin}: {len(lines)} entries as they were signed, root {root.hex()}"
    if earlier:
        before = verify(earlier, key, chain)[2]
        for index, (one, other) in enumerate(zip(before, lines)):
            require(one == other, f"entry {index} is not what it was: the log was forked")
        require(len(before) <= len(lines), f"entry {len(lines)} and all after are gone: the tail was cut")
        said += f"\nit goes on from entry {len(before)}"
    return said


if __name__ == "__main__":
    try:
        require(len(sys.argv) in (3, 4), __doc__)
        print(check(pathlib.Path(sys.argv[1]), sys.argv[2], *map(pathlib.Path, sys.argv[3:])))
    except (InvalidSignature, OSError, ValueError, RecursionError) as error:
        sys.exit(f"refused: {error or 'the signature is wrong'}")
