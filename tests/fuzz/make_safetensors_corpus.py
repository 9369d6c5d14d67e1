#!/usr/bin/env python3
"""Writes the corpus of the safetensors reader beside this script. Needs the standard library alone.

"ok" is a whole safetensors file; whether it also holds a model is up to the names of its tensors.
"""
import json
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "safetensors")
SIZES = {"F32": 4, "F64": 8, "I64": 8, "U8": 1, "F16": 2, "BF16": 2}


def put(name, data):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(data)


def file_of(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8 if length is None else 0)
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def chain(tensors, dtype="F32", meta=None, **extra):
    """A file of tensors {name: shape} with small numbers in them."""
    header, data, at = {}, b"", 0
    if meta is not None:
        header["__metadata__"] = meta
    for name, shape in tensors.items():
        n = 1
        for size in shape:
            n *= size
        code = {"F32": "f", "F64": "d", "I64": "q", "U8": "B"}[dtype]
        data += struct.pack("<%d%s" % (n, code), *[i % 5 for i in range(n)])
        header[name] = entry(dtype, shape, at, at + n * SIZES[dtype])
        at += n * SIZES[dtype]
    header.update(extra)
    return file_of(header, data)


def with_counter(tensors, count, meta):
    """A chain with batch norm's counter before it, eight bytes that say 7."""
    whole = chain(tensors, "F32", meta)
    n = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8:8 + n])
    for name in tensors:
        header[name]["data_offsets"] = [at + 8 for at in header[name]["data_offsets"]]
    header.update(count)
    return file_of(header, struct.pack("<q", 7) + whole[8 + n:])


def description(**changes):
    out = {
        "format_version": 1, "vise_version": "0.1.0", "widths": [2, 3, 1], "activation": "tanh", "bias": True,
        "loss": "mse", "mse_reduction": "half_mean", "label_smoothing": 0.0,
        "feature_scaling": {"kind": "standard", "shift": [0.5, -1e-300], "scale": [1.0, 0.1]},
        "target_scaling": {"kind": "unit"},
    }
    out.update(changes)
    return {"format": "pt", "vise": json.dumps(out)}


