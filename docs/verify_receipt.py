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
# regular expression for a string, a range of numbers, a Python type, or a list of one form.
ID, HASH, CODE, NUMBER = "[0-9a-f]{32}", "[0-9a-f]{64}", "[A-Za-z0-9._:/-]{1,128}", range(2**53)
ORIGIN, BASE64 = "[A-Za-z0-9._:/~-]{1,255}", "[A-Za-z0-9+/]+={0,2}"
KEY = f"{ORIGIN}\\+[0-9a-f]{{8}}\\+{BASE64}"
RECEIPT = {"type": "lethe-(erasure|rotation)-receipt", "version": range(1, 2), "receipt": ID, "committed": dict,
           "destroyed": dict, "checkpoint": str, "excludes": [CODE]}
LOGGED = {"index": NUMBER, "entry": dict, "proof": [HASH]}
ENTRY = {"version": range(1, 2), "time": NUMBER, "operation": CODE, "credential?": CODE, "purpose?": CODE,
         "basis?": CODE, "policy?": NUMBER, "outcome": "allowed|denied|failed", "reason?": CODE, "pseudonym?": HASH,
         "sealed?": BASE64, "blind": ID, "event?": dict}
STEP = {"from": NUMBER, "to": NUMBER, "from_root": ID, "to_root": ID, "receipt": ID}
EVENTS = {
    "ERASURE_COMMITTED": {"type": CODE, **STEP, "scope": "subject|template|tenant|burnt", "slots": NUMBER},
    "KEYS_ROTATED": {"type": CODE, **STEP, "scope": "tenant|vault"},
    "EPOCH_DESTROYED": {"type": CODE, "epoch": NUMBER, "root": ID, "store": CODE, "replicas": NUMBER,
                        "found": "present|absent", "medium": [CODE]},
    "LOG_KEY_ROTATED": {"type": CODE, "from": KEY, "to": KEY, "proposal": CODE}}
SUCCESSION = {"type": "lethe-log-key-succession", "version": range(1, 2), "entry": dict, "proof": [HASH],
              "checkpoint": str}
MOST_BYTES = 8 << 20  # of a file of successions
PREDECESSOR = ("signed by a predecessor of the key that is kept: worth what that key's secret was worth when it signed")


def require(condition, what):
    if not condition:
        raise ValueError(what)


def matches(value, form):
    if type(form) is str:
        return type(value) is str and re.fullmatch(form, value)
    if type(form) is range:
        return type(value) is int and value in form
    if type(form) is list:
        return type(value) is list and all(matches(item, form[0]) for item in value)
    return type(value) is form


def shape(value, form, what):
    require(type(value) is dict, f"{what} is not an object")
    names = [name.rstrip("?") for name in form if name[-1] != "?" or name[:-1] in value]
    require(list(value) == names, f"{what} has other fields, or another order")
    for name in names:
        require(matches(value[name], form.get(name, form.get(name + "?"))), f"{what}.{name} has another form")


def entry_shape(entry, what):
    shape(entry, ENTRY, what)
    if "sealed" in entry:
        sealed = decode(entry["sealed"])
        require("pseudonym" in entry and len(sealed) >= 93 and sealed[0] == 1, f"{what}.sealed has another form")
    if "event" in entry:
        kind = next(iter(entry["event"].items()), None)
        require(kind and kind[0] == "type" and matches(kind[1], CODE), f"{what}.event has no type")
        if kind[1] in EVENTS:
            shape(entry["event"], EVENTS[kind[1]], f"{what}.event")
        if kind[1] == "LOG_KEY_ROTATED":
            parts_of(entry["event"]["from"])
            parts_of(entry["event"]["to"])


def event_of(entry, kinds, what):
    """The event of an entry that records that something was done, of one of these types."""
    require(entry["outcome"] == "allowed" and entry.get("event", {}).get("type") in kinds, f"{what} records another thing")
    return entry["event"]


def canonical(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def in_grammar(value, depth=0):
    if depth < 8 and type(value) is dict:
        return all(re.fullmatch("[a-z][a-z0-9_]{0,31}", key) and in_grammar(item, depth + 1)
                   for key, item in value.items())
    if depth < 8 and type(value) is list:
        return all(in_grammar(item, depth + 1) for item in value)
    return depth < 8 and matches(value, NUMBER if type(value) is int else r'[^"\\\x00-\x09\x0b-\x1f\x7f-\x9f]*')


def read_document(data, what, most=65536):
    """A document with the one spelling that it can have."""
    require(len(data) <= most, f"{what} is too long")
    value = json.loads(data.decode())
    require(in_grammar(value) and canonical(value) == data, f"{what} is not canonical")
    return value


def decode(text):
    data = base64.b64decode(text, validate=True)
    require(base64.b64encode(data).decode() == text, "base64 with another spelling")
    return data


def read_at_most(path, most):
    with path.open("rb") as file:
        return file.read(most + 1)  # one more tells that it is too long


def parts_of(key):
    """Name, id and public key."""
    name, key_id, public = key.split("+", 2)
    public = decode(public)
    require(len(public) == 33 and public[0] == 1, "the key is not an Ed25519 key")
    digest = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    require(digest.hex() == key_id, "the key's id does not belong to it")
    return name, digest, public[1:]


def read_note(note):
    """Origin, size, root, what is signed, and the signatures, each with its signer."""
    # Origin, size, root; an empty line; the signatures.
    signer = r"[^+\s\x00-\x1f\x7f-\x9f]+"
    parts = re.fullmatch(f"({ORIGIN})\n(0|[1-9][0-9]{{0,15}})\n({BASE64})\n\n((?:\u2014 {signer} {BASE64}\n){{1,16}})", note)
    require(parts and len(note.encode()) <= 65536, "the checkpoint has another form")
    origin, size, root, lines = parts.groups()
    signatures = [(name, decode(text)) for _, name, text in (line.split(" ") for line in lines.splitlines())]
    require(all(len(signature) > 4 for _, signature in signatures), "a signature has no key id")
    require(int(size) <= 2**53 and len(decode(root)) == 32, "the checkpoint has another form")
    return origin, int(size), decode(root), f"{origin}\n{size}\n{root}\n".encode(), signatures


def open_by(note, keys):
    """A checkpoint that exactly these keys signed, in this order."""
    origin, size, root, text, signatures = read_note(note)
    require(len(keys) == len(signatures), "the checkpoint has other signatures than the log's own")
    for key, (signer, signature) in zip(keys, signatures):
        name, key_id, public = parts_of(key)
        require(origin == signer == name and signature[:4] == key_id, "the checkpoint is signed by another key")
        Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text)
    return origin, size, root


