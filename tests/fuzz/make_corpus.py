#!/usr/bin/env python3
"""Writes the corpora of the NPY and IDX readers beside this script. Needs NumPy."""
import gzip
import io
import os
import struct

import numpy as np

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def put(reader, name, data):
    with open(os.path.join(HERE, reader, name), "wb") as f:
        f.write(data)


def squeeze(data):
    return gzip.compress(data, 9, mtime=0)


def npy(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


def npy_text(header, data=b"", version=1, length=None):
    header = header.encode()
    n = len(header) if length is None else length
    size = struct.pack("<H", n) if version == 1 else struct.pack("<I", n)
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + data


def make_npy():
    a = np.arange(6).reshape(2, 3)
    for t in ("u1", "<i4", "<i8", "<f4", "<f8"):
        put("npy", "ok-" + t.strip("<"), npy(a.astype(t)))
    put("npy", "ok-fortran", npy(np.asfortranarray(a.astype("<f4"))))
    put("npy", "ok-1d", npy(np.arange(5, dtype="<f8")))
    put("npy", "ok-3d", npy(np.arange(24, dtype="u1").reshape(2, 3, 4)))
    put("npy", "ok-version2", npy(a.astype("<f4"), (2, 0)))
    put("npy", "ok-version3", npy(a.astype("<f4"), (3, 0)))
    put("npy", "ok-gzip", squeeze(npy(a.astype("<f8"))))
    shape = "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }\n"
    put("npy", "ok-python2", npy_text(shape % "(1L,)", bytes(8)))
    put("npy", "ok-other-order", npy_text('{"shape":(1,),"descr":"|u1","fortran_order":True}', b"x"))
    put("npy", "ok-big-endian", npy(a.astype(">f8")))
    put("npy", "ok-bool", npy(a > 2))
    put("npy", "ok-half", npy(a.astype("<f2")))
    put("npy", "ok-unsigned", npy(a.astype(">u8")))
    archive = io.BytesIO()
    np.savez(archive, x=a.astype("<i2"))
    put("npy", "ok-npz", archive.getvalue())
    put("npy", "bad-npz-cut", archive.getvalue()[:-30])
    put("npy", "bad-npz-checksum", archive.getvalue().replace(b"NUMPY", b"NUMPX"))
    archive = io.BytesIO()
    np.savez_compressed(archive, x=a.astype("<i2"), y=a)
    put("npy", "bad-npz-two", archive.getvalue())
    put("npy", "bad-text", npy(np.array(["ab", "c"])))
    put("npy", "bad-structured", npy(np.zeros(2, dtype=[("a", "<i4"), ("b", "<f8")])))
    put("npy", "bad-object", npy_text("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\x80\x03."))
    put("npy", "bad-scalar", npy(np.float64(3)))
    put("npy", "bad-no-rows", npy(np.zeros((0, 3))))
    put("npy", "ok-fortran-3d", npy(np.asfortranarray(np.zeros((2, 3, 4)))))
    put("npy", "bad-nan", npy(np.array([1, np.nan])))
    put("npy", "bad-inf-f4", npy(np.array([1, -np.inf], dtype="<f4")))
    whole = npy(a.astype("<f8"))
    put("npy", "bad-truncated", whole[:-1])
    put("npy", "bad-trailing", whole + b"x")
    put("npy", "bad-truncated-header", whole[:40])
    put("npy", "bad-magic-only", whole[:6])
    put("npy", "bad-version9", whole[:6] + b"\x09\x00" + whole[8:])
    put("npy", "bad-header-length", npy_text(shape % "(1,)", bytes(8), 2, 0xFFFFFFFF))
    put("npy", "bad-shape-overflow", npy_text(shape % "(4294967296, 4294967296, 8)", bytes(8)))
    put("npy", "bad-shape-huge", npy_text(shape % "(1000000000000, 1000)", bytes(8)))
    put("npy", "bad-shape-digits", npy_text(shape % "(99999999999999999999999999,)", bytes(8)))
    put("npy", "bad-shape-negative", npy_text(shape % "(-1,)", bytes(8)))
    put("npy", "bad-shape-dimensions", npy_text(shape % ("(" + "1," * 70 + ")"), bytes(8)))
    put("npy", "bad-no-shape", npy_text("{'descr': '<f8', 'fortran_order': False}", bytes(8)))
    put("npy", "bad-twice", npy_text("{'descr': '<f8', 'descr': '<f8'}", bytes(8)))
    put("npy", "bad-not-closed", npy_text("{'descr': '<f8", bytes(8)))
    put("npy", "bad-behind-brace", npy_text((shape % "(1,)").strip() + "x", bytes(8)))
    put("npy", "bad-gzip-bomb", squeeze(npy_text(shape % "(100000000,)", bytes(100))))
    put("npy", "bad-gzip-crc", squeeze(whole)[:-8] + b"abcd" + squeeze(whole)[-4:])


def idx(code, array):
    return bytes([0, 0, code, array.ndim]) + struct.pack(">%dI" % array.ndim, *array.shape) + array.tobytes()


def make_idx():
    a = np.arange(12).reshape(2, 2, 3)
    for code, t in ((8, "u1"), (12, ">i4"), (13, ">f4"), (14, ">f8")):
        put("idx", "ok-%02x" % code, idx(code, a.astype(t)))
    whole = idx(8, a.astype("u1"))
    put("idx", "ok-labels", idx(8, np.array([1, 2, 3], "u1")))
    put("idx", "ok-gzip", squeeze(whole))
    put("idx", "ok-gzip-members", squeeze(whole[:9]) + squeeze(b"") + squeeze(whole[9:]))
    put("idx", "ok-gzip-doubles", squeeze(idx(14, a.astype(">f8"))))
    put("idx", "bad-09", idx(9, a.astype("i1")))
    put("idx", "bad-0b", idx(11, a.astype(">i2")))
    put("idx", "bad-type", idx(7, a.astype("u1")))
    put("idx", "bad-no-dimensions", bytes([0, 0, 8, 0, 1]))
    put("idx", "bad-zero-dimension", bytes([0, 0, 8, 2]) + struct.pack(">II", 0, 3))
    put("idx", "bad-255-dimensions", bytes([0, 0, 8, 255]) + b"\x00\x00\x00\x02" * 255 + b"x")
    put("idx", "bad-magic", b"\x01" + whole[1:])
    put("idx", "bad-truncated-header", whole[:10])
    put("idx", "bad-truncated", whole[:-1])
    put("idx", "bad-trailing", whole + b"x")
    put("idx", "bad-huge", bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"x")
    put("idx", "bad-nan", idx(13, np.array([1, np.nan], ">f4")))
    small = squeeze(whole)
    put("idx", "bad-gzip-truncated", small[:-12])
    put("idx", "bad-gzip-trailer", small[:-2])
    put("idx", "bad-gzip-crc", small[:-8] + b"abcd" + small[-4:])
    put("idx", "bad-gzip-length", small[:-4] + b"\x05\x00\x00\x00")
    put("idx", "bad-gzip-garbage", small + b"garbage")
    put("idx", "bad-gzip-more", squeeze(whole + b"x"))
    put("idx", "bad-gzip-less", squeeze(whole[:-1]))
    put("idx", "bad-gzip-bomb", squeeze(bytes([0, 0, 8, 2]) + b"\x7f\xff\xff\xff" * 2 + b"x"))
    put("idx", "bad-gzip-method", small[:2] + b"\x07" + small[3:])
    put("idx", "bad-gzip-only-magic", small[:2])


if __name__ == "__main__":
    for folder in ("npy", "idx"):
        os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    make_npy()
    make_idx()
