#!/usr/bin/env python3
"""Verifies an erasure or rotation receipt of Lethe offline, written from docs/FORMAT.md alone.

    verify_receipt.py RECEIPT KEY [SUCCESSIONS]

RECEIPT is the file as the vault gave it, KEY the public key of the vault's log in its text form
(name+id+base64), SUCCESSIONS the file that leads from that key to the others that the log had, as
`lethe audit keys --vault --out` writes it. Prints what is attested and what is excluded; exit status 0
if and only if the receipt is valid, 1 if it is refused. Needs Python 3.9 and the package `cryptography`.
"""
import base64, hashlib, json, pathlib, re, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EXCLUDED = ["MEMORY_IMAGES_BEFORE_ERASURE", "ROOT_MEDIUM_COPIES_BEFORE_ERASURE", "MEDIUM_PHYSICS",
            "ALREADY_DOWNLOADED", "ALREADY_DISCLOSED", "KEPT_ON_ANOTHER_BASIS"]
# The objects, their fields in order; a question mark says that the field may be absent. A form is a
# regular expression for a string, a range of numbers, or a Python type.
ID, HASH, CODE, NUMBER = "[0-9a-f]{32}", "[0-9a-f]{64}", "[A-Za-z0-9._:/-]{1,128}", range(2**53)
RECEIPT = {"type": "lethe-(erasure|rotation)-receipt", "version": range(1, 2), "receipt": ID, "committed": dict,
           "destroyed": dict, "checkpoint": str, "excludes": list}
LOGGED = {"index": NUMBER, "entry": dict, "proof": list}
ENTRY = {"version": range(1, 2), "time": NUMBER, "operation": CODE, "credential?": CODE, "purpose?": CODE,
         "basis?": CODE, "outcome": "allowed", "reason?": CODE, "pseudonym?": HASH,
         "sealed?": "[A-Za-z0-9+/]+={0,2}", "blind": ID, "event": dict}
COMMITTED = {"type": "ERASURE_COMMITTED", "from": NUMBER, "to": NUMBER, "from_root": ID, "to_root": ID,
             "receipt": ID, "scope": "subject|template|tenant|burnt", "slots": NUMBER}
ROTATED = {"type": "KEYS_ROTATED", "from": NUMBER, "to": NUMBER, "from_root": ID, "to_root": ID,
           "receipt": ID, "scope": "tenant|vault"}
KEY = "[^+]+\\+[0-9a-f]{8}\\+[A-Za-z0-9+/]+={0,2}"
SUCCEEDED = {"type": "LOG_KEY_ROTATED", "from": KEY, "to": KEY, "proposal": CODE}
SUCCESSION = {"type": "lethe-log-key-succession", "version": range(1, 2), "entry": dict, "proof": list,
              "checkpoint": str}
DESTROYED = {"type": "EPOCH_DESTROYED", "epoch": NUMBER, "root": ID, "store": CODE, "replicas": range(1, 2**53),
             "found": "present|absent", "medium": list}


def require(condition, what):
    if not condition:
        raise ValueError(what)


def matches(value, form):
    if type(form) is str:
        return type(value) is str and re.fullmatch(form, value)
    if type(form) is range:
        return type(value) is int and value in form
    return type(value) is form


def shape(value, form, what):
    require(type(value) is dict, f"{what} is not an object")
    names = [name.rstrip("?") for name in form if name[-1] != "?" or name[:-1] in value]
    require(list(value) == names, f"{what} has other fields, or another order")
    for name in names:
        require(matches(value[name], form.get(name, form.get(name + "?"))), f"{what}.{name} has another form")


def canonical(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def decode(text):
    data = base64.b64decode(text, validate=True)
    require(base64.b64encode(data).decode() == text, "base64 with another spelling")
    return data


def parts_of(key):
    """Name, id and public key."""
    name, key_id, public = key.split("+", 2)
    public = decode(public)
    require(len(public) == 33 and public[0] == 1, "the key is not an Ed25519 key")
    digest = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    require(digest.hex() == key_id, "the key's id does not belong to it")
    return name, digest, public[1:]


def open_note(note, choose):
    """A checkpoint that is signed by exactly the keys that `choose` names for its size and its signatures' ids."""
    # Origin, size, root; an empty line; the signatures.
    parts = re.fullmatch("([^\n]+)\n(0|[1-9][0-9]*)\n([^\n]+)\n\n((?:\u2014 [^ \n]+ [^ \n]+\n)+)", note)
    require(parts, "the checkpoint has another form")
    origin, size, root, lines = parts.groups()
    signatures = [(name, decode(text)) for _, name, text in (line.split(" ") for line in lines.splitlines())]
    keys = choose(int(size), [signature[:4] for _, signature in signatures])
    require(len(keys) == len(signatures), "the checkpoint has other signatures than the log's own")
    for key, (signer, signature) in zip(keys, signatures):
        name, key_id, public = parts_of(key)
        require(origin == signer == name and signature[:4] == key_id, "the checkpoint is signed by another key")
        Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], f"{origin}\n{size}\n{root}\n".encode())
    return origin, int(size), decode(root)


