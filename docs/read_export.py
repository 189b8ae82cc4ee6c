#!/usr/bin/env python3
"""Reads the archive of a data subject that Lethe made, written from docs/FORMAT.md alone.

    age --decrypt -i KEY ARCHIVE | read_export.py
    read_export.py FILE

FILE, or standard input, is the archive once it is decrypted: a tar file. Prints one JSON object: the
manifest, under "files" of each template its components' number, SHA-256 and norm, and the history; exit status 0 if and
only if the archive is whole and of a version that this reads, 1 if it is refused. Needs Python 3.9 and
nothing else.
"""
import hashlib, io, json, math, pathlib, struct, sys, tarfile

FIELDS = {"format", "version", "created_at", "controller", "subject", "recorded_at", "jurisdiction",
          "jurisdiction_of_the_subject", "age_band", "policy_version", "processing", "templates", "derived",
          "history", "sources", "recipients", "retention", "consents", "restriction", "objections", "holds",
          "requests", "cases", "watchlist_entries", "purpose_ended_at", "contract_ended_at", "died_at", "post_mortem", "deferral"}


def refuse(why):
    sys.exit(f"refused: {why}")


def components(name, data):
    """The components of an .npy file: version 1.0, one axis, f32 little-endian."""
    if data[:8] != b"\x93NUMPY\x01\x00":
        refuse(f"{name} is no .npy file of version 1.0")
    (length,) = struct.unpack_from("<H", data, 8)
    header, payload = data[10:10 + length].decode("latin1").strip(), data[10 + length:]
    if len(payload) % 4 or header != f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(payload) // 4},), }}":
        refuse(f"{name} is no vector of f32")
    return payload, struct.unpack(f"<{len(payload) // 4}f", payload)


def main():
    data = pathlib.Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else sys.stdin.buffer.read()
    if len(data) % 512 or data[-1024:] != bytes(1024):
        refuse("the archive is cut off")
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
            order = archive.getnames()
    except tarfile.TarError as error:
        refuse(error)
    if not order or order[0] != "manifest.json":
        refuse("the manifest does not come first")
    manifest = json.loads(files.pop("manifest.json"))
    if (manifest.get("format"), manifest.get("version")) != ("lethe-subject-export", 3):
        refuse("this is no archive of a version that is known here")
    if set(manifest) != FIELDS:
        refuse(f"fields of the manifest: {sorted(set(manifest) ^ FIELDS)}")
    if "history.json" not in files or manifest["history"] != "history.json":
        refuse("the history is missing")
    history = json.loads(files.pop("history.json"))
    if sorted(files) != [template["file"] for template in manifest["templates"]]:
        refuse("the files are not those of the manifest")
    told = {}
    for template in manifest["templates"]:
        payload, vector = components(template["file"], files[template["file"]])
        if len(vector) != template["dimension"]:
            refuse(f"{template['file']} has {len(vector)} components")
        norm = math.sqrt(sum(value * value for value in vector))
        if abs(norm - 1) > 1e-3:
            refuse(f"{template['file']} is not of unit length")
        digest = hashlib.sha256(payload).hexdigest()
        told[template["file"]] = {"components": len(vector), "sha256": digest, "norm": norm}
    json.dump({"manifest": manifest, "files": told, "history": history}, sys.stdout, indent=1)
    print()


main()
