"""The Python package in figures, beside scikit-learn in the same run:

    env -u OPENBLAS_CORETYPE python bench/python/measure.py [--fits N]

a grid of 30 configurations by 5 folds on scikit-learn's digits (64 hidden units, 60 epochs of adam), by vise.SearchCV and by
GridSearchCV(MLPClassifier) on two processes, with the same range of initial weights and the same penalties; the same grid
with a norm clip and a box; what a fit of few rows is made of: Python, the library's calls, and among these the run; the
import; memory after many fits."""
import argparse
import os
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

import vise
from vise._library import lib

GRID_LR = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2]
GRID_ALPHA = [0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
BATCH = 64


def timed(call):
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def searches():
    x, y = load_digits(return_X_y=True)
    x = x / 16
    net = vise.Classifier(recipe="none", layers="auto-64-auto", optimizer="adam", epochs=60, batch=BATCH,
                          init_scheme="glorot")
    bounded = clone(net).set_params(clip_norm=1, clamp=0.5)
    same = dict(cv=5, n_jobs=2, refit=False)
    grid = {"lr": GRID_LR, "l2": [alpha / (2 * BATCH) for alpha in GRID_ALPHA]}  # alpha / 2 ||w||^2 / rows of a batch
    theirs = MLPClassifier((64,), batch_size=BATCH, max_iter=60, n_iter_no_change=60, tol=0)
    jobs = {
        "vise.SearchCV": vise.SearchCV(net, grid, **same),
        "vise.SearchCV, clip_norm=1, clamp=0.5": vise.SearchCV(bounded, grid, **same),
        "GridSearchCV(MLPClassifier)": GridSearchCV(theirs, {"learning_rate_init": GRID_LR, "alpha": GRID_ALPHA}, **same),
    }
    seconds = {}
    for name, search in jobs.items():
        seconds[name], fitted = timed(lambda search=search: search.fit(x, y))
        print(f"{name:42} {seconds[name]:7.2f} s   best accuracy {fitted.best_score_:.4f}")
    for name in list(jobs)[:2]:
        print(f"{name}: {seconds['GridSearchCV(MLPClassifier)'] / seconds[name]:.1f} times as fast")


def overhead(n=1000):
    """What a fit of few rows is made of: the whole by itself, and in other fits the time inside the library's calls."""
    x, y = load_iris(return_X_y=True)
    net, inside, runs = vise.Classifier(recipe="none", epochs=1, layers="auto-8-auto"), {}, []

    def watched(name, function):
        def call(*arguments):
            seconds, result = timed(lambda: function(*arguments))
            inside[name] = inside.get(name, 0) + seconds
            if name == "vise_fit_with_sized":  # vise_run_result says how much of it was the run
                runs.append(arguments[3]._obj.seconds)
            return result

        call.__name__ = name
        return call

    net.fit(x, y)
    whole = [timed(lambda: net.fit(x, y))[0] for _ in range(n)]
    functions = dict(vars(lib))
    for name, function in functions.items():
        setattr(lib, name, watched(name, function))
    others = []
    for _ in range(n):
        inside.clear()
        net.fit(x, y)
        others.append(sum(inside.values()) - runs[-1])
    for name, function in functions.items():
        setattr(lib, name, function)

    for title, share in (("at the median", 0.5), ("at best", 0.0)):
        total, run, other = (np.quantile(seconds, share) * 1e6 for seconds in (whole, runs, others))
        print(f"fit of iris {title}: {total:.0f} us, of these {total - run - other:.0f} in Python, {other:.0f} in other "
              f"calls of the library, {run:.0f} in the run (1 epoch)")


def import_time():
    code = "import time, numpy\nt = time.perf_counter()\nimport vise\nprint(time.perf_counter() - t)"
    times = [float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True,
                                  env=dict(os.environ, PYTHONPATH=os.pathsep.join(p for p in sys.path if p))).stdout)
             for _ in range(7)]
    print(f"import vise beyond NumPy: {min(times) * 1e3:.1f} ms")


def growth(n):
    x, y = load_iris(return_X_y=True)
    net = vise.Classifier(recipe="none", epochs=1)
    for i in range(n):
        if i == n // 10:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        net.fit(x, y)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"memory after {n} fits beyond that after {n // 10}: {grown} KiB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fits", type=int, default=3000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    import_time()
    overhead()
    growth(options.fits)
    searches()


main()
