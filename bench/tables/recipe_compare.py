"""Vise's defaults for tables beside scikit-learn's pipeline (SimpleImputer, OneHotEncoder, StandardScaler, MLP with its
defaults; targets of regressions standardised), on real tables from PyPI.

    python3 bench/tables/recipe_compare.py --raw         the tool alone: vise train --train F, then vise eval
    python3 bench/tables/recipe_compare.py --prepared    inputs prepared here, the recipe's options given to vise train
        [--part choosing|held-back|all] [--table NAME,...] [--seeds 0,1,2] [--max-iter 200] [--peer RESULTS]
        [--out FILE]

For each seed 75 % of the rows train and 25 % test, classes in proportion; the score is accuracy or R^2. Prints CSV: a
line for each table and split, then comment lines: the means over splits, and for each part the mean over tables, the
median (R^2 has no lower bound, so one table can make a mean) and the worst. scikit-learn is slow beside Vise, so its
scores are kept in build/tables/peer.csv; --peer takes those of an earlier run's --out. Exit 1 where the mean of a part is
below 0, a table is below -0.04, or a training fails.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys

from tables import BUILD, FOLDER, ROOT, chosen, fetch, with_packages

sys.path.append(os.path.join(ROOT, "bench", "peers"))
WORST_ALLOWED = -0.04
COLUMNS = ("part", "table", "task", "rows", "columns", "seed", "vise", "peer", "difference", "note")


class PeerScores:
    """scikit-learn's scores by table, seed and limit of iterations, kept in a file. Of an earlier comparison's results,
    with max_iter 200, those are taken that the file lacks."""

    def __init__(self, path, results=None):
        self.path, self.known = path, {}
        if results:
            with open(results, encoding="utf-8", newline="") as stream:
                for row in csv.DictReader(line for line in stream if not line.startswith("#")):
                    self.known[row["table"], row["seed"], "200"] = float(row["peer"])
        if os.path.exists(path):
            with open(path, encoding="utf-8", newline="") as stream:
                self.known.update({tuple(row[:3]): float(row[3]) for row in csv.reader(stream)})

    def get(self, table, rows, seed, max_iter):
        from recipe_data import peer_score

        key = (table.name, str(seed), str(max_iter))
        if key not in self.known:
            self.known[key] = peer_score(table, rows, seed, max_iter)
            with open(self.path, "a", encoding="utf-8", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerow((*key, f"{self.known[key]:.6f}"))
        return self.known[key]


def vise_score(arguments, table, rows, seed):
    from recipe_vise import Recipe, Split, raw_score

    if arguments.raw:
        return raw_score(arguments.vise, table, rows, seed)
    split = Split(table, rows, seed, arguments.max_categories)
    try:
        return split.score(arguments.vise, Recipe())
    finally:
        split.close()


def compare(arguments, table, peers):
    """A row for each split."""
    from recipe_data import Rows
    from recipe_vise import Failed

    rows = Rows(table, arguments.folder)
    for seed in arguments.seeds:
        row = dict(part=table.part, table=table.name, task=table.task, rows=len(rows.lines),
                   columns=rows.features.shape[1], seed=seed, note="")
        row["peer"] = peers.get(table, rows, seed, arguments.max_iter)
        try:
            row["vise"] = vise_score(arguments, table, rows, seed)
            row["difference"] = row["vise"] - row["peer"]
        except Failed as failure:
            row["note"] = str(failure)
        yield row


def differences_of(rows):
    """The mean difference of each table without failures."""
    names = dict.fromkeys(row["table"] for row in rows)
    of_table = {name: [row.get("difference") for row in rows if row["table"] == name] for name in names}
    return {name: statistics.fmean(found) for name, found in of_table.items() if None not in found}


def summary(part, rows):
    """A line on a part, and whether it is as it should be."""
    means = differences_of(rows)
    failed = sorted({row["table"] for row in rows} - set(means))
    if not means:
        return f"{part}: every table failed", False
    mean, median = statistics.fmean(means.values()), statistics.median(means.values())
    worst = min(means, key=means.get)
    below = sum(difference < WORST_ALLOWED for difference in means.values())
    text = (f"{part}: {len(means)} tables, Vise minus scikit-learn: mean {mean:+.4f}, median {median:+.4f}, worst "
            f"{means[worst]:+.4f} ({worst}), {below} below {WORST_ALLOWED}")
    return text + (f", failed: {' '.join(failed)}" if failed else ""), mean >= 0 and not below and not failed


def open_streams(path):
    """Standard output and, where it was asked for, a file."""
    return [sys.stdout] + ([open(path, "w", encoding="utf-8")] if path else [])


def print_row(cells, streams):
    for stream in streams:
        csv.writer(stream, lineterminator="\n").writerow(f"{cell:.4f}" if isinstance(cell, float) else cell
                                                         for cell in cells)
        stream.flush()


def report(rows, streams):
    """The comment lines at the end. Returns whether all is as it should be."""
    means = differences_of(rows)
    lines = [f"{name} {means[name]:+.4f}" for name in sorted(means, key=means.get)]
    good = True
    for part in dict.fromkeys(row["part"] for row in rows):
        text, part_is_good = summary(part, [row for row in rows if row["part"] == part])
        lines.append(text)
        good &= part_is_good
    for stream in streams:
        print("\n".join("# " + line for line in lines), file=stream, flush=True)
    return good


def parse():
    parser = argparse.ArgumentParser(description="Compares Vise's defaults for tables with scikit-learn's pipeline.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--raw", action="store_true", help="the tool alone, on CSV")
    mode.add_argument("--prepared", action="store_true", help="on inputs that are prepared here")
    parser.add_argument("--part", choices=("choosing", "held-back", "all"), default="all")
    parser.add_argument("--table", default="", help="a comma list of names (default: all)")
    parser.add_argument("--seeds", default="0,1,2", help="a split and a training for each")
    parser.add_argument("--max-iter", type=int, default=200, help="of scikit-learn's MLP (default: 200, as its own)")
    parser.add_argument("--peer", help="take scikit-learn's scores from these results of an earlier run")
    parser.add_argument("--max-categories", type=int, default=0, help="as of vise train (default: 0, auto)")
    parser.add_argument("--vise", default=os.path.join(ROOT, "build", "bin", "vise"))
    parser.add_argument("--folder", default=FOLDER, help="where the tables are, or are to be")
    parser.add_argument("--out", help="write the CSV to this file as well")
    arguments = parser.parse_args()
    arguments.seeds = [int(seed) for seed in arguments.seeds.split(",")]
    arguments.tables = chosen([name for name in arguments.table.split(",") if name], arguments.part)
    return arguments


def print_head(tool, streams):
    """By what and where the numbers below were made."""
    import sklearn
    from common import print_context

    version = subprocess.run([tool, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    print_context(*streams[1:], vise=version.split()[-1], **{"scikit-learn": sklearn.__version__})


def main():
    arguments = parse()
    with_packages()
    fetch(arguments.folder, arguments.tables)
    peers = PeerScores(os.path.join(BUILD, "peer.csv"), arguments.peer)

    streams = open_streams(arguments.out)
    print_head(arguments.vise, streams)
    print_row(COLUMNS, streams)
    rows = []
    for table in arguments.tables:
        for row in compare(arguments, table, peers):
            print_row([row.get(name, "") for name in COLUMNS], streams)
            rows.append(row)
    sys.exit(0 if report(rows, streams) else 1)


if __name__ == "__main__":
    main()
