#!/usr/bin/env python3
"""Reading and converting 100 MB of CSV on one core, Vise beside pandas' C engine, in turns: seconds, their ratio, and
peak memory beside what it may be (twice the float32 inputs and targets, and 64 MB). Vise reads, fits (means,
categories, ...) and converts to float32 inputs; pandas reads, and that is all it does. Makes itself an environment with
pandas where it lacks. Exit 1 where Vise takes longer than pandas, or more memory than it may.

  speed.py [--tool build/bin/bench_describe_table] [--megabytes 100] [--repeats 3] [--out FILE]"""
import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile

from tables import BUILD, ROOT, with_packages

PANDAS = """
import sys, time, resource
import pandas
begin = time.perf_counter()
frame = pandas.read_csv(sys.argv[1], engine="c")
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
ROWS = 20000


def block(kind, rng):
    import numpy as np

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
    import numpy as np

    rng = np.random.default_rng(1)
    n_columns = 8 if kind == "mixed" else 20
    part = block(kind, rng)
    with open(path, "wb") as file:
        file.write((",".join(f"c{i}" for i in range(n_columns)) + "\n").encode())
        while file.tell() < n_bytes:
            file.write(part)


def output_of(command):
    """The shell's child, not this program's, is what runs it: a peak of memory is handed down through exec."""
    shell = ["sh", "-c", 'taskset -c 0 "$@"; exit $?', "sh"]
    return subprocess.run(shell + command, check=True, capture_output=True, text=True).stdout


def measure(tool, path, repeats):
    """The best times and the highest peaks, in turns, so that a disturbance hits both."""
    rows, pandas = [], []
    for _ in range(repeats):
        rows.append(json.loads(output_of([tool, "--time", path])))
        pandas.append([float(number) for number in output_of([sys.executable, "-c", PANDAS, path]).split()])
    fastest = min(rows, key=lambda row: row["read_s"] + row["convert_s"])
    return dict(seconds=fastest["read_s"] + fastest["convert_s"], read=fastest["read_s"],
                peak=max(row["peak_mb"] for row in rows), bound=2 * rows[0]["f32_mb"] + 64,
                pandas=min(run[0] for run in pandas), pandas_peak=max(run[1] for run in pandas))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default=os.path.join(ROOT, "build", "bin", "bench_describe_table"))
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", help="write the lines to this file as well")
    return parser.parse_args()


def main():
    arguments = parse()
    with_packages()
    sys.path.append(os.path.join(ROOT, "bench", "peers"))
    from common import print_context

    streams = [sys.stdout] + ([open(arguments.out, "w", encoding="utf-8")] if arguments.out else [])
    good = True

    def say(line):
        for stream in streams:
            print(line, file=stream, flush=True)

    print_context(*streams[1:], pandas=importlib.metadata.version("pandas"))
    say("file        MB    vise s (read)  peak MB  bound MB   pandas s  peak MB  vise / pandas")
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        path = os.path.join(folder, "table.csv")
        for kind in ("numbers", "17 digits", "integers", "mixed"):
            write(path, kind, arguments.megabytes << 20)
            m = measure(arguments.tool, path, arguments.repeats)
            ratio = m["seconds"] / m["pandas"]
            good &= ratio <= 1 and m["peak"] <= m["bound"]
            say(f"{kind:10} {os.path.getsize(path) >> 20:4d} {m['seconds']:8.2f} ({m['read']:.2f}) {m['peak']:9.0f} "
                f"{m['bound']:9.0f} {m['pandas']:10.2f} {m['pandas_peak']:8.0f} {ratio:14.2f}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
