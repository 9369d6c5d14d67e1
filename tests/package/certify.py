"""What `vise certify` claims holds: an independent checker proves it, finds each claim that was tightened, and inputs that
try hard stay within. Takes WORK and VISE (the tool) from the environment."""
import copy
import json
import os

import certify_check
import certify_probe
import numpy as np
from scene import expect, finished, make_arrays, play

VISE = os.environ["VISE"]
N_PROBES = 10000
# The net, and how its inputs are ranged.
NETS = {
    "relu": ("arrays", ("--scale", "standard", "--layers", "6-16-3"), ("--data", "x.npy")),
    "gelu": ("arrays", ("--layers", "6-16-16-3", "--batch-norm", "--residual", "--activation", "gelu"),
             ("--inputs", "-2:3", "--inputs", "4=0:0.5")),
    "elu": ("arrays", ("--layers", "6-6-6-3", "--residual", "--no-bias", "--activation", "elu", "--backend", "cpu64",
                       "--scale", "standard"), ("--inputs", "-4:4")),
    "silu": ("table", ("--activation", "silu", "--layers", "auto-16-auto", "--scale-target"),
             ("--data", "table.csv", "--inputs", "b=-1:3")),
    "sigmoid": ("bytes", ("--scale", "unit", "--layers", "6-12-1", "--activation", "sigmoid", "--loss", "bce"), ()),
}


def run(*arguments, code=0):
    done = finished(VISE, *arguments, code=code)
    return done.stdout if code == 0 else done.stderr


def make_data():
    x, labels = make_arrays()
    with open("table.csv", "w", encoding="utf-8") as file:
        file.write("a,b,color,when,y\n")
        for i, row in enumerate(x):
            gap = "" if i % 17 == 0 else f"{row[0]:.5f}"
            file.write(f"{gap},{100 * row[1]:.4f},{'rgb'[labels[i]]},2026-01-{1 + i % 28:02},{40 + 3 * row[2]:.4f}\n")


def train(name):
    kind, options, _ = NETS[name]
    data = {"arrays": ("x.npy", "--train-labels", "y.npy"), "table": ("table.csv",),
            "bytes": ("bytes.npy", "--train-labels", "bits.npy")}[kind]
    run("train", "--train", *data, "--epochs", "5", "--quiet", "--seed", "3", "--out", name, "--backend", "cpu", *options)
    return f"{name}/model.safetensors"


def load(file):
    tensors, metadata = certify_check.read(file)
    return tensors, json.loads(metadata["vise"]), json.loads(metadata["vise.certificate"])


def tighten(value):
    """A range 2 % narrower on one side, or a bound 2 % smaller."""
    return [value[0] + 0.02 * (value[1] - value[0]), value[1]] if isinstance(value, list) else 0.98 * value


def planted(certificate):
    """Copies, each with one wrong claim."""
    def changed(change):
        wrong = copy.deepcopy(certificate)
        change(wrong)
        return wrong

    def replace(holder, key):
        holder[key] = tighten(holder[key])

    last = len(certificate["layers"]) - 1
    yield "outputs", changed(lambda c: replace(c["outputs"], 0))
    yield "float32_error", changed(lambda c: c["float32_error"].append(0.7 * c["float32_error"].pop()))
    for key in ("inf", "inf_product", "2"):
        yield key, changed(lambda c, key=key: replace(c["lipschitz"], key))
    for layer in (0, last):
        yield "pre_activation", changed(lambda c, l=layer: replace(c["layers"][l]["pre_activation"], 1 if l < last else 0))
        for key in ("row_l1", "spectral", "slope"):
            yield key, changed(lambda c, l=layer, key=key: replace(c["layers"][l], key))
    yield "increasing", changed(lambda c: c["increasing"][0].append(0))
    yield "layers", changed(lambda c: c["layers"].pop())


