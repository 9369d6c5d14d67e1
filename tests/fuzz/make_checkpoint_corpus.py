#!/usr/bin/env python3
"""Writes the corpus of checkpoints in memory beside this script. Needs the standard library and libxxhash.

"ok" is a whole block. Files named bad-stamped-* are for the second way in which the target reads its bytes: it adds the
hash and the footer itself.
"""
import ctypes
import json
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "checkpoint")
XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH64.restype = ctypes.c_uint64


def xxh64(data):
    return "%016x" % XXHASH.XXH64(data, ctypes.c_size_t(len(data)), ctypes.c_uint64(0))


def part(n=3):
    text = json.dumps({"params": {"dtype": "F64", "shape": [n], "data_offsets": [0, 8 * n]}}).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + struct.pack("<%dd" % n, *range(n))


def rest_of_state(files, state=None, version=1):
    """state.json after its hash."""
    table = {name: {"bytes": len(data), "xxh64": xxh64(data)} for name, data in files.items()}
    object_ = {"version": version, "files": table, "state": state if state is not None else {"step": 7}}
    return json.dumps(object_)[1:].encode() + b"\n"


def block(files, rest=None, mark=b"vise-ckp", n_state=None):
    rest = rest_of_state(files) if rest is None else rest
    state = b'{"xxh64":"' + xxh64(rest).encode() + b'",\n' + rest
    return b"".join(files.values()) + state + struct.pack("<Q", len(state) if n_state is None else n_state) + mark


def stamped(files, rest):
    parts = b"".join(files.values())
    return struct.pack("<H", len(parts)) + parts + rest


def put(name, data):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(data)


def main():
    os.makedirs(HERE, exist_ok=True)
    files = {"tensors.safetensors": part()}
    two = {"model.safetensors": part(2), "tensors.safetensors": part(1)}
    whole = block(files)
    put("ok-one-part", whole)
    put("ok-two-parts", block(two))
    put("ok-no-parts", block({}))
    put("bad-empty", b"")
    put("bad-text", b"not a checkpoint\n")
    put("bad-cut", whole[:-1])
    put("bad-cut-first", whole[1:])
    put("bad-half", whole[:len(whole) // 2])
    put("bad-more", whole + b"\0")
    put("bad-footer-only", struct.pack("<Q", 0) + b"vise-ckp")
    put("bad-state-too-long", block(files, n_state=1 << 62))
    put("bad-state-of-all", block(files, n_state=len(whole) - 16))
    put("bad-mark", block(files, mark=b"vise-cKp"))
    put("bad-flipped-part", whole[:70] + bytes([whole[70] ^ 1]) + whole[71:])
    put("bad-flipped-state", whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    put("bad-version", block(files, rest_of_state(files, version=2)))
    put("bad-hash-is-number", block(files, b'"version":1,"files":{"tensors.safetensors":{"bytes":0,"xxh64":1}},"state":{}}'))
    put("bad-negative-size", block(files, b'"version":1,"files":{"a.safetensors":{"bytes":-5,"xxh64":"x"}},"state":{}}'))
    put("bad-sizes-overflow", block({}, b'"version":1,"files":{"a":{"bytes":9223372036854775807,"xxh64":"x"},'
                                        b'"b":{"bytes":9223372036854775807,"xxh64":"x"},'
                                        b'"c":{"bytes":2,"xxh64":"x"}},"state":{}}'))
    put("bad-twice", block(files, b'"version":1,"version":1,"files":{},"state":{}}'))
    put("bad-no-files", block(files, b'"version":1,"state":{}}'))
    put("bad-slash", block({"../t.safetensors": part()}))
    put("bad-stamped-ok", stamped(files, rest_of_state(files)))
    put("bad-stamped-json", stamped(files, b'"version":1,"files":{"tensors.safetensors":{}},"state":'))


if __name__ == "__main__":
    main()
