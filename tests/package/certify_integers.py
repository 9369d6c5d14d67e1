"""What `vise certify` claims of the sums of nets in integers holds: an independent checker finds it right, and each wrong claim
wrong; and the exported C has the rows that were certified. Takes WORK and VISE (the tool) from the environment."""
import copy
import json
import os
import re

import certify_check
import certify_check_integers
import numpy as np
from scene import expect, finished, make_arrays, play

VISE = os.environ["VISE"]
# Options of the training, and what certify and export are told besides.
NETS = {
    "trained": (("--layers", "6-16-3", "--scale", "standard", "--quantize", "int8,acc14,act4"), ()),
    "tanh": (("--layers", "6-9-7-3", "--activation", "tanh", "--scale", "standard", "--quantize", "int8,acc16,in5"), ()),
    "leaky": (("--layers", "6-9-3", "--activation", "leaky-relu", "--quantize", "int8,acc10,act2,in4", "--backend", "cpu64"), ()),
    "rounded": (("--layers", "6-16-3", "--batch-norm"), ("--as", "int8,acc12")),
    "again": (("--layers", "6-16-3", "--quantize", "int8,acc16"), ("--as", "int8,acc20")),
    "wide": (("--layers", "6-16-3", "--no-bias"), ("--as", "int16,acc24,act6")),
}


def run(*arguments, code=0):
    done = finished(VISE, *arguments, code=code)
    return done.stdout if code == 0 else done.stderr


def load(file):
    tensors, metadata = certify_check.read(file)
    return tensors, json.loads(metadata["vise"]), json.loads(metadata["vise.certificate"])


def planted(certificate):
    """Copies, each with one wrong claim."""
    def changed(change):
        wrong = copy.deepcopy(certificate)
        change(wrong["integer"])
        return wrong

    layers = range(len(certificate["integer"]["layers"]))
    for l in layers:
        sums = certificate["integer"]["layers"][l]["sums"]
        for r, (low, high) in enumerate(sums):
            yield f"the least sum of row {r}", changed(lambda c, l=l, r=r: c["layers"][l]["sums"][r].__setitem__(0, low + 1))
            yield f"the largest sum of row {r}", changed(lambda c, l=l, r=r: c["layers"][l]["sums"][r].__setitem__(1, high - 1))
        yield "a missing row", changed(lambda c, l=l: c["layers"][l]["sums"].pop())
        yield "a sum that does not fit", changed(lambda c, l=l: c["layers"][l]["sums"][0].__setitem__(1, c["limits"][1] + 1))
        yield "how full", changed(lambda c, l=l: c["layers"][l].__setitem__("fullest", 0.999 * c["layers"][l]["fullest"]))
        yield "the largest input", changed(lambda c, l=l: c["layers"][l].__setitem__("input_max", 1))
    yield "the fullest", changed(lambda c: c.__setitem__("fullest", 0.999 * c["fullest"]))
    yield "the limits", changed(lambda c: c.__setitem__("limits", [2 * c["limits"][0], 2 * c["limits"][1] + 1]))
    yield "a missing layer", changed(lambda c: c["layers"].pop())


def rows_of_c(path):
    """The rows in exported C, with their biases and largest inputs, layer by layer."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    layers = {}
    for l, r, row in re.findall(r"#define NET_ROW_(\d+)_(\d+)\(X\)((?:[^\n]*\\\n)*[^\n]*)", text):
        layers.setdefault(int(l), []).append([int(w) for w in re.findall(r"X\((-?\d+)\)", row)])
    proofs = re.findall(r"NET_PROVE\(net_proof_\d+_\d+, NET_ROW_(\d+)_\d+, (-?\d+), (\d+)\)", text)
    biases = {l: np.array([int(bias) for at, bias, _ in proofs if int(at) == l]) for l in layers}
    most = {int(at): int(largest) for at, _, largest in proofs}
    return [(np.array(layers[l]), biases[l], most[l]) for l in sorted(layers)]


def check_c(name, told, certificate):
    run("export", "--model", f"{name}/model.safetensors", "--format", "c", "--data", "x.npy", "--out", f"c-{name}", *told)
    for (q, bias, most), claim in zip(rows_of_c(f"c-{name}/net.c"), certificate["integer"]["layers"], strict=True):
        least = np.minimum(q, 0).sum(1) * most + np.minimum(bias, 0)
        largest = np.maximum(q, 0).sum(1) * most + np.maximum(bias, 0)
        expect(claim["sums"] == np.stack([least, largest], 1).tolist(), f"{name}: the C has other rows than were certified")


def check(name):
    options, told = NETS[name]
    file = f"{name}/model.safetensors"
    run("train", "--train", "x.npy", "--train-labels", "y.npy", "--epochs", "5", "--quiet", "--seed", "3", "--out", name,
        "--backend", "cpu", *options)
    said = json.loads(run("certify", "--model", file, "--data", "x.npy", "--json", *told))
    tensors, model, certificate = load(file)
    expect(said == certificate and certificate["integer"]["trained"] == (told == ()), f"{name}: another certificate")
    for checker in (certify_check, certify_check_integers):
        faults = checker.faults_of(tensors, model, certificate)
        expect(not faults, f"{name}: {faults}")

    n_wrong = 0
    for what, wrong in planted(certificate):
        expect(certify_check_integers.faults_of(tensors, model, wrong), f"{name}: a wrong claim about {what} was not seen")
        n_wrong += 1
    check_c(name, told, certificate)
    print(name, "fullest", certificate["integer"]["fullest"], n_wrong, "wrong claims seen")


def check_floats():
    """Without integers nothing is said of them, and of a net that is none any more, why."""
    certificate = json.loads(run("certify", "--model", "rounded", "--data", "x.npy", "--json"))
    expect("integer" not in certificate, "a model of floats has no sums in integers")
    run("prune", "--model", "trained", "--weight-op", "rel-clip", "--weight-op-t", "0.3", "--out", "clipped.safetensors")
    said = run("certify", "--model", "clipped.safetensors", "--data", "x.npy")
    expect("int8,acc14,act4,in8 no more" in said and "is not a whole multiple" in said, said)
    tensors, model, certificate = load("clipped.safetensors")
    expect(set(certificate["integer"]) == {"format", "trained", "fault"}, f"{certificate['integer']}")
    expect(not certify_check.faults_of(tensors, model, certificate), "the claims about floats")
    expect(certify_check_integers.faults_of(tensors, model, certificate), "nothing is claimed of integers")


def main():
    make_arrays()
    for name in NETS:
        check(name)
    check_floats()
    for told, says in ((("--as", "int8,acc16", "--inputs", "-1:1"), "--data"),
                       (("--as", "int8", "--data", "x.npy"), "expected int8,accP"),
                       (("--as", "int8,acc12,unconstrained", "--data", "x.npy"), "there is nothing to prove")):
        said = run("certify", "--model", "rounded", *told, "--keep-model", code=2)
        expect(says in said, f"{told}: {said}")


if __name__ == "__main__":
    play("certify_integers", main)
