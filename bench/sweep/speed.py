#!/usr/bin/env python3
"""Fits a second of vise sweep beside scikit-learn's GridSearchCV and JAX: 17-64-64-3, 2000 rows, 20 epochs, batch 64, Adam,
5 folds, strengths of L2. Programs take turns; each has had a turn before that does not count.

  speed.py [--vise build/bin/vise] [--rounds 5] [--configs 40] [--out FILE]

A fit is one model on one fold with its score. Vise's time is that of the whole command, from the start of the process;
its own line counts from the first fit. JAX's compiling is not in its times but in a column. `others` says how many
processors other programs kept busy meanwhile; fits_per_cpu_s is what does not depend on it. Needs scikit-learn and JAX."""

import argparse
import os
import re
import statistics
import tempfile
import warnings

import measure  # before numpy

SIZES, EPOCHS, BATCH, FOLDS, LR, ROWS = (17, 64, 64, 3), 20, 64, 5, 1e-3, 2000
COLUMNS = ("tool", "way", "round", "fits", "seconds", "fits_per_s", "own_fits_per_s", "fits_per_cpu_s", "others",
           "first_call_s", "accuracy")
TARGETS = {"scikit-learn": 40, "jax": 4}


class Vise:
    name = "vise"

    def __init__(self, vise, folder, n_configs):
        self.vise, self.folder, self.strengths = vise, folder, measure.strengths(n_configs)
        self.ways = {f"jobs {jobs}": jobs for jobs in (1, 2)}

    def turn(self, jobs):
        command = [self.vise, "sweep", "--train", os.path.join(self.folder, "x.npy"), "--train-labels",
                   os.path.join(self.folder, "y.npy"), "--layers", "-".join(map(str, SIZES)), "--epochs", str(EPOCHS),
                   "--batch", str(BATCH), "--optimizer", "adam", "--lr", str(LR), "--folds", str(FOLDS), "--jobs",
                   str(jobs), "--score", "accuracy", "--refit", "no", "--out", os.path.join(self.folder, "out"),
                   "--overwrite", "--backend", "cpu", *measure.vary("l2", self.strengths)]
        with measure.Meter() as meter:
            printed = measure.run(command)
        rate = float(re.search(r"\(([\d.e+]+) fits/s", printed).group(1))
        accuracy = float(re.search(r"^winner .*accuracy ([\d.]+)", printed, re.M).group(1))
        return len(self.strengths) * FOLDS, meter.wall, meter, rate, accuracy


class ScikitLearn:
    name = "scikit-learn"

    def __init__(self, x, y, n_configs):
        self.x, self.y, self.strengths = x, y, measure.strengths(n_configs)
        self.ways = {"n_jobs 1, BLAS threads 1": (1, 1), "n_jobs 1, BLAS threads 2": (1, 2),
                     "n_jobs 2, BLAS threads 1": (2, 1)}

    def turn(self, way):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.model_selection import GridSearchCV
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits

        n_jobs, n_threads = way
        net = MLPClassifier(SIZES[1:-1], batch_size=BATCH, max_iter=EPOCHS, learning_rate_init=LR, tol=0,
                            n_iter_no_change=10 * EPOCHS, random_state=0)
        search = GridSearchCV(net, {"alpha": self.strengths}, cv=FOLDS, n_jobs=n_jobs, refit=False)
        os.environ["PYTHONWARNINGS"] = "ignore"  # of the workers
        with warnings.catch_warnings(), threadpool_limits(n_threads), measure.Meter() as meter:
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(self.x, self.y)
        return len(self.strengths) * FOLDS, meter.wall, meter, "", search.best_score_


class Jax:
    name = "jax"

    def __init__(self, x, y, n_configs):
        import jax_sweep

        self.fits = jax_sweep.Fits(x, y, SIZES, EPOCHS, BATCH, FOLDS, LR)
        self.strengths = measure.strengths(n_configs)
        self.ways = {f"vmap of {size}, scan": size for size in (5, 10, 25, 50, 100)}
        self.ways["scan, one model in each of two threads"] = 0

    def turn(self, size):
        with measure.Meter() as meter:
            seconds, accuracy = self.fits.batched(self.strengths, size)
        meter.own *= seconds / meter.wall  # the rest goes into making what the calls are given
        return len(self.strengths) * FOLDS, seconds, meter, "", accuracy


def timed(tool, way):
    """What of a row's columns a turn fills, first_call_s apart."""
    fits, seconds, meter, own_rate, accuracy = tool.turn(tool.ways[way])
    return fits, seconds, fits / seconds, own_rate, fits / meter.own, meter.others, accuracy


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vise", default=os.path.join(measure.ROOT, "build", "bin", "vise"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--configs", type=int, default=40, help="of Vise and JAX")
    parser.add_argument("--peer-configs", type=int, default=3, help="of scikit-learn, whose fits take longer")
    parser.add_argument("--quiet-seconds", type=float, default=20,
                        help="wait so long for a quiet machine, before each turn")
    parser.add_argument("--out", help="write the CSV to this file as well")
    return parser.parse_args()


def best_way(found, tool, measured):
    """The way of a tool with the highest median."""
    return max((way for name, way in found if name == tool), key=lambda way: statistics.median(found[tool, way][measured]))


def summary(results, found):
    """Medians of each way, and how much faster Vise's best way is than a tool's best one, round by round: by the wall, and
    by the seconds of processors, which others do not take away. found: by tool and way, lists over a way's rounds of these
    two and of what others did."""
    for (tool, way), (rates, per_cpu, others) in found.items():
        quietest = min(range(len(rates)), key=lambda i: others[i])
        results.say(f"# {tool}, {way}: median {statistics.median(rates):.4g} fits/s, best {max(rates):.4g}; "
                    f"{statistics.median(per_cpu):.4g} a second of a processor; {rates[quietest]:.4g} fits/s when others "
                    f"kept {others[quietest]:.2f} processors busy")
    for tool, wanted in TARGETS.items():
        for measured, unit in ((0, "fits/s"), (1, "fits in a second of a processor")):
            ways = [best_way(found, name, measured) for name in ("vise", tool)]
            both = [found[name, way][measured] for name, way in zip(("vise", tool), ways)]
            ratios = [a / b for a, b in zip(*both)]
            results.say(f"# {unit}: vise, {ways[0]}, over {tool}, {ways[1]}: {statistics.median(ratios):.3g} in the median "
                        f"of rounds ({min(ratios):.3g} to {max(ratios):.3g}), {max(both[0]) / max(both[1]):.3g} best over "
                        f"best; wanted {wanted}")


def main():
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        x, y = measure.made_up(folder, ROWS, SIZES[0], SIZES[-1])
        tools = [Vise(arguments.vise, folder, arguments.configs), ScikitLearn(x, y, arguments.peer_configs),
                 Jax(x, y, arguments.configs)]
        results = measure.Results(arguments.out, arguments.vise)
        results.row(COLUMNS)
        first, found = {}, {}
        for tool in tools:
            for way in tool.ways:
                first[tool.name, way] = timed(tool, way)[1]
        for number in range(arguments.rounds):
            for tool in tools:
                for way in tool.ways:
                    measure.wait_until_quiet(arguments.quiet_seconds)
                    *cells, accuracy = timed(tool, way)
                    for kept, cell in zip(found.setdefault((tool.name, way), ([], [], [])), (cells[2], *cells[4:])):
                        kept.append(cell)
                    results.row((tool.name, way, number, *cells, first[tool.name, way], accuracy))
        summary(results, found)


if __name__ == "__main__":
    main()
