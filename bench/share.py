"""The share of the cores' peak that whole steps reach, net by net, of one Vise or of several side by side.

    python3 bench/share.py [--vise build/bin/vise] [--vise OTHER/vise ...] [--threads 1,2] [--batch 32,64,256]
                           [--nets 784-128-10,...] [--rounds 3] [--seconds 0.15] [--data random] [--out FILE]

A net of NETS, a number of threads, a batch: the programs take turns, round by round, and in each round in another order,
so that a disturbance hits all alike. Each is a `vise bench --layers NET --mode cpu`: random dense rows of float32,
cross-entropy, SGD, L2, norm clip and box, the step verified before it is timed. --data mnist takes MNIST's own images
and the nets that have their size.

Prints CSV: which program (the first is "a"), its net, batch and threads; the median over the rounds of a step's
microseconds, the least and the most of the rounds' medians, the mean width between their quartiles; GFLOP/s by the
matrix products alone, from the median; the peak, by nothing but multiply-adds on as many threads, the highest seen in
any round; and the share of it. A program that measures no peak is held against that of the others.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "peers"))

from environment import MNIST_FILES, NOTE, ROOT, commit, cpu_name, print_into

NETS = ("784-128-10", "768-128-64", "256-256-256-256-256", "64-64-64-64-64", "1024-1024-1024-1024", "17-64-64-6")
COLUMNS = ("program", "net", "batch", "threads", "us_per_step", "us_least", "us_most", "us_quartiles", "gflop_per_s",
           "peak_gflop_per_s", "share_of_peak")


def measure(tool, net, threads, arguments):
    """Rows of vise bench, one for each batch; none where it fails, which is said."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.csv")
        command = [tool, "bench", "--layers", net, "--batch", arguments.batch, "--mode", "cpu", "--threads", str(threads),
                   "--seconds", str(arguments.seconds), "--csv", path]
        if arguments.data == "mnist":
            command += ["--data", MNIST_FILES[0], "--labels", MNIST_FILES[1]]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            print(f"# {' '.join(command)}: {done.stderr.strip()}", file=sys.stderr)
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as stream:
            return list(csv.DictReader(line for line in stream if not line.startswith("#")))


def collect(arguments):
    """(net, batch, threads) -> program -> its rows, one a round."""
    found = {}
    programs = list(enumerate(arguments.vise))
    for k in range(arguments.rounds):
        for net in arguments.nets:
            for threads in arguments.threads:
                for place, tool in programs[k % len(programs):] + programs[:k % len(programs)]:
                    for row in measure(tool, net, threads, arguments):
                        key = net, int(row["batch"]), threads
                        if row["us_per_step"]:
                            found.setdefault(key, {}).setdefault(place, []).append(row)
    return found


def lines_of(found):
    """The rows of the table, with the peak of each number of threads."""
    peaks = {}
    for (_, _, threads), programs in found.items():
        for rows in programs.values():
            seen = [float(row.get("peak_gflop_per_s") or "nan") for row in rows]
            peaks[threads] = max([peaks.get(threads, 0.0)] + [peak for peak in seen if peak == peak])
    for (net, batch, threads), programs in found.items():
        for place, rows in sorted(programs.items()):
            times = [float(row["us_per_step"]) for row in rows]
            median = statistics.median(times)
            flop = float(rows[0]["tflop_per_s"]) * 1e6 * float(rows[0]["us_per_step"])
            width = statistics.fmean(float(row["us_q3"]) - float(row["us_q1"]) for row in rows)
            gflops, peak = 1e-3 * flop / median, peaks[threads]
            numbers = (median, min(times), max(times), width, gflops)
            yield [chr(ord("a") + place), net, batch, threads] + [f"{x:.5g}" for x in numbers] + [
                f"{peak:.5g}" if peak else "", f"{gflops / peak:.3f}" if peak else ""]


def about(tool):
    done = subprocess.run([tool, "--version"], stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout.strip().splitlines()[0]


def run(arguments):
    start = time.monotonic()
    print("# command: python3 bench/share.py " + " ".join(sys.argv[1:]))
    print(f"# commit: {commit()}", f"# cpu: {cpu_name()}", f"# load before: {os.getloadavg()[0]:.2f}", sep="\n")
    print("# " + (NOTE or "OPENBLAS_*: not set"))
    for place, tool in enumerate(arguments.vise):
        print(f"# {chr(ord('a') + place)}: {about(tool)}")
    lines = list(lines_of(collect(arguments)))
    if not lines:
        raise SystemExit("nothing was measured")
    print(f"# {arguments.rounds} rounds, {time.monotonic() - start:.0f} s")
    print(",".join(COLUMNS))
    for line in sorted(lines, key=lambda line: (arguments.nets.index(line[1]), line[3], line[2], line[0])):
        print(",".join(map(str, line)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vise", action="append", help="a program; given again: another, in turn with the first")
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")],
                        default=sorted({1, len(os.sched_getaffinity(0))}))
    parser.add_argument("--batch", default="32,64,256")
    parser.add_argument("--nets", type=lambda text: text.split(","), default=list(NETS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.15, help="to time each row for, in each round")
    parser.add_argument("--data", choices=("random", "mnist"), default="random")
    parser.add_argument("--out", help="write the table to this file too")
    arguments = parser.parse_args()
    arguments.vise = arguments.vise or [os.path.join(ROOT, "build", "bin", "vise")]
    if arguments.data == "mnist":
        arguments.nets = [net for net in arguments.nets if net.startswith("784-") and net.endswith("-10")]
    print_into(arguments.out, lambda: run(arguments))


if __name__ == "__main__":
    main()
