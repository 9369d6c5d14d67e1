"""Accuracy of integer nets on MNIST, 784-128-10: trained so (`vise train --quantize`), and rounded after training with the
bound on the sums and without it, beside the float32 net of the same epochs and schedule. Every number is that of the exact
integer forward pass (`vise eval --as`) on the 10,000 test images.

  python3 bench/integer/mnist.py --vise build/bin/vise --seeds 5 --csv bench/results/integer_mnist.csv
"""
import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MNIST = os.path.join(HERE, "..", "data", "mnist")
FORMATS = ["int8,acc16", "int8,acc14,act4", "int8,acc12,act4,in4", "int8,acc12,act4", "int8,acc12"]
GOALS = {"int8,acc16": 0.1, "int8,acc14,act4": 0.3, "int8,acc12,act4,in4": 0.3, "int8,acc12,act4": 1.0,
         "int8,acc12": 1.0}
RECIPE = ["--layers", "784-128-10", "--recipe", "none", "--batch", "64", "--lr", "0.1", "--momentum", "0.9",
          "--lr-schedule", "cosine", "--backend", "cpu"]


def image(part):
    return os.path.join(MNIST, f"{part}-images-idx3-ubyte.gz")


def label(part):
    return os.path.join(MNIST, f"{part}-labels-idx1-ubyte.gz")


def call(arguments):
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{' '.join(arguments)}\n{result.stderr}")
    return result.stdout


def train(vise, folder, seed, epochs, more):
    call([vise, "train", "--train", image("train"), "--train-labels", label("train"), "--seed", str(seed), "--epochs",
          str(epochs), "--out", folder, "--overwrite", "--progress", "none", *RECIPE, *more])


def score(vise, folder, more):
    """Accuracy in percent, and the share of the sums that overflowed."""
    text = call([vise, "eval", "--model", os.path.join(folder, "model.safetensors"), "--data", image("t10k"), "--labels",
                 label("t10k"), "--json", *more])
    found = json.loads(text)
    net = found.get("integer", {})
    overflows = net["overflows"] / net["sums"] if "sums" in net else 0.0
    return 100 * found["accuracy"], overflows


def measure(options, seed, folder):
    """Rows (way, format, accuracy, overflows) of one seed."""
    vise = options.vise
    train(vise, folder, seed, options.epochs, [])
    yield "float32", "", *score(vise, folder, [])
    for form in options.formats:
        yield "rounded after training", form, *score(vise, folder, ["--as", form])
        yield "rounded, unconstrained", form, *score(vise, folder, ["--as", form + ",unconstrained"])
    for form in options.formats:
        train(vise, folder, seed, options.epochs, ["--quantize", form])
        yield "trained", form, *score(vise, folder, ["--as", form])


def tell(rows, formats):
    def of(way, form):
        return [row[3] for row in rows if row[1] == way and row[2] == form]

    floats = of("float32", "")
    base = statistics.mean(floats)
    print(f"float32 {base:.2f} % ({len(floats)} seeds, {min(floats):.2f} to {max(floats):.2f})")
    for form in formats:
        trained = of("trained", form)
        mean = statistics.mean(trained)
        print(f"{form:22} trained {mean:.2f} % ({min(trained):.2f} to {max(trained):.2f}), {mean - base:+.2f} points, "
              f"goal {-GOALS[form]:+.1f}: {'reached' if base - mean <= GOALS[form] else 'missed'}; "
              f"rounded after training {statistics.mean(of('rounded after training', form)):.2f}, "
              f"unconstrained {statistics.mean(of('rounded, unconstrained', form)):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vise", required=True, help="the tool")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--formats", nargs="+", default=FORMATS)
    parser.add_argument("--csv", help="where to write the numbers")
    options = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            for way, form, accuracy, overflows in measure(options, seed, os.path.join(folder, "run")):
                rows.append((seed, way, form, accuracy, overflows))
                print(f"seed {seed}  {way:24} {form:22} {accuracy:.2f} %", flush=True)

    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            file.write(f"# python3 bench/integer/mnist.py --seeds {options.seeds} --epochs {options.epochs}\n"
                       f"# {platform.machine()}, {call([options.vise, '--version']).strip()}\n")
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["seed", "way", "format", "accuracy", "overflowing_sums"])
            for seed, way, form, accuracy, overflows in rows:
                writer.writerow([seed, way, form, f"{accuracy:.2f}", f"{overflows:.6f}"])
    tell(rows, options.formats)


if __name__ == "__main__":
    main()
