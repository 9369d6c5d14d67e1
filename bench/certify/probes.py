"""How far inputs that try hard get into the bounds of `vise certify`, on six nets: at random, at corners and along
gradients. Writes the largest share of each bound that was seen; none may be above 1. Needs NumPy and SciPy.

  python3 bench/certify/probes.py --out bench/results/certify_probes.csv"""
import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile

import numpy as np
from scipy.special import erf

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "package"))
import certify_check  # noqa: E402
import certify_probe  # noqa: E402

certify_check.ERF = erf  # math.erf, a million times as often

MNIST = ("--train", f"{ROOT}/bench/data/mnist/train-images-idx3-ubyte.gz", "--train-labels",
         f"{ROOT}/bench/data/mnist/train-labels-idx1-ubyte.gz")
CLOUDS = ("--train", "x.npy", "--train-labels", "y.npy")
# Name, options, ranges, and the share of the probes that it gets.
NETS = (
    ("clouds 6-16-3, tanh", (*CLOUDS, "--layers", "6-16-3", "--activation", "tanh", "--scale", "standard"),
     ("--data", "x.npy"), 1),
    ("clouds 6-32-32-3, silu", (*CLOUDS, "--layers", "6-32-32-3", "--activation", "silu"), ("--inputs", "-3:4"), 1),
    ("clouds 6-3, linear, float64", (*CLOUDS, "--layers", "6-3", "--backend", "cpu64"), ("--inputs", "-3:4"), 1),
    ("clouds 6-48-3, relu, box of 0.3", (*CLOUDS, "--layers", "6-48-3", "--clamp", "0.3"), ("--data", "x.npy"), 1),
    ("clouds 6-16-16-3, gelu, batch norm, residual",
     (*CLOUDS, "--layers", "6-16-16-3", "--activation", "gelu", "--batch-norm", "--residual"), ("--inputs", "-3:4"), 1),
    ("MNIST 784-128-10, relu, box of 0.1", (*MNIST, "--layers", "784-128-10", "--clamp", "0.1", "--lr", "0.1"), (), 0.1),
)


def run(vise, *arguments):
    return subprocess.run([vise, *arguments], check=True, capture_output=True, text=True).stdout


def net_of(tensors, model):
    target = model["target_scaling"]
    return certify_probe.Net(certify_check.blocks_of(model, tensors), certify_check.scaling_of(model, model["widths"][0]),
                             (np.array(target.get("shift", [0])), np.array(target.get("scale", [1]))))


def measure(vise, options, inputs, n):
    run(vise, "train", *options, "--epochs", "3", "--seed", "1", "--quiet", "--out", "run", "--overwrite")
    run(vise, "certify", "--model", "run", *inputs)
    tensors, metadata = certify_check.read("run/model.safetensors")
    model, certificate = json.loads(metadata["vise"]), json.loads(metadata["vise.certificate"])
    faults = certify_check.faults_of(tensors, model, certificate)
    more, seen = certify_probe.probe(net_of(tensors, model), certificate, n)
    return faults + more, seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vise", default=f"{ROOT}/build/bin/vise")
    parser.add_argument("--probes", type=int, default=10**6, help="inputs for each small net")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    out, vise, rows, n_faults = os.path.abspath(arguments.out), os.path.abspath(arguments.vise), [], 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        rng, labels = np.random.default_rng(7), np.arange(600) % 3
        np.save("x.npy", (rng.normal(size=(600, 6)) + 1.5 * np.eye(3, 6)[labels]).astype(np.float32))
        np.save("y.npy", labels)
        for name, options, inputs, part in NETS:
            n = round(arguments.probes * part)
            faults, seen = measure(vise, options, inputs, n)
            n_faults += len(faults)
            rows.append([name, n, *(f"{value:.4f}" for value in seen.values()), len(faults)])
            print(*rows[-1], *faults[:3], sep="  ", flush=True)
    with open(out, "w", encoding="utf-8", newline="") as file:
        file.write(f"# python3 bench/certify/probes.py --probes {arguments.probes}: the largest share of each bound that was "
                   f"seen\n# {platform.machine()}, NumPy {np.__version__}, {run(vise, '--version').strip()}\n")
        csv.writer(file, lineterminator="\n").writerows([["net", "probes", *seen, "violations"], *rows])
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
