"""XXH64, by which checkpoints know their files, and checkpoints whose hashes are made again after a change."""
import json
import struct

P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
                      0x27D4EB2F165667C5)
MASK = (1 << 64) - 1
PREFIX = '{"xxh64":"%016x",\n'


def rotate(x, n):
    return (x << n | x >> (64 - n)) & MASK


def mix(lane, word):
    return rotate((lane + word * P2) & MASK, 31) * P1 & MASK


def xxh64(data):
    """With seed 0."""
    n, at = len(data), 0
    if n >= 32:
        lanes = [(P1 + P2) & MASK, P2, 0, -P1 & MASK]
        while at + 32 <= n:
            lanes = [mix(lane, word) for lane, word in zip(lanes, struct.unpack_from("<4Q", data, at))]
            at += 32
        h = sum(rotate(lane, turn) for lane, turn in zip(lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            h = ((h ^ mix(0, lane)) * P1 + P4) & MASK
    else:
        h = P5
    h = (h + n) & MASK
    while at + 8 <= n:
        h = (rotate(h ^ mix(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= n:
        h = (rotate(h ^ struct.unpack_from("<I", data, at)[0] * P1 & MASK, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        h = rotate(h ^ byte * P5 & MASK, 11) * P1 & MASK
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32


def sealed(state):
    """state.json of this object, with the hash that it must state."""
    value = {key: item for key, item in state.items() if key != "xxh64"}
    return sealed_text(json.dumps(value, indent=1))


def sealed_text(text):
    """The same of a text that is to be an object."""
    body = (text[1:] + "\n").encode(errors="surrogateescape")
    return (PREFIX % xxh64(body)).encode() + body


def unhashed(content):
    """A safetensors file whose own hash, if it has one, is not looked for, so that a change of it goes further."""
    return content.replace(b"vise.xxh3_128", b"vise.xxh3_not")


def resealed(tree, checkpoint):
    """The checkpoint's files get the sizes and hashes that they have now."""
    name = checkpoint + "/state.json"
    state = json.loads(tree[name][2])
    for file, entry in state["files"].items():
        content = tree.get(f"{checkpoint}/{file}")
        if content is not None and content[0] == "file" and isinstance(entry, dict):
            entry["bytes"], entry["xxh64"] = len(content[2]), f"{xxh64(content[2]):016x}"
    return {**tree, name: ("file", 0o644, sealed(state))}
