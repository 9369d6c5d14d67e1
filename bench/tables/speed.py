#!/usr/bin/env python3
"""Reading and converting 100 MB of CSV on one core, Vise beside pandas' C engine, in one run: seconds and peak memory.
Vise reads, fits (means, categories, ...) and converts to float32 inputs; pandas reads, and that is all it does. Needs
pandas and NumPy.

  speed.py [--tool build/bin/bench_describe_table] [--megabytes 100] [--repeats 3]"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

PANDAS = """
import sys, time, resource
import pandas
begin = time.perf_counter()
frame = pandas.read_csv(sys.argv[1], engine="c")
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
ROWS = 20000


def block(kind, rng):
    if kind == "mixed":
        cities = np.array(["London", "New York", "Paris", "São Paulo", '"Washington, D.C."', "Tokyo", "NA"])
        columns = [np.char.mod("%.3f", rng.normal(50, 20, ROWS)), rng.choice(cities, ROWS),
                   np.char.mod("%d", rng.integers(0, 100000, ROWS)),
                   np.where(rng.random(ROWS) < 0.05, "", np.char.mod("%.2f", rng.gamma(2, 100, ROWS))),
                   np.char.mod("2026-%02d", rng.integers(1, 13, ROWS)), rng.choice(["yes", "no"], ROWS),
                   np.char.mod("%.6g", rng.normal(0, 1e-3, ROWS)), np.char.mod("%d", rng.integers(0, 2, ROWS))]
        columns[4] = np.char.add(columns[4], np.char.mod("-%02d", rng.integers(1, 29, ROWS)))
    else:
        form = {"numbers": "%.6f", "17 digits": "%.17g", "integers": "%d"}[kind]
        values = rng.normal(0, 1000, (20, ROWS))
        columns = [np.char.mod(form, v.astype(int) if kind == "integers" else v) for v in values]
        columns[-1] = np.char.mod("%d", rng.integers(0, 2, ROWS))
    return ("\n".join(map(",".join, zip(*columns))) + "\n").encode()


def write(path, kind, n_bytes):
    rng = np.random.default_rng(1)
    n_columns = 8 if kind == "mixed" else 20
    part = block(kind, rng)
    with open(path, "wb") as file:
        file.write((",".join(f"c{i}" for i in range(n_columns)) + "\n").encode())
        while file.tell() < n_bytes:
            file.write(part)


def best(command, parse, repeats):
    runs = [parse(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(repeats)]
    return min(run[0] for run in runs), max(run[1] for run in runs), runs[0][2]


def of_vise(text):
    row = json.loads(text)
    return row["read_s"] + row["convert_s"], row["peak_mb"], row


def of_pandas(text):
    seconds, peak = map(float, text.split())
    return seconds, peak, None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/bin/bench_describe_table")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print("file        MB    vise s (read)  peak MB  bound MB   pandas s  peak MB")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "table.csv")
        for kind in ("numbers", "17 digits", "integers", "mixed"):
            write(path, kind, arguments.megabytes << 20)
            seconds, peak, row = best(["taskset", "-c", "0", arguments.tool, "--time", path], of_vise, arguments.repeats)
            pandas_s, pandas_peak, _ = best(["taskset", "-c", "0", sys.executable, "-c", PANDAS, path], of_pandas,
                                            arguments.repeats)
            print(f"{kind:10} {os.path.getsize(path) >> 20:4d} {seconds:8.2f} ({row['read_s']:.2f}) {peak:9.0f} "
                  f"{2 * row['f32_mb'] + 64:9.0f} {pandas_s:10.2f} {pandas_peak:8.0f}")


if __name__ == "__main__":
    main()
