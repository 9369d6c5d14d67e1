"""Checks what a certificate says of the sums of a net in integers, against the model's file, and shares nothing with the
program that wrote it: certify_check_integers.py MODEL.safetensors [CERTIFICATE.json], by default the one in the model's
metadata. The integers are those of the file (its weights over their scales), or, of a net that was rounded after training,
those in the certificate. Needs numpy."""
import json
import re
import sys

import numpy as np
from certify_check import blocks_of, read

KINDS = {"identity": lambda most: (most + 1) // 2, "tanh": lambda most: (most + 1) // 2,
         "leaky-relu": lambda most: (most + 8) // 16}


def rows_of(blocks, model, l, most, faults):
    """The integers q of a layer and the biases with the zero point in them, of a net that was trained for integers."""
    given = model["quantization"]
    scale, step = np.array(given["row_scales"][l]), given["value_scales"][l]
    zero = given["input_zero"] if l == 0 else KINDS.get(blocks[l - 1]["f"], lambda most: 0)(most)
    exact, offset = blocks[l]["w"] / scale[:, None], blocks[l]["offset"] / (scale * step)
    q, bias = np.rint(exact), np.rint(offset)
    if abs(q - exact).max() > 1e-3 or abs(q).max() > 127 or abs(bias - offset).max() > 0.25:
        faults.append(f"layer {l}: the weights are no whole multiples of their scales")
    return q.astype(np.int64), bias.astype(np.int64) - zero * q.sum(1).astype(np.int64), zero


def check_layer(l, claim, q, bias, limits, faults):
    """Each claimed range holds all subsets of a row's terms, and fits; the share of the accumulator is not too small. Returns
    whether there is a range for each row."""
    low, high = np.array(claim["sums"], np.int64).reshape(-1, 2).T
    most = claim["input_max"]
    least = np.minimum(q, 0).sum(1) * most + np.minimum(bias, 0)
    largest = np.maximum(q, 0).sum(1) * most + np.maximum(bias, 0)
    if len(low) != len(q) or (low > least).any() or (high < largest).any():
        faults.append(f"layer {l}: a part of a sum leaves its claimed range")
    if (low < limits[0]).any() or (high > limits[1]).any():
        faults.append(f"layer {l}: a claimed range does not fit the accumulator")
    needed = max((largest / limits[1]).max(), (least / limits[0]).max())
    if claim["fullest"] < needed * (1 - 1e-12):
        faults.append(f"layer {l}: {claim['fullest']} of the accumulator is claimed, {needed} is needed")
    return len(low) == len(q)


def probe(l, claim, q, bias, seed, faults):
    """Prefixes of sums in orders by chance, of inputs that push rows far and others, stay in the claimed ranges."""
    random, most = np.random.default_rng(seed), claim["input_max"]
    low, high = np.array(claim["sums"], np.int64).reshape(-1, 2).T
    for k in range(40):
        x = random.integers(0, most + 1, q.shape[1]) if k % 4 == 0 else most * (q[random.integers(len(q))] * (-1) ** k > 0)
        terms = np.concatenate([q * x, bias[:, None]], axis=1)[:, random.permutation(q.shape[1] + 1)]
        sums = np.cumsum(terms, axis=1)
        if (sums.min(1) < low).any() or (sums.max(1) > high).any():
            faults.append(f"layer {l}: a prefix of a sum leaves its claimed range")
            return


def faults_of(tensors, model, certificate, n_bits=None):
    """n_bits: how many bits accumulators are to have, by another source than the certificate."""
    faults, claims = [], certificate.get("integer")
    if claims is None or "fault" in claims:
        return ["nothing is claimed of integers"]
    blocks = blocks_of(model, tensors)
    format_text = model["quantization"]["format"] if claims["trained"] else claims["format"]
    words = dict(re.findall(r"(acc|act|in(?!t))(\d+)", format_text))
    bits = n_bits or int(words["acc"])
    if claims["limits"] != [-2 ** (bits - 1), 2 ** (bits - 1) - 1] or claims["accumulator_bits"] != bits:
        faults.append(f"the limits are not those of {bits} bits")
    if len(claims["layers"]) != len(blocks):
        return ["it is of another net"]

    for l, claim in enumerate(claims["layers"]):
        most = 2 ** int(words["in" if l == 0 else "act"]) - 1
        if claim["input_max"] != most:
            faults.append(f"layer {l}: inputs up to {claim['input_max']}, and they go up to {most}")
        if claims["trained"]:
            q, bias, zero = rows_of(blocks, model, l, most, faults)
            if claim["input_zero"] != zero:
                faults.append(f"layer {l}: 0 is {zero}")
        else:
            q, bias = np.array(claim["weights"], np.int64), np.array(claim["bias"], np.int64)
        if q.shape != blocks[l]["w"].shape:
            return faults + [f"layer {l}: the integers are of another shape"]
        if check_layer(l, claim, q, bias, claims["limits"], faults):
            probe(l, claim, q, bias, l, faults)
    if claims["fullest"] < max(claim["fullest"] for claim in claims["layers"]):
        faults.append("a layer is fuller than all of them")
    return faults


if __name__ == "__main__":
    TENSORS, METADATA = read(sys.argv[1])
    TEXT = open(sys.argv[2], encoding="utf-8").read() if len(sys.argv) > 2 else METADATA["vise.certificate"]
    FOUND = faults_of(TENSORS, json.loads(METADATA["vise"]), json.loads(TEXT))
    print("\n".join(FOUND) or "every claim about integers holds")
    sys.exit(1 if FOUND else 0)