def check(name):
    """The certificate of a net, one by one what is wrong with a wrong one, and the net itself within it."""
    file = train(name)
    before = certify_check.read(file)
    said = json.loads(run("certify", "--model", file, *NETS[name][2], "--json", "--out", f"{name}.json"))
    tensors, model, certificate = load(file)
    expect(said == certificate == json.load(open(f"{name}.json", encoding="utf-8")), "three certificates differ")
    expect(all((tensors[key] == value).all() for key, value in before[0].items()), "the weights changed")
    faults = certify_check.faults_of(tensors, model, certificate)
    expect(not faults, f"{name}: {faults}")

    for what, wrong in planted(certificate):
        expect(certify_check.faults_of(tensors, model, wrong), f"{name}: a wrong claim about {what} was not seen")

    blocks = certify_check.blocks_of(model, tensors)
    target = model["target_scaling"]
    net = certify_probe.Net(blocks, certify_check.scaling_of(model, model["widths"][0]),
                            (np.array(target.get("shift", [0])), np.array(target.get("scale", [1]))))
    faults, seen = certify_probe.probe(net, certificate, N_PROBES)
    expect(not faults, f"{name}: {faults[:3]}")
    expect(min(seen.values()) > 0.001 and seen["output"] > 0.2, f"{name}: the probes saw little: {seen}")
    print(name, {key: round(float(value), 3) for key, value in seen.items()})
    return file, certificate


def check_backends(file, certificate):
    """What the tool computes, in float32 and float64, is within the ranges of its outputs."""
    low, high = np.array(certificate["inputs"]["ranges"]).T
    x = low + (high - low) * np.random.default_rng(2).random((2000, len(low)))
    np.save("inside.npy", x.astype(np.float32))
    for backend in ("cpu", "cpu64"):
        run("predict", "--model", file, "--data", "inside.npy", "--output", "raw", "--out", "raw.npy", "--backend", backend)
        outputs, ranges = np.load("raw.npy"), np.array(certificate["outputs"])
        expect(((ranges[:, 0] <= outputs) & (outputs <= ranges[:, 1])).all(), f"{backend} leaves the ranges")


def make_monotone(file, signs):
    """The same net with tensors of one sign, as another program would change it."""
    with open(file, "rb") as stream:
        raw = stream.read()
    n = int.from_bytes(raw[:8], "little")
    header, data = json.loads(raw[8:8 + n]), bytearray(raw[8 + n:])
    del header["__metadata__"]["vise.xxh3_128"]
    for name, sign in signs.items():
        begin, end = header[name]["data_offsets"]
        data[begin:end] = (np.float32(sign) * abs(np.frombuffer(data[begin:end], np.float32))).tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open("monotone.safetensors", "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text + data)
    return "monotone.safetensors"


def check_monotone(file):
    changed = make_monotone(file, {"0.weight": 1, "2.weight": 1})
    said = run("certify", "--model", changed, "--inputs", "-1:1", "--keep-model")
    expect("never falls with input 0, input 1" in said, said)
    kept = certify_check.read("monotone.safetensors")[1]
    certificate = json.loads(kept["vise.certificate"])  # that of the net before, which its file still has
    tensors, model, _ = load("monotone.safetensors")
    expect(certify_check.faults_of(tensors, model, certificate), "a certificate of other weights was not seen")

    run("certify", "--model", "monotone.safetensors", "--inputs", "-1:1")
    tensors, model, certificate = load("monotone.safetensors")
    expect(certificate["increasing"] == [[*range(6)]] * 3 and certificate["decreasing"] == [[]] * 3, "not monotone")
    expect(not certify_check.faults_of(tensors, model, certificate), "the certificate of the monotone net")

    # Gains of batch norms turn the signs round.
    run("train", "--train", "x.npy", "--train-labels", "y.npy", "--layers", "6-16-3", "--batch-norm", "--epochs", "2", "--quiet",
        "--out", "norm", "--backend", "cpu")
    make_monotone("norm/model.safetensors", {"0.weight": 1, "1.weight": -1, "3.weight": 1})
    run("certify", "--model", "monotone.safetensors", "--inputs", "-1:1")
    tensors, model, certificate = load("monotone.safetensors")
    expect(certificate["decreasing"] == [[*range(6)]] * 3 and certificate["increasing"] == [[]] * 3, "the gains were not seen")
    expect(not certify_check.faults_of(tensors, model, certificate), "the certificate of the net with gains below 0")


def check_changed(file):
    """A changed model has no certificate."""
    run("prune", "--model", file, "--weight-op", "prune", "--weight-op-fraction", "0.5", "--out", "pruned.safetensors")
    expect("vise.certificate" not in certify_check.read("pruned.safetensors")[1], "the certificate of another net stayed")


def main():
    make_data()
    made = {name: check(name) for name in NETS}
    for name in ("relu", "gelu", "elu", "sigmoid"):
        check_backends(*made[name])
    check_monotone(made["relu"][0])
    check_changed(made["relu"][0])


if __name__ == "__main__":
    play("certify", main)
