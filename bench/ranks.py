"""Steps a second of one process with one and with two threads, and of two processes (mpirun) with one thread each.

    ranks.py VISE [ROUNDS]      runs all three in turns on made-up rows; the median of each, and the best

On a machine of two cores that does nothing else: processes share the work of a step by messages, threads by memory.
"""
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
# Net, batch, steps.
CASES = [("32-64-4", 512, 1000), ("32-256-256-4", 1024, 100), ("32-1024-1024-4", 2048, 8)]
WAYS = {
    "1 process, 1 thread": ([], 1),
    "1 process, 2 threads": ([], 2),
    "2 processes": (["mpirun", "-n", "2", "--bind-to", "core"], 1),
}


def make_rows(path):
    draw = random.Random(1)
    with open(path, "w", encoding="utf-8") as out:
        out.write(",".join(f"x{i}" for i in range(32)) + ",y\n")
        for _ in range(4096):
            out.write(",".join(f"{draw.gauss(0, 1):.3f}" for _ in range(32)) + f",c{draw.randrange(4)}\n")


def steps_per_second(vise, way, case):
    launcher, threads = WAYS[way]
    layers, batch, steps = case
    command = launcher + [vise, "train", "--train", "rows.csv", "--recipe", "none", "--layers", layers, "--batch", str(batch),
                          "--steps", str(steps), "--threads", str(threads), "--parts", "8", "--json", "--quiet"]
    result = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    report = json.loads(result.stdout)
    return report["steps"] / report["seconds"]


def main():
    vise = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_rows("rows.csv")
        for case in CASES:
            found = {way: [] for way in WAYS}
            for _ in range(rounds):
                for way in WAYS:
                    found[way].append(steps_per_second(vise, way, case))
            print(f"{case[0]}, batch {case[1]}: steps a second, median and best of {rounds}")
            for way, values in found.items():
                print(f"  {way:22} {statistics.median(values):10.1f} {max(values):10.1f}", flush=True)


main()