def open_checkpoint(note, keys):
    """A checkpoint by whichever of the keys had its time at a tree of that size."""
    def choose(size, ids):
        named = [at for at, (key, _) in enumerate(keys) if parts_of(key)[1] == ids[0]]
        require(named, "the checkpoint is signed by another key")
        since = keys[named[0]][1]
        require(size >= since, f"the checkpoint is signed by a key that the log has had since {since} only")
        require(all(size < later for _, later in keys[named[0] + 1:]), "the checkpoint is signed by a retired key")
        return [keys[named[0]][0]]
    return open_note(note, choose)


def follow(lines, kept):
    """The keys of a log, each with the size of the tree that it signs from, and each succession's entry, size and root."""
    keys, successions = [], []
    for line in lines:
        document = json.loads(line)
        require(canonical(document) == line, "a succession is not canonical")
        shape(document, SUCCESSION, "succession")
        shape(document["entry"], ENTRY, "succession.entry")
        shape(document["entry"]["event"], SUCCEEDED, "succession.entry.event")
        old, new = document["entry"]["event"]["from"], document["entry"]["event"]["to"]
        require(parts_of(old)[0] == parts_of(new)[0], "a succession's keys are of two logs")
        _, size, root = open_note(document["checkpoint"], lambda size, ids: [old, new])
        check_inclusion({"index": size - 1, **document}, size, root, "succession's")
        keys = keys or [(old, 0)]
        require(keys[-1][0] == old, "a succession is from another key than the one before it led to")
        require(keys[-1][1] < size, "a succession does not come after the one before it")
        require(all(parts_of(key)[1] != parts_of(new)[1] for key, _ in keys), "a succession leads to an earlier key")
        keys.append((new, size))
        successions.append((document["entry"], size, root))
    keys = keys or [(kept, 0)]
    require(kept in [key for key, _ in keys], "the key that is kept is none of those of the successions")
    return keys, successions


def lines_of(data):
    require(not data or data.endswith(b"\n"), "the last succession has no end")
    return data.split(b"\n")[:-1]


def check_inclusion(logged, size, root, what):
    sha256 = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
    node, last, current = logged["index"], size - 1, sha256(b"\0", canonical(logged["entry"]))
    for item in logged["proof"]:
        require(matches(item, HASH) and last > 0, f"the {what} entry has a wrong proof")
        if node % 2 == 1 or node == last:
            current = sha256(b"\1", bytes.fromhex(item), current)
            while node % 2 == 0 and node != 0:
                node, last = node // 2, last // 2
        else:
            current = sha256(b"\1", current, bytes.fromhex(item))
        node, last = node // 2, last // 2
    require(logged["index"] < size and last == 0 and current == root, f"the {what} entry is not in the log")


def verify(data, key, successions=b""):
    keys, _ = follow(lines_of(successions), key)
    receipt = json.loads(data)
    require(len(data) <= 65536 and canonical(receipt) == data, "the receipt is not canonical")
    shape(receipt, RECEIPT, "receipt")
    origin, size, root = open_checkpoint(receipt["checkpoint"], keys)
    erases = receipt["type"] == "lethe-erasure-receipt"
    for part, event in (("committed", COMMITTED if erases else ROTATED), ("destroyed", DESTROYED)):
        shape(receipt[part], LOGGED, part)
        shape(receipt[part]["entry"], ENTRY, f"{part}.entry")
        shape(receipt[part]["entry"]["event"], event, f"{part}.entry.event")
        check_inclusion(receipt[part], size, root, part)
    left, gone = (receipt[part]["entry"]["event"] for part in ("committed", "destroyed"))
    require(left["receipt"] == receipt["receipt"], "the committed entry is for another receipt")
    require(left["to"] > left["from"] and left["to_root"] != left["from_root"], "no step")
    require(not erases or left["slots"] > 0, "nothing was erased")
    require((gone["epoch"], gone["root"]) == (left["from"], left["from_root"]), "another epoch was destroyed")
    require(receipt["destroyed"]["index"] > receipt["committed"]["index"], "destroyed before committed")
    require(receipt["excludes"] == EXCLUDED + gone["medium"] and all(matches(s, CODE) for s in gone["medium"]),
            "it does not exclude what it must")
    what = f"erased: {left['scope']} ({left['slots']} keys)" if erases else f"wrapped anew: {left['scope']}, nothing erased"
    return (f"receipt {receipt['receipt']} is valid, by the log {origin}\n"
            f"{what}; root {gone['root']} of epoch {gone['epoch']}"
            f" was destroyed in a store of kind {gone['store']}\nnot attested: {', '.join(receipt['excludes'])}")


if __name__ == "__main__":
    try:
        require(len(sys.argv) in (3, 4), __doc__)
        files = [pathlib.Path(path).read_bytes() for path in sys.argv[1:2] + sys.argv[3:]]
        print(verify(files[0], sys.argv[2], *files[1:]))
    except (InvalidSignature, OSError, ValueError, RecursionError) as error:
        sys.exit(f"refused: {error or 'the signature is wrong'}")
