"""Vise's step on the CPU beside its peers', all measured in the same run on the same machine.

    python3 bench/peers/compare_cpu.py [--vise build/bin/vise] [--threads 1,2] [--epochs 6] [--rounds 2] [--out FILE]

Vise trains the main job on the real files; its steps per second are those of whole epochs, from the "seconds" in
metrics.jsonl, the first epoch left out as warm-up. The peers come from cpu_step.py. Each round runs everything once, Vise
before and after the peers, so that a disturbance hits all alike; the median over the rounds counts, with the spread
beside it, (largest - smallest) / median. seconds_per_epoch is of 60000 rows; Vise's holds the new order of each epoch,
the peers' does not. The last lines give Vise's best over the peers'. JAX is in compare.py, whose cases NAME-images are
the same rows. OPENBLAS_* variables are dropped from the environment of all (environment.py).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from environment import MNIST, ROOT, print_into  # before numpy
from common import BATCH, CLAMP, CLIP_NORM, L2, LR, print_context, quantiles

N_ROWS = 60000
HERE = os.path.dirname(os.path.abspath(__file__))


def time_vise(tool, threads, epochs):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "run")
        command = [tool, "train", "--train", os.path.join(MNIST, "train-images-idx3-ubyte.gz"),
                   "--train-labels", os.path.join(MNIST, "train-labels-idx1-ubyte.gz"), "--layers", "784-128-10",
                   "--batch", str(BATCH), "--epochs", str(epochs), "--lr", str(LR), "--l2", str(L2),
                   "--clip-norm", str(CLIP_NORM), "--clamp", str(CLAMP), "--loss", "cross-entropy", "--backend", "cpu",
                   "--threads", str(threads), "--checkpoint-every", "1000000000", "--quiet", "--out", out]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as stream:
            ends = [event for event in map(json.loads, stream) if event["event"] == "epoch"]
    seconds = [(b["seconds"] - a["seconds"]) / (b["step"] - a["step"]) for a, b in zip(ends, ends[1:])]
    return "vise", "cpu", str(threads), quantiles(seconds)[0] * 1e6


def time_peers(threads):
    """The rows of cpu_step.py; what it could not run it says in comments, which are passed on."""
    command = [sys.executable, os.path.join(HERE, "cpu_step.py"), "--threads", str(threads)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rows = []
    for line in done.stdout.splitlines():
        if line.startswith("#") and "not available" in line:
            print(line, flush=True)
        elif not line.startswith(("#", "peer,")):
            peer, variant, n_threads, _, us, _ = line.split(",")
            rows.append((peer, variant, n_threads, float(us)))
    return rows


def best_of(rows):
    return min(rows, key=lambda row: row[3])


def run(arguments):
    import numpy
    import sklearn
    import torch

    print_context(torch=torch.__version__, sklearn=sklearn.__version__, numpy=numpy.__version__)
    version = subprocess.run([arguments.vise, "--version"], check=True, stdout=subprocess.PIPE, text=True)
    print("# " + version.stdout.strip().splitlines()[0])
    print("# load before: %.2f" % os.getloadavg()[0], flush=True)
    times = {}
    for _ in range(arguments.rounds):
        for threads in arguments.threads:
            ours = lambda: [time_vise(arguments.vise, threads, arguments.epochs)]
            for row in ours() + time_peers(threads) + ours():
                times.setdefault(row[:3], []).append(row[3])
    rows = [key + quantiles(us) for key, us in times.items()]
    vise = best_of([row for row in rows if row[0] == "vise"])
    print("peer,variant,threads,steps_per_s,us_per_step,spread,vise_over_this,seconds_per_epoch")
    for peer, variant, threads, us, spread in sorted(rows, key=lambda r: r[3]):
        print(f"{peer},{variant},{threads},{1e6 / us:.1f},{us:.1f},{spread:.3f},{us / vise[3]:.2f},"
              f"{1e-6 * us * N_ROWS / BATCH:.3f}")
    for family in ("pytorch", "scikit-learn"):
        peer = best_of([row for row in rows if row[0].startswith(family)])
        print(f"# best vise ({vise[2]} threads) over best {family} ({peer[1]}, {peer[2]} threads): "
              f"{peer[3] / vise[3]:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vise", default=os.path.join(ROOT, "build", "bin", "vise"))
    parser.add_argument("--threads", type=lambda text: [int(t) for t in text.split(",")], default=[1, 2])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", help="write the table to this file too")
    arguments = parser.parse_args()
    if arguments.epochs < 2:
        raise SystemExit("--epochs: at least 2, as the first one is warm-up")
    print_into(arguments.out, lambda: run(arguments))


if __name__ == "__main__":
    main()
