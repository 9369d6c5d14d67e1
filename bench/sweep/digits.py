#!/usr/bin/env python3
"""30 configurations (6 strengths of L2, 5 learning rates) on 5 folds of scikit-learn's digits: vise sweep beside
GridSearchCV of scikit-learn's MLP. The same net (64-64-10, ReLU, Glorot), 20 epochs, batch 64, Adam, scored by accuracy;
classes in proportion in each fold, though the folds are not the same. scikit-learn's alpha is 128 l2, which is the same
penalty. Seconds, in turns, are those of whole commands and whole calls, scikit-learn's import apart.

  digits.py [--vise build/bin/vise] [--rounds 2] [--out FILE]"""

import argparse
import os
import re
import tempfile
import time
import warnings

import measure  # before numpy

BATCH, EPOCHS, FOLDS = 64, 20, 5
RATES = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2]
COLUMNS = ("tool", "way", "refit", "round", "seconds", "fits_per_s", "others", "best_accuracy", "best")


def vise_turn(vise, folder, jobs, refit):
    command = [vise, "sweep", "--train", os.path.join(folder, "x.npy"), "--train-labels", os.path.join(folder, "y.npy"),
               "--layers", "64-64-10", "--init-scheme", "glorot", "--epochs", str(EPOCHS), "--batch", str(BATCH),
               "--optimizer", "adam", "--backend", "cpu", *measure.vary("l2", measure.strengths(6)),
               *measure.vary("lr", RATES), "--folds", str(FOLDS), "--score", "accuracy", "--refit", refit, "--jobs",
               str(jobs), "--overwrite", "--out", os.path.join(folder, f"out-{refit}")]
    with measure.Meter() as meter:
        printed = measure.run(command)
    name, accuracy = re.search(r"^winner \(best\) +(.*): accuracy ([\d.]+)", printed, re.M).groups()
    return meter, float(accuracy), name


def peer_turn(x, y, n_jobs, refit):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    net = MLPClassifier((64,), batch_size=BATCH, max_iter=EPOCHS, tol=0, n_iter_no_change=10 * EPOCHS, random_state=0)
    grid = {"alpha": [2 * BATCH * l2 for l2 in measure.strengths(6)], "learning_rate_init": RATES}
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    search = GridSearchCV(net, grid, cv=folds, n_jobs=n_jobs, refit=refit == "yes")
    os.environ["PYTHONWARNINGS"] = "ignore"  # of the workers
    with warnings.catch_warnings(), threadpool_limits(1), measure.Meter() as meter:
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(x, y)
    return meter, search.best_score_, f"{search.best_params_}"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vise", default=os.path.join(measure.ROOT, "build", "bin", "vise"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--quiet-seconds", type=float, default=60, help="wait so long for a quiet machine")
    parser.add_argument("--out", help="write the CSV to this file as well")
    return parser.parse_args()


def main():
    import numpy as np
    from joblib import Parallel, delayed
    from sklearn.datasets import load_digits

    arguments = parse()
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int64)
    n_fits, best = 6 * len(RATES) * FOLDS, {}
    with tempfile.TemporaryDirectory() as folder:
        np.save(os.path.join(folder, "x.npy"), x)
        np.save(os.path.join(folder, "y.npy"), y)
        results = measure.Results(arguments.out, arguments.vise)
        results.row(COLUMNS)
        Parallel(n_jobs=2)(delayed(time.sleep)(0.1) for _ in range(4))  # the workers of n_jobs 2 are there
        for number in range(arguments.rounds):
            measure.wait_until_quiet(arguments.quiet_seconds)
            for jobs in (1, 2):
                for refit in ("no", "yes"):
                    turns = [("vise", f"jobs {jobs}", vise_turn(arguments.vise, folder, jobs, refit))]
                    if refit == "yes":
                        turns.append(("scikit-learn", f"n_jobs {jobs}", peer_turn(x, y, jobs, refit)))
                    for tool, way, (meter, accuracy, name) in turns:
                        results.row((tool, way, refit, number, meter.wall, n_fits / meter.wall, meter.others, accuracy,
                                     name))
                        if refit == "yes":
                            best.setdefault(tool, []).append(meter.wall)
    results.say(f"# with the refit, the best time of both numbers of jobs: vise {min(best['vise']):.3g} s, "
                f"scikit-learn {min(best['scikit-learn']):.3g} s: {min(best['scikit-learn']) / min(best['vise']):.3g} "
                "times")


if __name__ == "__main__":
    main()
