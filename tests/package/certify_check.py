"""Checks a certificate that `vise certify` wrote, against the model's file, and shares nothing with the program that wrote
it: certify_check.py MODEL.safetensors [CERTIFICATE.json], by default the one in the model's metadata. It goes through the
claims in order and takes each as given for the next, so that all of them together are proven. Needs numpy."""
import json
import math
import struct
import sys

import numpy as np

SMOOTH, SLACK = 2.0**-20, 1e-9
TYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "U8": np.uint8}


def gamma(m):
    return m * 2.0**-24 / (1 - m * 2.0**-24)


def read(path):
    """The tensors as float64, and the metadata."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    metadata = header.pop("__metadata__")
    tensors = {name: np.frombuffer(data[slice(*t["data_offsets"])], TYPES[t["dtype"]]).reshape(t["shape"]).astype(float)
               for name, t in header.items()}
    return tensors, metadata


def blocks_of(model, tensors):
    """The net as layers of y = factor (W a) + offset, then an activation, then the input added."""
    plain = [{"kind": "linear"}, {"kind": "activation", "activation": model["activation"]}] * (len(model["widths"]) - 1)
    blocks, module = [], 0
    for layer in model.get("layers", plain[:-1]):
        kind, name = layer["kind"], f"{module}."
        if kind == "linear":
            w = tensors[name + "weight"]
            bias = tensors.get(name + "bias", np.zeros(len(w)))
            blocks.append({"w": w, "factor": np.ones(len(w)), "offset": bias, "bulk": abs(bias), "f": "identity",
                           "residual": 0})
        elif kind == "batch-norm":
            b = blocks[-1]
            mean, variance = tensors[name + "running_mean"], tensors[name + "running_var"]
            b["factor"] = tensors[name + "weight"] / np.sqrt(variance + 1e-5)
            b["bulk"] = abs(b["factor"]) * (abs(b["offset"]) + abs(mean)) + abs(tensors[name + "bias"])
            b["offset"] = b["factor"] * (b["offset"] - mean) + tensors[name + "bias"]
        elif kind == "activation":
            blocks[-1]["f"] = layer["activation"]
        elif kind == "residual":
            blocks[-1]["residual"] = 1
        module += kind != "residual"
    return blocks


def scaling_of(model, n):
    """What the net sees of input i is (x - shift) / scale."""
    given, at = model["feature_scaling"], 0
    shift = np.array(given.get("shift", [0] * n), float)
    scale = np.array(given.get("scale", [255 if given["kind"] == "unit" else 1] * n), float)
    for column in model.get("preprocessing", {}).get("columns", []):
        if column["role"] != "feature":
            continue
        if column["kind"] == "text":
            slots = len(column["categories"]) + bool(column["other"]) + column["gap_is_category"]
            at += 1 if slots == 2 else slots
        else:
            shift[at], scale[at] = column["shift"], column["scale"]
            at += 2 if column["indicator"] else 1
    return shift, scale


ERF = np.vectorize(math.erf)
FUNCTIONS = {
    "relu": lambda v: np.maximum(v, 0), "leaky-relu": lambda v: np.where(v < 0, 0.01 * v, v), "identity": lambda v: v,
    "tanh": np.tanh, "sigmoid": lambda v: 0.5 * (1 + np.tanh(0.5 * v)),
    "elu": lambda v: np.where(v < 0, np.expm1(np.minimum(v, 0)), v),
    "silu": lambda v: v * 0.5 * (1 + np.tanh(0.5 * v)), "gelu": lambda v: v * 0.5 * (1 + ERF(v * math.sqrt(0.5))),
}


def margin_of(name, bulk):
    return {"leaky-relu": gamma(1) * bulk, "elu": SMOOTH * np.minimum(bulk, 1), "tanh": SMOOTH, "sigmoid": SMOOTH,
            "silu": SMOOTH * bulk, "gelu": SMOOTH * bulk}.get(name, 0 * bulk)


def image(name, low, high):
    """The least and the largest value over each range; gelu and silu fall, then rise."""
    f = FUNCTIONS[name]
    least, most = np.minimum(f(low), f(high)), np.maximum(f(low), f(high))
    if name in ("gelu", "silu"):
        grid = np.linspace(-2, 0, 200001)
        at = grid[np.argmin(f(grid))]
        least = np.where((low <= at) & (at <= high), f(at), least)
    return least, most


class Check:
    def __init__(self):
        self.faults = []

    def least(self, what, claims, needed):
        """Each claimed number is at least the needed one."""
        claims, needed = np.broadcast_arrays(np.asarray(claims, float), np.asarray(needed, float))
        if claims.shape != needed.shape or not (claims >= needed - SLACK * abs(needed)).all():
            bad = np.argmax(~(claims >= needed - SLACK * abs(needed)))
            self.faults.append(f"{what}, {bad}: {claims.flat[bad]:.17g} is claimed, {needed.flat[bad]:.17g} is needed")

    def inside(self, what, claims, low, high):
        """Each claimed range holds the needed one. Ranges have no slack: their margins are wider than rounding."""
        claims = np.array(claims, float)
        bad = ~((claims[:, 0] <= low) & (high <= claims[:, 1])) if claims.shape == (len(low), 2) else np.ones(1, bool)
        if bad.any():
            self.faults.append(f"{what}, {np.argmax(bad)}: the claimed range is too small")


def check_ranges(check, c, blocks, scaling, target):
    (low, high), (shift, scale) = np.array(c["inputs"]["ranges"], float).T, scaling
    if not (low <= high).all():
        check.faults.append("a range of the inputs ends before it begins")
    error = gamma(5) * (np.maximum(abs(low), abs(high)) + abs(shift)) / scale
    low, high = (low - shift) / scale - error, (high - shift) / scale + error
    for l, (b, claim) in enumerate(zip(blocks, c["layers"])):
        w = b["w"] * b["factor"][:, None]
        up, down, bulk = np.maximum(w, 0), np.minimum(w, 0), np.maximum(abs(low), abs(high))
        margin = gamma(w.shape[1] + 11) * (abs(w) @ bulk + b["bulk"])
        check.inside(f"layer {l}, pre-activations", claim["pre_activation"], up @ low + down @ high + b["offset"] - margin,
                     up @ high + down @ low + b["offset"] + margin)
        pre_low, pre_high = np.array(claim["pre_activation"], float).T
        more = margin_of(b["f"], np.maximum(abs(pre_low), abs(pre_high)))
        out_low, out_high = image(b["f"], pre_low, pre_high)
        out_low, out_high, wrong = out_low - more, out_high + more, claim["slope"] * (abs(w) @ error + margin) + more
        if b["residual"]:
            out_low, out_high, wrong = out_low + low, out_high + high, wrong + error
            more = gamma(2) * np.maximum(abs(out_low), abs(out_high))
            out_low, out_high, wrong = out_low - more, out_high + more, wrong + more
        low, high, error = out_low, out_high, wrong
    shift, scale = target
    more = gamma(5) * (np.maximum(abs(low), abs(high)) * scale + abs(shift)) * (scale.tolist() != [1.0] * len(scale))
    check.inside("outputs", c["outputs"], low * scale + shift - more, high * scale + shift + more)
    check.least("float32_error", c["float32_error"], error * scale + more)


def check_lipschitz(check, c, blocks, scale, target):
    units, product, two, at = 1 / scale, 1.0, 1.0, np.linspace(-8, 8, 64001)
    for l, (b, claim) in enumerate(zip(blocks, c["layers"])):
        w, slope, before = b["w"] * b["factor"][:, None], claim["slope"], 1.0
        check.least(f"layer {l}, slope", slope, max(abs(np.diff(FUNCTIONS[b["f"]](at)) / np.diff(at))) - 1e-9)
        units = slope * abs(w) @ units + (units if b["residual"] else 0)
        w = w * (target[1][:, None] if l + 1 == len(blocks) else 1)
        if l == 0 and b["residual"]:
            before = (1 / scale).max()
        elif l == 0:
            w = w / scale
        check.least(f"layer {l}, row_l1", claim["row_l1"], abs(w).sum(1).max())
        check.least(f"layer {l}, spectral", claim["spectral"], np.linalg.norm(w, 2))
        product *= (b["residual"] + slope * claim["row_l1"]) * before
        two *= (b["residual"] + slope * claim["spectral"]) * before
    check.least("lipschitz, inf_product", c["lipschitz"]["inf_product"], product)
    check.least("lipschitz, inf", c["lipschitz"]["inf"], min((units * target[1]).max(), product))
    check.least("lipschitz, 2", c["lipschitz"]["2"], two)


def check_monotone(check, c, blocks):
    """Counts of rising and falling paths; there are none exactly where the sums of ones are 0."""
    n = blocks[0]["w"].shape[1]
    rising, falling = np.eye(n), np.zeros((n, n))
    for b in blocks:
        w = np.sign(b["w"]) * np.sign(b["factor"])[:, None]
        up, down, was = np.maximum(w, 0), np.maximum(-w, 0), (rising, falling)
        rising, falling = up @ rising + down @ falling, up @ falling + down @ rising
        if b["f"] in ("gelu", "silu"):
            rising = falling = rising + falling
        if b["residual"]:
            rising, falling = rising + was[0], falling + was[1]
        rising, falling = np.minimum(rising, 1), np.minimum(falling, 1)
    for key, against in (("increasing", falling), ("decreasing", rising)):
        for k, inputs in enumerate(c[key]):
            check.faults += [f"{key}: output {k} is not monotone in input {i}" for i in inputs if against[k, i] > 0]


def faults_of(tensors, model, certificate):
    check, blocks = Check(), blocks_of(model, tensors)
    scaling, target = scaling_of(model, model["widths"][0]), model["target_scaling"]
    n_out = model["widths"][-1]
    target = [np.array(target.get(key, [none] * n_out), float)
              for key, none in (("shift", 0), ("scale", 255 if target["kind"] == "unit" else 1))]
    if len(certificate["layers"]) != len(blocks) or certificate["certificate_version"] != 1:
        return ["it is of another net, or version"]
    check_ranges(check, certificate, blocks, scaling, target)
    check_lipschitz(check, certificate, blocks, scaling[1], target)
    check_monotone(check, certificate, blocks)
    return check.faults


if __name__ == "__main__":
    TENSORS, METADATA = read(sys.argv[1])
    TEXT = open(sys.argv[2], encoding="utf-8").read() if len(sys.argv) > 2 else METADATA["vise.certificate"]
    FOUND = faults_of(TENSORS, json.loads(METADATA["vise"]), json.loads(TEXT))
    print("\n".join(FOUND) or "every claim holds")
    sys.exit(1 if FOUND else 0)