def main():
    os.makedirs(HERE, exist_ok=True)
    net = {"0.weight": [3, 2], "0.bias": [3], "2.weight": [1, 3], "2.bias": [1]}
    put("ok-empty", file_of({}))
    put("ok-foreign-model", chain(net))
    put("ok-foreign-no-bias", chain({"0.weight": [3, 2], "2.weight": [1, 3]}, "F64"))
    put("ok-model", chain(net, "F32", description()))
    put("ok-model-f64", chain(net, "F64", description()))
    put("ok-mask", chain({"0.weight": [3, 2], "2.weight": [1, 3]}, "U8", {"format": "pt"}))
    put("ok-no-model", chain({"a": [], "b": [0, 3], "c": [1, 2, 1, 2]}, "I64"))
    put("ok-not-a-chain", chain({"0.weight": [3, 2], "2.weight": [1, 4]}))
    put("ok-newer", chain(net, "F32", description(format_version=3)))
    put("ok-other-widths", chain(net, "F32", description(widths=[1048576, 4095, 1048576])))
    put("ok-bad-scale", chain(net, "F32", description(target_scaling={"kind": "standard", "shift": [0], "scale": [0]})))
    put("ok-nan", file_of({"0.weight": entry("F32", [1, 1], 0, 4)}, struct.pack("<f", float("nan"))))
    put("ok-escapes", chain({"\u00e4\n\"\\": [1]}, "U8", {"k\t": "\u20ac"}))
    put("ok-unaligned", file_of({"b": entry("F32", [1], 1, 5), "a": entry("U8", [1], 0, 1)}, b"abcde"))

    # Nets of more than linear layers and one activation, with and without Vise's list of layers.
    norm = {"1.weight": [3], "1.bias": [3], "1.running_mean": [3], "1.running_var": [3]}
    count = {"1.num_batches_tracked": entry("I64", [], 0, 8)}
    tensors = {"0.weight": [3, 2], **norm, "4.weight": [1, 3], "4.bias": [1]}
    layers = [{"kind": "linear", "width": 3, "bias": False}, {"kind": "batch-norm"},
              {"kind": "activation", "activation": "tanh"}, {"kind": "dropout", "p": 0.5},
              {"kind": "linear", "width": 1, "bias": True}]
    put("ok-layers", with_counter(tensors, count, description(format_version=2, layers=layers)))
    put("ok-foreign-batch-norm", with_counter(tensors, count, None))
    put("ok-foreign-bias-before-norm", with_counter({"0.bias": [3], **tensors}, count, None))
    square = {"0.weight": [2, 2], "0.bias": [2], "2.weight": [1, 2], "2.bias": [1]}
    residual = [{"kind": "linear", "width": 2, "bias": True}, {"kind": "activation", "activation": "relu"},
                {"kind": "residual", "span": 2}, {"kind": "linear", "width": 1, "bias": True}]
    put("ok-residual", chain(square, "F64", description(format_version=2, widths=[2, 2, 1], layers=residual)))
    put("ok-residual-span", chain(square, "F32", description(format_version=2, widths=[2, 2, 1], layers=[
        *residual[:2], {"kind": "residual", "span": 1}, residual[3]])))
    put("ok-layers-out-of-place", chain(square, "F32", description(format_version=2, widths=[2, 2, 1],
                                                                   layers=[*residual[1:2], *residual])))

    whole = chain(net)
    put("bad-empty", b"")
    put("bad-seven-bytes", whole[:7])
    put("bad-truncated-header", whole[:60])
    put("bad-truncated-data", whole[:-1])
    put("bad-trailing", whole + b"x")
    put("bad-header-length", file_of({}, b"", 2**63))
    put("bad-header-over-limit", file_of({}, b"", 100000001))
    put("bad-header-beyond-file", file_of({}, b"", 99999999))
    put("bad-blank-first", file_of(b" {}     "))
    put("bad-array", file_of(b"[]"))
    put("bad-json", file_of(b"{\"a\":"))
    put("bad-behind-object", file_of(b"{}{}"))
    put("bad-nesting", file_of(b"{\"a\":" + b"[" * 3000))
    one = b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    put("bad-twice", file_of(b"{" + one + b"," + one + b"}", bytes(4)))
    put("bad-overlap", file_of({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, bytes(12)))
    put("bad-same-range", file_of({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 0, 4)}, bytes(4)))
    put("bad-gap", file_of({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 8, 12)}, bytes(12)))
    put("bad-hole-first", file_of({"a": entry("F32", [1], 4, 8)}, bytes(8)))
    put("bad-outside", file_of({"a": entry("F32", [2], 0, 8)}, bytes(4)))
    put("bad-backwards", file_of({"a": entry("F32", [1], 4, 0)}, bytes(4)))
    put("bad-negative", file_of({"a": entry("F32", [1], -4, 0)}, bytes(4)))
    put("bad-offset-overflow", file_of(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,18446744073709551617]}}', b"x"))
    put("bad-shape-mismatch", file_of({"a": entry("F32", [2], 0, 4)}, bytes(4)))
    put("bad-shape-overflow", file_of({"a": entry("F64", [2**62, 2**62, 4], 0, 0)}))
    put("bad-shape-negative", file_of({"a": entry("F32", [-1], 0, 4)}, bytes(4)))
    put("bad-shape-real", file_of({"a": entry("F32", [1.0], 0, 4)}, bytes(4)))
    put("bad-shape-dimensions", file_of({"a": entry("U8", [1] * 5, 0, 1)}, b"x"))
    put("bad-f16", file_of({"a": entry("F16", [2], 0, 4)}, bytes(4)))
    put("bad-bf16", file_of({"a": entry("BF16", [2], 0, 4)}, bytes(4)))
    put("bad-dtype", file_of({"a": entry("F128", [1], 0, 16)}, bytes(16)))
    put("bad-entry", file_of({"a": 1}))
    put("bad-entry-more", file_of({"a": dict(entry("U8", [1], 0, 1), x=1)}, b"x"))
    put("bad-metadata", file_of({"__metadata__": []}))
    put("bad-metadata-number", file_of({"__metadata__": {"k": 1}}))
    put("bad-zero-in-name", file_of(b'{"a\\u0000b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x"))
    put("bad-utf8", file_of(b'{"\xff":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x"))


if __name__ == "__main__":
    main()
