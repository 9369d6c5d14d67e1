#!/usr/bin/env python3
"""What of a fit of vise sweep are its epochs and what is the rest (making the model and the trainer, scores at the end):
fits of 17-64-64-3, 2000 rows, batch 64, Adam, with 1 to 20 epochs, one at a time. Of 300 fits each the fastest counts,
which other programs disturb least; rest_us is a fit's time less its epochs at the rate between those of 1 and 10.

  parts.py [--vise build/bin/vise] [--rounds 3] [--out FILE]"""

import argparse
import json
import os
import statistics
import tempfile

import measure

EPOCHS = (1, 2, 5, 10, 20)
CONFIGS = 60


def fit_seconds(vise, folder, epochs):
    out = os.path.join(folder, "out")
    measure.run([vise, "sweep", "--train", os.path.join(folder, "x.npy"), "--train-labels",
                 os.path.join(folder, "y.npy"), "--layers", "17-64-64-3", "--epochs", str(epochs), "--batch", "64",
                 "--optimizer", "adam", "--lr", "1e-3", "--backend", "cpu", "--refit", "no", "--jobs", "1",
                 *measure.vary("l2", measure.strengths(CONFIGS)), "--overwrite", "--out", out])
    with open(os.path.join(out, "fits.jsonl"), encoding="utf-8") as stream:
        return [json.loads(line)["seconds"] for line in stream]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vise", default=os.path.join(measure.ROOT, "build", "bin", "vise"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", help="write the CSV to this file as well")
    arguments = parser.parse_args()

    found = {epochs: [] for epochs in EPOCHS}
    with tempfile.TemporaryDirectory() as folder:
        measure.made_up(folder, 2000, 17, 3)
        results = measure.Results(arguments.out, arguments.vise)
        for _ in range(arguments.rounds):
            for epochs in EPOCHS:
                found[epochs] += fit_seconds(arguments.vise, folder, epochs)

    best = {epochs: 1e6 * min(seconds) for epochs, seconds in found.items()}
    an_epoch = (best[10] - best[1]) / 9
    results.row(("epochs", "fastest_us", "median_us", "rest_us", "rest_share"))
    for epochs in EPOCHS:
        rest = best[epochs] - epochs * an_epoch
        results.row((epochs, best[epochs], 1e6 * statistics.median(found[epochs]), rest, rest / best[epochs]))


if __name__ == "__main__":
    main()
