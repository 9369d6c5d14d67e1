"""Vise's step on the CPU beside its peers', all measured in the same run on the same machine.

    python3 bench/peers/compare_cpu.py [--vise build/bin/vise] [--threads 1,2] [--epochs 6] [--rounds 2] [--out FILE]

Vise trains the main job on the real files; its steps per second are those of whole epochs, from the "seconds" in
metrics.jsonl, the first epoch left out as warm-up. The peers come from cpu_step.py. Each round runs everything once, so
that a disturbance hits all alike; the best round of each row counts. The last lines give Vise's best over the peers'.
OPENBLAS_* variables of the environment are dropped for all, so that every library takes its own choice of kernels.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile

from common import BATCH, CLAMP, CLIP_NORM, L2, LR, MNIST, ROOT, print_context, quantiles

for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
    del os.environ[name]

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
    median, spread = quantiles(seconds)
    return ("vise", "cpu", str(threads), 1 / median, median * 1e6, spread)


def time_peers(threads):
    """The rows of cpu_step.py; what it could not run it says in comments, which are passed on."""
    command = [sys.executable, os.path.join(HERE, "cpu_step.py"), "--threads", str(threads)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rows = []
    for line in done.stdout.splitlines():
        if line.startswith("#") and "not available" in line:
            print(line, flush=True)
        elif not line.startswith(("#", "peer,")):
            peer, variant, n_threads, steps_per_s, us, spread = line.split(",")
            rows.append((peer, variant, n_threads, float(steps_per_s), float(us), float(spread)))
    return rows


def best_of(rows):
    return max(rows, key=lambda row: row[3])


def run(arguments):
    import sklearn
    import torch

    print_context(torch=torch.__version__, sklearn=sklearn.__version__)
    version = subprocess.run([arguments.vise, "--version"], check=True, stdout=subprocess.PIPE, text=True)
    print("# " + version.stdout.strip().splitlines()[0])
    print("# load before: %.2f" % os.getloadavg()[0], flush=True)
    best = {}
    for _ in range(arguments.rounds):
        for threads in arguments.threads:
            for row in [time_vise(arguments.vise, threads, arguments.epochs)] + time_peers(threads):
                best[row[:3]] = best_of([row, best.get(row[:3], row)])
    rows = list(best.values())
    vise = best_of([row for row in rows if row[0] == "vise"])
    print("peer,variant,threads,steps_per_s,us_per_step,spread,vise_over_this")
    for row in sorted(rows, key=lambda r: -r[3]):
        print(f"{row[0]},{row[1]},{row[2]},{row[3]:.1f},{row[4]:.1f},{row[5]:.3f},{vise[3] / row[3]:.2f}")
    for family in ("pytorch", "scikit-learn"):
        peer = best_of([row for row in rows if row[0].startswith(family)])
        print(f"# best vise ({vise[2]} threads) over best {family} ({peer[1]}, {peer[2]} threads): "
              f"{vise[3] / peer[3]:.2f}", flush=True)


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
    if arguments.out is None:
        run(arguments)
        return
    with open(arguments.out, "w", encoding="utf-8") as stream, contextlib.redirect_stdout(stream):
        run(arguments)
    with open(arguments.out, encoding="utf-8") as stream:
        sys.stdout.write(stream.read())


if __name__ == "__main__":
    main()
