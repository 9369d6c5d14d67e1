"""The search that the numbers of the recipe for tables come from. Each variant changes one or two of them and is scored
on inputs prepared here, as by recipe_compare.py --prepared, on the part "choosing"; the best are then looked at on the
part "held-back", which chooses nothing.

    python3 bench/tables/recipe_choose.py [--part choosing] [--variant NAME,...] [--seeds 0,1,2] [--peer RESULTS]
        [--out FILE]

Prints CSV, a line for each variant: the mean over tables of (variant - scikit-learn), the same over tables of fewer
than 1000 training rows and of more, the worst table, the number of tables below -0.04, and the mean and standard error
of (variant - recipe) over tables. A variant is better if that mean is well beyond its error.
"""

import argparse
import dataclasses
import os
import statistics
import time

from recipe_compare import WORST_ALLOWED, PeerScores, open_streams, print_head, print_row
from tables import BUILD, FOLDER, ROOT, chosen, fetch, with_packages

COLUMNS = ("variant", "mean", "mean_small", "mean_large", "worst", "worst_table", "below", "over_recipe", "error",
           "seconds")

# By name, what differs from the recipe.
VARIANTS = {
    "recipe": {},
    "lr-1e-3": {"lr": 1e-3},
    "lr-4e-3": {"lr": 4e-3},
    "clip-norm-5": {"clip_norm": 5.0},
    "clip-norm-0.3": {"clip_norm": 0.3},
    "decay-4": {"decay": 4.0},
    "decay-16": {"decay": 16.0},
    "decay-at-most-2": {"decay_high": 2.0},
    "decay-at-most-10": {"decay_high": 10.0},
    "decay-0.1-for-all": {"decay": 0.0},
    "decay-at-least-0.5": {"decay_low": 0.5},
    "linear-schedule": {"extra": ("--lr-schedule", "linear")},
    "he": {"extra": ("--init-scheme", "he")},
    "glorot": {"extra": ("--init-scheme", "glorot")},
    "tanh": {"extra": ("--activation", "tanh")},
    "silu": {"extra": ("--activation", "silu")},
    "small-hidden-32": {"small_hidden": "32"},
    "small-hidden-128": {"small_hidden": "128"},
    "small-hidden-256": {"small_hidden": "256"},
    "small-hidden-128-lr-4e-3": {"small_hidden": "128", "lr": 4e-3},
    "small-hidden-128-decay-4": {"small_hidden": "128", "decay": 4.0},
    "small-hidden-128-steps-500": {"small_hidden": "128", "small_steps": 500},
    "small-two-layers": {"small_hidden": "64-32"},
    "small-batch-16": {"small_batch": 16},
    "small-batch-64": {"small_batch": 64},
    "small-steps-500": {"small_steps": 500},
    "small-steps-1500": {"small_steps": 1500},
    "small-steps-2000": {"small_steps": 2000},
    "small-below-500-rows": {"small_rows": 500},
    "small-below-2000-rows": {"small_rows": 2000},
    "hidden-64": {"hidden": "64"},
    "hidden-256": {"hidden": "256"},
    "two-layers": {"hidden": "128-64"},
    "two-layers-256": {"hidden": "256-128"},
    "two-layers-patience-20": {"hidden": "128-64", "patience": 20},
    "batch-32": {"batch": 32},
    "batch-128": {"batch": 128},
    "epochs-50": {"epochs": 50},
    "epochs-200": {"epochs": 200},
    "patience-20": {"patience": 20},
    "a-fifth-held-out": {"val_fraction": 0.2},
    "nothing-held-out-20-epochs": {"val_fraction": 0.0, "epochs": 20},
    "nothing-held-out-50-epochs": {"val_fraction": 0.0, "epochs": 50},
}


class Tried:
    """A table's splits, with the peer's scores and those of the options tried so far."""

    def __init__(self, table, arguments, peers):
        from recipe_data import Rows
        from recipe_vise import Split

        rows = Rows(table, arguments.folder)
        self.table, self.tool, self.known = table, arguments.vise, {}
        self.splits = [Split(table, rows, seed, arguments.max_categories) for seed in arguments.seeds]
        self.peer = [peers.get(table, rows, seed, 200) for seed in arguments.seeds]
        self.is_small = self.splits[0].n_rows < 1000

    def difference(self, recipe):
        """Recipe minus peer, in the mean over splits."""
        return statistics.fmean(self.score(at, recipe) - peer for at, peer in enumerate(self.peer))

    def close(self):
        for split in self.splits:
            split.close()

    def score(self, at, recipe):
        split = self.splits[at]
        key = (at, *recipe.options(split.n_rows, split.n_columns))
        if key not in self.known:
            self.known[key] = split.score(self.tool, recipe)
        return self.known[key]


def mean(values):
    values = list(values)
    return statistics.fmean(values) if values else ""


def try_variant(name, tried, base):
    """A row, and the difference from the peer by table."""
    from recipe_vise import Recipe

    start = time.perf_counter()
    recipe = dataclasses.replace(Recipe(), **VARIANTS[name])
    found = {table: table.difference(recipe) for table in tried}
    seconds = time.perf_counter() - start

    worst = min(found, key=found.get)
    over = [found[table] - base.get(table, found[table]) for table in tried]
    error = statistics.stdev(over) / len(over) ** 0.5 if len(over) > 1 else ""
    row = (name, mean(found.values()), mean(found[table] for table in tried if table.is_small),
           mean(found[table] for table in tried if not table.is_small), found[worst], worst.table.name,
           sum(difference < WORST_ALLOWED for difference in found.values()), mean(over), error, round(seconds))
    return row, found


def parse():
    parser = argparse.ArgumentParser(description="Scores variants of the recipe for tables.")
    parser.add_argument("--part", choices=("choosing", "held-back", "all"), default="choosing")
    parser.add_argument("--variant", default=",".join(VARIANTS), help="a comma list of names (default: all)")
    parser.add_argument("--seeds", default="0,1,2", help="a split and a training for each")
    parser.add_argument("--peer", help="take scikit-learn's scores from these results of recipe_compare.py")
    parser.add_argument("--max-categories", type=int, default=0, help="as of vise train (default: 0, auto)")
    parser.add_argument("--vise", default=os.path.join(ROOT, "build", "bin", "vise"))
    parser.add_argument("--folder", default=FOLDER, help="where the tables are, or are to be")
    parser.add_argument("--out", help="write the CSV to this file as well")
    arguments = parser.parse_args()
    arguments.seeds = [int(seed) for seed in arguments.seeds.split(",")]
    arguments.variants = list(dict.fromkeys(["recipe"] + arguments.variant.split(",")))
    unknown = [name for name in arguments.variants if name not in VARIANTS]
    if unknown:
        parser.error(f"no such variant: {', '.join(unknown)}; there are {', '.join(VARIANTS)}")
    return arguments


def main():
    arguments = parse()
    with_packages()
    tables = chosen([], arguments.part)
    fetch(arguments.folder, tables)
    peers = PeerScores(os.path.join(BUILD, "peer.csv"), arguments.peer)
    streams = open_streams(arguments.out)
    print_head(arguments.vise, streams)
    print_row(COLUMNS, streams)

    tried = [Tried(table, arguments, peers) for table in tables]
    base = {}
    for name in arguments.variants:
        row, found = try_variant(name, tried, base)
        base = base or found
        print_row(row, streams)
    for table in tried:
        table.close()


if __name__ == "__main__":
    main()