def open_checkpoint(note, keys, sole=False):
    """A checkpoint by whichever of the keys had its time at a tree of that size, and that key. Signatures by keys that are
    not known are ignored, unless there may be one alone."""
    origin, size, root, text, signatures = read_note(note)
    require(not sole or len(signatures) == 1, "the checkpoint has other signatures than the log's own")
    refusal = "the checkpoint is signed by another key"
    for at, (key, since) in enumerate(keys):
        name, key_id, public = parts_of(key)
        own = [signature for signer, signature in signatures if (signer, signature[:4]) == (name, key_id)]
        for signature in own:
            Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text)
        if not own:
            continue
        require(origin == name, "the checkpoint is another log's")
        if any(size >= until for _, until in keys[at + 1:at + 2]):
            refusal = "the checkpoint is signed by a retired key"
        elif size < since:
            refusal = f"the checkpoint is signed by a key that the log has had since {since} only"
        else:
            return origin, size, root, key
    raise Unsigned(refusal) if refusal.endswith("another key") else ValueError(refusal)


class Unsigned(ValueError):
    """None of the keys that are known signed."""


def is_before(key, kept, keys):
    """Whether a key signed before the one that is kept."""
    names = [name for name, _ in keys]
    return names.index(key) < names.index(kept)


def follow(lines, kept):
    """The keys of a log, each with the size of the tree that it signs from, and each succession's entry, size and root."""
    keys, successions = [], []
    for line in lines:
        document = read_document(line, "a succession")
        shape(document, SUCCESSION, "succession")
        entry_shape(document["entry"], "succession.entry")
        event = event_of(document["entry"], ["LOG_KEY_ROTATED"], "a succession's entry")
        old, new = event["from"], event["to"]
        require(parts_of(old)[0] == parts_of(new)[0], "a succession's keys are of two logs")
        _, size, root = open_by(document["checkpoint"], [old, new])
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
    """The lines of a file of successions."""
    require(len(data) <= MOST_BYTES and data.count(b"\n") <= 1024, "there are more successions than a log can have")
    require(not data or data.endswith(b"\n"), "the last succession has no end")
    return data.split(b"\n")[:-1]


def check_inclusion(logged, size, root, what):
    sha256 = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
    node, last, current = logged["index"], size - 1, sha256(b"\0", canonical(logged["entry"]))
    for item in logged["proof"]:
        require(last > 0, f"the {what} entry has a wrong proof")
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
    receipt = read_document(data, "the receipt")
    shape(receipt, RECEIPT, "receipt")
    origin, size, root, signer = open_checkpoint(receipt["checkpoint"], keys, sole=True)
    erases = receipt["type"] == "lethe-erasure-receipt"
    kinds = {"committed": "ERASURE_COMMITTED" if erases else "KEYS_ROTATED", "destroyed": "EPOCH_DESTROYED"}
    for part in kinds:
        shape(receipt[part], LOGGED, part)
        entry_shape(receipt[part]["entry"], f"{part}.entry")
        check_inclusion(receipt[part], size, root, part)
    left, gone = (event_of(receipt[part]["entry"], [kind], f"the {part} entry") for part, kind in kinds.items())
    require(left["receipt"] == receipt["receipt"], "the committed entry is for another receipt")
    require(left["to"] > left["from"] and left["to_root"] != left["from_root"], "no step")
    require(not erases or left["slots"] > 0, "nothing was erased")
    require((gone["epoch"], gone["root"]) == (left["from"], left["from_root"]), "another epoch was destroyed")
    require(receipt["destroyed"]["index"] > receipt["committed"]["index"], "destroyed before committed")
    require(gone["replicas"] > 0, "it was destroyed nowhere")
    require(receipt["excludes"] == EXCLUDED + gone["medium"], "it does not exclude what it must")
    what = f"erased: {left['scope']} ({left['slots']} keys)" if erases else f"wrapped anew: {left['scope']}, nothing erased"
    caveat = f"\n{PREDECESSOR}" if is_before(signer, key, keys) else ""
    return (f"receipt {receipt['receipt']} is valid, by the log {origin}\n"
            f"{what}; root {gone['root']} of epoch {gone['epoch']}"
            f" was destroyed in a store of kind {gone['store']}\nnot attested: {', '.join(receipt['excludes'])}{caveat}")


if __name__ == "__main__":
    try:
        require(len(sys.argv) in (3, 4), __doc__)
        files = [read_at_most(pathlib.Path(path), MOST_BYTES) for path in sys.argv[1:2] + sys.argv[3:]]
        print(verify(files[0], sys.argv[2], *files[1:]))
    except (InvalidSignature, OSError, ValueError, RecursionError) as error:
        sys.exit(f"refused: {error or 'the signature is wrong'}")
